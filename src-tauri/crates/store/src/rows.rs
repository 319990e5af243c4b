//! Messages read from their rows: parts, and what a draft has gained since, put together.

use std::collections::HashMap;

use protocol::{ConversationId, Message, MessageId, MessageState, Role, Usage};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{Decode, Row, Type};
use uuid::Uuid;

use crate::error::StoreError;
use crate::parts::{self, PartRow};

/// The word that stands for a value of a closed set: in JSON, its string.
pub(crate) fn word<T: Serialize>(value: &T) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        other => Err(StoreError::Invalid {
            reason: format!("no word for {other:?}"),
        }),
    }
}

/// A value as JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Invalid {
        reason: error.to_string(),
    })
}

/// The value that a word stands for; `None` for a word that this version does not know.
pub(crate) fn value<T: DeserializeOwned>(word: String) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(word)).ok()
}

/// A message with its place in the store.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) parent: Option<i64>,
    pub(crate) message: Message,
}

/// What stands in a column that an older schema lacks: a damaged database is read as it is.
pub(crate) fn newer<T>(row: &SqliteRow, column: &str) -> Result<Option<T>, sqlx::Error>
where
    T: for<'row> Decode<'row, Sqlite> + Type<Sqlite>,
{
    match row.try_get(column) {
        Err(sqlx::Error::ColumnNotFound(_)) => Ok(None),
        other => other,
    }
}

fn count(row: &SqliteRow, column: &str) -> Result<Option<u64>, sqlx::Error> {
    let number: Option<i64> = row.try_get(column)?;
    Ok(number.and_then(|number| u64::try_from(number).ok()))
}

/// Tokens: the same columns of a message and of a ledger's entry.
pub(crate) fn usage(row: &SqliteRow) -> Result<Option<Usage>, sqlx::Error> {
    let Some(estimated) = row.try_get::<Option<bool>, _>("usage_estimated")? else {
        return Ok(None);
    };
    Ok(Some(Usage {
        input_tokens: count(row, "input_tokens")?,
        cached_tokens: count(row, "cached_tokens")?,
        cache_write_tokens: count(row, "cache_write_tokens")?,
        output_tokens: count(row, "output_tokens")?,
        thinking_tokens: count(row, "thinking_tokens")?,
        reported_cost_usd: newer(row, "reported_cost_usd")?,
        estimated,
    }))
}

fn message(row: &SqliteRow) -> Result<Message, sqlx::Error> {
    let word = |column: &str| row.try_get::<Option<String>, _>(column);
    Ok(Message {
        id: MessageId::from_uuid(row.try_get::<Uuid, _>("id")?),
        conversation_id: ConversationId::from_uuid(row.try_get::<Uuid, _>("conversation_id")?),
        parent_id: row
            .try_get::<Option<Uuid>, _>("parent_id")?
            .map(MessageId::from_uuid),
        role: word("role")?.and_then(value).unwrap_or(Role::User),
        // Of a state that cannot be read, all that is sure is that it is no whole answer.
        state: word("state")?
            .and_then(value)
            .unwrap_or(MessageState::Interrupted),
        parts: Vec::new(),
        model: word("model")?.and_then(|name| name.parse().ok()),
        served_by: word("served_by")?.and_then(|name| name.parse().ok()),
        usage: usage(row)?,
        cost: newer::<String>(row, "cost")?.and_then(|json| serde_json::from_str(&json).ok()),
        stop_reason: word("stop_reason")?.and_then(value),
        error: word("error")?.and_then(|json| serde_json::from_str(&json).ok()),
        attempts: newer::<String>(row, "attempts")?
            .and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or_default(),
        created_at: row.try_get("created_at")?,
        first_token_at: row.try_get("first_token_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

/// The messages of the given keys, in that order.
pub(crate) async fn read(
    connection: &mut SqliteConnection,
    keys: &[i64],
) -> Result<Vec<Stored>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let list = json_list(keys);
    let rows = sqlx::query(
        "SELECT m.*, c.id AS conversation_id, p.id AS parent_id
         FROM json_each(?) k
         CROSS JOIN messages m ON m.key = k.value
         JOIN conversations c ON c.key = m.conversation
         LEFT JOIN messages p ON p.key = m.parent
         ORDER BY k.key",
    )
    .bind(&list)
    .fetch_all(&mut *connection)
    .await?;

    let mut stored = Vec::with_capacity(rows.len());
    let mut places = HashMap::with_capacity(rows.len());
    let mut streaming = Vec::new();
    for row in &rows {
        let key: i64 = row.try_get("key")?;
        let message = message(row)?;
        if message.state == MessageState::Streaming {
            streaming.push(key);
        }
        places.insert(key, stored.len());
        stored.push(Stored {
            parent: row.try_get("parent")?,
            message,
        });
    }

    let parts: Vec<(i64, String, Option<String>, Option<String>)> = sqlx::query_as(
        "SELECT p.message, p.kind, p.text, p.json FROM json_each(?) k
         CROSS JOIN parts p ON p.message = k.value ORDER BY k.key, p.ordinal",
    )
    .bind(&list)
    .fetch_all(&mut *connection)
    .await?;
    for (key, kind, text, json) in parts {
        if let Some(stored) = places.get(&key).and_then(|place| stored.get_mut(*place)) {
            stored
                .message
                .parts
                .push(parts::decode(PartRow { kind, text, json }));
        }
    }

    for key in streaming {
        let chunks = chunks(connection, key).await?;
        if let Some(stored) = places.get(&key).and_then(|place| stored.get_mut(*place)) {
            parts::fold(&mut stored.message.parts, chunks);
        }
    }
    Ok(stored)
}

/// What the draft of a message has gained, in order: part, kind, text.
async fn chunks(
    connection: &mut SqliteConnection,
    message: i64,
) -> Result<Vec<(u32, String, String)>, StoreError> {
    Ok(
        sqlx::query_as("SELECT part, kind, text FROM draft_chunks WHERE message = ? ORDER BY key")
            .bind(message)
            .fetch_all(connection)
            .await?,
    )
}

/// Keys as a JSON array, to be taken apart by `json_each`.
pub(crate) fn json_list(keys: &[i64]) -> String {
    let keys: Vec<String> = keys.iter().map(i64::to_string).collect();
    format!("[{}]", keys.join(","))
}

/// The key of a message.
pub(crate) async fn message_key(
    connection: &mut SqliteConnection,
    id: MessageId,
) -> Result<i64, StoreError> {
    sqlx::query_scalar("SELECT key FROM messages WHERE id = ?")
        .bind(*id.as_uuid())
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::NotFound { what: "message" })
}
