//! Search: what is found, how it is shown, and that any query is valid.

use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use protocol::{MessageState, Part};
use sqlx::Connection;

use crate::{answer, conversation, finish, raw, ready, say};

#[tokio::test]
async fn words_are_found_newest_first_with_what_matched() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    store.rename(talk.id, "Fish", true, 1).await.unwrap();
    let old = say(&store, &talk, "A pilotfish swims with a shark.", 2).await;
    let thinking = Part::Thinking {
        text: "the pilotfish again".to_owned(),
        duration_ms: None,
        blob: None,
    };
    let new = answer(
        &store,
        &talk,
        old.id,
        vec![thinking, Part::text("Pilotfish follow.")],
    )
    .await;
    let hits = store.search("PILOT", 10).await.unwrap();
    assert_eq!(
        hits.iter().map(|hit| hit.message_id).collect::<Vec<_>>(),
        [new.id, old.id]
    );
    assert_eq!(hits[1].snippet, ["A ", "pilotfish", " swims with a shark."]);
    assert_eq!((hits[1].title.as_str(), hits[1].created_at), ("Fish", 2));
    assert_eq!(
        store.search("swims shark", 10).await.unwrap().len(),
        1,
        "all words must be there"
    );
    assert!(store.search("swims whale", 10).await.unwrap().is_empty());
    assert_eq!(
        store.search("pi", 1).await.unwrap().len(),
        1,
        "the limit holds"
    );
}

#[tokio::test]
async fn scripts_without_spaces_are_searched_by_any_substring() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    for text in [
        "我们今天去吃饭吧",
        "今日は日本語を勉強します",
        "오늘은 한국어를 공부합니다",
        "ภาษาไทยง่าย",
        "Rust言語です",
    ] {
        say(&store, &talk, text, 1).await;
    }
    for query in [
        "吃饭",
        "饭",
        "今天去",
        "日本語",
        "勉強しま",
        "国어",
        "한국",
        "ไทย",
        "言語",
        "rust",
        "Rust言",
    ] {
        let wanted = usize::from(query != "国어");
        let hits = store.search(query, 10).await.unwrap();
        assert_eq!(hits.len(), wanted, "{query}");
        for hit in hits {
            let matched: String = hit
                .snippet
                .iter()
                .skip(1)
                .step_by(2)
                .map(String::as_str)
                .collect();
            assert_eq!(
                matched.to_lowercase(),
                query.to_lowercase(),
                "the snippet reads as written"
            );
        }
    }
    assert_eq!(store.search("今", 10).await.unwrap().len(), 2);
    assert!(
        store.search("天今", 10).await.unwrap().is_empty(),
        "the order counts"
    );
}

#[tokio::test]
async fn the_index_follows_the_text() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    let question = say(&store, &talk, "question", 1).await;
    let open = store
        .open_assistant(talk.id, Some(question.id), None, 2)
        .await
        .unwrap();
    store
        .finish(
            open.id,
            finish(MessageState::Cancelled, vec![Part::text("alpha 漢字")]),
        )
        .await
        .unwrap();
    store.reopen(open.id, 3).await.unwrap();
    store
        .finish(
            open.id,
            finish(MessageState::Complete, vec![Part::text("beta")]),
        )
        .await
        .unwrap();
    for (query, wanted) in [("alpha", 0), ("漢字", 0), ("beta", 1), ("question", 1)] {
        assert_eq!(
            store.search(query, 5).await.unwrap().len(),
            wanted,
            "{query}"
        );
    }
    store.trash(talk.id, 4).await.unwrap();
    assert!(
        store.search("beta", 5).await.unwrap().is_empty(),
        "not in the trash"
    );
    store.restore(talk.id).await.unwrap();
    assert_eq!(store.search("beta", 5).await.unwrap().len(), 1);
    store.trash(talk.id, 4).await.unwrap();
    store.purge_trashed_before(5).await.unwrap();
    let mut outside = raw(dir.path()).await;
    sqlx::query("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")
        .execute(&mut outside)
        .await
        .expect("the index and the text agree");
    outside.close().await.unwrap();
}

#[tokio::test]
async fn common_words_and_short_beginnings_stay_quick() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    say(&store, &talk, "seed", 1).await;
    let mut outside = raw(dir.path()).await;
    for statement in [
        "BEGIN IMMEDIATE",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
         INSERT INTO messages (id, conversation, depth, role, state, created_at)
         SELECT randomblob(16), 1, 0, 'user', 'complete', i FROM n",
        "INSERT INTO parts (message, ordinal, kind, text)
         SELECT key, 0, 'text', 'the common word and wo' || (key % 9973) || ' with wordy' || key
         FROM messages WHERE key > 1",
        "COMMIT",
    ] {
        sqlx::query(statement).execute(&mut outside).await.unwrap();
    }
    for query in ["the", "th", "wo", "wor", "word", "common wo", "wordy19"] {
        // A search gives what it has when its time is up, and a machine can be busy.
        let (mut hits, mut took) = (Vec::new(), Duration::MAX);
        for _ in 0..5 {
            let began = Instant::now();
            hits = store.search(query, 20).await.unwrap();
            took = began.elapsed();
            if hits.len() == 20 {
                break;
            }
        }
        assert_eq!(hits.len(), 20, "{query}");
        assert!(
            hits.is_sorted_by_key(|hit| std::cmp::Reverse(hit.created_at)),
            "newest first"
        );
        assert!(took < Duration::from_millis(1500), "{query} took {took:?}");
        println!("{query}: {took:?}");
    }
}

#[test]
fn any_query_is_valid() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = runtime.block_on(async {
        let store = ready(dir.path()).await;
        let talk = conversation(&store).await;
        say(
            &store,
            &talk,
            "NEAR the text: AND \"OR\" NOT * ^ { } 漢字",
            1,
        )
        .await;
        store
    });
    proptest!(ProptestConfig::with_cases(200), |(query in "(\\PC|[\"*^:(){}+-]|AND|OR|NOT|NEAR|\0|漢){0,24}")| {
        runtime.block_on(store.search(&query, 5)).unwrap();
    });
    let long = "word ".repeat(100_000);
    runtime.block_on(store.search(&long, 5)).unwrap();
    assert!(runtime.block_on(store.search("   ", 5)).unwrap().is_empty());
    runtime.block_on(store.close());
}
