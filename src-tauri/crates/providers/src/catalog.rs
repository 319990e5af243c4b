//! Providers and models as data: `assets/catalog/`, built into the program. A provider that differs
//! from the rest of its wire says so by quirks, and so does a model that differs from the rest of
//! its provider; a new provider or model is a new entry, not code.
//!
//! `known` holds the models and what is known of them, `overrides` what a person says of them.

pub(crate) mod known;
pub(crate) mod overrides;

use std::sync::LazyLock;

use protocol::{Endpoint, ProviderId, Wire};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::headers::Auth;
use crate::wire::chat::{CallIds, EffortSpelling, LimitSpelling, ReasoningBack, SystemRole};

const PROVIDERS: &str = include_str!("../../../../assets/catalog/providers.json");

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| match serde_json::from_str(PROVIDERS) {
    Ok(catalog) => catalog,
    Err(error) => {
        tracing::error!(%error, "the built-in catalog cannot be read; no provider is built in");
        Catalog::default()
    }
});

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalog {
    /// What an address takes that the application knows nothing of but its wire.
    wires: Vec<Custom>,
    providers: Vec<Entry>,
}

/// What is customary on a wire.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Custom {
    wire: Wire,
    auth: Vec<Auth>,
    #[serde(default)]
    headers: Vec<Fixed>,
}

/// A header of every request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fixed {
    name: String,
    value: String,
}

impl Fixed {
    pub(crate) const fn pair(&self) -> (&str, &String) {
        (self.name.as_str(), &self.value)
    }
}

/// A provider that the application knows without being told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) id: ProviderId,
    name: String,
    base_url: String,
    wire: Wire,
    needs_key: bool,
    /// Where its key goes; where its wire's does when it does not say.
    #[serde(default)]
    auth: Vec<Auth>,
    #[serde(default)]
    headers: Vec<Fixed>,
    #[serde(default)]
    pub(crate) models: ModelList,
    /// What is in the names of those models of its list that do not converse.
    #[serde(default)]
    leaves_out: Vec<String>,
    /// [`Quirks`], as far as they are not the default.
    #[serde(default)]
    quirks: Map<String, Value>,
}

impl Entry {
    /// Whether a model of its list is one to talk to, as far as its name tells.
    pub(crate) fn converses(&self, model: &str) -> bool {
        let model = model.to_ascii_lowercase();
        !self.leaves_out.iter().any(|part| model.contains(part))
    }

    /// Whether the base URL is the one that it was given here.
    pub(crate) fn is_at(&self, base_url: &str) -> bool {
        self.base_url.trim_end_matches('/') == base_url.trim_end_matches('/')
    }
}

/// In what a provider differs from the rest of its wire. The defaults are what most servers take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Quirks {
    pub(crate) continuation: Continuation,
    pub(crate) usage: UsageRequest,
    /// How a server of Chat Completions is told how hard to think.
    pub(crate) effort_spelling: EffortSpelling,
    /// What it calls the limit of an answer.
    pub(crate) limit_spelling: LimitSpelling,
    /// In whose name it takes the system prompt.
    pub(crate) system_role: SystemRole,
    /// Whether it wants thinking back as text.
    pub(crate) reasoning_back: ReasoningBack,
    /// Which ids of calls it takes.
    pub(crate) call_ids: CallIds,
    pub(crate) reasoning: ReasoningRequest,
    /// Whether the items that go back on the Responses wire go without their ids: some servers look
    /// for what an id names, and find nothing, because we ask them to store nothing.
    pub(crate) without_item_ids: bool,
    /// Whether it can be told to drop thinking that no longer fits a conversation, where it would
    /// refuse the request: its headers then ask for that.
    pub(crate) drops_unbound_thinking: bool,
}

/// Where a provider lists its models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ModelList {
    /// `GET /models`.
    #[default]
    Models,
    /// The same, or `GET /api/tags` beside the base URL where an older server lacks it.
    Ollama,
    /// `GET /language-models`, which has prices, or `GET /models` where there is none.
    Xai,
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

/// What is asked about reasoning on the Responses wire. On Gemini's, thoughts are asked for or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReasoningRequest {
    /// The effort, a summary to show, and the reasoning encrypted, to be sent back.
    #[default]
    Shown,
    /// The same without the summary, for which OpenAI wants to know who one is.
    Encrypted,
    /// The effort alone.
    Effort,
    /// Nothing: the model does not reason.
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
        headers: Vec::new(),
    };
    CATALOG.providers.iter().map(endpoint).collect()
}

/// The entry of a built-in provider.
pub(crate) fn entry(id: &ProviderId) -> Option<&'static Entry> {
    CATALOG.providers.iter().find(|entry| &entry.id == id)
}

/// Where an endpoint's key goes, and the headers that all its requests carry: as its provider wants
/// them, or as its wire does where the person has it speak another wire than the provider's own.
pub(crate) fn custom(endpoint: &Endpoint) -> (&'static [Auth], &'static [Fixed]) {
    let wire = CATALOG
        .wires
        .iter()
        .find(|custom| custom.wire == endpoint.wire);
    let (auth, headers) = wire.map_or((&[][..], &[][..]), |wire| {
        (wire.auth.as_slice(), wire.headers.as_slice())
    });
    match entry(&endpoint.id).filter(|entry| entry.wire == endpoint.wire) {
        Some(entry) if entry.auth.is_empty() => (auth, &entry.headers),
        Some(entry) => (&entry.auth, &entry.headers),
        None => (auth, headers),
    }
}

/// How to word a request for a model: as its provider wants it, and over that as the model does.
/// They are about the provider's own wire: on another one, all is as it is on that.
pub(crate) fn quirks(provider: &ProviderId, wire: Wire, model: &str) -> Quirks {
    let Some(entry) = entry(provider).filter(|entry| entry.wire == wire) else {
        return Quirks::default();
    };
    let mut quirks = entry.quirks.clone();
    if let Some(known) = known::find(provider, model) {
        quirks.extend(known.quirks.clone());
    }
    serde_json::from_value(Value::Object(quirks)).unwrap_or_else(|error| {
        tracing::error!(%error, %provider, model, "the catalog's quirks cannot be read");
        Quirks::default()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use pretty_assertions::assert_eq;
    use protocol::{RunsAt, Wire};
    use reqwest::header::{HeaderName, HeaderValue};
    use serde_json::Value;

    use super::{Catalog, Fixed, PROVIDERS, Quirks, builtin_endpoints};
    use crate::{AddressError, base_url, runs_at};

    fn can_be_sent(headers: &[Fixed]) {
        for header in headers {
            HeaderName::try_from(&header.name).unwrap();
            HeaderValue::try_from(&header.value).unwrap();
        }
    }

    #[test]
    fn the_built_in_catalog_is_sound() {
        let catalog: Catalog = serde_json::from_str(PROVIDERS).unwrap();
        let mut ids = HashSet::new();
        for entry in &catalog.providers {
            let id = &entry.id;
            assert!(ids.insert(id), "{id} stands twice");
            assert!(!id.is_inhouse(), "the in-house provider is no endpoint");
            match base_url(&entry.base_url) {
                Ok(url) => {
                    assert_eq!(
                        url.as_str(),
                        entry.base_url,
                        "{id} is in its plain spelling"
                    );
                    let hosted = runs_at(&url) != RunsAt::ThisMachine;
                    assert_eq!(entry.needs_key, hosted, "{id}");
                    assert!(
                        !hosted || url.scheme() == "https",
                        "{id}: keys travel sealed"
                    );
                }
                Err(error) => assert_eq!(error, AddressError::Placeholder, "{id}"),
            }
            for part in &entry.leaves_out {
                assert_eq!(*part, part.to_ascii_lowercase(), "{id}");
            }
            can_be_sent(&entry.headers);
            let quirks = Value::Object(entry.quirks.clone());
            serde_json::from_value::<Quirks>(quirks).unwrap();
        }
        for wire in [Wire::Chat, Wire::Responses, Wire::Messages, Wire::Gemini] {
            let mut customs = catalog.wires.iter().filter(|custom| custom.wire == wire);
            let custom = customs.next().unwrap();
            assert!(!custom.auth.is_empty() && customs.next().is_none());
            can_be_sent(&custom.headers);
        }
    }

    #[test]
    fn what_runs_here_stands_before_what_does_not() {
        let found: Vec<String> = builtin_endpoints()
            .into_iter()
            .map(|endpoint| endpoint.id.to_string())
            .collect();
        assert_eq!(
            found,
            [
                "ollama",
                "llama-server",
                "lmstudio",
                "vllm",
                "openai",
                "anthropic",
                "gemini",
                "xai",
                "deepseek",
                "meta",
                "mistral",
                "groq",
                "openrouter",
                "foundry",
            ]
        );
    }
}
