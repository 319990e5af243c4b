//! Standard output and error. A reader that has gone away (`pilotfish ask … | head -1`) is no
//! failure of ours: what it no longer wants to see is dropped, and the answer is stored all the same.
//!
//! What a model or a file says may hold a terminal's control codes, which can retitle a window or
//! fill a clipboard. A terminal is shown them as signs; a pipe gets the text as it is.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal, Write};

use protocol::{AppError, ErrorCode};
use serde::Serialize;

/// Writes text and flushes, so that a pipe sees each piece when it comes.
pub fn write(text: &str) -> Result<(), AppError> {
    let mut out = io::stdout().lock();
    let text = shown_on(&out, text);
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
    let mut err = io::stderr().lock();
    drop(writeln!(err, "{}", shown_on(&err, text)));
}

/// Writes something without a line's end for the person at the terminal, as a prompt.
pub fn prompt(text: &str) {
    let mut err = io::stderr().lock();
    drop(write!(err, "{text}").and_then(|()| err.flush()));
}

/// Writes a piece of the chain of thought, dimmed, for the person at the terminal.
pub fn murmur(text: &str) {
    let mut err = io::stderr().lock();
    drop(write!(err, "\x1b[2m{}\x1b[0m", shown_on(&err, text)));
}

/// Writes a line over the one that was written last, for the person at the terminal.
pub fn complain_over(text: &str) {
    let mut err = io::stderr().lock();
    drop(writeln!(err, "\x1b[1A\x1b[2K{}", visible(text)));
}

fn shown_on<'a>(stream: &impl IsTerminal, text: &'a str) -> Cow<'a, str> {
    if stream.is_terminal() {
        visible(text)
    } else {
        Cow::Borrowed(text)
    }
}

/// The text with a sign for each control code but the line's end and the tab.
fn visible(text: &str) -> Cow<'_, str> {
    let commands = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.contains(commands) {
        Cow::Owned(text.replace(commands, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn heard(outcome: io::Result<()>) -> Result<(), AppError> {
    match outcome {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let sentence = format!(
                "standard output could not be written ({error}); what had come of an answer is stored"
            );
            Err(AppError::new(ErrorCode::Storage, sentence))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn a_terminal_is_given_no_orders() {
        assert_eq!(
            visible("a\x1b]52;c;aGk=\x07b\u{9b}2J\r\n\tü"),
            "a\u{fffd}]52;c;aGk=\u{fffd}b\u{fffd}2J\u{fffd}\n\tü"
        );
        assert!(matches!(visible("plain\n"), std::borrow::Cow::Borrowed(_)));
    }
}
