//! What is asked once more, and in which words.

use pretty_assertions::assert_eq;

use super::*;

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
