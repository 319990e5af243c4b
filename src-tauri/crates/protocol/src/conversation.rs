//! Conversations, as listed and searched.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ConversationId, MessageId, ModelRef};

/// A conversation: a tree of messages and the branch that is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Its title; empty until one was made or given.
    pub title: String,
    /// Whether a person gave the title; such a title is never replaced by a made one.
    pub title_is_own: bool,
    /// The model that the next message goes to.
    pub model: Option<ModelRef>,
    /// The models to ask when that one does not answer, in order; `None` is as the settings say, and
    /// an empty list is none.
    pub failover: Option<Vec<ModelRef>>,
    /// Whether nothing of it may leave this machine.
    #[serde(default)]
    pub local_only: bool,
    /// The last message of the branch that is shown.
    pub leaf: Option<MessageId>,
    /// Pinned to the top of the list.
    pub pinned: bool,
    /// When it began.
    #[ts(type = "number")]
    pub created_at: i64,
    /// When something was last said in it.
    #[ts(type = "number")]
    pub updated_at: i64,
    /// When it was put into the trash.
    #[ts(type = "number | null")]
    pub deleted_at: Option<i64>,
}

/// A conversation as a row of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ConversationSummary {
    /// Its id.
    pub id: ConversationId,
    /// Its title; empty until one was made or given.
    pub title: String,
    /// Pinned to the top of the list.
    pub pinned: bool,
    /// When something was last said in it.
    #[ts(type = "number")]
    pub updated_at: i64,
}

/// A message that a search found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SearchHit {
    /// The conversation it stands in.
    pub conversation_id: ConversationId,
    /// That conversation's title.
    pub title: String,
    /// The message.
    pub message_id: MessageId,
    /// Text around the first match, as alternating runs: plain, matched, plain, …
    pub snippet: Vec<String>,
    /// When the message was written.
    #[ts(type = "number")]
    pub created_at: i64,
}
