//! Every provider on its wire: where it is asked, where its key goes, and its list in pages.

use pretty_assertions::assert_eq;
use protocol::{Effort, Header, Model};
use providers::builtin_endpoints;

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\n";

const RESPONSES: &str = concat!(
    "event: response.output_text.delta\n",
    "data: {\"type\":\"response.output_text.delta\",\"item_id\":\"i\",\"output_index\":0,",
    "\"content_index\":0,\"delta\":\"hello\"}\n\n",
    "event: response.completed\n",
    "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"status\":\"completed\",",
    "\"model\":\"m\",\"output\":[]}}\n\n",
);

const MESSAGES: &str = concat!(
    "event: message_start\n",
    "data: {\"type\":\"message_start\",\"message\":{\"id\":\"r\",\"model\":\"m\",\"content\":[],",
    "\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\n",
    "data: {\"type\":\"content_block_start\",\"index\":0,",
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\n",
    "data: {\"type\":\"content_block_delta\",\"index\":0,",
    "\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: message_delta\n",
    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},",
    "\"usage\":{\"output_tokens\":1}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

const GEMINI: &str = concat!(
    "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"hello\"}]},",
    "\"finishReason\":\"STOP\"}]}\r\n\r\n",
);

/// An answer that says hello on each wire, and an empty list.
async fn server() -> Server {
    let chat = event_stream(&[TEXT, STOP]);
    Server::together(vec![
        ("POST /v1/chat/completions ", chat),
        ("POST /v1/responses ", event_stream(&[RESPONSES])),
        ("POST /v1/messages ", event_stream(&[MESSAGES])),
        (":streamGenerateContent?alt=sse ", event_stream(&[GEMINI])),
        ("GET ", answer(OK, "application/json", "{\"data\":[]}")),
    ])
    .await
}

/// A built-in provider, or another, that is at the server.
fn remote(id: &str, wire: Option<Wire>, server: &Server, headers: Vec<Header>) -> Remote {
    let mut builtin = builtin_endpoints().into_iter();
    let own = Endpoint {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        base_url: String::new(),
        wire: Wire::Chat,
        needs_key: true,
        key: None,
        headers: Vec::new(),
    };
    let endpoint = builtin.find(|known| known.id.as_str() == id).unwrap_or(own);
    let endpoint = Endpoint {
        base_url: server.base_url(),
        wire: wire.unwrap_or(endpoint.wire),
        headers,
        ..endpoint
    };
    Remote::new(&endpoint, Http::with_limits(limits()).unwrap()).unwrap()
}

/// The path that a request asks for.
fn path(request: &str) -> &str {
    request.split(' ').nth(1).unwrap()
}

/// What the key stands behind in a request, once for every time it is in it.
fn key_places(request: &str) -> Vec<String> {
    let places = request
        .lines()
        .filter(|line| line.contains(CANARY))
        .map(|line| line.replace(CANARY, "KEY").to_lowercase());
    let mut places: Vec<String> = places.collect();
    places.sort();
    places
}

fn has(request: &str, header: &str) -> bool {
    request
        .lines()
        .any(|line| line.eq_ignore_ascii_case(header))
}

#[tokio::test]
async fn every_provider_is_asked_on_its_wire_with_the_key_in_its_place() {
    let bearer = "authorization: bearer key";
    let version = "anthropic-version: 2026-10-21";
    for (id, answers_at, list, key_at, header) in [
        ("openai", "/v1/responses", "/v1/models", bearer, None),
        (
            "anthropic",
            "/v1/messages",
            "/v1/models?limit=1000",
            "x-api-key: key",
            Some(version),
        ),
        (
            "gemini",
            "/v1/models/m:streamGenerateContent?alt=sse",
            "/v1/models?pageSize=1000",
            "x-goog-api-key: key",
            None,
        ),
        ("xai", "/v1/responses", "/v1/language-models", bearer, None),
        (
            "deepseek",
            "/v1/chat/completions",
            "/v1/models",
            bearer,
            None,
        ),
        ("meta", "/v1/responses", "/v1/models", bearer, None),
        (
            "mistral",
            "/v1/chat/completions",
            "/v1/models",
            bearer,
            None,
        ),
        ("groq", "/v1/chat/completions", "/v1/models", bearer, None),
        (
            "openrouter",
            "/v1/chat/completions",
            "/v1/models",
            bearer,
            Some("x-title: Pilotfish"),
        ),
        (
            "foundry",
            "/v1/chat/completions",
            "/v1/models",
            "api-key: key",
            None,
        ),
        (
            "llama-server",
            "/v1/chat/completions",
            "/v1/models",
            bearer,
            None,
        ),
        (
            "of-my-own",
            "/v1/chat/completions",
            "/v1/models",
            bearer,
            None,
        ),
    ] {
        let server = server().await;
        let provider = remote(id, None, &server, Vec::new());
        assert_eq!(
            ask(&provider).await,
            ("hello".to_owned(), Ok(StopReason::EndTurn)),
            "{id}"
        );
        assert_eq!(provider.list_models(key()).await.unwrap(), [], "{id}");
        let requests = server.requests();
        let paths: Vec<&str> = requests.iter().map(|request| path(request)).collect();
        assert_eq!(paths, [answers_at, list], "{id}");
        for request in &requests {
            assert_eq!(key_places(request), [key_at], "{id}");
            assert!(
                header.is_none_or(|header| has(request, header)),
                "{id}: {request}"
            );
        }
    }
}

#[tokio::test]
async fn a_wire_of_the_persons_choice_has_its_own_custom() {
    let bearer = "authorization: bearer key";
    let x_api_key = "x-api-key: key";
    for id in ["llama-server", "of-my-own", "openai"] {
        for (wire, answers_at, keys) in [
            (Wire::Chat, "/v1/chat/completions", vec![bearer]),
            (Wire::Responses, "/v1/responses", vec![bearer]),
            // Some servers look here and some there; real ones take either.
            (Wire::Messages, "/v1/messages", vec![bearer, x_api_key]),
            (
                Wire::Gemini,
                "/v1/models/m:streamGenerateContent?alt=sse",
                vec!["x-goog-api-key: key"],
            ),
        ] {
            let server = server().await;
            let provider = remote(id, Some(wire), &server, Vec::new());
            assert_eq!(provider.wire(), wire);
            let (text, end) = ask(&provider).await;
            assert_eq!(
                (text.as_str(), end),
                ("hello", Ok(StopReason::EndTurn)),
                "{id} {wire:?}"
            );
            let request = server.requests().remove(0);
            assert_eq!(path(&request), answers_at, "{id}");
            assert_eq!(key_places(&request), keys, "{id}");
            let versioned = has(&request, "anthropic-version: 2026-10-21");
            assert_eq!(versioned, wire == Wire::Messages, "{id}");
        }
    }
}

#[tokio::test]
async fn a_persons_headers_are_sent_and_go_before_the_providers() {
    let header = |name: &str, value: &str| Header {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let own = vec![
        header("X-Team", "red"),
        header("anthropic-version", "2023-06-01"),
    ];
    let server = server().await;
    let provider = remote("anthropic", None, &server, own);
    provider.list_models(key()).await.unwrap();
    assert_eq!(ask(&provider).await.1, Ok(StopReason::EndTurn));
    for request in server.requests() {
        assert!(has(&request, "x-team: red"), "{request}");
        assert!(has(&request, "anthropic-version: 2023-06-01"), "{request}");
        assert!(!has(&request, "anthropic-version: 2026-10-21"), "{request}");
    }
}

#[tokio::test]
async fn a_models_name_cannot_leave_its_place_in_the_path() {
    for (model, expected) in [
        ("models/gemini-3.8-flash", "gemini-3.8-flash"),
        ("../x?key=1#y", "..%2Fx%3Fkey=1%23y"),
        ("tuned/é", "tuned%2F%C3%A9"),
    ] {
        let server = server().await;
        let provider = remote("gemini", None, &server, Vec::new());
        let request = Request {
            model: model.to_owned(),
            ..request()
        };
        let stream = provider.stream(request, key(), CancellationToken::new());
        assert!(stream.collect::<Vec<_>>().await.iter().all(Result::is_ok));
        let asked = server.requests().remove(0);
        let expected = format!("/v1/models/{expected}:streamGenerateContent?alt=sse");
        assert_eq!(path(&asked), expected);
    }
}

#[tokio::test]
async fn no_key_goes_along_with_a_redirect() {
    let elsewhere = server().await;
    for id in ["openai", "anthropic", "gemini", "foundry"] {
        let target = elsewhere.base_url();
        let head = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {target}/models\r\n");
        let moved = answer(&head, "text/plain", "");
        let server = Server::together(vec![("", moved)]).await;
        let provider = remote(id, None, &server, Vec::new());
        let listed = provider.list_models(key()).await.unwrap_err();
        let asked = ask(&provider).await.1.unwrap_err();
        for error in [listed, asked] {
            assert_eq!(error.code.as_deref(), Some("redirect"), "{id}");
        }
    }
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

fn names(models: &[Model]) -> Vec<String> {
    let names = models.iter().map(|model| model.model.model.clone());
    names.collect()
}

#[tokio::test]
async fn long_lists_are_read_to_their_end() {
    let json = |body: &str| answer(OK, "application/json", body);
    let server = Server::together(vec![
        (
            "/models?limit=1000&after_id=b ",
            json(r#"{"data":[{"id":"c"},{"id":"a"}],"has_more":false,"last_id":"a"}"#),
        ),
        (
            "/models?limit=1000 ",
            json(r#"{"data":[{"id":"a"},{"id":"b"}],"has_more":true,"last_id":"b"}"#),
        ),
    ])
    .await;
    let anthropic = remote("anthropic", None, &server, Vec::new());
    let models = anthropic.list_models(key()).await.unwrap();
    assert_eq!(names(&models), ["a", "b", "c"]);

    let server = Server::together(vec![
        (
            "/models?pageSize=1000&pageToken=t%26x ",
            json(r#"{"models":[{"name":"models/b","supportedGenerationMethods":["generateContent"]}]}"#),
        ),
        (
            "/models?pageSize=1000 ",
            json(r#"{"models":[{"name":"models/a"}],"nextPageToken":"t&x"}"#),
        ),
    ])
    .await;
    let gemini = remote("gemini", None, &server, Vec::new());
    let models = gemini.list_models(key()).await.unwrap();
    assert_eq!(names(&models), ["a", "b"]);
}

#[tokio::test]
async fn endless_lists_are_not() {
    let json = |body: &str| answer(OK, "application/json", body);
    let round = json(r#"{"data":[{"id":"a"}],"has_more":true,"last_id":"a"}"#);
    let server = Server::together(vec![("", round)]).await;
    let models = remote("anthropic", None, &server, Vec::new());
    assert_eq!(models.list_models(key()).await.unwrap().len(), 1);
    assert_eq!(
        server.requests().len(),
        2,
        "a page that is its own next is the last"
    );

    let page = |next: &str| {
        json(&format!(
            r#"{{"models":[{{"name":"models/{next}"}}],"nextPageToken":"{next}"}}"#
        ))
    };
    let pages = vec![("pageToken=a ", page("b")), ("", page("a"))];
    let server = Server::together(pages).await;
    let gemini = remote("gemini", None, &server, Vec::new());
    assert_eq!(gemini.list_models(key()).await.unwrap().len(), 2);
    assert_eq!(
        server.requests().len(),
        20,
        "the number of pages is bounded"
    );
}

#[tokio::test]
async fn a_list_goes_over_the_catalog() {
    let list = r#"{"models":[
        {"id":"grok-of-tomorrow"},{"id":"grok-imagine-image"},
        {"id":"grok-4.7","input_modalities":["text"],"prompt_text_token_price":10000,
         "completion_text_token_price":20000}]}"#;
    let server = Server::together(vec![("", answer(OK, "application/json", list))]).await;
    let xai = remote("xai", None, &server, Vec::new());
    let models = xai.list_models(key()).await.unwrap();
    assert_eq!(
        names(&models),
        ["grok-4.7", "grok-of-tomorrow"],
        "the best first"
    );
    let known = &models[0];
    assert_eq!(known.name, "Grok 4.7");
    assert_eq!(known.context_tokens, Some(500_000), "the list is silent");
    assert!(!known.images, "the list is not");
    assert!(known.tools && known.efforts.contains(&Effort::High));
    let price = known.price.as_ref().unwrap();
    assert_eq!(
        (price.input, price.output, price.cached_input),
        (1.0, 2.0, None)
    );
    let unknown = &models[1];
    assert_eq!(unknown.name, "grok-of-tomorrow");
    assert_eq!(
        (unknown.context_tokens, unknown.price.as_ref()),
        (None, None)
    );
}

#[tokio::test]
async fn a_provider_without_its_richer_list_has_the_plain_one() {
    let missing = answer("HTTP/1.1 404 Not Found\r\n", "text/plain", "no");
    let list = answer(OK, "application/json", r#"{"data":[{"id":"grok-4.7"}]}"#);
    let server = Server::together(vec![("/language-models ", missing), ("/models ", list)]).await;
    let xai = remote("xai", None, &server, Vec::new());
    let models = xai.list_models(key()).await.unwrap();
    assert!(models[0].price.is_some(), "the catalog knows it");
}

#[test]
fn an_address_that_is_still_an_example_is_not_called() {
    let mut builtin = builtin_endpoints().into_iter();
    let foundry = builtin
        .find(|known| known.id.as_str() == "foundry")
        .unwrap();
    let error = Remote::new(&foundry, Http::new().unwrap()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(error.message.starts_with("base URL: "), "{error}");
    assert!(error.message.contains("YOUR-RESOURCE"), "{error}");
}
