//! The two windows: `main`, and `quick`, the composer alone. Both are guarded in the same way: they
//! show the application's own pages and nothing else, open no window, download nothing and are
//! granted no permission. The quick window is made once the main one shows its page, so that it
//! costs the first frame nothing, and is only shown or hidden from then on, so that a summons costs
//! no page load. On WebKitGTK it lives in the main window's web process: two would take twice the
//! memory.

mod failure;
mod present;
mod recovery;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::Paths;
use protocol::{AppError, ErrorCode};
use tauri::webview::{NewWindowResponse, PageLoadEvent, PermissionResponse};
use tauri::{
    AppHandle, Emitter, LogicalSize, Manager, WebviewUrl, WebviewWindow, WebviewWindowBuilder,
    WindowEvent,
};
use tokio::sync::watch;

pub use self::failure::{reach_display, show_failure};
use crate::hotkey::Press;
use crate::window::Opening;

/// The main window's label.
pub const MAIN: &str = "main";
/// The quick window's label.
pub const QUICK: &str = "quick";

const QUICK_WIDTH: f64 = 680.0;
const QUICK_HEIGHT: f64 = 92.0;
/// The answer of the quick window grows to this, then scrolls.
const QUICK_TALLEST: f64 = 560.0;

/// What is known of the windows: which can be seen, for one that cannot is sent nothing, and
/// whether the quick one was summoned before it was made.
pub struct Windows {
    visible: HashMap<&'static str, watch::Sender<bool>>,
    awaited: AtomicBool,
}

impl Windows {
    /// Both windows, unseen yet.
    pub fn new() -> Self {
        Self {
            visible: [MAIN, QUICK]
                .into_iter()
                .map(|label| (label, watch::Sender::new(false)))
                .collect(),
            awaited: AtomicBool::new(false),
        }
    }

    /// Follows whether a window can be seen.
    pub fn follow(&self, label: &str) -> watch::Receiver<bool> {
        self.visible.get(label).map_or_else(
            || watch::Sender::new(true).subscribe(),
            watch::Sender::subscribe,
        )
    }

    fn set_visible(&self, label: &str, visible: bool) {
        if let Some(sender) = self.visible.get(label) {
            sender.send_if_modified(|known| std::mem::replace(known, visible) != visible);
        }
    }
}

/// Makes the main window and shows it, unless the application was started to summon the quick one,
/// which is made next and summoned then.
pub fn open_main(app: &AppHandle, opening: Opening) -> tauri::Result<()> {
    let shown = opening == Opening::Main;
    let windows = app.state::<Windows>();
    windows.awaited.store(!shown, Ordering::Relaxed);
    let window = guarded(app, MAIN, "index.html")
        .on_page_load(move |window, load| {
            let loaded = load.event() == PageLoadEvent::Finished;
            if loaded && window.app_handle().get_webview_window(QUICK).is_none() {
                open_quick_beside(&window);
            }
        })
        .title("Pilotfish")
        .inner_size(1080.0, 740.0)
        .min_inner_size(420.0, 360.0)
        .visible(shown)
        .build()?;
    windows.set_visible(MAIN, shown);
    recovery::reload_when_lost(&window);
    follow_visibility(&window);
    let close = window.clone();
    window.on_window_event(move |event| {
        if let WindowEvent::CloseRequested { api, .. } = event {
            // The hotkey and the tray still answer; "Quit" in the tray ends the application.
            if close.app_handle().tray_by_id(crate::tray::ID).is_some() {
                api.prevent_close();
                if close.hide().is_ok() {
                    close
                        .app_handle()
                        .state::<Windows>()
                        .set_visible(MAIN, false);
                }
            } else {
                close.app_handle().exit(0);
            }
        }
    });
    Ok(())
}

/// Makes the quick window in the main window's web process, where the system has such.
fn open_quick_beside(main: &WebviewWindow) {
    let app = main.app_handle().clone();
    let opened = main.with_webview(move |webview| {
        let quick = guarded(&app, QUICK, "quick.html");
        #[cfg(target_os = "linux")]
        let quick = quick.with_related_view(webview.inner());
        #[cfg(not(target_os = "linux"))]
        let _ = webview;
        match open_quick(quick) {
            Ok(()) => {
                if app
                    .state::<Windows>()
                    .awaited
                    .swap(false, Ordering::Relaxed)
                {
                    toggle_quick(&app, None);
                }
            }
            Err(error) => tracing::warn!(%error, "there is no quick window"),
        }
    });
    if let Err(error) = opened {
        tracing::warn!(%error, "there is no quick window");
    }
}

fn open_quick(window: WebviewWindowBuilder<'_, tauri::Wry, AppHandle>) -> tauri::Result<()> {
    let window = window
        .title("Pilotfish – ask")
        .inner_size(QUICK_WIDTH, QUICK_HEIGHT)
        .decorations(false)
        .resizable(false)
        .always_on_top(true)
        .skip_taskbar(true)
        .visible_on_all_workspaces(true)
        .visible(false)
        .build()?;
    present::prepare(&window)?;
    recovery::reload_when_lost(&window);
    let hide = window.clone();
    window.on_window_event(move |event| {
        if let WindowEvent::CloseRequested { api, .. } = event {
            api.prevent_close();
            hide_quick(hide.app_handle());
        }
    });
    Ok(())
}

fn guarded<'a>(
    app: &'a AppHandle,
    label: &str,
    page: &str,
) -> WebviewWindowBuilder<'a, tauri::Wry, AppHandle> {
    WebviewWindowBuilder::new(app, label, WebviewUrl::App(page.into()))
        .data_directory(app.state::<Paths>().cache.join("webview"))
        .on_navigation(is_own_page)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .on_download(|_, _| false)
        .on_permission_request(|_, _| PermissionResponse::Deny)
        // Copying waits for the message's source, which takes it out of the click's own moment.
        .enable_clipboard_access()
        .disable_drag_drop_handler()
}

/// Whether a window may go to this address: the application's own pages, and in `tauri dev` the
/// page server's.
fn is_own_page(url: &tauri::Url) -> bool {
    let own = match url.scheme() {
        "tauri" => url.host_str() == Some("localhost"),
        "http" | "https" if cfg!(any(target_os = "windows", target_os = "android")) => {
            url.host_str() == Some("tauri.localhost")
        }
        "http" => {
            tauri::is_dev() && url.host_str() == Some("localhost") && url.port() == Some(1420)
        }
        _ => false,
    };
    own && url.username().is_empty() && url.password().is_none()
}

/// Shows the main window and gives it the keys.
pub fn show_main(app: &AppHandle) {
    match app.get_webview_window(MAIN).as_ref().map(present::present) {
        Some(Ok(())) => app.state::<Windows>().set_visible(MAIN, true),
        Some(Err(error)) => tracing::warn!(%error, "the main window could not be shown"),
        None => tracing::warn!("there is no main window to show"),
    }
}

/// Shows what a later start asks for.
pub fn open(app: &AppHandle, opening: Opening) {
    match opening {
        Opening::Main => show_main(app),
        Opening::Quick => toggle_quick(app, None),
    }
}

/// Shows the quick window where the person looks, or hides it when it has the keys. Before it is
/// made, it is shown once it is. From any thread.
pub fn toggle_quick(app: &AppHandle, press: Option<Press>) {
    let summoned = app.clone();
    if let Err(error) = app.run_on_main_thread(move || toggle_quick_now(&summoned, press)) {
        tracing::warn!(%error, "the quick window was summoned and could not be shown");
    }
}

fn toggle_quick_now(app: &AppHandle, press: Option<Press>) {
    let windows = app.state::<Windows>();
    let Some(window) = app.get_webview_window(QUICK) else {
        windows.awaited.store(true, Ordering::Relaxed);
        return;
    };
    // Seen but behind, or without the keys, it is wanted in front.
    if window.is_visible().unwrap_or(false) && present::has_keys(&window) {
        hide_quick(app);
        return;
    }
    if let Err(error) = present::summon(&window, press, (QUICK_WIDTH, QUICK_TALLEST)) {
        tracing::warn!(%error, "the quick window could not be shown");
        return;
    }
    windows.set_visible(QUICK, true);
    if let Err(error) = app.emit_to(QUICK, "summoned", ()) {
        tracing::warn!(%error, "the quick window was not told that it was summoned");
    }
}

/// Hides the quick window.
pub fn hide_quick(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(QUICK) {
        if let Err(error) = window.hide() {
            tracing::warn!(%error, "the quick window could not be hidden");
        }
        app.state::<Windows>().set_visible(QUICK, false);
    }
}

/// Makes the quick window as tall as its answer needs, within bounds.
pub fn resize_quick(app: &AppHandle, height: f64) -> Result<(), AppError> {
    if !height.is_finite() {
        return Err(AppError::new(
            ErrorCode::InvalidRequest,
            "the height must be a number",
        ));
    }
    let size = LogicalSize::new(QUICK_WIDTH, height.clamp(QUICK_HEIGHT, QUICK_TALLEST));
    app.get_webview_window(QUICK)
        .map_or(Ok(()), |window| window.set_size(size))
        .map_err(|error| AppError::new(ErrorCode::Unknown, error.to_string()))
}

/// A minimised window gets no focus event on every system, so size and focus are both asked.
fn follow_visibility(window: &WebviewWindow) {
    let seen = window.clone();
    window.on_window_event(move |event| {
        if matches!(event, WindowEvent::Focused(_) | WindowEvent::Resized(_)) {
            let visible =
                seen.is_visible().unwrap_or(true) && !seen.is_minimized().unwrap_or(false);
            seen.app_handle()
                .state::<Windows>()
                .set_visible(MAIN, visible);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::is_own_page;

    #[test]
    fn only_the_applications_own_pages_are_shown() {
        let goes = |address: &str| is_own_page(&address.parse().unwrap());
        #[cfg(not(target_os = "windows"))]
        assert!(goes("tauri://localhost/index.html"));
        for address in [
            "tauri://evil/index.html",
            "tauri://localhost.evil.com/",
            "http://tauri.localhost.evil.com/",
            "https://example.com/",
            "file:///etc/passwd",
            "data:text/html,x",
            "javascript:alert(1)",
            "about:blank",
        ] {
            assert!(!goes(address), "{address} is not ours");
        }
    }
}
