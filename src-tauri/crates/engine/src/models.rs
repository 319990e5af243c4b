//! What can be chosen in the picker, and the way from a model's name to its provider.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use inhouse::{Answering, DEFAULT};
use jiff::tz::TimeZone;
use protocol::{
    AppError, CallOutcome, Endpoint, ErrorCode, Model, ModelGroup, ModelRef, ProviderId, Purpose,
    RunsAt,
};
use providers::{Http, Overrides, Provider, Remote};

use crate::egress::Errand;
use crate::overrides::Problem;
use crate::{Change, Engine, clock, endpoints};

/// How long the picker waits for one provider's list.
const LIST_LIMIT: Duration = Duration::from_secs(3);

impl Engine {
    /// The picker's groups: the in-house models, then every provider that has models or an address
    /// of the person's own. With `refresh`, which only an action of the person asks for, endpoints
    /// are asked for their lists, all at once and for 3 seconds at most; without, or when one does
    /// not answer, its list is the one last known.
    ///
    /// # Errors
    /// The store's. A provider's error stands in its group.
    pub async fn models(&self, refresh: bool) -> Result<Vec<ModelGroup>, AppError> {
        let mut groups = Vec::new();
        let endpoints = self.endpoints().await?;
        let asked = endpoints.iter().map(|endpoint| async move {
            match refresh && may_ask(endpoint) {
                true => {
                    let asking = self.ask_for_models(endpoint, Purpose::ListModels, LIST_LIMIT);
                    asking.await.err()
                }
                false => None,
            }
        });
        let errors = join_all(asked).await;
        let mut inhouse = self.inhouse_models().await?;
        let said = self.inner.overrides.say().await;
        let now = clock::now_ms();
        for (endpoint, error) in endpoints.into_iter().zip(errors) {
            if endpoint.id == ProviderId::cluster() {
                // It answers under the in-house entry.
                inhouse.error = error.or(inhouse.error);
                continue;
            }
            if is_unused(&endpoint) {
                continue;
            }
            let models = self.models_at(&endpoint, &said.overrides).await?;
            if models.is_empty() && !is_of_interest(&endpoint, error.as_ref()) {
                continue;
            }
            groups.push(ModelGroup {
                health: self.inner.health.of(&endpoint.id, now),
                provider: endpoint.id,
                name: endpoint.name,
                models,
                error,
            });
        }
        groups.insert(0, inhouse);
        if let Some(problem) = said.problem {
            show(&mut groups, problem);
        }
        if refresh {
            self.announce(Change::Models);
        }
        Ok(groups)
    }

    /// An endpoint's list, fresh; it becomes the one last known.
    pub(crate) async fn ask_for_models(
        &self,
        endpoint: &Endpoint,
        purpose: Purpose,
        limit: Duration,
    ) -> Result<Vec<Model>, AppError> {
        let key = self.key_for(endpoint).await?;
        let permit = self.permit(Some(endpoint), Errand::plain(purpose)).await?;
        let answer = tokio::time::timeout(limit, permit.list_models(key)).await;
        let listed = answer.map_err(|_| {
            let message = format!(
                "{} did not answer in {} seconds: see whether it runs",
                endpoint.name,
                limit.as_secs()
            );
            AppError::new(ErrorCode::Network, message)
        });
        let listed = listed.and_then(|listed| listed.map_err(AppError::from));
        permit.end(CallOutcome::of(&listed), None).await;
        let models = listed?;
        if let Ok(store) = self.store() {
            store
                .cache_models(&endpoint.id, &models, clock::now_ms())
                .await?;
        }
        Ok(models)
    }

    /// The provider at an endpoint, whose calls go through that client.
    pub(crate) fn provider_at(
        &self,
        endpoint: &Endpoint,
        http: Http,
    ) -> Result<Arc<dyn Provider>, AppError> {
        Ok(Arc::new(Remote::new(endpoint, http)?))
    }

    /// A provider's models, without asking it.
    pub(crate) async fn known_models(&self, provider: &ProviderId) -> Result<Vec<Model>, AppError> {
        let endpoint = self.endpoint(provider).await?;
        let said = self.inner.overrides.say().await;
        self.models_at(&endpoint, &said.overrides).await
    }

    /// An endpoint's models as last seen, or as the catalog has them where they never were, and over
    /// that as the person says.
    async fn models_at(
        &self,
        endpoint: &Endpoint,
        overrides: &Overrides,
    ) -> Result<Vec<Model>, AppError> {
        let mut models = match self.reader() {
            Some(reader) => self.as_far_as_readable(reader.cached_models(&endpoint.id).await)?,
            None => Vec::new(),
        };
        if models.is_empty() {
            let today = clock::day(clock::now_ms(), &TimeZone::UTC);
            models = providers::known_models(endpoint, &today.to_string());
        }
        overrides.apply(endpoint, &mut models);
        Ok(models)
    }

    /// What is on this machine and works. `default` is always among it and first: chosen while it
    /// cannot answer itself, it answers with the small one, or says how to fetch it. The picker says
    /// so: nobody is to think that they talk to a model that they do not have.
    async fn inhouse_models(&self) -> Result<ModelGroup, AppError> {
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
            if let Some(cluster) = self.cluster().await? {
                default.name = format!("{} (on the cluster)", cluster.model.model);
                default.runs_at = endpoints::place(&cluster.endpoint).unwrap_or(default.runs_at);
                default.context_tokens = self.window(&cluster.model).await;
                default.bytes = None;
            } else if let Ok(Answering { id, reason }) = inhouse.answering(DEFAULT).await
                && let Some(reason) = reason
                && let Some(stand_in) = position(&models, &id).and_then(|place| models.get(place))
            {
                default.name = format!("{} (instead of {}: {reason})", stand_in.name, default.name);
                default.context_tokens = stand_in.context_tokens;
                default.bytes = stand_in.bytes;
            }
            models.insert(0, default);
        }
        Ok(ModelGroup {
            health: self
                .inner
                .health
                .of(&ProviderId::inhouse(), clock::now_ms()),
            provider: ProviderId::inhouse(),
            name: "In-house".to_owned(),
            models,
            error,
        })
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

/// Whether a provider is one of many that the person has nothing to do with: it wants a key and has
/// none. It is found in the settings.
fn is_unused(endpoint: &Endpoint) -> bool {
    endpoint.needs_key && endpoint.key.is_none() && endpoints::is_builtin(&endpoint.id)
}

/// Shows what is wrong with the person's own facts: at the models that they are about, or at the
/// first.
fn show(groups: &mut [ModelGroup], problem: Problem) {
    let about = |group: &ModelGroup| Some(&group.provider) == problem.provider.as_ref();
    let place = groups.iter().position(about).unwrap_or(0);
    if let Some(group) = groups.get_mut(place) {
        group.error.get_or_insert(problem.error);
    }
}

/// Whether a group without models is shown: not a built-in program that simply does not run here.
fn is_of_interest(endpoint: &Endpoint, error: Option<&AppError>) -> bool {
    let absent = error.is_none_or(|error| error.code == ErrorCode::Network);
    !endpoints::is_builtin(&endpoint.id) || !absent
}
