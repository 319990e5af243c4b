//! The record of looked-through files, kept beside them. Losing it costs time and nothing else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Stamp, Verdict};

/// The record is small; anything larger is not ours.
const MAX_RECORD_BYTES: u64 = 4 << 20;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    stamp: Stamp,
    verdict: Verdict,
}

/// Verdicts by the file's id.
#[derive(Debug)]
pub(super) struct Records {
    path: PathBuf,
    /// Read when first needed.
    known: Mutex<Option<BTreeMap<String, Record>>>,
}

impl Records {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self {
            path,
            known: Mutex::new(None),
        }
    }

    /// The verdict on a file of this stamp.
    pub(super) fn get(&self, id: &str, stamp: Stamp) -> Option<Verdict> {
        let mut known = self.lock();
        let record = self.known(&mut known).get(id)?;
        (record.stamp == stamp).then(|| record.verdict.clone())
    }

    pub(super) fn put(&self, id: &str, stamp: Stamp, verdict: Verdict) {
        let mut known = self.lock();
        let records = self.known(&mut known);
        records.insert(id.to_owned(), Record { stamp, verdict });
        self.write(records);
    }

    pub(super) fn remove(&self, id: &str) {
        let mut known = self.lock();
        let records = self.known(&mut known);
        if records.remove(id).is_some() {
            self.write(records);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<BTreeMap<String, Record>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known<'a>(
        &self,
        known: &'a mut Option<BTreeMap<String, Record>>,
    ) -> &'a mut BTreeMap<String, Record> {
        known.get_or_insert_with(|| read(&self.path).unwrap_or_default())
    }

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
