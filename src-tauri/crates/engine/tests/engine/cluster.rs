//! A cluster in the in-house slot: the same entry of the picker, served elsewhere and said so.

use engine::{Engine, TurnStream, TurnUpdate};
use pretty_assertions::assert_eq;
use protocol::{
    Cluster, ConversationId, ErrorCode, ModelRef, ProviderId, RunsAt, Secret, SendMessage,
};
use serde_json::json;
use tempfile::TempDir;

use crate::scripted::{Server, end, model, open, question};

async fn set(engine: &Engine, cluster: Option<Cluster>) -> Result<(), protocol::AppError> {
    let mut settings = engine.settings().await.unwrap();
    settings.inhouse_cluster = cluster;
    engine.save_settings(settings).await.map(drop)
}

fn at(base_url: &str) -> Cluster {
    Cluster {
        base_url: base_url.to_owned(),
        model: "org/weights".to_owned(),
        max_concurrent: 1,
    }
}

async fn engine_and_cluster() -> (TempDir, Engine, Server) {
    let home = TempDir::new().unwrap();
    let engine = open(&home).await;
    let server = Server::start().await;
    set(&engine, Some(at(&server.base_url))).await.unwrap();
    (home, engine, server)
}

async fn ask(engine: &Engine, conversation: Option<ConversationId>) -> (SendMessage, TurnStream) {
    let request = SendMessage {
        model: Some(ModelRef::inhouse("default")),
        ..question(conversation, "Hello?")
    };
    let started = engine.send(request.clone()).await.unwrap();
    (request, engine.attach(started.message_id).unwrap())
}

#[tokio::test]
async fn the_in_house_entry_is_served_by_the_cluster_and_says_so() {
    let (_home, engine, mut server) = engine_and_cluster().await;
    let (_, mut stream) = ask(&engine, None).await;
    let call = server.call().await;
    assert_eq!(call.body["model"], "org/weights");
    assert!(!call.head.to_ascii_lowercase().contains("authorization"));
    call.answer("Here").await;
    let id = stream.started().message_id;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);
    let answer = engine.message(id).await.unwrap();
    assert_eq!(answer.model, Some(ModelRef::inhouse("default")));
    assert_eq!(
        answer.served_by,
        Some(model("inhouse-cluster/model-a-2026"))
    );
    assert_eq!(
        answer.runs_at,
        Some(RunsAt::ThisMachine),
        "a loopback address here"
    );

    let list = json!({ "data": [{ "id": "org/weights", "max_model_len": 32768 }] });
    let (groups, ()) = tokio::join!(engine.models(true), async {
        server.call().await.reply(200, &list).await;
    });
    let groups = groups.unwrap();
    let inhouse = &groups[0];
    assert_eq!(
        (inhouse.provider.is_inhouse(), &inhouse.error),
        (true, &None)
    );
    let default = &inhouse.models[0];
    assert_eq!(default.name, "org/weights (on the cluster)");
    assert_eq!(default.runs_at, RunsAt::ThisMachine);
    assert_eq!(default.context_tokens, Some(32768));
    assert!(inhouse.health[0].first_token_ms.is_some());
    let cluster = ProviderId::cluster();
    assert!(
        groups.iter().all(|group| group.provider != cluster),
        "no second entry"
    );

    let (groups, ()) = tokio::join!(engine.models(true), async {
        server.call().await.reply(500, &json!({})).await;
    });
    assert!(groups.unwrap()[0].error.is_some(), "its health is checked");
}

#[tokio::test]
async fn no_more_answers_are_asked_for_at_once_than_it_may_write() {
    let (_home, engine, mut server) = engine_and_cluster().await;
    let (_, mut first) = ask(&engine, None).await;
    let held = server.call().await;
    let (_, mut second) = ask(&engine, None).await;
    let (_, mut third) = ask(&engine, None).await;
    engine.cancel(third.started().turn_id);
    assert_eq!(
        end(&mut third).await,
        TurnUpdate::Cancelled,
        "waiting can be stopped"
    );
    assert!(server.is_quiet(), "the others wait");
    held.answer("1").await;
    assert_eq!(end(&mut first).await, TurnUpdate::Finished);
    server.call().await.answer("2").await;
    assert_eq!(end(&mut second).await, TurnUpdate::Finished);
}

#[tokio::test]
async fn its_key_goes_where_the_person_put_it_and_nowhere_else() {
    let (_home, engine, mut server) = engine_and_cluster().await;
    let id = ProviderId::cluster();
    let key = Secret::new("sk-cluster-0123".to_owned());
    engine.set_key(&id, key).await.unwrap();
    let (_, mut stream) = ask(&engine, None).await;
    let call = server.call().await;
    assert!(
        call.head.contains("Bearer sk-cluster-0123"),
        "{}",
        call.head
    );
    call.answer("Here").await;
    end(&mut stream).await;

    let mut other = Server::start().await;
    set(&engine, Some(at(&other.base_url))).await.unwrap();
    let (_, mut stream) = ask(&engine, None).await;
    let call = other.call().await;
    assert!(!call.head.contains("Bearer"), "{}", call.head);
    call.answer("Here").await;
    end(&mut stream).await;

    set(&engine, None).await.unwrap();
    let (_, mut stream) = ask(&engine, None).await;
    let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
        panic!("no model is in this house");
    };
    assert_eq!(error.code, ErrorCode::ModelMissing);
    assert!(server.is_quiet() && other.is_quiet());
}

#[tokio::test]
async fn what_cannot_be_a_cluster_is_named() {
    let (_home, engine, server) = engine_and_cluster().await;
    let good = at(&server.base_url);
    let wrong = [
        ("base URL", at("vllm:8000")),
        (
            "inhouse_cluster.model",
            Cluster {
                model: String::new(),
                ..good.clone()
            },
        ),
        (
            "inhouse_cluster.max_concurrent",
            Cluster {
                max_concurrent: 0,
                ..good.clone()
            },
        ),
    ];
    for (field, cluster) in wrong {
        let error = set(&engine, Some(cluster)).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest);
        assert!(error.message.contains(field), "{error} names {field}");
    }
    let kept = engine.settings().await.unwrap().inhouse_cluster;
    assert_eq!(kept, Some(good), "the last good one stays");
}
