//! The accents of Chat Completions, one case each, written by hand after what servers send.

mod cuts;
mod thinking;

use std::num::NonZeroUsize;

use pretty_assertions::assert_eq;
use protocol::{StopReason, Usage, Wire};
use serde_json::json;

use crate::wire::Decoder;
use crate::{Decoded, ErrorKind, ProviderEvent, decode};

/// The events of a stream of chunks, and the kind and code of its fault.
fn run(chunks: &[&str]) -> (Vec<ProviderEvent>, Option<(ErrorKind, Option<String>)>) {
    let mut decoder = Decoder::new(Wire::Chat).unwrap();
    let mut out = Vec::new();
    for chunk in chunks {
        match decoder.push(format!("data: {chunk}\n\n").as_bytes(), &mut out) {
            Ok(flow) if flow.is_continue() => {}
            Ok(_) => break,
            Err(fault) => return (out, Some((fault.kind, fault.code))),
        }
    }
    let fault = decoder.finish(&mut out).err();
    (out, fault.map(|fault| (fault.kind, fault.code)))
}

/// The lines of a stream of chunks, as `debug decode` prints them.
fn lines(chunks: &[&str]) -> Vec<serde_json::Value> {
    let stream: String = chunks
        .iter()
        .map(|chunk| format!("data: {chunk}\n\n"))
        .collect();
    values(&decode(Wire::Chat, stream.as_bytes(), NonZeroUsize::MIN).unwrap())
}

fn values(decoded: &Decoded) -> Vec<serde_json::Value> {
    let value = |line: &String| serde_json::from_str(line).unwrap();
    decoded.lines.iter().map(value).collect()
}

const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

fn text(text: &str) -> serde_json::Value {
    json!({ "type": "text", "text": text })
}

fn thinking(text: &str) -> serde_json::Value {
    json!({ "type": "thinking", "text": text })
}

fn call(index: u32, id: &str, name: &str, arguments: &str) -> serde_json::Value {
    json!({ "type": "tool_call", "index": index, "id": id, "name": name, "arguments": arguments })
}

fn stop(reason: &str) -> serde_json::Value {
    json!({ "type": "stop", "reason": reason })
}

#[test]
fn text_and_thinking_in_all_spellings() {
    let cases: &[(&str, &[&str], Vec<serde_json::Value>)] = &[
        (
            "plain",
            &[
                r#"{"choices":[{"index":0,"delta":{"content":"hi"}}]}"#,
                STOP,
            ],
            vec![text("hi"), stop("end_turn")],
        ),
        (
            "index missing",
            &[r#"{"choices":[{"delta":{"content":"hi"}}]}"#, STOP],
            vec![text("hi"), stop("end_turn")],
        ),
        (
            "other choices",
            &[
                r#"{"choices":[{"index":1,"delta":{"content":"no"},"finish_reason":"length"},{"index":0,"delta":{"content":"yes"}}]}"#,
                STOP,
            ],
            vec![text("yes"), stop("end_turn")],
        ),
        (
            "null content",
            &[
                r#"{"choices":[{"delta":{"content":null,"reasoning_content":"hm"}}]}"#,
                r#"{"choices":[{"delta":{"content":"so","reasoning_content":null}}]}"#,
                STOP,
            ],
            vec![thinking("hm"), text("so"), stop("end_turn")],
        ),
        (
            "reasoning",
            &[r#"{"choices":[{"delta":{"reasoning":"hm"}}]}"#, STOP],
            vec![thinking("hm"), stop("end_turn")],
        ),
        (
            "both names",
            &[
                r#"{"choices":[{"delta":{"reasoning":"hm","reasoning_content":"hm"}}]}"#,
                STOP,
            ],
            vec![thinking("hm"), stop("end_turn")],
        ),
        (
            "details alone",
            &[
                r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","text":"hm"}]}}]}"#,
                STOP,
            ],
            vec![thinking("hm"), stop("end_turn")],
        ),
        (
            "Mistral's pieces",
            &[
                r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"h"},{"type":"text","text":"m"}]},{"type":"reference","reference_ids":[1]},{"type":"text","text":"so"}]}}]}"#,
                STOP,
            ],
            vec![thinking("hm"), text("so"), stop("end_turn")],
        ),
        (
            "refusal",
            &[r#"{"choices":[{"delta":{"refusal":"I cannot."}}]}"#, STOP],
            vec![text("I cannot."), stop("refusal")],
        ),
        (
            "unknown fields",
            &[
                r#"{"x":1,"choices":[{"y":[],"delta":{"z":{},"content":"hi","logprobs":5}}],"timings":{}}"#,
                STOP,
            ],
            vec![text("hi"), stop("end_turn")],
        ),
        (
            "wrong types that do not matter",
            &[
                r#"{"id":5,"model":{},"created":"x","usage":"none","choices":[{"index":"0","delta":{"content":"hi","role":7}}]}"#,
                STOP,
            ],
            vec![text("hi"), stop("end_turn")],
        ),
        (
            "a whole message",
            &[
                r#"{"object":"chat.completion","choices":[{"message":{"content":"hi"},"finish_reason":"length"}]}"#,
            ],
            vec![text("hi"), stop("max_tokens")],
        ),
        (
            "delta before message",
            &[
                r#"{"choices":[{"delta":{"content":"b"},"message":{"content":"ab"}}]}"#,
                STOP,
            ],
            vec![text("b"), stop("end_turn")],
        ),
        (
            "no delta",
            &[
                r#"{"choices":[{"index":0}]}"#,
                r#"{"choices":[]}"#,
                r#"{"choices":null}"#,
                "{}",
                "null",
                "",
                STOP,
            ],
            vec![stop("end_turn")],
        ),
        (
            "done twice",
            &[
                STOP,
                "[DONE]",
                "[DONE]",
                r#"{"choices":[{"delta":{"content":"late"}}]}"#,
            ],
            vec![stop("end_turn")],
        ),
        (
            "a null error",
            &[r#"{"error":null,"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}"#],
            vec![text("hi"), stop("end_turn")],
        ),
        (
            "an empty finish reason",
            &[
                r#"{"choices":[{"delta":{"content":"a"},"finish_reason":""}]}"#,
                STOP,
            ],
            vec![text("a"), stop("end_turn")],
        ),
        (
            "text after the finish",
            &[STOP, r#"{"choices":[{"delta":{"content":"hi"}}]}"#],
            vec![text("hi"), stop("end_turn")],
        ),
        (
            "data without a name",
            &[
                "{\"choices\":[{\"delta\":{\"content\":\"\\u2028\\ud83d\\ude00\"}}]}",
                STOP,
            ],
            vec![text("\u{2028}😀"), stop("end_turn")],
        ),
    ];
    for (name, chunks, expected) in cases {
        assert_eq!(&lines(chunks), expected, "{name}");
    }
}

#[test]
fn tool_calls_in_all_spellings() {
    let delta = |calls: &str| format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{calls}]}}}}]}}"#);
    let cases: &[(&str, &[&str], Vec<serde_json::Value>)] = &[
        (
            "id on the first only",
            &[
                r#"{"index":0,"id":"a","function":{"name":"f","arguments":""}}"#,
                r#"{"index":0,"function":{"arguments":"{\"x\""}}"#,
                r#"{"index":0,"function":{"arguments":":1}"}}"#,
            ],
            vec![call(0, "a", "f", r#"{"x":1}"#)],
        ),
        (
            "two, interleaved",
            &[
                r#"{"index":0,"id":"a","function":{"name":"f","arguments":"1"}},{"index":1,"id":"b","function":{"name":"g","arguments":"2"}}"#,
                r#"{"index":1,"function":{"arguments":"3"}}"#,
                r#"{"index":0,"function":{"arguments":"4"}}"#,
            ],
            vec![call(0, "a", "f", "14"), call(1, "b", "g", "23")],
        ),
        (
            "indexes from one",
            &[
                r#"{"index":1,"id":"a","function":{"name":"f","arguments":"1"}}"#,
                r#"{"index":1,"function":{"arguments":"2"}}"#,
            ],
            vec![call(0, "a", "f", "12")],
        ),
        (
            "no index, whole calls",
            &[
                r#"{"id":"a","function":{"name":"f","arguments":"{}"}}"#,
                r#"{"id":"b","function":{"name":"f","arguments":"{}"}}"#,
            ],
            vec![call(0, "a", "f", "{}"), call(1, "b", "f", "{}")],
        ),
        (
            "no index, then arguments alone",
            &[
                r#"{"id":"a","function":{"name":"f"}}"#,
                r#"{"function":{"arguments":"{}"}}"#,
            ],
            vec![call(0, "a", "f", "{}")],
        ),
        (
            "all numbered 0",
            &[
                r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#,
                r#"{"index":0,"id":"b","function":{"name":"g","arguments":"[]"}}"#,
            ],
            vec![call(0, "a", "f", "{}"), call(1, "b", "g", "[]")],
        ),
        (
            "id on each piece",
            &[
                r#"{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}"#,
                r#"{"index":0,"id":"a","function":{"name":"","arguments":"2"}}"#,
            ],
            vec![call(0, "a", "f", "12")],
        ),
        (
            "arguments as an object",
            &[r#"{"index":0,"id":"a","function":{"name":"f","arguments":{"x":1}}}"#],
            vec![call(0, "a", "f", r#"{"x":1}"#)],
        ),
        (
            "null arguments",
            &[r#"{"index":0,"id":"a","function":{"name":"f","arguments":null}}"#],
            vec![call(0, "a", "f", "")],
        ),
        (
            "no function",
            &[
                r#"{"index":0,"id":"a"}"#,
                r#"{"index":0,"function":{"name":"f","arguments":"{}"}}"#,
            ],
            vec![call(0, "a", "f", "{}")],
        ),
    ];
    for (name, calls, expected) in cases {
        let chunks: Vec<String> = calls.iter().map(|call| delta(call)).collect();
        let mut chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
        chunks.push(STOP);
        let mut expected = expected.clone();
        expected.push(stop("tool_use"));
        assert_eq!(lines(&chunks), expected, "{name}");
    }
}

#[test]
fn usage_in_all_places_and_spellings() {
    let usage = |input, cached, output, thinking| Usage {
        input_tokens: input,
        cached_tokens: cached,
        cache_write_tokens: None,
        output_tokens: output,
        thinking_tokens: thinking,
        reported_cost_usd: None,
        estimated: false,
    };
    let cases: &[(&str, &str, Usage)] = &[
        (
            "after the finish",
            r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":8},"completion_tokens_details":{"reasoning_tokens":3}}}"#,
            usage(Some(9), Some(8), Some(4), Some(3)),
        ),
        (
            "on the finish",
            r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4}}"#,
            usage(Some(9), None, Some(4), None),
        ),
        (
            "in the choice",
            r#"{"choices":[{"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":9,"completion_tokens":4,"cached_tokens":1}}]}"#,
            usage(Some(9), Some(1), Some(4), None),
        ),
        (
            "DeepSeek",
            r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_cache_hit_tokens":7,"prompt_cache_miss_tokens":2}}"#,
            usage(Some(9), Some(7), Some(4), None),
        ),
        (
            "xAI counts thinking apart",
            r#"{"choices":[],"usage":{"prompt_tokens":291,"completion_tokens":26,"total_tokens":513,"completion_tokens_details":{"reasoning_tokens":196}}}"#,
            usage(Some(291), None, Some(222), Some(196)),
        ),
        (
            "Groq",
            r#"{"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":9,"completion_tokens":4}}}"#,
            usage(Some(9), None, Some(4), None),
        ),
        (
            "OpenRouter counts what is written into a cache",
            r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":1,"cache_write_tokens":6}}}"#,
            Usage {
                cache_write_tokens: Some(6),
                ..usage(Some(9), Some(1), Some(4), None)
            },
        ),
        (
            "OpenRouter says what it cost",
            r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"cost":0.00105}}"#,
            Usage {
                reported_cost_usd: Some(0.001_05),
                ..usage(Some(9), None, Some(4), None)
            },
        ),
        (
            "xAI does in ticks",
            r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"cost_in_usd_ticks":5000000}}"#,
            Usage {
                reported_cost_usd: Some(0.000_5),
                ..usage(Some(9), None, Some(4), None)
            },
        ),
        (
            "details null",
            r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":null,"prompt_tokens_details":null}}"#,
            usage(Some(9), None, None, None),
        ),
        (
            "numbers that are none",
            r#"{"choices":[],"usage":{"prompt_tokens":-1,"completion_tokens":4}}"#,
            usage(None, None, Some(4), None),
        ),
    ];
    for (name, chunk, expected) in cases {
        let (events, fault) = run(&[STOP, chunk, "[DONE]"]);
        assert_eq!(fault, None, "{name}");
        let found: Vec<_> = events
            .iter()
            .filter(|event| matches!(event, ProviderEvent::Usage(_)))
            .collect();
        assert_eq!(found, [&ProviderEvent::Usage(expected.clone())], "{name}");
    }
    let (events, _) = run(&[
        STOP,
        r#"{"choices":[],"usage":null}"#,
        r#"{"choices":[],"usage":{}}"#,
    ]);
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, ProviderEvent::Usage(_))),
        "none is none"
    );
}

#[test]
fn the_end_is_told_from_a_cut() {
    let partial = r#"{"choices":[{"delta":{"content":"par"}}]}"#;
    let interrupted = |code: &str| Some((ErrorKind::Interrupted, Some(code.to_owned())));
    assert_eq!(run(&[]).1, interrupted("no_finish_reason"));
    assert_eq!(run(&["[DONE]"]).1, interrupted("no_finish_reason"));
    let (events, fault) = run(&[partial, "[DONE]"]);
    assert_eq!(
        fault,
        interrupted("no_finish_reason"),
        "a DONE alone is no end"
    );
    assert!(
        events.contains(&ProviderEvent::Text("par".to_owned())),
        "what came is kept"
    );
    assert_eq!(run(&[STOP]).1, None, "DONE is optional");
    for (reason, expected) in [
        ("stop", StopReason::EndTurn),
        ("length", StopReason::MaxTokens),
        ("model_length", StopReason::ContextFull),
        ("tool_calls", StopReason::ToolUse),
        ("function_call", StopReason::ToolUse),
        ("content_filter", StopReason::Refusal),
        ("STOP", StopReason::EndTurn),
        ("from_the_future", StopReason::Other),
    ] {
        let chunk = format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{reason}"}}]}}"#);
        let (events, fault) = run(&[&chunk]);
        assert_eq!(
            (events.last(), fault),
            (
                Some(&ProviderEvent::Finished {
                    stop_reason: expected
                }),
                None
            )
        );
    }
    for reason in ["error", "abort", "insufficient_system_resource"] {
        let chunk = format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{reason}"}}]}}"#);
        assert_eq!(run(&[partial, &chunk]).1, interrupted(reason));
    }
}

#[test]
fn errors_in_the_stream_end_it_after_what_came() {
    let partial = r#"{"choices":[{"delta":{"content":"par"}}]}"#;
    for (chunk, kind) in [
        (
            r#"{"error":{"message":"busy","type":"server_error","code":null}}"#,
            ErrorKind::Overloaded,
        ),
        (
            r#"{"choices":[{"delta":{"content":"tial"},"finish_reason":"error"}],"error":{"code":502,"message":"gone"}}"#,
            ErrorKind::Overloaded,
        ),
        (r#"{"error":"out of memory"}"#, ErrorKind::Unknown),
        (
            r#"{"code":"invalid-argument","error":"wrong"}"#,
            ErrorKind::InvalidRequest,
        ),
        (
            r#"{"object":"error","message":"maximum context length is 5","code":400}"#,
            ErrorKind::ContextOverflow,
        ),
        (
            r#"{"error":{"message":"x","code":"tool_use_failed","status_code":400}}"#,
            ErrorKind::InvalidRequest,
        ),
        ("not json", ErrorKind::Interrupted),
        (
            "{\"choices\":[{\"delta\":{\"content\":\"cut",
            ErrorKind::Interrupted,
        ),
        ("5", ErrorKind::Interrupted),
        ("[]", ErrorKind::Interrupted),
        (r#"{"choices":"x"}"#, ErrorKind::Interrupted),
        (
            r#"{"choices":[{"delta":{"content":5}}]}"#,
            ErrorKind::Interrupted,
        ),
        (
            r#"{"choices":[{"delta":{"tool_calls":{}}}]}"#,
            ErrorKind::Interrupted,
        ),
    ] {
        let (events, fault) = run(&[partial, chunk, STOP]);
        assert_eq!(fault.map(|(kind, _)| kind), Some(kind), "{chunk}");
        assert!(
            events.contains(&ProviderEvent::Text("par".to_owned())),
            "{chunk}"
        );
        let tail = ProviderEvent::Text("tial".to_owned());
        assert_eq!(events.contains(&tail), chunk.contains("tial"), "{chunk}");
    }
    let deep = format!("{{\"choices\":{}", "[".repeat(100_000));
    assert!(run(&[&deep]).1.is_some(), "nesting has a limit");
}

#[test]
fn a_named_error_event_is_an_error_whatever_it_holds() {
    for data in [
        r#"{"error":{"message":"x"}}"#,
        r#"{"message":"x"}"#,
        "x",
        "{}",
    ] {
        let mut decoder = Decoder::new(Wire::Chat).unwrap();
        let stream = format!("event: error\ndata: {data}\n\n");
        assert!(
            decoder.push(stream.as_bytes(), &mut Vec::new()).is_err(),
            "{data}"
        );
    }
}

#[test]
fn a_last_event_without_its_blank_line_counts_when_it_is_whole() {
    let whole = format!("data: {STOP}");
    let decoded = decode(Wire::Chat, whole.as_bytes(), NonZeroUsize::MIN).unwrap();
    assert!(decoded.complete);
    let cut = format!("data: {STOP}\n\ndata: {{\"choices\":[{{");
    let decoded = decode(Wire::Chat, cut.as_bytes(), NonZeroUsize::MIN).unwrap();
    assert!(decoded.complete, "the finish had come before the cut");
    let decoded = decode(Wire::Chat, &cut.as_bytes()[..40], NonZeroUsize::MIN).unwrap();
    assert!(!decoded.complete);
    assert!(
        decoded.lines[0].contains(r#""kind":"interrupted""#),
        "{:?}",
        decoded.lines
    );
}

#[test]
fn what_follows_the_end_is_no_part_of_the_answer() {
    let answer = format!("data: {STOP}\n\ndata: [DONE]\n\n");
    for tail in [
        r#"data: {"error":{"message":"late"}}"#,
        r#"data: {"choices":[{"delta":{"content":"late"}}]}"#,
        "event: error\ndata: late",
    ] {
        let stream = format!("{answer}{tail}");
        for split in [1, 7, 64, usize::MAX] {
            let split = NonZeroUsize::new(split).unwrap();
            let decoded = decode(Wire::Chat, stream.as_bytes(), split).unwrap();
            assert_eq!(values(&decoded), [stop("end_turn")], "{tail} by {split}");
            assert!(decoded.complete);
        }
    }
}

#[test]
fn unknown_events_are_skipped() {
    for unknown in [
        "event: heartbeat\ndata: still here",
        "event: heartbeat\ndata: {\"cut",
        "event: ping\ndata: {\"message\":\"x\"}",
        "event: ping\ndata: 5",
        "event: status\ndata: {\"error\":null,\"choices\":null}",
        "data: {\"message\":\"queued\",\"position\":3}",
        "data: {\"detail\":\"warming up\"}",
        "data: {\"type\":\"ping\"}",
        ": comment",
    ] {
        let stream = format!(
            "{unknown}\n\ndata: {{\"choices\":[{{\"delta\":{{\"content\":\"a\"}}}}]}}\n\n\
             {unknown}\n\ndata: {STOP}\n\n"
        );
        let decoded = decode(Wire::Chat, stream.as_bytes(), NonZeroUsize::MIN).unwrap();
        let expected = [text("a"), stop("end_turn")];
        assert_eq!(values(&decoded), expected, "{unknown}");
    }
    // A name that we do not know does not hide the answer, or that it failed.
    let named = "event: chunk\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n\
                 event: failure\ndata: {\"error\":{\"message\":\"boom\"}}\n\n";
    let decoded = decode(Wire::Chat, named.as_bytes(), NonZeroUsize::MIN).unwrap();
    assert_eq!(values(&decoded)[0], text("a"));
    assert!(decoded.lines[1].contains("boom"), "{:?}", decoded.lines);
}

#[test]
fn an_error_inside_the_choice_is_one() {
    let chunk = r#"{"choices":[{"index":0,"delta":{"content":"tial"},"finish_reason":"error",
        "error":{"code":502,"message":"upstream is gone"}}]}"#
        .replace('\n', "");
    let (events, fault) = run(&[r#"{"choices":[{"delta":{"content":"par"}}]}"#, &chunk]);
    assert_eq!(fault, Some((ErrorKind::Overloaded, Some("502".to_owned()))));
    assert!(events.contains(&ProviderEvent::Text("tial".to_owned())));
    let none = r#"{"choices":[{"delta":{"content":"a"},"error":null,"finish_reason":"stop"}]}"#;
    assert_eq!(run(&[none]).1, None);
}

#[test]
fn names_of_tools_and_calls_are_bounded() {
    let long = "x".repeat(257);
    for (id, name, sound) in [
        ("a", "f", true),
        ("a", long.as_str(), false),
        ("a", "f\u{7}", false),
        ("a\n", "f", false),
        (long.as_str(), "f", true),
    ] {
        let chunk = json!({ "choices": [{ "delta": { "tool_calls": [
            { "index": 0, "id": id, "function": { "name": name, "arguments": "{}" } }
        ] } }] });
        let fault = run(&[&chunk.to_string(), STOP]).1;
        let expected = (!sound).then(|| {
            let code = Some("invalid_tool_call".to_owned());
            (ErrorKind::Interrupted, code)
        });
        assert_eq!(fault, expected, "{id:?} {name:?}");
    }
}

#[test]
fn started_comes_again_when_the_model_is_known() {
    let long = json!({ "choices": [{ "delta": { "content": "a" } }], "model": "x".repeat(257) });
    let odd = json!({ "choices": [], "model": "a\u{1b}[2J", "id": "" });
    let (events, _) = run(&[
        r#"{"choices":[{"delta":{"content":""}}],"id":"c1"}"#,
        &long.to_string(),
        &odd.to_string(),
        r#"{"choices":[],"model":"m","id":"c1"}"#,
        r#"{"choices":[],"model":"n","id":"c1"}"#,
        STOP,
    ]);
    let started = |model: Option<&str>| ProviderEvent::Started {
        model: model.map(str::to_owned),
        response_id: Some("c1".to_owned()),
    };
    assert_eq!(
        events[..3],
        [
            started(None),
            ProviderEvent::Text("a".to_owned()),
            started(Some("m")),
        ]
    );
    assert_eq!(events.len(), 4, "and never again: {events:?}");
}

#[test]
fn started_names_the_model_once() {
    let (events, _) = run(&[
        r#"{"choices":[],"model":"","id":"","prompt_filter_results":[]}"#,
        r#"{"choices":[{"delta":{"content":""}}],"model":"gpt-5-nano","id":"c1"}"#,
        r#"{"choices":[{"delta":{"content":"a"}}],"model":"gpt-5-nano","id":"c1"}"#,
        STOP,
    ]);
    let started = ProviderEvent::Started {
        model: Some("gpt-5-nano".to_owned()),
        response_id: Some("c1".to_owned()),
    };
    assert_eq!(events[..2], [started, ProviderEvent::Text("a".to_owned())]);
}

#[test]
fn the_wire_of_the_house_is_not_spoken_here() {
    let error = decode(Wire::Inhouse, &b""[..], NonZeroUsize::MIN).unwrap_err();
    assert!(error.to_string().contains("does not speak"), "{error}");
    let fault = crate::encode_request(Wire::Inhouse, "m", r#"{"messages":[]}"#).unwrap_err();
    assert_eq!(fault.code.as_deref(), Some("unsupported_wire"));
}

#[test]
fn a_conversation_becomes_a_body() {
    let conversation = r#"{"system":"s","messages":[
        {"role":"user","content":"a"},
        {"role":"assistant","parts":[{"type":"text","text":"b"}]}]}"#;
    let body = crate::encode_request(Wire::Chat, "m", conversation).unwrap();
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body["messages"],
        json!([
            { "role": "system", "content": "s" },
            { "role": "user", "content": "a" },
            { "role": "assistant", "content": "b" },
        ])
    );
    for wrong in [
        "",
        "[]",
        "{}",
        r#"{"messages":[{"role":"wizard","content":"x"}]}"#,
    ] {
        let fault = crate::encode_request(Wire::Chat, "m", wrong).unwrap_err();
        assert_eq!(fault.kind, ErrorKind::InvalidRequest, "{wrong}");
        assert!(
            fault.message.starts_with("conversation: "),
            "{}",
            fault.message
        );
    }
}
