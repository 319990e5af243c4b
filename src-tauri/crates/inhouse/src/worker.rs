//! The worker: the child process that owns llama.cpp, and the only code that names it.
//!
//! One thread reads commands; the main thread loads the model and then computes, step by step, for
//! all answers at once. It ends when its stdin ends, so it never outlives the application.

mod backends;
mod batch;
mod cache;
mod manners;
mod pace;
mod pick;
mod prompt;
mod session;
mod slot;
mod template;
mod text;

use std::io::{self, BufRead, BufReader, BufWriter, Read, Stdout, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;

use crate::gguf;
use crate::line::{Command, Event, Load, MAX_LINE_BYTES};
use session::Session;

/// Runs the worker: JSON lines on stdin and stdout until stdin ends. Logs go to stderr.
#[must_use]
pub fn worker_main() -> ExitCode {
    let logs = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .without_time()
        .finish();
    let _ = tracing::subscriber::set_global_default(logs);
    manners::behave();
    llama_cpp_2::send_logs_to_tracing(llama_cpp_2::LogOptions::default());

    let ended = Arc::new(AtomicBool::new(false));
    let (sender, commands) = mpsc::channel();
    // Nothing is sent through it: it closes when this function returns.
    let (_alive, gone) = mpsc::channel();
    let reader_ended = ended.clone();
    let reader = std::thread::Builder::new()
        .name("commands".to_owned())
        .spawn(move || {
            read_commands(sender, &reader_ended);
            manners::end_at_last(&gone);
        });
    let mut output = Output::new();
    if let Err(error) = reader {
        let _ = output.send(&Event::Refused {
            reason: error.to_string(),
        });
        return ExitCode::FAILURE;
    }
    let Ok(Command::Load(load)) = commands.recv() else {
        // Whoever started this by hand sees why nothing happens.
        tracing::error!("the worker is started by Pilotfish and expects its commands on stdin");
        return ExitCode::FAILURE;
    };
    match serve(&load, &commands, &ended, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let _ = output.send(&Event::Refused { reason });
            ExitCode::FAILURE
        }
    }
}

/// Loads the model and answers until the commands end; the error is a clause for people.
fn serve(
    load: &Load,
    commands: &Receiver<Command>,
    ended: &Arc<AtomicBool>,
    output: &mut Output,
) -> Result<(), String> {
    // Again, although the application has checked it: the file may have changed since.
    gguf::check(&load.path).map_err(|error| error.to_string())?;
    backends::load()?;
    let backend = LlamaBackend::init().map_err(|error| error.to_string())?;
    let stop = ended.clone();
    let params =
        LlamaModelParams::default().with_progress_callback(move |_| !stop.load(Ordering::Relaxed));
    let model = LlamaModel::load_from_file(&backend, &load.path, &params)
        .map_err(|_| "llama.cpp cannot read it: it is damaged or of an unknown kind".to_owned())?;
    let mut session = Session::new(&backend, &model, load)?;
    if output
        .send(&Event::Loaded {
            context: session.context_tokens(),
        })
        .is_err()
    {
        return Ok(());
    }
    while !ended.load(Ordering::Relaxed) {
        if session.is_idle() {
            let Ok(command) = commands.recv() else {
                return Ok(());
            };
            session.take(command);
        }
        while let Ok(command) = commands.try_recv() {
            session.take(command);
        }
        // The application has gone when it no longer reads.
        if session.step(output).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads commands until stdin ends or says something that is no command.
fn read_commands(commands: Sender<Command>, ended: &AtomicBool) {
    let mut input = BufReader::new(io::stdin());
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = MAX_LINE_BYTES as u64 + 1;
        match input.by_ref().take(most).read_until(b'\n', &mut line) {
            Ok(1..) if line.len() <= MAX_LINE_BYTES => {}
            Ok(_) | Err(_) => break,
        }
        match serde_json::from_slice(&line) {
            Ok(command) => {
                if commands.send(command).is_err() {
                    break;
                }
            }
            Err(error) => {
                tracing::error!("a command is none: {error}");
                break;
            }
        }
    }
    ended.store(true, Ordering::Relaxed);
}

/// How long text may wait for more of it. Nobody sees more than a picture a frame, and whoever reads
/// is woken on a core that computes: a small model would lose a twentieth of its speed.
const FRAME: Duration = Duration::from_millis(16);

/// Events out, a line each.
struct Output {
    lines: BufWriter<Stdout>,
    flushed: Instant,
}

impl Output {
    fn new() -> Self {
        Self {
            lines: BufWriter::new(io::stdout()),
            flushed: Instant::now(),
        }
    }

    /// Sends an event; text that follows other text at once goes out with the next.
    fn send(&mut self, event: &Event) -> io::Result<()> {
        serde_json::to_writer(&mut self.lines, event)?;
        self.lines.write_all(b"\n")?;
        if matches!(event, Event::Text { .. }) && self.flushed.elapsed() < FRAME {
            return Ok(());
        }
        self.flush()
    }

    /// Sends what waits.
    fn flush(&mut self) -> io::Result<()> {
        self.flushed = Instant::now();
        self.lines.flush()
    }
}
