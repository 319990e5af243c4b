//! Requests as Gemini takes them.

use bytes::Bytes;
use pretty_assertions::assert_eq;
use protocol::{AttachmentId, Effort, Part, ProviderBlob, ProviderId, Role, Wire};
use serde_json::{Value, json};

use super::encode;
use crate::catalog::{Quirks, ReasoningRequest};
use crate::{Attached, ErrorKind, Request, RequestMessage, Tool, ToolChoice};

fn user(parts: Vec<Part>) -> RequestMessage {
    RequestMessage {
        role: Role::User,
        parts,
    }
}

fn model(parts: Vec<Part>) -> RequestMessage {
    RequestMessage {
        role: Role::Assistant,
        parts,
    }
}

fn call(id: &str, name: &str, arguments: &str, blob: Option<ProviderBlob>) -> Part {
    Part::ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        blob,
    }
}

fn result(id: &str, content: &str) -> Part {
    Part::ToolResult {
        call_id: id.into(),
        content: content.into(),
        is_error: false,
    }
}

fn thinking(text: &str, blob: Option<ProviderBlob>) -> Part {
    Part::Thinking {
        text: text.into(),
        duration_ms: None,
        blob,
    }
}

fn blob(model: &str, data: Value) -> Option<ProviderBlob> {
    Some(ProviderBlob {
        wire: Wire::Gemini,
        provider: "gemini".parse().unwrap(),
        model: model.into(),
        data,
    })
}

fn body(request: &Request) -> Value {
    let provider: ProviderId = "gemini".parse().unwrap();
    serde_json::from_slice(&encode(Some(&provider), request, &Quirks::default()).unwrap()).unwrap()
}

#[test]
fn a_whole_request() {
    let image = AttachmentId::generate();
    let notes = AttachmentId::generate();
    let request = Request {
        model: "gemini-3.8-flash".into(),
        system: "Be brief.".into(),
        messages: vec![
            user(vec![
                Part::Image {
                    attachment: image,
                    media_type: "image/png".into(),
                },
                Part::File {
                    attachment: notes,
                    name: "notes.md".into(),
                    media_type: "text/markdown".into(),
                },
                Part::text("weather?"),
            ]),
            model(vec![
                thinking("hm", None),
                call("c1", "weather", r#"{"at":"Bonn"}"#, None),
            ]),
            user(vec![Part::text("and now?"), result("c1", "rain")]),
        ],
        max_tokens: Some(64),
        temperature: Some(0.5),
        effort: Some(Effort::Low),
        stop: vec!["END".into()],
        tools: vec![Tool {
            name: "weather".into(),
            description: "The weather.".into(),
            schema: json!({ "type": "object" }),
        }],
        tool_choice: ToolChoice::Named("weather".into()),
        attachments: [
            (image, Attached::Bytes(Bytes::from_static(b"\x89PNG"))),
            (notes, Attached::Text("one".into())),
        ]
        .into(),
        ..Request::default()
    };
    let expected = json!({
        "systemInstruction": { "parts": [{ "text": "Be brief." }] },
        "contents": [
            { "role": "user", "parts": [
                { "inlineData": { "mimeType": "image/png", "data": "iVBORw==" } },
                { "text": "notes.md:\n```\none\n```" },
                { "text": "weather?" },
            ] },
            { "role": "model", "parts": [{
                "functionCall": { "id": "c1", "name": "weather", "args": { "at": "Bonn" } },
                "thoughtSignature": "skip_thought_signature_validator",
            }] },
            { "role": "user", "parts": [
                { "functionResponse": {
                    "id": "c1", "name": "weather", "response": { "output": "rain" } } },
                { "text": "and now?" },
            ] },
        ],
        "tools": [{ "functionDeclarations": [{
            "name": "weather",
            "description": "The weather.",
            "parametersJsonSchema": { "type": "object" },
        }] }],
        "toolConfig": { "functionCallingConfig": {
            "mode": "ANY", "allowedFunctionNames": ["weather"] } },
        "generationConfig": {
            "maxOutputTokens": 64,
            "temperature": 0.5,
            "stopSequences": ["END"],
            "thinkingConfig": { "includeThoughts": true, "thinkingLevel": "low" },
        },
    });
    assert_eq!(body(&request), expected);
}

#[test]
fn what_is_not_asked_for_is_not_sent() {
    let request = Request {
        model: "gemini-2.0-flash".into(),
        messages: vec![
            user(vec![Part::text("one")]),
            model(vec![thinking("hm", None), Part::text("")]),
            user(vec![Part::text("two")]),
        ],
        tool_choice: ToolChoice::Required,
        ..Request::default()
    };
    assert_eq!(
        body(&request),
        json!({ "contents": [{ "role": "user", "parts": [{ "text": "one" }, { "text": "two" }] }] })
    );
}

#[test]
fn what_is_signed_goes_back_on_its_part_to_its_model_alone() {
    let signed = |signature: &str| json!({ "thoughtSignature": signature });
    let search = json!({ "executableCode": { "code": "1" }, "thoughtSignature": "c" });
    let request = Request {
        model: "m".into(),
        messages: vec![
            user(vec![Part::text("go")]),
            model(vec![
                thinking("hm", blob("m", signed("a"))),
                Part::Text {
                    text: "so".into(),
                    blob: blob("m", signed("b")),
                },
                thinking("", blob("m", json!({ "part": search }))),
                thinking("", blob("m", json!({ "groundingMetadata": { "x": 1 } }))),
                thinking("no", blob("other", signed("not its model"))),
                call("1", "f", "{}", blob("m", signed("d"))),
                call("2", "f", "", None),
            ]),
        ],
        ..Request::default()
    };
    let parts = json!([
        { "text": "hm", "thought": true, "thoughtSignature": "a" },
        { "text": "so", "thoughtSignature": "b" },
        search,
        { "functionCall": { "id": "1", "name": "f", "args": {} }, "thoughtSignature": "d" },
        { "functionCall": { "id": "2", "name": "f", "args": {} } },
    ]);
    assert_eq!(body(&request)["contents"][1]["parts"], parts);
    let elsewhere: ProviderId = "vertex".parse().unwrap();
    for provider in [None, Some(&elsewhere)] {
        let foreign: Value =
            serde_json::from_slice(&encode(provider, &request, &Quirks::default()).unwrap())
                .unwrap();
        let parts = json!([
            { "text": "so" },
            {
                "functionCall": { "id": "1", "name": "f", "args": {} },
                "thoughtSignature": "skip_thought_signature_validator",
            },
            { "functionCall": { "id": "2", "name": "f", "args": {} } },
        ]);
        assert_eq!(foreign["contents"][1]["parts"], parts);
    }
}

#[test]
fn every_call_is_answered_and_every_answer_has_its_call() {
    let request = Request {
        model: "gemini-2.5-pro".into(),
        messages: vec![
            user(vec![Part::text("go")]),
            model(vec![call("1", "f", "[1]", None), call("2", "g", "{", None)]),
            user(vec![Part::ToolResult {
                call_id: "2".into(),
                content: "broke".into(),
                is_error: true,
            }]),
            user(vec![Part::text("never mind"), result("9", "late")]),
            model(vec![call("3", "h", "{}", None)]),
        ],
        ..Request::default()
    };
    let response = |id: &str, name: &str, response: Value| json!({ "functionResponse": { "id": id, "name": name, "response": response } });
    let not_run = "The tool was not run; the conversation went on without it.";
    assert_eq!(
        body(&request)["contents"],
        json!([
            { "role": "user", "parts": [{ "text": "go" }] },
            { "role": "model", "parts": [
                { "functionCall": { "id": "1", "name": "f", "args": { "arguments": "[1]" } } },
                { "functionCall": { "id": "2", "name": "g", "args": { "arguments": "{" } } },
            ] },
            { "role": "user", "parts": [
                response("2", "g", json!({ "error": "broke" })),
                response("1", "f", json!({ "error": not_run })),
                { "text": "never mind" },
                { "text": "Result of a tool:\nlate" },
            ] },
            { "role": "model", "parts": [
                { "functionCall": { "id": "3", "name": "h", "args": {} } },
            ] },
            { "role": "user", "parts": [response("3", "h", json!({ "error": not_run }))] },
        ])
    );
}

#[test]
fn thinking_is_steered_as_the_model_lets_it() {
    let config = |model: &str, effort| {
        let request = Request {
            model: model.into(),
            effort,
            ..Request::default()
        };
        body(&request)["generationConfig"]["thinkingConfig"].clone()
    };
    let thoughts = json!({ "includeThoughts": true });
    assert_eq!(config("models/gemini-3.8-flash", None), thoughts);
    assert_eq!(config("gemini-2.5-pro", None), thoughts);
    assert_eq!(config("from-the-future", None), thoughts);
    for silent in [
        "gemini-2.0-flash",
        "gemma-3-27b-it",
        "gemini-2.5-flash-image",
    ] {
        assert_eq!(config(silent, Some(Effort::High)), Value::Null);
    }
    let quirks = Quirks {
        reasoning: ReasoningRequest::Unasked,
        ..Quirks::default()
    };
    let unasked = encode(None, &Request::default(), &quirks).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&unasked).unwrap(),
        json!({ "contents": [] })
    );
    for (effort, level, budget) in [
        (Effort::None, "minimal", 0),
        (Effort::Minimal, "minimal", 1_024),
        (Effort::Low, "low", 1_024),
        (Effort::Medium, "medium", 8_192),
        (Effort::High, "high", 24_576),
        (Effort::Max, "high", 24_576),
    ] {
        assert_eq!(
            config("gemini-3-pro", Some(effort)),
            json!({ "includeThoughts": true, "thinkingLevel": level })
        );
        assert_eq!(
            config("gemini-2.5-flash", Some(effort)),
            json!({ "includeThoughts": budget > 0, "thinkingBudget": budget })
        );
    }
}

#[test]
fn tools_are_chosen_in_all_ways() {
    for (choice, expected) in [
        (ToolChoice::Auto, Value::Null),
        (ToolChoice::None, json!({ "mode": "NONE" })),
        (ToolChoice::Required, json!({ "mode": "ANY" })),
    ] {
        let request = Request {
            tools: vec![Tool {
                name: "f".into(),
                description: String::new(),
                schema: json!({ "type": "object" }),
            }],
            tool_choice: choice,
            ..Request::default()
        };
        assert_eq!(
            body(&request)["toolConfig"]["functionCallingConfig"],
            expected
        );
    }
}

#[test]
fn an_unfinished_answer_is_asked_to_go_on() {
    let request = Request {
        messages: vec![
            user(vec![Part::text("count")]),
            model(vec![Part::text("one")]),
        ],
        continue_last: true,
        ..Request::default()
    };
    let contents = &body(&request)["contents"];
    assert_eq!(contents[1]["parts"][0]["text"], "one");
    let words = contents[2]["parts"][0]["text"].as_str().unwrap();
    assert!(words.starts_with("Go on exactly"), "{words}");
}

#[test]
fn what_cannot_be_sent_is_said() {
    let id = AttachmentId::generate();
    let file = Part::File {
        attachment: id,
        name: "a.zip".into(),
        media_type: "application/zip".into(),
    };
    let mut request = Request {
        messages: vec![user(vec![file])],
        ..Request::default()
    };
    for _ in 0..2 {
        let fault = encode(None, &request, &Quirks::default()).unwrap_err();
        assert_eq!(fault.kind, ErrorKind::InvalidRequest);
        assert!(fault.message.contains("a.zip"), "{}", fault.message);
        let bytes = Attached::Bytes(Bytes::from_static(b"PK"));
        request.attachments.insert(id, bytes);
    }
}
