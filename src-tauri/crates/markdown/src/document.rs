//! One top-level block's text to HTML: where its formulas are, then pulldown-cmark's events, then
//! the writer. The result depends on the text and on what is known of references, on nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pulldown_cmark::{BrokenLink, CowStr, Event, Options, Parser};

use crate::code::Cache;
use crate::escape::plain_block;
use crate::math::{Formulas, Place};
use crate::references::{Found, References};

use self::writer::Writer;

mod writer;

/// HTML may be this many times longer than its text, and so many bytes more. Beyond it (a table
/// of a thousand columns and empty rows) the text is shown as it was written.
const MAX_GROWTH: usize = 48;
const MIN_LIMIT: usize = 16 * 1024;
/// How often a text is read anew because the parser found other formulas than were marked.
const ROUNDS: usize = 8;

/// The older footnotes end at a blank line and need no definition in the same text; whether a
/// reference is one is for `References` to say.
const OPTIONS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_OLD_FOOTNOTES)
    .union(Options::ENABLE_GFM);

/// Renders text that is whole top-level blocks.
pub(crate) fn render(
    text: &str,
    references: &References,
    cache: &mut Cache,
) -> (Vec<String>, Found) {
    let contained = AssertUnwindSafe(|| with_formulas(text, references, cache));
    // A parser that trips over a text costs that block its looks and nothing else.
    catch_unwind(contained).unwrap_or_else(|_| {
        *cache = Cache::default();
        (vec![plain_block(text)], Found::default())
    })
}

fn with_formulas(text: &str, references: &References, cache: &mut Cache) -> (Vec<String>, Found) {
    let mut formulas = Formulas::find(text, OPTIONS);
    for _ in 0..ROUNDS {
        if formulas.is_empty() {
            break;
        }
        let (marked, places) = formulas.marked(text);
        let reading = Reading::of(&marked, &places, references, cache);
        if reading.is_over || formulas.keep(&places, &reading.formulas) {
            return reading.shown(text);
        }
    }
    Reading::of(text, &[], references, cache).shown(text)
}

/// What one pass over a text gave.
struct Reading {
    blocks: Vec<String>,
    found: Found,
    /// Where the parser saw formulas begin.
    formulas: Vec<usize>,
    /// Whether the HTML grew beyond its limit, where the pass ended.
    is_over: bool,
}

impl Reading {
    /// Reads a text whose formulas, marked as displayed ones all, are at the given places.
    fn of(text: &str, places: &[Place], references: &References, cache: &mut Cache) -> Self {
        cache.rewind();
        let lookup = references.lookup();
        let resolve = |broken: BrokenLink<'_>| {
            lookup
                .link(&broken.reference)
                .map(|url| (CowStr::from(url), CowStr::from("")))
        };
        let mut options = OPTIONS;
        options.set(Options::ENABLE_MATH, !places.is_empty());
        let parser = Parser::new_with_broken_link_callback(text, options, Some(resolve));
        let links: Vec<(String, String)> = parser
            .reference_definitions()
            .iter()
            .map(|(label, definition)| (label.to_owned(), definition.dest.to_string()))
            .collect();
        let mut formulas = Vec::new();
        let mut writer = Writer::new(cache, text.len().saturating_mul(MAX_GROWTH) + MIN_LIMIT);
        for (mut event, range) in parser.into_offset_iter() {
            if matches!(event, Event::InlineMath(_) | Event::DisplayMath(_)) {
                formulas.push(range.start);
            }
            if let Event::DisplayMath(source) = &event
                && let Ok(at) = places.binary_search_by_key(&range.start, |place| place.start)
                && places.get(at).is_some_and(|place| !place.is_display)
            {
                event = Event::InlineMath(source.clone());
            }
            writer.event(event, |label| lookup.is_footnote(label));
            if writer.is_over {
                break;
            }
        }
        let (blocks, footnotes, is_over) = (writer.blocks, writer.footnotes, writer.is_over);
        Self {
            blocks,
            found: Found {
                links,
                footnotes,
                ..lookup.into_found()
            },
            formulas,
            is_over,
        }
    }

    /// The blocks, or the text as it was written when they would be too long.
    fn shown(self, text: &str) -> (Vec<String>, Found) {
        let blocks = if self.is_over {
            vec![plain_block(text)]
        } else {
            self.blocks
        };
        (blocks, self.found)
    }
}
