//! What may stand on this wire, one case each, written by hand after what providers send.

mod encode;
mod roundtrip;

use std::num::NonZeroUsize;

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use protocol::{StopReason, Usage, Wire};
use serde_json::{Value, json};

use crate::wire::Decoder;
use crate::{ErrorKind, ProviderEvent, decode};

type Ended = Result<(), (ErrorKind, Option<String>)>;

/// The stream of some events, each named as its type.
fn stream(events: &[Value]) -> String {
    let frame = |event: &Value| {
        let name = event["type"].as_str().unwrap_or("message_start");
        format!("event: {name}\ndata: {event}\n\n")
    };
    events.iter().map(frame).collect()
}

/// What a stream comes to, and how it ends.
fn run(stream: &str) -> (Vec<ProviderEvent>, Ended) {
    let mut decoder = Decoder::new(Wire::Messages).unwrap();
    let mut out = Vec::new();
    let ended = decoder
        .push(stream.as_bytes(), &mut out)
        .and_then(|_| decoder.finish(&mut out))
        .map_err(|fault| (fault.kind, fault.code));
    (out, ended)
}

/// What a whole answer of some blocks comes to, without its beginning and its end.
fn said(events: &[Value]) -> Vec<ProviderEvent> {
    let mut whole = vec![start()];
    whole.extend_from_slice(events);
    whole.extend([delta_stop("end_turn"), message_stop()]);
    let (mut out, ended) = run(&stream(&whole));
    assert_eq!(ended, Ok(()));
    assert!(matches!(out.remove(0), ProviderEvent::Started { .. }));
    assert!(matches!(out.pop(), Some(ProviderEvent::Finished { .. })));
    out
}

fn start() -> Value {
    json!({ "type": "message_start", "message": {
        "type": "message", "id": "msg_1", "model": "claude-x", "role": "assistant",
        "content": [], "stop_reason": null } })
}

fn begin(index: u64, block: Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn grow(index: u64, kind: &str, field: &str, value: impl Into<Value>) -> Value {
    json!({ "type": "content_block_delta", "index": index,
        "delta": { "type": kind, field: value.into() } })
}

fn end(index: u64) -> Value {
    json!({ "type": "content_block_stop", "index": index })
}

fn delta_stop(reason: &str) -> Value {
    json!({ "type": "message_delta", "delta": { "stop_reason": reason } })
}

fn message_stop() -> Value {
    json!({ "type": "message_stop" })
}

fn text(text: &str) -> ProviderEvent {
    ProviderEvent::Text(text.to_owned())
}

fn thinking(text: &str) -> ProviderEvent {
    ProviderEvent::Thinking(text.to_owned())
}

fn call(index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) -> ProviderEvent {
    ProviderEvent::ToolCall {
        index,
        id: id.map(str::to_owned),
        name: name.map(str::to_owned),
        arguments: arguments.to_owned(),
    }
}

fn blob(data: Value) -> ProviderEvent {
    ProviderEvent::Blob(data)
}

#[test]
fn blocks_become_parts_with_what_their_provider_needs_back() {
    let empty_text = json!({ "type": "text", "text": "" });
    let empty_thinking = json!({ "type": "thinking", "thinking": "", "signature": "" });
    let tool = json!({ "type": "tool_use", "id": "t1", "name": "f", "input": {} });
    let search =
        json!({ "type": "server_tool_use", "id": "s1", "name": "web_search", "input": {} });
    let cases: Vec<(&str, Vec<Value>, Vec<ProviderEvent>)> = vec![
        (
            "text",
            vec![
                begin(0, empty_text.clone()),
                grow(0, "text_delta", "text", "he"),
                grow(0, "text_delta", "text", ""),
                grow(0, "text_delta", "text", "llo"),
                end(0),
            ],
            vec![text("he"), text("llo")],
        ),
        (
            "text that stands in its beginning",
            vec![begin(0, json!({ "type": "text", "text": "all" })), end(0)],
            vec![text("all")],
        ),
        (
            "texts stay apart",
            vec![
                begin(0, json!({ "type": "text", "text": "a", "citations": null })),
                end(0),
                begin(1, json!({ "type": "text", "text": "b", "citations": [] })),
                end(1),
            ],
            vec![text("a"), blob(json!({})), text("b")],
        ),
        (
            "cited text",
            vec![
                begin(0, json!({ "type": "text", "text": "", "citations": [] })),
                grow(0, "citations_delta", "citation", json!({ "url": "u" })),
                grow(0, "text_delta", "text", "so"),
                grow(0, "citations_delta", "citation", json!({ "url": "v" })),
                end(0),
                begin(1, json!({ "type": "text", "text": "b" })),
                end(1),
            ],
            vec![
                text("so"),
                blob(json!({ "citations": [{ "url": "u" }, { "url": "v" }] })),
                text("b"),
            ],
        ),
        (
            "citations of nothing",
            vec![
                begin(0, empty_text.clone()),
                grow(0, "citations_delta", "citation", json!({ "url": "u" })),
                end(0),
            ],
            vec![],
        ),
        (
            "signed thinking",
            vec![
                begin(0, empty_thinking.clone()),
                grow(0, "thinking_delta", "thinking", "hm"),
                grow(0, "signature_delta", "signature", "sig"),
                end(0),
                begin(1, empty_text.clone()),
                grow(1, "text_delta", "text", "so"),
                end(1),
            ],
            vec![
                thinking("hm"),
                blob(json!({ "signature": "sig" })),
                text("so"),
            ],
        ),
        (
            "thinking that is not shown",
            vec![
                begin(0, empty_thinking.clone()),
                grow(0, "signature_delta", "signature", "sig"),
                end(0),
            ],
            vec![ProviderEvent::Opaque(
                json!({ "type": "thinking", "thinking": "", "signature": "sig" }),
            )],
        ),
        (
            "unsigned thinking that came to its end",
            vec![
                begin(0, json!({ "type": "thinking", "thinking": "hm" })),
                end(0),
            ],
            vec![thinking("hm"), blob(json!({}))],
        ),
        (
            "redacted thinking",
            vec![
                begin(0, json!({ "type": "redacted_thinking", "data": "x" })),
                end(0),
            ],
            vec![ProviderEvent::Opaque(
                json!({ "type": "redacted_thinking", "data": "x" }),
            )],
        ),
        (
            "a call in pieces",
            vec![
                begin(0, tool.clone()),
                grow(0, "input_json_delta", "partial_json", ""),
                grow(0, "input_json_delta", "partial_json", "{\"a\":"),
                grow(0, "input_json_delta", "partial_json", "1}"),
                end(0),
            ],
            vec![
                call(0, Some("t1"), Some("f"), ""),
                call(0, None, None, "{\"a\":"),
                call(0, None, None, "1}"),
            ],
        ),
        (
            "a call without arguments, and one that came whole",
            vec![
                begin(0, tool.clone()),
                grow(0, "input_json_delta", "partial_json", ""),
                end(0),
                begin(
                    1,
                    json!({ "type": "tool_use", "id": "t2", "name": "g", "input": { "a": [1] },
                        "caller": { "type": "direct" } }),
                ),
                end(1),
            ],
            vec![
                call(0, Some("t1"), Some("f"), ""),
                call(0, None, None, "{}"),
                call(1, Some("t2"), Some("g"), ""),
                call(1, None, None, "{\"a\":[1]}"),
                blob(json!({ "caller": { "type": "direct" } })),
            ],
        ),
        (
            "what the provider runs itself",
            vec![
                begin(0, search),
                grow(0, "input_json_delta", "partial_json", "{\"query\":"),
                grow(0, "input_json_delta", "partial_json", "\"x\"}"),
                end(0),
                begin(
                    1,
                    json!({ "type": "web_search_tool_result", "tool_use_id": "s1", "content": [] }),
                ),
                end(1),
            ],
            vec![
                ProviderEvent::Opaque(json!({ "type": "server_tool_use", "id": "s1",
                    "name": "web_search", "input": { "query": "x" } })),
                ProviderEvent::Opaque(
                    json!({ "type": "web_search_tool_result", "tool_use_id": "s1", "content": [] }),
                ),
            ],
        ),
        (
            "a block of a kind that is new",
            vec![
                begin(0, json!({ "type": "dream", "content": null, "n": 1 })),
                grow(0, "dream_delta", "content", "a"),
                grow(0, "dream_delta", "content", "b"),
                grow(0, "dream_delta", "n", 2),
                end(0),
            ],
            vec![ProviderEvent::Opaque(
                json!({ "type": "dream", "content": "ab", "n": 2 }),
            )],
        ),
        (
            "growth of a kind that is new",
            vec![
                begin(0, empty_text.clone()),
                grow(0, "sparkle_delta", "sparkle", "x"),
                grow(0, "text_delta", "text", "so"),
                end(0),
                grow(7, "input_json_delta", "partial_json", "lost"),
                end(9),
            ],
            vec![text("so")],
        ),
        (
            "text without a beginning",
            vec![
                grow(0, "text_delta", "text", "a"),
                grow(0, "text_delta", "text", "b"),
                grow(1, "thinking_delta", "thinking", "c"),
            ],
            vec![text("a"), text("b"), thinking("c"), blob(json!({}))],
        ),
        (
            "a block that begins again before it stopped",
            vec![
                begin(0, json!({ "type": "text", "text": "a" })),
                begin(0, json!({ "type": "text", "text": "b" })),
            ],
            vec![text("a"), blob(json!({})), text("b")],
        ),
    ];
    for (name, events, expected) in cases {
        assert_eq!(said(&events), expected, "{name}");
    }
}

#[test]
fn the_end_is_a_message_stop_and_nothing_else() {
    let interrupted = Err((ErrorKind::Interrupted, Some("no_message_stop".to_owned())));
    let events = [
        start(),
        begin(0, json!({ "type": "text", "text": "hello" })),
        end(0),
        delta_stop("end_turn"),
        message_stop(),
    ];
    for whole in 0..events.len() {
        let (out, ended) = run(&stream(&events[..whole]));
        assert_eq!(ended, interrupted, "cut at {whole}");
        assert_eq!(out.contains(&text("hello")), whole > 1, "what came stays");
    }
    assert_eq!(run("data: [DONE]\n\n").1, interrupted);
    assert_eq!(run(&stream(&events)).1, Ok(()));
    // What follows the end is no part of the answer.
    let late = stream(&events) + "event: error\ndata: late\n\n" + &stream(&events);
    assert_eq!(run(&late), run(&stream(&events)));
    // A gateway may leave out the names of its events.
    let unnamed: String = events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    assert_eq!(run(&unnamed), run(&stream(&events)));
    // Or the types in its data.
    let untyped = stream(&events).replace(r#""type":"message_stop""#, r#""x":1"#);
    assert_eq!(run(&untyped), run(&stream(&events)));
}

#[test]
fn stop_reasons_in_our_words() {
    let tool = json!({ "type": "tool_use", "id": "t", "name": "f", "input": {} });
    for (reason, calls, expected) in [
        (json!("end_turn"), false, StopReason::EndTurn),
        (json!("end_turn"), true, StopReason::ToolUse),
        (Value::Null, false, StopReason::EndTurn),
        (json!("tool_use"), true, StopReason::ToolUse),
        (json!("max_tokens"), false, StopReason::MaxTokens),
        (json!("stop_sequence"), false, StopReason::StopSequence),
        (json!("pause_turn"), false, StopReason::Pause),
        (json!("refusal"), false, StopReason::Refusal),
        (
            json!("model_context_window_exceeded"),
            false,
            StopReason::ContextFull,
        ),
        (json!("bored"), false, StopReason::Other),
    ] {
        let mut events = vec![start()];
        if calls {
            events.push(begin(0, tool.clone()));
        }
        events.push(json!({ "type": "message_delta", "delta": { "stop_reason": reason } }));
        events.push(message_stop());
        let (out, ended) = run(&stream(&events));
        assert_eq!(ended, Ok(()));
        let finished = ProviderEvent::Finished {
            stop_reason: expected,
        };
        assert_eq!(out.last(), Some(&finished), "{reason}");
    }
}

#[test]
fn a_refusal_says_why_where_the_model_says_nothing() {
    let refusal = json!({ "type": "message_delta", "delta": { "stop_reason": "refusal",
        "stop_details": { "explanation": "Not this." } } });
    let said = |events: &[Value]| {
        let (out, ended) = run(&stream(events));
        assert_eq!(ended, Ok(()));
        let texts = out.into_iter().filter_map(|event| match event {
            ProviderEvent::Text(text) => Some(text),
            _ => None,
        });
        texts.collect::<Vec<_>>()
    };
    let silent = said(&[start(), refusal.clone(), message_stop()]);
    assert_eq!(silent, ["Not this."]);
    let spoken = begin(0, json!({ "type": "text", "text": "I will not." }));
    let spoken = said(&[start(), spoken, refusal, message_stop()]);
    assert_eq!(spoken, ["I will not."]);
}

#[test]
fn tokens_are_counted_with_the_cache() {
    let report = |usage: Value| json!({ "type": "message_delta", "delta": {}, "usage": usage });
    let mut begun = start();
    begun["message"]["usage"] = json!({ "input_tokens": 10, "output_tokens": 1,
        "cache_creation_input_tokens": 200, "cache_read_input_tokens": 3000 });
    let events = [
        begun,
        report(json!({ "output_tokens": 1 })),
        report(
            json!({ "input_tokens": 12, "output_tokens": 50, "cache_read_input_tokens": null,
            "output_tokens_details": { "thinking_tokens": 40 }, "server_tool_use": {} }),
        ),
        report(json!("none")),
    ];
    let (out, _) = run(&stream(&events));
    let counted: Vec<Usage> = out
        .into_iter()
        .filter_map(|event| match event {
            ProviderEvent::Usage(usage) => Some(usage),
            _ => None,
        })
        .collect();
    let first = Usage {
        input_tokens: Some(3_210),
        cached_tokens: Some(3_000),
        cache_write_tokens: Some(200),
        output_tokens: Some(1),
        ..Usage::default()
    };
    let second = Usage {
        input_tokens: Some(3_212),
        output_tokens: Some(50),
        thinking_tokens: Some(40),
        ..first.clone()
    };
    assert_eq!(counted, [first, second]);
}

#[test]
fn errors_in_the_stream_are_classified() {
    for (kind, expected) in [
        ("overloaded_error", ErrorKind::Overloaded),
        ("rate_limit_error", ErrorKind::RateLimited),
        ("authentication_error", ErrorKind::Auth),
        ("permission_error", ErrorKind::Auth),
        ("invalid_request_error", ErrorKind::InvalidRequest),
        ("not_found_error", ErrorKind::NotFound),
        ("billing_error", ErrorKind::Quota),
        ("request_too_large", ErrorKind::ContextOverflow),
        ("api_error", ErrorKind::Overloaded),
        ("timeout_error", ErrorKind::Overloaded),
    ] {
        let error = json!({ "type": "error", "error": { "type": kind, "message": "It broke." },
            "request_id": "req_1" });
        let events = [
            start(),
            begin(0, json!({ "type": "text", "text": "so far" })),
            error.clone(),
            message_stop(),
        ];
        let (out, ended) = run(&stream(&events));
        assert_eq!(ended.map_err(|(kind, _)| kind), Err(expected), "{kind}");
        assert_eq!(out.last(), Some(&text("so far")));
        let unnamed = format!("data: {error}\n\n");
        assert_eq!(run(&unnamed).1.map_err(|(kind, _)| kind), Err(expected));
    }
    let named = "event: error\ndata: upstream is gone\n\n";
    assert!(run(named).1.is_err());
    let foreign = r#"data: {"error":{"message":"boom","code":"rate_limit_exceeded"}}"#;
    let (_, ended) = run(&format!("{foreign}\n\n"));
    assert_eq!(ended.map_err(|(kind, _)| kind), Err(ErrorKind::RateLimited));
}

#[test]
fn what_is_new_or_beside_the_point_is_skipped() {
    let block = begin(0, json!({ "type": "text", "text": "a" }));
    let expected = run(&stream(&[
        start(),
        block.clone(),
        delta_stop("end_turn"),
        message_stop(),
    ]));
    for noise in [
        "event: ping\ndata: {\"type\":\"ping\"}",
        "event: ping\ndata: still here",
        "event: execute\ndata: {\"script\":\"x\"}",
        "event: heartbeat\ndata: {\"cut",
        "data: {\"type\":\"content_block_sparkle\",\"index\":0}",
        "data: {\"choices\":[]}",
        "data: null",
        "data:",
        ": comment",
    ] {
        let noisy = [
            start(),
            block.clone(),
            delta_stop("end_turn"),
            message_stop(),
        ]
        .map(|event| format!("{noise}\n\ndata: {event}\n\n"))
        .concat();
        assert_eq!(run(&noisy), expected, "{noise}");
    }
}

#[test]
fn what_cannot_be_understood_interrupts() {
    let long = "x".repeat(257);
    let tool = |id: &str, name: &str| {
        begin(
            0,
            json!({ "type": "tool_use", "id": id, "name": name, "input": {} }),
        )
        .to_string()
    };
    for (data, code) in [
        ("{\"type\":\"message_st".to_owned(), "invalid_json"),
        ("[]".to_owned(), "invalid_json"),
        (begin(0, json!("text")).to_string(), "invalid_event"),
        (
            grow(0, "text_delta", "text", 5).to_string(),
            "invalid_event",
        ),
        ("{\"type\":\"message_start\"}".to_owned(), "invalid_event"),
        (tool("t", &long), "invalid_tool_call"),
        (tool("t", "f\u{7}"), "invalid_tool_call"),
        (tool("t\n", "f"), "invalid_tool_call"),
    ] {
        let (_, ended) = run(&format!("data: {data}\n\n{}", stream(&[message_stop()])));
        let expected = Err((ErrorKind::Interrupted, Some(code.to_owned())));
        assert_eq!(ended, expected, "{data}");
    }
}

#[test]
fn what_is_held_back_has_a_limit() {
    let piece = "x".repeat(1 << 20);
    let mut flood = vec![begin(0, json!({ "type": "server_tool_use", "input": {} }))];
    flood.extend((0..9).map(|_| grow(0, "input_json_delta", "partial_json", piece.as_str())));
    let too_large = Err((ErrorKind::Interrupted, Some("too_large".to_owned())));
    assert_eq!(run(&stream(&flood)).1, too_large);
    let open = |index| begin(index, json!({ "type": "text", "text": "" }));
    let blocks: Vec<Value> = (0..65).map(open).collect();
    assert_eq!(run(&stream(&blocks)).1, too_large);
    let call = |index: u64| {
        begin(
            index % 2,
            json!({ "type": "tool_use", "id": "t", "name": "f" }),
        )
    };
    let calls: Vec<Value> = (0..1_025).map(call).collect();
    assert_eq!(run(&stream(&calls)).1, too_large);
}

#[test]
fn another_message_begins_in_the_middle_of_the_first() {
    let mut second = start();
    second["message"]["id"] = json!("msg_2");
    let events = [
        start(),
        start(),
        begin(0, json!({ "type": "thinking", "thinking": "half" })),
        second,
        begin(
            0,
            json!({ "type": "thinking", "thinking": "whole", "signature": "s" }),
        ),
        end(0),
        message_stop(),
    ];
    let (out, ended) = run(&stream(&events));
    assert_eq!(ended, Ok(()));
    let started = |id: &str| ProviderEvent::Started {
        model: Some("claude-x".to_owned()),
        response_id: Some(id.to_owned()),
    };
    assert_eq!(
        out,
        [
            started("msg_1"),
            thinking("half"),
            blob(json!({})),
            started("msg_2"),
            thinking("whole"),
            blob(json!({ "signature": "s" })),
            ProviderEvent::Finished {
                stop_reason: StopReason::EndTurn
            },
        ]
    );
}

#[test]
fn a_fallback_tells_who_answers() {
    let block = json!({ "type": "fallback", "from": { "model": "a" }, "to": { "model": "b" } });
    let events = [start(), begin(0, block.clone()), end(0), message_stop()];
    let (out, _) = run(&stream(&events));
    assert_eq!(
        out[1..3],
        [
            ProviderEvent::Started {
                model: Some("b".to_owned()),
                response_id: Some("msg_1".to_owned()),
            },
            ProviderEvent::Opaque(block),
        ]
    );
}

#[test]
fn an_answer_may_come_whole() {
    let read = |body: &str| {
        let mut out = Vec::new();
        let ended = crate::wire::messages::whole(body, &mut out);
        (out, ended.map(|ended| ended.map_err(|fault| fault.kind)))
    };
    let body = json!({ "type": "message", "id": "m", "model": "x", "content": [
        { "type": "thinking", "thinking": "hm", "signature": "s" },
        { "type": "text", "text": "so" },
        { "type": "tool_use", "id": "t", "name": "f", "input": { "a": 1 } },
    ], "stop_reason": "tool_use", "usage": { "input_tokens": 1, "output_tokens": 2 } });
    let (out, ended) = read(&body.to_string());
    assert_eq!(ended, Some(Ok(())));
    assert_eq!(
        out[1..6],
        [
            thinking("hm"),
            blob(json!({ "signature": "s" })),
            text("so"),
            call(0, Some("t"), Some("f"), ""),
            call(0, None, None, "{\"a\":1}"),
        ]
    );
    assert!(matches!(out[6], ProviderEvent::Usage(_)));
    let finished = ProviderEvent::Finished {
        stop_reason: StopReason::ToolUse,
    };
    assert_eq!(out[7..], [finished]);
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#;
    assert_eq!(read(error).1, Some(Err(ErrorKind::Overloaded)));
    assert_eq!(read("<html>").1, None);
    assert_eq!(read("{}").1, None);
}

fn event() -> impl Strategy<Value = Value> {
    let index = 0_u64..3;
    let word = "[a-z€😀 ]{0,6}";
    prop_oneof![
        Just(start()),
        (index.clone(), 0..5, word).prop_map(|(index, kind, word)| {
            let block = match kind {
                0 => json!({ "type": "text", "text": word }),
                1 => json!({ "type": "thinking", "thinking": word, "signature": "" }),
                2 => json!({ "type": "tool_use", "id": word, "name": "f", "input": {} }),
                3 => json!({ "type": "redacted_thinking", "data": word }),
                _ => json!(word),
            };
            begin(index, block)
        }),
        (index.clone(), 0..5, word).prop_map(|(index, kind, word)| match kind {
            0 => grow(index, "text_delta", "text", word),
            1 => grow(index, "thinking_delta", "thinking", word),
            2 => grow(index, "signature_delta", "signature", word),
            3 => grow(index, "input_json_delta", "partial_json", word),
            _ => grow(
                index,
                "citations_delta",
                "citation",
                json!({ "cited_text": word })
            ),
        }),
        index.prop_map(end),
        Just(delta_stop("end_turn")),
        Just(json!({ "type": "message_delta", "usage": { "output_tokens": 3 } })),
        Just(json!({ "type": "ping" })),
        Just(json!({ "type": "error", "error": { "type": "overloaded_error" } })),
    ]
}

proptest! {
    #[test]
    fn every_split_decodes_to_the_same_lines(
        events in proptest::collection::vec(event(), 0..16),
        ends in any::<bool>(),
        newline in prop_oneof![Just("\n"), Just("\r"), Just("\r\n")],
        cut in any::<prop::sample::Index>(),
        split in 1_usize..9,
    ) {
        let mut whole = stream(&events);
        if ends {
            whole += &stream(&[message_stop()]);
        }
        let whole = whole.replace('\n', newline);
        let cut = &whole.as_bytes()[..whole.len() - cut.index(whole.len() / 4 + 1)];
        let at_once = decode(Wire::Messages, cut, NonZeroUsize::MAX).unwrap();
        let in_pieces = decode(Wire::Messages, cut, NonZeroUsize::new(split).unwrap()).unwrap();
        prop_assert_eq!(in_pieces, at_once);
    }

    #[test]
    fn only_a_message_stop_makes_a_success(events in proptest::collection::vec(event(), 0..16)) {
        let decoded = decode(Wire::Messages, stream(&events).as_bytes(), NonZeroUsize::MIN).unwrap();
        prop_assert!(!decoded.complete);
    }

    #[test]
    fn any_data_is_survived(name in "[a-z_]{0,20}", data in "\\PC{0,80}") {
        let _ = run(&format!("event: {name}\ndata: {data}\n\n"));
    }
}
