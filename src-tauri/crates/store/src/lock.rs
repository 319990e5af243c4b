//! Locks between processes that share a folder. SQLite's own write lock serialises ordinary
//! writes; two more are needed, both by `flock`, which the system releases when a process dies.
//!
//! - `maintenance.lock` is held shared by everyone who has the store open, and alone by whoever
//!   creates, migrates or restores it.
//! - `instances/<uuid>.lock` is held by one instance for its life. Whether a message that still
//!   says `streaming` has a living writer is told by trying its writer's lock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use crate::error::{StoreError, damage_was_met};
use crate::folder::{self, Folder};

/// How long a lock is waited for: longer than a migration of a usual database takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
pub(crate) const ATTEMPT_EVERY: Duration = Duration::from_millis(20);
/// After how long an instance that has not got its name never will.
const NAMED_WITHIN: Duration = Duration::from_secs(60);

/// The right to use the store, shared or alone. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Maintenance {
    file: File,
}

impl Maintenance {
    /// Use beside others; waits while someone migrates.
    pub(crate) async fn shared(folder: &Folder) -> Result<Self, StoreError> {
        let file = lock_file(folder)?;
        share(&file).await?;
        Ok(Self { file })
    }

    /// Use alone, without waiting; `None` when somebody else uses the folder.
    pub(crate) fn alone(folder: &Folder) -> Result<Option<Self>, StoreError> {
        let file = lock_file(folder)?;
        Ok(take_alone(&file)?.then_some(Self { file }))
    }

    /// Runs something alone while others are locked out, without waiting for them; afterwards the
    /// lock is shared again.
    pub(crate) async fn upgrade(&self) -> Result<Alone<'_>, StoreError> {
        if take_alone(&self.file)? {
            return Ok(Alone { file: &self.file });
        }
        // An upgrade that fails may have given up the shared lock.
        share(&self.file).await?;
        Err(StoreError::InUse)
    }
}

fn lock_file(folder: &Folder) -> io::Result<File> {
    folder::private_file()
        .create(true)
        .truncate(false)
        .open(folder.maintenance_lock())
}

fn take_alone(file: &File) -> Result<bool, StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

async fn share(file: &File) -> Result<(), StoreError> {
    let patience = tokio::time::Instant::now() + PATIENCE;
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) if tokio::time::Instant::now() >= patience => {
                return Err(StoreError::InUse);
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(ATTEMPT_EVERY).await,
        }
    }
}

/// A shared lock made exclusive for a while.
#[derive(Debug)]
pub(crate) struct Alone<'a> {
    file: &'a File,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.file.try_lock_shared() {
            tracing::warn!(%error, "could not share the maintenance lock again");
        }
    }
}

/// A running instance: its lock says that it lives.
#[derive(Debug)]
pub(crate) struct Instance {
    id: Uuid,
    path: PathBuf,
    _lock: File,
}

impl Instance {
    /// Registers this instance.
    pub(crate) fn register(folder: &Folder) -> Result<Self, StoreError> {
        let id = Uuid::now_v7();
        let path = lock_path(folder, id);
        // Locked before it has its name, so that nobody ever finds it free.
        let unnamed = path.with_extension("new");
        let lock = folder::private_file().create_new(true).open(&unnamed)?;
        let named = lock.lock().and_then(|()| fs::rename(&unnamed, &path));
        if let Err(error) = named {
            folder::remove_if_there(&unnamed);
            return Err(error.into());
        }
        Ok(Self {
            id,
            path,
            _lock: lock,
        })
    }

    pub(crate) const fn id(&self) -> Uuid {
        self.id
    }
}

impl Drop for Instance {
    /// Whoever has met damage leaves without a goodbye, so that the next opening looks closely.
    fn drop(&mut self) {
        if !damage_was_met() {
            folder::remove_if_there(&self.path);
        }
    }
}

fn lock_path(folder: &Folder, id: Uuid) -> PathBuf {
    folder.instances().join(format!("{}.lock", id.simple()))
}

/// Whether the instance of that id still runs.
pub(crate) fn is_alive(folder: &Folder, id: Uuid) -> Result<bool, StoreError> {
    match File::open(lock_path(folder, id)) {
        Ok(file) => is_locked(&file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn is_locked(file: &File) -> Result<bool, StoreError> {
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Whether a file that has not got its name yet is older than anyone takes to give it.
fn was_never_named(file: &File) -> bool {
    file.metadata()
        .and_then(|about| about.modified())
        .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > NAMED_WITHIN))
}

/// Instances that ended without a goodbye: their lock files are there, and free.
pub(crate) fn dead(folder: &Folder) -> Result<Vec<Uuid>, StoreError> {
    let mut dead = Vec::new();
    for entry in fs::read_dir(folder.instances())? {
        let path = entry?.path();
        let id = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .and_then(|stem| Uuid::parse_str(stem).ok());
        let (Some(id), Ok(file)) = (id, File::open(&path)) else {
            continue;
        };
        let named = path
            .extension()
            .is_some_and(|extension| extension == "lock");
        if (named || was_never_named(&file)) && is_locked(&file).is_ok_and(|locked| !locked) {
            dead.push(id);
        }
    }
    Ok(dead)
}

/// Forgets instances that ended without a goodbye, the copies that they looked at, and those that
/// they had not finished.
pub(crate) fn bury(folder: &Folder, dead: &[Uuid]) {
    for id in dead {
        folder.remove_parts(Some(*id));
        let copies = folder.recovery().join(id.simple().to_string());
        if let Err(error) = fs::remove_dir_all(copies)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "could not remove an old recovery copy");
        }
        let named = lock_path(folder, *id);
        folder::remove_if_there(&named.with_extension("new"));
        folder::remove_if_there(&named);
    }
}
