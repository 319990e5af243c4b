//! Where a key goes: into the vault and into one header.

use std::path::Path;
use std::sync::Arc;

use engine::{Engine, TurnUpdate};
use pretty_assertions::assert_eq;
use protocol::{EndpointDraft, ErrorCode, KeyRecord, Secret, VaultState};
use serde_json::json;
use tempfile::TempDir;
use vault::{KeyStore, SessionKeys};

use crate::scripted::{Server, add, ask, config, end, engine_and_server, open, question};

const CANARY: &str = "sk-canary-0123456789";

fn secret() -> Secret<String> {
    Secret::new(format!(" {CANARY}\n"))
}

fn holds_canary(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds_canary(&path);
        }
        let bytes = std::fs::read(path).unwrap();
        bytes
            .windows(CANARY.len())
            .any(|window| window == CANARY.as_bytes())
    })
}

#[tokio::test]
async fn a_key_goes_into_its_header_and_nowhere_else() {
    let (home, engine, mut server) = engine_and_server().await;
    let provider = "scripted".parse().unwrap();
    let endpoint = engine.set_key(&provider, secret()).await.unwrap();
    assert!(endpoint.needs_key);
    assert_eq!(
        endpoint
            .key
            .map(|KeyRecord { last_four, .. }| last_four)
            .as_deref(),
        Some("6789")
    );

    let (_, mut stream, call) = ask(&engine, &mut server, None, "Hi").await;
    let header = format!("authorization: bearer {CANARY}\r\n");
    assert!(
        call.head.to_lowercase().contains(&header),
        "the key is sent"
    );
    assert!(!call.body.to_string().contains(CANARY));
    call.answer("Hello").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);
    engine.shutdown().await;
    assert!(!holds_canary(home.path()), "no file holds the key");
}

#[tokio::test]
async fn a_key_that_the_keyring_lost_is_told_from_one_never_given() {
    let (home, engine, mut server) = engine_and_server().await;
    let other = Server::start().await;
    add(&engine, "Other", &other, true).await;
    engine
        .set_key(&"scripted".parse().unwrap(), secret())
        .await
        .unwrap();
    engine.shutdown().await;
    drop(engine);

    // Keys that were kept for one run only are gone in the next.
    let engine = open(&home).await;
    for (name, code) in [
        ("scripted/x", ErrorCode::KeyLost),
        ("other/x", ErrorCode::Auth),
    ] {
        let mut request = question(None, "Hi");
        request.model = Some(name.parse().unwrap());
        let started = engine.send(request).await.unwrap();
        let TurnUpdate::Failed { error, .. } =
            end(&mut engine.attach(started.message_id).unwrap()).await
        else {
            panic!("there is no key")
        };
        assert_eq!(error.code, code, "{}", error.message);
    }
    assert!(
        server.is_quiet() && other.is_quiet(),
        "nothing was sent without the key"
    );

    engine
        .set_key(&"scripted".parse().unwrap(), secret())
        .await
        .unwrap();
    let (_, mut stream, call) = ask(&engine, &mut server, None, "Hi").await;
    call.answer("Hello").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);
}

#[tokio::test]
async fn a_key_stays_with_the_host_it_was_given_for() {
    let home = TempDir::new().unwrap();
    let keys = Arc::new(SessionKeys::default());
    let engine = Engine::open(config(&home, keys.clone())).await.unwrap();
    let server = Server::start().await;
    let endpoint = add(&engine, "Mine", &server, true).await;
    engine.set_key(&endpoint.id, secret()).await.unwrap();
    let moved = |base_url: &str| EndpointDraft {
        id: Some(endpoint.id.clone()),
        name: "Mine".to_owned(),
        base_url: base_url.to_owned(),
        needs_key: true,
    };
    let same = engine
        .save_endpoint(moved("http://127.0.0.1:1/v2"))
        .await
        .unwrap();
    assert!(same.key.is_some(), "another port of the same host");
    let other = engine
        .save_endpoint(moved("https://evil.example/v1"))
        .await
        .unwrap();
    assert_eq!(other.key, None);
    assert!(
        keys.get("mine").await.unwrap().is_none(),
        "the vault forgot it too"
    );
}

#[tokio::test]
async fn testing_an_endpoint_explains_what_is_wrong() {
    let (_home, engine, mut server) = engine_and_server().await;
    let provider = "scripted".parse().unwrap();
    let test = engine.test_endpoint(&provider);
    let answer = async {
        let call = server.call().await;
        assert!(call.head.starts_with("GET /v1/models "), "{}", call.head);
        call.reply(401, &json!({ "error": { "message": "no" } }))
            .await;
    };
    let (result, ()) = futures::join!(test, answer);
    assert_eq!(result.unwrap_err().code, ErrorCode::Auth);
}

#[tokio::test]
async fn removing_a_key_removes_it_from_the_vault() {
    let home = TempDir::new().unwrap();
    let keys = Arc::new(SessionKeys::default());
    let engine = Engine::open(config(&home, keys.clone())).await.unwrap();
    let server = Server::start().await;
    let endpoint = add(&engine, "Mine", &server, true).await;
    engine.set_key(&endpoint.id, secret()).await.unwrap();
    assert!(keys.get("mine").await.unwrap().is_some());
    let without = engine.remove_key(&endpoint.id).await.unwrap();
    assert_eq!(without.key, None);
    assert!(keys.get("mine").await.unwrap().is_none());
    assert_eq!(
        engine.keep_keys_for_session().await,
        VaultState::SessionOnly
    );
}
