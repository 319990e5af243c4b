//! One conversation on a way through the house and three wires and back, with tool calls, an image and
//! thinking in it: at every step the request is one that its wire takes.

use std::collections::HashSet;

use engine::{Engine, TurnUpdate};
use pretty_assertions::assert_eq;
use protocol::{Cluster, ConversationId, EndpointDraft, ModelRef, SendMessage, Wire};
use serde_json::{Value, json};

use super::{attach, put, result};
use crate::scripted::{Call, Server, beside, end, model, open, question};

async fn add(engine: &Engine, name: &str, server: &Server, wire: Wire) {
    let draft = EndpointDraft {
        id: None,
        name: name.to_owned(),
        base_url: server.base_url.clone(),
        wire,
        needs_key: false,
        headers: Vec::new(),
    };
    engine.save_endpoint(draft).await.unwrap();
}

/// Asks, and hands the request to the test, which answers it.
async fn step<F: Future<Output = ()>>(
    engine: &Engine,
    server: &mut Server,
    conversation: Option<ConversationId>,
    to: ModelRef,
    answer: impl FnOnce(Call) -> F,
) -> (ConversationId, Value) {
    let request = SendMessage {
        model: Some(to.clone()),
        ..question(conversation, &format!("to {to}"))
    };
    let started = engine.send(request).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    let call = server.call().await;
    let body = call.body.clone();
    answer(call).await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished, "{to}");
    (started.conversation_id, body)
}

fn sse(events: &[Value]) -> String {
    let event = |event: &Value| {
        let name = event["type"].as_str().unwrap();
        format!("event: {name}\ndata: {event}\n\n")
    };
    events.iter().map(event).collect()
}

/// An answer of Anthropic's: signed thinking, words, and a call.
fn messages_answer() -> String {
    let start = |index: u32, block: Value| json!({ "type": "content_block_start", "index": index, "content_block": block });
    let delta = |index: u32, delta: Value| json!({ "type": "content_block_delta", "index": index, "delta": delta });
    let stop = |index: u32| json!({ "type": "content_block_stop", "index": index });
    sse(&[
        json!({ "type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [],
            "stop_reason": null, "usage": { "input_tokens": 5, "output_tokens": 1 } } }),
        start(
            0,
            json!({ "type": "thinking", "thinking": "", "signature": "" }),
        ),
        delta(0, json!({ "type": "thinking_delta", "thinking": "Hm." })),
        delta(
            0,
            json!({ "type": "signature_delta", "signature": "signed-by-claude" }),
        ),
        stop(0),
        start(1, json!({ "type": "text", "text": "" })),
        delta(1, json!({ "type": "text_delta", "text": "I look." })),
        stop(1),
        start(
            2,
            json!({ "type": "tool_use", "id": "toolu_2", "name": "look", "input": {} }),
        ),
        delta(
            2,
            json!({ "type": "input_json_delta", "partial_json": "{\"at\":\"sky\"}" }),
        ),
        stop(2),
        json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" }, "usage": { "output_tokens": 9 } }),
        json!({ "type": "message_stop" }),
    ])
}

/// An answer of OpenAI's: reasoning that only it can read, and words.
fn responses_answer() -> String {
    let reasoning = json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed-by-gpt" });
    let part = json!({ "type": "output_text", "text": "Blue.", "annotations": [] });
    let message = |content: Value, status: &str| json!({ "type": "message", "id": "m_1", "role": "assistant", "status": status, "content": content });
    let done = json!({ "id": "r_1", "object": "response", "status": "completed", "model": "gpt",
        "output": [reasoning, message(json!([part]), "completed")],
        "usage": { "input_tokens": 5, "output_tokens": 3, "total_tokens": 8 } });
    sse(&[
        json!({ "type": "response.created", "response": { "id": "r_1", "object": "response", "status": "in_progress", "model": "gpt", "output": [] } }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": reasoning }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": reasoning }),
        json!({ "type": "response.output_item.added", "output_index": 1, "item": message(json!([]), "in_progress") }),
        json!({ "type": "response.content_part.added", "item_id": "m_1", "output_index": 1, "content_index": 0, "part": { "type": "output_text", "text": "", "annotations": [] } }),
        json!({ "type": "response.output_text.delta", "item_id": "m_1", "output_index": 1, "content_index": 0, "delta": "Blue." }),
        json!({ "type": "response.output_text.done", "item_id": "m_1", "output_index": 1, "content_index": 0, "text": "Blue." }),
        json!({ "type": "response.content_part.done", "item_id": "m_1", "output_index": 1, "content_index": 0, "part": part }),
        json!({ "type": "response.output_item.done", "output_index": 1, "item": message(json!([part]), "completed") }),
        json!({ "type": "response.completed", "response": done }),
    ])
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn ids<'a>(items: impl IntoIterator<Item = &'a Value>, field: &str) -> HashSet<String> {
    let id = |item: &Value| item[field].as_str().unwrap().to_owned();
    items.into_iter().map(id).collect()
}

/// Calls are answered by the messages that follow, each once, and nothing else is.
fn assert_valid_chat(body: &Value) {
    let mut open: HashSet<String> = HashSet::new();
    for message in list(body, "messages") {
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap();
            assert!(open.remove(id), "{id} answers a call: {body}");
            continue;
        }
        assert!(open.is_empty(), "{open:?} have no result: {body}");
        open = ids(list(message, "tool_calls"), "id");
    }
    assert!(open.is_empty(), "{open:?} have no result: {body}");
}

/// Speakers take turns; the results of all calls begin the next message, and their tools are named.
fn assert_valid_messages(body: &Value) {
    let tools = ids(list(body, "tools"), "name");
    let of_type = |message: &Value, kind: &str| -> Vec<Value> {
        let blocks = list(message, "content").iter();
        blocks
            .filter(|block| block["type"] == kind)
            .cloned()
            .collect()
    };
    let mut expected = HashSet::new();
    for (message, role) in list(body, "messages")
        .iter()
        .zip(["user", "assistant"].iter().cycle())
    {
        assert_eq!(message["role"], *role, "{body}");
        let results = of_type(message, "tool_result");
        assert_eq!(ids(&results, "tool_use_id"), expected, "{body}");
        let first = list(message, "content").iter().take(results.len());
        assert!(
            first
                .into_iter()
                .all(|block| block["type"] == "tool_result"),
            "{body}"
        );
        let calls = of_type(message, "tool_use");
        assert!(
            calls
                .iter()
                .all(|call| tools.contains(call["name"].as_str().unwrap())),
            "{body}"
        );
        expected = ids(&calls, "id");
    }
    assert!(expected.is_empty(), "{body}");
}

/// Every call has an output after it, and every output a call before it.
fn assert_valid_responses(body: &Value) {
    let mut open = HashSet::new();
    for item in list(body, "input") {
        let id = item["call_id"].as_str().map(str::to_owned);
        match item["type"].as_str() {
            Some("function_call") => assert!(open.insert(id.unwrap()), "{body}"),
            Some("function_call_output") => assert!(open.remove(&id.unwrap()), "{body}"),
            _ => {}
        }
    }
    assert!(open.is_empty(), "{body}");
}

#[tokio::test]
async fn a_conversation_goes_through_the_house_and_every_wire() {
    let home = tempfile::TempDir::new().unwrap();
    let engine = open(&home).await;
    let mut house = Server::start().await;
    let mut anthropic = Server::start().await;
    let mut openai = Server::start().await;
    let mut deepseek = Server::start().await;
    add(&engine, "A", &anthropic, Wire::Messages).await;
    add(&engine, "O", &openai, Wire::Responses).await;
    add(&engine, "D", &deepseek, Wire::Chat).await;
    let mut settings = engine.settings().await.unwrap();
    settings.inhouse_cluster = Some(Cluster {
        base_url: house.base_url.clone(),
        model: "llama".to_owned(),
        max_concurrent: 4,
    });
    engine.save_settings(settings).await.unwrap();
    let store = beside(&home).await;
    let inhouse = ModelRef::inhouse("default");

    // In the house, which calls a tool.
    let calls = |mut call: Call| async move {
        call.begin().await;
        let function = json!({ "name": "look", "arguments": "{}" });
        let tool = json!({ "index": 0, "id": "call_1", "type": "function", "function": function });
        let choice =
            json!({ "index": 0, "delta": { "tool_calls": [tool] }, "finish_reason": null });
        call.data(&json!({ "id": "c", "model": "llama", "choices": [choice] }))
            .await;
        call.finish("tool_calls").await;
    };
    let (id, body) = step(&engine, &mut house, None, inhouse.clone(), calls).await;
    assert_valid_chat(&body);
    let image = attach(&store, "sky.png", "image/png", b"\x89PNG").await;
    put(&store, id, vec![result("call_1"), image]).await;

    // Anthropic, which gets that call, its result and the image, and calls another.
    let claude = model("a/claude");
    let answer = |call: Call| async move { call.stream(&messages_answer()).await };
    let (_, body) = step(&engine, &mut anthropic, Some(id), claude.clone(), answer).await;
    assert_valid_messages(&body);
    let text = body.to_string();
    assert!(
        text.contains("call_1") && text.contains("iVBORw=="),
        "{text}"
    );
    put(&store, id, vec![result("toolu_2")]).await;

    // OpenAI, which gets both calls and none of Anthropic's thoughts.
    let answer = |call: Call| async move { call.stream(&responses_answer()).await };
    let (_, body) = step(&engine, &mut openai, Some(id), model("o/gpt"), answer).await;
    assert_valid_responses(&body);
    let text = body.to_string();
    assert!(
        text.contains("call_1") && text.contains("toolu_2"),
        "{text}"
    );
    assert!(
        text.contains("iVBORw==") && !text.contains("signed-by-claude"),
        "{text}"
    );

    // DeepSeek, which gets nothing that was sealed.
    let answer = |call: Call| async move { call.answer("Deep.").await };
    let (_, body) = step(&engine, &mut deepseek, Some(id), model("d/seek"), answer).await;
    assert_valid_chat(&body);
    let text = body.to_string();
    assert!(
        !text.contains("sealed-by-gpt") && !text.contains("signed-by-claude"),
        "{text}"
    );
    assert!(!text.contains("Hm.") && text.contains("Blue."), "{text}");

    // The house again.
    let answer = |call: Call| async move { call.answer("Home.").await };
    let (_, body) = step(&engine, &mut house, Some(id), inhouse, answer).await;
    assert_valid_chat(&body);
    assert!(body.to_string().contains("Deep."));

    // And Anthropic once more, which gets its own thoughts back as it signed them.
    let answer = |call: Call| async move { call.stream(&messages_answer()).await };
    let (_, body) = step(&engine, &mut anthropic, Some(id), claude, answer).await;
    assert_valid_messages(&body);
    let text = body.to_string();
    assert!(
        text.contains("signed-by-claude") && !text.contains("sealed-by-gpt"),
        "{text}"
    );
}
