//! The messages of a conversation as Gemini's contents: roles alternate, each call is answered in the
//! content after it, and what came with a signature goes back with it.

use protocol::{Part, ProviderBlob, Role};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::{PART, SIGNATURE};
use crate::wire::GO_ON;
use crate::wire::attachment::{self, base64, unsendable};
use crate::wire::waiting::{NOT_RUN, Waiting, stray};
use crate::{Fault, Request};

/// What Google has one send with a call that is none of its model's: without a signature, the request
/// would be refused.
const NOT_SIGNED: &str = "skip_thought_signature_validator";

/// What one side says.
#[derive(Debug, Serialize)]
pub(super) struct Content {
    role: Speaker,
    parts: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Speaker {
    User,
    Model,
}

/// The contents of a request. Where `signs`, the model refuses calls without a signature.
pub(super) fn contents(
    request: &Request,
    ours: &impl Fn(&ProviderBlob) -> bool,
    signs: bool,
) -> Result<Vec<Content>, Fault> {
    let mut thread = Thread::default();
    for message in &request.messages {
        match message.role {
            Role::User => thread.user(request, &message.parts)?,
            Role::Assistant => thread.model(request, &message.parts, ours)?,
        }
    }
    thread.give_up();
    let mut contents = thread.contents;
    let unfinished = contents
        .last()
        .is_some_and(|last| last.role == Speaker::Model);
    if request.continue_last && unfinished {
        contents.push(Content {
            role: Speaker::User,
            parts: vec![json!({ "text": GO_ON })],
        });
    }
    if signs {
        contents.iter_mut().for_each(Content::excuse);
    }
    Ok(contents)
}

impl Content {
    /// Of the calls that a model makes at once the first carries the signature.
    fn excuse(&mut self) {
        let calls = |part: &&mut Value| part.get("functionCall").is_some();
        let first = self.parts.iter_mut().find(calls);
        if let Some(Value::Object(call)) = first.filter(|_| self.role == Speaker::Model) {
            call.entry(SIGNATURE).or_insert_with(|| NOT_SIGNED.into());
        }
    }
}

#[derive(Default)]
struct Thread<'a> {
    contents: Vec<Content>,
    waiting: Waiting<'a>,
}

impl<'a> Thread<'a> {
    /// Results come first, whatever stands around them: they belong to the content before.
    fn user(&mut self, request: &'a Request, parts: &'a [Part]) -> Result<(), Fault> {
        let mut said = Vec::new();
        for part in parts {
            match part {
                Part::ToolResult {
                    call_id,
                    content,
                    is_error,
                } => match self.waiting.answer(call_id) {
                    Some(name) => {
                        self.push(Speaker::User, response(call_id, name, content, *is_error))
                    }
                    None => said.push(text(&stray(content))),
                },
                Part::Text { text: more, .. } if !more.is_empty() => said.push(text(more)),
                Part::Image { .. } | Part::File { .. } => said.extend(attached(request, part)?),
                Part::Text { .. } | Part::Thinking { .. } | Part::ToolCall { .. } => {}
            }
        }
        if !said.is_empty() {
            self.give_up();
        }
        for part in said {
            self.push(Speaker::User, part);
        }
        Ok(())
    }

    /// Thinking stays behind, but for what is this model's own.
    fn model(
        &mut self,
        request: &'a Request,
        parts: &'a [Part],
        ours: &impl Fn(&ProviderBlob) -> bool,
    ) -> Result<(), Fault> {
        self.give_up();
        for part in parts {
            let (content, blob) = match part {
                Part::Text { text: said, blob } => (
                    (!said.is_empty()).then(|| text(said)),
                    blob.as_ref().filter(|blob| ours(blob)),
                ),
                Part::Thinking {
                    text: thought,
                    blob,
                    ..
                } => {
                    let blob = blob.as_ref().filter(|blob| ours(blob));
                    let kept = blob.and_then(|blob| blob.data.get(PART));
                    let signed = blob.is_some_and(|blob| blob.data.get(SIGNATURE).is_some());
                    let content = match kept {
                        Some(part) => Some(part.clone()),
                        None => signed.then(|| json!({ "text": thought, "thought": true })),
                    };
                    (content, blob)
                }
                Part::ToolCall {
                    id,
                    name,
                    arguments,
                    blob,
                } => {
                    self.waiting.call(id, name);
                    let call = json!({ "id": id, "name": name, "args": object(arguments) });
                    (
                        Some(json!({ "functionCall": call })),
                        blob.as_ref().filter(|blob| ours(blob)),
                    )
                }
                Part::Image { .. } | Part::File { .. } => (attached(request, part)?, None),
                Part::ToolResult { content, .. } => (Some(text(&stray(content))), None),
            };
            let signature = blob.and_then(|blob| blob.data.get(SIGNATURE));
            if let Some(mut content) = content {
                if let (Some(signature), Some(fields)) = (signature, content.as_object_mut()) {
                    fields.insert(SIGNATURE.to_owned(), signature.clone());
                }
                self.push(Speaker::Model, content);
            }
        }
        Ok(())
    }

    /// Answers the calls that nothing will answer any more.
    fn give_up(&mut self) {
        for (id, name) in self.waiting.give_up() {
            self.push(Speaker::User, response(id, name, NOT_RUN, true));
        }
    }

    fn push(&mut self, role: Speaker, part: Value) {
        match self.contents.last_mut() {
            Some(last) if last.role == role => last.parts.push(part),
            _ => self.contents.push(Content {
                role,
                parts: vec![part],
            }),
        }
    }
}

fn text(text: &str) -> Value {
    json!({ "text": text })
}

fn response(id: &str, name: &str, content: &str, is_error: bool) -> Value {
    let field = if is_error { "error" } else { "output" };
    json!({ "functionResponse": { "id": id, "name": name, "response": { field: content } } })
}

fn attached(request: &Request, part: &Part) -> Result<Option<Value>, Fault> {
    let content = match attachment::content(request, part)? {
        None => return Ok(None),
        Some(attachment::Content::Text(content)) => text(&content),
        Some(attachment::Content::Bytes {
            name,
            media_type,
            bytes,
        }) => {
            let takes = media_type == "application/pdf"
                || ["image/", "audio/", "video/"]
                    .iter()
                    .any(|kind| media_type.starts_with(kind));
            if !takes {
                return Err(unsendable(name, &media_type));
            }
            json!({ "inlineData": { "mimeType": media_type, "data": base64(bytes) } })
        }
    };
    Ok(Some(content))
}

/// Arguments must be an object here. What another model wrote that is none is handed on as a text.
fn object(arguments: &str) -> Map<String, Value> {
    match serde_json::from_str(arguments) {
        Ok(Value::Object(arguments)) => arguments,
        _ if arguments.trim().is_empty() => Map::new(),
        _ => [("arguments".to_owned(), arguments.into())]
            .into_iter()
            .collect(),
    }
}
