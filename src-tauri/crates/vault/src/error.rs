//! What can go wrong with a keyring, by what a person can do about it.

use protocol::{AppError, ErrorCode};

/// Why a secret could not be read, kept or removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// It wants its password.
    #[error("the keyring is locked: unlock it, or keep keys for this session only")]
    Locked,
    /// The keyring runs but holds no keyring to save into yet; unlocking makes one.
    #[error(
        "the system's keyring was never set up: unlock it to choose a password for it, or keep keys for this session only"
    )]
    NoKeyring,
    /// Its dialog was closed without a password, or could not be shown.
    #[error(
        "the keyring stays locked because its dialog was closed or could not be shown: unlock it again, or keep keys for this session only"
    )]
    Dismissed,
    /// There is none, or nothing to reach it by.
    #[error("{reason}")]
    Unavailable {
        /// Why and what to do, in a sentence.
        reason: String,
    },
    /// It did not answer before the deadline. The secret may or may not have been saved.
    #[error(
        "the keyring does not answer: look for a dialog of it and try again, or keep keys for this session only"
    )]
    Slow,
    /// The secret is longer than the keyring or Pilotfish takes.
    #[error("the key is too long: {limit} bytes at most")]
    TooLong {
        /// The limit in bytes.
        limit: u32,
    },
    /// The secret or its account is not one, or the keyring would not take or give it.
    #[error("{reason}")]
    Refused {
        /// Why and what to do, in a sentence.
        reason: String,
    },
}

impl From<VaultError> for AppError {
    fn from(error: VaultError) -> Self {
        let code = match error {
            VaultError::Locked | VaultError::NoKeyring | VaultError::Dismissed => {
                ErrorCode::VaultLocked
            }
            VaultError::Unavailable { .. } | VaultError::Slow => ErrorCode::VaultUnavailable,
            VaultError::TooLong { .. } | VaultError::Refused { .. } => ErrorCode::InvalidRequest,
        };
        Self::new(code, error.to_string())
    }
}
