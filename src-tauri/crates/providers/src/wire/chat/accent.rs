//! In what the servers that speak Chat Completions differ when they are asked: where the vendors
//! said later what the first of them had left open, each found words of its own.

use serde::Deserialize;

/// How a server is told how hard to think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EffortSpelling {
    /// By `reasoning_effort`.
    #[default]
    ReasoningEffort,
    /// DeepSeek's pair of `thinking` and `reasoning_effort`, of which it knows low, high and max.
    Deepseek,
    /// OpenRouter's `reasoning`.
    Openrouter,
    /// It cannot be told.
    Unsaid,
}

/// What a server calls the limit of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LimitSpelling {
    /// `max_tokens`, the older name, which most know.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`, the only one that OpenAI's thinking models take.
    MaxCompletionTokens,
}

/// In whose name the system prompt is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SystemRole {
    /// `system`, which all know.
    #[default]
    System,
    /// `developer`, OpenAI's newer name.
    Developer,
}

/// Whether a server wants a model's thinking back as plain text, in `reasoning_content`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReasoningBack {
    /// No; many refuse the field.
    #[default]
    Never,
    /// In a conversation with tools, with every answer: DeepSeek refuses the request otherwise.
    WithTools,
}

/// Which ids of calls a server takes. They are made by whoever answered, which may be another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CallIds {
    /// All. Some gateways hide in them what they need back.
    #[default]
    Any,
    /// At most 40 letters, digits, `_` and `-`: OpenAI.
    Short,
    /// Exactly nine letters and digits: Mistral.
    Nine,
}
