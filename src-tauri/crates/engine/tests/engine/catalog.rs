//! What is known of models without asking: the catalog, and over it the person's own file. And how
//! endpoints carry wires and headers, and keys are tried.

use std::path::PathBuf;
use std::sync::Arc;

use engine::Engine;
use pretty_assertions::assert_eq;
use protocol::{
    AppError, Endpoint, EndpointDraft, ErrorCode, Header, Model, ModelGroup, ModelRef, Secret, Wire,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use vault::SessionKeys;

use crate::scripted::{Server, add, config, engine_and_server, model, open};

fn file(home: &TempDir) -> PathBuf {
    home.path().join("data").join("catalog.json")
}

fn write(home: &TempDir, content: &str) {
    std::fs::write(file(home), content).unwrap();
}

fn draft(id: Option<&str>, name: &str, base_url: &str) -> EndpointDraft {
    EndpointDraft {
        id: id.map(|id| id.parse().unwrap()),
        name: name.to_owned(),
        base_url: base_url.to_owned(),
        needs_key: true,
        wire: Wire::Chat,
        headers: Vec::new(),
    }
}

fn key() -> Secret<String> {
    Secret::new("sk-canary-0123456789abcdef".to_owned())
}

/// OpenAI, with a key, at the server.
async fn openai(engine: &Engine, server: &Server) -> Endpoint {
    let moved = EndpointDraft {
        wire: Wire::Responses,
        ..draft(Some("openai"), "OpenAI", &server.base_url)
    };
    let endpoint = engine.save_endpoint(moved).await.unwrap();
    engine.set_key(&endpoint.id, key()).await.unwrap()
}

fn group<'a>(groups: &'a [ModelGroup], provider: &str) -> &'a ModelGroup {
    let mut groups = groups.iter();
    groups
        .find(|group| group.provider.as_str() == provider)
        .unwrap()
}

fn known<'a>(groups: &'a [ModelGroup], name: &str) -> &'a Model {
    let wanted: ModelRef = model(name);
    let models = &group(groups, wanted.provider.as_str()).models;
    models.iter().find(|model| model.model == wanted).unwrap()
}

#[tokio::test]
async fn a_provider_with_a_key_offers_what_the_catalog_knows() {
    let (_home, engine, mut server) = engine_and_server().await;
    let before = engine.models(true);
    let (before, ()) = futures::join!(before, async {
        server.call().await.reply(200, &json!({ "data": [] })).await;
    });
    let providers: Vec<String> = before
        .unwrap()
        .iter()
        .map(|group| group.provider.to_string())
        .collect();
    assert_eq!(providers, ["inhouse", "scripted"], "nothing without a key");
    assert!(server.is_quiet());

    let mut hosted = Server::start().await;
    openai(&engine, &hosted).await;
    let offered = engine.models(false).await.unwrap();
    let sol = known(&offered, "openai/gpt-6.1-sol");
    assert!(sol.images && sol.tools && sol.price.is_some());
    assert!(hosted.is_quiet(), "nobody was asked");

    // The list cannot be had, and then it can: what it says is what this key can use.
    let (failed, (), ()) = futures::join!(
        engine.models(true),
        async { hosted.call().await.reply(500, &json!({})).await },
        async { server.call().await.reply(200, &json!({ "data": [] })).await },
    );
    let failed = failed.unwrap();
    assert!(group(&failed, "openai").error.is_some());
    assert_eq!(known(&failed, "openai/gpt-6.1-sol"), sol);
    let list = json!({ "data": [{ "id": "gpt-6.1-sol" }, { "id": "gpt-99" }, { "id": "tts-1" }] });
    let (listed, (), ()) = futures::join!(
        engine.models(true),
        async { hosted.call().await.reply(200, &list).await },
        async { server.call().await.reply(200, &json!({ "data": [] })).await },
    );
    let listed = listed.unwrap();
    assert_eq!(group(&listed, "openai").models.len(), 2);
    assert_eq!(
        known(&listed, "openai/gpt-6.1-sol"),
        sol,
        "the list is bare"
    );
    let unknown = known(&listed, "openai/gpt-99");
    assert_eq!(
        (unknown.context_tokens, unknown.price.as_ref()),
        (None, None)
    );

    engine.remove_key(&"openai".parse().unwrap()).await.unwrap();
    let without = engine.models(false).await.unwrap();
    let shown = without
        .iter()
        .any(|group| group.provider.as_str() == "openai");
    assert!(!shown, "a list without a key is of no use");
}

#[tokio::test]
async fn the_persons_facts_go_before_all_others() {
    let (home, engine, _server) = engine_and_server().await;
    let hosted = Server::start().await;
    openai(&engine, &hosted).await;
    let summary = engine.catalog_summary().await.unwrap();
    assert!(summary.contains("catalog.json"), "{summary}");
    write(
        &home,
        r#"{ "models": { "openai/gpt-6.1-sol": { "name": "Mine", "context_tokens": 9000 },
            "scripted/added": { "tools": true } } }"#,
    );
    let groups = engine.models(false).await.unwrap();
    let sol = known(&groups, "openai/gpt-6.1-sol");
    assert_eq!(
        (sol.name.as_str(), sol.context_tokens),
        ("Mine", Some(9_000))
    );
    assert!(sol.images, "what is not said stays");
    assert!(known(&groups, "scripted/added").tools);
    assert!(groups.iter().all(|group| group.error.is_none()));
    let summary = engine.catalog_summary().await.unwrap();
    assert!(summary.starts_with("2 models"), "{summary}");

    std::fs::remove_file(file(&home)).unwrap();
    let groups = engine.models(false).await.unwrap();
    assert_eq!(known(&groups, "openai/gpt-6.1-sol").name, "GPT-6.1 Sol");
}

fn wrong(groups: &[ModelGroup], provider: &str) -> AppError {
    group(groups, provider).error.clone().unwrap()
}

#[tokio::test]
async fn broken_facts_name_their_field_and_the_last_good_ones_stay() {
    let (home, engine, _server) = engine_and_server().await;
    write(
        &home,
        r#"{ "models": { "scripted/m": { "context_tokens": 9000 } } }"#,
    );
    engine.models(false).await.unwrap();
    let kept = |groups: &[ModelGroup]| known(groups, "scripted/m").context_tokens;

    write(
        &home,
        r#"{ "models": { "scripted/m": { "context_tokens": "9k" } } }"#,
    );
    let groups = engine.models(false).await.unwrap();
    assert_eq!(kept(&groups), Some(9_000));
    let error = wrong(&groups, "scripted");
    assert_eq!(error.code, ErrorCode::InvalidRequest);
    let field = "catalog.json: models.scripted/m.context_tokens: ";
    assert!(error.message.starts_with(field), "{}", error.message);
    assert_eq!(engine.catalog_summary().await.unwrap_err(), error);

    // What is about no model is told at the first.
    write(&home, "{");
    let groups = engine.models(false).await.unwrap();
    assert_eq!(kept(&groups), Some(9_000));
    assert!(
        wrong(&groups, "inhouse")
            .message
            .contains("the file: it is no JSON")
    );
    engine.shutdown().await;

    // A restart changes nothing of that.
    let engine = open(&home).await;
    let groups = engine.models(false).await.unwrap();
    assert_eq!(kept(&groups), Some(9_000));
    write(
        &home,
        r#"{ "models": { "scripted/m": { "context_tokens": 8000 } } }"#,
    );
    let groups = engine.models(false).await.unwrap();
    assert_eq!(kept(&groups), Some(8_000));
    assert_eq!(group(&groups, "inhouse").error, None);
}

#[tokio::test]
async fn what_is_no_plain_file_is_refused() {
    let (home, engine, _server) = engine_and_server().await;
    std::fs::create_dir(file(&home)).unwrap();
    let error = engine.catalog_summary().await.unwrap_err();
    assert!(error.message.contains("it is no file"), "{}", error.message);
    std::fs::remove_dir(file(&home)).unwrap();
    write(&home, &" ".repeat((1 << 20) + 1));
    let error = engine.catalog_summary().await.unwrap_err();
    assert!(error.message.contains("shorten it"), "{}", error.message);
}

#[tokio::test]
async fn wires_and_headers_are_checked_when_they_are_saved() {
    let home = TempDir::new().unwrap();
    let engine = open(&home).await;
    let url = "http://127.0.0.1:9/v1";
    let header = |name: &str, value: &str| Header {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let with = |headers| EndpointDraft {
        headers,
        ..draft(None, "Mine", url)
    };
    let many = (0..17).map(|n| header(&format!("x-{n}"), "1")).collect();
    for (wrong, field) in [
        (with(vec![header("Authorization", "Bearer x")]), "headers: "),
        (with(vec![header("host", "elsewhere")]), "headers: "),
        (with(vec![header("x-a", "a\r\nx-b: c")]), "headers: "),
        (with(many), "headers: "),
        (
            EndpointDraft {
                wire: Wire::Inhouse,
                ..with(Vec::new())
            },
            "wire: ",
        ),
        (
            draft(
                Some("foundry"),
                "Foundry",
                "https://YOUR-RESOURCE.services.ai.azure.com/openai/v1",
            ),
            "base URL: ",
        ),
    ] {
        let error = engine.save_endpoint(wrong).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest);
        assert!(error.message.starts_with(field), "{}", error.message);
    }
    let made = with(vec![header(" X-Team ", "red")]);
    let made = engine.save_endpoint(made).await.unwrap();
    assert_eq!(made.headers, [header("x-team", "red")]);
    let changed = EndpointDraft {
        id: Some(made.id.clone()),
        wire: Wire::Messages,
        ..draft(None, "Mine", url)
    };
    let changed = engine.save_endpoint(changed).await.unwrap();
    assert_eq!(changed.wire, Wire::Messages);
    assert_eq!(changed.headers, []);

    let error = engine.set_key(&"foundry".parse().unwrap(), key()).await;
    let message = error.unwrap_err().message;
    assert!(message.contains("YOUR-RESOURCE"), "{message}");
}

/// The word that a key is tried with, of the model that it must be asked of.
async fn word(server: &mut Server, status: u16, body: &Value) {
    let call = server.call().await;
    assert!(call.head.starts_with("POST /v1/chat/completions "));
    assert_eq!(call.body["model"], "cheap");
    assert_eq!(call.body["max_tokens"], 16);
    call.reply(status, body).await;
}

#[tokio::test]
async fn a_key_is_tried_with_a_word_from_the_cheapest_model() {
    let home = TempDir::new().unwrap();
    let engine = Engine::open(config(&home, Arc::new(SessionKeys::default())))
        .await
        .unwrap();
    let mut server = Server::start().await;
    let endpoint = add(&engine, "Mine", &server, true).await;
    engine.set_key(&endpoint.id, key()).await.unwrap();
    let price = |dollars: &str| json!({ "prompt": dollars, "completion": dollars });
    let list = json!({ "data": [
        { "id": "dear", "pricing": price("0.00001") },
        { "id": "cheap", "pricing": price("0.000001") },
        { "id": "free", "pricing": price("0") },
    ] });
    let said = json!({ "choices": [{ "message": { "role": "assistant", "content": "Yes" },
        "finish_reason": "length" }] });
    let no_credit = json!({ "error": { "code": "insufficient_quota", "message": "pay" } });
    let no_model = json!({ "error": { "code": "model_not_found", "message": "gone" } });
    for (status, body, code, words) in [
        (200, &said, None, ""),
        (429, &no_credit, Some(ErrorCode::Quota), "credit"),
        (
            401,
            &json!({ "error": { "message": "no" } }),
            Some(ErrorCode::Auth),
            "key",
        ),
        (
            404,
            &no_model,
            Some(ErrorCode::NotFound),
            "the key is accepted, but mine/cheap did not answer: ",
        ),
    ] {
        let (result, ()) = futures::join!(engine.test_endpoint(&endpoint.id), async {
            server.call().await.reply(200, &list).await;
            word(&mut server, status, body).await;
        });
        match code {
            None => assert_eq!(result.unwrap().len(), 3),
            Some(code) => {
                let error = result.unwrap_err();
                assert_eq!(error.code, code, "{}", error.message);
                assert!(error.message.contains(words), "{}", error.message);
            }
        }
    }
}
