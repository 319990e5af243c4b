//! Standard output and error. A reader that has gone away (`pilotfish ask … | head -1`) is no
//! failure of ours: what it no longer wants to see is dropped, and the answer is stored all the same.

use std::io::{self, ErrorKind, Write};

use protocol::{AppError, ErrorCode};
use serde::Serialize;

/// Writes text as it is and flushes, so that a pipe sees each piece when it comes.
pub fn write(text: &str) -> Result<(), AppError> {
    let mut out = io::stdout().lock();
    heard(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes a line.
pub fn line(text: &str) -> Result<(), AppError> {
    write(&format!("{text}\n"))
}

/// Writes a value as one line of JSON.
pub fn json(value: &impl Serialize) -> Result<(), AppError> {
    let text = serde_json::to_string(value)
        .map_err(|error| AppError::new(ErrorCode::Unknown, error.to_string()))?;
    line(&text)
}

/// Writes a line for the person at the terminal; there is nobody left to tell when that fails.
pub fn complain(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Writes a piece of the chain of thought, dimmed, for the person at the terminal.
pub fn murmur(text: &str) {
    drop(write!(io::stderr().lock(), "\x1b[2m{text}\x1b[0m"));
}

fn heard(outcome: io::Result<()>) -> Result<(), AppError> {
    match outcome {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let sentence = format!("the answer could not be written ({error}); it is stored");
            Err(AppError::new(ErrorCode::Storage, sentence))
        }
        _ => Ok(()),
    }
}
