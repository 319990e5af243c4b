//! After a crash, and with a damaged database: what was acknowledged is there, and nothing is
//! deleted.

use std::fs;

use pretty_assertions::assert_eq;
use protocol::{ErrorCode, MessageState, StoreState};
use tempfile::TempDir;

use crate::scripted::{
    Server, add, ask, engine_and_server, exchange, html, open, question, shown, stored, until,
};

#[test]
fn an_answer_that_a_crash_cut_off_is_interrupted_and_goes_on() {
    let home = TempDir::new().unwrap();
    let outside = tokio::runtime::Runtime::new().unwrap();
    let mut server = outside.block_on(Server::start());

    // The runtime that dies takes every task of the first engine with it, wherever they stand.
    let doomed = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (started, call) = doomed.block_on(async {
        let engine = open(&home).await;
        add(&engine, "Scripted", &server, false).await;
        let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Count").await;
        call.begin().await;
        call.say("one, ").await;
        until(&mut stream, "one, ").await;
        stored(&home, started.message_id, "one, ").await;
        call.say("two").await;
        until(&mut stream, "two").await;
        (started, call)
    });
    drop(doomed);
    outside.block_on(call.closed());

    outside.block_on(async {
        let engine = open(&home).await;
        let answer = engine.message(started.message_id).await.unwrap();
        assert_eq!(answer.state, MessageState::Interrupted);
        assert!(shown(&answer).contains("one,"), "{}", shown(&answer));
        let kept = engine.source(started.message_id).await.unwrap();
        let question = started.user_message_id.unwrap();
        assert_eq!(engine.source(question).await.unwrap(), "Count");

        engine.continue_answer(started.message_id).await.unwrap();
        let mut stream = engine.attach(started.message_id).unwrap();
        server.call().await.answer("three").await;
        crate::scripted::end(&mut stream).await;
        let answer = engine.message(started.message_id).await.unwrap();
        assert_eq!(answer.state, MessageState::Complete);
        assert_eq!(shown(&answer), html(&format!("{kept}three")));
    });
}

#[test]
fn an_answer_of_another_process_that_died_is_interrupted_when_it_is_looked_for() {
    let home = TempDir::new().unwrap();
    let outside = tokio::runtime::Runtime::new().unwrap();
    let mut server = outside.block_on(Server::start());
    let doomed = tokio::runtime::Runtime::new().unwrap();
    let (started, call) = doomed.block_on(async {
        let engine = open(&home).await;
        add(&engine, "Scripted", &server, false).await;
        let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Count").await;
        call.begin().await;
        call.say("one").await;
        until(&mut stream, "one").await;
        stored(&home, started.message_id, "one").await;
        (started, call)
    });
    let id = started.message_id;
    let (engine, mut changes) = outside.block_on(async {
        let engine = open(&home).await;
        assert!(engine.attach(id).is_none());
        let answer = engine.message(id).await.unwrap();
        assert_eq!(answer.state, MessageState::Streaming, "it is alive");
        let changes = engine.changes();
        (engine, changes)
    });
    drop(doomed);
    outside.block_on(async {
        call.closed().await;
        assert!(engine.attach(id).is_none());
        changes.recv().await.unwrap();
        let answer = engine.message(id).await.unwrap();
        assert_eq!(
            (answer.state, shown(&answer)),
            (MessageState::Interrupted, html("one"))
        );
    });
}

#[tokio::test]
async fn a_damaged_database_is_shown_and_never_written() {
    let (home, engine, mut server) = engine_and_server().await;
    let id = exchange(&engine, &mut server, None, "q", "a")
        .await
        .conversation_id;
    engine.shutdown().await;
    drop(engine);
    let database = fs::read_dir(home.path().join("data"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_file() && fs::read(path).unwrap().starts_with(b"SQLite format 3"))
        .unwrap();
    fs::write(&database, b"this is no database at all, it was overwritten").unwrap();

    let engine = open(&home).await;
    assert!(matches!(engine.store_state(), StoreState::Recovery { .. }));
    engine.start().await.unwrap();
    let refused = engine.send(question(None, "Hi")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::ReadOnly);
    assert_eq!(
        engine.rename(id, "x").await.unwrap_err().code,
        ErrorCode::ReadOnly
    );
    let kept = fs::read(&database).unwrap();
    assert_eq!(
        kept, b"this is no database at all, it was overwritten",
        "it is left as it is"
    );
}
