//! One model asked for an answer: its key, the conversation in its terms and within its window, the
//! stream folded into the draft. Another may be asked after it, of the same material.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::tz::TimeZone;
use protocol::{AppError, Fit, Message, MessageState, ModelRef, Part, Purpose, Role, Secret};
use providers::{ProviderError, ProviderEvent, Request, RequestMessage};
use store::Summary;

use crate::checkpoint::Checkpoint;
use crate::context::{self, Fitted, Room, StandIn};
use crate::egress::{Errand, Permit};
use crate::files::Files;
use crate::grown::{Grown, Origin};
use crate::outcome::{self, Before, Outcome};
use crate::route::Route;
use crate::turn::Job;
use crate::turns::Turn;
use crate::{Engine, clock, summary};

/// How often a conversation is made shorter for a server that finds it too long.
const SHORTENED_AT_MOST: usize = 3;

/// What a turn's requests are made of, whichever model is asked.
pub(crate) struct Material {
    branch: Vec<Message>,
    files: Files,
    summaries: Vec<Summary>,
    system: String,
    /// The answer so far, when a model is to go on with it.
    kept: Option<Message>,
    zone: TimeZone,
}

impl Material {
    /// Reads it from the store.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn gather(engine: &Engine, turn: &Turn, job: &Job) -> Result<Self, AppError> {
        let mut branch = job.store.ancestors(job.question).await?;
        for message in &mut branch {
            engine.catch_up(message);
        }
        let conversation = turn.draft.started().conversation_id;
        Ok(Self {
            files: Files::read(&job.store, &branch).await,
            summaries: job.store.summaries(conversation).await?,
            system: context::system_prompt(&engine.settings().await?.instructions),
            kept: job.continued.clone().filter(|_| job.joined),
            zone: TimeZone::system(),
            branch,
        })
    }

    fn room<'a>(&'a self, budget: u64, summary: Option<StandIn<'a>>) -> Room<'a> {
        Room {
            system: &self.system,
            budget,
            zone: &self.zone,
            summary,
            files: &self.files,
        }
    }
}

/// Asks, and asks again with less of the conversation when the model finds it too long. `asked` is
/// the model's name in the picker, which the route may lead elsewhere from.
///
/// # Errors
/// What is no fault of this model: another would meet it too.
pub(crate) async fn ask(
    engine: &Engine,
    turn: &Turn,
    job: &Job,
    material: &mut Material,
    route: &Route,
    asked: &ModelRef,
    before: &mut Before<'_>,
) -> Result<Outcome, AppError> {
    let draft = &*turn.draft;
    draft.set_asked((draft.started().model != route.model).then(|| route.model.clone()));
    let key = match turn.cancel.run_until_cancelled(engine.key_of(route)).await {
        None => return Ok(Outcome::Stopped),
        Some(Err(error)) => return Ok(Outcome::Broken(MessageState::Failed, error)),
        Some(Ok(key)) => key,
    };
    let preparing = Prepared::new(engine, turn, job, material, route);
    let prepared = match turn.cancel.run_until_cancelled(preparing).await {
        None => return Ok(Outcome::Stopped),
        Some(prepared) => prepared?,
    };
    let mut budget = prepared.budget;
    let mut left = SHORTENED_AT_MOST;
    loop {
        let stand_in = summary::newest(&material.summaries, &material.branch);
        let room = material.room(budget, stand_in);
        let fitted = context::fit(&prepared.branch, &room);
        let shorter = fitted.shorter();
        draft.set_dropped(fitted.dropped);
        before.sent_tokens = Some(fitted.tokens + prepared.kept_tokens);
        let request = prepared.request(turn, job, route, material, fitted);
        let Some(_place) = turn.cancel.run_until_cancelled(route.place()).await else {
            return Ok(Outcome::Stopped);
        };
        let started = draft.started();
        let errand = Errand::asking(
            Purpose::Answer,
            route.model.clone(),
            started.conversation_id,
            Some(started.message_id),
        );
        let permit = match engine.permit(route.endpoint.as_ref(), errand).await {
            Ok(permit) => permit,
            Err(error) => return Ok(Outcome::Broken(MessageState::Failed, error)),
        };
        let began_at = clock::now_ms();
        let stream = permit.stream(request, key.clone(), turn.cancel.clone());
        let outcome = read(turn, job, &permit, route, stream).await;
        engine.note_health(
            asked,
            &outcome,
            began_at,
            draft.read(|grown| grown.first_token_at),
        );
        let usage = outcome::usage(&draft.snapshot(), before);
        before.cost = permit.end(outcome.of_call(), usage).await;
        match shorter {
            Some(less) if left > 0 && outcome.is_overflow() && !draft.read(Grown::has_begun) => {
                left -= 1;
                budget = less;
            }
            _ => return Ok(outcome),
        }
    }
}

/// The material in the terms of one model.
struct Prepared {
    branch: Vec<Message>,
    /// What has come of the answer, when the model is to go on with it.
    kept: Option<Vec<Part>>,
    kept_tokens: u64,
    /// Tokens that the system prompt and the branch may have.
    budget: u64,
}

impl Prepared {
    /// Translates, and has the beginning summed up where that was asked for and is needed.
    async fn new(
        engine: &Engine,
        turn: &Turn,
        job: &Job,
        material: &mut Material,
        route: &Route,
    ) -> Result<Self, AppError> {
        let reader = engine.reader_of(route).await;
        let (branch, _) = reader.translate(&material.branch, &material.files);
        let kept = material.kept.as_ref().and_then(|answer| {
            let (kept, _) = reader.translate(std::slice::from_ref(answer), &material.files);
            kept.into_iter().next()
        });
        let kept = kept.map(|answer| answer.parts);
        let kept_tokens = kept
            .as_ref()
            .map_or(0, |parts| context::tokens_of(parts, &material.files));
        let window = engine.window(&route.model).await;
        let budget = context::budget(window).saturating_sub(kept_tokens);
        if job.fit == Fit::Summarise {
            let known = summary::newest(&material.summaries, &material.branch);
            let dropped = context::fit(&branch, &material.room(budget, known)).dropped;
            if dropped > 0 {
                let covers = summary::reach(&branch, &material.room(budget, None));
                let conversation = &material.branch;
                let made = summary::make(engine, turn, job, conversation, covers, known).await?;
                material.summaries.push(made);
            }
        }
        Ok(Self {
            branch,
            kept,
            kept_tokens,
            budget,
        })
    }

    fn request(
        &self,
        turn: &Turn,
        job: &Job,
        route: &Route,
        material: &Material,
        fitted: Fitted,
    ) -> Request {
        let mut messages = fitted.messages;
        messages.extend(self.kept.clone().map(|parts| RequestMessage {
            role: Role::Assistant,
            parts,
        }));
        let shown = messages.iter().flat_map(|message| &message.parts);
        let attachments = material.files.shown_in(shown);
        Request {
            model: route.model.model.clone(),
            system: material.system.clone(),
            messages,
            effort: job.effort,
            cache_key: Some(turn.draft.started().conversation_id.to_string()),
            continue_last: self.kept.is_some(),
            attachments,
            ..Request::default()
        }
    }
}

/// Folds the stream into the draft and the draft into the store, until either ends.
async fn read(
    turn: &Turn,
    job: &Job,
    permit: &Permit,
    route: &Route,
    mut stream: BoxStream<'static, Result<ProviderEvent, ProviderError>>,
) -> Outcome {
    let draft = &*turn.draft;
    let origin = Origin {
        wire: permit.wire(),
        provider: permit.provider().clone(),
        model: route.model.model.clone(),
    };
    let mut checkpoint = Checkpoint::new(Arc::clone(&turn.draft), job.store.clone());
    let outcome = loop {
        tokio::select! {
            biased;
            () = turn.cancel.cancelled() => break Outcome::Stopped,
            () = checkpoint.step(), if checkpoint.has_work() => {}
            item = stream.next() => match item {
                Some(Ok(event)) => {
                    let last = matches!(event, ProviderEvent::Finished { .. });
                    draft.fold(event, &origin, clock::now_ms());
                    if last {
                        break Outcome::Whole;
                    }
                    if draft.read(Grown::is_full) {
                        break Outcome::full();
                    }
                    checkpoint.note_growth();
                }
                Some(Err(error)) => {
                    break Outcome::broken(error, draft.read(Grown::has_begun));
                }
                None => break Outcome::cut_off(),
            },
        }
    };
    // The connection ends now; the end of the answer is stored after what is being written.
    drop(stream);
    checkpoint.settle().await;
    outcome
}

impl Engine {
    /// The key that a route needs.
    pub(crate) async fn key_of(&self, route: &Route) -> Result<Option<Secret<String>>, AppError> {
        match &route.endpoint {
            Some(endpoint) => self.key_for(endpoint).await,
            None => Ok(None),
        }
    }
}
