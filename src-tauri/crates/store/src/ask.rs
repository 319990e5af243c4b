//! A question with the answer that is opened to it, in one transaction: after a crash or a failure
//! there is either both or neither, never a conversation without a message, nor a message that
//! nobody answers.

use protocol::{ConversationId, MessageId, ModelRef, Part};

use crate::connection::Transaction;
use crate::conversations;
use crate::error::StoreError;
use crate::parts;
use crate::store::Store;
use crate::tree::{self, New};

/// What is asked, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Words that begin a conversation.
    First(Vec<Part>),
    /// Words at the end of a conversation's shown branch.
    Next(ConversationId, Vec<Part>),
    /// Words after the given message of a conversation, or at its root.
    After(ConversationId, Option<MessageId>, Vec<Part>),
    /// A message that is stored already gets one more answer.
    Again(ConversationId, MessageId),
}

/// What [`Store::ask`] stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The conversation, new or not.
    pub conversation: ConversationId,
    /// The message of the person.
    pub question: MessageId,
    /// The answer, which is empty and streams.
    pub answer: MessageId,
}

impl Store {
    /// Stores what a person asked and opens the answer that this instance will write, both on the
    /// disk when this returns. The conversation shows that branch and goes on with that model.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a conversation or a message that is not there,
    /// [`StoreError::Invalid`] for words without a part, [`StoreError::TooLarge`].
    pub async fn ask(
        &self,
        question: Question,
        model: &ModelRef,
        at: i64,
    ) -> Result<Asked, StoreError> {
        let rows = match &question {
            Question::First(words) | Question::Next(_, words) | Question::After(_, _, words) => {
                if words.is_empty() {
                    return Err(StoreError::Invalid {
                        reason: "a message has at least one part".to_owned(),
                    });
                }
                parts::encode_all(words)?
            }
            Question::Again(..) => Vec::new(),
        };
        self.mark_as_holding_data().await?;
        let mut transaction = Transaction::write(self.writer()).await?;
        let connection = transaction.on()?;
        let (conversation, key) = match question {
            Question::First(_) => conversations::insert(connection, Some(model), at).await?,
            Question::Next(id, _) | Question::After(id, ..) | Question::Again(id, _) => {
                (id, tree::conversation_key(connection, id).await?)
            }
        };
        let before = match question {
            Question::First(_) => None,
            Question::Next(..) => tree::leaf(connection, key).await?,
            Question::After(_, parent, _) => match parent {
                Some(parent) => Some(tree::place(connection, key, parent).await?),
                None => None,
            },
            Question::Again(_, question) => Some(tree::place(connection, key, question).await?),
        };
        let (question, place) = match (question, before) {
            (Question::Again(_, question), Some(place)) => (question, place),
            (_, parent) => {
                let words = New::words(at);
                tree::insert(connection, key, parent, &words, &rows, at).await?
            }
        };
        let answer = New::answer(self.instance(), Some(model.clone()));
        let (answer, leaf) = tree::insert(connection, key, Some(place), &answer, &[], at).await?;
        sqlx::query(
            "UPDATE conversations SET leaf = ?, model = ?, updated_at = max(updated_at, ?)
             WHERE key = ?",
        )
        .bind(leaf.key)
        .bind(model.to_string())
        .bind(at)
        .bind(key)
        .execute(connection)
        .await?;
        transaction.commit().await?;
        Ok(Asked {
            conversation,
            question,
            answer,
        })
    }
}
