//! What a provider may not do: redirect a key, flood, unfold a bomb, or outlive its reader.

use pretty_assertions::assert_eq;

use super::*;

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
