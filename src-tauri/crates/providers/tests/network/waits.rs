//! How long a provider is waited for, and what a pause means.

use pretty_assertions::assert_eq;

use super::*;

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
