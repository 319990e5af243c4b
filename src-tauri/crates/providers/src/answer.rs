//! An answer as a stream: sends the request, reads the body through the wire's decoder, and ends
//! with `Finished` or one error. It runs in whoever polls it; there is no task behind it, so that
//! dropping it closes the connection.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use protocol::{ProviderId, Wire};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio_util::sync::CancellationToken;

use crate::error::classify;
use crate::http::{Ask, Call, Http, wordless};
use crate::wire::{self, Decoder};
use crate::{ErrorKind, Fault, ProviderError, ProviderEvent};

/// What to send in place of a request that was refused; `None` when the refusal stands.
pub(crate) type Reword = Box<dyn FnMut(&Fault) -> Option<Bytes> + Send>;

enum Phase {
    Asking,
    Reading(Box<Reading>),
    Ended,
}

/// A body that streams in.
struct Reading {
    response: Response,
    decoder: Decoder,
    /// Bytes so far.
    read: usize,
    /// Whether there was an event.
    begun: bool,
    /// When the last event came, or the head.
    spoke_at: Instant,
    /// When we stop waiting for what may follow the end of the answer.
    closes_at: Option<Instant>,
}

struct Answer {
    provider: ProviderId,
    wire: Wire,
    http: Http,
    call: Call,
    reword: Reword,
    cancel: CancellationToken,
    phase: Phase,
    request_id: Option<String>,
    events: VecDeque<ProviderEvent>,
    fault: Option<Fault>,
}

/// The answer to a call.
pub(crate) fn stream(
    provider: ProviderId,
    wire: Wire,
    http: Http,
    call: Call,
    reword: Reword,
    cancel: CancellationToken,
) -> BoxStream<'static, Result<ProviderEvent, ProviderError>> {
    let answer = Answer {
        provider,
        wire,
        http,
        call,
        reword,
        cancel,
        phase: Phase::Asking,
        request_id: None,
        events: VecDeque::new(),
        fault: None,
    };
    futures::stream::unfold(answer, |mut answer| async move {
        answer.next().await.map(|item| (item, answer))
    })
    .boxed()
}

impl Answer {
    async fn next(&mut self) -> Option<Result<ProviderEvent, ProviderError>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(Ok(event));
            }
            if let Some(fault) = self.fault.take() {
                return Some(Err(self.error(fault)));
            }
            if matches!(self.phase, Phase::Ended) {
                return None;
            }
            let cancel = self.cancel.clone();
            let stepped = cancel.run_until_cancelled(self.step()).await;
            let result = stepped.unwrap_or_else(|| {
                Err(Fault::new(ErrorKind::Interrupted, "the answer was stopped")
                    .with_code("cancelled"))
            });
            if let Err(fault) = result {
                self.fault = Some(fault);
                self.phase = Phase::Ended;
            }
        }
    }

    /// Goes on until there are events, or the answer ends.
    async fn step(&mut self) -> Result<(), Fault> {
        let mut out = Vec::new();
        let result = match &mut self.phase {
            Phase::Asking => self.open(&mut out).await,
            Phase::Reading(reading) => match reading.advance(&self.http, &mut out).await {
                Ok(ControlFlow::Continue(())) => Ok(()),
                Ok(ControlFlow::Break(())) => {
                    self.phase = Phase::Ended;
                    Ok(())
                }
                Err(fault) => Err(fault),
            },
            Phase::Ended => Ok(()),
        };
        self.events.extend(out);
        result
    }

    async fn open(&mut self, out: &mut Vec<ProviderEvent>) -> Result<(), Fault> {
        let decoder = Decoder::new(self.wire)?;
        let mut response = self.ask().await?;
        self.request_id = classify::request_id(response.headers());
        let kind = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        if kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("event-stream")) {
            self.phase = Phase::Reading(Box::new(Reading {
                response,
                decoder,
                read: 0,
                begun: false,
                spoke_at: Instant::now(),
                closes_at: None,
            }));
            return Ok(());
        }
        let body = self.http.answer_body(&mut response).await?;
        self.phase = Phase::Ended;
        match wire::whole(self.wire, decoder, &body, out) {
            Some(result) => result,
            None => Err(classify::no_answer(
                response.status().as_u16(),
                response.headers(),
                &body,
            )),
        }
    }

    /// Sends the request, and in other words where the provider refused these.
    async fn ask(&mut self) -> Result<Response, Fault> {
        loop {
            let fault = match self.http.send(&self.call).await {
                Ok(response) => return Ok(response),
                Err(fault) => fault,
            };
            match (self.reword)(&fault) {
                Some(body) => {
                    tracing::info!(provider = %self.provider, "the request is worded differently");
                    self.call.ask = Ask::Answer(body);
                }
                None => return Err(fault),
            }
        }
    }

    fn error(&self, mut fault: Fault) -> ProviderError {
        fault.request_id = fault.request_id.or_else(|| self.request_id.clone());
        fault.scrubbed(self.call.key.as_ref()).at(&self.provider)
    }
}

impl Reading {
    /// Reads a piece; `Break` when the answer is whole.
    async fn advance(
        &mut self,
        http: &Http,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<ControlFlow<()>, Fault> {
        let limit = self.patience(http);
        let decoder = &mut self.decoder;
        match http.chunk(&mut self.response, limit).await {
            Ok(Some(bytes)) => {
                let most = http.limits().answer_bytes;
                let room = most.saturating_sub(self.read);
                self.read += bytes.len();
                let flow = decoder.push(&bytes[..bytes.len().min(room)], out)?;
                if !out.is_empty() {
                    self.begun = true;
                    self.spoke_at = Instant::now();
                }
                if decoder.ended() {
                    self.closes_at
                        .get_or_insert_with(|| Instant::now() + http.limits().closing);
                }
                if flow.is_break() {
                    return decoder.finish(out).map(ControlFlow::Break);
                }
                if self.read <= most {
                    return Ok(ControlFlow::Continue(()));
                }
                decoder.finish(out).map(ControlFlow::Break).map_err(|_| {
                    Fault::new(
                        ErrorKind::Interrupted,
                        format!("the answer exceeds {most} bytes and was cut off; ask for less"),
                    )
                    .with_code("too_large")
                })
            }
            Ok(None) => decoder.finish(out).map(ControlFlow::Break),
            // What broke off after the wire's terminal event is whole all the same.
            Err(lost) => decoder.finish(out).map(ControlFlow::Break).map_err(|_| {
                let eventless = http.limits().eventless;
                if self.spoke_at.elapsed() >= eventless {
                    wordless(self.response.url(), eventless)
                } else {
                    lost
                }
            }),
        }
    }

    /// How long the next piece may take. Signs of life keep an answer open, but not for ever.
    fn patience(&self, http: &Http) -> Duration {
        if let Some(closes_at) = self.closes_at {
            return closes_at.saturating_duration_since(Instant::now());
        }
        let eventless = http.limits().eventless;
        let silence = if self.begun {
            http.limits().idle
        } else {
            http.headers_limit(self.response.url())
        };
        silence.min(eventless.saturating_sub(self.spoke_at.elapsed()))
    }
}
