//! A parser's events to HTML, each written by rules of our own. Nothing is passed through; whatever
//! is not known here is text or nothing.

use pulldown_cmark::{Alignment, BlockQuoteKind, CodeBlockKind, Event, LinkType, Tag, TagEnd};
use url::Url;

use crate::code::Cache;
use crate::escape::push_text;
use crate::{link, math};

/// Elements that would nest deeper are left out; their text stays.
const MAX_NESTING: usize = 100;

/// What is gathered before it can be written.
enum Gathered {
    Code {
        info: String,
        source: String,
    },
    Image {
        destination: String,
        alt: String,
        inner: usize,
    },
}

/// Writes events as HTML, a block after the other.
pub(super) struct Writer<'c> {
    out: String,
    /// The blocks that are whole.
    pub(super) blocks: Vec<String>,
    /// Bytes in `blocks`.
    written: usize,
    limit: usize,
    /// Whether there is more HTML than the limit allows.
    pub(super) is_over: bool,
    /// End tags of the open elements; empty where the element was left out.
    open: Vec<&'static str>,
    gathered: Option<Gathered>,
    alignments: Vec<Alignment>,
    column: usize,
    in_head: bool,
    /// Where the open paragraph's content begins, and how many events it had.
    paragraph: (usize, usize),
    /// Labels of the footnotes that are defined here.
    pub(super) footnotes: Vec<String>,
    cache: &'c mut Cache,
}

impl<'c> Writer<'c> {
    /// A writer of at most about `limit` bytes.
    pub(super) fn new(cache: &'c mut Cache, limit: usize) -> Self {
        Self {
            out: String::new(),
            blocks: Vec::new(),
            written: 0,
            limit,
            is_over: false,
            open: Vec::new(),
            gathered: None,
            alignments: Vec::new(),
            column: 0,
            in_head: false,
            paragraph: (0, 0),
            footnotes: Vec::new(),
            cache,
        }
    }

    /// Takes the next event; `is_footnote` says whether a label refers to a footnote.
    pub(super) fn event(&mut self, event: Event<'_>, is_footnote: impl Fn(&str) -> bool) {
        self.paragraph.1 += 1;
        if self.gathered.is_some() {
            return self.gather(event);
        }
        match event {
            Event::InlineHtml(tag) if matches!(&*tag, "<br>" | "<br/>" | "<br />") => {
                self.out.push_str("<br>");
            }
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                push_text(&mut self.out, &text);
            }
            Event::Code(text) => {
                self.out.push_str("<code>");
                push_text(&mut self.out, &text);
                self.out.push_str("</code>");
            }
            Event::InlineMath(source) => math::push_math(&mut self.out, &source, false),
            Event::DisplayMath(source) => math::push_math(&mut self.out, &source, true),
            Event::FootnoteReference(label) => {
                let (before, after) = if is_footnote(&label) {
                    ("<sup class=\"footnote-ref\">", "</sup>")
                } else {
                    ("[^", "]")
                };
                self.out.push_str(before);
                push_text(&mut self.out, &label);
                self.out.push_str(after);
            }
            Event::SoftBreak => self.out.push('\n'),
            Event::HardBreak => self.out.push_str("<br>"),
            Event::Rule => self.out.push_str("<hr>"),
            Event::TaskListMarker(is_done) => {
                let checked = if is_done { " checked" } else { "" };
                self.out
                    .push_str("<input class=\"task\" type=\"checkbox\" disabled");
                self.out.push_str(checked);
                self.out.push('>');
            }
        }
        self.close_block();
    }

    /// Ends the block when nothing in it is open, and looks at its size.
    fn close_block(&mut self) {
        self.is_over |= self.written + self.out.len() > self.limit;
        if self.open.is_empty() && self.gathered.is_none() && !self.out.is_empty() {
            self.written += self.out.len();
            self.blocks.push(std::mem::take(&mut self.out));
        }
    }

    /// Opens an element, or leaves it out where too many are open.
    fn element(&mut self, start: &str, end: &'static str) {
        if self.open.len() >= MAX_NESTING {
            self.open.push("");
            return;
        }
        self.out.push_str(start);
        self.open.push(end);
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => {
                self.element("<p>", "</p>");
                self.paragraph = (self.out.len(), 0);
            }
            Tag::Heading { level, .. } => {
                let (start, end) = HEADINGS[level as usize - 1];
                self.element(start, end);
            }
            Tag::BlockQuote(kind) => self.element(quote(kind), "</blockquote>"),
            Tag::CodeBlock(kind) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.gathered = Some(Gathered::Code {
                    info,
                    source: String::new(),
                });
            }
            Tag::HtmlBlock => self.element("<p class=\"raw\">", "</p>"),
            Tag::List(None) => self.element("<ul>", "</ul>"),
            Tag::List(Some(1)) => self.element("<ol>", "</ol>"),
            Tag::List(Some(start)) => {
                self.element(&format!("<ol start=\"{start}\">"), "</ol>");
            }
            Tag::Item => self.element("<li>", "</li>"),
            Tag::FootnoteDefinition(label) => {
                let mut start =
                    String::from("<div class=\"footnote\"><span class=\"footnote-label\">");
                push_text(&mut start, &label);
                start.push_str("</span>");
                self.element(&start, "</div>");
                self.footnotes.push(label.into_string());
            }
            Tag::Table(alignments) => {
                self.alignments = alignments;
                self.element("<div class=\"table\"><table>", "</tbody></table></div>");
            }
            Tag::TableHead => {
                self.in_head = true;
                self.column = 0;
                self.element("<thead><tr>", "</tr></thead><tbody>");
            }
            Tag::TableRow => {
                self.column = 0;
                self.element("<tr>", "</tr>");
            }
            Tag::TableCell => {
                let alignment = self.alignments.get(self.column).unwrap_or(&Alignment::None);
                let (start, end) = cell(self.in_head, *alignment);
                self.column += 1;
                self.element(start, end);
            }
            Tag::Emphasis => self.element("<em>", "</em>"),
            Tag::Strong => self.element("<strong>", "</strong>"),
            Tag::Strikethrough => self.element("<del>", "</del>"),
            Tag::Link {
                link_type,
                dest_url,
                ..
            } => {
                let is_mail = link_type == LinkType::Email && !dest_url.starts_with("mailto:");
                let url = if is_mail {
                    link::safe_link(&format!("mailto:{dest_url}"))
                } else {
                    link::safe_link(&dest_url)
                };
                match url {
                    Some(url) => {
                        let mut start = String::from("<a class=\"link\" data-href=\"");
                        push_text(&mut start, url.as_str());
                        start.push_str("\" role=\"link\" tabindex=\"0\">");
                        self.element(&start, "</a>");
                    }
                    None => self.element("", ""),
                }
            }
            Tag::Image { dest_url, .. } => {
                let destination = dest_url.into_string();
                self.gathered = Some(Gathered::Image {
                    destination,
                    alt: String::new(),
                    inner: 0,
                });
            }
            Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::Superscript
            | Tag::Subscript
            | Tag::MetadataBlock(_) => self.element("", ""),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        let end = self.open.pop().unwrap_or_default();
        self.out.push_str(end);
        match tag {
            TagEnd::TableHead => self.in_head = false,
            TagEnd::Paragraph if !end.is_empty() => self.lift_display_math(),
            _ => {}
        }
    }

    /// A formula that is all of a paragraph stands by itself.
    fn lift_display_math(&mut self) {
        let (content, events) = self.paragraph;
        let body = self.out.get(content..).unwrap_or_default();
        let inner = body
            .strip_prefix("<span class=\"math-display\">")
            .and_then(|body| body.strip_suffix("</span></p>"));
        if events != 2 {
            return;
        }
        if let Some(inner) = inner {
            let block = format!("<div class=\"math-display\">{inner}</div>");
            self.out.truncate(content - "<p>".len());
            self.out.push_str(&block);
        }
    }

    fn gather(&mut self, event: Event<'_>) {
        let Some(gathered) = &mut self.gathered else {
            return;
        };
        match (gathered, event) {
            (Gathered::Code { source, .. }, Event::Text(text)) => source.push_str(&text),
            (Gathered::Image { inner, .. }, Event::Start(_)) => *inner += 1,
            (Gathered::Image { inner, .. }, Event::End(_)) if *inner > 0 => *inner -= 1,
            (_, Event::End(_)) => self.release(),
            (
                Gathered::Image { alt, .. },
                Event::Text(text)
                | Event::Code(text)
                | Event::InlineHtml(text)
                | Event::InlineMath(text)
                | Event::DisplayMath(text),
            ) => alt.push_str(&text),
            (Gathered::Image { alt, .. }, Event::SoftBreak | Event::HardBreak) => alt.push(' '),
            _ => {}
        }
        self.close_block();
    }

    fn release(&mut self) {
        match self.gathered.take() {
            Some(Gathered::Code { info, source }) => {
                let html = self.cache.render(&info, &source);
                self.out.push_str(&html);
            }
            Some(Gathered::Image {
                destination, alt, ..
            }) => self.image(&destination, &alt),
            None => {}
        }
    }

    fn image(&mut self, destination: &str, alt: &str) {
        let url = link::safe_link(destination);
        let Some((url, host)) = url
            .as_ref()
            .and_then(|url| Some((url, Url::host_str(url)?)))
        else {
            push_text(&mut self.out, alt);
            return;
        };
        self.out.push_str("<span class=\"image-chip\" data-src=\"");
        push_text(&mut self.out, url.as_str());
        self.out
            .push_str("\" role=\"button\" tabindex=\"0\">image: ");
        push_text(&mut self.out, host);
        if !alt.is_empty() {
            self.out.push_str(" · ");
            push_text(&mut self.out, alt);
        }
        self.out.push_str("</span>");
    }
}

const HEADINGS: [(&str, &str); 6] = [
    ("<h1>", "</h1>"),
    ("<h2>", "</h2>"),
    ("<h3>", "</h3>"),
    ("<h4>", "</h4>"),
    ("<h5>", "</h5>"),
    ("<h6>", "</h6>"),
];

fn quote(kind: Option<BlockQuoteKind>) -> &'static str {
    match kind {
        None => "<blockquote>",
        Some(BlockQuoteKind::Note) => {
            "<blockquote class=\"alert alert-note\"><p class=\"alert-title\">Note</p>"
        }
        Some(BlockQuoteKind::Tip) => {
            "<blockquote class=\"alert alert-tip\"><p class=\"alert-title\">Tip</p>"
        }
        Some(BlockQuoteKind::Important) => {
            "<blockquote class=\"alert alert-important\"><p class=\"alert-title\">Important</p>"
        }
        Some(BlockQuoteKind::Warning) => {
            "<blockquote class=\"alert alert-warning\"><p class=\"alert-title\">Warning</p>"
        }
        Some(BlockQuoteKind::Caution) => {
            "<blockquote class=\"alert alert-caution\"><p class=\"alert-title\">Caution</p>"
        }
    }
}

fn cell(in_head: bool, alignment: Alignment) -> (&'static str, &'static str) {
    match (in_head, alignment) {
        (true, Alignment::None) => ("<th>", "</th>"),
        (true, Alignment::Left) => ("<th class=\"left\">", "</th>"),
        (true, Alignment::Center) => ("<th class=\"center\">", "</th>"),
        (true, Alignment::Right) => ("<th class=\"right\">", "</th>"),
        (false, Alignment::None) => ("<td>", "</td>"),
        (false, Alignment::Left) => ("<td class=\"left\">", "</td>"),
        (false, Alignment::Center) => ("<td class=\"center\">", "</td>"),
        (false, Alignment::Right) => ("<td class=\"right\">", "</td>"),
    }
}
