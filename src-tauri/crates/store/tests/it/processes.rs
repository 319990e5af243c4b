//! Several processes in one folder, and who may read it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pretty_assertions::assert_eq;
use protocol::{MessageState, Part, PartKind};
use store::{DraftDelta, Store, StoreError};

use crate::{conversation, finish, raw, ready, say};

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        found.push(path);
    }
    found
}

#[tokio::test]
async fn two_instances_write_in_turn_and_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let one = ready(dir.path()).await;
    let two = ready(dir.path()).await;
    let talk = conversation(&one).await;
    let mut writers = tokio::task::JoinSet::new();
    for store in [one.clone(), two.clone()] {
        let id = talk.id;
        writers.spawn(async move {
            for at in 0..25 {
                store
                    .append_user(id, None, vec![Part::text("x")], at)
                    .await
                    .unwrap();
            }
        });
    }
    writers.join_all().await;
    assert_eq!(one.message_count().await.unwrap(), 50);
    assert_eq!(two.message_count().await.unwrap(), 50);
}

#[tokio::test]
async fn only_messages_of_dead_instances_are_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let living = ready(dir.path()).await;
    let talk = conversation(&living).await;
    let question = say(&living, &talk, "?", 1).await;
    let grows = living
        .open_assistant(talk.id, Some(question.id), None, 2)
        .await
        .unwrap();

    let dying = ready(dir.path()).await;
    let left = dying
        .open_assistant(talk.id, Some(question.id), None, 3)
        .await
        .unwrap();
    let half = DraftDelta {
        part: 0,
        kind: PartKind::Text,
        text: "half an ans".to_owned(),
    };
    dying.checkpoint(left.id, vec![half]).await.unwrap();
    let theirs = finish(MessageState::Complete, vec![]);
    assert!(
        matches!(
            living.finish(left.id, theirs).await,
            Err(StoreError::NotStreaming)
        ),
        "one instance does not end what another writes"
    );
    drop(dying);

    let next = ready(dir.path()).await;
    assert_eq!(next.recover().await.unwrap(), 1);
    assert_eq!(next.recover().await.unwrap(), 0);
    let kept = next.message(left.id).await.unwrap();
    assert_eq!(
        (kept.state, kept.text().as_str()),
        (MessageState::Interrupted, "half an ans")
    );
    assert_eq!(
        next.message(grows.id).await.unwrap().state,
        MessageState::Streaming
    );
    assert_eq!(
        next.search("half", 5).await.unwrap().len(),
        1,
        "what was kept is found"
    );
    living
        .finish(grows.id, finish(MessageState::Complete, vec![]))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_migration_waits_for_nobody_to_use_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    say(&store, &talk, "here", 1).await;
    // As if this instance were of an older version: the file wants migrating.
    let mut outside = raw(dir.path()).await;
    sqlx::query("PRAGMA user_version = 2")
        .execute(&mut outside)
        .await
        .unwrap();
    assert!(matches!(
        Store::open(dir.path()).await,
        Err(StoreError::InUse)
    ));
    assert_eq!(store.message_count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_write_whose_caller_goes_away_is_there_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    let mut written = 0;
    for turns in 0..60 {
        let text = format!("turn {turns}");
        let sent = store.append_user(talk.id, None, vec![Part::text(&text)], 1);
        // Polled that often, then dropped.
        let mut sent = std::pin::pin!(sent);
        for _ in 0..turns {
            let polled = std::future::poll_fn(|context| {
                std::task::Poll::Ready(sent.as_mut().poll(context).is_ready())
            });
            if polled.await {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    // Whatever was still on its way has come to its end before the next write.
    say(&store, &talk, "last", 2).await;
    let ids: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT id FROM messages")
        .fetch_all(&mut raw(dir.path()).await)
        .await
        .unwrap();
    for id in ids {
        let message = store.message(protocol::MessageId::from_uuid(id)).await;
        assert!(!message.unwrap().text().is_empty(), "half a message");
        written += 1;
    }
    assert_eq!(store.message_count().await.unwrap(), written);
}

#[tokio::test]
async fn a_lock_that_stays_is_reported_and_the_next_write_works() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    let mut outside = raw(dir.path()).await;
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut outside)
        .await
        .unwrap();
    let refused = store
        .append_user(talk.id, None, vec![Part::text("x")], 1)
        .await;
    assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
    sqlx::query("ROLLBACK").execute(&mut outside).await.unwrap();
    say(&store, &talk, "y", 2).await;
    assert_eq!(store.message_count().await.unwrap(), 1);
}

#[tokio::test]
async fn nobody_else_can_read_the_files_whatever_the_umask() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("data");
    let before = umask(0);
    let store = ready(&home).await;
    let talk = conversation(&store).await;
    say(&store, &talk, "private", 1).await;
    store.snapshot(2).await.unwrap();
    umask(before);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home), 0o700);
    let found = files(&home);
    assert!(found.iter().any(|path| path.ends_with("pilotfish.db-wal")));
    assert!(found.len() >= 9, "{found:?}");
    for path in found {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), wanted, "{}", path.display());
    }
}

/// Sets the umask, by which other tests' files get wider for a moment at most.
fn umask(mask: u32) -> u32 {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask)).bits()
}
