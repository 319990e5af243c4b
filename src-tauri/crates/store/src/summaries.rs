//! Summaries: what stands for the beginning of a branch where a model has no room for the whole.

use protocol::{ConversationId, MessageId, ModelRef};
use uuid::Uuid;

use crate::error::StoreError;
use crate::store::{Reader, Store};

/// The longest summary, in bytes.
pub const MAX_SUMMARY_BYTES: usize = 64 * 1024;

/// What stands for a branch from its root up to and with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The last message that it stands for.
    pub message: MessageId,
    /// What was said until then, in short.
    pub text: String,
    /// When it was made: a message that changed later is not in it.
    pub made_at: i64,
}

impl Reader {
    /// The summaries of a conversation's branches, in no order.
    pub async fn summaries(
        &self,
        conversation: ConversationId,
    ) -> Result<Vec<Summary>, StoreError> {
        let rows: Vec<(Uuid, String, i64)> = sqlx::query_as(
            "SELECT m.id, s.text, s.made_at FROM conversations c
             JOIN messages m ON m.conversation = c.key
             JOIN summaries s ON s.message = m.key
             WHERE c.id = ?",
        )
        .bind(*conversation.as_uuid())
        .fetch_all(self.pool())
        .await?;
        let summary = |(message, text, made_at)| Summary {
            message: MessageId::from_uuid(message),
            text,
            made_at,
        };
        Ok(rows.into_iter().map(summary).collect())
    }
}

impl Store {
    /// Keeps a summary, of at most 64 KiB, that the given model made; it takes the place of an
    /// earlier one up to the same message.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`]; [`StoreError::NotFound`] when the message is gone.
    pub async fn keep_summary(
        &self,
        summary: &Summary,
        model: &ModelRef,
    ) -> Result<(), StoreError> {
        if summary.text.len() > MAX_SUMMARY_BYTES {
            return Err(StoreError::TooLarge {
                what: "summary",
                limit: MAX_SUMMARY_BYTES,
            });
        }
        let kept = self
            .write(
                sqlx::query(
                    "INSERT INTO summaries (message, text, model, made_at)
                     SELECT key, ?, ?, ? FROM messages WHERE id = ?
                     ON CONFLICT (message) DO UPDATE SET text = excluded.text,
                         model = excluded.model, made_at = excluded.made_at",
                )
                .bind(summary.text.clone())
                .bind(model.to_string())
                .bind(summary.made_at)
                .bind(*summary.message.as_uuid()),
            )
            .await?;
        match kept {
            0 => Err(StoreError::NotFound { what: "message" }),
            _ => Ok(()),
        }
    }
}
