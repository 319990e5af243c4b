//! Formulas to MathML. What the converter writes is read again, tag by tag, and only elements and
//! attributes that draw are written out; a formula that it cannot read is shown as its source.

use pulldown_latex::config::{DisplayMode, RenderConfig};
use pulldown_latex::{Parser, Storage, push_mathml};

use crate::escape::push_text;

pub(crate) use self::delimiters::{Formulas, Place};

mod delimiters;

/// A longer formula is shown as its source.
const MAX_SOURCE: usize = 4 * 1024;
/// How deep braces, commands with arguments and environments may nest.
const MAX_NESTING: usize = 48;
/// MathML may be this many times longer than its source, and a little more.
const MAX_GROWTH: usize = 400;

const ELEMENTS: [&str; 24] = [
    "math",
    "mrow",
    "mi",
    "mo",
    "mn",
    "mtext",
    "mspace",
    "msup",
    "msub",
    "msubsup",
    "munder",
    "mover",
    "munderover",
    "mfrac",
    "msqrt",
    "mroot",
    "mtable",
    "mtr",
    "mtd",
    "mpadded",
    "mphantom",
    "mstyle",
    "menclose",
    "mmultiscripts",
];

const ATTRIBUTES: [&str; 16] = [
    "class",
    "display",
    "displaystyle",
    "scriptlevel",
    "mathvariant",
    "stretchy",
    "symmetric",
    "largeop",
    "movablelimits",
    "maxsize",
    "minsize",
    "width",
    "height",
    "depth",
    "linethickness",
    "accent",
];

/// Commands that make commands: a few bytes of them can stand for megabytes.
const DEFINING: [&str; 8] = [
    "\\def",
    "\\let",
    "\\gdef",
    "\\edef",
    "\\xdef",
    "\\newcommand",
    "\\renewcommand",
    "\\providecommand",
];

/// Commands whose last argument may be such a command again, without braces.
const CHAINING: [&str; 12] = [
    "frac", "dfrac", "tfrac", "cfrac", "genfrac", "binom", "dbinom", "tbinom", "overset",
    "underset", "stackrel", "sqrt",
];

/// Appends a formula.
pub(crate) fn push_math(out: &mut String, source: &str, is_display: bool) {
    match mathml(source, is_display) {
        Some(html) if is_display => {
            out.push_str("<span class=\"math-display\">");
            out.push_str(&html);
            out.push_str("</span>");
        }
        Some(html) => out.push_str(&html),
        None => {
            out.push_str("<code class=\"math-error\">");
            push_text(out, source);
            out.push_str("</code>");
        }
    }
}

fn mathml(source: &str, is_display: bool) -> Option<String> {
    let refused = source.len() > MAX_SOURCE
        || DEFINING.iter().any(|command| source.contains(command))
        || nesting(source) > MAX_NESTING;
    if refused {
        return None;
    }
    // The converter is young and asserts what it believes of its input; a formula that proves it
    // wrong costs that formula alone.
    let written = std::panic::catch_unwind(|| convert(source, is_display)).ok()??;
    filtered(&written, source.len() * MAX_GROWTH + 1_024)
}

fn convert(source: &str, is_display: bool) -> Option<String> {
    let storage = Storage::new();
    let mut events = Vec::new();
    for event in Parser::new(source, &storage) {
        events.push(Ok::<_, std::fmt::Error>(event.ok()?));
    }
    let display_mode = if is_display {
        DisplayMode::Block
    } else {
        DisplayMode::Inline
    };
    let config = RenderConfig {
        display_mode,
        ..RenderConfig::default()
    };
    let mut html = String::new();
    push_mathml(&mut html, events.into_iter(), config).ok()?;
    Some(html)
}

/// An upper bound of how deep the formula nests: open braces, plus commands in a row, each of
/// which may be the argument of the one before, plus fractions that follow each other after one
/// argument, each of which is the second argument of the one before.
fn nesting(source: &str) -> usize {
    let (mut deepest, mut in_a_row) = (0_usize, 0_usize);
    // A level a brace: fractions in a chain, and what came after the last of them.
    let mut levels = vec![(0_usize, 0_usize)];
    let mut chained = 0_usize;
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' | '(' | '[' => levels.push((0, 0)),
            '}' | ')' | ']' => {
                if levels.len() > 1
                    && let Some((chain, _)) = levels.pop()
                {
                    chained -= chain;
                }
                if let Some((_, arguments)) = levels.last_mut() {
                    *arguments += 1;
                }
            }
            '\\' => {
                in_a_row += 1;
                let mut name = String::new();
                while let Some(letter) = chars.next_if(char::is_ascii_alphabetic) {
                    name.push(letter);
                }
                if CHAINING.contains(&name.as_str())
                    && let Some((chain, arguments)) = levels.last_mut()
                {
                    if *arguments >= 2 {
                        chained -= *chain;
                        *chain = 0;
                    }
                    *chain += 1;
                    *arguments = 0;
                    chained += 1;
                }
            }
            '^' | '_' => in_a_row += 1,
            ' ' | '\n' | '\t' => {}
            _ => {
                in_a_row = 0;
                if let Some((_, arguments)) = levels.last_mut() {
                    *arguments += 1;
                }
            }
        }
        deepest = deepest.max(levels.len() - 1).max(in_a_row).max(chained);
    }
    deepest
}

/// Writes the MathML anew with nothing in it but what draws; `None` when it is not well formed,
/// longer than it may be, or holds another element.
fn filtered(mathml: &str, limit: usize) -> Option<String> {
    if mathml.len() > limit {
        return None;
    }
    let mut out = String::with_capacity(mathml.len());
    let mut open: Vec<&str> = Vec::new();
    let mut rest = mathml;
    while let Some((text, tag_on)) = rest.split_once('<') {
        push_character_data(&mut out, text);
        let (tag, after) = split_tag(tag_on)?;
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return None;
            }
            out.push_str("</");
            out.push_str(name);
            out.push('>');
            continue;
        }
        let (tag, is_empty) = tag
            .strip_suffix('/')
            .map_or((tag, false), |tag| (tag, true));
        let name = push_start(&mut out, tag.trim_end())?;
        out.push('>');
        if is_empty {
            out.push_str("</");
            out.push_str(name);
            out.push('>');
        } else {
            open.push(name);
        }
        if open.len() > 4 * MAX_NESTING {
            return None;
        }
    }
    push_character_data(&mut out, rest);
    (open.is_empty() && out.starts_with("<math")).then_some(out)
}

/// Splits after the `>` that ends a tag: one that is not in quotes.
fn split_tag(text: &str) -> Option<(&str, &str)> {
    let mut is_quoted = false;
    let end = text.bytes().position(|byte| {
        is_quoted ^= byte == b'"';
        byte == b'>' && !is_quoted
    })?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// Writes a start tag without its end and gives back its name.
fn push_start<'a>(out: &mut String, tag: &'a str) -> Option<&'a str> {
    let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
    if !ELEMENTS.contains(&name) {
        return None;
    }
    out.push('<');
    out.push_str(name);
    while !attributes.trim().is_empty() {
        let (attribute, rest) = attributes.trim_start().split_once("=\"")?;
        let (value, rest) = rest.split_once('"')?;
        attributes = rest;
        let is_tame = value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b" -_.%+".contains(&b));
        if ATTRIBUTES.contains(&attribute) && is_tame {
            out.push(' ');
            out.push_str(attribute);
            out.push_str("=\"");
            out.push_str(value);
            out.push('"');
        }
    }
    Some(name)
}

/// Writes text between tags: references stay, everything else is escaped.
fn push_character_data(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, reference) = rest.split_at(at);
        push_text(out, before);
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&nbsp;"];
        match known.iter().find(|known| reference.starts_with(**known)) {
            Some(known) => {
                out.push_str(if *known == "&nbsp;" { "\u{a0}" } else { known });
                rest = reference.get(known.len()..).unwrap_or_default();
            }
            None => {
                out.push_str("&amp;");
                rest = reference.get(1..).unwrap_or_default();
            }
        }
    }
    push_text(out, rest);
}
