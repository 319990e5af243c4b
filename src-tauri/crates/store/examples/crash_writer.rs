//! What `tests/crash` kills and starves: `crash_writer DIR MODE` opens the store of a folder (which
//! creates or migrates it) and, by the mode, sends and streams and edits, takes a snapshot, deletes, or restores
//! a snapshot. It says on stdout what is begun and what was acknowledged, one line each, right after
//! the store said so. What fails is said too and does not end the run.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use protocol::{ConversationId, MessageState, ModelRef, Part, PartKind};
use store::{Asked, DraftDelta, Finish, Opened, Question, Store, StoreError};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(dir), Some(mode)) = (arguments.next(), arguments.next()) else {
        return ExitCode::from(2);
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return ExitCode::from(2);
    };
    let mode = mode.to_string_lossy();
    let done = runtime.block_on(run(Path::new(&dir), &mode));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// One line, out of this process before anything else happens.
fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Tells how something ended.
fn told<T>(
    result: Result<T, StoreError>,
    line: impl FnOnce(&T) -> String,
) -> io::Result<Option<T>> {
    match result {
        Ok(value) => say(&line(&value)).map(|()| Some(value)),
        Err(error) => say(&format!("failed {error}")).map(|()| None),
    }
}

/// The text of message `n`: the test knows it too.
fn text(n: usize) -> String {
    format!("message {n} {}", "漢字 and words ".repeat(n * 7 % 60))
}

async fn run(dir: &Path, mode: &str) -> io::Result<()> {
    let Some(store) = open(dir, mode == "restore").await? else {
        return Ok(());
    };
    told(store.recover().await, |count| format!("recovered {count}"))?;
    match mode {
        "talk" => {
            talk(&store, 1).await?;
            talk(&store, 11).await?;
        }
        "copy" => copy(&store).await?,
        "delete" => {
            if let Some(doomed) = talk(&store, 1).await? {
                delete(&store, doomed).await?;
            }
            talk(&store, 11).await?;
        }
        "restore" => {
            talk(&store, 1).await?;
        }
        _ => {}
    }
    say("closing")?;
    store.close().await;
    Ok(())
}

async fn open(dir: &Path, restores: bool) -> io::Result<Option<Store>> {
    say("opening")?;
    let opened = told(Store::open(dir).await, |opened| match opened {
        Opened::Ready(_) => "opened".to_owned(),
        Opened::Recovery(recovery) => format!("recovery {}", recovery.reason()),
    })?;
    let recovery = match opened {
        Some(Opened::Ready(store)) => return Ok(Some(store)),
        Some(Opened::Recovery(recovery)) => recovery,
        None => return Ok(None),
    };
    if let Some(reader) = recovery.reader() {
        told(reader.list(0, 10).await, |rows| {
            format!("listed {}", rows.len())
        })?;
    }
    let Some(newest) = recovery.snapshots().first().filter(|_| restores) else {
        return Ok(None);
    };
    say("restoring")?;
    if told(recovery.restore(&newest.name, 9).await, |()| {
        "restored".to_owned()
    })?
    .is_none()
    {
        return Ok(None);
    }
    drop(recovery);
    let reopened = told(Store::open(dir).await, |_| "opened".to_owned())?;
    Ok(match reopened {
        Some(Opened::Ready(store)) => Some(store),
        _ => None,
    })
}

/// A question and its answer, another question, and the first one in other words with an answer
/// that stays open. Messages count from `n`.
async fn talk(store: &Store, n: usize) -> io::Result<Option<ConversationId>> {
    let words = |n| vec![Part::text(text(n))];
    let Some(first) = ask(store, Question::First(words(n)), n).await? else {
        return Ok(None);
    };
    let talk = first.conversation;
    stream(store, &first, n + 1).await?;
    ask(store, Question::Next(talk, words(n + 2)), n + 2).await?;
    say("editing")?;
    let edited = Question::After(talk, None, words(n + 3));
    if let Some(open) = ask(store, edited, n + 3).await? {
        grow(store, &open, n + 4).await?;
    }
    Ok(Some(talk))
}

async fn copy(store: &Store) -> io::Result<()> {
    say("copying")?;
    told(store.snapshot(5).await, |snapshot| {
        format!("snapshot {}", snapshot.name)
    })
    .map(drop)
}

async fn delete(store: &Store, doomed: ConversationId) -> io::Result<()> {
    copy(store).await?;
    say(&format!("deleting {doomed}"))?;
    told(store.trash(doomed, 3).await, |()| {
        format!("trashed {doomed}")
    })?;
    told(store.purge_trashed_before(4).await, |count| {
        if *count == 1 {
            format!("purged {doomed}")
        } else {
            "purged nothing".to_owned()
        }
    })?;
    Ok(())
}

/// Asks message `n`. What one transaction made is said as one.
async fn ask(store: &Store, question: Question, n: usize) -> io::Result<Option<Asked>> {
    let asked = store.ask(question, &ModelRef::inhouse("small"), 2).await;
    told(asked, |asked| {
        let talk = asked.conversation;
        format!(
            "created {talk}\nsent {} {n} {talk}\nopen {} {talk}",
            asked.question, asked.answer
        )
    })
}

/// Adds the text of message `n` to a draft, piece by piece.
async fn grow(store: &Store, asked: &Asked, n: usize) -> io::Result<()> {
    let (message, talk) = (asked.answer, asked.conversation);
    let letters: Vec<char> = text(n).chars().collect();
    let mut length = 0;
    for piece in letters.chunks(letters.len().div_ceil(3)) {
        let delta = DraftDelta {
            part: 0,
            kind: PartKind::Text,
            text: piece.iter().collect::<String>(),
        };
        length += delta.text.len();
        let added = store.checkpoint(message, vec![delta]).await;
        let grown = told(added, |()| format!("grown {message} {n} {length} {talk}"))?;
        if grown.is_none() {
            // A piece that is missing would leave a hole.
            break;
        }
    }
    Ok(())
}

async fn stream(store: &Store, asked: &Asked, n: usize) -> io::Result<()> {
    grow(store, asked, n).await?;
    let finish = Finish {
        state: MessageState::Complete,
        parts: vec![Part::text(text(n))],
        served_by: None,
        usage: None,
        cost: None,
        stop_reason: None,
        error: None,
        attempts: Vec::new(),
        first_token_at: Some(3),
        finished_at: 4,
    };
    let finished = store.finish(asked.answer, finish).await;
    told(finished, |()| {
        format!("finished {} {n} {}", asked.answer, asked.conversation)
    })
    .map(drop)
}
