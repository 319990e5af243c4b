//! Where keys are: in the vault that the engine was opened with, and by the person's choice in
//! memory for this run. A key in memory goes before one in the vault, and nothing of it lasts: no
//! entry in the vault and no note in the store. What the vault holds stays in use beside it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{KeyRecord, ProviderId, Secret, VaultState};
use vault::{KeyStore, SessionKeys, VaultError};

/// The vault, and this run's memory over it.
pub(crate) struct KeyRing {
    lasting: Arc<dyn KeyStore>,
    session: SessionKeys,
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    /// Whether the person chose memory for the keys to come.
    in_memory: bool,
    /// The keys in memory.
    records: HashMap<ProviderId, KeyRecord>,
}

impl KeyRing {
    pub(crate) fn new(lasting: Arc<dyn KeyStore>) -> Self {
        Self {
            lasting,
            session: SessionKeys::default(),
            noted: Mutex::default(),
        }
    }

    /// The key in use for a provider.
    pub(crate) async fn get(
        &self,
        provider: &ProviderId,
    ) -> Result<Option<Secret<String>>, VaultError> {
        match self.session.get(provider.as_str()).await? {
            Some(key) => Ok(Some(key)),
            None => self.lasting.get(provider.as_str()).await,
        }
    }

    /// Keeps a key. Tells whether it lasts, so that the record belongs into the store.
    pub(crate) async fn set(
        &self,
        provider: &ProviderId,
        key: Secret<String>,
        record: &KeyRecord,
    ) -> Result<bool, VaultError> {
        let lasts = !self.noted().in_memory;
        if lasts {
            self.lasting.set(provider.as_str(), key).await?;
            self.forget(provider).await?;
        } else {
            self.session.set(provider.as_str(), key).await?;
            self.noted()
                .records
                .insert(provider.clone(), record.clone());
        }
        Ok(lasts)
    }

    /// Removes a provider's keys. A vault that cannot be written is no hindrance when it holds
    /// nothing of ours: when no key was `recorded` and the person chose memory.
    pub(crate) async fn remove(
        &self,
        provider: &ProviderId,
        recorded: bool,
    ) -> Result<(), VaultError> {
        let in_vault = recorded || !self.noted().in_memory;
        if in_vault {
            self.lasting.remove(provider.as_str()).await?;
        }
        self.forget(provider).await
    }

    /// That a key is in memory for a provider.
    pub(crate) fn in_memory(&self, provider: &ProviderId) -> Option<KeyRecord> {
        self.noted().records.get(provider).cloned()
    }

    /// Keeps the keys to come in memory.
    pub(crate) fn choose_memory(&self) {
        self.noted().in_memory = true;
    }

    /// What the vault says; by the person's choice, that keys are kept in memory.
    pub(crate) async fn state(&self) -> VaultState {
        if self.noted().in_memory {
            return VaultState::SessionOnly;
        }
        self.lasting.state().await
    }

    /// What the vault says, whatever the person chose for the keys to come.
    pub(crate) async fn lasting_state(&self) -> VaultState {
        self.lasting.state().await
    }

    /// Lets the vault ask for its password. Once it is open, it keeps the keys to come.
    pub(crate) async fn unlock(&self) -> Result<(), VaultError> {
        self.lasting.unlock().await?;
        self.noted().in_memory = false;
        Ok(())
    }

    async fn forget(&self, provider: &ProviderId) -> Result<(), VaultError> {
        self.session.remove(provider.as_str()).await?;
        self.noted().records.remove(provider);
        Ok(())
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
