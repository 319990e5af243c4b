//! What works on this machine, as the settings and `pilotfish doctor` show it.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ProviderId, RunsAt};

/// How the quick window is summoned here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "route", rename_all = "snake_case")]
#[ts(export)]
pub enum HotkeyState {
    /// The key is grabbed on X11 (or by the system's own API on other systems).
    Grabbed {
        /// The key, as `Ctrl+Shift+Space`.
        key: String,
    },
    /// The desktop's GlobalShortcuts portal holds it; the person may have chosen another key there.
    Portal {
        /// The key as the portal describes it.
        key: String,
    },
    /// Nothing here can grab a key: bind a command in the desktop's settings.
    Command {
        /// The command to bind.
        command: String,
        /// Why, in a sentence.
        reason: String,
    },
    /// The key could not be had.
    Failed {
        /// The key that was wanted.
        key: String,
        /// Why and what to do, in a sentence.
        reason: String,
    },
    /// The person switched it off.
    Off,
}

/// What the keyring says. Only `Ready` can be read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
#[ts(export)]
pub enum VaultState {
    /// It answers.
    Ready {
        /// Where secrets live, for people: `Secret Service keyring "login"`.
        place: String,
    },
    /// It wants its password; a click on "unlock" asks for it.
    Locked {
        /// Where secrets live.
        place: String,
    },
    /// It runs, but nobody has chosen a password for it yet: a click on "unlock" does, and makes it.
    NoKeyring,
    /// There is none, or nothing to reach it by.
    Unavailable {
        /// Why and what to do, in a sentence.
        reason: String,
    },
    /// It did not answer in time.
    Slow,
    /// By the person's choice, secrets are kept in memory for this run only.
    SessionOnly,
}

/// Where a provider's key is right now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
#[ts(export)]
pub enum KeyPlace {
    /// None was saved.
    Nowhere,
    /// In the keyring.
    Keyring {
        /// The keyring, for people: `Secret Service keyring "login"`.
        place: String,
    },
    /// In memory, until the application ends.
    Memory,
    /// In the keyring, which is locked.
    Locked {
        /// The keyring, for people.
        place: String,
    },
    /// One was saved, and the keyring no longer holds it.
    Lost,
    /// One was saved, and the keyring does not answer.
    Unknown,
}

/// What is known about a provider beside how it was configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ProviderState {
    /// The provider.
    pub provider: ProviderId,
    /// Whether the application knows it without being told: it can be put back, but not removed.
    pub builtin: bool,
    /// Where its models run; `None` when its address cannot be read.
    pub runs_at: Option<RunsAt>,
    /// Where its key is.
    pub key: KeyPlace,
}

/// A copy of the database, made before a migration or once a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Snapshot {
    /// Its file's name.
    pub name: String,
    /// When it was made.
    #[ts(type = "number")]
    pub created_at: i64,
    /// How many messages it holds.
    #[ts(type = "number")]
    pub messages: u64,
    /// Size in bytes.
    #[ts(type = "number")]
    pub bytes: u64,
}

/// How the database opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
#[ts(export)]
pub enum StoreState {
    /// As it should.
    Ready,
    /// Damaged or unreadable: what can be read is shown, nothing is written.
    Recovery {
        /// What is wrong, in a sentence.
        reason: String,
        /// Copies that can be restored, newest first.
        snapshots: Vec<Snapshot>,
    },
}

/// One line of `pilotfish doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Check {
    /// What was looked at: `keyring`, `hotkey`, `model`, `catalog`, `database`, `webview`.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
    /// What was found, in a sentence; what to do when it does not work.
    pub detail: String,
}
