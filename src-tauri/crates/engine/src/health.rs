//! How models have fared: noted from the answers that were asked for, in memory, and told in the
//! picker. Nobody is called to find out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use protocol::{AppError, ErrorCode, Health, ModelRef, ProviderId};

use crate::outcome::Outcome;
use crate::{Change, Engine, clock};

/// The most models that are remembered; the one noted longest ago goes first.
const REMEMBERED: usize = 256;

/// How many answers the moving mean looks back, so to speak: each new one counts for a quarter.
const WEIGHT: u64 = 4;

/// What is known of all models.
#[derive(Debug, Default)]
pub(crate) struct HealthBook {
    noted: Mutex<HashMap<ModelRef, Health>>,
}

impl HealthBook {
    /// Notes how a request went: with the time to its first token, or the error. Tells whether there
    /// is an error now where there was none, or the other way round.
    fn note(
        &self,
        model: &ModelRef,
        first_token_ms: Option<u64>,
        error: Option<&AppError>,
        at: i64,
    ) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if !noted.contains_key(model) && noted.len() >= REMEMBERED {
            let oldest = noted.values().min_by_key(|health| health.at);
            if let Some(oldest) = oldest.map(|health| health.model.clone()) {
                noted.remove(&oldest);
            }
        }
        let health = noted.entry(model.clone()).or_insert_with(|| Health {
            model: model.clone(),
            first_token_ms: None,
            error: None,
            limited_until: None,
            at,
        });
        if let Some(new) = first_token_ms {
            let old = health.first_token_ms.unwrap_or(new);
            health.first_token_ms = Some((old.saturating_mul(WEIGHT - 1) + new) / WEIGHT);
        }
        let code = |error: Option<&AppError>| error.map(|error| error.code);
        let changed = code(health.error.as_ref()) != code(error);
        health.limited_until = error.and_then(|error| limited_until(error, at));
        health.error = error.cloned();
        health.at = at;
        changed
    }

    /// How the provider's models have fared.
    pub(crate) fn of(&self, provider: &ProviderId, now: i64) -> Vec<Health> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known: Vec<Health> = noted
            .values()
            .filter(|health| health.model.provider == *provider)
            .cloned()
            .collect();
        for health in &mut known {
            health.limited_until = health.limited_until.filter(|until| *until > now);
        }
        known.sort_by(|a, b| a.model.cmp(&b.model));
        known
    }
}

/// Until when a provider asks to be left alone.
fn limited_until(error: &AppError, at: i64) -> Option<i64> {
    let is_limit = matches!(
        error.code,
        ErrorCode::RateLimited | ErrorCode::Overloaded | ErrorCode::Quota
    );
    let wait = error.retry_after_ms.filter(|_| is_limit)?;
    Some(at.saturating_add(i64::try_from(wait).unwrap_or(i64::MAX)))
}

/// Whether an error tells something of the model, and not of the request or of this machine.
const fn is_of_model(code: ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::InvalidRequest
            | ErrorCode::Refused
            | ErrorCode::ContextOverflow
            | ErrorCode::LocalOnly
            | ErrorCode::CapReached
            | ErrorCode::Storage
            | ErrorCode::ReadOnly
            | ErrorCode::DiskFull
            | ErrorCode::Busy
    )
}

impl Engine {
    /// Notes how a request to a model went. One that was stopped before its first token says nothing.
    pub(crate) fn note_health(
        &self,
        model: &ModelRef,
        outcome: &Outcome,
        began_at: i64,
        first_token_at: Option<i64>,
    ) {
        let first = first_token_at.map(|at| at.saturating_sub(began_at));
        let first = first.and_then(|wait| u64::try_from(wait).ok());
        let error = match outcome {
            Outcome::Broken(_, error) if is_of_model(error.code) => Some(error),
            Outcome::Broken(..) => None,
            Outcome::Stopped if first.is_none() => return,
            Outcome::Stopped | Outcome::Whole => None,
        };
        let book = &self.inner.health;
        if book.note(model, first, error, clock::now_ms()) {
            self.announce(Change::Models);
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use protocol::{AppError, ErrorCode, ModelRef, ProviderId};

    use super::{HealthBook, REMEMBERED};

    #[test]
    fn the_mean_moves_and_an_error_goes_with_the_next_answer() {
        let book = HealthBook::default();
        let model = ModelRef::inhouse("default");
        let known = |now| book.of(&ProviderId::inhouse(), now).remove(0);
        assert!(!book.note(&model, Some(400), None, 1));
        assert!(!book.note(&model, Some(800), None, 2));
        assert_eq!(known(2).first_token_ms, Some(500));

        let limited = AppError {
            retry_after_ms: Some(1000),
            ..AppError::new(ErrorCode::RateLimited, "slow down")
        };
        assert!(book.note(&model, None, Some(&limited), 5));
        let health = known(6);
        assert_eq!(health.first_token_ms, Some(500), "kept");
        assert_eq!(
            (health.limited_until, health.error),
            (Some(1005), Some(limited))
        );
        assert_eq!(known(1005).limited_until, None);

        assert!(book.note(&model, Some(500), None, 2000));
        assert_eq!(known(2000).error, None);
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let book = HealthBook::default();
        for (number, at) in (0..=REMEMBERED).zip(1..) {
            book.note(&ModelRef::inhouse(number.to_string()), None, None, at);
        }
        let known = book.of(&ProviderId::inhouse(), 0);
        assert_eq!(known.len(), REMEMBERED);
        assert!(known.iter().all(|health| health.model.model != "0"));
    }
}
