//! The two windows: `main`, and `quick`, the composer alone. Both are guarded in the same way: they
//! show the application's own pages and nothing else, open no window, download nothing and are
//! granted no permission. The quick window is made after the main one's first frame, which it would
//! hold up, and is only shown or hidden from then on, so that a summons costs no page load. It is
//! shown once its page listens: before, the first letters of a question would go nowhere. On
//! WebKitGTK it lives in the main window's web process: two would take twice the memory.

mod failure;
mod painting;
mod present;
mod recovery;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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

/// How long the first frame is waited for. A page that is hidden, or broken, paints none.
const FIRST_FRAME: Duration = Duration::from_secs(3);

/// What is known of the windows: which can be seen, for one that cannot is sent nothing, whether the
/// main one has shown its first frame, and how far the quick one is.
pub struct Windows {
    visible: HashMap<&'static str, watch::Sender<bool>>,
    painted: watch::Sender<bool>,
    quick: Mutex<Quick>,
}

/// How far the quick window is.
#[derive(Clone, Copy)]
enum Quick {
    /// Its page does not listen yet.
    Loading,
    /// It was summoned in that time, maybe by a press of the key, and is shown as soon as its page
    /// listens.
    Awaited(Option<Press>),
    /// Its page listens.
    Ready,
}

impl Windows {
    /// Both windows, unseen yet.
    pub fn new() -> Self {
        Self {
            visible: [MAIN, QUICK]
                .into_iter()
                .map(|label| (label, watch::Sender::new(false)))
                .collect(),
            painted: watch::Sender::new(false),
            quick: Mutex::new(Quick::Loading),
        }
    }

    /// Follows whether a window can be seen.
    pub fn follow(&self, label: &str) -> watch::Receiver<bool> {
        self.visible.get(label).map_or_else(
            || watch::Sender::new(true).subscribe(),
            watch::Sender::subscribe,
        )
    }

    /// Notes how far the quick window is and gives what was known before.
    fn set_quick(&self, quick: Quick) -> Quick {
        let mut known = self.quick.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut known, quick)
    }

    /// Loaded anew after a crash, the quick window's page has to listen anew.
    fn quick_loads_anew(&self) {
        let mut known = self.quick.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*known, Quick::Ready) {
            *known = Quick::Loading;
        }
    }

    /// Whether a summons can be followed now; one that cannot is remembered.
    fn summon_quick(&self, press: Option<Press>) -> bool {
        let mut known = self.quick.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*known, Quick::Loading) {
            *known = Quick::Awaited(press);
        }
        matches!(*known, Quick::Ready)
    }

    fn set_visible(&self, label: &str, visible: bool) {
        if let Some(sender) = self.visible.get(label) {
            sender.send_if_modified(|known| std::mem::replace(known, visible) != visible);
        }
    }
}

/// Makes the main window and shows it, unless the application was started to summon the quick one.
pub fn open_main(app: &AppHandle, opening: Opening) -> tauri::Result<()> {
    let shown = opening == Opening::Main;
    let windows = app.state::<Windows>();
    if !shown {
        windows.set_quick(Quick::Awaited(None));
    }
    let window = guarded(app, MAIN, "index.html")
        .on_page_load(move |window, load| {
            // What nobody sees holds nothing up.
            if !shown && load.event() == PageLoadEvent::Finished {
                window.state::<Windows>().painted.send_replace(true);
            }
        })
        .title("Pilotfish")
        .inner_size(1080.0, 740.0)
        .min_inner_size(420.0, 360.0)
        .visible(shown)
        .build()?;
    windows.set_visible(MAIN, shown);
    painting::suit_machine(&window);
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

/// Takes note that a window's page stands and listens: the main one's with its first frame.
pub fn page_ready(window: &WebviewWindow) {
    let app = window.app_handle();
    let windows = app.state::<Windows>();
    if window.label() == MAIN {
        windows.painted.send_replace(true);
    } else if let Quick::Awaited(press) = windows.set_quick(Quick::Ready) {
        toggle_quick(app, press);
    }
}

/// Makes the quick window once the main one has shown its first frame. Until then, whatever the
/// person does not see would take its time from what they do.
pub async fn open_quick_after_first_frame(app: &AppHandle) {
    let mut painted = app.state::<Windows>().painted.subscribe();
    let first_frame = painted.wait_for(|painted| *painted);
    if tokio::time::timeout(FIRST_FRAME, first_frame)
        .await
        .is_err()
    {
        tracing::info!("the first frame is not waited for any longer");
    }
    if let Some(main) = app.get_webview_window(MAIN) {
        open_quick_beside(&main);
    }
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
        if let Err(error) = open_quick(quick) {
            tracing::warn!(%error, "there is no quick window");
        }
    });
    if let Err(error) = opened {
        tracing::warn!(%error, "there is no quick window");
    }
}

fn open_quick(window: WebviewWindowBuilder<'_, tauri::Wry, AppHandle>) -> tauri::Result<()> {
    let window = window
        .on_page_load(|window, load| {
            if load.event() == PageLoadEvent::Started {
                window.state::<Windows>().quick_loads_anew();
            }
        })
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
    painting::suit_machine(&window);
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

/// Shows the quick window where the person looks, or hides it when it has the keys. Before its page
/// listens, it is shown once it does. From any thread.
pub fn toggle_quick(app: &AppHandle, press: Option<Press>) {
    let summoned = app.clone();
    if let Err(error) = app.run_on_main_thread(move || toggle_quick_now(&summoned, press)) {
        tracing::warn!(%error, "the quick window was summoned and could not be shown");
    }
}

fn toggle_quick_now(app: &AppHandle, press: Option<Press>) {
    let windows = app.state::<Windows>();
    let is_ready = windows.summon_quick(press);
    let Some(window) = app.get_webview_window(QUICK).filter(|_| is_ready) else {
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
