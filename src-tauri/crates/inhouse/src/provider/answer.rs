//! Between a request of the application and the worker's lines.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _};
use protocol::{Part, ProviderId, Usage};
use providers::{ErrorKind, ProviderError, ProviderEvent, Request, RequestMessage};
use tokio_util::sync::CancellationToken;

use super::Inner;
use crate::line::{Event, Fault, Generate, Said, Sampling, Tokens};
use crate::process::{Answer, Failure};

/// All texts of a request together: below what a line may hold after escaping.
const MAX_TEXT_BYTES: usize = 4 << 20;

type Item = Result<ProviderEvent, ProviderError>;

/// The worker's request. Parts that are no text have no place in a prompt.
pub(super) fn generate(request: Request, recommended: Sampling) -> Generate {
    let temperature = request.temperature.unwrap_or(recommended.temperature);
    let messages = request
        .messages
        .iter()
        .map(said)
        .filter(|said| !said.text.is_empty());
    Generate {
        id: 0,
        messages: messages.collect(),
        system: request.system,
        continue_last: request.continue_last,
        cache_key: request.cache_key,
        max_tokens: request.max_tokens,
        sampling: Sampling {
            temperature,
            ..recommended
        },
        stop: request.stop,
    }
}

/// Whether a request is longer than a line to the worker can be.
pub(super) fn is_too_long(request: &Generate) -> bool {
    let texts = request.messages.iter().map(|said| said.text.len());
    texts.sum::<usize>() + request.system.len() > MAX_TEXT_BYTES
}

fn said(message: &RequestMessage) -> Said {
    let texts: Vec<&str> = message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text { text, .. } => Some(text.as_str()),
            Part::ToolResult { content, .. } => Some(content.as_str()),
            Part::Thinking { .. }
            | Part::Image { .. }
            | Part::File { .. }
            | Part::ToolCall { .. } => None,
        })
        .collect();
    Said {
        role: message.role,
        text: texts.join("\n\n"),
    }
}

pub(super) fn cancelled(provider: &ProviderId) -> ProviderError {
    ProviderError::new(ErrorKind::Interrupted, provider, "the answer was stopped")
}

/// What is left of an answer.
struct Rest {
    inner: Arc<Inner>,
    model: String,
    answer: Answer,
    cancel: CancellationToken,
    ready: VecDeque<Item>,
    is_over: bool,
}

/// The events of an answer, or of one that did not begin.
pub(super) fn events(
    inner: Arc<Inner>,
    begun: Result<(String, Answer), ProviderError>,
    cancel: CancellationToken,
) -> BoxStream<'static, Item> {
    let (model, answer) = match begun {
        Ok(begun) => begun,
        Err(error) => return stream::iter([Err(error)]).boxed(),
    };
    let started = ProviderEvent::Started {
        model: Some(model.clone()),
        response_id: None,
    };
    let ready = VecDeque::from([Ok(started)]);
    stream::unfold(
        Rest {
            inner,
            model,
            answer,
            cancel,
            ready,
            is_over: false,
        },
        next,
    )
    .boxed()
}

async fn next(mut rest: Rest) -> Option<(Item, Rest)> {
    loop {
        if let Some(item) = rest.ready.pop_front() {
            return Some((item, rest));
        }
        if rest.is_over {
            return None;
        }
        let event = tokio::select! {
            biased;
            () = rest.cancel.cancelled() => None,
            event = rest.answer.next() => Some(event),
        };
        match event {
            // The worker stops at its next step; nobody waits for that.
            None => rest.end(Err(cancelled(&rest.inner.id))),
            Some(Some(Ok(event))) => rest.take(event),
            Some(Some(Err(failure))) => rest.fail(&failure),
            Some(None) => rest.fail(&Failure::Died("the model process ended".to_owned())),
        }
    }
}

impl Rest {
    fn end(&mut self, item: Item) {
        self.ready.push_back(item);
        self.is_over = true;
    }

    fn fail(&mut self, failure: &Failure) {
        let error = self.inner.failure(&self.model, failure);
        self.end(Err(error));
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Reading { done, total, .. } => {
                self.ready
                    .push_back(Ok(ProviderEvent::Reading { done, total }));
            }
            Event::Text { text, .. } => self.ready.push_back(Ok(ProviderEvent::Text(text))),
            Event::Finished {
                stop_reason,
                tokens,
                ..
            } => {
                self.ready
                    .push_back(Ok(ProviderEvent::Usage(usage(tokens))));
                self.end(Ok(ProviderEvent::Finished { stop_reason }));
            }
            Event::Failed { fault, message, .. } => {
                let kind = match fault {
                    Fault::ContextOverflow => ErrorKind::ContextOverflow,
                    Fault::InvalidRequest => ErrorKind::InvalidRequest,
                    Fault::ModelInvalid => ErrorKind::ModelInvalid,
                    Fault::Overloaded => ErrorKind::Overloaded,
                    Fault::Unknown => ErrorKind::Unknown,
                };
                let message = match fault {
                    Fault::ModelInvalid => {
                        format!("the model {} is refused: {message}", self.model)
                    }
                    _ => message,
                };
                let error = self.inner.error(kind, message);
                self.end(Err(error));
            }
            // These are about the worker and never reach an answer.
            Event::Loaded { .. } | Event::Refused { .. } => {}
        }
    }
}

fn usage(tokens: Tokens) -> Usage {
    Usage {
        input_tokens: Some(u64::from(tokens.input)),
        cached_tokens: Some(u64::from(tokens.cached)),
        cache_write_tokens: None,
        output_tokens: Some(u64::from(tokens.output)),
        thinking_tokens: None,
        reported_cost_usd: None,
        estimated: false,
    }
}
