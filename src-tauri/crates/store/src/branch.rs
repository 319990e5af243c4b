//! Reading the tree: a conversation's shown branch page by page, a message's forebears and its
//! siblings. A message knows its depth, so a page near the leaf costs its own length, however long
//! the conversation is.

use std::collections::HashMap;

use protocol::{ConversationId, Message, MessageId};
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use crate::connection::Transaction;
use crate::error::StoreError;
use crate::rows::{self, json_list, message_key};
use crate::store::Reader;

/// The most messages that a page holds.
pub const MAX_PAGE: u32 = 1000;

/// A message of a branch and all wordings or answers at its place, itself among them, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct BranchMessage {
    /// The message.
    pub message: Message,
    /// It and its siblings, by creation.
    pub siblings: Vec<MessageId>,
}

/// A page of a branch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BranchPage {
    /// The messages, oldest first.
    pub messages: Vec<BranchMessage>,
    /// How many messages of the branch stand before the first of these: what to pass to get the
    /// page before.
    pub before: u32,
    /// How many messages of the branch stand after the last of these.
    pub after: u32,
}

impl Reader {
    /// A message with its parts; while it grows, with what was checkpointed.
    pub async fn message(&self, id: MessageId) -> Result<Message, StoreError> {
        let mut transaction = Transaction::read(self.pool()).await?;
        let key = message_key(transaction.on()?, id).await?;
        let stored = rows::read(transaction.on()?, &[key]).await?;
        transaction.commit().await?;
        let first = stored.into_iter().next();
        Ok(first
            .ok_or(StoreError::NotFound { what: "message" })?
            .message)
    }

    /// All wordings or answers at the place of a message, itself among them, by creation.
    pub async fn siblings(&self, id: MessageId) -> Result<Vec<MessageId>, StoreError> {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "SELECT s.id FROM messages m
             JOIN messages s ON s.conversation = m.conversation AND s.parent IS m.parent
             WHERE m.id = ? ORDER BY s.key",
        )
        .bind(*id.as_uuid())
        .fetch_all(self.pool())
        .await?;
        if ids.is_empty() {
            return Err(StoreError::NotFound { what: "message" });
        }
        Ok(ids.into_iter().map(MessageId::from_uuid).collect())
    }

    /// How many messages stand before one on its branch.
    pub async fn depth(&self, id: MessageId) -> Result<u32, StoreError> {
        let depth: Option<i64> = sqlx::query_scalar("SELECT depth FROM messages WHERE id = ?")
            .bind(*id.as_uuid())
            .fetch_optional(self.pool())
            .await?;
        let depth = depth.ok_or(StoreError::NotFound { what: "message" })?;
        Ok(u32::try_from(depth).unwrap_or(u32::MAX))
    }

    /// Up to `limit` messages (1,000 at most) of the branch that the conversation shows: the last
    /// ones, or those just before the `before` first. In a damaged database, whatever can be read,
    /// and a note in the place of each message that cannot.
    pub async fn branch_page(
        &self,
        conversation: ConversationId,
        before: Option<u32>,
        limit: u32,
    ) -> Result<BranchPage, StoreError> {
        let limit = limit.min(MAX_PAGE);
        match self.whole_page(conversation, before, limit).await {
            Err(StoreError::Damaged { .. }) if self.is_damaged() => {
                self.salvage_page(conversation, before, limit).await
            }
            page => page,
        }
    }

    async fn whole_page(
        &self,
        conversation: ConversationId,
        before: Option<u32>,
        limit: u32,
    ) -> Result<BranchPage, StoreError> {
        let mut transaction = Transaction::read(self.pool()).await?;
        let page = page(transaction.on()?, conversation, before, limit).await?;
        transaction.commit().await?;
        Ok(page)
    }

    /// The branch that ends in a message, from its root to itself.
    pub async fn ancestors(&self, message: MessageId) -> Result<Vec<Message>, StoreError> {
        let mut transaction = Transaction::read(self.pool()).await?;
        let key = message_key(transaction.on()?, message).await?;
        let keys = branch(transaction.on()?, key, 0, i64::MAX).await?;
        let stored = rows::read(transaction.on()?, &keys).await?;
        transaction.commit().await?;
        Ok(stored.into_iter().map(|stored| stored.message).collect())
    }

    /// The end of the branch that goes on from a message by the newest follower each time.
    pub async fn deepest_leaf(&self, message: MessageId) -> Result<MessageId, StoreError> {
        let leaf: Option<Uuid> = sqlx::query_scalar(
            "WITH RECURSIVE newest (key, depth) AS (
                 SELECT key, depth FROM messages WHERE id = ?
                 UNION ALL
                 SELECT m.key, m.depth FROM newest n
                 JOIN messages m
                   ON m.key = (SELECT max(f.key) FROM messages f WHERE f.parent = n.key)
                  AND m.depth = n.depth + 1
             )
             SELECT m.id FROM newest n JOIN messages m ON m.key = n.key
             ORDER BY n.depth DESC LIMIT 1",
        )
        .bind(*message.as_uuid())
        .fetch_optional(self.pool())
        .await?;
        leaf.map(MessageId::from_uuid)
            .ok_or(StoreError::NotFound { what: "message" })
    }
}

async fn page(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    before: Option<u32>,
    limit: u32,
) -> Result<BranchPage, StoreError> {
    let (conversation, leaf): (i64, Option<i64>) =
        sqlx::query_as("SELECT key, leaf FROM conversations WHERE id = ?")
            .bind(*conversation.as_uuid())
            .fetch_optional(&mut *connection)
            .await?
            .ok_or(StoreError::NotFound {
                what: "conversation",
            })?;
    let Some(leaf) = leaf else {
        return Ok(BranchPage::default());
    };
    let depth: i64 = sqlx::query_scalar("SELECT depth FROM messages WHERE key = ?")
        .bind(leaf)
        .fetch_one(&mut *connection)
        .await?;
    let end = before
        .map_or(i64::MAX, i64::from)
        .min(depth.saturating_add(1));
    let start = (end - i64::from(limit)).max(0);

    let keys = branch(connection, leaf, start, end).await?;
    let stored = rows::read(connection, &keys).await?;
    let parents: Vec<i64> = stored.iter().filter_map(|stored| stored.parent).collect();
    let mut siblings = siblings_of(connection, conversation, &parents, start == 0).await?;
    let messages = stored
        .into_iter()
        .map(|stored| BranchMessage {
            siblings: siblings.remove(&stored.parent).unwrap_or_default(),
            message: stored.message,
        })
        .collect();
    Ok(BranchPage {
        messages,
        before: u32::try_from(start).unwrap_or(u32::MAX),
        after: u32::try_from(depth.saturating_add(1) - end).unwrap_or_default(),
    })
}

/// The keys of a branch between two depths, oldest first. A depth that does not fall by one at
/// each step, as in a damaged file, ends the walk.
async fn branch(
    connection: &mut SqliteConnection,
    leaf: i64,
    start: i64,
    end: i64,
) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar(
        "WITH RECURSIVE branch (key, parent, depth) AS (
             SELECT key, parent, depth FROM messages WHERE key = ?1
             UNION ALL
             SELECT m.key, m.parent, m.depth FROM branch b
             JOIN messages m ON m.key = b.parent AND m.depth = b.depth - 1
             WHERE b.depth > ?2
         )
         SELECT key FROM branch WHERE depth < ?3 ORDER BY depth",
    )
    .bind(leaf)
    .bind(start)
    .bind(end)
    .fetch_all(connection)
    .await?)
}

/// The followers of each of the parents, and the roots when they are wanted.
async fn siblings_of(
    connection: &mut SqliteConnection,
    conversation: i64,
    parents: &[i64],
    roots: bool,
) -> Result<HashMap<Option<i64>, Vec<MessageId>>, StoreError> {
    let followers: Vec<(Option<i64>, Uuid)> = sqlx::query_as(
        "SELECT m.parent, m.id FROM json_each(?) k
         CROSS JOIN messages m ON m.parent = k.value ORDER BY m.key",
    )
    .bind(json_list(parents))
    .fetch_all(&mut *connection)
    .await?;
    let mut siblings: HashMap<Option<i64>, Vec<MessageId>> = HashMap::new();
    for (parent, id) in followers {
        siblings
            .entry(parent)
            .or_default()
            .push(MessageId::from_uuid(id));
    }
    if roots {
        let roots: Vec<Uuid> = sqlx::query_scalar(
            "SELECT id FROM messages WHERE conversation = ? AND parent IS NULL ORDER BY key",
        )
        .bind(conversation)
        .fetch_all(connection)
        .await?;
        siblings.insert(None, roots.into_iter().map(MessageId::from_uuid).collect());
    }
    Ok(siblings)
}
