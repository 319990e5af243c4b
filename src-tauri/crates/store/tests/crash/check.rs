//! What has to hold after a fault: the store opens, is whole, has all that was acknowledged, and
//! life goes on.

use std::fs;
use std::path::Path;

use protocol::{Message, MessageId, MessageState, ModelRef, Part, Role};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use store::{Opened, Question, Store};

use crate::acknowledged::Acknowledged;
use crate::{JUNK, Point, Start, text};

/// Opens what is left and compares it with what was acknowledged.
pub(crate) async fn check(point: Point, dir: &Path, said: &str) {
    let all = Acknowledged::read(said);
    let store = open(point, dir, said, &all).await;
    store.recover().await.unwrap();
    conversations(point, &store, &all).await;
    messages(point, &store, &all, said).await;
    together(point, &store).await;
    let (query, wanted) = match point.start {
        Start::Empty => ("nothing", 0),
        Start::OldVersion | Start::Damaged => ("old words", 100),
        Start::Store => ("here before", 1),
    };
    let found = store.search(query, 100).await.unwrap().len();
    assert_eq!(found, wanted, "{point:?}: what was there before is there");
    let listed = store.snapshots().await.unwrap();
    for name in &all.snapshots {
        assert!(
            listed.iter().any(|one| one.name == *name),
            "{point:?}: {name} was taken"
        );
    }
    for snapshot in listed {
        whole(point, &dir.join("snapshots").join(&snapshot.name)).await;
    }
    let unfinished = fs::read_dir(dir.join("snapshots"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.contains(".part"));
    assert_eq!(unfinished, None, "{point:?}: a cut-off copy takes room");

    // Life goes on.
    let words = Question::First(vec![Part::text("afterwards")]);
    let model = ModelRef::inhouse("small");
    store.ask(words, &model, 1).await.unwrap();
    assert_eq!(store.search("afterwards", 5).await.unwrap().len(), 1);
    store.close().await;
    whole(point, &dir.join("pilotfish.db")).await;
}

/// The store, which is healthy, but for one that was damaged before and not restored yet.
async fn open(point: Point, dir: &Path, said: &str, all: &Acknowledged) -> Store {
    let mut opened = Store::open(dir).await;
    if let (Start::Damaged, false, Ok(Opened::Recovery(recovery))) =
        (point.start, all.restored, &opened)
    {
        assert!(recovery.is_damaged(), "{point:?}\n{said}");
        let name = &recovery.snapshots()[0].name;
        recovery.restore(name, 10).await.unwrap();
        opened = Store::open(dir).await;
    }
    if point.start == Start::Damaged {
        let kept = fs::read_dir(dir.join("damaged"))
            .unwrap()
            .map(|entry| entry.unwrap().path().join("pilotfish.db"))
            .any(|path| fs::read(path).is_ok_and(|bytes| bytes == JUNK.as_bytes()));
        assert!(kept, "{point:?}: the damaged database is kept");
    }
    match opened {
        Ok(Opened::Ready(store)) => store,
        other => panic!("{point:?}: {other:?}\n{said}"),
    }
}

async fn conversations(point: Point, store: &Store, all: &Acknowledged) {
    let listed = store.list(0, 100).await.unwrap();
    for talk in &all.created {
        let there = store.conversation(*talk).await.is_ok();
        assert!(
            there || all.deleting.contains(talk),
            "{point:?}: a conversation is lost"
        );
    }
    for talk in &all.trashed {
        assert!(
            !listed.iter().any(|row| row.id == *talk),
            "{point:?}: what was put into the trash is listed"
        );
    }
    for talk in &all.purged {
        assert!(
            store.conversation(*talk).await.is_err(),
            "{point:?}: what was deleted for good is back"
        );
    }
}

/// A question and its answer come into being together, and with their conversation.
async fn together(point: Point, store: &Store) {
    for row in store.list(0, 100).await.unwrap() {
        let shown = store.branch_page(row.id, None, 1).await.unwrap();
        let last = shown.messages.last().map(|stored| stored.message.role);
        // The one of an older version has a title, and was made otherwise.
        assert!(
            last == Some(Role::Assistant) || row.title == "old",
            "{point:?}: a question that nobody answers, or no message at all"
        );
    }
}

async fn messages(point: Point, store: &Store, all: &Acknowledged, said: &str) {
    // One that is gone must have been on its way out.
    let present = async |id: MessageId, talk| -> Option<Message> {
        let message = store.message(id).await.ok();
        assert!(
            message.is_some() || all.deleting.contains(&talk),
            "{point:?}: message {id} was acknowledged and is lost\n{said}"
        );
        message
    };
    for sent in &all.sent {
        if let Some(message) = present(sent.id, sent.talk).await {
            assert_eq!(
                message.text(),
                text(sent.n),
                "{point:?}: a sent text changed"
            );
        }
    }
    for (id, talk) in &all.open {
        if let Some(message) = present(*id, *talk).await {
            assert_ne!(
                message.state,
                MessageState::Streaming,
                "{point:?}: nobody writes it"
            );
        }
    }
    for finished in &all.finished {
        if let Some(message) = present(finished.id, finished.talk).await {
            assert_eq!(message.state, MessageState::Complete, "{point:?}");
            assert_eq!(
                message.text(),
                text(finished.n),
                "{point:?}: a finished answer changed"
            );
        }
    }
    for (named, length) in all.grown.values() {
        if let Some(message) = present(named.id, named.talk).await {
            let kept = message.text();
            assert!(
                text(named.n).starts_with(&kept),
                "{point:?}: the draft is in disorder"
            );
            assert!(
                kept.len() >= *length,
                "{point:?}: {} of {length} bytes kept",
                kept.len()
            );
        }
    }
}

async fn whole(point: Point, database: &Path) {
    let mut outside = SqliteConnectOptions::new()
        .filename(database)
        .connect()
        .await
        .unwrap();
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut outside)
        .await
        .unwrap();
    assert_eq!(verdict, "ok", "{point:?}: {}", database.display());
    let indexed: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'search'")
            .fetch_one(&mut outside)
            .await
            .unwrap();
    if indexed == 1 {
        sqlx::query("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")
            .execute(&mut outside)
            .await
            .unwrap_or_else(|error| panic!("{point:?}: the index disagrees: {error}"));
    }
    outside.close().await.unwrap();
}
