//! Calls of tools: in pieces and whole, several at a time, ours and the provider's own.

use pretty_assertions::assert_eq;
use protocol::StopReason;
use serde_json::{Value, json};

use super::{
    added, argues, call, call_blob, completed, created, done, function, run, stop, whole_answer,
};
use crate::ProviderEvent;

#[test]
fn calls_come_in_pieces_or_whole() {
    let begun = || added(0, function("c", json!("")));
    let named = Some(("c", "f"));
    let arguments_done = json!({
        "type": "response.function_call_arguments.done",
        "output_index": 0,
        "arguments": "{\"x\":1}",
    });
    let ended = || done(0, function("c", json!("{\"x\":1}")));
    let cases: &[(&str, &[Value], &[ProviderEvent])] = &[
        (
            "pieces",
            &[
                begun(),
                argues(0, "{\"x\""),
                argues(0, ":1}"),
                arguments_done.clone(),
                ended(),
            ],
            &[
                call(0, named, ""),
                call(0, None, "{\"x\""),
                call(0, None, ":1}"),
            ],
        ),
        (
            "told when they are done",
            &[begun(), arguments_done.clone(), ended()],
            &[call(0, named, ""), call(0, None, "{\"x\":1}")],
        ),
        (
            "told with the item",
            &[begun(), ended()],
            &[call(0, named, ""), call(0, None, "{\"x\":1}")],
        ),
        (
            "an item that was not begun",
            &[argues(0, "{\"x\""), ended()],
            &[call(0, named, ""), call(0, None, "{\"x\":1}")],
        ),
        (
            "named at the end",
            &[
                added(0, json!({ "type": "function_call" })),
                argues(0, "{\"x\":1}"),
                ended(),
            ],
            &[call(0, None, "{\"x\":1}"), call(0, named, "")],
        ),
        (
            "an object",
            &[done(0, function("c", json!({ "x": 1 })))],
            &[call(0, named, ""), call(0, None, "{\"x\":1}")],
        ),
        (
            "none",
            &[done(0, function("c", Value::Null))],
            &[call(0, named, "")],
        ),
    ];
    for (name, events, expected) in cases {
        let mut expected = expected.to_vec();
        expected.extend([call_blob("c"), stop(StopReason::ToolUse)]);
        assert_eq!(whole_answer(events), expected, "{name}");
    }
}

#[test]
fn a_call_that_never_ended_is_told_by_the_answer() {
    let item = function("c", json!("{}"));
    let end = json!({ "type": "response.completed", "response": { "output": [item] } });
    let (events, fault) = run(&[created(), added(0, function("c", json!(""))), end]);
    assert_eq!(fault, None);
    assert_eq!(
        events[1..],
        [
            call(0, Some(("c", "f")), ""),
            call(0, None, "{}"),
            call_blob("c"),
            stop(StopReason::ToolUse)
        ]
    );
}

#[test]
fn calls_at_the_same_time_stand_one_after_the_other() {
    let events = [
        added(0, function("a", json!(""))),
        added(1, function("b", json!(""))),
        argues(1, "[2"),
        argues(0, "[1"),
        argues(1, "]"),
        done(1, function("b", json!("[2]"))),
        argues(0, "]"),
        done(0, function("a", json!("[1]"))),
    ];
    assert_eq!(
        whole_answer(&events),
        [
            call(0, Some(("a", "f")), ""),
            call(0, None, "[1"),
            call(0, None, "]"),
            call_blob("a"),
            call(1, Some(("b", "f")), ""),
            call(1, None, "[2"),
            call(1, None, "]"),
            call_blob("b"),
            stop(StopReason::ToolUse),
        ]
    );
}

#[test]
fn a_custom_tool_is_ours_when_we_declared_it() {
    let item = |input: &str| {
        json!({ "type": "custom_tool_call", "id": "ctc", "call_id": "c", "name": "sql",
                "input": input, "status": "completed" })
    };
    let events = [
        added(0, item("")),
        json!({ "type": "response.custom_tool_call_input.delta", "output_index": 0,
                "delta": "SELECT" }),
        json!({ "type": "response.custom_tool_call_input.done", "output_index": 0,
                "input": "SELECT 1" }),
        done(0, item("SELECT 1")),
        completed(),
    ];
    let ran = |tools: Value| {
        let mut stream = vec![json!({ "type": "response.created", "response": tools })];
        stream.extend_from_slice(&events);
        run(&stream).0.split_off(1)
    };
    let ours = [
        call(0, Some(("c", "sql")), ""),
        call(0, None, "SELECT"),
        call(0, None, " 1"),
        ProviderEvent::Blob(json!({
            "type": "custom_tool_call", "id": "ctc", "status": "completed",
        })),
        stop(StopReason::ToolUse),
    ];
    assert_eq!(
        ran(json!({ "tools": [{ "type": "custom", "name": "sql" }] })),
        ours
    );
    assert_eq!(ran(json!({})), ours, "nothing was said of tools");
    let theirs = [
        ProviderEvent::Opaque(item("SELECT 1")),
        stop(StopReason::EndTurn),
    ];
    assert_eq!(ran(json!({ "tools": [{ "type": "x_search" }] })), theirs);
}
