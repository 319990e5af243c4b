//! An answer as a stream: sends the request, reads the body through the wire's decoder, and ends
//! with `Finished` or one error. It runs in whoever polls it; there is no task behind it, so that
//! dropping it closes the connection.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use futures::StreamExt;
use futures::stream::BoxStream;
use protocol::{ProviderId, Wire};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio_util::sync::CancellationToken;

use crate::error::classify;
use crate::http::{Call, Http, scrub};
use crate::wire::{self, Decoder};
use crate::{ErrorKind, Fault, ProviderError, ProviderEvent};

/// The most bytes of one answer on the wire, unpacked. A delta of three bytes takes some 300.
const MAX_ANSWER_BYTES: usize = 256 << 20;

enum Phase {
    Asking,
    Reading {
        response: Box<Response>,
        decoder: Decoder,
        read: usize,
    },
    Ended,
}

struct Answer {
    provider: ProviderId,
    wire: Wire,
    http: Http,
    call: Call,
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
    cancel: CancellationToken,
) -> BoxStream<'static, Result<ProviderEvent, ProviderError>> {
    let answer = Answer {
        provider,
        wire,
        http,
        call,
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
            Phase::Reading {
                response,
                decoder,
                read,
            } => {
                let result = advance(&self.http, response, decoder, read, &mut out).await;
                match result {
                    Ok(ControlFlow::Continue(())) => Ok(()),
                    Ok(ControlFlow::Break(())) => {
                        self.phase = Phase::Ended;
                        Ok(())
                    }
                    Err(fault) => Err(fault),
                }
            }
            Phase::Ended => Ok(()),
        };
        self.events.extend(out);
        result
    }

    async fn open(&mut self, out: &mut Vec<ProviderEvent>) -> Result<(), Fault> {
        let decoder = Decoder::new(self.wire)?;
        let mut response = self.http.send(&self.call).await?;
        self.request_id = classify::request_id(response.headers());
        let kind = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        if kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("event-stream")) {
            self.phase = Phase::Reading {
                response: Box::new(response),
                decoder,
                read: 0,
            };
            return Ok(());
        }
        let body = self.http.body(&mut response).await?;
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

    fn error(&self, mut fault: Fault) -> ProviderError {
        fault.request_id = fault.request_id.or_else(|| self.request_id.clone());
        if let Some(key) = &self.call.key {
            fault.message = scrub(&fault.message, key);
            fault.code = fault.code.map(|code| scrub(&code, key));
            fault.request_id = fault.request_id.map(|id| scrub(&id, key));
        }
        fault.at(&self.provider)
    }
}

/// Reads a piece; `Break` when the answer is whole.
async fn advance(
    http: &Http,
    response: &mut Response,
    decoder: &mut Decoder,
    read: &mut usize,
    out: &mut Vec<ProviderEvent>,
) -> Result<ControlFlow<()>, Fault> {
    match http.chunk(response).await {
        Ok(Some(bytes)) => {
            *read += bytes.len();
            if *read > MAX_ANSWER_BYTES {
                return Err(Fault::new(
                    ErrorKind::Interrupted,
                    format!("the answer exceeds {MAX_ANSWER_BYTES} bytes and was cut off"),
                )
                .with_code("too_large"));
            }
            if decoder.push(&bytes, out)?.is_continue() {
                return Ok(ControlFlow::Continue(()));
            }
            decoder.finish(out).map(ControlFlow::Break)
        }
        Ok(None) => decoder.finish(out).map(ControlFlow::Break),
        // What broke off after the wire's terminal event is whole all the same.
        Err(lost) => decoder
            .finish(out)
            .map(ControlFlow::Break)
            .map_err(|_| lost),
    }
}
