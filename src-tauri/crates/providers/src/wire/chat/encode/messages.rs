//! The messages of a conversation as Chat Completions wants them: each call is answered right after
//! the answer that makes it, and neighbours of the same role become one, because strict templates
//! demand that roles alternate.

use std::borrow::Cow;

use protocol::{Effort, Part, ProviderBlob, Role};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::super::accent::{ReasoningBack, SystemRole};
use super::ids::spelled;
use crate::catalog::Quirks;
use crate::wire::GO_ON;
use crate::wire::attachment::{self, data_url, unsendable};
use crate::wire::chat::{EXTRA_CONTENT, REASONING_CONTENT};
use crate::wire::waiting::{NOT_RUN, Waiting, stray};
use crate::{Fault, Request};

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub(super) enum Message<'a> {
    System {
        content: &'a str,
    },
    Developer {
        content: &'a str,
    },
    User {
        content: Content<'a>,
    },
    Assistant {
        content: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_content: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        reasoning_details: Vec<&'a Value>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_call_id: Cow<'a, str>,
        content: &'a str,
    },
}

impl Message<'_> {
    /// What asks for the rest of the answer before it.
    pub(super) fn go_on() -> Self {
        Self::User {
            content: Content(vec![Piece::text(GO_ON)]),
        }
    }
}

/// What a person says. As long as it is text alone, it is sent as one: not every server knows more.
pub(super) struct Content<'a>(Vec<Piece<'a>>);

impl Content<'_> {
    fn push_text(&mut self, more: &str) {
        match self.0.last_mut() {
            Some(Piece::Text { text }) => join(text, "\n\n", more),
            _ if more.is_empty() => {}
            _ => self.0.push(Piece::text(more)),
        }
    }
}

impl<'a> Content<'a> {
    fn extend(&mut self, more: Self) {
        for piece in more.0 {
            match piece {
                Piece::Text { text } => self.push_text(&text),
                other => self.0.push(other),
            }
        }
    }
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [Piece::Text { text }] => text.serialize(serializer),
            pieces => pieces.serialize(serializer),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Piece<'a> {
    Text { text: String },
    ImageUrl { image_url: Url },
    File { file: File<'a> },
}

impl Piece<'_> {
    fn text(text: &str) -> Self {
        Self::Text {
            text: text.to_owned(),
        }
    }
}

#[derive(Serialize)]
struct Url {
    url: String,
}

#[derive(Serialize)]
struct File<'a> {
    filename: &'a str,
    file_data: String,
}

#[derive(Serialize)]
pub(super) struct Call<'a> {
    id: Cow<'a, str>,
    r#type: &'static str,
    function: Function<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<&'a Value>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// The conversation as it grows.
pub(super) struct Thread<'a> {
    pub(super) messages: Vec<Message<'a>>,
    request: &'a Request,
    quirks: &'a Quirks,
    /// Whether thinking goes back as text.
    thinks_back: bool,
    waiting: Waiting<'a>,
}

impl<'a> Thread<'a> {
    /// The messages of a request. `ours` says what opaque data goes back.
    pub(super) fn of(
        request: &'a Request,
        quirks: &'a Quirks,
        ours: &impl Fn(&ProviderBlob) -> bool,
    ) -> Result<Self, Fault> {
        let mut parts = request.messages.iter().flat_map(|message| &message.parts);
        let with_tools =
            !request.tools.is_empty() || parts.any(|part| matches!(part, Part::ToolCall { .. }));
        let mut thread = Self {
            messages: Vec::with_capacity(request.messages.len() + 2),
            request,
            quirks,
            thinks_back: with_tools
                && quirks.reasoning_back == ReasoningBack::WithTools
                && request.effort != Some(Effort::None),
            waiting: Waiting::default(),
        };
        let content = request.system.as_str();
        if !content.is_empty() {
            thread.messages.push(match quirks.system_role {
                SystemRole::System => Message::System { content },
                SystemRole::Developer => Message::Developer { content },
            });
        }
        for message in &request.messages {
            match message.role {
                Role::User => thread.user(&message.parts)?,
                Role::Assistant => thread.assistant(&message.parts, ours),
            }
        }
        thread.give_up();
        Ok(thread)
    }

    /// Results come first, whatever stands around them: they belong to the answer before.
    fn user(&mut self, parts: &'a [Part]) -> Result<(), Fault> {
        let mut said = Content(Vec::new());
        for part in parts {
            match part {
                Part::ToolResult {
                    call_id, content, ..
                } => match self.waiting.answer(call_id) {
                    Some(_) => self.result(call_id, content),
                    None => said.push_text(&stray(content)),
                },
                Part::Text { text, .. } => said.push_text(text),
                Part::Image { .. } | Part::File { .. } => said.extend(self.attached(part)?),
                Part::Thinking { .. } | Part::ToolCall { .. } => {}
            }
        }
        if said.0.is_empty() {
            return Ok(());
        }
        self.give_up();
        match self.messages.last_mut() {
            Some(Message::User { content }) => content.extend(said),
            _ => self.messages.push(Message::User { content: said }),
        }
        Ok(())
    }

    /// Thinking stays behind, but for what its maker wants back. One answer is one text, also where
    /// thinking stood in between; an answer that waits for its tools is left as it is. Images that a
    /// model made have no place in an answer here.
    fn assistant(&mut self, parts: &'a [Part], ours: &impl Fn(&ProviderBlob) -> bool) {
        self.give_up();
        let mut text = String::new();
        let mut thought = String::new();
        let mut details = Vec::new();
        let mut calls = Vec::new();
        for part in parts {
            match part {
                Part::Text { text: more, .. } => text.push_str(more),
                Part::Thinking {
                    text: more, blob, ..
                } => {
                    let plain = |blob: &&ProviderBlob| blob.data.get(REASONING_CONTENT).is_some();
                    if blob
                        .as_ref()
                        .filter(|blob| ours(blob))
                        .is_some_and(|blob| plain(&blob))
                    {
                        thought.push_str(more);
                    }
                }
                Part::ToolCall {
                    id,
                    name,
                    arguments,
                    blob,
                } => {
                    self.waiting.call(id, name);
                    let blob = blob.as_ref().filter(|blob| ours(blob));
                    calls.push(Call {
                        id: spelled(id, self.quirks.call_ids),
                        r#type: "function",
                        function: Function { name, arguments },
                        extra_content: blob.and_then(|blob| blob.data.get(EXTRA_CONTENT)),
                    });
                }
                Part::ToolResult { content, .. } => join(&mut text, "\n\n", &stray(content)),
                Part::Image { .. } | Part::File { .. } => {}
            }
            details.extend(reasoning_details(part, ours));
        }
        if text.is_empty() && calls.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(Message::Assistant {
                content,
                reasoning_content,
                reasoning_details,
                tool_calls,
            }) if tool_calls.is_empty() => {
                join(content.get_or_insert_default(), "\n\n", &text);
                if let Some(reasoning) = reasoning_content {
                    join(reasoning, "\n\n", &thought);
                }
                reasoning_details.extend(details);
                *tool_calls = calls;
            }
            _ => self.messages.push(Message::Assistant {
                content: (!text.is_empty()).then_some(text),
                reasoning_content: self.thinks_back.then_some(thought),
                reasoning_details: details,
                tool_calls: calls,
            }),
        }
    }

    fn result(&mut self, call_id: &'a str, content: &'a str) {
        self.messages.push(Message::Tool {
            tool_call_id: spelled(call_id, self.quirks.call_ids),
            content,
        });
    }

    /// Answers the calls that nothing will answer any more.
    fn give_up(&mut self) {
        for (id, _) in self.waiting.give_up() {
            self.result(id, NOT_RUN);
        }
    }

    fn attached(&self, part: &'a Part) -> Result<Content<'a>, Fault> {
        let piece = match attachment::content(self.request, part)? {
            None => return Ok(Content(Vec::new())),
            Some(attachment::Content::Text(text)) => Piece::Text { text },
            Some(attachment::Content::Bytes {
                name,
                media_type,
                bytes,
            }) => {
                let url = || data_url(&media_type, bytes);
                if media_type.starts_with("image/") {
                    Piece::ImageUrl {
                        image_url: Url { url: url() },
                    }
                } else if media_type == "application/pdf" {
                    Piece::File {
                        file: File {
                            filename: name.unwrap_or("document.pdf"),
                            file_data: url(),
                        },
                    }
                } else {
                    return Err(unsendable(name, &media_type));
                }
            }
        };
        Ok(Content(vec![piece]))
    }
}

/// The entries of opaque reasoning that a part carries and that its maker takes back.
fn reasoning_details<'a>(
    part: &'a Part,
    ours: &impl Fn(&ProviderBlob) -> bool,
) -> impl Iterator<Item = &'a Value> {
    let blob = match part {
        Part::Text { blob, .. } | Part::Thinking { blob, .. } | Part::ToolCall { blob, .. } => {
            blob.as_ref()
        }
        Part::Image { .. } | Part::File { .. } | Part::ToolResult { .. } => None,
    };
    blob.filter(|blob| ours(blob))
        .and_then(|blob| blob.data.get("reasoning_details")?.as_array())
        .into_iter()
        .flatten()
}

fn join(text: &mut String, gap: &str, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push_str(gap);
    }
    text.push_str(more);
}
