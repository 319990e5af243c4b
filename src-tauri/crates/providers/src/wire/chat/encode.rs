//! A request as Chat Completions wants it.

use protocol::{Effort, Part, Role};
use serde::Serialize;

use crate::catalog::{Continuation, MaxTokens, Quirks};
use crate::{ErrorKind, Fault, Request, RequestMessage};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
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
pub(crate) fn encode(request: &Request, quirks: &Quirks) -> Result<Vec<u8>, Fault> {
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        messages.push(Message::System {
            content: &request.system,
        });
    }
    for message in &request.messages {
        append(&mut messages, message)?;
    }
    let continues = request.continue_last
        && quirks.continuation == Continuation::ContinueFinalMessage
        && matches!(messages.last(), Some(Message::Assistant { .. }));
    let body = Body {
        model: &request.model,
        messages,
        stream: true,
        stream_options: StreamOptions {
            include_usage: true,
        },
        max_tokens: request
            .max_tokens
            .filter(|_| quirks.max_tokens == MaxTokens::MaxTokens),
        max_completion_tokens: request
            .max_tokens
            .filter(|_| quirks.max_tokens == MaxTokens::MaxCompletionTokens),
        temperature: request.temperature,
        reasoning_effort: request.effort,
        stop: &request.stop,
        continue_final_message: continues.then_some(true),
        add_generation_prompt: continues.then_some(false),
    };
    serde_json::to_vec(&body)
        .map_err(|error| Fault::new(ErrorKind::InvalidRequest, error.to_string()))
}

/// Appends a message. Thinking stays behind: this wire does not want it back. Neighbours of the same
/// role become one, because strict templates demand that roles alternate.
fn append<'a>(messages: &mut Vec<Message<'a>>, message: &'a RequestMessage) -> Result<(), Fault> {
    let mut text = String::new();
    let mut calls = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text { text: more, .. } => join(&mut text, more),
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
    }
    match message.role {
        Role::User if text.is_empty() => {}
        Role::User => match messages.last_mut() {
            Some(Message::User { content }) => join(content, &text),
            _ => messages.push(Message::User { content: text }),
        },
        Role::Assistant if text.is_empty() && calls.is_empty() => {}
        Role::Assistant => {
            let content = (!text.is_empty()).then_some(text);
            messages.push(Message::Assistant {
                content,
                tool_calls: calls,
            });
        }
    }
    Ok(())
}

fn join(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(more);
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use protocol::{AttachmentId, Effort, Part, Role};
    use serde_json::{Value, json};

    use super::encode;
    use crate::catalog::{Continuation, MaxTokens, Quirks};
    use crate::{ErrorKind, Request, RequestMessage};

    fn message(role: Role, parts: Vec<Part>) -> RequestMessage {
        RequestMessage { role, parts }
    }

    fn body(request: &Request, quirks: &Quirks) -> Value {
        serde_json::from_slice(&encode(request, quirks).unwrap()).unwrap()
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
    fn quirks_change_the_spelling() {
        let request = Request {
            model: "m".into(),
            messages: vec![
                message(Role::User, vec![Part::text("count")]),
                message(Role::Assistant, vec![Part::text("one, two")]),
            ],
            max_tokens: Some(5),
            continue_last: true,
            ..Request::default()
        };
        let plain = body(&request, &Quirks::default());
        assert_eq!(
            plain["messages"][1],
            json!({ "role": "assistant", "content": "one, two" })
        );
        assert_eq!(plain.get("continue_final_message"), None);
        let quirks = Quirks {
            max_tokens: MaxTokens::MaxCompletionTokens,
            continuation: Continuation::ContinueFinalMessage,
            ..Quirks::default()
        };
        let quirky = body(&request, &quirks);
        assert_eq!(quirky["max_completion_tokens"], 5);
        assert_eq!(quirky.get("max_tokens"), None);
        assert_eq!(quirky["continue_final_message"], true);
        assert_eq!(quirky["add_generation_prompt"], false);
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
        let fault = encode(&request, &Quirks::default()).unwrap_err();
        assert_eq!(fault.kind, ErrorKind::InvalidRequest);
    }
}
