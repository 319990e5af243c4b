//! Which kind an error answer is: what its body says, the cause behind that, and how long to wait. An
//! error comes as an answer of its own, as a body with success, or in the midst of a stream.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::cause::Cause;
use super::said::{MAX_CODE, Said, read, read_loosely, read_object};
use super::text::{beginning, plain, short};
use super::{ErrorKind, Fault, wait};

/// How much of a body is kept with its error, in bytes.
const MAX_BODY_BYTES: usize = 4 << 10;

/// The headers in which servers give their id of a request.
const REQUEST_ID: [&str; 8] = [
    "x-request-id",
    "request-id",
    "x-generation-id",
    "apim-request-id",
    "x-ms-request-id",
    "x-amzn-requestid",
    "x-correlation-id",
    "cf-ray",
];

/// The fault of an HTTP answer that is none of success.
pub(crate) fn answer(status: u16, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Fault {
    let text = String::from_utf8_lossy(body);
    let mut said = match serde_json::from_str::<Value>(text.trim()) {
        Ok(value) => read(&value)
            .or_else(|| read_loosely(&value))
            .unwrap_or_default(),
        Err(_) => Said::plainly(&text),
    };
    let limited = || {
        (status == 429)
            .then(|| wait::until_reset(headers, now))
            .flatten()
    };
    said.retry_after = wait::in_headers(headers, now)
        .or(said.retry_after)
        .or_else(limited);
    said.request_id = request_id(headers).or(said.request_id);
    fault(Some(status), said, &text)
}

/// The fault that a whole body with status 200 reports; `None` when it is none.
pub(crate) fn in_body(value: &Value) -> Option<Fault> {
    let said = read(value).or_else(|| read_loosely(value))?;
    Some(fault(said.status, said, &value.to_string()))
}

/// The fault that a chunk of a stream reports; `None` when it is none. A stream may hold what we do
/// not know, so that only what calls itself an error is one.
pub(crate) fn in_stream(value: &Value) -> Option<Fault> {
    let said = read(value)?;
    Some(fault(said.status, said, &value.to_string()))
}

/// The fault of an event that is named `error`, whatever its data.
pub(crate) fn error_event(data: &str) -> Fault {
    let said = match serde_json::from_str::<Value>(data) {
        Ok(value) => read(&value)
            .or_else(|| read_object(&value))
            .unwrap_or_default(),
        Err(_) => Said::plainly(data),
    };
    fault(said.status, said, data)
}

/// The fault of a body that should have been an answer and is something else.
pub(crate) fn no_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> Fault {
    let text = String::from_utf8_lossy(body);
    let shown = plain(&text).unwrap_or_else(|| "nothing".to_owned());
    Fault {
        status: Some(status),
        request_id: request_id(headers),
        body: kept(&text),
        action: None,
        ..Fault::new(
            ErrorKind::Unknown,
            format!(
                "the server did not answer in a form that is known; check the base URL ({shown})"
            ),
        )
        .with_code("no_answer")
    }
}

/// The provider's id of the request.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    REQUEST_ID
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
        .map(|id| short(id, MAX_CODE))
        .filter(|id| !id.is_empty())
}

fn fault(status: Option<u16>, said: Said, body: &str) -> Fault {
    let message = said.message.unwrap_or_default();
    let lower = message.to_lowercase();
    let cause = Cause::of(status, &said.words, &lower);
    let retry_after = said.retry_after.or_else(|| {
        (cause == Cause::TooOften)
            .then(|| wait::in_message(&lower))
            .flatten()
    });
    let what = match (cause, retry_after) {
        (Cause::TooOften, Some(wait)) => {
            format!(
                "too many requests; wait {}, or switch the model",
                span(wait)
            )
        }
        _ => cause.sentence().to_owned(),
    };
    let message = match (status, message.is_empty()) {
        (Some(status), true) => format!("{what} (HTTP {status})"),
        (Some(status), false) => format!("{what} (HTTP {status}: {message})"),
        (None, true) => what,
        (None, false) => format!("{what} ({message})"),
    };
    Fault {
        kind: cause.kind(),
        status,
        code: said.code,
        message,
        request_id: said.request_id,
        retry_after,
        body: kept(body),
        action: cause.action(),
    }
}

/// A wait for people, never shorter than it is.
fn span(wait: Duration) -> String {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    match seconds {
        0..=119 => format!("{} s", seconds.max(1)),
        120..=7_199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3_600)),
    }
}

/// What is kept of a body with its error; `None` when there is nothing.
fn kept(body: &str) -> Option<Box<str>> {
    Some(beginning(body.trim(), MAX_BODY_BYTES))
        .filter(|text| !text.is_empty())
        .map(Box::from)
}

#[cfg(test)]
mod tests;
