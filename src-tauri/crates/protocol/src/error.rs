//! Errors as they cross the edge: to the window, and out of the terminal's `--json`. The code is
//! for programs and the message for people; neither the window nor a script matches English.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What kind of thing went wrong: a closed set, each with something a person can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum ErrorCode {
    /// The key is missing, wrong or revoked: set another.
    Auth,
    /// The account has no credit left.
    Quota,
    /// Too many requests: wait.
    RateLimited,
    /// The provider or the model is busy or down: retry, or switch.
    Overloaded,
    /// The conversation no longer fits the model's window.
    ContextOverflow,
    /// The model or a filter declined.
    Refused,
    /// The request or an argument is wrong.
    InvalidRequest,
    /// There is no such model, conversation, message or file.
    NotFound,
    /// The host could not be reached.
    Network,
    /// The answer was cut off: continue it.
    Interrupted,
    /// The in-house model is not on this machine yet: fetch it.
    ModelMissing,
    /// A model file is damaged or is none.
    ModelInvalid,
    /// The keyring is locked: unlock it.
    VaultLocked,
    /// There is no keyring on this machine, or it does not answer.
    VaultUnavailable,
    /// The keyring no longer holds a key that was saved.
    KeyLost,
    /// The database could not be written: nothing was changed.
    Storage,
    /// The database is shown read-only.
    ReadOnly,
    /// The disk is full.
    DiskFull,
    /// Nothing may leave this machine: ask a model on it, or switch local-only off.
    LocalOnly,
    /// The day's spending cap is reached: raise it, or ask a model on this machine.
    CapReached,
    /// An answer is already being written in this conversation.
    Busy,
    /// Something this version has no better word for.
    Unknown,
}

/// What a person can do about an error, where one thing stands out: the window offers it as a
/// button, and the message says the same in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum ErrorAction {
    /// Set another key, or the one that is missing.
    FixKey,
    /// Send it again after the wait of `retry_after_ms`, which is there.
    Wait,
    /// Choose another model.
    SwitchModel,
    /// Make the conversation shorter.
    Shorten,
    /// Go on with the answer that was cut off.
    Continue,
    /// Send it again.
    Retry,
}

/// An error at the edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, thiserror::Error)]
#[error("{message}")]
#[ts(export)]
pub struct AppError {
    /// The kind.
    pub code: ErrorCode,
    /// A sentence for people that says what to do. It holds no secret and no private text.
    pub message: String,
    /// How long to wait before a retry makes sense, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub retry_after_ms: Option<u64>,
    /// What to do about it, where one thing stands out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub action: Option<ErrorAction>,
    /// The provider's id of the request, for a report to it: at most 130 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub request_id: Option<String>,
}

impl ErrorCode {
    /// What can be done about most errors of this kind.
    #[must_use]
    pub const fn action(self) -> Option<ErrorAction> {
        match self {
            Self::Auth | Self::KeyLost => Some(ErrorAction::FixKey),
            Self::Quota | Self::Refused | Self::LocalOnly | Self::CapReached => {
                Some(ErrorAction::SwitchModel)
            }
            Self::ContextOverflow => Some(ErrorAction::Shorten),
            Self::Interrupted => Some(ErrorAction::Continue),
            Self::RateLimited
            | Self::Overloaded
            | Self::Network
            | Self::VaultLocked
            | Self::Storage
            | Self::DiskFull
            | Self::Unknown => Some(ErrorAction::Retry),
            Self::InvalidRequest
            | Self::NotFound
            | Self::ModelMissing
            | Self::ModelInvalid
            | Self::VaultUnavailable
            | Self::ReadOnly
            | Self::Busy => None,
        }
    }
}

impl AppError {
    /// An error of the given kind, with the action that fits most of them.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after_ms: None,
            action: code.action(),
            request_id: None,
        }
    }

    /// The same error with another action, or none.
    #[must_use]
    pub fn with_action(mut self, action: Option<ErrorAction>) -> Self {
        self.action = action;
        self
    }

    /// Whether the same request may succeed when it is simply sent again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self.code {
            ErrorCode::RateLimited
            | ErrorCode::Overloaded
            | ErrorCode::Network
            | ErrorCode::Interrupted
            | ErrorCode::VaultLocked
            | ErrorCode::Busy
            | ErrorCode::Unknown => true,
            ErrorCode::Auth
            | ErrorCode::Quota
            | ErrorCode::ContextOverflow
            | ErrorCode::Refused
            | ErrorCode::InvalidRequest
            | ErrorCode::NotFound
            | ErrorCode::ModelMissing
            | ErrorCode::ModelInvalid
            | ErrorCode::VaultUnavailable
            | ErrorCode::KeyLost
            | ErrorCode::Storage
            | ErrorCode::ReadOnly
            | ErrorCode::DiskFull
            | ErrorCode::LocalOnly
            | ErrorCode::CapReached => false,
        }
    }
}
