//! Text made to be slow, deep or huge is shown all the same, in a time that grows with its length
//! and in HTML that does.

use std::time::{Duration, Instant};

use markdown::{Renderer, render};

/// Bytes of a piece: small, as a server sends them.
const PIECE: usize = 256;

/// Renders the text whole and streamed; gives the bytes of HTML.
fn bounded(name: &str, text: &str) -> usize {
    let size: usize = render(text).iter().map(|block| block.html.len()).sum();
    stream(text);
    assert!(
        size <= 64 * text.len() + 64 * 1024,
        "{name}: {size} of {}",
        text.len()
    );
    size
}

fn stream(text: &str) {
    let mut renderer = Renderer::new();
    let mut from = 0;
    while from < text.len() {
        let to = text.ceil_char_boundary(from + PIECE);
        renderer.push(&text[from..to]);
        from = to;
    }
    renderer.finish();
}

/// Fails when four times the text takes eight times as long or more, in one run on one machine.
fn grows_evenly(name: &str, text: impl Fn(usize) -> String, n: usize) {
    let time = |n: usize| {
        let text = text(n);
        let begin = Instant::now();
        stream(&text);
        drop(render(&text));
        begin.elapsed()
    };
    // What else the machine does can only make it look worse: once well is well.
    let is_even = (0..8).any(|_| {
        // What is too short to be measured says nothing.
        let short = time(n).max(Duration::from_millis(2));
        time(4 * n) < 8 * short
    });
    assert!(is_even, "{name}: more than twice as much a byte");
}

#[test]
fn time_grows_with_the_length() {
    let page = "# A heading\n\nSome *prose* with `code` and a [link](https://example.com/).\n\n\
                - one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n$x^2$ for $5\n\n";
    grows_evenly("pages", |n| page.repeat(n), 100);
    grows_evenly("one paragraph", |n| "word *and* word ".repeat(n), 2_000);
    grows_evenly(
        "one line of code",
        |n| format!("```js\n{}", "a+b;".repeat(n)),
        8_000,
    );
    grows_evenly(
        "code",
        |n| format!("```rust\n{}", "let x = \"1\"; // a\n".repeat(n)),
        500,
    );
    grows_evenly("one list", |n| "- item of a *list*\n".repeat(n), 1_000);
    grows_evenly("one quote", |n| "> quoted\n".repeat(n), 2_000);
    grows_evenly("prices", |n| "$5 or ".repeat(n), 2_000);
    grows_evenly("formulas", |n| "$5$ \\(a\\) $$b$$ ".repeat(n), 400);
    grows_evenly("braces", |n| "${".repeat(n) + &"}$".repeat(n), 4_000);
    grows_evenly("slashes", |n| "\\".repeat(n) + "$", 20_000);
    grows_evenly("open tags", |n| "<a b='".repeat(n), 4_000);
    grows_evenly(
        "late references",
        |n| {
            let uses: String = (0..n).map(|n| format!("See [r{n}].\n\n")).collect();
            let ends = (0..n).map(|n| format!("[r{n}]: https://example.com/{n}\n\n"));
            uses + &ends.collect::<String>()
        },
        2_000,
    );
}

#[test]
fn deep_nesting_is_bounded() {
    for (name, text) in [
        ("quotes", "> ".repeat(10_000) + "x"),
        ("bullets", "- ".repeat(10_000) + "x"),
        ("numbers", "1. ".repeat(10_000) + "x"),
        ("open brackets", "[".repeat(10_000) + "x"),
        ("brackets", "[".repeat(10_000) + "x" + &"]".repeat(10_000)),
        ("images", "![".repeat(10_000) + "x" + &"](a)".repeat(10_000)),
        ("emphasis", "*a **a ".repeat(10_000)),
        ("strong", "**".repeat(10_000) + "x" + &"**".repeat(10_000)),
        ("underscores", "_a __a ".repeat(10_000)),
        ("backticks", (1..400).map(|n| "`".repeat(n) + "x").collect()),
        ("tags", "<a ".repeat(20_000)),
        ("comments", "<!-- ".repeat(20_000)),
        ("declarations", "<!A ".repeat(20_000)),
        ("sections", "a <![CDATA[ ".repeat(20_000)),
        (
            "indented list",
            (0..300).map(|n| " ".repeat(2 * n) + "- x\n").collect(),
        ),
        ("entities", "&".repeat(100_000)),
        ("escapes", "\\".repeat(100_000)),
        ("dollars", "$a ".repeat(30_000)),
        ("braces", format!("${}${}", "{".repeat(4_000), "x")),
        (
            "nested braces",
            format!("${}x{}$", "{".repeat(1_900), "}".repeat(1_900)),
        ),
        ("roots", format!("${}x$", "\\sqrt ".repeat(600))),
        ("fractions", format!("${}x$", "\\frac1".repeat(600))),
        ("scripts", format!("$x{}$", "^x".repeat(1_500))),
        (
            "groups",
            format!("${}{}$", "\\left(".repeat(500), "\\right)".repeat(500)),
        ),
        ("begins", format!("${}$", "\\begin{matrix}".repeat(250))),
    ] {
        bounded(name, &text);
    }
}

#[test]
fn depth_is_cut_and_text_kept() {
    let html: String = render(&("> ".repeat(500) + "deep"))
        .iter()
        .map(|b| b.html.clone())
        .collect();
    assert!(html.matches("<blockquote>").count() <= 100);
    assert!(html.contains("deep"));
}

#[test]
fn one_line_of_a_megabyte() {
    bounded("prose", &"word and word ".repeat(75_000));
    bounded(
        "in a fence",
        &format!("```rust\n{}\n```\n", "let x = 1; ".repeat(95_000)),
    );
    bounded(
        "in a list",
        &format!("- a\n\n  ```js\n  {}\n  ```\n", "a+b;".repeat(250_000)),
    );
    bounded("no spaces", &"é".repeat(500_000));
    bounded("hash", &format!("# {}", "a*".repeat(500_000)));
}

#[test]
fn ten_megabytes() {
    let page = "# A heading\n\nSome *prose* with `code`, **bold** and a [link](https://example.com/).\n\n\
                - one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n$x^2$\n\n";
    let size = bounded("pages", &page.repeat(10 * 1024 * 1024 / page.len()));
    assert!(size > 10 * 1024 * 1024);
    bounded(
        "references",
        &"[a][b] [c]\n\n[d]: https://example.com/d\n\n".repeat(20_000),
    );
}

#[test]
fn little_text_makes_no_mountain_of_html() {
    let columns = "|a".repeat(1_000);
    let rule = "|-".repeat(1_000);
    let table = format!("{columns}\n{rule}\n{}\n", "|x\n".repeat(300));
    bounded("empty cells", &table.repeat(20));
    let url = "a".repeat(2_000);
    bounded(
        "one long address",
        &format!(
            "[a]: https://example.com/{url}\n\n{}",
            "[a]\n\n".repeat(20_000)
        ),
    );
    bounded(
        "one long address, afterwards",
        &format!(
            "{}[a]: https://example.com/{url}\n\n",
            "[a]\n\n".repeat(20_000)
        ),
    );
    bounded(
        "long addresses, afterwards, when nothing is shown anew any more",
        &format!(
            "{}{}",
            "[a] [b] [c] [d]\n\n".repeat(20_000),
            ["a", "b", "c", "d"]
                .map(|name| format!("[{name}]: https://example.com/{url}\n\n"))
                .concat()
        ),
    );
    bounded(
        "in one block",
        &format!(
            "[a]: https://example.com/{url}\n\n{}",
            "[a]\n".repeat(20_000)
        ),
    );
}

#[test]
fn late_definitions_cost_little() {
    let uses: String = (0..3_000).map(|n| format!("See [r{n}].\n\n")).collect();
    let definitions: String = (0..3_000)
        .map(|n| format!("[r{n}]: https://example.com/{n}\n\n"))
        .collect();
    let mut renderer = Renderer::new();
    renderer.push(&uses);
    let mut shown_again = 0;
    for line in definitions.split_inclusive("\n\n") {
        let patch = renderer.push(line);
        shown_again += patch
            .append
            .iter()
            .map(|block| block.html.len())
            .sum::<usize>();
    }
    assert!(shown_again < 8 * 1024 * 1024, "{shown_again}");
    renderer.finish();
    // At the end every one of them is a link.
    let blocks = render(&(uses + &definitions));
    assert_eq!(
        blocks
            .iter()
            .filter(|block| block.html.contains("data-href"))
            .count(),
        3_000
    );
}
