//! Hostile text: nothing that loads and nothing that runs comes out, finished or growing. The judge
//! is a reader of HTML that knows only what may occur and refuses everything else.

use markdown::{Renderer, render, safe_link, to_html};

use crate::forms::FORMS;

mod forms;

const ELEMENTS: &[&str] = &[
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "ul",
    "ol",
    "li",
    "div",
    "span",
    "pre",
    "code",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "em",
    "strong",
    "del",
    "a",
    "sup",
    "hr",
    "br",
    "input",
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
];

const VOID: &[&str] = &["hr", "br", "input"];

/// The attributes that may occur on any element; all of them are inert. `data-href` and
/// `data-src` hold addresses and are checked as such.
const ATTRIBUTES: &[&str] = &[
    "class",
    "data-lang",
    "data-href",
    "data-src",
    "role",
    "tabindex",
    "type",
    "disabled",
    "checked",
    "start",
    "display",
    "displaystyle",
    "scriptlevel",
    "mathvariant",
    "stretchy",
    "symmetric",
    "largeop",
    "movablelimits",
    "maxsize",
    "width",
    "height",
    "depth",
    "linethickness",
];

/// Reads one block and fails at the first thing that may not be there.
fn judge(html: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find(['<', '>', '"', '\'', '\0']) {
        if !rest[at..].starts_with('<') {
            return Err(format!("bare {:?}", &rest[at..=at]));
        }
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('/') {
            let (name, after) = after.split_once('>').ok_or("an end tag without end")?;
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes nothing"));
            }
            rest = after;
            continue;
        }
        let length = rest.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
        let (name, mut tag) = rest.split_at(length.ok_or("a tag without end")?);
        if !ELEMENTS.contains(&name) {
            return Err(format!("<{name}>"));
        }
        while let Some(attribute) = tag.strip_prefix(' ') {
            let length = attribute
                .find(|c: char| !c.is_ascii_lowercase() && c != '-')
                .ok_or("an attribute without end")?;
            let (key, after) = attribute.split_at(length);
            if !ATTRIBUTES.contains(&key) {
                return Err(format!("{key} on <{name}>"));
            }
            let Some(quoted) = after.strip_prefix("=\"") else {
                tag = after;
                continue;
            };
            let (value, after) = quoted.split_once('"').ok_or("an open quote")?;
            if value.contains(['<', '>', '\'']) {
                return Err(format!("{value:?} in {key}"));
            }
            if key.starts_with("data-") && key != "data-lang" {
                let address = value.replace("&#39;", "'").replace("&amp;", "&");
                safe_link(&address).ok_or_else(|| format!("{key} is {address:?}"))?;
            }
            if name == "input" && key == "type" && value != "checkbox" {
                return Err(format!("an input of type {value}"));
            }
            tag = after;
        }
        rest = tag
            .strip_prefix('>')
            .ok_or_else(|| format!("odd end of <{name}: {tag:.20}"))?;
        if !VOID.contains(&name) {
            open.push(name);
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(format!("left open: {open:?}"))
    }
}

#[test]
fn the_judge_refuses_what_it_must() {
    for html in [
        "<script>x</script>",
        "<p onclick=\"x\">a</p>",
        "<p style=\"x\">a</p>",
        "<img src=\"x\">",
        "<a href=\"https://example.com\">a</a>",
        "<p>",
        "</p>",
        "<p>\"</p>",
        "<p a>x</p>",
        "a<b",
        "<a data-href=\"javascript:alert(1)\">x</a>",
        "<input type=\"image\">",
        "<p id=\"x\">a</p>",
        "<math><annotation-xml>x</annotation-xml></math>",
        "<svg></svg>",
        "<p class='x'>a</p>",
    ] {
        assert!(judge(html).is_err(), "{html}");
    }
}

fn assert_safe(html: &str, source: &str) {
    let verdict = judge(html);
    assert!(
        verdict.is_ok(),
        "{verdict:?}\n  in   {html}\n  from {source:?}"
    );
}

/// Judges the text whole and after each of its characters.
fn judge_text(text: &str) {
    for block in render(text) {
        assert_safe(&block.html, text);
    }
    let mut renderer = Renderer::new();
    for c in text.chars() {
        let patch = renderer.push(c.encode_utf8(&mut [0; 4]));
        for block in patch.append.iter().chain(&patch.tail) {
            assert_safe(&block.html, text);
        }
    }
    for block in renderer.finish().append {
        assert_safe(&block.html, text);
    }
}

#[test]
fn hostile_forms_are_inert_in_every_place() {
    assert!(FORMS.len() >= 100, "{}", FORMS.len());
    for form in FORMS {
        for wrapped in [
            (*form).to_owned(),
            format!("Some text {form} goes on *here*.\n\nAnd `more`."),
            format!("- item\n\n  {}\n- next {form}", form.replace('\n', "\n  ")),
            format!(
                "> {}\n\n| a | b |\n|---|---|\n| {form} | x |\n",
                form.replace('\n', "\n> ")
            ),
            format!("**{form}** [{form}](https://example.com/) ![{form}](https://example.com/)"),
            format!("```rust\n{form}\n```\n\n```nonesuch\n{form}"),
        ] {
            judge_text(&wrapped);
        }
    }
}

#[test]
fn only_three_schemes_become_links() {
    for text in [
        "[x](https://example.com/a?b=c&d)",
        "<http://example.com>",
        "<a@b.example>",
        "[x](mailto:a@b.example)",
    ] {
        assert_eq!(to_html(text).matches("data-href=").count(), 1, "{text}");
    }
    for text in FORMS
        .iter()
        .filter(|form| form.contains("script:") || form.contains("data:"))
    {
        assert!(!to_html(text).contains("data-href="), "{text}");
    }
}

#[test]
fn addresses_are_checked() {
    let good = [
        "https://example.com/",
        "http://127.0.0.1:8080/x?y#z",
        "mailto:a@b.example",
        "https://müller.example/ü",
    ];
    for url in good {
        assert!(safe_link(url).is_some(), "{url}");
    }
    let long = format!("https://example.com/{}", "a".repeat(2_048));
    let bad = [
        "",
        "example.com",
        "/x",
        "#x",
        "//example.com",
        "javascript:alert(1)",
        " https://example.com",
        "https://example.com ",
        "https://example.com\n",
        "\u{a0}https://example.com",
        "https://\u{202e}moc.example",
        "https://a\u{200d}b.example",
        "https://a@example.com",
        "https://:@example.com",
        "https://@example.com",
        "https:\\\\a@example.com",
        "https://",
        "http:",
        "ftp://example.com",
        "mailto:",
        "mailto:a",
        "https://example.com/\u{2028}",
        "https://example.com/\u{7f}",
        "https://exa mple.com",
        "file:///x",
        "data:,x",
        "https://example.com/\u{e0041}",
        &long,
    ];
    for url in bad {
        assert!(safe_link(url).is_none(), "{url:?}");
    }
}

#[test]
fn images_are_chips() {
    assert_eq!(
        to_html("![a \"cat\"](https://img.example/c.png?x=1&y=2)"),
        "<p><span class=\"image-chip\" data-src=\"https://img.example/c.png?x=1&amp;y=2\" \
         role=\"button\" tabindex=\"0\">image: img.example · a &quot;cat&quot;</span></p>\n"
    );
    assert_eq!(to_html("![cat](cat.png)"), "<p>cat</p>\n");
}
