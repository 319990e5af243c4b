//! The addresses that a person added, and the models last seen at any provider.

use protocol::{Endpoint, Model, ProviderId};
use serde::Serialize;

use crate::error::StoreError;
use crate::store::{Reader, Store};

/// The largest endpoint, in bytes of JSON.
const MAX_ENDPOINT_BYTES: usize = 64 * 1024;
/// The largest list of models, in bytes of JSON.
const MAX_MODELS_BYTES: usize = 16 * 1024 * 1024;

impl Reader {
    /// The endpoints, by name. One that cannot be read is left out.
    pub async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError> {
        let rows: Vec<String> = sqlx::query_scalar("SELECT json FROM endpoints ORDER BY id")
            .fetch_all(self.pool())
            .await?;
        let mut endpoints = Vec::with_capacity(rows.len());
        for json in rows {
            match serde_json::from_str(&json) {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(error) => tracing::warn!(%error, "a stored endpoint cannot be read"),
            }
        }
        Ok(endpoints)
    }

    /// The models last seen at a provider; none when it was never asked.
    pub async fn cached_models(&self, provider: &ProviderId) -> Result<Vec<Model>, StoreError> {
        let json: Option<String> =
            sqlx::query_scalar("SELECT json FROM cached_models WHERE provider = ?")
                .bind(provider.as_str())
                .fetch_optional(self.pool())
                .await?;
        // The list is only a cache: one that cannot be read is asked for again.
        Ok(json
            .and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or_default())
    }
}

impl Store {
    /// Adds an endpoint, or changes the one of that name.
    pub async fn save_endpoint(&self, endpoint: &Endpoint) -> Result<(), StoreError> {
        let json = to_json(endpoint, "endpoint", MAX_ENDPOINT_BYTES)?;
        self.write(
            sqlx::query(
                "INSERT INTO endpoints (id, json) VALUES (?, ?)
                 ON CONFLICT (id) DO UPDATE SET json = excluded.json",
            )
            .bind(endpoint.id.to_string())
            .bind(json),
        )
        .await?;
        Ok(())
    }

    /// Removes an endpoint and what was seen there.
    pub async fn remove_endpoint(&self, id: &ProviderId) -> Result<(), StoreError> {
        let removed = self
            .write(sqlx::query("DELETE FROM endpoints WHERE id = ?").bind(id.to_string()))
            .await?;
        if removed == 0 {
            return Err(StoreError::NotFound { what: "endpoint" });
        }
        self.write(
            sqlx::query("DELETE FROM cached_models WHERE provider = ?").bind(id.to_string()),
        )
        .await?;
        Ok(())
    }

    /// Remembers the models seen at a provider.
    pub async fn cache_models(
        &self,
        provider: &ProviderId,
        models: &[Model],
        at: i64,
    ) -> Result<(), StoreError> {
        let json = to_json(&models, "list of models", MAX_MODELS_BYTES)?;
        self.write(
            sqlx::query(
                "INSERT INTO cached_models (provider, json, seen_at) VALUES (?, ?, ?)
                 ON CONFLICT (provider)
                 DO UPDATE SET json = excluded.json, seen_at = excluded.seen_at",
            )
            .bind(provider.to_string())
            .bind(json)
            .bind(at),
        )
        .await?;
        Ok(())
    }
}

fn to_json<T: Serialize>(
    value: &T,
    what: &'static str,
    limit: usize,
) -> Result<String, StoreError> {
    let json = serde_json::to_string(value).map_err(|error| StoreError::Invalid {
        reason: error.to_string(),
    })?;
    if json.len() > limit {
        Err(StoreError::TooLarge { what, limit })
    } else {
        Ok(json)
    }
}
