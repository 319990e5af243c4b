//! A turn from request to stored answer, and all that windows and the terminal ask for.
//!
//! The window, the terminal and the API drive the same [`Engine`]. What a person wrote is committed
//! before any request leaves; what comes back is folded into a draft that any number of readers
//! follow; every end (whole, failed, cut off, stopped) keeps what had come.
//!
//! # Layout
//! - [`Engine`]: opening, shutting down, and what stands behind all else. Its methods live beside
//!   their subject: `send` (send, edit, regenerate, continue, cancel, attach), `thread` (with
//!   `render_cache`), `conversations`, `models`, `endpoints`, `keys`, `provider_states`, `api_keys`,
//!   `library`, `settings`, `recovery`, `probe`, `trial`.
//! - `turn`: one answer, to its stored end. `failover`: which models are asked for it; `attempt`: one
//!   of them: key, context, stream. `checkpoint`: its copy in the store while it grows. `outcome`: how
//!   it ended. `turns`: which of them run, and what could not be stored yet.
//! - `route`: from a model's name to whoever serves it; `cluster`: in the in-house slot. `health`: how
//!   models have fared.
//! - `egress`: the one door out, with its ledger; `ledger` and `estimate`, what a person asks about it;
//!   `cost`: what an answer costs.
//! - `context`: the system prompt, and the branch fitted to the model's window. `translate`: the
//!   branch in terms of that model; `files`: what its images and files hold; `summary`: what stands
//!   for its beginning. `preflight`: all of it told before it is sent.
//! - `grown`: events folded into parts. `draft`, [`TurnStream`]: the growing answer and its readers.
//!   [`Presenter`]: the same as events for a window, at most one a frame.
//! - `overrides`: what the person says of models, in `catalog.json`.
//! - `key_ring`: keys in the vault, and by choice in memory. `title`: a conversation's title, by
//!   the in-house model.
//! - [`Change`]: what windows should ask for again. [`Paths`]: where things live.

mod api_keys;
mod attempt;
mod change;
mod checkpoint;
mod clock;
mod cluster;
mod context;
mod conversations;
mod cost;
mod draft;
mod egress;
mod endpoints;
mod engine;
mod estimate;
mod failover;
mod files;
mod grown;
mod health;
mod key_ring;
mod keys;
mod ledger;
mod library;
mod models;
mod outcome;
mod overrides;
mod paths;
mod preflight;
mod presenter;
mod probe;
mod provider_states;
mod recovery;
mod render_cache;
mod route;
mod send;
mod settings;
mod stream;
mod summary;
mod thread;
mod title;
mod translate;
mod trial;
mod turn;
mod turns;

pub use change::Change;
pub use clock::local_time;
pub use engine::{Config, Engine};
pub use inhouse::WorkerCommand;
pub use paths::Paths;
pub use presenter::Presenter;
pub use stream::{TurnStream, TurnUpdate};
