//! Messages: the tree, drafts, and what is acknowledged.

use std::time::Instant;

use pretty_assertions::assert_eq;
use protocol::{
    AppError, Attempt, Cost, ErrorCode, MessageId, MessageState, ModelRef, Part, PartKind, Role,
    StopReason, Usage,
};
use store::{BranchPage, DraftDelta, Finish, MAX_MESSAGE_BYTES, StoreError};

use crate::{answer, conversation, finish, raw, ready, say};

fn delta(part: u32, kind: PartKind, text: &str) -> DraftDelta {
    DraftDelta {
        part,
        kind,
        text: text.to_owned(),
    }
}

fn texts(page: &BranchPage) -> Vec<String> {
    page.messages.iter().map(|one| one.message.text()).collect()
}

#[tokio::test]
async fn an_answer_grows_by_checkpoints_and_ends_in_one_step() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    let question = say(&store, &talk, "why?", 2).await;
    let model = ModelRef::inhouse("default");
    let open = store
        .open_assistant(talk.id, Some(question.id), Some(model.clone()), 3)
        .await
        .unwrap();
    assert_eq!(
        (open.state, open.role),
        (MessageState::Streaming, Role::Assistant)
    );
    store
        .checkpoint(
            open.id,
            vec![
                delta(0, PartKind::Thinking, "h"),
                delta(0, PartKind::Thinking, "m"),
            ],
        )
        .await
        .unwrap();
    store
        .checkpoint(
            open.id,
            vec![
                delta(0, PartKind::Thinking, "m"),
                delta(1, PartKind::Text, "Be"),
            ],
        )
        .await
        .unwrap();
    let thinking = Part::Thinking {
        text: "hmm".to_owned(),
        duration_ms: None,
        blob: None,
    };
    let growing = store.message(open.id).await.unwrap();
    assert_eq!(
        growing.parts,
        [thinking.clone(), Part::text("Be")],
        "a reader sees the draft"
    );

    let end = Finish {
        state: MessageState::Complete,
        parts: vec![thinking, Part::text("Because.")],
        served_by: Some(ModelRef::inhouse("small")),
        usage: Some(Usage {
            input_tokens: Some(10),
            cache_write_tokens: Some(2),
            output_tokens: Some(3),
            reported_cost_usd: Some(0.25),
            ..Usage::default()
        }),
        cost: Some(Cost {
            usd: 0.25,
            estimated: false,
            as_of: None,
        }),
        stop_reason: Some(StopReason::EndTurn),
        error: Some(AppError::new(ErrorCode::Interrupted, "not really")),
        attempts: vec![Attempt {
            model: model.clone(),
            error: AppError::new(ErrorCode::Overloaded, "busy"),
            at: 3,
        }],
        first_token_at: Some(4),
        finished_at: 6,
    };
    store.finish(open.id, end.clone()).await.unwrap();
    let done = store.message(open.id).await.unwrap();
    assert_eq!(done.parts, end.parts);
    assert_eq!(done.model, Some(model));
    assert_eq!(done.served_by, end.served_by);
    assert_eq!(done.cost, end.cost);
    assert_eq!(done.attempts, end.attempts);
    assert_eq!(
        done.usage, end.usage,
        "a number that is not known stays unknown"
    );
    assert_eq!((done.stop_reason, done.error), (end.stop_reason, end.error));
    assert_eq!((done.first_token_at, done.finished_at), (Some(4), Some(6)));
    assert_eq!(
        store.conversation(talk.id).await.unwrap().leaf,
        Some(open.id)
    );

    for refused in [
        store
            .checkpoint(open.id, vec![delta(0, PartKind::Text, "late")])
            .await,
        store
            .finish(open.id, finish(MessageState::Complete, vec![]))
            .await,
    ] {
        assert!(
            matches!(refused, Err(StoreError::NotStreaming)),
            "it has ended"
        );
    }
    let mut outside = raw(dir.path()).await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM draft_chunks")
        .fetch_one(&mut outside)
        .await
        .unwrap();
    assert_eq!(left, 0, "the draft is gone once it is folded in");
}

#[tokio::test]
async fn a_stopped_answer_continues_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    let question = say(&store, &talk, "count", 2).await;
    let open = store
        .open_assistant(talk.id, Some(question.id), None, 3)
        .await
        .unwrap();
    assert!(matches!(
        store.reopen(open.id, 4).await,
        Err(StoreError::Invalid { .. })
    ));
    store
        .finish(
            open.id,
            finish(MessageState::Cancelled, vec![Part::text("one ")]),
        )
        .await
        .unwrap();
    let again = store.reopen(open.id, 5).await.unwrap();
    assert_eq!(
        (again.state, again.text().as_str()),
        (MessageState::Streaming, "one ")
    );
    store
        .checkpoint(open.id, vec![delta(0, PartKind::Text, "two")])
        .await
        .unwrap();
    assert_eq!(store.message(open.id).await.unwrap().text(), "one two");
    assert!(matches!(
        store.reopen(question.id, 6).await,
        Err(StoreError::Invalid { .. })
    ));
}

#[tokio::test]
async fn edits_are_siblings_and_nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    let first = say(&store, &talk, "first", 2).await;
    let one = answer(&store, &talk, first.id, vec![Part::text("one")]).await;
    let two = answer(&store, &talk, first.id, vec![Part::text("two")]).await;
    let more = say(&store, &talk, "more", 3).await;
    let edited = store
        .append_user(talk.id, None, vec![Part::text("first, edited")], 4)
        .await
        .unwrap();

    let page = store.branch_page(talk.id, None, 10).await.unwrap();
    assert_eq!(texts(&page), ["first, edited"]);
    assert_eq!(
        page.messages[0].siblings,
        [first.id, edited.id],
        "roots are siblings too"
    );

    let leaf = store.deepest_leaf(first.id).await.unwrap();
    assert_eq!(leaf, more.id, "the newest follower each time");
    store.set_leaf(talk.id, leaf).await.unwrap();
    let page = store.branch_page(talk.id, None, 10).await.unwrap();
    assert_eq!(texts(&page), ["first", "two", "more"]);
    assert_eq!(page.messages[1].siblings, [one.id, two.id], "by creation");
    assert_eq!(store.siblings(one.id).await.unwrap(), [one.id, two.id]);
    assert_eq!(
        store.siblings(first.id).await.unwrap(),
        [first.id, edited.id]
    );
    let before: Vec<String> = store
        .ancestors(more.id)
        .await
        .unwrap()
        .iter()
        .map(|message| message.text())
        .collect();
    assert_eq!(before, ["first", "two", "more"], "from the root to itself");

    let other = conversation(&store).await;
    for wrong in [
        store.set_leaf(other.id, leaf).await,
        store
            .append_user(other.id, Some(one.id), vec![Part::text("x")], 5)
            .await
            .map(|_| ()),
        store.set_leaf(talk.id, MessageId::generate()).await,
    ] {
        assert!(matches!(
            wrong,
            Err(StoreError::NotFound { what: "message" })
        ));
    }
}

#[tokio::test]
async fn too_much_at_once_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    let huge = vec![Part::text("x".repeat(MAX_MESSAGE_BYTES + 1))];
    let refused = store.append_user(talk.id, None, huge, 1).await;
    assert!(matches!(
        refused,
        Err(StoreError::TooLarge {
            what: "message",
            ..
        })
    ));
    assert!(matches!(
        store.append_user(talk.id, None, vec![], 1).await,
        Err(StoreError::Invalid { .. })
    ));
    assert_eq!(store.message_count().await.unwrap(), 0);
}

#[tokio::test]
async fn a_write_whose_caller_went_away_never_was_and_the_next_one_works() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    for polls in 0..40_usize {
        let mut write =
            std::pin::pin!(store.append_user(talk.id, None, vec![Part::text("half")], 1));
        for _ in 0..polls {
            if futures::poll!(&mut write).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    let whole = say(&store, &talk, "whole", 2).await;
    assert_eq!(store.message(whole.id).await.unwrap().text(), "whole");
}

/// The page at the end of a long conversation costs what it shows.
#[tokio::test]
async fn the_last_page_of_ten_thousand_messages_is_quick() {
    const LENGTH: u32 = 10_000;
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    let root = say(&store, &talk, "0", 1).await;
    let mut outside = raw(dir.path()).await;
    for statement in [
        "BEGIN IMMEDIATE",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
         INSERT INTO messages (id, conversation, parent, depth, role, state, created_at)
         SELECT randomblob(16), 1, i, i, 'user', 'complete', i FROM n",
        "INSERT INTO parts (message, ordinal, kind, text)
         SELECT key, 0, 'text', CAST(depth AS TEXT) FROM messages WHERE depth > 0",
        "UPDATE conversations SET leaf = 10000",
        "COMMIT",
    ] {
        sqlx::query(statement).execute(&mut outside).await.unwrap();
    }
    store.branch_page(talk.id, None, 50).await.unwrap();
    let began = Instant::now();
    let page = store.branch_page(talk.id, None, 50).await.unwrap();
    let last = began.elapsed();
    assert_eq!(page.before, LENGTH - 50);
    assert_eq!(texts(&page).last().unwrap(), "9999");
    let began = Instant::now();
    let first = store.branch_page(talk.id, Some(50), 50).await.unwrap();
    let far = began.elapsed();
    assert_eq!((first.before, texts(&first)[0].as_str()), (0, "0"));
    assert_eq!(first.messages[0].siblings, [root.id]);
    let before = store
        .branch_page(talk.id, Some(page.before), 50)
        .await
        .unwrap();
    assert_eq!(
        texts(&before).last().unwrap(),
        "9949",
        "pages join without gap or overlap"
    );
    assert_eq!(
        store
            .ancestors(page.messages[49].message.id)
            .await
            .unwrap()
            .len(),
        10_000
    );
    let leaf = store.deepest_leaf(root.id).await.unwrap();
    assert_eq!(leaf, page.messages[49].message.id);
    // 50 ms in a release build on an idle machine; a debug build on a busy one gets ten times that.
    assert!(last.as_millis() < 500, "the last page took {last:?}");
    assert!(far.as_millis() < 2000, "the first page took {far:?}");
    println!("last page {last:?}, first page {far:?}");
}
