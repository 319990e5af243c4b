//! What a token costs late in a long answer: the incremental renderer against rendering all anew.
//! `scripts/bench` runs it; it prints one line of JSON with nanoseconds a token.

use std::error::Error;
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
    let long = TEXT.repeat(LENGTH / TEXT.len() + 8);
    let (before, after) = long.split_at(LENGTH);
    let incremental = late_token(before, after);

    let mut whole = before.to_owned();
    let all: Vec<&str> = pieces(after).take(20).collect();
    let start = Instant::now();
    for piece in &all {
        whole.push_str(piece);
        drop(render(&whole));
    }
    let anew = start.elapsed().as_nanos() / all.len() as u128;

    // Blocks that stay open are the hard case: nothing in them is finished.
    let line = "    let answer = 42; // the answer\n";
    let code = format!("```rust\n{}", line.repeat(LENGTH / line.len()));
    let fence = late_token(&code, &line.repeat(80));
    let item = "- an item of *some* length, with `code`\n";
    let list = late_token(&item.repeat(LENGTH / item.len()), &item.repeat(80));

    let line = format!(
        "{{\"incremental_ns\":{incremental},\"anew_ns\":{anew},\
         \"open_fence_ns\":{fence},\"open_list_ns\":{list}}}\n"
    );
    io::stdout().lock().write_all(line.as_bytes())?;
    Ok(())
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
