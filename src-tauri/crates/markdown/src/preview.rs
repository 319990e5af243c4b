//! The open block as it is shown while it grows: rendered whole while it is short, in parts when it
//! is long, so that a token late in a long list costs no more than one early in it. What is shown
//! depends on the text so far and not on the pieces it came in.

use std::sync::Arc;

use crate::code::Cache;
use crate::document;
use crate::escape::{floor_boundary, plain_block};
use crate::references::References;

/// An open block is rendered up to this many bytes; what follows is shown as it was written until
/// the block ends, or until a list's next item begins.
const OPEN_BYTES: usize = 4 * 1024;
/// Long lists are shown in parts of at least this many bytes, a few items each.
const PART_BYTES: usize = 2 * 1024;

/// How the open block is shown.
#[derive(Debug, Default)]
pub(crate) struct Preview {
    /// Where the block begins, and after it further parts.
    start: usize,
    parts: Vec<usize>,
    /// Parts of `parts` before which all is frozen.
    parts_frozen: usize,
    /// What stays as it is until the block ends.
    frozen: Vec<Piece>,
    cache: Cache,
}

/// A stretch of the open block that does not grow any more.
#[derive(Debug)]
struct Piece {
    end: usize,
    blocks: Vec<Arc<str>>,
}

impl Preview {
    /// Forgets the block; the next begins at `at`.
    pub(crate) fn reset(&mut self, at: usize) {
        *self = Self {
            start: at,
            ..Self::default()
        };
    }

    /// The code that was coloured so far.
    pub(crate) fn cache(&mut self) -> &mut Cache {
        &mut self.cache
    }

    /// Whether a line without its end could still make another thing of the text before it: a dash
    /// is a list's next item nearly always, and a heading's underline until more has come.
    pub(crate) fn is_undecided(line: &str) -> bool {
        line.bytes()
            .all(|b| matches!(b, b'-' | b'=' | b'>' | b' ' | b'\t' | b'\r'))
    }

    /// Notes that a list's further item begins at `begin`.
    pub(crate) fn item(&mut self, begin: usize) {
        let part = self.parts.last().copied().unwrap_or(self.start);
        if begin - part < PART_BYTES {
            return;
        }
        // While this line was still growing it may have been taken for more of the part before.
        while self.frozen.pop_if(|piece| piece.end > begin).is_some() {}
        self.parts.push(begin);
    }

    /// The blocks to show, of which the last one grows.
    pub(crate) fn render(&mut self, text: &str, references: &References) -> Vec<Arc<str>> {
        while let Some(end) = self.parts.get(self.parts_frozen).copied() {
            self.freeze(text, end, references);
            let blocks = self.piece(text, end, references);
            self.frozen.push(Piece { end, blocks });
            self.parts_frozen += 1;
            self.cache = Cache::default();
        }
        self.freeze(text, text.len(), references);
        let open = self.piece(text, text.len(), references);
        let frozen = self.frozen.iter().flat_map(|piece| &piece.blocks);
        frozen.chain(&open).cloned().collect()
    }

    /// Freezes what is beyond the bound, whole lines where there are any.
    fn freeze(&mut self, text: &str, end: usize, references: &References) {
        loop {
            let from = self.frozen_to();
            if end <= from + OPEN_BYTES {
                return;
            }
            let bound = floor_boundary(text, from + OPEN_BYTES);
            let lines = text.get(from..bound).unwrap_or_default().rfind('\n');
            let end = lines.map_or(bound, |at| from + at + 1);
            let blocks = self.piece(text, end, references);
            self.frozen.push(Piece { end, blocks });
        }
    }

    /// Where the frozen pieces end.
    fn frozen_to(&self) -> usize {
        self.frozen.last().map_or(self.start, |piece| piece.end)
    }

    /// What stands between the frozen pieces and `to`: rendered when it begins a part.
    fn piece(&mut self, text: &str, to: usize, references: &References) -> Vec<Arc<str>> {
        let from = self.frozen_to();
        let text = text.get(from..to).unwrap_or_default();
        if text.is_empty() {
            return Vec::new();
        }
        let part = match self.parts_frozen.checked_sub(1) {
            Some(last) => self.parts.get(last).copied(),
            None => Some(self.start),
        };
        if part != Some(from) {
            return vec![plain_block(text).into()];
        }
        let (blocks, _) = document::render(text, references, &mut self.cache);
        blocks.into_iter().map(Arc::from).collect()
    }
}
