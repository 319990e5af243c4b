//! Providers as data: `assets/catalog/providers.json`, built into the program. A provider
//! that differs from the rest of its wire says so by quirks; a new provider is a new entry.

use std::sync::LazyLock;

use protocol::{Endpoint, ProviderId, Wire};
use serde::Deserialize;

const PROVIDERS: &str = include_str!("../../../../assets/catalog/providers.json");

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| match serde_json::from_str(PROVIDERS) {
    Ok(catalog) => catalog,
    Err(error) => {
        tracing::error!(%error, "the built-in catalog cannot be read; no provider is built in");
        Catalog {
            providers: Vec::new(),
        }
    }
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalog {
    providers: Vec<Entry>,
}

/// A provider that the application knows without being told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) id: ProviderId,
    pub(crate) name: String,
    pub(crate) base_url: String,
    pub(crate) wire: Wire,
    pub(crate) needs_key: bool,
    #[serde(default)]
    pub(crate) quirks: Quirks,
}

/// In what a provider differs from the rest of its wire. The defaults are what most servers take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Quirks {
    pub(crate) models: ModelList,
    pub(crate) continuation: Continuation,
    pub(crate) usage: UsageRequest,
}

/// Where a provider lists its models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ModelList {
    /// `GET /models`.
    #[default]
    Openai,
    /// The same, or `GET /api/tags` beside the base URL where an older server lacks it.
    Ollama,
}

/// How a provider is asked to go on with an unfinished answer that stands last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Continuation {
    /// In words, after the answer. A server that does not know how to go on with an answer would
    /// begin another, or refuse; words are understood by every model.
    #[default]
    Ask,
    /// It does so by itself when the answer stands last.
    Prefill,
    /// vLLM's pair of `continue_final_message` and `add_generation_prompt`.
    ContinueFinalMessage,
}

/// How a provider is brought to report tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UsageRequest {
    /// By `stream_options`.
    #[default]
    StreamOptions,
    /// Not at all: it refuses the field, and reports by itself or never.
    Unasked,
}

/// The providers that the application knows without being told.
#[must_use]
pub fn builtin_endpoints() -> Vec<Endpoint> {
    let endpoint = |entry: &Entry| Endpoint {
        id: entry.id.clone(),
        name: entry.name.clone(),
        base_url: entry.base_url.clone(),
        wire: entry.wire,
        needs_key: entry.needs_key,
        key: None,
    };
    CATALOG.providers.iter().map(endpoint).collect()
}

/// The entry of a built-in provider.
pub(crate) fn entry(id: &ProviderId) -> Option<&'static Entry> {
    CATALOG.providers.iter().find(|entry| &entry.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Catalog, PROVIDERS, builtin_endpoints};
    use crate::{base_url, runs_at};
    use protocol::RunsAt;

    #[test]
    fn the_built_in_catalog_is_sound() {
        let catalog: Catalog = serde_json::from_str(PROVIDERS).unwrap();
        let mut ids = HashSet::new();
        for entry in &catalog.providers {
            assert!(ids.insert(&entry.id), "{} stands twice", entry.id);
            assert!(
                !entry.id.is_inhouse(),
                "the in-house provider is no endpoint"
            );
            let url = base_url(&entry.base_url).unwrap();
            assert_eq!(
                url.as_str(),
                entry.base_url,
                "{} is in its plain spelling",
                entry.id
            );
            assert_eq!(
                entry.needs_key,
                runs_at(&url) != RunsAt::ThisMachine,
                "{}",
                entry.id
            );
        }
        let found: Vec<String> = builtin_endpoints()
            .into_iter()
            .map(|endpoint| endpoint.id.to_string())
            .collect();
        assert_eq!(found, ["ollama", "llama-server", "lmstudio", "vllm"]);
    }
}
