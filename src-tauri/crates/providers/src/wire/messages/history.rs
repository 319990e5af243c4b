//! The conversation as blocks. Roles alternate, a call is followed by its result, and what this
//! provider gave goes back to it as it came; what another gave is translated or left out.

use std::collections::HashSet;

use protocol::{Part, ProviderBlob, Role};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::block;
use crate::wire::attachment::{self, Content};
use crate::wire::waiting::{NOT_RUN, stray};
use crate::{Fault, Request, RequestMessage};

/// The image types that the wire names.
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// A message.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Turn {
    role: Role,
    content: Vec<Value>,
}

/// A call that nothing has answered yet.
#[derive(Debug)]
struct Waiting {
    /// Its id in the conversation.
    id: String,
    /// Its id in the request.
    sent: String,
}

/// The conversation as it is put together.
pub(super) struct History<'a, F> {
    request: &'a Request,
    /// Whether opaque data is this provider's and this model's.
    ours: F,
    /// Whether earlier thinking is sent back.
    thinks: bool,
    /// Whether thinking needs a signature to be read.
    signed: bool,
    turns: Vec<Turn>,
    /// The ids of all calls, each of which may stand once.
    ids: HashSet<String>,
    waiting: Vec<Waiting>,
    /// The tools that were called, each once.
    called: Vec<String>,
}

impl<'a, F: Fn(&ProviderBlob) -> bool> History<'a, F> {
    pub(super) fn new(request: &'a Request, ours: F, thinks: bool, signed: bool) -> Self {
        Self {
            request,
            ours,
            thinks,
            signed,
            turns: Vec::with_capacity(request.messages.len() + 1),
            ids: HashSet::new(),
            waiting: Vec::new(),
            called: Vec::new(),
        }
    }

    /// Appends a message.
    ///
    /// # Errors
    /// `InvalidRequest` when it holds an image or a file that cannot be sent.
    pub(super) fn append(&mut self, message: &'a RequestMessage) -> Result<(), Fault> {
        if message.role == Role::Assistant {
            self.give_up_waiting();
        }
        for part in &message.parts {
            match part {
                Part::Text { text, blob } => {
                    // The wire refuses texts of nothing but blanks.
                    if !text.trim().is_empty() {
                        let block = json!({ "type": "text", "text": text });
                        let own = self.own(blob.as_ref());
                        self.push(message.role, with(block, own));
                    }
                }
                Part::Thinking { text, blob, .. } => {
                    if let Some(block) = self.thinking(text, blob.as_ref()) {
                        self.push(Role::Assistant, block);
                    }
                }
                Part::ToolCall {
                    id,
                    name,
                    arguments,
                    blob,
                } => self.call(id, name, arguments, blob.as_ref()),
                Part::ToolResult {
                    call_id,
                    content,
                    is_error,
                } => self.result(call_id, content, *is_error),
                Part::Image { .. } | Part::File { .. } => self.attached(message.role, part)?,
            }
        }
        Ok(())
    }

    /// Whether an answer stands last.
    pub(super) fn ends_in_answer(&self) -> bool {
        matches!(self.turns.last(), Some(turn) if turn.role == Role::Assistant)
    }

    /// Appends words of the person.
    pub(super) fn ask(&mut self, words: &str) {
        self.push(Role::User, json!({ "type": "text", "text": words }));
    }

    /// The messages, and the names of the tools that were called in them.
    pub(super) fn end(mut self) -> (Vec<Turn>, Vec<String>) {
        self.give_up_waiting();
        self.close_answer();
        // An answer that stands last, to be gone on with, must not end in blanks.
        if let Some(turn) = self.turns.last_mut()
            && turn.role == Role::Assistant
            && let Some(Value::String(text)) = turn
                .content
                .last_mut()
                .and_then(|block| block.get_mut("text"))
        {
            text.truncate(text.trim_end().len());
        }
        (self.turns, self.called)
    }

    fn own<'b>(&self, blob: Option<&'b ProviderBlob>) -> Option<&'b Map<String, Value>> {
        blob.filter(|blob| (self.ours)(blob))?.data.as_object()
    }

    /// Thinking that its maker takes back, or another block of its making.
    fn thinking(&self, text: &str, blob: Option<&ProviderBlob>) -> Option<Value> {
        let own = self.own(blob)?;
        let block = if own.contains_key("type") {
            Value::Object(own.clone())
        } else if text.is_empty() {
            return None;
        } else {
            with(json!({ "type": "thinking", "thinking": text }), Some(own))
        };
        let is_signed = block["signature"].as_str().is_some_and(|by| !by.is_empty());
        let readable = match block["type"].as_str() {
            Some("thinking") => self.thinks && (is_signed || !self.signed),
            Some("redacted_thinking") => self.thinks,
            _ => true,
        };
        readable.then_some(block)
    }

    fn call(&mut self, id: &str, name: &str, arguments: &str, blob: Option<&ProviderBlob>) {
        let name = plain(name);
        let mut sent = plain(id);
        let mut times = 1;
        while !self.ids.insert(sent.clone()) {
            times += 1;
            sent = format!("{}-{times}", plain(id));
        }
        let block = json!({
            "type": "tool_use",
            "id": sent,
            "name": name,
            "input": block::arguments(arguments),
        });
        let block = with(block, self.own(blob));
        self.push(Role::Assistant, block);
        self.waiting.push(Waiting {
            id: id.to_owned(),
            sent,
        });
        if !self.called.contains(&name) {
            self.called.push(name);
        }
    }

    fn result(&mut self, call_id: &str, content: &str, is_error: bool) {
        match self.waiting.iter().position(|call| call.id == call_id) {
            Some(place) => {
                let call = self.waiting.remove(place);
                self.push_result(&call.sent, content, is_error);
            }
            None => self.ask(&stray(content)),
        }
    }

    /// Answers the calls that will not be answered any more: the wire refuses one without a result.
    fn give_up_waiting(&mut self) {
        for call in std::mem::take(&mut self.waiting) {
            self.push_result(&call.sent, NOT_RUN, true);
        }
    }

    /// An image or a file. Bytes stand in the person's messages alone; those of an answer are shown
    /// to the model after it.
    fn attached(&mut self, role: Role, part: &'a Part) -> Result<(), Fault> {
        match attachment::content(self.request, part)? {
            None => {}
            Some(Content::Text(text)) => {
                self.push(role, json!({ "type": "text", "text": text }));
            }
            Some(Content::Bytes {
                name,
                media_type,
                bytes,
            }) => {
                let kind = match media_type.as_str() {
                    "application/pdf" => "document",
                    image if IMAGES.contains(&image) => "image",
                    other => return Err(attachment::unsendable(name, other)),
                };
                let mut block = json!({ "type": kind, "source": {
                    "type": "base64",
                    "media_type": media_type,
                    "data": attachment::base64(bytes),
                } });
                if let Some(name) = name.filter(|_| kind == "document") {
                    block["title"] = json!(name);
                }
                self.push(Role::User, block);
            }
        }
        Ok(())
    }

    /// Appends a block to the message of the role that is open, or begins one.
    fn push(&mut self, role: Role, block: Value) {
        if role == Role::User {
            self.close_answer();
        } else if !self.ends_in_answer() {
            self.give_up_waiting();
        }
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => turn.content.push(block),
            _ => self.turns.push(Turn {
                role,
                content: vec![block],
            }),
        }
    }

    /// A result, which stands before all else that the person says.
    fn push_result(&mut self, id: &str, content: &str, is_error: bool) {
        let mut block = json!({ "type": "tool_result", "tool_use_id": id });
        if !content.is_empty() {
            block["content"] = json!(content);
        }
        if is_error {
            block["is_error"] = json!(true);
        }
        self.close_answer();
        match self.turns.last_mut() {
            Some(turn) if turn.role == Role::User => {
                let results = turn.content.iter().take_while(|block| is_result(block));
                turn.content.insert(results.count(), block);
            }
            _ => self.turns.push(Turn {
                role: Role::User,
                content: vec![block],
            }),
        }
    }

    /// Takes thinking off the end of an answer that was cut off after it: the wire refuses that.
    fn close_answer(&mut self) {
        let Some(turn) = self.turns.last_mut() else {
            return;
        };
        if turn.role == Role::User {
            return;
        }
        while turn.content.last().is_some_and(is_thinking) {
            turn.content.pop();
        }
        if turn.content.is_empty() {
            self.turns.pop();
        }
    }
}

/// A block with what its maker needs back in it.
fn with(mut block: Value, own: Option<&Map<String, Value>>) -> Value {
    if let (Value::Object(fields), Some(own)) = (&mut block, own) {
        fields.extend(own.clone());
    }
    block
}

fn is_result(block: &Value) -> bool {
    block["type"] == "tool_result"
}

fn is_thinking(block: &Value) -> bool {
    block["type"] == "thinking" || block["type"] == "redacted_thinking"
}

/// An id or a name in the letters that the wire takes.
fn plain(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect();
    if plain.is_empty() {
        "_".to_owned()
    } else {
        plain
    }
}
