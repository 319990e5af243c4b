//! A turn: what the window asks for, and what it is told while the answer grows. A turn's events
//! are small (8 KiB at most) and come at most once a frame; the draft that they build is replaced
//! by the stored message at the end.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    AppError, Attempt, Block, ConversationId, Effort, Fit, MessageId, ModelRef, PartKind, TurnId,
};

/// A new message of the person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SendMessage {
    /// The conversation; `None` begins one.
    pub conversation_id: Option<ConversationId>,
    /// What the person wrote: 1 byte to 1 MiB.
    pub text: String,
    /// The model to ask; `None` takes the conversation's, or the default.
    pub model: Option<ModelRef>,
    /// How hard to think; `None` leaves it to the model.
    pub effort: Option<Effort>,
    /// What becomes of the oldest messages where not all fit the model's window.
    #[serde(default)]
    #[ts(as = "Option<Fit>", optional)]
    pub fit: Fit,
}

/// Another wording of an earlier message: a sibling of it, and an answer to that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct EditMessage {
    /// The message of the person that is worded anew.
    pub message_id: MessageId,
    /// The new wording: 1 byte to 1 MiB.
    pub text: String,
    /// The model to ask; `None` takes the conversation's.
    pub model: Option<ModelRef>,
    /// How hard to think; `None` leaves it to the model.
    #[serde(default)]
    #[ts(optional = nullable)]
    pub effort: Option<Effort>,
    /// What becomes of the oldest messages where not all fit the model's window.
    #[serde(default)]
    #[ts(as = "Option<Fit>", optional)]
    pub fit: Fit,
}

/// Another answer to the same message: a sibling of the given answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RegenerateMessage {
    /// The answer to make another of.
    pub message_id: MessageId,
    /// The model to ask; `None` takes the conversation's.
    pub model: Option<ModelRef>,
    /// How hard to think; `None` leaves it to the model.
    #[serde(default)]
    #[ts(optional = nullable)]
    pub effort: Option<Effort>,
    /// What becomes of the oldest messages where not all fit the model's window.
    #[serde(default)]
    #[ts(as = "Option<Fit>", optional)]
    pub fit: Fit,
}

/// What a request for an answer has set in motion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct TurnStarted {
    /// The turn, to stop it by.
    pub turn_id: TurnId,
    /// The conversation, new or not.
    pub conversation_id: ConversationId,
    /// The message of the person, when the request wrote one.
    pub user_message_id: Option<MessageId>,
    /// The answer that grows.
    pub message_id: MessageId,
    /// The model that was asked.
    pub model: ModelRef,
}

/// News of a turn, for the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export)]
pub enum TurnEvent {
    /// The request is stored and on its way.
    Started(TurnStarted),
    /// The conversation did not fit the model's window: its oldest messages were left out. Told
    /// again when more had to go.
    Shortened {
        /// The answer that will grow.
        message_id: MessageId,
        /// How many messages the model does not see.
        dropped_messages: u32,
    },
    /// The in-house model sums up the oldest messages, which do not fit.
    Summarising {
        /// The answer that will grow.
        message_id: MessageId,
        /// How many messages are summed up.
        done: u32,
        /// How many are to be.
        total: u32,
    },
    /// A model did not answer, and the next of the failover chain is asked.
    Switched {
        /// The answer that will grow.
        message_id: MessageId,
        /// Which model did not, and why.
        attempt: Attempt,
        /// The model that is asked now.
        model: ModelRef,
    },
    /// The in-house model reads the prompt.
    Reading {
        /// The answer that will grow.
        message_id: MessageId,
        /// Tokens read.
        done: u32,
        /// Tokens to read.
        total: u32,
    },
    /// A part of the draft grew. Finished blocks are appended and hardly ever change; the tail block is
    /// replaced by each patch, and goes when `tail` is `None`. A large change comes in several
    /// patches; what is shown beyond them goes with the last.
    Patch {
        /// The answer.
        message_id: MessageId,
        /// Which of its parts, from 0.
        part: u32,
        /// What kind of part.
        kind: PartKind,
        /// How many blocks of this part the window must have before this patch.
        from: u32,
        /// Blocks that are finished now, in order.
        append: Vec<Block>,
        /// The block that still grows.
        tail: Option<Block>,
        /// Whether another patch of the same change follows at once.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        #[ts(as = "Option<bool>", optional)]
        more: bool,
    },
    /// The answer is whole and stored: read it from the store.
    Finished {
        /// The answer.
        message_id: MessageId,
    },
    /// The answer failed or was cut off; what had come is stored.
    Failed {
        /// The answer.
        message_id: MessageId,
        /// Why.
        error: AppError,
        /// Whether the same request may succeed when sent again.
        retryable: bool,
    },
    /// The person stopped it; what had come is stored.
    Cancelled {
        /// The answer.
        message_id: MessageId,
    },
}
