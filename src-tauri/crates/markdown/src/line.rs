//! What a line of Markdown begins, told from that line alone, after the CommonMark rules for block
//! starts. Lines are given without their end.

/// Width of a line's leading white space in columns (tabs go to multiples of four) and the rest.
pub(crate) fn indent(line: &str) -> (usize, &str) {
    indent_from(line, 0)
}

/// The same of text that begins at the given column of its line.
fn indent_from(text: &str, column: usize) -> (usize, &str) {
    let mut at_column = column;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b' ' => at_column += 1,
            b'\t' => at_column += 4 - at_column % 4,
            _ => return (at_column - column, text.get(at..).unwrap_or_default()),
        }
    }
    (at_column - column, "")
}

/// Whether the line holds nothing but white space.
pub(crate) fn is_blank(line: &str) -> bool {
    line.bytes()
        .all(|b| matches!(b, b' ' | b'\t' | b'\x0b' | b'\x0c'))
}

/// The opening of a fenced code block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    /// `` ` `` or `~`.
    pub marker: u8,
    /// How many of them.
    pub length: usize,
    /// Columns before them, which code lines lose too.
    pub indent: usize,
    /// What stands after them.
    pub info: String,
}

/// A fence's opening, when the line is one.
pub(crate) fn fence_opening(line: &str) -> Option<Opening> {
    let (indent, rest) = indent(line);
    let marker = *rest.as_bytes().first()?;
    if indent > 3 || !matches!(marker, b'`' | b'~') {
        return None;
    }
    let length = rest.bytes().take_while(|b| *b == marker).count();
    let info = rest.get(length..)?.trim();
    let valid = length >= 3 && !(marker == b'`' && info.contains('`'));
    valid.then(|| Opening {
        marker,
        length,
        indent,
        info: info.to_owned(),
    })
}

/// Whether the line closes the fence.
pub(crate) fn closes_fence(line: &str, opening: &Opening) -> bool {
    let (indent, rest) = indent(line);
    let length = rest.bytes().take_while(|b| *b == opening.marker).count();
    indent <= 3 && length >= opening.length && rest.get(length..).is_some_and(is_blank)
}

/// Whether the rest of a line (after at most three columns) is an ATX heading.
pub(crate) fn is_heading(rest: &str) -> bool {
    let level = rest.bytes().take_while(|b| *b == b'#').count();
    (1..=6).contains(&level) && matches!(rest.as_bytes().get(level), None | Some(b' ' | b'\t'))
}

/// Whether the rest of a line is a thematic break.
pub(crate) fn is_rule(rest: &str) -> bool {
    let Some(marker @ (b'*' | b'-' | b'_')) = rest.bytes().next() else {
        return false;
    };
    rest.bytes().all(|b| b == marker || b == b' ' || b == b'\t')
        && rest.bytes().filter(|b| *b == marker).count() >= 3
}

/// Whether the rest of a line makes a heading of the paragraph before it.
pub(crate) fn is_setext_underline(rest: &str) -> bool {
    let trimmed = rest.trim_end_matches([' ', '\t']);
    !trimmed.is_empty()
        && (trimmed.bytes().all(|b| b == b'=') || trimmed.bytes().all(|b| b == b'-'))
}

/// Whether the rest of a line makes a table's head of the line before it.
pub(crate) fn is_table_rule(rest: &str) -> bool {
    rest.contains('|')
        && rest.contains('-')
        && rest
            .bytes()
            .all(|b| matches!(b, b'|' | b'-' | b':' | b' ' | b'\t'))
}

/// A list item's marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    /// The bullet, or the character after the number: items of one list share it.
    pub kind: u8,
    /// Whether it may begin a list in the middle of a paragraph.
    pub interrupts: bool,
    /// Columns that the item's further lines are indented by, from where the marker stands.
    pub width: usize,
    /// Whether what follows it is indented so far that it is code.
    pub is_code: bool,
}

/// A list item's marker, when the rest of a line, from the given column on, begins with one.
pub(crate) fn list_marker(rest: &str, column: usize) -> Option<Marker> {
    let bytes = rest.as_bytes();
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let kind = *bytes.get(digits)?;
    let fits = match kind {
        b'-' | b'*' | b'+' => digits == 0,
        b'.' | b')' => (1..=9).contains(&digits),
        _ => false,
    };
    let after = rest.get(digits + 1..)?;
    if !fits || !(after.is_empty() || after.starts_with([' ', '\t'])) {
        return None;
    }
    let (space, content) = indent_from(after, column + digits + 1);
    let starts_at_one = digits == 0 || rest.get(..digits)?.parse() == Ok(1);
    let padding = if content.is_empty() || space > 4 {
        1
    } else {
        space
    };
    Some(Marker {
        kind,
        interrupts: starts_at_one && !content.is_empty(),
        width: digits + 1 + padding,
        is_code: space > 4 && !content.is_empty(),
    })
}

/// A line without the white space and the marks of quotes and list items before its content.
pub(crate) fn content(line: &str) -> &str {
    let mut rest = indent(line).1;
    // As deep as anybody looks; deeper ones are taken for content.
    for _ in 0..16 {
        let marked = if is_rule(rest) {
            None
        } else {
            list_marker(rest, 0)
        };
        let inner = match marked {
            Some(_) => rest
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .get(1..),
            None => rest.strip_prefix('>'),
        };
        let Some(inner) = inner else { break };
        rest = indent(inner).1;
    }
    rest
}

/// Whether the rest of a line begins a footnote's definition.
pub(crate) fn is_footnote(rest: &str) -> bool {
    rest.strip_prefix("[^")
        .and_then(|rest| rest.split_once(']'))
        .is_some_and(|(label, rest)| !label.is_empty() && rest.starts_with(':'))
}

/// Whether the rest of a line is a link reference's definition that is whole: a label and an address.
/// Odd ones, and those with a title, are not known here and are taken for text.
pub(crate) fn is_definition(rest: &str) -> bool {
    let Some((label, rest)) = rest
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]:"))
    else {
        return false;
    };
    let address = rest.trim_matches([' ', '\t']);
    let is_plain = !address.is_empty()
        && address
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"<>()\\".contains(&b));
    is_plain && !is_blank(label) && !label.starts_with('^') && !label.contains(['[', ']', '\\'])
}

/// How a block of raw HTML ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HtmlEnd {
    /// After the line that holds this.
    Text(&'static str),
    /// At a blank line; may begin in the middle of a paragraph.
    Blank,
    /// At a blank line; begins only where no paragraph is open.
    BlankAlone,
}

impl HtmlEnd {
    /// Whether the line is the block's last.
    pub(crate) fn is_in(self, line: &str) -> bool {
        match self {
            Self::Text(end) => {
                let end = end.as_bytes();
                line.as_bytes()
                    .windows(end.len())
                    .any(|part| part.eq_ignore_ascii_case(end))
            }
            Self::Blank | Self::BlankAlone => false,
        }
    }
}

/// How the block of raw HTML ends that the rest of a line begins, when it begins one.
pub(crate) fn html_start(rest: &str) -> Option<HtmlEnd> {
    let inner = rest.strip_prefix('<')?;
    for (start, end) in [("!--", "-->"), ("?", "?>"), ("![CDATA[", "]]>")] {
        if inner.starts_with(start) {
            return Some(HtmlEnd::Text(end));
        }
    }
    if inner
        .strip_prefix('!')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
    {
        return Some(HtmlEnd::Text(">"));
    }
    let name_at = inner.strip_prefix('/').unwrap_or(inner);
    let length = name_at
        .bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || *b == b'-')
        .count();
    let (name, after) = name_at.split_at_checked(length)?;
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let bounded = after.is_empty() || after.starts_with([' ', '\t', '>']);
    for (tag, end) in [
        ("script", "</script>"),
        ("pre", "</pre>"),
        ("style", "</style>"),
        ("textarea", "</textarea>"),
    ] {
        if name == tag && bounded && !inner.starts_with('/') {
            return Some(HtmlEnd::Text(end));
        }
    }
    if (bounded || after.starts_with("/>")) && BLOCK_TAGS.contains(&name.as_str()) {
        return Some(HtmlEnd::Blank);
    }
    tag(inner)
        .is_some_and(is_blank)
        .then_some(HtmlEnd::BlankAlone)
}

/// What follows one complete tag, given without its `<`; `None` when there is none on the line
/// (CommonMark 0.31, open and closing tags).
fn tag(inner: &str) -> Option<&str> {
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\x0b' | '\x0c');
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let closing = inner.strip_prefix('/');
    let mut rest = closing.unwrap_or(inner).trim_start_matches(is_name);
    while closing.is_none() {
        let next = rest.trim_start_matches(is_space);
        if next.starts_with(['/', '>']) {
            break;
        }
        if next.len() == rest.len() {
            return None;
        }
        rest = attribute(next)?;
    }
    rest = rest.trim_start_matches(is_space);
    if closing.is_none() {
        rest = rest.strip_prefix('/').unwrap_or(rest);
    }
    rest.strip_prefix('>')
}

/// What follows an attribute.
fn attribute(text: &str) -> Option<&str> {
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\x0b' | '\x0c');
    let rest = text.strip_prefix(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':'))?;
    let rest = rest.trim_start_matches(|c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-')
    });
    let Some(value) = rest.trim_start_matches(is_space).strip_prefix('=') else {
        return Some(rest);
    };
    let value = value.trim_start_matches(is_space);
    if let Some(quote @ ('"' | '\'')) = value.chars().next() {
        return Some(value.get(1..)?.split_once(quote)?.1);
    }
    let after =
        value.trim_start_matches(|c: char| !matches!(c, ' ' | '"' | '\'' | '=' | '<' | '>' | '`'));
    (after.len() < value.len()).then_some(after)
}

/// Elements whose tags begin a block of raw HTML even in the middle of a paragraph
/// (CommonMark 0.31, HTML block kind 6).
const BLOCK_TAGS: [&str; 62] = [
    "address",
    "article",
    "aside",
    "base",
    "basefont",
    "blockquote",
    "body",
    "caption",
    "center",
    "col",
    "colgroup",
    "dd",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "frame",
    "frameset",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "iframe",
    "legend",
    "li",
    "link",
    "main",
    "menu",
    "menuitem",
    "nav",
    "noframes",
    "ol",
    "optgroup",
    "option",
    "p",
    "param",
    "search",
    "section",
    "summary",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "track",
    "ul",
];
