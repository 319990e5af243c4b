//! A request as Chat Completions wants it, in the accent of its server.

mod ids;
mod messages;

use protocol::{Effort, ProviderBlob, ProviderId, Wire};
use serde::Serialize;
use serde_json::{Value, json};

use self::messages::{Message, Thread};
use super::accent::{EffortSpelling, LimitSpelling};
use crate::catalog::{Continuation, Quirks, UsageRequest};
use crate::{ErrorKind, Fault, Request, Tool, ToolChoice};

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
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(flatten)]
    thinking: Thinking,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continue_final_message: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    add_generation_prompt: Option<bool>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// How hard to think, in the server's words.
#[derive(Default, Serialize)]
struct Thinking {
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<Effort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Value>,
}

/// The body that asks for a streamed answer.
pub(crate) fn encode(
    provider: Option<&ProviderId>,
    request: &Request,
    quirks: &Quirks,
) -> Result<Vec<u8>, Fault> {
    let ours = |blob: &ProviderBlob| {
        blob.wire == Wire::Chat && Some(&blob.provider) == provider && blob.model == request.model
    };
    let mut messages = Thread::of(request, quirks, &ours)?.messages;
    let continues =
        request.continue_last && matches!(messages.last(), Some(Message::Assistant { .. }));
    if continues && quirks.continuation == Continuation::Ask {
        messages.push(Message::go_on());
    }
    let by_fields = continues && quirks.continuation == Continuation::ContinueFinalMessage;
    let limit = |spelling| {
        request
            .max_tokens
            .filter(|_| quirks.limit_spelling == spelling)
    };
    let body = Body {
        model: &request.model,
        messages,
        stream: true,
        stream_options: (quirks.usage == UsageRequest::StreamOptions).then_some(StreamOptions {
            include_usage: true,
        }),
        max_tokens: limit(LimitSpelling::MaxTokens),
        max_completion_tokens: limit(LimitSpelling::MaxCompletionTokens),
        temperature: request.temperature,
        thinking: thinking(request, quirks.effort_spelling),
        stop: &request.stop,
        tools: request.tools.iter().map(tool).collect(),
        tool_choice: tool_choice(request),
        continue_final_message: by_fields.then_some(true),
        add_generation_prompt: by_fields.then_some(false),
    };
    serde_json::to_vec(&body)
        .map_err(|error| Fault::new(ErrorKind::InvalidRequest, error.to_string()))
}

fn tool(tool: &Tool) -> Value {
    let mut function = json!({ "name": tool.name, "parameters": tool.schema });
    if !tool.description.is_empty() {
        function["description"] = tool.description.as_str().into();
    }
    json!({ "type": "function", "function": function })
}

fn tool_choice(request: &Request) -> Option<Value> {
    if request.tools.is_empty() {
        return None;
    }
    match &request.tool_choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some("none".into()),
        ToolChoice::Required => Some("required".into()),
        ToolChoice::Named(name) => {
            Some(json!({ "type": "function", "function": { "name": name } }))
        }
    }
}

fn thinking(request: &Request, spelling: EffortSpelling) -> Thinking {
    let forced = matches!(
        request.tool_choice,
        ToolChoice::Required | ToolChoice::Named(_)
    ) && !request.tools.is_empty();
    let mut thinking = Thinking::default();
    match (spelling, request.effort) {
        // It thinks unless told otherwise, and then refuses to be told which tool to call.
        (EffortSpelling::Deepseek, _) if forced => {
            thinking.thinking = Some(json!({ "type": "disabled" }));
        }
        (EffortSpelling::Deepseek, Some(Effort::None)) => {
            thinking.thinking = Some(json!({ "type": "disabled" }));
        }
        (EffortSpelling::Deepseek, Some(effort)) => {
            thinking.thinking = Some(json!({ "type": "enabled" }));
            thinking.reasoning_effort = Some(match effort {
                Effort::None | Effort::Minimal | Effort::Low => Effort::Low,
                Effort::Medium | Effort::High | Effort::Xhigh => Effort::High,
                Effort::Max => Effort::Max,
            });
        }
        (EffortSpelling::Openrouter, Some(effort)) => {
            let effort = if effort == Effort::Max {
                Effort::Xhigh
            } else {
                effort
            };
            thinking.reasoning = Some(json!({ "effort": effort }));
        }
        (EffortSpelling::ReasoningEffort, effort) => thinking.reasoning_effort = effort,
        (EffortSpelling::Unsaid, _)
        | (EffortSpelling::Deepseek | EffortSpelling::Openrouter, None) => {}
    }
    thinking
}

#[cfg(test)]
mod tests;
