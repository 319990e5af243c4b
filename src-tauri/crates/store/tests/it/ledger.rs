//! The ledger: what is entered comes back as it was, and the sums are those of the entries.

use pretty_assertions::assert_eq;
use protocol::{
    CallOutcome, ConversationId, Cost, ErrorCode, LedgerEntry, MessageId, Purpose, RunsAt, Usage,
};

use crate::{conversation, ready};

/// An answered call to a host elsewhere.
fn call(at: i64, model: &str, usd: Option<f64>) -> LedgerEntry {
    let host = "api.example".to_owned();
    let (provider, model) = model.split_once('/').unwrap();
    LedgerEntry {
        at,
        duration_ms: 250,
        runs_at: RunsAt::Host { host: host.clone() },
        host,
        purpose: Purpose::Answer,
        provider: Some(provider.parse().unwrap()),
        model: Some(model.to_owned()),
        conversation_id: None,
        message_id: None,
        usage: Some(Usage {
            input_tokens: Some(10),
            cached_tokens: Some(4),
            output_tokens: Some(3),
            ..Usage::default()
        }),
        bytes_sent: 100,
        bytes_received: 1_000,
        cost: usd.map(|usd| Cost {
            usd,
            estimated: false,
            as_of: Some("2026-11-12".to_owned()),
        }),
        outcome: CallOutcome::Ok,
    }
}

#[tokio::test]
async fn an_entry_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let whole = LedgerEntry {
        conversation_id: Some(ConversationId::generate()),
        message_id: Some(MessageId::generate()),
        usage: Some(Usage {
            input_tokens: Some(u64::MAX >> 1),
            cache_write_tokens: Some(2),
            thinking_tokens: Some(1),
            reported_cost_usd: Some(0.25),
            estimated: true,
            ..Usage::default()
        }),
        ..call(5, "p/org/model", Some(0.25))
    };
    let bare = LedgerEntry {
        runs_at: RunsAt::ThisMachine,
        purpose: Purpose::Download,
        provider: None,
        model: None,
        usage: None,
        cost: None,
        outcome: CallOutcome::Refused {
            code: ErrorCode::LocalOnly,
        },
        ..call(6, "p/m", None)
    };
    for entry in [&whole, &bare] {
        store.enter(entry).await.unwrap();
    }
    let page = store.ledger(0, None, 10).await.unwrap();
    assert_eq!(page.entries, [bare, whole], "the last entered first");
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    for at in 1..=5 {
        store.enter(&call(at, "p/m", None)).await.unwrap();
    }
    let (mut seen, mut next) = (Vec::new(), None);
    loop {
        let page = store.ledger(2, next, 2).await.unwrap();
        seen.extend(page.entries.iter().map(|entry| entry.at));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(seen, [5, 4, 3, 2], "the first is older than was asked for");
}

#[tokio::test]
async fn sums_are_those_of_the_entries() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    store.rename(talk.id, "Fish", true, 1).await.unwrap();
    let of_talk = |entry| LedgerEntry {
        conversation_id: Some(talk.id),
        ..entry
    };
    let failed = LedgerEntry {
        usage: None,
        outcome: CallOutcome::Failed {
            code: ErrorCode::Auth,
        },
        ..call(14, "b/one", None)
    };
    let refused = LedgerEntry {
        usage: None,
        bytes_sent: 0,
        bytes_received: 0,
        outcome: CallOutcome::Refused {
            code: ErrorCode::CapReached,
        },
        ..call(15, "b/one", None)
    };
    for entry in [
        of_talk(call(10, "a/one", Some(0.25))),
        of_talk(call(11, "a/two", Some(0.5))),
        call(20, "b/one", Some(2.0)),
        call(21, "b/one", None),
        failed,
        refused,
    ] {
        store.enter(&entry).await.unwrap();
    }

    let all = store.spend(0, 100).await.unwrap();
    assert_eq!((all.usd, all.calls, all.unpriced_calls), (2.75, 5, 1));
    assert_eq!((all.input_tokens, all.output_tokens), (40, 12));
    assert_eq!((all.bytes_sent, all.bytes_received), (500, 5_000));

    let spans = store.spend_between(&[0, 10, 12, 20, 21]).await.unwrap();
    let usd: Vec<(f64, u64)> = spans.iter().map(|one| (one.usd, one.calls)).collect();
    assert_eq!(usd, [(0.0, 0), (0.75, 2), (0.0, 1), (2.0, 1)]);
    assert_eq!(store.spend_between(&[5]).await.unwrap(), []);

    let name = "b".parse().unwrap();
    assert_eq!(store.spent_since(0, None).await.unwrap(), 2.75);
    assert_eq!(store.spent_since(11, None).await.unwrap(), 2.5);
    assert_eq!(store.spent_since(0, Some(&name)).await.unwrap(), 2.0);

    let providers = store.spend_by_provider(0).await.unwrap();
    let lines: Vec<(&str, f64)> = providers
        .iter()
        .map(|line| (line.provider.as_str(), line.spend.usd))
        .collect();
    assert_eq!(lines, [("b", 2.0), ("a", 0.75)]);
    let models = store.spend_by_model(0).await.unwrap();
    let lines: Vec<(String, f64)> = models
        .iter()
        .map(|line| (line.model.to_string(), line.spend.usd))
        .collect();
    assert_eq!(
        lines,
        [
            ("b/one".to_owned(), 2.0),
            ("a/two".to_owned(), 0.5),
            ("a/one".to_owned(), 0.25)
        ]
    );
    let conversations = store.spend_by_conversation(0).await.unwrap();
    assert_eq!(conversations.len(), 1);
    assert_eq!(conversations[0].title, "Fish");
    assert_eq!(conversations[0].spend.usd, 0.75);
    let one = store.conversation_spend(talk.id).await.unwrap();
    assert_eq!(one, conversations[0].spend);
}

#[tokio::test]
async fn an_entry_outlives_its_conversation_and_ends_with_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    let entry = LedgerEntry {
        conversation_id: Some(talk.id),
        ..call(10, "a/one", Some(1.0))
    };
    store.enter(&entry).await.unwrap();
    store.trash(talk.id, 11).await.unwrap();
    store.purge_trashed_before(12).await.unwrap();
    let left = store.spend_by_conversation(0).await.unwrap();
    assert_eq!((left.len(), left[0].title.as_str()), (1, ""));
    assert_eq!(store.forget_calls_before(10).await.unwrap(), 0);
    assert_eq!(store.forget_calls_before(11).await.unwrap(), 1);
    assert_eq!(store.ledger(0, None, 10).await.unwrap().entries, []);
}

#[tokio::test]
async fn a_conversation_can_be_kept_here() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let talk = conversation(&store).await;
    assert!(!talk.local_only);
    store.set_local_only(talk.id, true).await.unwrap();
    assert!(store.conversation(talk.id).await.unwrap().local_only);
}
