//! Recorded answers of real providers, kept outside the repository: each decodes to its full text,
//! thinking, tool calls, usage and stop, in order and however it is split, and is `interrupted` when
//! it is cut.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use protocol::Wire;
use providers::{Decoded, decode};
use serde_json::Value;

/// Names the folder of the recordings.
const VARIABLE: &str = "PILOTFISH_TEST_STREAMS";

/// Where they are looked for otherwise: beside the checkout.
const BESIDE: &str = "../shared/streams/vercel-ai";

const PROVIDERS: [&str; 7] = [
    "deepseek",
    "groq",
    "mistral",
    "openai-compatible",
    "xai",
    "azure",
    "openai",
];

fn split(bytes: usize) -> NonZeroUsize {
    NonZeroUsize::new(bytes).unwrap()
}

/// The folder of the recordings; `None` when there is none.
///
/// # Panics
/// When a folder was named and is none: a test that was asked for does not pass unseen.
fn folder() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        let named = PathBuf::from(named);
        assert!(
            named.is_dir(),
            "{VARIABLE} names no folder: {}",
            named.display()
        );
        return Some(named);
    }
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3)?;
    Some(checkout.join(BESIDE)).filter(|beside| beside.is_dir())
}

/// The recordings of this wire, each as the chunks of its stream.
fn recordings() -> Option<Vec<(PathBuf, Vec<String>)>> {
    let root = folder()?;
    let mut found = Vec::new();
    for provider in PROVIDERS {
        for entry in std::fs::read_dir(root.join(provider)).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            // The wires are told apart by what their chunks call themselves.
            if text.contains(r#""chat.completion.chunk""#) {
                let chunks = text.lines().filter(|line| !line.trim().is_empty());
                found.push((path.clone(), chunks.map(str::to_owned).collect()));
            }
        }
    }
    Some(found)
}

fn stream(chunks: &[String], newline: &str) -> String {
    chunks
        .iter()
        .map(|chunk| format!("data: {chunk}{newline}{newline}"))
        .collect()
}

/// What a stream says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    text: String,
    thinking: String,
    arguments: String,
    /// The types of its parts, in order; a call is one part however it was cut.
    order: Vec<&'static str>,
    input: Option<u64>,
    output: Option<u64>,
    cached: Option<u64>,
    thought: Option<u64>,
    stop: String,
}

impl Said {
    fn add(&mut self, part: &'static str, more: &str) {
        if more.is_empty() {
            return;
        }
        match part {
            "text" => self.text += more,
            _ => self.thinking += more,
        }
        if self.order.last() != Some(&part) {
            self.order.push(part);
        }
    }
}

/// Taken from the stream without our mapper.
fn said(chunks: &[String]) -> Said {
    fn texts(value: &Value) -> String {
        match value {
            Value::Array(pieces) => pieces.iter().map(|piece| texts(&piece["text"])).collect(),
            Value::String(text) => text.clone(),
            _ => String::new(),
        }
    }
    let mut said = Said::default();
    let mut calls = HashSet::new();
    for chunk in chunks {
        let chunk: Value = serde_json::from_str(chunk).unwrap();
        let delta = &chunk["choices"][0]["delta"];
        for field in ["reasoning_content", "reasoning"] {
            said.add("thinking", delta[field].as_str().unwrap_or_default());
        }
        match &delta["content"] {
            Value::Array(pieces) => {
                for piece in pieces {
                    said.add("thinking", &texts(&piece["thinking"]));
                    said.add("text", &texts(&piece["text"]));
                }
            }
            content => said.add("text", &texts(content)),
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            said.arguments += call["function"]["arguments"].as_str().unwrap_or_default();
            if calls.insert(call["index"].as_u64()) {
                said.order.push("tool_call");
            }
        }
        if let Some(reason) = chunk["choices"][0]["finish_reason"].as_str() {
            said.stop = match reason {
                "tool_calls" => "tool_use",
                "length" => "max_tokens",
                _ => "end_turn",
            }
            .to_owned();
        }
        let usage = &chunk["usage"];
        if let (Some(input), Some(total)) = (
            usage["prompt_tokens"].as_u64(),
            usage["total_tokens"].as_u64(),
        ) {
            said.input = Some(input);
            said.output = Some(total - input);
            said.cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64();
            said.thought = usage["completion_tokens_details"]["reasoning_tokens"]
                .as_u64()
                .or(usage["reasoning_tokens"].as_u64());
        }
    }
    said
}

/// The same of what we decoded, and whether the usage and the stop come last.
fn heard(decoded: &Decoded) -> (Said, bool) {
    let mut heard = Said::default();
    let mut types = Vec::new();
    for line in &decoded.lines {
        let line: Value = serde_json::from_str(line).unwrap();
        let kind = line["type"].as_str().unwrap();
        match kind {
            "text" => heard.add("text", line["text"].as_str().unwrap()),
            "thinking" => heard.add("thinking", line["text"].as_str().unwrap()),
            "tool_call" => {
                heard.arguments += line["arguments"].as_str().unwrap();
                heard.order.push("tool_call");
                assert!(line["id"].is_string() && line["name"].is_string(), "{line}");
            }
            "usage" => {
                heard.input = line["input_tokens"].as_u64();
                heard.output = line["output_tokens"].as_u64();
                heard.cached = line["cached_tokens"].as_u64();
                heard.thought = line["thinking_tokens"].as_u64();
            }
            "stop" => heard.stop = line["reason"].as_str().unwrap().to_owned(),
            other => panic!("{other} has no place here: {line}"),
        }
        types.push(kind.to_owned());
    }
    (
        heard,
        types.ends_with(&["usage".to_owned(), "stop".to_owned()]),
    )
}

#[test]
fn recorded_answers_decode_whole_split_and_cut() {
    let Some(recordings) = recordings() else {
        // Written past the harness, which would swallow it: a skipped test must be seen.
        std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("skipped: no recordings; name their folder in {VARIABLE}\n").as_bytes(),
        )
        .unwrap();
        return;
    };
    assert!(
        recordings.len() >= 17,
        "recordings of this wire: {}",
        recordings.len()
    );
    for (path, chunks) in &recordings {
        let name = path.display();
        let whole_stream = format!("{}data: [DONE]\n\n", stream(chunks, "\n"));
        let whole = decode(Wire::Chat, whole_stream.as_bytes(), NonZeroUsize::MAX).unwrap();
        assert!(whole.complete, "{name}: {:?}", whole.lines.last());
        let (heard, closes) = heard(&whole);
        assert_eq!(heard, said(chunks), "{name}");
        assert!(closes, "{name} ends with its usage and its stop");
        assert!(!heard.order.is_empty(), "{name} says something");
        assert!(heard.input.is_some() && heard.output.is_some(), "{name}");

        for bytes in [1, 2, 3, 7, 4_096] {
            let pieces = decode(Wire::Chat, whole_stream.as_bytes(), split(bytes)).unwrap();
            assert_eq!(pieces, whole, "{name} by {bytes}");
        }
        for newline in ["\r", "\r\n"] {
            let other = decode(Wire::Chat, stream(chunks, newline).as_bytes(), split(5)).unwrap();
            assert_eq!(other, whole, "{name}: other line ends, and no DONE");
        }
        // Cut before the finish: in the middle of a chunk, and between two.
        let finish = chunks
            .iter()
            .position(|chunk| {
                let chunk: Value = serde_json::from_str(chunk).unwrap();
                chunk["choices"][0]["finish_reason"].is_string()
            })
            .unwrap();
        let before = stream(&chunks[..finish], "\n");
        let halved = format!(
            "{before}data: {}",
            &chunks[finish][..chunks[finish].len() / 2]
        );
        for cut in [before, halved] {
            let decoded = decode(Wire::Chat, cut.as_bytes(), split(64)).unwrap();
            let last: Value = serde_json::from_str(decoded.lines.last().unwrap()).unwrap();
            assert!(!decoded.complete, "{name} was cut");
            assert_eq!(
                (&last["type"], &last["kind"]),
                (&"error".into(), &"interrupted".into())
            );
        }
    }
}
