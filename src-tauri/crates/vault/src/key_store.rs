//! The door to secrets, and what counts as one.

use futures::future::BoxFuture;
use protocol::{Secret, VaultState};

use crate::VaultError;

/// The longest secret in bytes. API keys have a few hundred.
pub const MAX_SECRET_BYTES: usize = 4096;

/// The longest account name in bytes.
const MAX_ACCOUNT_BYTES: usize = 128;

/// A place that keeps one secret for each account. An account is a provider's id.
pub trait KeyStore: Send + Sync + 'static {
    /// The account's secret; `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot be read now; it never asks the person for anything.
    fn get(&self, account: &str) -> BoxFuture<'_, Result<Option<Secret<String>>, VaultError>>;

    /// Keeps a secret for the account, in place of an earlier one.
    ///
    /// # Errors
    /// When the secret is empty, longer than [`MAX_SECRET_BYTES`] or holds a control character, or
    /// when the store cannot be written now; it never asks the person for anything.
    fn set(&self, account: &str, secret: Secret<String>) -> BoxFuture<'_, Result<(), VaultError>>;

    /// Removes the account's secret; not having one is no error.
    ///
    /// # Errors
    /// When the store cannot be written now; it never asks the person for anything.
    fn remove(&self, account: &str) -> BoxFuture<'_, Result<(), VaultError>>;

    /// Whether the store can be used now. Never prompts.
    fn state(&self) -> BoxFuture<'_, VaultState>;

    /// Lets the store ask the person for its password, and waits for them 30 s at most. Only for a
    /// click.
    ///
    /// # Errors
    /// When the store stays locked or is not there.
    fn unlock(&self) -> BoxFuture<'_, Result<(), VaultError>>;
}

/// Refuses what is no API key. Nothing is trimmed: a caller that reads a line removes its end.
pub(crate) fn check_secret(secret: &Secret<String>) -> Result<(), VaultError> {
    let secret = secret.expose();
    if secret.is_empty() {
        return Err(VaultError::Refused {
            reason: "the key is empty: paste it again".to_owned(),
        });
    }
    if secret.len() > MAX_SECRET_BYTES {
        return Err(VaultError::TooLong {
            limit: MAX_SECRET_BYTES as u32,
        });
    }
    if secret.chars().any(char::is_control) {
        return Err(VaultError::Refused {
            reason: "the key holds a line break or another control character: paste it again"
                .to_owned(),
        });
    }
    Ok(())
}

/// Refuses what cannot name an account.
pub(crate) fn check_account(account: &str) -> Result<(), VaultError> {
    let fits = (1..=MAX_ACCOUNT_BYTES).contains(&account.len());
    if fits && !account.chars().any(char::is_control) {
        return Ok(());
    }
    Err(VaultError::Refused {
        reason: format!(
            "a provider's name has 1 to {MAX_ACCOUNT_BYTES} bytes and no control characters"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(secret: &str) -> bool {
        matches!(
            check_secret(&Secret::new(secret.to_owned())),
            Err(VaultError::Refused { .. })
        )
    }

    #[test]
    fn a_secret_is_one_line_of_bounded_length() {
        assert_eq!(check_secret(&Secret::new("sk-ä b".to_owned())), Ok(()));
        assert_eq!(
            check_secret(&Secret::new("k".repeat(MAX_SECRET_BYTES))),
            Ok(())
        );
        assert_eq!(
            check_secret(&Secret::new("k".repeat(MAX_SECRET_BYTES + 1))),
            Err(VaultError::TooLong { limit: 4096 })
        );
        for bad in ["", "sk\n", "s\rk", "s\tk", "s\0k", "s\u{85}k", "\u{7f}"] {
            assert!(refused(bad), "{bad:?}");
        }
    }

    #[test]
    fn an_account_has_a_name() {
        assert_eq!(check_account("openai"), Ok(()));
        assert!(check_account("").is_err());
        assert!(check_account("a\nb").is_err());
        assert!(check_account(&"a".repeat(129)).is_err());
    }
}
