//! What Ollama tells beside its list of models, by its own API: how much a model takes in, and what
//! it can do.
//!
//! Through Chat Completions nobody can say how large a window to load a model with, and what does
//! not fit is cut off without a word. So the window that counts is the one that the server uses: of
//! a loaded model the one it was loaded with, else the one its file asks for, else Ollama's default,
//! which is less than most models could take.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use protocol::{Effort, Model, Secret};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::Http;
use crate::address::under;
use crate::headers::Headers;
use crate::http::{Ask, Call};

/// The window, in tokens, of a model that says nothing else.
const DEFAULT_WINDOW: u32 = 4_096;

/// The most models that are asked about.
const MAX_ASKED: usize = 64;

/// How many are asked about at once.
const AT_ONCE: usize = 4;

/// What it takes of a model that thinks.
const EFFORTS: [Effort; 4] = [Effort::None, Effort::Low, Effort::Medium, Effort::High];

/// How long all of it may take; what is not known by then is assumed.
const LONGEST: Duration = Duration::from_secs(5);

/// A server's own API, under the address that its base URL begins with.
#[derive(Debug)]
pub(crate) struct Ollama<'a> {
    pub(crate) http: &'a Http,
    pub(crate) root: Url,
    pub(crate) key: Option<&'a Secret<String>>,
    pub(crate) headers: &'a Headers,
}

/// What is told of a model.
#[derive(Debug, Default, PartialEq, Eq)]
struct Facts {
    /// Whether it answers at all: some only embed.
    converses: bool,
    images: bool,
    tools: bool,
    /// Whether it thinks: then Ollama takes the efforts of [`EFFORTS`].
    thinks: bool,
    /// The window that it was trained for.
    trained: Option<u32>,
    /// The window that its file asks for.
    asked: Option<u32>,
    /// Whether it runs elsewhere, and so with its whole window.
    remote: bool,
}

impl Ollama<'_> {
    /// The call for its list, which a version without `/v1/models` has too.
    pub(crate) fn tags(&self) -> Call {
        self.call("/api/tags", Ask::List)
    }

    /// The models with what is told of them; those that do not converse are left out.
    pub(crate) async fn complete(&self, models: Vec<Model>) -> Vec<Model> {
        let deadline = Instant::now() + LONGEST;
        let loaded = match timeout_at(deadline, self.ask("/api/ps", Ask::List)).await {
            Ok(Some(running)) => windows(&running),
            Ok(None) | Err(_) => HashMap::new(),
        };
        let asked = models.len().min(MAX_ASKED);
        let mut told: Vec<Option<Facts>> = Vec::with_capacity(models.len());
        for some in models[..asked].chunks(AT_ONCE) {
            let questions = some.iter().map(|model| self.show(&model.model.model));
            match timeout_at(deadline, join_all(questions)).await {
                Ok(facts) => told.extend(facts),
                Err(_) => break,
            }
        }
        told.resize_with(models.len(), || None);
        models
            .into_iter()
            .zip(told)
            .filter(|(_, facts)| facts.as_ref().is_none_or(|facts| facts.converses))
            .map(|(model, facts)| {
                let window = loaded.get(&model.model.model).copied();
                let facts = facts.unwrap_or_default();
                Model {
                    context_tokens: Some(window.unwrap_or_else(|| facts.window())),
                    images: model.images || facts.images,
                    tools: model.tools || facts.tools,
                    efforts: if facts.thinks {
                        EFFORTS.to_vec()
                    } else {
                        model.efforts
                    },
                    ..model
                }
            })
            .collect()
    }

    async fn show(&self, model: &str) -> Option<Facts> {
        let question = json!({ "model": model }).to_string();
        let told = self.ask("/api/show", Ask::Fact(Bytes::from(question)));
        Some(Facts::read(&told.await?))
    }

    /// What it says; `None` when it does not, as older versions do: the list is good without.
    async fn ask(&self, path: &str, ask: Ask) -> Option<Value> {
        let said = async {
            let mut response = self.http.send(&self.call(path, ask)).await?;
            self.http.body(&mut response).await
        };
        match said.await {
            Ok(body) => serde_json::from_slice(&body).ok(),
            Err(fault) => {
                tracing::debug!(path, kind = ?fault.kind, "Ollama does not say");
                None
            }
        }
    }

    fn call(&self, path: &str, ask: Ask) -> Call {
        Call {
            url: under(&self.root, path),
            key: self.key.cloned(),
            headers: self.headers.clone(),
            ask,
        }
    }
}

impl Facts {
    fn read(told: &Value) -> Self {
        let abilities = told.get("capabilities").and_then(Value::as_array);
        let can = |ability: &str| {
            abilities.is_some_and(|list| list.iter().any(|item| item.as_str() == Some(ability)))
        };
        let info = told.get("model_info");
        let trained = info.and_then(|info| {
            let family = info.get("general.architecture")?.as_str()?;
            info.get(format!("{family}.context_length"))
        });
        let asked = told.get("parameters").and_then(Value::as_str);
        let remote = |name| {
            told.get(name)
                .and_then(Value::as_str)
                .is_some_and(|host| !host.is_empty())
        };
        Self {
            converses: abilities.is_none() || can("completion"),
            images: can("vision"),
            tools: can("tools"),
            thinks: can("thinking"),
            trained: trained.and_then(tokens),
            asked: asked.and_then(|parameters| {
                let line = |line: &str| line.strip_prefix("num_ctx ")?.trim().parse().ok();
                parameters.lines().find_map(line)
            }),
            remote: remote("remote_host") || remote("remote_model"),
        }
    }

    /// The window that the server will use, in tokens.
    fn window(&self) -> u32 {
        let wanted = match self.asked {
            None if self.remote => self.trained.unwrap_or(DEFAULT_WINDOW),
            asked => asked.unwrap_or(DEFAULT_WINDOW),
        };
        self.trained.map_or(wanted, |trained| wanted.min(trained))
    }
}

/// The windows with which models are loaded.
fn windows(running: &Value) -> HashMap<String, u32> {
    running
        .get("models")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .take(MAX_ASKED)
        .filter_map(|entry| {
            let name = entry.get("model").or_else(|| entry.get("name"))?.as_str()?;
            let window = tokens(entry.get("context_length")?)?;
            Some((name.to_owned(), window))
        })
        .collect()
}

fn tokens(number: &Value) -> Option<u32> {
    u32::try_from(number.as_u64()?).ok().filter(|n| *n > 0)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    use super::Facts;

    fn window(told: &Value) -> u32 {
        Facts::read(told).window()
    }

    #[test]
    fn the_window_is_the_one_that_the_server_uses() {
        let info = |tokens: u32| {
            json!({ "general.architecture": "qwen3", "qwen3.context_length": tokens,
                "clip.context_length": 77 })
        };
        for (told, expected) in [
            (json!({}), 4_096),
            (json!("odd"), 4_096),
            (json!({ "model_info": info(131_072) }), 4_096),
            (json!({ "model_info": info(2_048) }), 2_048),
            (
                json!({ "model_info": info(131_072),
                    "parameters": "stop                           \"x\"\nnum_ctx                        16384" }),
                16_384,
            ),
            (
                json!({ "model_info": info(8_192), "parameters": "num_ctx 16384" }),
                8_192,
            ),
            (json!({ "parameters": "num_ctx lots" }), 4_096),
            (
                json!({ "model_info": info(131_072), "remote_host": "https://example.org" }),
                131_072,
            ),
            (
                json!({ "model_info": info(131_072), "remote_host": "" }),
                4_096,
            ),
        ] {
            assert_eq!(window(&told), expected, "{told}");
        }
    }

    #[test]
    fn abilities_are_read() {
        let facts = Facts::read(&json!({ "capabilities": ["completion", "vision", "tools", 5] }));
        assert!(facts.converses && facts.images && facts.tools);
        assert!(!Facts::read(&json!({ "capabilities": ["embedding"] })).converses);
        let silent = Facts::read(&json!({ "capabilities": null }));
        assert!(
            silent.converses && !silent.images && !silent.tools,
            "an older version"
        );
    }
}
