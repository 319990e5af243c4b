//! What is known of models: `assets/catalog/models.json`, built into the program. A provider's own
//! list goes before it, and the person's word before both; see [`Facts::over`].
//!
//! A model that stands nowhere works all the same. A dated version of a known model, as
//! `gpt-5.4-2026-03-05`, is that model.

use std::sync::LazyLock;

use protocol::{Effort, Endpoint, Model, ModelRef, Price, ProviderId, RunsAt};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::runs_at;

const MODELS: &str = include_str!("../../../../../assets/catalog/models.json");

static KNOWN: LazyLock<Vec<Section>> = LazyLock::new(|| match serde_json::from_str(MODELS) {
    Ok(sections) => sections,
    Err(error) => {
        tracing::error!(%error, "the built-in models cannot be read; no model is built in");
        Vec::new()
    }
});

/// The models of one provider, best first.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    provider: ProviderId,
    /// The day for which the prices were recorded.
    prices_as_of: String,
    models: Vec<Known>,
}

/// A model that the application knows without being told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    id: String,
    name: String,
    /// Where a provider limits the prompt by itself, as OpenAI does, that: it is what must fit.
    context_tokens: Option<u32>,
    output_tokens: Option<u32>,
    #[serde(default)]
    images: bool,
    #[serde(default)]
    files: bool,
    #[serde(default)]
    tools: bool,
    #[serde(default)]
    efforts: Vec<Effort>,
    price: Option<Rates>,
    retires_on: Option<String>,
    /// In what it differs from its provider's other models; see [`Quirks`](super::Quirks).
    #[serde(default)]
    pub(super) quirks: Map<String, Value>,
}

/// A [`Price`] whose day is its section's.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rates {
    input: f64,
    cached_input: Option<f64>,
    cache_write: Option<f64>,
    output: f64,
}

/// What one source says of a model; `None` where it is silent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    pub(crate) name: Option<String>,
    pub(crate) context_tokens: Option<u32>,
    pub(crate) output_tokens: Option<u32>,
    pub(crate) images: Option<bool>,
    pub(crate) files: Option<bool>,
    pub(crate) tools: Option<bool>,
    pub(crate) efforts: Option<Vec<Effort>>,
    pub(crate) price: Option<Price>,
    pub(crate) retires_on: Option<String>,
    pub(crate) bytes: Option<u64>,
}

impl Facts {
    /// These, and where they are silent those of a source that is believed less.
    #[must_use]
    pub(crate) fn over(self, less: Self) -> Self {
        Self {
            name: self.name.or(less.name),
            context_tokens: self.context_tokens.or(less.context_tokens),
            output_tokens: self.output_tokens.or(less.output_tokens),
            images: self.images.or(less.images),
            files: self.files.or(less.files),
            tools: self.tools.or(less.tools),
            efforts: self.efforts.or(less.efforts),
            price: self.price.or(less.price),
            retires_on: self.retires_on.or(less.retires_on),
            bytes: self.bytes.or(less.bytes),
        }
    }

    /// The model of which these are the facts; what nobody says of it, it does not have.
    pub(crate) fn of(self, model: ModelRef, runs_at: RunsAt) -> Model {
        Model {
            name: self.name.unwrap_or_else(|| model.model.clone()),
            runs_at,
            context_tokens: self.context_tokens,
            output_tokens: self.output_tokens,
            images: self.images.unwrap_or_default(),
            files: self.files.unwrap_or_default(),
            tools: self.tools.unwrap_or_default(),
            efforts: self.efforts.unwrap_or_default(),
            price: self.price,
            retires_on: self.retires_on,
            bytes: self.bytes,
            model,
        }
    }
}

impl Section {
    fn facts(&self, known: &Known) -> Facts {
        let price = known.price.map(|rates| Price {
            input: rates.input,
            cached_input: rates.cached_input,
            cache_write: rates.cache_write,
            output: rates.output,
            as_of: self.prices_as_of.clone(),
        });
        Facts {
            name: Some(known.name.clone()),
            context_tokens: known.context_tokens,
            output_tokens: known.output_tokens,
            images: Some(known.images),
            files: Some(known.files),
            tools: Some(known.tools),
            efforts: Some(known.efforts.clone()),
            price,
            retires_on: known.retires_on.clone(),
            bytes: None,
        }
    }
}

/// The models of an endpoint's provider as the catalog knows them, best first: for want of the
/// provider's own list. Those that it has switched off by `today` are left out, and all of them
/// where the endpoint's address cannot be read.
#[must_use]
pub fn known_models(endpoint: &Endpoint, today: &str) -> Vec<Model> {
    let Ok(url) = Url::parse(&endpoint.base_url) else {
        return Vec::new();
    };
    let Some(section) = section(&endpoint.id) else {
        return Vec::new();
    };
    let model = |known: &Known| {
        let model = ModelRef {
            provider: endpoint.id.clone(),
            model: known.id.clone(),
        };
        section.facts(known).of(model, runs_at(&url))
    };
    section
        .models
        .iter()
        .filter(|known| {
            let gone = known.retires_on.as_deref().is_some_and(|day| day <= today);
            !gone
        })
        .map(model)
        .collect()
}

/// What the catalog says of a provider's model; nothing of one that it does not know.
pub(crate) fn facts(provider: &ProviderId, model: &str) -> Facts {
    let Some(section) = section(provider) else {
        return Facts::default();
    };
    let Some(known) = section.find(model) else {
        return Facts::default();
    };
    let facts = section.facts(known);
    if known.id == model {
        return facts;
    }
    Facts {
        name: None,
        ..facts
    }
}

/// Where a model stands among those of its provider, the best first; `None` for one that is not known.
pub(crate) fn rank(provider: &ProviderId, model: &str) -> Option<usize> {
    let section = section(provider)?;
    let found = section.find(model)?;
    section.models.iter().position(|known| known.id == found.id)
}

/// The catalog's entry of a provider's model.
pub(super) fn find(provider: &ProviderId, model: &str) -> Option<&'static Known> {
    section(provider)?.find(model)
}

fn section(provider: &ProviderId) -> Option<&'static Section> {
    KNOWN.iter().find(|section| &section.provider == provider)
}

impl Section {
    fn find(&self, model: &str) -> Option<&Known> {
        let by_id = |id: &str| self.models.iter().find(|known| known.id == id);
        by_id(model).or_else(|| by_id(undated(model)?))
    }
}

/// The name of a model without the day of its version: `-20260305` or `-2026-03-05` at its end.
fn undated(model: &str) -> Option<&str> {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, last) = model.rsplit_once('-')?;
    if digits(last, 8) {
        return Some(rest);
    }
    let (rest, month) = rest.rsplit_once('-')?;
    let (rest, year) = rest.rsplit_once('-')?;
    (digits(last, 2) && digits(month, 2) && digits(year, 4)).then_some(rest)
}

#[cfg(test)]
mod tests;
