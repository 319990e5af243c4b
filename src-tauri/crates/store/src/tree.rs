//! Where messages stand: each after its parent, in one conversation. Whatever adds one does it here,
//! inside the transaction of its caller.

use protocol::{ConversationId, MessageId, MessageState, ModelRef, Role};
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use crate::error::StoreError;
use crate::parts::{self, PartRow};
use crate::rows::word;

/// What distinguishes a new message of a person from a new answer.
pub(crate) struct New {
    pub(crate) role: Role,
    pub(crate) state: MessageState,
    owner: Option<Uuid>,
    pub(crate) model: Option<ModelRef>,
    pub(crate) finished_at: Option<i64>,
}

impl New {
    /// A message of a person.
    pub(crate) const fn words(at: i64) -> Self {
        Self {
            role: Role::User,
            state: MessageState::Complete,
            owner: None,
            model: None,
            finished_at: Some(at),
        }
    }

    /// An answer that the given instance will write.
    pub(crate) const fn answer(owner: Uuid, model: Option<ModelRef>) -> Self {
        Self {
            role: Role::Assistant,
            state: MessageState::Streaming,
            owner: Some(owner),
            model,
            finished_at: None,
        }
    }
}

/// Where a message stands in its tree.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) key: i64,
    depth: i64,
}

/// The place of a message of a conversation.
pub(crate) async fn place(
    connection: &mut SqliteConnection,
    conversation: i64,
    id: MessageId,
) -> Result<Place, StoreError> {
    let (key, depth) =
        sqlx::query_as("SELECT key, depth FROM messages WHERE id = ? AND conversation = ?")
            .bind(*id.as_uuid())
            .bind(conversation)
            .fetch_optional(connection)
            .await?
            .ok_or(StoreError::NotFound { what: "message" })?;
    Ok(Place { key, depth })
}

/// The place of the message at which a conversation's shown branch ends; `None` in an empty one.
pub(crate) async fn leaf(
    connection: &mut SqliteConnection,
    conversation: i64,
) -> Result<Option<Place>, StoreError> {
    let found: Option<(i64, i64)> = sqlx::query_as(
        "SELECT m.key, m.depth FROM conversations c JOIN messages m ON m.key = c.leaf
         WHERE c.key = ?",
    )
    .bind(conversation)
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|(key, depth)| Place { key, depth }))
}

/// The key of a conversation.
pub(crate) async fn conversation_key(
    connection: &mut SqliteConnection,
    id: ConversationId,
) -> Result<i64, StoreError> {
    sqlx::query_scalar("SELECT key FROM conversations WHERE id = ?")
        .bind(*id.as_uuid())
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::NotFound {
            what: "conversation",
        })
}

/// Adds a message to a conversation, after the parent or as a root.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    conversation: i64,
    parent: Option<Place>,
    new: &New,
    rows: &[PartRow],
    at: i64,
) -> Result<(MessageId, Place), StoreError> {
    let id = MessageId::generate();
    let depth = parent.map_or(0, |parent| parent.depth + 1);
    let key = sqlx::query(
        "INSERT INTO messages
             (id, conversation, parent, depth, role, state, owner, model, created_at, finished_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(*id.as_uuid())
    .bind(conversation)
    .bind(parent.map(|parent| parent.key))
    .bind(depth)
    .bind(word(&new.role)?)
    .bind(word(&new.state)?)
    .bind(new.owner)
    .bind(new.model.as_ref().map(ModelRef::to_string))
    .bind(at)
    .bind(new.finished_at)
    .execute(&mut *connection)
    .await?
    .last_insert_rowid();
    parts::replace(connection, key, rows).await?;
    Ok((id, Place { key, depth }))
}
