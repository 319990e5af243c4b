//! The folder that holds the store, and how files in it are made: folders 0700 and files 0600
//! whatever the umask, replaced by a rename and flushed before anyone relies on them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::StoreError;

/// What a copy of the database leaves free on the disk, in bytes, so that what a person writes next
/// still finds room.
const ROOM_LEFT: u64 = 16 * 1024 * 1024;

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder, made when it is not there yet, with whatever of ours was too open closed to
    /// others.
    pub(crate) fn prepare(dir: &Path) -> Result<Self, StoreError> {
        create_private_dir(dir)?;
        // SQLite reads a path that begins with `file:` as a URI; an absolute one never does.
        let folder = Self {
            root: dir.canonicalize()?,
        };
        create_private_dir(&folder.snapshots())?;
        create_private_dir(&folder.instances())?;
        create_private_dir(&folder.recovery())?;
        Ok(folder)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("pilotfish.db")
    }

    /// A file that SQLite keeps beside the database: `wal`, `shm` or `journal`.
    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        self.root.join(format!("pilotfish.db-{suffix}"))
    }

    pub(crate) fn marker(&self) -> PathBuf {
        self.root.join("pilotfish.marker.json")
    }

    pub(crate) fn maintenance_lock(&self) -> PathBuf {
        self.root.join("maintenance.lock")
    }

    pub(crate) fn instances(&self) -> PathBuf {
        self.root.join("instances")
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// Where the bytes of attached files are.
    pub(crate) fn attachments(&self) -> PathBuf {
        self.root.join("attachments")
    }

    /// Where copies of a damaged database are looked at.
    pub(crate) fn recovery(&self) -> PathBuf {
        self.root.join("recovery")
    }

    /// Where a damaged database is kept once a snapshot took its place.
    pub(crate) fn damaged(&self) -> PathBuf {
        self.root.join("damaged")
    }

    /// Removes copies that an instance which is no more had not finished; those of all instances
    /// when the caller uses the folder alone and names none.
    pub(crate) fn remove_parts(&self, of: Option<Uuid>) {
        let of = of.map(|instance| instance.simple().to_string());
        for dir in [self.root.clone(), self.snapshots()] {
            let entries = match fs::read_dir(&dir) {
                Ok(entries) => entries,
                Err(error) => {
                    tracing::warn!(%error, "could not look for unfinished copies");
                    continue;
                }
            };
            for path in entries.flatten().map(|entry| entry.path()) {
                let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                    continue;
                };
                let theirs = of.as_ref().is_none_or(|of| name.starts_with(of));
                // SQLite keeps files beside one that it writes: `.part-wal`.
                let unfinished = name
                    .rsplit_once(".part")
                    .is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with('-'));
                if theirs && unfinished {
                    remove_if_there(&path);
                }
            }
        }
    }

    /// Refuses to begin a copy of the database that there is no room for.
    ///
    /// # Errors
    /// [`StoreError::Full`].
    pub(crate) fn assert_room_for_a_copy(&self) -> Result<(), StoreError> {
        let length = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        let needed = length(&self.database())
            .saturating_add(length(&self.beside("wal")))
            .saturating_add(ROOM_LEFT);
        match free_space(&self.root) {
            Some(free) if free < needed => Err(StoreError::Full),
            _ => Ok(()),
        }
    }

    /// Closes the database's files to others, should they have been made by another program.
    pub(crate) fn close_to_others(&self) -> Result<(), StoreError> {
        for path in [
            self.database(),
            self.beside("wal"),
            self.beside("shm"),
            self.beside("journal"),
        ] {
            match make_private(&path, 0o600) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A copy that is being written. Unless it got its place by a rename before, it is gone when this
/// is dropped; should the process die, [`Folder::remove_parts`] finds it by its instance.
#[derive(Debug)]
pub(crate) struct Part {
    path: PathBuf,
}

impl Part {
    /// One in that folder, of that instance.
    pub(crate) fn new(dir: &Path, instance: Uuid) -> Self {
        let name = format!("{}-{}.part", instance.simple(), Uuid::now_v7().simple());
        Self {
            path: dir.join(name),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        remove_if_there(&self.path);
        for suffix in ["-journal", "-wal", "-shm"] {
            let mut beside = self.path.clone().into_os_string();
            beside.push(suffix);
            remove_if_there(Path::new(&beside));
        }
    }
}

/// Makes a folder that only its owner can enter. One that others share by design (with the sticky
/// bit, as `/tmp`) is left as it is.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        builder.mode(0o700).create(path)?;
        if fs::metadata(path)?.permissions().mode() & 0o1000 == 0 {
            make_private(path, 0o700)?;
        }
        Ok(())
    }
    #[cfg(not(unix))]
    builder.create(path)
}

/// How many bytes we may still write on a folder's disk; `None` when it does not say.
#[cfg(unix)]
fn free_space(dir: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free_space(_dir: &Path) -> Option<u64> {
    None
}

/// Sets the mode, when it differs.
#[cfg(unix)]
fn make_private(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let now = fs::metadata(path)?.permissions().mode() & 0o7777;
    if now & 0o077 == 0 {
        return Ok(());
    }
    match fs::set_permissions(path, fs::Permissions::from_mode(mode)) {
        // Not ours to change: whoever made it decides who reads it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

#[cfg(not(unix))]
fn make_private(path: &Path, _mode: u32) -> io::Result<()> {
    fs::metadata(path).map(|_| ())
}

/// Options that make a file that only its owner can read.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// Makes an empty private file where there is none.
pub(crate) fn create_private_file(path: &Path) -> io::Result<()> {
    private_file().create_new(true).open(path)?.sync_all()
}

/// Flushes a file's content to the disk.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.sync_all()
}

/// Flushes a folder's entries to the disk: a rename is only safe after it.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Replaces a file at once: a reader sees the old content or the new.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let part = path.with_extension(format!("{}.part", Uuid::now_v7().simple()));
    let written = (|| {
        let mut file = private_file().create_new(true).open(&part)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&part, path)
    })();
    if written.is_err() {
        remove_if_there(&part);
    }
    written?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Copies a file to a new private one and flushes it.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = private_file().create_new(true).open(to)?;
    io::copy(&mut source, &mut target)?;
    target.sync_all()
}

/// Removes a file of ours that may be gone already. What cannot be removed only takes space.
pub(crate) fn remove_if_there(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(file = ?path.file_name(), %error, "could not remove a file");
    }
}
