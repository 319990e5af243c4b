//! `pilotfish models`: the library of in-house models.

use std::io::IsTerminal;
use std::process::ExitCode;

use engine::Engine;
use protocol::{AppError, LibraryEntry, LibraryState, PullProgress};

use super::interrupt::Interrupt;
use super::{ModelsCommand, output};

pub async fn run(
    engine: &Engine,
    command: Option<ModelsCommand>,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, AppError> {
    match command.unwrap_or(ModelsCommand::List { json: false }) {
        ModelsCommand::List { json } => {
            let entries = engine.library().await;
            if json {
                output::json(&entries)?;
            } else {
                for entry in &entries {
                    output::line(&row(entry))?;
                }
            }
        }
        ModelsCommand::Import { file } => {
            let entry = engine.import_model(&file).await?;
            output::line(&format!("inhouse/{}", entry.id))?;
        }
        ModelsCommand::Pull { repo, file } => {
            pull(engine, &repo, file.as_deref(), interrupt).await?;
        }
        ModelsCommand::Remove { id } => engine.remove_model(&id).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn pull(
    engine: &Engine,
    repo: &str,
    file: Option<&str>,
    interrupt: &mut Interrupt,
) -> Result<(), AppError> {
    let name = file.map_or_else(|| repo.to_owned(), |file| format!("{repo}/{file}"));
    let fetching = async {
        match file {
            Some(file) => engine.pull_from_hub(repo, file, progress()).await,
            None => engine.pull(repo, progress()).await,
        }
    };
    tokio::pin!(fetching);
    let entry = tokio::select! {
        outcome = &mut fetching => outcome?,
        () = interrupt.pressed() => {
            engine.cancel_pull(&name);
            fetching.await?
        }
    };
    let licence = entry.licence.as_deref().unwrap_or("unknown");
    output::line(&format!(
        "inhouse/{} ({}, licence {licence})",
        entry.id, entry.name
    ))
}

/// Progress on standard error: one line that counts up on a terminal, a line each 10 % elsewhere.
fn progress() -> impl FnMut(PullProgress) + Send {
    let terminal = std::io::stderr().is_terminal();
    let mut told = None;
    move |progress| match progress {
        PullProgress::Fetching {
            source,
            done,
            total,
        } => {
            let percent = done.saturating_mul(100).checked_div(total).unwrap_or(0);
            let step = if terminal { percent } else { percent / 10 };
            let before = told.replace(step);
            if before != Some(step) {
                let line = format!(
                    "fetching {} of {} from {source} ({percent} %)",
                    megabytes(done),
                    megabytes(total)
                );
                if terminal && before.is_some() {
                    output::complain_over(&line);
                } else {
                    output::complain(&line);
                }
            }
        }
        PullProgress::Checking => output::complain("checking the whole file"),
        PullProgress::Ready => output::complain("ready"),
    }
}

fn row(entry: &LibraryEntry) -> String {
    let state = match &entry.state {
        LibraryState::Ready => "ready".to_owned(),
        LibraryState::Checking => "ready; looked through when it is first asked".to_owned(),
        LibraryState::Absent => format!("not fetched: pilotfish models pull {}", entry.id),
        LibraryState::Fetching => "being fetched".to_owned(),
        LibraryState::Invalid { reason } => format!("refused: {reason}"),
    };
    let licence = entry.licence.as_deref().unwrap_or("licence unknown");
    let name = format!("inhouse/{}", entry.id);
    format!(
        "{name:<32} {:>8}  {:<12} {}  ({state})",
        megabytes(entry.bytes),
        licence,
        entry.name
    )
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}
