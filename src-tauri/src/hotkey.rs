//! The key that summons the quick window from anywhere.
//!
//! On X11, macOS and Windows the key is grabbed. Wayland lets no application grab a key: there the
//! desktop's GlobalShortcuts portal is asked, and where there is none, the person binds
//! `pilotfish toggle` in the desktop's own settings.

mod key;
#[cfg(not(target_os = "linux"))]
mod plugin;
#[cfg(target_os = "linux")]
mod portal;
#[cfg(target_os = "linux")]
mod x11;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::HotkeyState;
#[cfg(not(target_os = "linux"))]
use tauri::AppHandle;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use self::key::Key;
#[cfg(not(target_os = "linux"))]
use self::plugin::Grab;
#[cfg(target_os = "linux")]
use self::x11::Grab;

/// What a desktop's settings can bind to a key.
const COMMAND: &str = "pilotfish toggle";

/// How long the system may take to grab a key.
const GRAB_DEADLINE: Duration = Duration::from_secs(3);

/// What the system says of a press, so that nobody need ask it again before the window is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Press {
    /// When it was, by the X server's clock in milliseconds.
    pub time: u32,
    /// Where the pointer was, in pixels of the X server's root window.
    pub pointer: (i16, i16),
}

type Pressed = Arc<dyn Fn(Option<Press>) + Send + Sync>;

/// How a key can be had in this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Grab,
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only Linux has portals")
    )]
    Portal,
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "a desktop is always there")
    )]
    None,
}

/// What holds the key now, and so knows how it stands.
enum Holder {
    Nobody(HotkeyState),
    Grab(Grab),
    #[cfg(target_os = "linux")]
    Portal(portal::Binding),
}

/// The key that summons the quick window.
pub struct Hotkey {
    #[cfg(not(target_os = "linux"))]
    app: AppHandle,
    pressed: Pressed,
    held: Mutex<Holder>,
    /// Keys are changed one at a time.
    turn: Semaphore,
    news: Arc<Notify>,
}

impl Hotkey {
    /// No key yet; `pressed` is called at each press, on a thread that must not be held up.
    pub fn new(
        #[cfg(not(target_os = "linux"))] app: AppHandle,
        pressed: impl Fn(Option<Press>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            #[cfg(not(target_os = "linux"))]
            app,
            pressed: Arc::new(pressed),
            held: Mutex::new(Holder::Nobody(HotkeyState::Off)),
            turn: Semaphore::new(1),
            news: Arc::new(Notify::new()),
        }
    }

    /// How the quick window is summoned now.
    pub fn state(&self) -> HotkeyState {
        self.with(|held| match held {
            Holder::Nobody(state) => state.clone(),
            Holder::Grab(grab) => grab.state(),
            #[cfg(target_os = "linux")]
            Holder::Portal(binding) => binding.state(),
        })
    }

    /// Waits until the system takes the key away or gives it back by itself, and says how it stands
    /// then. For one listener.
    pub async fn changed(&self) -> HotkeyState {
        self.news.notified().await;
        self.state()
    }

    /// Takes the key, and gives up the one before; empty switches the hotkey off. When a key cannot
    /// be had, the answer is [`HotkeyState::Failed`], and a grabbed one before it stays.
    pub async fn set(&self, key: &str) -> HotkeyState {
        // The semaphore is never closed; a key is changed all the same if it were.
        let _turn = self.turn.acquire().await;
        if key.trim().is_empty() {
            return self.settle(Holder::Nobody(HotkeyState::Off)).await;
        }
        let key: Key = match key.parse() {
            Ok(key) => key,
            Err(error) => return self.fail(key, error.to_string()),
        };
        match route(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
            Route::Grab => self.grab(key).await,
            Route::Portal => self.bind(key).await,
            Route::None => self.settle(Holder::Nobody(command(NO_DISPLAY))).await,
        }
    }

    /// Gives up the key: the application ends.
    pub async fn release(&self) {
        let _turn = self.turn.acquire().await;
        self.settle(Holder::Nobody(HotkeyState::Off)).await;
    }

    async fn grab(&self, key: Key) -> HotkeyState {
        if self.with(|held| matches!(held, Holder::Grab(grab) if *grab.key() == key)) {
            return self.state();
        }
        let shown = key.to_string();
        #[cfg(not(target_os = "linux"))]
        let app = self.app.clone();
        let pressed = Arc::clone(&self.pressed);
        #[cfg(target_os = "linux")]
        let news = Arc::clone(&self.news);
        let taken = tokio::task::spawn_blocking(move || {
            #[cfg(target_os = "linux")]
            let taken = Grab::take(key, pressed, news);
            #[cfg(not(target_os = "linux"))]
            let taken = Grab::take(app, key, pressed);
            taken
        });
        match timeout(GRAB_DEADLINE, taken).await {
            Ok(Ok(Ok(grab))) => self.settle(Holder::Grab(grab)).await,
            Ok(Ok(Err(reason))) => self.fail(&shown, reason),
            Ok(Err(error)) => self.fail(&shown, format!("set the key again ({error})")),
            Err(_) => self.fail(
                &shown,
                "the system did not answer in time: set the key again".to_owned(),
            ),
        }
    }

    #[cfg(target_os = "linux")]
    async fn bind(&self, key: Key) -> HotkeyState {
        // The portal knows us by one session: the old one ends first.
        self.settle(Holder::Nobody(HotkeyState::Off)).await;
        let bound = portal::bind(&key, Arc::clone(&self.pressed), Arc::clone(&self.news)).await;
        match bound {
            Ok(binding) => self.settle(Holder::Portal(binding)).await,
            Err(portal::PortalError::Absent(reason)) => {
                self.settle(Holder::Nobody(command(&reason))).await
            }
            Err(portal::PortalError::Refused(reason)) => self.fail(&key.to_string(), reason),
        }
    }

    #[cfg(not(target_os = "linux"))]
    async fn bind(&self, _key: Key) -> HotkeyState {
        self.settle(Holder::Nobody(command(NO_DISPLAY))).await
    }

    /// Puts a holder in place of the one before, and waits until that one has given its key up.
    async fn settle(&self, holder: Holder) -> HotkeyState {
        let before = self.with(|held| std::mem::replace(held, holder));
        match before {
            Holder::Nobody(_) => {}
            Holder::Grab(grab) => {
                let dropped = tokio::task::spawn_blocking(move || drop(grab));
                if timeout(GRAB_DEADLINE, dropped).await.is_err() {
                    tracing::warn!("the system did not take the old hotkey back in time");
                }
            }
            #[cfg(target_os = "linux")]
            Holder::Portal(binding) => binding.end().await,
        }
        self.state()
    }

    /// A key that cannot be had; one that is held stays, and stays the state.
    fn fail(&self, key: &str, reason: String) -> HotkeyState {
        let failed = HotkeyState::Failed {
            key: key.chars().take(64).collect(),
            reason,
        };
        self.with(|held| {
            if let Holder::Nobody(state) = held {
                *state = failed.clone();
            }
        });
        failed
    }

    fn with<T>(&self, f: impl FnOnce(&mut Holder) -> T) -> T {
        f(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How the quick window is summoned in this session, or would be if Pilotfish ran: for the terminal,
/// which holds no key itself.
pub async fn outlook(key: &str) -> HotkeyState {
    if key.trim().is_empty() {
        return HotkeyState::Off;
    }
    let key = key.to_owned();
    match route(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
        #[cfg(target_os = "linux")]
        Route::Grab if !crate::summon::runs().await => {
            let trial = Hotkey::new(|_| ());
            let state = trial.set(&key).await;
            trial.release().await;
            state
        }
        // The window that runs has said so itself if it could not have the key.
        Route::Grab => HotkeyState::Grabbed { key },
        #[cfg(target_os = "linux")]
        Route::Portal => match portal::find(portal::PROBE_DEADLINE).await {
            Ok(_) => HotkeyState::Portal { key },
            Err(reason) => command(&reason),
        },
        #[cfg(not(target_os = "linux"))]
        Route::Portal => command(NO_DISPLAY),
        Route::None => command(NO_DISPLAY),
    }
}

const NO_DISPLAY: &str = "there is no display to take a key from";

fn command(reason: &str) -> HotkeyState {
    HotkeyState::Command {
        command: COMMAND.to_owned(),
        reason: reason.to_owned(),
    }
}

/// The route, by which variables the session sets. A Wayland session has an X server as well, but
/// a key grabbed there works over X11 windows only.
fn route(is_set: impl Fn(&str) -> bool) -> Route {
    if !cfg!(target_os = "linux") {
        Route::Grab
    } else if is_set("WAYLAND_DISPLAY") {
        Route::Portal
    } else if is_set("DISPLAY") {
        Route::Grab
    } else {
        Route::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wayland_goes_before_its_x_server() {
        let route = |set: &[&str]| route(|name| set.contains(&name));
        assert_eq!(route(&["WAYLAND_DISPLAY", "DISPLAY"]), Route::Portal);
        assert_eq!(route(&["WAYLAND_DISPLAY"]), Route::Portal);
        assert_eq!(route(&["DISPLAY"]), Route::Grab);
        assert_eq!(route(&[]), Route::None);
    }

    #[test]
    fn nothing_is_held_at_first() {
        assert_eq!(Hotkey::new(|_| ()).state(), HotkeyState::Off);
    }

    #[tokio::test]
    async fn what_is_no_key_is_said() {
        let hotkey = Hotkey::new(|_| ());
        let failed = hotkey.set("Ctrl+").await;
        assert!(matches!(&failed, HotkeyState::Failed { key, .. } if key == "Ctrl+"));
        assert_eq!(hotkey.state(), failed);
        assert_eq!(hotkey.set(" ").await, HotkeyState::Off);
        assert_eq!(hotkey.state(), HotkeyState::Off);
    }
}
