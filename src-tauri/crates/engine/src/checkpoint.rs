//! The draft's copy in the store, so that a crash costs a fraction of a second of an answer. A write
//! goes on beside the stream: a slow disk holds up neither the answer nor the person who stops it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use protocol::MessageId;
use store::{DraftDelta, Store, StoreError};
use tokio::time::Instant;

use crate::draft::Draft;
use crate::grown::{Cursor, Grown};

/// How much of a growing answer a crash may cost.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(250);

/// Writes what a draft gains, one write at a time.
pub(crate) struct Checkpoint {
    draft: Arc<Draft>,
    store: Store,
    message: MessageId,
    /// What the store has.
    stored: Cursor,
    /// Whether something may have come since the last write began.
    behind: bool,
    /// When the next may begin; the first at once.
    due: Instant,
    writing: Option<Writing>,
}

/// A write that has begun, and where the store is after it.
struct Writing {
    reaches: Cursor,
    done: BoxFuture<'static, Result<(), StoreError>>,
}

impl Checkpoint {
    pub(crate) fn new(draft: Arc<Draft>, store: Store) -> Self {
        Self {
            message: draft.started().message_id,
            stored: draft.read(Grown::cursor),
            draft,
            store,
            behind: false,
            due: Instant::now(),
            writing: None,
        }
    }

    /// Says that the draft grew.
    pub(crate) const fn note_growth(&mut self) {
        self.behind = true;
    }

    /// Whether there is anything to wait for.
    pub(crate) const fn has_work(&self) -> bool {
        self.behind || self.writing.is_some()
    }

    /// Writes when it is time. When the future is dropped, a write that has begun goes on with the
    /// next call.
    pub(crate) async fn step(&mut self) {
        if self.writing.is_none() {
            tokio::time::sleep_until(self.due).await;
            self.begin();
        }
        self.settle().await;
    }

    /// Lets a write that has begun end.
    pub(crate) async fn settle(&mut self) {
        let Some(Writing { done, .. }) = &mut self.writing else {
            return;
        };
        let written = done.await;
        self.due = Instant::now() + CHECKPOINT_EVERY;
        match (written, self.writing.take()) {
            (Ok(()), Some(Writing { reaches, .. })) => self.stored = reaches,
            (Ok(()), None) => {}
            // The answer goes on; the same text is tried again with the next.
            (Err(error), _) => {
                tracing::warn!(%error, "a checkpoint was not written");
                self.behind = true;
            }
        }
    }

    fn begin(&mut self) {
        self.behind = false;
        let mut reaches = self.stored.clone();
        let deltas = self.draft.read(|grown| grown.since(&mut reaches));
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
        let (store, message) = (self.store.clone(), self.message);
        let done = Box::pin(async move { store.checkpoint(message, deltas).await });
        self.writing = Some(Writing { reaches, done });
    }
}
