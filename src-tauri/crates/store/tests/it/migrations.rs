//! From each older schema to the newest, and never from a newer one.

use std::fs;
use std::path::Path;

use pretty_assertions::assert_eq;
use sqlx::{AssertSqlSafe, Connection, Row};
use store::{Store, StoreError};

use crate::{conversation, damaged, raw, ready, say};

const FIRST: &str = include_str!("../../migrations/0001_conversations.sql");

/// A database of the first schema with one message.
async fn old_database(dir: &Path) {
    let mut old = raw(dir).await;
    sqlx::raw_sql(FIRST).execute(&mut old).await.unwrap();
    for statement in [
        "INSERT INTO conversations (id, title, leaf, created_at, updated_at)
         VALUES (randomblob(16), 'old', 1, 1, 1)",
        "INSERT INTO messages (id, conversation, depth, role, state, created_at)
         VALUES (randomblob(16), 1, 0, 'user', 'complete', 1)",
        "INSERT INTO parts (message, ordinal, kind, text) VALUES (1, 0, 'text', 'from long ago')",
        "PRAGMA user_version = 1",
        "PRAGMA application_id = 1346980934",
    ] {
        sqlx::query(statement).execute(&mut old).await.unwrap();
    }
    old.close().await.unwrap();
}

#[tokio::test]
async fn an_old_database_is_brought_up_after_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    old_database(dir.path()).await;

    let store = ready(dir.path()).await;
    let listed = store.list(0, 10).await.unwrap();
    assert_eq!(listed[0].title, "old");
    assert_eq!(
        store.search("long ago", 5).await.unwrap().len(),
        1,
        "the index was filled"
    );
    let page = store.branch_page(listed[0].id, None, 10).await.unwrap();
    assert_eq!(page.messages[0].message.text(), "from long ago");
    let snapshots = store.snapshots().await.unwrap();
    assert_eq!(snapshots.len(), 1);
    assert!(
        snapshots[0].name.contains("-migration-v1-m1-"),
        "{}",
        snapshots[0].name
    );
}

#[tokio::test]
async fn a_newer_database_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    say(&store, &talk, "from the future", 1).await;
    store.close().await;
    drop(store);
    let mut newer = raw(dir.path()).await;
    sqlx::query("PRAGMA user_version = 999")
        .execute(&mut newer)
        .await
        .unwrap();
    newer.close().await.unwrap();
    let before = fs::read(dir.path().join("pilotfish.db")).unwrap();
    match Store::open(dir.path()).await {
        Err(error @ StoreError::NewerVersion { found: 999, .. }) => {
            assert!(error.to_string().contains("update Pilotfish"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert!(
        before == fs::read(dir.path().join("pilotfish.db")).unwrap(),
        "not a byte changed"
    );
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_old_database() {
    let dir = tempfile::tempdir().unwrap();
    let mut old = raw(dir.path()).await;
    sqlx::raw_sql(FIRST).execute(&mut old).await.unwrap();
    // Something of that name is in the way of the second step.
    for statement in [
        "CREATE TABLE searchable (mine TEXT)",
        "PRAGMA user_version = 1",
        "PRAGMA application_id = 1346980934",
    ] {
        sqlx::query(statement).execute(&mut old).await.unwrap();
    }
    old.close().await.unwrap();
    let failed = Store::open(dir.path()).await;
    assert!(matches!(failed, Err(StoreError::Sql { .. })), "{failed:?}");
    let mut old = raw(dir.path()).await;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut old)
        .await
        .unwrap();
    assert_eq!(version, 1, "all of the migration is undone");
    let columns = sqlx::query(AssertSqlSafe("PRAGMA table_info(parts)".to_owned()))
        .fetch_all(&mut old)
        .await
        .unwrap();
    assert!(
        !columns
            .iter()
            .any(|column| column.get::<String, _>("name") == "segmented")
    );
}

#[tokio::test]
async fn two_that_start_at_once_both_open_a_new_folder_and_an_old_one() {
    for is_old in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        if is_old {
            old_database(dir.path()).await;
        }
        let (one, two) = tokio::join!(ready(dir.path()), ready(dir.path()));
        assert_eq!(one.message_count().await.unwrap(), u64::from(is_old));
        let talk = conversation(&two).await;
        say(&two, &talk, "both write", 1).await;
        say(&one, &talk, "both write", 2).await;
    }
}

#[tokio::test]
async fn a_snapshot_of_an_older_schema_is_brought_up_while_it_is_restored() {
    let dir = tempfile::tempdir().unwrap();
    old_database(dir.path()).await;
    ready(dir.path()).await.close().await;
    fs::write(dir.path().join("pilotfish.db"), "no database").unwrap();
    let recovery = damaged(dir.path()).await;
    let name = recovery.snapshots()[0].name.clone();
    assert!(name.contains("-migration-v1-"), "{name}");
    recovery.restore(&name, 9).await.unwrap();
    // The window still holds the recovery view while it opens what was restored.
    let store = ready(dir.path()).await;
    drop(recovery);
    assert_eq!(store.search("long ago", 5).await.unwrap().len(), 1);
    assert_eq!(store.snapshots().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_journal_that_undoes_nothing_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    say(&store, &talk, "here", 1).await;
    store.close().await;
    drop(store);
    fs::write(dir.path().join("pilotfish.db-journal"), [0; 512]).unwrap();
    assert_eq!(ready(dir.path()).await.message_count().await.unwrap(), 1);
}
