//! A request as Chat Completions wants it.

use protocol::{Effort, Part, ProviderBlob, ProviderId, Role, Wire};
use serde::Serialize;
use serde_json::Value;

use crate::catalog::{Continuation, Quirks, UsageRequest};
use crate::{ErrorKind, Fault, Request, RequestMessage};

/// What asks a model in words to go on with its last message.
const GO_ON: &str =
    "Go on exactly where your last message stopped. Repeat nothing and add no preamble.";

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<Effort>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    continue_final_message: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    add_generation_prompt: Option<bool>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
enum Message<'a> {
    System {
        content: &'a str,
    },
    User {
        content: String,
    },
    Assistant {
        content: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        reasoning_details: Vec<&'a Value>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: &'a str,
    },
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// The body that asks for a streamed answer.
pub(crate) fn encode(
    provider: Option<&ProviderId>,
    request: &Request,
    quirks: &Quirks,
) -> Result<Vec<u8>, Fault> {
    let mut messages = Vec::with_capacity(request.messages.len() + 2);
    if !request.system.is_empty() {
        messages.push(Message::System {
            content: &request.system,
        });
    }
    let ours = |blob: &ProviderBlob| {
        blob.wire == Wire::Chat && Some(&blob.provider) == provider && blob.model == request.model
    };
    for message in &request.messages {
        append(&mut messages, message, &ours)?;
    }
    let continues =
        request.continue_last && matches!(messages.last(), Some(Message::Assistant { .. }));
    if continues && quirks.continuation == Continuation::Ask {
        messages.push(Message::User {
            content: GO_ON.to_owned(),
        });
    }
    let by_fields = continues && quirks.continuation == Continuation::ContinueFinalMessage;
    let body = Body {
        model: &request.model,
        messages,
        stream: true,
        stream_options: (quirks.usage == UsageRequest::StreamOptions).then_some(StreamOptions {
            include_usage: true,
        }),
        max_tokens: request.max_tokens,
        temperature: request.temperature,
        reasoning_effort: request.effort,
        stop: &request.stop,
        continue_final_message: by_fields.then_some(true),
        add_generation_prompt: by_fields.then_some(false),
    };
    serde_json::to_vec(&body)
        .map_err(|error| Fault::new(ErrorKind::InvalidRequest, error.to_string()))
}

/// Appends a message. Thinking stays behind, but for the opaque details of it that are this
/// provider's own. Neighbours of the same role become one, because strict templates demand that
/// roles alternate; an answer that waits for its tools is left as it is.
fn append<'a>(
    messages: &mut Vec<Message<'a>>,
    message: &'a RequestMessage,
    ours: &impl Fn(&ProviderBlob) -> bool,
) -> Result<(), Fault> {
    // One answer is one text, also where thinking stood in between; a person's texts are several.
    let gap = match message.role {
        Role::User => "\n\n",
        Role::Assistant => "",
    };
    let mut text = String::new();
    let mut details = Vec::new();
    let mut calls = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text { text: more, .. } => join(&mut text, gap, more),
            Part::Thinking { .. } => {}
            Part::ToolCall {
                id,
                name,
                arguments,
                ..
            } => calls.push(Call {
                id,
                r#type: "function",
                function: Function { name, arguments },
            }),
            Part::ToolResult {
                call_id, content, ..
            } => {
                messages.push(Message::Tool {
                    tool_call_id: call_id,
                    content,
                });
            }
            Part::Image { .. } | Part::File { .. } => {
                return Err(Fault::new(
                    ErrorKind::InvalidRequest,
                    "images and files cannot be sent yet; remove them and send the text",
                ));
            }
        }
        details.extend(reasoning_details(part, ours));
    }
    match message.role {
        Role::User if text.is_empty() => {}
        Role::User => match messages.last_mut() {
            Some(Message::User { content }) => join(content, "\n\n", &text),
            _ => messages.push(Message::User { content: text }),
        },
        Role::Assistant if text.is_empty() && calls.is_empty() => {}
        Role::Assistant => match messages.last_mut() {
            Some(Message::Assistant {
                content,
                reasoning_details,
                tool_calls,
            }) if tool_calls.is_empty() => {
                join(content.get_or_insert_default(), "\n\n", &text);
                reasoning_details.extend(details);
                *tool_calls = calls;
            }
            _ => messages.push(Message::Assistant {
                content: (!text.is_empty()).then_some(text),
                reasoning_details: details,
                tool_calls: calls,
            }),
        },
    }
    Ok(())
}

/// The entries of opaque reasoning that a part carries and that its maker takes back.
fn reasoning_details<'a>(
    part: &'a Part,
    ours: &impl Fn(&ProviderBlob) -> bool,
) -> impl Iterator<Item = &'a Value> {
    let blob = match part {
        Part::Text { blob, .. } | Part::Thinking { blob, .. } | Part::ToolCall { blob, .. } => {
            blob.as_ref()
        }
        Part::Image { .. } | Part::File { .. } | Part::ToolResult { .. } => None,
    };
    blob.filter(|blob| ours(blob))
        .and_then(|blob| blob.data.get("reasoning_details")?.as_array())
        .into_iter()
        .flatten()
}

fn join(text: &mut String, gap: &str, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push_str(gap);
    }
    text.push_str(more);
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use protocol::{AttachmentId, Effort, Part, ProviderBlob, ProviderId, Role, Wire};
    use serde_json::{Value, json};

    use super::encode;
    use crate::catalog::{Continuation, Quirks, UsageRequest};
    use crate::{ErrorKind, Request, RequestMessage};

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
            continue_last: false,
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
        assert_eq!(
            texts,
            ["one\n\ntwo", "three"],
            "what calls a tool stays apart"
        );
        assert_eq!(messages[0]["tool_calls"][0]["id"], "c");
    }

    #[test]
    fn what_cannot_be_sent_is_said() {
        let image = Part::Image {
            attachment: AttachmentId::generate(),
            media_type: "image/png".into(),
        };
        let request = Request {
            messages: vec![message(Role::User, vec![image])],
            ..Request::default()
        };
        let fault = encode(None, &request, &Quirks::default()).unwrap_err();
        assert_eq!(fault.kind, ErrorKind::InvalidRequest);
    }
}
