//! A llama.cpp server with the in-house weights: the third party that most people can run. The model
//! is small and says what it likes, so what counts is that it answers, and what is told beside that.

use std::path::Path;
use std::process::Command;

use futures::StreamExt;
use protocol::{Part, Role, StopReason, Wire};
use providers::{ErrorKind, Provider, ProviderEvent, Remote, Request};
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::server::{Server, named};
use crate::{client, key, message, remote, request, user, weather};

/// The window with which the server is started, in tokens.
const WINDOW: u32 = 1_024;

fn start() -> Option<Server> {
    let python = named("PILOTFISH_TEST_PEER")?;
    let weights = named("PILOTFISH_TEST_MODEL")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../scripts/lib/peer.py");
    Some(Server::start(
        "peer",
        Command::new(python)
            .arg(script)
            .arg(weights)
            .arg(WINDOW.to_string()),
    ))
}

/// A short question: two processors may be shared with all other tests.
fn short(text: &str) -> Request {
    Request {
        max_tokens: Some(6),
        temperature: Some(0.0),
        ..request("peer", text)
    }
}

#[tokio::test]
async fn a_llama_cpp_server_converses_on_three_wires() {
    let Some(server) = start() else { return };
    let base_url = format!("{}/v1", server.address);
    let http = client();
    for wire in [Wire::Chat, Wire::Responses, Wire::Messages] {
        let provider = remote("llama-server", &base_url, wire, Vec::new(), &http);
        let listed = provider.list_models(None).await.unwrap();
        let names: Vec<&str> = listed.iter().map(|model| &*model.model.model).collect();
        assert_eq!(names, ["peer"], "{wire:?}");
        assert_eq!(listed[0].context_tokens, Some(WINDOW), "{wire:?}");
        multi_turn(&provider).await;
        tools_of_another_model(&provider).await;
        too_long(&provider).await;
        cancelled(&provider, &server).await;
    }
}

/// Two turns; both stop at the limit of tokens, because the model seldom says so little.
async fn multi_turn(provider: &Remote) {
    let wire = provider.wire();
    // OpenAI takes no lower limit on this wire, so none is sent.
    let limit = if wire == Wire::Responses { 16 } else { 6 };
    let mut asked = short("Tell me a long story about the sea.");
    asked.system = "You are a storyteller.".to_owned();
    for turn in 0..2 {
        let answer = Answer::to(provider, &asked).await;
        let stop = *answer.end.as_ref().unwrap();
        // The server says `completed` on this wire whatever made it stop.
        let silent = wire == Wire::Responses && stop == StopReason::EndTurn;
        assert!(
            silent || stop == StopReason::MaxTokens,
            "{wire:?}: {answer:?}"
        );
        assert!(!answer.text().is_empty(), "{wire:?}: {answer:?}");
        let usage = answer.usage.clone().unwrap();
        assert_eq!(usage.output_tokens, Some(limit), "{wire:?}");
        assert!(usage.input_tokens > Some(10), "{wire:?}: {usage:?}");
        assert!(!usage.estimated);
        if turn == 1 {
            // The beginning of the conversation is byte for byte what it was.
            assert!(usage.cached_tokens > Some(10), "{wire:?}: {usage:?}");
        }
        asked.messages.push(message(Role::Assistant, answer.parts));
        asked.messages.push(user("Go on with the story."));
    }
}

/// A call and its result that another model left in the conversation, with thinking that goes to
/// nobody else.
async fn tools_of_another_model(provider: &Remote) {
    let mut asked = short("What is the weather in Paris?");
    asked.tools.push(weather());
    asked.messages.push(message(
        Role::Assistant,
        vec![
            Part::Thinking {
                text: "I have to ask.".to_owned(),
                duration_ms: None,
                blob: None,
            },
            Part::ToolCall {
                id: "toolu_01A".to_owned(),
                name: "get_weather".to_owned(),
                arguments: "{\"city\":\"Paris\"}".to_owned(),
                blob: None,
            },
        ],
    ));
    asked.messages.push(message(
        Role::User,
        vec![Part::ToolResult {
            call_id: "toolu_01A".to_owned(),
            content: "21 degrees and sunny".to_owned(),
            is_error: false,
        }],
    ));
    let answer = Answer::to(provider, &asked).await;
    assert!(answer.end.is_ok(), "{answer:?}");
    assert!(!answer.parts.is_empty(), "{answer:?}");
}

async fn too_long(provider: &Remote) {
    let answer = Answer::to(provider, &short(&"word ".repeat(3_000))).await;
    let error = answer.end.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ContextOverflow, "{error:?}");
    assert_eq!(error.status, Some(400));
    assert!(error.message.contains("context"), "{error}");
}

/// What is stopped here stops there: the server has one slot, and a long answer would fill the window.
async fn cancelled(provider: &Remote, server: &Server) {
    let cancel = CancellationToken::new();
    let long = Request {
        max_tokens: Some(900),
        ..short("Count from one to a thousand, in words.")
    };
    let mut stream = provider.stream(long, key(), cancel.clone());
    loop {
        match stream.next().await.unwrap().unwrap() {
            ProviderEvent::Text(_) => break,
            ProviderEvent::Finished { .. } => panic!("it said nothing"),
            _ => {}
        }
    }
    cancel.cancel();
    let mut rest: Vec<_> = stream.by_ref().collect().await;
    let error = rest.pop().unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted, "{error:?}");
    assert_eq!(error.code.as_deref(), Some("cancelled"));
    drop(stream);
    let answer = Answer::to(provider, &short("Hello?")).await;
    assert!(answer.end.is_ok(), "{answer:?}");
    let log = server.log();
    let ends: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("stop processing"))
        .collect();
    let of_the_long = ends[ends.len() - 2];
    let tokens: usize = of_the_long
        .split("n_tokens = ")
        .nth(1)
        .and_then(|rest| rest.split(',').next()?.parse().ok())
        .unwrap_or_else(|| panic!("{of_the_long}"));
    assert!(tokens < 600, "the server went on: {of_the_long}");
}
