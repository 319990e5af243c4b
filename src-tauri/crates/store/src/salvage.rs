//! Reading a damaged database past what cannot be read: lists row by row from both ends of their
//! table, and a conversation message by message, with a note in the place of each that is lost.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use protocol::{ConversationId, ConversationSummary, Message, MessageId, MessageState, Part, Role};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::branch::{BranchMessage, BranchPage};
use crate::connection::Transaction;
use crate::conversations::{SummaryRow, summary};
use crate::error::StoreError;
use crate::rows;
use crate::store::Reader;

/// What is shown in the place of a message that is lost.
const LOST: &str = "This message cannot be read: the database is damaged here.";

/// The parent and the depth of each message that can be read, by its key.
type Places = BTreeMap<i64, (Option<i64>, i64)>;

impl Reader {
    /// Conversations that are not in the trash, as far as they can be read.
    pub(crate) async fn salvage_list(
        &self,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        let mut transaction = Transaction::read(self.pool()).await?;
        let mut found: Vec<SummaryRow> = from_both_ends(
            transaction.on()?,
            "SELECT id, title, pinned, updated_at FROM conversations NOT INDEXED
             WHERE deleted_at IS NULL",
        )
        .await;
        found.sort_by_key(|(id, _, pinned, updated_at)| {
            (std::cmp::Reverse((*pinned, *updated_at)), *id)
        });
        found.dedup_by_key(|(id, ..)| *id);
        let page = found
            .into_iter()
            .skip(usize::try_from(offset).unwrap_or(usize::MAX));
        Ok(page
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .map(summary)
            .collect())
    }

    /// A page of the branch that a conversation shows, as far as it can be read.
    pub(crate) async fn salvage_page(
        &self,
        id: ConversationId,
        before: Option<u32>,
        limit: u32,
    ) -> Result<BranchPage, StoreError> {
        let mut transaction = Transaction::read(self.pool()).await?;
        let connection = transaction.on()?;
        let (conversation, leaf): (i64, Option<i64>) =
            sqlx::query_as("SELECT key, leaf FROM conversations NOT INDEXED WHERE id = ?")
                .bind(*id.as_uuid())
                .fetch_optional(&mut *connection)
                .await?
                .ok_or(StoreError::NotFound {
                    what: "conversation",
                })?;
        let found: Vec<(i64, Option<i64>, i64)> = from_both_ends(
            connection,
            &format!(
                "SELECT key, parent, depth FROM messages NOT INDEXED
                 WHERE conversation = {conversation}"
            ),
        )
        .await;
        let places = found
            .into_iter()
            .map(|(key, parent, depth)| (key, (parent, depth)))
            .collect();
        let branch = readable_branch(&places, leaf);
        let end = before.map_or(branch.len(), |before| {
            usize::try_from(before)
                .unwrap_or(usize::MAX)
                .min(branch.len())
        });
        let start = end.saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        let mut messages: Vec<BranchMessage> = Vec::new();
        for key in branch.get(start..end).unwrap_or_default() {
            let parent = messages.last().map(|before| before.message.id);
            let message = match key {
                Some(key) => message(connection, *key, id).await,
                None => None,
            };
            let message = message.unwrap_or_else(|| lost(id, parent));
            messages.push(BranchMessage {
                siblings: vec![message.id],
                message,
            });
        }
        Ok(BranchPage {
            messages,
            before: u32::try_from(start).unwrap_or(u32::MAX),
            after: u32::try_from(branch.len() - end).unwrap_or(u32::MAX),
        })
    }
}

/// The rows of a table up to where it is damaged, from its beginning and from its end: some twice.
async fn from_both_ends<T>(connection: &mut SqliteConnection, select: &str) -> Vec<T>
where
    T: for<'row> sqlx::FromRow<'row, SqliteRow> + Send + Unpin,
{
    let mut found = Vec::new();
    for order in ["ASC", "DESC"] {
        let statement = AssertSqlSafe(format!("{select} ORDER BY key {order}"));
        let mut rows = sqlx::query_as(statement).fetch(&mut *connection);
        while let Ok(Some(row)) = rows.try_next().await {
            found.push(row);
        }
    }
    found
}

/// The keys from the root to the leaf, with `None` where messages are lost. Past a gap it goes on
/// with the deepest message before it.
fn readable_branch(places: &Places, leaf: Option<i64>) -> Vec<Option<i64>> {
    let mut branch = Vec::new();
    let mut reached = i64::MAX;
    let mut next = leaf;
    while let Some(key) = next {
        if let Some((parent, depth)) = places.get(&key).filter(|(_, depth)| *depth < reached) {
            branch.push(Some(key));
            reached = *depth;
            next = *parent;
        } else {
            branch.push(None);
            let before = places
                .iter()
                .filter(|(other, (_, depth))| **other < key && *depth < reached)
                .max_by_key(|(other, (_, depth))| (*depth, **other));
            next = before.map(|(other, _)| *other);
        }
    }
    branch.reverse();
    branch
}

/// One message; `None` when it cannot be read.
async fn message(
    connection: &mut SqliteConnection,
    key: i64,
    conversation: ConversationId,
) -> Option<Message> {
    match rows::read(connection, &[key]).await {
        Ok(stored) => return stored.into_iter().next().map(|stored| stored.message),
        Err(error) => tracing::warn!(key, %error, "a message cannot be read"),
    }
    // Its text is lost; who said it may not be.
    let (id, role): (uuid::Uuid, String) =
        sqlx::query_as("SELECT id, role FROM messages WHERE key = ?")
            .bind(key)
            .fetch_one(connection)
            .await
            .ok()?;
    let role = serde_json::from_value(serde_json::Value::String(role)).unwrap_or(Role::Assistant);
    Some(Message {
        id: MessageId::from_uuid(id),
        role,
        ..lost(conversation, None)
    })
}

fn lost(conversation_id: ConversationId, parent_id: Option<MessageId>) -> Message {
    Message {
        id: MessageId::generate(),
        conversation_id,
        parent_id,
        role: Role::Assistant,
        state: MessageState::Interrupted,
        parts: vec![Part::text(LOST)],
        model: None,
        served_by: None,
        usage: None,
        cost: None,
        stop_reason: None,
        error: None,
        attempts: Vec::new(),
        created_at: 0,
        first_token_at: None,
        finished_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Places, readable_branch};

    #[test]
    fn a_branch_goes_on_past_a_gap() {
        let place = |key: i64| (key, ((key > 1).then_some(key - 1), key - 1));
        let whole: Places = (1..=6).map(place).collect();
        assert_eq!(
            readable_branch(&whole, Some(6)),
            (1..=6).map(Some).collect::<Vec<_>>()
        );
        let torn: Places = [1, 2, 5, 6].into_iter().map(place).collect();
        assert_eq!(
            readable_branch(&torn, Some(6)),
            [Some(1), Some(2), None, Some(5), Some(6)]
        );
        assert_eq!(
            readable_branch(&torn, Some(9)),
            [Some(1), Some(2), None, Some(5), Some(6), None]
        );
        assert_eq!(readable_branch(&torn, None), []);
    }
}
