//! Cutting a text into blocks must not change what it means: the blocks are the same as when the
//! parser sees the text whole.

use proptest::prelude::*;

use super::*;

/// The text's blocks when the parser gets it in one piece.
fn uncut(text: &str) -> Vec<String> {
    let mut references = References::default();
    let (_, found) = document::render(text, &references, &mut Cache::default());
    references.settle(
        found,
        Waiting {
            text: 0..text.len(),
            blocks: 0..0,
            expanded: 0,
        },
        |_| 0,
    );
    document::render(text, &references, &mut Cache::default()).0
}

fn cut(text: &str) -> Vec<String> {
    crate::render(text)
        .into_iter()
        .map(|block| block.html)
        .collect()
}

/// What models write, line by line.
const LINES: &[&str] = &[
    "Some prose that goes on.",
    "More *words* and `code` here:",
    "",
    "",
    "",
    "# Heading",
    "## Part",
    "---",
    "***",
    "- item",
    "- **bold** item",
    "* star",
    "  - nested",
    "    - deeper",
    "  text in the item",
    "   text in a step",
    "1. first",
    "2. second",
    "3. third",
    "   - under it",
    "10. tenth",
    "- [ ] open",
    "- [x] done",
    "> quoted",
    "> - list in it",
    ">",
    "> [!NOTE]",
    "    four spaces",
    "  two spaces",
    "| a | b |",
    "|---|:-:|",
    "| 1 | 2 |",
    "$$",
    "x^2 + y",
    "Inline $a+b$ there.",
    "[ref] and [other][ref].",
    "[ref]: https://example.com/\n",
    "[^1]: A note.\n",
    "See[^1] and[^n].",
    "[^n]: Named.\n",
    "<div>",
    "</div>",
    "<details>",
    "===",
    "text <b>inline</b> html",
    "Term: `x`  ",
    "\\",
    "![i](https://example.com/i.png)",
    "-\titem",
    " -\titem",
    "1.\tstep",
    "-\t\tcode in it",
    "\tcontinued",
    "  \tcontinued",
    "<b>x</b>",
    "<kbd>A</kbd>+<kbd>B</kbd>",
    "[def]: https://example.com/d",
    "Of [def], [def][] and $5 or \\(x\\).",
    "\\[ a \\]",
    "\\[",
    "\\]",
    "From $5 to $10.",
];

/// Lines that only make sense together.
const GROUPS: &[&str] = &[
    "```rust\nfn main() {}\n\n# no heading\n```",
    "```\n- no list\n```",
    "~~~py\nx = 1\n~~~",
    "   ```sh\n   ls\n   ```",
    "1. Step:\n\n   ```sh\n   ls\n\n   cd\n   ```\n\n2. Next",
    "- a\n\n- b\n\n  c",
    "- a\n  ```js\n  x\n  ```\n- b",
    "<!-- a\n\nb -->",
    "<pre>\n\nx</pre>",
    "> ```\n> x\n> ```",
    "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |",
    "$$\n\\frac{a}{b}\n$$",
    "Head\n===",
    "Head\n---",
    "[two]: https://example.com/2\n- item\n- item",
    "[two]: https://example.com/2\n1. item",
    "- [two]\n\n  ```sh\n  ls\n\n  cd\n  ```\n- b",
    "-\titem\n\n\t```sh\n\tls\n\n\tcd\n\t```",
    "10. a\n    ```\n    b\n\n    c\n    ```",
    "\n<b>\n# no heading",
    "\n<a href=\"x\" b='y' c=z />\n- no item",
    "Prose\n<b>\n# Heading",
    "\n</b>\ntext",
    "<b>Title</b>\n```\na\n\nb\n```",
    "\\[\n\\frac{a}{b}\n\\]",
    "| a | b |\n\tcontinued\n|---|:-:|\n    - deeper",
];

fn texts() -> impl Strategy<Value = String> {
    let line = prop_oneof![4 => prop::sample::select(LINES), 1 => prop::sample::select(GROUPS)];
    prop::collection::vec(line, 0..14).prop_map(|lines| lines.join("\n") + "\n")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]

    #[test]
    fn cutting_changes_nothing(text in texts()) {
        prop_assert_eq!(cut(&text), uncut(&text), "{}", text);
        let windows = text.replace('\n', "\r\n");
        prop_assert_eq!(cut(&windows), uncut(&windows), "{}", windows);
    }

    #[test]
    fn nor_does_it_where_the_text_stops(text in texts(), at in 0_usize..400) {
        let prefix: String = text.chars().take(at).collect();
        // White space at the very end of an open fence is code to one and nothing to the other.
        let prefix = prefix.trim_end_matches([' ', '\t']);
        prop_assert_eq!(cut(prefix), uncut(prefix), "{}", prefix);
    }
}
