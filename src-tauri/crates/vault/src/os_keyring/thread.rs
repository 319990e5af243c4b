//! The thread that calls the keyring's client, one call at a time.
//!
//! A call that misses its deadline cannot be taken back: the thread hangs in it until the keyring
//! answers. It is retired, another takes its place at once, and the retired one ends by itself when
//! its call returns, then it is joined. At most [`MAX_THREADS`] exist; while all of them hang, the
//! answer is [`Failure::Slow`] at once. Calls wait in one queue that all threads share, so that
//! what was queued behind a hanging call is not lost with it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use protocol::Secret;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::entry::{Call, Failure, perform};
use super::system::{Client, System};

/// How many threads may exist, the hanging ones included.
const MAX_THREADS: usize = 4;

/// How many calls may wait.
const MAX_QUEUE: usize = 64;

/// How long the end of the application waits for a call that is under way.
const PARTING: Duration = Duration::from_millis(500);

/// The generation of no thread.
const NONE: u64 = 0;

type Answer = Result<Option<Secret<String>>, Failure>;

struct Job {
    account: String,
    call: Call,
    reply: oneshot::Sender<Answer>,
}

struct Running {
    handle: JoinHandle<()>,
    /// Disconnects when the thread ends.
    ended: mpsc::Receiver<()>,
}

struct Threads {
    running: Vec<Running>,
    last_generation: u64,
}

/// See the module.
pub(super) struct StoreThread {
    system: Arc<dyn System>,
    queue: Option<mpsc::SyncSender<Job>>,
    jobs: Arc<Mutex<mpsc::Receiver<Job>>>,
    /// The generation of the thread that takes calls, or [`NONE`].
    current: Arc<AtomicU64>,
    threads: Mutex<Threads>,
}

impl StoreThread {
    /// No thread yet: the first call starts it.
    pub(super) fn new(system: Arc<dyn System>) -> Self {
        let (queue, jobs) = mpsc::sync_channel(MAX_QUEUE);
        Self {
            system,
            queue: Some(queue),
            jobs: Arc::new(Mutex::new(jobs)),
            current: Arc::new(AtomicU64::new(NONE)),
            threads: Mutex::new(Threads {
                running: Vec::new(),
                last_generation: NONE,
            }),
        }
    }

    /// Makes the call on the thread.
    pub(super) async fn call(&self, account: String, call: Call, deadline: Duration) -> Answer {
        let generation = self.ensure_thread()?;
        let (reply, answer) = oneshot::channel();
        let Some(queue) = &self.queue else {
            return Err(Failure::Slow);
        };
        queue
            .try_send(Job {
                account,
                call,
                reply,
            })
            .map_err(|_| Failure::Slow)?;
        match timeout(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Failure::Lost("the keyring's thread has ended".to_owned())),
            Err(_) => {
                // Either this call hangs, or one before it did all this time.
                let retired = self.current.compare_exchange(
                    generation,
                    NONE,
                    Ordering::AcqRel,
                    Ordering::Acquire,
                );
                if retired.is_ok() {
                    tracing::warn!("the keyring has not answered: its thread is replaced");
                    // At once, for those who wait behind this call.
                    if let Err(failure) = self.ensure_thread() {
                        tracing::warn!(?failure, "no thread takes its place");
                    }
                }
                Err(Failure::Slow)
            }
        }
    }

    /// The generation of the thread that takes calls, which is started if there is none.
    fn ensure_thread(&self) -> Result<u64, Failure> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load(Ordering::Acquire);
        if current != NONE {
            return Ok(current);
        }
        for ended in threads
            .running
            .extract_if(.., |running| running.handle.is_finished())
        {
            join(ended.handle);
        }
        if threads.running.len() >= MAX_THREADS {
            return Err(Failure::Slow);
        }
        let generation = threads.last_generation + 1;
        let (alive, ended) = mpsc::channel::<()>();
        let worker = Worker {
            generation,
            current: Arc::clone(&self.current),
            jobs: Arc::clone(&self.jobs),
            system: Arc::clone(&self.system),
            client: None,
            _alive: alive,
        };
        self.current.store(generation, Ordering::Release);
        let spawned = std::thread::Builder::new()
            .name("keyring".to_owned())
            .spawn(move || worker.run());
        match spawned {
            Ok(handle) => {
                threads.running.push(Running { handle, ended });
                threads.last_generation = generation;
                Ok(generation)
            }
            Err(error) => {
                self.current.store(NONE, Ordering::Release);
                Err(Failure::Lost(format!(
                    "no thread could be started: {error}"
                )))
            }
        }
    }

    #[cfg(test)]
    pub(super) fn threads(&self) -> usize {
        self.threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .running
            .len()
    }
}

impl Drop for StoreThread {
    fn drop(&mut self) {
        self.queue = None;
        self.current.store(NONE, Ordering::Release);
        let threads = self
            .threads
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for running in threads.running.drain(..) {
            // A thread that hangs in the keyring ends with the process.
            if running.ended.recv_timeout(PARTING) == Err(RecvTimeoutError::Disconnected) {
                join(running.handle);
            }
        }
    }
}

fn join(handle: JoinHandle<()>) {
    if handle.join().is_err() {
        tracing::error!("a keyring thread has panicked outside of a call");
    }
}

struct Worker {
    generation: u64,
    current: Arc<AtomicU64>,
    jobs: Arc<Mutex<mpsc::Receiver<Job>>>,
    system: Arc<dyn System>,
    client: Option<Client>,
    _alive: mpsc::Sender<()>,
}

impl Worker {
    fn run(mut self) {
        while self.current.load(Ordering::Acquire) == self.generation {
            let job = self
                .jobs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            let Ok(job) = job else { break };
            // Nobody waits any more, and was told so: a late write would be a surprise.
            if job.reply.is_closed() {
                continue;
            }
            let answer = self.call(&job.account, &job.call);
            if job.reply.send(answer).is_err() {
                tracing::info!("the keyring answered after its deadline");
            }
        }
        self.forget_client();
    }

    /// Makes the call, and once more with a new client when the old one has lost its keyring.
    fn call(&mut self, account: &str, call: &Call) -> Answer {
        let mut answer = self.attempt(account, call);
        if let Err(Failure::Lost(reason)) = &answer {
            tracing::info!(%reason, "the keyring's client is made anew");
            self.forget_client();
            answer = self.attempt(account, call);
        }
        if matches!(answer, Err(Failure::Lost(_))) {
            self.forget_client();
        }
        answer
    }

    /// A panic inside the client poisons its lock: it counts as a lost client.
    fn attempt(&mut self, account: &str, call: &Call) -> Answer {
        catch_unwind(AssertUnwindSafe(|| {
            let client = match self.client.take() {
                Some(client) => client,
                None => self
                    .system
                    .open()
                    .map_err(|error| Failure::Lost(error.to_string()))?,
            };
            perform(self.client.insert(client), account, call)
        }))
        .unwrap_or_else(|_| Err(Failure::Lost("the keyring's client broke".to_owned())))
    }

    fn forget_client(&mut self) {
        let client = self.client.take();
        if catch_unwind(AssertUnwindSafe(|| drop(client))).is_err() {
            tracing::warn!("the keyring's client broke while it was closed");
        }
    }
}
