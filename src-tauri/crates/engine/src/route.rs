//! The way from a model's name to whoever serves it, and what is known of it without asking.

use std::sync::Arc;

use inhouse::DEFAULT;
use protocol::{AppError, Endpoint, Model, ModelRef};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Engine;
use crate::translate::Reader;

/// Who answers for a model.
#[derive(Clone)]
pub(crate) struct Route {
    /// The model that is asked there; of a cluster in the in-house slot, its own.
    pub(crate) model: ModelRef,
    /// `None` for the model inside the application.
    pub(crate) endpoint: Option<Endpoint>,
    /// Room for answers at once, where that is limited.
    places: Option<Arc<Semaphore>>,
}

impl Route {
    /// Waits for room for one answer, where that is limited; it is held until the guard is dropped.
    pub(crate) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // Nobody closes the semaphore, so there is always a place in the end.
        Arc::clone(self.places.as_ref()?).acquire_owned().await.ok()
    }
}

impl Engine {
    /// Who answers for a model.
    ///
    /// # Errors
    /// `NotFound` when no provider has that name; the store's.
    pub(crate) async fn route(&self, model: &ModelRef) -> Result<Route, AppError> {
        if !model.provider.is_inhouse() {
            return Ok(Route {
                endpoint: Some(self.endpoint(&model.provider).await?),
                model: model.clone(),
                places: None,
            });
        }
        let cluster = match model.model == DEFAULT {
            true => self.cluster().await?,
            false => None,
        };
        Ok(match cluster {
            Some(cluster) => Route {
                places: Some(self.inner.cluster_places.of(cluster.max_concurrent)),
                endpoint: Some(cluster.endpoint),
                model: cluster.model,
            },
            None => Route {
                model: model.clone(),
                endpoint: None,
                places: None,
            },
        })
    }

    /// Tokens that the model's window holds, as far as that is known without asking anyone.
    pub(crate) async fn window(&self, model: &ModelRef) -> Option<u32> {
        match model.provider.is_inhouse() {
            true => self.inner.inhouse.context_tokens(&model.model).await,
            false => self.known_model(model).await?.context_tokens,
        }
    }

    /// What the model at the end of a route can take.
    pub(crate) async fn reader_of(&self, route: &Route) -> Reader {
        match &route.endpoint {
            Some(endpoint) => {
                let known = self.known_model(&route.model).await;
                Reader::new(endpoint.wire, route.model.clone(), known.as_ref())
            }
            None => Reader::inhouse(route.model.clone()),
        }
    }

    async fn known_model(&self, model: &ModelRef) -> Option<Model> {
        let known = self.known_models(&model.provider).await.ok()?;
        known.into_iter().find(|known| known.model == *model)
    }
}
