//! What the person says of models: `catalog.json` in the data folder, see [`providers::Overrides`].
//! It is looked at whenever models are listed, and read when it has changed. While it is wrong, what
//! it said when it was last right stays in use, over restarts too: a copy of that is in the cache.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use protocol::{AppError, ErrorCode, ProviderId};
use providers::{MAX_OVERRIDE_BYTES, OverrideError, Overrides};
use tokio::fs;
use tokio::io::AsyncReadExt;

use crate::{Engine, Paths};

/// The file's name, in the data folder and in the cache.
const FILE: &str = "catalog.json";

/// The person's file, and what it last said.
pub(crate) struct OverrideFile {
    path: PathBuf,
    copy: PathBuf,
    read: Mutex<Read>,
}

#[derive(Clone, Default)]
struct Read {
    /// What the file looked like when it was read; `None` before that, and when there was none.
    stamp: Option<Stamp>,
    said: Said,
}

/// What is to be believed.
#[derive(Clone, Default)]
pub(crate) struct Said {
    pub(crate) overrides: Arc<Overrides>,
    /// Why that is not what the file says now.
    pub(crate) problem: Option<Problem>,
}

/// What is wrong with the file.
#[derive(Clone)]
pub(crate) struct Problem {
    /// The provider whose model it is about, when it is about one.
    pub(crate) provider: Option<ProviderId>,
    pub(crate) error: AppError,
}

/// Enough to tell that a file has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl OverrideFile {
    pub(crate) fn of(paths: &Paths) -> Self {
        Self {
            path: paths.data.join(FILE),
            copy: paths.cache.join(FILE),
            read: Mutex::default(),
        }
    }

    /// What the person says now, or said last.
    pub(crate) async fn say(&self) -> Said {
        let before = self.kept().clone();
        let now = match fs::metadata(&self.path).await {
            Ok(found) => {
                let stamp = Stamp {
                    modified: found.modified().ok(),
                    bytes: found.len(),
                };
                if before.stamp == Some(stamp) {
                    return before.said;
                }
                let content = if found.is_file() {
                    self.content().await
                } else {
                    Err("it is no file".to_owned())
                };
                Read {
                    stamp: Some(stamp),
                    said: self.understood(before, content).await,
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // Taken back: a copy would outlive it.
                drop(fs::remove_file(&self.copy).await);
                Read::default()
            }
            Err(error) => Read {
                stamp: None,
                said: self.understood(before, Err(error.to_string())).await,
            },
        };
        *self.kept() = now.clone();
        now.said
    }

    async fn content(&self) -> Result<Vec<u8>, String> {
        let file = fs::File::open(&self.path).await;
        let file = file.map_err(|error| error.to_string())?;
        let mut content = Vec::new();
        // One byte more tells that it is longer.
        let longest = MAX_OVERRIDE_BYTES as u64 + 1;
        let read = file.take(longest).read_to_end(&mut content).await;
        read.map(|_| content).map_err(|error| error.to_string())
    }

    async fn understood(&self, before: Read, content: Result<Vec<u8>, String>) -> Said {
        let parsed = match content {
            Ok(content) => Overrides::parse(&content).map(|overrides| (overrides, content)),
            Err(reason) => Err(OverrideError {
                field: "the file".to_owned(),
                reason,
                provider: None,
            }),
        };
        match parsed {
            Ok((overrides, content)) => {
                self.keep_copy(&content).await;
                Said {
                    overrides: Arc::new(overrides),
                    problem: None,
                }
            }
            Err(wrong) => {
                tracing::warn!(%wrong, "catalog.json is not taken");
                let overrides = match before.stamp {
                    Some(_) => before.said.overrides,
                    None => self.last_time().await,
                };
                Said {
                    overrides,
                    problem: Some(Problem::of(wrong)),
                }
            }
        }
    }

    /// What the file said when it was last right, in an earlier run.
    async fn last_time(&self) -> Arc<Overrides> {
        let copy = fs::read(&self.copy).await.unwrap_or_default();
        Arc::new(Overrides::parse(&copy).unwrap_or_default())
    }

    async fn keep_copy(&self, content: &[u8]) {
        // In a name of its own first: another Pilotfish may be reading it.
        let half = self
            .copy
            .with_extension(format!("{}.part", std::process::id()));
        let kept = async {
            if let Some(folder) = self.copy.parent() {
                fs::create_dir_all(folder).await?;
            }
            fs::write(&half, content).await?;
            fs::rename(&half, &self.copy).await
        };
        if let Err(error) = kept.await {
            tracing::warn!(%error, "what catalog.json says is not kept for when it is wrong");
        }
    }

    fn kept(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Problem {
    fn of(wrong: OverrideError) -> Self {
        let message = format!("{FILE}: {wrong}; until then, what it said before stays in use");
        Self {
            provider: wrong.provider,
            error: AppError::new(ErrorCode::InvalidRequest, message),
        }
    }
}

impl Engine {
    /// The person's own facts on models in a sentence; see [`Paths::data`] for where they are.
    ///
    /// # Errors
    /// `InvalidRequest` that names the wrong field of `catalog.json`.
    pub async fn catalog_summary(&self) -> Result<String, AppError> {
        let path = self.inner.overrides.path.display();
        let said = self.inner.overrides.say().await;
        match said.problem {
            Some(problem) => Err(problem.error),
            None if said.overrides.is_empty() => Ok(format!(
                "what is built in and what providers list; {path} would go before it"
            )),
            None => Ok(format!(
                "{} models are as {path} says",
                said.overrides.len()
            )),
        }
    }
}
