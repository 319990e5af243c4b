//! Conversations: made, listed, renamed, pinned, put into the trash and taken out again, and after
//! a while deleted for good.

use protocol::{Conversation, ConversationId, ConversationSummary, MessageId, ModelRef};
use sqlx::Row;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use uuid::Uuid;

use crate::connection::Transaction;
use crate::error::StoreError;
use crate::rows::{json, newer};
use crate::store::{Reader, Store};

/// How long a conversation stays in the trash, in milliseconds: 30 days.
pub const TRASH_KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// The longest title, in bytes.
pub const MAX_TITLE_BYTES: usize = 1024;
/// The most conversations listed at once.
pub const MAX_LISTED: u32 = 1000;

/// What a new conversation begins with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewConversation {
    /// The model that the first message goes to.
    pub model: Option<ModelRef>,
}

const COLUMNS: &str = "SELECT c.*, m.id AS leaf_id
    FROM conversations c LEFT JOIN messages m ON m.key = c.leaf";

fn conversation(row: &SqliteRow) -> Result<Conversation, sqlx::Error> {
    Ok(Conversation {
        id: ConversationId::from_uuid(row.try_get::<Uuid, _>("id")?),
        title: row.try_get("title")?,
        title_is_own: row.try_get("title_is_own")?,
        model: row
            .try_get::<Option<String>, _>("model")?
            .and_then(|name| name.parse().ok()),
        failover: newer::<String>(row, "failover")?
            .and_then(|json| serde_json::from_str(&json).ok()),
        local_only: newer(row, "local_only")?.unwrap_or(false),
        leaf: row
            .try_get::<Option<Uuid>, _>("leaf_id")?
            .map(MessageId::from_uuid),
        pinned: row.try_get("pinned")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        deleted_at: row.try_get("deleted_at")?,
    })
}

impl Reader {
    /// A conversation, in the trash or not.
    pub async fn conversation(&self, id: ConversationId) -> Result<Conversation, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE c.id = ?")))
            .bind(*id.as_uuid())
            .fetch_optional(self.pool())
            .await?
            .ok_or(StoreError::NotFound {
                what: "conversation",
            })?;
        Ok(conversation(&row)?)
    }

    /// Up to `limit` conversations (1,000 at most) that are not in the trash: pinned ones first,
    /// then the one in which something was said last. In a damaged database, whatever can be read.
    pub async fn list(
        &self,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        let listed = sqlx::query_as(
            "SELECT id, title, pinned, updated_at FROM conversations
             WHERE deleted_at IS NULL
             ORDER BY pinned DESC, updated_at DESC, key DESC LIMIT ? OFFSET ?",
        )
        .bind(limit.min(MAX_LISTED))
        .bind(offset)
        .fetch_all(self.pool())
        .await
        .map_err(StoreError::from);
        match listed {
            Err(StoreError::Damaged { .. }) if self.is_damaged() => {
                self.salvage_list(offset, limit.min(MAX_LISTED)).await
            }
            listed => Ok(listed?.into_iter().map(summary).collect()),
        }
    }

    /// The conversations in the trash, the last deleted first.
    pub async fn trashed(&self, limit: u32) -> Result<Vec<Conversation>, StoreError> {
        let statement =
            format!("{COLUMNS} WHERE c.deleted_at IS NOT NULL ORDER BY c.deleted_at DESC LIMIT ?");
        let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(limit.min(MAX_LISTED))
            .fetch_all(self.pool())
            .await?;
        Ok(rows.iter().map(conversation).collect::<Result<_, _>>()?)
    }
}

pub(crate) type SummaryRow = (Uuid, String, bool, i64);

pub(crate) fn summary((id, title, pinned, updated_at): SummaryRow) -> ConversationSummary {
    ConversationSummary {
        id: ConversationId::from_uuid(id),
        title,
        pinned,
        updated_at,
    }
}

/// Adds a conversation: its id and its key.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    model: Option<&ModelRef>,
    at: i64,
) -> Result<(ConversationId, i64), StoreError> {
    let id = ConversationId::generate();
    let key = sqlx::query(
        "INSERT INTO conversations (id, model, created_at, updated_at) VALUES (?, ?, ?, ?)",
    )
    .bind(*id.as_uuid())
    .bind(model.map(ModelRef::to_string))
    .bind(at)
    .bind(at)
    .execute(connection)
    .await?
    .last_insert_rowid();
    Ok((id, key))
}

impl Store {
    /// Begins a conversation.
    pub async fn create(&self, new: NewConversation, at: i64) -> Result<Conversation, StoreError> {
        let mut transaction = Transaction::write(self.writer()).await?;
        let (id, _) = insert(transaction.on()?, new.model.as_ref(), at).await?;
        transaction.commit().await?;
        Ok(Conversation {
            id,
            title: String::new(),
            title_is_own: false,
            model: new.model,
            failover: None,
            local_only: false,
            leaf: None,
            pinned: false,
            created_at: at,
            updated_at: at,
            deleted_at: None,
        })
    }

    /// Gives a conversation a title of at most 1,024 bytes. A made title (`own` is false) does not
    /// replace one that a person gave.
    pub async fn rename(
        &self,
        id: ConversationId,
        title: &str,
        own: bool,
        at: i64,
    ) -> Result<(), StoreError> {
        if title.len() > MAX_TITLE_BYTES {
            return Err(StoreError::TooLarge {
                what: "title",
                limit: MAX_TITLE_BYTES,
            });
        }
        self.change(
            sqlx::query(
                "UPDATE conversations SET
                     title = iif(title_is_own AND NOT ?2, title, ?1),
                     title_is_own = title_is_own OR ?2,
                     updated_at = iif(?2, max(updated_at, ?3), updated_at)
                 WHERE id = ?4",
            )
            .bind(title.to_owned())
            .bind(own)
            .bind(at)
            .bind(*id.as_uuid()),
        )
        .await
    }

    /// Pins a conversation to the top of the list, or unpins it.
    pub async fn set_pinned(&self, id: ConversationId, pinned: bool) -> Result<(), StoreError> {
        self.change(
            sqlx::query("UPDATE conversations SET pinned = ? WHERE id = ?")
                .bind(pinned)
                .bind(*id.as_uuid()),
        )
        .await
    }

    /// Sets the model that the next message goes to.
    pub async fn set_model(
        &self,
        id: ConversationId,
        model: Option<&ModelRef>,
    ) -> Result<(), StoreError> {
        self.change(
            sqlx::query("UPDATE conversations SET model = ? WHERE id = ?")
                .bind(model.map(ModelRef::to_string))
                .bind(*id.as_uuid()),
        )
        .await
    }

    /// Sets the models that are asked when the conversation's own does not answer; `None` leaves it
    /// to the settings.
    pub async fn set_failover(
        &self,
        id: ConversationId,
        chain: Option<&[ModelRef]>,
    ) -> Result<(), StoreError> {
        self.change(
            sqlx::query("UPDATE conversations SET failover = ? WHERE id = ?")
                .bind(chain.map(|chain| json(&chain)).transpose()?)
                .bind(*id.as_uuid()),
        )
        .await
    }

    /// Says whether nothing of a conversation may leave this machine.
    pub async fn set_local_only(&self, id: ConversationId, on: bool) -> Result<(), StoreError> {
        self.change(
            sqlx::query("UPDATE conversations SET local_only = ? WHERE id = ?")
                .bind(on)
                .bind(*id.as_uuid()),
        )
        .await
    }

    /// Shows the branch that ends in `leaf`, a message of this conversation.
    pub async fn set_leaf(&self, id: ConversationId, leaf: MessageId) -> Result<(), StoreError> {
        let mut transaction = Transaction::write(self.writer()).await?;
        let key: Option<i64> = sqlx::query_scalar(
            "SELECT m.key FROM messages m JOIN conversations c ON c.key = m.conversation
             WHERE m.id = ? AND c.id = ?",
        )
        .bind(*leaf.as_uuid())
        .bind(*id.as_uuid())
        .fetch_optional(transaction.on()?)
        .await?;
        let key = key.ok_or(StoreError::NotFound { what: "message" })?;
        sqlx::query("UPDATE conversations SET leaf = ? WHERE id = ?")
            .bind(key)
            .bind(*id.as_uuid())
            .execute(transaction.on()?)
            .await?;
        transaction.commit().await
    }

    /// Puts a conversation into the trash: it is neither listed nor found, and keeps everything.
    pub async fn trash(&self, id: ConversationId, at: i64) -> Result<(), StoreError> {
        self.change(
            sqlx::query(
                "UPDATE conversations SET deleted_at = coalesce(deleted_at, ?) WHERE id = ?",
            )
            .bind(at)
            .bind(*id.as_uuid()),
        )
        .await
    }

    /// Takes a conversation out of the trash.
    pub async fn restore(&self, id: ConversationId) -> Result<(), StoreError> {
        self.change(
            sqlx::query("UPDATE conversations SET deleted_at = NULL WHERE id = ?")
                .bind(*id.as_uuid()),
        )
        .await
    }

    /// Deletes for good what was put into the trash before `at`, and tells how many conversations
    /// that were. Their words are overwritten in the database, its index and its log.
    pub async fn purge_trashed_before(&self, at: i64) -> Result<u64, StoreError> {
        let mut transaction = Transaction::write(self.writer()).await?;
        let messages = sqlx::query(
            "DELETE FROM messages WHERE conversation IN
                 (SELECT key FROM conversations WHERE deleted_at IS NOT NULL AND deleted_at < ?)",
        )
        .bind(at)
        .execute(transaction.on()?)
        .await?
        .rows_affected();
        let purged = sqlx::query(
            "DELETE FROM conversations WHERE deleted_at IS NOT NULL AND deleted_at < ?",
        )
        .bind(at)
        .execute(transaction.on()?)
        .await?
        .rows_affected();
        sqlx::query("UPDATE identity SET deleted_messages = deleted_messages + ?")
            .bind(i64::try_from(messages).unwrap_or(i64::MAX))
            .execute(transaction.on()?)
            .await?;
        transaction.commit().await?;
        if purged > 0 {
            // The log still holds the old pages; folding it in and cutting it off removes them.
            // Readers can be in the way: then a later checkpoint does it.
            let cut = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .execute(self.writer())
                .await;
            if let Err(error) = cut {
                tracing::warn!(%error, "could not cut the log after deleting");
            }
        }
        Ok(purged)
    }

    /// Runs a statement that changes one conversation.
    async fn change(
        &self,
        statement: sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments>,
    ) -> Result<(), StoreError> {
        let mut transaction = Transaction::write(self.writer()).await?;
        let changed = statement.execute(transaction.on()?).await?.rows_affected();
        if changed == 0 {
            return Err(StoreError::NotFound {
                what: "conversation",
            });
        }
        transaction.commit().await
    }
}
