//! Conversations as the window shows them: pages of the branch, answers rendered to safe blocks.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use protocol::{
    AppError, ConversationId, Message, MessageId, MessageState, MessageView, Part, PartView,
    ProviderId, Role, RunsAt, ThreadView,
};
use store::BranchMessage;

use crate::{Engine, clock, endpoints};

/// The most messages of one page.
const PAGE: u32 = 200;

/// Messages of the page that follows a change of branch.
const FIRST_PAGE: u32 = 50;

impl Engine {
    /// A page of the conversation's shown branch: the newest messages, or those before the given
    /// place; 200 at most.
    ///
    /// # Errors
    /// `NotFound`, and the store's.
    pub async fn thread(
        &self,
        id: ConversationId,
        before: Option<u32>,
        limit: u32,
    ) -> Result<ThreadView, AppError> {
        let reader = self.readable()?;
        let conversation = reader.conversation(id).await?;
        let page = reader.branch_page(id, before, limit.clamp(1, PAGE)).await?;
        let messages = self.views(page.messages).await?;
        Ok(ThreadView {
            conversation,
            messages,
            before: page.before,
            after: page.after,
        })
    }

    /// The page of the conversation's branch with a message in its middle, 200 at most. Where the
    /// message stands on another branch than the one that is shown, that one is shown from now on.
    ///
    /// # Errors
    /// `NotFound`, and the store's.
    pub async fn thread_around(
        &self,
        id: ConversationId,
        message: MessageId,
        limit: u32,
    ) -> Result<ThreadView, AppError> {
        let depth = self.readable()?.depth(message).await?;
        let end = depth
            .saturating_add(limit.clamp(1, PAGE) / 2)
            .saturating_add(1);
        let shown = self.thread(id, Some(end), limit).await?;
        if shown.messages.iter().any(|one| one.id == message) {
            return Ok(shown);
        }
        let newest = self.select_sibling(message).await?;
        self.thread(newest.conversation.id, Some(end), limit).await
    }

    /// One message as shown.
    ///
    /// # Errors
    /// `NotFound`, and the store's.
    pub async fn message(&self, id: MessageId) -> Result<MessageView, AppError> {
        let reader = self.readable()?;
        let message = reader.message(id).await?;
        let siblings = reader.siblings(id).await?;
        let mut views = self
            .views(vec![BranchMessage { message, siblings }])
            .await?;
        views
            .pop()
            .ok_or_else(|| AppError::new(protocol::ErrorCode::NotFound, "there is no such message"))
    }

    /// A message's visible text as it was written, to copy or to edit.
    ///
    /// # Errors
    /// `NotFound`, and the store's.
    pub async fn source(&self, id: MessageId) -> Result<String, AppError> {
        let mut message = self.readable()?.message(id).await?;
        self.catch_up(&mut message);
        Ok(message.text())
    }

    /// Shows another wording or answer: the branch follows it to its newest end.
    ///
    /// # Errors
    /// `NotFound`, and the store's.
    pub async fn select_sibling(&self, id: MessageId) -> Result<ThreadView, AppError> {
        let store = self.store()?;
        let conversation = store.message(id).await?.conversation_id;
        let leaf = store.deepest_leaf(id).await?;
        store.set_leaf(conversation, leaf).await?;
        self.thread(conversation, None, FIRST_PAGE).await
    }

    async fn views(&self, messages: Vec<BranchMessage>) -> Result<Vec<MessageView>, AppError> {
        let places: HashMap<ProviderId, Option<RunsAt>> = self
            .endpoints()
            .await?
            .into_iter()
            .map(|endpoint| (endpoint.id.clone(), endpoints::place(&endpoint)))
            .collect();
        let engine = self.clone();
        let view = move || {
            messages
                .into_iter()
                .map(|one| engine.view(one, &places))
                .collect()
        };
        // Rendering a page of code takes longer than an async thread should be held.
        tokio::task::spawn_blocking(view).await.map_err(|error| {
            let message = format!("the messages could not be shown: {error}");
            AppError::new(protocol::ErrorCode::Unknown, message)
        })
    }

    fn view(
        &self,
        BranchMessage {
            mut message,
            siblings,
        }: BranchMessage,
        places: &HashMap<ProviderId, Option<RunsAt>>,
    ) -> MessageView {
        let newest = self.catch_up(&mut message);
        let parts = self.rendered(&message, newest == Newest::Stored);
        let asked = message.served_by.as_ref().or(message.model.as_ref());
        let runs_at = asked.and_then(|model| match model.provider.is_inhouse() {
            true => Some(RunsAt::InHouse),
            false => places.get(&model.provider).cloned().flatten(),
        });
        let can_continue = newest != Newest::Unsaved && message.can_continue();
        MessageView {
            id: message.id,
            parent_id: message.parent_id,
            role: message.role,
            state: message.state,
            parts,
            siblings,
            model: message.model,
            served_by: message.served_by,
            runs_at,
            usage: message.usage,
            cost: message.cost,
            stop_reason: message.stop_reason,
            error: message.error,
            attempts: message.attempts,
            can_continue,
            created_at: message.created_at,
            first_token_at: message.first_token_at,
            finished_at: message.finished_at,
        }
    }

    /// Brings a message up to what is nowhere but in memory: the draft of one that grows, the end of
    /// one that could not be stored.
    pub(crate) fn catch_up(&self, message: &mut Message) -> Newest {
        if message.state != MessageState::Streaming {
            return Newest::Stored;
        }
        if let Some(unsaved) = self.inner.turns.unsaved(message.id) {
            let finish = unsaved.finish.clone();
            message.state = MessageState::Failed;
            message.error = Some(unsaved.error.clone());
            message.parts = finish.parts;
            message.served_by = finish.served_by;
            message.usage = finish.usage;
            message.cost = finish.cost;
            message.attempts = finish.attempts;
            message.first_token_at = finish.first_token_at;
            message.finished_at = Some(finish.finished_at);
            return Newest::Unsaved;
        }
        // One that has ended since the row was read is whole in its draft too.
        match self.inner.turns.of_message(message.id) {
            Some(turn) => {
                turn.draft.read(|grown| {
                    message.parts = grown.parts(clock::now_ms());
                    message.served_by = grown.answering().or(message.served_by.take());
                    message.attempts.extend(grown.attempts());
                });
                Newest::Growing
            }
            None => Newest::Stored,
        }
    }

    fn rendered(&self, message: &Message, is_stored: bool) -> Vec<PartView> {
        let render = || {
            message
                .parts
                .iter()
                .map(|part| part_view(part, message.role))
                .collect::<Vec<_>>()
        };
        // Only an end that was stored tells one state of an answer from another.
        let ended = message
            .finished_at
            .filter(|_| is_stored && message.role == Role::Assistant);
        let Some(finished_at) = ended else {
            return render();
        };
        let cache = || {
            self.inner
                .rendered
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let known = cache().get(message.id, finished_at);
        let parts = known.unwrap_or_else(|| {
            let parts = Arc::new(render());
            let bytes = message.parts.iter().map(part_bytes).sum();
            cache().put(message.id, finished_at, bytes, Arc::clone(&parts));
            parts
        });
        Arc::unwrap_or_clone(parts)
    }
}

/// Where the newest state of a message is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Newest {
    Stored,
    Growing,
    Unsaved,
}

fn part_view(part: &Part, role: Role) -> PartView {
    match part {
        Part::Text { text, .. } if role == Role::User => PartView::Plain { text: text.clone() },
        Part::Text { text, .. } => PartView::Rendered {
            blocks: markdown::render(text),
        },
        Part::Thinking {
            text, duration_ms, ..
        } => PartView::Thinking {
            blocks: markdown::render(text),
            duration_ms: *duration_ms,
        },
        Part::Image { media_type, .. } => PartView::Attachment {
            name: String::new(),
            media_type: media_type.clone(),
        },
        Part::File {
            name, media_type, ..
        } => PartView::Attachment {
            name: name.clone(),
            media_type: media_type.clone(),
        },
        Part::ToolCall {
            name, arguments, ..
        } => PartView::ToolCall {
            name: name.clone(),
            arguments: arguments.clone(),
        },
        Part::ToolResult {
            content, is_error, ..
        } => PartView::ToolResult {
            content: content.clone(),
            is_error: *is_error,
        },
    }
}

fn part_bytes(part: &Part) -> usize {
    match part {
        Part::Text { text, .. } | Part::Thinking { text, .. } => text.len(),
        Part::ToolCall { arguments, .. } => arguments.len(),
        Part::ToolResult { content, .. } => content.len(),
        Part::Image { .. } | Part::File { .. } => 0,
    }
}
