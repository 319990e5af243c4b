//! Conversations: made, listed, named, put away and taken back.

use pretty_assertions::assert_eq;
use protocol::{ConversationId, Endpoint, ModelRef, ProviderId, Wire};
use store::{MAX_TITLE_BYTES, NewConversation, StoreError};

use crate::{conversation, ready, say};

#[tokio::test]
async fn the_list_has_pinned_ones_first_and_then_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let mut ids = Vec::new();
    for at in 1..=4 {
        ids.push(
            store
                .create(NewConversation::default(), at)
                .await
                .unwrap()
                .id,
        );
    }
    store.set_pinned(ids[1], true).await.unwrap();
    store.trash(ids[3], 9).await.unwrap();
    let listed = |rows: Vec<protocol::ConversationSummary>| -> Vec<ConversationId> {
        rows.into_iter().map(|row| row.id).collect()
    };
    assert_eq!(
        listed(store.list(0, 100).await.unwrap()),
        [ids[1], ids[2], ids[0]]
    );
    assert_eq!(
        listed(store.list(1, 1).await.unwrap()),
        [ids[2]],
        "pages follow on"
    );
    let trashed = store.trashed(10).await.unwrap();
    assert_eq!(
        trashed
            .iter()
            .map(|one| (one.id, one.deleted_at))
            .collect::<Vec<_>>(),
        [(ids[3], Some(9))]
    );
    store.restore(ids[3]).await.unwrap();
    assert_eq!(
        listed(store.list(0, 100).await.unwrap()),
        [ids[1], ids[3], ids[2], ids[0]]
    );
}

#[tokio::test]
async fn a_conversation_comes_back_as_it_was_made_after_closing() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let model = ModelRef::inhouse("default");
    let made = store
        .create(
            NewConversation {
                model: Some(model.clone()),
            },
            7,
        )
        .await
        .unwrap();
    store.close().await;
    drop(store);
    let store = ready(dir.path()).await;
    assert_eq!(store.conversation(made.id).await.unwrap(), made);
    let other = ModelRef::inhouse("small");
    store.set_model(made.id, Some(&other)).await.unwrap();
    assert_eq!(
        store.conversation(made.id).await.unwrap().model,
        Some(other)
    );
}

#[tokio::test]
async fn a_made_title_never_replaces_a_given_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let id = conversation(&store).await.id;
    store.rename(id, "made", false, 2).await.unwrap();
    assert_eq!(store.conversation(id).await.unwrap().title, "made");
    store.rename(id, "given", true, 3).await.unwrap();
    store.rename(id, "made again", false, 4).await.unwrap();
    let now = store.conversation(id).await.unwrap();
    assert_eq!((now.title.as_str(), now.title_is_own), ("given", true));
}

#[tokio::test]
async fn purging_deletes_what_is_old_in_the_trash_and_leaves_no_words_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let canary = "xyzzycanaryplugh";
    let old = conversation(&store).await;
    let recent = conversation(&store).await;
    let kept = conversation(&store).await;
    // Deep enough that a cascade from parent to child would not get through.
    for at in 0..1200 {
        say(&store, &old, canary, at).await;
    }
    say(&store, &recent, "recent", 2).await;
    say(&store, &kept, "kept", 2).await;
    store.trash(old.id, 10).await.unwrap();
    store.trash(recent.id, 20).await.unwrap();
    assert_eq!(store.purge_trashed_before(15).await.unwrap(), 1);
    assert_eq!(store.message_count().await.unwrap(), 2);
    assert!(matches!(
        store.conversation(old.id).await,
        Err(StoreError::NotFound {
            what: "conversation"
        })
    ));
    assert!(store.search("kept", 5).await.unwrap().len() == 1);
    store.close().await;
    for name in ["pilotfish.db", "pilotfish.db-wal"] {
        let bytes = std::fs::read(dir.path().join(name)).unwrap_or_default();
        let found = bytes
            .windows(canary.len())
            .any(|window| window == canary.as_bytes());
        assert!(!found, "a deleted word is still in {name}");
    }
}

#[tokio::test]
async fn settings_endpoints_and_seen_models_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    assert_eq!(store.setting("settings").await.unwrap(), None);
    store.set_setting("settings", "{\"a\":1}").await.unwrap();
    store.set_setting("settings", "{\"a\":2}").await.unwrap();
    assert_eq!(
        store.setting("settings").await.unwrap().as_deref(),
        Some("{\"a\":2}")
    );

    let id: ProviderId = "ollama".parse().unwrap();
    let endpoint = Endpoint {
        id: id.clone(),
        name: "Ollama".to_owned(),
        base_url: "http://localhost:11434/v1".to_owned(),
        wire: Wire::Chat,
        needs_key: false,
        key: None,
        headers: Vec::new(),
    };
    store.save_endpoint(&endpoint).await.unwrap();
    let renamed = Endpoint {
        name: "My Ollama".to_owned(),
        ..endpoint
    };
    store.save_endpoint(&renamed).await.unwrap();
    assert_eq!(store.endpoints().await.unwrap(), [renamed]);
    assert_eq!(store.cached_models(&id).await.unwrap(), []);
    store.cache_models(&id, &[], 3).await.unwrap();
    store.remove_endpoint(&id).await.unwrap();
    assert_eq!(store.endpoints().await.unwrap(), []);
    assert!(matches!(
        store.remove_endpoint(&id).await,
        Err(StoreError::NotFound { what: "endpoint" })
    ));
}

#[tokio::test]
async fn wrong_arguments_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let nobody = ConversationId::generate();
    assert!(matches!(
        store.conversation(nobody).await,
        Err(StoreError::NotFound { .. })
    ));
    assert!(matches!(
        store.set_pinned(nobody, true).await,
        Err(StoreError::NotFound { .. })
    ));
    assert!(matches!(
        store.trash(nobody, 1).await,
        Err(StoreError::NotFound { .. })
    ));
    let id = conversation(&store).await.id;
    let long = "x".repeat(MAX_TITLE_BYTES + 1);
    assert!(matches!(
        store.rename(id, &long, true, 1).await,
        Err(StoreError::TooLarge { what: "title", .. })
    ));
    assert!(matches!(
        store.set_setting("", "1").await,
        Err(StoreError::Invalid { .. })
    ));
    assert!(matches!(
        store.set_setting("a", "{").await,
        Err(StoreError::Invalid { .. })
    ));
    assert!(store.list(u32::MAX, u32::MAX).await.unwrap().is_empty());
    let error = protocol::AppError::from(StoreError::Full);
    assert_eq!(error.code, protocol::ErrorCode::DiskFull);
}
