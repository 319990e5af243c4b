//! What the in-house model does for the engine, with the real small model in a real worker. The
//! worker is `inhouse`'s example, which a test of the whole workspace builds.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::{Change, Engine, TurnUpdate, WorkerCommand};
use pretty_assertions::assert_eq;
use protocol::{ConversationId, ErrorCode, LibraryState};
use tempfile::TempDir;
use tokio::sync::broadcast;
use vault::SessionKeys;

use crate::scripted::{
    Server, add, ask, config, end, exchange, model, open, question, retitled, until,
};

/// The small model's file: named by `scripts/test`, or where `pilotfish models pull small` puts it.
fn model_file() -> PathBuf {
    let path = std::env::var_os("PILOTFISH_TEST_MODEL").map_or_else(
        || {
            let home = std::env::var_os("HOME").unwrap_or_default();
            Path::new(&home).join(".local/share/pilotfish/models/small.gguf")
        },
        PathBuf::from,
    );
    assert!(
        path.is_file(),
        "{} is no model: run scripts/test, which fetches it, or name one in PILOTFISH_TEST_MODEL",
        path.display()
    );
    path
}

fn worker() -> WorkerCommand {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join("worker");
    assert!(
        program.is_file(),
        "{} is not built: run `cargo build -p inhouse --example worker`",
        program.display()
    );
    WorkerCommand {
        program,
        args: Vec::new(),
    }
}

/// Puts the small model into a home.
fn put_small(home: &TempDir) {
    let models = home.path().join("models");
    fs::create_dir_all(&models).unwrap();
    let (from, to) = (model_file(), models.join("small.gguf"));
    fs::hard_link(&from, &to)
        .or_else(|_| fs::copy(&from, &to).map(drop))
        .unwrap();
}

async fn open_with_worker(home: &TempDir) -> Engine {
    let mut config = config(home, Arc::new(SessionKeys::default()));
    config.worker = worker();
    Engine::open(config).await.unwrap()
}

/// The title that a conversation has after the given one.
async fn titled(
    engine: &Engine,
    changes: &mut broadcast::Receiver<Change>,
    conversation: ConversationId,
    before: &str,
) -> String {
    let found = retitled(engine, changes, conversation, before);
    tokio::time::timeout(Duration::from_secs(60), found)
        .await
        .unwrap()
}

const FIRST: &str =
    "Please explain to me in simple words why the sky looks blue at noon and red in the evening";
const SHORTENED: &str = "Please explain to me in simple words why the sky looks…";

#[tokio::test]
async fn a_title_is_made_after_the_first_whole_answer() {
    let home = TempDir::new().unwrap();
    put_small(&home);
    let engine = open_with_worker(&home).await;
    let mut server = Server::start().await;
    add(&engine, "Scripted", &server, false).await;
    let mut changes = engine.changes();

    let (started, mut stream, mut call) = ask(&engine, &mut server, None, FIRST).await;
    let id = started.conversation_id;
    call.begin().await;
    call.say("Light").await;
    until(&mut stream, "Light").await;
    engine.cancel(started.turn_id);
    assert_eq!(end(&mut stream).await, TurnUpdate::Cancelled);
    assert_eq!(titled(&engine, &mut changes, id, "").await, SHORTENED);

    exchange(&engine, &mut server, Some(id), "Once more", "It is.").await;
    let made = titled(&engine, &mut changes, id, SHORTENED).await;
    assert!(made != "Once more" && made.len() > 2, "{made}");
    assert_eq!(engine.conversation(id).await.unwrap().title, made);
    assert!(server.is_quiet(), "no other model is asked for it");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_title_that_an_earlier_run_owed_is_made_up_for() {
    let home = TempDir::new().unwrap();
    let engine = open(&home).await;
    let mut server = Server::start().await;
    add(&engine, "Scripted", &server, false).await;
    let mut changes = engine.changes();
    let id = exchange(&engine, &mut server, None, FIRST, "It is.")
        .await
        .conversation_id;
    assert_eq!(titled(&engine, &mut changes, id, "").await, SHORTENED);
    let own = exchange(&engine, &mut server, None, "Mine", "Yes.")
        .await
        .conversation_id;
    assert_eq!(titled(&engine, &mut changes, own, "").await, "Mine");
    engine.rename(own, "Mine").await.unwrap();
    engine.shutdown().await;
    drop(engine);

    put_small(&home);
    let engine = open_with_worker(&home).await;
    let mut changes = engine.changes();
    exchange(&engine, &mut server, None, "What is a whale?", "Big.").await;
    titled(&engine, &mut changes, id, SHORTENED).await;
    let own = engine.conversation(own).await.unwrap();
    assert_eq!(own.title, "Mine", "the person's own stays");
    engine.shutdown().await;
}

/// The beginning of an in-house answer.
async fn beginning(engine: &Engine, model_id: &str) -> String {
    let mut request = question(None, "What is the capital of France? Name the city.");
    request.model = Some(model(&format!("inhouse/{model_id}")));
    let started = engine.send(request).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    let mut said = String::new();
    while let Some(updates) = stream.next().await {
        for update in updates {
            match update {
                TurnUpdate::Delta { text, .. } => said.push_str(&text),
                TurnUpdate::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
        if said.len() > 60 {
            engine.cancel(started.turn_id);
        }
    }
    said
}

/// A model of another name, which is longer by an alignment's 32 bytes: else it would be taken for
/// the one of the catalogue.
fn renamed(model: &[u8]) -> Vec<u8> {
    let key = b"general.name";
    let found = model.windows(key.len()).position(|part| part == key);
    // After the key comes the type of its value, then the name's length and the name.
    let length_at = found.unwrap() + key.len() + 4;
    let length: [u8; 8] = model[length_at..length_at + 8].try_into().unwrap();
    let length = u64::from_le_bytes(length);
    let name_at = length_at + 8;
    [
        &model[..length_at],
        &(length + 32).to_le_bytes(),
        &[b'x'; 32],
        &model[name_at..],
    ]
    .concat()
}

#[tokio::test]
async fn a_model_that_takes_anothers_name_answers_itself() {
    let home = TempDir::new().unwrap();
    let engine = open_with_worker(&home).await;
    let file = home.path().join("mine.gguf");
    let mut bytes = renamed(&fs::read(model_file()).unwrap());
    fs::write(&file, &bytes).unwrap();
    engine.import_model(&file).await.unwrap();
    beginning(&engine, "mine").await;

    engine.remove_model("mine").await.unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0);
    fs::remove_file(&file).unwrap();
    fs::write(&file, &bytes).unwrap();
    engine.import_model(&file).await.unwrap();
    let said = beginning(&engine, "mine").await;
    assert!(!said.contains("Paris"), "the old weights said {said:?}");
    engine.shutdown().await;
}

#[tokio::test]
async fn the_picker_says_who_answers_for_an_absent_model() {
    let home = TempDir::new().unwrap();
    let engine = open(&home).await;
    let alone = engine.models(false).await.unwrap().remove(0).models;
    assert_eq!(alone.len(), 1, "the default, to be fetched");
    assert_eq!(alone[0].model, model("inhouse/default"));
    assert_eq!(alone[0].context_tokens, None);

    put_small(&home);
    let models = engine.models(false).await.unwrap().remove(0).models;
    let ids: Vec<_> = models.iter().map(|one| one.model.to_string()).collect();
    assert_eq!(ids, ["inhouse/default", "inhouse/small"]);
    let told = format!("{} (instead of {}: ", models[1].name, alone[0].name);
    assert!(models[0].name.starts_with(&told), "{}", models[0].name);
    assert_eq!(models[0].context_tokens, models[1].context_tokens);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_pull_runs_once_and_can_be_stopped() {
    let home = TempDir::new().unwrap();
    put_small(&home);
    let engine = open(&home).await;
    // A file that is here but was not looked through keeps the pull busy without any network.
    let (pulled, again, ()) = futures::join!(
        engine.pull("small", |_| {}),
        engine.pull("small", |_| {}),
        async { engine.cancel_pull("small") },
    );
    assert_eq!(again.unwrap_err().code, ErrorCode::Busy);
    assert_eq!(pulled.unwrap_err().code, ErrorCode::Interrupted);
    let pulled = engine.pull("small", |_| {}).await.unwrap();
    assert_eq!(pulled.state, LibraryState::Ready);
    engine.cancel_pull("small");
    engine.shutdown().await;
}
