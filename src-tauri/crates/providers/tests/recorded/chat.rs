//! Chat Completions as its streams are read without our mapper.

use std::collections::HashSet;

use protocol::Wire;
use serde_json::Value;

use super::{Reading, Said, judge};

fn texts(value: &Value) -> String {
    match value {
        Value::Array(pieces) => pieces.iter().map(|piece| texts(&piece["text"])).collect(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    }
}

fn said(chunks: &[Value]) -> Said {
    let mut said = Said::default();
    let mut calls = HashSet::new();
    for chunk in chunks {
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

fn end(chunks: &[Value]) -> Option<usize> {
    let finishes = |chunk: &Value| chunk["choices"][0]["finish_reason"].is_string();
    chunks.iter().position(finishes)
}

#[test]
fn recordings_of_chat_completions() {
    judge(&Reading {
        wire: Wire::Chat,
        said,
        end,
        named: false,
        farewell: "data: [DONE]\n\n",
        at_least: 17,
    });
}
