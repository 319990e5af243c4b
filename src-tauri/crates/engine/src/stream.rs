//! Following a turn: raw updates, as a terminal prints them and the presenter renders them.

use std::sync::Arc;

use protocol::{AppError, Attempt, ModelRef, PartKind, TurnStarted};
use tokio::sync::watch;

use crate::draft::Draft;
use crate::grown::{Cursor, End};

/// News of a turn. Updates that come faster than they are read are merged.
#[derive(Clone, Debug, PartialEq)]
pub enum TurnUpdate {
    /// The conversation did not fit the model's window: its oldest messages were left out.
    Shortened {
        /// How many messages the model does not see.
        dropped_messages: u32,
    },
    /// The in-house model sums up the oldest messages.
    Summarising {
        /// How many messages are summed up.
        done: u32,
        /// How many are to be.
        total: u32,
    },
    /// A model did not answer, and the next of the failover chain is asked.
    Switched {
        /// Which model did not, and why.
        attempt: Attempt,
        /// The model that is asked now.
        model: ModelRef,
    },
    /// The in-house model reads the prompt.
    Reading {
        /// Tokens read.
        done: u32,
        /// Tokens to read.
        total: u32,
    },
    /// A part grew.
    Delta {
        /// Which of the answer's parts, from 0.
        part: u32,
        /// What kind of part.
        kind: PartKind,
        /// What came.
        text: String,
    },
    /// The answer is whole and stored.
    Finished,
    /// The answer failed or was cut off; what had come is stored.
    Failed {
        /// Why.
        error: AppError,
        /// Whether the same request may succeed when sent again.
        retryable: bool,
    },
    /// The person stopped it; what had come is stored.
    Cancelled,
}

/// A reader of one turn, from the draft's beginning. It ends after `Finished`, `Failed` or
/// `Cancelled`.
#[derive(Debug)]
pub struct TurnStream {
    draft: Arc<Draft>,
    grew: watch::Receiver<()>,
    cursor: Cursor,
    switched: usize,
    summarising: Option<(u32, u32)>,
    dropped: u32,
    reading: Option<(u32, u32)>,
    ended: bool,
}

impl TurnStream {
    pub(crate) fn new(draft: Arc<Draft>) -> Self {
        let grew = draft.follow();
        Self {
            draft,
            grew,
            cursor: Cursor::new(),
            switched: 0,
            summarising: None,
            dropped: 0,
            reading: None,
            ended: false,
        }
    }

    /// What was set in motion.
    #[must_use]
    pub fn started(&self) -> &TurnStarted {
        self.draft.started()
    }

    /// Waits for what is new; `None` after the end. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Vec<TurnUpdate>> {
        while !self.ended {
            self.grew.borrow_and_update();
            let updates = self.take();
            if !updates.is_empty() {
                return Some(updates);
            }
            self.grew.changed().await.ok()?;
        }
        None
    }

    /// What is new now, without waiting.
    pub(crate) fn take(&mut self) -> Vec<TurnUpdate> {
        if self.ended {
            return Vec::new();
        }
        let Self {
            draft,
            cursor,
            switched,
            summarising,
            dropped,
            reading,
            ended,
            ..
        } = self;
        draft.read(|grown| {
            let mut updates = Vec::new();
            let switches = grown.switches.iter().skip(*switched);
            updates.extend(switches.map(|switch| TurnUpdate::Switched {
                attempt: switch.attempt.clone(),
                model: switch.next.clone(),
            }));
            *switched = grown.switches.len();
            if grown.summarising != *summarising {
                *summarising = grown.summarising;
                if let Some((done, total)) = grown.summarising {
                    updates.push(TurnUpdate::Summarising { done, total });
                }
            }
            if grown.dropped != *dropped {
                *dropped = grown.dropped;
                updates.push(TurnUpdate::Shortened {
                    dropped_messages: grown.dropped,
                });
            }
            if grown.reading != *reading {
                *reading = grown.reading;
                if let Some((done, total)) = grown.reading {
                    updates.push(TurnUpdate::Reading { done, total });
                }
            }
            updates.extend(
                grown
                    .since(cursor)
                    .into_iter()
                    .map(|delta| TurnUpdate::Delta {
                        part: delta.part,
                        kind: delta.kind,
                        text: delta.text,
                    }),
            );
            if let Some(end) = &grown.end {
                *ended = true;
                updates.push(match end {
                    End::Finished => TurnUpdate::Finished,
                    End::Failed(error) => {
                        let retryable = error.is_retryable();
                        TurnUpdate::Failed {
                            error: error.clone(),
                            retryable,
                        }
                    }
                    End::Cancelled => TurnUpdate::Cancelled,
                });
            }
            updates
        })
    }
}
