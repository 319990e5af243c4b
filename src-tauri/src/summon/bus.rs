//! The application's name on D-Bus, and the two calls behind it.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::time::timeout;
use zbus::Connection;
use zbus::connection::Builder;

use super::SummonError;
use crate::window::Opening;

/// The application's identifier, as in tauri.conf.json.
const IDENTIFIER: &str = "app.pilotfish.desktop";

const PATH: &str = "/app/pilotfish/desktop";
const INTERFACE: &str = "app.pilotfish.Instance";

/// How long the bus may take, and then the running application.
const DEADLINE: Duration = Duration::from_secs(2);

/// Calls that wait for the application to have windows; more than these say nothing new.
const WAITING: usize = 16;

/// What a start has found.
pub enum Claim {
    /// Nobody runs: this start is the application.
    Ours(Instance),
    /// The running application was called.
    Called,
}

/// The application's name, held until this is dropped, and the calls that come in under it.
pub struct Instance {
    calls: mpsc::Receiver<Opening>,
    /// None without a bus: then nobody can call.
    _bus: Option<Connection>,
}

impl Instance {
    /// The next call, each kept until it is asked for; `None` when none can come.
    pub async fn next(&mut self) -> Option<Opening> {
        self.calls.recv().await
    }
}

/// Claims the name of this run's home, or calls the application that has it, within 4 s.
///
/// # Errors
/// When the application runs and does not answer. Without a bus there is nobody to find: the name
/// is as good as claimed.
pub async fn claim(opening: Opening) -> Result<Claim, SummonError> {
    let home = std::env::var_os("PILOTFISH_HOME").filter(|home| !home.is_empty());
    let name = name(home.as_deref().map(Path::new));
    match within(DEADLINE, &name, opening).await {
        // It was just ending, as after a crash: the name is free now.
        Err(SummonError::Gone) => within(DEADLINE, &name, opening).await,
        claimed => claimed,
    }
}

/// Whether the application of this run's home runs; `false` where there is no bus to tell.
pub async fn runs() -> bool {
    let home = std::env::var_os("PILOTFISH_HOME").filter(|home| !home.is_empty());
    let name = name(home.as_deref().map(Path::new));
    let asked = async {
        let bus = Connection::session().await?;
        let owned = zbus::fdo::DBusProxy::new(&bus)
            .await?
            .name_has_owner(name.try_into()?)
            .await?;
        Ok::<_, zbus::Error>(owned)
    };
    matches!(timeout(DEADLINE, asked).await, Ok(Ok(true)))
}

async fn within(deadline: Duration, name: &str, opening: Opening) -> Result<Claim, SummonError> {
    let (calls, heard) = mpsc::channel(WAITING);
    let bus = match timeout(deadline, own(name, calls)).await {
        Ok(Ok(bus)) => Some(bus),
        Ok(Err(zbus::Error::NameTaken)) => {
            return timeout(deadline, call(name, opening))
                .await
                .map_err(|_| SummonError::Slow)?
                .map(|()| Claim::Called)
                .map_err(failed);
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "without D-Bus a second start cannot find this one");
            None
        }
        Err(_) => {
            tracing::warn!("D-Bus does not answer: a second start cannot find this one");
            None
        }
    };
    Ok(Claim::Ours(Instance {
        calls: heard,
        _bus: bus,
    }))
}

fn failed(error: zbus::Error) -> SummonError {
    const GONE: [&str; 3] = [
        "org.freedesktop.DBus.Error.NoReply",
        "org.freedesktop.DBus.Error.ServiceUnknown",
        "org.freedesktop.DBus.Error.NameHasNoOwner",
    ];
    match &error {
        zbus::Error::MethodError(name, ..) if GONE.contains(&name.as_str()) => SummonError::Gone,
        _ => SummonError::Failed(error.to_string()),
    }
}

async fn own(name: &str, calls: mpsc::Sender<Opening>) -> zbus::Result<Connection> {
    Builder::session()?
        .serve_at(PATH, Door { calls })?
        .name(name)?
        .replace_existing_names(false)
        .allow_name_replacements(false)
        .build()
        .await
}

async fn call(name: &str, opening: Opening) -> zbus::Result<()> {
    let method = match opening {
        Opening::Main => "Show",
        Opening::Quick => "Toggle",
    };
    let bus = Connection::session().await?;
    bus.call_method(Some(name), PATH, Some(INTERFACE), method, &())
        .await
        .map(drop)
}

/// What other starts can call.
struct Door {
    calls: mpsc::Sender<Opening>,
}

#[zbus::interface(name = "app.pilotfish.Instance")]
impl Door {
    /// Shows the main window.
    fn show(&self) -> zbus::fdo::Result<()> {
        self.pass(Opening::Main)
    }

    /// Summons or hides the quick window.
    fn toggle(&self) -> zbus::fdo::Result<()> {
        self.pass(Opening::Quick)
    }
}

impl Door {
    fn pass(&self, opening: Opening) -> zbus::fdo::Result<()> {
        self.calls
            .try_send(opening)
            .map_err(|_| zbus::fdo::Error::LimitsExceeded("it is still busy".to_owned()))
    }
}

/// The name of a home on the bus. The usual home has the plain one; another is told apart by its
/// place, so that two homes are two applications.
fn name(home: Option<&Path>) -> String {
    let mut name = IDENTIFIER.to_owned();
    let Some(home) = home else {
        return name;
    };
    // Two ways to write a path are one home; a home that is yet to be made has only one.
    let place = home.canonicalize().unwrap_or_else(|_| home.to_path_buf());
    let digest = Sha256::digest(place.as_os_str().as_encoded_bytes());
    name.push_str(".home_");
    for byte in digest.iter().take(8) {
        // Writing to a string does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

#[cfg(test)]
mod tests;
