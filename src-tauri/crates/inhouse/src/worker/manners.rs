//! How the worker behaves towards the rest of the machine: it is the first to go when memory runs
//! out, and it never stays when nobody needs it.

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How long a computation may go on after the application has gone.
const PATIENCE: Duration = Duration::from_secs(3);

/// Tells the system whom to end when memory runs out: losing the model costs one answer, losing the
/// window or another program costs more.
pub(super) fn behave() {
    #[cfg(target_os = "linux")]
    if let Err(error) = std::fs::write("/proc/self/oom_score_adj", "800") {
        tracing::debug!("the system does not let itself be told whom to end first: {error}");
    }
}

/// Returns when the main thread has ended (`alive` closes then), or ends the process when that
/// hangs: in llama.cpp, say, or in a step that takes minutes.
pub(super) fn end_at_last(alive: &Receiver<Infallible>) {
    if matches!(alive.recv_timeout(PATIENCE), Err(RecvTimeoutError::Timeout)) {
        // Not by an orderly exit: that would wait for what hangs.
        #[cfg(unix)]
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        #[cfg(not(unix))]
        std::process::abort();
    }
}
