//! Ctrl+C. It is listened to once and from the start of a command, so that no press is lost between
//! two waits for it.

use protocol::{AppError, ErrorCode};
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC, ctrl_c};

/// Exit code of what Ctrl+C stopped, as shells have it.
pub(super) const STOPPED: u8 = 130;

/// The presses of Ctrl+C, in order.
pub(super) struct Interrupt {
    #[cfg(unix)]
    presses: Signal,
    #[cfg(windows)]
    presses: CtrlC,
}

impl Interrupt {
    /// From now on a press no longer ends the process by itself.
    pub(super) fn listen() -> Result<Self, AppError> {
        #[cfg(unix)]
        let presses = signal(SignalKind::interrupt());
        #[cfg(windows)]
        let presses = ctrl_c();
        let presses = presses.map_err(|error| {
            let sentence = format!("Ctrl+C cannot be listened to: {error}");
            AppError::new(ErrorCode::Unknown, sentence)
        })?;
        Ok(Self { presses })
    }

    /// Waits for the next press, or gives at once one that came before.
    pub(super) async fn pressed(&mut self) {
        if self.presses.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
