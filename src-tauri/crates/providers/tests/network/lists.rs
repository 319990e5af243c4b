//! Lists of models, and addresses as people write them.

use pretty_assertions::assert_eq;

use super::*;

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
        headers: Vec::new(),
    };
    for (url, wire, field) in [
        ("localhost:11434", Wire::Chat, "base URL: "),
        ("http://localhost/v1", Wire::Inhouse, "wire: "),
    ] {
        let error = Remote::new(&endpoint(url, wire), http.clone()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        assert!(error.message.starts_with(field), "{error}");
    }
}
