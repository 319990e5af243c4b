//! Where a key goes: into the vault and into one header.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::{Engine, TurnUpdate};
use futures::future::BoxFuture;
use pretty_assertions::assert_eq;
use protocol::{
    EndpointDraft, ErrorCode, KeyPlace, KeyRecord, ProviderId, RunsAt, Secret, VaultState, Wire,
};
use serde_json::json;
use tempfile::TempDir;
use vault::{KeyStore, SessionKeys, VaultError};

use crate::scripted::{Server, add, ask, beside, config, end, engine_and_server, open, question};

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
    assert!(!endpoint.needs_key, "having a key is not needing one");
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
async fn a_key_stays_with_the_origin_it_was_given_for() {
    let home = TempDir::new().unwrap();
    let keys = Arc::new(SessionKeys::default());
    let engine = Engine::open(config(&home, keys.clone())).await.unwrap();
    let server = Server::start().await;
    let endpoint = add(&engine, "Mine", &server, true).await;
    let moved = |base_url: &str| EndpointDraft {
        id: Some(endpoint.id.clone()),
        name: "Mine".to_owned(),
        base_url: base_url.to_owned(),
        needs_key: true,
        wire: Wire::Chat,
        headers: Vec::new(),
    };
    engine.set_key(&endpoint.id, secret()).await.unwrap();
    let path = format!("{}/other", server.base_url);
    let same = engine.save_endpoint(moved(&path)).await.unwrap();
    assert!(same.key.is_some(), "another path of the same origin");

    for (from, to) in [
        ("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"),
        ("http://127.0.0.1:1/v1", "https://127.0.0.1:1/v1"),
        ("https://api.example/v1", "https://evil.example/v1"),
    ] {
        engine.save_endpoint(moved(from)).await.unwrap();
        engine.set_key(&endpoint.id, secret()).await.unwrap();
        let other = engine.save_endpoint(moved(to)).await.unwrap();
        assert_eq!(other.key, None, "{from} to {to}");
        let kept = keys.get("mine").await.unwrap();
        assert!(kept.is_none(), "the vault forgot it too");
    }
}

#[tokio::test]
async fn no_key_is_sent_in_clear_text() {
    let home = TempDir::new().unwrap();
    let keys = Arc::new(SessionKeys::default());
    let engine = Engine::open(config(&home, keys.clone())).await.unwrap();
    let draft = |base_url: &str, needs_key| EndpointDraft {
        id: None,
        name: "Far".to_owned(),
        base_url: base_url.to_owned(),
        needs_key,
        wire: Wire::Chat,
        headers: Vec::new(),
    };
    let clear = "http://api.example.com/v1";
    let refused = engine.save_endpoint(draft(clear, true)).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidRequest);
    let far = engine.save_endpoint(draft(clear, false)).await.unwrap().id;
    let refused = engine.set_key(&far, secret()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidRequest);
    assert!(refused.message.contains("https"), "{}", refused.message);
    assert!(keys.get("far").await.unwrap().is_none(), "nothing is kept");

    // As if an earlier version had let it through.
    let key = Secret::new(CANARY.to_owned());
    keys.set("far", key).await.unwrap();
    let mut endpoint = engine.endpoints().await.unwrap();
    endpoint.retain(|known| known.id == far);
    endpoint[0].key = Some(KeyRecord {
        last_four: "6789".to_owned(),
        saved_at: 1,
    });
    beside(&home)
        .await
        .save_endpoint(&endpoint[0])
        .await
        .unwrap();
    let mut request = question(None, "Hi");
    request.model = Some("far/x".parse().unwrap());
    let started = engine.send(request).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
        panic!("the key was let out")
    };
    assert_eq!(error.code, ErrorCode::InvalidRequest, "{}", error.message);
}

#[tokio::test]
async fn an_address_is_checked_when_it_is_saved() {
    let (_home, engine, _server) = engine_and_server().await;
    let save = |name: &str, base_url: &str| {
        engine.save_endpoint(EndpointDraft {
            id: None,
            name: name.to_owned(),
            base_url: base_url.to_owned(),
            needs_key: false,
            wire: Wire::Chat,
            headers: Vec::new(),
        })
    };
    for (name, url, part) in [
        ("", "http://localhost:1/v1", "name:"),
        ("a\nb", "http://localhost:1/v1", "name:"),
        ("a", "", "base URL:"),
        ("a", "localhost:8080/v1", "begin it with http"),
        ("a", "http://me:secret@localhost/v1", "before the @"),
        ("a", "http://localhost/v1?key=1", "from the ?"),
        (
            "a",
            "http://localhost:1/v1/chat/completions",
            "leave out /chat/completions at the end: http://localhost:1/v1",
        ),
    ] {
        let error = save(name, url).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest);
        assert!(error.message.contains(part), "{url:?}: {}", error.message);
    }
    let saved = save(" Mine ", " HTTP://Localhost:8080/v1/ ").await.unwrap();
    assert_eq!(saved.name, "Mine");
    assert_eq!(saved.base_url, "http://localhost:8080/v1");
}

#[tokio::test]
async fn a_key_that_is_not_needed_comes_and_goes() {
    let (_home, engine, _server) = engine_and_server().await;
    let ollama = "ollama".parse().unwrap();
    let with = engine.set_key(&ollama, secret()).await.unwrap();
    assert!(with.key.is_some() && !with.needs_key);
    let without = engine.remove_key(&ollama).await.unwrap();
    assert!(without.key.is_none() && !without.needs_key);
}

/// A keyring that can be locked.
#[derive(Default)]
struct Keyring {
    keys: SessionKeys,
    locked: AtomicBool,
}

impl Keyring {
    fn ready(&self) -> Result<(), VaultError> {
        match self.locked.load(Ordering::SeqCst) {
            true => Err(VaultError::Locked),
            false => Ok(()),
        }
    }
}

impl KeyStore for Keyring {
    fn get(&self, account: &str) -> BoxFuture<'_, Result<Option<Secret<String>>, VaultError>> {
        let account = account.to_owned();
        Box::pin(async move {
            self.ready()?;
            self.keys.get(&account).await
        })
    }

    fn set(&self, account: &str, secret: Secret<String>) -> BoxFuture<'_, Result<(), VaultError>> {
        let account = account.to_owned();
        Box::pin(async move {
            self.ready()?;
            self.keys.set(&account, secret).await
        })
    }

    fn remove(&self, account: &str) -> BoxFuture<'_, Result<(), VaultError>> {
        let account = account.to_owned();
        Box::pin(async move {
            self.ready()?;
            self.keys.remove(&account).await
        })
    }

    fn state(&self) -> BoxFuture<'_, VaultState> {
        let place = "test".to_owned();
        let state = match self.ready() {
            Ok(()) => VaultState::Ready { place },
            Err(_) => VaultState::Locked { place },
        };
        Box::pin(async move { state })
    }

    fn unlock(&self) -> BoxFuture<'_, Result<(), VaultError>> {
        self.locked.store(false, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }
}

/// Asks a provider and gives the key that came with the request.
async fn key_sent(engine: &Engine, server: &mut Server, provider: &str) -> Option<String> {
    let mut request = question(None, "Hi");
    request.model = Some(format!("{provider}/x").parse().unwrap());
    let started = engine.send(request).await.unwrap();
    let call = server.call().await;
    let key = call
        .head
        .lines()
        .find_map(|line| line.strip_prefix("authorization: Bearer "))
        .map(str::to_owned);
    call.answer("Hello").await;
    end(&mut engine.attach(started.message_id).unwrap()).await;
    key
}

#[tokio::test]
async fn keys_for_this_run_lie_over_those_in_the_keyring() {
    let home = TempDir::new().unwrap();
    let keyring = Arc::new(Keyring::default());
    let engine = Engine::open(config(&home, keyring.clone())).await.unwrap();
    let mut server = Server::start().await;
    let one = add(&engine, "One", &server, true).await.id;
    let two = add(&engine, "Two", &server, true).await.id;
    let secret = |text: &str| Secret::new(format!("sk-{text}-0123456789"));
    engine.set_key(&one, secret("lasting")).await.unwrap();
    keyring.locked.store(true, Ordering::SeqCst);
    let refused = engine.set_key(&two, secret("two")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::VaultLocked);

    let state = engine.keep_keys_for_session().await;
    assert_eq!(state, VaultState::SessionOnly);
    for provider in [&one, &two] {
        let with = engine.set_key(provider, secret("run")).await.unwrap();
        assert!(with.key.is_some());
        let sent = key_sent(&engine, &mut server, provider.as_str()).await;
        assert_eq!(sent.as_deref(), Some("sk-run-0123456789"));
    }
    let without = engine.remove_key(&two).await.unwrap();
    assert_eq!(without.key, None, "the keyring has nothing of it");
    let refused = engine.remove_key(&one).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::VaultLocked, "it would stay there");
    engine.set_key(&two, secret("run")).await.unwrap();
    engine.shutdown().await;
    drop(engine);

    keyring.unlock().await.unwrap();
    let engine = Engine::open(config(&home, keyring.clone())).await.unwrap();
    let sent = key_sent(&engine, &mut server, "one").await;
    assert_eq!(sent.as_deref(), Some("sk-lasting-0123456789"));
    let known = engine.endpoints().await.unwrap();
    let two = known.into_iter().find(|known| known.id == two).unwrap();
    assert_eq!(two.key, None, "no note outlives the key");

    engine.keep_keys_for_session().await;
    let sent = key_sent(&engine, &mut server, "one").await;
    assert_eq!(
        sent.as_deref(),
        Some("sk-lasting-0123456789"),
        "the keyring is still asked"
    );
    engine.remove_key(&one).await.unwrap();
    assert!(keyring.get("one").await.unwrap().is_none());
    let state = engine.unlock_vault().await.unwrap();
    assert!(matches!(state, VaultState::Ready { .. }));
    engine.set_key(&one, secret("new")).await.unwrap();
    assert!(keyring.get("one").await.unwrap().is_some());
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

#[tokio::test]
async fn each_key_is_said_to_be_where_it_is_right_now() {
    let home = TempDir::new().unwrap();
    let keyring = Arc::new(Keyring::default());
    let engine = Engine::open(config(&home, keyring.clone())).await.unwrap();
    let server = Server::start().await;
    let mine = add(&engine, "Mine", &server, true).await.id;
    let other = add(&engine, "Other", &server, true).await.id;
    let place = async |provider: &ProviderId| {
        let states = engine.provider_states().await.unwrap();
        let state = states.into_iter().find(|state| state.provider == *provider);
        state.expect("a state of the provider").key
    };
    let test = || "test".to_owned();
    assert_eq!(place(&mine).await, KeyPlace::Nowhere);
    engine.set_key(&mine, secret()).await.unwrap();
    assert_eq!(place(&mine).await, KeyPlace::Keyring { place: test() });
    keyring.locked.store(true, Ordering::SeqCst);
    assert_eq!(place(&mine).await, KeyPlace::Locked { place: test() });
    engine.keep_keys_for_session().await;
    engine.set_key(&other, secret()).await.unwrap();
    assert_eq!(place(&other).await, KeyPlace::Memory);
    assert_eq!(
        place(&mine).await,
        KeyPlace::Locked { place: test() },
        "what is chosen for the keys to come moves no other"
    );
    keyring.locked.store(false, Ordering::SeqCst);
    keyring.keys.remove("mine").await.unwrap();
    assert_eq!(place(&mine).await, KeyPlace::Lost);
}

#[tokio::test]
async fn what_comes_with_the_application_is_told_from_what_a_person_added() {
    let (_home, engine, _server) = engine_and_server().await;
    let states = engine.provider_states().await.unwrap();
    let of = |name: &str| states.iter().find(|state| state.provider.as_str() == name);
    let (ollama, scripted) = (of("ollama").unwrap(), of("scripted").unwrap());
    assert_eq!((ollama.builtin, scripted.builtin), (true, false));
    assert_eq!(ollama.runs_at, Some(RunsAt::ThisMachine));
    let order = engine.endpoints().await.unwrap();
    assert!(
        order
            .iter()
            .map(|known| &known.id)
            .eq(states.iter().map(|state| &state.provider))
    );
}
