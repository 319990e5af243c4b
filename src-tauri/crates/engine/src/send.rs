//! Asking for an answer: to a new message, to one worded anew, once more, or on from where an
//! answer ended. Each commits what the person did before anything leaves the machine.

use protocol::{
    AppError, Conversation, ConversationId, EditMessage, Effort, ErrorCode, Fit, MessageId,
    ModelRef, Part, RegenerateMessage, Role, SendMessage, TurnId, TurnStarted,
};
use store::{Question, Store};
use tokio::sync::watch;

use crate::draft::Draft;
use crate::grown::Grown;
use crate::presenter::Presenter;
use crate::route::Route;
use crate::stream::TurnStream;
use crate::turn::Job;
use crate::turns::Slot;
use crate::{Change, Engine, clock, title, turn};

/// The longest message, in bytes.
const TEXT_BYTES: usize = 1 << 20;

/// Whom to ask, and how.
struct Asking {
    model: ModelRef,
    route: Route,
    effort: Option<Effort>,
    fit: Fit,
}

impl Engine {
    /// Commits a message of the person and starts the answer to it.
    ///
    /// # Errors
    /// `InvalidRequest` for a text that is empty or over 1 MiB; `NotFound` for an unknown
    /// conversation or provider; `Busy` while an answer is being written in the conversation; the
    /// store's. Nothing is stored then. What goes wrong later stands in the answer.
    pub async fn send(&self, request: SendMessage) -> Result<TurnStarted, AppError> {
        let SendMessage {
            conversation_id,
            text,
            model,
            effort,
            fit,
        } = request;
        let store = self.store()?;
        check_text(&text)?;
        let known = match conversation_id {
            Some(id) => Some(living(&store, id).await?),
            None => None,
        };
        let asking = self.choose(model, known.as_ref(), effort, fit).await?;
        let words = vec![Part::text(text.clone())];
        let (slot, question) = match known {
            Some(known) => (
                Some(self.inner.turns.reserve(known.id)?),
                Question::Next(known.id, words),
            ),
            None => (None, Question::First(words)),
        };
        self.ask(store, slot, question, text, asking).await
    }

    /// Commits another wording of a message, beside the old one, and starts the answer to it.
    ///
    /// # Errors
    /// As [`send`](Self::send); `InvalidRequest` when the message is not the person's.
    pub async fn edit(&self, request: EditMessage) -> Result<TurnStarted, AppError> {
        let EditMessage {
            message_id,
            text,
            model,
            effort,
            fit,
        } = request;
        let store = self.store()?;
        check_text(&text)?;
        let old = store.message(message_id).await?;
        if old.role != Role::User {
            return Err(invalid("only messages of your own can be edited"));
        }
        let conversation = living(&store, old.conversation_id).await?;
        let asking = self.choose(model, Some(&conversation), effort, fit).await?;
        let slot = self.inner.turns.reserve(conversation.id)?;
        let words = vec![Part::text(text.clone())];
        let question = Question::After(conversation.id, old.parent_id, words);
        self.ask(store, Some(slot), question, text, asking).await
    }

    /// Starts another answer beside the given one: a second opinion, or a retry of one that failed.
    /// A message of the person that never got an answer gets one.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn regenerate(&self, request: RegenerateMessage) -> Result<TurnStarted, AppError> {
        let RegenerateMessage {
            message_id,
            model,
            effort,
            fit,
        } = request;
        let store = self.store()?;
        let old = store.message(message_id).await?;
        let conversation = living(&store, old.conversation_id).await?;
        let question = match (old.role, old.parent_id) {
            (Role::User, _) => old,
            (Role::Assistant, Some(parent)) => store.message(parent).await?,
            (Role::Assistant, None) => return Err(invalid("this answer has no question")),
        };
        let asking = self.choose(model, Some(&conversation), effort, fit).await?;
        let slot = self.inner.turns.reserve(conversation.id)?;
        let again = Question::Again(conversation.id, question.id);
        self.ask(store, Some(slot), again, question.text(), asking)
            .await
    }

    /// Goes on with an answer that was cut off, stopped, or ended at a limit. What had come stays;
    /// the same model is asked.
    ///
    /// # Errors
    /// As [`send`](Self::send); `InvalidRequest` when there is nothing to continue.
    pub async fn continue_answer(&self, id: MessageId) -> Result<TurnStarted, AppError> {
        let store = self.store()?;
        if let Some(unsaved) = self.inner.turns.unsaved(id) {
            return Err(unsaved.error.clone());
        }
        let old = store.message(id).await?;
        let conversation = living(&store, old.conversation_id).await?;
        let question = match old.parent_id {
            Some(parent) if old.can_continue() => parent,
            _ => {
                return Err(invalid(
                    "this answer is whole: there is nothing to continue",
                ));
            }
        };
        if Grown::new(&old.parts, false).is_full() {
            return Err(invalid(
                "this answer is as long as one can be: ask for the rest in a new message",
            ));
        }
        let asking = self
            .choose(old.model.clone(), Some(&conversation), None, Fit::default())
            .await?;
        let slot = self.inner.turns.reserve(conversation.id)?;
        let old = store.reopen(id, clock::now_ms()).await?;
        // Only visible text can be gone on with; cut-off thinking is kept and done again.
        let joined =
            matches!(old.parts.last(), Some(Part::Text { text, .. }) if !text.trim().is_empty());
        let started = TurnStarted {
            turn_id: TurnId::generate(),
            conversation_id: conversation.id,
            user_message_id: None,
            message_id: id,
            model: asking.model,
        };
        let draft = Draft::new(started.clone(), &old.parts, joined);
        let job = Job {
            store,
            route: asking.route,
            question,
            continued: Some(old),
            joined,
            effort: asking.effort,
            fit: asking.fit,
        };
        self.begin(slot, draft, job);
        Ok(started)
    }

    /// Stops a turn; what had come is kept. One that has ended stays as it is.
    pub fn cancel(&self, turn: TurnId) {
        self.inner.turns.cancel(turn);
    }

    /// Follows the turn that writes an answer, from the draft's beginning, any number of times and
    /// at any time. `None` when the answer is not being written here: read it from the store. One
    /// that a process left unfinished when it died is marked as interrupted then.
    #[must_use]
    pub fn attach(&self, message: MessageId) -> Option<TurnStream> {
        let turn = self.inner.turns.of_message(message);
        if turn.is_none() {
            self.recover_later();
        }
        turn.map(|turn| TurnStream::new(turn.draft.clone()))
    }

    /// A turn as events for a window that is sometimes hidden.
    #[must_use]
    pub fn present(&self, stream: TurnStream, visible: watch::Receiver<bool>) -> Presenter {
        Presenter::new(stream, visible, self.inner.closing.clone())
    }

    /// Stores the question with its answer to come, and lets the answer begin. Where no place is
    /// taken yet, the conversation is new.
    async fn ask(
        &self,
        store: Store,
        slot: Option<Slot>,
        question: Question,
        words: String,
        asking: Asking,
    ) -> Result<TurnStarted, AppError> {
        let Asking {
            model,
            route,
            effort,
            fit,
        } = asking;
        let is_new = !matches!(question, Question::Again(..));
        let asked = store.ask(question, &model, clock::now_ms()).await?;
        let slot = match slot {
            Some(slot) => slot,
            None => self.inner.turns.reserve(asked.conversation)?,
        };
        let started = TurnStarted {
            turn_id: TurnId::generate(),
            conversation_id: asked.conversation,
            user_message_id: is_new.then_some(asked.question),
            message_id: asked.answer,
            model: model.clone(),
        };
        let draft = Draft::new(started.clone(), &[], false);
        let job = Job {
            store: store.clone(),
            route,
            question: asked.question,
            continued: None,
            joined: false,
            effort,
            fit,
        };
        self.begin(slot, draft, job);
        let engine = self.clone();
        self.spawn(async move {
            if let Err(error) = engine.note_recent(&model).await {
                tracing::warn!(%error, "the recent model was not noted");
            }
            title::give_first(&engine, &store, asked.conversation, &words).await;
        });
        Ok(started)
    }

    fn begin(&self, mut slot: Slot, draft: Draft, job: Job) {
        let turn = slot.begin(draft, self.inner.closing.child_token());
        let engine = self.clone();
        self.announce(Change::Conversations);
        self.spawn(async move { turn::run(&engine, &turn, slot, job).await });
    }

    /// The model to ask, and who answers for it.
    async fn choose(
        &self,
        model: Option<ModelRef>,
        conversation: Option<&Conversation>,
        effort: Option<Effort>,
        fit: Fit,
    ) -> Result<Asking, AppError> {
        if self.inner.closing.is_cancelled() {
            return Err(AppError::new(
                ErrorCode::Busy,
                "Pilotfish is closing: start it again",
            ));
        }
        let model = match model.or_else(|| conversation.and_then(|known| known.model.clone())) {
            Some(model) => model,
            None => self.default_model().await?,
        };
        let route = self.route(&model).await?;
        Ok(Asking {
            model,
            route,
            effort,
            fit,
        })
    }
}

/// The conversation, unless it is in the trash.
async fn living(store: &Store, id: ConversationId) -> Result<Conversation, AppError> {
    let conversation = store.conversation(id).await?;
    match conversation.deleted_at {
        None => Ok(conversation),
        Some(_) => Err(invalid(
            "this conversation is in the trash: restore it first",
        )),
    }
}

fn check_text(text: &str) -> Result<(), AppError> {
    if text.trim().is_empty() {
        return Err(invalid("the message is empty: write something first"));
    }
    check_length(text)
}

/// Refuses a text that is longer than a message may be.
///
/// # Errors
/// `InvalidRequest`.
pub(crate) fn check_length(text: &str) -> Result<(), AppError> {
    if text.len() > TEXT_BYTES {
        return Err(invalid(format!(
            "the message has {:.1} MiB and the limit is 1 MiB: send the part that matters; it was not sent",
            text.len() as f64 / TEXT_BYTES as f64
        )));
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> AppError {
    AppError::new(ErrorCode::InvalidRequest, message)
}
