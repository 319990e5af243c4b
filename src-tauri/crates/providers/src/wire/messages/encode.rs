//! A request as Messages wants it. What stays the same from turn to turn stands first and in the
//! same bytes, because the provider keeps what it has read by its beginning.

use std::collections::BTreeMap;

use protocol::{ProviderBlob, ProviderId, Wire};
use serde::Serialize;
use serde_json::{Value, json};

use super::claude::{Claude, Plan, Thinking};
use super::history::{History, Turn};
use crate::catalog::{Continuation, Quirks};
use crate::wire::GO_ON;
use crate::{ErrorKind, Fault, Request, ToolChoice};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<BTreeMap<&'static str, &'static str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<System<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
    messages: Vec<Turn>,
}

#[derive(Serialize)]
struct System<'a> {
    r#type: &'static str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    input_schema: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Choice<'a> {
    None,
    Any,
    Tool { name: &'a str },
}

/// A mark up to which the provider keeps what it has read.
#[derive(Clone, Copy, Serialize)]
struct CacheControl {
    r#type: &'static str,
}

/// The body that asks for a streamed answer.
pub(crate) fn encode(
    provider: Option<&ProviderId>,
    request: &Request,
    quirks: &Quirks,
) -> Result<Vec<u8>, Fault> {
    let is_claude = Claude::named(&request.model).is_some();
    let plan = Plan::of(request, quirks.drops_unbound_thinking);
    let ours = |blob: &ProviderBlob| {
        blob.wire == Wire::Messages
            && Some(&blob.provider) == provider
            && blob.model == request.model
    };
    let mut history = History::new(request, ours, plan.thinks(), is_claude);
    for message in &request.messages {
        history.append(message)?;
    }
    let prefills = quirks.continuation == Continuation::Prefill;
    if request.continue_last && history.ends_in_answer() && !prefills {
        history.ask(GO_ON);
    }
    let (messages, called) = history.end();
    // What is asked once, without a conversation, is not worth the price of keeping it.
    let keep = (is_claude && request.cache_key.is_some()).then_some(CacheControl {
        r#type: "ephemeral",
    });
    let system: Vec<System<'_>> = Some(request.system.as_str())
        .filter(|text| !text.trim().is_empty())
        .map(|text| System {
            r#type: "text",
            text,
            cache_control: keep,
        })
        .into_iter()
        .collect();
    let mut tools = tools(request, &called);
    // One mark after the tools and the system prompt, which other conversations have too.
    if let Some(last) = tools.last_mut().filter(|_| system.is_empty()) {
        last.cache_control = keep;
    }
    let body = Body {
        model: &request.model,
        max_tokens: plan.max_tokens,
        stream: true,
        // Anthropic refuses it since the version of 2026-10-21, and wherever a model thinks.
        temperature: request
            .temperature
            .filter(|_| !is_claude && !matches!(plan.thinking, Some(Thinking::Enabled { .. }))),
        thinking: plan.thinking,
        output_config: plan
            .effort
            .map(|effort| BTreeMap::from([("effort", effort)])),
        stop_sequences: request
            .stop
            .iter()
            .map(String::as_str)
            .filter(|stop| !stop.trim().is_empty())
            .collect(),
        tool_choice: choice(request, &called, plan.forces),
        tools,
        system,
        // And one that moves on with the conversation.
        cache_control: keep,
        messages,
    };
    serde_json::to_vec(&body)
        .map_err(|error| Fault::new(ErrorKind::InvalidRequest, error.to_string()))
}

/// The tools that may be called. Where there are none any more, those that were called stand in
/// their place: a conversation that holds calls is refused without tools.
fn tools<'a>(request: &'a Request, called: &'a [String]) -> Vec<Tool<'a>> {
    if request.tools.is_empty() {
        let called = called.iter().map(|name| Tool {
            name,
            description: "",
            input_schema: json!({ "type": "object" }),
            cache_control: None,
        });
        return called.collect();
    }
    let offered = request.tools.iter().map(|tool| Tool {
        name: &tool.name,
        description: &tool.description,
        input_schema: tool.schema.clone(),
        cache_control: None,
    });
    offered.collect()
}

fn choice<'a>(request: &'a Request, called: &[String], forces: bool) -> Option<Choice<'a>> {
    if request.tools.is_empty() {
        return (!called.is_empty()).then_some(Choice::None);
    }
    match &request.tool_choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some(Choice::None),
        ToolChoice::Required => forces.then_some(Choice::Any),
        ToolChoice::Named(name) => forces.then_some(Choice::Tool { name }),
    }
}
