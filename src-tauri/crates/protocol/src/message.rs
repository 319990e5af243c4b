//! Messages: a tree by `parent_id`. Editing and regenerating add siblings; nothing is overwritten.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{AppError, AttachmentId, ConversationId, Cost, MessageId, ModelRef, ProviderId, Wire};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Role {
    /// The person.
    User,
    /// A model.
    Assistant,
}

/// How far a message has come. Only `Complete` is a whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum MessageState {
    /// Still growing.
    Streaming,
    /// Ended as the model meant it to.
    Complete,
    /// Cut off: the stream, the worker or the application ended too early. Can be continued.
    Interrupted,
    /// Refused or broken before or during the answer; `error` says why.
    Failed,
    /// Stopped by the person. Can be continued.
    Cancelled,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum StopReason {
    /// It was done.
    EndTurn,
    /// The limit of output tokens.
    MaxTokens,
    /// A stop sequence.
    StopSequence,
    /// It waits for tool results.
    ToolUse,
    /// It declined, or a filter did.
    Refusal,
    /// The context window is full.
    ContextFull,
    /// The provider paused a long turn.
    Pause,
    /// A reason this version does not know.
    Other,
}

/// Tokens of one answer. A number that the provider did not report is `None`, never zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Usage {
    /// All input tokens, those from a cache included.
    #[ts(type = "number | null")]
    pub input_tokens: Option<u64>,
    /// Input tokens that came from a cache.
    #[ts(type = "number | null")]
    pub cached_tokens: Option<u64>,
    /// Input tokens that were written into a cache, where the provider prices that apart.
    #[serde(default)]
    #[ts(type = "number | null")]
    pub cache_write_tokens: Option<u64>,
    /// Output tokens, thinking included.
    #[ts(type = "number | null")]
    pub output_tokens: Option<u64>,
    /// Output tokens that were thinking.
    #[ts(type = "number | null")]
    pub thinking_tokens: Option<u64>,
    /// What the provider says that the answer cost, in US dollars: OpenRouter and xAI do.
    #[serde(default)]
    pub reported_cost_usd: Option<f64>,
    /// Whether the numbers are our estimate and not the provider's.
    pub estimated: bool,
}

/// What a provider needs back unchanged with a part (signatures, encrypted reasoning). It is sent
/// only where wire, provider and model are the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ProviderBlob {
    /// The wire that it came on.
    pub wire: Wire,
    /// Who sent it.
    pub provider: ProviderId,
    /// The model that made it.
    pub model: String,
    /// The provider's own data, opaque to us.
    #[ts(type = "unknown")]
    pub data: serde_json::Value,
}

/// The kinds of part that grow while an answer streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum PartKind {
    /// Visible text.
    Text,
    /// Chain of thought.
    Thinking,
    /// A call of a tool; its text is the arguments' JSON.
    ToolCall,
}

/// A piece of a message. The order of parts is the order in which the model gave them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export)]
pub enum Part {
    /// Markdown.
    Text {
        /// The text.
        text: String,
        /// What the provider needs back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        blob: Option<ProviderBlob>,
    },
    /// Chain of thought, as far as the provider shows it.
    Thinking {
        /// The text; empty when the provider gave only an encrypted blob.
        text: String,
        /// How long it took, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional, type = "number")]
        duration_ms: Option<u64>,
        /// What the provider needs back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        blob: Option<ProviderBlob>,
    },
    /// An image.
    Image {
        /// The stored file.
        attachment: AttachmentId,
        /// Its media type, as `image/png`.
        media_type: String,
    },
    /// A file whose text the model sees.
    File {
        /// The stored file.
        attachment: AttachmentId,
        /// Its name.
        name: String,
        /// Its media type.
        media_type: String,
    },
    /// A model's call of a tool.
    ToolCall {
        /// The provider's id of the call.
        id: String,
        /// The tool.
        name: String,
        /// The arguments as the model wrote them: JSON, or what was meant to be.
        arguments: String,
        /// What the provider needs back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        blob: Option<ProviderBlob>,
    },
    /// A tool's answer.
    ToolResult {
        /// The call that it answers.
        call_id: String,
        /// What the tool said.
        content: String,
        /// Whether the tool failed.
        is_error: bool,
    },
}

impl Part {
    /// A text part with nothing else to it.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            blob: None,
        }
    }
}

/// A model that was asked in vain before another one answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Attempt {
    /// The model.
    pub model: ModelRef,
    /// Why it did not answer.
    pub error: AppError,
    /// When that was known.
    #[ts(type = "number")]
    pub at: i64,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The conversation it stands in.
    pub conversation_id: ConversationId,
    /// The message that it answers or follows; `None` at the root.
    pub parent_id: Option<MessageId>,
    /// Who speaks.
    pub role: Role,
    /// How far it has come.
    pub state: MessageState,
    /// Its content.
    pub parts: Vec<Part>,
    /// The model that was asked.
    pub model: Option<ModelRef>,
    /// The model that answered, as its provider names it, when that is known.
    pub served_by: Option<ModelRef>,
    /// Tokens.
    pub usage: Option<Usage>,
    /// What it cost; `None` when nobody knows.
    #[serde(default)]
    pub cost: Option<Cost>,
    /// Why the model stopped.
    pub stop_reason: Option<StopReason>,
    /// What went wrong.
    pub error: Option<AppError>,
    /// Models of the failover chain that were asked in vain before, in order.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// When it was written or asked for.
    #[ts(type = "number")]
    pub created_at: i64,
    /// When the first token came.
    #[ts(type = "number | null")]
    pub first_token_at: Option<i64>,
    /// When it ended.
    #[ts(type = "number | null")]
    pub finished_at: Option<i64>,
}

impl Message {
    /// The visible text, parts joined by a blank line.
    #[must_use]
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Text { text, .. } => Some(text.as_str()),
                Part::Thinking { .. }
                | Part::Image { .. }
                | Part::File { .. }
                | Part::ToolCall { .. }
                | Part::ToolResult { .. } => None,
            })
            .collect();
        texts.join("\n\n")
    }

    /// Whether this is an answer that can be gone on with: it was cut off, stopped, failed, or ended
    /// at a limit, and it holds nothing but words.
    #[must_use]
    pub fn can_continue(&self) -> bool {
        let only_words = self
            .parts
            .iter()
            .all(|part| matches!(part, Part::Text { .. } | Part::Thinking { .. }));
        let cut = match self.state {
            MessageState::Interrupted | MessageState::Cancelled | MessageState::Failed => true,
            MessageState::Complete => matches!(
                self.stop_reason,
                Some(StopReason::MaxTokens | StopReason::ContextFull | StopReason::Pause)
            ),
            MessageState::Streaming => false,
        };
        self.role == Role::Assistant && self.parent_id.is_some() && only_words && cut
    }
}
