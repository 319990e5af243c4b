//! What lies behind an error: judged by its status and its words together, because a bad key is 401
//! here and 400 there, and an overlong prompt has a dozen names. Codes and types decide alone; words
//! of a message count only with a status that allows what they say. The rules are tried in order:
//! what is exact comes before what is broad.

use protocol::ErrorAction;

use crate::ErrorKind;

/// What lies behind an error: finer than its kind where a person can do something else about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Key,
    NoCredit,
    TooOften,
    Busy,
    TooLong,
    Declined,
    NoModel,
    NoAddress,
    Unsupported,
    NotServedHere,
    Proxy,
    Invalid,
    Unknown,
}

/// What tells a cause.
struct Rule {
    cause: Cause,
    /// Words in codes, types and reasons.
    codes: &'static [&'static str],
    /// The statuses with which words of the message count. A fault without a status came in a
    /// stream or with success, and its message counts.
    with: &'static [u16],
    /// Words of the message.
    says: &'static [&'static str],
}

const RULES: &[Rule] = &[
    Rule {
        cause: Cause::TooLong,
        codes: &[
            "context_length_exceeded",
            "context_window_exceeded",
            "contextwindowexceeded",
            "exceed_context_size",
            "too_many_prompt_tokens",
            "too_many_tokens",
            "prompt_too_long",
            "request_too_large",
        ],
        with: &[],
        says: &[],
    },
    // Anthropic and xAI say it with a code that means something else.
    Rule {
        cause: Cause::NoCredit,
        codes: &[
            "insufficient_quota",
            "insufficient_balance",
            "insufficient_credits",
            "billing",
            "payment_required",
            "perday",
        ],
        with: &[400, 402, 403, 429],
        says: &[
            "credit balance is too low",
            "insufficient balance",
            "insufficient credits",
            "all available credits",
            "have any credits",
            "spending limit",
            "specified api usage limits",
        ],
    },
    Rule {
        cause: Cause::NotServedHere,
        codes: &["unsupported_country"],
        with: &[400, 403],
        says: &["location is not supported"],
    },
    Rule {
        cause: Cause::Key,
        codes: &[
            "invalid_api_key",
            "incorrect_api_key",
            "api_key_invalid",
            "authentication",
            "unauthenticated",
            "unauthorized",
            "permission",
        ],
        with: &[400],
        says: &[
            "incorrect api key",
            "invalid api key",
            "api key not valid",
            "api key expired",
            "organization has been disabled",
        ],
    },
    Rule {
        cause: Cause::TooOften,
        codes: &[
            "rate_limit",
            "ratelimit",
            "too_many_requests",
            "resource_exhausted",
            "throttl",
        ],
        with: &[],
        says: &[],
    },
    Rule {
        cause: Cause::Declined,
        codes: &[
            "content_filter",
            "content_policy",
            "policy_violation",
            "policyviolation",
            "_policy",
            "moderation",
            "prohibited_content",
            "invalid_prompt",
        ],
        with: &[400, 403, 422],
        says: &[
            "content management policy",
            "content exists risk",
            "input was flagged",
            "prompt was flagged",
            "violates our usage polic",
        ],
    },
    Rule {
        cause: Cause::Busy,
        codes: &[
            "overloaded",
            "unavailable",
            "slow_down",
            "capacity_exceeded",
        ],
        with: &[],
        says: &[],
    },
    Rule {
        cause: Cause::TooLong,
        codes: &[],
        with: &[400, 413, 422, 500],
        says: &[
            "context length",
            "context size",
            "context window",
            "contextwindowexceeded",
            "exceed context limit",
            "input token count",
            "maximum prompt length",
            "prompt is too long",
            "prompt too long",
            "too many tokens",
            "tokens + `max_new_tokens`",
        ],
    },
    Rule {
        cause: Cause::NoModel,
        codes: &[
            "model_not_found",
            "model_not_exist",
            "model_not_available",
            "model_not_supported",
            "model_decommissioned",
            "model_deprecated",
            "invalid_model",
            "unknown_model",
            "deploymentnotfound",
        ],
        with: &[400, 403, 422],
        says: &[
            "is not a valid model",
            "invalid model",
            "unknown model",
            "model not found",
            "model not exist",
            "model does not exist",
            "no endpoints found",
            "has been decommissioned",
        ],
    },
    // LM Studio says it with success.
    Rule {
        cause: Cause::NoAddress,
        codes: &[],
        with: &[404],
        says: &["unexpected endpoint"],
    },
    Rule {
        cause: Cause::Unsupported,
        codes: &[
            "unsupported",
            "not_supported",
            "unknown_parameter",
            "extra_forbidden",
        ],
        with: &[400, 422, 501],
        says: &[
            "does not support",
            "doesn't support",
            "unsupported",
            "is not supported",
            "unrecognized request argument",
            "extra inputs are not permitted",
            "unknown name",
        ],
    },
];

/// Words that tell that a refusal is about the key and not about a country or a policy: only then
/// does another key help.
const ABOUT_KEY: &[&str] = &[
    "key",
    "authenti",
    "authoriz",
    "authoris",
    "credential",
    "permission",
    "token",
];

/// Words that tell that what is missing is the model and not the address, and the one address that
/// holds such a word.
const ABOUT_MODEL: &[&str] = &["model", "deployment", "endpoints found"];
const LIST_PATH: &[&str] = &["/models"];

impl Cause {
    /// What lies behind an error with this status, these words in its codes and this message, both
    /// in lower case.
    pub(super) fn of(status: Option<u16>, words: &str, message: &str) -> Self {
        let coded = |names: &[&str]| names.iter().any(|name| words.contains(name));
        let says = |spellings: &[&str]| spellings.iter().any(|spelling| message.contains(spelling));
        let told = RULES.iter().find(|rule| {
            let counts = status.is_none_or(|status| rule.with.contains(&status));
            coded(rule.codes) || (counts && !rule.with.is_empty() && says(rule.says))
        });
        if let Some(rule) = told {
            return rule.cause;
        }
        let missing = || {
            if says(ABOUT_MODEL) && !says(LIST_PATH) {
                Self::NoModel
            } else {
                Self::NoAddress
            }
        };
        if coded(&["not_found", "notfound"]) {
            return missing();
        }
        match status {
            Some(403) if !message.is_empty() && !says(ABOUT_KEY) => Self::NotServedHere,
            Some(401 | 403) => Self::Key,
            Some(402) => Self::NoCredit,
            Some(404 | 405 | 410) => missing(),
            Some(407) => Self::Proxy,
            // 498 is Groq's for a tier without room.
            Some(408 | 409 | 425 | 498) => Self::Busy,
            Some(413) => Self::TooLong,
            Some(429) => Self::TooOften,
            Some(451) => Self::Declined,
            Some(400..=499) => Self::Invalid,
            Some(501) => Self::Unsupported,
            Some(500..=599) => Self::Busy,
            None if coded(&["server_error", "internal", "api_error", "timeout"]) => Self::Busy,
            None if coded(&["invalid_request", "invalid_argument"]) => Self::Invalid,
            _ => Self::Unknown,
        }
    }

    pub(super) const fn kind(self) -> ErrorKind {
        match self {
            Self::Key => ErrorKind::Auth,
            Self::NoCredit => ErrorKind::Quota,
            Self::TooOften => ErrorKind::RateLimited,
            Self::Busy => ErrorKind::Overloaded,
            Self::TooLong => ErrorKind::ContextOverflow,
            Self::Declined => ErrorKind::Refused,
            Self::NoModel | Self::NoAddress => ErrorKind::NotFound,
            Self::Unsupported | Self::NotServedHere | Self::Invalid => ErrorKind::InvalidRequest,
            Self::Proxy => ErrorKind::Network,
            Self::Unknown => ErrorKind::Unknown,
        }
    }

    /// What happened and what to do, as the beginning of a message.
    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::Key => "the key was refused; set another",
            Self::NoCredit => "the account has no credit left; add some, or switch the model",
            Self::TooOften => "too many requests; wait a little, or switch the model",
            Self::Busy => "the provider is busy or down; try again, or switch the model",
            Self::TooLong => {
                "the conversation does not fit the model; shorten it, or switch the model"
            }
            Self::Declined => "the request was declined; word it differently, or switch the model",
            Self::NoModel => "there is no such model, or not for this key; choose another",
            Self::NoAddress => "there is nothing at this address; check the base URL",
            Self::Unsupported => {
                "this model does not take something in the request; switch the model"
            }
            Self::NotServedHere => "the provider does not serve this; switch the model",
            Self::Proxy => "a proxy on the way wants a login; check this machine's proxy settings",
            Self::Invalid => "the provider did not accept the request; switch the model",
            Self::Unknown => "the provider reported an error; try again, or switch the model",
        }
    }

    /// What stands out of what can be done; it is what the sentence says first.
    pub(super) const fn action(self) -> Option<ErrorAction> {
        match self {
            Self::Key => Some(ErrorAction::FixKey),
            Self::NoCredit
            | Self::Declined
            | Self::NoModel
            | Self::Unsupported
            | Self::NotServedHere
            | Self::Invalid => Some(ErrorAction::SwitchModel),
            Self::TooLong => Some(ErrorAction::Shorten),
            Self::TooOften | Self::Busy | Self::Proxy | Self::Unknown => Some(ErrorAction::Retry),
            Self::NoAddress => None,
        }
    }
}
