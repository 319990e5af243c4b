//! Everyone else's models: one [`Provider`] interface, the wires behind it, and the network.
//!
//! An answer goes `bytes -> sse -> wire -> ProviderEvent`. The framer and the wires are pure; only
//! `http` does I/O, and `answer` joins the two. An answer is whole only when its wire said so:
//! everything else ends with an error of the kind `Interrupted`, after all text that had come.
//!
//! # Layout
//! - [`Request`], [`ProviderEvent`], [`ProviderError`]: what goes in and what comes out, the same
//!   for every provider, the in-house one included.
//! - `sse`, `wire`: framing, and one pair of encoder and mapper a wire. A new wire is a module
//!   there and an arm in each of its four functions.
//! - `catalog`: providers and models as data. A new provider is an entry, not code.
//! - `remote`: the provider at any address, on any wire; `headers`, what its requests carry;
//!   `models`, its lists, and `ollama`, what that server tells beside them; `dialect`, what a server
//!   has refused.
//! - `replay`: the wires on their own, for `pilotfish debug`.

mod address;
mod answer;
mod catalog;
mod dialect;
mod error;
mod event;
mod headers;
mod http;
mod models;
mod ollama;
mod provider;
mod remote;
mod replay;
mod request;
mod sse;
mod wire;

pub use address::{AddressError, base_url, runs_at};
pub use catalog::builtin_endpoints;
pub use catalog::known::known_models;
pub use catalog::overrides::{MAX_OVERRIDE_BYTES, OverrideError, Overrides};
pub use error::{ErrorKind, Fault, ProviderError};
pub use event::ProviderEvent;
pub use headers::{HeaderError, headers};
pub use http::{Http, HttpError, Limits, Retries, Traffic};
pub use provider::Provider;
pub use remote::Remote;
pub use replay::{DecodeError, Decoded, decode, encode_request};
pub use request::{Attached, Request, RequestMessage, Tool, ToolChoice};
pub use wire::attachment::quoted;
