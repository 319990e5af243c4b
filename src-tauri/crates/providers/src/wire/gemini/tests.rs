//! What Gemini's servers send, one case each, written by hand.

use std::num::NonZeroUsize;

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use protocol::{Part, Role, StopReason, Usage, Wire};
use serde_json::{Value, json};

use super::whole;
use crate::catalog::Quirks;
use crate::wire::folded::folded;
use crate::wire::{Decoder, encode};
use crate::{ErrorKind, ProviderEvent, Request, RequestMessage, decode};

type Failure = Option<(ErrorKind, Option<String>)>;

/// The events of a stream of chunks, and the kind and code of its fault.
fn run(chunks: &[Value]) -> (Vec<ProviderEvent>, Failure) {
    let mut decoder = Decoder::new(Wire::Gemini).unwrap();
    let mut out = Vec::new();
    for chunk in chunks {
        let stream = format!("data: {chunk}\r\n\r\n");
        if let Err(fault) = decoder.push(stream.as_bytes(), &mut out) {
            return (out, Some((fault.kind, fault.code)));
        }
    }
    let fault = decoder.finish(&mut out).err();
    (out, fault.map(|fault| (fault.kind, fault.code)))
}

/// The events of an answer that ends well, without the first, which says that it began.
fn events(chunks: &[Value]) -> Vec<ProviderEvent> {
    let (mut events, fault) = run(chunks);
    assert_eq!(fault, None);
    let started = ProviderEvent::Started {
        model: None,
        response_id: None,
    };
    assert_eq!(events.remove(0), started);
    events
}

fn chunk(parts: &Value) -> Value {
    json!({ "candidates": [{ "content": { "role": "model", "parts": parts } }] })
}

fn last(reason: &str) -> Value {
    json!({ "candidates": [{ "finishReason": reason }] })
}

fn text(text: &str) -> ProviderEvent {
    ProviderEvent::Text(text.into())
}

fn thinking(text: &str) -> ProviderEvent {
    ProviderEvent::Thinking(text.into())
}

fn signed(signature: &str) -> ProviderEvent {
    ProviderEvent::Blob(json!({ "thoughtSignature": signature }))
}

fn finished(stop_reason: StopReason) -> ProviderEvent {
    ProviderEvent::Finished { stop_reason }
}

fn opens(index: u32, id: &str, name: &str) -> ProviderEvent {
    ProviderEvent::ToolCall {
        index,
        id: Some(id.into()),
        name: Some(name.into()),
        arguments: String::new(),
    }
}

fn arguments(index: u32, arguments: &str) -> ProviderEvent {
    ProviderEvent::ToolCall {
        index,
        id: None,
        name: None,
        arguments: arguments.into(),
    }
}

#[test]
fn text_thinking_and_signatures_in_order() {
    let image = json!({ "inlineData": { "mimeType": "image/png", "data": "eA==" } });
    let code = json!({ "executableCode": { "language": "PYTHON", "code": "1" } });
    let bare = json!({ "text": "", "thoughtSignature": "c" });
    let found = events(&[
        chunk(&json!([{ "text": "h", "thought": true }, { "text": "m", "thought": true }])),
        chunk(&json!([{ "text": "so", "thoughtSignature": "a" }])),
        chunk(&json!([code, image, {}, { "text": "" }, { "thought": true }])),
        chunk(&json!([{ "text": "yes", "thoughtSignature": "", "thought": false }, bare])),
        last("STOP"),
    ]);
    assert_eq!(
        found,
        [
            thinking("h"),
            thinking("m"),
            text("so"),
            signed("a"),
            ProviderEvent::Opaque(json!({ "part": code })),
            ProviderEvent::Opaque(json!({ "part": image })),
            text("yes"),
            ProviderEvent::Opaque(json!({ "part": bare })),
            finished(StopReason::EndTurn),
        ]
    );
}

#[test]
fn what_is_said_about_the_answer_stands_at_its_end() {
    let found = events(&[
        json!({ "candidates": [{
            "content": { "parts": [{ "text": "a" }] },
            "groundingMetadata": { "webSearchQueries": ["x"], "groundingChunks": [] },
        }] }),
        json!({ "candidates": [{
            "content": { "parts": [{ "text": "b" }] },
            "groundingMetadata": { "groundingChunks": [1] },
            "citationMetadata": {},
            "finishReason": "STOP",
        }] }),
    ]);
    let about = json!({ "groundingMetadata": {
        "webSearchQueries": ["x"], "groundingChunks": [1] } });
    assert_eq!(
        found,
        [
            text("a"),
            text("b"),
            ProviderEvent::Opaque(about),
            finished(StopReason::EndTurn),
        ]
    );
}

#[test]
fn calls_come_whole_or_in_pieces() {
    let piece = |path: &str, more: &str, goes_on: bool| {
        let arg = json!({ "jsonPath": path, "stringValue": more, "willContinue": goes_on });
        chunk(&json!([{ "functionCall": { "partialArgs": [arg], "willContinue": true } }]))
    };
    let found = events(&[
        chunk(&json!([
            { "functionCall": { "name": "f", "args": { "x": 1 } }, "thoughtSignature": "a" },
            { "functionCall": { "id": "own", "name": "f" } },
        ])),
        chunk(&json!([{
            "functionCall": { "name": "g", "willContinue": true }, "thoughtSignature": "b" }])),
        piece("$.at", "Bo", true),
        piece("$.at", "nn", false),
        chunk(&json!([{ "functionCall": {} }])),
        chunk(&json!([{ "functionCall": { "name": "h", "willContinue": true } }])),
        piece("$.list[0].n", "1", false),
        chunk(&json!([{ "text": "and" }])),
        chunk(&json!([{ "functionCall": {} }])),
        last("FUNCTION_CALL"),
    ]);
    assert_eq!(
        found,
        [
            opens(0, "call_0", "f"),
            arguments(0, r#"{"x":1}"#),
            signed("a"),
            opens(1, "own", "f"),
            arguments(1, "{}"),
            opens(2, "call_2", "g"),
            signed("b"),
            arguments(2, r#"{"at":"Bonn"}"#),
            opens(3, "call_3", "h"),
            arguments(3, r#"{"list":[{"n":"1"}]}"#),
            text("and"),
            finished(StopReason::ToolUse),
        ]
    );
}

#[test]
fn ids_of_calls_are_of_their_answer() {
    let call = |answer: Value| {
        let mut chunk = chunk(&json!([{ "functionCall": { "name": "f" } }]));
        chunk["responseId"] = answer;
        run(&[chunk]).0.into_iter().find_map(|event| match event {
            ProviderEvent::ToolCall { id, .. } => id,
            _ => None,
        })
    };
    assert_eq!(call(json!("_a-1")), Some("call__a-1_0".into()));
    for odd in [json!("a b"), json!("x".repeat(300)), json!(5), Value::Null] {
        assert_eq!(call(odd), Some("call_0".into()));
    }
}

#[test]
fn calls_that_are_none_are_refused_after_what_came() {
    for wrong in [
        json!({ "functionCall": { "args": { "x": 1 } } }),
        json!({ "functionCall": { "name": "f\u{7}" } }),
        json!({ "functionCall": { "name": "x".repeat(257) } }),
        json!({ "functionCall": { "name": "f", "partialArgs": [{ "jsonPath": "$..*" }] } }),
    ] {
        let begun = json!({ "functionCall": { "name": "g", "willContinue": true } });
        let (events, fault) = run(&[
            chunk(&json!([{ "text": "par" }, begun])),
            chunk(&json!([wrong])),
        ]);
        let code = Some("invalid_tool_call".to_owned());
        if wrong["functionCall"]["args"].is_null() {
            assert_eq!(fault, Some((ErrorKind::Interrupted, code)), "{wrong}");
        }
        assert!(events.contains(&text("par")), "{wrong}");
        assert!(events.iter().any(|event| matches!(
            event, ProviderEvent::ToolCall { index: 0, arguments, .. } if arguments.starts_with('{')
        )), "{wrong}");
    }
    let (_, fault) = run(&[chunk(&json!([{ "functionCall": { "args": { "x": 1 } } }]))]);
    assert_eq!(
        fault,
        Some((ErrorKind::Interrupted, Some("invalid_tool_call".into())))
    );
}

#[test]
fn usage_adds_up_and_later_reports_win() {
    let report = |usage: Value| json!({ "candidates": [], "usageMetadata": usage });
    let (events, _) = run(&[
        report(json!({ "trafficType": "ON_DEMAND" })),
        report(json!({ "promptTokenCount": 9, "cachedContentTokenCount": 4 })),
        report(json!({ "promptTokenCount": 9, "cachedContentTokenCount": 4 })),
        report(json!({ "promptTokenCount": 9, "thoughtsTokenCount": 5, "x": 1 })),
        last("STOP"),
        report(json!({
            "promptTokenCount": 9, "toolUsePromptTokenCount": 100,
            "candidatesTokenCount": 3, "thoughtsTokenCount": 5, "totalTokenCount": 117,
        })),
    ]);
    let usage = |input, output, thinking| {
        ProviderEvent::Usage(Usage {
            input_tokens: Some(input),
            cached_tokens: Some(4),
            output_tokens: output,
            thinking_tokens: thinking,
            ..Usage::default()
        })
    };
    assert_eq!(
        events[1..],
        [
            usage(9, None, None),
            usage(9, Some(5), Some(5)),
            usage(109, Some(8), Some(5)),
            finished(StopReason::EndTurn),
        ]
    );
}

#[test]
fn the_end_is_told_from_a_cut() {
    let interrupted = |code: &str| Some((ErrorKind::Interrupted, Some(code.to_owned())));
    let partial = chunk(&json!([{ "text": "par" }]));
    assert_eq!(run(&[]).1, interrupted("no_finish_reason"));
    let unspecified = last("FINISH_REASON_UNSPECIFIED");
    let (events, fault) = run(&[partial.clone(), unspecified]);
    assert_eq!(fault, interrupted("no_finish_reason"));
    assert!(events.contains(&text("par")), "what came is kept");
    for (reason, expected) in [
        ("STOP", StopReason::EndTurn),
        ("MAX_TOKENS", StopReason::MaxTokens),
        ("SAFETY", StopReason::Refusal),
        ("RECITATION", StopReason::Refusal),
        ("PROHIBITED_CONTENT", StopReason::Refusal),
        ("IMAGE_SAFETY", StopReason::Refusal),
        ("OTHER", StopReason::Other),
        ("FROM_THE_FUTURE", StopReason::Other),
    ] {
        let (events, fault) = run(&[partial.clone(), last(reason)]);
        assert_eq!(
            (events.last(), fault),
            (Some(&finished(expected)), None),
            "{reason}"
        );
    }
    for reason in ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"] {
        assert_eq!(run(&[partial.clone(), last(reason)]).1, interrupted(reason));
    }
    let early = json!({ "candidates": [{
        "content": { "parts": [{ "text": "a" }] }, "finishReason": "STOP" }] });
    let (events, _) = run(&[early, partial, last("MAX_TOKENS")]);
    assert_eq!(
        events[1..],
        [text("a"), text("par"), finished(StopReason::MaxTokens)],
        "some name a reason in every chunk"
    );
}

#[test]
fn a_model_that_waits_for_its_code_is_not_done() {
    let code = json!({ "executableCode": { "code": "1" } });
    let code = json!({ "candidates": [{
        "content": { "parts": [code] }, "finishReason": "STOP" }] });
    let result = chunk(&json!([{ "codeExecutionResult": { "outcome": "OUTCOME_OK" } }]));
    let cut = Some((ErrorKind::Interrupted, Some("no_finish_reason".to_owned())));
    assert_eq!(run(std::slice::from_ref(&code)).1, cut);
    assert_eq!(run(&[last("STOP"), result.clone()]).1, cut);
    assert_eq!(run(&[code, result, last("STOP")]).1, None);
}

#[test]
fn a_blocked_prompt_is_a_refusal() {
    let (events, fault) = run(&[json!({
        "promptFeedback": { "blockReason": "PROHIBITED_CONTENT" },
        "usageMetadata": { "promptTokenCount": 7 },
        "modelVersion": "gemini-3.8-flash",
    })]);
    assert_eq!(fault, None);
    assert_eq!(events.last(), Some(&finished(StopReason::Refusal)));
    assert_eq!(events.len(), 3, "{events:?}");
}

#[test]
fn errors_in_the_stream_end_it_after_what_came() {
    let partial = chunk(&json!([{ "text": "par" }]));
    let error = |code: u16, status: &str| json!({ "error": { "code": code, "message": "no", "status": status } });
    for (value, kind) in [
        (error(503, "UNAVAILABLE"), ErrorKind::Overloaded),
        (error(429, "RESOURCE_EXHAUSTED"), ErrorKind::RateLimited),
        (json!([error(500, "INTERNAL")]), ErrorKind::Overloaded),
        (error(400, "INVALID_ARGUMENT"), ErrorKind::InvalidRequest),
        (json!({ "candidates": "x" }), ErrorKind::Interrupted),
        (chunk(&json!("x")), ErrorKind::Interrupted),
        (chunk(&json!([5])), ErrorKind::Interrupted),
        (chunk(&json!([{ "text": 5 }])), ErrorKind::Interrupted),
        (
            chunk(&json!([{ "functionCall": "f" }])),
            ErrorKind::Interrupted,
        ),
        (json!(5), ErrorKind::Interrupted),
    ] {
        let (events, fault) = run(&[partial.clone(), value.clone(), last("STOP")]);
        assert_eq!(fault.map(|(kind, _)| kind), Some(kind), "{value}");
        assert!(events.contains(&text("par")), "{value}");
    }
    let named = "event: error\ndata: boom\n\n";
    let decoded = decode(Wire::Gemini, named.as_bytes(), NonZeroUsize::MIN).unwrap();
    assert!(decoded.lines[0].contains("boom"), "{:?}", decoded.lines);
}

#[test]
fn what_is_unknown_is_skipped() {
    let found = events(&[
        json!({ "candidates": null }),
        json!({}),
        Value::Null,
        json!({ "message": "in passing", "usageMetadata": "none", "promptFeedback": {} }),
        json!({ "candidates": [
            { "index": 1, "content": { "parts": [{ "text": "no" }] }, "finishReason": "OTHER" },
            { "index": 0, "content": { "parts": [{ "text": "yes" }] }, "groundingMetadata": 5 },
        ] }),
        json!({ "candidates": [{ "content": {}, "finishReason": "STOP", "x": {} }] }),
    ]);
    assert_eq!(found, [text("yes"), finished(StopReason::EndTurn)]);
    let stream = "event: ping\ndata: {\"x\":1}\n\nevent: ping\ndata: {\"cut\n\n: alive\n\n\
                  data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\ndata: [DONE]\n\n";
    let decoded = decode(Wire::Gemini, stream.as_bytes(), NonZeroUsize::MIN).unwrap();
    assert!(decoded.complete, "{:?}", decoded.lines);
}

#[test]
fn an_answer_may_come_whole() {
    let read = |body: &Value| {
        let mut out = Vec::new();
        let result = whole(&body.to_string(), &mut out);
        (out, result.map(|result| result.map_err(|fault| fault.kind)))
    };
    let one = json!({ "candidates": [{
        "content": { "parts": [{ "text": "hi" }] }, "finishReason": "STOP" }] });
    let (events, result) = read(&one);
    assert_eq!(result, Some(Ok(())));
    assert_eq!(events[1..], [text("hi"), finished(StopReason::EndTurn)]);
    let (events, result) = read(&json!([chunk(&json!([{ "text": "a" }])), one]));
    assert_eq!(result, Some(Ok(())));
    assert_eq!(events.len(), 4, "{events:?}");
    assert_eq!(
        read(&json!([chunk(&json!([]))])).1,
        Some(Err(ErrorKind::Interrupted))
    );
    let error = json!([{ "error": { "code": 503, "message": "x", "status": "UNAVAILABLE" } }]);
    assert_eq!(read(&error).1, Some(Err(ErrorKind::Overloaded)));
    for neither in [json!({}), json!([]), json!({ "models": [] })] {
        assert_eq!(read(&neither).1, None, "{neither}");
    }
}

/// What came in the chunks as it goes back to its maker, asked by the tools' results to go on.
fn back(chunks: &[Value]) -> Value {
    let maker = "gemini".parse().unwrap();
    let (events, fault) = run(chunks);
    assert_eq!(fault, None);
    let parts = folded(Wire::Gemini, &maker, "gemini-3.8-flash", events);
    let results = parts.iter().filter_map(|part| match part {
        Part::ToolCall { id, .. } => Some(Part::ToolResult {
            call_id: id.clone(),
            content: "done".into(),
            is_error: false,
        }),
        _ => None,
    });
    let results = results.collect();
    let message = |role, parts| RequestMessage { role, parts };
    let request = Request {
        model: "gemini-3.8-flash".into(),
        messages: vec![
            message(Role::User, vec![Part::text("go")]),
            message(Role::Assistant, parts),
            message(Role::User, results),
        ],
        ..Request::default()
    };
    let body = encode(Wire::Gemini, Some(&maker), &request, &Quirks::default()).unwrap();
    serde_json::from_slice::<Value>(&body).unwrap()["contents"].take()
}

#[test]
fn an_answer_goes_back_as_it_came() {
    let bare = json!({ "text": "", "thoughtSignature": "d" });
    let code = json!({ "executableCode": { "code": "1" }, "thoughtSignature": "c" });
    let contents = back(&[
        chunk(&json!([{ "text": "h", "thought": true }, { "text": "m", "thought": true }])),
        chunk(&json!([{ "text": "First ", }, { "text": "this.", "thoughtSignature": "a" }])),
        chunk(&json!([code])),
        chunk(
            &json!([{ "functionCall": { "id": "1", "name": "f", "willContinue": true },
            "thoughtSignature": "b" }]),
        ),
        chunk(&json!([{ "functionCall": {
            "partialArgs": [{ "jsonPath": "$.x", "numberValue": 1 }] } }])),
        chunk(&json!([{ "functionCall": { "id": "2", "name": "g", "args": {} } }, bare])),
        json!({ "candidates": [{ "finishReason": "STOP", "groundingMetadata": { "x": 1 } }] }),
    ]);
    let response = |id: &str, name: &str| {
        json!({ "functionResponse": {
            "id": id, "name": name, "response": { "output": "done" } } })
    };
    assert_eq!(
        contents,
        json!([
            { "role": "user", "parts": [{ "text": "go" }] },
            { "role": "model", "parts": [
                { "text": "First this.", "thoughtSignature": "a" },
                code,
                { "functionCall": { "id": "1", "name": "f", "args": { "x": 1 } },
                    "thoughtSignature": "b" },
                { "functionCall": { "id": "2", "name": "g", "args": {} } },
                bare,
            ] },
            { "role": "user", "parts": [response("1", "f"), response("2", "g")] },
        ]),
        "thoughts that are not signed are for people alone"
    );
}

fn part() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-z€😀 ]{0,8}".prop_map(|text| json!({ "text": text })),
        "[a-z€ ]{0,8}".prop_map(|text| json!({ "text": text, "thought": true })),
        "[a-z]{0,2}".prop_map(|text| json!({ "text": text, "thoughtSignature": "s" })),
        Just(json!({ "executableCode": { "code": "1" } })),
        ("[fg]?", any::<bool>()).prop_map(|(name, more)| json!({
            "functionCall": { "name": name, "willContinue": more } })),
        ("[ab]", "[xy€]{0,3}", any::<bool>()).prop_map(|(name, value, more)| json!({
            "functionCall": {
                "partialArgs": [{ "jsonPath": format!("$.{name}"), "stringValue": value }],
                "willContinue": more,
            } })),
    ]
}

fn data() -> impl Strategy<Value = String> {
    let chunk = prop_oneof![
        8 => proptest::collection::vec(part(), 0..3).prop_map(|parts| chunk(&json!(parts))),
        2 => (0_u64..9).prop_map(|tokens| json!({ "usageMetadata": { "promptTokenCount": tokens } })),
        2 => Just(last("STOP")),
        1 => Just(json!({ "error": { "message": "boom" } })),
        1 => Just(json!("no object")),
    ];
    chunk.prop_map(|chunk| chunk.to_string())
}

proptest! {
    #[test]
    fn every_split_decodes_to_the_same_lines(
        chunks in proptest::collection::vec(data(), 0..12),
        newline in prop_oneof![Just("\n"), Just("\r"), Just("\r\n")],
        cut in any::<prop::sample::Index>(),
        split in 1_usize..9,
    ) {
        let stream: String = chunks
            .iter()
            .map(|chunk| format!("data: {chunk}{newline}{newline}"))
            .collect();
        let stream = &stream.as_bytes()[..stream.len() - cut.index(stream.len() / 4 + 1)];
        let whole = decode(Wire::Gemini, stream, NonZeroUsize::MAX).unwrap();
        let pieces = decode(Wire::Gemini, stream, NonZeroUsize::new(split).unwrap()).unwrap();
        prop_assert_eq!(&pieces, &whole);
        let ends = stream.windows(12).any(|bytes| bytes == b"finishReason");
        prop_assert!(ends || !whole.complete, "a stream without its end is no answer");
    }

    #[test]
    fn any_data_is_survived(data in "\\PC{0,80}") {
        let stream = format!("data: {data}\n\n");
        decode(Wire::Gemini, stream.as_bytes(), NonZeroUsize::MAX).unwrap();
    }
}
