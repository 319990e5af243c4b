//! The picker's list: known without asking, refreshed on the person's action only.

use pretty_assertions::assert_eq;
use protocol::{ErrorCode, ModelGroup, ProviderId};
use serde_json::json;

use crate::scripted::{engine_and_server, model};

fn group(groups: &[ModelGroup]) -> &ModelGroup {
    groups
        .iter()
        .find(|group| group.provider.as_str() == "scripted")
        .unwrap()
}

#[tokio::test]
async fn lists_are_asked_for_on_refresh_and_remembered() {
    let (_home, engine, mut server) = engine_and_server().await;
    let before = engine.models(false).await.unwrap();
    assert!(group(&before).models.is_empty());
    assert_eq!(
        before[0].provider,
        ProviderId::inhouse(),
        "the in-house models come first"
    );
    assert!(server.is_quiet(), "nobody was asked");

    let answer = async {
        let list = json!({ "data": [{ "id": "model-a" }, { "id": "model-b" }] });
        server.call().await.reply(200, &list).await;
    };
    let (refreshed, ()) = futures::join!(engine.models(true), answer);
    let refreshed = refreshed.unwrap();
    let names: Vec<_> = group(&refreshed)
        .models
        .iter()
        .map(|one| one.model.clone())
        .collect();
    assert_eq!(
        names,
        [model("scripted/model-a"), model("scripted/model-b")]
    );

    let (again, ()) = futures::join!(engine.models(true), async {
        server.call().await.reply(500, &json!({})).await;
    });
    let again = again.unwrap();
    assert_eq!(group(&again).models.len(), 2, "the list last known stays");
    assert!(group(&again).error.is_some());
    let known = engine.models(false).await.unwrap();
    assert_eq!(group(&known).models.len(), 2);
}

#[tokio::test]
async fn a_server_that_is_gone_is_an_error_of_its_group() {
    let (_home, engine, server) = engine_and_server().await;
    drop(server);
    let groups = engine.models(true).await.unwrap();
    let error = group(&groups).error.clone().unwrap();
    assert_eq!(error.code, ErrorCode::Network);
}

#[tokio::test]
async fn a_server_that_never_answers_is_waited_for_briefly() {
    let (_home, engine, server) = engine_and_server().await;
    let groups = engine.models(true).await.unwrap();
    assert!(group(&groups).error.is_some());
    drop(server);
}

#[tokio::test]
async fn built_in_providers_that_do_not_run_here_are_no_news() {
    let (_home, engine, _server) = engine_and_server().await;
    let shown: Vec<String> = engine
        .models(false)
        .await
        .unwrap()
        .iter()
        .map(|group| group.provider.to_string())
        .collect();
    assert_eq!(shown, ["inhouse", "scripted"]);
}
