//! What would become of a conversation with another model, told before anything is sent: what that
//! model cannot see, what does not fit its window, and the ways out.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ConversationId, ModelRef};

/// What to do with the oldest messages of a conversation that does not fit the model's window. The
/// messages themselves stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Fit {
    /// Leave them out of the request.
    #[default]
    Trim,
    /// Let the in-house model sum them up, once; the summary goes in their place.
    Summarise,
}

/// A question about a message that is not sent yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PreflightRequest {
    /// The conversation; its shown branch is what would be sent.
    pub conversation_id: ConversationId,
    /// The model that is thought of; `None` is the conversation's, or the default.
    pub model: Option<ModelRef>,
    /// What the person has written so far: at most 1 MiB, empty for nothing.
    #[serde(default)]
    pub text: String,
}

/// What would be lost of a conversation with a model. Counts are of messages' parts on the shown
/// branch; tokens are estimated, rather too high than too low.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Preflight {
    /// The model.
    pub model: ModelRef,
    /// Images that it cannot see: a note goes in their place.
    pub images: u32,
    /// Files that it cannot read: a note goes in their place.
    pub files: u32,
    /// Tool calls, with their results, of a model that calls no tools: their text goes in their place.
    pub tool_calls: u32,
    /// Tokens of the whole request.
    #[ts(type = "number")]
    pub tokens: u64,
    /// Tokens that a request may have: the model's window without room for an answer; `None` when the
    /// window is not known.
    #[ts(type = "number | null")]
    pub room: Option<u64>,
    /// How many of the oldest messages do not fit; 0 when all do.
    pub dropped_messages: u32,
    /// Whether the newest message is too long by itself, so that nothing but another model helps.
    pub too_long: bool,
    /// What a person can do about it, best first; empty when all fits and nothing is lost.
    pub ways: Vec<WayOut>,
}

/// What a person can do about a conversation that a model cannot take whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum WayOut {
    /// Send with [`Fit::Summarise`]. Offered only when the in-house model is here to do it, or has
    /// done it before.
    Summarise,
    /// Send with [`Fit::Trim`].
    Trim,
    /// Send as it is: what the model cannot take is told to it in words.
    SendAnyway,
    /// Ask another model.
    ChooseAnother,
}
