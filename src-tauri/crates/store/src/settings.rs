//! Settings: JSON by key. What it means is the caller's.

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
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(StoreError::Invalid {
                reason: format!("a setting's key has 1 to {MAX_KEY_BYTES} bytes"),
            });
        }
        if json.len() > MAX_SETTING_BYTES {
            return Err(StoreError::TooLarge {
                what: "setting",
                limit: MAX_SETTING_BYTES,
            });
        }
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(json) {
            return Err(StoreError::Invalid {
                reason: format!("a setting is JSON: {error}"),
            });
        }
        self.write(
            sqlx::query(
                "INSERT INTO settings (key, json) VALUES (?, ?)
                 ON CONFLICT (key) DO UPDATE SET json = excluded.json",
            )
            .bind(key.to_owned())
            .bind(json.to_owned()),
        )
        .await?;
        Ok(())
    }
}
