//! How each wire spells a good answer, its own errors, and its own ways of being wrong.

use protocol::Wire;
use serde_json::{Value, json};

/// A wire, with what the table needs to break.
pub(crate) struct Dialect {
    pub(crate) wire: Wire,
    /// What stands before the text.
    pub(crate) opening: String,
    /// A piece of text.
    pub(crate) text: fn(&str) -> String,
    /// The proper end.
    pub(crate) end: String,
    /// What may follow the proper end.
    pub(crate) after: String,
    /// The end with its terminal event left out.
    pub(crate) half_end: String,
    /// What keeps a connection alive.
    pub(crate) ping: String,
    /// The usage alone.
    pub(crate) usage: String,
    /// The beginning of a call, its arguments cut in half.
    pub(crate) half_call: String,
    /// A call of a tool by a name that holds control characters.
    pub(crate) odd_call: String,
    /// A piece of text whose text is a number.
    pub(crate) wrong_text: String,
    /// Events in which everything but the answer has a wrong type.
    pub(crate) wrong_rest: String,
    /// An event with fields and a kind that nobody knows.
    pub(crate) unknown: String,
    /// Errors in the stream: busy, and too many requests.
    pub(crate) busy: String,
    pub(crate) limited: String,
    /// Errors of their own, as status and body.
    pub(crate) bad_key: (u16, Value),
    pub(crate) no_credit: (u16, Value),
    pub(crate) too_long: (u16, Value),
    pub(crate) declined: (u16, Value),
    pub(crate) no_model: (u16, Value),
    pub(crate) unsupported: (u16, Value),
    pub(crate) overloaded: (u16, Value),
}

impl Dialect {
    /// A whole answer that says this.
    pub(crate) fn saying(&self, text: &str) -> String {
        self.begun(text) + &self.end
    }

    /// The same without its end.
    pub(crate) fn begun(&self, text: &str) -> String {
        self.opening.clone() + &(self.text)(text)
    }
}

/// An event without a name.
fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// An event with a name, which its data repeats.
fn named(value: &Value) -> String {
    let name = value["type"].as_str().unwrap();
    format!("event: {name}\ndata: {value}\n\n")
}

fn chunk(delta: &Value) -> String {
    data(&json!({ "id": "c1", "model": "m", "choices": [{ "index": 0, "delta": delta }] }))
}

pub(crate) fn chat() -> Dialect {
    let error = |code: &str, message: &str| json!({ "error": { "message": message, "type": code, "param": null, "code": code } });
    let finish = json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] });
    Dialect {
        wire: Wire::Chat,
        opening: chunk(&json!({ "role": "assistant", "content": "" })),
        text: |text| chunk(&json!({ "content": text })),
        end: data(&finish),
        after: "data: [DONE]\n\n".to_owned(),
        half_end: "data: [DONE]\n\n".to_owned(),
        ping: chunk(&json!({ "content": null })),
        usage: data(&json!({ "choices": [], "usage": { "prompt_tokens": 3 } })),
        half_call: chunk(&json!({ "tool_calls": [{
            "index": 0, "id": "t", "type": "function",
            "function": { "name": "look", "arguments": "{\"place\":\"Ham" },
        }] })),
        odd_call: chunk(&json!({ "tool_calls": [{
            "index": 0, "id": "t", "function": { "name": "lo\u{1b}[2Jok\u{0}", "arguments": "{}" },
        }] })),
        wrong_text: chunk(&json!({ "content": 7 })),
        wrong_rest: data(&json!({
            "id": 7, "model": ["m"], "created": {}, "usage": "many", "system_fingerprint": [],
            "choices": [{ "index": "0", "finish_reason": 5, "logprobs": 1, "delta": { "role": 9 } }],
        })),
        unknown: data(&json!({ "object": "chat.completion.surprise", "surprise": { "a": [1] } })),
        busy: data(&error("server_is_overloaded", "busy")),
        limited: data(&error(
            "rate_limit_exceeded",
            "slow down. Please try again in 7s.",
        )),
        bad_key: (401, error("invalid_api_key", "Incorrect API key provided")),
        no_credit: (
            429,
            error("insufficient_quota", "You exceeded your current quota"),
        ),
        too_long: (400, error("context_length_exceeded", "too long")),
        declined: (400, error("content_filter", "filtered")),
        no_model: (
            404,
            error("model_not_found", "The model `m` does not exist"),
        ),
        unsupported: (
            400,
            error(
                "unsupported_parameter",
                "Unsupported parameter: 'temperature'",
            ),
        ),
        overloaded: (
            503,
            error("server_error", "The engine is currently overloaded"),
        ),
    }
}

pub(crate) fn responses() -> Dialect {
    // xAI speaks this wire and has errors of its own.
    let flat = |code: &str, message: &str| json!({ "code": code, "error": message });
    let error = |code: &str, message: &str| json!({ "error": { "message": message, "type": "invalid_request_error", "code": code } });
    let event = |kind: &str, fields: Value| {
        let mut event = json!({ "type": kind, "sequence_number": 1, "output_index": 0 });
        event
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        named(&event)
    };
    let response = |status: &str| json!({ "id": "r1", "model": "m", "status": status });
    let item = |text: &str| {
        json!({
            "type": "message", "id": "i1", "role": "assistant",
            "content": [{ "type": "output_text", "text": text }],
        })
    };
    let calls = |name: &str| {
        event(
            "response.output_item.added",
            json!({ "output_index": 1, "item": {
                "type": "function_call", "id": "f1", "call_id": "t", "name": name, "arguments": "",
            } }),
        )
    };
    let failed = |code: &str, message: &str| {
        let mut response = response("failed");
        response["error"] = json!({ "code": code, "message": message });
        event("response.failed", json!({ "response": response }))
    };
    Dialect {
        wire: Wire::Responses,
        opening: event(
            "response.created",
            json!({ "response": response("in_progress") }),
        ) + &event("response.output_item.added", json!({ "item": item("") })),
        text: |text| {
            named(&json!({
                "type": "response.output_text.delta", "item_id": "i1", "output_index": 0,
                "content_index": 0, "delta": text,
            }))
        },
        end: event(
            "response.completed",
            json!({ "response": response("completed") }),
        ),
        after: "data: [DONE]\n\n".to_owned(),
        half_end: "data: [DONE]\n\n".to_owned(),
        ping: named(&json!({ "type": "keepalive", "sequence_number": 2 })),
        usage: event(
            "response.in_progress",
            json!({ "response": { "id": "r1", "usage": { "input_tokens": 3 } } }),
        ),
        half_call: calls("look")
            + &event(
                "response.function_call_arguments.delta",
                json!({ "output_index": 1, "item_id": "f1", "delta": "{\"place\":\"Ham" }),
            ),
        odd_call: calls("lo\u{1b}[2Jok\u{0}"),
        wrong_text: event(
            "response.output_text.delta",
            json!({ "item_id": "i1", "delta": 7 }),
        ),
        wrong_rest: named(&json!({
            "type": "response.in_progress", "sequence_number": "x", "output_index": "0",
            "item_id": 5, "response": { "id": 7, "model": ["m"], "usage": "many", "tools": 3 },
        })),
        unknown: named(
            &json!({ "type": "response.surprise.delta", "delta": "boo", "item_id": "i1" }),
        ),
        busy: failed("server_is_overloaded", "busy"),
        limited: failed("rate_limit_exceeded", "slow down. Please try again in 7s."),
        bad_key: (
            400,
            flat("invalid-argument", "Incorrect API key provided: x***y"),
        ),
        no_credit: (
            403,
            flat(
                "The caller does not have permission to execute the specified operation",
                "Your team has used all available credits or reached its monthly spending limit",
            ),
        ),
        too_long: (
            400,
            flat(
                "Client specified an invalid argument",
                "This model's maximum prompt length is 131072 but the request contains 216264 tokens",
            ),
        ),
        declined: (400, error("invalid_prompt", "Your prompt was flagged")),
        no_model: (404, flat("not-found", "The model m does not exist")),
        unsupported: (
            400,
            error("unsupported_value", "does not support 'minimal'"),
        ),
        overloaded: (503, error("slow_down", "slow down")),
    }
}

pub(crate) fn messages() -> Dialect {
    let error = |kind: &str, message: &str| {
        json!({
            "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_1",
        })
    };
    let block = |index: u32, block: Value| {
        named(&json!({ "type": "content_block_start", "index": index, "content_block": block }))
    };
    let delta = |index: u32, delta: Value| {
        named(&json!({ "type": "content_block_delta", "index": index, "delta": delta }))
    };
    let closed = named(&json!({ "type": "content_block_stop", "index": 0 }))
        + &named(&json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" } }));
    Dialect {
        wire: Wire::Messages,
        opening: named(&json!({ "type": "message_start", "message": {
            "id": "m1", "model": "m", "role": "assistant", "content": [],
            "usage": { "input_tokens": 3 },
        } }))
            + &block(0, json!({ "type": "text", "text": "" })),
        text: |text| {
            named(&json!({
                "type": "content_block_delta", "index": 0,
                "delta": { "type": "text_delta", "text": text },
            }))
        },
        end: closed.clone() + &named(&json!({ "type": "message_stop" })),
        after: named(&json!({ "type": "message_stop" })),
        half_end: closed,
        ping: named(&json!({ "type": "ping" })),
        usage: named(&json!({ "type": "message_delta", "usage": { "output_tokens": 3 } })),
        half_call: block(
            1,
            json!({ "type": "tool_use", "id": "t", "name": "look", "input": {} }),
        ) + &delta(
            1,
            json!({ "type": "input_json_delta", "partial_json": "{\"place\":\"Ham" }),
        ),
        odd_call: block(
            1,
            json!({ "type": "tool_use", "id": "t", "name": "lo\u{1b}[2Jok\u{0}", "input": {} }),
        ),
        wrong_text: delta(0, json!({ "type": "text_delta", "text": 7 })),
        wrong_rest: named(&json!({
            "type": "message_delta", "delta": { "stop_reason": 5, "stop_details": "x" },
            "usage": "many",
        })) + &named(&json!({ "type": "ping", "index": "0", "delta": 5 })),
        unknown: named(&json!({ "type": "surprise_block_delta", "index": 0, "delta": "boo" })),
        busy: named(&error("overloaded_error", "Overloaded")),
        limited: named(&error(
            "rate_limit_error",
            "slow down. Please try again in 7s.",
        )),
        bad_key: (401, error("authentication_error", "invalid x-api-key")),
        no_credit: (
            400,
            error(
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API",
            ),
        ),
        too_long: (
            400,
            error(
                "invalid_request_error",
                "prompt is too long: 216264 tokens > 200000 maximum",
            ),
        ),
        declined: (
            400,
            error(
                "invalid_request_error",
                "Output blocked by content management policy",
            ),
        ),
        no_model: (404, error("not_found_error", "model: m")),
        unsupported: (
            400,
            error(
                "invalid_request_error",
                "temperature is not supported by this model",
            ),
        ),
        overloaded: (529, error("overloaded_error", "Overloaded")),
    }
}

pub(crate) fn gemini() -> Dialect {
    let error = |code: u16, status: &str, message: &str, details: Value| {
        json!({ "error": {
            "code": code, "message": message, "status": status, "details": details,
        } })
    };
    let parts = |parts: Value| {
        data(&json!({
            "candidates": [{ "content": { "parts": parts, "role": "model" }, "index": 0 }],
            "modelVersion": "m", "responseId": "g1",
        }))
    };
    Dialect {
        wire: Wire::Gemini,
        opening: parts(json!([{ "text": "" }])),
        text: |text| {
            data(&json!({ "candidates": [{ "content": { "parts": [{ "text": text }] } }] }))
        },
        end: data(&json!({
            "candidates": [{ "content": { "parts": [{ "text": "" }] }, "finishReason": "STOP" }],
        })),
        after: "data: null\n\n".to_owned(),
        half_end: parts(json!([{ "text": "" }])),
        ping: parts(json!([])),
        usage: data(&json!({ "usageMetadata": { "promptTokenCount": 3 } })),
        half_call: "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\
                    \"look\",\"args\":{\"place\":\"Ham"
            .to_owned(),
        odd_call: parts(json!([{ "functionCall": { "name": "lo\u{1b}[2Jok\u{0}", "args": {} } }])),
        wrong_text: parts(json!([{ "text": 7 }])),
        wrong_rest: data(&json!({
            "candidates": [{ "index": "0", "finishReason": 5, "safetyRatings": "none" }],
            "modelVersion": 7, "responseId": [], "usageMetadata": "many", "promptFeedback": 3,
        })),
        unknown: data(&json!({ "surprise": { "a": [1] } })),
        busy: data(&error(
            503,
            "UNAVAILABLE",
            "The model is overloaded",
            json!([]),
        )),
        limited: data(&error(
            429,
            "RESOURCE_EXHAUSTED",
            "slow down",
            json!([{ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s" }]),
        )),
        bad_key: (
            400,
            error(
                400,
                "INVALID_ARGUMENT",
                "Request failed",
                json!([{
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "API_KEY_INVALID",
                }]),
            ),
        ),
        no_credit: (
            429,
            error(
                429,
                "RESOURCE_EXHAUSTED",
                "You exceeded your current quota",
                json!([{
                    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                    "violations": [{ "quotaId": "GenerateRequestsPerDayPerProjectPerModel" }],
                }]),
            ),
        ),
        too_long: (
            400,
            error(
                400,
                "INVALID_ARGUMENT",
                "The input token count (1200000) exceeds the maximum number of tokens allowed",
                json!([]),
            ),
        ),
        declined: (
            400,
            error(
                400,
                "PROHIBITED_CONTENT",
                "The prompt was blocked",
                json!([]),
            ),
        ),
        no_model: (
            404,
            error(
                404,
                "NOT_FOUND",
                "models/m is not found for API version v1beta",
                json!([]),
            ),
        ),
        unsupported: (
            400,
            error(
                400,
                "INVALID_ARGUMENT",
                "Invalid JSON payload received. Unknown name \"effort\": Cannot find field.",
                json!([]),
            ),
        ),
        overloaded: (
            503,
            error(503, "UNAVAILABLE", "The model is overloaded", json!([])),
        ),
    }
}
