//! The list of conversations, and what is done to one as a whole.

use protocol::{
    AppError, Conversation, ConversationId, ConversationSummary, ErrorCode, ModelRef, SearchHit,
};

use crate::{Change, Engine, clock};

/// The longest title, in characters.
const TITLE_CHARS: usize = 200;

/// The longest search, in bytes.
const QUERY_BYTES: usize = 1024;

/// The most rows of one answer.
const ROWS: u32 = 500;

impl Engine {
    /// Rows of the list: pinned ones first, then the newest; 500 at most.
    ///
    /// # Errors
    /// The store's.
    pub async fn conversations(
        &self,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<ConversationSummary>, AppError> {
        match self.reader() {
            Some(reader) => self.as_far_as_readable(reader.list(offset, limit.min(ROWS)).await),
            None => Ok(Vec::new()),
        }
    }

    /// One conversation.
    ///
    /// # Errors
    /// `NotFound`, and the store's.
    pub async fn conversation(&self, id: ConversationId) -> Result<Conversation, AppError> {
        Ok(self.readable()?.conversation(id).await?)
    }

    /// Messages that hold the words, best first.
    ///
    /// # Errors
    /// `InvalidRequest` for more than 1 KiB; the store's.
    pub async fn search(&self, query: &str, limit: u32) -> Result<Vec<SearchHit>, AppError> {
        if query.len() > QUERY_BYTES {
            return Err(AppError::new(
                ErrorCode::InvalidRequest,
                "a search holds 1 KiB at most: search for fewer words",
            ));
        }
        Ok(self.readable()?.search(query, limit.min(ROWS)).await?)
    }

    /// Gives a conversation a title of the person's own.
    ///
    /// # Errors
    /// `InvalidRequest` for a title that is not 1 to 200 characters on one line; the store's.
    pub async fn rename(&self, id: ConversationId, title: &str) -> Result<(), AppError> {
        let title = title.trim();
        let fits = (1..=TITLE_CHARS).contains(&title.chars().count())
            && !title.chars().any(char::is_control);
        if !fits {
            return Err(AppError::new(
                ErrorCode::InvalidRequest,
                format!("a title is 1 to {TITLE_CHARS} characters on one line"),
            ));
        }
        self.store()?
            .rename(id, title, true, clock::now_ms())
            .await?;
        self.announce(Change::Conversations);
        Ok(())
    }

    /// Pins a conversation to the top of the list, or unpins it.
    ///
    /// # Errors
    /// The store's.
    pub async fn pin(&self, id: ConversationId, pinned: bool) -> Result<(), AppError> {
        self.store()?.set_pinned(id, pinned).await?;
        self.announce(Change::Conversations);
        Ok(())
    }

    /// Puts a conversation into the trash, where it stays for 30 days; an answer that is being
    /// written in it is stopped.
    ///
    /// # Errors
    /// The store's.
    pub async fn trash(&self, id: ConversationId) -> Result<(), AppError> {
        self.store()?.trash(id, clock::now_ms()).await?;
        self.inner.turns.cancel_in(id);
        self.announce(Change::Conversations);
        Ok(())
    }

    /// Takes a conversation out of the trash.
    ///
    /// # Errors
    /// The store's.
    pub async fn restore(&self, id: ConversationId) -> Result<(), AppError> {
        self.store()?.restore(id).await?;
        self.announce(Change::Conversations);
        Ok(())
    }

    /// Chooses the model that the conversation's next message goes to.
    ///
    /// # Errors
    /// `NotFound` when no provider has that name; the store's.
    pub async fn set_model(&self, id: ConversationId, model: &ModelRef) -> Result<(), AppError> {
        self.route(model).await?;
        self.store()?.set_model(id, Some(model)).await?;
        Ok(())
    }
}
