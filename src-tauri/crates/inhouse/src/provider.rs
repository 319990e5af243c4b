//! The in-house model as one provider among the others.

mod answer;

use std::path::Path;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _};
use protocol::{LibraryState, Model, ModelRef, ProviderId, RunsAt, Secret, Wire};
use providers::{ErrorKind, Provider, ProviderError, ProviderEvent, Request};
use tokio_util::sync::CancellationToken;

use crate::catalogue;
use crate::gguf::Facts;
use crate::library::{DEFAULT, SMALL};
use crate::line::Load;
use crate::process::{Answer, Failure, Workers};
use crate::{Config, Library, LibraryError, Resolved};

/// Conversations that a worker holds at once.
const SLOTS: u32 = 4;
/// Memory that the cache of a model's conversations may take.
const CACHE_BYTES: u64 = 512 << 20;
/// A window for files that do not say what their cells cost.
const UNKNOWN_WINDOW: u64 = 4096;
/// Free memory below which the small model stands in for the default one.
const COMFORTABLE_BYTES: u64 = 4 << 30;

/// The in-house model: its library and the worker that answers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Inhouse {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: ProviderId,
    library: Library,
    workers: Workers,
    threads: u32,
}

impl Inhouse {
    /// Sets it up; touches nothing on disk and starts no process.
    #[must_use]
    pub fn open(config: Config) -> Self {
        Self {
            inner: Arc::new(Inner {
                id: ProviderId::inhouse(),
                library: Library::new(config.models_dir, config.cache_dir),
                workers: Workers::new(config.worker, config.idle_unload),
                threads: config.threads.unwrap_or_else(crate::config::physical_cores),
            }),
        }
    }

    /// The provider named `inhouse`.
    #[must_use]
    pub fn provider(&self) -> Arc<dyn Provider> {
        Arc::new(InhouseProvider(self.inner.clone()))
    }

    /// The models folder.
    #[must_use]
    pub fn library(&self) -> &Library {
        &self.inner.library
    }

    /// Tokens of prompt and answer together that the model takes here; `None` when it cannot
    /// answer.
    pub async fn context_tokens(&self, model: &str) -> Option<u32> {
        let resolved = self.inner.resolve(model).await.ok()?;
        Some(window(&resolved.facts))
    }

    /// The id that a request for `model` is answered by now: `small` stands in for `default` while
    /// that is not here, or while memory is short.
    ///
    /// # Errors
    /// What [`Library::resolve`] says.
    pub async fn answering(&self, model: &str) -> Result<String, LibraryError> {
        self.inner.resolve(model).await.map(|resolved| resolved.id)
    }

    /// Process ids of the living workers.
    pub async fn worker_process_ids(&self) -> Vec<u32> {
        self.inner.workers.process_ids().await
    }

    /// Deletes a model, after the worker that holds it has let go.
    ///
    /// # Errors
    /// What [`Library::remove`] says.
    pub async fn remove(&self, id: &str) -> Result<(), LibraryError> {
        if let Some(path) = self.inner.library.path(id) {
            self.inner.workers.release(&path).await;
        }
        self.inner.library.remove(id).await
    }

    /// Ends the workers and waits for them.
    pub async fn shutdown(&self) {
        self.inner.workers.shutdown().await;
    }
}

impl Inner {
    async fn resolve(&self, model: &str) -> Result<Resolved, LibraryError> {
        let resolved = self.library.resolve(model).await?;
        if resolved.id != DEFAULT || self.library.path(SMALL).is_none() {
            return Ok(resolved);
        }
        let is_tight = free_memory().is_some_and(|free| free < COMFORTABLE_BYTES);
        if is_tight && !self.workers.holds(&resolved.path).await {
            return self.library.resolve(SMALL).await;
        }
        Ok(resolved)
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> ProviderError {
        ProviderError::new(kind, &self.id, message)
    }

    fn library_error(&self, error: &LibraryError) -> ProviderError {
        let kind = match error {
            LibraryError::Missing(_) => ErrorKind::ModelMissing,
            LibraryError::Invalid { .. } => ErrorKind::ModelInvalid,
            LibraryError::Unknown(_) => ErrorKind::NotFound,
            LibraryError::InvalidRequest(_) => ErrorKind::InvalidRequest,
            LibraryError::Offline { .. } | LibraryError::Source(_) => ErrorKind::Network,
            LibraryError::DiskFull { .. }
            | LibraryError::Busy(_)
            | LibraryError::Cancelled
            | LibraryError::Io(_) => ErrorKind::Unknown,
        };
        self.error(kind, error.to_string())
    }

    fn failure(&self, model: &str, failure: &Failure) -> ProviderError {
        match failure {
            Failure::Start(reason) => self.error(
                ErrorKind::Unknown,
                format!("{reason}: install Pilotfish again, or see `pilotfish doctor`"),
            ),
            Failure::Load(reason) => self.error(
                ErrorKind::ModelInvalid,
                format!("the model {model} is refused: {reason}"),
            ),
            Failure::DiedLoading(how) => self.error(
                ErrorKind::Interrupted,
                format!("{how}: it may be damaged, or memory may be short; ask again or switch"),
            ),
            Failure::Died(how) => self.error(
                ErrorKind::Interrupted,
                format!("{how} in the middle of the answer: the next question starts a fresh one"),
            ),
            Failure::Busy => self.error(
                ErrorKind::Overloaded,
                "other in-house models are answering: ask again when they are done",
            ),
        }
    }

    /// Has an answer begun; gives it with the id of the model that makes it.
    async fn begin(&self, request: Request) -> Result<(String, Answer), ProviderError> {
        let model = request.model.clone();
        let resolved = self
            .resolve(&model)
            .await
            .map_err(|error| self.library_error(&error))?;
        let recommended = catalogue::entry(&resolved.id).map(|entry| entry.sampling.into());
        let generate = answer::generate(request, recommended.unwrap_or_default());
        if let Some(fault) = crate::line::fault(&generate) {
            return Err(self.error(ErrorKind::InvalidRequest, fault));
        }
        if answer::is_too_long(&generate) {
            let message = "the conversation is longer than 4 MB: start a new chat";
            return Err(self.error(ErrorKind::ContextOverflow, message));
        }
        let load = self.load(&resolved);
        match self.workers.answer(load, generate).await {
            Ok(answer) => Ok((resolved.id, answer)),
            Err(failure) => Err(self.failure(&resolved.id, &failure)),
        }
    }

    fn load(&self, resolved: &Resolved) -> Load {
        Load {
            path: resolved.path.clone(),
            threads: self.threads,
            slots: SLOTS,
            context: window(&resolved.facts),
        }
    }
}

/// The provider: a handle of its own, so that it can be given away as a trait object.
#[derive(Debug)]
struct InhouseProvider(Arc<Inner>);

impl Provider for InhouseProvider {
    fn id(&self) -> &ProviderId {
        &self.0.id
    }

    fn wire(&self) -> Wire {
        Wire::Inhouse
    }

    fn list_models(
        &self,
        _key: Option<Secret<String>>,
    ) -> BoxFuture<'static, Result<Vec<Model>, ProviderError>> {
        let inner = self.0.clone();
        Box::pin(async move {
            let mut models = Vec::new();
            for entry in inner.library.list().await {
                if entry.state != LibraryState::Ready {
                    continue;
                }
                let facts = inner.library.resolve(&entry.id).await.ok();
                models.push(Model {
                    model: ModelRef::inhouse(entry.id),
                    name: entry.name,
                    runs_at: RunsAt::InHouse,
                    context_tokens: facts.map(|resolved| window(&resolved.facts)),
                    output_tokens: None,
                    images: false,
                    tools: false,
                    efforts: Vec::new(),
                    price: None,
                    retires_on: None,
                    bytes: Some(entry.bytes),
                });
            }
            Ok(models)
        })
    }

    fn stream(
        &self,
        request: Request,
        _key: Option<Secret<String>>,
        cancel: CancellationToken,
    ) -> BoxStream<'static, Result<ProviderEvent, ProviderError>> {
        let inner = self.0.clone();
        let begun = async move {
            let begun = tokio::select! {
                begun = inner.begin(request) => begun,
                () = cancel.cancelled() => Err(answer::cancelled(&inner.id)),
            };
            answer::events(inner, begun, cancel)
        };
        futures::stream::once(begun).flatten().boxed()
    }
}

/// Tokens of context that a model gets here: what it was trained for, as far as memory for its
/// cache is granted.
fn window(facts: &Facts) -> u32 {
    let trained = facts.context_length.unwrap_or(UNKNOWN_WINDOW);
    let granted = match facts.cache_bytes_per_token {
        Some(bytes @ 1..) => CACHE_BYTES / bytes,
        _ => UNKNOWN_WINDOW,
    };
    let tokens = trained.min(granted).clamp(512, 131_072);
    let rounded = if tokens > 1024 {
        tokens - tokens % 256
    } else {
        tokens
    };
    u32::try_from(rounded).unwrap_or(512)
}

/// Memory that can be had without pushing out what is in use, in bytes.
fn free_memory() -> Option<u64> {
    free_memory_in(Path::new("/proc/meminfo"))
}

fn free_memory_in(path: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{free_memory_in, window};
    use crate::gguf::Facts;

    #[test]
    fn a_window_is_what_memory_grants_of_what_was_trained() {
        let facts = |context, cell| Facts {
            context_length: context,
            cache_bytes_per_token: cell,
            ..Facts::default()
        };
        assert_eq!(window(&facts(Some(8192), Some(23_040))), 8192);
        assert_eq!(window(&facts(Some(32_768), Some(28_672))), 18_688);
        assert_eq!(window(&facts(Some(1 << 40), Some(1))), 131_072);
        assert_eq!(window(&facts(None, None)), 4096);
        assert_eq!(window(&facts(Some(0), Some(u64::MAX))), 512);
    }

    #[test]
    fn free_memory_is_read_from_the_systems_table() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "MemTotal: 9 kB\nMemAvailable:    2048 kB\n").unwrap();
        assert_eq!(free_memory_in(file.path()), Some(2 << 20));
    }
}
