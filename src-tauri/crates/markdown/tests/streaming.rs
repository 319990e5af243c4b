//! Growing text: whatever the pieces, the window shows the same at every moment, and the whole
//! text's blocks at the end.

use markdown::{Patch, Renderer, render};
use pretty_assertions::assert_eq;
use proptest::prelude::*;

/// The window: what it shows after the patches so far.
#[derive(Clone, Debug, Default, PartialEq)]
struct Window {
    blocks: Vec<String>,
    tail: Option<String>,
}

impl Window {
    fn take(&mut self, patch: Patch) {
        let from = patch.from as usize;
        assert!(from <= self.blocks.len(), "{from} of {}", self.blocks.len());
        self.blocks.truncate(from);
        for block in patch.append {
            assert_eq!(block.index as usize, self.blocks.len());
            self.blocks.push(block.html);
        }
        if let Some(tail) = &patch.tail {
            assert_eq!(tail.index as usize, self.blocks.len());
        }
        self.tail = patch.tail.map(|block| block.html);
    }
}

fn whole(text: &str) -> Vec<String> {
    render(text).into_iter().map(|block| block.html).collect()
}

/// Feeds the text cut at the given places and checks every state on the way.
fn check(text: &str, cuts: &[usize]) {
    let mut renderer = Renderer::new();
    let mut window = Window::default();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([text.len()]) {
        let Some(piece) = text.get(from..cut) else {
            continue;
        };
        from = cut;
        window.take(renderer.push(piece));
        let mut at_once = Window::default();
        at_once.take(Renderer::new().push(&text[..cut]));
        assert_eq!(window, at_once, "prefix {:?}", &text[..cut]);
    }
    window.take(renderer.finish());
    assert_eq!(
        window,
        Window {
            blocks: whole(text),
            tail: None
        },
        "of {text:?}"
    );
}

fn every_char(text: &str) {
    let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).skip(1).collect();
    check(text, &cuts);
}

const FRAGMENTS: &[&str] = &[
    "Hello *world*, this is **bold** and `code`. ",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\r\n\r\n",
    " ",
    "    ",
    "\t",
    "x",
    "# Heading\n",
    "## Two ##\n",
    "===\n",
    "---\n",
    "***\n",
    "- - -\n",
    "- item\n",
    "* item\n",
    "+ [ ] task\n",
    "- [x] done\n",
    "1. one\n",
    "2. two\n",
    "10) ten\n",
    "  nested\n",
    "   - deeper\n",
    "-\n",
    "- ",
    "1.",
    "> quote\n",
    "> [!NOTE]\n> text\n",
    ">",
    "> > twice\n",
    "> - list\n",
    "```rust\nfn main() { let x = 1; }\n```\n",
    "```",
    "````\n",
    "~~~\n",
    "```py\n",
    "  ```\n",
    "   ```sh\n   ls -la\n   ```\n",
    "    indented code\n",
    "| a | b |\n|---|:-:|\n| 1 | 2 |\n",
    "|",
    "a|b\n-|-\n",
    "[ref]",
    "[text][ref]",
    "[Ref][]",
    "[ref]: https://example.com/a\n",
    "[ref]:",
    "[other]: <x>\n",
    "![alt][ref]",
    "![image](https://example.com/i.png)",
    "[link](https://example.com \"t\")",
    "[js](javascript:alert(1))",
    "<https://example.com>",
    "<a@b.example>",
    "note[^1]",
    "note[^n]",
    "[^1]: A note.\n",
    "[^n]: Another *note*.\n",
    "[^",
    "$x^2$",
    "$$\\frac{a}{b}$$",
    "$$\n\\sum_i x_i\n$$\n",
    "$",
    "\\(a\\)",
    "<div>\n",
    "</div>\n",
    "<script>alert(1)</script>\n",
    "<!-- a\n\nb -->\n",
    "<!--",
    "<b>x</b>",
    "-\titem\n",
    "\tcontinued\n",
    "\\[x\\]",
    "\\[\n",
    "\n\\]\n",
    "$5 and $10",
    "Title\n-",
    "<br>",
    "<details><summary>s</summary>\n",
    "<?php\n",
    "<![CDATA[\n",
    "&amp; &lt;script&gt; &#x27;",
    "é漢字🦀\u{2028}\u{202e}\0",
    "\\",
    "`",
    "``",
    "~~gone~~",
    "_",
    "**",
    "[",
    "]",
    "(",
    ")",
    "!",
];

fn texts() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(FRAGMENTS), 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_prefix_is_the_same_in_any_pieces(text in texts()) {
        every_char(&text);
    }

    #[test]
    fn any_cut_gives_the_whole(text in texts(), cuts in prop::collection::vec(0_usize..2_000, 0..8)) {
        let mut cuts: Vec<usize> =
            cuts.into_iter().filter(|cut| text.is_char_boundary(*cut)).collect();
        cuts.sort_unstable();
        cuts.dedup();
        check(&text, &cuts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn long_blocks_are_the_same_in_any_pieces(
        kind in 0_usize..6,
        lines in 40_usize..700,
        step in 997_usize..4_001,
    ) {
        let text: String = match kind {
            0 => (0..lines).map(|n| format!("- item {n} with some *words* to fill it\n")).collect(),
            1 => (0..lines).map(|n| format!("{n}. item\n\n   ```py\n   x = {n}\n   ```\n")).collect(),
            2 => (0..lines).map(|n| format!("prose {n} that goes on, é and **on** ")).collect(),
            3 => std::iter::once("```rust\n".to_owned())
                .chain((0..lines).map(|n| format!("    let x{n} = \"a\"; // {n}\n")))
                .collect(),
            4 => format!("```\n{}\nend\n```\nafter", "é0123456789".repeat(lines * 4)),
            _ => (0..lines).map(|n| format!("> line {n} of a long quote\r\n")).collect(),
        };
        let cuts: Vec<usize> =
            (1..text.len()).step_by(step).filter(|cut| text.is_char_boundary(*cut)).collect();
        check(&text, &cuts);
    }
}

#[test]
fn a_late_definition_changes_the_earlier_block() {
    let mut renderer = Renderer::new();
    let mut window = Window::default();
    window.take(renderer.push("See [the docs][d].\n\nMore.\n\n"));
    assert_eq!(window.blocks, ["<p>See [the docs][d].</p>", "<p>More.</p>"]);
    let patch = renderer.push("[d]: https://example.com/\n\n");
    assert_eq!(patch.from, 0);
    window.take(patch);
    assert_eq!(
        window.blocks[0],
        "<p>See <a class=\"link\" data-href=\"https://example.com/\" role=\"link\" \
         tabindex=\"0\">the docs</a>.</p>"
    );
    assert_eq!(window.blocks[1], "<p>More.</p>");
}

#[test]
fn finished_blocks_are_sent_once() {
    let text =
        "# Title\n\nProse.\n\n- a\n- b\n\n```rust\nfn f() {}\n```\n\nEnd of it[^1].\n\n[^1]: x\n";
    let mut renderer = Renderer::new();
    let mut sent = 0;
    for c in text.chars() {
        let patch = renderer.push(&c.to_string());
        assert_eq!(patch.from as usize, sent, "at {c:?}");
        sent += patch.append.len();
    }
    let patch = renderer.finish();
    assert_eq!(patch.from as usize, sent);
    assert_eq!(sent + patch.append.len(), render(text).len());
}

#[test]
fn a_long_fence_comes_in_chunks_that_join_to_its_text() {
    let lines: String = (0..1_000)
        .map(|n| format!("let line_{n} = {n};\n"))
        .collect();
    let text = format!("```rust\n{lines}```\n\nDone.");
    let blocks = whole(&text);
    let (code, prose) = blocks.split_at(blocks.len() - 1);
    assert_eq!(prose, ["<p>Done.</p>"]);
    assert!(code.len() >= 1_000 / 64);
    assert!(code[0].starts_with("<div class=\"code code-open\" data-lang=\"rust\">"));
    assert!(code[1].starts_with("<div class=\"code code-open code-more\""));
    assert!(code[code.len() - 1].starts_with("<div class=\"code code-more\""));
    let joined: String = code.iter().map(|html| text_of(html)).collect();
    assert_eq!(joined, lines);
}

/// The text between the tags.
fn text_of(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<').skip(1) {
        text.push_str(part.split_once('>').map_or("", |(_, text)| text));
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

#[test]
fn code_is_coloured_by_classes() {
    assert_eq!(
        whole("```diff\n- a\n+ <b>\n```"),
        [
            "<div class=\"code\" data-lang=\"diff\"><pre><code><span class=\"hl-deleted\">- a</span>\n\
          <span class=\"hl-inserted\">+ &lt;b&gt;</span>\n</code></pre></div>"
        ]
    );
    let rust = whole("- x\n  ```rust\n  fn f() {} // c\n  ```").concat();
    assert!(
        rust.contains("<span class=\"hl-comment\">// c</span>"),
        "{rust}"
    );
    let long = whole(&format!("```rust\n// {}\n```", "x".repeat(4_096))).concat();
    assert!(
        !long.contains("<span"),
        "a line too long for the grammar stays plain"
    );
}

#[test]
fn a_finished_renderer_takes_no_more() {
    let mut renderer = Renderer::new();
    renderer.push("a");
    renderer.finish();
    assert_eq!(
        renderer.push("b"),
        Patch {
            from: 1,
            append: vec![],
            tail: None
        }
    );
    assert_eq!(
        renderer.finish(),
        Patch {
            from: 1,
            append: vec![],
            tail: None
        }
    );
}

/// What a patch carries, in bytes.
fn weight(patch: &Patch) -> usize {
    patch
        .append
        .iter()
        .chain(&patch.tail)
        .map(|block| block.html.len())
        .sum()
}

#[test]
fn the_cost_of_a_piece_is_flat() {
    let item = "1. An item of *some* length, with `code` and a [link](https://example.com/x).\n";
    for (before, unit) in [
        ("", "plain words without any end "),
        ("", item),
        ("", "> quoted words\n"),
        ("", "a | b\n"),
        ("", "raw <b>words</b> and more of them "),
        (
            "```rust\n",
            "    let x: Vec<&str> = y.map(|z| z + 1); // \"why\"\n",
        ),
        ("```json\n", "{\"a\": [1, 2, \"b\"]}, "),
        ("```\n", "word & word "),
    ] {
        let mut renderer = Renderer::new();
        renderer.push(before);
        let mut heaviest = 0;
        for _ in 0..2_000 {
            heaviest = heaviest.max(weight(&renderer.push(unit)));
        }
        assert!(heaviest <= 8 * 1024, "{heaviest} for {unit:?}");
    }
}

#[test]
fn a_dash_makes_no_heading_for_a_moment() {
    let mut renderer = Renderer::new();
    let mut window = Window::default();
    window.take(renderer.push("Here are three points:\n"));
    for piece in ["-", " one", "\n-", " two\n\n", "Title\n=", "==="] {
        window.take(renderer.push(piece));
        let shown = format!("{window:?}");
        assert!(!shown.contains("<h"), "{piece:?}: {shown}");
    }
    window.take(renderer.finish());
    assert_eq!(window.blocks[2], "<h1>Title</h1>");
}

#[test]
fn a_list_is_a_list_again_after_an_item_too_long_to_be_rendered() {
    let long = "a long line of the item that goes on and on\n  ".repeat(400);
    let mut renderer = Renderer::new();
    let mut window = Window::default();
    window.take(renderer.push(&format!("- {long}\n")));
    assert!(
        window
            .tail
            .as_ref()
            .unwrap()
            .starts_with("<pre class=\"plain\">")
    );
    // What is shown rendered ends with a whole line.
    let rendered = window.blocks[0].trim_end_matches("</li></ul>");
    assert!(rendered.ends_with("on and on"), "{rendered}");
    window.take(renderer.push("- *next*\n"));
    assert_eq!(window.tail.unwrap(), "<ul><li><em>next</em></li></ul>");
}

#[test]
fn what_html_begins_is_told_from_a_whole_tag() {
    for title in ["<b>Title</b>", "<kbd>A</kbd>+<kbd>B</kbd>", "<a href=\"x>"] {
        let blocks = whole(&format!("{title}\n```\nlet x;\n\nlet y;\n```\n# After"));
        assert_eq!(blocks.len(), 3, "{blocks:?}");
        assert!(blocks[1].contains("let x;\n\nlet y;\n"), "{blocks:?}");
        assert_eq!(blocks[2], "<h1>After</h1>");
    }
}

#[test]
fn a_tab_after_a_marker_goes_to_its_column() {
    assert_eq!(
        whole("-\tfoo\n\n    bar\n\n  baz").concat(),
        "<ul><li><p>foo</p><p>bar</p></li></ul><p>baz</p>"
    );
    assert_eq!(
        whole(" -\tfoo\n\n    bar").concat(),
        "<ul><li><p>foo</p><p>bar</p></li></ul>"
    );
}

#[test]
fn what_models_write_for_looks_is_shown() {
    assert_eq!(
        whole("| a |\n|---|\n| b<br>c<br/>d<br />e<br id=x> |").concat(),
        "<div class=\"table\"><table><thead><tr><th>a</th></tr></thead><tbody>\
         <tr><td>b<br>c<br>d<br>e&lt;br id=x&gt;</td></tr></tbody></table></div>"
    );
    assert_eq!(
        whole("> [!NOTE]\n> Text").concat(),
        "<blockquote class=\"alert alert-note\"><p class=\"alert-title\">Note</p>\
         <p>Text</p></blockquote>"
    );
}
