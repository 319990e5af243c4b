//! Opening the engine for this run: over its folders, with the system's keyring, and with this very
//! program as the model's worker.

use std::sync::Arc;

use engine::{Engine, Paths, WorkerCommand};
use protocol::{AppError, ErrorCode};
use vault::OsKeyring;

/// Opens the engine over this run's folders and the system's keyring.
///
/// # Errors
/// The store's, or `NotFound` when the program does not know its own path.
pub async fn open_engine(paths: &Paths) -> Result<Engine, AppError> {
    Engine::open(engine::Config {
        home: paths.clone(),
        worker: this_program_as_worker()?,
        keys: Arc::new(OsKeyring::open()),
    })
    .await
}

/// The model worker is this program over again: one file to ship, and never another version.
fn this_program_as_worker() -> Result<WorkerCommand, AppError> {
    let program = std::env::current_exe().map_err(|error| {
        AppError::new(
            ErrorCode::NotFound,
            format!("the program does not know its own path: {error}"),
        )
    })?;
    Ok(WorkerCommand {
        program,
        args: vec!["worker".into()],
    })
}
