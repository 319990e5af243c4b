//! One worker process: its pipes, the answers that run in it, and its end.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Failure;
use crate::WorkerCommand;
use crate::line::{Command, Event, Generate, Load, MAX_LINE_BYTES};

/// What a worker sees of the environment: nothing that a secret could stand in.
const ENVIRONMENT: [&str; 7] = [
    "PATH",
    "HOME",
    "LANG",
    "TZ",
    "LD_LIBRARY_PATH",
    "PILOTFISH_BACKENDS",
    "SystemRoot",
];
/// Turns that a computing thread spins before it sleeps while it waits for the others. libgomp's
/// own 300,000 make an answer ten times slower as soon as other programs want the cores too.
const SPIN_COUNT: &str = "1000";
/// Lines of the worker's log that are kept.
const LOG_LINES: usize = 20;

type Events = mpsc::UnboundedSender<Result<Event, Failure>>;

/// A worker process.
#[derive(Debug)]
pub(super) struct Worker {
    /// The model that it holds.
    pub(super) load: Load,
    pub(super) process_id: u32,
    commands: mpsc::UnboundedSender<Command>,
    running: Mutex<Running>,
    changed: Notify,
    ending: CancellationToken,
}

#[derive(Debug)]
struct Running {
    answers: HashMap<u64, Events>,
    loaded: bool,
    /// When and why it ended; nothing is asked of it any more.
    death: Option<(Instant, Failure)>,
    idle_since: Instant,
}

impl Worker {
    /// Starts a process and the task that owns it.
    pub(super) fn start(
        command: &WorkerCommand,
        load: Load,
        idle_unload: Duration,
        ending: CancellationToken,
        tasks: &TaskTracker,
    ) -> Result<Arc<Self>, Failure> {
        let failed = |error: io::Error| {
            let program = command.program.display();
            Failure::Start(format!(
                "the model process {program} could not be started: {error}"
            ))
        };
        let mut program = tokio::process::Command::new(&command.program);
        program
            .args(&command.args)
            .env_clear()
            .envs(
                ENVIRONMENT
                    .iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .env("GOMP_SPINCOUNT", SPIN_COUNT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // Ctrl+C in a terminal goes to the whole foreground group: it asks the application to end,
        // and that decides what becomes of the worker. Nobody's end leaves it behind: its stdin ends.
        #[cfg(unix)]
        program.process_group(0);
        let mut child = program.spawn().map_err(failed)?;
        let pipes = child
            .stdin
            .take()
            .zip(child.stdout.take())
            .zip(child.stderr.take());
        let Some(((stdin, stdout), stderr)) = pipes else {
            return Err(failed(io::Error::other("it has no pipes")));
        };
        let (commands, queue) = mpsc::unbounded_channel();
        let _ = commands.send(Command::Load(load.clone()));
        let worker = Arc::new(Self {
            load,
            process_id: child.id().unwrap_or(0),
            commands,
            running: Mutex::new(Running {
                answers: HashMap::new(),
                loaded: false,
                death: None,
                idle_since: Instant::now(),
            }),
            changed: Notify::new(),
            ending,
        });
        tasks.spawn(
            worker
                .clone()
                .run(child, (stdin, stdout, stderr), queue, idle_unload),
        );
        Ok(worker)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for an answer; `None` when the worker has ended.
    pub(super) fn ask(
        &self,
        request: Generate,
    ) -> Option<mpsc::UnboundedReceiver<Result<Event, Failure>>> {
        let (sender, events) = mpsc::unbounded_channel();
        {
            let mut running = self.running();
            if running.death.is_some() || self.ending.is_cancelled() {
                return None;
            }
            running.answers.insert(request.id, sender);
        }
        self.changed.notify_one();
        self.commands.send(Command::Generate(request)).ok()?;
        Some(events)
    }

    /// Stops an answer, when it is still being made.
    pub(super) fn cancel(&self, id: u64) {
        if self.settle(id).is_some() {
            // A worker that has gone has nothing to cancel.
            let _ = self.commands.send(Command::Cancel { id });
        }
    }

    /// Takes an answer off the list.
    fn settle(&self, id: u64) -> Option<Events> {
        let mut running = self.running();
        let events = running.answers.remove(&id);
        if running.answers.is_empty() {
            running.idle_since = Instant::now();
        }
        drop(running);
        self.changed.notify_one();
        events
    }

    /// Since when it has had nothing to do.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let running = self.running();
        running.answers.is_empty().then_some(running.idle_since)
    }

    /// When and why it ended, or is about to.
    pub(super) fn death(&self) -> Option<(Instant, Failure)> {
        let closing = || {
            let failure = Failure::Died("the model process was ended".to_owned());
            self.ending
                .is_cancelled()
                .then(|| (Instant::now(), failure))
        };
        self.running().death.clone().or_else(closing)
    }

    /// Makes it end.
    pub(super) fn end(&self) {
        self.ending.cancel();
    }

    async fn run(
        self: Arc<Self>,
        mut child: Child,
        (stdin, stdout, stderr): (ChildStdin, ChildStdout, ChildStderr),
        queue: mpsc::UnboundedReceiver<Command>,
        idle_unload: Duration,
    ) {
        let mut log = VecDeque::new();
        let idle = {
            let work = async { tokio::join!(write(stdin, queue), keep_log(stderr, &mut log)) };
            tokio::select! {
                () = self.read(stdout) => false,
                () = self.ending.cancelled() => true,
                () = self.wait_until_idle(idle_unload) => true,
                _ = work => false,
            }
        };
        // The pipe may end a moment before the process does, and its status says why.
        let status = if idle {
            None
        } else {
            exit_status(&mut child).await
        };
        if let Err(error) = child.kill().await {
            tracing::debug!("the model process had ended already: {error}");
        }
        let status = match status {
            Some(status) => Some(status),
            None => child.wait().await.ok(),
        };
        if !idle {
            let log = log.into_iter().collect::<Vec<_>>().join("\n");
            tracing::warn!(?status, log, "the model process ended");
        }
        self.bury(status);
    }

    /// Tells every running answer that there will be no more.
    fn bury(&self, status: Option<ExitStatus>) {
        let mut running = self.running();
        let how = status.map_or_else(String::new, |status| format!(" ({status})"));
        let (at, failure) = running.death.take().unwrap_or_else(|| {
            let failure = if self.ending.is_cancelled() {
                Failure::Died("the model process was ended".to_owned())
            } else if running.loaded {
                Failure::Died(format!("the model process ended{how}"))
            } else {
                Failure::DiedLoading(format!(
                    "the model process ended{how} while it loaded the file"
                ))
            };
            (Instant::now(), failure)
        });
        running.death = Some((at, failure.clone()));
        for (_, events) in running.answers.drain() {
            let _ = events.send(Err(failure.clone()));
        }
    }

    /// Hands events to their answers until the worker says something that is none, or ends.
    async fn read(&self, stdout: ChildStdout) {
        let mut lines = Lines::new(stdout);
        while let Some(line) = lines.next().await {
            match serde_json::from_slice(line) {
                Ok(event) => self.dispatch(event),
                Err(error) => {
                    tracing::error!("the model process said what is no event: {error}");
                    return;
                }
            }
        }
    }

    fn dispatch(&self, event: Event) {
        let (id, is_last) = match &event {
            Event::Loaded { .. } => {
                self.running().loaded = true;
                return;
            }
            Event::Refused { reason } => {
                let refused = Failure::Load(reason.clone());
                self.running().death = Some((Instant::now(), refused));
                return;
            }
            Event::Reading { id, .. } | Event::Text { id, .. } => (*id, false),
            Event::Finished { id, .. } | Event::Failed { id, .. } => (*id, true),
        };
        let events = if is_last {
            self.settle(id)
        } else {
            self.running().answers.get(&id).cloned()
        };
        // Events of an answer that was just cancelled go nowhere.
        if let Some(events) = events {
            let _ = events.send(Ok(event));
        }
    }

    /// Returns once nothing was asked for that long; from then on nothing can be.
    async fn wait_until_idle(&self, idle_unload: Duration) {
        loop {
            let changed = self.changed.notified();
            let Some(since) = self.idle_since() else {
                changed.await;
                continue;
            };
            let left = idle_unload.saturating_sub(since.elapsed());
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(left) => {
                    let mut running = self.running();
                    if running.answers.is_empty() && running.idle_since.elapsed() >= idle_unload {
                        let idle = Failure::Died("the model was idle".to_owned());
                        running.death = Some((Instant::now(), idle));
                        return;
                    }
                }
            }
        }
    }
}

/// The status of a process that is about to end by itself.
async fn exit_status(child: &mut Child) -> Option<ExitStatus> {
    const PATIENCE: Duration = Duration::from_secs(1);
    tokio::time::timeout(PATIENCE, child.wait())
        .await
        .ok()?
        .ok()
}

/// Writes commands until the worker no longer reads.
async fn write(mut stdin: ChildStdin, mut queue: mpsc::UnboundedReceiver<Command>) {
    while let Some(command) = queue.recv().await {
        let Ok(mut line) = serde_json::to_vec(&command) else {
            continue;
        };
        line.push(b'\n');
        if stdin.write_all(&line).await.is_err() {
            return;
        }
    }
}

/// Keeps the end of the worker's log.
async fn keep_log(stderr: ChildStderr, log: &mut VecDeque<String>) {
    let mut lines = Lines::new(stderr);
    while let Some(line) = lines.next().await {
        if log.len() == LOG_LINES {
            log.pop_front();
        }
        log.push_back(String::from_utf8_lossy(&line[..line.len().min(500)]).into_owned());
    }
}

/// Lines of a pipe, each at most [`MAX_LINE_BYTES`] long; a longer one ends them.
struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(reader: R) -> Self {
        Self {
            reader: BufReader::new(reader),
            line: Vec::new(),
        }
    }

    async fn next(&mut self) -> Option<&[u8]> {
        self.line.clear();
        let mut bounded = (&mut self.reader).take(MAX_LINE_BYTES as u64 + 1);
        let length = bounded.read_until(b'\n', &mut self.line).await.ok()?;
        let whole = length > 0 && length <= MAX_LINE_BYTES && self.line.last() == Some(&b'\n');
        whole.then(|| self.line.trim_ascii_end())
    }
}
