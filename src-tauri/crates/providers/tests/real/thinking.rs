//! Thinking goes back to whom it came from, as it came, and to nobody else: one server thinks and
//! calls a tool, and another shows what it was sent with the result.

use protocol::{Part, Role, Wire};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::llmock::Mock;
use crate::{aimock, client, message, remote, request, results, weather};

/// A provider, its wire, and where it stands under the one server and under the other.
type Place = (&'static str, Wire, &'static str, &'static str);

const OPENAI: Place = ("openai", Wire::Responses, "/v1", "/v1");
const ANTHROPIC: Place = ("anthropic", Wire::Messages, "/v1", "/anthropic/v1");
const GEMINI: Place = ("gemini", Wire::Gemini, "/v1beta", "/gemini/v1beta");
const DEEPSEEK: Place = ("deepseek", Wire::Chat, "/v1", "/v1");

/// What was said by the model, in what the wire calls its list of turns.
fn told(body: &Value) -> Vec<Value> {
    let turns = ["messages", "input", "contents"]
        .iter()
        .find_map(|name| body[*name].as_array())
        .unwrap_or_else(|| panic!("no turns in {body}"));
    turns
        .iter()
        .flat_map(|turn| {
            let parts = turn["content"].as_array().or(turn["parts"].as_array());
            parts.cloned().unwrap_or_else(|| vec![turn.clone()])
        })
        .collect()
}

#[tokio::test]
async fn thinking_goes_back_to_its_maker_alone_and_before_its_call() {
    let (Some(thinks), Some(shows)) = (aimock::start(), Mock::start(&[])) else {
        return;
    };
    let http = client();
    for maker in [OPENAI, ANTHROPIC, GEMINI, DEEPSEEK] {
        let from = format!("{}{}", thinks.address, maker.2);
        let provider = remote(maker.0, &from, maker.1, Vec::new(), &http);
        let mut asked = request("m", "How is the weather in Paris and in Oslo?");
        asked.tools.push(weather());
        let called = Answer::to(&provider, &asked).await;
        assert_eq!(called.thinking(), "I have to ask.", "{maker:?}");
        let sealed = called.parts.iter().find_map(|part| match part {
            Part::Thinking { blob, .. } => blob.clone(),
            _ => None,
        });
        let told_it = results(&called.parts, "21 degrees and sunny", false);
        asked.messages.push(message(Role::Assistant, called.parts));
        asked.messages.push(told_it);

        let takers = [OPENAI, ANTHROPIC, GEMINI, DEEPSEEK];
        for taker in takers {
            let at = format!("{}{}", shows.server.address, taker.3);
            let other = remote(taker.0, &at, taker.1, Vec::new(), &http);
            let answer = Answer::to(&other, &asked).await;
            assert!(answer.end.is_ok(), "to {taker:?}: {answer:?}");
        }
        let shown = shows.requests().await;
        let last = &shown[shown.len() - takers.len()..];
        for (taker, request) in takers.iter().zip(last) {
            let case = format!("from {} to {}", maker.0, taker.0);
            let body = &request["body"];
            let turns = told(body);
            let place = |what: &str| turns.iter().position(|turn| turn["type"] == what);
            match taker.0 {
                _ if taker.0 != maker.0 => {
                    let body = body.to_string();
                    assert!(!body.contains("I have to ask."), "{case}: {body}");
                    let seal = sealed.iter().filter_map(|blob| {
                        ["signature", "encrypted_content"]
                            .iter()
                            .find_map(|name| blob.data[*name].as_str())
                    });
                    for seal in seal {
                        assert!(!body.contains(seal), "{case}: {body}");
                    }
                }
                "anthropic" => {
                    let thinking = place("thinking").unwrap();
                    let sent = json!({ "type": "thinking", "thinking": "I have to ask.",
                        "signature": "aimock-placeholder-signature" });
                    assert_eq!(turns[thinking], sent, "{case}");
                    assert!(thinking < place("tool_use").unwrap(), "{case}: {body}");
                }
                "openai" => {
                    let sealed = sealed.as_ref().expect("reasoning that is encrypted");
                    let thinking = place("reasoning").unwrap();
                    let content = &turns[thinking]["encrypted_content"];
                    assert!(content.is_string(), "{case}: {body}");
                    assert_eq!(*content, sealed.data["encrypted_content"], "{case}");
                    assert!(thinking < place("function_call").unwrap(), "{case}");
                }
                "deepseek" => {
                    let calls = |turn: &&Value| turn["tool_calls"].is_array();
                    let call = turns.iter().find(calls).unwrap();
                    let thinking = &call["reasoning_content"];
                    assert_eq!(*thinking, "I have to ask.", "{case}: {body}");
                }
                // It sealed nothing, and wants nothing back.
                _ => assert_eq!(sealed, None, "{case}"),
            }
        }
    }
}
