//! Taking in a file that the person has.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use protocol::LibraryEntry;

use super::checked::{self, Stop, Verdict};
use super::{Library, LibraryError, Lock};
use crate::catalogue::{self, Entry};

impl Library {
    /// Takes a GGUF file into the folder: checked, then linked or copied. A copy of a model of the
    /// catalogue becomes that model.
    ///
    /// # Errors
    /// `Invalid`, `DiskFull`, `InvalidRequest` (no such file, or the name is taken), `Busy`, `Io`.
    pub async fn import(&self, path: &Path) -> Result<LibraryEntry, LibraryError> {
        let shown = path.display().to_string();
        let source = std::fs::canonicalize(path)
            .ok()
            .filter(|source| source.is_file())
            .ok_or_else(|| LibraryError::InvalidRequest(format!("there is no file {shown}")))?;
        let file = source.clone();
        let stop = Stop::default();
        let stopped = stop.flag();
        let (verdict, twin) = tokio::task::spawn_blocking(move || examine(&file, &stopped))
            .await
            .map_err(io::Error::other)??;
        if let Verdict::Refused(reason) = verdict {
            return Err(LibraryError::Invalid {
                name: shown,
                reason,
            });
        }
        let id = match twin {
            Some(entry) => entry.id.clone(),
            None => id_of(&source).ok_or_else(|| {
                LibraryError::InvalidRequest(format!(
                    "{shown} cannot be a model's name: rename it to letters, digits, - and _"
                ))
            })?,
        };
        if self.path(&id).is_some() && twin.is_none() {
            return Err(LibraryError::InvalidRequest(format!(
                "there is a model named {id} already: remove it first with \
                 `pilotfish models remove {id}`, or rename the file"
            )));
        }
        // A catalogue's model that is here may be damaged: then this is how it is repaired.
        if !self.is_sound(&id).await? {
            let lock = Arc::new(self.lock(&id)?);
            let part = self.import_path(&id);
            self.place(source, &part, &lock).await?;
            if let Err(error) = self.adopt(&id, &part, twin, &lock).await {
                let _ = std::fs::remove_file(&part);
                return Err(error);
            }
        }
        match twin {
            Some(entry) => Ok(self.describe(entry).await),
            None => {
                let path = self.inner.models_dir.join(format!("{id}.gguf"));
                Ok(self.describe_file(id, path).await)
            }
        }
    }

    /// Whether a model's file is here and right.
    pub(super) async fn is_sound(&self, id: &str) -> Result<bool, LibraryError> {
        match self.path(id) {
            Some(path) => Ok(matches!(
                self.verdict(id, &path).await?.1,
                Verdict::Sound(_)
            )),
            None => Ok(false),
        }
    }

    /// A link where that is possible, else a copy (which file systems that can do so share). The
    /// copying thread holds the lock too: it goes on when nobody waits for it any more.
    async fn place(
        &self,
        source: PathBuf,
        part: &Path,
        lock: &Arc<Lock>,
    ) -> Result<(), LibraryError> {
        match std::fs::remove_file(part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        if std::fs::hard_link(&source, part).is_ok() {
            return Ok(());
        }
        let bytes = std::fs::metadata(&source)?.len();
        self.need_room(bytes, part)?;
        let (to, lock) = (part.to_owned(), Arc::clone(lock));
        let copied = tokio::task::spawn_blocking(move || {
            let copied = std::fs::copy(source, to);
            drop(lock);
            copied
        });
        if let Err(error) = copied.await.map_err(io::Error::other)? {
            let _ = std::fs::remove_file(part);
            return Err(self.or_full(error.into(), bytes, part));
        }
        Ok(())
    }
}

/// Checks a file and finds the model of the catalogue that it is a copy of.
fn examine(path: &Path, stop: &AtomicBool) -> io::Result<(Verdict, Option<&'static Entry>)> {
    let bytes = File::open(path)?.metadata()?.len();
    let verdict = checked::look(path, bytes, None, stop)?;
    // A sound file that begins like it is it.
    Ok((verdict, checked::twin(path, bytes)?))
}

/// The id of a file: its name without the ending.
fn id_of(path: &Path) -> Option<String> {
    let name = path.file_stem()?.to_str()?;
    let plain = !name.starts_with('.')
        && name.len() <= 128
        && !name
            .chars()
            .any(|c| c.is_control() || c == '/' || c == '\\');
    (plain && catalogue::entry(name).is_none()).then(|| name.to_owned())
}
