//! `aimock`, which says what `aimock.json` tells it to, on every wire and as providers of its own
//! reading: OpenAI, Anthropic, Gemini, OpenRouter and Ollama.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use futures::future::join_all;
use protocol::{Header, Part, Role, StopReason, Wire};
use providers::{ErrorKind, Provider, Remote};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::server::{Server, named};
use crate::{client, key, message, remote, request, results, user, weather};

/// Who is imitated, on which wire, and where under the server's address.
const IMITATED: [(&str, Wire, &str); 6] = [
    ("openai", Wire::Chat, "/v1"),
    ("openai", Wire::Responses, "/v1"),
    ("anthropic", Wire::Messages, "/v1"),
    ("gemini", Wire::Gemini, "/v1beta"),
    ("openrouter", Wire::Chat, "/api/v1"),
    ("ollama", Wire::Chat, ""),
];

/// The words of the answers that are cut.
const COUNTED: &str = "one two three four five six seven eight nine ten";

/// Starts it; `None` when there is none.
pub fn start() -> Option<Server> {
    let entry = named("PILOTFISH_TEST_AIMOCK")?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real");
    Some(Server::start(
        "aimock",
        Command::new("node")
            .arg(folder.join("serve_aimock.mjs"))
            .arg(entry)
            .arg(folder.join("aimock.json")),
    ))
}

/// Every imitated provider with its name. What is said in turn is counted for each of them.
fn providers(server: &Server) -> Vec<(String, Remote)> {
    let http = client();
    let imitated = IMITATED.iter().map(|(id, wire, base)| {
        let name = format!("{id} on {wire:?}");
        let counted = Header {
            name: "X-Test-Id".to_owned(),
            value: name.clone(),
        };
        let base_url = format!("{}{base}", server.address);
        let provider = remote(id, &base_url, *wire, vec![counted], &http);
        (name, provider)
    });
    imitated.collect()
}

/// The kinds of the parts that can be read, in order: thinking may come encrypted alone.
fn kinds(parts: &[Part]) -> Vec<&'static str> {
    let kinds = parts.iter().filter_map(|part| match part {
        Part::Text { .. } => Some("text"),
        Part::Thinking { text, .. } => (!text.is_empty()).then_some("thinking"),
        Part::ToolCall { .. } => Some("tool_call"),
        _ => Some("other"),
    });
    kinds.collect()
}

#[tokio::test]
async fn thinking_and_text_come_apart_with_usage_on_every_wire() {
    let Some(server) = start() else { return };
    for (name, provider) in providers(&server) {
        let answer = Answer::to(&provider, &request("m", "think")).await;
        assert_eq!(answer.end, Ok(StopReason::EndTurn), "{name}: {answer:?}");
        assert_eq!(answer.thinking(), "Six times seven.", "{name}");
        let text = "It is forty-two, all things considered.";
        assert_eq!(answer.text(), text, "{name}");
        assert_eq!(kinds(&answer.parts), ["thinking", "text"], "{name}");
        let usage = answer.usage.unwrap_or_else(|| panic!("{name}: no usage"));
        let tokens = (usage.input_tokens, usage.output_tokens);
        assert_eq!(tokens, (Some(11), Some(7)), "{name}");
        let cost = provider.id().as_str() == "openrouter";
        assert_eq!(usage.reported_cost_usd, cost.then_some(0.25), "{name}");
    }
}

#[tokio::test]
async fn a_conversation_with_tools_goes_on_for_three_turns_on_every_wire() {
    let Some(server) = start() else { return };
    for (name, provider) in providers(&server) {
        let mut asked = request("m", "How is the weather in Paris and in Oslo?");
        asked.tools.push(weather());
        let called = Answer::to(&provider, &asked).await;
        assert_eq!(called.end, Ok(StopReason::ToolUse), "{name}: {called:?}");
        assert_eq!(called.thinking(), "I have to ask.", "{name}");
        let cities = called.calls().into_iter().map(|(tool, arguments)| {
            assert_eq!(tool, "get_weather", "{name}");
            serde_json::from_str::<Value>(arguments).unwrap()
        });
        let cities: Vec<Value> = cities.collect();
        let expected = [json!({ "city": "Paris" }), json!({ "city": "Oslo" })];
        assert_eq!(cities, expected, "{name}");

        let told = results(&called.parts, "21 degrees and sunny", false);
        asked.messages.push(message(Role::Assistant, called.parts));
        asked.messages.push(told);
        let answer = Answer::to(&provider, &asked).await;
        assert_eq!(answer.end, Ok(StopReason::EndTurn), "{name}: {answer:?}");
        assert_eq!(answer.text(), "Both are sunny.", "{name}");

        asked.messages.push(message(Role::Assistant, answer.parts));
        asked.messages.push(user("And tomorrow?"));
        let answer = Answer::to(&provider, &asked).await;
        assert_eq!(answer.end, Ok(StopReason::EndTurn), "{name}: {answer:?}");
        assert_eq!(answer.text(), "Still sunny.", "{name}");
    }
}

#[tokio::test]
async fn text_and_calls_keep_their_order_on_every_wire() {
    let Some(server) = start() else { return };
    for (name, provider) in providers(&server) {
        let mut asked = request("m", "Call in between.");
        asked.tools.push(weather());
        let answer = Answer::to(&provider, &asked).await;
        assert_eq!(answer.end, Ok(StopReason::ToolUse), "{name}: {answer:?}");
        let order = ["text", "tool_call", "text"];
        assert_eq!(kinds(&answer.parts), order, "{name}: {answer:?}");
        assert_eq!(answer.text(), "Let me see.A moment.", "{name}");
    }
}

#[tokio::test]
async fn an_answer_at_its_limit_of_tokens_says_so_on_every_wire() {
    let Some(server) = start() else { return };
    for (name, provider) in providers(&server) {
        let answer = Answer::to(&provider, &request("m", "Tell at length.")).await;
        assert_eq!(answer.end, Ok(StopReason::MaxTokens), "{name}: {answer:?}");
        assert_eq!(answer.text(), "Once upon a", "{name}");
    }
}

#[tokio::test]
async fn a_limit_of_requests_is_waited_for_as_long_as_is_said_on_every_wire() {
    let Some(server) = start() else { return };
    join_all(
        providers(&server)
            .iter()
            .map(|(name, provider)| async move {
                let asked_at = Instant::now();
                let answer = Answer::to(provider, &request("m", "Have patience.")).await;
                assert_eq!(answer.end, Ok(StopReason::EndTurn), "{name}: {answer:?}");
                assert_eq!(answer.text(), "Thank you for waiting.", "{name}");
                assert!(asked_at.elapsed() >= Duration::from_secs(1), "{name}");
            }),
    )
    .await;
}

#[tokio::test]
async fn a_wrong_key_is_told_as_such_on_every_wire() {
    let Some(server) = start() else { return };
    for (name, provider) in providers(&server) {
        let answer = Answer::to(&provider, &request("m", "Use the wrong key.")).await;
        let error = answer.end.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Auth, "{name}: {error:?}");
        assert_eq!(error.status, Some(401), "{name}");
        assert!(error.message.contains("no such key"), "{name}: {error}");
        assert!(error.request_id.is_some(), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn what_is_cut_is_interrupted_and_keeps_its_words_on_every_wire() {
    let Some(server) = start() else { return };
    for how in ["truncate", "disconnect"] {
        join_all(
            providers(&server)
                .iter()
                .map(|(name, provider)| async move {
                    let answer = Answer::to(provider, &request("m", how)).await;
                    let error = answer.end.as_ref().unwrap_err();
                    assert_eq!(error.kind, ErrorKind::Interrupted, "{name}: {error:?}");
                    let text = answer.text();
                    let part = COUNTED.starts_with(&text) && text.len() < COUNTED.len();
                    assert!(part && !text.is_empty(), "{name}, {how}: {answer:?}");
                }),
        )
        .await;
    }
}

#[tokio::test]
async fn models_are_listed_as_openai_openrouter_and_ollama_do() {
    let Some(server) = start() else { return };
    for (name, provider) in providers(&server) {
        // It has no such list as Google's.
        if provider.wire() == Wire::Gemini {
            continue;
        }
        let listed = provider.list_models(key()).await.unwrap();
        let names: Vec<&str> = listed.iter().map(|model| &*model.model.model).collect();
        assert_eq!(names, ["m"], "{name}");
    }
}
