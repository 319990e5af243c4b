//! What is known about the files of the folder: each was looked through once, and counts as
//! looked through as long as its size and time stay the same.
//!
//! A look is quick (the file's structure) or whole (its sum too, for what is a model of the
//! catalogue or a copy of one, which takes seconds). Nobody waits for a whole look who only lists.

mod record;
mod sum;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::catalogue::{self, Entry};
use crate::gguf::{self, Facts};
use record::Records;

pub(super) use sum::{Stop, sha256_until};

/// Bytes at a file's beginning that tell whether it is a copy of a catalogue's model: they hold its
/// metadata, and no other file has the same.
const HEAD_BYTES: u64 = 64 << 10;

/// The outcome of looking through a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// It can be given to llama.cpp.
    Sound(Facts),
    /// It cannot, and why.
    Refused(String),
}

/// What a quick look at a file gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is nothing more to find out.
    Known(Verdict),
    /// Its structure is sound; whether its sum is right is not known yet.
    Unsummed(Facts),
}

/// What changes when a file's content does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    bytes: u64,
    modified_ns: u64,
}

impl Stamp {
    /// The stamp of a file as it is now.
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        let since = metadata
            .modified()?
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(Self {
            bytes: metadata.len(),
            modified_ns: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
        })
    }

    /// The file's length.
    pub(crate) const fn bytes(self) -> u64 {
        self.bytes
    }
}

/// The record of all files.
#[derive(Debug)]
pub(super) struct Checks {
    records: Records,
    /// Whose turn it is to read all of a file: two at once would both read it.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Checks {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            records: Records::new(path),
            turns: Mutex::default(),
        }
    }

    /// What is known of a file without reading all of it.
    pub(super) async fn standing(
        &self,
        id: &str,
        path: &Path,
        entry: Option<&'static Entry>,
    ) -> io::Result<(Stamp, Standing)> {
        let stamp = Stamp::of(path)?;
        if let Some(verdict) = self.records.get(id, stamp) {
            return Ok((stamp, Standing::Known(verdict)));
        }
        let file = path.to_owned();
        let standing = tokio::task::spawn_blocking(move || glance(&file, stamp.bytes, entry))
            .await
            .map_err(io::Error::other)??;
        if let Standing::Known(verdict) = &standing {
            self.records.put(id, stamp, verdict.clone());
        }
        Ok((stamp, standing))
    }

    /// Looks through all of a file unless that was done before.
    pub(super) async fn verdict(
        &self,
        id: &str,
        path: &Path,
        entry: Option<&'static Entry>,
    ) -> io::Result<(Stamp, Verdict)> {
        if let (stamp, Standing::Known(verdict)) = self.standing(id, path, entry).await? {
            return Ok((stamp, verdict));
        }
        let turn = self.turn(id);
        let _turn = turn.lock().await;
        // Whoever had the turn before may have found out.
        let stamp = match self.standing(id, path, entry).await? {
            (stamp, Standing::Known(verdict)) => return Ok((stamp, verdict)),
            (stamp, Standing::Unsummed(_)) => stamp,
        };
        let file = path.to_owned();
        let stop = Stop::default();
        let stopped = stop.flag();
        let verdict =
            tokio::task::spawn_blocking(move || look(&file, stamp.bytes, entry, &stopped))
                .await
                .map_err(io::Error::other)??;
        if Stamp::of(path)? != stamp {
            let reason = "it changed while it was looked through: ask again".to_owned();
            return Ok((stamp, Verdict::Refused(reason)));
        }
        self.records.put(id, stamp, verdict.clone());
        Ok((stamp, verdict))
    }

    /// Notes a file that was looked through before it got its name.
    pub(super) fn note(&self, id: &str, path: &Path, facts: Facts) -> io::Result<()> {
        self.records
            .put(id, Stamp::of(path)?, Verdict::Sound(facts));
        Ok(())
    }

    pub(super) fn forget(&self, id: &str) {
        self.records.remove(id);
    }

    fn turn(&self, id: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(id.to_owned()).or_default().clone()
    }
}

/// Looks at a file's structure, and whether its sum matters.
fn glance(path: &Path, bytes: u64, entry: Option<&Entry>) -> io::Result<Standing> {
    let facts = match gguf::check(path) {
        Ok(facts) => facts,
        Err(gguf::GgufError::Io(error)) => return Err(error),
        Err(refusal) => return Ok(Standing::Known(Verdict::Refused(refusal.to_string()))),
    };
    if entry.is_some() || twin(path, bytes)?.is_some() {
        Ok(Standing::Unsummed(facts))
    } else {
        Ok(Standing::Known(Verdict::Sound(facts)))
    }
}

/// The model of the catalogue that a file is a copy of, sound or not: as long, and with the same
/// beginning.
pub(super) fn twin(path: &Path, bytes: u64) -> io::Result<Option<&'static Entry>> {
    let mut as_long = catalogue::entries()
        .iter()
        .filter(|entry| entry.bytes == bytes)
        .peekable();
    if as_long.peek().is_none() {
        return Ok(None);
    }
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    let head = sum::hex(&Sha256::digest(&head));
    Ok(as_long.find(|entry| entry.head_sha256 == head))
}

/// Looks through a file: its structure, and its sum when it is one of the catalogue or a copy of
/// one. `stop` ends it early, with an error.
pub(super) fn look(
    path: &Path,
    bytes: u64,
    entry: Option<&Entry>,
    stop: &AtomicBool,
) -> io::Result<Verdict> {
    let facts = match glance(path, bytes, entry)? {
        Standing::Known(verdict) => return Ok(verdict),
        Standing::Unsummed(facts) => facts,
    };
    let twin = match entry {
        Some(_) => None,
        None => twin(path, bytes)?,
    };
    let Some(expected) = entry.or(twin) else {
        return Ok(Verdict::Sound(facts));
    };
    if bytes == expected.bytes && sha256_until(path, stop)? == expected.sha256 {
        Ok(Verdict::Sound(facts))
    } else if entry.is_some() {
        let reason = "it is not the file that the catalogue names: fetch it again".to_owned();
        Ok(Verdict::Refused(reason))
    } else {
        let name = &expected.name;
        Ok(Verdict::Refused(format!(
            "it is a damaged copy of {name}: fetch that again"
        )))
    }
}
