//! What can go wrong with the store. No failure deletes or recreates data: what was committed
//! stays, and a write that failed changed nothing.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use protocol::{AppError, ErrorCode};

/// Why the store refused or failed. A failed write changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file was written by a newer Pilotfish. It was left untouched.
    #[error(
        "the database is of a newer version ({found}) than this Pilotfish knows ({known}): update Pilotfish; the file was left as it is"
    )]
    NewerVersion {
        /// The file's version.
        found: i64,
        /// The newest version that this build knows.
        known: i64,
    },
    /// Another Pilotfish has the store open, and what was asked needs it alone.
    #[error("another Pilotfish is using this folder: close it and try again")]
    InUse,
    /// Another Pilotfish kept the write lock for too long.
    #[error("another Pilotfish is writing: try again in a moment")]
    Busy,
    /// The disk is full.
    #[error("the disk is full: free some space and try again; nothing was changed")]
    Full,
    /// The disk, or the folder's permissions, refused.
    #[error(
        "the database could not be read or written ({reason}): check the disk and the folder's permissions; nothing was changed"
    )]
    Io {
        /// What the system said.
        reason: String,
    },
    /// The index of the search is damaged, and only that. The next opening makes it anew.
    #[error(
        "the search index is damaged: start Pilotfish again, and it is made anew; nothing that was said is lost"
    )]
    IndexDamaged,
    /// The file is damaged. It was left as it is; the next opening shows what can be read.
    #[error("the database is damaged ({reason}): start Pilotfish again to restore a snapshot")]
    Damaged {
        /// What was found.
        reason: String,
    },
    /// There is no such conversation, message or snapshot.
    #[error("there is no such {what}")]
    NotFound {
        /// What was looked for: `conversation`, `message`, `snapshot`.
        what: &'static str,
    },
    /// The message is not growing, so nothing can be added to it.
    #[error("the message is already finished: continue it or make another")]
    NotStreaming,
    /// An argument makes no sense.
    #[error("{reason}")]
    Invalid {
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// An argument is larger than the store takes.
    #[error("the {what} is too large: {limit} bytes at most")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The SQLite that was linked has a known bug that loses commits.
    #[error("this build carries SQLite {found}, which can lose data: build with 3.51.3 or later")]
    OldSqlite {
        /// Its version.
        found: String,
    },
    /// Something SQLite said that none of the above covers.
    #[error("the database refused ({reason}); nothing was changed")]
    Sql {
        /// What it said.
        reason: String,
    },
}

/// SQLite's result codes (sqlite.org/rescode.html) that mean something to a caller.
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const INTERRUPT: i32 = 9;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
    /// Extended: an index of full text, the only virtual table there is, is in disorder.
    pub(super) const CORRUPT_VTAB: i32 = 267;
    /// Extended: the file that readers of a log share, of 32 KiB, could not be made that long.
    pub(super) const IOERR_SHMSIZE: i32 = 4874;
}

/// Whether this process has met damage in a database. The next opening has to look closely then,
/// as after a crash, and only errors know: no store sees all of its own.
static DAMAGE_WAS_MET: AtomicBool = AtomicBool::new(false);

/// Whether this process has met damage, in any database that it read.
pub(crate) fn damage_was_met() -> bool {
    DAMAGE_WAS_MET.load(Ordering::Acquire)
}

/// SQLite's extended result code, when the error came from SQLite.
fn extended_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// SQLite's primary result code, when the error came from SQLite.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    Some(extended_code(error)? & 0xff)
}

/// Whether a query ended because its time was up.
pub(crate) fn is_interrupt(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(code::INTERRUPT)
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let reason = error.to_string();
        let primary = primary_code(&error);
        if matches!(primary, Some(code::CORRUPT | code::NOTADB)) {
            DAMAGE_WAS_MET.store(true, Ordering::Release);
        }
        match extended_code(&error) {
            Some(code::CORRUPT_VTAB) => return Self::IndexDamaged,
            Some(code::IOERR_SHMSIZE) => return Self::Full,
            _ => {}
        }
        match (primary, error) {
            (Some(code::FULL), _) => Self::Full,
            (Some(code::BUSY | code::LOCKED), _) | (None, sqlx::Error::PoolTimedOut) => Self::Busy,
            (Some(code::IOERR | code::CANTOPEN | code::READONLY), _) => Self::Io { reason },
            (Some(code::CORRUPT | code::NOTADB), _) => Self::Damaged { reason },
            (None, sqlx::Error::Io(error)) => error.into(),
            (_, _) => Self::Sql { reason },
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io {
                reason: error.to_string(),
            },
        }
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::InUse | StoreError::Busy => ErrorCode::Busy,
            StoreError::Full => ErrorCode::DiskFull,
            StoreError::NotFound { .. } => ErrorCode::NotFound,
            StoreError::NotStreaming | StoreError::Invalid { .. } | StoreError::TooLarge { .. } => {
                ErrorCode::InvalidRequest
            }
            StoreError::NewerVersion { .. }
            | StoreError::Io { .. }
            | StoreError::IndexDamaged
            | StoreError::Damaged { .. }
            | StoreError::OldSqlite { .. }
            | StoreError::Sql { .. } => ErrorCode::Storage,
        };
        Self::new(code, error.to_string())
    }
}
