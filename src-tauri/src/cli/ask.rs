//! `pilotfish ask`: one turn, streamed to standard output and stored like any other.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use engine::{Engine, TurnUpdate};
use protocol::{
    AppError, ErrorCode, Fit, MessageId, MessageState, PartKind, PartView, SendMessage, TurnStarted,
};
use serde::Serialize;

use super::interrupt::{Interrupt, STOPPED};
use super::{AskArguments, output};

/// Exit code of an answer that was cut off.
const INTERRUPTED: u8 = 3;
/// One message, and a byte more that tells of a longer one.
const LONGEST: u64 = 1024 * 1024 + 1;

pub async fn run(
    engine: &Engine,
    arguments: AskArguments,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, AppError> {
    let text = if arguments.text == "-" {
        question_from_stdin()?
    } else {
        arguments.text
    };
    let request = SendMessage {
        conversation_id: arguments.conversation,
        text,
        model: arguments.model,
        effort: None,
        fit: Fit::default(),
    };
    let started = engine.send(request).await?;
    if arguments.json {
        let end = follow(engine, &started, interrupt, |_| Ok(())).await?;
        output::json(&report(engine, &started).await?)?;
        return Ok(code(&end));
    }
    let end = follow(engine, &started, interrupt, output::write).await?;
    output::write("\n")?;
    explain(&end);
    Ok(code(&end))
}

fn question_from_stdin() -> Result<String, AppError> {
    let wrong = |sentence| AppError::new(ErrorCode::InvalidRequest, sentence);
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(LONGEST)
        .read_to_end(&mut bytes)
        .map_err(|error| wrong(format!("standard input could not be read: {error}")))?;
    String::from_utf8(bytes).map_err(|_| wrong("standard input is not UTF-8 text".to_owned()))
}

/// Follows a turn to its end, handing on the visible text. Ctrl+C stops the turn, and what had come
/// by then is stored; a second one does not wait for that to be done.
pub(super) async fn follow(
    engine: &Engine,
    started: &TurnStarted,
    interrupt: &mut Interrupt,
    mut show: impl FnMut(&str) -> Result<(), AppError>,
) -> Result<TurnUpdate, AppError> {
    let Some(mut stream) = engine.attach(started.message_id) else {
        return end_as_stored(engine, started.message_id).await;
    };
    let mut shown = Shown::default();
    let mut stopped = false;
    loop {
        let updates = tokio::select! {
            updates = stream.next() => updates,
            () = interrupt.pressed() => {
                if std::mem::replace(&mut stopped, true) {
                    return Ok(TurnUpdate::Cancelled);
                }
                engine.cancel(started.turn_id);
                continue;
            }
        };
        let Some(updates) = updates else {
            return end_as_stored(engine, started.message_id).await;
        };
        for update in updates {
            match update {
                TurnUpdate::Delta { part, kind, text } => {
                    shown.delta(part, kind, &text, &mut show)?
                }
                TurnUpdate::Shortened { dropped_messages } => output::complain(&format!(
                    "(the model's window is full: it does not see the first {dropped_messages} messages)"
                )),
                TurnUpdate::Switched { attempt, model } => output::complain(&format!(
                    "({} did not answer: {}; {model} is asked instead)",
                    attempt.model, attempt.error
                )),
                TurnUpdate::Reading { .. } | TurnUpdate::Summarising { .. } => {}
                end
                @ (TurnUpdate::Finished | TurnUpdate::Failed { .. } | TurnUpdate::Cancelled) => {
                    return Ok(end);
                }
            }
        }
    }
}

/// What was printed last, to set parts apart.
#[derive(Default)]
struct Shown {
    last: Option<u32>,
    /// Whether the last line on standard error is one of thinking, and open.
    thought: bool,
}

impl Shown {
    /// Text goes to `show`; thinking to standard error, and only where a person watches.
    fn delta(
        &mut self,
        part: u32,
        kind: PartKind,
        text: &str,
        show: &mut impl FnMut(&str) -> Result<(), AppError>,
    ) -> Result<(), AppError> {
        match kind {
            PartKind::Text => {
                if std::mem::take(&mut self.thought) {
                    output::complain("");
                }
                if self.last.replace(part).is_some_and(|last| last != part) {
                    show("\n\n")?;
                }
                show(text)
            }
            PartKind::Thinking if std::io::stderr().is_terminal() => {
                self.thought = true;
                output::murmur(text);
                Ok(())
            }
            PartKind::Thinking | PartKind::ToolCall => Ok(()),
        }
    }
}

/// For a turn that ended before it could be followed.
async fn end_as_stored(engine: &Engine, message_id: MessageId) -> Result<TurnUpdate, AppError> {
    let message = engine.message(message_id).await?;
    Ok(match (message.state, message.error) {
        (MessageState::Complete, _) => TurnUpdate::Finished,
        (MessageState::Cancelled, _) => TurnUpdate::Cancelled,
        (_, Some(error)) => TurnUpdate::Failed {
            retryable: error.is_retryable(),
            error,
        },
        (_, None) => TurnUpdate::Failed {
            error: AppError::new(ErrorCode::Interrupted, "the answer was cut off"),
            retryable: true,
        },
    })
}

/// Says on standard error how a turn ended, unless it ended well.
pub(super) fn explain(end: &TurnUpdate) {
    match end {
        TurnUpdate::Failed { error, .. } => output::complain(&format!("pilotfish: {error}")),
        TurnUpdate::Cancelled => output::complain("(stopped; what came is stored)"),
        _ => {}
    }
}

fn code(end: &TurnUpdate) -> ExitCode {
    match end {
        TurnUpdate::Finished => ExitCode::SUCCESS,
        TurnUpdate::Cancelled => ExitCode::from(STOPPED),
        TurnUpdate::Failed { error, .. } if error.code == ErrorCode::Interrupted => {
            ExitCode::from(INTERRUPTED)
        }
        _ => ExitCode::FAILURE,
    }
}

/// The stored answer, for scripts.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    started: TurnStarted,
    state: MessageState,
    text: String,
    thinking: bool,
    served_by: Option<protocol::ModelRef>,
    usage: Option<protocol::Usage>,
    stop_reason: Option<protocol::StopReason>,
    error: Option<AppError>,
}

async fn report(engine: &Engine, started: &TurnStarted) -> Result<Report, AppError> {
    let message = engine.message(started.message_id).await?;
    Ok(Report {
        started: started.clone(),
        state: message.state,
        text: engine.source(started.message_id).await?,
        thinking: message
            .parts
            .iter()
            .any(|part| matches!(part, PartView::Thinking { .. })),
        served_by: message.served_by,
        usage: message.usage,
        stop_reason: message.stop_reason,
        error: message.error,
    })
}
