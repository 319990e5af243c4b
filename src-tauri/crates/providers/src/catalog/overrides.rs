//! What a person says of models, which goes before what anyone else does: a JSON file as
//!
//! ```json
//! { "models": { "openai/gpt-6.1-sol": { "name": "Sol", "context_tokens": 400000,
//!   "price": { "input": 1.5, "output": 9, "as_of": "2026-11-20" } } } }
//! ```
//!
//! A model that no list has is added by it. One wrong field refuses the file, and is named, so that
//! nobody believes in a price that was not taken.

use std::collections::BTreeMap;
use std::fmt::Display;

use protocol::{Effort, Endpoint, Model, ModelRef, Price, ProviderId};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::Url;

use super::known::{self, Facts};
use crate::runs_at;

/// The largest file, in bytes.
pub const MAX_OVERRIDE_BYTES: usize = 1 << 20;
/// The most models in it.
const MAX_MODELS: usize = 2_000;
/// The longest name, in characters.
const MAX_NAME: usize = 128;
/// More dollars for a million tokens than anyone asks.
const MAX_DOLLARS: f64 = 1_000_000.0;

/// A person's word on models.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    models: BTreeMap<ModelRef, Facts>,
}

/// Why a file of overrides is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct OverrideError {
    /// The field, by its path from the top: `models.openai/gpt-6.1-sol.price.input`.
    pub field: String,
    /// What is wrong with it, and what to write instead.
    pub reason: String,
    /// The provider whose model it is about, when it is about one.
    pub provider: Option<ProviderId>,
}

impl Overrides {
    /// Reads a file's content; an empty one says nothing.
    ///
    /// # Errors
    /// What is wrong first, with its field.
    pub fn parse(content: &[u8]) -> Result<Self, OverrideError> {
        let top = |reason: String| wrong("the file", reason);
        if content.len() > MAX_OVERRIDE_BYTES {
            return Err(top(format!("shorten it to {MAX_OVERRIDE_BYTES} bytes")));
        }
        if content.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let value: Value = serde_json::from_slice(content)
            .map_err(|error| top(format!("it is no JSON: {error}")))?;
        let Value::Object(file) = value else {
            return Err(top("write an object, {\"models\": {…}}".to_owned()));
        };
        let mut overrides = Self::default();
        for (name, value) in file {
            if name != "models" {
                return Err(wrong(name, "leave it out; there is only \"models\""));
            }
            let models = object("models", value)?;
            if models.len() > MAX_MODELS {
                return Err(wrong(name, format!("{MAX_MODELS} at most")));
            }
            for (name, value) in models {
                let field = format!("models.{}", shown(&name));
                let model: ModelRef = name.parse().map_err(|error| wrong(&field, error))?;
                let provider = model.provider.clone();
                let facts = object(&field, value).and_then(|facts| read(&field, facts));
                let facts = facts.map_err(|error| OverrideError {
                    provider: Some(provider),
                    ..error
                })?;
                overrides.models.insert(model, facts);
            }
        }
        Ok(overrides)
    }

    /// How many models it speaks of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// Has the endpoint's models be as the person says, and adds those that only the person knows.
    pub fn apply(&self, endpoint: &Endpoint, models: &mut Vec<Model>) {
        let own = self
            .models
            .iter()
            .filter(|(model, _)| model.provider == endpoint.id);
        for (model, facts) in own {
            match models.iter_mut().find(|known| known.model == *model) {
                Some(known) => *known = changed(known, facts.clone()),
                None => {
                    let Ok(url) = Url::parse(&endpoint.base_url) else {
                        continue;
                    };
                    let rest = known::facts(&model.provider, &model.model);
                    models.push(facts.clone().over(rest).of(model.clone(), runs_at(&url)));
                }
            }
        }
    }
}

fn changed(model: &Model, facts: Facts) -> Model {
    let before = model.clone();
    let rest = Facts {
        name: Some(before.name),
        context_tokens: before.context_tokens,
        output_tokens: before.output_tokens,
        images: Some(before.images),
        files: Some(before.files),
        tools: Some(before.tools),
        efforts: Some(before.efforts),
        price: before.price,
        retires_on: before.retires_on,
        bytes: before.bytes,
    };
    facts.over(rest).of(before.model, before.runs_at)
}

fn read(field: &str, written: Map<String, Value>) -> Result<Facts, OverrideError> {
    let mut facts = Facts::default();
    for (name, value) in written {
        let field = format!("{field}.{}", shown(&name));
        match name.as_str() {
            "name" => facts.name = Some(plain_name(&field, value)?),
            "context_tokens" => facts.context_tokens = Some(tokens(&field, value)?),
            "output_tokens" => facts.output_tokens = Some(tokens(&field, value)?),
            "images" => facts.images = Some(typed(&field, value, "true or false")?),
            "files" => facts.files = Some(typed(&field, value, "true or false")?),
            "tools" => facts.tools = Some(typed(&field, value, "true or false")?),
            "efforts" => facts.efforts = Some(efforts(&field, value)?),
            "price" => facts.price = Some(price(&field, value)?),
            "retires_on" => facts.retires_on = Some(day(&field, value)?),
            _ => {
                let known = "name, context_tokens, output_tokens, images, files, tools, efforts, \
                             price and retires_on";
                return Err(wrong(field, format!("leave it out; there are {known}")));
            }
        }
    }
    Ok(facts)
}

fn price(field: &str, value: Value) -> Result<Price, OverrideError> {
    let mut written = object(field, value)?;
    let mut take = |name: &str| {
        written
            .remove(name)
            .map(|value| (format!("{field}.{name}"), value))
    };
    let mut rate = |name: &str| {
        take(name)
            .map(|(field, value)| dollars(&field, value))
            .transpose()
    };
    let (input, output) = (rate("input")?, rate("output")?);
    let (cached_input, cache_write) = (rate("cached_input")?, rate("cache_write")?);
    let as_of = take("as_of")
        .map(|(field, value)| day(&field, value))
        .transpose()?;
    if let Some(name) = written.keys().next() {
        let known = "input, cached_input, cache_write, output and as_of";
        let field = format!("{field}.{}", shown(name));
        return Err(wrong(field, format!("leave it out; there are {known}")));
    }
    let missing = |name: &str| wrong(format!("{field}.{name}"), "it is missing");
    Ok(Price {
        input: input.ok_or_else(|| missing("input"))?,
        cached_input,
        cache_write,
        output: output.ok_or_else(|| missing("output"))?,
        as_of: as_of.ok_or_else(|| missing("as_of"))?,
    })
}

fn dollars(field: &str, value: Value) -> Result<f64, OverrideError> {
    let dollars: Option<f64> = serde_json::from_value(value).ok();
    dollars
        .filter(|dollars| (0.0..=MAX_DOLLARS).contains(dollars))
        .ok_or_else(|| wrong(field, "write dollars for a million tokens, as 2.5"))
}

fn tokens(field: &str, value: Value) -> Result<u32, OverrideError> {
    let tokens: Option<u32> = serde_json::from_value(value).ok();
    tokens
        .filter(|tokens| *tokens > 0)
        .ok_or_else(|| wrong(field, "write a whole number above 0, as 128000"))
}

fn efforts(field: &str, value: Value) -> Result<Vec<Effort>, OverrideError> {
    let known = "a list of none, minimal, low, medium, high, xhigh and max";
    let mut efforts: Vec<Effort> = typed(field, value, known)?;
    efforts.sort_unstable();
    efforts.dedup();
    Ok(efforts)
}

fn plain_name(field: &str, value: Value) -> Result<String, OverrideError> {
    let name: String = typed(field, value, "text")?;
    let fits =
        (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits {
        Ok(name)
    } else {
        Err(wrong(
            field,
            format!("write 1 to {MAX_NAME} characters on one line"),
        ))
    }
}

fn day(field: &str, value: Value) -> Result<String, OverrideError> {
    let text: String = typed(field, value, "a day, as 2026-11-20")?;
    match text.parse::<jiff::civil::Date>() {
        Ok(day) if day.to_string() == text => Ok(text),
        _ => Err(wrong(field, "write a day, as 2026-11-20")),
    }
}

fn typed<T: DeserializeOwned>(field: &str, value: Value, what: &str) -> Result<T, OverrideError> {
    serde_json::from_value(value).map_err(|_| wrong(field, format!("write {what}")))
}

fn object(field: &str, value: Value) -> Result<Map<String, Value>, OverrideError> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(wrong(field, "write an object, {…}")),
    }
}

fn wrong(field: impl Into<String>, reason: impl Display) -> OverrideError {
    OverrideError {
        field: field.into(),
        reason: reason.to_string(),
        provider: None,
    }
}

/// A name from the file, for a message.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests;
