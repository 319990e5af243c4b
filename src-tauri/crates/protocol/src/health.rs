//! How models have fared lately, known from answers that were asked for anyway: nobody is called to
//! find out.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{AppError, ModelRef};

/// How a model has fared since the application was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Health {
    /// The model that was asked.
    pub model: ModelRef,
    /// Milliseconds from the request to the first token, a moving mean; `None` until there was one.
    #[ts(type = "number | null")]
    pub first_token_ms: Option<u64>,
    /// What went wrong with the last request; `None` when it was answered.
    pub error: Option<AppError>,
    /// Until when its provider asked not to be called again; `None` when it did not, or that is over.
    #[ts(type = "number | null")]
    pub limited_until: Option<i64>,
    /// When that was last noted.
    #[ts(type = "number")]
    pub at: i64,
}
