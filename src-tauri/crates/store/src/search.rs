//! Search over everything that was said, newest first, as fast as one types. Ranking by relevance
//! would read every message that has a common word; reading from the newest stops at the first
//! few. A search that takes too long all the same is cut off and gives what it has found.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use protocol::{ConversationId, MessageId, SearchHit};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use uuid::Uuid;

use crate::connection::Transaction;
use crate::error::{StoreError, is_interrupt};
use crate::inspect::{self, Health};
use crate::segment::{joined, segmented, stands_alone};
use crate::store::Reader;

/// The longest query, in letters; what comes after is not looked at.
pub const MAX_QUERY: usize = 256;
/// The most hits of a search.
pub const MAX_HITS: u32 = 100;
/// How long one search may take.
const BUDGET: Duration = Duration::from_millis(150);
/// How many of SQLite's steps pass between looks at the clock.
const STEPS: i32 = 2000;

/// Marks around what matched; a text that holds them itself only gets other marks.
const MATCH_BEGINS: char = '\u{2}';
const MATCH_ENDS: char = '\u{3}';

impl Reader {
    /// Up to `limit` messages (100 at most) that hold all words of the query, the last one perhaps
    /// only begun, newest first, without conversations in the trash. Any text is a valid query.
    pub async fn search(&self, query: &str, limit: u32) -> Result<Vec<SearchHit>, StoreError> {
        let query: String = query.chars().take(MAX_QUERY).collect();
        let Some(words) = Words::of(&query) else {
            return Ok(Vec::new());
        };
        let limit = limit.min(MAX_HITS);
        let (hits, in_time) = self.matches(&words.expression(true), limit).await?;
        // The beginning of very many words takes long before it gives anything: then the word
        // itself, which gives its newest at once.
        if hits.is_empty() && !in_time && words.begun {
            return Ok(self.matches(&words.expression(false), limit).await?.0);
        }
        Ok(hits)
    }

    /// The newest matches, and whether the search came to its end in time.
    async fn matches(
        &self,
        expression: &str,
        limit: u32,
    ) -> Result<(Vec<SearchHit>, bool), StoreError> {
        let mut connection = self.searcher().acquire().await?;
        let until = Instant::now() + BUDGET;
        connection
            .lock_handle()
            .await?
            .set_progress_handler(STEPS, move || Instant::now() < until);
        let mut rows = sqlx::query_as::<_, (Uuid, String, Uuid, i64, String)>(
            "SELECT c.id, c.title, m.id, m.created_at,
                 snippet(search, 0, char(2), char(3), '…', 24)
             FROM search
             CROSS JOIN parts p ON p.key = search.rowid
             CROSS JOIN messages m ON m.key = p.message
             CROSS JOIN conversations c ON c.key = m.conversation
             WHERE search MATCH ? AND c.deleted_at IS NULL
             ORDER BY search.rowid DESC LIMIT ?",
        )
        .bind(expression)
        // Thinking and text of one message can both match.
        .bind(limit.saturating_mul(3))
        .fetch(&mut *connection);

        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut seen = HashSet::new();
        let mut hits = Vec::new();
        let mut in_time = true;
        while hits.len() < wanted {
            match rows.try_next().await {
                Ok(Some((conversation, title, message, created_at, snippet))) => {
                    if seen.insert(message) {
                        hits.push(SearchHit {
                            conversation_id: ConversationId::from_uuid(conversation),
                            title,
                            message_id: MessageId::from_uuid(message),
                            snippet: runs(&snippet),
                            created_at,
                        });
                    }
                }
                Ok(None) => break,
                Err(error) if is_interrupt(&error) => {
                    in_time = false;
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok((hits, in_time))
    }
}

/// Makes the index anew from what was said, because it is damaged.
///
/// # Errors
/// [`StoreError::Damaged`] when that is not all that is damaged.
pub(crate) async fn make_anew(writer: &SqlitePool) -> Result<(), StoreError> {
    tracing::warn!("the search index is damaged and made anew");
    let mut transaction = Transaction::write(writer).await?;
    rebuild(transaction.on()?).await?;
    if let Health::Damaged(reason) = inspect::health(transaction.on()?).await? {
        return Err(StoreError::Damaged { reason });
    }
    transaction.commit().await
}

/// Fills the index from what was said.
pub(crate) async fn rebuild(writer: &mut SqliteConnection) -> Result<(), StoreError> {
    let rebuilt = sqlx::query("INSERT INTO search (search) VALUES ('rebuild')")
        .execute(writer)
        .await;
    match rebuilt.map_err(StoreError::from) {
        Err(StoreError::IndexDamaged) => Err(StoreError::Damaged {
            reason: "the search index cannot be made anew".to_owned(),
        }),
        done => done.map(drop),
    }
}

/// A query taken apart.
struct Words {
    words: Vec<String>,
    /// Whether the last word may go on.
    begun: bool,
}

impl Words {
    /// The words of a query; `None` when it has none.
    fn of(query: &str) -> Option<Self> {
        let words: Vec<String> = query
            .split(|letter: char| letter.is_whitespace() || letter.is_control())
            .filter(|word| word.chars().any(char::is_alphanumeric))
            .map(|word| segmented(word).unwrap_or_else(|| word.to_owned()))
            .collect();
        let last = words.last()?;
        // The index knows beginnings of two letters and more. A letter of a script without spaces
        // is a token by itself and begins nothing.
        let tail: Vec<char> = last.chars().rev().take(2).collect();
        let begun = tail.len() == 2
            && tail
                .iter()
                .all(|letter| letter.is_alphanumeric() && !stands_alone(*letter));
        Some(Self { words, begun })
    }

    /// The query for the index: each word in quotes, so that none of its letters means anything
    /// but itself.
    fn expression(&self, with_beginnings: bool) -> String {
        let quoted: Vec<String> = self
            .words
            .iter()
            .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
            .collect();
        let star = if with_beginnings && self.begun {
            " *"
        } else {
            ""
        };
        quoted.join(" ") + star
    }
}

/// A marked snippet as alternating runs, the first of them plain.
fn runs(snippet: &str) -> Vec<String> {
    let mut runs = vec![String::new()];
    for letter in joined(snippet).chars() {
        let matched = runs.len() % 2 == 0;
        match letter {
            MATCH_BEGINS if !matched => runs.push(String::new()),
            MATCH_ENDS if matched => runs.push(String::new()),
            MATCH_BEGINS | MATCH_ENDS => {}
            _ => {
                if let Some(run) = runs.last_mut() {
                    run.push(letter);
                }
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::{Words, runs};

    fn expression(query: &str) -> Option<String> {
        Words::of(query).map(|words| words.expression(true))
    }

    #[test]
    fn every_word_is_quoted_and_the_last_may_go_on() {
        for (query, wanted) in [
            ("hello wor", Some("\"hello\" \"wor\" *")),
            ("a", Some("\"a\"")),
            ("say \"hi\" NOT", Some("\"say\" \"\"\"hi\"\"\" \"NOT\" *")),
            ("foo-bar* (", Some("\"foo-bar*\"")),
            ("我们", Some("\"我\u{200b}们\"")),
            ("\" * ( -", None),
            ("", None),
            ("a\0b", Some("\"a\" \"b\"")),
        ] {
            assert_eq!(expression(query).as_deref(), wanted, "{query:?}");
        }
    }

    #[test]
    fn snippets_alternate_between_plain_and_matched() {
        assert_eq!(runs("a \u{2}b\u{3} c"), ["a ", "b", " c"]);
        assert_eq!(runs("\u{2}b\u{3}"), ["", "b", ""]);
        assert_eq!(runs("\u{3}a\u{2}我\u{200b}们"), ["a", "我们"]);
    }
}
