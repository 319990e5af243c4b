//! One answer: the whole path, and every way in which it may end.

use engine::TurnUpdate;
use pretty_assertions::assert_eq;
use protocol::{
    ErrorAction, ErrorCode, Fit, MessageState, ModelRef, PartView, Role, RunsAt, SendMessage,
    StopReason,
};
use serde_json::json;

use crate::scripted::{ask, end, engine_and_server, exchange, html, model, question, shown, until};

#[tokio::test]
async fn an_answer_from_the_question_to_the_store() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Hi *there*").await;

    // The server holds the request: what was asked is stored already.
    let thread = engine
        .thread(started.conversation_id, None, 50)
        .await
        .unwrap();
    let states: Vec<_> = thread
        .messages
        .iter()
        .map(|one| (one.role, one.state))
        .collect();
    assert_eq!(
        states,
        [
            (Role::User, MessageState::Complete),
            (Role::Assistant, MessageState::Streaming)
        ]
    );
    assert_eq!(
        thread.messages[0].parts,
        [PartView::Plain {
            text: "Hi *there*".to_owned()
        }]
    );
    assert_eq!(started.user_message_id, Some(thread.messages[0].id));

    assert!(
        call.head.starts_with("POST /v1/chat/completions "),
        "{}",
        call.head
    );
    assert_eq!(call.body["model"], "model-a");
    let sent = call.messages();
    assert_eq!(sent.len(), 2);
    assert!(
        sent[0].0 == "system" && sent[0].1.contains("You are Pilotfish"),
        "{sent:?}"
    );
    assert!(
        sent[1].0 == "user" && sent[1].1.ends_with("\n\nHi *there*"),
        "{sent:?}"
    );

    call.begin().await;
    call.think("Hm.").await;
    call.say("Hello ").await;
    until(&mut stream, "Hello ").await;
    call.say("**you**").await;
    call.finish("stop").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);

    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(answer.state, MessageState::Complete);
    assert_eq!(answer.parts.len(), 2, "thinking and text");
    assert!(matches!(&answer.parts[0], PartView::Thinking { .. }));
    assert_eq!(
        answer.parts[1],
        PartView::Rendered {
            blocks: markdown::render("Hello **you**")
        }
    );
    assert_eq!(answer.stop_reason, Some(StopReason::EndTurn));
    assert_eq!(answer.served_by, Some(model("scripted/model-a-2026")));
    assert_eq!(answer.runs_at, Some(RunsAt::ThisMachine));
    let usage = answer.usage.unwrap();
    assert_eq!(
        (usage.input_tokens, usage.output_tokens),
        (Some(7), Some(3))
    );
    assert!(!usage.estimated && answer.error.is_none());
    assert!(answer.created_at <= answer.first_token_at.unwrap());
    assert!(answer.first_token_at <= answer.finished_at);
    assert_eq!(
        engine.source(started.message_id).await.unwrap(),
        "Hello **you**"
    );
}

#[tokio::test]
async fn the_next_turn_sends_the_same_prefix() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, call) = ask(&engine, &mut server, None, "one").await;
    let first = call.messages();
    call.answer("1").await;
    end(&mut stream).await;
    let (_, _, call) = ask(&engine, &mut server, Some(started.conversation_id), "two").await;
    let second = call.messages();
    assert_eq!(second[..2], first[..], "byte-identical");
    assert_eq!(second[2], ("assistant".to_owned(), "1".to_owned()));
    assert!(second[3].1.ends_with("two"));
}

#[tokio::test]
async fn stopping_keeps_what_had_come() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Count").await;
    call.begin().await;
    call.say("one, two").await;
    until(&mut stream, "two").await;
    engine.cancel(started.turn_id);
    assert_eq!(end(&mut stream).await, TurnUpdate::Cancelled);
    call.closed().await;

    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(
        (answer.state, shown(&answer)),
        (MessageState::Cancelled, html("one, two"))
    );
    let usage = answer.usage.clone().unwrap();
    assert!(
        usage.estimated && usage.output_tokens.unwrap() > 0,
        "{usage:?}"
    );
    assert_eq!((answer.error, answer.stop_reason), (None, None));
    engine.cancel(started.turn_id);
}

#[tokio::test]
async fn a_cut_answer_is_interrupted_and_goes_on() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Count").await;
    call.begin().await;
    call.say("one, two").await;
    until(&mut stream, "two").await;
    call.cut();
    let TurnUpdate::Failed { error, retryable } = end(&mut stream).await else {
        panic!("a cut answer is no success")
    };
    assert_eq!((error.code, retryable), (ErrorCode::Interrupted, true));
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(
        (answer.state, shown(&answer)),
        (MessageState::Interrupted, html("one, two"))
    );
    assert!(answer.can_continue);

    let again = engine.continue_answer(started.message_id).await.unwrap();
    assert_eq!(
        (again.message_id, again.user_message_id),
        (started.message_id, None)
    );
    let mut stream = engine.attach(again.message_id).unwrap();
    let mut call = server.call().await;
    let kept = ("assistant".to_owned(), "one, two".to_owned());
    assert!(call.messages().contains(&kept), "{:?}", call.messages());
    call.begin().await;
    call.say(", three").await;
    until(&mut stream, "one, two, three").await;
    call.finish("stop").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(
        (answer.state, answer.error.clone()),
        (MessageState::Complete, None)
    );
    assert!(!answer.can_continue);
    assert_eq!(shown(&answer), html("one, two, three"));
    assert_eq!(answer.parts.len(), 1, "the text is one part still");
    let thread = engine
        .thread(started.conversation_id, None, 50)
        .await
        .unwrap();
    assert_eq!(thread.messages.len(), 2);

    let error = engine
        .continue_answer(started.message_id)
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidRequest, "it is whole now");
}

#[tokio::test]
async fn an_answer_that_broke_off_for_a_passing_reason_goes_on() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Count").await;
    call.begin().await;
    call.say("one").await;
    until(&mut stream, "one").await;
    let error = json!({ "message": "overloaded", "type": "overloaded_error" });
    call.data(&json!({ "error": error })).await;
    let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
        panic!("an error is no success")
    };
    assert_eq!(error.code, ErrorCode::Overloaded);
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(
        (answer.state, answer.error.map(|error| error.code)),
        (MessageState::Interrupted, Some(ErrorCode::Overloaded))
    );
    assert!(answer.can_continue);
}

#[tokio::test]
async fn what_can_be_done_follows_from_where_it_ended() {
    let (_home, engine, mut server) = engine_and_server().await;
    let key = json!({ "error": { "message": "bad key", "code": "invalid_api_key" } });
    for (what, action) in [
        ("cut after the text", ErrorAction::Continue),
        ("cut before the text", ErrorAction::Retry),
        ("the key", ErrorAction::FixKey),
        ("a limit", ErrorAction::Wait),
    ] {
        let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Hi").await;
        match what {
            "the key" => call.reply(401, &key).await,
            "a limit" => {
                let headers = "retry-after: 3600\r\nx-request-id: req_7\r\n";
                call.reply_with(429, headers, &json!({})).await;
            }
            _ => {
                call.begin().await;
                if what == "cut after the text" {
                    call.say("one").await;
                    until(&mut stream, "one").await;
                }
                call.cut();
            }
        }
        let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
            panic!("{what}: no success")
        };
        assert_eq!(error.action, Some(action), "{what}");
        if action == ErrorAction::Wait {
            assert_eq!(error.retry_after_ms, Some(3_600_000));
            assert_eq!(error.request_id.as_deref(), Some("req_7"));
        }
        let stored = engine.message(started.message_id).await.unwrap();
        assert_eq!(stored.error, Some(error), "{what}: as it was told");
    }
}

#[tokio::test]
async fn the_estimate_of_a_continuation_counts_what_is_new() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Count").await;
    call.begin().await;
    call.think(&"hm ".repeat(1000)).await;
    call.say("one, ").await;
    until(&mut stream, "one, ").await;
    engine.cancel(started.turn_id);
    end(&mut stream).await;
    let tokens = async || {
        let answer = engine.message(started.message_id).await.unwrap();
        answer.usage.unwrap().output_tokens.unwrap()
    };
    let first = tokens().await;
    assert!((1000..1100).contains(&first), "{first}");

    let again = engine.continue_answer(started.message_id).await.unwrap();
    let mut stream = engine.attach(again.message_id).unwrap();
    let mut call = server.call().await;
    call.begin().await;
    call.say("two, three").await;
    until(&mut stream, "two, three").await;
    engine.cancel(again.turn_id);
    end(&mut stream).await;
    assert_eq!(tokens().await, first + 4);
}

#[tokio::test]
async fn a_name_that_cannot_be_read_back_is_no_name() {
    let (_home, engine, mut server) = engine_and_server().await;
    for name in ["m".repeat(300), "m\u{7}".to_owned()] {
        let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Hi").await;
        call.begin().await;
        let choice = json!({ "index": 0, "delta": { "content": "Hello" } });
        call.data(&json!({ "id": "c", "model": name, "choices": [choice] }))
            .await;
        until(&mut stream, "Hello").await;
        engine.cancel(started.turn_id);
        end(&mut stream).await;
        let answer = engine.message(started.message_id).await.unwrap();
        assert_eq!(answer.served_by, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hears_of_the_end_can_ask_at_once() {
    let (_home, engine, mut server) = engine_and_server().await;
    let id = exchange(&engine, &mut server, None, "q", "a")
        .await
        .conversation_id;
    for _ in 0..20 {
        exchange(&engine, &mut server, Some(id), "q", "a").await;
    }
}

#[tokio::test]
async fn an_answer_that_ended_at_a_limit_goes_on() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Count").await;
    call.begin().await;
    call.say("one").await;
    call.finish("length").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);
    let again = engine.continue_answer(started.message_id).await.unwrap();
    let mut stream = engine.attach(again.message_id).unwrap();
    server.call().await.answer(", two").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(shown(&answer), html("one, two"));
    assert_eq!(
        answer.usage.unwrap().output_tokens,
        Some(6),
        "both halves count"
    );
}

#[tokio::test]
async fn a_refused_request_fails_and_a_retry_stands_beside_it() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, call) = ask(&engine, &mut server, None, "Hi").await;
    call.reply(
        401,
        &json!({ "error": { "message": "bad key", "code": "invalid_api_key" } }),
    )
    .await;
    let TurnUpdate::Failed { error, retryable } = end(&mut stream).await else {
        panic!("401 is no success")
    };
    assert_eq!((error.code, retryable), (ErrorCode::Auth, false));
    let failed = engine.message(started.message_id).await.unwrap();
    assert_eq!(
        (failed.state, failed.parts.len()),
        (MessageState::Failed, 0)
    );
    assert_eq!(failed.error.map(|error| error.code), Some(ErrorCode::Auth));

    let retry = protocol::RegenerateMessage {
        message_id: started.message_id,
        model: None,
        effort: None,
        fit: Fit::default(),
    };
    let retried = engine.regenerate(retry).await.unwrap();
    let mut stream = engine.attach(retried.message_id).unwrap();
    server.call().await.answer("Hello").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);
    let answer = engine.message(retried.message_id).await.unwrap();
    assert_eq!(answer.siblings, [started.message_id, retried.message_id]);
}

#[tokio::test]
async fn one_answer_at_a_time_in_a_conversation() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (first, mut stream, call) = ask(&engine, &mut server, None, "one").await;
    let id = first.conversation_id;
    let refused = engine.send(question(Some(id), "two")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Busy);
    let (other, mut beside, other_call) = ask(&engine, &mut server, None, "beside").await;
    assert_ne!(other.conversation_id, id, "another conversation is free");
    other_call.answer("b").await;
    end(&mut beside).await;
    call.answer("a").await;
    end(&mut stream).await;
    let thread = engine.thread(id, None, 50).await.unwrap();
    assert_eq!(thread.messages.len(), 2, "what was refused is not stored");
}

#[tokio::test]
async fn whoever_comes_late_gets_the_whole() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut early, mut call) = ask(&engine, &mut server, None, "Hi").await;
    call.begin().await;
    call.say("one, ").await;
    until(&mut early, "one, ").await;
    call.say("two").await;
    until(&mut early, "two").await;
    let mut late = engine.attach(started.message_id).unwrap();
    until(&mut late, "one, two").await;
    call.finish("stop").await;
    assert_eq!(end(&mut late).await, TurnUpdate::Finished);
    assert_eq!(end(&mut early).await, TurnUpdate::Finished);
    assert!(late.next().await.is_none() && early.next().await.is_none());
    let mut after = engine.attach(started.message_id).unwrap();
    assert_eq!(
        end(&mut after).await,
        TurnUpdate::Finished,
        "even just after the end"
    );
}

#[tokio::test]
async fn what_cannot_be_a_message_is_refused_and_not_stored() {
    let (_home, engine, server) = engine_and_server().await;
    for text in [
        String::new(),
        " \n".to_owned(),
        "x".repeat(50 << 20),
        "x".repeat((1 << 20) + 1),
    ] {
        let refused = engine.send(question(None, &text)).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidRequest);
        assert!(refused.message.len() < 200, "it does not repeat the text");
    }
    let request = SendMessage {
        model: Some(model("nobody/x")),
        ..question(None, "Hi")
    };
    assert_eq!(
        engine.send(request).await.unwrap_err().code,
        ErrorCode::NotFound
    );
    assert_eq!(engine.conversations(0, 10).await.unwrap(), []);
    assert!(server.is_quiet());
}

#[tokio::test]
async fn a_message_of_one_mebibyte_is_fine() {
    let (_home, engine, mut server) = engine_and_server().await;
    let text = "x".repeat(1 << 20);
    let started = exchange(&engine, &mut server, None, &text, "long").await;
    let question = started.user_message_id.unwrap();
    assert_eq!(engine.source(question).await.unwrap(), text);
}

#[tokio::test]
async fn without_a_model_file_the_in_house_model_says_so() {
    let (_home, engine, server) = engine_and_server().await;
    let request = SendMessage {
        model: None,
        ..question(None, "Hi")
    };
    let started = engine.send(request).await.unwrap();
    assert_eq!(
        started.model,
        ModelRef::inhouse("default"),
        "the default of a fresh start"
    );
    let mut stream = engine.attach(started.message_id).unwrap();
    let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
        panic!("there is no model to answer")
    };
    assert_eq!(error.code, ErrorCode::ModelMissing);
    assert!(server.is_quiet(), "and nobody else was asked");
}

#[tokio::test]
async fn closing_ends_an_answer_as_interrupted() {
    let (home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Hi").await;
    call.begin().await;
    call.say("half").await;
    until(&mut stream, "half").await;
    engine.shutdown().await;
    assert!(matches!(
        end(&mut stream).await,
        TurnUpdate::Failed {
            retryable: true,
            ..
        }
    ));
    drop(engine);

    let engine = crate::scripted::open(&home).await;
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(
        (answer.state, shown(&answer)),
        (MessageState::Interrupted, html("half"))
    );
}
