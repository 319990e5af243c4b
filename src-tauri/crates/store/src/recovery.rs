//! A database that cannot be used: what can be read of it, and, when it is damaged, the snapshots
//! that can take its place. The file is never written to; when a snapshot is restored it is moved
//! aside and kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use protocol::Snapshot;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnectOptions;

use crate::connection;
use crate::error::StoreError;
use crate::folder::{self, Folder, Part};
use crate::inspect::{self, Health, Trouble};
use crate::lock::{Instance, Maintenance};
use crate::migrate;
use crate::search;
use crate::snapshots;
use crate::store::Reader;

/// A store that cannot be opened for writing.
#[derive(Debug)]
pub struct Recovery {
    folder: Folder,
    maintenance: Maintenance,
    reason: String,
    is_damaged: bool,
    snapshots: Vec<Snapshot>,
    reader: Option<Reader>,
    _copy: Option<ViewedCopy>,
}

impl Recovery {
    pub(crate) async fn open(
        folder: Folder,
        maintenance: Maintenance,
        trouble: Trouble,
    ) -> Result<Self, StoreError> {
        tracing::error!(?trouble, "the database opens read-only");
        let is_damaged = matches!(trouble, Trouble::Damaged(_));
        // A healthy database is not to be replaced by an older copy of itself.
        let snapshots = if is_damaged {
            snapshots::list(&folder)?
        } else {
            Vec::new()
        };
        let copy = match &trouble {
            Trouble::Full => None,
            Trouble::Damaged(_) | Trouble::Unreadable(_) => ViewedCopy::make(&folder),
        };
        let reader = match view(&folder, copy.as_ref()).await {
            Ok(reader) => Some(reader),
            Err(error) => {
                tracing::warn!(%error, "nothing of the database can be read");
                None
            }
        };
        let reason = match trouble {
            Trouble::Damaged(reason) => reason,
            Trouble::Unreadable(reason) => format!(
                "the database could not be read ({reason}): check the disk and the folder's permissions, then start Pilotfish again"
            ),
            Trouble::Full => {
                "the disk is full: free some space, then start Pilotfish again".to_owned()
            }
        };
        Ok(Self {
            folder,
            maintenance,
            reason,
            is_damaged,
            snapshots,
            reader,
            _copy: copy,
        })
    }

    /// What is wrong, in a sentence; what to do about it, where that is not to restore a snapshot.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether the database is damaged or gone. Otherwise it may well be whole, and the disk or the
    /// folder's permissions are in the way.
    #[must_use]
    pub const fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// What can still be read of the database; `None` when nothing can.
    #[must_use]
    pub const fn reader(&self) -> Option<&Reader> {
        self.reader.as_ref()
    }

    /// Copies that can be restored, newest first; none when the database is not damaged.
    #[must_use]
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }

    /// Puts a snapshot, brought to the newest schema, in the place of the damaged database, which is
    /// kept under `damaged/`. Then drop this and open the store again.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the database is not damaged; [`StoreError::InUse`] when another
    /// Pilotfish looks at the folder; [`StoreError::NotFound`] when there is no such snapshot;
    /// [`StoreError::Damaged`] and [`StoreError::NewerVersion`] when it is of no use itself. After
    /// any error the damaged database is still there, in its place or under `damaged/`.
    pub async fn restore(&self, name: &str, at: i64) -> Result<(), StoreError> {
        if !self.is_damaged {
            return Err(StoreError::Invalid {
                reason: self.reason.clone(),
            });
        }
        let source = snapshots::path(&self.folder, name)?;
        let _alone = self.maintenance.upgrade().await?;
        self.folder.remove_parts(None);
        let part = Part::new(self.folder.root(), uuid::Uuid::now_v7());
        folder::copy(&source, part.path())?;
        prepare(part.path()).await?;
        self.put(part.path(), at).await
    }

    async fn put(&self, part: &Path, at: i64) -> Result<(), StoreError> {
        let mut prepared = connection::single(&connection::reading(part).immutable(true)).await?;
        let contents = inspect::contents(&mut prepared).await?;
        prepared.close().await?;
        folder::sync_file(part)?;

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
        contents.marker().write(&self.folder)
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

/// Makes a copied snapshot fit to be used: whole, and of the newest schema.
async fn prepare(part: &Path) -> Result<(), StoreError> {
    let mut copied = connection::single(&connection::reading(part).immutable(true)).await?;
    let health = inspect::health(&mut copied).await?;
    copied.close().await?;
    if let Health::Damaged(reason) = health {
        return Err(StoreError::Damaged { reason });
    }
    let mut writer = connection::single(&connection::writing(part)).await?;
    migrate::migrate(&mut writer).await?;
    if health == Health::IndexDamaged {
        search::rebuild(&mut writer).await?;
    }
    writer.close().await?;
    Ok(())
}

/// A copy of the database and its log, to be looked at; removed when dropped.
#[derive(Debug)]
struct ViewedCopy {
    dir: PathBuf,
    // Its lock tells other instances that the copy is in use.
    _instance: Instance,
}

impl ViewedCopy {
    /// `None` when it cannot be made, as for want of room.
    fn make(folder: &Folder) -> Option<Self> {
        let made = (|| {
            let instance = Instance::register(folder)?;
            let copy = Self {
                dir: folder.recovery().join(instance.id().simple().to_string()),
                _instance: instance,
            };
            folder::create_private_dir(&copy.dir)?;
            folder::copy(&folder.database(), &copy.database())?;
            if inspect::has_log(folder) {
                folder::copy(&folder.beside("wal"), &copy.dir.join("pilotfish.db-wal"))?;
            }
            Ok::<Self, StoreError>(copy)
        })();
        made.inspect_err(|error| tracing::warn!(%error, "the database could not be copied"))
            .ok()
    }

    fn database(&self) -> PathBuf {
        self.dir.join("pilotfish.db")
    }
}

impl Drop for ViewedCopy {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "could not remove the copy of the damaged database");
        }
    }
}

/// A reader of the copy, or, where there is none, of the file itself: taken as one that never
/// changes, so that nothing needs to be made beside it; with a log in use, as any reader.
async fn view(folder: &Folder, copy: Option<&ViewedCopy>) -> Result<Reader, StoreError> {
    let options: SqliteConnectOptions = match copy {
        Some(copy) => connection::reading(&copy.database()),
        None => connection::reading(&folder.database()).immutable(!inspect::has_log(folder)),
    };
    let reader = Reader::open(options, true);
    // Whether there is a table of conversations at all; what of it can be read shows later.
    let probe = sqlx::query("SELECT key FROM conversations NOT INDEXED LIMIT 1")
        .fetch_optional(reader.pool())
        .await;
    match probe.map_err(StoreError::from) {
        Ok(_) | Err(StoreError::Damaged { .. }) => Ok(reader),
        Err(error) => {
            reader.close().await;
            Err(error)
        }
    }
}
