//! Providers as they misbehave: each test talks to a scripted server on this machine.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

#[path = "network/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use pretty_assertions::assert_eq;
use protocol::{Endpoint, Part, Role, Secret, StopReason, Wire};
use providers::{
    ErrorKind, Http, Limits, OpenAiCompatible, Provider, ProviderError, ProviderEvent, Request,
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

fn provider_with(id: &str, base_url: &str, limits: Limits) -> OpenAiCompatible {
    let endpoint = Endpoint {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        base_url: base_url.to_owned(),
        wire: Wire::Chat,
        needs_key: true,
        key: None,
    };
    OpenAiCompatible::new(&endpoint, Http::with_limits(limits).unwrap()).unwrap()
}

fn provider(server: &Server) -> OpenAiCompatible {
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

async fn ask(provider: &OpenAiCompatible) -> (String, Result<StopReason, ProviderError>) {
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

#[tokio::test]
async fn a_stall_is_an_interruption() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    for cut in ["", "data: {\"cho"] {
        let sent = Step::Send(format!("{head}{TEXT}{cut}").into_bytes());
        let server = Server::start(vec![vec![sent, Step::Hang]]).await;
        let (text, end) = ask(&provider_with("test", &server.base_url(), hasty())).await;
        let error = end.unwrap_err();
        let found = (text.as_str(), error.kind, error.code.as_deref());
        assert_eq!(found, ("hello", ErrorKind::Interrupted, Some("timeout")));
        server.hung_up().await;
    }
}

#[tokio::test]
async fn what_breaks_after_the_finish_is_whole() {
    let promised = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999\r\n\r\n{TEXT}{STOP}"
    );
    let hung = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{TEXT}{STOP}");
    for steps in [
        vec![Step::Send(promised.into_bytes())],
        vec![Step::Send(hung.into_bytes()), Step::Hang],
    ] {
        let server = Server::start(vec![steps]).await;
        let (text, end) = ask(&provider_with("test", &server.base_url(), hasty())).await;
        assert_eq!((text.as_str(), end), ("hello", Ok(StopReason::EndTurn)));
    }
}

#[tokio::test]
async fn comments_are_a_sign_of_life() {
    // In all, the silence is longer than the limit; no part of it is.
    let mut steps = event_stream(&[TEXT]);
    for _ in 0..6 {
        steps.push(Step::Silence(Duration::from_millis(200)));
        steps.push(Step::Send(b": keep-alive\n\n".to_vec()));
    }
    steps.push(Step::Send(STOP.as_bytes().to_vec()));
    let server = Server::start(vec![steps]).await;
    let patient = Limits {
        idle: Duration::from_secs(1),
        ..limits()
    };
    let (text, end) = ask(&provider_with("test", &server.base_url(), patient)).await;
    assert_eq!((text.as_str(), end), ("hello", Ok(StopReason::EndTurn)));
}

#[tokio::test]
async fn the_first_event_may_take_as_long_as_the_head() {
    let mut steps = event_stream(&[]);
    steps.push(Step::Silence(Duration::from_millis(400)));
    steps.push(Step::Send(format!("{TEXT}{STOP}").into_bytes()));
    let server = Server::start(vec![steps]).await;
    let slow_to_read = Limits {
        idle: Duration::from_millis(50),
        ..limits()
    };
    let (text, end) = ask(&provider_with("test", &server.base_url(), slow_to_read)).await;
    assert_eq!((text.as_str(), end), ("hello", Ok(StopReason::EndTurn)));

    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let steps = vec![Step::Send(head.as_bytes().to_vec()), Step::Hang];
    let server = Server::start(vec![steps]).await;
    let impatient = Limits {
        headers_local: Duration::from_millis(200),
        ..limits()
    };
    let (_, end) = ask(&provider_with("test", &server.base_url(), impatient)).await;
    assert_eq!(end.unwrap_err().code.as_deref(), Some("timeout"));
}

#[tokio::test]
async fn an_answer_that_ended_is_not_waited_for() {
    let mut steps = event_stream(&[TEXT, STOP]);
    for _ in 0..100 {
        steps.push(Step::Silence(Duration::from_millis(100)));
        steps.push(Step::Send(b": keep-alive\n\n".to_vec()));
    }
    let server = Server::start(vec![steps]).await;
    let limits = Limits {
        closing: Duration::from_millis(250),
        ..limits()
    };
    let provider = provider_with("test", &server.base_url(), limits);
    let answered = tokio::time::timeout(Duration::from_secs(5), ask(&provider)).await;
    let (text, end) = answered.expect("comments do not keep an ended answer open");
    assert_eq!((text.as_str(), end), ("hello", Ok(StopReason::EndTurn)));
}

#[tokio::test]
async fn a_server_that_loads_its_model_is_waited_for() {
    let loading = answer(
        "HTTP/1.1 503 Service Unavailable\r\n",
        "application/json",
        r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
    );
    let mut scripts = vec![loading.clone(); 6];
    scripts.push(event_stream(&[TEXT, STOP]));
    let server = Server::start(scripts).await;
    let (text, end) = ask(&provider(&server)).await;
    assert_eq!((text.as_str(), end), ("hello", Ok(StopReason::EndTurn)));
    assert_eq!(server.requests().len(), 7, "more often than a busy one");

    let server = Server::start(vec![loading; 2]).await;
    let impatient = Limits {
        headers_local: Duration::from_millis(200),
        retries: Retries {
            first_wait: Duration::from_millis(150),
            ..limits().retries
        },
        ..limits()
    };
    let (_, end) = ask(&provider_with("test", &server.base_url(), impatient)).await;
    assert_eq!(end.unwrap_err().kind, ErrorKind::Overloaded);
}

/// How Mistral and other strict servers refuse a field that they do not know.
const REFUSES_USAGE: &str = r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted","input":{"include_usage":true}}]}"#;

#[tokio::test]
async fn what_was_refused_is_left_out_and_remembered() {
    let refused = |status: &str, body: &str| {
        answer(&format!("HTTP/1.1 {status}\r\n"), "application/json", body)
    };
    for refusal in [
        refused("422 Unprocessable", REFUSES_USAGE),
        refused(
            "400 Bad Request",
            r#"{"error":{"message":"Unrecognized request argument supplied: stream_options"}}"#,
        ),
    ] {
        let whole = event_stream(&[TEXT, STOP]);
        let server = Server::start(vec![refusal, whole.clone(), whole]).await;
        let provider = provider(&server);
        for _ in 0..2 {
            let (text, end) = ask(&provider).await;
            assert_eq!((text.as_str(), end), ("hello", Ok(StopReason::EndTurn)));
        }
        let asked: Vec<bool> = server
            .requests()
            .iter()
            .map(|request| request.contains("stream_options"))
            .collect();
        assert_eq!(asked, [true, false, false]);
    }
    // A refusal that stays, and one of something else, are errors like any other.
    let other = refused("422 Unprocessable", r#"{"detail":"no such role"}"#);
    for (first, sent) in [(refused("422 Unprocessable", REFUSES_USAGE), 2), (other, 1)] {
        let server = Server::start(vec![first.clone(), first]).await;
        let error = ask(&provider(&server)).await.1.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        assert_eq!(server.requests().len(), sent);
    }
}

#[tokio::test]
async fn a_server_that_cannot_go_on_by_itself_is_asked_to() {
    let refusal = answer(
        "HTTP/1.1 400 Bad Request\r\n",
        "application/json",
        r#"{"error":{"code":400,"message":"Assistant response prefill is incompatible with enable_thinking.","type":"invalid_request_error"}}"#,
    );
    let unfinished = Request {
        messages: vec![
            RequestMessage {
                role: Role::User,
                parts: vec![Part::text("count")],
            },
            RequestMessage {
                role: Role::Assistant,
                parts: vec![Part::text("one, two")],
            },
        ],
        continue_last: true,
        ..request()
    };
    for (id, asked) in [("llama-server", vec![false, true]), ("test", vec![true])] {
        let mut scripts = vec![refusal.clone(); asked.len() - 1];
        scripts.push(event_stream(&[TEXT, STOP]));
        let server = Server::start(scripts).await;
        let provider = provider_with(id, &server.base_url(), limits());
        let mut stream = provider.stream(unfinished.clone(), None, CancellationToken::new());
        while let Some(item) = stream.next().await {
            item.unwrap();
        }
        let found: Vec<bool> = server
            .requests()
            .iter()
            .map(|request| request.contains("Go on exactly where"))
            .collect();
        assert_eq!(found, asked, "{id}");
    }
}

#[tokio::test]
async fn what_may_pass_is_sent_again_and_then_answers() {
    let limited = "HTTP/1.1 429 Too Many Requests\r\nretry-after-ms: 5\r\n";
    let busy = "HTTP/1.1 503 Service Unavailable\r\n";
    let server = Server::start(vec![
        answer(
            limited,
            "application/json",
            r#"{"error":{"message":"slow down"}}"#,
        ),
        answer(busy, "text/html", "<html>busy</html>"),
        event_stream(&[TEXT, STOP]),
    ])
    .await;
    let (text, end) = ask(&provider(&server)).await;
    assert_eq!((text.as_str(), end), ("hello", Ok(StopReason::EndTurn)));
    assert_eq!(server.requests().len(), 3, "two retries");
}

#[tokio::test]
async fn retries_end_and_what_cannot_pass_is_not_sent_again() {
    let status = |line: &str| format!("HTTP/1.1 {line}\r\n");
    let cases = [
        ("529 Overloaded", "", "", 3, ErrorKind::Overloaded),
        ("429 Too Many", "", "", 3, ErrorKind::RateLimited),
        (
            "429 Too Many",
            "retry-after: 3600\r\n",
            "",
            1,
            ErrorKind::RateLimited,
        ),
        (
            "429 Too Many",
            "",
            r#"{"error":{"code":"insufficient_quota","message":"x"}}"#,
            1,
            ErrorKind::Quota,
        ),
        (
            "503 Unavailable",
            "x-should-retry: false\r\n",
            "",
            1,
            ErrorKind::Overloaded,
        ),
        (
            "401 Unauthorized",
            "",
            r#"{"error":{"message":"Incorrect API key: sk-canary-3f9a1c77e0d24b58"}}"#,
            1,
            ErrorKind::Auth,
        ),
        (
            "400 Bad Request",
            "",
            r#"{"code":"invalid-argument","error":"Incorrect API key provided: sk-canary-3f9a1c77e0d24b58"}"#,
            1,
            ErrorKind::Auth,
        ),
        (
            "404 Not Found",
            "",
            r#"{"error":{"message":"model 'm' not found"}}"#,
            1,
            ErrorKind::NotFound,
        ),
        (
            "400 Bad Request",
            "x-request-id: sk-canary-3f9a1c77e0d24b58\r\n",
            r#"{"error":{"code":400,"message":"x","type":"exceed_context_size_error"}}"#,
            1,
            ErrorKind::ContextOverflow,
        ),
    ];
    for (line, headers, body, sent, kind) in cases {
        let steps = answer(
            &format!("{}{headers}", status(line)),
            "application/json",
            body,
        );
        let server = Server::start(vec![steps; 4]).await;
        let (_, end) = ask(&provider(&server)).await;
        let error = end.unwrap_err();
        assert_eq!(
            (error.kind, server.requests().len()),
            (kind, sent),
            "{line} {body}"
        );
        if headers.starts_with("retry-after") {
            assert_eq!(error.retry_after, Some(Duration::from_secs(3_600)));
        }
    }
}

#[tokio::test]
async fn an_answer_that_began_is_not_asked_for_again() {
    let server = Server::start(vec![event_stream(&[TEXT]), event_stream(&[TEXT, STOP])]).await;
    let (_, end) = ask(&provider(&server)).await;
    assert_eq!(end.unwrap_err().kind, ErrorKind::Interrupted);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_network_error_at_once() {
    let url = Server::start(vec![]).await.stopped().await;
    let patient = Limits {
        retries: Retries::default(),
        ..limits()
    };
    let provider = provider_with("test", &url, patient);
    let answered = tokio::time::timeout(Duration::from_millis(300), ask(&provider)).await;
    let (_, end) = answered.expect("nothing listens there, and nothing will in a second");
    let error = end.unwrap_err();
    let found = (error.kind, error.code.as_deref());
    assert_eq!(found, (ErrorKind::Network, Some("connection_refused")));
    assert!(error.message.contains("127.0.0.1"), "{error}");
    assert!(error.message.contains("base URL"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_times_out_once() {
    let server = Server::start(vec![vec![Step::Hang], vec![Step::Hang]]).await;
    let (_, end) = ask(&provider_with("test", &server.base_url(), hasty())).await;
    let error = end.unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (ErrorKind::Network, Some("timeout"))
    );
    assert_eq!(
        server.requests().len(),
        1,
        "it may be at work, and paid for"
    );
}

#[tokio::test]
async fn the_key_follows_no_redirect() {
    let other = Server::start(vec![event_stream(&[TEXT, STOP])]).await;
    for status in [301, 302, 303, 307, 308] {
        let head = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {}/x\r\n",
            other.base_url()
        );
        let server = Server::start(vec![answer(&head, "text/plain", "")]).await;
        let (_, end) = ask(&provider(&server)).await;
        let error = end.unwrap_err();
        assert_eq!(
            (error.kind, error.code.as_deref()),
            (ErrorKind::InvalidRequest, Some("redirect"))
        );
        assert_eq!(error.status, Some(status));
        let listed = Server::start(vec![answer(&head, "text/plain", "")]).await;
        let error = provider(&listed).list_models(key()).await.unwrap_err();
        assert_eq!(
            error.code.as_deref(),
            Some("redirect"),
            "lists follow none either"
        );
    }
    assert_eq!(
        other.requests().len(),
        0,
        "nothing reached the other address"
    );
}

#[tokio::test]
async fn answers_in_other_forms() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let whole = r#"{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}"#;
    for (kind, body) in [
        ("application/json", whole.to_owned()),
        ("text/plain", format!("{TEXT}{STOP}")),
        ("application/octet-stream", format!(": hi\n\n{TEXT}{STOP}")),
        ("Text/Event-Stream; charset=utf-8", format!("{TEXT}{STOP}")),
    ] {
        let server = Server::start(vec![answer(ok, kind, &body)]).await;
        let (text, end) = ask(&provider(&server)).await;
        assert_eq!(
            (text.as_str(), end),
            ("hello", Ok(StopReason::EndTurn)),
            "{kind}"
        );
    }
    for (kind, body, expected) in [
        (
            "text/html",
            "<!doctype html><title>Log in</title><script>alert(1)</script>",
            ErrorKind::Unknown,
        ),
        (
            "text/event-stream",
            "<html>no events</html>",
            ErrorKind::Interrupted,
        ),
        ("application/json", "", ErrorKind::Unknown),
        ("application/json", "{}", ErrorKind::Unknown),
        ("application/json", "[1,2]", ErrorKind::Unknown),
        (
            "application/json",
            r#"{"error":{"type":"overloaded_error","message":"busy"}}"#,
            ErrorKind::Overloaded,
        ),
        (
            "application/json",
            r#"{"choices":[{"message":{"content":"x"}}]}"#,
            ErrorKind::Interrupted,
        ),
        (
            "application/json",
            "{\"choices\":[{\"mess",
            ErrorKind::Unknown,
        ),
    ] {
        let server = Server::start(vec![answer(ok, kind, body)]).await;
        let error = ask(&provider(&server)).await.1.unwrap_err();
        assert_eq!(error.kind, expected, "{body}");
        assert!(!error.message.contains('<'), "{error}");
    }
}

#[tokio::test]
async fn floods_are_cut_off() {
    let line = "data: ".to_owned() + &"x".repeat(5 << 20);
    let (_, kind, code) = fault(event_stream(&[&line])).await;
    assert_eq!(
        (kind, code.as_deref()),
        (ErrorKind::Interrupted, Some("too_large")),
        "a huge line"
    );

    let body = "x".repeat(9 << 20);
    let steps = answer("HTTP/1.1 200 OK\r\n", "application/json", &body);
    let (_, kind, code) = fault(steps).await;
    assert_eq!(
        (kind, code.as_deref()),
        (ErrorKind::Unknown, Some("too_large")),
        "a huge body"
    );

    let huge = format!("{{\"error\":{{\"message\":\"{}\"}}}}", "x".repeat(9 << 20));
    let steps = answer("HTTP/1.1 400 Bad\r\n", "application/json", &huge);
    let (_, kind, _) = fault(steps).await;
    assert_eq!(kind, ErrorKind::InvalidRequest, "a huge error");
}

#[tokio::test]
async fn a_gzip_bomb_does_not_unfold() {
    let bomb = server::gzip_of_zeros(16 << 20);
    for kind in ["text/event-stream", "application/json"] {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-encoding: gzip\r\n\
             content-length: {}\r\n\r\n",
            bomb.len()
        );
        let steps = vec![Step::Send([head.as_bytes(), &bomb].concat())];
        let (_, _, code) = fault(steps).await;
        assert_eq!(code.as_deref(), Some("too_large"), "{kind}");
    }
}

#[tokio::test]
async fn cancelling_ends_at_once_in_every_phase() {
    let hung = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let limited = "HTTP/1.1 429 Too Many\r\nretry-after: 30\r\n";
    for (before, steps, hangs) in [
        (0, vec![Step::Hang], true),
        (
            2,
            vec![Step::Send(format!("{hung}{TEXT}").into_bytes()), Step::Hang],
            true,
        ),
        (0, answer(limited, "text/plain", ""), false),
    ] {
        let server = Server::start(vec![steps]).await;
        let cancel = CancellationToken::new();
        let mut stream = provider(&server).stream(request(), key(), cancel.clone());
        for _ in 0..before {
            stream.next().await.unwrap().unwrap();
        }
        tokio::select! {
            () = server.answered() => {}
            item = stream.next() => panic!("nothing more was sent, but there is {item:?}"),
        }
        cancel.cancel();
        let Poll::Ready(Some(Err(error))) = futures::poll!(stream.next()) else {
            panic!("a cancelled stream ends at the next look, without waiting for anything");
        };
        let found = (error.kind, error.code.as_deref());
        assert_eq!(found, (ErrorKind::Interrupted, Some("cancelled")));
        if hangs {
            server.hung_up().await;
        }
    }
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let hung = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let server = Server::start(vec![vec![
        Step::Send(format!("{hung}{TEXT}").into_bytes()),
        Step::Hang,
    ]])
    .await;
    let mut stream = provider(&server).stream(request(), None, CancellationToken::new());
    assert!(stream.next().await.unwrap().is_ok());
    drop(stream);
    server.hung_up().await;
}

#[tokio::test]
async fn models_are_listed() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let list = r#"{"data":[{"id":"a"},{"id":"b","max_model_len":5}]}"#;
    let server = Server::start(vec![answer(ok, "application/json", list)]).await;
    let models = provider(&server).list_models(key()).await.unwrap();
    let names: Vec<String> = models.iter().map(|model| model.model.to_string()).collect();
    assert_eq!(names, ["test/a", "test/b"]);
    assert!(server.requests()[0].starts_with("GET /v1/models HTTP/1.1\r\n"));

    for (head, body, kind) in [
        (ok, "<html><title>hi</title>", ErrorKind::Unknown),
        (
            "HTTP/1.1 401 No\r\n",
            r#"{"error":{"code":"sk-canary-3f9a1c77e0d24b58","message":"bad sk-canary-3f9a1c77e0d24b58"}}"#,
            ErrorKind::Auth,
        ),
        (
            "HTTP/1.1 403 No\r\nx-request-id: sk-canary-3f9a1c77e0d24b58\r\n",
            r#"{"error":{"message":"this region is not served"}}"#,
            ErrorKind::InvalidRequest,
        ),
        ("HTTP/1.1 500 No\r\n", "", ErrorKind::Overloaded),
    ] {
        let server = Server::start(vec![answer(head, "application/json", body)]).await;
        let error = provider(&server).list_models(key()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{body}");
        assert!(!format!("{error:?}").contains(CANARY));
        assert_eq!(server.requests().len(), 1, "a list is asked for once");
    }
}

/// The paths that were asked for, in order.
fn paths(server: &Server) -> Vec<String> {
    let path = |head: &String| head.split(' ').nth(1).unwrap().to_owned();
    server.requests().iter().map(path).collect()
}

#[tokio::test]
async fn ollama_tells_windows_and_abilities() {
    let ok = |body: &str| answer("HTTP/1.1 200 OK\r\n", "application/json", body);
    let list = r#"{"data":[{"id":"loaded"},{"id":"embeds"}]}"#;
    let running = r#"{"models":[{"name":"loaded","model":"loaded","context_length":8192}]}"#;
    let server = Server::together(vec![
        ("/v1/models", ok(list)),
        ("/api/ps", ok(running)),
        (
            "\"loaded\"",
            ok(r#"{"capabilities":["completion","vision","tools"],"model_info":{"general.architecture":"l","l.context_length":131072}}"#),
        ),
        ("\"embeds\"", ok(r#"{"capabilities":["embedding"]}"#)),
    ])
    .await;
    let ollama = provider_with("ollama", &server.base_url(), limits());
    let models = ollama.list_models(key()).await.unwrap();
    assert_eq!(models.len(), 1, "what only embeds is no model to talk to");
    let model = &models[0];
    assert_eq!(model.model.to_string(), "ollama/loaded");
    assert_eq!(model.context_tokens, Some(8_192));
    assert!(model.images && model.tools);
    let mut asked = paths(&server);
    asked.sort();
    assert_eq!(asked, ["/api/ps", "/api/show", "/api/show", "/v1/models"]);
}

#[tokio::test]
async fn an_ollama_that_tells_nothing_cuts_at_its_default() {
    let missing = || {
        answer(
            "HTTP/1.1 404 Not Found\r\n",
            "text/plain",
            "404 page not found",
        )
    };
    let many: Vec<String> = (0..100).map(|n| format!("{{\"name\":\"m{n}\"}}")).collect();
    let tags = format!("{{\"models\":[{}]}}", many.join(","));
    let ok = "HTTP/1.1 200 OK\r\n";
    let server = Server::together(vec![
        ("/v1/models", missing()),
        ("/api/tags", answer(ok, "application/json", &tags)),
        ("", missing()),
    ])
    .await;
    let ollama = provider_with("ollama", &server.base_url(), limits());
    let models = ollama.list_models(None).await.unwrap();
    assert_eq!(models.len(), 100);
    assert!(
        models
            .iter()
            .all(|model| model.context_tokens == Some(4_096))
    );
    let asked = paths(&server);
    assert_eq!(asked[..2], ["/v1/models", "/api/tags"]);
    let shown = asked.iter().filter(|path| *path == "/api/show").count();
    assert_eq!(shown, 64, "the number of questions is bounded");
}

#[tokio::test]
async fn an_address_without_its_path_is_completed_or_named() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let server = Server::together(vec![
        (
            "/v1/models",
            answer(ok, "application/json", r#"{"data":[{"id":"a"}]}"#),
        ),
        ("/v1/chat/completions", event_stream(&[TEXT, STOP])),
        (
            "",
            answer("HTTP/1.1 404 No\r\n", "text/plain", "404 page not found"),
        ),
    ])
    .await;
    let bare = server.base_url().trim_end_matches("/v1").to_owned();
    let ollama = provider_with("ollama", &bare, limits());
    assert_eq!(ollama.list_models(None).await.unwrap().len(), 1);
    assert_eq!(ask(&ollama).await.1, Ok(StopReason::EndTurn));

    let other = provider_with("test", &bare, limits());
    let listed = other.list_models(None).await.unwrap_err();
    let asked = ask(&other).await.1.unwrap_err();
    for error in [listed, asked] {
        assert_eq!(error.kind, ErrorKind::NotFound);
        let hint = format!("try {bare}/v1");
        assert!(error.message.contains(&hint), "{error}");
    }
    let whole = provider_with("test", &format!("{bare}/v2"), limits());
    let error = whole.list_models(None).await.unwrap_err();
    assert!(!error.message.contains("bare address"), "{error}");
}

#[tokio::test]
async fn a_key_that_no_header_can_carry_is_said() {
    let server = Server::start(vec![event_stream(&[TEXT, STOP])]).await;
    let key = Some(Secret::new("sk-canary\ninjected: header".to_owned()));
    let mut stream = provider(&server).stream(request(), key, CancellationToken::new());
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Auth);
    assert!(!format!("{error:?}").contains("canary"));
    assert!(server.requests().is_empty());
}

#[test]
fn wrong_endpoints_are_refused_with_the_field() {
    let http = Http::new().unwrap();
    let endpoint = |base_url: &str, wire| Endpoint {
        id: "test".parse().unwrap(),
        name: "Test".to_owned(),
        base_url: base_url.to_owned(),
        wire,
        needs_key: false,
        key: None,
    };
    for (url, wire, field) in [
        ("localhost:11434", Wire::Chat, "base URL: "),
        ("http://localhost/v1", Wire::Responses, "wire: "),
    ] {
        let error = OpenAiCompatible::new(&endpoint(url, wire), http.clone()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        assert!(error.message.starts_with(field), "{error}");
    }
}
