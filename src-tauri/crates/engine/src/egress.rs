//! The one door out. A call leaves only with a [`Permit`], which is refused when nothing may leave
//! the machine or a cap is reached. The network's client lives here and goes nowhere but into the
//! provider that a permit holds, so that nobody can be asked past it; and when a permit ends, however
//! it ends, its call is entered into the ledger.
//!
//! A model inside the application gets a permit too, which is never refused and leaves no entry: it
//! makes no connection.

mod record;

use std::sync::Arc;

use futures::stream::BoxStream;
use jiff::tz::TimeZone;
use protocol::{
    AppError, AtCap, CallOutcome, ConversationId, Cost, Endpoint, ErrorCode, MessageId, Model,
    ModelRef, ProviderId, Purpose, RunsAt, Secret, Settings, Usage, Wire,
};
use providers::{Http, HttpError, Provider, ProviderError, ProviderEvent, Request};
use tokio_util::sync::CancellationToken;

pub(crate) use self::record::Record;
use crate::{Engine, clock, cost};

/// The network's client.
pub(crate) struct Egress {
    http: Http,
}

impl Egress {
    pub(crate) fn new() -> Result<Self, HttpError> {
        Ok(Self { http: Http::new()? })
    }
}

/// What a call is for.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    purpose: Purpose,
    model: Option<ModelRef>,
    conversation_id: Option<ConversationId>,
    message_id: Option<MessageId>,
}

impl Errand {
    /// One that is for no conversation and asks no model.
    pub(crate) const fn plain(purpose: Purpose) -> Self {
        Self {
            purpose,
            model: None,
            conversation_id: None,
            message_id: None,
        }
    }

    /// One that tries a key with a word from a model.
    pub(crate) const fn trying(model: ModelRef) -> Self {
        Self {
            purpose: Purpose::TestKey,
            model: Some(model),
            conversation_id: None,
            message_id: None,
        }
    }

    /// One that asks a model for a conversation.
    pub(crate) const fn asking(
        purpose: Purpose,
        model: ModelRef,
        conversation_id: ConversationId,
        message_id: Option<MessageId>,
    ) -> Self {
        Self {
            purpose,
            model: Some(model),
            conversation_id: Some(conversation_id),
            message_id,
        }
    }
}

/// Leave for one call.
pub(crate) struct Permit {
    provider: Arc<dyn Provider>,
    /// `None` for a model inside the application.
    record: Option<Record>,
}

impl Permit {
    /// What the provider speaks.
    pub(crate) fn wire(&self) -> Wire {
        self.provider.wire()
    }

    /// Whom the call goes to.
    pub(crate) fn provider(&self) -> &ProviderId {
        self.provider.id()
    }

    /// As [`Provider::stream`].
    pub(crate) fn stream(
        &self,
        request: Request,
        key: Option<Secret<String>>,
        cancel: CancellationToken,
    ) -> BoxStream<'static, Result<ProviderEvent, ProviderError>> {
        self.provider.stream(request, key, cancel)
    }

    /// As [`Provider::list_models`].
    pub(crate) async fn list_models(
        &self,
        key: Option<Secret<String>>,
    ) -> Result<Vec<Model>, ProviderError> {
        self.provider.list_models(key).await
    }

    /// Ends the call, after its stream is gone, and tells what it cost, as far as that is known.
    pub(crate) async fn end(self, outcome: CallOutcome, usage: Option<Usage>) -> Option<Cost> {
        match self.record {
            Some(record) => record.end(outcome, usage).await,
            None => usage.map(|usage| cost::of_this_machine(&usage)),
        }
    }
}

/// Where a call goes.
struct Place {
    host: String,
    runs_at: RunsAt,
    provider: Option<ProviderId>,
}

impl Place {
    fn of(endpoint: &Endpoint) -> Result<Self, AppError> {
        let url = providers::base_url(&endpoint.base_url)?;
        let host = url.host_str().unwrap_or_default();
        Ok(Self {
            host: url
                .port()
                .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            runs_at: providers::runs_at(&url),
            provider: Some(endpoint.id.clone()),
        })
    }
}

impl Engine {
    /// Lets a call out to an endpoint, or to the model inside the application where there is none.
    ///
    /// # Errors
    /// `LocalOnly`, `CapReached`; `InvalidRequest` for an endpoint that cannot be called; the
    /// store's, because what may leave is not to be guessed.
    pub(crate) async fn permit(
        &self,
        endpoint: Option<&Endpoint>,
        errand: Errand,
    ) -> Result<Permit, AppError> {
        let Some(endpoint) = endpoint else {
            return Ok(Permit {
                provider: self.inner.inhouse.provider(),
                record: None,
            });
        };
        let record = self.record(&Place::of(endpoint)?, &errand).await?;
        let http = self.inner.egress.http.counted(record.traffic.clone());
        match self.provider_at(endpoint, http) {
            Ok(provider) => Ok(Permit {
                provider,
                record: Some(record),
            }),
            Err(error) => {
                record.discard();
                Err(error)
            }
        }
    }

    /// Lets a download out; its real source is noted when it is known.
    ///
    /// # Errors
    /// As [`permit`](Self::permit).
    pub(crate) async fn permit_download(&self, id: &str) -> Result<Record, AppError> {
        let place = Place {
            host: inhouse::HUB_HOST.to_owned(),
            runs_at: RunsAt::Host {
                host: inhouse::HUB_HOST.to_owned(),
            },
            provider: None,
        };
        let mut record = self
            .record(&place, &Errand::plain(Purpose::Download))
            .await?;
        record.note_model(id);
        Ok(record)
    }

    async fn record(&self, to: &Place, errand: &Errand) -> Result<Record, AppError> {
        let record = Record::new(self, to, errand);
        match self.may_leave(to, errand).await {
            Ok(()) => Ok(record),
            Err(error) => {
                // Lists are asked for whenever the picker opens: that one was not is no news.
                if errand.purpose == Purpose::ListModels || !is_refusal(error.code) {
                    record.discard();
                } else {
                    let code = error.code;
                    record.end(CallOutcome::Refused { code }, None).await;
                }
                Err(error)
            }
        }
    }

    async fn may_leave(&self, to: &Place, errand: &Errand) -> Result<(), AppError> {
        let settings = self.binding_settings().await?;
        if leaves(&to.runs_at, errand.model.as_ref()) {
            let host = &to.host;
            if settings.local_only {
                return Err(AppError::new(
                    ErrorCode::LocalOnly,
                    format!(
                        "local-only is on, so nothing went to {host}: ask a model on this machine, or switch local-only off in the settings"
                    ),
                ));
            }
            if let Some(id) = errand.conversation_id
                && self.readable()?.conversation(id).await?.local_only
            {
                return Err(AppError::new(
                    ErrorCode::LocalOnly,
                    format!(
                        "this conversation stays on this machine, so nothing went to {host}: ask a model on it, or switch local-only off for the conversation"
                    ),
                ));
            }
        }
        match errand.purpose {
            Purpose::Answer | Purpose::Title | Purpose::Summary => {
                self.keeps_caps(&settings, to).await
            }
            // A list is free. Trying a key takes a word, which the person asked for, and which is
            // counted like any other.
            Purpose::ListModels | Purpose::TestKey | Purpose::Download => Ok(()),
        }
    }

    /// Whether today's known cost is still below the caps. That of all providers together is about
    /// hosts elsewhere: what a machine of one's own answers costs nothing.
    async fn keeps_caps(&self, settings: &Settings, to: &Place) -> Result<(), AppError> {
        let caps = &settings.caps;
        let overall = caps
            .usd_per_day
            .filter(|_| matches!(to.runs_at, RunsAt::Host { .. }))
            .filter(|_| to.provider.as_ref() != Some(&ProviderId::cluster()));
        let own = to.provider.as_ref().and_then(|provider| {
            let mut caps = caps.providers.iter();
            caps.find(|cap| cap.provider == *provider)
        });
        if overall.is_none() && own.is_none() {
            return Ok(());
        }
        let reader = self.readable()?;
        let today = clock::day_began(clock::now_ms(), &TimeZone::system());
        if let Some(cap) = overall {
            let spent = reader.spent_since(today, None).await?;
            if spent >= cap {
                return Err(reached(&format!("today cost {spent:.2} USD"), cap));
            }
        }
        if let Some(own) = own {
            let spent = reader.spent_since(today, Some(&own.provider)).await?;
            if spent >= own.usd_per_day {
                let words = format!("{} cost {spent:.2} USD today", own.provider);
                return Err(reached(&words, own.usd_per_day));
            }
        }
        Ok(())
    }

    /// The model that answers in the place of one that a cap keeps back, when the person wishes it.
    pub(crate) async fn instead_at_cap(&self, error: &AppError) -> Option<ModelRef> {
        if error.code != ErrorCode::CapReached {
            return None;
        }
        let settings = self.binding_settings().await.ok()?;
        (settings.caps.at_cap == AtCap::InHouse).then(|| ModelRef::inhouse(inhouse::DEFAULT))
    }
}

/// Whether a call there leaves the machine. A program on it may pass a question on: Ollama does with
/// models of its cloud, which it marks in their name.
fn leaves(runs_at: &RunsAt, model: Option<&ModelRef>) -> bool {
    match runs_at {
        RunsAt::InHouse => false,
        RunsAt::ThisMachine => model.is_some_and(|model| {
            let tag = model.model.rsplit_once(':').map(|(_, tag)| tag);
            tag.is_some_and(|tag| tag == "cloud" || tag.ends_with("-cloud"))
        }),
        RunsAt::LocalNetwork { .. } | RunsAt::Host { .. } => true,
    }
}

/// Whether a model answers on a machine of the person's own, where no price means that it costs
/// nothing: this one, or the cluster in the in-house slot, wherever that stands.
pub(crate) fn is_own(runs_at: &RunsAt, model: &ModelRef) -> bool {
    model.provider == ProviderId::cluster() || !leaves(runs_at, Some(model))
}

const fn is_refusal(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::LocalOnly | ErrorCode::CapReached)
}

fn reached(spent: &str, cap: f64) -> AppError {
    AppError::new(
        ErrorCode::CapReached,
        format!(
            "{spent} and the cap is {cap:.2} USD, so nothing was sent: raise the cap in the settings, or ask a model on this machine"
        ),
    )
}
