//! A small file beside the database that remembers which store lives here and that it held
//! something. When the database is gone or empty, the marker tells "a new installation" from "the
//! history has vanished": the first gets a new store, the second is shown to the person.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::StoreError;
use crate::folder::{self, Folder};

/// What the marker remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// The store's own id.
    pub(crate) store: Uuid,
    /// How many messages it held when the marker was last written. Before a store's first message
    /// is committed the marker says 1 already, so a crash between the two cannot hide data.
    pub(crate) messages: u64,
    /// How many messages had been deleted for good by then: what is missing beyond them was lost.
    #[serde(default)]
    pub(crate) deleted: u64,
}

impl Marker {
    /// The marker, when there is one. One that cannot be read still says that there was a store.
    pub(crate) fn read(folder: &Folder) -> Result<Option<Self>, StoreError> {
        let text = match fs::read(folder.marker()) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(serde_json::from_slice(&text).unwrap_or_else(
            |error| {
                tracing::warn!(%error, "the marker beside the database cannot be read");
                Self {
                    store: Uuid::nil(),
                    messages: 1,
                    deleted: 0,
                }
            },
        )))
    }

    /// Writes the marker, when it says something new.
    pub(crate) fn write(self, folder: &Folder) -> Result<(), StoreError> {
        if Self::read(folder)? == Some(self) {
            return Ok(());
        }
        let text = format!(
            "{{\"store\":\"{}\",\"messages\":{},\"deleted\":{}}}\n",
            self.store, self.messages, self.deleted
        );
        Ok(folder::replace(&folder.marker(), text.as_bytes())?)
    }

    /// Writes the marker where the database is right without it: when it cannot be written, the old
    /// one says less, which does no harm.
    pub(crate) fn write_if_possible(self, folder: &Folder) {
        if let Err(error) = self.write(folder) {
            tracing::warn!(%error, "could not write the marker beside the database");
        }
    }
}
