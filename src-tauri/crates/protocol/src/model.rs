//! What can answer: providers, their models, and how a model is named.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use ts_rs::TS;

use crate::{AppError, Health};

/// A provider's name as used in `provider/model`: lower-case letters, digits, `-` and `_`, at most
/// 64 bytes. `inhouse` is the model inside the application.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, TS)]
#[ts(export, type = "string")]
pub struct ProviderId(String);

/// Why a text is no [`ProviderId`] or [`ModelRef`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The provider part is empty, too long or holds other characters.
    #[error("a provider's name is 1 to 64 of a-z, 0-9, - and _, not {0:?}")]
    Provider(String),
    /// There is no `provider/` before the model, or nothing after it.
    #[error("a model is named provider/model, as inhouse/default, not {0:?}")]
    Model(String),
}

impl ProviderId {
    /// The provider of the model that runs inside the application.
    pub const INHOUSE: &'static str = "inhouse";

    /// The provider under which the cluster in the in-house slot keeps its key; see
    /// [`Cluster`](crate::Cluster).
    pub const CLUSTER: &'static str = "inhouse-cluster";

    /// The in-house provider's id.
    #[must_use]
    pub fn inhouse() -> Self {
        Self(Self::INHOUSE.to_owned())
    }

    /// The id of the cluster in the in-house slot.
    #[must_use]
    pub fn cluster() -> Self {
        Self(Self::CLUSTER.to_owned())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the model inside the application.
    #[must_use]
    pub fn is_inhouse(&self) -> bool {
        self.0 == Self::INHOUSE
    }
}

impl FromStr for ProviderId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Provider(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ProviderId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// A model by its full name, `provider/model`. The model part may hold further slashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, TS)]
#[ts(export, type = "string")]
pub struct ModelRef {
    /// Who serves it.
    pub provider: ProviderId,
    /// The provider's own id for it, at most 256 bytes.
    pub model: String,
}

impl ModelRef {
    /// The in-house model of the given id (`default`, `small`, or a file's id).
    #[must_use]
    pub fn inhouse(model: impl Into<String>) -> Self {
        Self {
            provider: ProviderId::inhouse(),
            model: model.into(),
        }
    }
}

impl FromStr for ModelRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NameError::Model(text.chars().take(80).collect());
        let (provider, model) = text.split_once('/').ok_or_else(wrong)?;
        let fits = (1..=256).contains(&model.len()) && !model.chars().any(char::is_control);
        if !fits {
            return Err(wrong());
        }
        Ok(Self {
            provider: provider.parse()?,
            model: model.to_owned(),
        })
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

impl Serialize for ModelRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ModelRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// Where a model runs: what the person is told about what leaves the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "at", rename_all = "snake_case")]
#[ts(export)]
pub enum RunsAt {
    /// Inside the application.
    InHouse,
    /// In another program on this machine (a loopback address).
    ThisMachine,
    /// On the named host of the local network (a private address or `.local` name).
    LocalNetwork {
        /// The host as configured.
        host: String,
    },
    /// On the named host elsewhere.
    Host {
        /// The host as configured.
        host: String,
    },
}

/// The protocol that a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Wire {
    /// The in-house worker's own protocol.
    Inhouse,
    /// OpenAI Chat Completions, which most servers speak.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
    /// Google Gemini.
    Gemini,
}

/// How hard a model should think, as far as it lets one say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Effort {
    /// Do not think.
    None,
    /// As little as the model allows.
    Minimal,
    /// Little.
    Low,
    /// The usual.
    Medium,
    /// Much.
    High,
    /// More than high.
    Xhigh,
    /// All the model can.
    Max,
}

/// Price in US dollars for one million tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Price {
    /// Fresh input.
    pub input: f64,
    /// Input served from the provider's cache, when it prices that apart.
    pub cached_input: Option<f64>,
    /// Input written into the provider's cache, when it prices that apart.
    #[serde(default)]
    pub cache_write: Option<f64>,
    /// Output, thinking included.
    pub output: f64,
    /// The day for which the price was recorded, `YYYY-MM-DD`.
    pub as_of: String,
}

/// A model that can be chosen. Every fact but the name may be unknown: an unknown model works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Model {
    /// Its full name.
    pub model: ModelRef,
    /// A name for people.
    pub name: String,
    /// Where it runs.
    pub runs_at: RunsAt,
    /// Tokens of prompt and answer together.
    pub context_tokens: Option<u32>,
    /// Tokens of the longest answer.
    pub output_tokens: Option<u32>,
    /// Whether it takes images.
    pub images: bool,
    /// Whether it takes PDF files as they are.
    #[serde(default)]
    pub files: bool,
    /// Whether it can call tools.
    pub tools: bool,
    /// The efforts it offers; empty when thinking cannot be steered.
    pub efforts: Vec<Effort>,
    /// What it costs; `None` is unknown, not free.
    pub price: Option<Price>,
    /// The day on which its provider switches it off, `YYYY-MM-DD`.
    pub retires_on: Option<String>,
    /// Bytes on disk, for a model in the library.
    #[ts(type = "number | null")]
    pub bytes: Option<u64>,
}

/// A provider's models, as a group of the picker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ModelGroup {
    /// The provider.
    pub provider: ProviderId,
    /// Its name for people.
    pub name: String,
    /// Its models; those last known when it cannot be reached.
    pub models: Vec<Model>,
    /// Why the list may be old or empty.
    pub error: Option<AppError>,
    /// How those of its models have fared that were asked since the application was started.
    pub health: Vec<Health>,
}

#[cfg(test)]
mod tests {
    use super::{ModelRef, ProviderId};

    #[test]
    fn model_names_split_at_the_first_slash() {
        let model: ModelRef = "openrouter/meta/llama-4".parse().unwrap();
        assert_eq!(model.provider.as_str(), "openrouter");
        assert_eq!(model.model, "meta/llama-4");
        assert_eq!(model.to_string(), "openrouter/meta/llama-4");
    }

    #[test]
    fn wrong_names_are_refused() {
        for text in ["", "default", "/x", "inhouse/", "In House/x", "a/b\nc"] {
            assert!(
                text.parse::<ModelRef>().is_err(),
                "{text:?} is no model's name"
            );
        }
        assert!("x".repeat(65).parse::<ProviderId>().is_err());
    }
}
