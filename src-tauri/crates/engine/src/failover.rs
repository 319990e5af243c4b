//! Asking another model when the chosen one does not answer: off until the person names a chain, for
//! all conversations or for one. It is gone on with only before anything has come of the answer, and
//! never where the request itself was refused: another supplier is no way round that. Whom it was
//! asked in vain, and why, stands in the answer.

use protocol::{AppError, Attempt, ConversationId, ErrorCode, MessageState, ModelRef};

use crate::attempt::{self, Material};
use crate::grown::{Grown, Switch};
use crate::outcome::{Before, Outcome};
use crate::turn::Job;
use crate::turns::Turn;
use crate::{Change, Engine, clock, settings};

impl Engine {
    /// Sets the models that a conversation asks when its own does not answer; `None` leaves it to the
    /// settings, and an empty chain switches it off here.
    ///
    /// # Errors
    /// `InvalidRequest` for more than 8 models; `NotFound`, and the store's.
    pub async fn set_failover(
        &self,
        id: ConversationId,
        chain: Option<Vec<ModelRef>>,
    ) -> Result<(), AppError> {
        if chain
            .as_ref()
            .is_some_and(|chain| chain.len() > settings::FAILOVER)
        {
            return Err(AppError::new(
                ErrorCode::InvalidRequest,
                settings::LONG_FAILOVER,
            ));
        }
        self.store()?.set_failover(id, chain.as_deref()).await?;
        self.announce(Change::Conversations);
        Ok(())
    }

    /// The conversation's chain, or that of the settings.
    async fn chain(&self, id: ConversationId) -> Result<Vec<ModelRef>, AppError> {
        match self.readable()?.conversation(id).await?.failover {
            Some(chain) => Ok(chain),
            None => Ok(self.settings().await?.failover),
        }
    }
}

/// Asks the chosen model, and then those of the chain, until one answers.
pub(crate) async fn answer(
    engine: &Engine,
    turn: &Turn,
    job: &Job,
    before: &mut Before<'_>,
) -> Outcome {
    let draft = &*turn.draft;
    let gathering = Material::gather(engine, turn, job);
    let mut material = match turn.cancel.run_until_cancelled(gathering).await {
        None => return Outcome::Stopped,
        Some(Err(error)) => return Outcome::Broken(MessageState::Failed, error),
        Some(Ok(material)) => material,
    };
    let mut tried = vec![draft.started().model.clone()];
    let mut asked = draft.started().model.clone();
    let mut route = Ok(job.route.clone());
    loop {
        let outcome = match route {
            Ok(route) => {
                attempt::ask(engine, turn, job, &mut material, &route, &asked, before).await
            }
            // A chain may name a provider that was removed since.
            Err(error) => Ok(Outcome::Broken(MessageState::Failed, error)),
        };
        let (state, error) = match outcome {
            Ok(Outcome::Broken(state, error)) => (state, error),
            Ok(outcome) => return outcome,
            Err(error) => return Outcome::Broken(MessageState::Failed, error),
        };
        let is_fresh = job.continued.is_none() && !draft.read(Grown::has_begun);
        let next = match is_fresh {
            true => next(engine, draft.started().conversation_id, &error, &tried).await,
            false => None,
        };
        let Some(next) = next else {
            return Outcome::Broken(state, error);
        };
        tracing::info!(model = %asked, %next, code = ?error.code, "another model is asked");
        draft.switch(Switch {
            attempt: Attempt {
                model: asked,
                error,
                at: clock::now_ms(),
            },
            next: next.clone(),
        });
        route = engine.route(&next).await;
        tried.push(next.clone());
        asked = next;
    }
}

/// The model to ask after one has failed so; `None` when it ends there.
async fn next(
    engine: &Engine,
    conversation: ConversationId,
    error: &AppError,
    tried: &[ModelRef],
) -> Option<ModelRef> {
    let instead = engine.instead_at_cap(error).await;
    if let Some(instead) = instead.filter(|model| !tried.contains(model)) {
        return Some(instead);
    }
    if !moves_on(error.code) {
        return None;
    }
    match engine.chain(conversation).await {
        Ok(chain) => chain.into_iter().find(|model| !tried.contains(model)),
        Err(error) => {
            tracing::warn!(%error, "the failover chain was not read");
            None
        }
    }
}

/// Whether another model may be asked after such an error: when it is the supplier's, and neither the
/// request's, nor a wish of the person, nor of this machine.
const fn moves_on(code: ErrorCode) -> bool {
    match code {
        ErrorCode::Auth
        | ErrorCode::Quota
        | ErrorCode::RateLimited
        | ErrorCode::Overloaded
        | ErrorCode::NotFound
        | ErrorCode::Network
        | ErrorCode::Interrupted
        | ErrorCode::ModelMissing
        | ErrorCode::ModelInvalid
        | ErrorCode::VaultLocked
        | ErrorCode::VaultUnavailable
        | ErrorCode::KeyLost
        | ErrorCode::Unknown => true,
        ErrorCode::ContextOverflow
        | ErrorCode::Refused
        | ErrorCode::InvalidRequest
        | ErrorCode::Storage
        | ErrorCode::ReadOnly
        | ErrorCode::DiskFull
        | ErrorCode::LocalOnly
        | ErrorCode::CapReached
        | ErrorCode::Busy => false,
    }
}
