//! Telling a person why there is no window. Whoever starts Pilotfish from a desktop's menu sees no
//! terminal: what is said there is said in a dialog as well, where there is a display.

use protocol::AppError;
#[cfg(target_os = "linux")]
use protocol::ErrorCode;

/// Reaches the display before anything is opened: without one GTK would end the process.
///
/// # Errors
/// `InvalidRequest` when there is none.
#[cfg(target_os = "linux")]
pub fn reach_display() -> Result<(), AppError> {
    gtk::init().map_err(|_| {
        AppError::new(
            ErrorCode::InvalidRequest,
            "there is no display to open a window on: use pilotfish chat",
        )
    })
}

/// Elsewhere a display is always there.
#[cfg(not(target_os = "linux"))]
pub fn reach_display() -> Result<(), AppError> {
    Ok(())
}

/// Shows what went wrong until the person has read it; only on the main thread, outside of the
/// application's loop.
pub fn show_failure(error: &AppError) {
    #[cfg(target_os = "linux")]
    if gtk::is_initialized_main_thread() {
        use gtk::prelude::DialogExt as _;
        dialog("Pilotfish could not start", &error.message).run();
    }
    #[cfg(not(target_os = "linux"))]
    let _ = error;
}

/// A dialog with one sentence and what it means for the person.
#[cfg(target_os = "linux")]
pub(super) fn dialog(title: &str, sentence: &str) -> gtk::MessageDialog {
    use gtk::prelude::{GtkWindowExt as _, MessageDialogExt as _};
    let dialog = gtk::MessageDialog::new(
        None::<&gtk::Window>,
        gtk::DialogFlags::empty(),
        gtk::MessageType::Error,
        gtk::ButtonsType::Close,
        title,
    );
    dialog.set_title("Pilotfish");
    dialog.set_secondary_text(Some(sentence));
    dialog
}
