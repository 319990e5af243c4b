//! Another model where the chosen one does not answer: in the order of the chain, before the first
//! token only, and with the reasons in the answer.

use engine::{Engine, TurnStream, TurnUpdate};
use pretty_assertions::assert_eq;
use protocol::{Attempt, ErrorCode, Health, MessageState, ModelRef, SendMessage, TurnStarted};
use serde_json::{Value, json};

use crate::scripted::{
    Call, Server, add, ask, end, engine_and_server, exchange, html, model, question, shown, until,
};

fn refusal(code: &str) -> Value {
    json!({ "error": { "message": "no", "type": code, "code": code } })
}

async fn set_chain(engine: &Engine, chain: &[&str]) {
    let mut settings = engine.settings().await.unwrap();
    settings.failover = chain.iter().map(|name| model(name)).collect();
    engine.save_settings(settings).await.unwrap();
}

fn reasons(attempts: &[Attempt]) -> Vec<(String, ErrorCode)> {
    let reason = |attempt: &Attempt| (attempt.model.to_string(), attempt.error.code);
    attempts.iter().map(reason).collect()
}

async fn health(engine: &Engine, of: &ModelRef) -> Option<Health> {
    let groups = engine.models(false).await.unwrap();
    let mut known = groups.into_iter().flat_map(|group| group.health);
    known.find(|health| health.model == *of)
}

/// Follows a turn to its end, and tells who was asked on the way.
async fn switches(stream: &mut TurnStream) -> (Vec<(ModelRef, ModelRef)>, TurnUpdate) {
    let mut switches = Vec::new();
    let mut last = None;
    while let Some(updates) = stream.next().await {
        for update in updates {
            if let TurnUpdate::Switched { attempt, model } = &update {
                switches.push((attempt.model.clone(), model.clone()));
            }
            last = Some(update);
        }
    }
    (switches, last.unwrap())
}

async fn refused_by_the_first(
    engine: &Engine,
    first: &mut Server,
) -> (TurnStarted, TurnStream, Value) {
    let (started, stream, call) = ask(engine, first, None, "Hello?").await;
    let body = call.body.clone();
    call.reply(401, &refusal("invalid_api_key")).await;
    (started, stream, body)
}

#[tokio::test]
async fn the_chain_is_asked_in_its_order_and_the_answer_says_why() {
    let (_home, engine, mut first) = engine_and_server().await;
    let (mut second, mut third) = (Server::start().await, Server::start().await);
    add(&engine, "Second", &second, false).await;
    add(&engine, "Third", &third, false).await;
    set_chain(
        &engine,
        &["scripted/model-a", "gone/m", "second/m", "third/m"],
    )
    .await;

    let (started, mut stream, asked) = refused_by_the_first(&engine, &mut first).await;
    let call = second.call().await;
    assert_eq!(call.body["model"], "m");
    assert_eq!(
        call.body["messages"], asked["messages"],
        "the same question"
    );
    call.reply(404, &refusal("model_not_found")).await;
    third.call().await.answer("Here").await;

    let (seen, last) = switches(&mut stream).await;
    assert_eq!(last, TurnUpdate::Finished);
    let pair = |from, to| (model(from), model(to));
    assert_eq!(
        seen,
        [
            pair("scripted/model-a", "gone/m"),
            pair("gone/m", "second/m"),
            pair("second/m", "third/m")
        ]
    );
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(answer.state, MessageState::Complete);
    assert_eq!(shown(&answer), html("Here"));
    assert_eq!(answer.model, Some(model("scripted/model-a")));
    assert_eq!(answer.served_by, Some(model("third/model-a-2026")));
    assert_eq!(
        reasons(&answer.attempts),
        [
            ("scripted/model-a".to_owned(), ErrorCode::Auth),
            ("gone/m".to_owned(), ErrorCode::NotFound),
            ("second/m".to_owned(), ErrorCode::NotFound),
        ]
    );
    assert!(first.is_quiet(), "nobody is asked twice");

    let failed = health(&engine, &model("scripted/model-a")).await.unwrap();
    assert_eq!(failed.error.unwrap().code, ErrorCode::Auth);
    let fine = health(&engine, &model("third/m")).await.unwrap();
    assert!(fine.error.is_none() && fine.first_token_ms.is_some());
}

#[tokio::test]
async fn nobody_else_is_asked_unless_that_was_chosen() {
    let (_home, engine, mut first) = engine_and_server().await;
    let (started, mut stream, _) = refused_by_the_first(&engine, &mut first).await;
    let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
        panic!("it did not fail");
    };
    assert_eq!(error.code, ErrorCode::Auth);
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!((answer.attempts, answer.served_by), (vec![], None));
}

#[tokio::test]
async fn an_answer_that_has_begun_stays_with_its_model() {
    let (_home, engine, mut first) = engine_and_server().await;
    let second = Server::start().await;
    add(&engine, "Second", &second, false).await;
    set_chain(&engine, &["second/m"]).await;

    let (started, mut stream, mut call) = ask(&engine, &mut first, None, "Count").await;
    call.begin().await;
    call.say("one, two").await;
    until(&mut stream, "two").await;
    call.cut();
    assert!(matches!(end(&mut stream).await, TurnUpdate::Failed { .. }));
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(answer.state, MessageState::Interrupted);
    assert!(answer.attempts.is_empty() && second.is_quiet());

    // What is gone on with has begun, too.
    let again = engine.continue_answer(started.message_id).await.unwrap();
    let mut stream = engine.attach(again.message_id).unwrap();
    first.call().await.reply(401, &refusal("no")).await;
    assert!(matches!(end(&mut stream).await, TurnUpdate::Failed { .. }));
    assert!(second.is_quiet());
}

#[tokio::test]
async fn a_request_that_is_refused_is_taken_to_nobody_else() {
    let (_home, engine, mut first) = engine_and_server().await;
    let second = Server::start().await;
    add(&engine, "Second", &second, false).await;
    set_chain(&engine, &["second/m"]).await;
    for (status, code, kind) in [
        (400, "invalid_request_error", ErrorCode::InvalidRequest),
        (400, "content_policy_violation", ErrorCode::Refused),
    ] {
        let (_, mut stream, call) = ask(&engine, &mut first, None, "Hello?").await;
        call.reply(status, &refusal(code)).await;
        let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
            panic!("it did not fail");
        };
        assert_eq!(error.code, kind);
        assert!(second.is_quiet(), "{code}");
    }
    assert_eq!(
        health(&engine, &model("scripted/model-a"))
            .await
            .unwrap()
            .error,
        None,
        "that tells nothing of the model"
    );
}

#[tokio::test]
async fn a_conversation_has_a_chain_of_its_own() {
    let (_home, engine, mut first) = engine_and_server().await;
    let (second, mut third) = (Server::start().await, Server::start().await);
    add(&engine, "Second", &second, false).await;
    add(&engine, "Third", &third, false).await;
    set_chain(&engine, &["second/m"]).await;
    let id = exchange(&engine, &mut first, None, "one", "1")
        .await
        .conversation_id;

    engine.set_failover(id, Some(vec![])).await.unwrap();
    let (_, mut stream, call) = ask(&engine, &mut first, Some(id), "two").await;
    call.reply(401, &refusal("no")).await;
    assert!(matches!(end(&mut stream).await, TurnUpdate::Failed { .. }));

    engine
        .set_failover(id, Some(vec![model("third/m")]))
        .await
        .unwrap();
    let (_, mut stream, call) = ask(&engine, &mut first, Some(id), "three").await;
    call.reply(401, &refusal("no")).await;
    third.call().await.answer("3").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);
    assert!(second.is_quiet());

    let long = vec![model("third/m"); 9];
    let error = engine.set_failover(id, Some(long)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidRequest);
    assert!(error.message.starts_with("failover: "), "{error}");
}

#[tokio::test]
async fn stopping_ends_the_chain() {
    let (_home, engine, mut first) = engine_and_server().await;
    let (mut second, third) = (Server::start().await, Server::start().await);
    add(&engine, "Second", &second, false).await;
    add(&engine, "Third", &third, false).await;
    set_chain(&engine, &["second/m", "third/m"]).await;

    let (started, mut stream, _) = refused_by_the_first(&engine, &mut first).await;
    let held: Call = second.call().await;
    engine.cancel(started.turn_id);
    assert_eq!(end(&mut stream).await, TurnUpdate::Cancelled);
    held.closed().await;
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(answer.state, MessageState::Cancelled);
    assert_eq!(
        reasons(&answer.attempts),
        [("scripted/model-a".to_owned(), ErrorCode::Auth)]
    );
    assert!(third.is_quiet());
}

#[tokio::test]
async fn a_chain_may_end_in_the_house_and_the_last_reason_is_told() {
    let (_home, engine, mut first) = engine_and_server().await;
    set_chain(&engine, &["inhouse/default"]).await;
    let (started, mut stream, _) = refused_by_the_first(&engine, &mut first).await;
    let (seen, last) = switches(&mut stream).await;
    assert_eq!(
        seen,
        [(model("scripted/model-a"), ModelRef::inhouse("default"))]
    );
    let TurnUpdate::Failed { error, .. } = last else {
        panic!("no model is in this house: {last:?}");
    };
    assert_eq!(error.code, ErrorCode::ModelMissing);
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(answer.attempts.len(), 1);
}

#[tokio::test]
async fn a_limit_is_remembered_until_it_is_over() {
    let (_home, engine, mut first) = engine_and_server().await;
    let mut second = Server::start().await;
    add(&engine, "Second", &second, false).await;
    set_chain(&engine, &["second/m"]).await;
    let request: SendMessage = question(None, "Hello?");
    let started = engine.send(request).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    let headers = "retry-after: 3600\r\nx-should-retry: false\r\n";
    let body = refusal("rate_limit_exceeded");
    first.call().await.reply_with(429, headers, &body).await;
    second.call().await.answer("Here").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);

    let limited = health(&engine, &model("scripted/model-a")).await.unwrap();
    assert_eq!(limited.error.unwrap().code, ErrorCode::RateLimited);
    assert_eq!(limited.limited_until, Some(limited.at + 3_600_000));
}
