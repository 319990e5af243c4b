//! A turn from request to stored answer, and all that windows and the terminal ask for.
//!
//! The window, the terminal and the API drive the same [`Engine`]. What a person wrote is committed
//! before any request leaves; what comes back is folded into a draft that any number of readers
//! follow; every end (whole, failed, cut off, stopped) keeps what had come.
//!
//! # Layout
//! - [`Engine`]: opening, shutting down, and what stands behind all else. Its methods live beside
//!   their subject: `send` (send, edit, regenerate, continue, cancel, attach), `thread` (with
//!   `render_cache`), `conversations`, `models`, `endpoints`, `keys`, `api_keys`, `library`,
//!   `settings`, `recovery`, `probe`.
//! - `turn`: one answer: key, context, stream, end. `checkpoint`: its copy in the store while it
//!   grows. `outcome`: how it ended. `turns`: which of them run, and what could not be stored yet.
//! - `context`: the system prompt, and the branch fitted to the model's window.
//! - `grown`: events folded into parts. `draft`, [`TurnStream`]: the growing answer and its readers.
//!   [`Presenter`]: the same as events for a window, at most one a frame.
//! - `key_ring`: keys in the vault, and by choice in memory. `title`: a conversation's title, by
//!   the in-house model.
//! - [`Change`]: what windows should ask for again. [`Paths`]: where things live.

mod api_keys;
mod change;
mod checkpoint;
mod clock;
mod context;
mod conversations;
mod draft;
mod endpoints;
mod engine;
mod grown;
mod key_ring;
mod keys;
mod library;
mod models;
mod outcome;
mod paths;
mod presenter;
mod probe;
mod recovery;
mod render_cache;
mod send;
mod settings;
mod stream;
mod thread;
mod title;
mod turn;
mod turns;

pub use change::Change;
pub use engine::{Config, Engine};
pub use inhouse::WorkerCommand;
pub use paths::Paths;
pub use presenter::Presenter;
pub use stream::{TurnStream, TurnUpdate};
