//! Secrets in memory, gone when the application ends: a person's choice where no keyring works.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use protocol::{Secret, VaultState};

use crate::key_store::{check_account, check_secret};
use crate::{KeyStore, VaultError};

/// How many accounts fit: far more than there are providers.
const MAX_ACCOUNTS: usize = 1024;

/// Secrets in memory, overwritten when they are dropped.
#[derive(Debug, Default)]
pub struct SessionKeys {
    secrets: Mutex<HashMap<String, Secret<String>>>,
}

impl SessionKeys {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, f: impl FnOnce(&mut HashMap<String, Secret<String>>) -> T) -> T {
        f(&mut self.secrets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep(&self, account: &str, secret: Secret<String>) -> Result<(), VaultError> {
        check_account(account)?;
        check_secret(&secret)?;
        self.with(|secrets| {
            if secrets.len() >= MAX_ACCOUNTS && !secrets.contains_key(account) {
                return Err(VaultError::Refused {
                    reason: "too many keys: remove one first".to_owned(),
                });
            }
            secrets.insert(account.to_owned(), secret);
            Ok(())
        })
    }
}

impl KeyStore for SessionKeys {
    fn get(&self, account: &str) -> BoxFuture<'_, Result<Option<Secret<String>>, VaultError>> {
        ready(Ok(self.with(|secrets| secrets.get(account).cloned()))).boxed()
    }

    fn set(&self, account: &str, secret: Secret<String>) -> BoxFuture<'_, Result<(), VaultError>> {
        ready(self.keep(account, secret)).boxed()
    }

    fn remove(&self, account: &str) -> BoxFuture<'_, Result<(), VaultError>> {
        self.with(|secrets| secrets.remove(account));
        ready(Ok(())).boxed()
    }

    fn state(&self) -> BoxFuture<'_, VaultState> {
        ready(VaultState::SessionOnly).boxed()
    }

    fn unlock(&self) -> BoxFuture<'_, Result<(), VaultError>> {
        ready(Ok(())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_replaces_and_removes() {
        let keys = SessionKeys::new();
        assert!(keys.get("openai").await.expect("get").is_none());
        for secret in ["first", "second"] {
            keys.set("openai", Secret::new(secret.to_owned()))
                .await
                .expect("set");
            let kept = keys.get("openai").await.expect("get").expect("a secret");
            assert_eq!(kept.expose(), secret);
        }
        assert!(keys.get("xai").await.expect("get").is_none());
        keys.remove("openai").await.expect("remove");
        keys.remove("openai").await.expect("remove again");
        assert!(keys.get("openai").await.expect("get").is_none());
        assert_eq!(keys.state().await, VaultState::SessionOnly);
    }

    #[tokio::test]
    async fn refuses_what_is_no_key_and_keeps_the_old_one() {
        let keys = SessionKeys::new();
        keys.set("openai", Secret::new("old".to_owned()))
            .await
            .expect("set");
        keys.set("openai", Secret::new("a\nb".to_owned()))
            .await
            .expect_err("a line break");
        assert_eq!(
            keys.get("openai")
                .await
                .expect("get")
                .expect("a secret")
                .expose(),
            "old"
        );
    }

    #[tokio::test]
    async fn debug_shows_no_secret() {
        let keys = SessionKeys::new();
        keys.set("openai", Secret::new("canary-4711".to_owned()))
            .await
            .expect("set");
        assert!(!format!("{keys:?}").contains("canary"));
    }
}
