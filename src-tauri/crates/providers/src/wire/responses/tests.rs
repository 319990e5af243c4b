//! The accents of Responses, one case each, written by hand after what servers send.

mod calls;
mod encoding;
mod properties;
mod recordings;

use std::num::NonZeroUsize;

use pretty_assertions::assert_eq;
use protocol::{StopReason, Usage, Wire};
use serde_json::{Value, json};

use crate::wire::{self, Decoder};
use crate::{Decoded, ErrorKind, ProviderEvent, decode};

/// The events of a stream, and the kind and code of its fault.
fn run(events: &[Value]) -> (Vec<ProviderEvent>, Option<(ErrorKind, Option<String>)>) {
    let mut decoder = Decoder::new(Wire::Responses).unwrap();
    let mut out = Vec::new();
    for event in events {
        match decoder.push(format!("data: {event}\n\n").as_bytes(), &mut out) {
            Ok(flow) if flow.is_continue() => {}
            Ok(_) => break,
            Err(fault) => return (out, Some((fault.kind, fault.code))),
        }
    }
    let fault = decoder.finish(&mut out).err();
    (out, fault.map(|fault| (fault.kind, fault.code)))
}

/// The events of an answer that comes whole, between the start and the usage.
fn whole_answer(events: &[Value]) -> Vec<ProviderEvent> {
    let mut stream = vec![created()];
    stream.extend_from_slice(events);
    stream.push(completed());
    let (mut events, fault) = run(&stream);
    assert_eq!(fault, None);
    assert_eq!(
        events.remove(0),
        ProviderEvent::Started {
            model: Some("m-1".into()),
            response_id: Some("r".into()),
        }
    );
    events
}

fn created() -> Value {
    json!({ "type": "response.created", "response": { "id": "r", "model": "m-1", "tools": [] } })
}

fn completed() -> Value {
    json!({ "type": "response.completed", "response": { "status": "completed", "output": [] } })
}

fn added(index: u64, item: Value) -> Value {
    json!({ "type": "response.output_item.added", "output_index": index, "item": item })
}

fn done(index: u64, item: Value) -> Value {
    json!({ "type": "response.output_item.done", "output_index": index, "item": item })
}

fn says(index: u64, delta: &str) -> Value {
    json!({ "type": "response.output_text.delta", "output_index": index, "delta": delta })
}

fn sums_up(index: u64, section: u64, delta: &str) -> Value {
    json!({
        "type": "response.reasoning_summary_text.delta",
        "output_index": index,
        "summary_index": section,
        "delta": delta,
    })
}

fn reasons(index: u64, delta: &str) -> Value {
    json!({
        "type": "response.reasoning_text.delta",
        "output_index": index,
        "content_index": 0,
        "delta": delta,
    })
}

fn argues(index: u64, delta: &str) -> Value {
    json!({
        "type": "response.function_call_arguments.delta",
        "output_index": index,
        "delta": delta,
    })
}

fn message(id: &str, text: &str) -> Value {
    json!({
        "type": "message",
        "id": id,
        "role": "assistant",
        "status": "completed",
        "content": [{ "type": "output_text", "text": text, "annotations": [] }],
    })
}

fn function(id: &str, arguments: Value) -> Value {
    json!({
        "type": "function_call",
        "id": format!("fc_{id}"),
        "call_id": id,
        "name": "f",
        "arguments": arguments,
        "status": "completed",
    })
}

fn text(text: &str) -> ProviderEvent {
    ProviderEvent::Text(text.to_owned())
}

fn thinking(text: &str) -> ProviderEvent {
    ProviderEvent::Thinking(text.to_owned())
}

fn call(index: u32, named: Option<(&str, &str)>, arguments: &str) -> ProviderEvent {
    ProviderEvent::ToolCall {
        index,
        id: named.map(|(id, _)| id.to_owned()),
        name: named.map(|(_, name)| name.to_owned()),
        arguments: arguments.to_owned(),
    }
}

/// What goes back with the text of [`message`].
fn message_blob(id: &str) -> ProviderEvent {
    let mut item = message(id, "");
    item["content"][0].as_object_mut().unwrap().remove("text");
    ProviderEvent::Blob(item)
}

/// What goes back with the call of [`function`].
fn call_blob(id: &str) -> ProviderEvent {
    ProviderEvent::Blob(json!({
        "type": "function_call",
        "id": format!("fc_{id}"),
        "status": "completed",
    }))
}

fn stop(stop_reason: StopReason) -> ProviderEvent {
    ProviderEvent::Finished { stop_reason }
}

#[test]
fn a_message_is_its_text_and_what_goes_back_with_it() {
    let cases: &[(&str, &[Value])] = &[
        (
            "deltas",
            &[
                added(0, message("a", "")),
                says(0, "he"),
                says(0, "llo"),
                done(0, message("a", "hello")),
            ],
        ),
        ("no deltas", &[done(0, message("a", "hello"))]),
        (
            "deltas that stop early",
            &[says(0, "hel"), done(0, message("a", "hello"))],
        ),
        (
            "no place, and another id in each event",
            &[
                json!({ "type": "response.output_item.added", "item": message("x", "") }),
                json!({ "type": "response.output_text.delta", "item_id": "x", "delta": "hel" }),
                json!({ "type": "response.output_text.delta", "delta": "lo" }),
                json!({ "type": "response.output_item.done", "item": message("a", "hello"),
                        "item_id": "x" }),
            ],
        ),
    ];
    for (name, events) in cases {
        let joined: String = whole_answer(events)
            .iter()
            .filter_map(|event| match event {
                ProviderEvent::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(joined, "hello", "{name}");
    }
    let (_, streamed) = cases[0];
    assert_eq!(
        whole_answer(streamed),
        [
            text("he"),
            text("llo"),
            message_blob("a"),
            stop(StopReason::EndTurn)
        ]
    );
}

#[test]
fn each_message_is_a_part_of_its_own() {
    let events = [
        says(0, "First, "),
        done(0, message("a", "First, ")),
        says(1, "then."),
        done(1, message("b", "then.")),
    ];
    assert_eq!(
        whole_answer(&events),
        [
            text("First, "),
            message_blob("a"),
            text("then."),
            message_blob("b"),
            stop(StopReason::EndTurn),
        ]
    );
}

#[test]
fn what_a_message_cannot_give_up_stays_with_it() {
    let mut cited = message("a", "hello");
    cited["phase"] = json!("final_answer");
    cited["content"][0]["annotations"] = json!([{ "type": "url_citation", "url": "x" }]);
    cited["content"][0]["logprobs"] = json!([{ "token": "hello", "logprob": 0 }]);
    let events = whole_answer(&[says(0, "hello"), done(0, cited)]);
    let ProviderEvent::Blob(blob) = &events[1] else {
        panic!("{events:?}");
    };
    assert_eq!(blob["phase"], "final_answer");
    assert_eq!(
        blob["content"],
        json!([{
            "type": "output_text",
            "annotations": [{ "type": "url_citation", "url": "x" }],
            "logprobs": [],
        }])
    );

    let mut pieces = message("a", "one");
    pieces["content"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "type": "output_text", "text": "two", "annotations": [] }));
    let events = whole_answer(&[done(0, pieces.clone())]);
    assert_eq!(events[..2], [text("onetwo"), ProviderEvent::Blob(pieces)]);

    let other = message("a", "not what came");
    let events = whole_answer(&[says(0, "hello"), done(0, other.clone())]);
    assert_eq!(events[..2], [text("hello"), ProviderEvent::Blob(other)]);

    let empty = message("a", "");
    let events = whole_answer(&[done(0, empty.clone())]);
    assert_eq!(events[0], ProviderEvent::Opaque(empty));
}

#[test]
fn a_refusal_is_text_and_a_reason_to_stop() {
    let item = json!({ "type": "message", "id": "a",
        "content": [{ "type": "refusal", "refusal": "I cannot." }] });
    let blob = ProviderEvent::Blob(
        json!({ "type": "message", "id": "a", "content": [{ "type": "refusal" }] }),
    );
    let delta =
        json!({ "type": "response.refusal.delta", "output_index": 0, "delta": "I cannot." });
    for events in [
        vec![delta, done(0, item.clone())],
        vec![done(0, item.clone())],
    ] {
        assert_eq!(
            whole_answer(&events),
            [text("I cannot."), blob.clone(), stop(StopReason::Refusal)]
        );
    }
}

#[test]
fn thinking_is_a_summary_in_paragraphs_or_what_open_models_show() {
    let summary = |pieces: &[&str]| {
        let piece = |text: &&str| json!({ "type": "summary_text", "text": text });
        json!({
            "type": "reasoning",
            "id": "rs",
            "encrypted_content": "gAAA",
            "summary": pieces.iter().map(piece).collect::<Vec<_>>(),
        })
    };
    let open = json!({
        "type": "reasoning",
        "id": "rs",
        "summary": [],
        "content": [{ "type": "reasoning_text", "text": "hm" }],
    });
    let two = summary(&["**A** a", "**B**"]);
    let cases: &[(&str, &[Value], &[ProviderEvent])] = &[
        (
            "two sections",
            &[
                added(
                    0,
                    json!({ "type": "reasoning", "id": "rs", "encrypted_content": "g" }),
                ),
                sums_up(0, 0, "**A**"),
                sums_up(0, 0, " a"),
                sums_up(0, 1, "**B**"),
                done(0, two.clone()),
            ],
            &[
                thinking("**A**"),
                thinking(" a"),
                thinking("\n\n**B**"),
                ProviderEvent::Blob(two.clone()),
            ],
        ),
        (
            "one that did not stream",
            &[sums_up(0, 0, "**A** a"), done(0, two.clone())],
            &[
                thinking("**A** a"),
                thinking("\n\n**B**"),
                ProviderEvent::Blob(two.clone()),
            ],
        ),
        (
            "none that did",
            &[done(0, two.clone())],
            &[thinking("**A** a\n\n**B**"), ProviderEvent::Blob(two)],
        ),
        (
            "open",
            &[reasons(0, "h"), reasons(0, "m"), done(0, open.clone())],
            &[thinking("h"), thinking("m"), ProviderEvent::Blob(open)],
        ),
        (
            "the same told as a summary at the end",
            &[reasons(0, "hm"), done(0, summary(&["hm"]))],
            &[thinking("hm"), ProviderEvent::Blob(summary(&["hm"]))],
        ),
        (
            "hidden",
            &[done(0, summary(&[]))],
            &[ProviderEvent::Opaque(summary(&[]))],
        ),
    ];
    for (name, events, expected) in cases {
        let mut expected = expected.to_vec();
        expected.push(stop(StopReason::EndTurn));
        assert_eq!(whole_answer(events), expected, "{name}");
    }
}

#[test]
fn what_the_provider_ran_stands_in_the_order_in_which_it_began() {
    let search = |id: &str| json!({ "type": "web_search_call", "id": id, "action": { "q": id } });
    let events = [
        added(0, search("a")),
        added(1, search("b")),
        added(2, json!({ "type": "of_next_year", "id": "c" })),
        done(2, json!({ "type": "of_next_year", "id": "c", "x": 1 })),
        done(1, search("b")),
        added(3, message("d", "")),
        says(3, "held"),
        done(0, search("a")),
        says(3, " and free"),
        done(3, message("d", "held and free")),
    ];
    assert_eq!(
        whole_answer(&events),
        [
            ProviderEvent::Opaque(search("a")),
            ProviderEvent::Opaque(search("b")),
            ProviderEvent::Opaque(json!({ "type": "of_next_year", "id": "c", "x": 1 })),
            text("held"),
            text(" and free"),
            message_blob("d"),
            stop(StopReason::EndTurn),
        ]
    );
}

#[test]
fn words_do_not_wait_for_words_whose_end_is_told_late() {
    let reasoning = json!({ "type": "reasoning", "id": "rs", "content": [{ "text": "hm" }] });
    let events = [
        added(0, reasoning.clone()),
        reasons(0, "hm"),
        added(1, message("a", "")),
        says(1, "so"),
    ];
    let mut stream = vec![created()];
    stream.extend_from_slice(&events);
    let (so_far, _) = run(&stream);
    assert_eq!(so_far[1..], [thinking("hm"), text("so")]);

    stream.extend([done(0, reasoning), done(1, message("a", "so")), completed()]);
    let (events, fault) = run(&stream);
    assert_eq!(fault, None);
    assert_eq!(
        events[1..],
        [
            thinking("hm"),
            text("so"),
            message_blob("a"),
            stop(StopReason::EndTurn)
        ]
    );
}

#[test]
fn an_answer_ends_in_all_the_ways_there_are() {
    let said = [created(), says(0, "hi")];
    let end = |kind: &str, response: Value| {
        let mut stream = said.to_vec();
        stream.push(json!({ "type": kind, "response": response }));
        let (events, fault) = run(&stream);
        assert_eq!(events[1], text("hi"), "{kind}");
        match (fault, events.last()) {
            (Some((kind, code)), _) => Err((kind, code)),
            (None, Some(ProviderEvent::Finished { stop_reason })) => Ok(*stop_reason),
            (None, _) => panic!("{events:?}"),
        }
    };
    let incomplete = |reason: Value| {
        end(
            "response.incomplete",
            json!({ "status": "incomplete", "incomplete_details": { "reason": reason } }),
        )
    };
    assert_eq!(
        end("response.completed", json!({})),
        Ok(StopReason::EndTurn)
    );
    assert_eq!(
        end("response.completed", Value::Null),
        Ok(StopReason::EndTurn)
    );
    assert_eq!(
        incomplete("max_output_tokens".into()),
        Ok(StopReason::MaxTokens)
    );
    assert_eq!(incomplete("content_filter".into()), Ok(StopReason::Refusal));
    assert_eq!(incomplete("boredom".into()), Ok(StopReason::Other));
    assert_eq!(incomplete(Value::Null), Ok(StopReason::MaxTokens));
    assert_eq!(
        end("response.completed", json!({ "status": "incomplete" })),
        Ok(StopReason::MaxTokens),
        "a gateway with one event for all ends"
    );
    let failed = |error: Value| {
        end(
            "response.failed",
            json!({ "status": "failed", "error": error }),
        )
    };
    let code = |code: &str| Some(code.to_owned());
    assert_eq!(
        failed(json!({ "code": "server_error", "message": "sorry" })),
        Err((ErrorKind::Overloaded, code("server_error")))
    );
    assert_eq!(
        failed(json!({ "code": "rate_limit_exceeded", "message": "slowly" })),
        Err((ErrorKind::RateLimited, code("rate_limit_exceeded")))
    );
    assert_eq!(
        failed(Value::Null),
        Err((ErrorKind::Interrupted, code("failed")))
    );
    assert_eq!(
        end("response.cancelled", json!({})),
        Err((ErrorKind::Interrupted, code("cancelled")))
    );
    let (_, cut) = run(&said);
    assert_eq!(
        cut,
        Some((ErrorKind::Interrupted, code("no_response_completed")))
    );
    let (_, cut) = run(&[]);
    assert!(cut.is_some(), "nothing is no answer");
}

#[test]
fn errors_are_told_nested_and_flat() {
    for error in [
        json!({ "type": "error", "sequence_number": 2, "error": {
            "type": "tokens", "code": "context_length_exceeded", "message": "m", "param": null } }),
        json!({ "type": "error", "sequence_number": 2, "code": "context_length_exceeded",
                "message": "m", "param": null }),
        json!({ "error": { "code": "context_length_exceeded", "message": "m" } }),
    ] {
        let events = [created(), says(0, "partial"), error.clone(), completed()];
        let (events, fault) = run(&events);
        let code = Some("context_length_exceeded".to_owned());
        assert_eq!(fault, Some((ErrorKind::ContextOverflow, code)), "{error}");
        assert_eq!(events[1..], [text("partial")]);
    }
    let mut decoder = Decoder::new(Wire::Responses).unwrap();
    let stream = "event: error\ndata: {\"code\":\"server_error\",\"message\":\"m\"}\n\n";
    let fault = decoder.push(stream.as_bytes(), &mut Vec::new());
    assert_eq!(fault.unwrap_err().kind, ErrorKind::Overloaded);
}

#[test]
fn what_an_error_cuts_off_is_not_held_back() {
    let search = json!({ "type": "web_search_call", "id": "a" });
    let error = json!({ "type": "error", "message": "m" });
    let (events, fault) = run(&[created(), added(0, search), says(1, "partial"), error]);
    assert!(fault.is_some());
    assert_eq!(events[1..], [text("partial")]);
}

#[test]
fn what_is_not_known_is_skipped() {
    let stream = concat!(
        "event: response.created\ndata: {\"response\":{\"id\":\"r\",\"model\":\"m\"}}\n\n",
        ": a comment\n\n",
        "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":3}\n\n",
        "event: ping\ndata: not json\n\n",
        "data: null\n\n",
        "data: {\"type\":\"response.rate_limits.updated\",\"delta\":{\"x\":1}}\n\n",
        "data: {\"type\":7}\n\n",
        "data: {\"type\":\"response.output_item.added\",\"item\":\"none\"}\n\n",
        "event: response.output_text.delta\ndata: {\"delta\":\"hi\",\"logprobs\":7}\n\n",
        "data: {\"type\":\"response.completed\",\"response\":{\"usage\":\"none\"}}\n\n",
        "data: [DONE]\n\n",
        "data: {\"type\":\"error\",\"message\":\"too late\"}\n\n",
    );
    let decoded = decode(Wire::Responses, stream.as_bytes(), NonZeroUsize::MIN).unwrap();
    assert!(decoded.complete, "{:?}", decoded.lines);
    assert_eq!(
        values(&decoded),
        [
            json!({ "type": "text", "text": "hi" }),
            json!({ "type": "stop", "reason": "end_turn" })
        ]
    );
}

#[test]
fn what_would_lose_text_is_a_fault() {
    let cases = [
        (
            "{\"type\":\"response.output_text.delta\",\"delta\":[1]}",
            "invalid_event",
        ),
        (
            "{\"type\":\"response.output_text.delta\",\"delta\":\"",
            "invalid_json",
        ),
        ("{\"delta\":1,\"delta\":2}", "invalid_event"),
        ("[]", "invalid_json"),
        ("hello", "invalid_json"),
    ];
    for (data, code) in cases {
        let mut decoder = Decoder::new(Wire::Responses).unwrap();
        let stream = format!("data: {data}\n\ndata: {}\n\n", completed());
        let fault = decoder
            .push(stream.as_bytes(), &mut Vec::new())
            .unwrap_err();
        assert_eq!(
            (fault.kind, fault.code.as_deref()),
            (ErrorKind::Interrupted, Some(code)),
            "{data}"
        );
    }
    let hostile = done(
        0,
        json!({ "type": "function_call", "call_id": "a\nb", "name": "f" }),
    );
    let (_, fault) = run(&[created(), hostile]);
    assert_eq!(fault.unwrap().1.as_deref(), Some("invalid_tool_call"));
    let endless = (0..5_000).map(|index| added(index, json!({ "type": "x" })));
    let (_, fault) = run(&endless.collect::<Vec<_>>());
    assert_eq!(fault.unwrap().1.as_deref(), Some("too_large"));
}

#[test]
fn the_usage_is_told_at_the_end() {
    let end = json!({ "type": "response.completed", "response": { "usage": {
        "input_tokens": 100,
        "input_tokens_details": { "cached_tokens": 60, "cache_write_tokens": 30 },
        "output_tokens": 50,
        "output_tokens_details": { "reasoning_tokens": 40 },
        "total_tokens": 150,
        "cost_in_usd_ticks": 37_756_000,
    } } });
    let (events, _) = run(&[created(), says(0, "hi"), end]);
    let expected = Usage {
        input_tokens: Some(100),
        cached_tokens: Some(60),
        cache_write_tokens: Some(30),
        output_tokens: Some(50),
        thinking_tokens: Some(40),
        reported_cost_usd: Some(0.003_775_6),
        estimated: false,
    };
    assert_eq!(
        events[2..],
        [ProviderEvent::Usage(expected), stop(StopReason::EndTurn)]
    );
}

#[test]
fn the_model_is_told_when_it_is_known() {
    let named = json!({ "type": "response.in_progress", "response": { "id": "r", "model": "m" } });
    let (events, _) = run(&[says(0, "hi"), named.clone(), named, completed()]);
    let started = |model: Option<&str>, id: Option<&str>| ProviderEvent::Started {
        model: model.map(str::to_owned),
        response_id: id.map(str::to_owned),
    };
    assert_eq!(
        events,
        [
            started(None, None),
            text("hi"),
            started(Some("m"), Some("r")),
            stop(StopReason::EndTurn)
        ]
    );
}

#[test]
fn an_answer_may_come_whole() {
    let whole = |body: &str| {
        let mut out = Vec::new();
        let decoder = Decoder::new(Wire::Responses).unwrap();
        wire::whole(Wire::Responses, decoder, body.as_bytes(), &mut out)
            .map(|result| result.map(|()| out))
    };
    let body = json!({
        "object": "response", "id": "r", "model": "m", "status": "completed", "error": null,
        "output": [message("a", "hi"), function("c", json!("{}"))],
        "usage": { "input_tokens": 1, "output_tokens": 2 },
    });
    let events = whole(&body.to_string()).unwrap().unwrap();
    let usage = Usage {
        input_tokens: Some(1),
        output_tokens: Some(2),
        ..Usage::default()
    };
    assert_eq!(
        events[1..],
        [
            text("hi"),
            message_blob("a"),
            call(0, Some(("c", "f")), ""),
            call(0, None, "{}"),
            call_blob("c"),
            ProviderEvent::Usage(usage),
            stop(StopReason::ToolUse),
        ]
    );
    let failed = json!({ "output": [], "status": "failed", "error": { "code": "server_error" } });
    let fault = whole(&failed.to_string()).unwrap().unwrap_err();
    assert_eq!(fault.kind, ErrorKind::Overloaded);
    let unfinished = json!({ "output": [message("a", "hi")], "status": "in_progress" });
    let fault = whole(&unfinished.to_string()).unwrap().unwrap_err();
    assert_eq!(fault.kind, ErrorKind::Interrupted);
    let error = json!({ "error": { "code": "invalid_api_key", "message": "m" } });
    let fault = whole(&error.to_string()).unwrap().unwrap_err();
    assert_eq!(fault.kind, ErrorKind::Auth);
    assert!(whole("{}").is_none() && whole("<html>").is_none());
    let stream = format!("data: {}\n\ndata: {}\n\n", says(0, "hi"), completed());
    assert_eq!(whole(&stream).unwrap().unwrap()[1], text("hi"));
}

fn values(decoded: &Decoded) -> Vec<Value> {
    let value = |line: &String| serde_json::from_str(line).unwrap();
    decoded.lines.iter().map(value).collect()
}
