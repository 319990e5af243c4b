//! The wires on their own, for `pilotfish debug`: a recorded stream to lines of JSON, and a
//! conversation to the body that would be sent.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::{AttachmentId, Part, ProviderId, Role, StopReason, Usage, Wire};
use serde::{Deserialize, Serialize};

use crate::wire::{self, Decoder};
use crate::{
    Attached, ErrorKind, Fault, ProviderEvent, Request, RequestMessage, Tool, ToolChoice, catalog,
};

/// The longest recording that is read, in bytes.
const MAX_INPUT_BYTES: u64 = 256 << 20;

/// What came of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The events, one JSON object a line, neighbouring deltas merged. The same for every split.
    pub lines: Vec<String>,
    /// Whether the stream ended as its wire says it must.
    pub complete: bool,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Text {
        text: String,
    },
    Thinking {
        text: String,
    },
    ToolCall {
        index: u32,
        id: Option<String>,
        name: Option<String>,
        arguments: String,
    },
    Usage(Usage),
    Stop {
        reason: StopReason,
    },
    Error {
        kind: ErrorKind,
        code: Option<String>,
        message: String,
    },
}

/// Decodes a recorded body of an event stream, fed to the decoder `split` bytes at a time. A
/// provider's error in the stream is an event like any other.
///
/// # Errors
/// When the reader fails, or this version does not speak the wire.
pub fn decode(
    wire: Wire,
    mut reader: impl Read,
    split: NonZeroUsize,
) -> Result<Decoded, DecodeError> {
    let mut input = Vec::new();
    reader
        .by_ref()
        .take(MAX_INPUT_BYTES + 1)
        .read_to_end(&mut input)?;
    if input.len() as u64 > MAX_INPUT_BYTES {
        return Err(DecodeError::TooLong);
    }
    let mut decoder = Decoder::new(wire).map_err(|fault| DecodeError::Wire(fault.message))?;
    let mut events = Vec::new();
    let pushed =
        input
            .chunks(split.get())
            .try_for_each(|piece| match decoder.push(piece, &mut events) {
                Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
                Ok(ControlFlow::Break(())) => ControlFlow::Break(Ok(())),
                Err(fault) => ControlFlow::Break(Err(fault)),
            });
    let result = match pushed {
        ControlFlow::Continue(()) | ControlFlow::Break(Ok(())) => decoder.finish(&mut events),
        ControlFlow::Break(Err(fault)) => Err(fault),
    };
    let complete = result.is_ok();
    let lines = merge(events, result.err())
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()
        .map_err(io::Error::from)?;
    Ok(Decoded { lines, complete })
}

/// Why a recording cannot be decoded at all.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It cannot be read.
    #[error("the recording cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is too long.
    #[error("the recording is longer than {MAX_INPUT_BYTES} bytes; cut it")]
    TooLong,
    /// The wire is not spoken.
    #[error("{0}")]
    Wire(String),
}

fn merge(events: Vec<ProviderEvent>, fault: Option<Fault>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut usage = None;
    let mut stop = None;
    for event in events {
        match (event, lines.last_mut()) {
            (ProviderEvent::Text(more), Some(Line::Text { text }))
            | (ProviderEvent::Thinking(more), Some(Line::Thinking { text })) => {
                text.push_str(&more);
            }
            (ProviderEvent::Text(text), _) => lines.push(Line::Text { text }),
            (ProviderEvent::Thinking(text), _) => lines.push(Line::Thinking { text }),
            (
                ProviderEvent::ToolCall {
                    index,
                    id,
                    name,
                    arguments,
                },
                _,
            ) => {
                let begun = lines.iter_mut().rev().find_map(|line| match line {
                    Line::ToolCall {
                        index: at,
                        id,
                        name,
                        arguments,
                    } if *at == index => Some((id, name, arguments)),
                    _ => None,
                });
                match begun {
                    Some((known_id, known_name, so_far)) => {
                        *known_id = known_id.take().or(id);
                        *known_name = known_name.take().or(name);
                        so_far.push_str(&arguments);
                    }
                    None => lines.push(Line::ToolCall {
                        index,
                        id,
                        name,
                        arguments,
                    }),
                }
            }
            (ProviderEvent::Usage(report), _) => usage = Some(report),
            (ProviderEvent::Finished { stop_reason }, _) => stop = Some(stop_reason),
            (
                ProviderEvent::Started { .. }
                | ProviderEvent::Reading { .. }
                | ProviderEvent::Blob(_)
                | ProviderEvent::Opaque(_),
                _,
            ) => {}
        }
    }
    lines.extend(usage.map(Line::Usage));
    lines.extend(stop.map(|reason| Line::Stop { reason }));
    lines.extend(fault.map(|fault| Line::Error {
        kind: fault.kind,
        code: fault.code,
        message: fault.message,
    }));
    lines
}

#[derive(Debug, Deserialize)]
struct Conversation {
    #[serde(default)]
    provider: Option<ProviderId>,
    #[serde(default)]
    system: String,
    messages: Vec<Spoken>,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    temperature: Option<f32>,
    #[serde(default)]
    effort: Option<protocol::Effort>,
    #[serde(default)]
    stop: Vec<String>,
    #[serde(default)]
    cache_key: Option<String>,
    #[serde(default)]
    continue_last: bool,
    #[serde(default)]
    tools: Vec<Tool>,
    #[serde(default)]
    tool_choice: ToolChoice,
    #[serde(default)]
    attachments: HashMap<AttachmentId, Held>,
}

#[derive(Debug, Deserialize)]
struct Spoken {
    role: Role,
    #[serde(default)]
    parts: Vec<Part>,
    #[serde(default)]
    content: Option<String>,
}

/// What an attachment holds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Held {
    Text(String),
    Base64(String),
}

impl Held {
    fn attached(self, id: &AttachmentId) -> Result<Attached, Fault> {
        match self {
            Self::Text(text) => Ok(Attached::Text(text)),
            Self::Base64(text) => match STANDARD.decode(text.trim()) {
                Ok(bytes) => Ok(Attached::Bytes(bytes.into())),
                Err(error) => Err(wrong(format!("attachments: {id}: {error}"))),
            },
        }
    }
}

/// The body that would be sent for a conversation, as indented JSON. The conversation is
/// `{"system": "…", "messages": [{"role": "user", "content": "…"}, …]}`, where a message may have
/// `parts` in place of `content`. Beside these it may have `provider`, whose accent is spoken and
/// whose opaque data goes back to it; `max_tokens`, `temperature`, `effort`, `stop`, `cache_key`,
/// `continue_last`; `tools` as `[{"name", "description", "schema"}]` and `tool_choice` as `"auto"`,
/// `"none"`, `"required"` or `{"named": "…"}`; and `attachments` by their ids, each `{"text": "…"}`
/// or `{"base64": "…"}`.
///
/// # Errors
/// `InvalidRequest` when the conversation is no such JSON, or the wire cannot carry it.
pub fn encode_request(wire: Wire, model: &str, conversation: &str) -> Result<String, Fault> {
    let conversation: Conversation = serde_json::from_str(conversation).map_err(wrong)?;
    let messages = conversation
        .messages
        .into_iter()
        .map(|message| {
            let mut parts = message.parts;
            parts.extend(message.content.map(Part::text));
            RequestMessage {
                role: message.role,
                parts,
            }
        })
        .collect();
    let attachments = conversation
        .attachments
        .into_iter()
        .map(|(id, held)| Ok((id, held.attached(&id)?)))
        .collect::<Result<_, Fault>>()?;
    let request = Request {
        model: model.to_owned(),
        system: conversation.system,
        messages,
        max_tokens: conversation.max_tokens,
        temperature: conversation.temperature,
        effort: conversation.effort,
        stop: conversation.stop,
        cache_key: conversation.cache_key,
        continue_last: conversation.continue_last,
        tools: conversation.tools,
        tool_choice: conversation.tool_choice,
        attachments,
    };
    let provider = conversation.provider.as_ref();
    let quirks = provider
        .map(|provider| catalog::quirks(provider, wire, model))
        .unwrap_or_default();
    let body = wire::encode(wire, provider, &request, &quirks)?;
    let value: serde_json::Value = serde_json::from_slice(&body).map_err(wrong)?;
    serde_json::to_string_pretty(&value).map_err(wrong)
}

fn wrong(what: impl fmt::Display) -> Fault {
    Fault::new(ErrorKind::InvalidRequest, format!("conversation: {what}"))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use protocol::{AttachmentId, Wire};
    use serde_json::{Value, json};

    use super::encode_request;

    const WIRES: [Wire; 4] = [Wire::Chat, Wire::Responses, Wire::Messages, Wire::Gemini];

    fn body(wire: Wire, conversation: &Value) -> Value {
        let body = encode_request(wire, "m", &conversation.to_string()).unwrap();
        serde_json::from_str(&body).unwrap()
    }

    /// Tools, a picture and a file, with each wire.
    fn conversation(image: AttachmentId, notes: AttachmentId) -> Value {
        json!({
            "system": "s",
            "messages": [
                { "role": "user", "content": "weather?", "parts": [
                    { "type": "image", "attachment": image, "media_type": "image/png" },
                    { "type": "file", "attachment": notes, "name": "n.md", "media_type": "text/x" },
                ] },
                { "role": "assistant", "parts": [{
                    "type": "tool_call", "id": "c1", "name": "weather", "arguments": "{}" }] },
                { "role": "user", "parts": [{
                    "type": "tool_result", "call_id": "c1", "content": "rain", "is_error": false }] },
            ],
            "tools": [{ "name": "weather", "schema": { "type": "object" } }],
            "tool_choice": { "named": "weather" },
            "attachments": { (image.to_string()): { "base64": "iVBORw==" },
                (notes.to_string()): { "text": "one" } },
        })
    }

    #[test]
    fn tools_and_attachments_are_sent_on_every_wire() {
        let conversation = conversation(AttachmentId::generate(), AttachmentId::generate());
        for wire in WIRES {
            let body = body(wire, &conversation);
            assert!(body["tools"].is_array(), "{wire:?}: {body}");
            let text = body.to_string();
            for piece in ["iVBORw==", "n.md", "one", "weather", "rain", "c1"] {
                assert!(text.contains(piece), "{wire:?} lacks {piece}: {text}");
            }
        }
    }

    #[test]
    fn opaque_data_goes_back_to_the_provider_that_is_named() {
        let conversation = |provider: Option<&str>| {
            let blob = json!({ "wire": "gemini", "provider": "gemini", "model": "m",
                "data": { "thoughtSignature": "signed" } });
            let mut conversation = json!({ "messages": [
                { "role": "user", "content": "a" },
                { "role": "assistant", "parts": [{ "type": "text", "text": "b", "blob": blob }] },
            ] });
            conversation["provider"] = json!(provider);
            conversation
        };
        for (provider, goes) in [
            (Some("gemini"), true),
            (Some("other"), false),
            (None, false),
        ] {
            let body = body(Wire::Gemini, &conversation(provider)).to_string();
            assert_eq!(body.contains("signed"), goes, "{provider:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let id = AttachmentId::generate();
        let missing = json!({ "messages": [{ "role": "user", "parts": [
            { "type": "image", "attachment": id, "media_type": "image/png" }] }] });
        for wire in WIRES {
            let fault = encode_request(wire, "m", &missing.to_string()).unwrap_err();
            assert!(
                fault.message.contains(&id.to_string()),
                "{wire:?}: {}",
                fault.message
            );
        }
        for (wrong, named) in [
            (
                json!({ "messages": [], "tools": [{ "name": "f" }] }),
                "schema",
            ),
            (json!({ "messages": [], "tool_choice": "maybe" }), "maybe"),
            (
                json!({ "messages": [], "attachments": { (id.to_string()): { "base64": "?" } } }),
                "attachments",
            ),
        ] {
            let fault = encode_request(Wire::Chat, "m", &wrong.to_string()).unwrap_err();
            assert!(fault.message.contains(named), "{}", fault.message);
        }
    }
}
