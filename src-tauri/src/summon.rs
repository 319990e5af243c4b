//! One Pilotfish for each home, and calling it: a second start, or `pilotfish toggle`, finds the
//! application that runs by its name on D-Bus, says what it would have shown, and ends. That takes
//! milliseconds, before GTK is loaded and before the database is looked at.
//!
//! The name is claimed before anything is opened, so that of two starts at once one is the
//! application and the other calls it. On other systems Tauri's plugin does this.

#[cfg(target_os = "linux")]
mod bus;

#[cfg(target_os = "linux")]
pub use self::bus::{Claim, Instance, claim, runs};

/// Why the running application could not be called.
#[cfg(target_os = "linux")]
#[derive(Debug, thiserror::Error)]
pub enum SummonError {
    /// It runs and does not answer; it may still have heard.
    #[error("Pilotfish runs but does not answer: end it and start it again")]
    Slow,
    /// It ended before it could answer.
    #[error("Pilotfish was just ending: start it again")]
    Gone,
    /// It runs and failed.
    #[error("Pilotfish runs but could not be called: end it and start it again ({0})")]
    Failed(String),
}

/// What a start asks for. The arguments come from any program of the person's, so only exactly
/// `pilotfish toggle` summons the quick window.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn wanted(arguments: &[String]) -> crate::window::Opening {
    match arguments {
        [_program, word] if word == "toggle" => crate::window::Opening::Quick,
        _ => crate::window::Opening::Main,
    }
}
