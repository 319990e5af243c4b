//! Which kind an error answer is, judged by its status and its body together: a bad key is 401 here
//! and 400 there, an overlong prompt has a dozen names, and a proxy answers with a web page. Words
//! of a message count only where the status allows what they say.

use std::time::SystemTime;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::said::{MAX_CODE, Said, plain_text, read, read_loosely, read_object, short};
use super::{ErrorKind, Fault, wait};

/// The fault of an HTTP answer that is none of success.
pub(crate) fn answer(status: u16, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Fault {
    let text = String::from_utf8_lossy(body);
    let said = match serde_json::from_str::<Value>(text.trim()) {
        Ok(value) => read(&value)
            .or_else(|| read_loosely(&value))
            .unwrap_or_default(),
        Err(_) => Said {
            message: plain_text(&text),
            ..Said::default()
        },
    };
    let mut fault = fault(Some(status), said);
    let limited = || {
        (status == 429)
            .then(|| wait::until_reset(headers))
            .flatten()
    };
    fault.retry_after = wait::in_headers(headers, now)
        .or(fault.retry_after)
        .or_else(limited);
    fault.request_id = request_id(headers).or(fault.request_id);
    fault
}

/// The fault that a whole body with status 200 reports; `None` when it is none.
pub(crate) fn in_body(value: &Value) -> Option<Fault> {
    let said = read(value).or_else(|| read_loosely(value))?;
    Some(fault(said.status, said))
}

/// The fault that a chunk of a stream reports; `None` when it is none. A stream may hold what we do
/// not know, so that only what calls itself an error is one.
pub(crate) fn in_stream(value: &Value) -> Option<Fault> {
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
        retry_after: said.retry_after,
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
    // A country that is not served and a policy come as 403 too: another key would not help.
    let about_key = message.is_empty()
        || says(&[
            "key",
            "authenti",
            "authoriz",
            "authoris",
            "credential",
            "permission",
            "token",
        ]);
    match status {
        Some(403) if !about_key => ErrorKind::InvalidRequest,
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use pretty_assertions::assert_eq;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::json;

    use super::{answer, error_event, in_body, in_stream, no_answer};
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
                403,
                r#"{"error":{"message":"You have insufficient permissions for this operation"}}"#,
                K::Auth,
            ),
            (
                403,
                r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported"}}"#,
                K::InvalidRequest,
            ),
            (
                403,
                "<html><title>Attention Required!</title>",
                K::InvalidRequest,
            ),
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
        let kind = |value| in_stream(&value).map(|fault| (fault.kind, fault.status));
        for value in [
            json!({ "choices": [], "error": null }),
            json!({ "choices": [], "error": {} }),
            json!({ "choices": [], "error": "" }),
            json!({ "choices": [], "message": "in passing" }),
            json!({ "message": "in passing" }),
            json!({ "detail": "in passing" }),
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
        for said in [json!({ "message": "no" }), json!({ "detail": "no" })] {
            assert!(in_body(&said).is_some(), "a body says nothing else: {said}");
        }
        assert_eq!(
            kind(json!({ "type": "error", "message": "x", "code": "server_error" })),
            Some((ErrorKind::Overloaded, None))
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
    fn lists_of_faults_name_their_fields() {
        let faults = json!([
            { "type": "extra_forbidden", "loc": ["body", "messages", 0], "msg": "not permitted" },
            { "msg": "field required" },
            "odd",
        ]);
        let told = "(HTTP 422: body.messages.0: not permitted; field required; \"odd\")";
        for body in [
            json!({ "detail": faults }),
            json!({ "object": "error", "message": { "detail": faults }, "code": null }),
        ] {
            let fault = answer(
                422,
                &HeaderMap::new(),
                body.to_string().as_bytes(),
                SystemTime::now(),
            );
            assert!(fault.message.ends_with(told), "{}", fault.message);
        }
    }

    #[test]
    fn hostile_bodies_become_short_plain_lines() {
        let deep = "[".repeat(60_000);
        let many = json!({ "detail": vec![json!({ "loc": vec!["x"; 500], "msg": "y" }); 5_000] });
        for body in [
            deep.clone(),
            format!("{{\"error\":{deep}"),
            many.to_string(),
            json!({ "error": { "message": { "a": "\u{202e}\u{7}b" }, "code": ["x"], "type": 5 } })
                .to_string(),
            json!({ "error": { "message": "ab\u{202e}cd\u{200b}\u{2066}\u{feff}e", "code": "x\u{200d}" } })
                .to_string(),
            json!({ "error": { "message": "m", "status": -1, "details": [[], { "retryDelay": {} }] } })
                .to_string(),
        ] {
            let fault = answer(400, &HeaderMap::new(), body.as_bytes(), SystemTime::now());
            assert!(fault.message.chars().count() <= 1_000, "{}", fault.message);
            let odd = |c: char| c.is_control() || crate::error::said::is_unseen(c);
            assert!(!fault.message.contains(odd), "{:?}", fault.message);
            assert!(!fault.code.unwrap_or_default().contains(odd));
        }
    }

    #[test]
    fn waits_are_taken_from_where_they_stand() {
        let wait = |status, pairs, body: &str| {
            answer(status, &headers(pairs), body.as_bytes(), SystemTime::now()).retry_after
        };
        let body = r#"{"error":{"code":429,"message":"slow","details":[{"retryDelay":"48s"}]}}"#;
        let reset = [("x-ratelimit-reset-tokens", "9s")];
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait(429, &[("retry-after", "2")], body), seconds(2));
        assert_eq!(wait(429, &reset, body), seconds(48));
        assert_eq!(wait(429, &reset, ""), seconds(9));
        assert_eq!(wait(500, &reset, ""), None, "the limit is not what failed");
    }
}
