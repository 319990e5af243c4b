//! Conversations that are too long for a model, and answers that are too long for anyone.

use engine::{Engine, TurnUpdate};
use pretty_assertions::assert_eq;
use protocol::{ConversationId, ErrorCode, MessageState, TurnEvent};
use serde_json::json;
use tokio::sync::watch;

use crate::scripted::{Server, ask, end, engine_and_server, exchange, question, until};

/// A conversation of so many exchanges, each of about 300 tokens.
async fn long(engine: &Engine, server: &mut Server, exchanges: usize) -> ConversationId {
    let answer = "word ".repeat(180);
    let id = exchange(engine, server, None, "q", &answer)
        .await
        .conversation_id;
    for _ in 1..exchanges {
        exchange(engine, server, Some(id), "q", &answer).await;
    }
    id
}

#[tokio::test]
async fn what_the_model_finds_too_long_is_asked_again_with_less() {
    let (_home, engine, mut server) = engine_and_server().await;
    let id = long(&engine, &mut server, 5).await;
    let started = engine.send(question(Some(id), "and now?")).await.unwrap();
    let (_shown, visible) = watch::channel(true);
    let stream = engine.attach(started.message_id).unwrap();
    let mut presenter = engine.present(stream, visible);

    let too_long = json!({ "error": { "code": "context_length_exceeded", "message": "too long" } });
    let mut sent = Vec::new();
    let talk = async {
        for _ in 0..2 {
            let call = server.call().await;
            sent.push(call.messages());
            call.reply(400, &too_long).await;
        }
        let call = server.call().await;
        sent.push(call.messages());
        call.answer("done").await;
    };
    let follow = async {
        let mut dropped = 0;
        let mut last = None;
        while let Some(event) = presenter.next().await {
            if let TurnEvent::Shortened {
                message_id,
                dropped_messages,
            } = &event
            {
                assert_eq!(*message_id, started.message_id);
                dropped = *dropped_messages as usize;
            }
            last = Some(event);
        }
        (dropped, last)
    };
    let ((dropped, last), ()) = futures::join!(follow, talk);
    let message_id = started.message_id;
    assert_eq!(last, Some(TurnEvent::Finished { message_id }));
    let counts: Vec<usize> = sent.iter().map(Vec::len).collect();
    assert_eq!(counts[0], 12, "at first everything, with the system prompt");
    assert!(counts[1] < counts[0] && counts[2] < counts[1], "{counts:?}");
    assert_eq!(dropped, 12 - counts[2], "the window is told");
    let newest = &sent[2].last().unwrap().1;
    assert!(newest.ends_with("and now?"), "{newest}");
}

#[tokio::test]
async fn a_conversation_is_made_shorter_three_times_at_most() {
    let (_home, engine, mut server) = engine_and_server().await;
    let id = long(&engine, &mut server, 12).await;
    let (_, mut stream, mut call) = ask(&engine, &mut server, Some(id), "and now?").await;
    let too_long = json!({ "error": { "code": "context_length_exceeded", "message": "too long" } });
    for _ in 0..3 {
        call.reply(400, &too_long).await;
        call = server.call().await;
    }
    assert!(call.messages().len() > 2, "there would be more to drop");
    call.reply(400, &too_long).await;
    let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
        panic!("it is too long still")
    };
    assert_eq!(error.code, ErrorCode::ContextOverflow);
    assert!(server.is_quiet());
}

#[tokio::test]
async fn one_message_that_is_too_long_is_not_asked_again() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, call) = ask(&engine, &mut server, None, "long").await;
    let too_long = json!({ "error": { "code": "context_length_exceeded", "message": "too long" } });
    call.reply(400, &too_long).await;
    let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
        panic!("it is too long")
    };
    assert_eq!(error.code, ErrorCode::ContextOverflow);
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(answer.state, MessageState::Failed);
    assert!(server.is_quiet());
}

#[tokio::test]
async fn what_has_come_of_an_answer_takes_room_when_it_goes_on() {
    let (_home, engine, mut server) = engine_and_server().await;
    let list = json!({ "data": [{ "id": "model-a", "context_length": 2048 }] });
    let (refreshed, ()) = futures::join!(engine.models(true), async {
        server.call().await.reply(200, &list).await;
    });
    refreshed.unwrap();
    let id = long(&engine, &mut server, 2).await;
    let (started, mut stream, mut call) = ask(&engine, &mut server, Some(id), "more").await;
    assert_eq!(call.messages().len(), 6, "it fits");
    call.begin().await;
    call.say(&"word ".repeat(500)).await;
    until(&mut stream, "word ").await;
    engine.cancel(started.turn_id);
    end(&mut stream).await;

    engine.continue_answer(started.message_id).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    let call = server.call().await;
    let old = call
        .messages()
        .iter()
        .filter(|(_, text)| text.len() == 900 || text.ends_with("q"))
        .count();
    assert!(old < 4, "{:?}", call.messages());
    call.answer("end").await;
    let mut dropped = 0;
    while let Some(updates) = stream.next().await {
        for update in updates {
            if let TurnUpdate::Shortened { dropped_messages } = update {
                dropped = dropped_messages;
            }
        }
    }
    assert_eq!(dropped as usize, 4 - old);
}

#[tokio::test]
async fn an_answer_of_too_many_parts_ends_at_the_limit_and_is_kept() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Hi").await;
    call.begin().await;
    for _ in 0..store::MAX_PARTS / 2 {
        call.think("t").await;
        call.say("x").await;
    }
    let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
        panic!("it was stopped at the limit")
    };
    assert_eq!(error.code, ErrorCode::Interrupted);
    call.closed().await;
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(
        (answer.state, answer.parts.len()),
        (MessageState::Interrupted, store::MAX_PARTS)
    );
    let refused = engine.continue_answer(started.message_id).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::InvalidRequest);
}
