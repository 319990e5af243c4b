//! Opaque reasoning: what it is joined to, and how it goes back to its maker.

use pretty_assertions::assert_eq;
use protocol::{Role, StopReason, Wire};
use serde_json::json;

use super::{STOP, call, lines, run};
use crate::wire::encode;
use crate::wire::folded::folded;
use crate::{ProviderEvent, Request, RequestMessage, catalog};

#[test]
fn opaque_reasoning_is_joined_and_stands_before_the_text() {
    let (events, _) = run(&[
        r#"{"choices":[{"delta":{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","index":0,"format":"f"}]}}]}"#,
        r#"{"choices":[{"delta":{"reasoning":"b","reasoning_details":[{"type":"reasoning.text","text":"b","index":0}]}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","signature":"s","text":null,"index":0}]}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"e","index":1}]}}]}"#,
        r#"{"choices":[{"delta":{"content":"so"}}]}"#,
        STOP,
    ]);
    let blob = json!({ "reasoning_details": [
        { "type": "reasoning.text", "text": "ab", "index": 0, "format": "f", "signature": "s" },
        { "type": "reasoning.encrypted", "data": "e", "index": 1 },
    ] });
    assert_eq!(
        events[1..],
        [
            ProviderEvent::Thinking("a".to_owned()),
            ProviderEvent::Thinking("b".to_owned()),
            ProviderEvent::Blob(blob),
            ProviderEvent::Text("so".to_owned()),
            ProviderEvent::Finished {
                stop_reason: StopReason::EndTurn
            },
        ]
    );
}

#[test]
fn thinking_that_came_as_plain_text_says_so() {
    let (events, _) = run(&[
        r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
        r#"{"choices":[{"delta":{"content":"so"}}]}"#,
        STOP,
    ]);
    assert_eq!(
        events[1..3],
        [
            ProviderEvent::Thinking("hm".to_owned()),
            ProviderEvent::Blob(json!({ "reasoning_content": true })),
        ]
    );
}

#[test]
fn what_comes_with_a_call_goes_with_it() {
    let piece = |piece: &str| format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{piece}]}}}}]}}"#);
    let extra = r#""extra_content":{"google":{"thought_signature":"s"}}"#;
    let chunks = [
        piece(&format!(
            r#"{{"index":0,"id":"a","function":{{"name":"f","arguments":"{{"}},{extra}}}"#
        )),
        piece(&format!(
            r#"{{"index":0,"function":{{"arguments":"}}"}},{extra}}}"#
        )),
        piece(
            r#"{"index":1,"id":"b","function":{"name":"f","arguments":"{}"},"extra_content":{}}"#,
        ),
        STOP.to_owned(),
    ];
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    let (events, fault) = run(&chunks);
    assert_eq!(fault, None);
    let blobs: Vec<_> = events
        .iter()
        .filter(|event| matches!(event, ProviderEvent::Blob(_)))
        .collect();
    let signature = json!({ "extra_content": { "google": { "thought_signature": "s" } } });
    assert_eq!(blobs, [&ProviderEvent::Blob(signature)]);
    assert_eq!(
        lines(&chunks)[..2],
        [call(0, "a", "f", "{}"), call(1, "b", "f", "{}")]
    );
}

#[test]
fn an_answer_with_tools_goes_back_as_its_maker_wants_it() {
    let maker = "deepseek".parse().unwrap();
    let (events, fault) = run(&[
        r#"{"choices":[{"delta":{"reasoning_content":"I "}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_content":"must look.","content":null}}]}"#,
        r#"{"choices":[{"delta":{"content":"Let me see."}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
    ]);
    assert_eq!(fault, None);
    let request = Request {
        model: "deepseek-flash".into(),
        messages: vec![RequestMessage {
            role: Role::Assistant,
            parts: folded(Wire::Chat, &maker, "deepseek-flash", events),
        }],
        ..Request::default()
    };
    let quirks = catalog::quirks(&maker, Wire::Chat, "deepseek-flash");
    let body = encode(Wire::Chat, Some(&maker), &request, &quirks).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        body["messages"][0],
        json!({
            "role": "assistant",
            "content": "Let me see.",
            "reasoning_content": "I must look.",
            "tool_calls": [{ "id": "a", "type": "function",
                "function": { "name": "f", "arguments": "{\"x\":1}" } }],
        })
    );
}

#[test]
fn opaque_reasoning_of_two_ids_stays_two_entries() {
    let detail = |id: serde_json::Value, data: &str| {
        let detail = json!({ "type": "reasoning.encrypted", "index": 0, "id": id, "data": data });
        json!({ "choices": [{ "delta": { "reasoning_details": [detail] } }] }).to_string()
    };
    let chunks = [
        detail(json!("a"), "1"),
        detail(json!(null), "2"),
        detail(json!("a"), "3"),
        detail(json!("b"), "4"),
        STOP.to_owned(),
    ];
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    let (events, _) = run(&chunks);
    let blob = json!({ "reasoning_details": [
        { "type": "reasoning.encrypted", "index": 0, "id": "a", "data": "123" },
        { "type": "reasoning.encrypted", "index": 0, "id": "b", "data": "4" },
    ] });
    assert!(events.contains(&ProviderEvent::Blob(blob)), "{events:?}");
}
