//! The store through its public door.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of this is tests, their helpers too"
)]

mod ask;
mod conversations;
mod ledger;
mod messages;
mod migrations;
mod processes;
mod recovery;
mod search;
mod settings;
mod snapshots;
mod switching;

use std::path::Path;

use protocol::{Conversation, Message, MessageId, MessageState, Part};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use store::{Finish, NewConversation, Opened, Recovery, Store};

/// Opens a store that must be healthy.
async fn ready(dir: &Path) -> Store {
    match Store::open(dir).await.unwrap() {
        Opened::Ready(store) => store,
        Opened::Recovery(recovery) => panic!("opened for recovery: {}", recovery.reason()),
    }
}

/// Opens a store that must be damaged.
async fn damaged(dir: &Path) -> Recovery {
    match Store::open(dir).await.unwrap() {
        Opened::Ready(_) => panic!("a damaged database opened as if it were whole"),
        Opened::Recovery(recovery) => recovery,
    }
}

/// A connection of a program that is not the store.
async fn raw(dir: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(dir.join("pilotfish.db"))
        .create_if_missing(true)
        .foreign_keys(false)
        .connect()
        .await
        .unwrap()
}

async fn conversation(store: &Store) -> Conversation {
    store.create(NewConversation::default(), 1).await.unwrap()
}

/// A message of the person at the end of the shown branch.
async fn say(store: &Store, to: &Conversation, text: &str, at: i64) -> Message {
    let parent = store.conversation(to.id).await.unwrap().leaf;
    store
        .append_user(to.id, parent, vec![Part::text(text)], at)
        .await
        .unwrap()
}

/// An answer, whole.
async fn answer(store: &Store, to: &Conversation, parent: MessageId, parts: Vec<Part>) -> Message {
    let message = store
        .open_assistant(to.id, Some(parent), None, 5)
        .await
        .unwrap();
    store
        .finish(message.id, finish(MessageState::Complete, parts))
        .await
        .unwrap();
    store.message(message.id).await.unwrap()
}

fn finish(state: MessageState, parts: Vec<Part>) -> Finish {
    Finish {
        state,
        parts,
        served_by: None,
        usage: None,
        cost: None,
        stop_reason: None,
        error: None,
        attempts: Vec::new(),
        first_token_at: None,
        finished_at: 9,
    }
}
