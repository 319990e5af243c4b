//! What a provider tells while an answer grows.

use protocol::{StopReason, Usage};

/// A step of an answer, in the order in which the model made it.
#[derive(Clone, Debug, PartialEq)]
pub enum ProviderEvent {
    /// The provider took the request. It comes again when the model becomes known only later.
    Started {
        /// The model that answers, as the provider names it.
        model: Option<String>,
        /// The provider's id of the answer.
        response_id: Option<String>,
    },
    /// The in-house model reads the prompt.
    Reading {
        /// Tokens read.
        done: u32,
        /// Tokens to read.
        total: u32,
    },
    /// More visible text.
    Text(String),
    /// More of the chain of thought.
    Thinking(String),
    /// More of a tool call. The id and the name come once; the arguments add up to JSON.
    ToolCall {
        /// Which call of this answer, from 0.
        index: u32,
        /// The provider's id of the call.
        id: Option<String>,
        /// The tool.
        name: Option<String>,
        /// More of the arguments.
        arguments: String,
    },
    /// What the provider needs back with the part that is open, or with an empty thinking part when
    /// none is. It closes that part: what grows after it is a part of its own, even of the same kind.
    Blob(serde_json::Value),
    /// A block that only the provider understands (a search that it ran, thinking that it hides): a
    /// part of its own in its place, kept to be sent back.
    Opaque(serde_json::Value),
    /// Tokens so far; a later report replaces an earlier one.
    Usage(Usage),
    /// The answer is whole. Nothing follows.
    Finished {
        /// Why the model stopped.
        stop_reason: StopReason,
    },
}
