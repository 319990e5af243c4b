//! Damaged databases: shown, never written, restored from a snapshot.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

use pretty_assertions::assert_eq;
use sqlx::Connection;
use store::{MAX_PAGE, Opened, Reader, Store, StoreError};

use crate::{conversation, damaged, raw, ready, say};

/// A folder with two snapshots' worth of history, closed.
async fn history(dir: &Path) {
    let store = ready(dir).await;
    for title in ["first", "second", "third"] {
        let talk = conversation(&store).await;
        store.rename(talk.id, title, true, 1).await.unwrap();
        for number in 0..40 {
            say(
                &store,
                &talk,
                &format!("{title} message {number} {}", "filler ".repeat(60)),
                2,
            )
            .await;
        }
    }
    store.snapshot(3).await.unwrap();
    store.close().await;
}

/// As if an instance had died: its lock file is there, and free.
fn leave_a_dead_instance(dir: &Path) {
    let name = format!("{}.lock", uuid::Uuid::now_v7().simple());
    fs::write(dir.join("instances").join(name), "").unwrap();
}

#[tokio::test]
async fn what_is_no_healthy_database_is_shown_and_never_replaced() {
    type Damage = fn(&Path);
    let kinds: [(&str, Damage); 7] = [
        ("gone", |db| fs::remove_file(db).unwrap()),
        ("emptied", |db| fs::write(db, "").unwrap()),
        ("not a database", |db| {
            fs::write(db, "hello ".repeat(2000)).unwrap()
        }),
        ("cut off in the header", |db| {
            fs::OpenOptions::new()
                .write(true)
                .open(db)
                .unwrap()
                .set_len(50)
                .unwrap();
        }),
        ("a folder", |db| {
            fs::remove_file(db).unwrap();
            fs::create_dir(db).unwrap();
        }),
        ("a dangling link", |db| {
            fs::remove_file(db).unwrap();
            symlink("/nowhere/at/all", db).unwrap();
        }),
        ("zeroed", |db| {
            let size = usize::try_from(fs::metadata(db).unwrap().len()).unwrap();
            fs::write(db, vec![0; size]).unwrap();
        }),
    ];
    for (kind, damage) in kinds {
        let dir = tempfile::tempdir().unwrap();
        history(dir.path()).await;
        let database = dir.path().join("pilotfish.db");
        damage(&database);
        let before = fs::read(&database).ok();
        let recovery = damaged(dir.path()).await;
        assert!(!recovery.reason().is_empty(), "{kind}");
        assert_eq!(recovery.snapshots().len(), 1, "{kind}");
        assert!(
            fs::read(&database).ok() == before,
            "{kind}: the damaged file was changed"
        );
        assert_eq!(
            database.symlink_metadata().is_ok(),
            kind != "gone",
            "{kind}"
        );

        let name = recovery.snapshots()[0].name.clone();
        for wrong in ["../x", "", "0000000000003-asked-v3-m1-d0.db"] {
            let refused = recovery.restore(wrong, 9).await;
            assert!(
                matches!(refused, Err(StoreError::NotFound { what: "snapshot" })),
                "{wrong}"
            );
        }
        recovery.restore(&name, 9).await.unwrap();
        drop(recovery);
        let kept = dir.path().join("damaged/9/pilotfish.db");
        assert_eq!(
            kept.symlink_metadata().is_ok(),
            kind != "gone",
            "{kind}: it is kept"
        );
        let store = ready(dir.path()).await;
        assert_eq!(store.message_count().await.unwrap(), 120, "{kind}");
        let talk = conversation(&store).await;
        say(&store, &talk, "life goes on", 10).await;
    }
}

#[tokio::test]
async fn a_page_that_was_overwritten_is_noticed_after_a_crash_and_the_rest_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    history(dir.path()).await;
    let database = dir.path().join("pilotfish.db");
    let pages = fs::metadata(&database).unwrap().len() / 4096;
    assert!(pages > 20);
    let (mut noticed, mut listed) = (0, 0);
    for page in (2..pages).step_by(3) {
        let whole = fs::read(&database).unwrap();
        let mut file = fs::OpenOptions::new().write(true).open(&database).unwrap();
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&[0xa5; 4096]).unwrap();
        drop(file);
        leave_a_dead_instance(dir.path());
        match Store::open(dir.path()).await.unwrap() {
            Opened::Recovery(recovery) => {
                noticed += 1;
                if let Some(reader) = recovery.reader() {
                    listed += reader.list(0, 10).await.map_or(0, |rows| rows.len());
                }
            }
            // Text runs over into pages that nothing but the text itself could tell is wrong, and
            // the index is checked when it is used.
            Opened::Ready(store) => store.close().await,
        }
        fs::write(&database, whole).unwrap();
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(dir.path().join(format!("pilotfish.db{suffix}")));
        }
    }
    let tried = (2..pages).step_by(3).count();
    assert!(noticed * 10 >= tried * 5, "{noticed} of {tried} noticed");
    assert!(
        listed >= noticed,
        "only {listed} conversations listed in {noticed} openings"
    );
}

#[tokio::test]
async fn an_unknown_database_in_our_place_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let mut other = raw(dir.path()).await;
    sqlx::query("CREATE TABLE theirs (x)")
        .execute(&mut other)
        .await
        .unwrap();
    other.close().await.unwrap();
    let before = fs::read(dir.path().join("pilotfish.db")).unwrap();
    let recovery = damaged(dir.path()).await;
    assert!(
        recovery.reason().contains("another program"),
        "{}",
        recovery.reason()
    );
    assert!(before == fs::read(dir.path().join("pilotfish.db")).unwrap());
}

#[tokio::test]
async fn an_empty_store_that_took_the_place_of_a_full_one_is_not_accepted() {
    let dir = tempfile::tempdir().unwrap();
    history(dir.path()).await;
    let other = tempfile::tempdir().unwrap();
    let empty = ready(other.path()).await;
    empty.close().await;
    fs::copy(
        other.path().join("pilotfish.db"),
        dir.path().join("pilotfish.db"),
    )
    .unwrap();
    let recovery = damaged(dir.path()).await;
    assert!(recovery.reason().contains("empty"), "{}", recovery.reason());
}

#[tokio::test]
async fn a_snapshot_is_not_restored_under_another_instance() {
    let dir = tempfile::tempdir().unwrap();
    history(dir.path()).await;
    fs::write(dir.path().join("pilotfish.db"), "no database").unwrap();
    let one = damaged(dir.path()).await;
    let two = damaged(dir.path()).await;
    let name = one.snapshots()[0].name.clone();
    assert!(matches!(
        one.restore(&name, 9).await,
        Err(StoreError::InUse)
    ));
    drop(two);
    one.restore(&name, 9).await.unwrap();
}

#[tokio::test]
async fn a_folder_that_never_held_anything_gets_a_new_store() {
    let dir = tempfile::tempdir().unwrap();
    ready(dir.path()).await.close().await;
    fs::remove_file(dir.path().join("pilotfish.db")).unwrap();
    assert_eq!(ready(dir.path()).await.message_count().await.unwrap(), 0);
}

#[tokio::test]
async fn a_new_store_does_not_take_the_place_of_one_that_only_its_snapshots_remember() {
    let dir = tempfile::tempdir().unwrap();
    history(dir.path()).await;
    fs::remove_file(dir.path().join("pilotfish.db")).unwrap();
    fs::remove_file(dir.path().join("pilotfish.marker.json")).unwrap();
    let recovery = damaged(dir.path()).await;
    assert_eq!(recovery.snapshots().len(), 1, "{}", recovery.reason());
}

#[tokio::test]
async fn a_store_that_lost_its_messages_is_told_from_one_that_was_emptied() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    for at in 0..3 {
        say(&store, &talk, "soon gone", at).await;
    }
    let other = ready(dir.path()).await;
    store.trash(talk.id, 1).await.unwrap();
    store.purge_trashed_before(2).await.unwrap();
    store.close().await;
    drop((store, other));
    // Emptied on purpose, whatever an instance remembered that was still open.
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    for at in 0..3 {
        say(&store, &talk, "soon lost", at).await;
    }
    store.close().await;
    drop(store);
    let mut outside = raw(dir.path()).await;
    sqlx::query("DELETE FROM messages")
        .execute(&mut outside)
        .await
        .unwrap();
    outside.close().await.unwrap();
    let recovery = damaged(dir.path()).await;
    assert!(recovery.reason().contains("empty"), "{}", recovery.reason());
}

#[tokio::test]
async fn an_obstacle_on_the_disk_is_not_called_damage_and_nothing_is_restored_over_it() {
    let dir = tempfile::tempdir().unwrap();
    history(dir.path()).await;
    let log = dir.path().join("pilotfish.db-wal");
    let _ = fs::remove_file(&log);
    fs::create_dir(&log).unwrap();
    let recovery = damaged(dir.path()).await;
    assert!(!recovery.is_damaged());
    let reason = recovery.reason();
    assert!(
        reason.contains("check the disk") && !reason.contains("damage"),
        "{reason}"
    );
    assert_eq!(recovery.snapshots(), []);
    let name = fs::read_dir(dir.path().join("snapshots"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .file_name()
        .into_string()
        .unwrap();
    let refused = recovery.restore(&name, 9).await;
    assert!(
        matches!(refused, Err(StoreError::Invalid { .. })),
        "{refused:?}"
    );
    let reader = recovery.reader().unwrap();
    assert_eq!(reader.list(0, 10).await.unwrap().len(), 3);
    drop(recovery);
    fs::remove_dir(&log).unwrap();
    assert_eq!(ready(dir.path()).await.message_count().await.unwrap(), 120);
}

#[tokio::test]
async fn a_damaged_search_index_is_made_anew_and_never_costs_the_messages() {
    let dir = tempfile::tempdir().unwrap();
    history(dir.path()).await;
    let mut outside = raw(dir.path()).await;
    sqlx::query("UPDATE search_data SET block = zeroblob(length(block)) WHERE id > 10")
        .execute(&mut outside)
        .await
        .unwrap();
    outside.close().await.unwrap();
    leave_a_dead_instance(dir.path());
    let store = ready(dir.path()).await;
    assert_eq!(store.search("second message", 100).await.unwrap().len(), 40);
    let talk = conversation(&store).await;
    say(&store, &talk, "afterwards", 9).await;
    store.close().await;
}

#[tokio::test]
async fn damage_that_is_met_while_it_runs_is_looked_into_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    history(dir.path()).await;
    let store = ready(dir.path()).await;
    let mut outside = raw(dir.path()).await;
    sqlx::query("UPDATE search_data SET block = x'ff' WHERE id > 10")
        .execute(&mut outside)
        .await
        .unwrap();
    outside.close().await.unwrap();
    let met = store.search("second message", 100).await;
    assert!(matches!(met, Err(StoreError::IndexDamaged)), "{met:?}");
    let said = met.unwrap_err().to_string();
    assert!(
        said.contains("start Pilotfish again") && !said.contains("restore"),
        "{said}"
    );
    store.close().await;
    drop(store);
    let store = ready(dir.path()).await;
    assert_eq!(store.search("second message", 100).await.unwrap().len(), 40);
}

/// All texts that a reader shows.
async fn texts(reader: &Reader) -> Vec<String> {
    let mut found = Vec::new();
    for row in reader.list(0, 10).await.unwrap_or_default() {
        let Ok(page) = reader.branch_page(row.id, None, MAX_PAGE).await else {
            continue;
        };
        found.extend(page.messages.iter().map(|one| one.message.text()));
    }
    found
}

#[tokio::test]
async fn a_damaged_database_of_an_older_schema_is_read_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    history(dir.path()).await;
    let database = dir.path().join("pilotfish.db");
    let mut older = raw(dir.path()).await;
    for statement in [
        "ALTER TABLE conversations DROP COLUMN failover",
        "ALTER TABLE conversations DROP COLUMN local_only",
        "ALTER TABLE messages DROP COLUMN attempts",
        "ALTER TABLE messages DROP COLUMN cost",
        "ALTER TABLE messages DROP COLUMN reported_cost_usd",
        "DROP TABLE ledger",
        "DROP TABLE summaries",
        "PRAGMA user_version = 3",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    ] {
        sqlx::query(statement).execute(&mut older).await.unwrap();
    }
    let page: i64 = sqlx::query_scalar(
        "SELECT pageno FROM dbstat WHERE name = 'parts' AND pagetype = 'leaf' LIMIT 1",
    )
    .fetch_one(&mut older)
    .await
    .unwrap();
    older.close().await.unwrap();
    let mut file = fs::OpenOptions::new().write(true).open(&database).unwrap();
    let at = (u64::try_from(page).unwrap() - 1) * 4096;
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[0xa5; 4096]).unwrap();
    drop(file);
    leave_a_dead_instance(dir.path());
    let recovery = damaged(dir.path()).await;
    let reader = recovery.reader().unwrap();
    let found = texts(reader).await;
    let lost = found
        .iter()
        .filter(|text| text.contains("cannot be read"))
        .count();
    assert_eq!(found.len(), 120);
    assert!(lost < 20, "{lost} messages are lost");
    let listed = reader.list(0, 1).await.unwrap();
    assert!(!reader.conversation(listed[0].id).await.unwrap().local_only);
}

#[tokio::test]
async fn the_text_around_damage_is_read_and_what_is_lost_is_marked() {
    let dir = tempfile::tempdir().unwrap();
    history(dir.path()).await;
    let database = dir.path().join("pilotfish.db");
    let mut outside = raw(dir.path()).await;
    let pages: Vec<i64> =
        sqlx::query_scalar("SELECT pageno FROM dbstat WHERE name = 'parts' AND pagetype = 'leaf'")
            .fetch_all(&mut outside)
            .await
            .unwrap();
    outside.close().await.unwrap();
    assert!(pages.len() > 10);
    let whole = fs::read(&database).unwrap();
    for page in pages.iter().step_by(4) {
        let mut file = fs::OpenOptions::new().write(true).open(&database).unwrap();
        let at = (u64::try_from(*page).unwrap() - 1) * 4096;
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&[0xa5; 4096]).unwrap();
        drop(file);
        leave_a_dead_instance(dir.path());
        let recovery = damaged(dir.path()).await;
        assert!(recovery.is_damaged());
        let found = texts(recovery.reader().unwrap()).await;
        let lost = found
            .iter()
            .filter(|text| text.contains("cannot be read"))
            .count();
        assert_eq!(found.len(), 120, "page {page}: each message has its place");
        assert!(
            (1..20).contains(&lost),
            "page {page}: {lost} messages are lost"
        );
        drop(recovery);
        fs::write(&database, &whole).unwrap();
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(dir.path().join(format!("pilotfish.db{suffix}")));
        }
    }
}
