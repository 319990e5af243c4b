//! What switching models needs to be kept: chains, attached files, summaries.

use pretty_assertions::assert_eq;
use protocol::{AttachmentId, MessageId, ModelRef};
use store::{Attachment, MAX_ATTACHMENT_BYTES, MAX_SUMMARY_BYTES, StoreError, Summary};

use crate::{conversation, ready, say};

#[tokio::test]
async fn a_conversation_keeps_its_chain() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    assert_eq!(talk.failover, None, "as the settings say");
    for chain in [Some(vec![ModelRef::inhouse("default")]), Some(vec![]), None] {
        store.set_failover(talk.id, chain.as_deref()).await.unwrap();
        let kept = store.conversation(talk.id).await.unwrap().failover;
        assert_eq!(kept, chain);
    }
}

#[tokio::test]
async fn an_attached_file_comes_back_and_is_kept_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let file = Attachment {
        name: "sky.png".to_owned(),
        media_type: "image/png".to_owned(),
        bytes: b"\x89PNG".to_vec(),
    };
    let first = store.attach(file.clone(), 1).await.unwrap();
    let again = store.attach(file.clone(), 2).await.unwrap();
    assert_ne!(first, again);
    assert_eq!(store.attachment(again).await.unwrap(), file);
    let place = dir.path().join("attachments");
    let kept: Vec<_> = std::fs::read_dir(&place).unwrap().flatten().collect();
    assert_eq!(kept.len(), 1);

    std::fs::remove_file(kept[0].path()).unwrap();
    for missing in [first, AttachmentId::generate()] {
        let error = store.attachment(missing).await.unwrap_err();
        assert!(matches!(error, StoreError::NotFound { .. }), "{error:?}");
    }
    let large = Attachment {
        bytes: vec![0; MAX_ATTACHMENT_BYTES + 1],
        ..file
    };
    let error = store.attach(large, 3).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn a_summary_is_kept_beside_its_message_and_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    let said = say(&store, &talk, "one", 1).await;
    let model = ModelRef::inhouse("default");
    let summary = |text: &str, message: MessageId| Summary {
        message,
        text: text.to_owned(),
        made_at: 5,
    };
    store
        .keep_summary(&summary("a", said.id), &model)
        .await
        .unwrap();
    let better = summary("b", said.id);
    store.keep_summary(&better, &model).await.unwrap();
    assert_eq!(store.summaries(talk.id).await.unwrap(), [better]);

    let nowhere = summary("c", MessageId::generate());
    let error = store.keep_summary(&nowhere, &model).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error:?}");
    let long = summary(&"x".repeat(MAX_SUMMARY_BYTES + 1), said.id);
    let error = store.keep_summary(&long, &model).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { .. }), "{error:?}");

    store.trash(talk.id, 6).await.unwrap();
    store.purge_trashed_before(7).await.unwrap();
    assert_eq!(store.summaries(talk.id).await.unwrap(), []);
}
