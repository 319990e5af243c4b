//! Taking in a file that the person has.

use std::fs::File;
use std::io;
use std::path::Path;

use protocol::LibraryEntry;

use super::checked::{self, Verdict};
use super::{Library, LibraryError};
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
        let (verdict, twin) = tokio::task::spawn_blocking(move || examine(&file))
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
        let is_here = self.path(&id).is_some();
        if is_here && twin.is_none() {
            return Err(LibraryError::InvalidRequest(format!(
                "there is a model named {id} already: remove it first with \
                 `pilotfish models remove {id}`, or rename the file"
            )));
        }
        if !is_here {
            let _lock = self.lock(&id)?;
            let part = self.inner.models_dir.join(format!(".{id}.import"));
            self.place(&source, &part).await?;
            self.adopt(&id, &part, twin).await?;
        }
        match twin {
            Some(entry) => Ok(self.describe(entry).await),
            None => {
                let path = self.inner.models_dir.join(format!("{id}.gguf"));
                Ok(self.describe_file(id, path).await)
            }
        }
    }

    /// A link where that is possible, else a copy (which file systems that can do so share).
    async fn place(&self, source: &Path, part: &Path) -> Result<(), LibraryError> {
        match std::fs::remove_file(part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        if std::fs::hard_link(source, part).is_ok() {
            return Ok(());
        }
        self.need_room(std::fs::metadata(source)?.len(), part)?;
        if let Err(error) = tokio::fs::copy(source, part).await {
            let _ = std::fs::remove_file(part);
            return Err(error.into());
        }
        Ok(())
    }
}

/// Checks a file and finds the model of the catalogue that it is a copy of.
fn examine(path: &Path) -> io::Result<(Verdict, Option<&'static Entry>)> {
    let bytes = File::open(path)?.metadata()?.len();
    let verdict = checked::look(path, bytes, None)?;
    // A sound file of that size has that sum.
    let twin = catalogue::entries()
        .iter()
        .find(|entry| entry.bytes == bytes);
    Ok((verdict, twin))
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
