//! The real window, used as a person uses it: under an X server of its own, with a private D-Bus
//! and keyring, by WebKitWebDriver and xdotool. Nothing of the application is replaced.

#![cfg(test)]

mod app;
mod desktop;
mod hotkey;
mod journey;
mod keys;
mod manners;
mod peer;
mod pictures;
mod prepared;
mod safety;
#[path = "../support/session.rs"]
mod session;
mod starts;
mod tray;

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Waits until a condition holds, and says which one did not in the time given.
pub async fn until(what: &str, most: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + most;
    while !holds().await {
        assert!(
            Instant::now() < deadline,
            "waited {most:?} in vain until {what}"
        );
        sleep(Duration::from_millis(50)).await;
    }
}
