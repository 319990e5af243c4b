//! Showing a window so that it takes the keys.
//!
//! On X11 a window manager refuses the keys to a window that the person did nothing in lately, and a
//! hotkey is pressed over another program's window. So the window says when it was called up, by the
//! X server's own clock, before it is mapped. `set_focus` alone would also come too early: asked
//! for before the window is seen, it does nothing.

use tauri::WebviewWindow;

/// Shows a window, in front, with the keys.
#[cfg(target_os = "linux")]
pub(super) fn present(window: &WebviewWindow) -> tauri::Result<()> {
    let shown = window.clone();
    window.run_on_main_thread(move || match shown.gtk_window() {
        Ok(window) => present_now(&window),
        Err(error) => tracing::warn!(%error, "a window could not be shown"),
    })
}

#[cfg(target_os = "linux")]
fn present_now(window: &gtk::ApplicationWindow) {
    use gtk::glib::Cast as _;
    use gtk::prelude::{GtkWindowExt as _, WidgetExt as _};

    /// What GDK calls "now" on systems that ask for no time.
    const NOW: u32 = 0;

    let surface = window
        .window()
        .and_then(|surface| surface.downcast::<gdkx11::X11Window>().ok());
    let called_at = surface.map_or(NOW, |surface| {
        let time = gdkx11::functions::x11_get_server_time(&surface);
        surface.set_user_time(time);
        time
    });
    window.deiconify();
    window.show_all();
    window.present_with_time(called_at);
}

/// Shows a window, in front, with the keys.
#[cfg(not(target_os = "linux"))]
pub(super) fn present(window: &WebviewWindow) -> tauri::Result<()> {
    window
        .unminimize()
        .and_then(|()| window.show())
        .and_then(|()| window.set_focus())
}
