//! A request as Gemini wants it. The model is named in the address and not in the body.

mod contents;

use protocol::{Effort, ProviderBlob, ProviderId, Wire};
use serde::Serialize;
use serde_json::{Value, json};

use self::contents::{Content, contents};
use crate::catalog::{Quirks, ReasoningRequest};
use crate::{ErrorKind, Fault, Request, ToolChoice};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Value>,
    contents: Vec<Content>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<Value>,
    #[serde(skip_serializing_if = "GenerationConfig::is_empty")]
    generation_config: GenerationConfig<'a>,
}

#[derive(Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
}

impl GenerationConfig<'_> {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingConfig {
    include_thoughts: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<u32>,
}

/// How a model lets one steer its thinking.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Steering {
    /// By a level: Gemini 3 and what follows.
    Level,
    /// By a number of tokens: Gemini 2.5.
    Budget,
    /// Not at all; asked for thoughts, it refuses the request.
    None,
}

/// The body that asks for a streamed answer.
pub(crate) fn encode(
    provider: Option<&ProviderId>,
    request: &Request,
    quirks: &Quirks,
) -> Result<Vec<u8>, Fault> {
    let ours = |blob: &ProviderBlob| {
        blob.wire == Wire::Gemini && Some(&blob.provider) == provider && blob.model == request.model
    };
    let steering = steering(&request.model);
    let declarations: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            json!({
                "name": tool.name,
                "description": tool.description,
                "parametersJsonSchema": tool.schema,
            })
        })
        .collect();
    let has_tools = !declarations.is_empty();
    let body = Body {
        system_instruction: (!request.system.is_empty())
            .then(|| json!({ "parts": [{ "text": request.system }] })),
        contents: contents(request, &ours, steering == Steering::Level)?,
        tools: has_tools
            .then(|| json!({ "functionDeclarations": declarations }))
            .into_iter()
            .collect(),
        tool_config: calling(&request.tool_choice)
            .filter(|_| has_tools)
            .map(|calling| json!({ "functionCallingConfig": calling })),
        generation_config: GenerationConfig {
            max_output_tokens: request.max_tokens,
            temperature: request.temperature,
            stop_sequences: &request.stop,
            thinking_config: thinking(steering, request.effort)
                .filter(|_| quirks.reasoning != ReasoningRequest::Unasked),
        },
    };
    serde_json::to_vec(&body)
        .map_err(|error| Fault::new(ErrorKind::InvalidRequest, error.to_string()))
}

fn calling(choice: &ToolChoice) -> Option<Value> {
    match choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some(json!({ "mode": "NONE" })),
        ToolChoice::Required => Some(json!({ "mode": "ANY" })),
        ToolChoice::Named(name) => Some(json!({ "mode": "ANY", "allowedFunctionNames": [name] })),
    }
}

/// Models are told apart by their names, which is all that a request has of them. One that we do not
/// know is taken for a new one.
fn steering(model: &str) -> Steering {
    let model = model.to_ascii_lowercase();
    let named = |parts: &[&str]| parts.iter().any(|part| model.contains(part));
    if named(&[
        "gemini-1",
        "gemini-2.0",
        "gemma",
        "learnlm",
        "-image",
        "-tts",
    ]) {
        Steering::None
    } else if named(&["gemini-2.5"]) {
        Steering::Budget
    } else {
        Steering::Level
    }
}

/// The budgets are those of Google's own compatible endpoint.
fn thinking(steering: Steering, effort: Option<Effort>) -> Option<ThinkingConfig> {
    let (thinking_level, thinking_budget) = match (steering, effort) {
        (Steering::None, _) => return None,
        (Steering::Level | Steering::Budget, None) => (None, None),
        (Steering::Level, Some(effort)) => {
            let level = match effort {
                // It cannot be switched off; this is the least.
                Effort::None | Effort::Minimal => "minimal",
                Effort::Low => "low",
                Effort::Medium => "medium",
                Effort::High | Effort::Xhigh | Effort::Max => "high",
            };
            (Some(level), None)
        }
        (Steering::Budget, Some(effort)) => {
            let budget = match effort {
                Effort::None => 0,
                Effort::Minimal | Effort::Low => 1_024,
                Effort::Medium => 8_192,
                Effort::High | Effort::Xhigh | Effort::Max => 24_576,
            };
            (None, Some(budget))
        }
    };
    Some(ThinkingConfig {
        include_thoughts: thinking_budget != Some(0),
        thinking_level,
        thinking_budget,
    })
}

#[cfg(test)]
mod tests;
