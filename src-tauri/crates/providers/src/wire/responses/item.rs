//! One item as the provider tells it whole at its end: what it says, and what of it must go back.

use std::collections::HashSet;

use serde_json::Value;

use crate::{ErrorKind, Fault};

/// The longest id of a call, in bytes. Some gateways hide a signature in it.
const MAX_ID_BYTES: usize = 8 << 10;

/// The longest name of a tool, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// What stands between the paragraphs of the chain of thought.
pub(super) const PARAGRAPH: &str = "\n\n";

/// What an item is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Message,
    /// Chain of thought.
    Reasoning,
    /// A call of a tool of ours.
    Call,
    /// What only the provider understands: what it ran itself, and what this version does not know.
    Other,
}

/// The kind of an item. `custom` are the custom tools that we declared, when that is known.
pub(super) fn kind(item: &Value, custom: Option<&HashSet<String>>) -> Kind {
    match text(item, "type") {
        Some("message") => Kind::Message,
        Some("reasoning") => Kind::Reasoning,
        Some("function_call") => Kind::Call,
        Some("custom_tool_call") => {
            let name = text(item, "name").unwrap_or_default();
            if custom.is_none_or(|ours| ours.contains(name)) {
                Kind::Call
            } else {
                Kind::Other
            }
        }
        _ => Kind::Other,
    }
}

/// A field that holds text.
pub(super) fn text<'a>(item: &'a Value, name: &str) -> Option<&'a str> {
    item.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// The text of a message, and whether it declines.
pub(super) fn message_text(item: &Value) -> (String, bool) {
    let mut all = String::new();
    let mut refusal = false;
    for piece in list(item, "content") {
        all.push_str(text(piece, "text").unwrap_or_default());
        if let Some(words) = text(piece, "refusal") {
            all.push_str(words);
            refusal = true;
        }
    }
    (all, refusal)
}

/// What is left to show of a reasoning item. When nothing was shown that is its summary, or its
/// content where it has none; else the rest of the one that was being shown.
pub(super) fn thinking_left(item: &Value, said: &str) -> String {
    let whole = |name| {
        let pieces: Vec<&str> = list(item, name)
            .filter_map(|piece| text(piece, "text"))
            .collect();
        pieces.join(PARAGRAPH)
    };
    [whole("summary"), whole("content")]
        .iter()
        .filter_map(|whole| whole.strip_prefix(said))
        .find(|left| !left.is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// The id and the name of a call.
///
/// # Errors
/// When one is no such thing: they are stored, shown, and sent back.
pub(super) fn call_names(item: &Value) -> Result<(Option<&str>, Option<&str>), Fault> {
    let id = text(item, "call_id").or_else(|| text(item, "id"));
    let name = text(item, "name");
    let fits = |text: Option<&str>, limit| {
        text.is_none_or(|text| text.len() <= limit && !text.contains(char::is_control))
    };
    if fits(id, MAX_ID_BYTES) && fits(name, MAX_NAME_BYTES) {
        return Ok((id, name));
    }
    Err(Fault::new(
        ErrorKind::Interrupted,
        "the answer calls a tool by a name or an id that is none; ask again",
    )
    .with_code("invalid_tool_call"))
}

/// The arguments of a call: those of a function, or the input of a custom tool.
pub(super) fn arguments(item: &Value) -> String {
    let field = item.get("arguments").or_else(|| item.get("input"));
    field.map(arguments_text).unwrap_or_default()
}

/// Arguments as text. Some servers give the object itself.
pub(super) fn arguments_text(arguments: &Value) -> String {
    match arguments {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A message without its text, which its part holds: in the place of the text goes back what the
/// part says then. A message of several pieces keeps theirs, for the part does not know its seams.
/// Probabilities of tokens are not kept: they tell of the text and are no part of it.
pub(super) fn message_blob(mut item: Value, said: &str) -> Value {
    let pieces = item.get_mut("content").and_then(Value::as_array_mut);
    let pieces = pieces.map(Vec::as_mut_slice).unwrap_or_default();
    for piece in &mut *pieces {
        if let Some(Value::Array(probabilities)) = piece.get_mut("logprobs") {
            probabilities.clear();
        }
    }
    if let [Value::Object(piece)] = pieces {
        for name in ["text", "refusal"] {
            if piece.get(name).and_then(Value::as_str) == Some(said) {
                piece.remove(name);
            }
        }
    }
    item
}

/// A message with the text of its part in the place where it was.
pub(super) fn message_of(blob: &Value, said: &str) -> Value {
    let mut item = blob.clone();
    let pieces = item.get_mut("content").and_then(Value::as_array_mut);
    if let Some([Value::Object(piece)]) = pieces.map(Vec::as_mut_slice) {
        let name = match piece.get("type").and_then(Value::as_str) {
            Some("refusal") => "refusal",
            _ => "text",
        };
        piece.entry(name).or_insert_with(|| said.into());
    }
    item
}

/// A call without what its part holds.
pub(super) fn call_blob(mut item: Value) -> Value {
    if let Some(item) = item.as_object_mut() {
        for name in ["call_id", "name", "arguments", "input"] {
            item.remove(name);
        }
    }
    item
}

/// Whether the provider can read its reasoning again. We ask it to store nothing, so that an item
/// must hold its content: encrypted, or in the clear as open models give it.
pub(super) fn is_readable(reasoning: &Value) -> bool {
    text(reasoning, "encrypted_content").is_some() || list(reasoning, "content").next().is_some()
}

fn list<'a>(item: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    item.get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}
