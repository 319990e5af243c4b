//! One answer, from the key to the stored end. Whatever happens on the way, what had come is kept,
//! and the draft's readers learn of the end only when it is stored.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use jiff::tz::TimeZone;
use protocol::{AppError, Effort, Fit, Message, MessageId, MessageState, Part, Role, Secret};
use providers::{ProviderError, ProviderEvent, Request, RequestMessage};
use store::{Store, StoreError};

use crate::checkpoint::Checkpoint;
use crate::context::{self, Fitted};
use crate::grown::{End, Grown, Origin};
use crate::models::Route;
use crate::outcome::{Before, Outcome};
use crate::turns::{Slot, Turn, Unsaved};
use crate::{Change, Engine, clock, title};

/// How long to wait before the end of an answer is stored once more.
const STORE_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// How often a conversation is made shorter for a server that finds it too long.
const SHORTENED_AT_MOST: usize = 3;

/// What a turn is to do.
pub(crate) struct Job {
    pub(crate) store: Store,
    pub(crate) route: Route,
    /// The message of the person that is answered.
    pub(crate) question: MessageId,
    /// The answer that is gone on with, as it was.
    pub(crate) continued: Option<Message>,
    /// Whether new text goes on in its last part.
    pub(crate) joined: bool,
    pub(crate) effort: Option<Effort>,
    /// What becomes of messages that do not fit.
    pub(crate) fit: Fit,
}

/// Writes the answer, to its stored end, and frees the conversation's place.
pub(crate) async fn run(engine: &Engine, turn: &Turn, slot: Slot, job: Job) {
    let draft = &*turn.draft;
    let mut before = Before {
        continued: job.continued.as_ref(),
        kept: draft.read(Grown::cursor),
        sent_tokens: None,
    };
    let answered = answer(engine, turn, &job, &mut before.sent_tokens);
    // A panic is a fault of ours. It costs this answer's rest, and never what had come of it.
    let outcome = AssertUnwindSafe(answered)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Outcome::broke_inside());
    let closing = engine.inner.closing.is_cancelled();
    let (finish, end) = outcome.at_end(draft, &before, closing, clock::now_ms());
    let message = draft.started().message_id;
    match job.store.finish(message, finish.clone()).await {
        Ok(()) => {
            let whole = end == End::Finished;
            slot.end(end);
            if whole {
                title::make_later(engine, &job.store, draft.started().conversation_id);
            }
        }
        Err(error) => {
            tracing::error!(%error, "the end of an answer was not stored");
            let fate = Fate::of(&error);
            let mut error = AppError::from(error);
            error.message = format!("the answer could not be stored yet: {}", error.message);
            if !matches!(fate, Fate::Gone) {
                let unsaved = Arc::new(Unsaved {
                    finish,
                    error: error.clone(),
                });
                let turns = &engine.inner.turns;
                turns.keep_unsaved(message, Arc::clone(&unsaved));
                if matches!(fate, Fate::MayPass) {
                    store_later(engine, job.store, message, unsaved);
                }
            }
            slot.end(End::Failed(error));
        }
    }
    engine.announce(Change::Conversations);
}

/// What becomes of an end that could not be stored.
enum Fate {
    /// It may be stored later.
    MayPass,
    /// It is refused however often it is tried.
    Refused,
    /// There is nothing to store it in any more: the conversation was deleted for good.
    Gone,
}

impl Fate {
    const fn of(error: &StoreError) -> Self {
        match error {
            StoreError::NotStreaming | StoreError::NotFound { .. } => Self::Gone,
            StoreError::Invalid { .. } | StoreError::TooLarge { .. } => Self::Refused,
            _ => Self::MayPass,
        }
    }
}

/// Stores the end of an answer when there is room for it again.
fn store_later(engine: &Engine, store: Store, message: MessageId, unsaved: Arc<Unsaved>) {
    let owner = engine.clone();
    engine.spawn(async move {
        let closing = &owner.inner.closing;
        loop {
            let pause = tokio::time::sleep(STORE_AGAIN_AFTER);
            let last = closing.run_until_cancelled(pause).await.is_none();
            match store.finish(message, unsaved.finish.clone()).await {
                Err(error) if matches!(Fate::of(&error), Fate::Refused) || last => return,
                Err(error) if matches!(Fate::of(&error), Fate::MayPass) => {}
                Ok(()) | Err(_) => {
                    owner.inner.turns.forget_unsaved(message);
                    return owner.announce(Change::Conversations);
                }
            }
        }
    });
}

/// Asks, and asks again with less of the conversation when the model finds it too long.
async fn answer(engine: &Engine, turn: &Turn, job: &Job, sent_tokens: &mut Option<u64>) -> Outcome {
    let draft = &*turn.draft;
    let preparing = prepare(engine, turn, job);
    let prepared = match turn.cancel.run_until_cancelled(preparing).await {
        None => return Outcome::Stopped,
        Some(Err(error)) => return Outcome::Broken(MessageState::Failed, error),
        Some(Ok(prepared)) => prepared,
    };
    let mut budget = prepared.budget;
    let mut left = SHORTENED_AT_MOST;
    let zone = TimeZone::system();
    loop {
        let fitted = context::fit(&prepared.branch, &prepared.system, budget, &zone);
        let shorter = fitted.shorter();
        draft.set_dropped(fitted.dropped);
        *sent_tokens = Some(fitted.tokens + prepared.kept_tokens);
        let request = prepared.request(turn, job, fitted);
        let (key, cancel) = (prepared.key.clone(), turn.cancel.clone());
        let stream = job.route.provider.stream(request, key, cancel);
        let outcome = read(turn, job, stream).await;
        match shorter {
            Some(less) if left > 0 && outcome.is_overflow() && !draft.read(Grown::has_begun) => {
                left -= 1;
                budget = less;
            }
            _ => return outcome,
        }
    }
}

/// What every request of a turn is made of.
struct Prepared {
    key: Option<Secret<String>>,
    branch: Vec<Message>,
    system: String,
    /// What has come of the answer, when the model is to go on with it.
    kept: Option<Vec<Part>>,
    kept_tokens: u64,
    /// Tokens that the system prompt and the branch may have.
    budget: u64,
}

/// The key, the branch, and the room that the model's window has for it.
async fn prepare(engine: &Engine, turn: &Turn, job: &Job) -> Result<Prepared, AppError> {
    let key = match &job.route.endpoint {
        Some(endpoint) => engine.key_for(endpoint).await?,
        None => None,
    };
    let mut branch = job.store.ancestors(job.question).await?;
    for message in &mut branch {
        engine.catch_up(message);
    }
    let system = context::system_prompt(&engine.settings().await?.instructions);
    let window = engine.window(&turn.draft.started().model).await;
    let kept = job.continued.as_ref().filter(|_| job.joined);
    let kept_tokens = kept.map_or(0, |answer| context::tokens_of(&answer.parts));
    Ok(Prepared {
        key,
        branch,
        system,
        kept: kept.map(|answer| answer.parts.clone()),
        kept_tokens,
        budget: context::budget(window).saturating_sub(kept_tokens),
    })
}

impl Prepared {
    fn request(&self, turn: &Turn, job: &Job, fitted: Fitted) -> Request {
        let started = turn.draft.started();
        let mut messages = fitted.messages;
        messages.extend(self.kept.clone().map(|parts| RequestMessage {
            role: Role::Assistant,
            parts,
        }));
        Request {
            model: started.model.model.clone(),
            system: self.system.clone(),
            messages,
            effort: job.effort,
            cache_key: Some(started.conversation_id.to_string()),
            continue_last: self.kept.is_some(),
            ..Request::default()
        }
    }
}

/// Folds the stream into the draft and the draft into the store, until either ends.
async fn read(
    turn: &Turn,
    job: &Job,
    mut stream: BoxStream<'static, Result<ProviderEvent, ProviderError>>,
) -> Outcome {
    let draft = &*turn.draft;
    let origin = Origin {
        wire: job.route.provider.wire(),
        provider: job.route.provider.id().clone(),
        model: draft.started().model.model.clone(),
    };
    let mut checkpoint = Checkpoint::new(Arc::clone(&turn.draft), job.store.clone());
    let outcome = loop {
        tokio::select! {
            biased;
            () = turn.cancel.cancelled() => break Outcome::Stopped,
            () = checkpoint.step(), if checkpoint.has_work() => {}
            item = stream.next() => match item {
                Some(Ok(event)) => {
                    let last = matches!(event, ProviderEvent::Finished { .. });
                    draft.fold(event, &origin, clock::now_ms());
                    if last {
                        break Outcome::Whole;
                    }
                    if draft.read(Grown::is_full) {
                        break Outcome::full();
                    }
                    checkpoint.note_growth();
                }
                Some(Err(error)) => {
                    break Outcome::broken(error, draft.read(Grown::has_begun));
                }
                None => break Outcome::cut_off(),
            },
        }
    };
    // The connection ends now; the end of the answer is stored after what is being written.
    drop(stream);
    checkpoint.settle().await;
    outcome
}
