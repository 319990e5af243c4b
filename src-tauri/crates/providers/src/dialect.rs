//! What servers refuse that others take, learned from their answers: a request that was refused for
//! one field of ours is worth a second try without it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::Wire;
use url::Url;

use crate::catalog::{Continuation, Quirks, ReasoningRequest, UsageRequest};
use crate::wire::chat::LimitSpelling;
use crate::{Fault, Request};

/// How many models are remembered: far more than a person talks to in a run.
const MAX_MODELS: usize = 1_024;

/// How requests had to be worded for the models of an address, so that each is tried once a run.
/// Clones share what they know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Arc<Mutex<HashMap<(Url, String), Quirks>>>);

impl Refusals {
    pub(crate) fn remember(&self, base_url: &Url, model: &str, taken: &Quirks) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (base_url.clone(), model.to_owned());
        if known.len() < MAX_MODELS || known.contains_key(&place) {
            known.insert(place, taken.clone());
        }
    }

    pub(crate) fn knows(&self, base_url: &Url, model: &str) -> Option<Quirks> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(base_url.clone(), model.to_owned())).cloned()
    }
}

/// How to ask once more after this fault; `None` when it is not about what we could leave out.
pub(crate) fn reworded(
    wire: Wire,
    sent: &Quirks,
    request: &Request,
    fault: &Fault,
) -> Option<Quirks> {
    if !matches!(fault.status, Some(400 | 404 | 422)) {
        return None;
    }
    let message = fault.message.to_lowercase();
    let mut other = sent.clone();
    if sent.usage == UsageRequest::StreamOptions && message.contains("stream_options") {
        other.usage = UsageRequest::Unasked;
        return Some(other);
    }
    // llama-server goes on with an answer by itself, but not with a model that thinks.
    let prefilled = request.continue_last && sent.continuation == Continuation::Prefill;
    if prefilled && (message.contains("prefill") || message.contains("assistant")) {
        other.continuation = Continuation::Ask;
        return Some(other);
    }
    // OpenAI's thinking models, at an address of which nothing is known but the wire.
    if wire == Wire::Chat
        && sent.limit_spelling == LimitSpelling::MaxTokens
        && request.max_tokens.is_some()
        && message.contains("max_completion_tokens")
    {
        other.limit_spelling = LimitSpelling::MaxCompletionTokens;
        return Some(other);
    }
    // A model that does not think refuses to be asked for its thoughts.
    if wire == Wire::Gemini
        && sent.reasoning != ReasoningRequest::Unasked
        && request.effort.is_none()
        && message.contains("thinking")
    {
        other.reasoning = ReasoningRequest::Unasked;
        return Some(other);
    }
    if wire != Wire::Responses {
        return None;
    }
    if !sent.without_item_ids
        && (message.contains("not persisted") || message.contains("without its required"))
    {
        other.without_item_ids = true;
        return Some(other);
    }
    other.reasoning = less_reasoning(sent.reasoning, &message)?;
    Some(other)
}

/// What is left to ask about reasoning. An effort that a model does not have is no field that it
/// does not know: the person chose it, and is told.
fn less_reasoning(sent: ReasoningRequest, message: &str) -> Option<ReasoningRequest> {
    use ReasoningRequest as R;
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match sent {
        R::Shown if says(&["summar"]) => Some(R::Encrypted),
        R::Shown | R::Encrypted
            if says(&["encrypted", "'include", "body.include", "supplied: include"]) =>
        {
            Some(R::Effort)
        }
        R::Shown | R::Encrypted | R::Effort
            if message.contains("reasoning")
                && says(&[
                    "unsupported parameter",
                    "unknown parameter",
                    "unrecognized",
                    "not permitted",
                ]) =>
        {
            Some(R::Unasked)
        }
        R::Shown | R::Encrypted | R::Effort | R::Unasked => None,
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use protocol::{Effort, Wire};

    use super::{Refusals, reworded};
    use crate::catalog::{Quirks, ReasoningRequest as R};
    use crate::wire::chat::LimitSpelling;
    use crate::{ErrorKind, Fault, Request};

    fn refused(status: u16, message: &str) -> Fault {
        Fault {
            status: Some(status),
            ..Fault::new(ErrorKind::InvalidRequest, message)
        }
    }

    #[test]
    fn a_model_that_does_not_reason_is_asked_less_and_less() {
        let steps = [
            (
                R::Shown,
                "Unsupported parameter: 'reasoning.summary' is not supported with this model.",
                Some(R::Encrypted),
            ),
            (
                R::Shown,
                "Your organization must be verified to generate reasoning summaries.",
                Some(R::Encrypted),
            ),
            (
                R::Encrypted,
                "Encrypted content is not supported with this model.",
                Some(R::Effort),
            ),
            (
                R::Effort,
                "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
                Some(R::Unasked),
            ),
            (
                R::Shown,
                "Unsupported value: 'reasoning.effort' does not support 'xhigh' with this model.",
                None,
            ),
            (R::Unasked, "Unknown parameter: 'reasoning'.", None),
        ];
        for (reasoning, message, expected) in steps {
            let sent = Quirks {
                reasoning,
                ..Quirks::default()
            };
            let ask = |wire| {
                let fault = refused(400, message);
                reworded(wire, &sent, &Request::default(), &fault).map(|other| other.reasoning)
            };
            assert_eq!(ask(Wire::Responses), expected, "{message}");
            assert_eq!(ask(Wire::Chat), None, "{message}");
        }
    }

    #[test]
    fn fields_that_a_model_does_not_know_are_renamed_or_left_out() {
        let limited = Request {
            max_tokens: Some(9),
            ..Request::default()
        };
        let ask = |wire, request: &Request, message| {
            reworded(wire, &Quirks::default(), request, &refused(400, message))
        };
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
                       'max_completion_tokens' instead.";
        let other = ask(Wire::Chat, &limited, message).unwrap();
        assert_eq!(other.limit_spelling, LimitSpelling::MaxCompletionTokens);
        assert_eq!(ask(Wire::Chat, &Request::default(), message), None);

        let message = "Thinking is not enabled for models/gemma-5";
        let other = ask(Wire::Gemini, &limited, message).unwrap();
        assert_eq!(other.reasoning, R::Unasked);
        let chosen = Request {
            effort: Some(Effort::High),
            ..Request::default()
        };
        assert_eq!(
            ask(Wire::Gemini, &chosen, message),
            None,
            "the person is told"
        );
    }

    #[test]
    fn ids_that_a_server_looks_for_are_left_out() {
        let message = "Item with id 'rs_1' not found. Items are not persisted when `store` is set \
                       to false.";
        let ask = |sent: &Quirks| {
            let fault = refused(404, message);
            reworded(Wire::Responses, sent, &Request::default(), &fault)
        };
        let other = ask(&Quirks::default()).unwrap();
        assert!(other.without_item_ids);
        assert_eq!(ask(&other), None, "once is enough");
    }

    #[test]
    fn what_a_model_took_is_remembered_for_it_alone() {
        let refusals = Refusals::default();
        let url = "http://a.example/v1".parse().unwrap();
        let taken = Quirks {
            reasoning: R::Unasked,
            ..Quirks::default()
        };
        refusals.clone().remember(&url, "m", &taken);
        assert_eq!(refusals.knows(&url, "m"), Some(taken));
        assert_eq!(refusals.knows(&url, "n"), None);
    }
}
