//! The operating system's keyring.
//!
//! Its client is synchronous, shares one lock in the process, and where a keyring wants to ask the
//! person something it does not return until they answer. Three things follow:
//! - every call of it happens on a thread that this module owns ([`thread`]), and a caller waits
//!   for [`DEADLINE`] at most;
//! - before a call, the keyring is looked at over a way that cannot prompt ([`system`]); when it is
//!   locked, the call is not made at all. Only [`OsKeyring::unlock`] lets it ask;
//! - a keyring that was restarted has forgotten our session: the client is made anew, once, and the
//!   call repeated.

mod entry;
#[cfg(not(target_os = "linux"))]
mod native;
#[cfg(target_os = "linux")]
mod secret_service;
mod system;
#[cfg(test)]
mod tests;
mod thread;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use protocol::{Secret, VaultState};
use tokio::time::timeout;

use self::entry::{Call, Failure};
use self::system::{Look, System};
use self::thread::StoreThread;
use crate::key_store::{check_account, check_secret};
use crate::{KeyStore, VaultError};

/// Our name in the keyring: the attribute `service` of every entry.
const SERVICE: &str = "pilotfish";

/// How long a keyring may take for an answer that needs nobody, and for all that comes before its
/// dialog and after it.
const DEADLINE: Duration = Duration::from_secs(3);

/// How long a person may take to type a password.
const UNLOCK_DEADLINE: Duration = Duration::from_secs(30);

/// The operating system's keyring: the Secret Service on Linux (GNOME Keyring, KWallet,
/// KeePassXC), the Keychain on macOS, the Credential Manager on Windows. An entry has the service
/// `pilotfish` and the account as its user name, so that on Linux
/// `secret-tool lookup service pilotfish username openai` finds it.
///
/// Its futures need a Tokio runtime with time and I/O.
pub struct OsKeyring {
    system: Arc<dyn System>,
    thread: StoreThread,
}

impl OsKeyring {
    /// The keyring of this system. Nothing is contacted before the first call.
    #[must_use]
    pub fn open() -> Self {
        #[cfg(target_os = "linux")]
        let system = secret_service::SecretService;
        #[cfg(not(target_os = "linux"))]
        let system = native::Native;
        Self::over(Arc::new(system))
    }

    fn over(system: Arc<dyn System>) -> Self {
        Self {
            thread: StoreThread::new(Arc::clone(&system)),
            system,
        }
    }

    async fn call(
        &self,
        account: String,
        call: Call,
    ) -> Result<Option<Secret<String>>, VaultError> {
        match self.look(Some(account.clone())).await? {
            // A keyring with nothing to save into can still be asked: it says so without a prompt.
            Look::Ready { .. } | Look::NoKeyring => {}
            Look::Locked { .. } => return Err(VaultError::Locked),
        }
        let failure = match self.thread.call(account.clone(), call, DEADLINE).await {
            Ok(secret) => return Ok(secret),
            Err(failure) => failure,
        };
        match failure {
            Failure::Slow => Err(VaultError::Slow),
            Failure::TooLong(limit) => Err(VaultError::TooLong { limit }),
            Failure::Refused(reason) => Err(VaultError::Refused { reason }),
            // It may have been locked, or gone, since we looked.
            Failure::NoAccess(reason) => match self.look(Some(account)).await? {
                Look::Locked { .. } => Err(VaultError::Locked),
                Look::NoKeyring => Err(VaultError::NoKeyring),
                Look::Ready { .. } => Err(VaultError::Refused {
                    reason: format!("the keyring refused, look whether its disk is full: {reason}"),
                }),
            },
            Failure::Lost(reason) => match self.look(Some(account)).await? {
                Look::Locked { .. } => Err(VaultError::Locked),
                Look::NoKeyring | Look::Ready { .. } => Err(VaultError::Unavailable {
                    reason: format!("the keyring failed, try again: {reason}"),
                }),
            },
        }
    }

    async fn look(&self, account: Option<String>) -> Result<Look, VaultError> {
        timeout(DEADLINE, self.system.look(account))
            .await
            .map_err(|_| VaultError::Slow)?
    }
}

impl KeyStore for OsKeyring {
    fn get(&self, account: &str) -> BoxFuture<'_, Result<Option<Secret<String>>, VaultError>> {
        if let Err(error) = check_account(account) {
            return ready(Err(error)).boxed();
        }
        self.call(account.to_owned(), Call::Get).boxed()
    }

    fn set(&self, account: &str, secret: Secret<String>) -> BoxFuture<'_, Result<(), VaultError>> {
        if let Err(error) = check_account(account).and_then(|()| check_secret(&secret)) {
            return ready(Err(error)).boxed();
        }
        let call = self.call(account.to_owned(), Call::Set(secret));
        async move { call.await.map(drop) }.boxed()
    }

    fn remove(&self, account: &str) -> BoxFuture<'_, Result<(), VaultError>> {
        if let Err(error) = check_account(account) {
            return ready(Err(error)).boxed();
        }
        let call = self.call(account.to_owned(), Call::Remove);
        async move { call.await.map(drop) }.boxed()
    }

    fn state(&self) -> BoxFuture<'_, VaultState> {
        async move {
            match self.look(None).await {
                Ok(Look::Ready { place }) => VaultState::Ready { place },
                Ok(Look::Locked { place }) => VaultState::Locked { place },
                Ok(Look::NoKeyring) => VaultState::NoKeyring,
                Err(VaultError::Slow) => VaultState::Slow,
                Err(error) => VaultState::Unavailable {
                    reason: error.to_string(),
                },
            }
        }
        .boxed()
    }

    fn unlock(&self) -> BoxFuture<'_, Result<(), VaultError>> {
        self.system.unlock(UNLOCK_DEADLINE)
    }
}

impl fmt::Debug for OsKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OsKeyring").finish_non_exhaustive()
    }
}
