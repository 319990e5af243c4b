//! Where API keys live: the operating system's keyring, or memory for one run.
//!
//! There is no third place. When the keyring cannot be used, [`VaultError`] and
//! [`protocol::VaultState`] say which of its states it is in, and a person may choose to unlock it
//! or to keep keys in memory. Nothing here writes a secret to a file, a log or an environment.
//!
//! # Layout
//! - [`KeyStore`]: what the engine asks for.
//! - [`OsKeyring`]: the keyring, on a thread of its own, with deadlines and without prompts that
//!   nobody asked for.
//! - [`SessionKeys`]: memory, overwritten when it ends.

mod error;
mod key_store;
mod os_keyring;
mod session_keys;

pub use error::VaultError;
pub use key_store::{KeyStore, MAX_SECRET_BYTES};
pub use os_keyring::OsKeyring;
pub use protocol::Secret;
pub use session_keys::SessionKeys;
