//! The conversation as the wire's list of items. What the provider gave goes back to it as it was:
//! whole, in order, each item with what stood before it. What came from elsewhere goes as plain text
//! and calls.
//!
//! A reasoning item is refused without the item that it led to, and that item, by its id, without
//! the reasoning. So reasoning waits for what follows it, and what follows reasoning that cannot go
//! back goes without its id.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use protocol::{Part, ProviderBlob, Role};
use serde::Serialize;
use serde_json::Value;

use super::item;
use crate::catalog::Quirks;
use crate::wire::attachment;
use crate::wire::waiting::{self, NOT_RUN, Waiting};
use crate::{Fault, Request, RequestMessage};

/// The longest id of a call that OpenAI takes, in bytes; other providers give longer ones.
const MAX_CALL_ID_BYTES: usize = 64;

/// An item of the conversation.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item<'a> {
    #[serde(rename = "message")]
    Person {
        role: Role,
        content: Vec<Content<'a>>,
    },
    /// The text of an answer that has no item of its own. Only as a plain text can it go without an
    /// id.
    #[serde(rename = "message")]
    Answer { role: Role, content: String },
    FunctionCall {
        call_id: Cow<'a, str>,
        name: &'a str,
        arguments: &'a str,
    },
    FunctionCallOutput {
        call_id: Cow<'a, str>,
        output: &'a str,
    },
    CustomToolCallOutput {
        call_id: Cow<'a, str>,
        output: &'a str,
    },
    /// As the provider gave it.
    #[serde(untagged)]
    Whole(Value),
}

/// A piece of a message.
#[derive(Serialize)]
#[serde(tag = "type")]
pub(super) enum Content<'a> {
    #[serde(rename = "input_text")]
    Text { text: Cow<'a, str> },
    #[serde(rename = "input_image")]
    Image {
        image_url: String,
        detail: &'static str,
    },
    #[serde(rename = "input_file")]
    File {
        filename: &'a str,
        file_data: String,
    },
}

/// The conversation of a request. `ours` tells what came from the provider and the model that are
/// asked.
pub(super) fn items<'a>(
    request: &'a Request,
    quirks: &Quirks,
    ours: &dyn Fn(&ProviderBlob) -> bool,
) -> Result<Vec<Item<'a>>, Fault> {
    let mut input = Input {
        request,
        ours,
        with_ids: !quirks.without_item_ids,
        items: Vec::with_capacity(request.messages.len()),
        begun: 0,
        first_call: None,
        reasoning: Vec::new(),
        unbound: false,
        waiting: Waiting::default(),
        custom: HashSet::new(),
        long: HashMap::new(),
    };
    for message in &request.messages {
        match message.role {
            Role::User => input.person(message)?,
            Role::Assistant => input.answer(message)?,
        }
    }
    input.give_up();
    Ok(input.items)
}

struct Input<'a, 'b> {
    request: &'a Request,
    ours: &'b dyn Fn(&ProviderBlob) -> bool,
    with_ids: bool,
    items: Vec<Item<'a>>,
    /// Where the items of the answer at hand begin.
    begun: usize,
    /// Its first call that has no item of its own and no result yet.
    first_call: Option<usize>,
    /// Reasoning that waits for the item that it led to.
    reasoning: Vec<&'a Value>,
    /// Whether reasoning stayed behind on which the next items rest.
    unbound: bool,
    waiting: Waiting<'a>,
    /// The calls of custom tools, whose results are items of another type.
    custom: HashSet<&'a str>,
    /// What stands for ids that are too long.
    long: HashMap<&'a str, String>,
}

impl<'a> Input<'a, '_> {
    fn person(&mut self, message: &'a RequestMessage) -> Result<(), Fault> {
        let is_result = |part: &&Part| matches!(part, Part::ToolResult { .. });
        for part in message.parts.iter().filter(is_result) {
            self.result(part);
        }
        for part in message.parts.iter().filter(|part| !is_result(part)) {
            if let Part::Text { text, .. } = part {
                if !text.is_empty() {
                    self.said(Content::Text { text: text.into() });
                }
            } else if let Some(content) = attachment::content(self.request, part)? {
                let content = attached(content)?;
                self.said(content);
            }
        }
        Ok(())
    }

    fn answer(&mut self, message: &'a RequestMessage) -> Result<(), Fault> {
        self.give_up();
        self.unbound = false;
        self.begun = self.items.len();
        self.first_call = None;
        for part in &message.parts {
            match part {
                Part::Text { text, blob } => match self.own(blob.as_ref()) {
                    Some(data) => self.whole(item::message_of(data, text)),
                    None if text.is_empty() => {}
                    None => self.plain(text),
                },
                Part::Thinking { blob, .. } => match self.own(blob.as_ref()) {
                    Some(data) if item::text(data, "type") != Some("reasoning") => {
                        self.whole(data.clone());
                    }
                    Some(data) if item::is_readable(data) => self.reasoning.push(data),
                    Some(_) | None => self.leave_behind(),
                },
                Part::ToolCall {
                    id,
                    name,
                    arguments,
                    blob,
                } => self.call(id, name, arguments, blob.as_ref()),
                Part::ToolResult { .. } => self.result(part),
                Part::Image { .. } | Part::File { .. } => {
                    if let Some(content) = attachment::content(self.request, part)? {
                        let content = attached(content)?;
                        self.said(content);
                    }
                }
            }
        }
        self.reasoning.clear();
        Ok(())
    }

    /// The provider's own data with a part; what came from another one is not sent.
    fn own(&mut self, blob: Option<&'a ProviderBlob>) -> Option<&'a Value> {
        let blob = blob?;
        if (self.ours)(blob) {
            return Some(&blob.data);
        }
        self.leave_behind();
        None
    }

    /// Something stays behind: the reasoning before it has lost what it led to, and what comes after
    /// it what it rests on.
    fn leave_behind(&mut self) {
        self.reasoning.clear();
        self.unbound = true;
    }

    /// An item of the provider's own.
    fn whole(&mut self, item: Value) {
        self.follow();
        self.push_whole(item);
    }

    fn push_whole(&mut self, mut item: Value) {
        if (self.unbound || !self.with_ids)
            && let Some(item) = item.as_object_mut()
        {
            item.remove("id");
        }
        self.items.push(Item::Whole(item));
    }

    /// What now comes is what the reasoning led to.
    fn follow(&mut self) {
        let reasoning = std::mem::take(&mut self.reasoning);
        self.unbound &= reasoning.is_empty();
        for item in reasoning {
            self.push_whole(item.clone());
        }
    }

    /// Text of an answer that has no item of its own. Pieces of one answer stay together, and
    /// answers that follow each other become one: some servers demand that roles alternate.
    ///
    /// It stands before the calls of its answer: DeepSeek refuses words between a call and its
    /// result.
    fn plain(&mut self, text: &str) {
        let place = self.first_call.filter(|_| self.reasoning.is_empty());
        self.follow();
        let place = place.unwrap_or(self.items.len());
        let gap = if place == self.begun { "\n\n" } else { "" };
        let before = place.checked_sub(1).map(|before| &mut self.items[before]);
        if let Some(Item::Answer { content, .. }) = before {
            content.push_str(gap);
            content.push_str(text);
            return;
        }
        let item = Item::Answer {
            role: Role::Assistant,
            content: text.to_owned(),
        };
        self.items.insert(place, item);
        self.first_call = self
            .first_call
            .map(|call| call + usize::from(place <= call));
    }

    fn call(
        &mut self,
        id: &'a str,
        name: &'a str,
        arguments: &'a str,
        blob: Option<&'a ProviderBlob>,
    ) {
        let data = self.own(blob);
        self.follow();
        self.waiting.call(id, name);
        let call_id = self.call_id(id);
        let Some(data) = data else {
            self.first_call.get_or_insert(self.items.len());
            self.items.push(Item::FunctionCall {
                call_id,
                name,
                arguments,
            });
            return;
        };
        let mut whole = data.clone();
        if let Some(fields) = whole.as_object_mut() {
            let custom = data.get("type").and_then(Value::as_str) == Some("custom_tool_call");
            if custom {
                self.custom.insert(id);
            }
            let field = if custom { "input" } else { "arguments" };
            fields.insert("call_id".to_owned(), call_id.into());
            fields.insert("name".to_owned(), name.into());
            fields.insert(field.to_owned(), arguments.into());
        }
        self.push_whole(whole);
    }

    fn result(&mut self, part: &'a Part) {
        let Part::ToolResult {
            call_id, content, ..
        } = part
        else {
            return;
        };
        if self.waiting.answer(call_id).is_some() {
            self.output(call_id, content);
        } else {
            let text = waiting::stray(content).into();
            self.said(Content::Text { text });
        }
    }

    fn output(&mut self, id: &'a str, output: &'a str) {
        self.first_call = None;
        let call_id = self.call_id(id);
        self.items.push(if self.custom.contains(id) {
            Item::CustomToolCallOutput { call_id, output }
        } else {
            Item::FunctionCallOutput { call_id, output }
        });
    }

    fn give_up(&mut self) {
        for (id, _) in self.waiting.give_up() {
            self.output(id, NOT_RUN);
        }
    }

    /// A piece of what the person says, in one message with what they have just said.
    fn said(&mut self, piece: Content<'a>) {
        self.give_up();
        match self.items.last_mut() {
            Some(Item::Person { content, .. }) => content.push(piece),
            _ => self.items.push(Item::Person {
                role: Role::User,
                content: vec![piece],
            }),
        }
    }

    fn call_id(&mut self, id: &'a str) -> Cow<'a, str> {
        if id.len() <= MAX_CALL_ID_BYTES {
            return id.into();
        }
        let number = self.long.len();
        let short = self.long.entry(id);
        short
            .or_insert_with(|| format!("long_call_{number}"))
            .clone()
            .into()
    }
}

/// An image or a file in its place on this wire.
fn attached(content: attachment::Content<'_>) -> Result<Content<'_>, Fault> {
    match content {
        attachment::Content::Text(text) => Ok(Content::Text { text: text.into() }),
        attachment::Content::Bytes {
            media_type, bytes, ..
        } if media_type.starts_with("image/") => Ok(Content::Image {
            image_url: attachment::data_url(&media_type, bytes),
            detail: "auto",
        }),
        attachment::Content::Bytes {
            name: Some(name),
            media_type,
            bytes,
        } => Ok(Content::File {
            filename: name,
            file_data: attachment::data_url(&media_type, bytes),
        }),
        attachment::Content::Bytes {
            name: None,
            media_type,
            ..
        } => Err(attachment::unsendable(None, &media_type)),
    }
}
