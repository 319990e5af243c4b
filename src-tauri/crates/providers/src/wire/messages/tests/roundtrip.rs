//! What a provider gave goes back to it as it came: recorded answers, folded into parts as the
//! engine folds them, become the blocks that were received.

use std::path::{Path, PathBuf};

use pretty_assertions::assert_eq;
use protocol::{Part, ProviderBlob, ProviderId, Role, Wire};
use serde_json::{Value, json};

use super::{begin, end, grow, message_stop, run, start, stream};
use crate::catalog::Quirks;
use crate::{ProviderEvent, Request, RequestMessage};

const MODEL: &str = "claude-fable-5-1";

fn maker() -> ProviderId {
    "anthropic".parse().unwrap()
}

/// Folds events into parts: text and thinking grow until something else comes or a blob closes them.
fn folded(events: Vec<ProviderEvent>) -> Vec<Part> {
    let tag = |data: Value| ProviderBlob {
        wire: Wire::Messages,
        provider: maker(),
        model: MODEL.to_owned(),
        data,
    };
    let mut parts: Vec<Part> = Vec::new();
    let mut calls: Vec<(u32, usize)> = Vec::new();
    for event in events {
        match event {
            ProviderEvent::Text(more) => match parts.last_mut() {
                Some(Part::Text { text, blob: None }) => text.push_str(&more),
                _ => parts.push(Part::text(more)),
            },
            ProviderEvent::Thinking(more) => match parts.last_mut() {
                Some(Part::Thinking {
                    text, blob: None, ..
                }) => text.push_str(&more),
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
                let known = calls.iter().find(|(known, _)| *known == index);
                let place = known.map_or(parts.len(), |(_, place)| *place);
                if place == parts.len() {
                    calls.push((index, place));
                    parts.push(Part::ToolCall {
                        id: id.unwrap(),
                        name: name.unwrap(),
                        arguments: String::new(),
                        blob: None,
                    });
                }
                if let Part::ToolCall { arguments, .. } = &mut parts[place] {
                    arguments.push_str(&more);
                }
            }
            ProviderEvent::Blob(data) => match parts.last_mut().unwrap() {
                Part::Text { blob, .. }
                | Part::Thinking { blob, .. }
                | Part::ToolCall { blob, .. } => {
                    assert_eq!(blob.replace(tag(data)), None);
                }
                other => panic!("{other:?} takes no blob"),
            },
            ProviderEvent::Opaque(data) => parts.push(Part::Thinking {
                text: String::new(),
                duration_ms: None,
                blob: Some(tag(data)),
            }),
            ProviderEvent::Started { .. }
            | ProviderEvent::Reading { .. }
            | ProviderEvent::Usage(_)
            | ProviderEvent::Finished { .. } => {}
        }
    }
    parts
}

/// The blocks that an answer of these parts is sent back as.
fn sent(parts: Vec<Part>, provider: &ProviderId, model: &str) -> Vec<Value> {
    let message = |role, parts| RequestMessage { role, parts };
    let request = Request {
        model: model.to_owned(),
        messages: vec![
            message(Role::User, vec![Part::text("go on")]),
            message(Role::Assistant, parts),
            message(Role::User, vec![Part::text("and now?")]),
        ],
        ..Request::default()
    };
    let quirks = Quirks::default();
    let body = crate::wire::encode(Wire::Messages, Some(provider), &request, &quirks).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let turns = body["messages"].as_array().unwrap();
    let answers = turns.iter().filter(|turn| turn["role"] == "assistant");
    let blocks = answers.flat_map(|turn| turn["content"].as_array().unwrap());
    blocks.cloned().collect()
}

/// The blocks of a stream, put together without our mapper.
fn received(events: &[Value]) -> Vec<Value> {
    let mut blocks: Vec<Value> = Vec::new();
    let mut input = String::new();
    for event in events {
        match event["type"].as_str().unwrap() {
            "message_start" => {
                let content = event["message"]["content"].as_array().unwrap();
                blocks.extend(content.iter().cloned());
            }
            "content_block_start" => {
                blocks.push(event["content_block"].clone());
                input.clear();
            }
            "content_block_delta" => {
                let block = blocks.last_mut().unwrap();
                for (field, value) in event["delta"].as_object().unwrap() {
                    match field.as_str() {
                        "type" => {}
                        "partial_json" => input += value.as_str().unwrap(),
                        "citation" => block["citations"]
                            .as_array_mut()
                            .unwrap()
                            .push(value.clone()),
                        "signature" => block["signature"] = value.clone(),
                        _ => {
                            let so_far = block[field].as_str().unwrap_or_default();
                            block[field] = json!(format!("{so_far}{}", value.as_str().unwrap()));
                        }
                    }
                }
            }
            "content_block_stop" if !input.is_empty() => {
                let block = blocks.last_mut().unwrap();
                block["input"] = serde_json::from_str(&input).unwrap();
            }
            _ => {}
        }
    }
    // The wire gives texts of nothing but blanks, and refuses them.
    blocks.retain(|block| {
        block["text"]
            .as_str()
            .is_none_or(|text| !text.trim().is_empty())
    });
    // A text that nothing is cited for may say so or not.
    for block in &mut blocks {
        if block["citations"] == json!([]) {
            block.as_object_mut().unwrap().remove("citations");
        }
    }
    blocks
}

/// The folder of the recordings, as the tests of this crate find it; `None` when there is none.
fn recordings() -> Option<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3)?;
    let named = std::env::var_os("PILOTFISH_TEST_STREAMS").map(PathBuf::from);
    let root = named.unwrap_or_else(|| checkout.join("../shared/streams/vercel-ai"));
    Some(root.join("anthropic")).filter(|folder| folder.is_dir())
}

#[test]
fn recorded_answers_go_back_as_they_came() {
    let Some(folder) = recordings() else {
        return;
    };
    let mut answers = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.display().to_string();
        // A message that begins in the middle of another is none that was received.
        if name.contains("spliced") {
            continue;
        }
        let lines = std::fs::read_to_string(&path).unwrap();
        let events: Vec<Value> = lines
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for events in events.split_inclusive(|event| event["type"] == "message_stop") {
            let (out, ended) = run(&stream(events));
            assert_eq!(ended, Ok(()), "{name}");
            let refused = events
                .iter()
                .any(|event| event["delta"]["stop_reason"] == "refusal");
            if !refused {
                let blocks = sent(folded(out), &maker(), MODEL);
                assert_eq!(blocks, received(events), "{name}");
            }
            answers += 1;
        }
    }
    assert!(answers >= 26, "recorded answers: {answers}");
}

#[test]
fn what_is_anothers_stays_behind() {
    let events = [
        start(),
        begin(0, json!({ "type": "thinking", "thinking": "" })),
        grow(0, "thinking_delta", "thinking", "hm"),
        grow(0, "signature_delta", "signature", "sig"),
        end(0),
        begin(1, json!({ "type": "redacted_thinking", "data": "x" })),
        end(1),
        begin(
            2,
            json!({ "type": "text", "text": "so", "citations": [{ "url": "u" }] }),
        ),
        end(2),
        begin(
            3,
            json!({ "type": "server_tool_use", "id": "s", "name": "w", "input": {} }),
        ),
        end(3),
        message_stop(),
    ];
    let (out, _) = run(&stream(&events));
    let parts = folded(out);
    let plain = [json!({ "type": "text", "text": "so" })];
    let other = "other".parse().unwrap();
    assert_eq!(sent(parts.clone(), &other, MODEL), plain);
    assert_eq!(sent(parts.clone(), &maker(), "claude-opus-5-5"), plain);
    assert_eq!(sent(parts, &maker(), MODEL).len(), 4);
}
