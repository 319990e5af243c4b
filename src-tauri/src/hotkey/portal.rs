//! The desktop's [GlobalShortcuts portal]: the desktop asks the person once, holds the key, and
//! tells us when it is pressed. A desktop may have no portal, or one that hangs while it starts, so
//! it is looked for with a deadline.
//!
//! [GlobalShortcuts portal]: https://flatpak.github.io/xdg-desktop-portal/docs/doc-org.freedesktop.portal.GlobalShortcuts.html

use std::time::Duration;

use ashpd::desktop::CreateSessionOptions;
use ashpd::desktop::global_shortcuts::{BindShortcutsOptions, GlobalShortcuts, NewShortcut};
use futures::StreamExt as _;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use zbus::Connection;
use zbus::names::BusName;
use zbus::zvariant::OwnedValue;

use super::Pressed;
use super::key::Key;

/// How long a portal may take to be there.
pub(super) const PROBE_DEADLINE: Duration = Duration::from_secs(3);

/// How long the person may take with the desktop's dialog.
const DIALOG_DEADLINE: Duration = Duration::from_secs(120);

/// How long the session may take to be closed.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

const PORTAL: &str = "org.freedesktop.portal.Desktop";
const PATH: &str = "/org/freedesktop/portal/desktop";
const INTERFACE: &str = "org.freedesktop.portal.GlobalShortcuts";

/// Our name for the shortcut, by which the desktop remembers the person's choice.
const SHORTCUT: &str = "summon";

/// The application's identifier, as in tauri.conf.json.
const APPLICATION: &str = "app.pilotfish.desktop";

/// Why the portal holds no key.
#[derive(Debug)]
pub(super) enum PortalError {
    /// There is none that works: another route is needed.
    Absent(String),
    /// It is there, and the key could not be had.
    Refused(String),
}

/// A key that the portal holds, until this is ended or dropped.
pub(super) struct Binding {
    tasks: JoinSet<()>,
    end: CancellationToken,
}

impl Binding {
    /// Gives the key back.
    pub(super) async fn end(mut self) {
        self.end.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::warn!(%error, "the portal's task has failed");
            }
        }
    }
}

/// A connection to a bus with a portal that has global shortcuts.
///
/// # Errors
/// Why there is none, as a clause for people.
pub(super) async fn find(deadline: Duration) -> Result<Connection, String> {
    match timeout(deadline, look()).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => Err(format!("the desktop's portal does not work ({error})")),
        Err(_) => Err("the desktop's portal does not answer".to_owned()),
    }
}

async fn look() -> zbus::Result<Result<Connection, String>> {
    let bus = match Connection::session().await {
        Ok(bus) => bus,
        Err(error) => return Ok(Err(format!("there is no D-Bus session ({error})"))),
    };
    let dbus = zbus::fdo::DBusProxy::new(&bus).await?;
    let runs = dbus.name_has_owner(BusName::try_from(PORTAL)?).await?;
    if !runs
        && !dbus
            .list_activatable_names()
            .await?
            .iter()
            .any(|name| name.as_str() == PORTAL)
    {
        return Ok(Err("this desktop has no portal".to_owned()));
    }
    let properties = Some("org.freedesktop.DBus.Properties");
    let body = (INTERFACE, "version");
    let reply = bus
        .call_method(Some(PORTAL), PATH, properties, "Get", &body)
        .await;
    Ok(
        match reply.and_then(|reply| reply.body().deserialize::<OwnedValue>()) {
            Ok(_version) => Ok(bus),
            Err(zbus::Error::MethodError(_, _, _)) => {
                Err("this desktop's portal has no global shortcuts".to_owned())
            }
            Err(error) => return Err(error),
        },
    )
}

/// Lets the portal hold the key, and gives the key as the desktop describes it. The desktop may
/// show a dialog to the person.
pub(super) async fn bind(key: &Key, pressed: Pressed) -> Result<(Binding, String), PortalError> {
    let bus = find(PROBE_DEADLINE).await.map_err(PortalError::Absent)?;
    // All of it happens in a task of its own: the portal's client asserts what a portal answers.
    let (bound, answer) = oneshot::channel();
    let end = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(hold(bus, key.clone(), pressed, bound, end.clone()));
    let binding = Binding { tasks, end };
    match timeout(DIALOG_DEADLINE, answer).await {
        Ok(Ok(Ok(key))) => Ok((binding, key)),
        Ok(Ok(Err(error))) => Err(error),
        Ok(Err(_)) => Err(PortalError::Absent(
            "the desktop's portal answers what it should not".to_owned(),
        )),
        Err(_) => Err(PortalError::Refused(
            "the desktop's dialog was not answered: set the key again and confirm it".to_owned(),
        )),
    }
}

async fn hold(
    bus: Connection,
    key: Key,
    pressed: Pressed,
    bound: oneshot::Sender<Result<String, PortalError>>,
    end: CancellationToken,
) {
    let (session, mut activated, description) = match open(bus, &key).await {
        Ok(opened) => opened,
        Err(error) => {
            drop(bound.send(Err(error)));
            return;
        }
    };
    // Whoever asked may be gone; then the session is only closed.
    if bound.send(Ok(description)).is_ok() {
        loop {
            let activation = tokio::select! {
                activation = activated.next() => activation,
                () = end.cancelled() => break,
            };
            match activation {
                Some(shortcut) if shortcut == SHORTCUT => pressed(),
                Some(_) => {}
                None => {
                    tracing::warn!("the desktop's portal has ended: the hotkey is gone");
                    return;
                }
            }
        }
    }
    match timeout(CLOSE_DEADLINE, session.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the portal's session was not closed"),
        Err(_) => tracing::warn!("the portal did not close its session in time"),
    }
}

type Session = ashpd::desktop::Session<GlobalShortcuts>;
type Activations = futures::stream::BoxStream<'static, String>;

async fn open(bus: Connection, key: &Key) -> Result<(Session, Activations, String), PortalError> {
    let (shortcuts, session) = timeout(PROBE_DEADLINE, start(bus))
        .await
        .map_err(|_| PortalError::Absent("the desktop's portal does not answer".to_owned()))?
        .map_err(|error| {
            PortalError::Absent(format!("the desktop's portal gives no session ({error})"))
        })?;
    let activated = shortcuts.receive_activated().await.map_err(refused)?;
    let activated = activated
        .map(|activated| activated.shortcut_id().to_owned())
        .boxed();
    let trigger = key.trigger();
    let wanted = NewShortcut::new(SHORTCUT, "Summon or hide Pilotfish's quick window")
        .preferred_trigger(trigger.as_str());
    let request = shortcuts
        .bind_shortcuts(&session, &[wanted], None, BindShortcutsOptions::default())
        .await
        .map_err(refused)?;
    let bound = request.response().map_err(refused)?;
    let description = bound
        .shortcuts()
        .iter()
        .find(|shortcut| shortcut.id() == SHORTCUT)
        .map(|shortcut| shortcut.trigger_description().to_owned())
        .filter(|description| !description.is_empty());
    match description {
        Some(description) => Ok((session, activated, description)),
        None => Err(PortalError::Refused(
            "the desktop gave Pilotfish no key: choose one in the desktop's keyboard settings"
                .to_owned(),
        )),
    }
}

async fn start(bus: Connection) -> ashpd::Result<(GlobalShortcuts, Session)> {
    // Desktops since 2025 want to know who asks; older ones know no such call.
    let application = ashpd::AppID::try_from(APPLICATION)?;
    if let Err(error) = ashpd::register_host_app_with_connection(bus.clone(), application).await {
        tracing::debug!(%error, "the portal takes no application id");
    }
    let shortcuts = GlobalShortcuts::with_connection(bus).await?;
    let session = shortcuts
        .create_session(CreateSessionOptions::default())
        .await?;
    Ok((shortcuts, session))
}

fn refused(error: ashpd::Error) -> PortalError {
    PortalError::Refused(format!(
        "the desktop did not give this key: confirm its dialog, or choose another ({error})"
    ))
}

#[cfg(test)]
mod tests;
