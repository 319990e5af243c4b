//! The growing text. Lines are taken one by one, each once: what stands after a line depends on the
//! lines so far and not on the pieces they came in. Only the open block is rendered again.

use std::ops::Range;
use std::sync::Arc;

use protocol::Block;

use crate::code::Cache;
use crate::document;
use crate::escape::floor_boundary;
use crate::fence::{Fence, LINE_BYTES};
use crate::preview::Preview;
use crate::references::{References, Waiting};
use crate::scanner::Scanner;

/// What changed in the blocks of a growing text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// How many of the finished blocks shown before stay; the later ones go first. It is the number
    /// of all of them nearly always, and less when a block that was shown in parts has ended or a
    /// late definition has changed an earlier block.
    pub from: u32,
    /// Finished blocks that follow them.
    pub append: Vec<Block>,
    /// The block that still grows, shown after all others.
    pub tail: Option<Block>,
}

/// Renders a text that grows. It owns the text so far. A text is some megabytes at most; its size
/// is for the caller to limit.
#[derive(Debug, Default)]
pub struct Renderer {
    text: String,
    /// Text before this has been taken, line by line.
    taken: usize,
    /// Text between `taken` and this is known to hold no line's end.
    searched: usize,
    /// Where the open block begins.
    start: usize,
    scanner: Scanner,
    fence: Option<Fence>,
    blocks: Vec<Arc<str>>,
    preview: Preview,
    references: References,
    /// How many of `blocks` the last patch left, and how many of them are unchanged since.
    settled: usize,
    unchanged: usize,
    /// Blocks of the open block that were shown as finished, after those of `blocks`.
    provisional: Vec<Arc<str>>,
    is_finished: bool,
}

impl Renderer {
    /// A renderer of an empty text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more of the text and says what changed. A finished renderer takes no more.
    pub fn push(&mut self, delta: &str) -> Patch {
        if self.is_finished {
            return self.patch(Vec::new());
        }
        self.take(delta);
        let open = self.open_blocks();
        self.patch(open)
    }

    /// Ends the text and says what changed: there is no tail any more.
    pub fn finish(&mut self) -> Patch {
        if !self.is_finished {
            self.is_finished = true;
            self.take_last_line();
            self.end_block(self.text.len());
            let held = self.references.take_held();
            self.make_anew(&held);
        }
        self.patch(Vec::new())
    }

    /// Takes more of the text and shows nothing yet.
    pub(crate) fn take(&mut self, delta: &str) {
        self.text.push_str(delta);
        loop {
            let rest = self
                .text
                .as_bytes()
                .get(self.searched..)
                .unwrap_or_default();
            let found = rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let end = found.map_or(self.text.len(), |at| self.searched + at);
            // In a fence, a line too long to be sent again and again does not wait for its end.
            if self.fence.is_some() && end - self.taken > LINE_BYTES {
                self.take_piece();
                continue;
            }
            self.searched = end;
            let next = match self.text.as_bytes().get(end..) {
                Some([b'\n', ..]) => end + 1,
                Some([b'\r', b'\n', ..]) => end + 2,
                Some([b'\r', _, ..]) => end + 1,
                // No end yet, or one that may still become two characters.
                _ => return,
            };
            self.take_line(end, next);
            self.searched = next;
        }
    }

    fn take_last_line(&mut self) {
        if self.taken < self.text.len() {
            let end = self.text.len() - usize::from(self.text.ends_with('\r'));
            self.take_line(end, self.text.len());
        }
    }

    fn take_piece(&mut self) {
        let end = floor_boundary(&self.text, self.taken + LINE_BYTES);
        if let Some(fence) = &mut self.fence {
            let chunk = fence.piece(self.text.get(self.taken..end).unwrap_or_default());
            self.blocks.extend(chunk);
        }
        self.taken = end;
        self.searched = self.searched.max(end);
    }

    /// Takes the line that ends at `end`, the next of which begins at `next`.
    fn take_line(&mut self, end: usize, next: usize) {
        let begin = self.taken;
        self.taken = next;
        if let Some(fence) = &mut self.fence {
            let line = self.text.get(begin..end).unwrap_or_default();
            if fence.is_closed_by(line) {
                self.end_block(next);
            } else {
                self.blocks.extend(fence.line(line));
            }
            return;
        }
        let verdict = self
            .scanner
            .line(self.text.get(begin..end).unwrap_or_default());
        if verdict.ends_before {
            self.end_block(begin);
        }
        if let Some(opening) = verdict.fence {
            self.fence = Some(Fence::new(opening));
        }
        if verdict.ends_after {
            self.end_block(next);
        }
        if verdict.is_gap {
            self.open_at(next);
        }
        if verdict.is_item {
            self.preview.item(begin);
        }
    }

    /// Ends the open block before `end`.
    fn end_block(&mut self, end: usize) {
        if let Some(fence) = self.fence.take() {
            self.scanner.reset();
            self.blocks.push(fence.close());
        } else if self.start < end {
            self.settle(self.start..end);
        }
        self.open_at(end);
    }

    fn open_at(&mut self, at: usize) {
        self.start = at;
        self.preview.reset(at);
    }

    /// Renders a block that has ended, and what had waited for it.
    fn settle(&mut self, range: Range<usize>) {
        let text = self.text.get(range.clone()).unwrap_or_default();
        let cache = self.preview.cache();
        let (rendered, found) = document::render(text, &self.references, cache);
        let first = self.blocks.len();
        self.blocks.extend(rendered.into_iter().map(Arc::from));
        let blocks = &self.blocks;
        let waiting = Waiting {
            text: range,
            blocks: first..blocks.len(),
            expanded: found.expanded,
        };
        let due = self.references.settle(found, waiting, |from| {
            blocks
                .get(from..)
                .unwrap_or_default()
                .iter()
                .map(|html| html.len())
                .sum()
        });
        self.make_anew(&due);
    }

    /// Renders finished blocks again because what they refer to is defined now.
    fn make_anew(&mut self, due: &[usize]) {
        for place in due.iter().copied() {
            let Some(Waiting { text, blocks, .. }) = self.references.release(place) else {
                continue;
            };
            let text = self.text.get(text).unwrap_or_default();
            let (rendered, found) = document::render(text, &self.references, &mut Cache::default());
            self.references.charge_again(place, found.expanded);
            let Some(slots) = self.blocks.get_mut(blocks.clone()) else {
                continue;
            };
            // Definitions change what is in a block and never how many there are.
            if slots.len() == rendered.len() {
                for (slot, html) in slots.iter_mut().zip(rendered) {
                    *slot = html.into();
                }
                self.unchanged = self.unchanged.min(blocks.start);
            }
        }
    }

    /// The open block as it is shown now.
    fn open_blocks(&mut self) -> Vec<Arc<str>> {
        if let Some(fence) = &self.fence {
            let partial = self.text.get(self.taken..).unwrap_or_default();
            return fence.tail(partial.strip_suffix('\r').unwrap_or(partial));
        }
        let (whole, partial) = self.text.split_at(self.taken);
        let shown = if Preview::is_undecided(partial) {
            whole
        } else {
            &self.text
        };
        self.preview.render(shown, &self.references)
    }

    /// What changed since the last patch, with the given blocks open, the last of which grows.
    fn patch(&mut self, mut open: Vec<Arc<str>>) -> Patch {
        let tail = open.pop();
        let kept = if self.unchanged < self.settled {
            0
        } else {
            let now = self
                .blocks
                .get(self.settled..)
                .unwrap_or_default()
                .iter()
                .chain(&open);
            let pairs = self.provisional.iter().zip(now);
            pairs
                .take_while(|(old, new)| Arc::ptr_eq(old, new) || old == new)
                .count()
        };
        let from = self.unchanged + kept;
        let all = self.blocks.len() + open.len();
        let append = (from..all)
            .filter_map(|at| {
                let html = self
                    .blocks
                    .get(at)
                    .or_else(|| open.get(at - self.blocks.len()))?;
                Some(block(at, html))
            })
            .collect();
        self.settled = self.blocks.len();
        self.unchanged = self.settled;
        self.provisional = open;
        Patch {
            from: index(from),
            append,
            tail: tail.map(|html| block(all, &html)),
        }
    }
}

fn block(at: usize, html: &str) -> Block {
    Block {
        index: index(at),
        html: html.to_owned(),
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
