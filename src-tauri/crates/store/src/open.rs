//! Opening: look first, then decide. A healthy database is opened, an old one is migrated, a
//! damaged one is shown read-only, and only where there never was anything is something made.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::StoreError;
use crate::folder::Folder;
use crate::inspect::{self, Found};
use crate::lock::{self, Maintenance};
use crate::migrate;
use crate::recovery::Recovery;
use crate::store::Store;

/// How a store opened.
#[derive(Debug)]
pub enum Opened {
    /// As it should.
    Ready(Store),
    /// The database is damaged or gone: what can be read is shown, and nothing is written until a
    /// snapshot is restored.
    Recovery(Recovery),
}

/// How often the folder is looked at again after it was migrated: someone else can migrate it at
/// the same time, even further.
const LOOKS: usize = 4;

impl Store {
    /// Opens the store of a folder, and makes it where there was none.
    ///
    /// # Errors
    /// [`StoreError::NewerVersion`] when a newer Pilotfish wrote it (the file is left as it is);
    /// [`StoreError::InUse`] when it has to be migrated and another Pilotfish uses it;
    /// [`StoreError::Full`] and [`StoreError::Io`] when the folder itself cannot be used. Damage is
    /// no error but [`Opened::Recovery`].
    pub async fn open(dir: &Path) -> Result<Opened, StoreError> {
        let folder = Folder::prepare(dir)?;
        for _ in 0..LOOKS {
            let maintenance = Maintenance::shared(&folder).await?;
            match inspect::inspect(&folder).await? {
                Found::Current(contents) => {
                    lock::bury(&folder, &lock::dead(&folder)?);
                    return Self::open_found(folder, maintenance, contents)
                        .await
                        .map(Opened::Ready);
                }
                Found::Damage(reason) => return recovery(folder, maintenance, reason).await,
                Found::Nothing | Found::Older => {}
            }
            drop(maintenance);
            let alone = Maintenance::alone(&folder).await?;
            // Someone else may have been faster, or something may have happened to the file.
            let brought_up = match inspect::inspect(&folder).await? {
                Found::Nothing | Found::Older => migrate::bring_up(&folder, now()).await,
                Found::Current(_) | Found::Damage(_) => Ok(()),
            };
            drop(alone);
            if let Err(StoreError::Damaged { reason }) = brought_up {
                let maintenance = Maintenance::shared(&folder).await?;
                return recovery(folder, maintenance, reason).await;
            }
            brought_up?;
        }
        Err(StoreError::InUse)
    }
}

async fn recovery(
    folder: Folder,
    maintenance: Maintenance,
    reason: String,
) -> Result<Opened, StoreError> {
    Recovery::open(folder, maintenance, reason)
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
