//! The terminal: the same engine as the window's, with no GTK in it. Answers go to standard output
//! and everything else to standard error, so that a pipe gets the answer and nothing more.

mod api_keys;
mod ask;
mod chat;
mod debug;
mod doctor;
mod interrupt;
mod keys;
mod ledger;
mod models;
mod output;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use protocol::{AppError, ConversationId, ErrorCode, ModelRef, ProviderId};

use self::interrupt::Interrupt;
use crate::open::open_engine;

/// How long the end of a command waits for an answer to be stored.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// A desktop copilot: an in-house model and everyone else's behind one picker.
///
/// Without a command, the window opens.
#[derive(Debug, Parser)]
#[command(name = "pilotfish", version)]
pub struct Arguments {
    /// What to do; nothing opens the window.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the terminal can ask for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Summon or hide the quick window of the running Pilotfish; start it if need be.
    Toggle,
    /// Ask one question; the answer streams to standard output and is stored like any other.
    Ask(AskArguments),
    /// Talk in the terminal.
    Chat {
        /// The model to ask, as inhouse/default or ollama/llama3.2.
        #[arg(short, long, value_name = "MODEL")]
        model: Option<ModelRef>,
    },
    /// The library of in-house models.
    Models {
        /// What to do; nothing lists.
        #[command(subcommand)]
        command: Option<ModelsCommand>,
    },
    /// Keys of providers, in the system's keyring.
    Keys {
        /// What to do; nothing lists.
        #[command(subcommand)]
        command: Option<KeysCommand>,
    },
    /// List what left this machine, and what it cost; nothing of what was said is in it.
    Ledger {
        /// How many days to look back on, today among them.
        #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=400))]
        days: u32,
        /// One JSON object a line instead of lines for people.
        #[arg(long)]
        json: bool,
    },
    /// The API that other programs use.
    Api {
        /// What about it.
        #[command(subcommand)]
        command: ApiCommand,
    },
    /// Say what works here: keyring, hotkey, model worker, database, webview.
    Doctor {
        /// One JSON array instead of lines for people.
        #[arg(long)]
        json: bool,
    },
    /// For those who work on Pilotfish: see what its parts make of something.
    Debug {
        /// Which part.
        #[command(subcommand)]
        command: DebugCommand,
    },
    /// The model worker; Pilotfish starts it itself.
    #[command(hide = true)]
    Worker,
}

/// One question.
#[derive(Debug, clap::Args)]
pub struct AskArguments {
    /// The model to ask, as inhouse/default or ollama/llama3.2.
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<ModelRef>,
    /// The conversation to go on with, by its id.
    #[arg(short, long, value_name = "CONVERSATION")]
    pub conversation: Option<ConversationId>,
    /// One JSON object at the end instead of the streamed text.
    #[arg(long)]
    pub json: bool,
    /// The question; "-" reads it from standard input.
    #[arg(value_name = "TEXT")]
    pub text: String,
}

/// What the library can do.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List the models on this machine and those that can be fetched.
    List {
        /// One JSON array instead of lines for people.
        #[arg(long)]
        json: bool,
    },
    /// Check a GGUF file and take it into the library.
    Import {
        /// The file.
        file: PathBuf,
    },
    /// Fetch a model: `small`, `default`, or REPO FILE of the model hub.
    Pull {
        /// `small`, `default`, or the hub's repository, as Qwen/Qwen2.5-0.5B-Instruct-GGUF.
        repo: String,
        /// The file in that repository.
        file: Option<String>,
    },
    /// Remove a model's file from the library.
    Remove {
        /// The model's id, as listed.
        id: String,
    },
}

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Save a provider's key; it is read from standard input, never from the arguments.
    Set {
        /// The provider, as listed.
        provider: ProviderId,
    },
    /// Try a provider's address and key: ask for its models, and its cheapest one for a word.
    Test {
        /// The provider, as listed.
        provider: ProviderId,
    },
    /// List providers and where their keys live; no key is shown.
    List {
        /// One JSON array instead of lines for people.
        #[arg(long)]
        json: bool,
    },
    /// Remove a provider's key.
    Remove {
        /// The provider, as listed.
        provider: ProviderId,
    },
}

/// What there is about the API.
#[derive(Debug, Subcommand)]
pub enum ApiCommand {
    /// Keys of programs that may use it.
    Keys {
        /// What to do; nothing lists.
        #[command(subcommand)]
        command: Option<ApiKeysCommand>,
    },
}

/// What can be done with the API's keys.
#[derive(Debug, Subcommand)]
pub enum ApiKeysCommand {
    /// Make a key for a program; it is printed once, alone on its line.
    Create {
        /// The program.
        name: String,
    },
    /// List the programs that have a key; no key is shown.
    List {
        /// One JSON array instead of lines for people.
        #[arg(long)]
        json: bool,
    },
    /// Take a program's key away.
    Revoke {
        /// The program, as listed.
        name: String,
    },
}

/// Which part to see at work.
#[derive(Debug, Subcommand)]
pub enum DebugCommand {
    /// Markdown on standard input, safe HTML on standard output.
    Render {
        /// Feed it N bytes at a time through the incremental renderer; the result is the same.
        #[arg(long, value_name = "N")]
        stream: Option<std::num::NonZeroUsize>,
    },
    /// A recorded SSE body on standard input, one JSON event a line on standard output.
    Decode {
        /// chat, responses, messages or gemini.
        #[arg(long)]
        wire: String,
        /// Feed it N bytes at a time; the result is the same.
        #[arg(long, value_name = "N")]
        split: Option<std::num::NonZeroUsize>,
    },
    /// A conversation as JSON on standard input, the body that would be sent on standard output.
    Request {
        /// chat, responses, messages or gemini.
        #[arg(long)]
        wire: String,
        /// The model's id at its provider.
        #[arg(long)]
        model: String,
    },
}

/// Runs a command of the terminal to its end.
pub fn run(command: Command) -> ExitCode {
    log_to_stderr();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&AppError::new(ErrorCode::Unknown, error.to_string())),
    };
    let code = runtime.block_on(async {
        match perform(command).await {
            Ok(code) => code,
            Err(error) => fail(&error),
        }
    });
    // A thread may still wait for a line that nobody will type; it ends with the process.
    runtime.shutdown_background();
    code
}

async fn perform(command: Command) -> Result<ExitCode, AppError> {
    let command = match command {
        Command::Debug { command } => return debug::run(command),
        command => command,
    };
    let mut interrupt = Interrupt::listen()?;
    let engine = match (open_engine(&engine::Paths::from_env()?).await, &command) {
        (Ok(engine), _) => engine,
        // The report is wanted most when something does not work.
        (Err(error), Command::Doctor { json }) => return doctor::run_without(&error, *json).await,
        (Err(error), _) => return Err(error),
    };
    let outcome = match command {
        Command::Ask(arguments) => ask::run(&engine, arguments, &mut interrupt).await,
        Command::Chat { model } => chat::run(&engine, model, &mut interrupt).await,
        Command::Models { command } => models::run(&engine, command, &mut interrupt).await,
        Command::Keys { command } => keys::run(&engine, command, &mut interrupt).await,
        Command::Ledger { days, json } => ledger::run(&engine, days, json).await,
        Command::Api {
            command: ApiCommand::Keys { command },
        } => api_keys::run(&engine, command).await,
        Command::Doctor { json } => doctor::run(&engine, json).await,
        Command::Toggle | Command::Worker | Command::Debug { .. } => Ok(ExitCode::SUCCESS),
    };
    if tokio::time::timeout(LAST_WRITES, engine.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some of the end was not stored in time");
    }
    outcome
}

/// Says what went wrong and gives the exit code of failure.
pub fn fail(error: &AppError) -> ExitCode {
    output::complain(&format!("pilotfish: {error}"));
    ExitCode::FAILURE
}

/// Sends the log to standard error: warnings, or what `PILOTFISH_LOG` asks for.
pub fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("PILOTFISH_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second call in one process changes nothing.
    drop(logging.try_init());
}
