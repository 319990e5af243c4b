//! Where things live: one folder named by `PILOTFISH_HOME`, or the folders that the system has for
//! data and caches.

use std::env;
use std::path::{Path, PathBuf};

use protocol::{AppError, ErrorCode};

/// The folders of one Pilotfish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The database and its snapshots, and what the person says of models in `catalog.json`.
    pub data: PathBuf,
    /// Model files.
    pub models: PathBuf,
    /// What can be made again.
    pub cache: PathBuf,
}

impl Paths {
    /// Everything under one folder, for tests and portable use.
    #[must_use]
    pub fn under(home: &Path) -> Self {
        Self {
            data: home.join("data"),
            models: home.join("models"),
            cache: home.join("cache"),
        }
    }

    /// As the environment says: `PILOTFISH_HOME`, else the XDG folders.
    ///
    /// # Errors
    /// `InvalidRequest` when neither `PILOTFISH_HOME` nor `HOME` is an absolute path.
    pub fn from_env() -> Result<Self, AppError> {
        Self::from_vars(|name| env::var_os(name).map(PathBuf::from))
    }

    fn from_vars(var: impl Fn(&str) -> Option<PathBuf>) -> Result<Self, AppError> {
        let folder = |name: &str| var(name).filter(|path| path.is_absolute());
        if let Some(home) = var("PILOTFISH_HOME").filter(|path| !path.as_os_str().is_empty()) {
            if home.is_absolute() {
                return Ok(Self::under(&home));
            }
            return Err(AppError::new(
                ErrorCode::InvalidRequest,
                "PILOTFISH_HOME must be an absolute path: set it to one, or unset it",
            ));
        }
        let home = folder("HOME");
        let or_home = |name: &str, below: &str| {
            folder(name).or_else(|| home.as_ref().map(|home| home.join(below)))
        };
        match (
            or_home("XDG_DATA_HOME", ".local/share"),
            or_home("XDG_CACHE_HOME", ".cache"),
        ) {
            (Some(data), Some(cache)) => {
                let data = data.join("pilotfish");
                Ok(Self {
                    models: data.join("models"),
                    cache: cache.join("pilotfish"),
                    data,
                })
            }
            _ => Err(AppError::new(
                ErrorCode::InvalidRequest,
                "there is no home folder: set HOME or PILOTFISH_HOME to an absolute path",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Paths;

    fn paths(vars: &[(&str, &str)]) -> Option<Paths> {
        let find = |name: &str| {
            vars.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| PathBuf::from(value))
        };
        Paths::from_vars(find).ok()
    }

    #[test]
    fn one_folder_or_the_systems() {
        let own = paths(&[("PILOTFISH_HOME", "/p"), ("HOME", "/h")]);
        assert_eq!(own, Some(Paths::under(Path::new("/p"))));
        let home = paths(&[("HOME", "/h")]).unwrap();
        assert_eq!(home.data, Path::new("/h/.local/share/pilotfish"));
        assert_eq!(home.cache, Path::new("/h/.cache/pilotfish"));
        let xdg = paths(&[
            ("HOME", "/h"),
            ("XDG_DATA_HOME", "/d"),
            ("XDG_CACHE_HOME", "rel"),
        ]);
        let xdg = xdg.unwrap();
        assert_eq!(xdg.models, Path::new("/d/pilotfish/models"));
        assert_eq!(
            xdg.cache,
            Path::new("/h/.cache/pilotfish"),
            "relative folders are ignored"
        );
    }

    #[test]
    fn no_home_is_an_error() {
        assert_eq!(paths(&[]), None);
        assert_eq!(paths(&[("PILOTFISH_HOME", "here"), ("HOME", "/h")]), None);
    }
}
