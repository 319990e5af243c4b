//! Messages being written. What a person wrote is on the disk before anything else happens with
//! it; what a model writes is added to a draft, a few rows per checkpoint, and becomes the
//! message's parts in one transaction at the end.

use protocol::{
    AppError, Attempt, ConversationId, Cost, Message, MessageId, MessageState, ModelRef, Part,
    PartKind, StopReason, Usage,
};
use sqlx::sqlite::SqliteConnection;

use crate::connection::Transaction;
use crate::error::StoreError;
use crate::parts::{self, MAX_MESSAGE_BYTES, MAX_PARTS, PartRow};
use crate::rows::{self, json, word};
use crate::store::Store;
use crate::tree::{self, New};

/// What a growing message gained.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftDelta {
    /// Which part, from 0, counting the parts that a continued message has already.
    pub part: u32,
    /// What kind of part.
    pub kind: PartKind,
    /// The text to add to it.
    pub text: String,
}

/// How a message ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// Any state but streaming.
    pub state: MessageState,
    /// All of the message's parts; they take the place of those it had and of its draft.
    pub parts: Vec<Part>,
    /// Who really answered.
    pub served_by: Option<ModelRef>,
    /// Tokens.
    pub usage: Option<Usage>,
    /// What it cost.
    pub cost: Option<Cost>,
    /// Why the model stopped.
    pub stop_reason: Option<StopReason>,
    /// What went wrong.
    pub error: Option<AppError>,
    /// Models that were asked in vain before.
    pub attempts: Vec<Attempt>,
    /// When the first token came.
    pub first_token_at: Option<i64>,
    /// When it ended.
    pub finished_at: i64,
}

impl Store {
    /// Stores what a person wrote, on the disk when this returns, and shows its branch.
    pub async fn append_user(
        &self,
        conversation: ConversationId,
        parent: Option<MessageId>,
        parts: Vec<Part>,
        at: i64,
    ) -> Result<Message, StoreError> {
        if parts.is_empty() {
            return Err(StoreError::Invalid {
                reason: "a message has at least one part".to_owned(),
            });
        }
        let new = New::words(at);
        self.append(conversation, parent, new, parts, at).await
    }

    /// Opens an answer that will grow, and shows its branch.
    pub async fn open_assistant(
        &self,
        conversation: ConversationId,
        parent: Option<MessageId>,
        model: Option<ModelRef>,
        at: i64,
    ) -> Result<Message, StoreError> {
        let new = New::answer(self.instance(), model);
        self.append(conversation, parent, new, Vec::new(), at).await
    }

    async fn append(
        &self,
        conversation_id: ConversationId,
        parent_id: Option<MessageId>,
        new: New,
        parts: Vec<Part>,
        at: i64,
    ) -> Result<Message, StoreError> {
        let rows = parts::encode_all(&parts)?;
        self.mark_as_holding_data().await?;
        let mut transaction = Transaction::write(self.writer()).await?;
        let connection = transaction.on()?;
        let conversation = tree::conversation_key(connection, conversation_id).await?;
        let parent = match parent_id {
            Some(id) => Some(tree::place(connection, conversation, id).await?),
            None => None,
        };
        let (id, place) = tree::insert(connection, conversation, parent, &new, &rows, at).await?;
        sqlx::query(
            "UPDATE conversations SET leaf = ?, updated_at = max(updated_at, ?) WHERE key = ?",
        )
        .bind(place.key)
        .bind(at)
        .bind(conversation)
        .execute(&mut *connection)
        .await?;
        transaction.commit().await?;
        Ok(Message {
            id,
            conversation_id,
            parent_id,
            role: new.role,
            state: new.state,
            parts,
            model: new.model,
            served_by: None,
            usage: None,
            cost: None,
            stop_reason: None,
            error: None,
            attempts: Vec::new(),
            created_at: at,
            first_token_at: None,
            finished_at: new.finished_at,
        })
    }

    /// Adds to the draft of a message that this instance writes. What was added before is not
    /// touched, so this costs the same however long the message is.
    pub async fn checkpoint(
        &self,
        message: MessageId,
        deltas: Vec<DraftDelta>,
    ) -> Result<(), StoreError> {
        let deltas = merged(deltas)?;
        if deltas.is_empty() {
            return Ok(());
        }
        let mut transaction = Transaction::write(self.writer()).await?;
        let connection = transaction.on()?;
        let key = self.growing(connection, message).await?;
        for delta in deltas {
            sqlx::query("INSERT INTO draft_chunks (message, part, kind, text) VALUES (?, ?, ?, ?)")
                .bind(key)
                .bind(delta.part)
                .bind(parts::kind_name(delta.kind))
                .bind(delta.text)
                .execute(&mut *connection)
                .await?;
        }
        transaction.commit().await
    }

    /// Ends a message that this instance writes.
    pub async fn finish(&self, message: MessageId, finish: Finish) -> Result<(), StoreError> {
        if finish.state == MessageState::Streaming {
            return Err(StoreError::Invalid {
                reason: "a message cannot end in the state of streaming".to_owned(),
            });
        }
        let rows = parts::encode_all(&finish.parts)?;
        let error = finish.error.as_ref().map(json).transpose()?;
        let cost = finish.cost.as_ref().map(json).transpose()?;
        let attempts = Some(&finish.attempts).filter(|attempts| !attempts.is_empty());
        let attempts = attempts.map(json).transpose()?;
        let mut transaction = Transaction::write(self.writer()).await?;
        let connection = transaction.on()?;
        let key = self.growing(connection, message).await?;
        settle(connection, key, &rows).await?;
        let usage = finish.usage.as_ref();
        let tokens = |pick: fn(&Usage) -> Option<u64>| {
            usage
                .and_then(pick)
                .and_then(|count| i64::try_from(count).ok())
        };
        sqlx::query(
            "UPDATE messages SET state = ?, owner = NULL, served_by = ?, input_tokens = ?,
                 cached_tokens = ?, cache_write_tokens = ?, output_tokens = ?,
                 thinking_tokens = ?, reported_cost_usd = ?, usage_estimated = ?, cost = ?,
                 stop_reason = ?, error = ?,
                 attempts = ?, first_token_at = coalesce(first_token_at, ?), finished_at = ? WHERE key = ?",
        )
        .bind(word(&finish.state)?)
        .bind(finish.served_by.as_ref().map(ModelRef::to_string))
        .bind(tokens(|usage| usage.input_tokens))
        .bind(tokens(|usage| usage.cached_tokens))
        .bind(tokens(|usage| usage.cache_write_tokens))
        .bind(tokens(|usage| usage.output_tokens))
        .bind(tokens(|usage| usage.thinking_tokens))
        .bind(usage.and_then(|usage| usage.reported_cost_usd))
        .bind(usage.map(|usage| usage.estimated))
        .bind(cost)
        .bind(finish.stop_reason.as_ref().map(word).transpose()?)
        .bind(error)
        .bind(attempts)
        .bind(finish.first_token_at)
        .bind(finish.finished_at)
        .bind(key)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "UPDATE conversations SET updated_at = max(updated_at, ?)
             WHERE key = (SELECT conversation FROM messages WHERE key = ?)",
        )
        .bind(finish.finished_at)
        .bind(key)
        .execute(connection)
        .await?;
        transaction.commit().await
    }

    /// Lets an answer that had ended grow again: its parts stay, and what is checkpointed is added
    /// to them.
    pub async fn reopen(&self, message: MessageId, at: i64) -> Result<Message, StoreError> {
        let mut transaction = Transaction::write(self.writer()).await?;
        let connection = transaction.on()?;
        let key = rows::message_key(connection, message).await?;
        let reopened = sqlx::query(
            "UPDATE messages SET state = 'streaming', owner = ?, stop_reason = NULL, error = NULL,
                 finished_at = NULL WHERE key = ? AND role = 'assistant' AND state <> 'streaming'",
        )
        .bind(self.instance())
        .bind(key)
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if reopened == 0 {
            return Err(StoreError::Invalid {
                reason: "only an answer that has ended can be continued".to_owned(),
            });
        }
        sqlx::query(
            "UPDATE conversations SET updated_at = max(updated_at, ?)
             WHERE key = (SELECT conversation FROM messages WHERE key = ?)",
        )
        .bind(at)
        .bind(key)
        .execute(&mut *connection)
        .await?;
        let stored = rows::read(connection, &[key]).await?.into_iter().next();
        transaction.commit().await?;
        Ok(stored
            .ok_or(StoreError::NotFound { what: "message" })?
            .message)
    }

    /// The key of a message that this instance writes.
    async fn growing(
        &self,
        connection: &mut SqliteConnection,
        id: MessageId,
    ) -> Result<i64, StoreError> {
        let (key, grows): (i64, bool) = sqlx::query_as(
            "SELECT key, state = 'streaming' AND owner IS ? FROM messages WHERE id = ?",
        )
        .bind(self.instance())
        .bind(*id.as_uuid())
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::NotFound { what: "message" })?;
        if grows {
            Ok(key)
        } else {
            Err(StoreError::NotStreaming)
        }
    }
}

/// Puts the final parts in the place of the draft.
pub(crate) async fn settle(
    connection: &mut SqliteConnection,
    message: i64,
    rows: &[PartRow],
) -> Result<(), StoreError> {
    parts::replace(connection, message, rows).await?;
    sqlx::query("DELETE FROM draft_chunks WHERE message = ?")
        .bind(message)
        .execute(connection)
        .await?;
    Ok(())
}

/// The deltas with neighbours of the same part put together, when they are within the limits.
fn merged(deltas: Vec<DraftDelta>) -> Result<Vec<DraftDelta>, StoreError> {
    let bytes: usize = deltas.iter().map(|delta| delta.text.len()).sum();
    if bytes > MAX_MESSAGE_BYTES {
        return Err(StoreError::TooLarge {
            what: "checkpoint",
            limit: MAX_MESSAGE_BYTES,
        });
    }
    let mut merged: Vec<DraftDelta> = Vec::new();
    for delta in deltas {
        if usize::try_from(delta.part).is_ok_and(|part| part >= MAX_PARTS) {
            return Err(StoreError::Invalid {
                reason: format!("a message has at most {MAX_PARTS} parts"),
            });
        }
        match merged.last_mut() {
            Some(last) if last.part == delta.part && last.kind == delta.kind => {
                last.text.push_str(&delta.text);
            }
            _ if delta.text.is_empty() => {}
            _ => merged.push(delta),
        }
    }
    Ok(merged)
}
