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
    assert!(!taken.shrunk);
    let taken = taken.snapshot;
    assert_eq!(taken.messages, 1);
    assert!(taken.bytes > 0);
    assert_eq!(
        store.daily_snapshot(10 * DAY + 5).await.unwrap(),
        None,
        "today's is there"
    );
    let next = store.daily_snapshot(11 * DAY).await.unwrap().unwrap();
    let next = next.snapshot;
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
    assert!(!full.shrunk);
    // Rows that vanish by no wish of the person.
    let mut outside = crate::raw(dir.path()).await;
    sqlx::query("DELETE FROM messages WHERE conversation = 2")
        .execute(&mut outside)
        .await
        .unwrap();
    let less = store.daily_snapshot(101 * DAY).await.unwrap().unwrap();
    assert!(less.shrunk, "somebody has to be told");
    // New messages hide the loss.
    for at in 0..9 {
        say(&store, &talk, "later", at).await;
    }
    for day in 102..160 {
        let next = store.daily_snapshot(day * DAY).await.unwrap().unwrap();
        assert!(!next.shrunk, "it is told once");
    }
    let kept = store.snapshots().await.unwrap();
    let pinned = full.snapshot.name.replace("daily", "pinned");
    assert!(
        kept.iter().any(|one| one.name == pinned),
        "it holds what is lost: {kept:?}"
    );
    assert!(kept.len() <= 12, "{} are kept", kept.len());

    // The same by the person's wish.
    let wished = conversation(&store).await;
    for at in 0..5 {
        say(&store, &wished, "goes", at).await;
    }
    let fuller = store.daily_snapshot(200 * DAY).await.unwrap().unwrap();
    let fuller = fuller.snapshot;
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

#[tokio::test]
async fn a_snapshot_that_is_cut_off_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    say(&store, &talk, &"much to copy ".repeat(200_000), 1).await;
    let parts = || {
        std::fs::read_dir(dir.path().join("snapshots"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains(".part"))
            .count()
    };
    {
        let taking = std::pin::pin!(store.snapshot(2));
        let mut taking = tokio::task::unconstrained(taking);
        // As far as the copy's file; then whoever asked goes away.
        std::future::poll_fn(|context| {
            let _ = std::pin::Pin::new(&mut taking).poll(context);
            if parts() > 0 {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
    assert_eq!(parts(), 0, "dropped");

    // As if the process had been killed.
    let dead = uuid::Uuid::now_v7().simple().to_string();
    for file in [
        format!("instances/{dead}.lock"),
        format!("snapshots/{dead}-1.part"),
        format!("snapshots/{dead}-1.part-journal"),
    ] {
        std::fs::write(dir.path().join(file), "x").unwrap();
    }
    let living = format!("snapshots/{}-1.part", uuid::Uuid::now_v7().simple());
    std::fs::write(dir.path().join(&living), "x").unwrap();
    drop(ready(dir.path()).await);
    assert_eq!(parts(), 1, "only what may still grow is left");
    assert!(dir.path().join(living).exists());
}
