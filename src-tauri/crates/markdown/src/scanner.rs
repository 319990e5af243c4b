//! Where top-level blocks begin and end. The scanner sees whole lines, one after the other, and
//! never looks back: what it says of a line cannot be changed by later text, which is what makes a
//! finished block final.

use crate::line::{self, HtmlEnd, Opening};

/// What a line means for the blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The open block, if any, ended before this line.
    pub ends_before: bool,
    /// The line belongs to no block.
    pub is_gap: bool,
    /// The block that holds this line ends with it.
    pub ends_after: bool,
    /// The line opens a fence, whose lines are not for the scanner.
    pub fence: Option<Opening>,
    /// The line begins a further item of the open list.
    pub is_item: bool,
}

/// The block that is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    None,
    /// A paragraph, or a table, which begins as one.
    Paragraph {
        flow: Flow,
        /// Whether its last line may be a table's head.
        has_pipe: bool,
    },
    /// The definition of a link's reference, which is no paragraph.
    Definition,
    Quote(Inner),
    Indented,
    Html(HtmlEnd),
    List {
        /// The marker that the items share.
        marker: u8,
        /// The column from which a line belongs to the last item.
        content: usize,
        /// Whether the line before was blank.
        after_blank: bool,
        inner: Inner,
    },
}

/// What a run of text lines is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// A paragraph, which an underline makes a heading.
    Text,
    Footnote,
    Table,
}

/// What the last line of a quote or a list left open in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Inner {
    in_fence: bool,
    /// Whether a paragraph may be open, which goes on over a line without the container's mark.
    is_lazy: bool,
}

impl Inner {
    /// After a line of the container, marks and all.
    fn after(self, line: &str) -> Self {
        let content = line::content(line);
        if line::fence_opening(content).is_some() {
            return Self {
                in_fence: !self.in_fence,
                is_lazy: false,
            };
        }
        let ends = line::is_blank(content)
            || line::is_heading(content)
            || line::is_rule(content)
            || line::html_start(content).is_some();
        Self {
            in_fence: self.in_fence,
            is_lazy: !self.in_fence && !ends,
        }
    }
}

/// Sorts lines into top-level blocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scanner {
    kind: Kind,
}

impl Scanner {
    /// Takes the next line, without its end.
    pub(crate) fn line(&mut self, line: &str) -> Verdict {
        if let Kind::Html(end @ HtmlEnd::Text(_)) = self.kind {
            let ends_after = end.is_in(line);
            if ends_after {
                self.kind = Kind::None;
            }
            return Verdict {
                ends_after,
                ..Verdict::default()
            };
        }
        if line::is_blank(line) {
            return self.blank();
        }
        let (indent, rest) = line::indent(line);
        match self.kind {
            Kind::None => self.begin(line, false),
            Kind::Html(_) => Verdict::default(),
            Kind::Indented if indent >= 4 => Verdict::default(),
            Kind::Indented => self.begin(line, true),
            Kind::Definition => self.after_definition(line),
            Kind::Paragraph { flow, has_pipe } => self.in_paragraph(line, flow, has_pipe),
            Kind::Quote(inner) if indent < 4 && rest.starts_with('>') => {
                self.kind = Kind::Quote(inner.after(line));
                Verdict::default()
            }
            Kind::Quote(inner) => {
                let breaks =
                    indent < 4 && (interrupts(rest) || line::list_marker(rest, indent).is_some());
                if breaks || !inner.is_lazy {
                    self.begin(line, true)
                } else {
                    Verdict::default()
                }
            }
            Kind::List {
                marker,
                content,
                after_blank,
                inner,
            } => self.in_list(line, marker, content, inner, after_blank),
        }
    }

    /// Forgets the open block, as at the end of a fence.
    pub(crate) fn reset(&mut self) {
        self.kind = Kind::None;
    }

    fn blank(&mut self) -> Verdict {
        match &mut self.kind {
            Kind::None => Verdict {
                is_gap: true,
                ..Verdict::default()
            },
            Kind::Indented => Verdict::default(),
            Kind::List { after_blank, .. } => {
                *after_blank = true;
                Verdict::default()
            }
            Kind::Paragraph { .. } | Kind::Definition | Kind::Quote(_) | Kind::Html(_) => {
                self.kind = Kind::None;
                Verdict {
                    ends_before: true,
                    is_gap: true,
                    ..Verdict::default()
                }
            }
        }
    }

    /// No paragraph is open after a definition, and yet only what interrupts one begins a block.
    fn after_definition(&mut self, line: &str) -> Verdict {
        let (indent, rest) = line::indent(line);
        let is_list = line::list_marker(rest, indent).is_some_and(|marker| marker.interrupts);
        if indent < 4 && (is_list || rest.starts_with('>') || interrupts(rest)) {
            return self.begin(line, true);
        }
        if !line::is_definition(rest) {
            let (flow, has_pipe) = (Flow::Text, rest.contains('|'));
            self.kind = Kind::Paragraph { flow, has_pipe };
        }
        Verdict::default()
    }

    fn in_paragraph(&mut self, line: &str, flow: Flow, has_pipe: bool) -> Verdict {
        let (indent, rest) = line::indent(line);
        let is_list = line::list_marker(rest, indent)
            .is_some_and(|marker| marker.interrupts || flow == Flow::Table);
        let breaks = is_list || rest.starts_with('>') || interrupts(rest);
        // A table ends at what looks like another block's beginning, however far it is indented.
        if indent > 3 && !(breaks && flow == Flow::Table) {
            let has_pipe = rest.contains('|');
            self.kind = Kind::Paragraph { flow, has_pipe };
            return Verdict::default();
        }
        if flow == Flow::Text && line::is_setext_underline(rest) {
            self.kind = Kind::None;
            return Verdict {
                ends_after: true,
                ..Verdict::default()
            };
        }
        if breaks {
            return self.begin(line, true);
        }
        let is_table = has_pipe && line::is_table_rule(rest);
        self.kind = Kind::Paragraph {
            flow: if is_table { Flow::Table } else { flow },
            has_pipe: rest.contains('|'),
        };
        Verdict::default()
    }

    fn in_list(
        &mut self,
        line: &str,
        marker: u8,
        content: usize,
        inner: Inner,
        after_blank: bool,
    ) -> Verdict {
        let (indent, rest) = line::indent(line);
        let open = |content, inner: Inner, is_code| Kind::List {
            marker,
            content,
            after_blank: false,
            inner: if is_code { inner } else { inner.after(line) },
        };
        if indent >= content {
            self.kind = open(content, inner, false);
            return Verdict::default();
        }
        let goes_on = !after_blank && inner.is_lazy;
        if indent > 3 || line::is_rule(rest) {
            return if indent > 3 && goes_on {
                Verdict::default()
            } else {
                self.begin(line, true)
            };
        }
        match line::list_marker(rest, indent) {
            Some(next) if next.kind == marker => {
                self.kind = open(indent + next.width, Inner::default(), next.is_code);
                Verdict {
                    is_item: true,
                    ..Verdict::default()
                }
            }
            None if goes_on && !rest.starts_with('>') && !interrupts(rest) => Verdict::default(),
            _ => self.begin(line, true),
        }
    }

    /// Begins the block that a line starts when no other goes on.
    fn begin(&mut self, line: &str, ends_before: bool) -> Verdict {
        let mut verdict = Verdict {
            ends_before,
            ..Verdict::default()
        };
        let (indent, rest) = line::indent(line);
        self.kind = Kind::None;
        if indent > 3 {
            self.kind = Kind::Indented;
        } else if let Some(opening) = line::fence_opening(line) {
            verdict.fence = Some(opening);
        } else if let Some(end) = line::html_start(rest) {
            verdict.ends_after = end.is_in(rest.get(1..).unwrap_or_default());
            if !verdict.ends_after {
                self.kind = Kind::Html(end);
            }
        } else if line::is_heading(rest) || line::is_rule(rest) {
            verdict.ends_after = true;
        } else if let Some(marker) = line::list_marker(rest, indent) {
            let inner = Inner::default();
            self.kind = Kind::List {
                marker: marker.kind,
                content: indent + marker.width,
                after_blank: false,
                inner: if marker.is_code {
                    inner
                } else {
                    inner.after(line)
                },
            };
        } else if rest.starts_with('>') {
            self.kind = Kind::Quote(Inner::default().after(line));
        } else if line::is_definition(rest) {
            self.kind = Kind::Definition;
        } else {
            let is_note = line::is_footnote(rest);
            let flow = if is_note { Flow::Footnote } else { Flow::Text };
            let has_pipe = rest.contains('|');
            self.kind = Kind::Paragraph { flow, has_pipe };
        }
        verdict
    }
}

/// Whether the line begins another block though a paragraph is open (lists and quotes aside).
fn interrupts(rest: &str) -> bool {
    line::is_heading(rest)
        || line::is_rule(rest)
        || line::is_footnote(rest)
        || matches!(
            line::html_start(rest),
            Some(HtmlEnd::Text(_) | HtmlEnd::Blank)
        )
        || line::fence_opening(rest).is_some()
}
