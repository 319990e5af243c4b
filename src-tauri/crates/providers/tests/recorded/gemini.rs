//! Gemini as its streams are read without our mapper.

use protocol::Wire;
use serde_json::{Map, Value};

use super::{Reading, Said, judge};

/// Sets what a piece of an argument says, by the paths that occur: names and numbers in brackets.
fn set(arguments: &mut Value, piece: &Value) {
    let path = piece["jsonPath"].as_str().unwrap().replace('[', ".[");
    let mut place = arguments;
    for step in path.split('.').skip(1) {
        let number = step
            .strip_prefix('[')
            .map(|step| step.trim_end_matches(']'));
        place = match number {
            Some(number) => {
                if place.is_null() {
                    *place = Value::Array(Vec::new());
                }
                let list = place.as_array_mut().unwrap();
                let number: usize = number.parse().unwrap();
                list.resize(list.len().max(number + 1), Value::Null);
                &mut list[number]
            }
            None => {
                if place.is_null() {
                    *place = Value::Object(Map::new());
                }
                &mut place[step]
            }
        };
    }
    match &piece["stringValue"] {
        Value::String(more) => {
            let so_far = place.as_str().unwrap_or_default();
            *place = Value::String(format!("{so_far}{more}"));
        }
        _ => *place = piece["numberValue"].clone(),
    }
}

fn said(chunks: &[Value]) -> Said {
    let mut said = Said::default();
    let mut calls: Vec<Value> = Vec::new();
    for chunk in chunks {
        let candidate = &chunk["candidates"][0];
        let parts = candidate["content"]["parts"].as_array();
        for part in parts.into_iter().flatten() {
            let kind = match part["thought"] {
                Value::Bool(true) => "thinking",
                _ => "text",
            };
            said.add(kind, part["text"].as_str().unwrap_or_default());
            let call = &part["functionCall"];
            if call["name"].is_string() {
                let given = call["args"].as_object().cloned().unwrap_or_default();
                calls.push(Value::Object(given));
                said.order.push("tool_call");
            }
            for piece in call["partialArgs"].as_array().into_iter().flatten() {
                set(calls.last_mut().unwrap(), piece);
            }
        }
        if candidate["finishReason"] == "STOP" {
            let waits = !calls.is_empty();
            said.stop = if waits { "tool_use" } else { "end_turn" }.to_owned();
        }
        let usage = &chunk["usageMetadata"];
        if let (Some(input), Some(total)) = (
            usage["promptTokenCount"].as_u64(),
            usage["totalTokenCount"].as_u64(),
        ) {
            said.input = Some(input);
            said.output = Some(total - input);
            said.cached = usage["cachedContentTokenCount"].as_u64();
            said.thought = usage["thoughtsTokenCount"].as_u64();
        }
    }
    said.arguments = calls.iter().map(Value::to_string).collect();
    said
}

fn end(chunks: &[Value]) -> Option<usize> {
    let finishes = |chunk: &Value| chunk["candidates"][0]["finishReason"].is_string();
    chunks.iter().position(finishes)
}

#[test]
fn recordings_of_gemini() {
    judge(&Reading {
        wire: Wire::Gemini,
        said,
        end,
        named: false,
        farewell: "",
        at_least: 9,
    });
}
