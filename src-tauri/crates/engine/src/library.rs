//! The in-house models on this machine: fetching, importing, removing.

use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use protocol::{AppError, CallOutcome, ErrorCode, LibraryEntry, LibraryState, PullProgress};
use tokio_util::sync::CancellationToken;

use crate::egress::Record;
use crate::{Change, Engine};

/// A download's entry among those that run, gone when the download is.
struct Pull<'a> {
    engine: &'a Engine,
    id: String,
    cancel: CancellationToken,
}

impl Drop for Pull<'_> {
    fn drop(&mut self) {
        let mut pulls = self
            .engine
            .inner
            .pulls
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        pulls.remove(&self.id);
    }
}

/// A download whose bytes are counted as it tells of them.
struct Watched<F> {
    record: Record,
    progress: F,
    /// Bytes that were there when it last told; `None` before it did.
    seen: Option<u64>,
}

impl<F: FnMut(PullProgress) + Send> Watched<F> {
    const fn new(record: Record, progress: F) -> Self {
        Self {
            record,
            progress,
            seen: None,
        }
    }

    fn see(&mut self, step: PullProgress) {
        if let PullProgress::Fetching { source, done, .. } = &step {
            let new = done.saturating_sub(self.seen.unwrap_or(*done));
            self.record.note_fetched(source, new);
            self.seen = Some(*done);
        }
        (self.progress)(step);
    }

    async fn end(self, fetched: &Result<LibraryEntry, AppError>) {
        let outcome = match fetched {
            // It was here already, or was refused here: nobody was asked.
            Ok(_) if self.seen.is_none() => return self.record.discard(),
            Err(error) if self.seen.is_none() && is_of_this_machine(error.code) => {
                return self.record.discard();
            }
            Err(error) if error.code == ErrorCode::Interrupted => CallOutcome::Cancelled,
            other => CallOutcome::of(other),
        };
        self.record.end(outcome, None).await;
    }
}

impl Engine {
    /// The catalogue's models and every other file in the models folder. What was not looked through
    /// yet is looked through in the background, and windows are told when that is done.
    pub async fn library(&self) -> Vec<LibraryEntry> {
        let entries = self.inner.inhouse.library().list().await;
        self.look_through(&entries);
        entries
    }

    /// Begins to look through the models that were not looked through yet, in the background.
    pub async fn look_through_library(&self) {
        let entries = self.inner.inhouse.library().list().await;
        self.look_through(&entries);
    }

    fn look_through(&self, entries: &[LibraryEntry]) {
        if any_unchecked(entries) && !self.inner.checking.swap(true, Ordering::Relaxed) {
            let engine = self.clone();
            self.spawn(async move {
                let library = engine.inner.inhouse.library();
                let closing = &engine.inner.closing;
                let done = closing.run_until_cancelled(library.check()).await;
                if done.is_some() {
                    // A file that cannot be read to its end is not tried again and again.
                    let is_stuck = any_unchecked(&library.list().await);
                    engine.inner.checking.store(is_stuck, Ordering::Relaxed);
                    engine.announce_library();
                }
            });
        }
    }

    /// Where model files live.
    #[must_use]
    pub fn models_dir(&self) -> &Path {
        &self.inner.paths.models
    }

    /// Fetches a model of the catalogue, unless it is here already. It runs in the caller's task and
    /// ends early on [`cancel_pull`](Self::cancel_pull) or when the engine shuts down.
    ///
    /// # Errors
    /// `Busy` when it is being fetched already; `LocalOnly`; the library's.
    pub async fn pull(
        &self,
        id: &str,
        progress: impl FnMut(PullProgress) + Send,
    ) -> Result<LibraryEntry, AppError> {
        let pull = self.begin_pull(id)?;
        let record = self.permit_download(id).await;
        let record = record.inspect_err(|_| self.announce_library())?;
        let mut watched = Watched::new(record, progress);
        let library = self.inner.inhouse.library();
        let fetched = library
            .pull(id, |step| watched.see(step), &pull.cancel)
            .await
            .map_err(AppError::from);
        match &fetched {
            // The catalogue does not name it.
            Err(error) if error.code == ErrorCode::NotFound => watched.record.discard(),
            other => watched.end(other).await,
        }
        self.announce_library();
        fetched
    }

    /// Fetches any GGUF file from a repository (`owner/name`) of the model hub, as [`pull`](Self::pull).
    ///
    /// # Errors
    /// As [`pull`](Self::pull).
    pub async fn pull_from_hub(
        &self,
        repository: &str,
        file: &str,
        progress: impl FnMut(PullProgress) + Send,
    ) -> Result<LibraryEntry, AppError> {
        let id = format!("{repository}/{file}");
        let pull = self.begin_pull(&id)?;
        let record = self.permit_download(&id).await;
        let record = record.inspect_err(|_| self.announce_library())?;
        let mut watched = Watched::new(record, progress);
        let library = self.inner.inhouse.library();
        let fetched = library
            .pull_from_hub(repository, file, |step| watched.see(step), &pull.cancel)
            .await
            .map_err(AppError::from);
        watched.end(&fetched).await;
        self.announce_library();
        fetched
    }

    /// Stops fetching a model; what has come is kept for the next time.
    pub fn cancel_pull(&self, id: &str) {
        let pulls = self
            .inner
            .pulls
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(cancel) = pulls.get(id) {
            cancel.cancel();
        }
    }

    /// Takes a GGUF file into the library.
    ///
    /// # Errors
    /// The library's.
    pub async fn import_model(&self, path: &Path) -> Result<LibraryEntry, AppError> {
        let entry = self.inner.inhouse.library().import(path).await?;
        self.announce_library();
        Ok(entry)
    }

    /// Deletes a model's file, after the worker that holds it has let go: what comes under the same
    /// name later is another model.
    ///
    /// # Errors
    /// The library's.
    pub async fn remove_model(&self, id: &str) -> Result<(), AppError> {
        self.inner.inhouse.remove(id).await?;
        self.announce_library();
        Ok(())
    }

    fn begin_pull(&self, id: &str) -> Result<Pull<'_>, AppError> {
        let mut pulls = self
            .inner
            .pulls
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if pulls.contains_key(id) {
            let message = format!("{id} is being fetched already: wait until it is done");
            return Err(AppError::new(ErrorCode::Busy, message));
        }
        let cancel = self.inner.closing.child_token();
        pulls.insert(id.to_owned(), cancel.clone());
        drop(pulls);
        self.announce(Change::Library);
        Ok(Pull {
            engine: self,
            id: id.to_owned(),
            cancel,
        })
    }

    fn announce_library(&self) {
        self.announce(Change::Library);
        self.announce(Change::Models);
    }
}

/// Whether a download ended so before anybody was asked, when no byte of it has come.
const fn is_of_this_machine(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Busy | ErrorCode::InvalidRequest | ErrorCode::DiskFull | ErrorCode::Storage
    )
}

fn any_unchecked(entries: &[LibraryEntry]) -> bool {
    let mut states = entries.iter().map(|entry| &entry.state);
    states.any(|state| *state == LibraryState::Checking)
}
