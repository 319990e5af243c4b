//! A request as Responses wants it. It is stateless: the provider is asked to store nothing, and is
//! given everything again.

use protocol::{Effort, ProviderBlob, ProviderId, Role, Wire};
use serde::Serialize;
use serde_json::{Value, json};

use super::input::{self, Item};
use crate::catalog::{Quirks, ReasoningRequest};
use crate::wire::GO_ON;
use crate::{ErrorKind, Fault, Request, ToolChoice};

/// The shortest limit of an answer that OpenAI takes, in tokens.
const MIN_OUTPUT_TOKENS: u32 = 16;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    instructions: &'a str,
    input: Vec<Item<'a>>,
    stream: bool,
    store: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    include: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
}

#[derive(Serialize)]
struct Reasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<Effort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: &'a Value,
    strict: bool,
}

/// The body that asks for a streamed answer. The wire knows no texts at which to stop: they are left
/// out.
pub(crate) fn encode(
    provider: Option<&ProviderId>,
    request: &Request,
    quirks: &Quirks,
) -> Result<Vec<u8>, Fault> {
    let ours = |blob: &ProviderBlob| {
        blob.wire == Wire::Responses
            && Some(&blob.provider) == provider
            && blob.model == request.model
    };
    let mut input = input::items(request, quirks, &ours)?;
    let unfinished = request
        .messages
        .last()
        .is_some_and(|last| last.role == Role::Assistant);
    if request.continue_last && unfinished {
        input.push(Item::Person {
            role: Role::User,
            content: vec![input::Content::Text { text: GO_ON.into() }],
        });
    }
    let asked = quirks.reasoning;
    let encrypted = matches!(asked, ReasoningRequest::Shown | ReasoningRequest::Encrypted);
    let effort = request
        .effort
        .filter(|_| asked != ReasoningRequest::Unasked);
    let summary = (asked == ReasoningRequest::Shown).then_some("auto");
    let body = Body {
        model: &request.model,
        instructions: &request.system,
        input,
        stream: true,
        store: false,
        include: if encrypted {
            &["reasoning.encrypted_content"]
        } else {
            &[]
        },
        prompt_cache_key: request.cache_key.as_deref(),
        reasoning: (effort.is_some() || summary.is_some()).then_some(Reasoning { effort, summary }),
        max_output_tokens: request
            .max_tokens
            .map(|tokens| tokens.max(MIN_OUTPUT_TOKENS)),
        temperature: request.temperature,
        tools: tools(request),
        tool_choice: tool_choice(request),
    };
    serde_json::to_vec(&body)
        .map_err(|error| Fault::new(ErrorKind::InvalidRequest, error.to_string()))
}

fn tools(request: &Request) -> Vec<Tool<'_>> {
    let tools = request.tools.iter();
    tools
        .map(|tool| Tool {
            r#type: "function",
            name: &tool.name,
            description: &tool.description,
            parameters: &tool.schema,
            // Strictness is for schemas that are written for it.
            strict: false,
        })
        .collect()
}

fn tool_choice(request: &Request) -> Option<Value> {
    if request.tools.is_empty() {
        return None;
    }
    match &request.tool_choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some("none".into()),
        ToolChoice::Required => Some("required".into()),
        ToolChoice::Named(name) => Some(json!({ "type": "function", "name": name })),
    }
}
