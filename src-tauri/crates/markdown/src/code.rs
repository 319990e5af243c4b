//! Code coloured by classes. The grammars are syntect's, loaded when the first known language
//! comes; their scopes are mapped to the few classes that the window has colours for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

use crate::escape::push_text;

/// A longer line is not coloured: grammars take too long on it.
const MAX_LINE: usize = 4 * 1024;
/// Nor is a line that would have more HTML: a few colours are not worth what they weigh then.
const MAX_COLOURED: usize = 4 * 1024;
/// The longest language name that is shown.
const MAX_LANGUAGE: usize = 32;

/// Scopes and their classes. The longest scope that fits wins.
const CLASSES: [(&str, &str); 38] = [
    ("comment", "hl-comment"),
    ("punctuation.definition.comment", "hl-comment"),
    ("string", "hl-string"),
    ("punctuation.definition.string", "hl-string"),
    ("constant", "hl-constant"),
    ("constant.numeric", "hl-number"),
    ("keyword", "hl-keyword"),
    ("keyword.operator", "hl-operator"),
    ("keyword.operator.word", "hl-keyword"),
    ("keyword.operator.logical.python", "hl-keyword"),
    ("storage", "hl-keyword"),
    ("variable", "hl-variable"),
    ("variable.language", "hl-constant"),
    ("variable.function", "hl-function"),
    ("variable.other.constant", "hl-constant"),
    ("entity.name.function", "hl-function"),
    ("entity.name.macro", "hl-function"),
    ("entity.name.type", "hl-type"),
    ("entity.name.class", "hl-type"),
    ("entity.name.struct", "hl-type"),
    ("entity.name.enum", "hl-type"),
    ("entity.name.trait", "hl-type"),
    ("entity.name.namespace", "hl-type"),
    ("entity.other.inherited-class", "hl-type"),
    ("entity.name.constant", "hl-constant"),
    ("entity.name.tag", "hl-tag"),
    ("entity.name.section", "hl-heading"),
    ("entity.other.attribute-name", "hl-attribute"),
    ("support.function", "hl-function"),
    ("support.macro", "hl-function"),
    ("support.type", "hl-type"),
    ("support.class", "hl-type"),
    ("punctuation", "hl-punctuation"),
    ("markup.heading", "hl-heading"),
    ("markup.inserted", "hl-inserted"),
    ("markup.deleted", "hl-deleted"),
    ("punctuation.definition.inserted", "hl-inserted"),
    ("punctuation.definition.deleted", "hl-deleted"),
];

fn syntaxes() -> &'static SyntaxSet {
    static SYNTAXES: OnceLock<SyntaxSet> = OnceLock::new();
    SYNTAXES.get_or_init(two_face::syntax::extra_newlines)
}

fn classes() -> &'static [(Scope, &'static str)] {
    static SCOPES: OnceLock<Vec<(Scope, &'static str)>> = OnceLock::new();
    SCOPES.get_or_init(|| {
        let mut sorted = CLASSES;
        sorted.sort_by_key(|(scope, _)| std::cmp::Reverse(scope.len()));
        sorted
            .iter()
            .filter_map(|(scope, class)| Some((Scope::new(scope).ok()?, *class)))
            .collect()
    })
}

fn class(stack: &ScopeStack) -> Option<&'static str> {
    stack.as_slice().iter().rev().find_map(|scope| {
        let found = classes()
            .iter()
            .find(|(prefix, _)| prefix.is_prefix_of(*scope));
        found.map(|(_, class)| *class)
    })
}

/// The language that a fence's info string names: its first word, of harmless characters.
pub(crate) fn language(info: &str) -> String {
    let word = info.trim_start_matches('{').trim_start_matches('.');
    word.chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '#' | '-' | '_' | '.'))
        .take(MAX_LANGUAGE)
        .collect()
}

fn syntax(language: &str) -> Option<&'static SyntaxReference> {
    let name = match language.to_ascii_lowercase().as_str() {
        "" | "text" | "txt" | "plain" | "plaintext" | "output" | "none" => return None,
        "shell" | "console" | "shell-session" | "zsh" => "bash".to_owned(),
        "jsonc" | "json5" => "json".to_owned(),
        "c++" => "cpp".to_owned(),
        "c#" | "csharp" => "cs".to_owned(),
        "golang" => "go".to_owned(),
        other => other.to_owned(),
    };
    syntaxes().find_syntax_by_token(&name)
}

/// The state of a code block's colours after some lines.
#[derive(Clone, Debug)]
pub(crate) struct Colours {
    /// The grammar's state and the scopes that are open; none where the language is not known.
    state: Option<(ParseState, ScopeStack)>,
}

impl Colours {
    /// The state before the first line.
    pub(crate) fn of(language: &str) -> Self {
        Self {
            state: syntax(language).map(|syntax| (ParseState::new(syntax), ScopeStack::new())),
        }
    }

    /// Appends a line, given without its end, as HTML with its end.
    pub(crate) fn push_line(&mut self, out: &mut String, line: &str) {
        let before = out.len();
        if line.len() <= MAX_LINE && self.coloured(out, line) {
            return;
        }
        out.truncate(before);
        push_plain(out, line);
    }

    /// Appends a line in colours; `false` when there are none for it.
    fn coloured(&mut self, out: &mut String, line: &str) -> bool {
        let Some(mut state) = self.state.take() else {
            return false;
        };
        let before = out.len();
        // Grammars are data of many authors: one that trips ends the colours, not the text.
        let contained = AssertUnwindSafe(|| colour(&mut state, out, line));
        if catch_unwind(contained).ok().flatten().is_none() {
            return false;
        }
        self.state = Some(state);
        out.len() - before <= MAX_COLOURED
    }
}

/// Appends a line in colours and moves the state on; `None` when the grammar fails.
fn colour(state: &mut (ParseState, ScopeStack), out: &mut String, line: &str) -> Option<()> {
    let (parser, stack) = state;
    let mut source = String::with_capacity(line.len() + 1);
    source.push_str(line);
    source.push('\n');
    let changes = parser.parse_line(&source, syntaxes()).ok()?;
    let mut run = Run { out, class: None };
    let mut from = 0;
    for (at, change) in changes {
        run.push(class(stack), source.get(from..at).unwrap_or_default());
        from = from.max(at);
        stack.apply(&change).ok()?;
    }
    run.push(class(stack), source.get(from..).unwrap_or_default());
    run.close();
    Some(())
}

/// Neighbouring text of one class.
struct Run<'a> {
    out: &'a mut String,
    class: Option<&'static str>,
}

impl Run<'_> {
    fn push(&mut self, class: Option<&'static str>, text: &str) {
        if text.is_empty() {
            return;
        }
        // White space looks the same in every colour.
        if class != self.class && !text.trim().is_empty() {
            self.close();
            if let Some(class) = class {
                self.out.push_str("<span class=\"");
                self.out.push_str(class);
                self.out.push_str("\">");
            }
            self.class = class;
        }
        // No run goes over the line's end, so that a chunk may end there.
        let (text, end) = text
            .strip_suffix('\n')
            .map_or((text, ""), |text| (text, "\n"));
        push_text(self.out, text);
        if !end.is_empty() {
            self.close();
            self.out.push_str(end);
        }
    }

    fn close(&mut self) {
        if self.class.take().is_some() {
            self.out.push_str("</span>");
        }
    }
}

/// Appends a line without colours, with its end.
pub(crate) fn push_plain(out: &mut String, line: &str) {
    push_text(out, line);
    out.push('\n');
}

/// The block around lines that are HTML already.
pub(crate) fn block(language: &str, classes: &str, lines: &str) -> String {
    let mut html = String::with_capacity(lines.len() + 96);
    html.push_str("<div class=\"");
    html.push_str(classes);
    html.push_str("\" data-lang=\"");
    push_text(&mut html, language);
    html.push_str("\"><pre><code>");
    html.push_str(lines);
    html.push_str("</code></pre></div>");
    html
}

/// Code inside other blocks (lists, quotes), which is rendered anew while its block grows: the
/// lines that were coloured before are kept.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    blocks: Vec<Cached>,
    next: usize,
}

#[derive(Debug)]
struct Cached {
    language: String,
    source: String,
    html: String,
    colours: Colours,
}

impl Cache {
    /// Starts over with the first code block of the same text.
    pub(crate) fn rewind(&mut self) {
        self.next = 0;
    }

    /// The next code block as HTML.
    pub(crate) fn render(&mut self, info: &str, source: &str) -> String {
        let language = language(info);
        let kept = self
            .blocks
            .get(self.next)
            .is_some_and(|block| block.language == language && source.starts_with(&block.source));
        if !kept {
            self.blocks.truncate(self.next);
            self.blocks.push(Cached {
                colours: Colours::of(&language),
                language: language.clone(),
                source: String::new(),
                html: String::new(),
            });
        }
        let at = self.next;
        self.next += 1;
        let Some(cached) = self.blocks.get_mut(at) else {
            return String::new();
        };
        let rest = source.get(cached.source.len()..).unwrap_or_default();
        let whole = rest.rfind('\n').map_or(0, |at| at + 1);
        let (lines, open) = rest.split_at(whole);
        for line in lines.split_terminator('\n') {
            cached.colours.push_line(&mut cached.html, line);
        }
        cached.source.push_str(lines);
        if open.is_empty() {
            return block(&language, "code", &cached.html);
        }
        let mut html = cached.html.clone();
        cached.colours.clone().push_line(&mut html, open);
        block(&language, "code", &html)
    }
}
