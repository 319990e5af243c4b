//! Life after a crash of the page's process. The engine and all that is stored live in ours, so the
//! page is loaded anew and finds everything again; answers that are growing are followed again. A
//! page that crashes over and over is left alone, and the person is told.

use tauri::WebviewWindow;

/// Loads a window's page anew when its process has crashed or was killed.
#[cfg(target_os = "linux")]
pub(super) fn reload_when_lost(window: &WebviewWindow) {
    use std::cell::RefCell;
    use std::time::Instant;

    use gtk::prelude::{DialogExt as _, WidgetExt as _};
    use webkit2gtk::{WebProcessTerminationReason, WebViewExt as _};

    let label = window.label().to_owned();
    let watched = window.with_webview(move |webview| {
        let attempts = RefCell::new(Attempts::default());
        webview.inner().connect_web_process_terminated(move |view, reason| {
            if reason == WebProcessTerminationReason::TerminatedByApi {
                return;
            }
            tracing::warn!(window = label, ?reason, "the page's process has ended");
            if attempts.borrow_mut().another(Instant::now()) {
                view.reload();
                return;
            }
            let dialog = super::failure::dialog(
                "The window's page keeps failing",
                "Nothing that was stored is lost: quit Pilotfish and start it again. If it goes on, \
                 `pilotfish doctor` says what works here.",
            );
            dialog.connect_response(|dialog, _| dialog.hide());
            dialog.show_all();
        });
    });
    if let Err(error) = watched {
        tracing::warn!(%error, "a crash of the page would go unnoticed");
    }
}

/// Elsewhere the system's webview looks after itself.
#[cfg(not(target_os = "linux"))]
pub(super) fn reload_when_lost(_window: &WebviewWindow) {}

/// How often a page is loaded anew within [`SPAN`].
#[cfg(target_os = "linux")]
const MOST: usize = 3;

#[cfg(target_os = "linux")]
const SPAN: std::time::Duration = std::time::Duration::from_secs(60);

/// The attempts of late.
#[cfg(target_os = "linux")]
#[derive(Default)]
struct Attempts(std::collections::VecDeque<std::time::Instant>);

#[cfg(target_os = "linux")]
impl Attempts {
    /// Whether to try once more.
    fn another(&mut self, now: std::time::Instant) -> bool {
        while self
            .0
            .front()
            .is_some_and(|first| now.duration_since(*first) >= SPAN)
        {
            self.0.pop_front();
        }
        let another = self.0.len() < MOST;
        if another {
            self.0.push_back(now);
        }
        another
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::{Duration, Instant};

    use super::Attempts;

    #[test]
    fn three_attempts_a_minute() {
        let mut attempts = Attempts::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(attempts.another(at(0)) && attempts.another(at(10)) && attempts.another(at(20)));
        assert!(!attempts.another(at(59)));
        assert!(attempts.another(at(60)), "the first is a minute ago");
        assert!(!attempts.another(at(61)));
    }
}
