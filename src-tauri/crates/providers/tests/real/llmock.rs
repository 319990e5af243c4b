//! `llmock`, which imitates ten providers, breaks off on demand, and grades what its client made of
//! that. Every test ends with its report, in which not even a warning may stand.
//!
//! What broke off after its first words is not asked for again by itself: the person has seen the
//! words. So each such answer is asked for once more, as a person would who presses "Try again".
//! Cohere's is the one of its ten whose wire we do not speak.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use futures::future::join_all;
use protocol::{Role, StopReason, Wire};
use providers::{ErrorKind, Http, Limits, Provider, Remote, Request};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::server::{Server, named};
use crate::{client, limits, message, remote, request, results, weather};

const PROGRAM: &str = "PILOTFISH_TEST_LLMOCK";

/// A provider that is imitated.
struct Imitated {
    id: &'static str,
    wire: Wire,
    /// Under the server's address.
    base: &'static str,
    /// Of the requests for an answer, as a pattern.
    path: &'static str,
    model: &'static str,
    /// How many events come before the first words.
    preamble: u32,
}

const IMITATED: [Imitated; 10] = [
    chat("openai", "/v1", "/v1/chat/*"),
    Imitated {
        wire: Wire::Responses,
        preamble: 4,
        ..chat("openai", "/v1", "/v1/responses")
    },
    Imitated {
        wire: Wire::Messages,
        model: "claude-sonnet-4-6",
        preamble: 3,
        ..chat("anthropic", "/anthropic/v1", "/anthropic/*")
    },
    Imitated {
        wire: Wire::Gemini,
        model: "gemini-2.5-flash",
        preamble: 0,
        ..chat("gemini", "/gemini/v1beta", "/gemini/*")
    },
    chat("mistral", "/mistral/v1", "/mistral/*"),
    chat("groq", "/groq/openai/v1", "/groq/*"),
    chat("xai", "/xai/v1", "/xai/*"),
    chat("together", "/together/v1", "/together/*"),
    chat("perplexity", "/perplexity/v1", "/perplexity/*"),
    chat("ai21", "/ai21/v1", "/ai21/*"),
];

const fn chat(id: &'static str, base: &'static str, path: &'static str) -> Imitated {
    Imitated {
        id,
        wire: Wire::Chat,
        base,
        path,
        model: "m",
        preamble: 1,
    }
}

impl Imitated {
    fn remote(&self, mock: &Mock, http: &Http) -> Remote {
        let base_url = format!("{}{}", mock.server.address, self.base);
        remote(self.id, &base_url, self.wire, Vec::new(), http)
    }

    /// A question that no other test and no other provider asks: what is the same counts as asked
    /// again.
    fn request(&self, about: &str) -> Request {
        request(self.model, &format!("Tell {} about {about}.", self.id))
    }

    fn name(&self) -> String {
        format!("{} on {:?}", self.id, self.wire)
    }
}

/// The running server.
pub struct Mock {
    /// Where it is.
    pub server: Server,
    control: reqwest::Client,
}

impl Mock {
    /// Starts it with these settings beside its own; `None` when there is none.
    pub fn start(settings: &[(&str, &str)]) -> Option<Self> {
        let python = named(PROGRAM)?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/serve_llmock.py");
        let mut command = Command::new(python);
        command.arg(script).envs(settings.iter().copied());
        // What stands between pieces lets a client hang up before all has been sent.
        command.env("LLMOCK_STREAM_CHUNK_DELAY_MS", "20");
        let server = Server::start("llmock", &mut command);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let control = reqwest::Client::builder().no_proxy().build().unwrap();
        Some(Self { server, control })
    }

    /// What is to happen to the next requests, oldest first.
    async fn script(&self, behaviours: Vec<Value>) {
        let url = format!("{}/_llmock/scenario", self.server.address);
        let body = json!({ "behaviors": behaviours }).to_string();
        let answer = self.control.post(url).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    }

    /// Everything that it was asked, once none of it is being served any more.
    pub async fn requests(&self) -> Vec<Value> {
        let url = format!("{}/_llmock/requests", self.server.address);
        let body = self.control.get(url).send().await.unwrap().bytes().await;
        let mut told: Value = serde_json::from_slice(&body.unwrap()).unwrap();
        match told["requests"].take() {
            Value::Array(requests) => requests,
            other => panic!("{other}"),
        }
    }

    /// The verdict, by its own program.
    fn must_be_content(&self) {
        let report = Command::new(named(PROGRAM).unwrap())
            .args(["-m", "llmock.cli", "report", "--strict", "--url"])
            .arg(&self.server.address)
            .env("NO_PROXY", "*")
            .output()
            .unwrap();
        assert!(
            report.status.success(),
            "{}{}",
            String::from_utf8_lossy(&report.stdout),
            String::from_utf8_lossy(&report.stderr)
        );
    }
}

/// An error in place of an answer.
fn fail(to: &Imitated, status: u16, retry_after: Option<f64>, times: u32) -> Value {
    json!({ "type": "fail", "status": status, "retry_after": retry_after, "times": times,
        "match": { "path": to.path } })
}

#[tokio::test]
async fn every_imitated_provider_lists_answers_and_calls_tools() {
    let Some(mock) = Mock::start(&[]) else { return };
    let http = client();
    join_all(IMITATED.iter().map(|imitated| {
        let name = imitated.name();
        let provider = imitated.remote(&mock, &http);
        async move {
            let listed = provider.list_models(crate::key()).await.unwrap();
            assert!(!listed.is_empty(), "{name}");

            let answer = Answer::to(&provider, &imitated.request("the sea")).await;
            assert_eq!(answer.end, Ok(StopReason::EndTurn), "{name}");
            assert!(!answer.text().is_empty(), "{name}: {answer:?}");
            let usage = answer.usage.unwrap_or_else(|| panic!("{name}: no usage"));
            assert!(usage.input_tokens > Some(0), "{name}: {usage:?}");
            assert!(usage.output_tokens > Some(0), "{name}: {usage:?}");

            let mut asked = imitated.request("the weather in Paris");
            asked.tools.push(weather());
            let called = Answer::to(&provider, &asked).await;
            assert_eq!(called.end, Ok(StopReason::ToolUse), "{name}: {called:?}");
            let calls = called.calls();
            assert_eq!(calls.len(), 1, "{name}: {called:?}");
            assert_eq!(calls[0].0, "get_weather", "{name}");
            let arguments: Value = serde_json::from_str(calls[0].1).unwrap();
            assert!(arguments["city"].is_string(), "{name}: {arguments}");

            let result = results(&called.parts, "21 degrees and sunny", false);
            asked.messages.push(message(Role::Assistant, called.parts));
            asked.messages.push(result);
            let told = Answer::to(&provider, &asked).await;
            assert_eq!(told.end, Ok(StopReason::EndTurn), "{name}: {told:?}");
            assert!(!told.text().is_empty(), "{name}: {told:?}");
        }
    }))
    .await;
    mock.must_be_content();
}

#[tokio::test]
async fn every_imitated_provider_is_asked_again_no_sooner_than_it_says() {
    let Some(mock) = Mock::start(&[]) else { return };
    let http = client();
    join_all(IMITATED.iter().map(|imitated| {
        let mock = &mock;
        let name = imitated.name();
        let provider = imitated.remote(mock, &http);
        async move {
            for (status, retry_after, times) in
                [(429, Some(0.6), 1), (503, Some(0.3), 1), (500, None, 2)]
            {
                mock.script(vec![fail(imitated, status, retry_after, times)])
                    .await;
                let asked_at = Instant::now();
                let asked = imitated.request(&format!("patience with {status}"));
                let answer = Answer::to(&provider, &asked).await;
                assert_eq!(answer.end, Ok(StopReason::EndTurn), "{name}: {status}");
                let wait = Duration::from_secs_f64(retry_after.unwrap_or(0.0));
                assert!(asked_at.elapsed() >= wait, "{name}: {status}");
            }
        }
    }))
    .await;
    let requests = mock.requests().await;
    assert_eq!(requests.len(), IMITATED.len() * (2 + 2 + 3));
    mock.must_be_content();
}

#[tokio::test]
async fn what_every_imitated_provider_refuses_is_told_by_its_kind() {
    let Some(mock) = Mock::start(&[]) else { return };
    let http = client();
    join_all(IMITATED.iter().map(|imitated| {
        let mock = &mock;
        let name = imitated.name();
        let provider = imitated.remote(mock, &http);
        async move {
            for (status, times, kind) in [
                (400, 1, ErrorKind::InvalidRequest),
                (401, 1, ErrorKind::Auth),
                (403, 1, ErrorKind::Auth),
                (404, 1, ErrorKind::NotFound),
                (429, 3, ErrorKind::RateLimited),
                (503, 3, ErrorKind::Overloaded),
            ] {
                let wait = (times > 1).then_some(0.1);
                mock.script(vec![fail(imitated, status, wait, times)]).await;
                let asked = imitated.request(&format!("a {status}"));
                let answer = Answer::to(&provider, &asked).await;
                let error = answer.end.unwrap_err();
                assert_eq!(error.kind, kind, "{name}: {error:?}");
                assert_eq!(error.status, Some(status), "{name}");
                assert!(!error.message.is_empty() && error.body.is_some(), "{name}");
            }
        }
    }))
    .await;
    let requests = mock.requests().await;
    assert_eq!(requests.len(), IMITATED.len() * (1 + 1 + 1 + 1 + 3 + 3));
    mock.must_be_content();
}

#[tokio::test]
async fn a_conversation_that_is_too_long_is_told_as_such_by_every_imitated_provider() {
    let Some(mock) = Mock::start(&[("LLMOCK_CONTEXT_WINDOW", "300")]) else {
        return;
    };
    let http = client();
    join_all(IMITATED.iter().map(|imitated| {
        let name = imitated.name();
        let provider = imitated.remote(&mock, &http);
        async move {
            let asked = imitated.request(&"ships and ".repeat(400));
            let error = Answer::to(&provider, &asked).await.end.unwrap_err();
            assert_eq!(error.kind, ErrorKind::ContextOverflow, "{name}: {error:?}");
        }
    }))
    .await;
    mock.must_be_content();
}

/// What becomes of an answer with a fault in its stream, on every wire.
async fn breaks(kind: &str, limits: Limits) {
    let Some(mock) = Mock::start(&[]) else { return };
    let http = Http::with_limits(limits).unwrap();
    let whole = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen";
    for imitated in &IMITATED {
        let to = json!({ "path": imitated.path });
        mock.script(vec![
            json!({ "type": "reply", "text": whole, "times": 2, "match": to }),
            json!({ "type": "stream_fault", "kind": kind, "stall_seconds": 60, "match": to,
                "after_chunks": imitated.preamble + 3 }),
        ])
        .await;
    }
    let asked = || {
        IMITATED.iter().map(|imitated| {
            let provider = imitated.remote(&mock, &http);
            let asked = imitated.request(kind);
            async move { (imitated.name(), Answer::to(&provider, &asked).await) }
        })
    };
    for (name, answer) in join_all(asked()).await {
        let error = answer.end.as_ref().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Interrupted, "{name}: {answer:?}");
        assert_eq!(answer.text(), "one two three ", "{name}: {error:?}");
    }
    // A person who tries again is slower than the server.
    assert_eq!(mock.requests().await.len(), IMITATED.len());
    for (name, answer) in join_all(asked()).await {
        assert_eq!(answer.end, Ok(StopReason::EndTurn), "{name}");
        assert_eq!(answer.text(), whole, "{name}");
    }
    mock.must_be_content();
}

#[tokio::test]
async fn a_stream_that_ends_too_early_is_interrupted() {
    breaks("truncate", limits()).await;
}

#[tokio::test]
async fn a_connection_that_is_lost_is_an_interruption() {
    breaks("disconnect", limits()).await;
}

#[tokio::test]
async fn a_piece_that_is_no_json_is_an_interruption() {
    breaks("malformed", limits()).await;
}

#[tokio::test]
async fn a_stream_that_stalls_is_given_up() {
    let idle = Duration::from_secs(2);
    breaks("stall", Limits { idle, ..limits() }).await;
}

#[tokio::test]
async fn a_broken_call_of_a_tool_is_kept_and_can_be_answered() {
    let Some(mock) = Mock::start(&[]) else { return };
    let http = client();
    join_all(IMITATED.iter().map(|imitated| {
        let mock = &mock;
        let name = imitated.name();
        let provider = imitated.remote(mock, &http);
        async move {
            for kind in ["malformed_arguments", "unknown_tool"] {
                mock.script(vec![json!({ "type": "tool_fault", "kind": kind,
                    "match": { "path": imitated.path } })])
                    .await;
                let mut asked = imitated.request(kind);
                asked.tools.push(weather());
                let called = Answer::to(&provider, &asked).await;
                assert_eq!(called.end, Ok(StopReason::ToolUse), "{name}: {called:?}");
                assert_eq!(called.calls().len(), 1, "{name}: {called:?}");
                let result = results(&called.parts, "there is no such call", true);
                asked.messages.push(message(Role::Assistant, called.parts));
                asked.messages.push(result);
                let told = Answer::to(&provider, &asked).await;
                assert_eq!(told.end, Ok(StopReason::EndTurn), "{name}: {told:?}");
            }
        }
    }))
    .await;
    mock.must_be_content();
}
