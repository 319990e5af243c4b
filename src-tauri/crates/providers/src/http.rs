//! The one way to the network: one client for all providers, with every wait and every size bounded.
//!
//! No redirect is followed, so a key never reaches another address than the one it was saved for;
//! there are no cookies and no referrer. Answers of this machine's own servers bypass proxies.

mod fault;
mod limits;
mod retry;
mod traffic;

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use protocol::{AppError, ErrorCode, RunsAt, Secret};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, Response, redirect};
use tokio::time::timeout;
use url::Url;

pub(crate) use self::fault::wordless;
use self::fault::{REFUSED, broke_off, moved, not_sent, silent, slow, too_large};
pub use self::limits::Limits;
pub use self::retry::Retries;
pub use self::traffic::Traffic;
use crate::dialect::Refusals;
use crate::error::classify;
use crate::error::scrub::scrub;
use crate::headers::Headers;
use crate::{ErrorKind, Fault, runs_at};

/// The longest body that is read whole, in bytes, unpacked.
pub(crate) const MAX_BODY_BYTES: usize = 8 << 20;

/// How much of an error's body is read, in bytes, unpacked.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("the network client could not be set up ({0}); check the machine's certificates")]
pub struct HttpError(#[from] reqwest::Error);

impl From<HttpError> for AppError {
    fn from(error: HttpError) -> Self {
        Self::new(ErrorCode::Network, error.to_string())
    }
}

/// The client, built once and shared by all providers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Http {
    remote: Client,
    local: Client,
    limits: Limits,
    refusals: Refusals,
    traffic: Traffic,
}

/// A request to send.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) url: Url,
    pub(crate) key: Option<Secret<String>>,
    pub(crate) headers: Headers,
    pub(crate) ask: Ask,
}

/// What is asked for, and so how long it may take and whether it is asked for again.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// `GET`: a list. Sent once, because it can be asked for again.
    List,
    /// `POST` with this JSON: a fact. Sent once.
    Fact(Bytes),
    /// `POST` with this JSON: an answer. Sent as often as there is hope.
    Answer(Bytes),
}

impl Http {
    /// A client with the default [`Limits`].
    ///
    /// # Errors
    /// When TLS cannot be set up on this machine.
    pub fn new() -> Result<Self, HttpError> {
        Self::with_limits(Limits::default())
    }

    /// A client with other limits.
    ///
    /// # Errors
    /// When TLS cannot be set up on this machine.
    pub fn with_limits(limits: Limits) -> Result<Self, HttpError> {
        // Whoever installs one first wins; it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let build = |builder: ClientBuilder| {
            builder
                .redirect(redirect::Policy::none())
                .referer(false)
                .connect_timeout(limits.connect)
                .http2_keep_alive_interval(limits.alive)
                .http2_keep_alive_timeout(limits.alive)
                .user_agent(concat!("pilotfish/", env!("CARGO_PKG_VERSION")))
                .build()
        };
        let remote = build(Client::builder())?;
        let local = build(Client::builder().no_proxy())?;
        Ok(Self {
            remote,
            local,
            limits,
            refusals: Refusals::default(),
            traffic: Traffic::default(),
        })
    }

    /// The same client, whose bytes are counted there.
    #[must_use]
    pub fn counted(&self, traffic: Traffic) -> Self {
        Self {
            traffic,
            ..self.clone()
        }
    }

    /// The limits that it keeps.
    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What servers have refused to those who share this client.
    pub(crate) const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// How long the head of an answer from there may take, and its first event.
    pub(crate) fn headers_limit(&self, url: &Url) -> Duration {
        if is_here(url) {
            self.limits.headers_local
        } else {
            self.limits.headers
        }
    }

    /// Sends the request until it is answered with success or there is no point in going on.
    pub(crate) async fn send(&self, call: &Call) -> Result<Response, Fault> {
        let headers = call_headers(call)?;
        let begun = Instant::now();
        let mut sent = 0;
        loop {
            let (fault, answered) = match self.attempt(call, &headers).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            if !matches!(call.ask, Ask::Answer(_)) {
                return Err(fault);
            }
            let here = is_here(&call.url);
            let wait = if here && is_loading(&fault) {
                let pause = self.limits.retries.first_wait;
                Some(pause).filter(|pause| begun.elapsed() + *pause < self.limits.headers_local)
            } else if here && fault.code.as_deref() == Some(REFUSED) {
                // Nothing listens, and nothing will in a second: the person has to start it.
                None
            } else {
                sent += 1;
                self.limits
                    .retries
                    .wait(sent - 1, &fault, answered.as_ref())
            };
            let Some(wait) = wait else { return Err(fault) };
            tracing::debug!(kind = ?fault.kind, status = fault.status, ?wait, "request is sent again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(
        &self,
        call: &Call,
        headers: &HeaderMap,
    ) -> Result<Response, (Fault, Option<HeaderMap>)> {
        let client = if is_here(&call.url) {
            &self.local
        } else {
            &self.remote
        };
        let request = match &call.ask {
            Ask::List => client.get(call.url.clone()),
            Ask::Fact(body) | Ask::Answer(body) => client.post(call.url.clone()).body(body.clone()),
        };
        let limit = match &call.ask {
            Ask::List | Ask::Fact(_) => self.limits.headers_list,
            Ask::Answer(_) => self.headers_limit(&call.url),
        };
        let sending = self.traffic.sending(&call.ask);
        let response = match timeout(limit, request.headers(headers.clone()).send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                if error.is_connect() {
                    sending.take_back();
                }
                return Err((not_sent(&call.url, &error), None));
            }
            Err(_) => return Err((silent(&call.url, limit, ErrorKind::Network), None)),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        if status.is_redirection() {
            return Err((moved(&call.url, status.as_u16(), &headers), Some(headers)));
        }
        let mut response = response;
        let (body, _) = self
            .read(&mut response, MAX_ERROR_BYTES, self.limits.body)
            .await;
        let body = match &call.key {
            Some(key) => scrub(&String::from_utf8_lossy(&body), key).into_bytes(),
            None => body,
        };
        let fault = classify::answer(status.as_u16(), &headers, &body, SystemTime::now());
        Err((fault, Some(headers)))
    }

    /// The next piece of a body, which may take as long as the limit says; `None` at its end.
    pub(crate) async fn chunk(
        &self,
        response: &mut Response,
        limit: Duration,
    ) -> Result<Option<Bytes>, Fault> {
        match timeout(limit, response.chunk()).await {
            Ok(Ok(chunk)) => {
                self.traffic
                    .count_received(chunk.as_ref().map_or(0, Bytes::len));
                Ok(chunk)
            }
            Ok(Err(error)) => Err(broke_off(response.url(), &error)),
            Err(_) => Err(silent(response.url(), limit, ErrorKind::Interrupted)),
        }
    }

    /// The whole body of a list or a fact.
    pub(crate) async fn body(&self, response: &mut Response) -> Result<Vec<u8>, Fault> {
        self.whole(response, self.limits.body).await
    }

    /// The whole body of an answer that does not stream: it comes when the model is done.
    pub(crate) async fn answer_body(&self, response: &mut Response) -> Result<Vec<u8>, Fault> {
        self.whole(response, self.limits.eventless).await
    }

    async fn whole(&self, response: &mut Response, within: Duration) -> Result<Vec<u8>, Fault> {
        match self.read(response, MAX_BODY_BYTES, within).await {
            (body, None) => Ok(body),
            (_, Some(fault)) => Err(fault),
        }
    }

    /// As much of the body as the limits allow, and why there is not more.
    async fn read(
        &self,
        response: &mut Response,
        limit: usize,
        within: Duration,
    ) -> (Vec<u8>, Option<Fault>) {
        let ends_at = Instant::now() + within;
        let mut body = Vec::new();
        loop {
            let left = ends_at.saturating_duration_since(Instant::now());
            match self.chunk(response, self.limits.idle.min(left)).await {
                Ok(None) => return (body, None),
                Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                    body.extend_from_slice(&chunk[..limit - body.len()]);
                    return (body, Some(too_large(response.url(), limit)));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(_) if Instant::now() >= ends_at => {
                    return (body, Some(slow(response.url(), within)));
                }
                Err(fault) => return (body, Some(fault)),
            }
        }
    }
}

fn call_headers(call: &Call) -> Result<HeaderMap, Fault> {
    let mut headers = call.headers.with_key(call.key.as_ref())?;
    let json = HeaderValue::from_static("application/json");
    let accepted = match call.ask {
        Ask::List | Ask::Fact(_) => json.clone(),
        Ask::Answer(_) => HeaderValue::from_static("text/event-stream"),
    };
    headers.insert(ACCEPT, accepted);
    if !matches!(call.ask, Ask::List) {
        headers.insert(CONTENT_TYPE, json);
    }
    Ok(headers)
}

fn is_here(url: &Url) -> bool {
    runs_at(url) == RunsAt::ThisMachine
}

/// Whether the server says that it is about to be ready, as llama-server does while it loads.
fn is_loading(fault: &Fault) -> bool {
    fault.status == Some(503) && fault.message.to_lowercase().contains("loading model")
}
