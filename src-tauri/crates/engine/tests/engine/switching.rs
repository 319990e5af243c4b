//! Going on with another model in the middle: what is told before, and what is sent then.

mod journey;

use engine::{Engine, TurnUpdate};
use pretty_assertions::assert_eq;
use protocol::{
    Cluster, ConversationId, ErrorCode, Fit, MessageId, MessageState, Model, ModelRef, Part,
    Preflight, PreflightRequest, RunsAt, SendMessage, WayOut,
};
use serde_json::Value;
use store::{Attachment, Finish, Store};
use tempfile::TempDir;

use crate::scripted::{Server, beside, end, engine_and_server, exchange, model, question, shown};

/// Lets the engine know a model that calls no tools and sees no images: nobody was asked for it.
async fn describe(home: &TempDir, name: &str, window: Option<u32>) {
    let described = Model {
        model: model(name),
        name: "A".to_owned(),
        runs_at: RunsAt::ThisMachine,
        context_tokens: window,
        output_tokens: None,
        images: false,
        files: false,
        tools: false,
        efforts: vec![protocol::Effort::Low],
        price: None,
        retires_on: None,
        bytes: None,
    };
    let store = beside(home).await;
    let provider = described.model.provider.clone();
    store
        .cache_models(&provider, &[described], 1)
        .await
        .unwrap();
}

async fn preflight(engine: &Engine, id: ConversationId, text: &str) -> Preflight {
    let request = PreflightRequest {
        conversation_id: id,
        model: None,
        text: text.to_owned(),
    };
    engine.preflight(request).await.unwrap()
}

/// Adds what no window can say yet: a message of the person with other parts than text.
async fn put(store: &Store, id: ConversationId, parts: Vec<Part>) -> MessageId {
    let leaf = store.conversation(id).await.unwrap().leaf;
    store.append_user(id, leaf, parts, 1).await.unwrap().id
}

/// Adds an answer that holds tool calls.
async fn put_calls(store: &Store, id: ConversationId, calls: &[&str]) {
    let leaf = store.conversation(id).await.unwrap().leaf;
    let open = store.open_assistant(id, leaf, None, 1).await.unwrap();
    let call = |call: &&str| Part::ToolCall {
        id: (*call).to_owned(),
        name: "look".to_owned(),
        arguments: r#"{"at":"it"}"#.to_owned(),
        blob: None,
    };
    let finish = Finish {
        state: MessageState::Complete,
        parts: calls.iter().map(call).collect(),
        served_by: None,
        usage: None,
        cost: None,
        stop_reason: None,
        error: None,
        attempts: Vec::new(),
        first_token_at: None,
        finished_at: 2,
    };
    store.finish(open.id, finish).await.unwrap();
}

fn result(call: &str) -> Part {
    Part::ToolResult {
        call_id: call.to_owned(),
        content: format!("seen by {call}"),
        is_error: false,
    }
}

async fn attach(store: &Store, name: &str, media_type: &str, bytes: &[u8]) -> Part {
    let file = Attachment {
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        bytes: bytes.to_vec(),
    };
    let attachment = store.attach(file, 1).await.unwrap();
    match media_type.starts_with("image/") {
        true => Part::Image {
            attachment,
            media_type: media_type.to_owned(),
        },
        false => Part::File {
            attachment,
            name: name.to_owned(),
            media_type: media_type.to_owned(),
        },
    }
}

/// Six exchanges of some 200 tokens each.
async fn long_conversation(engine: &Engine, server: &mut Server) -> ConversationId {
    let mut id = None;
    for n in 0..6 {
        let (question, answer) = (
            format!("q{n} {}", "x".repeat(300)),
            format!("a{n} {}", "y".repeat(300)),
        );
        let started = exchange(engine, server, id, &question, &answer).await;
        id = Some(started.conversation_id);
    }
    id.unwrap()
}

#[tokio::test]
async fn what_does_not_fit_is_told_in_numbers() {
    let (home, engine, mut server) = engine_and_server().await;
    let id = long_conversation(&engine, &mut server).await;
    let unknown = preflight(&engine, id, "next").await;
    assert_eq!((unknown.room, unknown.dropped_messages), (None, 0));
    assert!(
        unknown.ways.is_empty() && unknown.tokens > 1200,
        "{unknown:?}"
    );

    describe(&home, "scripted/model-a", Some(1400)).await;
    let tight = preflight(&engine, id, "next").await;
    assert_eq!(tight.tokens, unknown.tokens);
    assert_eq!(tight.room, Some(1050), "a quarter is left for the answer");
    assert!(tight.dropped_messages > 0 && tight.dropped_messages.is_multiple_of(2));
    assert_eq!(
        tight.ways,
        [WayOut::Trim, WayOut::ChooseAnother],
        "no model is in this house"
    );
    assert!(!tight.too_long && server.is_quiet());

    let long = preflight(&engine, id, &"z".repeat(6000)).await;
    assert!(long.too_long);
    assert_eq!(long.ways, [WayOut::ChooseAnother]);

    // What was told is what happens.
    let started = engine.send(question(Some(id), "next")).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    let call = server.call().await;
    assert_eq!(
        call.messages().len() - 1,
        13 - usize::try_from(tight.dropped_messages).unwrap()
    );
    call.answer("so").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);

    let request = PreflightRequest {
        conversation_id: id,
        model: Some(model("nobody/m")),
        text: String::new(),
    };
    let error = engine.preflight(request).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
}

#[tokio::test]
async fn what_a_model_cannot_take_is_counted_and_put_into_words() {
    let (home, engine, mut server) = engine_and_server().await;
    describe(&home, "scripted/model-a", None).await;
    let id = exchange(&engine, &mut server, None, "one", "1")
        .await
        .conversation_id;
    let store = beside(&home).await;
    let image = attach(&store, "sky.png", "image/png", b"\x89PNG").await;
    let notes = attach(&store, "notes.md", "text/x-unheard-of", b"Blue.").await;
    let blob = attach(&store, "a.bin", "application/octet-stream", b"\xff\xfe").await;
    put(&store, id, vec![Part::text("Look"), image, notes, blob]).await;
    put_calls(&store, id, &["c1"]).await;
    put(&store, id, vec![result("c1")]).await;

    let told = preflight(&engine, id, "two").await;
    assert_eq!((told.images, told.files, told.tool_calls), (1, 1, 1));
    assert_eq!(told.ways, [WayOut::SendAnyway, WayOut::ChooseAnother]);

    let started = engine.send(question(Some(id), "two")).await.unwrap();
    let call = server.call().await;
    let sent = call.messages();
    let user = &sent[3].1;
    for part in [
        "Look",
        "[An image stood here",
        "notes.md",
        "Blue.",
        "[The file \"a.bin\"",
    ] {
        assert!(user.contains(part), "{part} is in {user}");
    }
    assert!(
        sent[4].1.contains("[The tool look was called with"),
        "{sent:?}"
    );
    assert!(
        sent[5].1.contains("[The tool answered: seen by c1]"),
        "{sent:?}"
    );
    call.answer("so").await;
    end(&mut engine.attach(started.message_id).unwrap()).await;
}

#[tokio::test]
async fn an_image_goes_to_a_model_that_sees() {
    let (home, engine, mut server) = engine_and_server().await;
    let id = exchange(&engine, &mut server, None, "one", "1")
        .await
        .conversation_id;
    let store = beside(&home).await;
    let image = attach(&store, "sky.png", "image/png", b"\x89PNG").await;
    put(&store, id, vec![image]).await;
    assert_eq!(preflight(&engine, id, "two").await.images, 0);
    engine.send(question(Some(id), "two")).await.unwrap();
    let call = server.call().await;
    let last = call.body["messages"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .to_string();
    assert!(last.contains("data:image/png;base64,iVBORw=="), "{last}");
    assert!(last.contains("two"), "{last}");
}

#[tokio::test]
async fn results_without_a_call_and_calls_without_a_result_stay_here() {
    let (home, engine, mut server) = engine_and_server().await;
    let id = exchange(&engine, &mut server, None, "one", "1")
        .await
        .conversation_id;
    let store = beside(&home).await;
    put(&store, id, vec![Part::text("go"), result("nobody")]).await;
    put_calls(&store, id, &["c1", "c2"]).await;
    put(&store, id, vec![result("c2"), result("c2")]).await;
    engine.send(question(Some(id), "two")).await.unwrap();
    let call = server.call().await;
    let messages = call.body["messages"].as_array().unwrap().clone();
    let roles: Vec<&str> = messages
        .iter()
        .filter_map(|one| one["role"].as_str())
        .collect();
    assert_eq!(
        roles,
        [
            "system",
            "user",
            "assistant",
            "user",
            "assistant",
            "tool",
            "user"
        ]
    );
    let calls: Vec<&Value> = messages[4]["tool_calls"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    assert_eq!((calls.len(), calls[0]["id"].as_str()), (1, Some("c2")));
    assert_eq!(messages[5]["tool_call_id"], "c2");
    let text = call.body.to_string();
    assert!(!text.contains("nobody") && !text.contains("c1"), "{text}");
}

#[tokio::test]
async fn a_summary_is_made_once_and_stands_for_the_oldest_messages() {
    let (home, engine, mut server) = engine_and_server().await;
    let id = long_conversation(&engine, &mut server).await;
    describe(&home, "scripted/model-a", Some(1400)).await;
    let mut inhouse = Server::start().await;
    let mut settings = engine.settings().await.unwrap();
    settings.inhouse_cluster = Some(Cluster {
        base_url: inhouse.base_url.clone(),
        model: "small".to_owned(),
        max_concurrent: 1,
    });
    engine.save_settings(settings).await.unwrap();
    let told = preflight(&engine, id, "next").await;
    assert_eq!(told.ways[0], WayOut::Summarise);
    // A window of which nothing is known is taken for a small one: this one is read in two pieces.

    let request = SendMessage {
        fit: Fit::Summarise,
        ..question(Some(id), "next")
    };
    let started = engine.send(request).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    let call = inhouse.call().await;
    assert_eq!(call.body["model"], "small");
    let asked = call.messages().pop().unwrap().1;
    assert!(asked.contains("q0 ") && asked.contains("a0 "), "{asked}");
    call.answer("They spoke of x.").await;
    let call = inhouse.call().await;
    let asked = call.messages().pop().unwrap().1;
    assert!(
        asked.contains("They spoke of x.") && asked.contains("a5 "),
        "{asked}"
    );
    call.answer("They spoke of x and y.").await;
    let call = server.call().await;
    let sent = call.messages();
    assert!(sent[1].1.contains("They spoke of x and y."), "{sent:?}");
    assert!(!call.body.to_string().contains("q0 "), "it stands for that");
    assert!(sent.last().unwrap().1.contains("next"));
    call.answer("so").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);

    // The messages are as they were, and the summary is found again.
    let thread = engine.thread(id, None, 50).await.unwrap();
    assert_eq!(thread.messages.len(), 14);
    assert!(shown(&thread.messages[0]).contains("q0 "));
    assert_eq!(preflight(&engine, id, "more").await.dropped_messages, 0);
    exchange_with_summary(&engine, &mut server, id).await;
    assert!(inhouse.is_quiet(), "it was made once");
}

async fn exchange_with_summary(engine: &Engine, server: &mut Server, id: ConversationId) {
    let started = engine.send(question(Some(id), "more")).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    let call = server.call().await;
    assert!(call.messages()[1].1.contains("They spoke of x and y."));
    call.answer("so").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);
}

#[tokio::test]
async fn without_a_model_to_sum_up_the_answer_says_what_else_to_do() {
    let (home, engine, mut server) = engine_and_server().await;
    let id = long_conversation(&engine, &mut server).await;
    describe(&home, "scripted/model-a", Some(1400)).await;
    let request = SendMessage {
        fit: Fit::Summarise,
        model: Some(model("scripted/model-a")),
        ..question(Some(id), "next")
    };
    let started = engine.send(request).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
        panic!(
            "no model is in this house: {:?}",
            ModelRef::inhouse("default")
        );
    };
    assert_eq!(error.code, ErrorCode::ModelMissing);
    assert!(error.message.contains("could not be summed up"), "{error}");
    assert!(server.is_quiet(), "nothing was sent");
}
