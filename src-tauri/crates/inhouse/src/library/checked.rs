//! What is known about the files of the folder: each was looked through once, and counts as
//! looked through as long as its size and time stay the same.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::catalogue::{self, Entry};
use crate::gguf::{self, Facts};

/// The record is small; anything larger is not ours.
const MAX_RECORD_BYTES: u64 = 4 << 20;

/// The outcome of looking through a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// It can be given to llama.cpp.
    Sound(Facts),
    /// It cannot, and why.
    Refused(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    stamp: Stamp,
    verdict: Verdict,
}

/// What changes when a file's content does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    modified_ns: u64,
}

/// The record of all files.
#[derive(Debug)]
pub(super) struct Checks {
    path: PathBuf,
    /// Read when first needed.
    records: Mutex<Option<BTreeMap<String, Record>>>,
}

impl Checks {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            records: Mutex::new(None),
        }
    }

    /// Looks through a file unless that was done before.
    pub(super) async fn verdict(
        &self,
        id: &str,
        path: &Path,
        entry: Option<&'static Entry>,
    ) -> io::Result<Verdict> {
        let stamp = stamp(path)?;
        // Held while a file is looked through: two callers would both read all of it.
        let mut records = self.records.lock().await;
        let records = records.get_or_insert_with(|| read(&self.path).unwrap_or_default());
        if let Some(record) = records.get(id).filter(|record| record.stamp == stamp) {
            return Ok(record.verdict.clone());
        }
        let file = path.to_owned();
        let verdict = tokio::task::spawn_blocking(move || look(&file, stamp.bytes, entry))
            .await
            .map_err(io::Error::other)??;
        records.insert(
            id.to_owned(),
            Record {
                stamp,
                verdict: verdict.clone(),
            },
        );
        self.write(records);
        Ok(verdict)
    }

    /// Notes a file that was looked through before it got its name.
    pub(super) async fn note(&self, id: &str, path: &Path, facts: Facts) -> io::Result<()> {
        let record = Record {
            stamp: stamp(path)?,
            verdict: Verdict::Sound(facts),
        };
        let mut records = self.records.lock().await;
        let records = records.get_or_insert_with(|| read(&self.path).unwrap_or_default());
        records.insert(id.to_owned(), record);
        self.write(records);
        Ok(())
    }

    pub(super) async fn forget(&self, id: &str) {
        let mut records = self.records.lock().await;
        let records = records.get_or_insert_with(|| read(&self.path).unwrap_or_default());
        records.remove(id);
        self.write(records);
    }

    /// Losing the record costs time and nothing else.
    fn write(&self, records: &BTreeMap<String, Record>) {
        let written = serde_json::to_vec(records)
            .map_err(io::Error::other)
            .and_then(|bytes| {
                let part = self.path.with_extension("part");
                std::fs::write(&part, bytes)?;
                std::fs::rename(&part, &self.path)
            });
        if let Err(error) = written {
            tracing::warn!("the record of checked models was not written: {error}");
        }
    }
}

fn read(path: &Path) -> Option<BTreeMap<String, Record>> {
    let mut text = Vec::new();
    File::open(path)
        .ok()?
        .take(MAX_RECORD_BYTES)
        .read_to_end(&mut text)
        .ok()?;
    serde_json::from_slice(&text).ok()
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata = std::fs::metadata(path)?;
    let since = metadata
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let modified_ns = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    Ok(Stamp {
        bytes: metadata.len(),
        modified_ns,
    })
}

/// Looks through a file: its structure, and its sum when it is one of the catalogue or looks like
/// a copy of one.
pub(super) fn look(path: &Path, bytes: u64, entry: Option<&Entry>) -> io::Result<Verdict> {
    let facts = match gguf::check(path) {
        Ok(facts) => facts,
        Err(gguf::GgufError::Io(error)) => return Err(error),
        Err(refusal) => return Ok(Verdict::Refused(refusal.to_string())),
    };
    let twin = catalogue::entries()
        .iter()
        .find(|other| other.bytes == bytes);
    let Some(expected) = entry.or(twin) else {
        return Ok(Verdict::Sound(facts));
    };
    if bytes == expected.bytes && sha256(path)? == expected.sha256 {
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

/// The SHA-256 of a file in lower-case hexadecimal digits.
pub(super) fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        sum.update(&buffer[..read]);
    }
    Ok(sum
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
