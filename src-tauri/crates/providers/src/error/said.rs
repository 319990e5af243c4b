//! What an error's body says, whatever its shape: no two servers agree on one. All of it is text from
//! elsewhere, and comes out as short lines that show what they hold.

use std::time::Duration;

use serde_json::Value;

use super::wait;

/// The longest message that is kept, in characters.
const MAX_MESSAGE: usize = 800;

/// The longest code or request id that is kept, in characters.
pub(super) const MAX_CODE: usize = 128;

/// How many entries of a list of faults are shown.
const MAX_FAULTS: usize = 8;

/// What an error body says, whatever its shape.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    /// The code and the type together, in lower case.
    pub(super) words: String,
    pub(super) message: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

/// Gemini's compatible endpoint wraps the object into a list.
fn unwrapped(value: &Value) -> Option<&Value> {
    value.as_array().map_or(Some(value), |list| list.first())
}

/// Reads what calls itself an error; `None` when it does not.
pub(super) fn read(value: &Value) -> Option<Said> {
    let value = unwrapped(value)?;
    match value.get("error") {
        Some(Value::Object(error)) if !error.is_empty() => {
            let mut said = read_object(&Value::Object(error.clone()))?;
            said.request_id = said.request_id.or(text_at(value, "request_id"));
            return Some(said);
        }
        // xAI and Ollama: the message in place of the object, the code beside it.
        Some(Value::String(message)) if !message.is_empty() => {
            let beside = read_object(value).unwrap_or_default();
            return Some(Said {
                message: Some(short(message, MAX_MESSAGE)),
                ..beside
            });
        }
        _ => {}
    }
    let called = |name: &str| value.get(name).and_then(Value::as_str) == Some("error");
    let is_error = value.get("choices").is_none() && (called("object") || called("type"));
    if is_error { read_object(value) } else { None }
}

/// Reads a body in which nothing but a message or a detail stands for the answer.
pub(super) fn read_loosely(value: &Value) -> Option<Said> {
    let value = unwrapped(value)?;
    let is_error = value.get("choices").is_none()
        && (value.get("detail").is_some() || value.get("message").is_some_and(Value::is_string));
    if is_error { read_object(value) } else { None }
}

pub(super) fn read_object(value: &Value) -> Option<Said> {
    let object = value.as_object()?;
    let status = ["status_code", "raw_status_code", "status", "code"]
        .iter()
        .filter_map(|name| object.get(*name)?.as_u64())
        .find_map(|number| {
            u16::try_from(number)
                .ok()
                .filter(|n| (400..600).contains(n))
        });
    let code = text_at(value, "code").or_else(|| text_at(value, "type"));
    let words = ["code", "type", "status"]
        .iter()
        .filter_map(|name| object.get(*name)?.as_str())
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase();
    let message = object
        .get("message")
        .or_else(|| object.get("detail"))
        .map(|message| short(&told(message), MAX_MESSAGE));
    Some(Said {
        status,
        code,
        words,
        message,
        request_id: text_at(value, "request_id"),
        retry_after: wait::in_body(value),
    })
}

/// What stands in `message` or `detail`, for people: a text, or a list of what is wrong with which
/// field.
fn told(message: &Value) -> String {
    match message {
        Value::String(text) => text.clone(),
        Value::Array(faults) => {
            let faults: Vec<String> = faults.iter().take(MAX_FAULTS).map(told_fault).collect();
            faults.join("; ")
        }
        // Mistral puts the list one level deeper.
        Value::Object(object) => match object.get("detail") {
            Some(detail @ (Value::Array(_) | Value::String(_))) => told(detail),
            _ => message.to_string(),
        },
        other => other.to_string(),
    }
}

/// One entry of such a list, as `body.messages.0: field required`.
fn told_fault(fault: &Value) -> String {
    let Some(message) = fault.get("msg").and_then(Value::as_str) else {
        return fault.to_string();
    };
    let place: Vec<String> = fault
        .get("loc")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|step| match step {
            Value::String(name) => name.clone(),
            other => other.to_string(),
        })
        .collect();
    if place.is_empty() {
        message.to_owned()
    } else {
        format!("{}: {message}", place.join("."))
    }
}

fn text_at(value: &Value, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::String(text) if !text.is_empty() => Some(short(text, MAX_CODE)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A body that is no JSON, as one line without markup: of a web page its title alone.
pub(super) fn plain_text(body: &str) -> Option<String> {
    let body = body.trim();
    let lower = body.to_ascii_lowercase();
    if lower.starts_with('<') || lower.contains("<html") {
        let title = lower.find("<title").and_then(|start| {
            let start = start + lower[start..].find('>')? + 1;
            let end = start + lower[start..].find('<')?;
            Some(short(&body[start..end], 100))
        });
        return Some(match title.filter(|title| !title.is_empty()) {
            Some(title) => format!("a web page: {title}"),
            None => "a web page".to_owned(),
        });
    }
    Some(short(body, 300)).filter(|text| !text.is_empty())
}

/// Whether a character shows nothing, or turns the writing of what stands around it: with these a
/// text can look as if it said something else.
pub(super) const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// The text on one line, without control and unseen characters, at most `limit` characters.
pub(super) fn short(text: &str, limit: usize) -> String {
    let mut line = String::new();
    let text: String = text.chars().filter(|c| !is_unseen(*c)).collect();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    match line.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
