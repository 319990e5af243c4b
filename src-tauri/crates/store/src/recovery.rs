//! A damaged database: what can be read of it, from a copy, and the snapshots that can take its
//! place. The damaged file is never written to; when a snapshot is restored it is moved aside and
//! kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use protocol::{ConversationSummary, Snapshot};
use sqlx::{AssertSqlSafe, Connection};

use crate::connection;
use crate::conversations::{SummaryRow, summary};
use crate::error::StoreError;
use crate::folder::{self, Folder};
use crate::inspect;
use crate::lock::{Instance, Maintenance};
use crate::marker::Marker;
use crate::snapshots;
use crate::store::Reader;

/// A store that cannot be opened for writing.
#[derive(Debug)]
pub struct Recovery {
    folder: Folder,
    maintenance: Maintenance,
    reason: String,
    snapshots: Vec<Snapshot>,
    reader: Option<Reader>,
    copy: PathBuf,
    // Its lock tells other instances that the copy is in use.
    _instance: Instance,
}

impl Recovery {
    pub(crate) async fn open(
        folder: Folder,
        maintenance: Maintenance,
        reason: String,
    ) -> Result<Self, StoreError> {
        tracing::error!(%reason, "the database opens read-only");
        let snapshots = snapshots::list(&folder)?;
        let instance = Instance::register(&folder)?;
        let copy = folder.recovery().join(instance.id().simple().to_string());
        let reader = match view(&folder, &copy).await {
            Ok(reader) => Some(reader),
            Err(error) => {
                tracing::warn!(%error, "nothing of the damaged database can be read");
                None
            }
        };
        Ok(Self {
            folder,
            maintenance,
            reason,
            snapshots,
            reader,
            copy,
            _instance: instance,
        })
    }

    /// What is wrong, in a sentence.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What can still be read of the damaged database; `None` when nothing can.
    #[must_use]
    pub const fn reader(&self) -> Option<&Reader> {
        self.reader.as_ref()
    }

    /// Copies that can be restored, newest first.
    #[must_use]
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }

    /// Puts a snapshot in the place of the damaged database, which is kept under `damaged/`. Then
    /// drop this and open the store again.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another Pilotfish looks at the folder, and
    /// [`StoreError::NotFound`] when there is no such snapshot. After any error the damaged
    /// database is still there, in its place or under `damaged/`.
    pub async fn restore(&self, name: &str, at: i64) -> Result<(), StoreError> {
        let source = snapshots::path(&self.folder, name)?;
        let _alone = self.maintenance.upgrade()?;
        let part = self.folder.root().join(format!(
            "pilotfish.db.{}.part",
            uuid::Uuid::now_v7().simple()
        ));
        let restored = self.put(&source, &part, at).await;
        if restored.is_err() {
            folder::remove_if_there(&part);
        }
        restored
    }

    async fn put(&self, source: &Path, part: &Path, at: i64) -> Result<(), StoreError> {
        folder::copy(source, part)?;
        let mut copied = connection::single(&connection::reading(part).immutable(true)).await?;
        if let Some(reason) = inspect::quick_check(&mut copied).await? {
            return Err(StoreError::Damaged { reason });
        }
        let contents = inspect::contents(&mut copied).await?;
        copied.close().await?;

        let kept = self.aside(at)?;
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let name = format!("pilotfish.db{suffix}");
            match fs::rename(self.folder.root().join(&name), kept.join(&name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        folder::sync_dir(&kept)?;
        fs::rename(part, self.folder.database())?;
        folder::sync_dir(self.folder.root())?;
        Marker {
            store: contents.store,
            messages: contents.messages,
        }
        .write(&self.folder)
    }

    /// A new folder for the damaged files.
    fn aside(&self, at: i64) -> Result<PathBuf, StoreError> {
        let root = self.folder.damaged();
        folder::create_private_dir(&root)?;
        let mut kept = root.join(at.to_string());
        for again in 1_u32.. {
            if !kept.try_exists()? {
                break;
            }
            kept = root.join(format!("{at}-{again}"));
        }
        folder::create_private_dir(&kept)?;
        folder::sync_dir(&root)?;
        Ok(kept)
    }
}

impl Drop for Recovery {
    fn drop(&mut self) {
        remove_copy(&self.copy);
    }
}

fn remove_copy(copy: &Path) {
    if let Err(error) = fs::remove_dir_all(copy)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "could not remove the copy of the damaged database");
    }
}

/// A reader of a copy of the database and its log, or, where there is no room for a copy, of the
/// file itself, taken as one that never changes.
async fn view(folder: &Folder, copy: &Path) -> Result<Reader, StoreError> {
    if !folder.database().is_file() {
        return Err(StoreError::NotFound { what: "database" });
    }
    let copied = (|| {
        folder::create_private_dir(copy)?;
        let target = copy.join("pilotfish.db");
        folder::copy(&folder.database(), &target)?;
        let log = folder.beside("wal");
        if log.is_file() {
            folder::copy(&log, &copy.join("pilotfish.db-wal"))?;
        }
        Ok::<PathBuf, io::Error>(target)
    })();
    let database = match copied {
        Ok(target) => target,
        Err(error) => {
            remove_copy(copy);
            return Err(error.into());
        }
    };
    let reader = Reader::open(&database, true);
    // Whether there is a table of conversations at all; what of it can be read shows later.
    let probe = sqlx::query("SELECT key FROM conversations NOT INDEXED LIMIT 1")
        .fetch_optional(reader.pool())
        .await;
    match probe.map_err(StoreError::from) {
        Ok(_) | Err(StoreError::Damaged { .. }) => Ok(reader),
        Err(error) => {
            reader.close().await;
            remove_copy(copy);
            Err(error)
        }
    }
}

impl Reader {
    /// Conversations read row by row from both ends of the table, up to where it is damaged.
    pub(crate) async fn salvage_list(
        &self,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        let mut found: Vec<SummaryRow> = Vec::new();
        for order in ["ASC", "DESC"] {
            let statement = format!(
                "SELECT id, title, pinned, updated_at FROM conversations NOT INDEXED
                 WHERE deleted_at IS NULL ORDER BY key {order}"
            );
            let mut rows = sqlx::query_as(AssertSqlSafe(statement)).fetch(self.pool());
            while let Ok(Some(row)) = rows.try_next().await {
                found.push(row);
            }
        }
        found.sort_by_key(|(id, _, pinned, updated_at)| {
            (std::cmp::Reverse((*pinned, *updated_at)), *id)
        });
        found.dedup_by_key(|(id, ..)| *id);
        let page = found
            .into_iter()
            .skip(usize::try_from(offset).unwrap_or(usize::MAX));
        Ok(page
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .map(summary)
            .collect())
    }
}
