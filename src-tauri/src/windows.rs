//! The two windows: `main`, and `quick`, the composer alone. Both are guarded in the same way: they
//! show the application's own pages and nothing else, open no window, download nothing and are
//! granted no permission. The quick window is made once the main one shows its page, so that it
//! costs the first frame nothing, and is only shown or hidden from then on, so that a summons costs
//! no page load. On WebKitGTK it lives in the main window's web process: two would take twice the
//! memory.

mod present;

use std::collections::HashMap;

use engine::Paths;
use protocol::{AppError, ErrorCode};
use tauri::webview::{NewWindowResponse, PageLoadEvent, PermissionResponse};
use tauri::{
    AppHandle, Emitter, LogicalPosition, LogicalSize, Manager, WebviewUrl, WebviewWindow,
    WebviewWindowBuilder, WindowEvent,
};
use tokio::sync::watch;

use crate::window::Opening;

/// The main window's label.
pub const MAIN: &str = "main";
/// The quick window's label.
pub const QUICK: &str = "quick";

const QUICK_WIDTH: f64 = 680.0;
const QUICK_HEIGHT: f64 = 92.0;
/// The answer of the quick window grows to this, then scrolls.
const QUICK_TALLEST: f64 = 560.0;

/// Which windows can be seen. A window that cannot be seen is sent nothing.
pub struct Visibility(HashMap<&'static str, watch::Sender<bool>>);

impl Visibility {
    /// Both windows, unseen yet.
    pub fn new() -> Self {
        Self(
            [MAIN, QUICK]
                .into_iter()
                .map(|label| (label, watch::Sender::new(false)))
                .collect(),
        )
    }

    /// Follows whether a window can be seen.
    pub fn follow(&self, label: &str) -> watch::Receiver<bool> {
        self.0.get(label).map_or_else(
            || watch::Sender::new(true).subscribe(),
            watch::Sender::subscribe,
        )
    }

    fn set(&self, label: &str, visible: bool) {
        if let Some(sender) = self.0.get(label) {
            sender.send_if_modified(|known| std::mem::replace(known, visible) != visible);
        }
    }
}

/// Makes the main window and shows it, unless the application was started to summon the quick one,
/// which is made next and summoned then.
pub fn open_main(app: &AppHandle, opening: Opening) -> tauri::Result<()> {
    let shown = opening == Opening::Main;
    let window = guarded(app, MAIN, "index.html")
        .on_page_load(move |window, load| {
            let loaded = load.event() == PageLoadEvent::Finished;
            if loaded && window.app_handle().get_webview_window(QUICK).is_none() {
                open_quick_beside(&window, opening);
            }
        })
        .title("Pilotfish")
        .inner_size(1080.0, 740.0)
        .min_inner_size(420.0, 360.0)
        .visible(shown)
        .build()?;
    app.state::<Visibility>().set(MAIN, shown);
    follow_visibility(&window);
    let close = window.clone();
    window.on_window_event(move |event| {
        if let WindowEvent::CloseRequested { api, .. } = event {
            // The hotkey and the tray still answer; "Quit" in the tray ends the application.
            if close.app_handle().tray_by_id(crate::tray::ID).is_some() {
                api.prevent_close();
                if close.hide().is_ok() {
                    close.app_handle().state::<Visibility>().set(MAIN, false);
                }
            } else {
                close.app_handle().exit(0);
            }
        }
    });
    Ok(())
}

/// Makes the quick window in the main window's web process, where the system has such.
fn open_quick_beside(main: &WebviewWindow, opening: Opening) {
    let app = main.app_handle().clone();
    let opened = main.with_webview(move |webview| {
        let quick = guarded(&app, QUICK, "quick.html");
        #[cfg(target_os = "linux")]
        let quick = quick.with_related_view(webview.inner());
        #[cfg(not(target_os = "linux"))]
        let _ = webview;
        match open_quick(quick) {
            Ok(()) if opening == Opening::Quick => toggle_quick(&app),
            Ok(()) => {}
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
        Some(Ok(())) => app.state::<Visibility>().set(MAIN, true),
        Some(Err(error)) => tracing::warn!(%error, "the main window could not be shown"),
        None => tracing::warn!("there is no main window to show"),
    }
}

/// Shows the quick window where the person looks, or hides it when it has the keys.
pub fn toggle_quick(app: &AppHandle) {
    let Some(window) = app.get_webview_window(QUICK) else {
        return;
    };
    if window.is_visible().unwrap_or(false) {
        hide_quick(app);
        return;
    }
    let shown = place(&window).and_then(|()| present::present(&window));
    match shown.and_then(|()| app.emit_to(QUICK, "summoned", ())) {
        Ok(()) => app.state::<Visibility>().set(QUICK, true),
        Err(error) => tracing::warn!(%error, "the quick window could not be shown"),
    }
}

/// Puts the quick window into the middle of the screen with the pointer, as high as it must be for
/// its tallest answer to be in the middle too. On Wayland the compositor decides.
fn place(window: &WebviewWindow) -> tauri::Result<()> {
    let pointer = window.cursor_position()?;
    let monitor = match window.monitor_from_point(pointer.x, pointer.y)? {
        Some(monitor) => Some(monitor),
        None => window.primary_monitor()?,
    };
    let Some(monitor) = monitor else {
        return window.center();
    };
    let scale = monitor.scale_factor();
    let corner = monitor.position().to_logical::<f64>(scale);
    let screen = monitor.size().to_logical::<f64>(scale);
    window.set_position(LogicalPosition::new(
        corner.x + (screen.width - QUICK_WIDTH) / 2.0,
        corner.y + ((screen.height - QUICK_TALLEST) / 2.0).max(0.0),
    ))
}

/// Hides the quick window.
pub fn hide_quick(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(QUICK) {
        if let Err(error) = window.hide() {
            tracing::warn!(%error, "the quick window could not be hidden");
        }
        app.state::<Visibility>().set(QUICK, false);
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
            seen.app_handle().state::<Visibility>().set(MAIN, visible);
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
