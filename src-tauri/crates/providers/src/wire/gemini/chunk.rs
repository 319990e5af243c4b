//! A chunk of a streamed answer as it stands on the wire. Fields that carry the answer must have
//! their type, because dropping them unseen would lose text; all others are read when they can be.
//! Parts are kept whole: what we do not know of them goes back as it came.

use protocol::Usage;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::wire::lenient;

/// A chunk, or a whole answer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chunk {
    pub(super) candidates: Option<Vec<Candidate>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) prompt_feedback: Option<PromptFeedback>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage_metadata: Option<UsageReport>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) model_version: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) response_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) index: Option<u64>,
    pub(super) content: Option<Content>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) finish_reason: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) grounding_metadata: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) citation_metadata: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) url_context_metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Content {
    pub(super) parts: Option<Vec<Map<String, Value>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptFeedback {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) block_reason: Option<String>,
}

/// Tokens. A later chunk may leave out what an earlier one said.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageReport {
    #[serde(default, deserialize_with = "lenient")]
    prompt_token_count: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    tool_use_prompt_token_count: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    cached_content_token_count: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    candidates_token_count: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    thoughts_token_count: Option<u64>,
}

impl UsageReport {
    /// The report in our terms, over what is known. The prompt counts what came from a cache; what
    /// the provider's own tools read is input beside it; thoughts are output beside the candidates.
    pub(super) fn usage(&self, known: &Usage) -> Usage {
        let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
        };
        let input = self
            .prompt_token_count
            .map(|prompt| prompt.saturating_add(self.tool_use_prompt_token_count.unwrap_or(0)));
        Usage {
            input_tokens: input.or(known.input_tokens),
            cached_tokens: self.cached_content_token_count.or(known.cached_tokens),
            output_tokens: sum(self.candidates_token_count, self.thoughts_token_count)
                .or(known.output_tokens),
            thinking_tokens: self.thoughts_token_count.or(known.thinking_tokens),
            ..known.clone()
        }
    }
}
