//! What `tests/crash.rs` kills and starves: sends, streams, edits, deletes, takes snapshots (and
//! migrates or creates, by the folder it is given), and says on stdout what was acknowledged, one
//! line each, right after the store said so. What fails is said too and does not end the run.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use protocol::{Conversation, MessageId, MessageState, Part, PartKind};
use store::{DraftDelta, Finish, NewConversation, Opened, Store, StoreError};

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1) else {
        return ExitCode::from(2);
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return ExitCode::from(2);
    };
    let result = runtime.block_on(run(Path::new(&dir)));
    if let Err(error) = result {
        // The test looks at what was acknowledged before.
        say(&format!("failed {error}")).ok();
    }
    ExitCode::SUCCESS
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

async fn run(dir: &Path) -> io::Result<()> {
    let Some(Opened::Ready(store)) = told(Store::open(dir).await, |opened| match opened {
        Opened::Ready(_) => "opened".to_owned(),
        Opened::Recovery(recovery) => format!("recovery {}", recovery.reason()),
    })?
    else {
        return Ok(());
    };
    told(store.recover().await, |count| format!("recovered {count}"))?;
    for round in 0..3 {
        let made = store.create(NewConversation::default(), 1).await;
        let Some(talk) = told(made, |made| format!("created {}", made.id))? else {
            continue;
        };
        let n = round * 10;
        let question = send(&store, &talk, None, n).await?;
        let first = stream(&store, &talk, question, n + 1).await?;
        send(&store, &talk, first, n + 2).await?;
        // Edited: a sibling of the first, and an answer that stays open.
        let edited = send(&store, &talk, None, n + 3).await?;
        let open = store.open_assistant(talk.id, edited, None, 2).await;
        if let Some(open) = told(open, |open| format!("open {}", open.id))? {
            grow(&store, open.id, n + 4).await?;
        }
        if round == 1 {
            told(store.snapshot(5).await, |snapshot| {
                format!("snapshot {}", snapshot.name)
            })?;
            say(&format!("deleting {}", talk.id))?;
            told(store.trash(talk.id, 3).await, |()| {
                format!("trashed {}", talk.id)
            })?;
            told(store.purge_trashed_before(4).await, |count| {
                if *count == 1 {
                    format!("purged {}", talk.id)
                } else {
                    "purged nothing".to_owned()
                }
            })?;
        }
    }
    store.close().await;
    Ok(())
}

async fn send(
    store: &Store,
    talk: &Conversation,
    parent: Option<MessageId>,
    n: usize,
) -> io::Result<Option<MessageId>> {
    let sent = store
        .append_user(talk.id, parent, vec![Part::text(text(n))], 2)
        .await;
    Ok(told(sent, |sent| format!("sent {} {n} {}", sent.id, talk.id))?.map(|sent| sent.id))
}

/// Adds the text of message `n` to a draft, piece by piece.
async fn grow(store: &Store, message: MessageId, n: usize) -> io::Result<()> {
    let letters: Vec<char> = text(n).chars().collect();
    let mut length = 0;
    for piece in letters.chunks(letters.len().div_ceil(4)) {
        let delta = DraftDelta {
            part: 0,
            kind: PartKind::Text,
            text: piece.iter().collect::<String>(),
        };
        length += delta.text.len();
        let added = store.checkpoint(message, vec![delta]).await;
        if told(added, |()| format!("grown {message} {n} {length}"))?.is_none() {
            // A piece that is missing would leave a hole.
            break;
        }
    }
    Ok(())
}

async fn stream(
    store: &Store,
    talk: &Conversation,
    parent: Option<MessageId>,
    n: usize,
) -> io::Result<Option<MessageId>> {
    let open = store.open_assistant(talk.id, parent, None, 2).await;
    let Some(open) = told(open, |open| format!("open {}", open.id))? else {
        return Ok(None);
    };
    grow(store, open.id, n).await?;
    let finish = Finish {
        state: MessageState::Complete,
        parts: vec![Part::text(text(n))],
        served_by: None,
        usage: None,
        stop_reason: None,
        error: None,
        first_token_at: Some(3),
        finished_at: 4,
    };
    let finished = store.finish(open.id, finish).await;
    told(finished, |()| {
        format!("finished {} {n} {}", open.id, talk.id)
    })?;
    Ok(Some(open.id))
}
