//! Anthropic Messages: an answer is a list of blocks, each begun, grown and stopped by name.
//!
//! An answer is whole at `message_stop` and at nothing else. Blocks that we understand become text,
//! thinking and calls; all others are kept as they are, because the provider wants its blocks back
//! unchanged and in their order. What is new on this wire is skipped or kept, never an error.

mod block;
mod claude;
mod encode;
mod history;
mod usage;

use std::ops::ControlFlow;

use protocol::StopReason;
use serde_json::{Map, Value};

pub(crate) use encode::encode;

use self::block::Blocks;
use self::usage::Counter;
use super::{INVALID_JSON, Mapper, named, not_understood};
use crate::error::classify;
use crate::sse::Frame;
use crate::{ErrorKind, Fault, ProviderEvent};

/// The state of one answer.
#[derive(Debug, Default)]
pub(crate) struct MessagesMapper {
    /// The model and the id that were told last.
    told: Option<(Option<String>, Option<String>)>,
    blocks: Blocks,
    usage: Counter,
    stop_reason: Option<String>,
    stopped: bool,
}

impl MessagesMapper {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes an event by the name that it has in its data, or else in its frame.
    fn event(
        &mut self,
        name: &str,
        data: &str,
        mut event: Map<String, Value>,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        let index = event.get("index").and_then(Value::as_u64).unwrap_or(0);
        match name {
            "message_start" => {
                let message = object(event.remove("message"), name)?;
                self.begin(message, data.len(), out)?;
            }
            "content_block_start" => {
                let block = object(event.remove("content_block"), name)?;
                self.tell_fallback(&block, out);
                self.blocks.start(index, block, data.len(), out)?;
            }
            "content_block_delta" => {
                let delta = object(event.remove("delta"), name)?;
                self.blocks.delta(index, delta, data.len(), out)?;
            }
            "content_block_stop" => self.blocks.stop(index, out),
            "message_delta" => {
                if let Some(delta) = event.get("delta") {
                    self.note_stop(delta, out);
                }
                self.report(event.get("usage"), out);
            }
            "message_stop" => {
                self.blocks.stop_all(out);
                self.stopped = true;
            }
            "error" => return Err(classify::error_event(data)),
            // A gateway may put the error of a server behind it into the stream as it came.
            _ => {
                if let Some(fault) = classify::in_stream(&Value::Object(event)) {
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    /// A message begins. A gateway that asks anew behind our back begins another one in the middle
    /// of the first: what was open then is given up, and what was said stays.
    fn begin(
        &mut self,
        mut message: Map<String, Value>,
        bytes: usize,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        self.blocks.give_up(out);
        self.tell(
            named(message.get("model").and_then(Value::as_str)),
            named(message.get("id").and_then(Value::as_str)),
            out,
        );
        if let Some(Value::Array(content)) = message.remove("content") {
            for (block, index) in content.into_iter().zip(0..) {
                let block = object(Some(block), "content")?;
                self.blocks.start(index, block, bytes, out)?;
                self.blocks.stop(index, out);
            }
        }
        self.report(message.get("usage"), out);
        self.note_stop(&Value::Object(message), out);
        Ok(())
    }

    fn tell(
        &mut self,
        model: Option<String>,
        response_id: Option<String>,
        out: &mut Vec<ProviderEvent>,
    ) {
        let news = (model.clone(), response_id.clone());
        if self.told.as_ref() != Some(&news) {
            self.told = Some(news);
            out.push(ProviderEvent::Started { model, response_id });
        }
    }

    /// A block that says that another model answers from here on.
    fn tell_fallback(&mut self, block: &Map<String, Value>, out: &mut Vec<ProviderEvent>) {
        if block.get("type").and_then(Value::as_str) == Some("fallback")
            && let Some(model) = named(block.get("to").and_then(|to| to.get("model")?.as_str()))
        {
            let response_id = self.told.take().and_then(|(_, id)| id);
            self.tell(Some(model), response_id, out);
        }
    }

    fn note_stop(&mut self, delta: &Value, out: &mut Vec<ProviderEvent>) {
        let Some(reason) = delta.get("stop_reason").and_then(Value::as_str) else {
            return;
        };
        let news = self.stop_reason.as_deref() != Some(reason);
        self.stop_reason = Some(reason.to_owned());
        // Where the model says nothing at all, its provider says why.
        if reason == "refusal" && news && !self.blocks.spoke() {
            let explanation = delta["stop_details"]["explanation"].as_str();
            let explanation = explanation.filter(|text| !text.is_empty());
            out.extend(explanation.map(|text| ProviderEvent::Text(text.to_owned())));
        }
    }

    fn report(&mut self, usage: Option<&Value>, out: &mut Vec<ProviderEvent>) {
        let news = usage.and_then(|usage| self.usage.count(usage));
        out.extend(news.map(ProviderEvent::Usage));
    }
}

impl Mapper for MessagesMapper {
    fn push(
        &mut self,
        frame: &Frame,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<ControlFlow<()>, Fault> {
        let Frame::Event { name, data } = frame else {
            return Ok(ControlFlow::Continue(()));
        };
        let data = data.trim();
        match serde_json::from_str::<Value>(data) {
            Ok(Value::Object(event)) => {
                let kind = event.get("type").and_then(Value::as_str);
                let kind = kind.unwrap_or(name).to_owned();
                self.event(&kind, data, event, out)?;
            }
            Ok(Value::Null) => {}
            _ if name == "error" => return Err(classify::error_event(data)),
            _ if data.is_empty() || data == "[DONE]" || !carries_answer(name) => {}
            _ => return Err(not_understood("it is no JSON object").with_code(INVALID_JSON)),
        }
        Ok(if self.stopped {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    fn ended(&self) -> bool {
        self.stopped
    }

    fn finish(&mut self, out: &mut Vec<ProviderEvent>) -> Result<(), Fault> {
        if !self.stopped {
            return Err(Fault::new(
                ErrorKind::Interrupted,
                "the stream ended before the answer did; continue it, or ask again",
            )
            .with_code("no_message_stop"));
        }
        let stop_reason = match self.stop_reason.as_deref() {
            // Some gateways end the turn where a tool is waited for.
            None | Some("end_turn") if self.blocks.called() => StopReason::ToolUse,
            None | Some("end_turn") => StopReason::EndTurn,
            Some("max_tokens") => StopReason::MaxTokens,
            Some("stop_sequence") => StopReason::StopSequence,
            Some("tool_use") => StopReason::ToolUse,
            Some("pause_turn") => StopReason::Pause,
            Some("refusal") => StopReason::Refusal,
            Some("model_context_window_exceeded") => StopReason::ContextFull,
            Some(_) => StopReason::Other,
        };
        out.push(ProviderEvent::Finished { stop_reason });
        Ok(())
    }
}

/// Reads a body that is an answer as a whole, or an error; `None` when it is neither.
pub(crate) fn whole(body: &str, out: &mut Vec<ProviderEvent>) -> Option<Result<(), Fault>> {
    let message = match serde_json::from_str(body).ok()? {
        Value::Object(message) if message.get("content").is_some_and(Value::is_array) => message,
        other => return classify::in_body(&other).map(Err),
    };
    let mut mapper = MessagesMapper::new();
    let begun = mapper.begin(message, body.len(), out);
    mapper.stopped = true;
    Some(begun.and_then(|()| mapper.finish(out)))
}

/// Whether an event of this name holds a piece of the answer, so that it must be understood.
fn carries_answer(name: &str) -> bool {
    matches!(name, "" | "message")
        || name.starts_with("message_")
        || name.starts_with("content_block_")
}

fn object(value: Option<Value>, of: &str) -> Result<Map<String, Value>, Fault> {
    match value {
        Some(Value::Object(map)) => Ok(map),
        _ => Err(not_understood(&format!("a {of} holds no object")).with_code("invalid_event")),
    }
}

#[cfg(test)]
mod tests;
