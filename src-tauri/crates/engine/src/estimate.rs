//! What a message would cost, told while it is being written: from what is known here, without
//! asking anyone.

use protocol::{
    AppError, Conversation, Cost, Estimate, EstimateRequest, Message, Model, ModelRef, Price, Usage,
};

use crate::files::Files;
use crate::{Engine, context, cost, egress, endpoints, send};

/// Tokens of a short answer.
const SHORT_ANSWER: u64 = 100;

impl Engine {
    /// About how many tokens a message would send with the conversation before it, and between which
    /// costs it would lie.
    ///
    /// # Errors
    /// `InvalidRequest` for a text over 1 MiB; `NotFound` for an unknown conversation or provider;
    /// the store's.
    pub async fn estimate(&self, request: EstimateRequest) -> Result<Estimate, AppError> {
        send::check_length(&request.text)?;
        let conversation = match request.conversation_id {
            Some(id) => Some(self.conversation(id).await?),
            None => None,
        };
        let chosen = conversation.as_ref().and_then(|known| known.model.clone());
        let model = match request.model.or(chosen) {
            Some(model) => model,
            None => self.default_model().await?,
        };
        let before = self.tokens_before(conversation.as_ref()).await?;
        let room = context::budget(self.window(&model).await);
        let written = context::tokens_in(&request.text).saturating_add(context::MESSAGE_OVERHEAD);
        let input = before.saturating_add(written).min(room);
        let facts = self.facts(&model).await?;
        let cached = input.saturating_sub(written);
        let longest = facts.output_tokens;
        Ok(Estimate {
            least: facts.cost(input, cached, SHORT_ANSWER.min(longest.unwrap_or(u64::MAX))),
            most: longest.and_then(|longest| facts.cost(input, 0, longest)),
            model,
            input_tokens: input,
            output_tokens: longest,
        })
    }

    /// Tokens of the system prompt and of the branch that the conversation shows.
    async fn tokens_before(&self, conversation: Option<&Conversation>) -> Result<u64, AppError> {
        let system = context::system_prompt(&self.settings().await?.instructions);
        let mut tokens = context::tokens_in(&system);
        if let Some(leaf) = conversation.and_then(|known| known.leaf) {
            let store = self.store()?;
            let branch: Vec<Message> = store.ancestors(leaf).await?;
            let files = Files::read(&store, &branch).await;
            for message in &branch {
                tokens = tokens.saturating_add(context::tokens_of(&message.parts, &files));
            }
        }
        Ok(tokens)
    }

    async fn facts(&self, model: &ModelRef) -> Result<Facts, AppError> {
        let route = self.route(model).await?;
        let is_own = match &route.endpoint {
            None => true,
            Some(endpoint) => endpoints::place(endpoint)
                .is_some_and(|runs_at| egress::is_own(&runs_at, &route.model)),
        };
        let known = self.known_models(&route.model.provider).await?;
        let known: Option<Model> = known.into_iter().find(|known| known.model == route.model);
        let output = known.as_ref().and_then(|known| known.output_tokens);
        Ok(Facts {
            is_own,
            price: known.and_then(|known| known.price),
            output_tokens: output.map(u64::from),
        })
    }
}

/// What a cost rests on.
struct Facts {
    is_own: bool,
    price: Option<Price>,
    output_tokens: Option<u64>,
}

impl Facts {
    fn cost(&self, input: u64, cached: u64, output: u64) -> Option<Cost> {
        let usage = Usage {
            input_tokens: Some(input),
            cached_tokens: Some(cached),
            output_tokens: Some(output),
            estimated: true,
            ..Usage::default()
        };
        cost::of(&usage, self.price.as_ref(), self.is_own)
    }
}
