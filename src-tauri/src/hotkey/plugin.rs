//! A key grabbed through Tauri's plugin, on systems other than Linux.

use protocol::HotkeyState;
use tauri::AppHandle;
use tauri_plugin_global_shortcut::{GlobalShortcutExt as _, ShortcutState};

use super::Pressed;
use super::key::Key;

/// A key that is held until this is dropped.
pub(super) struct Grab {
    app: AppHandle,
    key: Key,
}

impl Grab {
    /// Takes the key. Blocks until the main thread has done it, and so does the drop.
    ///
    /// # Errors
    /// A sentence for people.
    pub(super) fn take(app: AppHandle, key: Key, pressed: Pressed) -> Result<Self, String> {
        app.global_shortcut()
            .on_shortcut(key.to_string().as_str(), move |_, _, event| {
                if event.state == ShortcutState::Pressed {
                    pressed(None);
                }
            })
            .map_err(|error| {
                format!(
                    "another program holds this key, or the system does not give it: choose \
                     another ({error})"
                )
            })?;
        Ok(Self { app, key })
    }

    /// The key that is held.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Whether the key works now.
    pub(super) fn state(&self) -> HotkeyState {
        HotkeyState::Grabbed {
            key: self.key.to_string(),
        }
    }
}

impl Drop for Grab {
    fn drop(&mut self) {
        let key = self.key.to_string();
        if let Err(error) = self.app.global_shortcut().unregister(key.as_str()) {
            tracing::warn!(%error, "the old hotkey could not be given up");
        }
    }
}
