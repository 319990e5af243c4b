//! What left the machine and what it cost: every outbound call, without a word of what was said in
//! it, and the sums that a person asks for.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{AppError, ConversationId, ErrorCode, MessageId, ModelRef, ProviderId, RunsAt, Usage};

/// What an answer or a call cost. What is not known is no `Cost` at all, and never one of zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Cost {
    /// US dollars. Zero is a model on this machine, and not shown as a price.
    pub usd: f64,
    /// Whether the tokens that it is computed from are our estimate.
    pub estimated: bool,
    /// The day for which the price was recorded that it is computed from, `YYYY-MM-DD`; `None` when
    /// the provider named the cost itself, and for a model on this machine.
    pub as_of: Option<String>,
}

/// What an outbound call was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Purpose {
    /// An answer.
    Answer,
    /// A conversation's title.
    Title,
    /// A summary of the beginning of a conversation that has become too long.
    Summary,
    /// The models that a provider has.
    ListModels,
    /// Whether an address and its key work.
    TestKey,
    /// A model for this machine.
    Download,
}

/// How an outbound call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
#[ts(export)]
pub enum CallOutcome {
    /// It was answered.
    Ok,
    /// It failed or was cut off.
    Failed {
        /// Why.
        code: ErrorCode,
    },
    /// It was stopped here.
    Cancelled,
    /// It was not made: nothing left the machine.
    Refused {
        /// `local_only` or `cap_reached`.
        code: ErrorCode,
    },
}

impl CallOutcome {
    /// How a call ended that gave this.
    #[must_use]
    pub const fn of<T>(given: &Result<T, AppError>) -> Self {
        match given {
            Ok(_) => Self::Ok,
            Err(error) => Self::Failed { code: error.code },
        }
    }
}

/// An outbound call, after its end. Nothing of what it said and no key is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LedgerEntry {
    /// When it began.
    #[ts(type = "number")]
    pub at: i64,
    /// How long it took, in milliseconds.
    #[ts(type = "number")]
    pub duration_ms: u64,
    /// The host that was called, with its port where the address names one.
    pub host: String,
    /// Where that is.
    pub runs_at: RunsAt,
    /// What for.
    pub purpose: Purpose,
    /// The provider; `None` for a download.
    pub provider: Option<ProviderId>,
    /// The model that was asked, or fetched.
    pub model: Option<String>,
    /// The conversation that it was for.
    pub conversation_id: Option<ConversationId>,
    /// The answer that it was for.
    pub message_id: Option<MessageId>,
    /// Tokens, when it was for an answer.
    pub usage: Option<Usage>,
    /// Bytes that left: the bodies, before TLS, all attempts together.
    #[ts(type = "number")]
    pub bytes_sent: u64,
    /// Bytes that came: the bodies, unpacked, all attempts together.
    #[ts(type = "number")]
    pub bytes_received: u64,
    /// What it cost; `None` when nobody knows, and when it was not for an answer.
    pub cost: Option<Cost>,
    /// How it ended.
    pub outcome: CallOutcome,
}

/// A page of the ledger, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LedgerPage {
    /// The entries.
    pub entries: Vec<LedgerEntry>,
    /// Where the next, older page begins; `None` when this is the last.
    #[ts(type = "number | null")]
    pub next: Option<i64>,
}

/// What several calls came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Spend {
    /// US dollars, as far as they are known.
    pub usd: f64,
    /// Whether some of it is computed from our estimate of the tokens.
    pub estimated: bool,
    /// Calls that were made.
    #[ts(type = "number")]
    pub calls: u64,
    /// Calls for an answer whose cost nobody knows: `usd` is without them.
    #[ts(type = "number")]
    pub unpriced_calls: u64,
    /// Input tokens, as far as they are known.
    #[ts(type = "number")]
    pub input_tokens: u64,
    /// Output tokens, as far as they are known.
    #[ts(type = "number")]
    pub output_tokens: u64,
    /// Bytes that left.
    #[ts(type = "number")]
    pub bytes_sent: u64,
    /// Bytes that came.
    #[ts(type = "number")]
    pub bytes_received: u64,
}

/// What a day came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DaySpend {
    /// The day where the person is, `YYYY-MM-DD`.
    pub day: String,
    /// Its sum.
    pub spend: Spend,
}

/// What a model came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ModelSpend {
    /// The model.
    pub model: ModelRef,
    /// Its sum.
    pub spend: Spend,
}

/// What a provider came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ProviderSpend {
    /// The provider.
    pub provider: ProviderId,
    /// Its sum.
    pub spend: Spend,
}

/// What a conversation came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ConversationSpend {
    /// The conversation, which may be gone since.
    pub conversation_id: ConversationId,
    /// Its title; empty when it has none or is gone.
    pub title: String,
    /// Its sum.
    pub spend: Spend,
}

/// What some days came to, today the last of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Spending {
    /// All of it.
    pub total: Spend,
    /// Today: what the caps are compared with.
    pub today: Spend,
    /// Day by day, newest first, those without a call left out.
    pub days: Vec<DaySpend>,
    /// By provider, the dearest first.
    pub providers: Vec<ProviderSpend>,
    /// By model, the dearest first, 100 at most.
    pub models: Vec<ModelSpend>,
    /// By conversation, the dearest first, 100 at most.
    pub conversations: Vec<ConversationSpend>,
}

/// A question about the cost of a message that is not sent yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct EstimateRequest {
    /// The conversation; its shown branch is what would be sent. `None` is a new one.
    pub conversation_id: Option<ConversationId>,
    /// The model that is thought of; `None` is the conversation's, or the default.
    pub model: Option<ModelRef>,
    /// What the person has written so far: at most 1 MiB.
    pub text: String,
}

/// What a message would cost, before it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Estimate {
    /// The model that would be asked.
    pub model: ModelRef,
    /// About how many tokens would be sent, the conversation before it included.
    #[ts(type = "number")]
    pub input_tokens: u64,
    /// The longest answer that the model gives, in tokens, where that is known.
    #[ts(type = "number | null")]
    pub output_tokens: Option<u64>,
    /// The cost of a short answer with all that can be cached from the cache; `None` when the price
    /// is not known.
    pub least: Option<Cost>,
    /// The cost of the longest answer with nothing from the cache; `None` when the price or the
    /// longest answer is not known.
    pub most: Option<Cost>,
}
