//! Messages as the window shows them: safe HTML made in Rust, in blocks that are put into the page
//! once.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    AppError, Attempt, Conversation, Cost, MessageId, MessageState, ModelRef, Role, RunsAt,
    StopReason, Usage,
};

/// A finished or growing piece of a part, one top-level element of its document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Block {
    /// Its place in the part, from 0.
    pub index: u32,
    /// Safe HTML: it loads nothing and runs nothing.
    pub html: String,
}

/// A part as shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export)]
pub enum PartView {
    /// Text of a model, rendered.
    Rendered {
        /// Its blocks.
        blocks: Vec<Block>,
    },
    /// Text of the person, shown as it was written.
    Plain {
        /// The text.
        text: String,
    },
    /// Chain of thought, rendered.
    Thinking {
        /// Its blocks.
        blocks: Vec<Block>,
        /// How long it took, in milliseconds.
        #[ts(type = "number | null")]
        duration_ms: Option<u64>,
    },
    /// A call of a tool.
    ToolCall {
        /// The tool.
        name: String,
        /// The arguments' JSON.
        arguments: String,
    },
    /// A tool's answer.
    ToolResult {
        /// What it said.
        content: String,
        /// Whether it failed.
        is_error: bool,
    },
    /// An attached image or file.
    Attachment {
        /// Its name.
        name: String,
        /// Its media type.
        media_type: String,
    },
}

/// A message as shown, with its place among its siblings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MessageView {
    /// Its id.
    pub id: MessageId,
    /// The message before it.
    pub parent_id: Option<MessageId>,
    /// Who speaks.
    pub role: Role,
    /// How far it has come.
    pub state: MessageState,
    /// Its content.
    pub parts: Vec<PartView>,
    /// All wordings or answers at this place, this one among them, oldest first.
    pub siblings: Vec<MessageId>,
    /// The model that was asked.
    pub model: Option<ModelRef>,
    /// The model that answered, as its provider names it.
    pub served_by: Option<ModelRef>,
    /// Where that model runs.
    pub runs_at: Option<RunsAt>,
    /// Tokens.
    pub usage: Option<Usage>,
    /// What it cost; `None` when nobody knows.
    pub cost: Option<Cost>,
    /// Why the model stopped.
    pub stop_reason: Option<StopReason>,
    /// What went wrong.
    pub error: Option<AppError>,
    /// Models of the failover chain that were asked in vain before, in order: why another one than
    /// the chosen one answered.
    pub attempts: Vec<Attempt>,
    /// Whether the answer can be gone on with; see [`Message::can_continue`](crate::Message).
    pub can_continue: bool,
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

/// A page of a conversation's shown branch, newest page first asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ThreadView {
    /// The conversation.
    pub conversation: Conversation,
    /// Messages of the branch, oldest first.
    pub messages: Vec<MessageView>,
    /// How many messages of the branch stand before the first of these.
    pub before: u32,
    /// How many messages of the branch stand after the last of these.
    pub after: u32,
}
