//! Telling, before anything is sent, what would become of a conversation with a model: what it cannot
//! take, what does not fit, and the ways out. Nobody is asked for it.

use jiff::tz::TimeZone;
use protocol::{
    AppError, ConversationId, Message, MessageId, MessageState, ModelRef, Part, Preflight,
    PreflightRequest, Role, WayOut,
};

use crate::context::{self, Fitted, Room};
use crate::files::Files;
use crate::translate::Lost;
use crate::{Engine, clock, send, summary};

impl Engine {
    /// What would be lost of the conversation if the text were sent to the model now.
    ///
    /// # Errors
    /// `NotFound` for an unknown conversation or provider; `InvalidRequest` for a text over 1 MiB; the
    /// store's.
    pub async fn preflight(&self, request: PreflightRequest) -> Result<Preflight, AppError> {
        let PreflightRequest {
            conversation_id,
            model,
            text,
        } = request;
        send::check_length(&text)?;
        let store = self.store()?;
        let conversation = store.conversation(conversation_id).await?;
        let model = match model.or(conversation.model) {
            Some(model) => model,
            None => self.default_model().await?,
        };
        let route = self.route(&model).await?;
        let mut branch = match conversation.leaf {
            Some(leaf) => store.ancestors(leaf).await?,
            None => Vec::new(),
        };
        for message in &mut branch {
            self.catch_up(message);
        }
        let files = Files::read(&store, &branch).await;
        let summaries = store.summaries(conversation_id).await?;
        let stand_in = summary::newest(&summaries, &branch);
        if !text.trim().is_empty() {
            branch.push(unsent(conversation_id, text));
        }
        let reader = self.reader_of(&route).await;
        let (translated, lost) = reader.translate(&branch, &files);
        let system = context::system_prompt(&self.settings().await?.instructions);
        let window = self.window(&route.model).await;
        let zone = TimeZone::system();
        let room = |budget| Room {
            system: &system,
            budget,
            zone: &zone,
            summary: stand_in,
            files: &files,
        };
        let whole = context::fit(&translated, &room(u64::MAX));
        let budget = context::budget(window);
        let fitted = context::fit(&translated, &room(budget));
        let can_sum_up = self.can_sum_up().await;
        Ok(Preflight {
            model,
            images: lost.images,
            files: lost.files,
            tool_calls: lost.tool_calls,
            tokens: whole.tokens,
            room: window.map(|_| budget),
            dropped_messages: fitted.dropped,
            too_long: fitted.tokens > budget,
            ways: ways(&fitted, budget, lost, can_sum_up),
        })
    }

    /// Whether the in-house model, or a cluster in its place, is here to write a summary.
    async fn can_sum_up(&self) -> bool {
        let default = ModelRef::inhouse(inhouse::DEFAULT);
        match self.route(&default).await {
            Ok(route) => route.endpoint.is_some() || self.window(&route.model).await.is_some(),
            Err(_) => false,
        }
    }
}

fn ways(fitted: &Fitted, budget: u64, lost: Lost, can_sum_up: bool) -> Vec<WayOut> {
    if fitted.tokens > budget {
        return vec![WayOut::ChooseAnother];
    }
    if fitted.dropped > 0 {
        let first = can_sum_up.then_some(WayOut::Summarise);
        let others = [WayOut::Trim, WayOut::ChooseAnother];
        return first.into_iter().chain(others).collect();
    }
    match lost == Lost::default() {
        true => Vec::new(),
        false => vec![WayOut::SendAnyway, WayOut::ChooseAnother],
    }
}

/// A message that the person has not sent yet.
fn unsent(conversation_id: ConversationId, text: String) -> Message {
    Message {
        id: MessageId::generate(),
        conversation_id,
        parent_id: None,
        role: Role::User,
        state: MessageState::Complete,
        parts: vec![Part::text(text)],
        model: None,
        served_by: None,
        usage: None,
        cost: None,
        stop_reason: None,
        error: None,
        attempts: Vec::new(),
        created_at: clock::now_ms(),
        first_token_at: None,
        finished_at: None,
    }
}
