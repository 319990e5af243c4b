//! A fenced code block at the top level, line by line: a finished line is coloured once, and a long
//! block is shown in chunks that are put into the page once.

use std::sync::Arc;

use crate::code::{self, Colours};
use crate::line::{self, Opening};

/// The most lines of a chunk.
const CHUNK_LINES: usize = 64;
/// The most bytes of a chunk's source, and so of a piece of a line.
pub(crate) const CHUNK_BYTES: usize = 8 * 1024;

/// An open fence.
#[derive(Debug)]
pub(crate) struct Fence {
    opening: Opening,
    language: String,
    colours: Colours,
    /// The open chunk's lines as HTML, how many they are, and the bytes of their source.
    html: String,
    lines: usize,
    bytes: usize,
    /// Whether a chunk came before.
    goes_on: bool,
    /// Whether the last thing taken was a piece of a line without its end.
    in_line: bool,
}

impl Fence {
    /// A fence that has just been opened.
    pub(crate) fn new(opening: Opening) -> Self {
        let language = code::language(&opening.info);
        let colours = Colours::of(&language);
        Self {
            opening,
            language,
            colours,
            html: String::new(),
            lines: 0,
            bytes: 0,
            goes_on: false,
            in_line: false,
        }
    }

    /// Whether the line, without its end, closes the fence.
    pub(crate) fn is_closed_by(&self, line: &str) -> bool {
        !self.in_line && line::closes_fence(line, &self.opening)
    }

    /// Takes a line without its end; gives back the chunk that was full before it.
    pub(crate) fn line(&mut self, line: &str) -> Option<Arc<str>> {
        let full = self.make_room(line.len() + 1);
        if self.in_line {
            code::push_plain(&mut self.html, line);
        } else {
            self.colours
                .push_line(&mut self.html, stripped(&self.opening, line));
        }
        self.lines += 1;
        self.in_line = false;
        full
    }

    /// Takes a piece of a line that is too long to wait for its end.
    pub(crate) fn piece(&mut self, piece: &str) -> Option<Arc<str>> {
        let full = self.make_room(piece.len());
        let piece = if self.in_line {
            piece
        } else {
            stripped(&self.opening, piece)
        };
        crate::escape::push_text(&mut self.html, piece);
        self.in_line = true;
        full
    }

    /// The open chunk with the line that is still growing.
    pub(crate) fn tail(&self, partial: &str) -> Arc<str> {
        let mut html = self.html.clone();
        if self.in_line {
            crate::escape::push_text(&mut html, partial);
        } else if !partial.is_empty() && !self.may_close(partial) {
            self.colours
                .clone()
                .push_line(&mut html, stripped(&self.opening, partial));
        }
        self.chunk(&html, false)
    }

    /// The last chunk.
    pub(crate) fn close(&self) -> Arc<str> {
        self.chunk(&self.html, false)
    }

    fn make_room(&mut self, bytes: usize) -> Option<Arc<str>> {
        let holds_some = self.bytes > 0;
        let is_full = self.lines >= CHUNK_LINES || self.bytes + bytes > CHUNK_BYTES;
        let full = (holds_some && is_full).then(|| {
            let chunk = self.chunk(&self.html, true);
            self.html.clear();
            self.lines = 0;
            self.bytes = 0;
            self.goes_on = true;
            chunk
        });
        self.bytes += bytes;
        full
    }

    fn chunk(&self, lines: &str, is_open: bool) -> Arc<str> {
        let open = if is_open { " code-open" } else { "" };
        let more = if self.goes_on { " code-more" } else { "" };
        code::block(&self.language, &format!("code{open}{more}"), lines).into()
    }

    /// Whether a growing line looks like the beginning of the closing fence.
    fn may_close(&self, partial: &str) -> bool {
        let (indent, rest) = line::indent(partial);
        indent <= 3 && rest.trim_end().bytes().all(|b| b == self.opening.marker)
    }
}

/// The line without the indentation that the fence's opening had.
fn stripped<'a>(opening: &Opening, line: &'a str) -> &'a str {
    let spaces = line
        .bytes()
        .take(opening.indent)
        .take_while(|b| *b == b' ')
        .count();
    line.get(spaces..).unwrap_or_default()
}
