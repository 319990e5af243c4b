//! Calling the running application: what `pilotfish toggle` says, and what the application hears.
//!
//! A second start of the application would do the same through the single-instance plugin, but only
//! after it has loaded GTK. This speaks to the plugin's D-Bus name directly, in milliseconds.

/// The second word of a call that summons the quick window.
const TOGGLE: &str = "toggle";

/// Why the running application could not be called.
#[derive(Debug, thiserror::Error)]
pub enum SummonError {
    /// There is no bus to find it on.
    #[error("there is no D-Bus session to find a running Pilotfish on ({0})")]
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only Linux finds it over D-Bus")
    )]
    NoBus(String),
    /// It runs and does not answer; it may still have heard.
    #[error("Pilotfish runs but does not answer: end it and start it again")]
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only Linux finds it over D-Bus")
    )]
    Slow,
    /// It runs and failed.
    #[error("Pilotfish runs but could not be called: end it and start it again ({0})")]
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only Linux finds it over D-Bus")
    )]
    Failed(String),
}

/// Whether a second start asks for the quick window. Its arguments come from any program of the
/// person's, so only exactly `pilotfish toggle` counts.
#[must_use]
pub fn is_toggle(arguments: &[String]) -> bool {
    matches!(arguments, [_program, word] if word == TOGGLE)
}

/// Summons or hides the quick window of the running application, within 2 s. `false` when none
/// runs. Not to be called from within an async runtime.
///
/// # Errors
/// When there is no bus, or the application runs and does not answer.
#[cfg(target_os = "linux")]
pub fn toggle_running() -> Result<bool, SummonError> {
    linux::toggle_running()
}

/// Elsewhere a second start is handed over by the single-instance plugin alone.
#[cfg(not(target_os = "linux"))]
pub fn toggle_running() -> Result<bool, SummonError> {
    Ok(false)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::time::Duration;

    use tokio::time::timeout;
    use zbus::Connection;
    use zbus::names::BusName;

    use super::{SummonError, TOGGLE};

    // As tauri-plugin-single-instance derives them from the identifier in tauri.conf.json.
    pub(super) const NAME: &str = "app.pilotfish.desktop.SingleInstance";
    pub(super) const PATH: &str = "/app/pilotfish/desktop/SingleInstance";
    const INTERFACE: &str = "org.SingleInstance.DBus";
    const METHOD: &str = "ExecuteCallback";

    const DEADLINE: Duration = Duration::from_secs(2);

    pub(super) fn toggle_running() -> Result<bool, SummonError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| SummonError::NoBus(error.to_string()))?;
        runtime.block_on(within(DEADLINE))
    }

    pub(super) async fn within(deadline: Duration) -> Result<bool, SummonError> {
        timeout(deadline, call())
            .await
            .map_err(|_| SummonError::Slow)?
    }

    async fn call() -> Result<bool, SummonError> {
        let bus = Connection::session()
            .await
            .map_err(|error| SummonError::NoBus(error.to_string()))?;
        if !runs(&bus)
            .await
            .map_err(|error| SummonError::Failed(error.to_string()))?
        {
            return Ok(false);
        }
        let folder = std::env::current_dir().unwrap_or_default();
        let body = (vec!["pilotfish", TOGGLE], folder.to_string_lossy());
        match bus
            .call_method(Some(NAME), PATH, Some(INTERFACE), METHOD, &body)
            .await
        {
            Ok(_) => Ok(true),
            Err(error) => Err(SummonError::Failed(error.to_string())),
        }
    }

    async fn runs(bus: &Connection) -> zbus::Result<bool> {
        let dbus = zbus::fdo::DBusProxy::new(bus).await?;
        Ok(dbus.name_has_owner(BusName::try_from(NAME)?).await?)
    }
}

#[cfg(test)]
mod tests;
