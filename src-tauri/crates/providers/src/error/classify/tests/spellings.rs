//! How each provider spells what: as recorded, or as its documents and its server's source say.

use std::time::{Duration, SystemTime};

use pretty_assertions::assert_eq;
use protocol::{AppError, ErrorAction as A, ProviderId};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::super::{answer, in_body, in_stream};
use super::headers;
use crate::{ErrorKind as K, Fault};

fn fault(status: u16, body: &str) -> Fault {
    answer(
        status,
        &HeaderMap::new(),
        body.as_bytes(),
        SystemTime::now(),
    )
}

/// Every body with its status gives the kind and the action.
fn all(kind: K, action: Option<A>, bodies: &[(u16, &str)]) {
    for (status, body) in bodies {
        let fault = fault(*status, body);
        assert_eq!(
            (fault.kind, fault.action),
            (kind, action),
            "{status} {body}"
        );
    }
}

#[test]
fn a_bad_key() {
    all(
        K::Auth,
        Some(A::FixKey),
        &[
            // OpenAI
            (
                401,
                r#"{"error":{"message":"Incorrect API key provided: sk-x.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
            ),
            (
                401,
                r#"{"error":{"message":"You didn't provide an API key.","type":"invalid_request_error","param":null,"code":null}}"#,
            ),
            (
                403,
                r#"{"error":{"message":"You have insufficient permissions for this operation. Missing scopes: model.request.","type":"invalid_request_error"}}"#,
            ),
            // Anthropic
            (
                401,
                r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"},"request_id":"req_1"}"#,
            ),
            (
                403,
                r#"{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource"}}"#,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"This organization has been disabled."}}"#,
            ),
            // xAI
            (
                400,
                r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: x***y. You can obtain an API key from https://console.x.ai."}"#,
            ),
            // Gemini
            (
                400,
                r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}"#,
            ),
            (
                400,
                r#"[{"error":{"code":400,"message":"Please pass a valid one.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"API key expired. Please renew the API key.","status":"INVALID_ARGUMENT"}}"#,
            ),
            (
                403,
                r#"{"error":{"code":403,"message":"Method doesn't allow unregistered callers","status":"PERMISSION_DENIED"}}"#,
            ),
            // DeepSeek, Mistral, Cohere, Azure, OpenRouter, llama-server, Ollama's cloud
            (
                401,
                r#"{"error":{"message":"Authentication Fails (no such user)","type":"authentication_error","param":null,"code":"invalid_request_error"}}"#,
            ),
            (401, r#"{"detail":"Unauthorized"}"#),
            (401, r#"{"message":"Unauthorized","request_id":"r"}"#),
            (401, r#"{"message":"invalid api token"}"#),
            (
                401,
                r#"{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}}"#,
            ),
            (
                401,
                r#"{"statusCode":401,"message":"Unauthorized. Access token is missing."}"#,
            ),
            (
                401,
                r#"{"error":{"message":"No auth credentials found","code":401}}"#,
            ),
            (
                401,
                r#"{"error":{"code":401,"message":"Invalid API Key","type":"authentication_error"}}"#,
            ),
            (401, r#"{"error":"unauthorized"}"#),
            // Perplexity
            (
                401,
                "<html><head><title>401 Authorization Required</title></head></html>",
            ),
        ],
    );
}

#[test]
fn no_credit() {
    all(
        K::Quota,
        Some(A::SwitchModel),
        &[
            (
                429,
                r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            ),
            (
                429,
                r#"{"error":{"message":"x","type":"billing_hard_limit_reached","code":"billing_hard_limit_reached"}}"#,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}"#,
            ),
            (
                402,
                r#"{"type":"error","error":{"type":"billing_error","message":"x"}}"#,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."}}"#,
            ),
            (
                403,
                r#"{"code":"The caller does not have permission to execute the specified operation","error":"Your newly created team doesn't have any credits yet."}"#,
            ),
            (
                429,
                r#"{"code":"Some resource has been exhausted","error":"Your team t has either used all available credits or reached its monthly spending limit."}"#,
            ),
            (
                402,
                r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
            ),
            (
                402,
                r#"{"error":{"code":402,"message":"This request requires more credits, or fewer max_tokens."}}"#,
            ),
            (
                429,
                r#"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"x","quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"48s"}]}}"#,
            ),
        ],
    );
}

#[test]
fn too_many_requests() {
    all(
        K::RateLimited,
        Some(A::Retry),
        &[
            (
                429,
                r#"{"error":{"message":"Rate limit reached for m in organization o on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
            ),
            (
                429,
                r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 40,000 input tokens per minute"}}"#,
            ),
            (
                429,
                r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"48s"}]}}"#,
            ),
            (429, r#"{"message":"Requests rate limit exceeded"}"#),
            (
                429,
                r#"{"object":"error","message":"Requests rate limit exceeded","type":"rate_limited","param":null,"code":"1300"}"#,
            ),
            (
                413,
                r#"{"error":{"message":"Request too large for model m on tokens per minute (TPM): Limit 6000, Requested 9000","type":"tokens","code":"rate_limit_exceeded"}}"#,
            ),
            (
                429,
                r#"{"error":{"code":"429","message":"Requests to the API have exceeded call rate limit of your tier."}}"#,
            ),
            (429, "Too Many Requests"),
        ],
    );
}

#[test]
fn busy_or_down() {
    all(
        K::Overloaded,
        Some(A::Retry),
        &[
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            ),
            (
                503,
                r#"{"error":{"message":"Slow down","type":"slow_down","code":"slow_down"}}"#,
            ),
            (
                503,
                r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#,
            ),
            (
                500,
                r#"{"error":{"code":500,"message":"An internal error has occurred.","status":"INTERNAL"}}"#,
            ),
            (
                504,
                r#"{"error":{"code":504,"message":"Deadline expired","status":"DEADLINE_EXCEEDED"}}"#,
            ),
            (
                429,
                r#"{"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","param":null,"code":"3505"}"#,
            ),
            (
                498,
                r#"{"error":{"message":"Flex tier capacity exceeded"}}"#,
            ),
            (
                502,
                r#"{"error":{"message":"Provider returned error","code":502}}"#,
            ),
            (
                503,
                r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
            ),
            (
                500,
                r#"{"error":"llama runner process has terminated: exit status 2"}"#,
            ),
            (524, "<html><title>524: A timeout occurred</title></html>"),
        ],
    );
}

#[test]
fn a_conversation_that_is_too_long() {
    all(
        K::ContextOverflow,
        Some(A::Shorten),
        &[
            (
                400,
                r#"{"error":{"message":"Your input exceeds the context window of this model. Please adjust your input and try again.","type":"invalid_request_error","param":"input","code":"context_length_exceeded"}}"#,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 216264 tokens > 200000 maximum"}}"#,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000"}}"#,
            ),
            (
                413,
                r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
            ),
            (
                400,
                r#"{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 216264 tokens."}"#,
            ),
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 131072 tokens. However, you requested 216264 tokens","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
            ),
            (
                400,
                r#"{"object":"error","message":"Prompt contains 50001 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_prompt","param":null,"code":"3051"}"#,
            ),
            (
                400,
                r#"{"id":"x","message":"too many tokens: size limit exceeded by 11326 tokens.","error_type":"TOO_MANY_TOKENS"}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Requested input is too long","type":"too_many_prompt_tokens","code":400}}"#,
            ),
            (
                400,
                r#"{"error":"prompt too long; exceeded max context length by 4 tokens"}"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"This endpoint's maximum context length is 8192 tokens. However, you requested about 9000 tokens"}}"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":5000,"n_ctx":4096}}"#,
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 2048 tokens.","type":"BadRequestError","param":null,"code":400}"#,
            ),
            (
                400,
                r#"{"error":"Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens"}"#,
            ),
            (
                400,
                r#"{"error":{"message":"litellm.ContextWindowExceededError: no","type":null,"param":null,"code":"400"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"provider_name":"P","raw":"{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}"}}}"#,
            ),
            (413, ""),
        ],
    );
}

#[test]
fn a_request_that_is_declined() {
    all(
        K::Refused,
        Some(A::SwitchModel),
        &[
            (
                400,
                r#"{"error":{"message":"The response was filtered due to the prompt triggering the content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{}}}}"#,
            ),
            (
                400,
                r#"{"error":{"code":"x","message":"y","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy.","type":"invalid_request_error","code":"invalid_prompt"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#,
            ),
            (
                403,
                r#"{"error":{"code":403,"message":"Your chosen model requires it.","metadata":{"reasons":["violence"],"flagged_input":"x","provider_name":"P"}}}"#,
            ),
            (451, ""),
        ],
    );
}

#[test]
fn what_is_not_there() {
    all(
        K::NotFound,
        Some(A::SwitchModel),
        &[
            (
                404,
                r#"{"error":{"message":"The model `m` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
            ),
            (
                404,
                r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-none"}}"#,
            ),
            (
                404,
                r#"{"code":"Some requested entity was not found","error":"The model m does not exist or your team t does not have access to it."}"#,
            ),
            (
                404,
                r#"{"error":{"code":404,"message":"models/m is not found for API version v1beta, or is not supported for generateContent.","status":"NOT_FOUND"}}"#,
            ),
            (
                400,
                r#"{"object":"error","message":"Invalid model: m","type":"invalid_model","param":null,"code":"1500"}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"The model `m` has been decommissioned and is no longer supported.","type":"invalid_request_error","code":"model_decommissioned"}}"#,
            ),
            (
                404,
                r#"{"error":{"message":"model \"m\" not found, try pulling it first","type":"not_found_error","param":null,"code":null}}"#,
            ),
            (
                404,
                r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"m is not a valid model ID","code":400}}"#,
            ),
            (
                404,
                r#"{"error":{"message":"No endpoints found for m.","code":404}}"#,
            ),
            (
                404,
                r#"{"object":"error","message":"The model `m` does not exist.","type":"NotFoundError","param":null,"code":404}"#,
            ),
        ],
    );
    all(
        K::NotFound,
        None,
        &[
            (404, "404 page not found"),
            (
                404,
                r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#,
            ),
            (
                404,
                r#"{"error":{"code":"404","message":"Resource not found"}}"#,
            ),
            (404, r#"{"detail":"Not Found"}"#),
            (
                404,
                r#"{"error":{"message":"Invalid URL (GET /v1/v1/models)","type":"invalid_request_error"}}"#,
            ),
            (405, ""),
            (410, ""),
        ],
    );
    let said = json!({ "error": "Unexpected endpoint or method. (POST /chat/completions)" });
    let fault = in_body(&said).unwrap();
    assert_eq!((fault.kind, fault.action), (K::NotFound, None));
}

#[test]
fn what_a_model_does_not_take() {
    all(
        K::InvalidRequest,
        Some(A::SwitchModel),
        &[
            (
                400,
                r#"{"error":{"message":"Unsupported parameter: 'temperature' is not supported with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_parameter"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Unrecognized request argument supplied: stream_options","type":"invalid_request_error"}}"#,
            ),
            (
                422,
                r#"{"detail":[{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs are not permitted"}]}"#,
            ),
            (
                400,
                r#"{"error":{"message":"registry.ollama.ai/library/m does not support tools","type":"api_error"}}"#,
            ),
            (
                501,
                r#"{"error":{"code":501,"message":"This server does not support tools","type":"not_supported_error"}}"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}"#,
            ),
            (
                403,
                r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","type":"request_forbidden"}}"#,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages: roles must alternate"}}"#,
            ),
        ],
    );
}

#[test]
fn a_wait_is_an_action_with_its_length() {
    let provider: ProviderId = "openai".parse().unwrap();
    let told = |fault: Fault| AppError::from(fault.at(&provider));
    let pairs = [("retry-after", "30"), ("x-request-id", "req_7")];
    for status in [429, 503] {
        let error = told(answer(status, &headers(&pairs), b"", SystemTime::now()));
        assert_eq!(error.action, Some(A::Wait));
        assert_eq!(error.retry_after_ms, Some(30_000));
        assert_eq!(error.request_id.as_deref(), Some("req_7"));
    }
    assert_eq!(told(fault(429, "")).action, Some(A::Retry));
    // Waiting does not bring credit.
    let code = br#"{"error":{"code":"insufficient_quota"}}"#;
    let error = told(answer(429, &headers(&pairs), code, SystemTime::now()));
    assert_eq!(error.action, Some(A::SwitchModel));
}

#[test]
fn waits_are_told_in_words() {
    for (seconds, words) in [
        ("0", "wait 1 s"),
        ("1.2", "wait 2 s"),
        ("119", "wait 119 s"),
        ("121", "wait 3 min"),
        ("7200", "wait 2 h"),
    ] {
        let fault = answer(
            429,
            &headers(&[("retry-after", seconds)]),
            b"",
            SystemTime::now(),
        );
        assert!(fault.message.contains(words), "{}", fault.message);
    }
    let limited = json!({ "error": {
        "code": "rate_limit_exceeded", "message": "Please try again in 1.898s.",
    } });
    let fault = in_stream(&limited).unwrap();
    assert_eq!(fault.retry_after, Some(Duration::from_millis(1_898)));
}

#[test]
fn errors_within_errors_are_read() {
    let raw = json!({ "error": { "message": "no such tool", "type": "x" } });
    for raw in [raw.clone(), Value::String(raw.to_string())] {
        let body = json!({ "error": {
            "code": 400, "message": "Provider returned error", "metadata": { "raw": raw },
        } });
        let fault = fault(400, &body.to_string());
        let told = "(HTTP 400: Provider returned error: no such tool)";
        assert!(fault.message.ends_with(told), "{}", fault.message);
    }
    let twice = json!({ "error": { "error": { "message": "inner", "code": "rate_limit_error" } } });
    assert_eq!(fault(400, &twice.to_string()).kind, K::RateLimited);
    let listed = json!({ "success": false, "errors": [{ "code": 10000, "message": "a list" }] });
    assert!(
        fault(400, &listed.to_string())
            .message
            .ends_with("(HTTP 400: a list)")
    );
    // However often it is wrapped, it is read in time.
    let mut deep = json!("x");
    for _ in 0..60 {
        deep = json!({ "error": { "message": "m", "error": deep, "metadata": { "raw": deep } } });
        if deep.to_string().len() > 1 << 16 {
            break;
        }
    }
    assert!(fault(400, &deep.to_string()).message.len() < 2_000);
}

#[test]
fn the_body_is_kept_in_bounds_and_without_the_key() {
    let key = protocol::Secret::new("sk-canary-0123456789".to_owned());
    let body = format!(
        "{{\"error\":\"sk-canary-0123456789 {}\"}}",
        "é".repeat(9_000)
    );
    let fault = fault(400, &body).scrubbed(Some(&key));
    let kept = fault.body.as_deref().unwrap();
    assert!(
        kept.len() <= 4 << 10 && kept.starts_with("{\"error\":\"… éé"),
        "{kept}"
    );
    assert!(!format!("{fault:?}").contains("canary"));
    assert_eq!(self::fault(500, " \n").body, None);
}
