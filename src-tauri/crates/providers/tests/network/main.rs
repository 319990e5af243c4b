//! Providers as they misbehave: each test talks to a scripted server on this machine.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod bounds;
mod lists;
mod remote;
mod retries;
mod server;
mod waits;

use std::collections::BTreeMap;
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use pretty_assertions::assert_eq;
use protocol::{Endpoint, Part, Role, Secret, StopReason, Wire};
use providers::{
    ErrorKind, Http, Limits, Provider, ProviderError, ProviderEvent, Remote, Request,
    RequestMessage, Retries,
};
use server::{Server, Step, answer, event_stream};
use tokio_util::sync::CancellationToken;

const CANARY: &str = "sk-canary-3f9a1c77e0d24b58";
const TEXT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

/// Waits that no test reaches by accident, and retries without a pause.
fn limits() -> Limits {
    Limits {
        idle: Duration::from_secs(10),
        headers_local: Duration::from_secs(10),
        headers_list: Duration::from_secs(10),
        retries: Retries {
            first_wait: Duration::from_millis(1),
            longest_wait: Duration::from_millis(2),
            ..Retries::default()
        },
        ..Limits::default()
    }
}

/// The same, for tests of waiting: what is measured is which wait ends.
fn hasty() -> Limits {
    Limits {
        idle: Duration::from_millis(200),
        headers_local: Duration::from_millis(200),
        ..limits()
    }
}

fn provider_with(id: &str, base_url: &str, limits: Limits) -> Remote {
    let endpoint = Endpoint {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        base_url: base_url.to_owned(),
        wire: Wire::Chat,
        needs_key: true,
        key: None,
        headers: Vec::new(),
    };
    Remote::new(&endpoint, Http::with_limits(limits).unwrap()).unwrap()
}

fn provider(server: &Server) -> Remote {
    provider_with("test", &server.base_url(), limits())
}

fn request() -> Request {
    Request {
        model: "m".to_owned(),
        messages: vec![RequestMessage {
            role: Role::User,
            parts: vec![Part::text("hi")],
        }],
        ..Request::default()
    }
}

fn key() -> Option<Secret<String>> {
    Some(Secret::new(CANARY.to_owned()))
}

async fn ask(provider: &Remote) -> (String, Result<StopReason, ProviderError>) {
    let mut stream = provider.stream(request(), key(), CancellationToken::new());
    let mut text = String::new();
    let mut end = None;
    while let Some(item) = stream.next().await {
        assert!(end.is_none(), "nothing follows the end");
        match item {
            Ok(ProviderEvent::Text(more)) => text += &more,
            Ok(ProviderEvent::Finished { stop_reason }) => end = Some(Ok(stop_reason)),
            Ok(_) => {}
            Err(error) => {
                assert!(
                    !format!("{error} {error:?}").contains(CANARY),
                    "the key is in {error:?}"
                );
                end = Some(Err(error));
            }
        }
    }
    (text, end.expect("a stream ends with Finished or an error"))
}

/// Kind and code of what a server that answers every request so gives.
async fn fault(steps: Vec<Step>) -> (String, ErrorKind, Option<String>) {
    let server = Server::start(vec![steps]).await;
    let (text, end) = ask(&provider(&server)).await;
    let error = end.unwrap_err();
    (text, error.kind, error.code)
}

#[tokio::test]
async fn an_answer_streams_and_the_request_is_as_asked() {
    let server = Server::start(vec![event_stream(&[
        TEXT,
        ": ping\n\n",
        STOP,
        "data: [DONE]\n\n",
    ])])
    .await;
    let (text, end) = ask(&provider(&server)).await;
    assert_eq!((text.as_str(), end), ("hello", Ok(StopReason::EndTurn)));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let head = &requests[0];
    assert!(
        head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains(&format!("authorization: Bearer {CANARY}\r\n")),
        "{head}"
    );
    assert_eq!(
        head.matches(CANARY).count(),
        1,
        "the key is in its header alone"
    );
    assert!(!head.to_lowercase().contains("cookie") && !head.to_lowercase().contains("referer"));
}

#[tokio::test]
async fn cuts_are_interruptions_that_keep_the_text() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
    let send = |text: String| Step::Send(text.into_bytes());
    let cases: BTreeMap<&str, (Vec<Step>, &str)> = BTreeMap::from([
        (
            "a close without the end",
            (event_stream(&[TEXT]), "no_finish_reason"),
        ),
        (
            "a close inside an event",
            (
                event_stream(&[TEXT, "data: {\"choices\":[{\"del"]),
                "no_finish_reason",
            ),
        ),
        (
            "a DONE without a finish",
            (
                event_stream(&[TEXT, "data: [DONE]\n\n"]),
                "no_finish_reason",
            ),
        ),
        (
            "fewer bytes than promised",
            (
                vec![send(format!("{head}content-length: 999\r\n\r\n{TEXT}"))],
                "connection_lost",
            ),
        ),
        (
            "an unfinished chunked body",
            (
                vec![send(format!(
                    "{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{TEXT}\r\n40\r\nda",
                    TEXT.len()
                ))],
                "connection_lost",
            ),
        ),
        (
            "no JSON",
            (
                event_stream(&[TEXT, "data: oops\n\n", STOP]),
                "invalid_json",
            ),
        ),
        (
            "a wrong type",
            (
                event_stream(&[TEXT, "data: {\"choices\":7}\n\n", STOP]),
                "invalid_chunk",
            ),
        ),
    ]);
    for (name, (steps, code)) in cases {
        let found = fault(steps).await;
        assert_eq!(
            found,
            (
                "hello".to_owned(),
                ErrorKind::Interrupted,
                Some(code.to_owned())
            ),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_reset_is_an_interruption() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999\r\n\r\n";
    let sent = Step::Send(format!("{head}{TEXT}").into_bytes());
    let server = Server::start(vec![vec![sent, Step::Wait, Step::Reset]]).await;
    let mut stream = provider(&server).stream(request(), key(), CancellationToken::new());
    assert!(matches!(
        stream.next().await,
        Some(Ok(ProviderEvent::Started { .. }))
    ));
    assert_eq!(
        stream.next().await,
        Some(Ok(ProviderEvent::Text("hello".to_owned())))
    );
    server.release();
    let error = stream.next().await.unwrap().unwrap_err();
    let found = (error.kind, error.code.as_deref());
    assert_eq!(found, (ErrorKind::Interrupted, Some("connection_lost")));
    assert_eq!(stream.next().await, None);
}
