//! Recorded answers of real providers, kept outside the repository: each decodes to its full text,
//! thinking and tool calls however it is split, and is `interrupted` when it is cut.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use protocol::Wire;
use providers::{Decoded, decode};
use serde_json::Value;

/// The recordings, relative to this crate: beside the repository.
const RECORDINGS: &str = "../../../../shared/streams/vercel-ai";

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

/// The recordings of this wire, each as the chunks of its stream.
fn recordings() -> Option<Vec<(PathBuf, Vec<String>)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORDINGS);
    if !root.is_dir() {
        return None;
    }
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

/// What a stream says, taken from it without our mapper: text, thinking and arguments.
fn said(chunks: &[String]) -> (String, String, String) {
    fn texts(value: &Value, key: &str) -> String {
        match value {
            Value::Array(pieces) => pieces.iter().map(|piece| texts(&piece[key], key)).collect(),
            Value::String(text) => text.clone(),
            _ => String::new(),
        }
    }
    let (mut text, mut thinking, mut arguments) = (String::new(), String::new(), String::new());
    for chunk in chunks {
        let chunk: Value = serde_json::from_str(chunk).unwrap();
        let delta = &chunk["choices"][0]["delta"];
        match &delta["content"] {
            Value::Array(pieces) => {
                for piece in pieces {
                    text += &texts(&piece["text"], "text");
                    thinking += &texts(&piece["thinking"], "text");
                }
            }
            content => text += &texts(content, "text"),
        }
        thinking += delta["reasoning_content"].as_str().unwrap_or_default();
        thinking += delta["reasoning"].as_str().unwrap_or_default();
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            arguments += call["function"]["arguments"].as_str().unwrap_or_default();
        }
    }
    (text, thinking, arguments)
}

/// The same of what we decoded, with the types of the lines in order.
fn heard(decoded: &Decoded) -> ((String, String, String), Vec<String>) {
    let (mut text, mut thinking, mut arguments) = (String::new(), String::new(), String::new());
    let mut types = Vec::new();
    for line in &decoded.lines {
        let line: Value = serde_json::from_str(line).unwrap();
        let kind = line["type"].as_str().unwrap();
        match kind {
            "text" => text += line["text"].as_str().unwrap(),
            "thinking" => thinking += line["text"].as_str().unwrap(),
            "tool_call" => {
                arguments += line["arguments"].as_str().unwrap();
                assert!(line["id"].is_string() && line["name"].is_string(), "{line}");
            }
            _ => {}
        }
        types.push(kind.to_owned());
    }
    ((text, thinking, arguments), types)
}

#[test]
fn recorded_answers_decode_whole_split_and_cut() {
    let Some(recordings) = recordings() else {
        // Written past the harness, which would swallow it: a skipped test must be seen.
        std::io::Write::write_all(
            &mut std::io::stderr(),
            b"skipped: the recordings are not on this machine (shared/streams/vercel-ai)\n",
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
        let (heard, types) = heard(&whole);
        assert_eq!(heard, said(chunks), "{name}");
        assert_eq!(types.last().map(String::as_str), Some("stop"), "{name}");
        assert!(
            heard.0.len() + heard.1.len() + heard.2.len() > 0,
            "{name} says something"
        );

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
