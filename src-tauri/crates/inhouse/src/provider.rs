//! The in-house model as one provider among the others.

mod answer;
mod memory;

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _};
use protocol::{Model, ModelRef, ProviderId, RunsAt, Secret, Wire};
use providers::{ErrorKind, Provider, ProviderError, ProviderEvent, Request};
use tokio_util::sync::CancellationToken;

use crate::catalogue;
use crate::library::{DEFAULT, Look, SMALL};
use crate::line::Load;
use crate::process::{Answer, Failure, Workers};
use crate::{Config, Library, LibraryError, Resolved};
use memory::{Memory, window};

/// Conversations that a worker holds at once.
const SLOTS: u32 = 4;
/// Who answers for a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answering {
    /// The id of the model that answers.
    pub id: String,
    /// Why it is another than was asked for, in a clause; `None` when it is that model.
    pub reason: Option<String>,
}

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
    memory: Memory,
}

impl Inhouse {
    /// Sets it up; touches nothing on disk and starts no process.
    #[must_use]
    pub fn open(config: Config) -> Self {
        Self::on(Memory::of_this_machine(), config)
    }

    fn on(memory: Memory, config: Config) -> Self {
        Self {
            inner: Arc::new(Inner {
                id: ProviderId::inhouse(),
                library: Library::new(config.models_dir, config.cache_dir),
                workers: Workers::new(config.worker, config.idle_unload),
                threads: config.threads.unwrap_or_else(crate::config::physical_cores),
                memory,
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
    /// answer. Waits for no sum of a large file.
    pub async fn context_tokens(&self, model: &str) -> Option<u32> {
        let resolved = self.inner.resolve(model, Look::Quick).await.ok()?;
        Some(window(&resolved.facts))
    }

    /// Who answers a request for `model` by now: `small` stands in for `default` while that is not
    /// here or is refused, and while memory is short. Waits for no sum of a large file.
    ///
    /// # Errors
    /// What [`Library::resolve`] says.
    pub async fn answering(&self, model: &str) -> Result<Answering, LibraryError> {
        let resolved = self.inner.resolve(model, Look::Quick).await?;
        Ok(Answering {
            id: resolved.id,
            reason: resolved.stands_in,
        })
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
    async fn resolve(&self, model: &str, look: Look) -> Result<Resolved, LibraryError> {
        let resolved = self.library.resolve_by(model, look).await?;
        if resolved.id != DEFAULT || self.workers.holds(&resolved.path, resolved.stamp).await {
            return Ok(resolved);
        }
        let Some(reason) = self.memory.is_short() else {
            return Ok(resolved);
        };
        // When there is no other, short memory is better than no answer.
        Ok(match self.library.resolve_by(SMALL, look).await {
            Ok(small) => Resolved {
                stands_in: Some(reason),
                ..small
            },
            Err(_) => resolved,
        })
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> ProviderError {
        ProviderError::new(kind, &self.id, message)
    }

    fn library_error(&self, error: &LibraryError) -> ProviderError {
        let kind = match error {
            LibraryError::Missing(_) => ErrorKind::ModelMissing,
            LibraryError::Invalid { .. } | LibraryError::WrongContent(_) => ErrorKind::ModelInvalid,
            LibraryError::Unknown(_) | LibraryError::NoSuchFile(_) => ErrorKind::NotFound,
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
            .resolve(&model, Look::Whole)
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
        let load = self.load(&resolved)?;
        match self.workers.answer(load, generate).await {
            Ok(answer) => Ok((resolved.id, answer)),
            Err(failure) => Err(self.failure(&resolved.id, &failure)),
        }
    }

    /// What the worker is to load, when it can.
    fn load(&self, resolved: &Resolved) -> Result<Load, ProviderError> {
        if resolved.path.to_str().is_none() {
            // Neither our lines nor llama.cpp take such a path.
            let message = format!(
                "the model {} cannot be loaded from {}, which is not UTF-8: move the models to a \
                 folder with a plain name, and name it in PILOTFISH_HOME",
                resolved.id,
                resolved.path.display()
            );
            return Err(self.error(ErrorKind::InvalidRequest, message));
        }
        if let Some(why) = self.memory.forbids(resolved.stamp.bytes(), &resolved.facts) {
            let message = format!("the model {} does not run here: {why}", resolved.id);
            return Err(self.error(ErrorKind::InvalidRequest, message));
        }
        Ok(Load {
            path: resolved.path.clone(),
            stamp: resolved.stamp,
            threads: self.threads,
            slots: SLOTS,
            context: window(&resolved.facts),
        })
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
                if !entry.state.can_be_asked() {
                    continue;
                }
                let facts = inner.library.resolve_by(&entry.id, Look::Quick).await.ok();
                models.push(Model {
                    model: ModelRef::inhouse(entry.id),
                    name: entry.name,
                    runs_at: RunsAt::InHouse,
                    context_tokens: facts.map(|resolved| window(&resolved.facts)),
                    output_tokens: None,
                    images: false,
                    files: false,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Answering, Inhouse, Memory};
    use crate::library::tests::tiny_model;
    use crate::{Config, WorkerCommand};

    #[tokio::test]
    async fn small_answers_for_default_while_memory_is_short_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("meminfo");
        let config = Config {
            models_dir: folder.path().to_owned(),
            cache_dir: folder.path().join("cache"),
            worker: WorkerCommand {
                program: "no-such-program".into(),
                args: Vec::new(),
            },
            idle_unload: Duration::from_secs(1),
            threads: Some(1),
        };
        let inhouse = Inhouse::on(Memory::told_by(table.clone()), config);
        let is_itself = Answering {
            id: "default".to_owned(),
            reason: None,
        };
        std::fs::write(&table, "MemAvailable: 1048576 kB\n").unwrap();
        std::fs::write(folder.path().join("default.gguf"), tiny_model("Large")).unwrap();
        let alone = inhouse.answering("default").await.unwrap();
        assert_eq!(alone, is_itself, "there is no other");
        std::fs::write(folder.path().join("small.gguf"), tiny_model("Small")).unwrap();
        let short = inhouse.answering("default").await.unwrap();
        assert_eq!(short.id, "small");
        assert!(short.reason.unwrap().contains("less than 4 GB"));
        std::fs::write(&table, "MemAvailable: 8388608 kB\n").unwrap();
        assert_eq!(inhouse.answering("default").await.unwrap(), is_itself);
    }
}
