//! The way back from a damaged database.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::{Change, Engine};
use pretty_assertions::assert_eq;
use protocol::{ErrorCode, StoreState};

use crate::scripted::{engine_and_server, exchange, html, open, shown};

/// The only file of a folder.
fn only_file(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none(), "one snapshot");
    file
}

/// Waits until that many snapshots are there: they are made in the background.
async fn snapshots(engine: &Engine, wanted: usize) {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while engine.snapshots().await.unwrap().len() != wanted {
            tokio::task::yield_now().await;
        }
    });
    waited.await.unwrap();
}

#[tokio::test]
async fn a_restored_database_goes_on_and_is_looked_after() {
    let (home, engine, mut server) = engine_and_server().await;
    let id = exchange(&engine, &mut server, None, "kept", "yes")
        .await
        .conversation_id;
    engine.shutdown().await;
    drop(engine);
    let engine = open(&home).await;
    snapshots(&engine, 1).await;
    exchange(&engine, &mut server, Some(id), "lost", "yes").await;
    let refused = engine.restore_snapshot("x").await.unwrap_err();
    assert_eq!(
        refused.code,
        ErrorCode::InvalidRequest,
        "nothing is damaged"
    );
    engine.shutdown().await;
    drop(engine);

    // Yesterday's snapshot, so that today's is due.
    let data = home.path().join("data");
    let snapshot = only_file(&data.join("snapshots"));
    let name = snapshot.file_name().unwrap().to_str().unwrap().to_owned();
    let (at, rest) = name.split_once('-').unwrap();
    let at: i64 = at.parse().unwrap();
    let yesterday = format!("{:013}-{rest}", at - 86_400_000);
    fs::rename(&snapshot, data.join("snapshots").join(&yesterday)).unwrap();
    let database = data.join("pilotfish.db");
    let mut bytes = fs::read(&database).unwrap();
    bytes[1000..].fill(0xAA);
    fs::write(&database, &bytes).unwrap();

    let engine = open(&home).await;
    let StoreState::Recovery {
        snapshots: offered, ..
    } = engine.store_state()
    else {
        panic!("the damage was not seen")
    };
    assert_eq!(offered.len(), 1);
    assert_eq!(offered[0].name, yesterday);
    let mut changes = engine.changes();
    let state = engine.restore_snapshot(&yesterday).await.unwrap();
    assert_eq!(state, StoreState::Ready);
    assert_eq!(changes.recv().await, Ok(Change::Conversations));
    snapshots(&engine, 2).await;

    let started = exchange(&engine, &mut server, Some(id), "new", "again").await;
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(shown(&answer), html("again"));
    assert_eq!(engine.search("kept", 10).await.unwrap().len(), 1);
    assert!(engine.search("lost", 10).await.unwrap().is_empty());
    let kept = fs::read_dir(data.join("damaged")).unwrap().next();
    let kept = kept.unwrap().unwrap().path().join("pilotfish.db");
    assert!(fs::read(kept).unwrap() == bytes, "the damaged file is kept");
}
