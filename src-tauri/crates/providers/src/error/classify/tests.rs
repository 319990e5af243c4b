//! The errors that providers give, and hostile ones.

mod spellings;

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
    let body =
        r#"{"error":{"message":"slow\u0000 down","type":"requests","code":"rate_limit_exceeded"}}"#;
    let fault = answer(429, &headers, body.as_bytes(), SystemTime::now());
    assert_eq!(fault.code.as_deref(), Some("rate_limit_exceeded"));
    assert_eq!(fault.request_id.as_deref(), Some("req_1"));
    assert_eq!(fault.retry_after, Some(Duration::from_secs(2)));
    assert_eq!(
        fault.message,
        "too many requests; wait 2 s, or switch the model (HTTP 429: slow down)"
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
        "the provider reported an error; try again, or switch the model (boom)"
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
    let many = json!({ "detail": vec![json!({ "loc": vec!["x"; 50], "msg": "y" }); 500] });
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
        let odd = |c: char| c.is_control() || crate::error::text::is_unseen(c);
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
