//! What is a formula and what is money: models write both, often in one sentence.

use markdown::to_html;
use pretty_assertions::assert_eq;

/// How many formulas are shown in the line, and how many by themselves.
fn formulas(text: &str) -> (usize, usize) {
    let html = to_html(text);
    let display = html.matches("class=\"math-display\"").count();
    (html.matches("<math").count() - display, display)
}

#[test]
fn money_and_variables_are_text() {
    for text in [
        "Basic ($10/mo) and Pro ($20/mo)",
        "**$5** vs **$10**",
        "$5-$10",
        "from $5 to $10, $15 or $20 (US$30)",
        "$PATH:$HOME",
        "echo $HOME/$USER",
        "costs $5, and 10$ more",
        "$1,000 | $2,000",
        "`$a` and $5 and `b$`",
        "a $$ b",
        "$ x $",
        "5$ and 6$",
        "\\$5 and \\$6$",
        "$5 ($$",
        "$$$ and $$$",
        "$",
        "$$",
        "$$$$",
        "a\\\\(b\\\\) c\\\\[d\\\\]",
        "\\(a",
        "a\\)",
        "\\)a\\(",
        "\\(a\\]",
        "\\[a\n\nb\\]",
        "`\\(a\\)`",
        "```\n\\(a\\) $b$\n```",
        "    \\[a\\] $b$",
        "<https://example.com/$a$b$>",
        "[x](https://example.com/$a$b)",
    ] {
        assert_eq!(formulas(text), (0, 0), "{text}: {}", to_html(text));
    }
    assert_eq!(
        to_html("Basic ($10/mo) and **$20**"),
        "<p>Basic ($10/mo) and <strong>$20</strong></p>\n"
    );
    assert_eq!(to_html("$5 \\(x"), "<p>$5 (x</p>\n");
}

#[test]
fn formulas_are_drawn() {
    for (text, expected) in [
        ("$x^2$", (1, 0)),
        ("the $n$th and $k$-th of ($a$, $b$)", (4, 0)),
        ("$5$ apples at $2 and $x$", (2, 0)),
        ("Pay $5 for $x$", (1, 0)),
        ("**$a$** and *$b$*", (2, 0)),
        ("数$x$の", (1, 0)),
        ("$\\text{if $a$ holds}$", (1, 0)),
        ("$$x$$", (0, 1)),
        ("Then $$x = 1$$ holds", (0, 1)),
        ("$$\nx\n$$", (0, 1)),
        ("> $$\n> x\n> $$", (0, 1)),
        ("\\(x\\)", (1, 0)),
        ("\\( a_1 * b_2 * c_3 \\)", (1, 0)),
        ("\\[x\\]", (0, 1)),
        (
            "\\[\n\\begin{aligned}\na &= b \\\\[4pt]\n&= c\n\\end{aligned}\n\\]",
            (0, 1),
        ),
        ("\\(a\\)\\(b\\)$c$", (3, 0)),
        ("$5 is \\(x\\) and \\$6", (1, 0)),
        ("- \\(a\\)\n- \\[b\\]\n- $c$", (2, 1)),
        ("| \\(a\\) | $b$ |\n|---|---|\n| $5 | $6 |", (2, 0)),
        ("\\[ \\text{if \\(x\\)} \\]", (0, 1)),
        ("`$` and \\(x\\) and `$`", (1, 0)),
        ("# \\(x\\) and $y$", (2, 0)),
        ("[\\(x\\)](https://example.com)", (1, 0)),
    ] {
        assert_eq!(formulas(text), expected, "{text}: {}", to_html(text));
    }
    assert_eq!(to_html("\\(x\\)"), to_html("$x$"));
    assert_eq!(to_html("\\[x\\]"), to_html("$$x$$"));
}

#[test]
fn many_prices_hide_no_formula() {
    let prices: String = (1..60).map(|n| format!("${n} or ")).collect();
    assert_eq!(formulas(&format!("{prices}$x$ and \\(y\\)")), (2, 0));
}

#[test]
fn what_nests_without_braces_is_shown_as_its_source() {
    for link in [
        "\\frac1",
        "\\frac{1}",
        "\\frac é",
        "\\sqrt[3]",
        "\\binom1",
        "\\frac{\\frac12}",
    ] {
        let source = format!("${}x$", link.repeat(200));
        let html = to_html(&source);
        assert!(html.contains("math-error"), "{link}: {html:.200}");
    }
    // Side by side is no depth.
    for side in ["\\frac{1}{2}", "\\frac12", "\\sqrt{2}+", "\\binom{n}{k}"] {
        let source = format!("${}x$", side.repeat(100));
        assert_eq!(formulas(&source), (1, 0), "{side}");
    }
}
