//! What is sent: new requests, and conversations that go back to where they came from or elsewhere.

use bytes::Bytes;
use pretty_assertions::assert_eq;
use protocol::{AttachmentId, Effort, Part, ProviderBlob, ProviderId, Role, Wire};
use serde_json::{Value, json};

use super::super::encode;
use crate::catalog::{Quirks, ReasoningRequest};
use crate::{Attached, ErrorKind, Request, RequestMessage, Tool, ToolChoice};

fn message(role: Role, parts: Vec<Part>) -> RequestMessage {
    RequestMessage { role, parts }
}

fn person(text: &str) -> RequestMessage {
    message(Role::User, vec![Part::text(text)])
}

fn answer(parts: Vec<Part>) -> RequestMessage {
    message(Role::Assistant, parts)
}

fn result(id: &str, content: &str) -> Part {
    Part::ToolResult {
        call_id: id.into(),
        content: content.into(),
        is_error: false,
    }
}

fn blob(data: Value) -> Option<ProviderBlob> {
    Some(ProviderBlob {
        wire: Wire::Responses,
        provider: "openai".parse().unwrap(),
        model: "m".into(),
        data,
    })
}

fn said(text: &str, data: Value) -> Part {
    Part::Text {
        text: text.into(),
        blob: blob(data),
    }
}

fn thought(data: Value) -> Part {
    Part::Thinking {
        text: String::new(),
        duration_ms: None,
        blob: blob(data),
    }
}

fn call(id: &str, blob: Option<ProviderBlob>) -> Part {
    Part::ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: "{}".into(),
        blob,
    }
}

fn reasoning(id: &str) -> Value {
    json!({ "type": "reasoning", "id": id, "summary": [], "encrypted_content": "gAAA" })
}

fn body_with(request: &Request, quirks: &Quirks) -> Value {
    let provider: ProviderId = "openai".parse().unwrap();
    let body = encode(Some(&provider), request, quirks).unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn body(request: &Request) -> Value {
    body_with(request, &Quirks::default())
}

fn input(messages: Vec<RequestMessage>) -> Value {
    let request = Request {
        model: "m".into(),
        messages,
        ..Request::default()
    };
    body(&request)["input"].take()
}

fn user_item(text: &str) -> Value {
    json!({ "type": "message", "role": "user", "content": [{ "type": "input_text", "text": text }] })
}

fn plain_item(text: &str) -> Value {
    json!({ "type": "message", "role": "assistant", "content": text })
}

fn call_item(id: &str) -> Value {
    json!({ "type": "function_call", "call_id": id, "name": "f", "arguments": "{}" })
}

fn output_item(id: &str, output: &str) -> Value {
    json!({ "type": "function_call_output", "call_id": id, "output": output })
}

#[test]
fn a_request_says_all_that_is_asked() {
    let schema = json!({ "type": "object", "properties": {} });
    let request = Request {
        model: "m".into(),
        system: "Be brief.".into(),
        messages: vec![
            person("weather?"),
            answer(vec![call("c1", None)]),
            message(Role::User, vec![result("c1", "rain"), Part::text("and?")]),
        ],
        max_tokens: Some(64),
        temperature: Some(0.5),
        effort: Some(Effort::Xhigh),
        stop: vec!["END".into()],
        cache_key: Some("c".into()),
        tools: vec![Tool {
            name: "f".into(),
            description: "Does.".into(),
            schema: schema.clone(),
        }],
        tool_choice: ToolChoice::Named("f".into()),
        ..Request::default()
    };
    let expected = json!({
        "model": "m",
        "instructions": "Be brief.",
        "input": [
            user_item("weather?"),
            call_item("c1"),
            output_item("c1", "rain"),
            user_item("and?"),
        ],
        "stream": true,
        "store": false,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "c",
        "reasoning": { "effort": "xhigh", "summary": "auto" },
        "max_output_tokens": 64,
        "temperature": 0.5,
        "tools": [{
            "type": "function",
            "name": "f",
            "description": "Does.",
            "parameters": schema,
            "strict": false,
        }],
        "tool_choice": { "type": "function", "name": "f" },
    });
    assert_eq!(body(&request), expected);
}

#[test]
fn what_is_not_asked_for_is_not_sent() {
    let request = Request {
        model: "m".into(),
        messages: vec![person("one"), answer(vec![Part::text("")]), person("two")],
        tool_choice: ToolChoice::Required,
        ..Request::default()
    };
    let quirks = Quirks {
        reasoning: ReasoningRequest::Unasked,
        ..Quirks::default()
    };
    let both = json!([
        { "type": "input_text", "text": "one" },
        { "type": "input_text", "text": "two" },
    ]);
    let expected = json!({
        "model": "m",
        "input": [{ "type": "message", "role": "user", "content": both }],
        "stream": true,
        "store": false,
    });
    assert_eq!(body_with(&request, &quirks), expected);
}

#[test]
fn reasoning_is_asked_for_as_far_as_the_model_takes_it() {
    use ReasoningRequest as R;
    let include = json!(["reasoning.encrypted_content"]);
    let cases = [
        (
            R::Shown,
            None,
            json!({ "summary": "auto" }),
            include.clone(),
        ),
        (
            R::Shown,
            Some(Effort::None),
            json!({ "effort": "none", "summary": "auto" }),
            include.clone(),
        ),
        (
            R::Encrypted,
            Some(Effort::Max),
            json!({ "effort": "max" }),
            include.clone(),
        ),
        (R::Encrypted, None, Value::Null, include),
        (
            R::Effort,
            Some(Effort::Low),
            json!({ "effort": "low" }),
            Value::Null,
        ),
        (R::Unasked, Some(Effort::Low), Value::Null, Value::Null),
    ];
    for (reasoning, effort, asked, include) in cases {
        let request = Request {
            effort,
            ..Request::default()
        };
        let quirks = Quirks {
            reasoning,
            ..Quirks::default()
        };
        let body = body_with(&request, &quirks);
        assert_eq!(
            (&body["reasoning"], &body["include"]),
            (&asked, &include),
            "{reasoning:?} {effort:?}"
        );
    }
}

#[test]
fn a_limit_is_never_below_the_least_that_is_taken() {
    let request = Request {
        max_tokens: Some(1),
        ..Request::default()
    };
    assert_eq!(body(&request)["max_output_tokens"], 16);
}

#[test]
fn a_tool_is_chosen_in_four_ways() {
    let choice = |tool_choice| {
        let request = Request {
            tools: vec![Tool {
                name: "f".into(),
                description: String::new(),
                schema: json!({}),
            }],
            tool_choice,
            ..Request::default()
        };
        body(&request)["tool_choice"].take()
    };
    assert_eq!(choice(ToolChoice::Auto), Value::Null);
    assert_eq!(choice(ToolChoice::None), "none");
    assert_eq!(choice(ToolChoice::Required), "required");
}

#[test]
fn an_unfinished_answer_is_gone_on_with_in_words() {
    let request = |continue_last| Request {
        messages: vec![person("count"), answer(vec![Part::text("one, two")])],
        continue_last,
        ..Request::default()
    };
    let asked = body(&request(true))["input"].take();
    assert_eq!(asked[1], plain_item("one, two"));
    assert_eq!(asked[2]["role"], "user");
    let words = asked[2]["content"][0]["text"].as_str().unwrap();
    assert!(words.starts_with("Go on exactly"), "{words}");
    assert_eq!(body(&request(false))["input"].as_array().unwrap().len(), 2);
}

#[test]
fn neighbours_of_one_role_are_one_message() {
    let messages = vec![
        answer(vec![Part::text("one"), Part::text(" two")]),
        answer(vec![Part::text("three")]),
        answer(vec![call("c", None), Part::text("four")]),
    ];
    assert_eq!(
        input(messages),
        json!([
            plain_item("one two\n\nthree\n\nfour"),
            call_item("c"),
            output_item("c", crate::wire::waiting::NOT_RUN),
        ])
    );
}

#[test]
fn no_words_stand_between_a_call_and_its_result() {
    let messages = vec![
        person("q"),
        answer(vec![
            call("a", None),
            Part::text("and "),
            call("b", None),
            Part::text("so"),
        ]),
        message(Role::User, vec![result("a", "1"), result("b", "2")]),
    ];
    assert_eq!(
        input(messages),
        json!([
            user_item("q"),
            plain_item("and so"),
            call_item("a"),
            call_item("b"),
            output_item("a", "1"),
            output_item("b", "2"),
        ])
    );
}

#[test]
fn images_and_files_stand_where_they_were_put() {
    let (image, pdf, notes) = (
        AttachmentId::generate(),
        AttachmentId::generate(),
        AttachmentId::generate(),
    );
    let file = |attachment, name: &str, media_type: &str| Part::File {
        attachment,
        name: name.into(),
        media_type: media_type.into(),
    };
    let mut request = Request {
        messages: vec![message(
            Role::User,
            vec![
                Part::text("look"),
                Part::Image {
                    attachment: image,
                    media_type: "image/png".into(),
                },
                file(pdf, "a.pdf", "application/pdf"),
                file(notes, "notes.txt", "text/plain"),
            ],
        )],
        attachments: [
            (image, Attached::Bytes(Bytes::from_static(b"\x89PNG"))),
            (pdf, Attached::Bytes(Bytes::from_static(b"%PDF"))),
            (notes, Attached::Text("text".into())),
        ]
        .into(),
        ..Request::default()
    };
    assert_eq!(
        body(&request)["input"][0]["content"],
        json!([
            { "type": "input_text", "text": "look" },
            { "type": "input_image", "image_url": "data:image/png;base64,iVBORw==", "detail": "auto" },
            { "type": "input_file", "filename": "a.pdf",
              "file_data": "data:application/pdf;base64,JVBERg==" },
            { "type": "input_text", "text": "notes.txt:\n```\ntext\n```" },
        ])
    );
    request.attachments.remove(&pdf);
    let fault = encode(None, &request, &Quirks::default()).unwrap_err();
    assert_eq!(fault.kind, ErrorKind::InvalidRequest);
    assert!(fault.message.contains("a.pdf"), "{}", fault.message);
}

/// An answer with all that the provider needs back, and the items that it was.
fn own_answer() -> (Vec<Part>, Vec<Value>) {
    let search = json!({ "type": "web_search_call", "id": "ws", "status": "completed" });
    let said_item = json!({
        "type": "message", "id": "msg", "role": "assistant", "status": "completed",
        "phase": "commentary",
        "content": [{ "type": "output_text", "annotations": [{ "url": "x" }], "text": "so" }],
    });
    let mut said_blob = said_item.clone();
    said_blob["content"][0]
        .as_object_mut()
        .unwrap()
        .remove("text");
    let call_blob = json!({ "type": "function_call", "id": "fc", "status": "completed" });
    let mut call_whole = call_item("c1");
    call_whole["id"] = "fc".into();
    call_whole["status"] = "completed".into();
    (
        vec![
            thought(reasoning("rs1")),
            thought(search.clone()),
            thought(reasoning("rs2")),
            said("so", said_blob),
            call("c1", blob(call_blob)),
        ],
        vec![
            reasoning("rs1"),
            search,
            reasoning("rs2"),
            said_item,
            call_whole,
        ],
    )
}

#[test]
fn what_the_provider_gave_goes_back_as_it_was() {
    let (parts, mut items) = own_answer();
    items.insert(0, user_item("q"));
    items.push(output_item("c1", "ok"));
    let messages = vec![
        person("q"),
        answer(parts),
        message(Role::User, vec![result("c1", "ok")]),
    ];
    assert_eq!(input(messages), Value::Array(items));
}

#[test]
fn servers_that_look_for_ids_get_none() {
    let (parts, mut items) = own_answer();
    for item in &mut items {
        item.as_object_mut().unwrap().remove("id");
    }
    items.push(output_item("c1", crate::wire::waiting::NOT_RUN));
    let request = Request {
        model: "m".into(),
        messages: vec![answer(parts)],
        ..Request::default()
    };
    let quirks = Quirks {
        without_item_ids: true,
        ..Quirks::default()
    };
    assert_eq!(body_with(&request, &quirks)["input"], Value::Array(items));
}

#[test]
fn nothing_of_another_wire_provider_or_model_goes_back() {
    let elsewhere = [
        (Wire::Chat, "openai", "m"),
        (Wire::Responses, "xai", "m"),
        (Wire::Responses, "openai", "n"),
    ];
    for (wire, provider, model) in elsewhere {
        let (mut parts, _) = own_answer();
        for part in &mut parts {
            if let Part::Text { blob, .. }
            | Part::Thinking { blob, .. }
            | Part::ToolCall { blob, .. } = part
                && let Some(blob) = blob
            {
                blob.wire = wire;
                blob.provider = provider.parse().unwrap();
                blob.model = model.into();
            }
        }
        let messages = vec![
            person("q"),
            answer(parts),
            message(Role::User, vec![result("c1", "ok")]),
        ];
        assert_eq!(
            input(messages),
            json!([
                user_item("q"),
                plain_item("so"),
                call_item("c1"),
                output_item("c1", "ok")
            ]),
            "{wire:?} {provider} {model}"
        );
    }
    let (parts, _) = own_answer();
    let request = Request {
        model: "m".into(),
        messages: vec![answer(parts)],
        ..Request::default()
    };
    let replayed = String::from_utf8(encode(None, &request, &Quirks::default()).unwrap()).unwrap();
    assert!(!replayed.contains("gAAA") && !replayed.contains("\"id\""));
}

#[test]
fn reasoning_goes_with_what_it_led_to_or_not_at_all() {
    let item = |id: &str| json!({ "type": "web_search_call", "id": id });
    let bare = json!({ "type": "web_search_call" });
    let unreadable =
        json!({ "type": "reasoning", "id": "rs", "summary": [], "encrypted_content": null });
    let open = json!({ "type": "reasoning", "id": "rs", "summary": [],
        "content": [{ "type": "reasoning_text", "text": "hm" }] });
    let foreign = Part::Text {
        text: "so".into(),
        blob: Some(ProviderBlob {
            model: "n".into(),
            ..blob(json!({})).unwrap()
        }),
    };
    let cases = [
        (
            "nothing follows",
            vec![Part::text("so"), thought(reasoning("rs"))],
            vec![plain_item("so")],
        ),
        (
            "what follows is not theirs",
            vec![thought(reasoning("rs")), foreign, thought(item("ws"))],
            vec![plain_item("so"), bare.clone()],
        ),
        (
            "what follows was cut off",
            vec![thought(reasoning("rs")), Part::text("so")],
            vec![reasoning("rs"), plain_item("so")],
        ),
        (
            "it cannot be read",
            vec![
                thought(unreadable.clone()),
                thought(item("a")),
                thought(reasoning("rs")),
                thought(item("b")),
            ],
            vec![bare.clone(), reasoning("rs"), item("b")],
        ),
        (
            "the same, after one that can be",
            vec![
                thought(reasoning("rs")),
                thought(unreadable),
                thought(item("a")),
            ],
            vec![bare.clone()],
        ),
        (
            "it is in the clear",
            vec![thought(open.clone()), thought(item("a"))],
            vec![open, item("a")],
        ),
    ];
    for (name, parts, items) in cases {
        assert_eq!(input(vec![answer(parts)]), Value::Array(items), "{name}");
    }
    let next = vec![
        answer(vec![thought(json!({ "type": "reasoning", "id": "rs" }))]),
        answer(vec![thought(item("a"))]),
    ];
    assert_eq!(input(next), json!([item("a")]), "another answer");
}

#[test]
fn every_call_has_its_result_and_every_result_its_call() {
    let not_run = crate::wire::waiting::NOT_RUN;
    let messages = vec![
        answer(vec![call("c1", None), call("c2", None)]),
        message(
            Role::User,
            vec![
                Part::text("well?"),
                result("c2", "two"),
                result("c9", "stray"),
            ],
        ),
        answer(vec![call("c3", None)]),
    ];
    let said = json!({ "type": "message", "role": "user", "content": [
        { "type": "input_text", "text": "Result of a tool:\nstray" },
        { "type": "input_text", "text": "well?" },
    ] });
    assert_eq!(
        input(messages),
        json!([
            call_item("c1"),
            call_item("c2"),
            output_item("c2", "two"),
            output_item("c1", not_run),
            said,
            call_item("c3"),
            output_item("c3", not_run),
        ])
    );
}

#[test]
fn a_custom_tool_gets_its_result_in_its_own_item() {
    let data = json!({ "type": "custom_tool_call", "id": "ctc", "status": "completed" });
    let messages = vec![
        answer(vec![call("c1", blob(data))]),
        message(Role::User, vec![result("c1", "ok")]),
    ];
    assert_eq!(
        input(messages),
        json!([
            { "type": "custom_tool_call", "id": "ctc", "status": "completed", "call_id": "c1",
              "name": "f", "input": "{}" },
            { "type": "custom_tool_call_output", "call_id": "c1", "output": "ok" },
        ])
    );
}

#[test]
fn ids_that_are_too_long_are_replaced_in_pairs() {
    let (a, b) = ("a".repeat(65), "b".repeat(500));
    let messages = vec![
        answer(vec![call(&a, None), call(&b, None), call("c", None)]),
        message(
            Role::User,
            vec![result(&b, "2"), result(&a, "1"), result("c", "3")],
        ),
    ];
    let input = input(messages);
    let ids: Vec<&str> = (0..6)
        .map(|at| input[at]["call_id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids,
        [
            "long_call_0",
            "long_call_1",
            "c",
            "long_call_1",
            "long_call_0",
            "c"
        ]
    );
}
