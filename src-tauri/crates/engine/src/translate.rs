//! A conversation in terms that the model at hand understands, whoever answered in it before: tool
//! calls with their results or neither, images and files as far as the model takes them, and the
//! chain of thought of no one but itself. The stored messages stay as they are.

use std::collections::HashSet;

use protocol::{Message, Model, ModelRef, Part, ProviderBlob, Role, Wire};
use providers::Attached;

use crate::files::{self, Files};

/// Who is to read the conversation, and what they can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) wire: Wire,
    pub(crate) model: ModelRef,
    pub(crate) images: bool,
    /// Whether it takes documents as they are; text it always takes.
    pub(crate) files: bool,
    pub(crate) tools: bool,
}

/// What a reader does not get as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) images: u32,
    pub(crate) files: u32,
    /// Calls, with their results.
    pub(crate) tool_calls: u32,
}

impl Reader {
    /// The model on that wire, by what is known of it. One of which nothing is known is given
    /// everything: it works or says why not.
    pub(crate) fn new(wire: Wire, model: ModelRef, known: Option<&Model>) -> Self {
        let described = known.filter(|known| {
            let takes_more = known.images || known.files || known.tools;
            takes_more || known.price.is_some() || !known.efforts.is_empty()
        });
        Self {
            wire,
            images: described.is_none_or(|known| known.images),
            files: described.is_none_or(|known| known.files),
            tools: described.is_none_or(|known| known.tools),
            model,
        }
    }

    /// The model inside the application, which takes text alone.
    pub(crate) const fn inhouse(model: ModelRef) -> Self {
        Self {
            wire: Wire::Inhouse,
            model,
            images: false,
            files: false,
            tools: false,
        }
    }

    /// The branch as this reader gets it, and what is lost of it on the way.
    pub(crate) fn translate(&self, branch: &[Message], files: &Files) -> (Vec<Message>, Lost) {
        let answered = answered_calls(branch);
        let mut lost = Lost::default();
        let translated = branch
            .iter()
            .zip(answered)
            .map(|(message, mut answered)| {
                let is_own = self.made(message);
                let parts = message.parts.iter();
                let parts = parts
                    .filter_map(|part| self.part(part, is_own, &mut answered, files, &mut lost))
                    .collect();
                Message {
                    parts,
                    ..message.clone()
                }
            })
            .collect();
        (translated, lost)
    }

    /// Whether the message is this model's own.
    fn made(&self, message: &Message) -> bool {
        let served = message.served_by.as_ref();
        match (&message.model, served) {
            // One that stood in answered under the name of another provider.
            (Some(asked), Some(served)) if asked.provider != served.provider => {
                *served == self.model
            }
            (asked, served) => asked.as_ref() == Some(&self.model) || served == Some(&self.model),
        }
    }

    fn part(
        &self,
        part: &Part,
        is_own: bool,
        answered: &mut HashSet<&str>,
        files: &Files,
        lost: &mut Lost,
    ) -> Option<Part> {
        let own = |blob: &Option<ProviderBlob>| blob.clone().filter(|blob| self.signed(blob));
        match part {
            Part::Text { text, blob } => Some(Part::Text {
                text: text.clone(),
                blob: own(blob),
            }),
            Part::Thinking { blob: None, .. } => is_own.then(|| part.clone()),
            Part::Thinking {
                blob: Some(blob), ..
            } => self.signed(blob).then(|| part.clone()),
            Part::Image { attachment, .. } => Some(match files.get(*attachment) {
                Some(_) if self.images => part.clone(),
                held => {
                    lost.images += 1;
                    left_out("An image", held.is_some())
                }
            }),
            Part::File {
                attachment,
                name,
                media_type,
            } => Some(match files.get(*attachment) {
                Some(Attached::Text(text)) => Part::text(providers::quoted(Some(name), text)),
                Some(Attached::Bytes(_)) if self.files && files::is_document(media_type) => {
                    part.clone()
                }
                held => {
                    lost.files += 1;
                    left_out(&format!("The file {name:?}"), held.is_some())
                }
            }),
            Part::ToolCall { id, .. } | Part::ToolResult { call_id: id, .. }
                if !answered.remove(id.as_str()) =>
            {
                None
            }
            Part::ToolCall {
                id,
                name,
                arguments,
                blob,
            } => Some(match self.tools {
                true => Part::ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: arguments.clone(),
                    blob: own(blob),
                },
                false => {
                    lost.tool_calls += 1;
                    Part::text(format!("[The tool {name} was called with {arguments}]"))
                }
            }),
            Part::ToolResult { content, .. } => Some(match self.tools {
                true => part.clone(),
                false => Part::text(format!("[The tool answered: {content}]")),
            }),
        }
    }

    /// Whether opaque data came from this very model: no other can read it.
    fn signed(&self, blob: &ProviderBlob) -> bool {
        blob.wire == self.wire
            && blob.provider == self.model.provider
            && blob.model == self.model.model
    }
}

/// The note in the place of what a model does not get.
fn left_out(what: &str, is_at_hand: bool) -> Part {
    let why = match is_at_hand {
        true => "which this model cannot read",
        false => "which is not at hand any more",
    };
    Part::text(format!("[{what} stood here, {why}]"))
}

/// For each message, the calls in it that were answered in the turn that followed, or the calls that
/// its results answer: a result without its call, and a call without its result, are refused by most
/// providers.
fn answered_calls(branch: &[Message]) -> Vec<HashSet<&str>> {
    let mut answered: Vec<HashSet<&str>> = Vec::with_capacity(branch.len());
    // Where each call of the newest answer stands that has no result yet.
    let mut open: Vec<(&str, usize)> = Vec::new();
    let mut answering = false;
    for (place, message) in branch.iter().enumerate() {
        let mut here = HashSet::new();
        let begins = message.role == Role::Assistant && !answering;
        answering = message.role == Role::Assistant;
        if begins {
            open.clear();
        }
        for part in &message.parts {
            match part {
                Part::ToolCall { id, .. }
                    if answering && open.iter().all(|(known, _)| known != id) =>
                {
                    open.push((id, place));
                }
                Part::ToolResult { call_id, .. } if !answering => {
                    let found = open.iter().position(|(id, _)| id == call_id);
                    if let Some((id, caller)) = found.map(|found| open.swap_remove(found)) {
                        here.insert(id);
                        if let Some(calls) = answered.get_mut(caller) {
                            calls.insert(id);
                        }
                    }
                }
                _ => {}
            }
        }
        answered.push(here);
    }
    answered
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use protocol::{
        ConversationId, Message, MessageId, MessageState, Part, ProviderBlob, Role, Wire,
    };
    use serde_json::json;

    use super::{Lost, Reader};
    use crate::files::Files;

    fn message(role: Role, parts: Vec<Part>) -> Message {
        Message {
            id: MessageId::generate(),
            conversation_id: ConversationId::generate(),
            parent_id: None,
            role,
            state: MessageState::Complete,
            parts,
            model: (role == Role::Assistant).then(|| "a/one".parse().unwrap()),
            served_by: None,
            usage: None,
            cost: None,
            stop_reason: None,
            error: None,
            attempts: Vec::new(),
            created_at: 0,
            first_token_at: None,
            finished_at: None,
        }
    }

    fn call(id: &str, blob: Option<ProviderBlob>) -> Part {
        Part::ToolCall {
            id: id.to_owned(),
            name: "look".to_owned(),
            arguments: "{}".to_owned(),
            blob,
        }
    }

    fn result(id: &str) -> Part {
        Part::ToolResult {
            call_id: id.to_owned(),
            content: "seen".to_owned(),
            is_error: false,
        }
    }

    fn blob(model: &str) -> ProviderBlob {
        ProviderBlob {
            wire: Wire::Messages,
            provider: "a".parse().unwrap(),
            model: model.to_owned(),
            data: json!("s"),
        }
    }

    fn thinking(blob: Option<ProviderBlob>) -> Part {
        Part::Thinking {
            text: "Hm".to_owned(),
            duration_ms: None,
            blob,
        }
    }

    fn reader(model: &str) -> Reader {
        Reader::new(Wire::Messages, model.parse().unwrap(), None)
    }

    fn parts(reader: &Reader, branch: &[Message]) -> Vec<Vec<Part>> {
        let (translated, _) = reader.translate(branch, &Files::default());
        translated.into_iter().map(|one| one.parts).collect()
    }

    #[test]
    fn calls_go_with_their_results_or_not_at_all() {
        let branch = [
            message(Role::User, vec![Part::text("go"), result("before")]),
            message(
                Role::Assistant,
                vec![call("1", None), call("2", None), call("3", None)],
            ),
            message(Role::User, vec![result("2"), result("2"), result("other")]),
            message(Role::User, vec![result("1")]),
            message(Role::Assistant, vec![Part::text("so")]),
            message(Role::User, vec![result("3")]),
        ];
        assert_eq!(
            parts(&reader("b/two"), &branch),
            [
                vec![Part::text("go")],
                vec![call("1", None), call("2", None)],
                vec![result("2")],
                vec![result("1")],
                vec![Part::text("so")],
                vec![],
            ]
        );
    }

    #[test]
    fn thinking_goes_back_to_none_but_who_thought_it() {
        let said = vec![
            thinking(None),
            thinking(Some(blob("one"))),
            thinking(Some(blob("three"))),
            Part::Text {
                text: "so".to_owned(),
                blob: Some(blob("one")),
            },
        ];
        let branch = [message(Role::Assistant, said.clone())];
        let own = parts(&reader("a/one"), &branch);
        assert_eq!(own, [[&said[..2], &said[3..]].concat()]);
        for other in ["a/two", "b/one"] {
            assert_eq!(parts(&reader(other), &branch), [[Part::text("so")]]);
        }
        let stood_in = Message {
            served_by: Some("b/two".parse().unwrap()),
            ..branch[0].clone()
        };
        let mine = parts(&reader("a/one"), std::slice::from_ref(&stood_in));
        assert_eq!(
            mine,
            [said[1..2]
                .iter()
                .chain(&said[3..])
                .cloned()
                .collect::<Vec<_>>()]
        );
    }

    #[test]
    fn what_a_model_cannot_take_is_told_to_it_in_words() {
        let image = Part::Image {
            attachment: protocol::AttachmentId::generate(),
            media_type: "image/png".to_owned(),
        };
        let branch = [
            message(Role::User, vec![image]),
            message(Role::Assistant, vec![call("1", None)]),
            message(Role::User, vec![result("1")]),
        ];
        let poor = Reader {
            images: false,
            files: false,
            tools: false,
            ..reader("b/two")
        };
        let (translated, lost) = poor.translate(&branch, &Files::default());
        let texts: Vec<String> = translated.iter().map(Message::text).collect();
        assert_eq!(
            texts,
            [
                "[An image stood here, which is not at hand any more]",
                "[The tool look was called with {}]",
                "[The tool answered: seen]"
            ]
        );
        let expected = Lost {
            images: 1,
            files: 0,
            tool_calls: 1,
        };
        assert_eq!(lost, expected);
    }
}
