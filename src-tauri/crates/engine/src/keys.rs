//! API keys: kept by the vault, noted in the store without the key itself, and read only on the
//! way into a request.

use protocol::{AppError, Endpoint, ErrorCode, KeyRecord, ProviderId, Secret, VaultState};

use crate::endpoints::may_carry_key;
use crate::{Change, Engine, clock};

/// Room for the longest keys in use and then some.
const KEY_BYTES: usize = 4096;

/// A key shorter than this shows none of its characters.
const SHOWN_FROM: usize = 12;

impl Engine {
    /// Saves a provider's key: in the vault first, then the note that there is one. While keys are
    /// kept in memory, both are gone when the engine is.
    ///
    /// # Errors
    /// `InvalidRequest` for a text that cannot be a key, and for an address to which a key would
    /// travel readable; `NotFound`; the vault's and the store's.
    pub async fn set_key(
        &self,
        provider: &ProviderId,
        key: Secret<String>,
    ) -> Result<Endpoint, AppError> {
        self.store()?;
        may_carry_key(&self.endpoint(provider).await?.base_url)?;
        let key = clean(&key)?;
        let record = KeyRecord {
            last_four: last_four(&key),
            saved_at: clock::now_ms(),
        };
        if self.inner.keys.set(provider, key, &record).await? {
            self.record_key(provider, Some(record)).await?;
        }
        self.announce(Change::Models);
        self.endpoint(provider).await
    }

    /// Removes a provider's key from the vault, then the note.
    ///
    /// # Errors
    /// `NotFound`; the vault's and the store's.
    pub async fn remove_key(&self, provider: &ProviderId) -> Result<Endpoint, AppError> {
        self.store()?;
        let recorded = self.kept_endpoint(provider).await?.key.is_some();
        self.inner.keys.remove(provider, recorded).await?;
        if recorded {
            self.record_key(provider, None).await?;
        }
        self.announce(Change::Models);
        self.endpoint(provider).await
    }

    /// What the keyring says; it is never made to ask for its password.
    pub async fn vault_state(&self) -> VaultState {
        self.inner.keys.state().await
    }

    /// Lets the keyring ask for its password, and keeps the keys to come in it. Only after a click.
    ///
    /// # Errors
    /// The vault's.
    pub async fn unlock_vault(&self) -> Result<VaultState, AppError> {
        self.inner.keys.unlock().await?;
        Ok(self.vault_state().await)
    }

    /// Keeps the keys to come in memory, for this run only. Those in the keyring stay in use.
    pub async fn keep_keys_for_session(&self) -> VaultState {
        self.inner.keys.choose_memory();
        self.vault_state().await
    }

    /// The key to send to an endpoint; `None` when it takes none and none was saved for it.
    pub(crate) async fn key_for(
        &self,
        endpoint: &Endpoint,
    ) -> Result<Option<Secret<String>>, AppError> {
        let name = &endpoint.name;
        if endpoint.key.is_none() {
            if !endpoint.needs_key {
                return Ok(None);
            }
            let message = format!("there is no key for {name} yet: save one in the settings");
            return Err(AppError::new(ErrorCode::Auth, message));
        }
        may_carry_key(&endpoint.base_url)?;
        let key = self.inner.keys.get(&endpoint.id).await?;
        key.map(Some).ok_or_else(|| {
            let message = format!(
                "the keyring no longer holds the key for {name}: save it again in the settings"
            );
            AppError::new(ErrorCode::KeyLost, message)
        })
    }
}

/// The key without the blanks that come with copying. It must fit into a header.
fn clean(key: &Secret<String>) -> Result<Secret<String>, AppError> {
    let text = key.expose().trim();
    let wrong = if text.is_empty() {
        "the key is empty: paste it as the provider shows it"
    } else if text.len() > KEY_BYTES {
        "the key is longer than 4 KiB: paste the key alone"
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        "the key holds characters that no key has: paste the key alone, without blanks"
    } else {
        return Ok(Secret::new(text.to_owned()));
    };
    Err(AppError::new(ErrorCode::InvalidRequest, wrong))
}

fn last_four(key: &Secret<String>) -> String {
    let key = key.expose();
    match key.len().checked_sub(4) {
        Some(from) if key.len() >= SHOWN_FROM => key.get(from..).unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use protocol::Secret;

    use super::{clean, last_four};

    #[test]
    fn keys_are_trimmed_and_checked() {
        let key = |text: &str| clean(&Secret::new(text.to_owned()));
        assert_eq!(
            key(" sk-123456789012\n").unwrap().expose(),
            "sk-123456789012"
        );
        for text in ["", " \n", "sk-1 sk-2", "sk-ключ", "a\0b", &"x".repeat(4097)] {
            assert!(key(text).is_err(), "{text:?} is no key");
        }
    }

    #[test]
    fn short_keys_show_nothing() {
        assert_eq!(last_four(&Secret::new("12345678901".to_owned())), "");
        assert_eq!(last_four(&Secret::new("123456789012".to_owned())), "9012");
    }
}
