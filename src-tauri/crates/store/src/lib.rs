//! Conversations in SQLite: nothing a person wrote is lost.
//!
//! [`Store::open`] looks at the folder before it touches anything and ends in one of two ways:
//! [`Opened::Ready`] with a [`Store`], or [`Opened::Recovery`] with a read-only view of a database
//! that cannot be used and, when it is damaged, the snapshots that can take its place. No failure
//! deletes or recreates data.
//!
//! # Layout
//! - [`open`](Store::open): `inspect` tells healthy from damaged, new and old; `migrate` brings an
//!   old file up after a snapshot; `recovery` shows one that cannot be used, `salvage` reads one
//!   past its damage.
//! - `ask`: a question and the answer that is opened to it, at once; `tree`: where messages stand.
//! - One file a table: `conversations`, `messages` (what writes them), `rows` and `branch` (what
//!   reads them), `interrupted` (what a crash left of them), `parts`, `attachments`, `summaries`,
//!   `settings`, `endpoints`, `ledger` (what left the machine).
//! - `search`: full text, newest first; `segment` makes it work without spaces between words.
//! - `snapshots`: daily copies that never shrink silently.
//! - `folder`, `lock`, `marker`: private files, other processes, and what was here before.
//! - `connection`: one writer with `synchronous=FULL`, a few readers.
//!
//! # In the folder
//! `pilotfish.db` with its `-wal` and `-shm`, `pilotfish.marker.json`, `maintenance.lock`, and the
//! folders `attachments`, `snapshots`, `instances`, `recovery` (copies of a damaged database being
//! looked at) and `damaged` (databases that a snapshot replaced). All are private to their owner.

mod ask;
mod attachments;
mod branch;
mod connection;
mod conversations;
mod endpoints;
mod error;
mod folder;
mod inspect;
mod interrupted;
mod ledger;
mod lock;
mod marker;
mod messages;
mod migrate;
mod open;
mod parts;
mod recovery;
mod rows;
mod salvage;
mod search;
mod segment;
mod settings;
mod snapshots;
mod store;
mod summaries;
mod tree;

pub use ask::{Asked, Question};
pub use attachments::{Attachment, MAX_ATTACHMENT_BYTES};
pub use branch::{BranchMessage, BranchPage, MAX_PAGE};
pub use conversations::{MAX_LISTED, MAX_TITLE_BYTES, NewConversation, TRASH_KEPT_MS};
pub use error::StoreError;
pub use ledger::{LEDGER_KEPT_MS, MAX_ENTRIES};
pub use messages::{DraftDelta, Finish};
pub use open::Opened;
pub use parts::{MAX_MESSAGE_BYTES, MAX_PARTS};
pub use recovery::Recovery;
pub use search::{MAX_HITS, MAX_QUERY};
pub use snapshots::Daily;
pub use store::{Reader, Store};
pub use summaries::{MAX_SUMMARY_BYTES, Summary};
