//! What a person set. Secrets are not among it: an endpoint only remembers that it has a key.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Effort, ModelRef, ProviderId, Wire};

/// Light, dark, or as the system says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// How the window looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Appearance {
    /// Light or dark.
    pub theme: Theme,
    /// Size of the text in percent: 80 to 160.
    pub text_percent: u16,
}

impl Default for Appearance {
    fn default() -> Self {
        Self {
            theme: Theme::System,
            text_percent: 100,
        }
    }
}

/// What happens to a message once a cap is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum AtCap {
    /// It is not sent.
    #[default]
    Block,
    /// The in-house model answers it.
    InHouse,
}

/// The most that a provider may cost in a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ProviderCap {
    /// The provider.
    pub provider: ProviderId,
    /// US dollars a day.
    pub usd_per_day: f64,
}

/// The most that a day may cost. A call is let out while the day's known cost is below the cap, so
/// that a day can exceed it by what one answer costs; one whose price nobody knows counts nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Caps {
    /// US dollars a day, all providers together; `None` is no cap.
    pub usd_per_day: Option<f64>,
    /// Caps of single providers.
    pub providers: Vec<ProviderCap>,
    /// What happens then.
    pub at_cap: AtCap,
}

/// How hard a model is to think unless a chat says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ModelEffort {
    /// The model.
    pub model: ModelRef,
    /// What was chosen for it last.
    pub effort: Effort,
}

/// All settings of a person. A field that an older file lacks takes its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Settings {
    /// How the window looks.
    pub appearance: Appearance,
    /// The model for a new conversation; `None` is the in-house default.
    pub default_model: Option<ModelRef>,
    /// The key that summons the quick window, as `Ctrl+Shift+Space`; empty switches it off.
    pub hotkey: String,
    /// Models that the person pinned to the top of the picker.
    pub favourites: Vec<ModelRef>,
    /// Models used last, newest first, 8 at most.
    pub recents: Vec<ModelRef>,
    /// How hard models are to think, the one chosen last first, 64 at most; a model that is not among
    /// them decides by itself.
    pub efforts: Vec<ModelEffort>,
    /// What the person adds to the assistant's instructions, at most 8 KiB.
    pub instructions: String,
    /// Whether the first start was gone through.
    pub welcomed: bool,
    /// The models to ask when the chosen one does not answer, in order, 8 at most; empty is off.
    pub failover: Vec<ModelRef>,
    /// The cluster that serves the in-house default model; `None` is this machine.
    pub inhouse_cluster: Option<Cluster>,
    /// Whether nothing may leave this machine: programs on it may be asked, other hosts not.
    pub local_only: bool,
    /// The most that a day may cost.
    pub caps: Caps,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            appearance: Appearance::default(),
            default_model: None,
            hotkey: "Ctrl+Shift+Space".to_owned(),
            favourites: Vec::new(),
            recents: Vec::new(),
            efforts: Vec::new(),
            instructions: String::new(),
            welcomed: false,
            failover: Vec::new(),
            inhouse_cluster: None,
            local_only: false,
            caps: Caps::default(),
        }
    }
}

/// Machines that serve the in-house model's weights behind one address that speaks Chat Completions:
/// vLLM, SGLang or llama.cpp. Its key, if it takes one, is kept under [`ProviderId::CLUSTER`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Cluster {
    /// `http` or `https`, a host, and the path before `/chat/completions`.
    pub base_url: String,
    /// The model as the cluster names it, 1 to 256 bytes.
    pub model: String,
    /// How many answers it may write at once, 1 to 1,024; further ones wait.
    pub max_concurrent: u16,
}

/// That a key was saved, without the key: enough to tell "the keyring lost it" from "none yet".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct KeyRecord {
    /// The key's last four characters; empty when it has fewer than twelve.
    pub last_four: String,
    /// When it was saved.
    #[ts(type = "number")]
    pub saved_at: i64,
}

/// A key of the API, without the key: the program that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ApiKey {
    /// The program's name, as the person gave it.
    pub name: String,
    /// When it was made.
    #[ts(type = "number")]
    pub created_at: i64,
}

/// A provider as configured: a built-in one or an address that the person added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Endpoint {
    /// The provider's name in `provider/model`.
    pub id: ProviderId,
    /// A name for people.
    pub name: String,
    /// Where it is, as `http://localhost:11434/v1`.
    pub base_url: String,
    /// What it speaks.
    pub wire: Wire,
    /// Whether requests carry a key.
    pub needs_key: bool,
    /// The key that was saved for it.
    pub key: Option<KeyRecord>,
    /// What else its requests carry.
    #[serde(default)]
    pub headers: Vec<Header>,
}

/// A header of every request to an endpoint. It is kept in the database and shown: it is no place
/// for a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// An address that a person adds or changes. Its key, if any, goes to the vault by a way of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct EndpointDraft {
    /// The endpoint to change; `None` adds one, named after `name`.
    pub id: Option<ProviderId>,
    /// A name for people, 1 to 64 characters.
    pub name: String,
    /// `http` or `https`, a host, and the path before `/chat/completions` and the like.
    pub base_url: String,
    /// What it speaks.
    #[serde(default = "chat")]
    pub wire: Wire,
    /// Whether requests carry a key.
    pub needs_key: bool,
    /// What else they carry: 16 headers at most.
    #[serde(default)]
    pub headers: Vec<Header>,
}

const fn chat() -> Wire {
    Wire::Chat
}
