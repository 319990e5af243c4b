//! A conversation's title: at once the beginning of its first question, and after a whole answer a
//! better one by the small in-house model, if that is on this machine. A title that the person gave
//! is never touched, and no model elsewhere is ever asked for one.
//!
//! A title that an earlier run owed (it was closed too soon, as a terminal's single question is) is
//! made up for after the next answer in any conversation.

use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use inhouse::SMALL;
use protocol::{ConversationId, Message, MessageState, Part, Role, StopReason};
use providers::{ProviderEvent, Request, RequestMessage};
use store::Store;

use crate::{Change, Engine, clock};

/// The longest made title, in characters.
const TITLE_CHARS: usize = 60;

/// As much of the question as the helper reads, in characters.
const QUESTION_CHARS: usize = 600;

/// As much as the helper writes, in tokens: six words and some room.
const TITLE_TOKENS: u32 = 16;

/// A helper that takes longer is of no help.
const LIMIT: Duration = Duration::from_secs(30);

/// The newest conversations that are looked at for a title that is owed.
const RECENT: u32 = 8;

/// Names an untitled conversation after its first question.
pub(crate) async fn give_first(
    engine: &Engine,
    store: &Store,
    conversation: ConversationId,
    question: &str,
) {
    let untitled = match store.conversation(conversation).await {
        Ok(known) => known.title.is_empty() && !known.title_is_own,
        Err(_) => false,
    };
    if untitled {
        set(engine, store, conversation, &shortened(question)).await;
    }
}

/// Lets the helper make the titles that are owed, in a task of its own: first that of the
/// conversation in which an answer has just become whole. Not while the engine is closing.
pub(crate) fn make_later(engine: &Engine, store: &Store, answered: ConversationId) {
    if engine.inner.closing.is_cancelled() {
        return;
    }
    let (owner, store) = (engine.clone(), store.clone());
    engine.spawn(async move {
        let making = make_owed(&owner, &store, answered);
        owner.inner.closing.run_until_cancelled(making).await;
    });
}

async fn make_owed(engine: &Engine, store: &Store, answered: ConversationId) {
    let recent = match store.list(0, RECENT).await {
        Ok(rows) => rows,
        Err(error) => return tracing::warn!(%error, "no conversation was looked at for its title"),
    };
    let others = recent.into_iter().map(|row| row.id);
    for conversation in std::iter::once(answered).chain(others.filter(|id| *id != answered)) {
        let Some(question) = owed(engine, store, conversation).await else {
            continue;
        };
        if !is_here(engine).await {
            return;
        }
        // Whoever notes it first makes it.
        if !settled(engine).insert(conversation) {
            continue;
        }
        match tokio::time::timeout(LIMIT, make(engine, &question)).await {
            Ok(Some(title)) => set(engine, store, conversation, &title).await,
            Ok(None) | Err(_) => tracing::debug!("the helper had no title for a conversation"),
        }
    }
}

/// The first question of a conversation that has a whole answer, and no title but the beginning of
/// that question.
async fn owed(engine: &Engine, store: &Store, conversation: ConversationId) -> Option<String> {
    if settled(engine).contains(&conversation) {
        return None;
    }
    let known = store.conversation(conversation).await.ok()?;
    if known.title_is_own {
        return None;
    }
    let branch = store.ancestors(known.leaf?).await.ok()?;
    let is_whole =
        |one: &Message| one.role == Role::Assistant && one.state == MessageState::Complete;
    if !branch.iter().any(is_whole) {
        return None;
    }
    let question = branch.iter().find(|one| one.role == Role::User)?.text();
    if known.title.is_empty() || known.title == shortened(&question) {
        return Some(question);
    }
    settled(engine).insert(conversation);
    None
}

/// The conversations that are owed no title any more in this run: they have one, or the helper had
/// none for them.
fn settled(engine: &Engine) -> MutexGuard<'_, HashSet<ConversationId>> {
    let titled = &engine.inner.titled;
    titled.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the helper is on this machine.
async fn is_here(engine: &Engine) -> bool {
    let library = engine.library().await;
    library
        .iter()
        .any(|entry| entry.id == SMALL && entry.state.can_be_asked())
}

async fn make(engine: &Engine, question: &str) -> Option<String> {
    let provider = engine.inner.inhouse.provider();
    let cancel = engine.inner.closing.child_token();
    let mut answer = String::new();
    let mut stream = provider.stream(request(question), None, cancel);
    while let Some(event) = stream.next().await {
        match event.ok()? {
            ProviderEvent::Text(text) => answer.push_str(&text),
            ProviderEvent::Finished { stop_reason } => return clean(&answer, stop_reason),
            _ => {}
        }
    }
    None
}

async fn set(engine: &Engine, store: &Store, conversation: ConversationId, title: &str) {
    match store
        .rename(conversation, title, false, clock::now_ms())
        .await
    {
        Ok(()) => engine.announce(Change::Conversations),
        Err(error) => tracing::warn!(%error, "a title was not stored"),
    }
}

fn request(question: &str) -> Request {
    let question: String = question.chars().take(QUESTION_CHARS).collect();
    let text = format!("Write a short title of at most six words for this request:\n\n{question}");
    Request {
        model: SMALL.to_owned(),
        system: "You write short titles. Answer with the title alone.".to_owned(),
        messages: vec![RequestMessage {
            role: Role::User,
            parts: vec![Part::text(text)],
        }],
        max_tokens: Some(TITLE_TOKENS),
        temperature: Some(0.0),
        ..Request::default()
    }
}

/// The helper's answer as a title: its first line without quotes and Markdown, and without the word
/// at which the limit cut it off; `None` when nothing is left.
fn clean(answer: &str, stop_reason: StopReason) -> Option<String> {
    let answer = answer.trim_start();
    let mut line = answer.lines().next()?;
    if stop_reason == StopReason::MaxTokens && !answer.contains('\n') {
        line = line.rsplit_once(char::is_whitespace)?.0;
    }
    let line = line.trim_start_matches("Title:");
    let line: String = line
        .chars()
        .filter(|c| !matches!(c, '*' | '`' | '#') && !c.is_control())
        .collect();
    let title = line.trim_matches(|c: char| c.is_whitespace() || "\"'“”„‘’«».".contains(c));
    (!title.is_empty()).then(|| cut(title))
}

/// A question's first line as a title.
pub(crate) fn shortened(question: &str) -> String {
    let line = question
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    let line = line.trim_start_matches(['#', '>', '*', '-', '`', ' ']);
    let words: Vec<&str> = line
        .split(|c: char| c.is_whitespace() || c.is_control())
        .collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    match words.is_empty() {
        true => "New chat".to_owned(),
        false => cut(&words.join(" ")),
    }
}

/// At most 60 characters, cut between words where there are any.
fn cut(text: &str) -> String {
    if text.chars().count() <= TITLE_CHARS {
        return text.to_owned();
    }
    let head: String = text.chars().take(TITLE_CHARS - 1).collect();
    let end = head
        .rfind(' ')
        .filter(|end| *end >= head.len() / 2)
        .unwrap_or(head.len());
    format!("{}…", head.get(..end).unwrap_or(&head).trim_end())
}

#[cfg(test)]
mod tests {
    use protocol::StopReason;

    use super::{clean, shortened};

    #[test]
    fn answers_become_titles() {
        let title = |answer| clean(answer, StopReason::EndTurn);
        assert_eq!(
            title("\n \"**Red Wine** Stains\".\nMore").as_deref(),
            Some("Red Wine Stains")
        );
        assert_eq!(title("Title: `Rust`").as_deref(), Some("Rust"));
        assert_eq!(title(" \n\"\"\n"), None);
        let long = title(&"word ".repeat(40)).unwrap();
        assert!(
            long.chars().count() <= 60 && long.ends_with("word…"),
            "{long}"
        );
    }

    #[test]
    fn a_title_ends_with_a_whole_word() {
        let title = |answer| clean(answer, StopReason::MaxTokens);
        assert_eq!(
            title("\"Removing Red Wine Sta").as_deref(),
            Some("Removing Red Wine")
        );
        assert_eq!(
            title("Red Wine Stains\nThis ti").as_deref(),
            Some("Red Wine Stains"),
            "the limit was met after the title"
        );
        assert_eq!(title("Donaudampfschi"), None);
    }

    #[test]
    fn questions_become_titles() {
        assert_eq!(
            shortened("\n\n## Why is\tthe sky blue?\nPlease"),
            "Why is the sky blue?"
        );
        assert_eq!(shortened("---"), "New chat");
        let unbroken = shortened(&"ß".repeat(100));
        assert_eq!(
            unbroken.chars().count(),
            60,
            "a text without blanks is cut anywhere"
        );
    }
}
