//! The application's side of the worker: a child process that is started when first needed, ended
//! when idle, and replaced when it dies. Its death costs the answers that it was making, and each
//! of them is told so once.

mod child;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::WorkerCommand;
use crate::library::Stamp;
use crate::line::{Event, Generate, Load};
use child::Worker;

/// Workers at most: the model that answers, and another that makes titles or was just left.
const MAX_WORKERS: usize = 2;
/// How long a file that its worker refused is not tried again.
const LOAD_BACKOFF: Duration = Duration::from_secs(2);

/// Why an answer ended before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The worker could not be started.
    Start(String),
    /// The worker refused the model.
    Load(String),
    /// The worker died while it loaded the model.
    DiedLoading(String),
    /// The worker died while it answered.
    Died(String),
    /// Every worker is answering with another model.
    Busy,
}

/// The workers of an application.
#[derive(Debug)]
pub(crate) struct Workers {
    command: WorkerCommand,
    idle_unload: Duration,
    next_id: AtomicU64,
    tasks: TaskTracker,
    closed: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    workers: Vec<Arc<Worker>>,
    /// The load that was refused last, when and why.
    refused: Option<(Load, Instant, Failure)>,
}

/// An answer as the worker gives it. Dropping it cancels it.
#[derive(Debug)]
pub(crate) struct Answer {
    id: u64,
    worker: Arc<Worker>,
    events: mpsc::UnboundedReceiver<Result<Event, Failure>>,
}

impl Answer {
    /// The next event; `None` after the last.
    pub(crate) async fn next(&mut self) -> Option<Result<Event, Failure>> {
        self.events.recv().await
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.worker.cancel(self.id);
    }
}

impl Workers {
    pub(crate) fn new(command: WorkerCommand, idle_unload: Duration) -> Self {
        Self {
            command,
            idle_unload,
            next_id: AtomicU64::new(1),
            tasks: TaskTracker::new(),
            closed: CancellationToken::new(),
            state: Mutex::default(),
        }
    }

    /// Has an answer made; its events begin when the model is loaded.
    pub(crate) async fn answer(
        &self,
        load: Load,
        mut request: Generate,
    ) -> Result<Answer, Failure> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        request.id = id;
        let mut state = self.state.lock().await;
        state.forget_dead();
        state.end_stale(&load);
        for worker in state.workers.iter().filter(|worker| worker.load == load) {
            if let Some(events) = worker.ask(request.clone()) {
                return Ok(Answer {
                    id,
                    worker: worker.clone(),
                    events,
                });
            }
        }
        state.recent_refusal(&load)?;
        let worker = self.start(&mut state, load)?;
        let events = worker.ask(request).ok_or_else(|| {
            Failure::Start("the model process ended as soon as it was started".to_owned())
        })?;
        Ok(Answer { id, worker, events })
    }

    fn start(&self, state: &mut State, load: Load) -> Result<Arc<Worker>, Failure> {
        if self.closed.is_cancelled() {
            return Err(Failure::Start("Pilotfish is closing".to_owned()));
        }
        // The one longest idle makes room; one that is answering never does.
        while state.workers.len() >= MAX_WORKERS {
            let idle = state
                .workers
                .iter()
                .filter_map(|worker| Some((worker.idle_since()?, worker)));
            let Some((_, oldest)) = idle.min_by_key(|(since, _)| *since) else {
                return Err(Failure::Busy);
            };
            oldest.end();
            state.forget_dead();
        }
        let worker = Worker::start(
            &self.command,
            load,
            self.idle_unload,
            self.closed.child_token(),
            &self.tasks,
        )?;
        state.workers.push(worker.clone());
        Ok(worker)
    }

    /// Process ids of the living workers, for tests and `doctor`.
    pub(crate) async fn process_ids(&self) -> Vec<u32> {
        let mut state = self.state.lock().await;
        state.forget_dead();
        state
            .workers
            .iter()
            .map(|worker| worker.process_id)
            .collect()
    }

    /// Whether a worker has this model in memory.
    pub(crate) async fn holds(&self, path: &Path, stamp: Stamp) -> bool {
        let mut state = self.state.lock().await;
        state.forget_dead();
        let mut held = state.workers.iter().map(|worker| &worker.load);
        held.any(|load| load.path == path && load.stamp == stamp)
    }

    /// Ends the workers that hold this file, so that it can be replaced or removed.
    pub(crate) async fn release(&self, path: &Path) {
        let state = self.state.lock().await;
        for worker in state
            .workers
            .iter()
            .filter(|worker| worker.load.path == path)
        {
            worker.end();
        }
    }

    /// Ends all workers and waits for them.
    pub(crate) async fn shutdown(&self) {
        self.closed.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl State {
    fn forget_dead(&mut self) {
        for worker in &self.workers {
            // Only what the worker said of the file is believed for a while. One that was killed
            // says nothing about the next.
            if let Some((at, failure @ Failure::Load(_))) = worker.death() {
                self.refused = Some((worker.load.clone(), at, failure));
            }
        }
        self.workers.retain(|worker| worker.death().is_none());
    }

    /// Ends the workers that hold what this file was before it was replaced.
    fn end_stale(&mut self, load: &Load) {
        let is_stale = |held: &Load| held.path == load.path && held.stamp != load.stamp;
        for worker in self.workers.iter().filter(|worker| is_stale(&worker.load)) {
            worker.end();
        }
        self.forget_dead();
    }

    fn recent_refusal(&self, load: &Load) -> Result<(), Failure> {
        match &self.refused {
            Some((refused, at, failure)) if refused == load && at.elapsed() < LOAD_BACKOFF => {
                Err(failure.clone())
            }
            _ => Ok(()),
        }
    }
}
