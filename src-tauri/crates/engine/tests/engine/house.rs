//! What the house does by itself: titles, recent models, settings, news.

use engine::{Change, Engine, TurnUpdate};
use pretty_assertions::assert_eq;
use protocol::{ConversationId, ErrorCode, MessageState, Settings, StoreState};

use crate::scripted::{
    ask, beside, end, engine_and_server, exchange, html, model, open, retitled, shown, until,
};

async fn title(engine: &Engine, id: ConversationId) -> String {
    engine.conversation(id).await.unwrap().title
}

#[tokio::test]
async fn a_conversation_is_named_after_its_first_question() {
    let (home, engine, mut server) = engine_and_server().await;
    let mut changes = engine.changes();
    let question = "\n# Why is the sky blue?\nAnd the grass green?";
    let id = exchange(&engine, &mut server, None, question, "It is.")
        .await
        .conversation_id;
    let first = retitled(&engine, &mut changes, id, "").await;
    assert_eq!(first, "Why is the sky blue?");

    exchange(&engine, &mut server, Some(id), "And the sea?", "Too.").await;
    engine.shutdown().await;
    let kept = beside(&home).await.conversation(id).await.unwrap().title;
    assert_eq!(kept, first, "and not after a later one");
}

#[tokio::test]
async fn a_title_of_the_persons_own_stays() {
    let (home, engine, mut server) = engine_and_server().await;
    let mut changes = engine.changes();
    let id = exchange(&engine, &mut server, None, "q", "a")
        .await
        .conversation_id;
    retitled(&engine, &mut changes, id, "").await;
    engine.rename(id, " Colours ").await.unwrap();
    exchange(&engine, &mut server, Some(id), "q2", "a2").await;
    engine.shutdown().await;
    drop(engine);
    let engine = open(&home).await;
    assert_eq!(title(&engine, id).await, "Colours");
    for wrong in ["", " ", "a\nb", &"x".repeat(201)] {
        let refused = engine.rename(id, wrong).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidRequest);
    }
}

#[tokio::test]
async fn what_goes_into_the_trash_is_no_longer_answered() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Count").await;
    call.begin().await;
    call.say("one, ").await;
    until(&mut stream, "one, ").await;
    engine.trash(started.conversation_id).await.unwrap();
    assert_eq!(end(&mut stream).await, TurnUpdate::Cancelled);
    call.closed().await;
    assert!(engine.conversations(0, 10).await.unwrap().is_empty());

    engine.restore(started.conversation_id).await.unwrap();
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(answer.state, MessageState::Cancelled);
    assert_eq!(shown(&answer), html("one, "), "what had come is kept");
}

#[tokio::test]
async fn settings_outlive_the_engine() {
    let (home, engine, mut server) = engine_and_server().await;
    let mut changes = engine.changes();
    let settings = Settings {
        instructions: "Call me Ada.".to_owned(),
        default_model: Some(model("scripted/model-a")),
        recents: vec![model("scripted/forged")],
        ..Settings::default()
    };
    engine.save_settings(settings).await.unwrap();
    assert_eq!(changes.recv().await, Ok(Change::Settings));
    exchange(&engine, &mut server, None, "q", "a").await;
    engine.shutdown().await;
    drop(engine);

    let engine = open(&home).await;
    let settings = engine.settings().await.unwrap();
    assert_eq!(settings.instructions, "Call me Ada.");
    assert_eq!(
        settings.recents,
        [model("scripted/model-a")],
        "what was asked last"
    );
    let wrong = Settings {
        instructions: "x".repeat(9000),
        ..Settings::default()
    };
    let refused = engine.save_settings(wrong).await.unwrap_err();
    assert!(
        refused.message.starts_with("instructions"),
        "{}",
        refused.message
    );
}

#[tokio::test]
async fn one_setting_changes_alone() {
    let (home, engine, _server) = engine_and_server().await;
    let other = open(&home).await;
    let before = Settings {
        instructions: "Call me Ada.".to_owned(),
        ..Settings::default()
    };
    engine.save_settings(before.clone()).await.unwrap();
    let chosen = model("scripted/model-a");
    let (hotkey, default) = futures::join!(
        engine.set_hotkey("Alt+Space".to_owned()),
        other.set_default_model(chosen.clone()),
    );
    assert_eq!(hotkey.unwrap().hotkey, "Alt+Space");
    assert_eq!(default.unwrap().default_model, Some(chosen.clone()));
    let after = Settings {
        hotkey: "Alt+Space".to_owned(),
        default_model: Some(chosen),
        ..before
    };
    assert_eq!(engine.settings().await.unwrap(), after);
    assert_eq!(other.settings().await.unwrap(), after);

    let form = Settings {
        hotkey: "F9".to_owned(),
        ..after.clone()
    };
    let saved = engine.save_settings(form).await.unwrap();
    assert_eq!(saved, after, "a key that nobody took is not kept");

    let refused = engine.set_hotkey("x".repeat(65)).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidRequest);
    let unknown = engine.set_default_model(model("nobody/x")).await;
    assert_eq!(unknown.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(engine.settings().await.unwrap(), after);
}

#[tokio::test]
async fn own_instructions_reach_the_model() {
    let (_home, engine, mut server) = engine_and_server().await;
    let instructions = "Call me Ada.".to_owned();
    engine
        .save_settings(Settings {
            instructions,
            ..Settings::default()
        })
        .await
        .unwrap();
    let (_, _, call) = ask(&engine, &mut server, None, "Hi").await;
    assert!(call.messages()[0].1.ends_with("Call me Ada."));
}

#[tokio::test]
async fn a_window_starts_with_everything() {
    let (_home, engine, mut server) = engine_and_server().await;
    let id = exchange(&engine, &mut server, None, "whale song", "a")
        .await
        .conversation_id;
    let start = engine.start().await.unwrap();
    assert_eq!(start.store, StoreState::Ready);
    assert_eq!(
        start
            .conversations
            .iter()
            .map(|row| row.id)
            .collect::<Vec<_>>(),
        [id]
    );
    assert!(!start.version.is_empty() && !start.models.is_empty());
    let hits = engine.search("whale", 10).await.unwrap();
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].conversation_id, id);
}
