//! Opening an address or a folder with what the person uses for it. An address that a model wrote
//! is checked again here, whatever the page did, and the opener gets it as one argument: no shell
//! takes part.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use protocol::{AppError, ErrorCode};

#[cfg(target_os = "macos")]
const OPENER: &str = "open";
#[cfg(target_os = "windows")]
const OPENER: &str = "explorer";
#[cfg(not(any(target_os = "macos", target_os = "windows")))]
const OPENER: &str = "xdg-open";

/// Opens a link that the person clicked and confirmed.
///
/// # Errors
/// When the address is not a plain `https`, `http` or `mailto` one, or nothing here opens links.
pub fn open(address: &str) -> Result<(), AppError> {
    let url = markdown::safe_link(address).ok_or_else(|| {
        AppError::new(
            ErrorCode::InvalidRequest,
            "only plain web and mail addresses can be opened",
        )
    })?;
    launch(url.as_str().as_ref())
}

/// Shows a folder in the person's file browser.
///
/// # Errors
/// When nothing here shows folders.
pub fn show_folder(folder: &Path) -> Result<(), AppError> {
    launch(folder.as_os_str())
}

fn launch(target: &OsStr) -> Result<(), AppError> {
    let mut child = Command::new(OPENER)
        .arg(target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| {
            let sentence = format!("{OPENER} did not start ({error}): copy the address instead");
            AppError::new(ErrorCode::NotFound, sentence)
        })?;
    // The opener hands over and ends by itself; waiting for it leaves no zombie behind.
    std::thread::spawn(move || child.wait());
    Ok(())
}
