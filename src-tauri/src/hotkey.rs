//! The key that summons the quick window from anywhere.
//!
//! On X11, macOS and Windows the key is grabbed. Wayland lets no application grab a key: there the
//! desktop's GlobalShortcuts portal is asked, and where there is none, the person binds
//! `pilotfish toggle` in the desktop's own settings.

mod key;
#[cfg(target_os = "linux")]
mod portal;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::HotkeyState;
use tauri::AppHandle;
use tauri_plugin_global_shortcut::{GlobalShortcutExt as _, ShortcutState};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::key::Key;

/// What a desktop's settings can bind to a key.
const COMMAND: &str = "pilotfish toggle";

/// How long the system may take to grab a key.
const GRAB_DEADLINE: Duration = Duration::from_secs(3);

type Pressed = Arc<dyn Fn() + Send + Sync>;

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

/// What holds the key now.
enum Holder {
    Nobody,
    Grab(Key),
    #[cfg(target_os = "linux")]
    Portal(portal::Binding),
}

struct Held {
    holder: Holder,
    state: HotkeyState,
}

/// The key that summons the quick window.
pub struct Hotkey {
    pressed: Pressed,
    held: Mutex<Held>,
    /// Keys are changed one at a time.
    turn: Semaphore,
}

impl Hotkey {
    /// No key yet; `pressed` is called at each press, on a thread that must not be held up.
    pub fn new(pressed: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            pressed: Arc::new(pressed),
            held: Mutex::new(Held {
                holder: Holder::Nobody,
                state: HotkeyState::Off,
            }),
            turn: Semaphore::new(1),
        }
    }

    /// How the quick window is summoned now.
    pub fn state(&self) -> HotkeyState {
        self.with(|held| held.state.clone())
    }

    /// Takes the key, and gives up the one before; empty switches the hotkey off. When a key cannot
    /// be had, the answer is [`HotkeyState::Failed`], and a grabbed one before it stays.
    pub async fn set(&self, app: &AppHandle, key: &str) -> HotkeyState {
        // The semaphore is never closed; a key is changed all the same if it were.
        let _turn = self.turn.acquire().await;
        if key.trim().is_empty() {
            self.release(app).await;
            return self.settle(Holder::Nobody, HotkeyState::Off);
        }
        let key: Key = match key.parse() {
            Ok(key) => key,
            Err(error) => return self.fail(key, error.to_string()),
        };
        match route(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
            Route::Grab => self.grab(app, key).await,
            Route::Portal => self.bind(app, key).await,
            Route::None => self.settle(Holder::Nobody, command(NO_DISPLAY)),
        }
    }

    async fn grab(&self, app: &AppHandle, key: Key) -> HotkeyState {
        let state = HotkeyState::Grabbed {
            key: key.to_string(),
        };
        if self.with(|held| matches!(&held.holder, Holder::Grab(old) if *old == key)) {
            return state;
        }
        let pressed = Arc::clone(&self.pressed);
        let wanted = key.to_string();
        let grabbed = on_main_thread(app, move |app| {
            app.global_shortcut()
                .on_shortcut(wanted.as_str(), move |_, _, event| {
                    if event.state == ShortcutState::Pressed {
                        pressed();
                    }
                })
        });
        match grabbed.await {
            Ok(()) => {
                self.release(app).await;
                self.settle(Holder::Grab(key), state)
            }
            Err(reason) => self.fail(&key.to_string(), refusal(&reason)),
        }
    }

    #[cfg(target_os = "linux")]
    async fn bind(&self, app: &AppHandle, key: Key) -> HotkeyState {
        // The portal knows us by one session: the old one ends first.
        self.release(app).await;
        self.settle(Holder::Nobody, HotkeyState::Off);
        match portal::bind(&key, Arc::clone(&self.pressed)).await {
            Ok((binding, key)) => self.settle(Holder::Portal(binding), HotkeyState::Portal { key }),
            Err(portal::PortalError::Absent(reason)) => {
                self.settle(Holder::Nobody, command(&reason))
            }
            Err(portal::PortalError::Refused(reason)) => self.fail(&key.to_string(), reason),
        }
    }

    #[cfg(not(target_os = "linux"))]
    async fn bind(&self, _app: &AppHandle, _key: Key) -> HotkeyState {
        self.settle(Holder::Nobody, command(NO_DISPLAY))
    }

    /// Gives up what is held.
    async fn release(&self, app: &AppHandle) {
        let holder = self.with(|held| std::mem::replace(&mut held.holder, Holder::Nobody));
        match holder {
            Holder::Nobody => {}
            Holder::Grab(key) => {
                let key = key.to_string();
                let released = on_main_thread(app, move |app| {
                    app.global_shortcut().unregister(key.as_str())
                });
                if let Err(reason) = released.await {
                    tracing::warn!(%reason, "the old hotkey could not be given up");
                }
            }
            #[cfg(target_os = "linux")]
            Holder::Portal(binding) => binding.end().await,
        }
    }

    fn settle(&self, holder: Holder, state: HotkeyState) -> HotkeyState {
        self.with(|held| {
            held.holder = holder;
            held.state = state.clone();
        });
        state
    }

    /// A key that cannot be had; one that is held stays, and stays the state.
    fn fail(&self, key: &str, reason: String) -> HotkeyState {
        let failed = HotkeyState::Failed {
            key: key.chars().take(64).collect(),
            reason,
        };
        self.with(|held| {
            if matches!(held.holder, Holder::Nobody) {
                held.state = failed.clone();
            }
        });
        failed
    }

    fn with<T>(&self, f: impl FnOnce(&mut Held) -> T) -> T {
        f(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How the quick window would be summoned in this session, without taking a key: for the terminal,
/// which has none.
pub async fn expected_route() -> HotkeyState {
    let key = "the key from the settings".to_owned();
    match route(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
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

fn refusal(reason: &str) -> String {
    format!(
        "another program holds this key, or the system does not give it: choose another ({reason})"
    )
}

/// The plugin blocks until the main thread has done it: wait on a thread that may block, and not
/// for ever.
async fn on_main_thread(
    app: &AppHandle,
    work: impl FnOnce(&AppHandle) -> Result<(), tauri_plugin_global_shortcut::Error> + Send + 'static,
) -> Result<(), String> {
    let app = app.clone();
    let work = tauri::async_runtime::spawn_blocking(move || work(&app));
    match timeout(GRAB_DEADLINE, work).await {
        Ok(Ok(done)) => done.map_err(|error| error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the system did not answer in time".to_owned()),
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
        assert_eq!(Hotkey::new(|| ()).state(), HotkeyState::Off);
    }

    #[test]
    fn a_failed_key_is_the_state_only_when_none_is_held() {
        let hotkey = Hotkey::new(|| ());
        let failed = hotkey.fail("Ctrl+A", "taken".to_owned());
        assert_eq!(hotkey.state(), failed);
        let grabbed = HotkeyState::Grabbed {
            key: "Ctrl+B".to_owned(),
        };
        hotkey.settle(
            Holder::Grab("Ctrl+B".parse().expect("a key")),
            grabbed.clone(),
        );
        assert_ne!(hotkey.fail("Ctrl+A", "taken".to_owned()), grabbed);
        assert_eq!(hotkey.state(), grabbed);
    }
}
