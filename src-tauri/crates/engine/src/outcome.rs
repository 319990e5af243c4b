//! How an answer ended, as it is stored and as its readers are told.

use protocol::{
    AppError, Attempt, CallOutcome, Cost, ErrorAction, ErrorCode, Message, MessageState,
    StopReason, Usage,
};
use providers::{ErrorKind, ProviderError};
use store::Finish;

use crate::draft::Draft;
use crate::grown::{Cursor, End, Grown};
use crate::{context, cost};

/// How the answer ended.
pub(crate) enum Outcome {
    Whole,
    Broken(MessageState, AppError),
    Stopped,
}

/// What was there before the answer grew, and what was sent for it: for the tokens of a provider
/// that does not count them.
pub(crate) struct Before<'a> {
    /// The answer that is gone on with, as it was.
    pub(crate) continued: Option<&'a Message>,
    /// Where the draft began.
    pub(crate) kept: Cursor,
    /// About how many tokens the request had, when one was sent.
    pub(crate) sent_tokens: Option<u64>,
    /// What the call cost that the answer came by.
    pub(crate) cost: Option<Cost>,
}

impl Outcome {
    /// An answer that had begun and broke off for a passing reason was cut off and can be gone on
    /// with; any other has failed.
    pub(crate) fn broken(error: ProviderError, begun: bool) -> Self {
        let state = match error.kind {
            ErrorKind::Interrupted => MessageState::Interrupted,
            ErrorKind::Network
            | ErrorKind::Overloaded
            | ErrorKind::RateLimited
            | ErrorKind::Unknown
                if begun =>
            {
                MessageState::Interrupted
            }
            _ => MessageState::Failed,
        };
        let error = AppError::from(error);
        let action = match (state, error.action) {
            (MessageState::Interrupted, _) if begun => Some(ErrorAction::Continue),
            // There is nothing to go on with.
            (_, Some(ErrorAction::Continue)) => Some(ErrorAction::Retry),
            (_, action) => action,
        };
        Self::Broken(state, error.with_action(action))
    }

    pub(crate) fn cut_off() -> Self {
        Self::interrupted("the answer was cut off: continue it")
    }

    pub(crate) fn full() -> Self {
        let error = AppError::new(
            ErrorCode::Interrupted,
            "the answer is as long as one can be and was stopped there: ask for the rest in a new message",
        );
        Self::Broken(MessageState::Interrupted, error.with_action(None))
    }

    pub(crate) fn broke_inside() -> Self {
        Self::Broken(MessageState::Interrupted, broke_inside())
    }

    /// How the call ended that the answer came by.
    pub(crate) const fn of_call(&self) -> CallOutcome {
        match self {
            Self::Whole => CallOutcome::Ok,
            Self::Stopped => CallOutcome::Cancelled,
            Self::Broken(_, error) => CallOutcome::Failed { code: error.code },
        }
    }

    /// Whether the request was too long for the model.
    pub(crate) fn is_overflow(&self) -> bool {
        matches!(self, Self::Broken(_, error) if error.code == ErrorCode::ContextOverflow)
    }

    fn interrupted(message: &str) -> Self {
        let error = AppError::new(ErrorCode::Interrupted, message);
        Self::Broken(MessageState::Interrupted, error)
    }

    /// The end as it is stored, and as it is told. An answer that was stopped because Pilotfish
    /// closes was not stopped by the person.
    pub(crate) fn at_end(
        self,
        draft: &Draft,
        before: &Before<'_>,
        closing: bool,
        finished_at: i64,
    ) -> (Finish, End) {
        let grown = draft.snapshot();
        let (state, error, end) = match self {
            Self::Whole => (MessageState::Complete, None, End::Finished),
            Self::Stopped if closing => {
                let error = AppError::new(
                    ErrorCode::Interrupted,
                    "Pilotfish was closed while the answer came: continue it",
                );
                let told = End::Failed(error.clone());
                (MessageState::Interrupted, Some(error), told)
            }
            Self::Stopped => (MessageState::Cancelled, None, End::Cancelled),
            Self::Broken(state, error) => (state, Some(error.clone()), End::Failed(error)),
        };
        let stop_reason = match end {
            End::Finished => grown.stop_reason.or(Some(StopReason::Other)),
            End::Failed(_) | End::Cancelled => None,
        };
        let old = before.continued;
        let finish = Finish {
            state,
            parts: grown.parts(finished_at),
            served_by: grown
                .served_by()
                .or_else(|| old.and_then(|old| old.served_by.clone())),
            usage: sum(old.and_then(|old| old.usage.clone()), usage(&grown, before)),
            cost: cost(old, before),
            stop_reason,
            error,
            attempts: attempts(old, &grown),
            first_token_at: old
                .and_then(|old| old.first_token_at)
                .or(grown.first_token_at),
            finished_at,
        };
        (finish, end)
    }
}

/// What is told of an answer that ended by a fault of ours.
pub(crate) fn broke_inside() -> AppError {
    AppError::new(
        ErrorCode::Interrupted,
        "the answer was cut off inside Pilotfish: continue it or ask again",
    )
}

/// Models that were asked in vain, in this turn and in that which it continues.
fn attempts(continued: Option<&Message>, grown: &Grown) -> Vec<Attempt> {
    let before = continued.map_or(&[][..], |old| &old.attempts);
    before.iter().cloned().chain(grown.attempts()).collect()
}

/// What the provider counted, or our estimate when it did not and something was sent.
pub(crate) fn usage(grown: &Grown, before: &Before<'_>) -> Option<Usage> {
    if let Some(usage) = &grown.usage {
        return Some(usage.clone());
    }
    grown.first_token_at?;
    let new = grown.since(&mut before.kept.clone());
    let tokens = new.iter().map(|delta| context::tokens_in(&delta.text));
    Some(Usage {
        input_tokens: before.sent_tokens,
        output_tokens: Some(tokens.sum()),
        estimated: true,
        ..Usage::default()
    })
}

/// The cost of an answer, with that of what it goes on with.
fn cost(continued: Option<&Message>, before: &Before<'_>) -> Option<Cost> {
    match continued.filter(|old| old.usage.is_some()) {
        Some(old) => cost::sum(old.cost.clone(), before.cost.clone()),
        None => before.cost.clone(),
    }
}

/// The tokens of an answer and of its continuation.
fn sum(first: Option<Usage>, second: Option<Usage>) -> Option<Usage> {
    let (a, b) = match (first, second) {
        (Some(a), Some(b)) => (a, b),
        (one, other) => return one.or(other),
    };
    let add = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (one, other) => one.or(other),
    };
    Some(Usage {
        input_tokens: add(a.input_tokens, b.input_tokens),
        cached_tokens: add(a.cached_tokens, b.cached_tokens),
        cache_write_tokens: add(a.cache_write_tokens, b.cache_write_tokens),
        output_tokens: add(a.output_tokens, b.output_tokens),
        thinking_tokens: add(a.thinking_tokens, b.thinking_tokens),
        reported_cost_usd: match (a.reported_cost_usd, b.reported_cost_usd) {
            (Some(a), Some(b)) => Some(a + b),
            // Of a sum, half is not reported.
            _ => None,
        },
        estimated: a.estimated || b.estimated,
    })
}
