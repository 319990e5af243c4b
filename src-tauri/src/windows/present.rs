//! Showing a window so that it takes the keys, and the quick one at once.
//!
//! On X11 a window manager refuses the keys to a window that the person did nothing in lately, and a
//! hotkey is pressed over another program's window. So the window says when it was called up, by the
//! X server's own clock, before it is mapped. `set_focus` alone would also come too early: asked
//! for before the window is seen, it does nothing.
//!
//! A press tells when and where it was; then nothing is asked of the X server before the window is
//! mapped. Tauri's own setters would queue behind the event loop, so GTK is told directly.

#[cfg(not(target_os = "linux"))]
pub(super) use self::elsewhere::{has_keys, prepare, present, summon};
#[cfg(target_os = "linux")]
pub(super) use self::linux::{has_keys, prepare, present, summon};

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::c_ulong;

    use gtk::gdk;
    use gtk::glib::Cast as _;
    use gtk::prelude::{
        DeviceExt as _, GtkWindowExt as _, MonitorExt as _, SeatExt as _, WidgetExt as _,
    };
    use tauri::WebviewWindow;

    use crate::hotkey::Press;

    /// What GDK calls "now" on systems that ask for no time.
    const NOW: u32 = 0;

    /// Makes what a first showing would have to make.
    pub(in super::super) fn prepare(window: &WebviewWindow) -> tauri::Result<()> {
        window.gtk_window()?.realize();
        Ok(())
    }

    /// Shows a window, in front, with the keys.
    pub(in super::super) fn present(window: &WebviewWindow) -> tauri::Result<()> {
        let shown = window.clone();
        window.run_on_main_thread(move || match shown.gtk_window() {
            Ok(window) => present_at(&window, None),
            Err(error) => tracing::warn!(%error, "a window could not be shown"),
        })
    }

    /// Shows the quick window on the screen with the pointer; only on the main thread. `size` is the
    /// greatest that it can grow to.
    pub(in super::super) fn summon(
        window: &WebviewWindow,
        press: Option<Press>,
        size: (f64, f64),
    ) -> tauri::Result<()> {
        let window = window.gtk_window()?;
        place(&window, press, size);
        present_at(&window, press.map(|press| press.time));
        Ok(())
    }

    /// Whether a window has the keys; only on the main thread. While a hotkey is held its grab has
    /// them, and the window manager still knows which window it took them from.
    pub(in super::super) fn has_keys(window: &WebviewWindow) -> bool {
        let Ok(window) = window.gtk_window() else {
            return false;
        };
        window.is_active() || is_active_by_manager(&window).unwrap_or(false)
    }

    fn is_active_by_manager(window: &gtk::ApplicationWindow) -> Option<bool> {
        let surface = window.window()?.downcast::<gdkx11::X11Window>().ok()?;
        let root = gtk::prelude::GtkWindowExt::screen(window)?.root_window()?;
        let property = gdk::Atom::intern("_NET_ACTIVE_WINDOW");
        let kind = gdk::Atom::intern("WINDOW");
        // GDK gives what has 32 bits as C's longs.
        let (_, _, active) = gdk::property_get(&root, &property, &kind, 0, 4, 0)?;
        Some(c_ulong::from_ne_bytes(*active.first_chunk()?) == surface.xid())
    }

    fn present_at(window: &gtk::ApplicationWindow, called_at: Option<u32>) {
        let surface = window
            .window()
            .and_then(|surface| surface.downcast::<gdkx11::X11Window>().ok());
        let called_at = surface.map_or(NOW, |surface| {
            let time =
                called_at.unwrap_or_else(|| gdkx11::functions::x11_get_server_time(&surface));
            surface.set_user_time(time);
            time
        });
        window.deiconify();
        window.show_all();
        window.present_with_time(called_at);
    }

    /// Puts the quick window into the middle of the screen with the pointer, as high as it must be
    /// for its tallest answer to be in the middle too. On Wayland the compositor decides.
    fn place(window: &gtk::ApplicationWindow, press: Option<Press>, (width, tallest): (f64, f64)) {
        let display = window.display();
        let pointer = match press {
            Some(press) => {
                let scale = window.scale_factor().max(1);
                let (x, y) = press.pointer;
                Some((i32::from(x) / scale, i32::from(y) / scale))
            }
            None => display
                .default_seat()
                .and_then(|seat| seat.pointer())
                .map(|pointer| {
                    let (_, x, y) = pointer.position();
                    (x, y)
                }),
        };
        let monitor = pointer
            .and_then(|(x, y)| display.monitor_at_point(x, y))
            .or_else(|| display.primary_monitor());
        if let Some(monitor) = monitor {
            let screen = monitor.geometry();
            #[expect(clippy::cast_possible_truncation, reason = "a screen's size in pixels")]
            let middle = |start: i32, space: i32, size: f64| {
                start + ((f64::from(space) - size) / 2.0).max(0.0) as i32
            };
            window.move_(
                middle(screen.x(), screen.width(), width),
                middle(screen.y(), screen.height(), tallest),
            );
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use tauri::{LogicalPosition, WebviewWindow};

    use crate::hotkey::Press;

    /// Makes what a first showing would have to make.
    pub(in super::super) fn prepare(_window: &WebviewWindow) -> tauri::Result<()> {
        Ok(())
    }

    /// Shows a window, in front, with the keys.
    pub(in super::super) fn present(window: &WebviewWindow) -> tauri::Result<()> {
        window
            .unminimize()
            .and_then(|()| window.show())
            .and_then(|()| window.set_focus())
    }

    /// Whether a window has the keys.
    pub(in super::super) fn has_keys(window: &WebviewWindow) -> bool {
        window.is_focused().unwrap_or(false)
    }

    /// Shows the quick window in the middle of the screen with the pointer, as high as it must be
    /// for its tallest answer to be in the middle too. `size` is the greatest that it can grow to.
    pub(in super::super) fn summon(
        window: &WebviewWindow,
        _press: Option<Press>,
        (width, tallest): (f64, f64),
    ) -> tauri::Result<()> {
        let pointer = window.cursor_position()?;
        let monitor = match window.monitor_from_point(pointer.x, pointer.y)? {
            Some(monitor) => Some(monitor),
            None => window.primary_monitor()?,
        };
        match monitor {
            Some(monitor) => {
                let scale = monitor.scale_factor();
                let corner = monitor.position().to_logical::<f64>(scale);
                let screen = monitor.size().to_logical::<f64>(scale);
                window.set_position(LogicalPosition::new(
                    corner.x + (screen.width - width) / 2.0,
                    corner.y + ((screen.height - tallest) / 2.0).max(0.0),
                ))?;
            }
            None => window.center()?,
        }
        present(window)
    }
}
