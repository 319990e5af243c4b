//! What the application and its worker say to each other: one JSON value a line, at most
//! [`MAX_LINE_BYTES`] long. Commands go down the worker's stdin, events come up its stdout.

use std::path::PathBuf;

use protocol::{Role, StopReason};
use serde::{Deserialize, Serialize};

use crate::library::Stamp;

/// The longest line either side accepts.
pub(crate) const MAX_LINE_BYTES: usize = 10 << 20;

/// What the application asks of the worker. The first command is `Load`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Command {
    /// Load the model. Answered by `Loaded` or `Refused`.
    Load(Load),
    /// Answer. Ends with `Finished` or `Failed`, or with `Cancel`.
    Generate(Generate),
    /// Stop working on an answer; nothing more is said about it.
    Cancel {
        /// Which.
        id: u64,
    },
}

/// The model to load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Load {
    /// Its file.
    pub(crate) path: PathBuf,
    /// The file's size and time when it was checked: another file under the same name is another
    /// model.
    pub(crate) stamp: Stamp,
    /// Threads to compute with.
    pub(crate) threads: u32,
    /// Conversations held at once.
    pub(crate) slots: u32,
    /// Tokens of context, shared by all conversations.
    pub(crate) context: u32,
}

/// A request for an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Generate {
    /// Names the answer in events.
    pub(crate) id: u64,
    /// The system prompt; empty for none.
    pub(crate) system: String,
    /// What was said, oldest first.
    pub(crate) messages: Vec<Said>,
    /// Whether the last message is an answer to go on with.
    pub(crate) continue_last: bool,
    /// The conversation, to find its prefix by.
    pub(crate) cache_key: Option<String>,
    /// The longest answer.
    pub(crate) max_tokens: Option<u32>,
    /// How tokens are picked.
    pub(crate) sampling: Sampling,
    /// Texts at which to stop.
    pub(crate) stop: Vec<String>,
}

/// A message as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// Who speaks.
    pub(crate) role: Role,
    /// The words.
    pub(crate) text: String,
}

/// How the next token is picked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sampling {
    /// 0 always picks the likeliest token, whatever else is set; at most 2.
    pub(crate) temperature: f32,
    /// Only the likeliest tokens that together reach this probability.
    pub(crate) top_p: f32,
    /// Only this many of the likeliest tokens; 0 for all.
    pub(crate) top_k: u32,
    /// Only tokens at least this likely in relation to the likeliest.
    pub(crate) min_p: f32,
    /// How much a token that was just used is held back; 1 for not at all.
    pub(crate) repeat_penalty: f32,
    /// Makes a run repeatable; `None` takes a fresh one each time.
    pub(crate) seed: Option<u32>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.7,
            top_p: 0.9,
            top_k: 40,
            min_p: 0.05,
            repeat_penalty: 1.0,
            seed: None,
        }
    }
}

/// What is wrong with a request, if anything: checked by the application, so that the error comes
/// at once, and by the worker, because nothing unchecked may reach llama.cpp.
pub(crate) fn fault(request: &Generate) -> Option<&'static str> {
    const MAX_STOPS: usize = 16;
    const MAX_STOP_BYTES: usize = 256;
    let Sampling {
        temperature,
        top_p,
        top_k,
        min_p,
        repeat_penalty,
        seed: _,
    } = request.sampling;
    if !(0.0..=2.0).contains(&temperature) {
        Some("the temperature must be between 0 and 2")
    } else if !(0.0..=1.0).contains(&top_p) || !(0.0..=1.0).contains(&min_p) {
        Some("top_p and min_p must be between 0 and 1")
    } else if top_k > 100_000 {
        Some("top_k must be at most 100,000")
    } else if !(0.5..=2.0).contains(&repeat_penalty) {
        Some("the repeat penalty must be between 0.5 and 2")
    } else if request.max_tokens == Some(0) {
        Some("the longest answer must be at least one token")
    } else if request.stop.len() > MAX_STOPS {
        Some("there can be at most 16 stop texts")
    } else if request
        .stop
        .iter()
        .any(|stop| stop.is_empty() || stop.len() > MAX_STOP_BYTES)
    {
        Some("a stop text must be 1 to 256 bytes long")
    } else if request.messages.is_empty() {
        Some("there is nothing to answer: write a message first")
    } else if request.continue_last
        && request
            .messages
            .last()
            .is_none_or(|last| last.role != Role::Assistant)
    {
        Some("only an answer can be continued")
    } else {
        None
    }
}

/// What the worker tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Event {
    /// The model is in memory.
    Loaded {
        /// Tokens of context.
        context: u32,
    },
    /// The model could not be loaded; the worker ends.
    Refused {
        /// Why, in a clause.
        reason: String,
    },
    /// The prompt is being read.
    Reading {
        /// Which answer.
        id: u64,
        /// Tokens read or kept from before.
        done: u32,
        /// Tokens of the prompt.
        total: u32,
    },
    /// More of an answer.
    Text {
        /// Which answer.
        id: u64,
        /// The text.
        text: String,
    },
    /// An answer is whole.
    Finished {
        /// Which answer.
        id: u64,
        /// Why it ends.
        stop_reason: StopReason,
        /// What it took.
        tokens: Tokens,
    },
    /// There will be no answer.
    Failed {
        /// Which.
        id: u64,
        /// What went wrong.
        fault: Fault,
        /// What to do, in a clause.
        message: String,
    },
}

/// Tokens of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tokens {
    /// Of the prompt.
    pub(crate) input: u32,
    /// Of the prompt, kept from before.
    pub(crate) cached: u32,
    /// Of the answer.
    pub(crate) output: u32,
}

/// What kind of thing went wrong with one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// The prompt does not fit.
    ContextOverflow,
    /// The request is wrong.
    InvalidRequest,
    /// The weights are damaged or the template is.
    ModelInvalid,
    /// No room for one more conversation right now.
    Overloaded,
    /// llama.cpp gave up.
    Unknown,
}
