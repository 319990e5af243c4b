//! Snapshots: once a day, and never fewer words than before.

use pretty_assertions::assert_eq;

use crate::{conversation, ready, say};

const DAY: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn a_snapshot_is_taken_once_a_day_and_holds_everything() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    assert_eq!(
        store.daily_snapshot(DAY).await.unwrap(),
        None,
        "there is nothing to keep yet"
    );
    let talk = conversation(&store).await;
    say(&store, &talk, "kept", 1).await;
    let taken = store.daily_snapshot(10 * DAY).await.unwrap().unwrap();
    assert_eq!(taken.messages, 1);
    assert!(taken.bytes > 0);
    assert_eq!(
        store.daily_snapshot(10 * DAY + 5).await.unwrap(),
        None,
        "today's is there"
    );
    let next = store.daily_snapshot(11 * DAY).await.unwrap().unwrap();
    let asked = store.snapshot(11 * DAY).await.unwrap();
    let names: Vec<String> = store
        .snapshots()
        .await
        .unwrap()
        .into_iter()
        .map(|one| one.name)
        .collect();
    assert_eq!(names.len(), 3);
    assert_eq!(names[2], taken.name, "newest first");
    assert!(names.contains(&next.name) && names.contains(&asked.name));
}

#[tokio::test]
async fn old_snapshots_go_but_never_one_with_more_in_it_that_nobody_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    let doomed = conversation(&store).await;
    say(&store, &talk, "stays", 1).await;
    for at in 0..5 {
        say(&store, &doomed, "goes", at).await;
    }
    let full = store.daily_snapshot(100 * DAY).await.unwrap().unwrap();
    // Rows that vanish by no wish of the person.
    let mut outside = crate::raw(dir.path()).await;
    sqlx::query("DELETE FROM messages WHERE conversation = 2")
        .execute(&mut outside)
        .await
        .unwrap();
    for day in 101..160 {
        store.daily_snapshot(day * DAY).await.unwrap();
    }
    let kept = store.snapshots().await.unwrap();
    assert!(
        kept.iter().any(|one| one.name == full.name),
        "it holds what is lost"
    );
    assert!(kept.len() <= 12, "{} are kept", kept.len());

    // The same by the person's wish.
    let wished = conversation(&store).await;
    for at in 0..5 {
        say(&store, &wished, "goes", at).await;
    }
    let fuller = store.daily_snapshot(200 * DAY).await.unwrap().unwrap();
    store.trash(wished.id, 1).await.unwrap();
    store.purge_trashed_before(2).await.unwrap();
    for day in 201..260 {
        store.daily_snapshot(day * DAY).await.unwrap();
    }
    let kept = store.snapshots().await.unwrap();
    assert!(
        !kept.iter().any(|one| one.name == fuller.name),
        "its surplus was deleted on purpose"
    );
}
