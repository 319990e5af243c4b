//! OpenAI Responses, which xAI, DeepSeek, Azure, Meta and the local servers speak as well.
//!
//! An answer is a list of items: messages, reasoning, calls, and what the provider ran itself. Their
//! text streams in; at its end each is told once more as a whole, and that is what must go back in
//! the next request, in order, because we ask the provider to store nothing. An answer is whole when
//! `response.completed` or `response.incomplete` was seen.

mod encode;
mod event;
mod input;
mod item;
mod items;

use std::ops::ControlFlow;

use protocol::{StopReason, Usage};
use serde_json::{Value, json};

pub(crate) use encode::encode;

use self::event::{Event, Response, UsageReport};
use self::items::{Items, Place, Section};
use super::{INVALID_JSON, Mapper, named, not_understood};
use crate::error::classify;
use crate::sse::Frame;
use crate::{ErrorKind, Fault, ProviderEvent};

/// The state of one answer.
#[derive(Debug, Default)]
pub(crate) struct ResponsesMapper {
    started: bool,
    model_known: bool,
    items: Items,
    usage: Option<Usage>,
    stop: Option<StopReason>,
}

impl ResponsesMapper {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn event(
        &mut self,
        name: &str,
        data: &str,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<ControlFlow<()>, Fault> {
        let mut event: Event = match parse(data) {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(ControlFlow::Continue(())),
            // What only a later version of the wire understands is skipped, whatever it holds.
            Err(_) if !matches!(name, "" | "message") && !name.starts_with("response.") => {
                return Ok(ControlFlow::Continue(()));
            }
            Err(fault) => return Err(fault),
        };
        let kind = event.kind.take().unwrap_or_else(|| name.to_owned());
        match kind.as_str() {
            "response.completed"
            | "response.incomplete"
            | "response.failed"
            | "response.cancelled"
            | "response.done" => {
                let ending = kind.trim_start_matches("response.");
                let response = event.response.unwrap_or_default();
                self.conclude(ending, response, out).map(ControlFlow::Break)
            }
            "error" => Err(classify::error_event(data)),
            // A server that breaks off in the dialect of Chat Completions.
            "" | "message" => {
                let value = serde_json::from_str(data).unwrap_or_default();
                classify::in_stream(&value).map_or(Ok(ControlFlow::Continue(())), Err)
            }
            _ => self.piece(&kind, event, out).map(ControlFlow::Continue),
        }
    }

    /// A piece of the answer; what this version does not know is skipped.
    fn piece(
        &mut self,
        kind: &str,
        event: Event,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        let place = Place {
            output_index: event.output_index,
            id: event.item_id.as_deref(),
        };
        match kind {
            "response.created" | "response.queued" | "response.in_progress" => {
                let response = event.response.unwrap_or_default();
                self.introduce(&response, out);
                self.report(&response, out);
            }
            "response.output_item.added" => {
                if let Some(item) = event.item.filter(Value::is_object) {
                    self.start(out);
                    self.items.begin(place, &item, out)?;
                }
            }
            "response.output_text.delta" | "response.refusal.delta" => {
                let refusal = kind == "response.refusal.delta";
                self.start(out);
                self.items.say(place, delta(event.delta)?, refusal, out)?;
            }
            "response.reasoning_summary_text.delta" => {
                self.start(out);
                let section = Section::Summary(event.summary_index);
                self.items.think(place, section, delta(event.delta)?, out)?;
            }
            "response.reasoning_text.delta" => {
                self.start(out);
                let section = Section::Content(event.content_index);
                self.items.think(place, section, delta(event.delta)?, out)?;
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.items.argue(place, &delta(event.delta)?, false, out);
            }
            "response.function_call_arguments.done" | "response.custom_tool_call_input.done" => {
                if let Some(whole) = event.arguments.or(event.input) {
                    let whole = item::arguments_text(&whole);
                    self.items.argue(place, &whole, true, out);
                }
            }
            "response.output_item.done" => {
                if let Some(item) = event.item.filter(Value::is_object) {
                    self.start(out);
                    let id = item::text(&item, "id").map(str::to_owned);
                    let place = Place {
                        output_index: place.output_index,
                        id: id.as_deref().or(place.id),
                    };
                    self.items.end(place, item, out)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Tells who answers, when that is news.
    fn introduce(&mut self, response: &Response, out: &mut Vec<ProviderEvent>) {
        let model = named(response.model.as_deref());
        if !self.started || (!self.model_known && model.is_some()) {
            self.started = true;
            self.model_known |= model.is_some();
            let response_id = named(response.id.as_deref());
            out.push(ProviderEvent::Started { model, response_id });
        }
        if let Some(tools) = &response.tools {
            self.items.declared(tools);
        }
    }

    /// An item came before anyone was introduced.
    fn start(&mut self, out: &mut Vec<ProviderEvent>) {
        if !self.started {
            self.introduce(&Response::default(), out);
        }
    }

    fn report(&mut self, response: &Response, out: &mut Vec<ProviderEvent>) {
        let report = response.usage.as_ref().and_then(UsageReport::usage);
        if let Some(usage) = report
            && self.usage.as_ref() != Some(&usage)
        {
            self.usage = Some(usage.clone());
            out.push(ProviderEvent::Usage(usage));
        }
    }

    /// The end as the provider tells it: by the name of the event, and where a gateway has but one
    /// for all ends, by the status of the answer.
    fn conclude(
        &mut self,
        kind: &str,
        mut response: Response,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        self.introduce(&response, out);
        let output = response.output.take().unwrap_or_default();
        self.items.end_open(output, out)?;
        self.items.flush(out);
        self.report(&response, out);
        let ending = match response.status.as_deref() {
            Some(status @ ("failed" | "incomplete" | "cancelled")) => status,
            _ => kind,
        };
        let stop = match ending {
            "completed" | "done" => {
                if self.items.refused() {
                    StopReason::Refusal
                } else if self.items.called() {
                    StopReason::ToolUse
                } else {
                    StopReason::EndTurn
                }
            }
            "incomplete" => {
                let details = response.incomplete_details;
                match details.and_then(|details| details.reason).as_deref() {
                    None | Some("max_output_tokens" | "max_tokens" | "length") => {
                        StopReason::MaxTokens
                    }
                    Some("content_filter") => StopReason::Refusal,
                    Some(_) => StopReason::Other,
                }
            }
            _ => {
                let error = json!({ "error": response.error });
                return Err(classify::in_stream(&error).unwrap_or_else(|| {
                    Fault::new(
                        ErrorKind::Interrupted,
                        "the provider broke the answer off; continue it, or ask again",
                    )
                    .with_code(ending)
                }));
            }
        };
        self.stop = Some(stop);
        Ok(())
    }
}

impl Mapper for ResponsesMapper {
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
        let result = if name == "error" {
            Err(classify::error_event(data))
        } else if data.is_empty() {
            Ok(ControlFlow::Continue(()))
        } else {
            self.event(name, data, out)
        };
        if result.is_err() {
            self.items.flush(out);
        }
        result
    }

    fn ended(&self) -> bool {
        self.stop.is_some()
    }

    fn finish(&mut self, out: &mut Vec<ProviderEvent>) -> Result<(), Fault> {
        self.items.flush(out);
        let Some(stop_reason) = self.stop else {
            return Err(Fault::new(
                ErrorKind::Interrupted,
                "the stream ended before the answer did; continue it, or ask again",
            )
            .with_code("no_response_completed"));
        };
        out.push(ProviderEvent::Finished { stop_reason });
        Ok(())
    }
}

/// Reads a body that is an answer as a whole, or an error; `None` when it is neither.
pub(crate) fn whole(body: &str, out: &mut Vec<ProviderEvent>) -> Option<Result<(), Fault>> {
    let value: Value = serde_json::from_str(body).ok()?;
    if !value.get("output").is_some_and(Value::is_array) {
        return classify::in_body(&value).map(Err);
    }
    let response: Response = serde_json::from_value(value).ok()?;
    let mut mapper = ResponsesMapper::new();
    let status = response.status.clone();
    let kind = status.as_deref().unwrap_or("completed");
    let concluded = mapper.conclude(kind, response, out);
    Some(concluded.and_then(|()| mapper.finish(out)))
}

/// Reads an event; `None` when there is none in it.
fn parse(data: &str) -> Result<Option<Event>, Fault> {
    if !data.starts_with('{') {
        return match serde_json::from_str::<Value>(data) {
            Ok(Value::Null) => Ok(None),
            Ok(_) | Err(_) => Err(not_understood("it is no JSON object").with_code(INVALID_JSON)),
        };
    }
    serde_json::from_str(data).map(Some).map_err(|error| {
        let fault = not_understood(&error.to_string());
        match error.classify() {
            serde_json::error::Category::Data => fault.with_code("invalid_event"),
            _ => fault.with_code(INVALID_JSON),
        }
    })
}

/// A piece of text; anything else would be text that is lost.
fn delta(delta: Option<Value>) -> Result<String, Fault> {
    match delta {
        Some(Value::String(text)) => Ok(text),
        None | Some(Value::Null) => Ok(String::new()),
        Some(_) => Err(not_understood("its text is none").with_code("invalid_event")),
    }
}

#[cfg(test)]
mod tests;
