//! A turn as a window gets it: rendered blocks, at most one small event a frame, and nothing at all
//! while the window is hidden. A window that is shown again catches up from where it was.

use std::collections::VecDeque;
use std::time::Duration;

use markdown::{Patch, Renderer};
use protocol::{Block, MessageId, PartKind, TurnEvent};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::stream::{TurnStream, TurnUpdate};

/// One frame at 60 a second.
const FRAME: Duration = Duration::from_millis(16);

/// The most JSON of one event, in bytes, unless a single block is larger.
const EVENT_BYTES: usize = 8 * 1024;

/// The most text that is rendered at once, in bytes: a few milliseconds of work.
const AT_ONCE_BYTES: usize = 32 * 1024;

/// What an event without its blocks takes, and then some.
const ENVELOPE_BYTES: usize = 256;

/// Events of one turn for one window. It ends after `Finished`, `Failed` or `Cancelled`.
pub struct Presenter {
    stream: TurnStream,
    visible: watch::Receiver<bool>,
    /// Cancelled when the engine shuts down: a window that is hidden then is not shown again.
    closing: CancellationToken,
    message_id: MessageId,
    /// Renderers of the parts that have begun; `None` for those that are not shown as text.
    parts: Vec<Option<(PartKind, Renderer)>>,
    /// News that is not rendered yet.
    backlog: VecDeque<TurnUpdate>,
    /// Events that are due, one a frame.
    due: VecDeque<TurnEvent>,
    next_frame: Instant,
    /// Whether the window was hidden since the last rendering.
    was_hidden: bool,
}

impl Presenter {
    pub(crate) fn new(
        stream: TurnStream,
        visible: watch::Receiver<bool>,
        closing: CancellationToken,
    ) -> Self {
        let started = stream.started().clone();
        Self {
            message_id: started.message_id,
            due: VecDeque::from([TurnEvent::Started(started)]),
            stream,
            visible,
            closing,
            parts: Vec::new(),
            backlog: VecDeque::new(),
            next_frame: Instant::now(),
            was_hidden: false,
        }
    }

    /// Waits for the next event; `None` after the last, or when the window or the engine goes while
    /// it is hidden. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<TurnEvent> {
        loop {
            while !*self.visible.borrow_and_update() {
                self.was_hidden = true;
                self.closing
                    .run_until_cancelled(self.visible.changed())
                    .await?
                    .ok()?;
            }
            // What comes within a frame is gathered, not rendered one by one.
            tokio::time::sleep_until(self.next_frame).await;
            if !*self.visible.borrow() {
                continue;
            }
            if let Some(event) = self.due.pop_front() {
                self.next_frame = Instant::now() + FRAME * frames(&event);
                return Some(event);
            }
            if self.backlog.is_empty() {
                let updates = tokio::select! {
                    biased;
                    () = hidden(&mut self.visible) => continue,
                    updates = self.stream.next() => updates?,
                };
                self.take(updates);
                self.was_hidden = false;
            }
            self.render_some();
        }
    }

    /// Leaves out what a window need not see.
    fn take(&mut self, updates: Vec<TurnUpdate>) {
        let ended = updates.iter().any(|update| {
            use TurnUpdate::{Cancelled, Failed, Finished};
            matches!(update, Finished | Failed { .. } | Cancelled)
        });
        let unseen = ended && self.was_hidden;
        if unseen {
            // The window reads the stored message instead.
            self.parts.clear();
        }
        let grew = updates
            .iter()
            .any(|update| matches!(update, TurnUpdate::Delta { .. }));
        for update in updates {
            match update {
                // The first words must not wait a frame for old news.
                TurnUpdate::Reading { .. } | TurnUpdate::Summarising { .. } if grew || ended => {}
                TurnUpdate::Delta { .. } if unseen => {}
                TurnUpdate::Delta { part, kind, text } => {
                    let pieces = pieces(&text).map(|text| TurnUpdate::Delta {
                        part,
                        kind,
                        text: text.to_owned(),
                    });
                    self.backlog.extend(pieces);
                }
                update => self.backlog.push_back(update),
            }
        }
    }

    /// Renders no more than an async thread may be held for: a long answer that is caught up with
    /// is rendered piece by piece, as its events go out.
    fn render_some(&mut self) {
        let message_id = self.message_id;
        let mut room = AT_ONCE_BYTES;
        while room > 0
            && let Some(update) = self.backlog.pop_front()
        {
            match update {
                TurnUpdate::Delta { part, kind, text } => {
                    room = room.saturating_sub(text.len());
                    self.grow(part, kind, &text);
                }
                TurnUpdate::Shortened { dropped_messages } => {
                    self.due.push_back(TurnEvent::Shortened {
                        message_id,
                        dropped_messages,
                    });
                }
                TurnUpdate::Summarising { done, total } => {
                    self.due.push_back(TurnEvent::Summarising {
                        message_id,
                        done,
                        total,
                    });
                }
                TurnUpdate::Switched { attempt, model } => {
                    self.due.push_back(TurnEvent::Switched {
                        message_id,
                        attempt,
                        model,
                    });
                }
                TurnUpdate::Reading { done, total } => {
                    self.due.push_back(TurnEvent::Reading {
                        message_id,
                        done,
                        total,
                    });
                }
                TurnUpdate::Finished => {
                    self.close_parts();
                    self.due.push_back(TurnEvent::Finished { message_id });
                }
                TurnUpdate::Failed { error, retryable } => {
                    self.close_parts();
                    self.due.push_back(TurnEvent::Failed {
                        message_id,
                        error,
                        retryable,
                    });
                }
                TurnUpdate::Cancelled => {
                    self.close_parts();
                    self.due.push_back(TurnEvent::Cancelled { message_id });
                }
            }
        }
    }

    fn grow(&mut self, part: u32, kind: PartKind, text: &str) {
        let place = usize::try_from(part).unwrap_or(usize::MAX);
        if place >= self.parts.len() {
            self.close_parts();
            self.parts.resize_with(place, || None);
            let shown = kind != PartKind::ToolCall;
            self.parts.push(shown.then(|| (kind, Renderer::new())));
        }
        if let Some(Some((kind, renderer))) = self.parts.get_mut(place) {
            let patch = renderer.push(text);
            self.due.extend(events(self.message_id, part, *kind, patch));
        }
    }

    /// Ends the part that is open: what comes next belongs to another.
    fn close_parts(&mut self) {
        if let Some((last, number)) = self.parts.iter_mut().zip(0_u32..).last()
            && let Some((kind, mut renderer)) = last.take()
        {
            let patch = renderer.finish();
            self.due
                .extend(events(self.message_id, number, kind, patch));
        }
    }
}

/// A text in pieces that are rendered at once.
fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (piece, rest) = text.split_at(text.floor_char_boundary(AT_ONCE_BYTES));
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Waits until the window is hidden; for ever when it cannot be hidden any more.
async fn hidden(visible: &mut watch::Receiver<bool>) {
    if visible.wait_for(|shown| !shown).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// How many frames an event takes: one, and more when a single block is larger than events should
/// be, so that what reaches the window in a second stays the same.
fn frames(event: &TurnEvent) -> u32 {
    let TurnEvent::Patch { append, tail, .. } = event else {
        return 1;
    };
    let bytes: usize = append
        .iter()
        .chain(tail)
        .map(|block| block.html.len())
        .sum();
    u32::try_from(bytes.div_ceil(EVENT_BYTES)).map_or(u32::MAX, |frames| frames.clamp(1, 60))
}

/// A patch as events that are small enough: blocks first, the open one with the last of them.
fn events(message_id: MessageId, part: u32, kind: PartKind, patch: Patch) -> Vec<TurnEvent> {
    let Patch {
        mut from,
        append,
        tail,
    } = patch;
    let mut events = Vec::new();
    let mut batch: Vec<Block> = Vec::new();
    let mut bytes = ENVELOPE_BYTES;
    let event = |from: u32, append: Vec<Block>, tail: Option<Block>, more: bool| TurnEvent::Patch {
        message_id,
        part,
        kind,
        from,
        append,
        tail,
        more,
    };
    let mut flush = |batch: &mut Vec<Block>, bytes: &mut usize, from: &mut u32| {
        let blocks = std::mem::take(batch);
        let count = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
        events.push(event(*from, blocks, None, true));
        *from = from.saturating_add(count);
        *bytes = ENVELOPE_BYTES;
    };
    for block in append {
        let size = json_bytes(&block);
        if !batch.is_empty() && bytes + size > EVENT_BYTES {
            flush(&mut batch, &mut bytes, &mut from);
        }
        bytes += size;
        batch.push(block);
    }
    if let Some(tail) = &tail
        && !batch.is_empty()
        && bytes + json_bytes(tail) > EVENT_BYTES
    {
        flush(&mut batch, &mut bytes, &mut from);
    }
    events.push(event(from, batch, tail, false));
    events
}

fn json_bytes(block: &Block) -> usize {
    // A block is a number and a text: it always serialises.
    serde_json::to_vec(block).map_or(0, |json| json.len() + 1)
}

#[cfg(test)]
mod tests {
    use markdown::Patch;
    use protocol::{Block, MessageId, PartKind, TurnEvent};

    use super::{EVENT_BYTES, events, frames};

    fn block(index: u32, bytes: usize) -> Block {
        Block {
            index,
            html: "<".repeat(bytes),
        }
    }

    #[test]
    fn large_patches_come_in_small_events() {
        let append: Vec<Block> = (3..23).map(|index| block(index, 1500)).collect();
        let tail = Some(block(23, 7000));
        let patch = Patch {
            from: 3,
            append: append.clone(),
            tail: tail.clone(),
        };
        let events = events(MessageId::generate(), 0, PartKind::Text, patch);
        let mut got: Vec<Block> = Vec::new();
        let mut last = None;
        for event in &events {
            assert!(serde_json::to_vec(event).unwrap().len() <= EVENT_BYTES);
            let TurnEvent::Patch {
                from,
                append,
                tail,
                more,
                ..
            } = event
            else {
                panic!("only patches")
            };
            assert_eq!(*more, Some(event) != events.last(), "the last one says so");
            assert_eq!(
                *from as usize,
                3 + got.len(),
                "each goes on where the last one ended"
            );
            got.extend(append.clone());
            last = tail.clone();
        }
        assert_eq!((got, last), (append, tail));
    }

    #[test]
    fn a_huge_block_goes_alone() {
        let append = vec![block(0, 10), block(1, 20_000), block(2, 10)];
        let patch = Patch {
            from: 0,
            append,
            tail: None,
        };
        let events = events(MessageId::generate(), 0, PartKind::Text, patch);
        let pace: Vec<u32> = events.iter().map(frames).collect();
        assert_eq!(pace, [1, 3, 1], "and is given time");
        let sizes: Vec<usize> = events
            .iter()
            .map(|event| serde_json::to_vec(event).unwrap().len())
            .collect();
        assert_eq!(
            sizes.iter().filter(|size| **size > EVENT_BYTES).count(),
            1,
            "{sizes:?}"
        );
    }
}
