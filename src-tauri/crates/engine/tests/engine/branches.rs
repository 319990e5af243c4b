//! Other wordings, other answers, other models: siblings in one conversation.

use engine::TurnUpdate;
use pretty_assertions::assert_eq;
use protocol::{
    EditMessage, Effort, ErrorCode, Fit, MessageView, Part, RegenerateMessage, SendMessage,
};

use crate::scripted::{
    Server, add, beside, end, engine_and_server, exchange, model, question, shown,
};

fn texts(messages: &[MessageView]) -> Vec<String> {
    messages
        .iter()
        .map(shown)
        .map(|html| html.replace("<p>", "").replace("</p>", ""))
        .collect()
}

#[tokio::test]
async fn another_answer_and_another_wording_are_siblings() {
    let (_home, engine, mut server) = engine_and_server().await;
    let first = exchange(&engine, &mut server, None, "q1", "a1").await;
    let id = first.conversation_id;
    let second = exchange(&engine, &mut server, Some(id), "q2", "a2").await;

    let again = RegenerateMessage {
        message_id: first.message_id,
        model: None,
        effort: None,
        fit: Fit::default(),
    };
    let other = engine.regenerate(again).await.unwrap();
    let call = server.call().await;
    assert_eq!(call.messages().len(), 2, "only the question is before it");
    call.answer("a1 again").await;
    assert_eq!(
        end(&mut engine.attach(other.message_id).unwrap()).await,
        TurnUpdate::Finished
    );
    let thread = engine.thread(id, None, 50).await.unwrap();
    assert_eq!(
        texts(&thread.messages),
        ["q1", "a1 again"],
        "the new answer is shown"
    );
    assert_eq!(
        thread.messages[1].siblings,
        [first.message_id, other.message_id]
    );

    let thread = engine.select_sibling(first.message_id).await.unwrap();
    assert_eq!(
        texts(&thread.messages),
        ["q1", "a1", "q2", "a2"],
        "down to its newest leaf"
    );

    let message_id = second.user_message_id.unwrap();
    let edit = EditMessage {
        message_id,
        text: "q2, better".to_owned(),
        model: None,
        effort: Some(Effort::High),
        fit: Fit::default(),
    };
    let edited = engine.edit(edit).await.unwrap();
    let call = server.call().await;
    assert_eq!(call.body["reasoning_effort"], "high");
    let sent: Vec<String> = call
        .messages()
        .into_iter()
        .skip(1)
        .map(|(_, text)| text)
        .collect();
    assert!(
        sent[0].ends_with("q1") && sent[1..] == ["a1", "q2, better"],
        "{sent:?}"
    );
    call.answer("a2, better").await;
    assert_eq!(
        end(&mut engine.attach(edited.message_id).unwrap()).await,
        TurnUpdate::Finished
    );
    let thread = engine.thread(id, None, 50).await.unwrap();
    assert_eq!(
        texts(&thread.messages),
        ["q1", "a1", "q2, better", "a2, better"]
    );
    assert_eq!(
        thread.messages[2].siblings,
        [message_id, edited.user_message_id.unwrap()]
    );
    assert_eq!(
        engine.source(message_id).await.unwrap(),
        "q2",
        "nothing is overwritten"
    );
}

#[tokio::test]
async fn a_question_that_was_never_answered_gets_an_answer() {
    let (home, engine, mut server) = engine_and_server().await;
    let started = exchange(&engine, &mut server, None, "q1", "a1").await;
    let id = started.conversation_id;
    let (leaf, words) = (Some(started.message_id), vec![Part::text("q2")]);
    let store = beside(&home).await;
    let left = store.append_user(id, leaf, words, 1).await.unwrap();

    let again = RegenerateMessage {
        message_id: left.id,
        model: None,
        effort: None,
        fit: Fit::default(),
    };
    let answered = engine.regenerate(again).await.unwrap();
    assert_eq!(answered.user_message_id, None, "nothing was written anew");
    server.call().await.answer("a2").await;
    end(&mut engine.attach(answered.message_id).unwrap()).await;
    let thread = engine.thread(id, None, 50).await.unwrap();
    assert_eq!(texts(&thread.messages), ["q1", "a1", "q2", "a2"]);
}

#[tokio::test]
async fn only_the_persons_own_messages_are_edited() {
    let (_home, engine, mut server) = engine_and_server().await;
    let started = exchange(&engine, &mut server, None, "q", "a").await;
    let edit = EditMessage {
        message_id: started.message_id,
        text: "mine".to_owned(),
        model: None,
        effort: None,
        fit: Fit::default(),
    };
    assert_eq!(
        engine.edit(edit).await.unwrap_err().code,
        ErrorCode::InvalidRequest
    );
}

#[tokio::test]
async fn another_model_goes_on_in_the_same_conversation() {
    let (_home, engine, mut server) = engine_and_server().await;
    let mut second = Server::start().await;
    add(&engine, "Second", &second, false).await;
    let started = exchange(&engine, &mut server, None, "q1", "a1").await;
    let id = started.conversation_id;

    let request = SendMessage {
        model: Some(model("second/model-b")),
        ..question(Some(id), "q2")
    };
    let switched = engine.send(request).await.unwrap();
    let call = second.call().await;
    assert_eq!(call.body["model"], "model-b");
    assert_eq!(call.messages().len(), 4, "it gets the whole conversation");
    call.answer("a2").await;
    end(&mut engine.attach(switched.message_id).unwrap()).await;
    let thread = engine.thread(id, None, 50).await.unwrap();
    let asked: Vec<_> = thread
        .messages
        .iter()
        .map(|one| one.model.clone())
        .collect();
    assert_eq!(
        asked,
        [
            None,
            Some(model("scripted/model-a")),
            None,
            Some(model("second/model-b"))
        ]
    );
    assert!(server.is_quiet());
}

#[tokio::test]
async fn a_deleted_conversation_comes_back() {
    let (_home, engine, mut server) = engine_and_server().await;
    let started = exchange(&engine, &mut server, None, "q", "a").await;
    let id = started.conversation_id;
    engine.trash(id).await.unwrap();
    assert_eq!(engine.conversations(0, 10).await.unwrap(), []);
    let refused = engine.send(question(Some(id), "more")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidRequest);
    engine.restore(id).await.unwrap();
    assert_eq!(engine.conversations(0, 10).await.unwrap().len(), 1);
    assert_eq!(engine.thread(id, None, 10).await.unwrap().messages.len(), 2);
}

#[tokio::test]
async fn pages_go_back_to_the_beginning() {
    let (_home, engine, mut server) = engine_and_server().await;
    let id = exchange(&engine, &mut server, None, "q0", "a0")
        .await
        .conversation_id;
    for n in 1..4 {
        exchange(
            &engine,
            &mut server,
            Some(id),
            &format!("q{n}"),
            &format!("a{n}"),
        )
        .await;
    }
    let newest = engine.thread(id, None, 3).await.unwrap();
    assert_eq!(
        (texts(&newest.messages), newest.before),
        (vec!["a2".to_owned(), "q3".to_owned(), "a3".to_owned()], 5)
    );
    let older = engine.thread(id, Some(newest.before), 50).await.unwrap();
    assert_eq!((older.messages.len(), older.before), (5, 0));
    assert_eq!(texts(&older.messages)[0], "q0");
}

#[tokio::test]
async fn a_message_far_up_is_opened_with_what_stands_around_it() {
    let (_home, engine, mut server) = engine_and_server().await;
    let first = exchange(&engine, &mut server, None, "q0", "a0").await;
    let id = first.conversation_id;
    for n in 1..5 {
        let (question, answer) = (format!("q{n}"), format!("a{n}"));
        exchange(&engine, &mut server, Some(id), &question, &answer).await;
    }
    let all = engine.thread(id, None, 50).await.unwrap();
    assert_eq!((all.before, all.after), (0, 0));
    let third = all.messages[2].id;
    let page = engine.thread_around(id, third, 3).await.unwrap();
    assert_eq!(texts(&page.messages), ["a0", "q1", "a1"]);
    assert_eq!((page.before, page.after), (1, 6));

    // A wording that is not shown any more is shown again.
    let reworded = engine
        .edit(EditMessage {
            message_id: third,
            text: "Q1".to_owned(),
            model: None,
            effort: None,
            fit: Fit::default(),
        })
        .await
        .unwrap();
    server.call().await.answer("A1").await;
    end(&mut engine.attach(reworded.message_id).unwrap()).await;
    assert_eq!(engine.thread(id, None, 50).await.unwrap().messages.len(), 4);
    let page = engine.thread_around(id, third, 3).await.unwrap();
    assert_eq!(texts(&page.messages), ["a0", "q1", "a1"]);
    assert_eq!(
        engine.thread(id, None, 50).await.unwrap().messages.len(),
        10
    );
}
