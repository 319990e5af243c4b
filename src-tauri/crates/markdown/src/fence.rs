//! A fenced code block at the top level, line by line: a finished line is coloured once, and a long
//! block is shown in chunks that are put into the page once.

use std::sync::Arc;

use crate::code::{self, Colours};
use crate::escape::push_text;
use crate::line::{self, Opening};

/// The most lines of a chunk.
const CHUNK_LINES: usize = 64;
/// The most bytes of a chunk's HTML, unless a single line has more: what is sent with each token.
const CHUNK_HTML: usize = 3 * 1024;
/// The most bytes of a line that is not cut.
pub(crate) const LINE_BYTES: usize = 2 * 1024;

/// An open fence.
#[derive(Debug)]
pub(crate) struct Fence {
    opening: Opening,
    language: String,
    colours: Colours,
    /// The open chunk's lines as HTML, and how many they are.
    html: String,
    lines: usize,
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
        let mut html = String::new();
        if self.in_line {
            code::push_plain(&mut html, line);
        } else {
            let line = stripped(&self.opening, line);
            self.colours.push_line(&mut html, line);
        }
        let full = self.take(&html);
        self.lines += 1;
        self.in_line = false;
        full
    }

    /// Takes a piece of a line that is too long to wait for its end.
    pub(crate) fn piece(&mut self, piece: &str) -> Option<Arc<str>> {
        let piece = if self.in_line {
            piece
        } else {
            stripped(&self.opening, piece)
        };
        let mut html = String::new();
        push_text(&mut html, piece);
        self.in_line = true;
        self.take(&html)
    }

    /// The open chunk with the line that is still growing, which may begin a chunk of its own.
    pub(crate) fn tail(&self, partial: &str) -> Vec<Arc<str>> {
        let mut html = String::new();
        if self.in_line {
            push_text(&mut html, partial);
        } else if !partial.is_empty() && !self.may_close(partial) {
            self.colours
                .clone()
                .push_line(&mut html, stripped(&self.opening, partial));
        }
        if !html.is_empty() && self.is_full_before(&html) {
            let last = chunk(&self.language, &html, false, true);
            return vec![self.chunk(&self.html, true), last];
        }
        vec![self.chunk(&format!("{}{html}", self.html), false)]
    }

    /// The last chunk.
    pub(crate) fn close(&self) -> Arc<str> {
        self.chunk(&self.html, false)
    }

    /// Takes HTML into the open chunk, or into the next when this one has no room.
    fn take(&mut self, html: &str) -> Option<Arc<str>> {
        let full = self.is_full_before(html).then(|| {
            let chunk = self.chunk(&self.html, true);
            self.html.clear();
            self.lines = 0;
            self.goes_on = true;
            chunk
        });
        self.html.push_str(html);
        full
    }

    fn is_full_before(&self, html: &str) -> bool {
        let is_too_long = self.html.len() + html.len() > CHUNK_HTML;
        !self.html.is_empty() && (self.lines >= CHUNK_LINES || is_too_long)
    }

    fn chunk(&self, lines: &str, is_open: bool) -> Arc<str> {
        chunk(&self.language, lines, is_open, self.goes_on)
    }

    /// Whether a growing line looks like the beginning of the closing fence.
    fn may_close(&self, partial: &str) -> bool {
        let (indent, rest) = line::indent(partial);
        indent <= 3 && rest.trim_end().bytes().all(|b| b == self.opening.marker)
    }
}

/// Lines of HTML as a block; whether it is followed by another, and whether one came before.
fn chunk(language: &str, lines: &str, is_open: bool, goes_on: bool) -> Arc<str> {
    let open = if is_open { " code-open" } else { "" };
    let more = if goes_on { " code-more" } else { "" };
    code::block(language, &format!("code{open}{more}"), lines).into()
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
