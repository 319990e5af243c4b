//! What differs between operating systems: which client reads and writes, and how the keyring is
//! looked at without a prompt.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use keyring_core::CredentialStore;

use crate::VaultError;

/// What a look at the keyring has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It can be read without asking anyone.
    Ready {
        /// Where secrets live, for people.
        place: String,
    },
    /// It, or the entry that was asked for, wants a password.
    Locked {
        /// Where secrets live, for people.
        place: String,
    },
    /// It runs, but nobody has set it up: there is nothing to save into.
    NoKeyring,
}

/// The client of a keyring.
pub(super) struct Client {
    pub(super) store: Arc<CredentialStore>,
    /// Whether an entry takes the modifier `label`, a name for people.
    pub(super) takes_label: bool,
}

/// A system's keyring.
pub(super) trait System: Send + Sync + 'static {
    /// Connects a client. Blocks; called on the store's thread only.
    fn open(&self) -> keyring_core::Result<Client>;

    /// Looks at the keyring, and at the account's entry if one is given, without a prompt.
    fn look(&self, account: Option<String>) -> BoxFuture<'_, Result<Look, VaultError>>;

    /// Lets the keyring ask for its password, and waits for the person that long. What needs no
    /// person is bounded apart.
    fn unlock(&self, deadline: Duration) -> BoxFuture<'_, Result<(), VaultError>>;
}
