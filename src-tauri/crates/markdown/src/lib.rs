//! Markdown to safe HTML blocks, incrementally.
//!
//! A model's answer arrives a few characters at a time and may be hostile. [`Renderer`] takes it as
//! it comes and says which blocks are finished, so that a window touches only what grows;
//! [`render`] does the same for a whole text. Both give the same blocks, whatever the pieces were:
//! the text is cut into top-level blocks by a scanner that looks at whole lines only, and every
//! block is rendered by itself, with what is known of link references and footnotes.
//!
//! # What comes out
//! Only what this crate writes itself: raw HTML is shown as text, an address is data that the
//! window may ask to open and never an attribute that loads, code is coloured by classes, and
//! formulas are filtered MathML. There are no `href`, `src`, `style`, `id` or event attributes.
//!
//! # Layout
//! - `renderer`: the growing text and its patches; `preview`: its open block.
//! - `scanner`, `line`: where a top-level block begins and ends.
//! - `document`: one block's events to HTML; `escape` for text.
//! - `fence`, `code`: code blocks, line by line, and their colours.
//! - `math`: which marks stand around formulas, and formulas to MathML, filtered.
//! - `references`: link references and footnotes across blocks.
//! - `link`: which addresses may be opened.

mod code;
mod document;
mod escape;
mod fence;
mod line;
mod link;
mod math;
mod preview;
mod references;
mod renderer;
mod scanner;

pub use link::safe_link;
pub use renderer::{Patch, Renderer};

use protocol::Block;

/// Renders a whole text: what [`Renderer`] shows after it was given that text in any pieces and
/// finished.
#[must_use]
pub fn render(text: &str) -> Vec<Block> {
    let mut renderer = Renderer::new();
    renderer.take(text);
    renderer.finish().append
}

/// Renders a whole text into one piece of HTML, a block a line.
#[must_use]
pub fn to_html(text: &str) -> String {
    let mut html = String::new();
    for block in render(text) {
        html.push_str(&block.html);
        html.push('\n');
    }
    html
}
