//! A conversation's title: at once the beginning of its first question, and after the first whole
//! answer a better one by the small in-house model, if that is on this machine. A title that the
//! person gave is never touched.

use std::time::Duration;

use futures::StreamExt;
use protocol::{ConversationId, MessageId, Part, Role, TurnStarted};
use providers::{ProviderEvent, Request, RequestMessage};
use store::Store;
use tokio_util::sync::CancellationToken;

use crate::models::SMALL;
use crate::{Change, Engine, clock};

/// The longest made title, in characters.
const TITLE_CHARS: usize = 60;

/// As much of the question as the helper reads, in characters.
const QUESTION_CHARS: usize = 600;

/// A helper that takes longer is of no help.
const LIMIT: Duration = Duration::from_secs(30);

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
        set(engine, store, conversation, shortened(question)).await;
    }
}

/// Lets the helper make a title, in a task of its own, while the conversation is named after the
/// question that was answered.
pub(crate) fn make_later(
    engine: &Engine,
    store: &Store,
    started: &TurnStarted,
    question: MessageId,
) {
    let (owner, store, conversation) = (engine.clone(), store.clone(), started.conversation_id);
    engine.spawn(async move {
        let closing = owner.inner.closing.clone();
        let made = make(
            &owner,
            &store,
            conversation,
            question,
            closing.child_token(),
        );
        let made = tokio::time::timeout(LIMIT, made);
        if let Some(Ok(Some(title))) = closing.run_until_cancelled(made).await {
            set(&owner, &store, conversation, title).await;
        }
    });
}

async fn make(
    engine: &Engine,
    store: &Store,
    conversation: ConversationId,
    question: MessageId,
    cancel: CancellationToken,
) -> Option<String> {
    let library = engine.library().await;
    library
        .iter()
        .find(|entry| entry.id == SMALL && entry.state.can_be_asked())?;
    let _held = engine.inner.titling.lock().await;
    let question = store.message(question).await.ok()?.text();
    let known = store.conversation(conversation).await.ok()?;
    if known.title_is_own || known.title != shortened(&question) {
        return None;
    }
    let provider = engine.inner.inhouse.provider();
    let mut answer = String::new();
    let mut stream = provider.stream(request(&question), None, cancel);
    while let Some(event) = stream.next().await {
        match event.ok()? {
            ProviderEvent::Text(text) => answer.push_str(&text),
            ProviderEvent::Finished { .. } => break,
            _ => {}
        }
    }
    clean(&answer)
}

async fn set(engine: &Engine, store: &Store, conversation_id: ConversationId, title: String) {
    match store
        .rename(conversation_id, &title, false, clock::now_ms())
        .await
    {
        Ok(()) => {
            engine.announce(Change::Titled {
                conversation_id,
                title,
            });
            engine.announce(Change::Conversations);
        }
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
        max_tokens: Some(16),
        temperature: Some(0.0),
        ..Request::default()
    }
}

/// The helper's answer as a title: its first line without quotes and Markdown; `None` when nothing
/// is left.
fn clean(answer: &str) -> Option<String> {
    let line = answer
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())?;
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
    use super::{clean, shortened};

    #[test]
    fn answers_become_titles() {
        let title = |answer| clean(answer);
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
