//! What can go wrong with a provider, in one vocabulary. Each wire and the transport map their
//! errors into it once; the status, the code and the provider's own words are kept beside the kind.

mod cause;
pub(crate) mod classify;
mod said;
pub(crate) mod scrub;
mod text;
mod wait;

use std::fmt;
use std::time::Duration;

use protocol::{AppError, ErrorAction, ErrorCode, ProviderId};

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The key is missing, wrong or may not do this.
    Auth,
    /// The account has no credit left.
    Quota,
    /// Too many requests.
    RateLimited,
    /// The provider is busy or down.
    Overloaded,
    /// The conversation does not fit the model's window.
    ContextOverflow,
    /// The model or a filter declined.
    Refused,
    /// The request or the configuration is wrong.
    InvalidRequest,
    /// There is no such model or address.
    NotFound,
    /// The host could not be reached.
    Network,
    /// The answer began and was cut off.
    Interrupted,
    /// The in-house model is not on this machine.
    ModelMissing,
    /// The in-house model's file is damaged or is none.
    ModelInvalid,
    /// Nothing of the above.
    Unknown,
}

impl ErrorKind {
    /// The kind's name on the wire between programs, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Quota => "quota",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::ContextOverflow => "context_overflow",
            Self::Refused => "refused",
            Self::InvalidRequest => "invalid_request",
            Self::NotFound => "not_found",
            Self::Network => "network",
            Self::Interrupted => "interrupted",
            Self::ModelMissing => "model_missing",
            Self::ModelInvalid => "model_invalid",
            Self::Unknown => "unknown",
        }
    }
}

impl From<ErrorKind> for ErrorCode {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Auth => Self::Auth,
            ErrorKind::Quota => Self::Quota,
            ErrorKind::RateLimited => Self::RateLimited,
            ErrorKind::Overloaded => Self::Overloaded,
            ErrorKind::ContextOverflow => Self::ContextOverflow,
            ErrorKind::Refused => Self::Refused,
            ErrorKind::InvalidRequest => Self::InvalidRequest,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Network => Self::Network,
            ErrorKind::Interrupted => Self::Interrupted,
            ErrorKind::ModelMissing => Self::ModelMissing,
            ErrorKind::ModelInvalid => Self::ModelInvalid,
            ErrorKind::Unknown => Self::Unknown,
        }
    }
}

/// An error of a provider. No field holds the key: what the provider says is scrubbed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    /// The kind.
    pub kind: ErrorKind,
    /// Whose error it is.
    pub provider: ProviderId,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The provider's own code.
    pub code: Option<String>,
    /// What happened and what to do, as far as that is known; at most 1,000 characters, no markup.
    pub message: String,
    /// The provider's id of the request, for its support.
    pub request_id: Option<String>,
    /// How long the provider asks to wait; at most 31 days.
    pub retry_after: Option<Duration>,
    /// The beginning of what the provider answered, at most 4 KiB, as it came: to look into an
    /// error, and not to be stored or shown unasked, because it may repeat what was asked.
    pub body: Option<Box<str>>,
    /// What a person can do, where one thing stands out.
    pub action: Option<ErrorAction>,
}

impl ProviderError {
    /// An error that comes from us and not from an answer.
    pub fn new(kind: ErrorKind, provider: &ProviderId, message: impl Into<String>) -> Self {
        Fault::new(kind, message).at(provider)
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.provider, self.message)
    }
}

impl std::error::Error for ProviderError {}

impl From<ProviderError> for AppError {
    fn from(error: ProviderError) -> Self {
        let retry_after_ms = error
            .retry_after
            .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let action = match error.action {
            Some(ErrorAction::Retry) if retry_after_ms.is_some() => Some(ErrorAction::Wait),
            action => action,
        };
        Self {
            code: error.kind.into(),
            message: error.to_string(),
            retry_after_ms,
            action,
            request_id: error.request_id,
        }
    }
}

/// A [`ProviderError`] of a layer that does not know its provider: a wire mapper or the framer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind.
    pub kind: ErrorKind,
    /// The HTTP status, or the one that the provider put into the stream.
    pub status: Option<u16>,
    /// The provider's own code.
    pub code: Option<String>,
    /// What happened.
    pub message: String,
    /// The provider's id of the request.
    pub request_id: Option<String>,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
    /// The beginning of what the provider answered.
    pub body: Option<Box<str>>,
    /// What a person can do.
    pub action: Option<ErrorAction>,
}

impl Fault {
    /// A fault with nothing but a kind and a message, and the action that fits the kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            status: None,
            code: None,
            message: message.into(),
            request_id: None,
            retry_after: None,
            body: None,
            action: ErrorCode::from(kind).action(),
        }
    }

    /// The same fault with a code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same fault with another action, or none.
    #[must_use]
    pub fn with_action(mut self, action: Option<ErrorAction>) -> Self {
        self.action = action;
        self
    }

    /// The error of the given provider.
    #[must_use]
    pub fn at(self, provider: &ProviderId) -> ProviderError {
        ProviderError {
            kind: self.kind,
            provider: provider.clone(),
            status: self.status,
            code: self.code,
            message: self.message,
            request_id: self.request_id,
            retry_after: self.retry_after,
            body: self.body,
            action: self.action,
        }
    }
}
