//! Requests as the servers of Chat Completions take them.

use bytes::Bytes;
use pretty_assertions::assert_eq;
use protocol::{AttachmentId, Effort, Part, ProviderBlob, ProviderId, Role, Wire};
use serde_json::{Value, json};

use super::encode;
use crate::catalog::{Continuation, Quirks, UsageRequest};
use crate::wire::chat::{CallIds, EffortSpelling, LimitSpelling, ReasoningBack, SystemRole};
use crate::{Attached, ErrorKind, Request, RequestMessage, Tool, ToolChoice};

fn message(role: Role, parts: Vec<Part>) -> RequestMessage {
    RequestMessage { role, parts }
}

fn body(request: &Request, quirks: &Quirks) -> Value {
    let provider: ProviderId = "router".parse().unwrap();
    serde_json::from_slice(&encode(Some(&provider), request, quirks).unwrap()).unwrap()
}

fn thinking() -> Part {
    Part::Thinking {
        text: "hm".into(),
        duration_ms: None,
        blob: None,
    }
}

#[test]
fn a_whole_request() {
    let request = Request {
        model: "m".into(),
        system: "Be brief.".into(),
        messages: vec![
            message(Role::User, vec![Part::text("weather?")]),
            message(
                Role::Assistant,
                vec![
                    thinking(),
                    Part::ToolCall {
                        id: "c1".into(),
                        name: "weather".into(),
                        arguments: "{\"at\":\"Bonn\"}".into(),
                        blob: None,
                    },
                ],
            ),
            message(
                Role::User,
                vec![
                    Part::ToolResult {
                        call_id: "c1".into(),
                        content: "rain".into(),
                        is_error: false,
                    },
                    Part::text("and now?"),
                ],
            ),
        ],
        max_tokens: Some(64),
        temperature: Some(0.7),
        effort: Some(Effort::Low),
        stop: vec!["END".into()],
        cache_key: Some("c".into()),
        ..Request::default()
    };
    let expected = json!({
        "model": "m",
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "weather?" },
            { "role": "assistant", "content": null, "tool_calls": [{
                "id": "c1", "type": "function",
                "function": { "name": "weather", "arguments": "{\"at\":\"Bonn\"}" },
            }] },
            { "role": "tool", "tool_call_id": "c1", "content": "rain" },
            { "role": "user", "content": "and now?" },
        ],
        "stream": true,
        "stream_options": { "include_usage": true },
        "max_tokens": 64,
        "temperature": 0.7,
        "reasoning_effort": "low",
        "stop": ["END"],
    });
    assert_eq!(body(&request, &Quirks::default()), expected);
}

#[test]
fn what_is_not_asked_for_is_not_sent() {
    let request = Request {
        model: "m".into(),
        messages: vec![
            message(Role::User, vec![Part::text("one")]),
            message(Role::Assistant, vec![thinking()]),
            message(Role::User, vec![Part::text("two"), Part::text("three")]),
        ],
        ..Request::default()
    };
    let expected = json!({
        "model": "m",
        "messages": [{ "role": "user", "content": "one\n\ntwo\n\nthree" }],
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    assert_eq!(body(&request, &Quirks::default()), expected);
}

#[test]
fn an_answer_is_gone_on_with_as_the_provider_wants_it() {
    let request = Request {
        model: "m".into(),
        messages: vec![
            message(Role::User, vec![Part::text("count")]),
            message(Role::Assistant, vec![Part::text("one, two")]),
        ],
        continue_last: true,
        ..Request::default()
    };
    let quirks = |continuation| Quirks {
        continuation,
        ..Quirks::default()
    };
    let last = json!({ "role": "assistant", "content": "one, two" });
    let asked = body(&request, &Quirks::default());
    assert_eq!(asked["messages"][1], last);
    let words = &asked["messages"][2];
    assert_eq!(words["role"], "user", "the default works everywhere");
    assert!(
        words["content"]
            .as_str()
            .unwrap()
            .starts_with("Go on exactly")
    );
    let prefilled = body(&request, &quirks(Continuation::Prefill));
    assert_eq!(
        prefilled["messages"].as_array().unwrap().last(),
        Some(&last)
    );
    assert_eq!(prefilled.get("continue_final_message"), None);
    let told = body(&request, &quirks(Continuation::ContinueFinalMessage));
    assert_eq!(told["messages"].as_array().unwrap().last(), Some(&last));
    assert_eq!(told["continue_final_message"], true);
    assert_eq!(told["add_generation_prompt"], false);
    let fresh = Request {
        continue_last: false,
        ..request
    };
    let plain = body(&fresh, &Quirks::default());
    assert_eq!(plain["messages"].as_array().unwrap().len(), 2);
}

#[test]
fn the_usage_is_asked_for_unless_it_was_refused() {
    let quirks = Quirks {
        usage: UsageRequest::Unasked,
        ..Quirks::default()
    };
    assert_eq!(
        body(&Request::default(), &quirks).get("stream_options"),
        None
    );
}

#[test]
fn opaque_reasoning_goes_back_to_its_maker_alone() {
    let thought = |wire, provider: &str, model: &str, data: &str| Part::Thinking {
        text: "hm".into(),
        duration_ms: None,
        blob: Some(ProviderBlob {
            wire,
            provider: provider.parse().unwrap(),
            model: model.into(),
            data: json!({ "reasoning_details": [{ "data": data }] }),
        }),
    };
    let request = Request {
        model: "m".into(),
        messages: vec![message(
            Role::Assistant,
            vec![
                thought(Wire::Chat, "router", "m", "a"),
                Part::text("so, "),
                thought(Wire::Chat, "other", "m", "not its provider"),
                thought(Wire::Chat, "router", "n", "not its model"),
                thought(Wire::Responses, "router", "m", "not its wire"),
                thought(Wire::Chat, "router", "m", "b"),
                Part::text("yes"),
            ],
        )],
        ..Request::default()
    };
    assert_eq!(
        body(&request, &Quirks::default())["messages"],
        json!([{
            "role": "assistant",
            "content": "so, yes",
            "reasoning_details": [{ "data": "a" }, { "data": "b" }],
        }])
    );
    let replayed = encode(None, &request, &Quirks::default()).unwrap();
    assert!(
        !String::from_utf8(replayed)
            .unwrap()
            .contains("reasoning_details")
    );
}

#[test]
fn neighbouring_answers_become_one() {
    let call = Part::ToolCall {
        id: "c".into(),
        name: "f".into(),
        arguments: "{}".into(),
        blob: None,
    };
    let answer = |parts| message(Role::Assistant, parts);
    let request = Request {
        messages: vec![
            answer(vec![Part::text("one")]),
            answer(vec![Part::text("two"), call]),
            answer(vec![Part::text("three")]),
        ],
        ..Request::default()
    };
    let body = body(&request, &Quirks::default());
    let messages = body["messages"].as_array().unwrap();
    let texts: Vec<&Value> = messages.iter().map(|message| &message["content"]).collect();
    let not_run = "The tool was not run; the conversation went on without it.";
    assert_eq!(
        texts,
        ["one\n\ntwo", not_run, "three"],
        "what calls a tool stays apart, and is answered"
    );
    assert_eq!(messages[0]["tool_calls"][0]["id"], "c");
    assert_eq!(messages[1]["tool_call_id"], "c");
}

fn call(id: &str, name: &str) -> Part {
    Part::ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: "{}".into(),
        blob: None,
    }
}

fn result(id: &str, content: &str) -> Part {
    Part::ToolResult {
        call_id: id.into(),
        content: content.into(),
        is_error: false,
    }
}

fn weather(tool_choice: ToolChoice) -> Request {
    Request {
        tools: vec![Tool {
            name: "weather".into(),
            description: "The weather.".into(),
            schema: json!({ "type": "object" }),
        }],
        tool_choice,
        ..Request::default()
    }
}

#[test]
fn every_call_is_answered_and_every_answer_has_its_call() {
    let request = Request {
        messages: vec![
            message(Role::Assistant, vec![call("1", "f"), call("2", "g")]),
            message(
                Role::User,
                vec![Part::text("so"), result("2", "two"), result("9", "late")],
            ),
            message(Role::Assistant, vec![call("3", "h")]),
        ],
        ..Request::default()
    };
    let sent = body(&request, &Quirks::default());
    let sent: Vec<(&Value, &Value)> = sent["messages"].as_array().unwrap()[1..]
        .iter()
        .filter(|message| message["role"] != "assistant")
        .map(|message| (&message["tool_call_id"], &message["content"]))
        .collect();
    let not_run = json!("The tool was not run; the conversation went on without it.");
    assert_eq!(
        sent,
        [
            (&json!("2"), &json!("two")),
            (&json!("1"), &not_run),
            (&Value::Null, &json!("so\n\nResult of a tool:\nlate")),
            (&json!("3"), &not_run),
        ]
    );
}

#[test]
fn tools_are_offered_and_chosen() {
    let sent = body(&weather(ToolChoice::Auto), &Quirks::default());
    assert_eq!(
        sent["tools"],
        json!([{ "type": "function", "function": {
            "name": "weather", "description": "The weather.", "parameters": { "type": "object" } } }])
    );
    let named = json!({ "type": "function", "function": { "name": "weather" } });
    for (choice, expected) in [
        (ToolChoice::Auto, Value::Null),
        (ToolChoice::None, json!("none")),
        (ToolChoice::Required, json!("required")),
        (ToolChoice::Named("weather".into()), named),
    ] {
        let sent = body(&weather(choice), &Quirks::default());
        assert_eq!(sent["tool_choice"], expected);
    }
    let none = Request {
        tools: Vec::new(),
        ..weather(ToolChoice::Required)
    };
    assert_eq!(body(&none, &Quirks::default())["tool_choice"], Value::Null);
}

#[test]
fn images_and_files_stand_where_they_were_put() {
    let [image, paper, notes] = [(); 3].map(|()| AttachmentId::generate());
    let file = |attachment, name: &str, media_type: &str| Part::File {
        attachment,
        name: name.into(),
        media_type: media_type.into(),
    };
    let request = Request {
        messages: vec![
            message(
                Role::User,
                vec![
                    Part::text("look:"),
                    file(notes, "notes.md", "text/markdown"),
                    Part::Image {
                        attachment: image,
                        media_type: "image/png".into(),
                    },
                ],
            ),
            message(
                Role::User,
                vec![file(paper, "a.pdf", "application/pdf"), Part::text("and?")],
            ),
        ],
        attachments: [
            (image, Attached::Bytes(Bytes::from_static(b"\x89PNG"))),
            (paper, Attached::Bytes(Bytes::from_static(b"%PDF"))),
            (notes, Attached::Text("one".into())),
        ]
        .into(),
        ..Request::default()
    };
    assert_eq!(
        body(&request, &Quirks::default())["messages"],
        json!([{ "role": "user", "content": [
            { "type": "text", "text": "look:\n\nnotes.md:\n```\none\n```" },
            { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw==" } },
            { "type": "file", "file": {
                "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg==" } },
            { "type": "text", "text": "and?" },
        ] }])
    );
}

#[test]
fn plain_thinking_goes_back_where_it_is_wanted() {
    let thought = |model: &str, text: &str| Part::Thinking {
        text: text.into(),
        duration_ms: None,
        blob: Some(ProviderBlob {
            wire: Wire::Chat,
            provider: "router".parse().unwrap(),
            model: model.into(),
            data: json!({ "reasoning_content": true }),
        }),
    };
    let request = Request {
        model: "m".into(),
        messages: vec![
            message(
                Role::Assistant,
                vec![thought("m", "hm"), thought("n", "not mine"), call("1", "f")],
            ),
            message(Role::User, vec![result("1", "one")]),
            message(Role::Assistant, vec![thinking(), Part::text("so")]),
        ],
        ..Request::default()
    };
    let back = |request: &Request, reasoning_back| {
        let quirks = Quirks {
            reasoning_back,
            ..Quirks::default()
        };
        let sent = body(request, &quirks);
        let sent = sent["messages"].as_array().unwrap().iter();
        sent.filter(|message| message["role"] == "assistant")
            .map(|message| message["reasoning_content"].clone())
            .collect::<Vec<_>>()
    };
    let nothing = [Value::Null, Value::Null];
    assert_eq!(back(&request, ReasoningBack::Never), nothing);
    assert_eq!(
        back(&request, ReasoningBack::WithTools),
        ["hm", ""],
        "an answer of another model has none, and must say so"
    );
    let hasty = Request {
        effort: Some(Effort::None),
        ..request.clone()
    };
    assert_eq!(back(&hasty, ReasoningBack::WithTools), nothing);
    let talk = Request {
        messages: vec![message(
            Role::Assistant,
            vec![thought("m", "hm"), Part::text("so")],
        )],
        ..request
    };
    assert_eq!(back(&talk, ReasoningBack::WithTools), [Value::Null]);
    let tools = Request {
        tools: weather(ToolChoice::Auto).tools,
        ..talk
    };
    assert_eq!(back(&tools, ReasoningBack::WithTools), ["hm"]);
}

#[test]
fn what_came_with_a_call_goes_back_with_it() {
    let signed = |model: &str| Part::ToolCall {
        id: "1".into(),
        name: "f".into(),
        arguments: "{}".into(),
        blob: Some(ProviderBlob {
            wire: Wire::Chat,
            provider: "router".parse().unwrap(),
            model: model.into(),
            data: json!({ "extra_content": { "google": { "thought_signature": "s" } } }),
        }),
    };
    for (model, goes) in [("m", true), ("n", false)] {
        let request = Request {
            model: "m".into(),
            messages: vec![message(Role::Assistant, vec![signed(model)])],
            ..Request::default()
        };
        let sent = body(&request, &Quirks::default()).to_string();
        assert_eq!(sent.contains("thought_signature"), goes, "{model}");
    }
}

#[test]
fn each_server_is_told_in_its_accent() {
    let sent = |effort, effort_spelling| {
        let request = Request {
            effort,
            ..Request::default()
        };
        let quirks = Quirks {
            effort_spelling,
            ..Quirks::default()
        };
        let mut body = body(&request, &quirks);
        let mut field = |name| body.as_object_mut().unwrap().remove(name);
        [
            field("reasoning_effort"),
            field("thinking"),
            field("reasoning"),
        ]
    };
    let disabled = Some(json!({ "type": "disabled" }));
    let enabled = Some(json!({ "type": "enabled" }));
    let effort = |effort: &str| Some(json!(effort));
    for (asked, spelling, expected) in [
        (None, EffortSpelling::ReasoningEffort, [None, None, None]),
        (
            Some(Effort::Max),
            EffortSpelling::ReasoningEffort,
            [effort("max"), None, None],
        ),
        (None, EffortSpelling::Deepseek, [None, None, None]),
        (
            Some(Effort::None),
            EffortSpelling::Deepseek,
            [None, disabled.clone(), None],
        ),
        (
            Some(Effort::Minimal),
            EffortSpelling::Deepseek,
            [effort("low"), enabled.clone(), None],
        ),
        (
            Some(Effort::Xhigh),
            EffortSpelling::Deepseek,
            [effort("high"), enabled.clone(), None],
        ),
        (
            Some(Effort::Max),
            EffortSpelling::Deepseek,
            [effort("max"), enabled, None],
        ),
        (None, EffortSpelling::Openrouter, [None, None, None]),
        (
            Some(Effort::High),
            EffortSpelling::Openrouter,
            [None, None, Some(json!({ "effort": "high" }))],
        ),
        (
            Some(Effort::High),
            EffortSpelling::Unsaid,
            [None, None, None],
        ),
    ] {
        assert_eq!(sent(asked, spelling), expected, "{asked:?} {spelling:?}");
    }
    let deepseek = Quirks {
        effort_spelling: EffortSpelling::Deepseek,
        ..Quirks::default()
    };
    let forced = body(&weather(ToolChoice::Required), &deepseek);
    assert_eq!(
        Some(forced["thinking"].clone()),
        disabled,
        "it cannot be forced while it thinks"
    );

    let request = Request {
        system: "s".into(),
        max_tokens: Some(9),
        messages: vec![
            message(Role::Assistant, vec![call("toolu_01-AbC", "f")]),
            message(Role::User, vec![result("toolu_01-AbC", "r")]),
        ],
        ..Request::default()
    };
    let quirks = Quirks {
        limit_spelling: LimitSpelling::MaxCompletionTokens,
        system_role: SystemRole::Developer,
        call_ids: CallIds::Nine,
        ..Quirks::default()
    };
    let sent = body(&request, &quirks);
    assert_eq!(
        (&sent["max_tokens"], &sent["max_completion_tokens"]),
        (&Value::Null, &json!(9))
    );
    assert_eq!(
        sent["messages"][0],
        json!({ "role": "developer", "content": "s" })
    );
    let id = sent["messages"][1]["tool_calls"][0]["id"].as_str().unwrap();
    assert_eq!(id.len(), 9);
    assert_eq!(sent["messages"][2]["tool_call_id"], id);
}

#[test]
fn what_cannot_be_sent_is_said() {
    let id = AttachmentId::generate();
    let image = Part::Image {
        attachment: id,
        media_type: "image/png".into(),
    };
    let request = Request {
        messages: vec![message(Role::User, vec![image])],
        ..Request::default()
    };
    let fault = encode(None, &request, &Quirks::default()).unwrap_err();
    assert_eq!(fault.kind, ErrorKind::InvalidRequest);
    assert!(fault.message.contains(&id.to_string()), "{}", fault.message);
}
