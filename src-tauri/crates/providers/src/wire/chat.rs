//! OpenAI Chat Completions, which most servers speak, each with its own accent.
//!
//! An answer is whole when a `finish_reason` was seen; `[DONE]` is optional. Because the usage may
//! come with the finish, after it in a chunk without choices, or never, the end is decided at
//! `[DONE]` or at the end of the stream. Only choice 0 is read: we never ask for more.

mod accent;
mod chunk;
mod encode;
mod tools;

use std::ops::ControlFlow;

use protocol::{StopReason, Usage};
use serde_json::{Map, Value, json};

pub(crate) use accent::{CallIds, EffortSpelling, LimitSpelling, ReasoningBack, SystemRole};
pub(crate) use encode::encode;

use self::chunk::{Chunk, Content, Delta, UsageReport};
use self::tools::Calls;
use super::{INVALID_JSON, Mapper, named, not_understood};
use crate::error::classify;
use crate::sse::Frame;
use crate::{ErrorKind, Fault, ProviderEvent};

/// The most entries of opaque reasoning that one answer may hold.
const MAX_DETAILS: usize = 4_096;

/// Under this name the thinking of some servers stands as text, and some want it back there; a
/// part whose blob has it came that way.
const REASONING_CONTENT: &str = "reasoning_content";

/// Under this name a call carries what its maker needs back with it.
const EXTRA_CONTENT: &str = "extra_content";

/// The state of one answer.
#[derive(Debug, Default)]
pub(crate) struct ChatMapper {
    started: bool,
    model_known: bool,
    calls: Calls,
    refused: bool,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    /// Opaque reasoning of the thinking part that is open, to be given out when it ends.
    details: Vec<Value>,
    /// Whether that part came in `reasoning_content`.
    plain: bool,
}

impl ChatMapper {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn chunk(&mut self, data: &str, out: &mut Vec<ProviderEvent>) -> Result<(), Fault> {
        if !data.starts_with('{') {
            return match serde_json::from_str::<Value>(data) {
                Ok(Value::Null) => Ok(()),
                Ok(_) | Err(_) => {
                    Err(not_understood("it is no JSON object").with_code(INVALID_JSON))
                }
            };
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|error| {
            let fault = not_understood(&error.to_string());
            match error.classify() {
                serde_json::error::Category::Data => fault.with_code("invalid_chunk"),
                _ => fault.with_code(INVALID_JSON),
            }
        })?;
        self.start(&chunk, out);
        let mut fault = None;
        for choice in chunk.choices.into_iter().flatten() {
            if choice.index.unwrap_or(0) != 0 {
                continue;
            }
            if let Some(delta) = choice.delta.or(choice.message) {
                self.delta(delta, out)?;
            }
            if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
                self.finish_reason = Some(reason);
            }
            self.report(choice.usage.as_ref(), out);
            if let Some(error) = choice.error {
                fault = classify::in_stream(&json!({ "error": error }));
            }
        }
        self.report(chunk.usage.as_ref(), out);
        self.report(chunk.x_groq.and_then(|groq| groq.usage).as_ref(), out);
        if chunk.suspicious
            && let Ok(whole) = serde_json::from_str(data)
            && let Some(whole) = classify::in_stream(&whole)
        {
            fault = Some(whole);
        }
        fault.map_or(Ok(()), Err)
    }

    fn start(&mut self, chunk: &Chunk, out: &mut Vec<ProviderEvent>) {
        let (model, response_id) = (named(chunk.model.as_deref()), named(chunk.id.as_deref()));
        let speaks = chunk
            .choices
            .as_ref()
            .is_some_and(|choices| !choices.is_empty());
        let news = if self.started {
            !self.model_known && model.is_some()
        } else {
            speaks || model.is_some()
        };
        if news {
            self.started = true;
            self.model_known |= model.is_some();
            out.push(ProviderEvent::Started { model, response_id });
        }
    }

    fn delta(&mut self, delta: Delta, out: &mut Vec<ProviderEvent>) -> Result<(), Fault> {
        let details = delta.reasoning_details.unwrap_or_default();
        let filled = |text: &String| !text.is_empty();
        self.plain |= delta.reasoning_content.as_ref().is_some_and(filled);
        let thinking = [delta.reasoning_content, delta.reasoning]
            .into_iter()
            .flatten()
            .find(|text| !text.is_empty())
            .unwrap_or_else(|| details.iter().filter_map(detail_text).collect());
        think(thinking, out);
        self.keep(details)?;
        match delta.content {
            Some(Content::Text(text)) => self.say(text, out),
            Some(Content::Pieces(pieces)) => {
                for piece in &pieces {
                    let (thinking, text) = chunk::piece_text(piece);
                    think(thinking, out);
                    self.say(text, out);
                }
            }
            None => {}
        }
        if let Some(refusal) = delta.refusal.filter(|text| !text.is_empty()) {
            self.refused = true;
            self.say(refusal, out);
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.close_thinking(out);
            self.calls.delta(call, out)?;
        }
        Ok(())
    }

    fn say(&mut self, text: String, out: &mut Vec<ProviderEvent>) {
        if !text.is_empty() {
            self.close_thinking(out);
            out.push(ProviderEvent::Text(text));
        }
    }

    /// Keeps opaque reasoning, joining the streamed pieces of an entry: they must go back as the
    /// sequence that they form, entries whole and in order.
    fn keep(&mut self, details: Vec<Value>) -> Result<(), Fault> {
        for detail in details {
            let joins = self.details.last_mut().filter(|last| {
                let id = |entry: &Value| entry.get("id").filter(|id| !id.is_null()).cloned();
                let same_id = id(last).zip(id(&detail)).is_none_or(|(a, b)| a == b);
                same_id
                    && last.get("type") == detail.get("type")
                    && last.get("index") == detail.get("index")
            });
            match (joins, detail) {
                (Some(Value::Object(last)), Value::Object(detail)) => {
                    for (key, value) in detail {
                        let streamed = matches!(key.as_str(), "text" | "summary" | "data");
                        match (last.get_mut(&key), value) {
                            (_, Value::Null) => {}
                            (Some(Value::String(so_far)), Value::String(more)) if streamed => {
                                so_far.push_str(&more);
                            }
                            (_, value) => {
                                last.insert(key, value);
                            }
                        }
                    }
                }
                (_, detail) => self.details.push(detail),
            }
        }
        if self.details.len() > MAX_DETAILS {
            return Err(
                not_understood("it holds too many pieces of reasoning").with_code("too_large")
            );
        }
        Ok(())
    }

    fn close_thinking(&mut self, out: &mut Vec<ProviderEvent>) {
        let plain = std::mem::take(&mut self.plain);
        let mut blob = Map::new();
        if !self.details.is_empty() {
            let details = std::mem::take(&mut self.details);
            blob.insert("reasoning_details".to_owned(), details.into());
        }
        if plain {
            blob.insert(REASONING_CONTENT.to_owned(), true.into());
        }
        if !blob.is_empty() {
            out.push(ProviderEvent::Blob(blob.into()));
        }
    }

    fn report(&mut self, report: Option<&UsageReport>, out: &mut Vec<ProviderEvent>) {
        let Some(usage) = report.and_then(UsageReport::usage) else {
            return;
        };
        if self.usage.as_ref() != Some(&usage) {
            self.usage = Some(usage.clone());
            out.push(ProviderEvent::Usage(usage));
        }
    }
}

impl Mapper for ChatMapper {
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
            self.chunk(data, out)?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn ended(&self) -> bool {
        self.finish_reason.is_some()
    }

    fn finish(&mut self, out: &mut Vec<ProviderEvent>) -> Result<(), Fault> {
        self.close_thinking(out);
        let Some(reason) = &self.finish_reason else {
            return Err(Fault::new(
                ErrorKind::Interrupted,
                "the stream ended before the answer did; continue it, or ask again",
            )
            .with_code("no_finish_reason"));
        };
        let stop_reason = match reason.to_ascii_lowercase().as_str() {
            "stop" | "eos" | "eos_token" | "end_turn" | "complete" if self.refused => {
                StopReason::Refusal
            }
            // Some servers say `stop` where they wait for a tool.
            "stop" | "eos" | "eos_token" | "end_turn" | "complete" => {
                if self.calls.any() {
                    StopReason::ToolUse
                } else {
                    StopReason::EndTurn
                }
            }
            "length" | "max_tokens" => StopReason::MaxTokens,
            "model_length" => StopReason::ContextFull,
            "stop_sequence" => StopReason::StopSequence,
            "tool_calls" | "tool_call" | "tool_use" | "function_call" => StopReason::ToolUse,
            "content_filter" | "safety" | "refusal" => StopReason::Refusal,
            "error" | "abort" | "aborted" | "insufficient_system_resource" => {
                return Err(Fault::new(
                    ErrorKind::Interrupted,
                    "the provider broke the answer off; continue it, or ask again",
                )
                .with_code(reason.clone()));
            }
            _ => StopReason::Other,
        };
        out.push(ProviderEvent::Finished { stop_reason });
        Ok(())
    }
}

/// Reads a body that is an answer as a whole, or an error; `None` when it is neither.
pub(crate) fn whole(body: &str, out: &mut Vec<ProviderEvent>) -> Option<Result<(), Fault>> {
    let value: Value = serde_json::from_str(body).ok()?;
    if value.get("choices").is_none_or(Value::is_null) {
        return classify::in_body(&value).map(Err);
    }
    let mut mapper = ChatMapper::new();
    Some(mapper.chunk(body, out).and_then(|()| mapper.finish(out)))
}

/// Whether an event of a name that we do not know holds a piece of the answer or an error all the
/// same. If not, it is skipped whatever it holds.
fn concerns_us(data: &str) -> bool {
    serde_json::from_str::<Value>(data).is_ok_and(|value| {
        let holds = |name| value.get(name).is_some_and(|field| !field.is_null());
        holds("choices") || holds("error")
    })
}

fn think(text: String, out: &mut Vec<ProviderEvent>) {
    if !text.is_empty() {
        out.push(ProviderEvent::Thinking(text));
    }
}

/// The visible text of an entry of opaque reasoning.
fn detail_text(detail: &Value) -> Option<&str> {
    match detail.get("type")?.as_str()? {
        "reasoning.text" => detail.get("text")?.as_str(),
        "reasoning.summary" => detail.get("summary")?.as_str(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
