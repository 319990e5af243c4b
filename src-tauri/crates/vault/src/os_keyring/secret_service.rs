//! The [Secret Service] of Linux desktops, as GNOME Keyring, KWallet and KeePassXC offer it over
//! D-Bus. Its client unlocks what it finds locked, and so prompts; the calls here do not: they read
//! properties, and search without touching a secret.
//!
//! [Secret Service]: https://specifications.freedesktop.org/secret-service-spec/latest/

use std::collections::HashMap;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use tokio::time::timeout;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, MatchRule, Message, MessageStream};

use super::system::{Client, Look, System};
use super::{DEADLINE, SERVICE};
use crate::VaultError;

const NAME: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
const SERVICE_INTERFACE: &str = "org.freedesktop.Secret.Service";
const COLLECTION_INTERFACE: &str = "org.freedesktop.Secret.Collection";
const PROMPT_INTERFACE: &str = "org.freedesktop.Secret.Prompt";

/// The path that stands for none.
const NOWHERE: &str = "/";

/// The keyring on the session's bus.
pub(super) struct SecretService;

impl System for SecretService {
    fn open(&self) -> keyring_core::Result<Client> {
        let store = zbus_secret_service_keyring_store::Store::new()?;
        Ok(Client {
            store,
            takes_label: true,
        })
    }

    fn look(&self, account: Option<String>) -> BoxFuture<'_, Result<Look, VaultError>> {
        async move {
            match look(account.as_deref()).await {
                // The keyring may have ended between two of our questions.
                Err(Trouble::Bus(error)) => {
                    tracing::info!(%error, "the keyring is looked at once more");
                    look(account.as_deref()).await
                }
                looked => looked,
            }
            .map_err(VaultError::from)
        }
        .boxed()
    }

    fn unlock(&self, deadline: Duration) -> BoxFuture<'_, Result<(), VaultError>> {
        async move { unlock(deadline).await.map_err(VaultError::from) }.boxed()
    }
}

/// Why the keyring could not be looked at.
enum Trouble {
    NoBus(zbus::Error),
    NoProvider,
    Bus(zbus::Error),
    Dismissed,
    Slow,
}

impl From<zbus::Error> for Trouble {
    fn from(error: zbus::Error) -> Self {
        Self::Bus(error)
    }
}

impl From<zbus::zvariant::Error> for Trouble {
    fn from(error: zbus::zvariant::Error) -> Self {
        Self::Bus(error.into())
    }
}

impl From<Trouble> for VaultError {
    fn from(trouble: Trouble) -> Self {
        let reason = match trouble {
            Trouble::Dismissed => return Self::Dismissed,
            Trouble::Slow => return Self::Slow,
            Trouble::NoBus(error) => format!(
                "there is no D-Bus session to reach a keyring by: start Pilotfish from a desktop session or under dbus-run-session, or keep keys for this session only ({error})"
            ),
            Trouble::NoProvider => "no keyring runs here: install gnome-keyring, KWallet or KeePassXC, or keep keys for this session only".to_owned(),
            Trouble::Bus(error) => format!(
                "the keyring does not work: look at its log, or keep keys for this session only ({error})"
            ),
        };
        Self::Unavailable { reason }
    }
}

/// A connection of its own for each look: it costs a few milliseconds, and never outlives its bus.
async fn connect() -> Result<Connection, Trouble> {
    let bus = Connection::session().await.map_err(Trouble::NoBus)?;
    let dbus = zbus::fdo::DBusProxy::new(&bus).await?;
    let name = zbus::names::BusName::try_from(NAME).map_err(zbus::Error::from)?;
    let has_owner = dbus.name_has_owner(name).await.map_err(zbus::Error::from)?;
    if has_owner {
        return Ok(bus);
    }
    // One that D-Bus starts at the first question is as good.
    let startable = dbus
        .list_activatable_names()
        .await
        .map_err(zbus::Error::from)?;
    if startable.iter().any(|startable| startable.as_str() == NAME) {
        Ok(bus)
    } else {
        Err(Trouble::NoProvider)
    }
}

async fn ask<B>(bus: &Connection, path: &str, method: &str, body: &B) -> Result<Message, Trouble>
where
    B: zbus::export::serde::ser::Serialize + zbus::zvariant::DynamicType,
{
    Ok(bus
        .call_method(Some(NAME), path, Some(SERVICE_INTERFACE), method, body)
        .await?)
}

async fn property(bus: &Connection, path: &str, name: &str) -> Result<OwnedValue, Trouble> {
    let interface = Some("org.freedesktop.DBus.Properties");
    let body = &(COLLECTION_INTERFACE, name);
    let reply = bus
        .call_method(Some(NAME), path, interface, "Get", body)
        .await?;
    Ok(reply.body().deserialize()?)
}

/// The default collection; `None` when nobody has set one up.
async fn default_collection(bus: &Connection) -> Result<Option<OwnedObjectPath>, Trouble> {
    let reply = ask(bus, ROOT, "ReadAlias", &"default").await?;
    let path: OwnedObjectPath = reply.body().deserialize()?;
    Ok((path.as_str() != NOWHERE).then_some(path))
}

/// Entries of ours, or of one account, that lie in a locked collection.
async fn locked_entries(
    bus: &Connection,
    account: Option<&str>,
) -> Result<Vec<OwnedObjectPath>, Trouble> {
    let mut attributes = HashMap::from([("service", SERVICE)]);
    if let Some(account) = account {
        attributes.insert("username", account);
    }
    let reply = ask(bus, ROOT, "SearchItems", &attributes).await?;
    let (_unlocked, locked): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) =
        reply.body().deserialize()?;
    Ok(locked)
}

async fn look(account: Option<&str>) -> Result<Look, Trouble> {
    let bus = connect().await?;
    let collection = default_collection(&bus).await?;
    let entry_is_locked = account.is_some() && !locked_entries(&bus, account).await?.is_empty();
    let Some(collection) = collection else {
        return Ok(if entry_is_locked {
            Look::Locked {
                place: "Secret Service".to_owned(),
            }
        } else {
            Look::NoKeyring
        });
    };
    let label = property(&bus, collection.as_str(), "Label").await?;
    let label = String::try_from(label).unwrap_or_default();
    let place = if label.is_empty() {
        "Secret Service".to_owned()
    } else {
        format!("Secret Service keyring \"{label}\"")
    };
    let locked = bool::try_from(property(&bus, collection.as_str(), "Locked").await?)?;
    Ok(if locked || entry_is_locked {
        Look::Locked { place }
    } else {
        Look::Ready { place }
    })
}

async fn unlock(deadline: Duration) -> Result<(), Trouble> {
    let prepared = timeout(DEADLINE, prepare()).await;
    let Some((bus, prompt)) = prepared.map_err(|_| Trouble::Slow)?? else {
        return Ok(());
    };
    match timeout(deadline, show(&bus, &prompt)).await {
        Ok(shown) => shown,
        Err(_) => {
            // Nobody waits for it any more: take the dialog away. A keyring that hangs keeps it.
            let interface = Some(PROMPT_INTERFACE);
            let path = prompt.as_str();
            let dismissed = bus.call_method(Some(NAME), path, interface, "Dismiss", &());
            match timeout(DEADLINE, dismissed).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::info!(%error, "the keyring's dialog is gone"),
                Err(_) => tracing::warn!("the keyring did not take its dialog away"),
            }
            Err(Trouble::Slow)
        }
    }
}

/// The dialog that unlocks the keyring, or makes it; `None` when there is nothing to ask.
async fn prepare() -> Result<Option<(Connection, OwnedObjectPath)>, Trouble> {
    let bus = connect().await?;
    let prompt: OwnedObjectPath = match default_collection(&bus).await? {
        Some(collection) => {
            let mut wanted = locked_entries(&bus, None).await?;
            wanted.push(collection);
            let reply = ask(&bus, ROOT, "Unlock", &wanted).await?;
            let (_unlocked, prompt): (Vec<OwnedObjectPath>, _) = reply.body().deserialize()?;
            prompt
        }
        None => {
            let label = "org.freedesktop.Secret.Collection.Label";
            let properties = HashMap::from([(label, Value::from("Default keyring"))]);
            let reply = ask(&bus, ROOT, "CreateCollection", &(properties, "default")).await?;
            let (_collection, prompt): (OwnedObjectPath, _) = reply.body().deserialize()?;
            prompt
        }
    };
    Ok((prompt.as_str() != NOWHERE).then_some((bus, prompt)))
}

/// Shows the keyring's dialog and waits for its end.
async fn show(bus: &Connection, prompt: &ObjectPath<'_>) -> Result<(), Trouble> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender(NAME)?
        .interface(PROMPT_INTERFACE)?
        .member("Completed")?
        .path(prompt.clone())?
        .build();
    let mut completed = MessageStream::for_match_rule(rule, bus, Some(1)).await?;
    let no_window = "";
    bus.call_method(
        Some(NAME),
        prompt.as_str(),
        Some(PROMPT_INTERFACE),
        "Prompt",
        &no_window,
    )
    .await?;
    let message = match completed.next().await {
        Some(message) => message?,
        None => return Err(Trouble::Dismissed),
    };
    let (dismissed, _result): (bool, OwnedValue) = message.body().deserialize()?;
    if dismissed {
        Err(Trouble::Dismissed)
    } else {
        Ok(())
    }
}
