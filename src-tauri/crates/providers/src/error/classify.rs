//! Which kind an error answer is, judged by its status and its body together: a bad key is 401 here
//! and 400 there, an overlong prompt has a dozen names, and a proxy answers with a web page. Words
//! of a message count only where the status allows what they say.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::{ErrorKind, Fault};

/// The longest message that is kept, in characters.
const MAX_MESSAGE: usize = 800;

/// The longest code or request id that is kept, in characters.
const MAX_CODE: usize = 128;

/// What an error body says, whatever its shape.
#[derive(Debug, Default)]
struct Said {
    status: Option<u16>,
    code: Option<String>,
    /// The code and the type together, in lower case.
    words: String,
    message: Option<String>,
    request_id: Option<String>,
}

/// The fault of an HTTP answer that is none of success.
pub(crate) fn answer(status: u16, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Fault {
    let text = String::from_utf8_lossy(body);
    let said = match serde_json::from_str::<Value>(text.trim()) {
        Ok(value) => read(&value).unwrap_or_default(),
        Err(_) => Said {
            message: plain_text(&text),
            ..Said::default()
        },
    };
    let mut fault = fault(Some(status), said);
    fault.retry_after = retry_after(headers, now);
    fault.request_id = request_id(headers).or(fault.request_id);
    fault
}

/// The fault that a chunk of a stream, or a body with status 200, reports; `None` when it is none.
pub(crate) fn in_band(value: &Value) -> Option<Fault> {
    let said = read(value)?;
    Some(fault(said.status, said))
}

/// The fault of an event that is named `error`, whatever its data.
pub(crate) fn error_event(data: &str) -> Fault {
    let said = match serde_json::from_str::<Value>(data) {
        Ok(value) => read(&value)
            .or_else(|| read_object(&value))
            .unwrap_or_default(),
        Err(_) => Said {
            message: plain_text(data),
            ..Said::default()
        },
    };
    fault(said.status, said)
}

/// The fault of a body that should have been an answer and is something else.
pub(crate) fn no_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> Fault {
    let shown = plain_text(&String::from_utf8_lossy(body)).unwrap_or_else(|| "nothing".to_owned());
    Fault {
        status: Some(status),
        request_id: request_id(headers),
        ..Fault::new(
            ErrorKind::Unknown,
            format!(
                "the server did not answer in a form that is known; check the base URL ({shown})"
            ),
        )
        .with_code("no_answer")
    }
}

fn fault(status: Option<u16>, said: Said) -> Fault {
    let message = said.message.unwrap_or_default();
    let kind = kind(status, &said.words, &message.to_lowercase());
    let what = match kind {
        ErrorKind::Auth => "the key was refused; set another",
        ErrorKind::Quota => "the account has no credit left; add some, or switch the model",
        ErrorKind::RateLimited => "too many requests; wait a little",
        ErrorKind::Overloaded => "the provider is busy or down; try again, or switch the model",
        ErrorKind::ContextOverflow => {
            "the conversation does not fit the model; shorten it, or switch the model"
        }
        ErrorKind::Refused => "the request was declined; word it differently",
        ErrorKind::NotFound => {
            "there is no such model or address; choose another model, or check the base URL"
        }
        ErrorKind::InvalidRequest => "the provider did not accept the request",
        ErrorKind::Network
        | ErrorKind::Interrupted
        | ErrorKind::ModelMissing
        | ErrorKind::ModelInvalid
        | ErrorKind::Unknown => "the provider reported an error",
    };
    let message = match (status, message.is_empty()) {
        (Some(status), true) => format!("{what} (HTTP {status})"),
        (Some(status), false) => format!("{what} (HTTP {status}: {message})"),
        (None, true) => what.to_owned(),
        (None, false) => format!("{what} ({message})"),
    };
    Fault {
        kind,
        status,
        code: said.code,
        message,
        request_id: said.request_id,
        retry_after: None,
    }
}

fn kind(status: Option<u16>, words: &str, message: &str) -> ErrorKind {
    let coded = |names: &[&str]| names.iter().any(|name| words.contains(name));
    let says = |spellings: &[&str]| spellings.iter().any(|spelling| message.contains(spelling));
    if coded(&[
        "context_length_exceeded",
        "context_window_exceeded",
        "exceed_context_size",
        "too_many_prompt_tokens",
        "too_many_tokens",
        "prompt_too_long",
    ]) {
        return ErrorKind::ContextOverflow;
    }
    if coded(&[
        "insufficient_quota",
        "billing",
        "insufficient_balance",
        "payment_required",
    ]) {
        return ErrorKind::Quota;
    }
    if coded(&[
        "invalid_api_key",
        "incorrect_api_key",
        "api_key_invalid",
        "authentication",
        "unauthorized",
        "permission",
    ]) {
        return ErrorKind::Auth;
    }
    if coded(&["rate_limit", "too_many_requests", "resource_exhausted"]) {
        return ErrorKind::RateLimited;
    }
    if coded(&[
        "content_filter",
        "content_policy",
        "responsibleaipolicyviolation",
        "moderation",
    ]) {
        return ErrorKind::Refused;
    }
    if coded(&["overloaded", "unavailable"]) {
        return ErrorKind::Overloaded;
    }
    let may_overflow = matches!(status, None | Some(400 | 413 | 422 | 500));
    if may_overflow
        && says(&[
            "maximum context length",
            "prompt is too long",
            "prompt too long",
            "context length",
            "context size",
            "context window",
            "input token count",
        ])
    {
        return ErrorKind::ContextOverflow;
    }
    if matches!(status, None | Some(400))
        && says(&["incorrect api key", "invalid api key", "api key not valid"])
    {
        return ErrorKind::Auth;
    }
    if coded(&["not_found", "notfound"]) {
        return ErrorKind::NotFound;
    }
    match status {
        Some(401 | 403 | 407) => ErrorKind::Auth,
        Some(402) => ErrorKind::Quota,
        Some(404 | 405 | 410) => ErrorKind::NotFound,
        Some(408 | 409) => ErrorKind::Overloaded,
        Some(413) => ErrorKind::ContextOverflow,
        Some(429) => ErrorKind::RateLimited,
        Some(451) => ErrorKind::Refused,
        Some(400..=499) => ErrorKind::InvalidRequest,
        Some(500..=599) => ErrorKind::Overloaded,
        None if coded(&["server_error", "internal_error"]) => ErrorKind::Overloaded,
        None if coded(&["invalid_request"]) => ErrorKind::InvalidRequest,
        _ => ErrorKind::Unknown,
    }
}

/// Reads a body that reports an error; `None` when it does not.
fn read(value: &Value) -> Option<Said> {
    // Gemini's compatible endpoint wraps the object into a list.
    let value = value.as_array().map_or(Some(value), |list| list.first())?;
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
    let is_error = value.get("choices").is_none()
        && (value.get("object").and_then(Value::as_str) == Some("error")
            || value.get("type").and_then(Value::as_str) == Some("error")
            || value.get("detail").is_some()
            || value.get("message").is_some_and(Value::is_string));
    if is_error { read_object(value) } else { None }
}

fn read_object(value: &Value) -> Option<Said> {
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
    let message =
        object
            .get("message")
            .or_else(|| object.get("detail"))
            .map(|message| match message {
                Value::String(text) => short(text, MAX_MESSAGE),
                other => short(&other.to_string(), MAX_MESSAGE),
            });
    Some(Said {
        status,
        code,
        words,
        message,
        request_id: text_at(value, "request_id"),
    })
}

fn text_at(value: &Value, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::String(text) if !text.is_empty() => Some(short(text, MAX_CODE)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A body that is no JSON, as one line without markup: of a web page its title alone.
fn plain_text(body: &str) -> Option<String> {
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

/// The text on one line, without control characters, at most `limit` characters.
fn short(text: &str, limit: usize) -> String {
    let mut line = String::new();
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

/// The provider's id of the request.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    [
        "x-request-id",
        "request-id",
        "x-generation-id",
        "apim-request-id",
    ]
    .iter()
    .find_map(|name| headers.get(*name)?.to_str().ok())
    .map(|id| short(id, MAX_CODE))
}

/// How long the answer asks to wait, by `retry-after-ms`, or `retry-after` in seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok();
    if let Some(ms) = text("retry-after-ms").and_then(number) {
        return Duration::try_from_secs_f64(ms / 1_000.0).ok();
    }
    let value = text("retry-after")?;
    match number(value) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => {
            let date = httpdate::parse_http_date(value).ok()?;
            Some(date.duration_since(now).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use pretty_assertions::assert_eq;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::json;

    use super::{answer, error_event, in_band, no_answer, retry_after};
    use crate::ErrorKind;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn answers_are_classified_by_status_and_body() {
        use ErrorKind as K;
        let cases: &[(u16, &str, K)] = &[
            (
                401,
                r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","code":"invalid_api_key"}}"#,
                K::Auth,
            ),
            (
                400,
                r#"{"code":"invalid-argument","error":"Incorrect API key provided: x***y"}"#,
                K::Auth,
            ),
            (403, "", K::Auth),
            (
                402,
                r#"{"error":{"message":"Insufficient Balance","type":"unknown_error"}}"#,
                K::Quota,
            ),
            (
                429,
                r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
                K::Quota,
            ),
            (
                429,
                r#"{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}"#,
                K::RateLimited,
            ),
            (
                413,
                r#"{"error":{"message":"Request too large: tokens per minute","code":"rate_limit_exceeded"}}"#,
                K::RateLimited,
            ),
            (
                429,
                r#"{"object":"error","message":"Requests rate limit exceeded","code":"1300"}"#,
                K::RateLimited,
            ),
            (
                429,
                r#"{"error":{"message":"maximum context length is mentioned, but the status decides"}}"#,
                K::RateLimited,
            ),
            (
                400,
                r#"{"error":{"code":"context_length_exceeded","message":"too long"}}"#,
                K::ContextOverflow,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_ctx":4096}}"#,
                K::ContextOverflow,
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 2048 tokens","type":"BadRequestError","code":400}"#,
                K::ContextOverflow,
            ),
            (413, "", K::ContextOverflow),
            (
                503,
                r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
                K::Overloaded,
            ),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                K::Overloaded,
            ),
            (
                500,
                r#"{"error":"llama runner process has terminated"}"#,
                K::Overloaded,
            ),
            (
                502,
                "<html><head><title>502 Bad Gateway</title></head><body><script>x</script></body></html>",
                K::Overloaded,
            ),
            (
                404,
                r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error"}}"#,
                K::NotFound,
            ),
            (
                400,
                r#"{"error":{"code":"model_not_found","message":"no x"}}"#,
                K::NotFound,
            ),
            (404, "404 page not found", K::NotFound),
            (
                422,
                r#"{"detail":[{"loc":["body","x"],"msg":"extra fields not permitted"}]}"#,
                K::InvalidRequest,
            ),
            (
                400,
                r#"[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]"#,
                K::InvalidRequest,
            ),
            (
                400,
                r#"{"error":{"code":"content_filter","message":"filtered"}}"#,
                K::Refused,
            ),
            (408, "", K::Overloaded),
            (409, "null", K::Overloaded),
            (418, "[]", K::InvalidRequest),
            (307, "", K::Unknown),
        ];
        for (status, body, kind) in cases {
            let fault = answer(
                *status,
                &HeaderMap::new(),
                body.as_bytes(),
                SystemTime::now(),
            );
            assert_eq!(
                (fault.kind, fault.status),
                (*kind, Some(*status)),
                "{status} {body}"
            );
            assert!(
                !fault.message.contains(['<', '>']),
                "no markup: {}",
                fault.message
            );
        }
    }

    #[test]
    fn what_the_provider_said_is_kept() {
        let headers = headers(&[("x-request-id", "req_1"), ("retry-after", "2")]);
        let body = r#"{"error":{"message":"slow\u0000 down","type":"requests","code":"rate_limit_exceeded"}}"#;
        let fault = answer(429, &headers, body.as_bytes(), SystemTime::now());
        assert_eq!(fault.code.as_deref(), Some("rate_limit_exceeded"));
        assert_eq!(fault.request_id.as_deref(), Some("req_1"));
        assert_eq!(fault.retry_after, Some(Duration::from_secs(2)));
        assert_eq!(
            fault.message,
            "too many requests; wait a little (HTTP 429: slow down)"
        );
        let long = json!({ "error": { "message": "x".repeat(100_000) } }).to_string();
        let fault = answer(400, &HeaderMap::new(), long.as_bytes(), SystemTime::now());
        assert!(fault.message.chars().count() <= 1_000);
    }

    #[test]
    fn errors_in_the_stream_are_told_from_chunks() {
        let kind = |value| in_band(&value).map(|fault| (fault.kind, fault.status));
        for value in [
            json!({ "choices": [], "error": null }),
            json!({ "choices": [], "error": {} }),
            json!({ "choices": [], "error": "" }),
            json!({ "choices": [], "message": "in passing" }),
            json!({ "id": "x" }),
            json!([]),
        ] {
            assert_eq!(kind(value.clone()), None, "{value}");
        }
        assert_eq!(
            kind(json!({ "choices": [{}], "error": { "code": 502, "message": "gone" } })),
            Some((ErrorKind::Overloaded, Some(502)))
        );
        assert_eq!(
            kind(json!({ "error": { "code": "tool_use_failed", "status_code": 400 } })),
            Some((ErrorKind::InvalidRequest, Some(400)))
        );
        assert_eq!(
            kind(json!({ "error": "out of memory" })),
            Some((ErrorKind::Unknown, None))
        );
        assert_eq!(
            error_event("boom").message,
            "the provider reported an error (boom)"
        );
        let flat = error_event(r#"{"code":"server_error","message":"oops"}"#);
        assert_eq!(
            (flat.kind, flat.code.as_deref()),
            (ErrorKind::Overloaded, Some("server_error"))
        );
    }

    #[test]
    fn a_web_page_is_named_by_its_title() {
        let page = b"<!DOCTYPE html><TITLE lang=en>Sign in\n&amp; go</TITLE><b>x</b>";
        let fault = no_answer(200, &HeaderMap::new(), page);
        assert!(
            fault.message.ends_with("(a web page: Sign in &amp; go)"),
            "{}",
            fault.message
        );
        let cut = no_answer(200, &HeaderMap::new(), b"<html><title>x");
        assert!(cut.message.ends_with("(a web page)"), "{}", cut.message);
    }

    #[test]
    fn waits_are_read_in_all_spellings() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_470);
        for (pairs, wait) in [
            (
                &[("retry-after-ms", "1500"), ("retry-after", "9")][..],
                Some(1_500),
            ),
            (&[("retry-after", "0.5")], Some(500)),
            (&[("retry-after", " 3 ")], Some(3_000)),
            (
                &[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")],
                Some(10_000),
            ),
            (&[("retry-after", "Wed, 21 Oct 2015 07:00:00 GMT")], Some(0)),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "1e300")], None),
            (&[("retry-after", "soon")], None),
            (&[], None),
        ] {
            let found = retry_after(&headers(pairs), now);
            assert_eq!(found, wait.map(Duration::from_millis), "{pairs:?}");
        }
    }
}
