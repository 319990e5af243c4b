//! What a token costs late in a long answer: the incremental renderer against rendering all anew.
//! `scripts/bench` runs it; it prints one line of JSON with nanoseconds a token.

use std::error::Error;
use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

use markdown::{Renderer, render};

/// Length of the answer before the first measured token.
const LENGTH: usize = 100 * 1024;
/// Bytes of a token, about.
const TOKEN: usize = 4;

const TEXT: &str = "## A heading\n\nSome *words* with `code`, a [link](https://example.com/) and $x^2$, \
long enough to be a paragraph of an ordinary answer.\n\n- one\n- two\n\n```rust\nfn main() {\n    \
let answer = 42; // the answer\n}\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n";

fn main() -> Result<(), Box<dyn Error>> {
    let code = "    let answer = 42; // the answer\n";
    let item = "- an item of *some* length, with `code`\n";
    // Blocks that stay open are the hard case: nothing in them is finished.
    let texts = [
        ("an ordinary answer", "", TEXT),
        ("one open fence", "```rust\n", code),
        ("one open list", "", item),
    ];
    let costs: Vec<String> = texts
        .into_iter()
        .map(|(name, head, unit)| cost(name, head, unit))
        .collect();
    writeln!(io::stdout().lock(), "[{}]", costs.join(","))?;
    Ok(())
}

/// What a late token costs in a text of one kind, as JSON: rendered incrementally, rendered all anew,
/// and parsed all anew and not even rendered.
fn cost(name: &str, head: &str, unit: &str) -> String {
    let long = format!("{head}{}", unit.repeat(LENGTH / unit.len() + 80));
    let (before, after) = long.split_at(LENGTH);
    let incremental = late_token(before, after);
    let anew = each_anew(before, after, |text| drop(render(text)));
    let parser = each_anew(before, after, |text| {
        black_box(pulldown_cmark::Parser::new(text).count());
    });
    format!(
        "{{\"name\":\"{name}\",\"incremental_ns\":{incremental},\"anew_ns\":{anew},\
         \"parser_ns\":{parser}}}"
    )
}

/// Nanoseconds a token when each has the whole text rendered.
fn each_anew(before: &str, after: &str, render: impl Fn(&str)) -> u128 {
    let mut whole = before.to_owned();
    let late: Vec<&str> = pieces(after).take(20).collect();
    let start = Instant::now();
    for piece in &late {
        whole.push_str(piece);
        render(&whole);
    }
    start.elapsed().as_nanos() / late.len() as u128
}

/// Nanoseconds a token of what comes after a long text.
fn late_token(before: &str, after: &str) -> u128 {
    let mut renderer = Renderer::new();
    for piece in pieces(before) {
        drop(renderer.push(piece));
    }
    let late: Vec<&str> = pieces(after).take(500).collect();
    let start = Instant::now();
    for piece in &late {
        drop(renderer.push(piece));
    }
    start.elapsed().as_nanos() / late.len() as u128
}

/// The text in tokens; it is ASCII, so that any cut is one between characters.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    (0..text.len())
        .step_by(TOKEN)
        .map(|at| &text[at..(at + TOKEN).min(text.len())])
}
