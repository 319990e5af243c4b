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
mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{LibraryEntry, LibraryState};

use crate::catalogue::{self, Entry};
use crate::gguf::Facts;
use checked::{Checks, Verdict};

pub use error::LibraryError;

/// Files of the person's own that are listed at most.
const MAX_FILES: usize = 256;

/// The model that an answer comes from when no other was asked for.
pub(crate) const DEFAULT: &str = "default";
/// The model that stands in for it.
pub(crate) const SMALL: &str = "small";

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

    /// Every model of the catalogue, then every other `*.gguf` in the folder by name.
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

    /// The file of a model that can answer, checked. While only `small` is here, it stands in for
    /// `default`.
    ///
    /// # Errors
    /// `Missing`, `Unknown`, `Invalid`, `Io`.
    pub async fn resolve(&self, id: &str) -> Result<Resolved, LibraryError> {
        let id = if id == DEFAULT && self.path(DEFAULT).is_none() && self.path(SMALL).is_some() {
            SMALL
        } else {
            id
        };
        let path = self.path(id).ok_or_else(|| match catalogue::entry(id) {
            Some(_) => LibraryError::Missing(id.to_owned()),
            None => LibraryError::Unknown(id.to_owned()),
        })?;
        match self.verdict(id, &path).await? {
            Verdict::Sound(facts) => Ok(Resolved {
                id: id.to_owned(),
                path,
                facts,
            }),
            Verdict::Refused(reason) => Err(LibraryError::Invalid {
                name: id.to_owned(),
                reason,
            }),
        }
    }

    /// The file of a model, when it is there; unchecked.
    #[must_use]
    pub fn path(&self, id: &str) -> Option<PathBuf> {
        let is_name = !id.is_empty() && !id.starts_with('.') && !id.contains(['/', '\\', '\0']);
        let path = self.inner.models_dir.join(format!("{id}.gguf"));
        (is_name && path.is_file()).then_some(path)
    }

    /// The folder, for "reveal the models folder".
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.inner.models_dir
    }

    /// Deletes a model's file, and what was half-fetched of it.
    ///
    /// # Errors
    /// `Unknown`, `Missing`, `Busy`, `Io`.
    pub async fn remove(&self, id: &str) -> Result<(), LibraryError> {
        let known = catalogue::entry(id).is_some();
        let path = self.path(id).ok_or_else(|| {
            if known {
                LibraryError::Missing(id.to_owned())
            } else {
                LibraryError::Unknown(id.to_owned())
            }
        })?;
        let _lock = self.lock(id)?;
        tokio::fs::remove_file(&path).await?;
        if let Err(error) = tokio::fs::remove_file(self.part_path(id)).await {
            tracing::debug!("nothing was half-fetched of {id}: {error}");
        }
        self.inner.checks.forget(id).await;
        Ok(())
    }

    /// Checks a file, or remembers that it was.
    async fn verdict(&self, id: &str, path: &Path) -> Result<Verdict, LibraryError> {
        self.inner
            .checks
            .verdict(id, path, catalogue::entry(id))
            .await
            .map_err(LibraryError::Io)
    }

    async fn describe(&self, entry: &Entry) -> LibraryEntry {
        let state = match self.path(&entry.id) {
            _ if self.fetching().contains(&entry.id) => LibraryState::Fetching,
            None => LibraryState::Absent,
            Some(path) => state(self.verdict(&entry.id, &path).await),
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
        let verdict = self.verdict(&id, &path).await;
        let (name, licence) = match &verdict {
            Ok(Verdict::Sound(facts)) => (facts.name.clone(), facts.licence.clone()),
            _ => (None, None),
        };
        LibraryEntry {
            name: name.unwrap_or_else(|| id.clone()),
            id,
            about: String::new(),
            licence,
            bytes,
            in_catalogue: false,
            state: state(verdict),
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
            .take(MAX_FILES)
            .collect();
        names.sort_unstable();
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

fn state(verdict: Result<Verdict, LibraryError>) -> LibraryState {
    match verdict {
        Ok(Verdict::Sound(_)) => LibraryState::Ready,
        Ok(Verdict::Refused(reason)) => LibraryState::Invalid { reason },
        Err(error) => LibraryState::Invalid {
            reason: error.to_string(),
        },
    }
}
