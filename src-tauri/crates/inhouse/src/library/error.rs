//! What can go wrong with the library, each with something to do about it.

use protocol::{AppError, ErrorCode};

/// Why something about the library did not work.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// There is no such model here or in the catalogue.
    #[error("there is no in-house model named {0:?}: see `pilotfish models list`")]
    Unknown(String),
    /// The model is in the catalogue but not on this machine.
    #[error(
        "the in-house model {0} is not on this machine yet: connect to the network and run `pilotfish models pull {0}`, or import a GGUF file with `pilotfish models import FILE`"
    )]
    Missing(String),
    /// The file is damaged or no model.
    #[error("the model file {name} is refused: {reason}")]
    Invalid {
        /// The file's name.
        name: String,
        /// Why, in a clause.
        reason: String,
    },
    /// No source could be reached.
    #[error(
        "the model {id} could not be fetched ({reason}): connect to the network and run `pilotfish models pull {again}`, or import a GGUF file with `pilotfish models import FILE`"
    )]
    Offline {
        /// The model.
        id: String,
        /// What each source said.
        reason: String,
        /// What to pull when trying again: the model's id, or repository and file.
        again: String,
    },
    /// The model hub has no such file.
    #[error("the model hub has no {0}: see there how the repository and the file are named")]
    NoSuchFile(String),
    /// Too little room on the disk.
    #[error(
        "the disk has {} MB free and this needs {} MB: make room and try again",
        megabytes(*.free),
        megabytes(*.needed)
    )]
    DiskFull {
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// Another process is fetching or changing it.
    #[error("another Pilotfish is fetching {0} right now: wait until it is done")]
    Busy(String),
    /// The caller cancelled.
    #[error("fetching was stopped; it goes on from here the next time")]
    Cancelled,
    /// An argument is wrong.
    #[error("{0}")]
    InvalidRequest(String),
    /// One source could not be reached; another may be.
    #[error("{0}")]
    Source(String),
    /// One source has something else than was asked for; another may have the right thing.
    #[error("{0}")]
    WrongContent(String),
    /// Reading or writing failed.
    #[error("the models folder could not be used: {0}")]
    Io(#[from] std::io::Error),
}

/// Bytes in millions, rounded up: nobody is told that nothing is needed.
const fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

impl From<LibraryError> for AppError {
    fn from(error: LibraryError) -> Self {
        let code = match &error {
            LibraryError::Unknown(_) | LibraryError::NoSuchFile(_) => ErrorCode::NotFound,
            LibraryError::Missing(_) => ErrorCode::ModelMissing,
            LibraryError::Invalid { .. } | LibraryError::WrongContent(_) => ErrorCode::ModelInvalid,
            LibraryError::Offline { .. } | LibraryError::Source(_) => ErrorCode::Network,
            LibraryError::DiskFull { .. } => ErrorCode::DiskFull,
            LibraryError::Busy(_) => ErrorCode::Busy,
            LibraryError::Cancelled => ErrorCode::Interrupted,
            LibraryError::InvalidRequest(_) => ErrorCode::InvalidRequest,
            LibraryError::Io(_) => ErrorCode::Storage,
        };
        Self::new(code, error.to_string())
    }
}
