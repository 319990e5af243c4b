//! What an error's body says, whatever its shape: no two servers agree on one. All of it is text from
//! elsewhere, and comes out as short lines that show what they hold.

use std::time::Duration;

use serde_json::Value;

use super::text::{plain, short};
use super::wait;

/// The longest message that is kept, in characters.
const MAX_MESSAGE: usize = 800;

/// The longest code or request id that is kept, in characters.
pub(super) const MAX_CODE: usize = 128;

/// How many entries of a list of faults are shown.
const MAX_FAULTS: usize = 8;

/// How many entries of a list of details are read.
const MAX_DETAILS: usize = 32;

/// How deep an error may lie within another: a gateway wraps what the server behind it said.
const MAX_DEPTH: usize = 3;

/// What an error body says, whatever its shape.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    /// All codes, types and reasons together, in lower case, `_` in place of `-`.
    pub(super) words: String,
    pub(super) message: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

impl Said {
    /// What a body that is no JSON says.
    pub(super) fn plainly(body: &str) -> Self {
        Self {
            message: plain(body),
            ..Self::default()
        }
    }

    /// Adds what the server behind a gateway said.
    fn with_inner(mut self, inner: Self) -> Self {
        self.words = format!("{} {}", self.words, inner.words);
        self.message = match (self.message, inner.message) {
            (Some(outer), Some(inner)) if !outer.contains(&inner) => {
                Some(short(&format!("{outer}: {inner}"), MAX_MESSAGE))
            }
            (outer, inner) => outer.or(inner),
        };
        self.status = self.status.or(inner.status);
        self.code = self.code.or(inner.code);
        self.request_id = self.request_id.or(inner.request_id);
        self.retry_after = self.retry_after.or(inner.retry_after);
        self
    }
}

/// Reads what calls itself an error; `None` when it does not.
pub(super) fn read(value: &Value) -> Option<Said> {
    read_at(value, MAX_DEPTH)
}

fn read_at(value: &Value, depth: usize) -> Option<Said> {
    let value = unwrapped(value)?;
    match value.get("error") {
        Some(error @ Value::Object(fields)) if !fields.is_empty() => {
            // What comes through a gateway may be wrapped once more.
            let said = match fields.get("error") {
                Some(Value::Object(_)) if depth > 0 => read_at(error, depth - 1)?,
                _ => read_object_at(error, depth)?,
            };
            let request_id = said.request_id.or(text_at(value, "request_id"));
            return Some(Said { request_id, ..said });
        }
        // xAI and Ollama: the message in place of the object, the code beside it.
        Some(Value::String(message)) if !message.is_empty() => {
            let beside = read_object_at(value, depth).unwrap_or_default();
            return Some(Said {
                message: Some(short(message, MAX_MESSAGE)),
                ..beside
            });
        }
        _ => {}
    }
    let called = |name: &str| value.get(name).and_then(Value::as_str) == Some("error");
    let is_error = value.get("choices").is_none() && (called("object") || called("type"));
    if is_error {
        read_object_at(value, depth)
    } else {
        None
    }
}

/// Reads a body in which nothing but a message, a detail or a list of errors stands for the answer.
pub(super) fn read_loosely(value: &Value) -> Option<Said> {
    let value = unwrapped(value)?;
    if value.get("choices").is_some() {
        return None;
    }
    if value.get("detail").is_some() || value.get("message").is_some_and(Value::is_string) {
        return read_object(value);
    }
    read_object(value.get("errors")?.as_array()?.first()?)
}

pub(super) fn read_object(value: &Value) -> Option<Said> {
    read_object_at(value, MAX_DEPTH)
}

fn read_object_at(value: &Value, depth: usize) -> Option<Said> {
    let object = value.as_object()?;
    let status = [
        "status_code",
        "raw_status_code",
        "statusCode",
        "status",
        "code",
    ]
    .iter()
    .filter_map(|name| object.get(*name))
    .find_map(http_status);
    let code = text_at(value, "code").or_else(|| text_at(value, "type"));
    let message = object
        .get("message")
        .or_else(|| object.get("detail"))
        .map(|message| short(&told(message), MAX_MESSAGE));
    let said = Said {
        status,
        code,
        words: words(value),
        message,
        request_id: text_at(value, "request_id"),
        retry_after: wait::in_body(value),
    };
    Some(match behind(value) {
        Some(inner) if depth > 0 => {
            let inner = read_at(&inner, depth - 1)
                .or_else(|| read_object_at(&inner, depth - 1))
                .unwrap_or_else(|| Said::plainly(inner.as_str().unwrap_or_default()));
            said.with_inner(inner)
        }
        _ => said,
    })
}

/// Gemini's compatible endpoint wraps the object into a list.
fn unwrapped(value: &Value) -> Option<&Value> {
    value.as_array().map_or(Some(value), |list| list.first())
}

/// A status, as a number or in digits.
fn http_status(value: &Value) -> Option<u16> {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) if text.len() == 3 => text.parse().ok(),
        _ => None,
    };
    u16::try_from(number?)
        .ok()
        .filter(|number| (400..600).contains(number))
}

/// All that stands in the places of codes: of the error, of its inner one (Azure), of its details
/// (Google's `ErrorInfo` and `QuotaFailure`) and of OpenRouter's metadata.
fn words(error: &Value) -> String {
    let mut words: Vec<&str> = ["code", "type", "status", "error_type", "reason"]
        .iter()
        .filter_map(|name| error.get(*name)?.as_str())
        .collect();
    let inner = error.get("innererror").or_else(|| error.get("inner_error"));
    words.extend(inner.and_then(|inner| inner.get("code")?.as_str()));
    for detail in list(error, "details").iter().take(MAX_DETAILS) {
        words.extend(detail.get("reason").and_then(Value::as_str));
        for violation in list(detail, "violations").iter().take(MAX_DETAILS) {
            words.extend(violation.get("quotaId").and_then(Value::as_str));
        }
    }
    let metadata = error.get("metadata");
    if metadata.is_some_and(|metadata| metadata.get("flagged_input").is_some()) {
        words.push("moderation");
    }
    words.join(" ").to_lowercase().replace('-', "_")
}

/// What the server behind a gateway said: OpenRouter gives it as text.
fn behind(error: &Value) -> Option<Value> {
    match error.get("metadata")?.get("raw")? {
        Value::String(raw) => {
            let parsed = serde_json::from_str(raw).ok();
            Some(parsed.unwrap_or_else(|| Value::String(raw.clone())))
        }
        raw @ Value::Object(_) => Some(raw.clone()),
        _ => None,
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    match value.get(name) {
        Some(Value::Array(entries)) => entries,
        _ => &[],
    }
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
    let place: Vec<String> = list(fault, "loc")
        .iter()
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
