//! An event of a streamed answer as it stands on the wire, and the answer as a whole, of which the
//! first event and the last tell. What carries text must have its type where it is used; all else is
//! read when it can be.

use protocol::Usage;
use serde::Deserialize;
use serde_json::Value;

use crate::wire::{TICKS_PER_USD, lenient};

/// An event. The name that the stream gives it is the same as its type.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub(super) kind: Option<String>,
    /// The place of the item in the answer.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) output_index: Option<u64>,
    /// The item by name. Some gateways give it another name in each event.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) item_id: Option<String>,
    /// The place of the text in a reasoning item's content.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) content_index: Option<u64>,
    /// The same in its summary.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) summary_index: Option<u64>,
    pub(super) delta: Option<Value>,
    /// The arguments of a function as a whole.
    pub(super) arguments: Option<Value>,
    /// The input of a custom tool as a whole.
    pub(super) input: Option<Value>,
    pub(super) item: Option<Value>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) response: Option<Response>,
}

/// An answer as far as it has come.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Response {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) model: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) status: Option<String>,
    pub(super) error: Option<Value>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) incomplete_details: Option<Incomplete>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) output: Option<Vec<Value>>,
    /// What the provider was told that the model may use.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) tools: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage: Option<UsageReport>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Incomplete {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) reason: Option<String>,
}

/// Tokens, and with xAI what they cost.
#[derive(Debug, Deserialize)]
pub(super) struct UsageReport {
    #[serde(default, deserialize_with = "lenient")]
    input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    input_tokens_details: Option<InputDetails>,
    #[serde(default, deserialize_with = "lenient")]
    output_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    output_tokens_details: Option<OutputDetails>,
    #[serde(default, deserialize_with = "lenient")]
    cost_in_usd_ticks: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct InputDetails {
    #[serde(default, deserialize_with = "lenient")]
    cached_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    cache_write_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct OutputDetails {
    #[serde(default, deserialize_with = "lenient")]
    reasoning_tokens: Option<u64>,
}

impl UsageReport {
    /// The report in our terms; `None` when it says nothing.
    pub(super) fn usage(&self) -> Option<Usage> {
        let input = self.input_tokens_details.as_ref();
        let output = self.output_tokens_details.as_ref();
        let usage = Usage {
            input_tokens: self.input_tokens,
            cached_tokens: input.and_then(|details| details.cached_tokens),
            cache_write_tokens: input.and_then(|details| details.cache_write_tokens),
            output_tokens: self.output_tokens,
            thinking_tokens: output.and_then(|details| details.reasoning_tokens),
            reported_cost_usd: self
                .cost_in_usd_ticks
                .filter(|ticks| *ticks >= 0.0)
                .map(|ticks| ticks / TICKS_PER_USD),
            estimated: false,
        };
        (usage != Usage::default()).then_some(usage)
    }
}
