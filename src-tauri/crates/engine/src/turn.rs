//! One answer, from the key to the stored end. Whatever happens on the way, what had come is kept,
//! and the draft's readers learn of the end only when it is stored.

use std::time::Duration;

use futures::StreamExt;
use protocol::{
    AppError, Effort, ErrorCode, Message, MessageId, MessageState, ModelRef, Role, StopReason,
    Usage,
};
use providers::{ErrorKind, ProviderError, ProviderEvent, Request, RequestMessage};
use store::{DraftDelta, Finish, Store, StoreError};
use tokio::time::Instant;

use crate::context::{self, Fitted};
use crate::draft::{Cursor, Draft, End, Grown, Origin};
use crate::models::Route;
use crate::turns::Turn;
use crate::{Change, Engine, clock, title};

/// How much of a growing answer a crash may cost.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(250);

/// The longest answer, in bytes of text.
const ANSWER_BYTES: usize = 8 << 20;

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
}

/// How the answer ended.
enum Outcome {
    Whole,
    Broken(MessageState, AppError),
    Stopped,
}

/// Writes the answer, to its stored end.
pub(crate) async fn run(engine: &Engine, turn: &Turn, job: Job) {
    let draft = &*turn.draft;
    let mut sent_tokens = None;
    let outcome = match turn
        .cancel
        .run_until_cancelled(prepare(engine, draft, &job))
        .await
    {
        None => Outcome::Stopped,
        Some(Err(error)) => Outcome::Broken(MessageState::Failed, error),
        Some(Ok((request, key, tokens))) => {
            sent_tokens = Some(tokens);
            let cancel = turn.cancel.clone();
            let stream = job.route.provider.stream(request, key, cancel);
            read(turn, &job, stream).await
        }
    };
    let closing = engine.inner.closing.is_cancelled();
    let (finish, end) = finish(draft, &job, outcome, closing, sent_tokens);
    let message = draft.started().message_id;
    match job.store.finish(message, finish.clone()).await {
        Ok(()) => {
            let whole = end == End::Finished;
            draft.end(end);
            if whole {
                title::make_later(engine, &job.store, draft.started(), job.question);
            }
        }
        Err(error) => {
            tracing::error!(%error, "the end of an answer was not stored");
            let mut error = AppError::from(error);
            error.message = format!("the answer could not be stored yet: {}", error.message);
            draft.end(End::Failed(error));
            store_later(engine, job.store, message, finish);
        }
    }
    engine.announce(Change::Conversations);
}

/// Keeps the end of an answer that could not be stored, until there is room for it again.
fn store_later(engine: &Engine, store: Store, message: MessageId, finish: Finish) {
    let owner = engine.clone();
    engine.spawn(async move {
        let closing = &owner.inner.closing;
        loop {
            let pause = tokio::time::sleep(STORE_AGAIN_AFTER);
            let last = closing.run_until_cancelled(pause).await.is_none();
            match store.finish(message, finish.clone()).await {
                Ok(()) => return owner.announce(Change::Conversations),
                Err(StoreError::NotStreaming | StoreError::NotFound { .. }) => return,
                Err(_) if last => return,
                Err(_) => {}
            }
        }
    });
}

type Prepared = (Request, Option<protocol::Secret<String>>, u64);

/// The key, and the branch fitted to the model's window.
async fn prepare(engine: &Engine, draft: &Draft, job: &Job) -> Result<Prepared, AppError> {
    let started = draft.started();
    let key = match &job.route.endpoint {
        Some(endpoint) => engine.key_for(endpoint).await?,
        None => None,
    };
    let branch = job.store.ancestors(job.question).await?;
    let system = context::system_prompt(&engine.settings().await?.instructions);
    let window = engine.window(&started.model).await;
    let kept = job.continued.as_ref().filter(|_| job.joined);
    let Fitted {
        mut messages,
        dropped,
        tokens,
    } = context::fit(&branch, &system, window);
    if dropped > 0 {
        draft.set_dropped(dropped);
    }
    if let Some(answer) = kept {
        messages.push(RequestMessage {
            role: Role::Assistant,
            parts: answer.parts.clone(),
        });
    }
    let request = Request {
        model: started.model.model.clone(),
        system,
        messages,
        effort: job.effort,
        cache_key: Some(started.conversation_id.to_string()),
        continue_last: kept.is_some(),
        ..Request::default()
    };
    Ok((request, key, tokens))
}

/// Folds the stream into the draft and the draft into the store, until either ends.
async fn read(
    turn: &Turn,
    job: &Job,
    mut stream: futures::stream::BoxStream<'static, Result<ProviderEvent, ProviderError>>,
) -> Outcome {
    let draft = &*turn.draft;
    let origin = Origin {
        wire: job.route.provider.wire(),
        provider: job.route.provider.id().clone(),
        model: draft.started().model.model.clone(),
    };
    let mut checkpoint = Checkpoint::new(draft, &job.store);
    loop {
        tokio::select! {
            biased;
            () = turn.cancel.cancelled() => return Outcome::Stopped,
            () = tokio::time::sleep_until(checkpoint.due), if checkpoint.behind => {
                checkpoint.write().await;
            }
            item = stream.next() => match item {
                Some(Ok(event)) => {
                    let last = matches!(event, ProviderEvent::Finished { .. });
                    draft.fold(event, &origin, clock::now_ms());
                    if last {
                        return Outcome::Whole;
                    }
                    if draft.read(Grown::bytes) > ANSWER_BYTES {
                        return Outcome::Broken(MessageState::Interrupted, too_long());
                    }
                    checkpoint.behind = true;
                    if checkpoint.due <= Instant::now() {
                        checkpoint.write().await;
                    }
                }
                Some(Err(error)) => return broken(draft, error),
                None => return Outcome::Broken(MessageState::Interrupted, cut_off()),
            },
        }
    }
}

/// The draft's copy in the store.
struct Checkpoint<'a> {
    draft: &'a Draft,
    store: &'a Store,
    /// What the store has.
    stored: Cursor,
    /// Whether something may have come since the last time.
    behind: bool,
    /// When the next may be written; the first at once.
    due: Instant,
}

impl<'a> Checkpoint<'a> {
    fn new(draft: &'a Draft, store: &'a Store) -> Self {
        let stored = draft.read(Grown::cursor);
        Self {
            draft,
            store,
            stored,
            behind: false,
            due: Instant::now(),
        }
    }

    async fn write(&mut self) {
        let mut reached = self.stored.clone();
        let deltas = self.draft.read(|grown| grown.since(&mut reached));
        self.behind = false;
        if deltas.is_empty() {
            return;
        }
        let deltas = deltas
            .into_iter()
            .map(|delta| DraftDelta {
                part: delta.part,
                kind: delta.kind,
                text: delta.text,
            })
            .collect();
        match self
            .store
            .checkpoint(self.draft.started().message_id, deltas)
            .await
        {
            Ok(()) => self.stored = reached,
            // The answer goes on; the same text is tried again with the next.
            Err(error) => {
                tracing::warn!(%error, "a checkpoint was not written");
                self.behind = true;
            }
        }
        self.due = Instant::now() + CHECKPOINT_EVERY;
    }
}

/// An answer of which something had come was cut off; one of which nothing came has failed.
fn broken(draft: &Draft, error: ProviderError) -> Outcome {
    let begun = draft.read(|grown| grown.first_token_at.is_some());
    let state = match error.kind {
        ErrorKind::Interrupted => MessageState::Interrupted,
        ErrorKind::Network if begun => MessageState::Interrupted,
        _ => MessageState::Failed,
    };
    Outcome::Broken(state, error.into())
}

/// The end as it is stored, and as it is told.
fn finish(
    draft: &Draft,
    job: &Job,
    outcome: Outcome,
    closing: bool,
    sent_tokens: Option<u64>,
) -> (Finish, End) {
    let started = draft.started();
    let grown = draft.snapshot();
    let finished_at = clock::now_ms();
    let (state, error, end) = match outcome {
        Outcome::Whole => (MessageState::Complete, None, End::Finished),
        Outcome::Stopped if closing => {
            let error = AppError::new(
                ErrorCode::Interrupted,
                "Pilotfish was closed while the answer came: continue it",
            );
            (
                MessageState::Interrupted,
                Some(error.clone()),
                End::Failed(error),
            )
        }
        Outcome::Stopped => (MessageState::Cancelled, None, End::Cancelled),
        Outcome::Broken(state, error) => (state, Some(error.clone()), End::Failed(error)),
    };
    let before = job.continued.as_ref();
    let usage = sum(
        before.and_then(|old| old.usage.clone()),
        usage(&grown, before, sent_tokens),
    );
    let served_by = grown.served_by.as_ref().map(|model| ModelRef {
        provider: started.model.provider.clone(),
        model: model.clone(),
    });
    let stop_reason = match end {
        End::Finished => grown.stop_reason.or(Some(StopReason::Other)),
        End::Failed(_) | End::Cancelled => None,
    };
    let finish = Finish {
        state,
        parts: grown.parts(finished_at),
        served_by: served_by.or_else(|| before.and_then(|old| old.served_by.clone())),
        usage,
        stop_reason,
        error,
        first_token_at: before
            .and_then(|old| old.first_token_at)
            .or(grown.first_token_at),
        finished_at,
    };
    (finish, end)
}

/// What the provider counted, or our estimate when it did not and something was sent.
fn usage(grown: &Grown, before: Option<&Message>, sent_tokens: Option<u64>) -> Option<Usage> {
    if let Some(usage) = &grown.usage {
        return Some(usage.clone());
    }
    grown.first_token_at?;
    let kept: usize = before.map_or(0, |old| old.text().len());
    let new = grown.bytes().saturating_sub(kept);
    Some(Usage {
        input_tokens: sent_tokens,
        output_tokens: Some(context::estimate_tokens(new)),
        estimated: true,
        ..Usage::default()
    })
}

/// The tokens of an answer and of its continuation.
fn sum(first: Option<Usage>, second: Option<Usage>) -> Option<Usage> {
    let (a, b) = match (first, second) {
        (Some(a), Some(b)) => (a, b),
        (one, other) => return one.or(other),
    };
    let add = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (one, other) => one.or(other),
    };
    Some(Usage {
        input_tokens: add(a.input_tokens, b.input_tokens),
        cached_tokens: add(a.cached_tokens, b.cached_tokens),
        cache_write_tokens: add(a.cache_write_tokens, b.cache_write_tokens),
        output_tokens: add(a.output_tokens, b.output_tokens),
        thinking_tokens: add(a.thinking_tokens, b.thinking_tokens),
        estimated: a.estimated || b.estimated,
    })
}

fn cut_off() -> AppError {
    AppError::new(
        ErrorCode::Interrupted,
        "the answer was cut off: continue it",
    )
}

fn too_long() -> AppError {
    AppError::new(
        ErrorCode::Interrupted,
        "the answer passed 8 MiB and was stopped there",
    )
}
