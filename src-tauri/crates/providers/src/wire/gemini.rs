//! Google Gemini, `streamGenerateContent?alt=sse`.
//!
//! Each chunk is a whole response with a piece of the answer in it; neither chunks nor their end have
//! a name. An answer is whole when a `finishReason` was seen, or when the prompt was blocked. Some
//! models name one in every chunk, and the usage may come after it, so that the end is decided where
//! the stream ends. Only the first candidate is read: we never ask for more.
//!
//! A signature rides on a part and goes back on it: with a text or a call it is our blob of that part;
//! where a part holds nothing else, the part itself is kept as it is, like all parts that only Google
//! understands.

mod calls;
mod chunk;
mod encode;
mod path;

use std::ops::ControlFlow;

use protocol::{StopReason, Usage};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(crate) use encode::encode;

use self::calls::Calls;
use self::chunk::{Candidate, Chunk, UsageReport};
use super::{INVALID_JSON, Mapper, named, not_understood};
use crate::error::classify;
use crate::sse::Frame;
use crate::{ErrorKind, Fault, ProviderEvent};

/// Under this name a part's signature stands in our blob, and on the wire.
const SIGNATURE: &str = "thoughtSignature";

/// Under this name a part that is kept as it is stands in our blob.
const PART: &str = "part";

/// The state of one answer.
#[derive(Debug, Default)]
pub(crate) struct GeminiMapper {
    started: bool,
    model_known: bool,
    response_id: Option<String>,
    calls: Calls,
    finish_reason: Option<String>,
    blocked: bool,
    usage: Usage,
    /// What is told about the answer as a whole (its sources), to be given out when it ends: it comes
    /// in pieces, in the middle of the text.
    about: Map<String, Value>,
}

impl GeminiMapper {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn data(&mut self, data: &str, out: &mut Vec<ProviderEvent>) -> Result<(), Fault> {
        let value: Value = serde_json::from_str(data)
            .map_err(|error| not_understood(&error.to_string()).with_code(INVALID_JSON))?;
        self.value(&value, out)
    }

    fn value(&mut self, value: &Value, out: &mut Vec<ProviderEvent>) -> Result<(), Fault> {
        match value {
            Value::Null => return Ok(()),
            Value::Object(_) => {}
            // An error may come wrapped into a list.
            other => {
                return Err(classify::in_stream(other).unwrap_or_else(|| {
                    not_understood("it is no JSON object").with_code(INVALID_JSON)
                }));
            }
        }
        let chunk = Chunk::deserialize(value)
            .map_err(|error| not_understood(&error.to_string()).with_code("invalid_chunk"))?;
        self.start(&chunk, out);
        for candidate in chunk.candidates.into_iter().flatten() {
            if candidate.index.unwrap_or(0) == 0 {
                self.candidate(candidate, out)?;
            }
        }
        let feedback = chunk.prompt_feedback;
        self.blocked |= feedback.is_some_and(|feedback| feedback.block_reason.is_some());
        self.report(chunk.usage_metadata.as_ref(), out);
        classify::in_stream(value).map_or(Ok(()), Err)
    }

    fn start(&mut self, chunk: &Chunk, out: &mut Vec<ProviderEvent>) {
        let (model, response_id) = (
            named(chunk.model_version.as_deref()),
            named(chunk.response_id.as_deref()),
        );
        if self.response_id.is_none() {
            self.response_id.clone_from(&response_id);
        }
        let speaks = chunk.candidates.is_some() || model.is_some();
        let news = if self.started {
            !self.model_known && model.is_some()
        } else {
            speaks
        };
        if news {
            self.started = true;
            self.model_known |= model.is_some();
            out.push(ProviderEvent::Started { model, response_id });
        }
    }

    fn candidate(
        &mut self,
        candidate: Candidate,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        let parts = candidate.content.and_then(|content| content.parts);
        // While code runs, the model has stopped, and goes on with what comes of it.
        let mut runs = false;
        for part in parts.into_iter().flatten() {
            runs = part.contains_key("executableCode");
            if part.contains_key("codeExecutionResult") {
                self.finish_reason = None;
            }
            self.part(part, out)?;
        }
        for (name, told) in [
            ("groundingMetadata", candidate.grounding_metadata),
            ("citationMetadata", candidate.citation_metadata),
            ("urlContextMetadata", candidate.url_context_metadata),
        ] {
            if let Some(told) = told.filter(|told| !told.is_empty()) {
                let known = self.about.entry(name).or_insert_with(|| json!({}));
                if let Some(known) = known.as_object_mut() {
                    known.extend(told);
                }
            }
        }
        let counts = |reason: &String| {
            let says = !reason.is_empty() && !reason.ends_with("_UNSPECIFIED");
            says && !(runs && reason == "STOP")
        };
        if let Some(reason) = candidate.finish_reason.filter(counts) {
            self.finish_reason = Some(reason);
        }
        Ok(())
    }

    fn part(
        &mut self,
        part: Map<String, Value>,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        let signature = part
            .get(SIGNATURE)
            .filter(|signature| signature.as_str().is_some_and(|text| !text.is_empty()));
        if let Some(call) = part.get("functionCall").filter(|call| !call.is_null()) {
            let Value::Object(call) = call else {
                return Err(not_understood("a call is no JSON object").with_code("invalid_chunk"));
            };
            let opened = self.calls.piece(call, self.response_id.as_deref(), out)?;
            if let Some(signature) = signature.filter(|_| opened) {
                out.push(ProviderEvent::Blob(json!({ SIGNATURE: signature })));
            }
            return Ok(());
        }
        let text = match part.get("text") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.as_str()),
            Some(_) => {
                return Err(not_understood("a text is none").with_code("invalid_chunk"));
            }
        };
        match text {
            Some("") if signature.is_none() => {}
            Some(text) if !text.is_empty() => {
                self.calls.close(out);
                out.push(match part.get("thought") {
                    Some(Value::Bool(true)) => ProviderEvent::Thinking(text.to_owned()),
                    _ => ProviderEvent::Text(text.to_owned()),
                });
                if let Some(signature) = signature {
                    out.push(ProviderEvent::Blob(json!({ SIGNATURE: signature })));
                }
            }
            _ => {
                let holds =
                    |(name, value): (&String, &Value)| name != "thought" && !value.is_null();
                if part.iter().any(holds) {
                    self.calls.close(out);
                    out.push(ProviderEvent::Opaque(json!({ PART: part })));
                }
            }
        }
        Ok(())
    }

    fn report(&mut self, report: Option<&UsageReport>, out: &mut Vec<ProviderEvent>) {
        let Some(report) = report else { return };
        let usage = report.usage(&self.usage);
        if usage != self.usage {
            self.usage = usage.clone();
            out.push(ProviderEvent::Usage(usage));
        }
    }
}

impl Mapper for GeminiMapper {
    fn push(
        &mut self,
        frame: &Frame,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<ControlFlow<()>, Fault> {
        let Frame::Event { name, data } = frame else {
            return Ok(ControlFlow::Continue(()));
        };
        let data = data.trim();
        if data == "[DONE]" {
            return Ok(ControlFlow::Break(()));
        }
        if name == "error" {
            return Err(classify::error_event(data));
        }
        if !data.is_empty() && (matches!(name.as_str(), "" | "message") || concerns_us(data)) {
            // A call that was being put together is as much a part of what came as any text.
            self.data(data, out)
                .inspect_err(|_| self.calls.close(out))?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn ended(&self) -> bool {
        self.finish_reason.is_some() || self.blocked
    }

    fn finish(&mut self, out: &mut Vec<ProviderEvent>) -> Result<(), Fault> {
        self.calls.close(out);
        if !self.about.is_empty() {
            let about = std::mem::take(&mut self.about);
            out.push(ProviderEvent::Opaque(Value::Object(about)));
        }
        let stop_reason = match self.finish_reason.as_deref() {
            None if self.blocked => StopReason::Refusal,
            None => {
                return Err(Fault::new(
                    ErrorKind::Interrupted,
                    "the stream ended before the answer did; continue it, or ask again",
                )
                .with_code("no_finish_reason"));
            }
            Some("STOP" | "FUNCTION_CALL") if self.calls.any() => StopReason::ToolUse,
            Some("STOP") => StopReason::EndTurn,
            Some("MAX_TOKENS") => StopReason::MaxTokens,
            Some(
                "SAFETY"
                | "RECITATION"
                | "LANGUAGE"
                | "BLOCKLIST"
                | "PROHIBITED_CONTENT"
                | "SPII"
                | "MODEL_ARMOR"
                | "IMAGE_SAFETY"
                | "IMAGE_PROHIBITED_CONTENT"
                | "IMAGE_RECITATION",
            ) => StopReason::Refusal,
            // The model meant to go on and could not: what came is a piece of an answer.
            Some(
                reason @ ("MALFORMED_FUNCTION_CALL"
                | "MALFORMED_RESPONSE"
                | "UNEXPECTED_TOOL_CALL"
                | "TOO_MANY_TOOL_CALLS"
                | "MISSING_THOUGHT_SIGNATURE"),
            ) => {
                return Err(Fault::new(
                    ErrorKind::Interrupted,
                    "the model called a tool in a way that its provider could not read; ask again",
                )
                .with_code(reason));
            }
            Some(_) => StopReason::Other,
        };
        out.push(ProviderEvent::Finished { stop_reason });
        Ok(())
    }
}

/// Reads a body that is an answer as a whole, a list of its chunks, or an error; `None` when it is
/// none of these.
pub(crate) fn whole(body: &str, out: &mut Vec<ProviderEvent>) -> Option<Result<(), Fault>> {
    let value: Value = serde_json::from_str(body).ok()?;
    let chunks = match &value {
        Value::Array(chunks) => chunks.as_slice(),
        one => std::slice::from_ref(one),
    };
    if !chunks.iter().any(is_chunk) {
        return classify::in_body(&value).map(Err);
    }
    let mut mapper = GeminiMapper::new();
    let read = chunks.iter().try_for_each(|chunk| mapper.value(chunk, out));
    Some(read.and_then(|()| mapper.finish(out)))
}

fn is_chunk(value: &Value) -> bool {
    ["candidates", "promptFeedback"]
        .iter()
        .any(|name| value.get(name).is_some_and(|field| !field.is_null()))
}

/// Whether an event of a name that we do not know holds a piece of the answer or an error all the
/// same. If not, it is skipped whatever it holds.
fn concerns_us(data: &str) -> bool {
    serde_json::from_str::<Value>(data).is_ok_and(|value| {
        is_chunk(&value) || value.get("error").is_some_and(|error| !error.is_null())
    })
}

#[cfg(test)]
mod tests;
