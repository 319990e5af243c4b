//! The Keychain of macOS and the Credential Manager of Windows. Both are open while the person is
//! logged in, and neither can be asked for its state without a prompt.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};

use super::system::{Client, Look, System};
use crate::VaultError;

/// The keyring that belongs to the system.
pub(super) struct Native;

#[cfg(target_os = "macos")]
const PLACE: &str = "Keychain";
#[cfg(windows)]
const PLACE: &str = "Credential Manager";

impl System for Native {
    #[cfg(target_os = "macos")]
    fn open(&self) -> keyring_core::Result<Client> {
        let store = apple_native_keyring_store::keychain::Store::new()?;
        Ok(Client {
            store,
            takes_label: false,
        })
    }

    #[cfg(windows)]
    fn open(&self) -> keyring_core::Result<Client> {
        let store = windows_native_keyring_store::Store::new()?;
        Ok(Client {
            store,
            takes_label: false,
        })
    }

    #[cfg(not(any(target_os = "macos", windows)))]
    fn open(&self) -> keyring_core::Result<Client> {
        Err(keyring_core::Error::NoDefaultStore)
    }

    fn look(&self, _account: Option<String>) -> BoxFuture<'_, Result<Look, VaultError>> {
        #[cfg(any(target_os = "macos", windows))]
        let look = Ok(Look::Ready {
            place: PLACE.to_owned(),
        });
        #[cfg(not(any(target_os = "macos", windows)))]
        let look = Err(VaultError::Unavailable {
            reason: "there is no keyring on this system: keep keys for this session only"
                .to_owned(),
        });
        ready(look).boxed()
    }

    fn unlock(&self, _deadline: Duration) -> BoxFuture<'_, Result<(), VaultError>> {
        ready(Ok(())).boxed()
    }
}
