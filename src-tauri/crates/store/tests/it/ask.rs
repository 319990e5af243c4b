//! Asking: a question and its answer are stored together or not at all.

use pretty_assertions::assert_eq;
use protocol::{ConversationId, MessageId, MessageState, ModelRef, Part, Role};
use store::{Question, Store, StoreError};

use crate::ready;

fn words(text: &str) -> Vec<Part> {
    vec![Part::text(text)]
}

/// The shown branch: who said what.
async fn branch(store: &Store, id: ConversationId) -> Vec<(Role, String)> {
    let page = store.branch_page(id, None, 100).await.unwrap();
    let said = |one: store::BranchMessage| (one.message.role, one.message.text());
    page.messages.into_iter().map(said).collect()
}

#[tokio::test]
async fn a_question_stands_where_it_was_asked() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let (small, large) = (ModelRef::inhouse("small"), ModelRef::inhouse("default"));
    let first = store
        .ask(Question::First(words("one")), &small, 1)
        .await
        .unwrap();
    let id = first.conversation;
    let answer = store.message(first.answer).await.unwrap();
    assert_eq!(
        (answer.state, answer.parent_id, answer.model),
        (
            MessageState::Streaming,
            Some(first.question),
            Some(small.clone())
        )
    );
    let known = store.conversation(id).await.unwrap();
    assert_eq!(
        (known.leaf, known.model, known.updated_at),
        (Some(first.answer), Some(small.clone()), 1)
    );

    let next = store
        .ask(Question::Next(id, words("two")), &large, 2)
        .await
        .unwrap();
    assert_eq!(
        (next.conversation, store.message_count().await.unwrap()),
        (id, 4)
    );
    let said = |role, text: &str| (role, text.to_owned());
    let (one, two) = (said(Role::User, "one"), said(Role::User, "two"));
    let nothing = said(Role::Assistant, "");
    assert_eq!(
        branch(&store, id).await,
        [one.clone(), nothing.clone(), two, nothing.clone()]
    );
    assert_eq!(store.conversation(id).await.unwrap().model, Some(large));

    let root = Question::After(id, None, words("uno"));
    store.ask(root, &small, 3).await.unwrap();
    assert_eq!(
        branch(&store, id).await,
        [said(Role::User, "uno"), nothing.clone()]
    );
    let again = Question::Again(id, first.question);
    let again = store.ask(again, &small, 4).await.unwrap();
    assert_eq!(again.question, first.question);
    assert_eq!(branch(&store, id).await, [one, nothing]);
    assert_eq!(
        store.siblings(again.answer).await.unwrap(),
        [first.answer, again.answer]
    );
}

#[tokio::test]
async fn what_cannot_be_asked_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    let model = ModelRef::inhouse("small");
    let asked = store
        .ask(Question::First(words("one")), &model, 1)
        .await
        .unwrap();
    let (id, stranger) = (asked.conversation, ConversationId::generate());
    let nobody = MessageId::generate();
    for question in [
        Question::Next(stranger, words("x")),
        Question::After(id, Some(nobody), words("x")),
        Question::After(stranger, None, words("x")),
        Question::Again(id, nobody),
        Question::Again(stranger, asked.question),
    ] {
        let refused = store.ask(question.clone(), &model, 2).await;
        assert!(
            matches!(refused, Err(StoreError::NotFound { .. })),
            "{question:?}: {refused:?}"
        );
    }
    let empty = store.ask(Question::First(Vec::new()), &model, 2).await;
    assert!(
        matches!(empty, Err(StoreError::Invalid { .. })),
        "{empty:?}"
    );
    assert_eq!(store.message_count().await.unwrap(), 2);
    assert_eq!(store.list(0, 10).await.unwrap().len(), 1);
}
