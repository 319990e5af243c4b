//! Recorded answers, kept outside the repository: what is folded from one goes back as the items
//! that it was.

use std::path::{Path, PathBuf};

use pretty_assertions::assert_eq;
use protocol::{Part, ProviderBlob, ProviderId, Role, StopReason, Wire};
use serde_json::Value;

use super::super::encode;
use super::run;
use crate::catalog::Quirks;
use crate::{ErrorKind, ProviderEvent, Request, RequestMessage};

/// Names the folder of the recordings, which is looked for beside the checkout otherwise.
const VARIABLE: &str = "PILOTFISH_TEST_STREAMS";

const FOLDERS: [&str; 4] = ["openai", "azure", "open-responses", "xai"];

/// The answers of this wire among the recordings: their name, and the events of each. A recording may
/// hold several answers, one for each step of a turn.
fn answers() -> Vec<(String, Vec<Value>)> {
    let root = std::env::var_os(VARIABLE).map(PathBuf::from).or_else(|| {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3)?;
        Some(checkout.join("../shared/streams/vercel-ai")).filter(|beside| beside.is_dir())
    });
    let mut found = Vec::new();
    for folder in root
        .iter()
        .flat_map(|root| FOLDERS.map(|name| root.join(name)))
    {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            let name = name.trim_end_matches(".chunks.txt");
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                // The first and the last event of one recording lack their last brace.
                let event: Value = serde_json::from_str(line)
                    .or_else(|_| serde_json::from_str(&format!("{line}}}")))
                    .unwrap();
                match event["type"].as_str() {
                    Some("response.created") => found.push((name.to_owned(), vec![event])),
                    Some(_) => match found.last_mut().filter(|(last, _)| last == name) {
                        Some((_, events)) => events.push(event),
                        None => found.push((name.to_owned(), vec![event])),
                    },
                    None => {}
                }
            }
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

fn events_of(name: &str) -> Option<Vec<Value>> {
    let mut answers = answers().into_iter();
    answers
        .find(|(known, _)| known == name)
        .map(|found| found.1)
}

fn provider() -> ProviderId {
    "openai".parse().unwrap()
}

/// The parts of an answer, as a turn folds them.
fn folded(events: Vec<ProviderEvent>) -> Vec<Part> {
    fn blob_of(part: &mut Part) -> Option<&mut Option<ProviderBlob>> {
        match part {
            Part::Text { blob, .. } | Part::Thinking { blob, .. } | Part::ToolCall { blob, .. } => {
                Some(blob)
            }
            Part::Image { .. } | Part::File { .. } | Part::ToolResult { .. } => None,
        }
    }
    let kept = |data| {
        Some(ProviderBlob {
            wire: Wire::Responses,
            provider: provider(),
            model: "m".into(),
            data,
        })
    };
    let mut parts: Vec<Part> = Vec::new();
    let mut calls: Vec<(u32, usize)> = Vec::new();
    for event in events {
        let open = parts
            .last_mut()
            .and_then(blob_of)
            .is_some_and(|blob| blob.is_none());
        match event {
            ProviderEvent::Text(more) => match parts.last_mut() {
                Some(Part::Text { text, .. }) if open => *text += &more,
                _ => parts.push(Part::text(more)),
            },
            ProviderEvent::Thinking(more) => match parts.last_mut() {
                Some(Part::Thinking { text, .. }) if open => *text += &more,
                _ => parts.push(Part::Thinking {
                    text: more,
                    duration_ms: None,
                    blob: None,
                }),
            },
            ProviderEvent::ToolCall {
                index,
                id,
                name,
                arguments: more,
            } => {
                let known = calls.iter().find(|(call, _)| *call == index);
                let place = known.map_or(parts.len(), |(_, place)| *place);
                if place == parts.len() {
                    calls.push((index, place));
                    parts.push(Part::ToolCall {
                        id: id.unwrap_or_default(),
                        name: name.unwrap_or_default(),
                        arguments: String::new(),
                        blob: None,
                    });
                }
                if let Part::ToolCall { arguments, .. } = &mut parts[place] {
                    *arguments += &more;
                }
            }
            ProviderEvent::Blob(data) => {
                assert!(open, "a blob has the part that its item opened");
                let blob = parts.last_mut().and_then(blob_of).unwrap();
                *blob = kept(data);
            }
            ProviderEvent::Opaque(data) => parts.push(Part::Thinking {
                text: String::new(),
                duration_ms: None,
                blob: kept(data),
            }),
            ProviderEvent::Started { .. }
            | ProviderEvent::Reading { .. }
            | ProviderEvent::Usage(_)
            | ProviderEvent::Finished { .. } => {}
        }
    }
    parts
}

/// The items of an answer as its events told them, in the order of the answer.
fn told(events: &[Value]) -> Vec<Value> {
    let is_end = |event: &&Value| event["type"] == "response.output_item.done";
    let mut ends: Vec<&Value> = events.iter().filter(is_end).collect();
    ends.sort_by_key(|event| event["output_index"].as_u64());
    ends.into_iter()
        .map(|event| event["item"].clone())
        .collect()
}

/// What of them is to go back: reasoning that was left with the provider, which our requests forbid,
/// cannot, and what rests on it goes without its id.
fn expected(items: Vec<Value>) -> Vec<Value> {
    let mut unbound = false;
    let mut back = Vec::new();
    for mut item in items {
        if item["type"] == "reasoning" {
            let encrypted = item["encrypted_content"].is_string();
            unbound = !encrypted && item["content"].as_array().is_none_or(Vec::is_empty);
            if unbound {
                continue;
            }
        } else if unbound {
            item.as_object_mut().unwrap().remove("id");
        }
        let pieces = item.get_mut("content").and_then(Value::as_array_mut);
        for piece in pieces.into_iter().flatten() {
            if piece.get("logprobs").is_some() {
                piece["logprobs"] = Value::Array(Vec::new());
            }
        }
        back.push(item);
    }
    // Reasoning that led to nothing stays behind.
    while back.last().is_some_and(|last| last["type"] == "reasoning") {
        back.pop();
    }
    back
}

#[test]
fn what_is_folded_from_a_recording_goes_back_as_it_came() {
    let mut judged = 0;
    for (name, events) in answers() {
        if name == "openai-error.1" {
            continue;
        }
        judged += 1;
        let (heard, fault) = run(&events);
        assert_eq!(fault, None, "{name}");
        let request = Request {
            model: "m".into(),
            messages: vec![RequestMessage {
                role: Role::Assistant,
                parts: folded(heard),
            }],
            ..Request::default()
        };
        let body = encode(Some(&provider()), &request, &Quirks::default()).unwrap();
        let mut body: Value = serde_json::from_slice(&body).unwrap();
        let mut sent = body["input"].take();
        // No tool was run here, and each call is told so.
        let sent = sent.as_array_mut().unwrap();
        sent.retain(|item| {
            let output = item["type"].as_str().unwrap().ends_with("_call_output");
            !output || item["output"] != crate::wire::waiting::NOT_RUN
        });
        assert_eq!(*sent, expected(told(&events)), "{name}");
    }
    assert!(judged == 0 || judged >= 50, "{judged}");
}

fn texts(events: &[ProviderEvent]) -> (String, String) {
    let (mut text, mut thinking) = (String::new(), String::new());
    for event in events {
        match event {
            ProviderEvent::Text(more) => text += more,
            ProviderEvent::Thinking(more) => thinking += more,
            _ => {}
        }
    }
    (text, thinking)
}

#[test]
fn a_gateway_that_renames_its_items_is_understood() {
    let Some(events) = events_of("github-copilot-id-rotation.1") else {
        return;
    };
    let (heard, fault) = run(&events);
    assert_eq!(fault, None);
    let (text, thinking) = texts(&heard);
    assert_eq!(thinking, "**Counting character occurrences**");
    assert!(text.starts_with("There are **3** letter") && text.ends_with("**3, 8, and 9**."));
    let blobs: Vec<&Value> = heard
        .iter()
        .filter_map(|event| match event {
            ProviderEvent::Blob(data) => Some(data),
            _ => None,
        })
        .collect();
    assert_eq!((blobs.len(), &blobs[0]["id"]), (2, &"capture-id-8".into()));
    assert_eq!(blobs[1]["phase"], "final_answer");
    let started = ProviderEvent::Started {
        model: Some("gpt-5.3-codex".into()),
        response_id: Some("capture-id-1".into()),
    };
    assert_eq!(heard[0], started);
}

#[test]
fn an_error_of_the_provider_is_classified() {
    let Some(events) = events_of("openai-error.1") else {
        return;
    };
    let (heard, fault) = run(&events);
    assert_eq!(heard.len(), 1, "it was taken and no more");
    let code = Some("insufficient_quota".to_owned());
    assert_eq!(fault, Some((ErrorKind::Quota, code)));
}

#[test]
fn the_wrapper_of_parallel_calls_is_a_call() {
    let Some(events) = events_of("parallel-tool-call-wrapper.1") else {
        return;
    };
    let (heard, fault) = run(&events);
    assert_eq!(fault, None);
    let parts = folded(heard.clone());
    let [
        Part::ToolCall {
            id,
            name,
            arguments,
            ..
        },
    ] = parts.as_slice()
    else {
        panic!("{parts:?}");
    };
    assert_eq!((id.as_str(), name.as_str()), ("call_parallel", "parallel"));
    let arguments: Value = serde_json::from_str(arguments).unwrap();
    assert_eq!(arguments["tool_uses"][1]["parameters"]["city"], "Rome");
    let stop_reason = StopReason::ToolUse;
    assert_eq!(heard.last(), Some(&ProviderEvent::Finished { stop_reason }));
}

#[test]
fn searches_that_the_provider_runs_are_no_calls_of_ours() {
    let Some(events) = events_of("xai-x-search-tool") else {
        return;
    };
    let (heard, fault) = run(&events);
    assert_eq!(fault, None);
    let parts = folded(heard.clone());
    let kinds: Vec<&str> = parts
        .iter()
        .map(|part| match part {
            Part::Thinking { blob, .. } => blob.as_ref().unwrap().data["type"].as_str().unwrap(),
            Part::Text { .. } => "text",
            _ => "other",
        })
        .collect();
    let search = "web_search_call";
    let ran = "custom_tool_call";
    assert_eq!(kinds, [ran, ran, search, search, search, search, "text"]);
    let stop_reason = StopReason::EndTurn;
    assert_eq!(heard.last(), Some(&ProviderEvent::Finished { stop_reason }));
}
