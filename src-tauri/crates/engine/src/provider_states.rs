//! What the settings say about each provider beside how it was configured: whether the application
//! knows it without being told, where its models run, and where its key is right now.

use protocol::{AppError, Endpoint, KeyPlace, ProviderState, VaultState};

use crate::Engine;
use crate::endpoints::{is_builtin, place};

impl Engine {
    /// The states of all providers, in the order of [`Engine::endpoints`]. The keyring is never made
    /// to ask for its password.
    ///
    /// # Errors
    /// The store's.
    pub async fn provider_states(&self) -> Result<Vec<ProviderState>, AppError> {
        let endpoints = self.endpoints().await?;
        let vault = self.inner.keys.lasting_state().await;
        let mut states = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            states.push(ProviderState {
                builtin: is_builtin(&endpoint.id),
                runs_at: place(&endpoint),
                key: self.key_place(&endpoint, &vault).await,
                provider: endpoint.id,
            });
        }
        Ok(states)
    }

    async fn key_place(&self, endpoint: &Endpoint, vault: &VaultState) -> KeyPlace {
        if self.inner.keys.in_memory(&endpoint.id).is_some() {
            return KeyPlace::Memory;
        }
        if endpoint.key.is_none() {
            return KeyPlace::Nowhere;
        }
        let found = match vault {
            VaultState::Locked { place } => {
                return KeyPlace::Locked {
                    place: place.clone(),
                };
            }
            VaultState::Ready { place } => KeyPlace::Keyring {
                place: place.clone(),
            },
            VaultState::SessionOnly => KeyPlace::Memory,
            VaultState::NoKeyring => return KeyPlace::Lost,
            VaultState::Unavailable { .. } | VaultState::Slow => return KeyPlace::Unknown,
        };
        match self.inner.keys.get(&endpoint.id).await {
            Ok(Some(_)) => found,
            Ok(None) => KeyPlace::Lost,
            Err(_) => KeyPlace::Unknown,
        }
    }
}
