//! The in-house model's library: what is on this machine and what can be fetched.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Whether a model of the library can answer now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
#[ts(export)]
pub enum LibraryState {
    /// On this machine and checked.
    Ready,
    /// On this machine and sound as far as was looked; all of it is looked through before it answers
    /// for the first time.
    Checking,
    /// In the catalogue, not on this machine.
    Absent,
    /// Being fetched.
    Fetching,
    /// On this machine but refused.
    Invalid {
        /// Why, in a sentence.
        reason: String,
    },
}

impl LibraryState {
    /// Whether the model can be asked: it answers, or says what its file lacks.
    #[must_use]
    pub const fn can_be_asked(&self) -> bool {
        matches!(self, Self::Ready | Self::Checking)
    }
}

/// A model of the library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LibraryEntry {
    /// Its id, as in `inhouse/ID`: `default`, `small`, or made from the file's name.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// What it is good for, in a sentence; empty for files of the person's own.
    pub about: String,
    /// The licence, as its SPDX id, when known.
    pub licence: Option<String>,
    /// Size of the file in bytes.
    #[ts(type = "number")]
    pub bytes: u64,
    /// Whether it comes with Pilotfish's catalogue.
    pub in_catalogue: bool,
    /// Whether it can answer now.
    pub state: LibraryState,
}

/// How far a model's download has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export)]
pub enum PullProgress {
    /// Bytes are coming.
    Fetching {
        /// Where from: the host or the package.
        source: String,
        /// Bytes on disk.
        #[ts(type = "number")]
        done: u64,
        /// Bytes in all.
        #[ts(type = "number")]
        total: u64,
    },
    /// The whole file is being checked.
    Checking,
    /// The model can answer.
    Ready,
}
