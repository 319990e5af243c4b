//! Recorded answers of real providers, kept outside the repository: each decodes to its full text,
//! thinking, tool calls, usage and stop, in order and however it is split, and is `interrupted` when
//! it is cut, with all that had come by then. Each wire has a module with a reading of its streams
//! that shares no code with ours; what is no answer of a wire that we speak is named here.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod chat;
mod gemini;
mod messages;
mod responses;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use protocol::Wire;
use providers::{Decoded, decode};
use serde_json::Value;

/// Names the folder of the recordings.
const VARIABLE: &str = "PILOTFISH_TEST_STREAMS";

/// Where they are looked for otherwise: beside the checkout.
const BESIDE: &str = "../shared/streams/vercel-ai";

/// At how many places a recording is cut.
const CUTS: usize = 12;

/// Recordings that do not end as an answer does, each with its reason.
const EXCEPTIONS: &[(&str, Ending, &str)] = &[
    (
        "openai/openai-error.1",
        Ending::Fails("quota"),
        "the provider reports an error in place of an answer",
    ),
    (
        "openai/parallel-tool-call-wrapper.1",
        Ending::Mended,
        "two of its chunks, written by hand, lack their last brace, and are no JSON",
    ),
    ("google/basic", Ending::OtherWire, INTERACTIONS),
    ("google/google-search", Ending::OtherWire, INTERACTIONS),
    (
        "google/multi-turn-stateful-turn1",
        Ending::OtherWire,
        INTERACTIONS,
    ),
    (
        "google/multi-turn-stateful-turn2",
        Ending::OtherWire,
        INTERACTIONS,
    ),
    (
        "google/multi-turn-stateless-turn1",
        Ending::OtherWire,
        INTERACTIONS,
    ),
    (
        "google/multi-turn-stateless-turn2",
        Ending::OtherWire,
        INTERACTIONS,
    ),
    ("google/tool-call-step1", Ending::OtherWire, INTERACTIONS),
    ("google/tool-call-step2", Ending::OtherWire, INTERACTIONS),
];

const INTERACTIONS: &str = "Google's Interactions API, which is none of the wires that we speak";

/// How a recording ends that does not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// With an error of this kind.
    Fails(&'static str),
    /// Well, once its chunks were completed.
    Mended,
    /// It is of a wire that we do not speak.
    OtherWire,
}

/// What is known of a wire without our mapper.
struct Reading {
    wire: Wire,
    /// What a stream says, or the beginning of one.
    said: fn(&[Value]) -> Said,
    /// The number of the chunk with which the answer is whole.
    end: fn(&[Value]) -> Option<usize>,
    /// Whether the events carry the type of their chunk as their name.
    named: bool,
    /// What may follow the last chunk.
    farewell: &'static str,
    /// How many recordings there must be, at least.
    at_least: usize,
}

struct Recording {
    /// Its folder and its file, without the ending that all have.
    name: String,
    chunks: Vec<String>,
    values: Vec<Value>,
}

/// What a stream says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    text: String,
    thinking: String,
    /// The arguments of all calls, in the order of the calls.
    arguments: String,
    /// The types of its parts, in order; a call is one part however it was cut.
    order: Vec<&'static str>,
    input: Option<u64>,
    output: Option<u64>,
    cached: Option<u64>,
    thought: Option<u64>,
    /// The stop reason in our words.
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

/// All recordings, in the order of their names.
fn recordings() -> Option<Vec<Recording>> {
    let Some(root) = folder() else {
        // Written past the harness, which would swallow it: a skipped test must be seen.
        std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("skipped: no recordings; name their folder in {VARIABLE}\n").as_bytes(),
        )
        .unwrap();
        return None;
    };
    let mut found = Vec::new();
    for folder in std::fs::read_dir(root).unwrap() {
        let folder = folder.unwrap();
        if !folder.file_type().unwrap().is_dir() {
            continue;
        }
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            let chunks: Vec<String> = lines.map(str::to_owned).collect();
            let file = path.file_name().unwrap().to_str().unwrap();
            let file = file.strip_suffix(".chunks.txt").unwrap_or(file);
            let folder = folder.file_name();
            let name = format!("{}/{file}", folder.to_str().unwrap());
            let mended = exception(&name) == Some(Ending::Mended);
            let whole = |chunk: String| match serde_json::from_str::<Value>(&chunk) {
                Err(error) if mended && error.is_eof() => chunk + "}",
                _ => chunk,
            };
            let chunks: Vec<String> = chunks.into_iter().map(whole).collect();
            let value = |chunk: &String| serde_json::from_str(chunk).unwrap();
            // Some files hold the answers of a conversation, one after the other.
            let ends = |chunk: &String| {
                let marks = [
                    r#"{"type":"message_stop""#,
                    r#"{"type":"response.completed""#,
                ];
                marks.iter().any(|mark| chunk.starts_with(mark))
            };
            for (chunks, number) in chunks.split_inclusive(ends).zip(1..) {
                let numbered = format!("{name} ({number})");
                found.push(Recording {
                    name: if number == 1 { name.clone() } else { numbered },
                    values: chunks.iter().map(value).collect(),
                    chunks: chunks.to_vec(),
                });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Some(found)
}

/// The wire of a stream, told by what its chunks call themselves: a folder holds several.
fn wire_of(chunks: &[Value]) -> Option<Wire> {
    let kind = |chunk: &Value| chunk["type"].as_str().unwrap_or_default().to_owned();
    chunks.iter().find_map(|chunk| {
        if chunk["object"] == "chat.completion.chunk" {
            Some(Wire::Chat)
        } else if kind(chunk).starts_with("response.") {
            Some(Wire::Responses)
        } else if kind(chunk) == "message_start" {
            Some(Wire::Messages)
        } else if chunk["candidates"].is_array() {
            Some(Wire::Gemini)
        } else {
            None
        }
    })
}

fn exception(name: &str) -> Option<Ending> {
    let entry = EXCEPTIONS.iter().find(|(known, ..)| *known == name);
    entry.map(|(_, ending, _)| *ending)
}

/// The stream of some chunks, with or without the names of its events.
fn stream(chunks: &[String], named: bool, newline: &str) -> String {
    let event = |chunk: &String| {
        let value: Value = serde_json::from_str(chunk).unwrap();
        let name = match value["type"].as_str().filter(|_| named) {
            Some(name) => format!("event: {name}{newline}"),
            None => String::new(),
        };
        format!("{name}data: {chunk}{newline}{newline}")
    };
    chunks.iter().map(event).collect()
}

/// What we decoded, in the terms of the readings, and whether the usage and the stop come last.
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
            "error" => {}
            other => panic!("{other} has no place here: {line}"),
        }
        types.push(kind.to_owned());
    }
    (
        heard,
        types.ends_with(&["usage".to_owned(), "stop".to_owned()]),
    )
}

/// The kind of the error with which a stream ended.
fn error_kind(decoded: &Decoded) -> String {
    let last: Value = serde_json::from_str(decoded.lines.last().unwrap()).unwrap();
    assert_eq!(last["type"], "error", "{last}");
    last["kind"].as_str().unwrap().to_owned()
}

/// Holds all recordings of a wire against what they say.
fn judge(reading: &Reading) {
    let Some(recordings) = recordings() else {
        return;
    };
    let mut judged = 0;
    for recording in &recordings {
        if wire_of(&recording.values) != Some(reading.wire) {
            continue;
        }
        judged += 1;
        match exception(&recording.name) {
            Some(Ending::Fails(kind)) => judge_failure(reading, recording, kind),
            Some(Ending::OtherWire) => panic!("{} is of our wire", recording.name),
            None | Some(Ending::Mended) => {
                judge_whole(reading, recording);
                judge_cuts(reading, recording);
            }
        }
    }
    assert!(judged >= reading.at_least, "recordings: {judged}");
}

fn judge_failure(reading: &Reading, recording: &Recording, kind: &str) {
    for bytes in [1, 2, 3, 7, 4_096] {
        let stream = stream(&recording.chunks, reading.named, "\n");
        let decoded = decode(reading.wire, stream.as_bytes(), split(bytes)).unwrap();
        assert!(!decoded.complete, "{}", recording.name);
        assert_eq!(error_kind(&decoded), kind, "{}", recording.name);
    }
}

fn judge_whole(reading: &Reading, recording: &Recording) {
    let name = &recording.name;
    let whole_stream = stream(&recording.chunks, reading.named, "\n") + reading.farewell;
    let whole = decode(reading.wire, whole_stream.as_bytes(), NonZeroUsize::MAX).unwrap();
    assert!(whole.complete, "{name}: {:?}", whole.lines.last());
    let (heard, closes) = heard(&whole);
    assert_eq!(heard, (reading.said)(&recording.values), "{name}");
    assert!(closes, "{name} ends with its usage and its stop");
    assert!(heard.input.is_some() && heard.output.is_some(), "{name}");
    for bytes in [1, 2, 3, 7, 4_096] {
        let pieces = decode(reading.wire, whole_stream.as_bytes(), split(bytes)).unwrap();
        assert_eq!(pieces, whole, "{name} by {bytes}");
    }
    for newline in ["\r", "\r\n"] {
        let other = stream(&recording.chunks, false, newline);
        let other = decode(reading.wire, other.as_bytes(), split(5)).unwrap();
        assert_eq!(
            other, whole,
            "{name}: other line ends, no names, no farewell"
        );
    }
}

/// Cuts before the end, between two chunks and in the middle of one: what came is there, and it is
/// no success.
fn judge_cuts(reading: &Reading, recording: &Recording) {
    let end = (reading.end)(&recording.values).unwrap();
    for place in (0..=end).step_by(end / CUTS + 1).chain([end]) {
        let before = stream(&recording.chunks[..place], reading.named, "\n");
        let next = &recording.chunks[place];
        let half = (0..=next.len() / 2).rev();
        let half = half.into_iter().find(|at| next.is_char_boundary(*at));
        let halved = format!("{before}data: {}", &next[..half.unwrap()]);
        for cut in [before, halved] {
            let decoded = decode(reading.wire, cut.as_bytes(), split(64)).unwrap();
            let name = format!("{} cut at {place}", recording.name);
            assert!(!decoded.complete, "{name}");
            assert_eq!(error_kind(&decoded), "interrupted", "{name}");
            let (heard, _) = heard(&decoded);
            let said = (reading.said)(&recording.values[..place]);
            assert_eq!(
                (heard.text, heard.thinking, heard.order),
                (said.text, said.thinking, said.order),
                "{name}"
            );
        }
    }
}

#[test]
fn every_recording_is_of_a_wire_or_named() {
    let Some(recordings) = recordings() else {
        return;
    };
    for Recording { name, values, .. } in &recordings {
        let other = exception(name) == Some(Ending::OtherWire);
        assert_eq!(wire_of(values).is_none(), other, "{name}");
    }
    for (name, _, reason) in EXCEPTIONS {
        let known = recordings.iter().any(|recording| recording.name == *name);
        assert!(known, "{name} ({reason}) is no recording");
    }
}
