//! The desktop's [GlobalShortcuts portal]: the desktop asks the person once, holds the key, and
//! tells us when it is pressed. A desktop may have no portal, or one that hangs while it starts, so
//! it is looked for with a deadline.
//!
//! [GlobalShortcuts portal]: https://flatpak.github.io/xdg-desktop-portal/docs/doc-org.freedesktop.portal.GlobalShortcuts.html

use std::future;
use std::sync::Arc;
use std::time::Duration;

use ashpd::desktop::CreateSessionOptions;
use ashpd::desktop::global_shortcuts::{BindShortcutsOptions, GlobalShortcuts, NewShortcut};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use protocol::HotkeyState;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use zbus::names::BusName;
use zbus::zvariant::OwnedValue;
use zbus::{Connection, MatchRule, MessageStream};

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

/// Why there is no key after there was one.
const GONE: &str = "the desktop's portal has given up the key";

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

/// A key that the portal holds, until this is ended or dropped. A portal that goes away is waited
/// for, and asked again when it is back.
pub(super) struct Binding {
    state: watch::Receiver<HotkeyState>,
    tasks: JoinSet<()>,
    end: CancellationToken,
}

impl Binding {
    /// Whether the key works now.
    pub(super) fn state(&self) -> HotkeyState {
        self.state.borrow().clone()
    }

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

/// Lets the portal hold the key. The desktop may show a dialog to the person. When the portal takes
/// the key away later, or gives it back, `news` is told.
pub(super) async fn bind(
    key: &Key,
    pressed: Pressed,
    news: Arc<Notify>,
) -> Result<Binding, PortalError> {
    let bus = find(PROBE_DEADLINE).await.map_err(PortalError::Absent)?;
    let (told, state) = watch::channel(HotkeyState::Off);
    let end = CancellationToken::new();
    let holder = Keeper {
        bus,
        key: key.clone(),
        pressed,
        told,
        news,
        end: end.clone(),
    };
    // All of it happens in a task of its own: the portal's client asserts what a portal answers.
    let (bound, answer) = oneshot::channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(holder.hold(bound));
    let binding = Binding { state, tasks, end };
    match timeout(DIALOG_DEADLINE, answer).await {
        Ok(Ok(Ok(()))) => Ok(binding),
        Ok(Ok(Err(error))) => Err(error),
        Ok(Err(_)) => Err(PortalError::Absent(
            "the desktop's portal answers what it should not".to_owned(),
        )),
        Err(_) => Err(PortalError::Refused(
            "the desktop's dialog was not answered: set the key again and confirm it".to_owned(),
        )),
    }
}

/// The task's side of a binding.
struct Keeper {
    bus: Connection,
    key: Key,
    pressed: Pressed,
    told: watch::Sender<HotkeyState>,
    news: Arc<Notify>,
    end: CancellationToken,
}

impl Keeper {
    async fn hold(self, bound: oneshot::Sender<Result<(), PortalError>>) {
        // Listened to from the beginning, so that no coming and going of the portal is missed.
        let mut owners = match Owners::of(&self.bus).await {
            Ok(owners) => owners,
            Err(error) => {
                let reason = format!("the desktop's D-Bus does not answer ({error})");
                drop(bound.send(Err(PortalError::Absent(reason))));
                return;
            }
        };
        match self.open(&mut owners).await {
            Some(Ok(held)) => {
                self.told.send_replace(held.state());
                // Whoever asked may be gone; then the session is only closed.
                if bound.send(Ok(())).is_err() {
                    held.close().await;
                    return;
                }
                if !self.listen(held, &mut owners).await {
                    return;
                }
            }
            Some(Err(error)) => {
                drop(bound.send(Err(error)));
                return;
            }
            None => return,
        }
        while self.is_back(&mut owners).await {
            match self.open(&mut owners).await {
                Some(Ok(held)) => {
                    self.tell(held.state());
                    if !self.listen(held, &mut owners).await {
                        return;
                    }
                }
                Some(Err(PortalError::Absent(reason))) => self.tell(super::command(&reason)),
                Some(Err(PortalError::Refused(reason))) => self.tell(HotkeyState::Failed {
                    key: self.key.to_string(),
                    reason,
                }),
                None => return,
            }
        }
    }

    /// A session with the key; `None` when the binding is ended meanwhile.
    async fn open(&self, owners: &mut Owners) -> Option<Result<Session, PortalError>> {
        tokio::select! {
            opened = open(self.bus.clone(), &self.key) => Some(opened),
            // A portal that is gone does not answer its dialog.
            () = owners.gone() => Some(Err(PortalError::Absent(GONE.to_owned()))),
            () = self.end.cancelled() => None,
        }
    }

    /// Calls at each press until the key is lost, and says that it is; false when the binding is
    /// ended.
    async fn listen(&self, mut held: Session, owners: &mut Owners) -> bool {
        loop {
            tokio::select! {
                activation = held.activated.next() => match activation {
                    Some(shortcut) if shortcut == SHORTCUT => (self.pressed)(None),
                    Some(_) => {}
                    None => break,
                },
                _ = held.closed.next() => break,
                () = owners.gone() => break,
                () = self.end.cancelled() => {
                    held.close().await;
                    return false;
                }
            }
        }
        tracing::warn!("the desktop's portal has ended: the hotkey is gone");
        self.tell(super::command(GONE));
        true
    }

    /// Waits for a portal to come; false when the binding is ended, or the bus is.
    async fn is_back(&self, owners: &mut Owners) -> bool {
        tokio::select! {
            back = owners.back() => back,
            () = self.end.cancelled() => false,
        }
    }

    fn tell(&self, state: HotkeyState) {
        self.told.send_replace(state);
        self.news.notify_one();
    }
}

/// The comings and goings of the portal's name.
struct Owners {
    /// Whether it has an owner after each change.
    changes: BoxStream<'static, bool>,
    /// Another owner took the name over as the one before went.
    replaced: bool,
}

impl Owners {
    async fn of(bus: &Connection) -> zbus::Result<Self> {
        let changes = zbus::fdo::DBusProxy::new(bus)
            .await?
            .receive_name_owner_changed_with_args(&[(0, PORTAL)])
            .await?
            .filter_map(|change| {
                let owned = change.args().map(|change| change.new_owner().is_some());
                future::ready(owned.ok())
            });
        Ok(Self {
            changes: changes.boxed(),
            replaced: false,
        })
    }

    /// Waits until the portal that was there is not.
    async fn gone(&mut self) {
        self.replaced = self.changes.next().await == Some(true);
    }

    /// Waits until another one is there; false when the bus has ended.
    async fn back(&mut self) -> bool {
        if std::mem::take(&mut self.replaced) {
            return true;
        }
        loop {
            match self.changes.next().await {
                Some(true) => return true,
                Some(false) => {}
                None => return false,
            }
        }
    }
}

/// What is asked of a session that holds the key.
struct Session {
    session: ashpd::desktop::Session<GlobalShortcuts>,
    activated: BoxStream<'static, String>,
    closed: MessageStream,
    /// The key as the desktop describes it.
    description: String,
}

impl Session {
    fn state(&self) -> HotkeyState {
        HotkeyState::Portal {
            key: self.description.clone(),
        }
    }

    async fn close(self) {
        match timeout(CLOSE_DEADLINE, self.session.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the portal's session was not closed"),
            Err(_) => tracing::warn!("the portal did not close its session in time"),
        }
    }
}

async fn open(bus: Connection, key: &Key) -> Result<Session, PortalError> {
    let closed = closed(&bus).await.map_err(|error| {
        PortalError::Absent(format!("the desktop's D-Bus does not answer ({error})"))
    })?;
    let (shortcuts, session) = timeout(PROBE_DEADLINE, start(bus))
        .await
        .map_err(|_| PortalError::Absent("the desktop's portal does not answer".to_owned()))?
        .map_err(|error| {
            PortalError::Absent(format!("the desktop's portal gives no session ({error})"))
        })?;
    let activated = shortcuts.receive_activated().await.map_err(refused)?;
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
        Some(description) => Ok(Session {
            session,
            activated: activated
                .map(|activated| activated.shortcut_id().to_owned())
                .boxed(),
            closed,
            description,
        }),
        None => Err(PortalError::Refused(
            "the desktop gave Pilotfish no key: choose one in the desktop's keyboard settings"
                .to_owned(),
        )),
    }
}

/// The portal's word that it has closed a session: this connection has but one.
async fn closed(bus: &Connection) -> zbus::Result<MessageStream> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender(PORTAL)?
        .interface("org.freedesktop.portal.Session")?
        .member("Closed")?
        .build();
    MessageStream::for_match_rule(rule, bus, None).await
}

async fn start(
    bus: Connection,
) -> ashpd::Result<(GlobalShortcuts, ashpd::desktop::Session<GlobalShortcuts>)> {
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
