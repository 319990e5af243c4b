//! What is asked of a provider, the same for every wire.

use std::collections::HashMap;

use bytes::Bytes;
use protocol::{AttachmentId, Effort, Part, Role};
use serde::Deserialize;

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
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether it must.
    pub tool_choice: ToolChoice,
    /// What the images and files of the messages hold. A part whose attachment is not among them
    /// cannot be sent.
    pub attachments: HashMap<AttachmentId, Attached>,
}

/// A tool that a model may call.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Tool {
    /// Its name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does, for the model.
    #[serde(default)]
    pub description: String,
    /// Its arguments, as a JSON Schema of an object.
    pub schema: serde_json::Value,
}

/// Whether a model calls a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As it sees fit.
    #[default]
    Auto,
    /// Never.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

/// The content of an attachment, as a model gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attached {
    /// An image or a document as it is; its part names the media type.
    Bytes(Bytes),
    /// Its text.
    Text(String),
}

/// A message of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestMessage {
    /// Who speaks.
    pub role: Role,
    /// Its content, in order.
    pub parts: Vec<Part>,
}
