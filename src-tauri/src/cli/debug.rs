//! `pilotfish debug`: what the renderer and the wires make of their input, for tests and reports.

use std::io::Read;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use protocol::{AppError, ErrorCode, Wire};

use super::{DebugCommand, output};

/// What standard input may hold: more than the longest answer by far.
const MOST: u64 = 64 * 1024 * 1024;
/// Everything at once.
const WHOLE: NonZeroUsize = NonZeroUsize::MAX;
/// Exit code of a stream that was interrupted or failed.
const INTERRUPTED: u8 = 3;

pub fn run(command: DebugCommand) -> Result<ExitCode, AppError> {
    match command {
        DebugCommand::Render { stream } => render(stream),
        DebugCommand::Decode { wire, split } => decode(wire_named(&wire)?, split),
        DebugCommand::Request { wire, model } => {
            let body = providers::encode_request(wire_named(&wire)?, &model, &read()?)
                .map_err(|fault| AppError::new(ErrorCode::InvalidRequest, fault.message))?;
            output::line(&body)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn render(stream: Option<NonZeroUsize>) -> Result<ExitCode, AppError> {
    let text = read()?;
    match stream {
        None => output::write(&markdown::to_html(&text))?,
        Some(step) => output::write(&streamed(&text, step.get()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What the window shows after the text came in pieces of about `step` bytes, cut where characters
/// end.
fn streamed(text: &str, step: usize) -> String {
    let mut renderer = markdown::Renderer::new();
    let mut blocks: Vec<protocol::Block> = Vec::new();
    let mut apply = |patch: markdown::Patch| {
        blocks.truncate(patch.from as usize);
        blocks.extend(patch.append);
    };
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = step.min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, after) = rest.split_at(end);
        apply(renderer.push(piece));
        rest = after;
    }
    apply(renderer.finish());
    blocks
        .into_iter()
        .flat_map(|block| [block.html, "\n".to_owned()])
        .collect()
}

fn decode(wire: Wire, split: Option<NonZeroUsize>) -> Result<ExitCode, AppError> {
    let decoded = providers::decode(wire, std::io::stdin().lock(), split.unwrap_or(WHOLE))
        .map_err(|error| AppError::new(ErrorCode::InvalidRequest, error.to_string()))?;
    for line in &decoded.lines {
        output::line(line)?;
    }
    Ok(if decoded.complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(INTERRUPTED)
    })
}

fn wire_named(name: &str) -> Result<Wire, AppError> {
    match name {
        "chat" => Ok(Wire::Chat),
        "responses" => Ok(Wire::Responses),
        "messages" => Ok(Wire::Messages),
        "gemini" => Ok(Wire::Gemini),
        _ => Err(AppError::new(
            ErrorCode::InvalidRequest,
            "the wire is one of chat, responses, messages, gemini",
        )),
    }
}

fn read() -> Result<String, AppError> {
    let wrong = |sentence: String| AppError::new(ErrorCode::InvalidRequest, sentence);
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(MOST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| wrong(format!("standard input could not be read: {error}")))?;
    if bytes.len() as u64 > MOST {
        return Err(wrong("standard input holds more than 64 MiB".to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| wrong(format!("standard input is not UTF-8: {error}")))
}
