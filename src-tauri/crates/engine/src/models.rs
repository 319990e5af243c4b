//! What can be chosen in the picker, and the way from a model's name to its provider.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use inhouse::{Answering, DEFAULT};
use protocol::{AppError, Endpoint, ErrorCode, Model, ModelGroup, ModelRef, ProviderId, RunsAt};
use providers::{OpenAiCompatible, Provider};

use crate::{Change, Engine, clock, endpoints};

/// How long the picker waits for one provider's list.
const LIST_LIMIT: Duration = Duration::from_secs(3);

/// Who answers for a model.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) provider: Arc<dyn Provider>,
    /// `None` for the in-house model.
    pub(crate) endpoint: Option<Endpoint>,
}

impl Engine {
    /// The picker's groups: the in-house models, then every provider that has models or an address
    /// of the person's own. With `refresh`, which only an action of the person asks for, endpoints
    /// are asked for their lists, all at once and for 3 seconds at most; without, or when one does
    /// not answer, its list is the one last known.
    ///
    /// # Errors
    /// The store's. A provider's error stands in its group.
    pub async fn models(&self, refresh: bool) -> Result<Vec<ModelGroup>, AppError> {
        let mut groups = vec![self.inhouse_models().await];
        let endpoints = self.endpoints().await?;
        let asked = endpoints.iter().map(|endpoint| async move {
            match refresh && may_ask(endpoint) {
                true => self.ask_for_models(endpoint, LIST_LIMIT).await.err(),
                false => None,
            }
        });
        let errors = join_all(asked).await;
        for (endpoint, error) in endpoints.into_iter().zip(errors) {
            let models = self.known_models(&endpoint.id).await?;
            if models.is_empty() && !is_of_interest(&endpoint, error.as_ref()) {
                continue;
            }
            groups.push(ModelGroup {
                provider: endpoint.id,
                name: endpoint.name,
                models,
                error,
                health: Vec::new(),
            });
        }
        if refresh {
            self.announce(Change::Models);
        }
        Ok(groups)
    }

    /// Who answers for a model.
    pub(crate) async fn route(&self, model: &ModelRef) -> Result<Route, AppError> {
        if model.provider.is_inhouse() {
            return Ok(Route {
                provider: self.inner.inhouse.provider(),
                endpoint: None,
            });
        }
        let endpoint = self.endpoint(&model.provider).await?;
        let provider = self.provider(&endpoint)?;
        Ok(Route {
            provider,
            endpoint: Some(endpoint),
        })
    }

    /// Tokens that the model's window holds, as far as that is known without asking anyone.
    pub(crate) async fn window(&self, model: &ModelRef) -> Option<u32> {
        if model.provider.is_inhouse() {
            return self.inner.inhouse.context_tokens(&model.model).await;
        }
        let known = self.known_models(&model.provider).await.ok()?;
        known
            .into_iter()
            .find(|known| known.model == *model)?
            .context_tokens
    }

    /// An endpoint's list, fresh; it becomes the one last known.
    pub(crate) async fn ask_for_models(
        &self,
        endpoint: &Endpoint,
        limit: Duration,
    ) -> Result<Vec<Model>, AppError> {
        let provider = self.provider(endpoint)?;
        let key = self.key_for(endpoint).await?;
        let answer = tokio::time::timeout(limit, provider.list_models(key)).await;
        let models = answer.map_err(|_| {
            let message = format!(
                "{} did not answer in {} seconds: see whether it runs",
                endpoint.name,
                limit.as_secs()
            );
            AppError::new(ErrorCode::Network, message)
        })??;
        if let Ok(store) = self.store() {
            store
                .cache_models(&endpoint.id, &models, clock::now_ms())
                .await?;
        }
        Ok(models)
    }

    fn provider(&self, endpoint: &Endpoint) -> Result<Arc<dyn Provider>, AppError> {
        Ok(Arc::new(OpenAiCompatible::new(
            endpoint,
            self.inner.http.clone(),
        )?))
    }

    async fn known_models(&self, provider: &ProviderId) -> Result<Vec<Model>, AppError> {
        match self.reader() {
            Some(reader) => self.as_far_as_readable(reader.cached_models(provider).await),
            None => Ok(Vec::new()),
        }
    }

    /// What is on this machine and works. `default` is always among it and first: chosen while it
    /// cannot answer itself, it answers with the small one, or says how to fetch it. The picker says
    /// so: nobody is to think that they talk to a model that they do not have.
    async fn inhouse_models(&self) -> ModelGroup {
        let inhouse = &self.inner.inhouse;
        let (mut models, error) = match inhouse.provider().list_models(None).await {
            Ok(models) => (models, None),
            Err(error) => (Vec::new(), Some(AppError::from(error))),
        };
        let position = |models: &[Model], id: &str| {
            let mut ids = models.iter().map(|model| model.model.model.as_str());
            ids.position(|known| known == id)
        };
        let default = match position(&models, DEFAULT) {
            Some(place) => Some(models.remove(place)),
            None => self.absent_default().await,
        };
        if let Some(mut default) = default {
            if let Ok(Answering { id, reason }) = inhouse.answering(DEFAULT).await
                && let Some(reason) = reason
                && let Some(stand_in) = position(&models, &id).and_then(|place| models.get(place))
            {
                default.name = format!("{} (instead of {}: {reason})", stand_in.name, default.name);
                default.context_tokens = stand_in.context_tokens;
                default.bytes = stand_in.bytes;
            }
            models.insert(0, default);
        }
        ModelGroup {
            provider: ProviderId::inhouse(),
            name: "In-house".to_owned(),
            models,
            error,
            health: Vec::new(),
        }
    }

    /// The default model as the catalogue describes it.
    async fn absent_default(&self) -> Option<Model> {
        let library = self.library().await;
        let entry = library.into_iter().find(|entry| entry.id == DEFAULT)?;
        Some(Model {
            model: ModelRef::inhouse(entry.id),
            name: entry.name,
            runs_at: RunsAt::InHouse,
            context_tokens: None,
            output_tokens: None,
            images: false,
            files: false,
            tools: false,
            efforts: Vec::new(),
            price: None,
            retires_on: None,
            bytes: Some(entry.bytes),
        })
    }
}

/// Whether opening the picker may ask an endpoint: one that the person added or gave a key, or a
/// built-in one on this machine. A built-in one elsewhere is asked by nobody who did not choose it.
fn may_ask(endpoint: &Endpoint) -> bool {
    let own = !endpoints::is_builtin(&endpoint.id) || endpoint.key.is_some();
    own || (!endpoint.needs_key && endpoints::place(endpoint) == Some(RunsAt::ThisMachine))
}

/// Whether a group without models is shown: not a built-in program that simply does not run here.
fn is_of_interest(endpoint: &Endpoint, error: Option<&AppError>) -> bool {
    let absent = error.is_none_or(|error| error.code == ErrorCode::Network);
    !endpoints::is_builtin(&endpoint.id) || !absent
}
