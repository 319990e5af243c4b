//! Picks the host of this run: the window, a command of the terminal, or the model worker.

use std::process::ExitCode;

use clap::Parser;
use pilotfish::cli::{self, Arguments, Command};
use pilotfish::window;

fn main() -> ExitCode {
    match Arguments::parse().command {
        None => window::run(window::Opening::Main),
        Some(Command::Worker) => inhouse::worker_main(),
        Some(Command::Toggle) => {
            cli::toggle().unwrap_or_else(|| window::run(window::Opening::Quick))
        }
        Some(command) => cli::run(command),
    }
}
