//! Which marks stand around formulas. Models write `$x$`, `$$x$$`, `\(x\)` and `\[x\]`, and they
//! write prices, shell variables and escaped brackets. The parser knows dollar signs only, and takes
//! any two for a formula; so the marks are paired here, after rules that tell money from mathematics,
//! and the text is marked for the parser in a way that leaves it no choice.

use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

/// The formulas of a text, and the dollar signs that belong to none.
#[derive(Debug, Default)]
pub(crate) struct Formulas {
    pairs: Vec<Pair>,
    dollars: Vec<Mark>,
}

/// Where a formula begins in a marked text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The first byte of its opening mark.
    pub start: usize,
    /// Whether it stands by itself, larger, and not in the line.
    pub is_display: bool,
}

/// A formula's marks.
#[derive(Clone, Copy, Debug)]
struct Pair {
    open: Mark,
    close: Mark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    at: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `$`, and how many more of them follow.
    Dollars(usize),
    /// `\(` or `\[`; whether it is the latter.
    Open { is_display: bool },
    /// `\)` or `\]`.
    Close { is_display: bool },
}

impl Mark {
    fn length(self) -> usize {
        match self.kind {
            Kind::Dollars(count) => count,
            Kind::Open { .. } | Kind::Close { .. } => 2,
        }
    }

    fn is_display(self) -> bool {
        match self.kind {
            Kind::Dollars(count) => count == 2,
            Kind::Open { is_display } | Kind::Close { is_display } => is_display,
        }
    }
}

impl Formulas {
    /// Finds the formulas of a text, which is read with the given options and without formulas.
    pub(crate) fn find(text: &str, options: Options) -> Self {
        let mut formulas = Self::default();
        if !(text.contains('$') || text.contains("\\(") || text.contains("\\[")) {
            return formulas;
        }
        let mut leaf = Leaf::new(text);
        // Depth of what holds text that is no prose: code blocks and bare addresses.
        let mut opaque = 0_usize;
        for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
            match event {
                Event::Text(_) if opaque == 0 => leaf.text(range),
                Event::Start(tag) => match tag {
                    Tag::CodeBlock(_)
                    | Tag::Link {
                        link_type: LinkType::Autolink | LinkType::Email,
                        ..
                    } => opaque += 1,
                    Tag::Emphasis
                    | Tag::Strong
                    | Tag::Strikethrough
                    | Tag::Link { .. }
                    | Tag::Image { .. } => opaque += usize::from(opaque > 0),
                    _ => leaf.end(&mut formulas),
                },
                Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough) => {
                    opaque = opaque.saturating_sub(1);
                }
                Event::End(TagEnd::Link | TagEnd::Image) => opaque = opaque.saturating_sub(1),
                Event::End(end) => {
                    if end == TagEnd::CodeBlock {
                        opaque = 0;
                    }
                    leaf.end(&mut formulas);
                }
                _ => {}
            }
        }
        leaf.end(&mut formulas);
        formulas
    }

    /// Whether there is no formula.
    pub(crate) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The text for the parser, and where its formulas begin: every pair in dollar signs, every
    /// other dollar sign escaped.
    pub(crate) fn marked(&self, text: &str) -> (String, Vec<Place>) {
        let mut marked = String::with_capacity(text.len() + self.dollars.len());
        let mut places = Vec::with_capacity(self.pairs.len());
        let mut marks: Vec<(Mark, Option<bool>)> = self
            .dollars
            .iter()
            .map(|mark| (*mark, None))
            .chain(
                self.pairs
                    .iter()
                    .flat_map(|pair| [(pair.open, Some(true)), (pair.close, Some(false))]),
            )
            .collect();
        marks.sort_unstable_by_key(|(mark, _)| mark.at);
        let mut from = 0;
        for (mark, opens) in marks {
            marked.push_str(text.get(from..mark.at).unwrap_or_default());
            from = mark.at + mark.length();
            if opens == Some(true) {
                places.push(Place {
                    start: marked.len(),
                    is_display: mark.is_display(),
                });
            }
            match (opens, mark.kind) {
                (None, _) => marked.extend((0..mark.length()).map(|_| "\\$")),
                (Some(_), Kind::Dollars(1)) => marked.push('$'),
                (Some(_), _) => marked.push_str("$$"),
            }
        }
        marked.push_str(text.get(from..).unwrap_or_default());
        (marked, places)
    }

    /// Compares the places with where the parser saw formulas. When they differ, keeps the formulas
    /// that it saw, or none when it saw others.
    pub(crate) fn keep(&mut self, places: &[Place], seen: &[usize]) -> bool {
        if places
            .iter()
            .map(|place| place.start)
            .eq(seen.iter().copied())
        {
            return true;
        }
        let mut seen = seen.iter().copied().peekable();
        let mut pairs = Vec::with_capacity(self.pairs.len());
        for (pair, place) in self.pairs.drain(..).zip(places) {
            if seen.next_if_eq(&place.start).is_some() {
                pairs.push(pair);
            } else {
                let dollars = [pair.open, pair.close].into_iter();
                self.dollars
                    .extend(dollars.filter(|mark| matches!(mark.kind, Kind::Dollars(_))));
            }
        }
        if seen.peek().is_none() {
            self.pairs = pairs;
        }
        false
    }
}

/// The run of text that formulas do not go beyond: a paragraph, a heading, a table's cell.
struct Leaf<'t> {
    text: &'t str,
    /// Pairs so far, none within another.
    pairs: Vec<Pair>,
    /// Marks that wait for their other half, each in more braces than the one before.
    open: Vec<(Mark, i64)>,
    dollars: Vec<Mark>,
    /// How many braces are open.
    depth: i64,
    /// Text before this has been looked at; `None` before the first mark.
    looked: Option<usize>,
}

impl<'t> Leaf<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            pairs: Vec::new(),
            open: Vec::new(),
            dollars: Vec::new(),
            depth: 0,
            looked: None,
        }
    }

    /// Takes the next stretch of prose.
    fn text(&mut self, range: Range<usize>) {
        let bytes = self.text.as_bytes();
        let mut at = range.start;
        while at < range.end {
            let kind = match bytes.get(at) {
                Some(b'$') => {
                    let rest = bytes.get(at..range.end).unwrap_or_default();
                    Kind::Dollars(rest.iter().take_while(|b| **b == b'$').count())
                }
                Some(b'(') => Kind::Open { is_display: false },
                Some(b'[') => Kind::Open { is_display: true },
                Some(b')') => Kind::Close { is_display: false },
                Some(b']') => Kind::Close { is_display: true },
                _ => {
                    at += 1;
                    continue;
                }
            };
            let before = bytes.get(..at).unwrap_or_default();
            let slashes = before.iter().rev().take_while(|b| **b == b'\\').count();
            let is_escaped = slashes % 2 == 1;
            match kind {
                // The first of some dollar signs is text when it is escaped; the others are not.
                Kind::Dollars(_) if is_escaped => at += 1,
                Kind::Dollars(count) => {
                    self.mark(Mark { at, kind });
                    at += count;
                }
                _ => {
                    if is_escaped {
                        let at = at - 1;
                        self.mark(Mark { at, kind });
                    }
                    at += 1;
                }
            }
        }
    }

    fn mark(&mut self, mark: Mark) {
        self.look(mark.at);
        self.looked = Some(mark.at + mark.length());
        if let Kind::Dollars(_) = mark.kind {
            self.dollars.push(mark);
        }
        if let Some((open, depth)) = self.open.last().copied()
            && depth == self.depth
        {
            if self.is_pair(open, mark) {
                self.open.pop();
                while self.pairs.pop_if(|pair| pair.open.at > open.at).is_some() {}
                self.pairs.push(Pair { open, close: mark });
                return;
            }
            if matches!(mark.kind, Kind::Close { .. }) {
                return;
            }
            // No dollar sign stands in a formula, unless in braces; and what opened before it
            // closes no more.
            self.open.pop();
        }
        if self.can_open(mark) {
            self.open.push((mark, self.depth));
        }
    }

    /// Looks at what stands between the last mark and the next: braces, and dollar signs of which
    /// the parser may think otherwise.
    fn look(&mut self, to: usize) {
        let between = self.looked.and_then(|from| self.text.get(from..to));
        let mut bytes = between.unwrap_or_default().bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => drop(bytes.next()),
                b'{' => self.depth += 1,
                b'}' => {
                    while self
                        .open
                        .pop_if(|(_, depth)| *depth >= self.depth)
                        .is_some()
                    {}
                    self.depth -= 1;
                }
                b'$' => self.open.clear(),
                _ => {}
            }
        }
    }

    fn can_open(&self, mark: Mark) -> bool {
        match mark.kind {
            Kind::Dollars(1) => !self.is_word(mark.at, -1) && !self.is_space(mark.at, 1),
            Kind::Dollars(count) => count == 2 && !self.is_word(mark.at, -1),
            Kind::Open { .. } => true,
            Kind::Close { .. } => false,
        }
    }

    /// Whether the second mark closes what the first opened.
    fn is_pair(&self, open: Mark, close: Mark) -> bool {
        let is_same = match (open.kind, close.kind) {
            (Kind::Dollars(1), Kind::Dollars(1)) => !self.is_space(close.at, -1),
            (Kind::Dollars(2), Kind::Dollars(2)) => true,
            (Kind::Open { is_display }, Kind::Close { is_display: other }) => {
                return is_display == other && close.at > open.at + 2;
            }
            _ => false,
        };
        is_same
            && !self.is_price(open, close)
            && close.at > open.at + open.length()
            && (!self.is_word(close.at + close.length(), 0) || self.is_ordinal(close))
    }

    /// Whether what stands between is a number and words, as in `$5, or 6$`.
    fn is_price(&self, open: Mark, close: Mark) -> bool {
        let between = self.text.get(open.at + open.length()..close.at);
        let between = between.unwrap_or_default();
        let is_word = |word: &str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_alphabetic());
        between.starts_with(|c: char| c.is_ascii_digit())
            && !between.contains(['\\', '{'])
            && between.split_ascii_whitespace().any(is_word)
    }

    /// Whether an ordinal's ending follows, as in `$n$th`.
    fn is_ordinal(&self, close: Mark) -> bool {
        let after = close.at + close.length();
        ["th", "st", "nd", "rd"]
            .iter()
            .any(|ending| self.text.get(after..after + 2) == Some(ending))
            && !self.is_word(after + 2, 0)
    }

    fn byte(&self, at: usize, by: isize) -> Option<u8> {
        let at = at.checked_add_signed(by)?;
        self.text.as_bytes().get(at).copied()
    }

    fn is_word(&self, at: usize, by: isize) -> bool {
        self.byte(at, by).is_some_and(|b| b.is_ascii_alphanumeric())
    }

    fn is_space(&self, at: usize, by: isize) -> bool {
        self.byte(at, by).is_none_or(|b| b.is_ascii_whitespace())
    }

    /// Ends the run and hands over what it had.
    fn end(&mut self, formulas: &mut Formulas) {
        let mut pairs = self.pairs.iter().peekable();
        for mark in self.dollars.drain(..) {
            while pairs.next_if(|pair| pair.close.at < mark.at).is_some() {}
            // What stands within a formula is the formula's.
            if pairs.peek().is_none_or(|pair| mark.at < pair.open.at) {
                formulas.dollars.push(mark);
            }
        }
        formulas.pairs.append(&mut self.pairs);
        self.open.clear();
        self.depth = 0;
        self.looked = None;
    }
}
