//! The protocols that providers speak, each a pure pair: a request to bytes, and a state machine
//! from frames to events. No wire does I/O, so each is tested by feeding it; [`Decoder`] joins one to
//! the framer and holds the rule for the end of a stream, which is the same for all.

pub(crate) mod attachment;
pub(crate) mod chat;
#[cfg(test)]
mod folded;
pub(crate) mod gemini;
pub(crate) mod messages;
pub(crate) mod responses;
mod waiting;

use std::ops::ControlFlow;

use protocol::{ProviderId, Wire};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::catalog::Quirks;
use crate::sse::{Frame, Framer};
use crate::{ErrorKind, Fault, ProviderEvent, Request};

/// The code of a fault about a frame that holds no JSON: at the very end of a stream it only means
/// that the stream was cut there.
pub(crate) const INVALID_JSON: &str = "invalid_json";

/// The longest name of a model and id of an answer, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// In xAI's reports a dollar is this many ticks (<https://docs.x.ai/developers/cost-tracking>).
pub(crate) const TICKS_PER_USD: f64 = 1e10;

/// What asks a model in words to go on with its last message.
const GO_ON: &str =
    "Go on exactly where your last message stopped. Repeat nothing and add no preamble.";

/// Turns a provider's frames into events.
pub(crate) trait Mapper: Send {
    /// Takes a frame and appends what it says to `out`; `Break` when the wire says that nothing
    /// follows.
    ///
    /// # Errors
    /// The provider's error in the stream, or a frame that cannot be understood. What was appended
    /// before is still good; the mapper takes no further frames.
    fn push(
        &mut self,
        frame: &Frame,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<ControlFlow<()>, Fault>;

    /// Ends the answer: appends what was held back and `Finished`.
    ///
    /// # Errors
    /// `Interrupted` when the wire's terminal event was not seen; what was held back is appended
    /// all the same.
    fn finish(&mut self, out: &mut Vec<ProviderEvent>) -> Result<(), Fault>;

    /// Whether the wire's terminal event was seen: what may still come is the bookkeeping.
    fn ended(&self) -> bool;
}

/// A fresh mapper of the wire.
///
/// # Errors
/// When this version does not speak the wire.
fn mapper(wire: Wire) -> Result<Box<dyn Mapper>, Fault> {
    match wire {
        Wire::Chat => Ok(Box::new(chat::ChatMapper::new())),
        Wire::Gemini => Ok(Box::new(gemini::GeminiMapper::new())),
        Wire::Responses => Ok(Box::new(responses::ResponsesMapper::new())),
        Wire::Messages => Ok(Box::new(messages::MessagesMapper::new())),
        Wire::Inhouse => Err(unspoken(wire)),
    }
}

/// The body that asks for a streamed answer. The provider's own opaque data goes back to it alone;
/// without a provider none does.
pub(crate) fn encode(
    wire: Wire,
    provider: Option<&ProviderId>,
    request: &Request,
    quirks: &Quirks,
) -> Result<Vec<u8>, Fault> {
    match wire {
        Wire::Chat => chat::encode(provider, request, quirks),
        Wire::Gemini => gemini::encode(provider, request, quirks),
        Wire::Responses => responses::encode(provider, request, quirks),
        Wire::Messages => messages::encode(provider, request, quirks),
        Wire::Inhouse => Err(unspoken(wire)),
    }
}

/// Reads an answer that came whole, from a server that did not stream or did not say that it does;
/// `None` when the body is none.
pub(crate) fn whole(
    wire: Wire,
    mut decoder: Decoder,
    body: &[u8],
    out: &mut Vec<ProviderEvent>,
) -> Option<Result<(), Fault>> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if ["data:", "event:", "id:", "retry:", ":"]
        .iter()
        .any(|start| text.starts_with(start))
    {
        return Some(decoder.push(body, out).and_then(|_| decoder.finish(out)));
    }
    match wire {
        Wire::Chat => chat::whole(text, out),
        Wire::Gemini => gemini::whole(text, out),
        Wire::Responses => responses::whole(text, out),
        Wire::Messages => messages::whole(text, out),
        Wire::Inhouse => Some(Err(unspoken(wire))),
    }
}

fn unspoken(wire: Wire) -> Fault {
    let name = serde_json::to_string(&wire).unwrap_or_default();
    Fault::new(
        ErrorKind::InvalidRequest,
        format!("this version does not speak the wire {name}; use \"chat\""),
    )
    .with_code("unsupported_wire")
}

/// The name of a model or the id of an answer, when it can be stored and shown.
pub(crate) fn named(name: Option<&str>) -> Option<String> {
    let fits = |name: &&str| {
        (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.contains(char::is_control)
    };
    name.filter(fits).map(str::to_owned)
}

/// A piece of an answer that holds something else than its wire says.
pub(crate) fn not_understood(why: &str) -> Fault {
    Fault::new(
        ErrorKind::Interrupted,
        format!("a piece of the answer could not be understood ({why}); ask again"),
    )
}

/// A field of a provider's, whatever it may send there: the value when it has its type, `None` when it has another.
pub(crate) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(T::deserialize(Value::deserialize(deserializer)?).ok())
}

/// Bytes of an event stream to events, by the rules of one wire.
pub(crate) struct Decoder {
    framer: Framer,
    mapper: Box<dyn Mapper>,
    frames: Vec<Frame>,
    /// The wire said that nothing follows: what does is no part of the answer.
    done: bool,
}

impl Decoder {
    /// A decoder at the beginning of an answer.
    ///
    /// # Errors
    /// When this version does not speak the wire.
    pub(crate) fn new(wire: Wire) -> Result<Self, Fault> {
        Ok(Self {
            framer: Framer::new(),
            mapper: mapper(wire)?,
            frames: Vec::new(),
            done: false,
        })
    }

    /// Takes bytes and appends their events to `out`; `Break` when nothing more is to come.
    ///
    /// # Errors
    /// The provider's error, or a stream that cannot be read; what was appended before is good.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<ProviderEvent>,
    ) -> Result<ControlFlow<()>, Fault> {
        if self.done {
            return Ok(ControlFlow::Break(()));
        }
        let framed = self.framer.push(bytes, &mut self.frames);
        for frame in self.frames.drain(..) {
            if self.mapper.push(&frame, out)?.is_break() {
                self.done = true;
                return Ok(ControlFlow::Break(()));
            }
        }
        framed?;
        Ok(ControlFlow::Continue(()))
    }

    /// Ends the stream: appends what was held back, and `Finished` when the wire's terminal event
    /// was seen.
    ///
    /// # Errors
    /// `Interrupted` when it was not, or the provider's error when that was the last thing it said.
    pub(crate) fn finish(&mut self, out: &mut Vec<ProviderEvent>) -> Result<(), Fault> {
        if !self.done
            && let Some(tail) = self.framer.finish()
            && let Err(fault) = self.mapper.push(&tail, out)
            && fault.code.as_deref() != Some(INVALID_JSON)
        {
            return Err(fault);
        }
        self.mapper.finish(out)
    }

    /// Whether the wire's terminal event was seen.
    pub(crate) fn ended(&self) -> bool {
        self.mapper.ended()
    }
}
