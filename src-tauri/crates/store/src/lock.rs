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

use crate::error::StoreError;
use crate::folder::{self, Folder};

/// How long a lock is waited for: longer than a migration of a usual database takes.
const PATIENCE: Duration = Duration::from_secs(5);
const ATTEMPT_EVERY: Duration = Duration::from_millis(20);

/// The right to use the store, shared or alone. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Maintenance {
    file: File,
}

#[derive(Clone, Copy)]
enum Mode {
    Shared,
    Alone,
}

impl Maintenance {
    /// Use beside others; waits while someone migrates.
    pub(crate) async fn shared(folder: &Folder) -> Result<Self, StoreError> {
        Self::take(folder, Mode::Shared).await
    }

    /// Use alone.
    pub(crate) async fn alone(folder: &Folder) -> Result<Self, StoreError> {
        Self::take(folder, Mode::Alone).await
    }

    async fn take(folder: &Folder, mode: Mode) -> Result<Self, StoreError> {
        let file = folder::private_file()
            .create(true)
            .truncate(false)
            .open(folder.maintenance_lock())?;
        let patience = tokio::time::Instant::now() + PATIENCE;
        loop {
            let tried = match mode {
                Mode::Shared => file.try_lock_shared(),
                Mode::Alone => file.try_lock(),
            };
            match tried {
                Ok(()) => return Ok(Self { file }),
                Err(TryLockError::Error(error)) => return Err(error.into()),
                Err(TryLockError::WouldBlock) if tokio::time::Instant::now() >= patience => {
                    return Err(StoreError::InUse);
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(ATTEMPT_EVERY).await,
            }
        }
    }

    /// Runs something alone while others are locked out, without waiting for them; afterwards the
    /// lock is shared again.
    pub(crate) fn upgrade(&self) -> Result<Alone<'_>, StoreError> {
        match self.file.try_lock() {
            Ok(()) => Ok(Alone { file: &self.file }),
            Err(TryLockError::Error(error)) => Err(error.into()),
            Err(TryLockError::WouldBlock) => {
                // An upgrade that fails may have given up the shared lock.
                self.file.lock_shared()?;
                Err(StoreError::InUse)
            }
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
        if let Err(error) = self.file.lock_shared() {
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
    fn drop(&mut self) {
        folder::remove_if_there(&self.path);
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

/// Instances that ended without a goodbye: their lock files are there, and free.
pub(crate) fn dead(folder: &Folder) -> Result<Vec<Uuid>, StoreError> {
    let mut dead = Vec::new();
    for entry in fs::read_dir(folder.instances())? {
        let path = entry?.path();
        let id = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .and_then(|stem| Uuid::parse_str(stem).ok());
        if let Some(id) = id
            && path
                .extension()
                .is_some_and(|extension| extension == "lock")
            && File::open(&path).is_ok_and(|file| is_locked(&file).is_ok_and(|locked| !locked))
        {
            dead.push(id);
        }
    }
    Ok(dead)
}

/// Forgets instances that ended without a goodbye, and the copies that they looked at.
pub(crate) fn bury(folder: &Folder, dead: &[Uuid]) {
    for id in dead {
        let copies = folder.recovery().join(id.simple().to_string());
        if let Err(error) = fs::remove_dir_all(copies)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "could not remove an old recovery copy");
        }
        folder::remove_if_there(&lock_path(folder, *id));
    }
}
