//! Anthropic Messages as its streams are read without our mapper.

use pretty_assertions::assert_eq;
use protocol::Wire;
use serde_json::{Value, json};

use super::{Reading, Said, judge, recordings};

fn block(said: &mut Said, block: &Value) {
    match block["type"].as_str().unwrap() {
        kind @ ("text" | "thinking") => {
            let kind = if kind == "text" { "text" } else { "thinking" };
            said.add(kind, block[kind].as_str().unwrap());
        }
        "tool_use" => said.order.push("tool_call"),
        _ => {}
    }
}

fn stop(said: &mut Said, delta: &Value) {
    let reason = match delta["stop_reason"].as_str() {
        None => return,
        Some("pause_turn") => "pause",
        Some("model_context_window_exceeded") => "context_full",
        Some(reason) => reason,
    };
    said.stop = reason.to_owned();
    if reason == "refusal" && said.text.is_empty() {
        let explanation = delta["stop_details"]["explanation"].as_str();
        said.add("text", explanation.unwrap_or_default());
    }
}

fn usage(said: &mut Said, parts: &mut [Option<u64>; 3], usage: &Value) {
    let names = [
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
    ];
    for (part, name) in parts.iter_mut().zip(names) {
        *part = usage[name].as_u64().or(*part);
    }
    said.input = Some(parts.iter().flatten().sum());
    said.cached = parts[2];
    said.output = usage["output_tokens"].as_u64().or(said.output);
    let thought = usage["output_tokens_details"]["thinking_tokens"].as_u64();
    said.thought = thought.or(said.thought);
}

fn said(chunks: &[Value]) -> Said {
    let mut said = Said::default();
    let mut tokens = [None; 3];
    // The block that is open, and whether its input came in pieces.
    let mut open = (Value::Null, false);
    for chunk in chunks {
        match chunk["type"].as_str().unwrap() {
            "message_start" => {
                let message = &chunk["message"];
                for whole in message["content"].as_array().into_iter().flatten() {
                    block(&mut said, whole);
                    if whole["type"] == "tool_use" {
                        said.arguments += &whole["input"].to_string();
                    }
                }
                usage(&mut said, &mut tokens, &message["usage"]);
                stop(&mut said, message);
            }
            "content_block_start" => {
                block(&mut said, &chunk["content_block"]);
                open = (chunk["content_block"].clone(), false);
            }
            "content_block_delta" => {
                let delta = &chunk["delta"];
                match delta["type"].as_str().unwrap() {
                    "text_delta" => said.add("text", delta["text"].as_str().unwrap()),
                    "thinking_delta" => said.add("thinking", delta["thinking"].as_str().unwrap()),
                    "input_json_delta" if open.0["type"] == "tool_use" => {
                        let more = delta["partial_json"].as_str().unwrap();
                        open.1 |= !more.is_empty();
                        said.arguments += more;
                    }
                    _ => {}
                }
            }
            "content_block_stop" if open.0["type"] == "tool_use" && !open.1 => {
                said.arguments += &open.0["input"].to_string();
            }
            "message_delta" => {
                usage(&mut said, &mut tokens, &chunk["usage"]);
                stop(&mut said, &chunk["delta"]);
            }
            _ => {}
        }
    }
    said
}

fn end(chunks: &[Value]) -> Option<usize> {
    chunks
        .iter()
        .position(|chunk| chunk["type"] == "message_stop")
}

#[test]
fn recordings_of_messages() {
    judge(&Reading {
        wire: Wire::Messages,
        said,
        end,
        named: true,
        farewell: "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\ndata: [DONE]\n\n",
        at_least: 27,
    });
}

/// The lines of a recording; `None` when there are no recordings.
fn lines(name: &str) -> Option<Vec<Value>> {
    let recording = recordings()?.into_iter().find(|one| one.name == name);
    let stream = super::stream(&recording.unwrap().chunks, true, "\n");
    let decoded = providers::decode(Wire::Messages, stream.as_bytes(), super::split(3)).unwrap();
    let value = |line: &String| serde_json::from_str(line).unwrap();
    Some(decoded.lines.iter().map(value).collect())
}

#[test]
fn some_recordings_to_the_letter() {
    let signed = "The previous result was 925. Now I need to divide that by 5.\n\n925 ÷ 5 = 185";
    let call = |index: u32, id: &str, name: &str, arguments: &str| json!({ "type": "tool_call", "index": index, "id": id, "name": name, "arguments": arguments });
    let usage = |input: u64, output: u64, cached: Option<u64>, written: Option<u64>| {
        json!({ "type": "usage", "input_tokens": input, "output_tokens": output,
            "cached_tokens": cached, "cache_write_tokens": written, "thinking_tokens": null,
            "reported_cost_usd": null, "estimated": false })
    };
    let text = |text: &str| json!({ "type": "text", "text": text });
    let thinking = |text: &str| json!({ "type": "thinking", "text": text });
    let stop = |reason: &str| json!({ "type": "stop", "reason": reason });
    let cases: &[(&str, Vec<Value>)] = &[
        (
            "anthropic/anthropic-clear-thinking.1",
            vec![
                thinking(signed),
                text("925 ÷ 5 = 185"),
                usage(69, 53, Some(0), Some(0)),
                stop("end_turn"),
            ],
        ),
        (
            "anthropic/anthropic-tool-no-args",
            vec![
                text("I'll update the issue list for you."),
                call(0, "toolu_01QE1WLsSVp5hy5Q3GmGTmjP", "updateIssueList", "{}"),
                usage(565, 48, Some(0), Some(0)),
                stop("tool_use"),
            ],
        ),
        (
            "anthropic/anthropic-message-delta-input-tokens",
            vec![text("pong"), usage(61, 2, None, None), stop("end_turn")],
        ),
        (
            "anthropic/anthropic-refusal",
            vec![
                text(
                    "This request triggered restrictions on violative cyber content and was \
                     blocked under Anthropic's Usage Policy.",
                ),
                usage(18, 5, Some(0), Some(0)),
                stop("refusal"),
            ],
        ),
        (
            "anthropic/duplicate-message-start",
            vec![
                text("Hello, World!"),
                usage(17, 227, None, None),
                stop("end_turn"),
            ],
        ),
        (
            "anthropic/spliced-message-start",
            vec![
                thinking("I will call the tool."),
                call(0, "toolu_first", "test-tool", "{\"value\":\"Spark"),
                thinking("Let me call the tool."),
                call(
                    1,
                    "toolu_second",
                    "test-tool",
                    "{\"value\":\"Sparkle Day\"}",
                ),
                usage(17, 65, None, None),
                stop("tool_use"),
            ],
        ),
        (
            "anthropic/anthropic-programmatic-tool-calling.1 (2)",
            vec![
                call(
                    0,
                    "toolu_015dGLMbwBKv1ZRQr6KdJzeH",
                    "rollDie",
                    "{\"player\":\"player2\"}",
                ),
                usage(0, 0, None, None),
                stop("tool_use"),
            ],
        ),
        (
            "anthropic/anthropic-code-execution-20260120-prompt-cache.1",
            vec![
                text("The sum of the squares of the numbers 1 through 12 is **650**."),
                json!({ "type": "usage", "input_tokens": 9_632, "output_tokens": 198,
                    "cached_tokens": 6_289, "cache_write_tokens": 3_337, "thinking_tokens": 0,
                    "reported_cost_usd": null, "estimated": false }),
                stop("end_turn"),
            ],
        ),
    ];
    for (name, expected) in cases {
        let Some(found) = lines(name) else {
            return;
        };
        assert_eq!(&found, expected, "{name}");
    }
}
