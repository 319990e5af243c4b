//! The nouns every crate and the window share: ids, messages, events, error codes.
//!
//! Nothing here does I/O. Each type is serde for the wire between processes and, where the window
//! sees it, `ts-rs` for TypeScript: `cargo test -p protocol` writes `ui/src/bindings/`, which is
//! committed, and a test fails when what is committed has drifted.
//!
//! # Layout
//! - [`id`]: UUIDv7 newtypes. Times everywhere are integer milliseconds UTC, named `*_at`.
//! - [`conversation`], [`message`]: the tree of what was said. A message's content is a list of
//!   [`Part`]s in the order in which the model gave them.
//! - [`model`]: what can answer, and where it runs.
//! - [`turn`]: what the window asks for and what it is told while an answer grows.
//! - [`view`]: messages as the window shows them, with finished safe HTML.
//! - [`preflight`], [`health`]: what would become of a conversation with a model, and how models have
//!   fared.
//! - [`settings`]: what a person set.
//! - [`ledger`]: what left the machine and what it cost.
//! - [`library`], [`status`], [`start`]: the in-house models on this machine, what works here, and
//!   all of it at once for a window that opens.
//! - [`error`]: the closed set of codes that crosses the edge.
//! - [`secret`]: a value that can be neither printed nor serialised.

pub mod conversation;
pub mod error;
pub mod health;
pub mod id;
pub mod ledger;
pub mod library;
pub mod message;
pub mod model;
pub mod preflight;
pub mod secret;
pub mod settings;
pub mod start;
pub mod status;
pub mod turn;
pub mod view;

pub use conversation::{Conversation, ConversationSummary, SearchHit};
pub use error::{AppError, ErrorAction, ErrorCode};
pub use health::Health;
pub use id::{AttachmentId, ConversationId, MessageId, TurnId};
pub use ledger::{
    CallOutcome, ConversationSpend, Cost, DaySpend, Estimate, EstimateRequest, LedgerEntry,
    LedgerPage, ModelSpend, ProviderSpend, Purpose, Spend, Spending,
};
pub use library::{LibraryEntry, LibraryState, PullProgress};
pub use message::{
    Attempt, Message, MessageState, Part, PartKind, ProviderBlob, Role, StopReason, Usage,
};
pub use model::{Effort, Model, ModelGroup, ModelRef, Price, ProviderId, RunsAt, Wire};
pub use preflight::{Fit, Preflight, PreflightRequest, WayOut};
pub use secret::Secret;
pub use settings::{
    ApiKey, Appearance, AtCap, Caps, Cluster, Endpoint, EndpointDraft, Header, KeyRecord,
    ModelEffort, ProviderCap, Settings, Theme,
};
pub use start::Start;
pub use status::{Check, HotkeyState, KeyPlace, ProviderState, Snapshot, StoreState, VaultState};
pub use turn::{EditMessage, RegenerateMessage, SendMessage, TurnEvent, TurnStarted};
pub use view::{Block, MessageView, PartView, ThreadView};
