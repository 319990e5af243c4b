//! The in-house slot where people have outgrown one machine: a cluster that serves the in-house
//! model's weights takes the place of the default model, under the same entry of the picker. It is an
//! endpoint like another, of a fixed name, whose address stands in the settings.

use std::sync::{Arc, Mutex, PoisonError};

use protocol::{AppError, Cluster, Endpoint, ErrorCode, ModelRef, ProviderId, Wire};
use tokio::sync::Semaphore;
use url::Url;

use crate::Engine;

/// Its name for people.
const NAME: &str = "In-house cluster";

/// The most answers that may be asked for at once.
const CONCURRENT: u16 = 1024;

/// A cluster as it is asked.
pub(crate) struct Served {
    pub(crate) endpoint: Endpoint,
    pub(crate) model: ModelRef,
    pub(crate) max_concurrent: u16,
}

/// Room for so many answers at once. A new limit holds for the answers that begin after it.
#[derive(Debug, Default)]
pub(crate) struct Places {
    current: Mutex<Option<(u16, Arc<Semaphore>)>>,
}

impl Places {
    pub(crate) fn of(&self, limit: u16) -> Arc<Semaphore> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some((known, places)) if *known == limit => Arc::clone(places),
            _ => {
                let places = Arc::new(Semaphore::new(usize::from(limit)));
                *current = Some((limit, Arc::clone(&places)));
                places
            }
        }
    }
}

impl Engine {
    /// The cluster in the in-house slot.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn cluster(&self) -> Result<Option<Served>, AppError> {
        let Some(cluster) = self.settings().await?.inhouse_cluster else {
            return Ok(None);
        };
        Ok(Some(Served {
            endpoint: self.endpoint(&ProviderId::cluster()).await?,
            model: ModelRef {
                provider: ProviderId::cluster(),
                model: cluster.model,
            },
            max_concurrent: cluster.max_concurrent,
        }))
    }

    /// The endpoints with that of the cluster, when there is one: its row in the store holds no more
    /// than the note of its key.
    pub(crate) async fn with_cluster(
        &self,
        mut endpoints: Vec<Endpoint>,
    ) -> Result<Vec<Endpoint>, AppError> {
        let id = ProviderId::cluster();
        let row = endpoints.iter().position(|endpoint| endpoint.id == id);
        let row = row.map(|row| endpoints.remove(row));
        if let Some(cluster) = self.settings().await?.inhouse_cluster {
            endpoints.push(Endpoint {
                id,
                name: NAME.to_owned(),
                base_url: cluster.base_url,
                wire: Wire::Chat,
                needs_key: false,
                key: row.and_then(|row| row.key),
                headers: Vec::new(),
            });
        }
        Ok(endpoints)
    }

    /// Removes the cluster's key before the cluster moves to another origin or goes: a key goes only
    /// where the person put it.
    ///
    /// # Errors
    /// The store's, the vault's.
    pub(crate) async fn before_cluster(&self, next: Option<&Cluster>) -> Result<(), AppError> {
        let Some(now) = self.settings().await?.inhouse_cluster else {
            return Ok(());
        };
        let origin = |cluster: &Cluster| Url::parse(&cluster.base_url).map(|url| url.origin());
        match next {
            Some(next) if origin(next) == origin(&now) => Ok(()),
            _ => self.remove_endpoint(&ProviderId::cluster()).await,
        }
    }
}

/// Refuses what cannot be a cluster.
///
/// # Errors
/// `InvalidRequest` that names the field.
pub(crate) fn check(cluster: &Cluster) -> Result<(), AppError> {
    let wrong = |message: String| AppError::new(ErrorCode::InvalidRequest, message);
    providers::base_url(&cluster.base_url)
        .map_err(|error| wrong(format!("inhouse_cluster.{error}")))?;
    let name = format!("{}/{}", ProviderId::CLUSTER, cluster.model);
    if name.parse::<ModelRef>().is_err() {
        return Err(wrong(
            "inhouse_cluster.model: 1 to 256 bytes, as the cluster's own list names it".to_owned(),
        ));
    }
    if !(1..=CONCURRENT).contains(&cluster.max_concurrent) {
        return Err(wrong(format!(
            "inhouse_cluster.max_concurrent: choose 1 to {CONCURRENT}"
        )));
    }
    Ok(())
}
