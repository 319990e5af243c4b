//! Picks the host of this run: the window, a command of the terminal, or the model worker.

use std::process::ExitCode;

use clap::Parser;
use pilotfish::cli::{self, Arguments, Command};
use pilotfish::window;

fn main() -> ExitCode {
    leave_no_core_dumps();
    match Arguments::parse().command {
        None => window::run(window::Opening::Main),
        Some(Command::Worker) => inhouse::worker_main(),
        Some(Command::Toggle) => window::run(window::Opening::Quick),
        Some(command) => cli::run(command),
    }
}

/// A core dump of this program or of its children would hold keys and conversations.
fn leave_no_core_dumps() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        // Lowering one's own limit is always allowed.
        let _ = setrlimit(Resource::Core, none);
    }
}
