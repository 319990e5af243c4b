//! Opening: look first, then decide. A healthy database is opened, an old one is migrated, one that
//! cannot be used is shown read-only, and only where there never was anything is something made.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::StoreError;
use crate::folder::Folder;
use crate::inspect::{self, Found, Trouble};
use crate::lock::{self, ATTEMPT_EVERY, Maintenance, PATIENCE};
use crate::migrate;
use crate::recovery::Recovery;
use crate::store::Store;

/// How a store opened.
#[derive(Debug)]
pub enum Opened {
    /// As it should.
    Ready(Store),
    /// The database cannot be used: what can be read is shown, and nothing is written until what is
    /// wrong is put right.
    Recovery(Recovery),
}

/// How often the folder is migrated before giving up: another Pilotfish can do it at the same time,
/// even further.
const MIGRATIONS: usize = 4;

impl Store {
    /// Opens the store of a folder, and makes it where there was none.
    ///
    /// # Errors
    /// [`StoreError::NewerVersion`] when a newer Pilotfish wrote it (the file is left as it is);
    /// [`StoreError::InUse`] when it has to be migrated and another Pilotfish uses it;
    /// [`StoreError::Full`] when there is no room to make or migrate it, and [`StoreError::Io`]
    /// when the folder itself cannot be used. A database that is damaged, cannot be read, or finds
    /// no room to be used is no error but [`Opened::Recovery`].
    pub async fn open(dir: &Path) -> Result<Opened, StoreError> {
        let folder = Folder::prepare(dir)?;
        let patience = tokio::time::Instant::now() + PATIENCE;
        let mut migrations = 0;
        loop {
            let maintenance = Maintenance::shared(&folder).await?;
            let dead = lock::dead(&folder)?;
            match inspect::inspect(&folder, !dead.is_empty()).await? {
                Found::Current(contents) => {
                    let trouble =
                        match Self::open_found(folder.clone(), maintenance, contents).await {
                            Ok(store) => {
                                lock::bury(&folder, &dead);
                                return Ok(Opened::Ready(store));
                            }
                            Err(error) => Trouble::of(error)?,
                        };
                    let maintenance = Maintenance::shared(&folder).await?;
                    return recovery(folder, maintenance, trouble).await;
                }
                Found::Unusable(trouble) => return recovery(folder, maintenance, trouble).await,
                Found::Nothing | Found::Older => drop(maintenance),
            }
            let Some(alone) = Maintenance::alone(&folder)? else {
                // Perhaps someone who is just migrating, or looking as we do.
                if tokio::time::Instant::now() >= patience {
                    return Err(StoreError::InUse);
                }
                tokio::time::sleep(ATTEMPT_EVERY).await;
                continue;
            };
            if migrations == MIGRATIONS {
                return Err(StoreError::InUse);
            }
            migrations += 1;
            // Someone else may have been faster, or something may have happened to the file.
            let brought_up = match inspect::inspect(&folder, false).await? {
                Found::Nothing | Found::Older => {
                    folder.remove_parts(None);
                    migrate::bring_up(&folder, now()).await
                }
                Found::Current(_) | Found::Unusable(_) => Ok(()),
            };
            drop(alone);
            if let Err(StoreError::Damaged { reason }) = brought_up {
                let maintenance = Maintenance::shared(&folder).await?;
                return recovery(folder, maintenance, Trouble::Damaged(reason)).await;
            }
            brought_up?;
        }
    }
}

async fn recovery(
    folder: Folder,
    maintenance: Maintenance,
    trouble: Trouble,
) -> Result<Opened, StoreError> {
    Recovery::open(folder, maintenance, trouble)
        .await
        .map(Opened::Recovery)
}

/// The time that a migration's snapshot is named after.
fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}
