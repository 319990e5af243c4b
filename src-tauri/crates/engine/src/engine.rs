//! The engine: what it opens, what it owns, and how it ends.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use inhouse::{Inhouse, WorkerCommand};
use protocol::{AppError, ConversationId, ErrorCode, Start};
use store::{LEDGER_KEPT_MS, Opened, Reader, Store, StoreError, TRASH_KEPT_MS};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vault::KeyStore;

use crate::cluster::Places;
use crate::egress::Egress;
use crate::health::HealthBook;
use crate::key_ring::KeyRing;
use crate::overrides::OverrideFile;
use crate::render_cache::RenderCache;
use crate::turns::Turns;
use crate::{Change, Paths, clock};

/// Changes that a slow listener may be behind; one that falls further behind learns that it did.
const CHANGES_KEPT: usize = 64;

/// Conversations that a window's first frame gets.
const FIRST_CONVERSATIONS: u32 = 100;

/// How often a long run looks whether the day's snapshot is due.
const CHORES_EVERY: Duration = Duration::from_secs(3600);

/// What an engine is opened with.
pub struct Config {
    /// Where things live.
    pub home: Paths,
    /// The program that runs the in-house model.
    pub worker: WorkerCommand,
    /// Where keys are kept.
    pub keys: Arc<dyn KeyStore>,
}

/// Everything behind the window, the terminal and the API. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) paths: Paths,
    opened: RwLock<Arc<Opened>>,
    pub(crate) keys: KeyRing,
    pub(crate) overrides: OverrideFile,
    pub(crate) egress: Egress,
    pub(crate) inhouse: Inhouse,
    pub(crate) cluster_places: Places,
    pub(crate) health: HealthBook,
    pub(crate) turns: Arc<Turns>,
    /// Downloads that run, by model, to stop them by.
    pub(crate) pulls: Mutex<HashMap<String, CancellationToken>>,
    pub(crate) rendered: Mutex<RenderCache>,
    /// Conversations that are owed no title any more.
    pub(crate) titled: Mutex<HashSet<ConversationId>>,
    /// Whether the model files are being looked through.
    pub(crate) checking: AtomicBool,
    tasks: TaskTracker,
    /// Cancelled when the engine shuts down: turns end as interrupted.
    pub(crate) closing: CancellationToken,
    changes: broadcast::Sender<Change>,
}

impl Engine {
    /// Opens the store, or its read-only view when it is damaged, and marks answers that an earlier
    /// run left unfinished as interrupted. No process is started and nothing leaves the machine.
    ///
    /// # Errors
    /// The store's when it can neither be opened nor viewed; `Network` when TLS cannot be set up.
    pub async fn open(config: Config) -> Result<Self, AppError> {
        let Config { home, worker, keys } = config;
        let opened = Store::open(&home.data).await?;
        if let Opened::Ready(store) = &opened {
            let interrupted = store.recover().await?;
            if interrupted > 0 {
                tracing::info!(interrupted, "answers of an earlier run were cut off");
            }
        }
        let inhouse = Inhouse::open(inhouse::Config {
            models_dir: home.models.clone(),
            cache_dir: home.cache.clone(),
            worker,
            idle_unload: inhouse::Config::IDLE_UNLOAD,
            threads: None,
        });
        let engine = Self {
            inner: Arc::new(Inner {
                overrides: OverrideFile::of(&home),
                paths: home,
                opened: RwLock::new(Arc::new(opened)),
                keys: KeyRing::new(keys),
                egress: Egress::new()?,
                inhouse,
                cluster_places: Places::default(),
                health: HealthBook::default(),
                turns: Arc::default(),
                pulls: Mutex::default(),
                rendered: Mutex::default(),
                titled: Mutex::default(),
                checking: AtomicBool::new(false),
                tasks: TaskTracker::new(),
                closing: CancellationToken::new(),
                changes: broadcast::Sender::new(CHANGES_KEPT),
            }),
        };
        engine.keep_house();
        Ok(engine)
    }

    /// Everything for a window's first frame, without asking anyone outside or computing much: see
    /// [`look_through_library`](Self::look_through_library) for later.
    ///
    /// # Errors
    /// The store's.
    pub async fn start(&self) -> Result<Start, AppError> {
        Ok(Start {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: self.settings().await?,
            store: self.store_state(),
            conversations: self.conversations(0, FIRST_CONVERSATIONS).await?,
            models: self.models(false).await?,
            library: self.inner.inhouse.library().list().await,
        })
    }

    /// News for windows; each call follows from now on.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.inner.changes.subscribe()
    }

    /// Ends what runs, stores what had come as interrupted, stops the worker and closes the store.
    pub async fn shutdown(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.inhouse.shutdown().await;
        if let Opened::Ready(store) = &*self.opened() {
            store.close().await;
        }
    }

    /// Waits until the engine begins to shut down.
    pub async fn closed(&self) {
        self.inner.closing.cancelled().await;
    }

    /// Tells windows.
    pub(crate) fn announce(&self, change: Change) {
        // Without a listener there is nobody to tell.
        let _ = self.inner.changes.send(change);
    }

    /// Starts a task that shutting down waits for. It must end soon after `closing` is cancelled.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner.tasks.spawn(task);
    }

    pub(crate) fn opened(&self) -> Arc<Opened> {
        Arc::clone(
            &self
                .inner
                .opened
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    pub(crate) fn replace_store(&self, opened: Opened) {
        let mut place = self
            .inner
            .opened
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *place = Arc::new(opened);
    }

    /// The store, to write to.
    pub(crate) fn store(&self) -> Result<Store, AppError> {
        match &*self.opened() {
            Opened::Ready(store) => Ok(store.clone()),
            Opened::Recovery(recovery) if !recovery.is_damaged() => {
                // Its reason says what to do, and a snapshot is not it.
                Err(AppError::new(ErrorCode::ReadOnly, recovery.reason()))
            }
            Opened::Recovery(_) => Err(AppError::new(
                ErrorCode::ReadOnly,
                "the database is damaged and only shown: restore a snapshot to go on",
            )),
        }
    }

    /// What can be read; `None` when the database is so damaged that nothing can.
    pub(crate) fn reader(&self) -> Option<Reader> {
        match &*self.opened() {
            Opened::Ready(store) => Some((**store).clone()),
            Opened::Recovery(recovery) => recovery.reader().cloned(),
        }
    }

    /// What can be read, where an empty answer would be a lie.
    pub(crate) fn readable(&self) -> Result<Reader, AppError> {
        self.reader().ok_or_else(|| match &*self.opened() {
            Opened::Recovery(recovery) if !recovery.is_damaged() => {
                AppError::new(ErrorCode::ReadOnly, recovery.reason())
            }
            _ => AppError::new(
                ErrorCode::ReadOnly,
                "the database is too damaged to be shown: restore a snapshot to go on",
            ),
        })
    }

    /// What was read, or nothing where a damaged database does not give it: the view of one shows
    /// what there is.
    pub(crate) fn as_far_as_readable<T: Default>(
        &self,
        read: Result<T, StoreError>,
    ) -> Result<T, AppError> {
        match (read, &*self.opened()) {
            (Ok(read), _) => Ok(read),
            (Err(error), Opened::Ready(_)) => Err(error.into()),
            (Err(error), Opened::Recovery(_)) => {
                tracing::warn!(%error, "a part of the damaged database is unreadable");
                Ok(T::default())
            }
        }
    }

    /// Ends, in a task, the answers that another Pilotfish left unfinished when it died.
    pub(crate) fn recover_later(&self) {
        let Ok(store) = self.store() else { return };
        let changes = self.inner.changes.clone();
        self.spawn(async move { recover(&store, &changes).await });
    }

    /// Once a day: a snapshot, and an end to what has long been in the trash. Every hour: an end to
    /// what another Pilotfish left unfinished.
    pub(crate) fn keep_house(&self) {
        let Ok(store) = self.store() else { return };
        let changes = self.inner.changes.clone();
        let closing = self.inner.closing.clone();
        let chores = async move {
            loop {
                let now = clock::now_ms();
                match store.daily_snapshot(now).await {
                    Ok(Some(daily)) if daily.shrunk => tracing::error!(
                        "messages have vanished that nobody deleted: the snapshot before is kept"
                    ),
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "the daily snapshot was not made"),
                }
                // Without a snapshot, as on a full disk, deleting matters all the more.
                if let Err(error) = store.purge_trashed_before(now - TRASH_KEPT_MS).await {
                    tracing::warn!(%error, "the trash was not emptied");
                }
                if let Err(error) = store.forget_calls_before(now - LEDGER_KEPT_MS).await {
                    tracing::warn!(%error, "old entries of the ledger were not deleted");
                }
                tokio::time::sleep(CHORES_EVERY).await;
                recover(&store, &changes).await;
            }
        };
        self.spawn(async move {
            closing.run_until_cancelled(chores).await;
        });
    }
}

/// Marks what dead processes left unfinished as interrupted, and tells windows.
async fn recover(store: &Store, changes: &broadcast::Sender<Change>) {
    match store.recover().await {
        Ok(0) => {}
        Ok(interrupted) => {
            tracing::info!(interrupted, "answers of another process were cut off");
            // Without a listener there is nobody to tell.
            let _ = changes.send(Change::Conversations);
        }
        Err(error) => tracing::warn!(%error, "unfinished answers were not looked for"),
    }
}
