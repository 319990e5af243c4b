//! What servers refuse that others take, learned from their answers: a request that was refused for
//! one field of ours is worth a second try without it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use crate::catalog::{Continuation, Quirks, UsageRequest};
use crate::{Fault, Request};

/// How many addresses are remembered: far more than a person has.
const MAX_ADDRESSES: usize = 256;

/// The addresses that refuse to be asked for the usage, so that each is tried once a run. Clones
/// share what they know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Arc<Mutex<HashSet<Url>>>);

impl Refusals {
    pub(crate) fn remember(&self, base_url: &Url) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MAX_ADDRESSES {
            known.insert(base_url.clone());
        }
    }

    pub(crate) fn knows(&self, base_url: &Url) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(base_url)
    }
}

/// How to ask once more after this fault; `None` when it is not about what we could leave out.
pub(crate) fn reworded(sent: &Quirks, request: &Request, fault: &Fault) -> Option<Quirks> {
    if !matches!(fault.status, Some(400 | 422)) {
        return None;
    }
    let message = fault.message.to_lowercase();
    if sent.usage == UsageRequest::StreamOptions && message.contains("stream_options") {
        return Some(Quirks {
            usage: UsageRequest::Unasked,
            ..sent.clone()
        });
    }
    // llama-server goes on with an answer by itself, but not with a model that thinks.
    let prefilled = request.continue_last && sent.continuation == Continuation::Prefill;
    if prefilled && (message.contains("prefill") || message.contains("assistant")) {
        return Some(Quirks {
            continuation: Continuation::Ask,
            ..sent.clone()
        });
    }
    None
}
