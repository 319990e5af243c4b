//! One answer, from its beginning to the stored end. Whatever happens on the way, what had come is kept,
//! and the draft's readers learn of the end only when it is stored.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use protocol::{AppError, Effort, Fit, Message, MessageId};
use store::{Store, StoreError};

use crate::grown::{End, Grown};
use crate::outcome::{Before, Outcome};
use crate::route::Route;
use crate::turns::{Slot, Turn, Unsaved};
use crate::{Change, Engine, clock, failover, title};

/// How long to wait before the end of an answer is stored once more.
const STORE_AGAIN_AFTER: Duration = Duration::from_secs(5);

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
        cost: None,
    };
    let answered = failover::answer(engine, turn, &job, &mut before);
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
