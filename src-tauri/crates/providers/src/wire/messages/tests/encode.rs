//! Requests, as they stand in the body.

use bytes::Bytes;
use pretty_assertions::assert_eq;
use protocol::{AttachmentId, Effort, Part, ProviderBlob, ProviderId, Role, Wire};
use serde_json::{Value, json};

use crate::catalog::{Continuation, Quirks};
use crate::{Attached, ErrorKind, Request, RequestMessage, Tool, ToolChoice};

fn message(role: Role, parts: Vec<Part>) -> RequestMessage {
    RequestMessage { role, parts }
}

fn user(text: &str) -> RequestMessage {
    message(Role::User, vec![Part::text(text)])
}

fn answer(parts: Vec<Part>) -> RequestMessage {
    message(Role::Assistant, parts)
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        blob: None,
    }
}

fn result(call_id: &str, content: &str, is_error: bool) -> Part {
    Part::ToolResult {
        call_id: call_id.into(),
        content: content.into(),
        is_error,
    }
}

fn thinking(signature: &str) -> Part {
    Part::Thinking {
        text: "hm".into(),
        duration_ms: None,
        blob: Some(ProviderBlob {
            wire: Wire::Messages,
            provider: "anthropic".parse().unwrap(),
            model: "claude-opus-5".into(),
            data: json!({ "signature": signature }),
        }),
    }
}

fn tool(name: &str) -> Tool {
    Tool {
        name: name.into(),
        description: format!("Does {name}."),
        schema: json!({ "type": "object", "properties": { "at": { "type": "string" } } }),
    }
}

fn bytes(request: &Request, quirks: &Quirks) -> Vec<u8> {
    let provider: ProviderId = "anthropic".parse().unwrap();
    crate::wire::encode(Wire::Messages, Some(&provider), request, quirks).unwrap()
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&bytes(request, &Quirks::default())).unwrap()
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// The messages of a request, as pairs of role and content.
fn turns(messages: Vec<RequestMessage>) -> Vec<(String, Value)> {
    let request = Request {
        model: "claude-opus-5".into(),
        messages,
        ..Request::default()
    };
    let body = body(&request);
    let turns = body["messages"].as_array().unwrap().iter();
    let pair = |turn: &Value| {
        let role = turn["role"].as_str().unwrap();
        (role.to_owned(), turn["content"].clone())
    };
    turns.map(pair).collect()
}

fn pairs(expected: &[(&str, Value)]) -> Vec<(String, Value)> {
    let pair = |(role, content): &(&str, Value)| ((*role).to_owned(), content.clone());
    expected.iter().map(pair).collect()
}

#[test]
fn a_whole_request() {
    let request = Request {
        model: "claude-opus-5".into(),
        system: "Be brief.".into(),
        messages: vec![
            user("weather?"),
            answer(vec![
                thinking("sig"),
                Part::text("Let me look."),
                call("c1", "weather", "{\"at\":\"Bonn\"}"),
            ]),
            message(
                Role::User,
                vec![Part::text("and now?"), result("c1", "rain", false)],
            ),
        ],
        max_tokens: Some(640),
        temperature: Some(0.7),
        effort: Some(Effort::High),
        stop: vec!["END".into(), "\n".into()],
        cache_key: Some("c".into()),
        tools: vec![tool("weather")],
        tool_choice: ToolChoice::None,
        ..Request::default()
    };
    let kept = json!({ "type": "ephemeral" });
    let expected = json!({
        "model": "claude-opus-5",
        "max_tokens": 640,
        "stream": true,
        "thinking": { "type": "adaptive", "display": "summarized" },
        "output_config": { "effort": "high" },
        "stop_sequences": ["END"],
        "tool_choice": { "type": "none" },
        "tools": [{ "name": "weather", "description": "Does weather.", "input_schema":
            { "type": "object", "properties": { "at": { "type": "string" } } } }],
        "system": [{ "type": "text", "text": "Be brief.", "cache_control": kept }],
        "cache_control": kept,
        "messages": [
            { "role": "user", "content": [text("weather?")] },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "hm", "signature": "sig" },
                text("Let me look."),
                { "type": "tool_use", "id": "c1", "name": "weather", "input": { "at": "Bonn" } },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "c1", "content": "rain" },
                text("and now?"),
            ] },
        ],
    });
    assert_eq!(body(&request), expected);
}

#[test]
fn what_is_not_asked_for_is_not_sent() {
    let request = Request {
        model: "some-model".into(),
        messages: vec![user("hi")],
        ..Request::default()
    };
    let expected = json!({
        "model": "some-model",
        "max_tokens": 8_192,
        "stream": true,
        "messages": [{ "role": "user", "content": [text("hi")] }],
    });
    assert_eq!(body(&request), expected);
    let warm = Request {
        temperature: Some(0.5),
        ..request
    };
    assert_eq!(body(&warm)["temperature"], 0.5, "others take it");
    let thinking = Request {
        effort: Some(Effort::High),
        ..warm
    };
    assert_eq!(body(&thinking).get("temperature"), None);
}

#[test]
fn the_beginning_stays_in_the_same_bytes() {
    let mut request = Request {
        model: "claude-opus-5".into(),
        system: "Be brief.".into(),
        messages: vec![
            user("one"),
            answer(vec![thinking("s"), Part::text("two")]),
            user("three"),
        ],
        cache_key: Some("c".into()),
        tools: vec![tool("a"), tool("b")],
        ..Request::default()
    };
    let first = bytes(&request, &Quirks::default());
    request.messages.push(answer(vec![Part::text("four")]));
    request.messages.push(user("five"));
    let second = bytes(&request, &Quirks::default());
    let shared = first.len() - "]}".len();
    assert_eq!(first[..shared], second[..shared]);
    // Without a system prompt the mark stands after the tools.
    request.system = String::new();
    let body = body(&request);
    assert_eq!(body["tools"][0].get("cache_control"), None);
    assert_eq!(
        body["tools"][1]["cache_control"],
        json!({ "type": "ephemeral" })
    );
    assert_eq!(body.get("system"), None);
}

#[test]
fn roles_alternate_and_blank_texts_stay_behind() {
    let found = turns(vec![
        user("one"),
        answer(vec![Part::text(" \n")]),
        message(Role::User, vec![Part::text("two"), Part::text("")]),
        answer(vec![Part::text("three")]),
        answer(vec![Part::text("four")]),
    ]);
    let expected = pairs(&[
        ("user", json!([text("one"), text("two")])),
        ("assistant", json!([text("three"), text("four")])),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn every_call_has_its_result_behind_it() {
    let use_of = |id: &str| json!({ "type": "tool_use", "id": id, "name": "f", "input": {} });
    let not_run = |id: &str| {
        json!({ "type": "tool_result", "tool_use_id": id, "is_error": true,
            "content": "The tool was not run; the conversation went on without it." })
    };
    let given = |id: &str| json!({ "type": "tool_result", "tool_use_id": id, "content": "ok" });
    let found = turns(vec![
        user("a"),
        answer(vec![call("1", "f", ""), call("2", "f", "{}")]),
        message(Role::User, vec![Part::text("b"), result("2", "ok", false)]),
        // The same id again, as servers that count anew for each answer give it.
        answer(vec![call("2", "f", "{}")]),
        message(
            Role::User,
            vec![result("2", "ok", false), result("9", "who asked?", false)],
        ),
        answer(vec![call("3", "f", "{}")]),
        answer(vec![
            Part::text("c"),
            call("4", "f", "{}"),
            result("4", "ok", false),
            Part::text("d"),
        ]),
        user("e"),
        answer(vec![call("a|b c", "f", "{}")]),
    ]);
    let expected = pairs(&[
        ("user", json!([text("a")])),
        ("assistant", json!([use_of("1"), use_of("2")])),
        ("user", json!([given("2"), not_run("1"), text("b")])),
        ("assistant", json!([use_of("2-2")])),
        (
            "user",
            json!([given("2-2"), text("Result of a tool:\nwho asked?")]),
        ),
        ("assistant", json!([use_of("3")])),
        ("user", json!([not_run("3")])),
        ("assistant", json!([text("c"), use_of("4")])),
        ("user", json!([given("4")])),
        ("assistant", json!([text("d")])),
        ("user", json!([text("e")])),
        ("assistant", json!([use_of("a_b_c")])),
        ("user", json!([not_run("a_b_c")])),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn arguments_are_an_object_whatever_was_written() {
    let inputs = turns(vec![
        user("a"),
        answer(vec![
            call("1", "f", " "),
            call("2", "f", "{\"a\": [1, 2.5]}"),
            call("3", "f", "{\"cut"),
            call("4", "f", "5"),
        ]),
    ]);
    let inputs: Vec<&Value> = inputs[1]
        .1
        .as_array()
        .unwrap()
        .iter()
        .map(|block| &block["input"])
        .collect();
    assert_eq!(
        inputs,
        [
            &json!({}),
            &json!({ "a": [1, 2.5] }),
            &json!({ "INVALID_JSON": "{\"cut" }),
            &json!({ "INVALID_JSON": "5" }),
        ]
    );
}

#[test]
fn a_conversation_with_calls_names_their_tools() {
    let messages = vec![
        user("a"),
        answer(vec![
            call("1", "f", "{}"),
            call("2", "g", "{}"),
            call("3", "f", "{}"),
        ]),
        message(Role::User, vec![result("1", "", true)]),
    ];
    let request = Request {
        model: "claude-opus-5".into(),
        messages,
        ..Request::default()
    };
    let body = body(&request);
    let schema = json!({ "type": "object" });
    assert_eq!(
        body["tools"],
        json!([{ "name": "f", "input_schema": schema }, { "name": "g", "input_schema": schema }])
    );
    assert_eq!(body["tool_choice"], json!({ "type": "none" }));
    let failed = json!({ "type": "tool_result", "tool_use_id": "1", "is_error": true });
    assert_eq!(body["messages"][2]["content"][0], failed);
}

#[test]
fn a_tool_is_forced_where_the_model_lets_itself_be() {
    let choice = |model: &str, tool_choice: ToolChoice| {
        let request = Request {
            model: model.into(),
            messages: vec![user("a")],
            tools: vec![tool("f")],
            tool_choice,
            effort: Some(Effort::High),
            ..Request::default()
        };
        let body = body(&request);
        (
            body["tool_choice"].clone(),
            body["thinking"]["type"].clone(),
        )
    };
    let named = ToolChoice::Named("f".into());
    let auto = choice("claude-opus-5", ToolChoice::Auto);
    assert_eq!(auto, (Value::Null, json!("adaptive")));
    let required = choice("claude-opus-5", ToolChoice::Required);
    assert_eq!(required, (json!({ "type": "any" }), json!("disabled")));
    let one = choice("claude-opus-5", named.clone());
    assert_eq!(
        one,
        (json!({ "type": "tool", "name": "f" }), json!("disabled"))
    );
    let thinks_always = choice("claude-fable-5-1", named);
    assert_eq!(thinks_always, (Value::Null, json!("adaptive")));
}

#[test]
fn thinking_goes_back_where_it_can_be_read() {
    let redacted = Part::Thinking {
        text: String::new(),
        duration_ms: None,
        blob: Some(ProviderBlob {
            wire: Wire::Messages,
            provider: "anthropic".parse().unwrap(),
            model: "claude-opus-5".into(),
            data: json!({ "type": "redacted_thinking", "data": "x" }),
        }),
    };
    let unsigned = Part::Thinking {
        text: "hm".into(),
        duration_ms: None,
        blob: None,
    };
    let types = |effort: Option<Effort>, parts: Vec<Part>| {
        let request = Request {
            model: "claude-opus-5".into(),
            messages: vec![user("a"), answer(parts), user("b")],
            effort,
            ..Request::default()
        };
        let body = body(&request);
        let turns = body["messages"].as_array().unwrap().iter();
        let blocks = turns.flat_map(|turn| turn["content"].as_array().unwrap());
        let kind = |block: &Value| block["type"].as_str().unwrap().to_owned();
        blocks.map(kind).collect::<Vec<_>>()
    };
    let both = vec![redacted.clone(), unsigned, thinking("s"), Part::text("so")];
    let sent = types(None, both.clone());
    assert_eq!(
        sent,
        ["text", "redacted_thinking", "thinking", "text", "text"]
    );
    let off = types(Some(Effort::None), both);
    assert_eq!(
        off,
        ["text", "text", "text"],
        "a model that does not think needs none"
    );
    let cut = types(
        None,
        vec![Part::text("so"), thinking("s"), redacted.clone()],
    );
    assert_eq!(
        cut,
        ["text", "text", "text"],
        "an answer does not end in thinking"
    );
    let nothing = types(None, vec![thinking("s"), redacted]);
    assert_eq!(nothing, ["text", "text"]);
    assert_eq!(
        types(None, vec![thinking(""), Part::text("so")]),
        ["text", "text", "text"]
    );
}

#[test]
fn an_answer_is_gone_on_with_in_words() {
    let request = Request {
        model: "claude-opus-5".into(),
        messages: vec![user("count"), answer(vec![Part::text("one, two ")])],
        continue_last: true,
        ..Request::default()
    };
    let asked = body(&request);
    assert_eq!(asked["messages"][1]["content"], json!([text("one, two ")]));
    let words = asked["messages"][2]["content"][0]["text"].as_str().unwrap();
    assert!(words.starts_with("Go on exactly"), "{words}");
    let quirks = Quirks {
        continuation: Continuation::Prefill,
        ..Quirks::default()
    };
    let prefilled: Value = serde_json::from_slice(&bytes(&request, &quirks)).unwrap();
    let turns = prefilled["messages"].as_array().unwrap();
    assert_eq!(
        turns[1]["content"],
        json!([text("one, two")]),
        "no blanks at the end"
    );
    assert_eq!(turns.len(), 2);
}

#[test]
fn images_and_files_are_sent_as_the_wire_takes_them() {
    let ids: Vec<AttachmentId> = (0..4).map(|_| AttachmentId::generate()).collect();
    let image = |number: usize, media_type: &str| Part::Image {
        attachment: ids[number],
        media_type: media_type.into(),
    };
    let file = |number: usize, name: &str, media_type: &str| Part::File {
        attachment: ids[number],
        name: name.into(),
        media_type: media_type.into(),
    };
    let request = |parts: Vec<Part>, role: Role| Request {
        model: "claude-opus-5".into(),
        messages: vec![user("look"), message(role, parts)],
        attachments: [
            (ids[0], Attached::Bytes(Bytes::from_static(b"\0\xff"))),
            (ids[1], Attached::Bytes(Bytes::from_static(b"%PDF"))),
            (ids[2], Attached::Text("words".into())),
        ]
        .into(),
        ..Request::default()
    };
    let parts = vec![
        image(0, "image/PNG"),
        file(1, "a.pdf", "application/pdf"),
        file(2, "a.txt", "text/plain"),
    ];
    let source = |media_type: &str, data: &str| json!({ "type": "base64", "media_type": media_type, "data": data });
    let picture = json!({ "type": "image", "source": source("image/png", "AP8=") });
    let document = json!({ "type": "document", "title": "a.pdf",
        "source": source("application/pdf", "JVBERg==") });
    let words = text("a.txt:\n```\nwords\n```");
    let sent = body(&request(parts, Role::User));
    assert_eq!(
        sent["messages"][0]["content"],
        json!([text("look"), picture, document, words])
    );
    // What an answer showed stands in the person's message: the wire takes it nowhere else.
    let shown = vec![
        Part::text("Here:"),
        image(0, "image/png"),
        Part::text("Nice?"),
    ];
    let sent = body(&request(shown, Role::Assistant));
    let roles: Vec<&Value> = sent["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| &turn["role"])
        .collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant"]);
    assert_eq!(sent["messages"][2]["content"], json!([picture]));
    for part in [
        image(0, "image/tiff"),
        file(1, "a.zip", "application/zip"),
        image(3, "image/png"),
    ] {
        let request = request(vec![part], Role::User);
        let fault = crate::wire::encode(Wire::Messages, None, &request, &Quirks::default());
        assert_eq!(fault.unwrap_err().kind, ErrorKind::InvalidRequest);
    }
}

#[test]
fn thinking_that_no_longer_fits_is_dropped_where_the_provider_can() {
    let request = Request {
        model: "claude-opus-5-5".into(),
        messages: vec![user("a")],
        ..Request::default()
    };
    let quirks = Quirks {
        drops_unbound_thinking: true,
        ..Quirks::default()
    };
    let told: Value = serde_json::from_slice(&bytes(&request, &quirks)).unwrap();
    assert_eq!(
        told["thinking"]["block_binding"],
        json!({ "prefix_mismatch_behavior": "drop_block" })
    );
    assert_eq!(body(&request)["thinking"].get("block_binding"), None);
}
