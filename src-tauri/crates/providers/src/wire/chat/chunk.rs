//! A chunk of a streamed answer as it stands on the wire. Fields that carry the answer must have
//! their type, because dropping them unseen would lose text; all others are read when they can be.

use protocol::Usage;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::wire::{TICKS_PER_USD, lenient};

/// A chunk, or a whole answer of a server that does not stream.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    pub(super) choices: Option<Vec<Choice>>,
    pub(super) usage: Option<UsageReport>,
    pub(super) x_groq: Option<Groq>,
    /// Whether it may hold an error.
    pub(super) suspicious: bool,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    model: Option<String>,
    choices: Option<Vec<Choice>>,
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<UsageReport>,
    #[serde(default, deserialize_with = "lenient")]
    x_groq: Option<Groq>,
    error: Option<Value>,
}

impl<'de> Deserialize<'de> for Chunk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::deserialize(deserializer)?;
        Ok(Self {
            suspicious: fields.error.is_some() || fields.choices.is_none(),
            id: fields.id,
            model: fields.model,
            choices: fields.choices,
            usage: fields.usage,
            x_groq: fields.x_groq,
        })
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) index: Option<u64>,
    pub(super) delta: Option<Delta>,
    /// In place of `delta` where an answer comes whole.
    pub(super) message: Option<Delta>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) finish_reason: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage: Option<UsageReport>,
    /// OpenRouter's place for an error of the provider behind it.
    pub(super) error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Delta {
    pub(super) content: Option<Content>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) reasoning_content: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) reasoning: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) reasoning_details: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) refusal: Option<String>,
    pub(super) tool_calls: Option<Vec<ToolDelta>>,
}

/// What stands in `content`: a text, or Mistral's list of typed pieces.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    Pieces(Vec<Value>),
}

#[derive(Debug, Deserialize)]
pub(super) struct ToolDelta {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) index: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) id: Option<String>,
    pub(super) function: Option<FunctionDelta>,
    /// Where Google's compatible endpoint puts the signature of a call.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) extra_content: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FunctionDelta {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) name: Option<String>,
    pub(super) arguments: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Groq {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage: Option<UsageReport>,
}

/// Tokens, in all spellings.
#[derive(Debug, Deserialize)]
pub(super) struct UsageReport {
    #[serde(default, deserialize_with = "lenient")]
    prompt_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    completion_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    total_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default, deserialize_with = "lenient")]
    completion_tokens_details: Option<CompletionDetails>,
    #[serde(default, deserialize_with = "lenient")]
    prompt_cache_hit_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    cached_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    reasoning_tokens: Option<u64>,
    /// OpenRouter: what the answer cost, in US dollars.
    #[serde(default, deserialize_with = "lenient")]
    cost: Option<f64>,
    /// xAI: the same in ten billionths of one.
    #[serde(default, deserialize_with = "lenient")]
    cost_in_usd_ticks: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct PromptDetails {
    #[serde(default, deserialize_with = "lenient")]
    cached_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    cache_write_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct CompletionDetails {
    #[serde(default, deserialize_with = "lenient")]
    reasoning_tokens: Option<u64>,
}

impl UsageReport {
    /// The report in our terms; `None` when it says nothing.
    pub(super) fn usage(&self) -> Option<Usage> {
        let details = self.prompt_tokens_details.as_ref();
        let cached = details
            .and_then(|details| details.cached_tokens)
            .or(self.prompt_cache_hit_tokens)
            .or(self.cached_tokens);
        let written = details.and_then(|details| details.cache_write_tokens);
        let details = self.completion_tokens_details.as_ref();
        let thinking = details
            .and_then(|details| details.reasoning_tokens)
            .or(self.reasoning_tokens);
        // xAI leaves the thinking out of the completion and in the total.
        let output = match (self.prompt_tokens, self.completion_tokens, thinking) {
            (Some(input), Some(output), Some(thinking))
                if thinking > 0
                    && self.total_tokens
                        == input
                            .checked_add(output)
                            .and_then(|sum| sum.checked_add(thinking)) =>
            {
                Some(output + thinking)
            }
            (_, output, _) => output,
        };
        let usage = Usage {
            input_tokens: self.prompt_tokens,
            cached_tokens: cached,
            cache_write_tokens: written,
            output_tokens: output,
            thinking_tokens: thinking,
            reported_cost_usd: self
                .cost
                .or(self.cost_in_usd_ticks.map(|ticks| ticks / TICKS_PER_USD))
                .filter(|cost| *cost >= 0.0),
            estimated: false,
        };
        (usage != Usage::default()).then_some(usage)
    }
}

/// The thinking and the text of a typed piece of content; pieces of other types are left out.
pub(super) fn piece_text(piece: &Value) -> (String, String) {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(pieces) => pieces
            .iter()
            .filter_map(|piece| piece.get("text")?.as_str())
            .collect(),
        _ => String::new(),
    };
    let field = |name| piece.get(name).map(text).unwrap_or_default();
    match piece.get("type").and_then(Value::as_str) {
        Some("thinking") => (field("thinking"), String::new()),
        Some("text" | "output_text") => (String::new(), field("text")),
        _ => (String::new(), String::new()),
    }
}
