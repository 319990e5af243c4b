//! Settings: JSON by key. What it means is the caller's.

use crate::connection::Transaction;
use crate::error::StoreError;
use crate::store::{Reader, Store};

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 128;
/// The largest setting, in bytes of JSON.
const MAX_SETTING_BYTES: usize = 1024 * 1024;

impl Reader {
    /// The JSON that was last stored under a key.
    pub async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(
            sqlx::query_scalar("SELECT json FROM settings WHERE key = ?")
                .bind(key)
                .fetch_optional(self.pool())
                .await?,
        )
    }
}

impl Store {
    /// Stores JSON, of at most 1 MiB, under a key.
    pub async fn set_setting(&self, key: &str, json: &str) -> Result<(), StoreError> {
        self.update_setting(key, |_| Ok(json.to_owned()))
            .await
            .map(drop)
    }

    /// Changes what is stored under a key: `change` is given the JSON that is there and gives back
    /// the new one, of at most 1 MiB. No other process writes between the two, so that of two
    /// changes at once neither is lost. Tells whether anything changed; what stays the same is not
    /// written.
    ///
    /// # Errors
    /// The change's own, after which nothing has changed; [`StoreError::TooLarge`];
    /// [`StoreError::Invalid`] for what is no JSON or a key that is empty or over 128 bytes.
    pub async fn update_setting<E: From<StoreError>>(
        &self,
        key: &str,
        change: impl FnOnce(Option<&str>) -> Result<String, E>,
    ) -> Result<bool, E> {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(E::from(StoreError::Invalid {
                reason: format!("a setting's key has 1 to {MAX_KEY_BYTES} bytes"),
            }));
        }
        let mut transaction = Transaction::write(self.writer()).await?;
        let old: Option<String> = sqlx::query_scalar("SELECT json FROM settings WHERE key = ?")
            .bind(key)
            .fetch_optional(transaction.on()?)
            .await
            .map_err(StoreError::from)?;
        let new = change(old.as_deref())?;
        let changed = old.as_ref() != Some(&new);
        if changed {
            write(&mut transaction, key, new).await?;
        }
        transaction.commit().await?;
        Ok(changed)
    }
}

async fn write(transaction: &mut Transaction, key: &str, json: String) -> Result<(), StoreError> {
    if json.len() > MAX_SETTING_BYTES {
        return Err(StoreError::TooLarge {
            what: "setting",
            limit: MAX_SETTING_BYTES,
        });
    }
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&json) {
        return Err(StoreError::Invalid {
            reason: format!("a setting is JSON: {error}"),
        });
    }
    sqlx::query(
        "INSERT INTO settings (key, json) VALUES (?, ?)
         ON CONFLICT (key) DO UPDATE SET json = excluded.json",
    )
    .bind(key.to_owned())
    .bind(json)
    .execute(transaction.on()?)
    .await?;
    Ok(())
}
