//! What is asked of a provider, the same for every wire.

use protocol::{Effort, Part, Role};

/// A request for an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The model, as the provider names it.
    pub model: String,
    /// The system prompt; empty for none.
    pub system: String,
    /// The conversation so far, oldest first.
    pub messages: Vec<RequestMessage>,
    /// The longest answer, in tokens; `None` leaves it to the provider.
    pub max_tokens: Option<u32>,
    /// The sampling temperature; `None` leaves it to the provider.
    pub temperature: Option<f32>,
    /// How hard to think; `None` leaves it to the model.
    pub effort: Option<Effort>,
    /// Texts at which to stop.
    pub stop: Vec<String>,
    /// The conversation, to name the prompt prefix that is kept for it. Wires that keep prefixes by
    /// themselves ignore it.
    pub cache_key: Option<String>,
    /// Whether the last message is an unfinished answer to go on with.
    pub continue_last: bool,
}

/// A message of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestMessage {
    /// Who speaks.
    pub role: Role,
    /// Its content, in order.
    pub parts: Vec<Part>,
}
