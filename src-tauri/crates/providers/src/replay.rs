//! The wires on their own, for `pilotfish debug`: a recorded stream to lines of JSON, and a
//! conversation to the body that would be sent.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use protocol::{Part, Role, StopReason, Usage, Wire};
use serde::{Deserialize, Serialize};

use crate::catalog::Quirks;
use crate::wire::{self, Decoder};
use crate::{ErrorKind, Fault, ProviderEvent, Request, RequestMessage};

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
                | ProviderEvent::Blob(_),
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
    continue_last: bool,
}

#[derive(Debug, Deserialize)]
struct Spoken {
    role: Role,
    #[serde(default)]
    parts: Vec<Part>,
    #[serde(default)]
    content: Option<String>,
}

/// The body that would be sent for a conversation, as indented JSON. The conversation is
/// `{"system": "…", "messages": [{"role": "user", "content": "…"}, …]}`, where a message may have
/// `parts` in place of `content`.
///
/// # Errors
/// `InvalidRequest` when the conversation is no such JSON, or the wire cannot carry it.
pub fn encode_request(wire: Wire, model: &str, conversation: &str) -> Result<String, Fault> {
    let wrong = |error: serde_json::Error| {
        Fault::new(ErrorKind::InvalidRequest, format!("conversation: {error}"))
    };
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
    let request = Request {
        model: model.to_owned(),
        system: conversation.system,
        messages,
        max_tokens: conversation.max_tokens,
        temperature: conversation.temperature,
        effort: conversation.effort,
        stop: conversation.stop,
        cache_key: None,
        continue_last: conversation.continue_last,
    };
    let body = wire::encode(wire, None, &request, &Quirks::default())?;
    let value: serde_json::Value = serde_json::from_slice(&body).map_err(wrong)?;
    serde_json::to_string_pretty(&value).map_err(wrong)
}
