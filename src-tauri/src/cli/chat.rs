//! `pilotfish chat`: many turns in a terminal. Ctrl+C stops an answer; at the prompt it ends the
//! chat, as Ctrl+D does.

use std::io::IsTerminal;
use std::process::ExitCode;

use engine::{Engine, TurnUpdate};
use protocol::{AppError, ConversationId, ErrorCode, Fit, ModelRef, SendMessage};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines, Stdin};

use super::interrupt::Interrupt;
use super::{ask, output};

/// What one session may type in: a limit of the pipe, not of the person.
const MOST: u64 = 64 * 1024 * 1024;

pub async fn run(
    engine: &Engine,
    model: Option<ModelRef>,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, AppError> {
    let model = match model {
        Some(model) => model,
        None => engine.default_model().await?,
    };
    let talks = std::io::stdin().is_terminal();
    if talks {
        output::complain(&format!("{model} answers. Ctrl+D ends; the chat is kept."));
    }
    let mut lines = BufReader::new(tokio::io::stdin().take(MOST)).lines();
    let mut conversation: Option<ConversationId> = None;
    let mut whole = true;
    while let Some(text) = next_question(&mut lines, talks, interrupt).await? {
        let request = SendMessage {
            conversation_id: conversation,
            text,
            model: Some(model.clone()),
            effort: None,
            fit: Fit::default(),
        };
        let started = match engine.send(request).await {
            Ok(started) => started,
            Err(error) => {
                output::complain(&format!("pilotfish: {error}"));
                whole = false;
                continue;
            }
        };
        conversation = Some(started.conversation_id);
        let end = ask::follow(engine, &started, interrupt, output::write).await?;
        output::write("\n\n")?;
        ask::explain(&end);
        whole &= end == TurnUpdate::Finished;
    }
    if talks {
        // The shell's prompt needs a line of its own.
        output::complain("");
        return Ok(ExitCode::SUCCESS);
    }
    // A person has seen which answers failed; a script reads the exit code.
    Ok(if whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The next line that is not empty; `None` at the end.
async fn next_question(
    lines: &mut Lines<BufReader<tokio::io::Take<Stdin>>>,
    talks: bool,
    interrupt: &mut Interrupt,
) -> Result<Option<String>, AppError> {
    loop {
        if talks {
            output::prompt("> ");
        }
        let line = tokio::select! {
            line = lines.next_line() => line,
            () = interrupt.pressed() => return Ok(None),
        };
        let line = line.map_err(|error| {
            let sentence = format!("standard input could not be read: {error}");
            AppError::new(ErrorCode::InvalidRequest, sentence)
        })?;
        match line {
            Some(text) if text.trim().is_empty() => {}
            line => return Ok(line),
        }
    }
}
