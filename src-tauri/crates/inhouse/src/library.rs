//! The models folder: what is in it, fetching by the catalogue, importing.
//!
//! A file is looked through once and the outcome is remembered with the file's size and time, so
//! that a start does not read gigabytes; a file that changed is looked through again before it is
//! used. Nothing stands under a model's name that was not checked first.

mod checked;
mod error;
mod fetch;
mod hub;
mod import;
mod packages;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{LibraryEntry, LibraryState};

use crate::catalogue::{self, Entry};
use crate::gguf::Facts;
use checked::{Checks, Standing, Verdict};

pub(crate) use checked::Stamp;
pub use error::LibraryError;
pub use hub::HUB_HOST;

/// Files of the person's own that are listed at most.
const MAX_FILES: usize = 256;

/// The id of the model that an answer comes from when no other was asked for.
pub const DEFAULT: &str = "default";
/// The id of the model that makes titles, and stands in for the default one.
pub const SMALL: &str = "small";

/// The models folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Library {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    models_dir: PathBuf,
    cache_dir: PathBuf,
    /// The program that runs `-m pip download`.
    python: PathBuf,
    hub: hub::Hub,
    checks: Checks,
    fetching: Mutex<HashSet<String>>,
}

/// A model that can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its id: another than was asked for when `small` stands in for `default`.
    pub id: String,
    /// Its file, checked.
    pub path: PathBuf,
    /// What the file says.
    pub facts: Facts,
    /// Why this model stands in for the one that was asked for, in a clause; `None` when it is that
    /// model.
    pub stands_in: Option<String>,
    /// The file's size and time when it was checked.
    pub(crate) stamp: Stamp,
}

/// How much of a file is looked through before it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Its structure, which takes milliseconds: for showing.
    Quick,
    /// All of it, which takes seconds the first time: for answering.
    Whole,
}

impl Library {
    pub(crate) fn new(models_dir: PathBuf, cache_dir: PathBuf) -> Self {
        Self::with_sources(
            models_dir,
            cache_dir,
            PathBuf::from("python3"),
            hub::Hub::public(),
        )
    }

    fn with_sources(
        models_dir: PathBuf,
        cache_dir: PathBuf,
        python: PathBuf,
        hub: hub::Hub,
    ) -> Self {
        let checks = Checks::new(models_dir.join(".checked.json"));
        let fetching = Mutex::default();
        Self {
            inner: Arc::new(Inner {
                models_dir,
                cache_dir,
                python,
                hub,
                checks,
                fetching,
            }),
        }
    }

    /// Every model of the catalogue, then every other `*.gguf` in the folder by name. Waits for no
    /// sum of a large file: a model whose sum is not known yet is `Checking`, until it is asked for
    /// the first time or [`check`](Self::check) is done.
    pub async fn list(&self) -> Vec<LibraryEntry> {
        let mut list = Vec::new();
        for entry in catalogue::entries() {
            list.push(self.describe(entry).await);
        }
        for name in self.own_files() {
            let path = self.inner.models_dir.join(format!("{name}.gguf"));
            list.push(self.describe_file(name, path).await);
        }
        list
    }

    /// Looks through every file that was not looked through yet; after that, no model is
    /// `Checking`. Dropping the future stops it soon.
    pub async fn check(&self) {
        let known = catalogue::entries().iter().map(|entry| entry.id.clone());
        for id in known.chain(self.own_files()) {
            if let Some(path) = self.path(&id)
                && let Err(error) = self.verdict(&id, &path).await
            {
                tracing::warn!(%id, "a model file could not be looked through: {error}");
            }
        }
    }

    /// The file of a model that can answer, checked. While the default model is not here, or its
    /// file is refused, `small` stands in for it.
    ///
    /// # Errors
    /// `Missing`, `Unknown`, `Invalid`, `Io`.
    pub async fn resolve(&self, id: &str) -> Result<Resolved, LibraryError> {
        self.resolve_by(id, Look::Whole).await
    }

    /// [`resolve`](Self::resolve), as thoroughly as is said.
    pub(crate) async fn resolve_by(&self, id: &str, look: Look) -> Result<Resolved, LibraryError> {
        let refusal = match self.find(id, look).await {
            Err(error @ (LibraryError::Missing(_) | LibraryError::Invalid { .. }))
                if id == DEFAULT =>
            {
                error
            }
            found => return found,
        };
        match self.find(SMALL, look).await {
            Ok(small) => Ok(Resolved {
                stands_in: Some(match &refusal {
                    LibraryError::Invalid { reason, .. } => {
                        format!("its file is refused: {reason}")
                    }
                    _ => "it is not on this machine yet".to_owned(),
                }),
                ..small
            }),
            Err(_) => Err(refusal),
        }
    }

    /// The file of exactly this model.
    async fn find(&self, id: &str, look: Look) -> Result<Resolved, LibraryError> {
        let path = self.path(id).ok_or_else(|| absent(id))?;
        let (stamp, standing) = match look {
            Look::Quick => self.standing(id, &path).await?,
            Look::Whole => {
                let (stamp, verdict) = self.verdict(id, &path).await?;
                (stamp, Standing::Known(verdict))
            }
        };
        match standing {
            Standing::Known(Verdict::Sound(facts)) | Standing::Unsummed(facts) => Ok(Resolved {
                id: id.to_owned(),
                path,
                facts,
                stands_in: None,
                stamp,
            }),
            Standing::Known(Verdict::Refused(reason)) => Err(LibraryError::Invalid {
                name: id.to_owned(),
                reason,
            }),
        }
    }

    /// The file of a model, when it is there; unchecked.
    #[must_use]
    pub fn path(&self, id: &str) -> Option<PathBuf> {
        let path = self.inner.models_dir.join(format!("{id}.gguf"));
        (is_name(id) && path.is_file()).then_some(path)
    }

    /// Deletes a model's file, and what was half-fetched or half-imported of it.
    ///
    /// # Errors
    /// `Unknown`, `Missing`, `Busy`, `Io`.
    pub async fn remove(&self, id: &str) -> Result<(), LibraryError> {
        if !is_name(id) || !self.inner.models_dir.is_dir() {
            return Err(absent(id));
        }
        let _lock = self.lock(id)?;
        let whole = self.inner.models_dir.join(format!("{id}.gguf"));
        let mut was_there = false;
        for path in [whole, self.part_path(id), self.import_path(id)] {
            match tokio::fs::remove_file(&path).await {
                Ok(()) => was_there = true,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.inner.checks.forget(id);
        if was_there { Ok(()) } else { Err(absent(id)) }
    }

    async fn standing(&self, id: &str, path: &Path) -> Result<(Stamp, Standing), LibraryError> {
        let entry = catalogue::entry(id);
        let standing = self.inner.checks.standing(id, path, entry).await;
        standing.map_err(LibraryError::Io)
    }

    /// Checks a file, or remembers that it was.
    async fn verdict(&self, id: &str, path: &Path) -> Result<(Stamp, Verdict), LibraryError> {
        let entry = catalogue::entry(id);
        let verdict = self.inner.checks.verdict(id, path, entry).await;
        verdict.map_err(LibraryError::Io)
    }

    async fn describe(&self, entry: &Entry) -> LibraryEntry {
        let state = match self.path(&entry.id) {
            _ if self.fetching().contains(&entry.id) => LibraryState::Fetching,
            None => LibraryState::Absent,
            Some(path) => state(self.standing(&entry.id, &path).await),
        };
        LibraryEntry {
            id: entry.id.clone(),
            name: entry.name.clone(),
            about: entry.about.clone(),
            licence: Some(entry.licence.clone()),
            bytes: entry.bytes,
            in_catalogue: true,
            state,
        }
    }

    async fn describe_file(&self, id: String, path: PathBuf) -> LibraryEntry {
        let bytes = tokio::fs::metadata(&path)
            .await
            .map_or(0, |metadata| metadata.len());
        let standing = self.standing(&id, &path).await;
        let (name, licence) = match &standing {
            Ok((_, Standing::Known(Verdict::Sound(facts)) | Standing::Unsummed(facts))) => {
                (facts.name.clone(), facts.licence.clone())
            }
            _ => (None, None),
        };
        LibraryEntry {
            name: name.unwrap_or_else(|| id.clone()),
            id,
            about: String::new(),
            licence,
            bytes,
            in_catalogue: false,
            state: state(standing),
        }
    }

    /// Names of the files that the person put there, without their ending.
    fn own_files(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&self.inner.models_dir) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|entry| entry.path().is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".gguf").map(str::to_owned))
            .filter(|name| !name.starts_with('.') && catalogue::entry(name).is_none())
            .collect();
        names.sort_unstable();
        names.truncate(MAX_FILES);
        names
    }

    fn fetching(&self) -> MutexGuard<'_, HashSet<String>> {
        self.inner
            .fetching
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a model grows until it is whole.
    fn part_path(&self, id: &str) -> PathBuf {
        self.inner.models_dir.join(format!(".{id}.part"))
    }

    /// Where a file that is taken in stands until it is checked.
    fn import_path(&self, id: &str) -> PathBuf {
        self.inner.models_dir.join(format!(".{id}.import"))
    }

    /// Keeps other processes, and other calls in this one, from changing the same model.
    fn lock(&self, id: &str) -> Result<Lock, LibraryError> {
        std::fs::create_dir_all(&self.inner.models_dir)?;
        let path = self.inner.models_dir.join(format!(".{id}.lock"));
        let file = std::fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(std::fs::TryLockError::WouldBlock) => Err(LibraryError::Busy(id.to_owned())),
            Err(std::fs::TryLockError::Error(error)) => Err(LibraryError::Io(error)),
        }
    }
}

/// A model that only the holder may change. The system lets go of it when the process ends.
#[derive(Debug)]
struct Lock {
    _file: std::fs::File,
}

/// Whether this can be a model's id: a name in the folder and nothing that leads out of it.
fn is_name(id: &str) -> bool {
    !id.is_empty() && !id.starts_with('.') && !id.contains(['/', '\\', '\0'])
}

/// Why there is no model of this id.
fn absent(id: &str) -> LibraryError {
    match catalogue::entry(id) {
        Some(_) => LibraryError::Missing(id.to_owned()),
        None => LibraryError::Unknown(id.to_owned()),
    }
}

fn state(standing: Result<(Stamp, Standing), LibraryError>) -> LibraryState {
    match standing {
        Ok((_, Standing::Known(Verdict::Sound(_)))) => LibraryState::Ready,
        Ok((_, Standing::Unsummed(_))) => LibraryState::Checking,
        Ok((_, Standing::Known(Verdict::Refused(reason)))) => LibraryState::Invalid { reason },
        Err(error) => LibraryState::Invalid {
            reason: error.to_string(),
        },
    }
}
