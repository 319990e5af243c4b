//! OpenAI Responses as its streams are read without our mapper.

use protocol::Wire;
use serde_json::Value;

use super::{Reading, Said, judge};

/// Whether an item calls a tool of the one who asked. A custom tool that was not declared is the
/// provider's own.
fn is_call(item: &Value, tools: &Value) -> bool {
    let declared = |tool: &Value| tool["type"] == "custom" && tool["name"] == item["name"];
    match item["type"].as_str() {
        Some("function_call") => true,
        Some("custom_tool_call") => tools
            .as_array()
            .is_some_and(|tools| tools.iter().any(declared)),
        _ => false,
    }
}

fn said(events: &[Value]) -> Said {
    let mut said = Said::default();
    let mut tools = Value::Null;
    // What the message that is open has said.
    let mut spoken = String::new();
    let mut section = (Value::Null, Value::Null);
    // The arguments of each call, by its place in the answer.
    let mut calls: Vec<(Value, String)> = Vec::new();
    for event in events {
        let delta = event["delta"].as_str().unwrap_or_default();
        let place = &event["output_index"];
        match event["type"].as_str().unwrap() {
            "response.created" => tools = event["response"]["tools"].clone(),
            "response.output_text.delta" => {
                spoken += delta;
                said.add("text", delta);
            }
            // What did not stream comes with the item: two recordings were shortened by hand.
            "response.output_item.done" if event["item"]["type"] == "message" => {
                let text = event["item"]["content"][0]["text"].as_str();
                let left = text.unwrap().strip_prefix(&spoken);
                said.add("text", left.unwrap_or_default());
                spoken.clear();
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                let here = (place.clone(), event["summary_index"].clone());
                if section.0 == here.0 && section.1 != here.1 {
                    said.add("thinking", "\n\n");
                }
                section = here;
                said.add("thinking", delta);
            }
            "response.output_item.added" if is_call(&event["item"], &tools) => {
                calls.push((place.clone(), String::new()));
                said.order.push("tool_call");
            }
            kind => {
                let call = calls.iter_mut().find(|(index, _)| index == place);
                let Some((_, arguments)) = call else { continue };
                match kind {
                    "response.function_call_arguments.delta"
                    | "response.custom_tool_call_input.delta" => *arguments += delta,
                    "response.function_call_arguments.done" => {
                        *arguments = event["arguments"].as_str().unwrap().to_owned();
                    }
                    _ => {}
                }
            }
        }
    }
    said.arguments = calls
        .iter()
        .map(|(_, arguments)| arguments.as_str())
        .collect();
    let last = events
        .last()
        .filter(|event| event["type"] == "response.completed");
    if let Some(last) = last {
        let usage = &last["response"]["usage"];
        said.input = usage["input_tokens"].as_u64();
        said.output = usage["output_tokens"].as_u64();
        said.cached = usage["input_tokens_details"]["cached_tokens"].as_u64();
        said.thought = usage["output_tokens_details"]["reasoning_tokens"].as_u64();
        let stop = if calls.is_empty() {
            "end_turn"
        } else {
            "tool_use"
        };
        said.stop = stop.to_owned();
    }
    said
}

fn end(events: &[Value]) -> Option<usize> {
    let completes = |event: &Value| event["type"] == "response.completed";
    events.iter().position(completes)
}

#[test]
fn recordings_of_responses() {
    judge(&Reading {
        wire: Wire::Responses,
        said,
        end,
        named: true,
        farewell: "data: [DONE]\n\n",
        at_least: 55,
    });
}
