//! One model of a list. Each provider has words of its own for the same facts; none of them means
//! two things, so that all are read everywhere.

use protocol::{Effort, ModelRef, Price};
use serde_json::Value;

use super::Listed;
use crate::catalog::known::Facts;

/// The longest name for people, in characters.
const MAX_NAME: usize = 128;

/// Dollars for a million tokens, of a price for one.
const MILLION: f64 = 1e6;

/// xAI's prices are US cents for a hundred million tokens.
const XAI: f64 = 1e-4;

/// All efforts, least first.
const EFFORTS: [Effort; 7] = [
    Effort::None,
    Effort::Minimal,
    Effort::Low,
    Effort::Medium,
    Effort::High,
    Effort::Xhigh,
    Effort::Max,
];

/// The model of an entry; `None` when it is none, or none to talk to.
pub(super) fn read(entry: &Value, today: &str) -> Option<Listed> {
    // Ollama's own list has `model` and `name`, Gemini's `name` alone, every other one `id`.
    let text = |name: &str| entry.get(name)?.as_str();
    let id = text("id").or_else(|| text("model")).or_else(|| {
        let name = text("name")?;
        Some(name.strip_prefix("models/").unwrap_or(name))
    })?;
    // Whatever can stand in a model's name fits behind this provider's.
    format!("p/{id}").parse::<ModelRef>().ok()?;
    if !converses(entry) {
        return None;
    }
    let name = display_name(entry).or_else(|| file_stem(id).map(str::to_owned));
    let entry = Entry(entry);
    let facts = Facts {
        name: name.filter(|name| name != id),
        context_tokens: entry.number(&[
            "/meta/n_ctx",
            "/max_model_len",
            "/context_length",
            "/context_window",
            "/max_context_length",
            "/max_input_tokens",
            "/inputTokenLimit",
            "/max_prompt_length",
            "/meta/n_ctx_train",
        ]),
        output_tokens: entry.number(&[
            "/max_completion_tokens",
            "/top_provider/max_completion_tokens",
            "/outputTokenLimit",
            "/max_tokens",
        ]),
        images: entry.images(),
        files: entry
            .supports("/capabilities/pdf_input")
            .or_else(|| entry.lists(&MODALITIES, "file")),
        tools: entry
            .supports("/capabilities/function_calling")
            .or_else(|| entry.lists(&["/supported_parameters"], "tools")),
        efforts: entry.efforts(),
        price: entry.price(today),
        retires_on: entry.retires_on(),
        bytes: entry.0.get("size").and_then(Value::as_u64),
    };
    Some(Listed {
        id: id.to_owned(),
        facts,
    })
}

/// Where a list says what goes into a model.
const MODALITIES: [&str; 2] = ["/architecture/input_modalities", "/input_modalities"];

/// Whether it is a model to talk to, as far as the list tells: some only embed, draw or transcribe,
/// and some are switched off.
fn converses(entry: &Value) -> bool {
    let no = |path: &str| entry.pointer(path) == Some(&Value::Bool(false));
    if no("/capabilities/completion_chat")
        || no("/capabilities/chat_completion")
        || no("/active")
        || entry.get("lifecycle").and_then(Value::as_str) == Some("retired")
    {
        return false;
    }
    // A list that names what comes out, or what can be asked, and does not name text or an answer.
    let without = |path: &str, word: &str| {
        let list = entry.pointer(path).and_then(Value::as_array);
        list.is_some_and(|list| !list.iter().any(|item| item.as_str() == Some(word)))
    };
    !(without("/architecture/output_modalities", "text")
        || without("/output_modalities", "text")
        || without("/supportedGenerationMethods", "generateContent")
        || without("/supportedActions", "generateContent"))
}

struct Entry<'a>(&'a Value);

impl Entry<'_> {
    fn number(&self, paths: &[&str]) -> Option<u32> {
        paths
            .iter()
            .filter_map(|path| self.0.pointer(path)?.as_u64())
            .find_map(|number| u32::try_from(number).ok().filter(|number| *number > 0))
    }

    /// An ability that is `true` or `false`, or an object that says so.
    fn supports(&self, path: &str) -> Option<bool> {
        let said = self.0.pointer(path)?;
        said.as_bool().or_else(|| said.get("supported")?.as_bool())
    }

    /// Whether the first list that there is holds the word; `None` when there is none.
    fn lists(&self, paths: &[&str], word: &str) -> Option<bool> {
        let list = paths
            .iter()
            .find_map(|path| self.0.pointer(path)?.as_array())?;
        Some(list.iter().any(|item| item.as_str() == Some(word)))
    }

    fn images(&self) -> Option<bool> {
        self.supports("/capabilities/vision")
            .or_else(|| self.supports("/capabilities/image_input"))
            .or_else(|| self.lists(&MODALITIES, "image"))
            .or_else(|| self.lists(&["/capabilities"], "multimodal"))
    }

    fn efforts(&self) -> Option<Vec<Effort>> {
        if self.0.pointer("/capabilities/effort").is_some() {
            return self.anthropic_efforts();
        }
        let named = [
            "/capabilities/reasoning_effort",
            "/reasoning/supported_efforts",
        ]
        .iter()
        .find_map(|path| self.0.pointer(path)?.as_array());
        let mandatory = self.supports("/reasoning/mandatory");
        if let Some(list) = named {
            let named = |effort: &Effort| {
                let by_name = list.iter().any(|one| one.as_str() == Some(word(*effort)));
                by_name || (*effort == Effort::None && mandatory == Some(false))
            };
            return Some(EFFORTS.into_iter().filter(named).collect());
        }
        // OpenRouter takes these for whatever thinks, and translates them.
        match self.lists(&["/supported_parameters"], "reasoning")? {
            true if mandatory == Some(true) => {
                Some(vec![Effort::Low, Effort::Medium, Effort::High])
            }
            true => Some(vec![
                Effort::None,
                Effort::Low,
                Effort::Medium,
                Effort::High,
            ]),
            false => Some(Vec::new()),
        }
    }

    /// Anthropic's: what it calls efforts, and a kind of thinking that is none. It is silent on a model
    /// that thinks without them, within a number of tokens.
    fn anthropic_efforts(&self) -> Option<Vec<Effort>> {
        let kind = |kind: &str| self.supports(&format!("/capabilities/thinking/types/{kind}"));
        if self.supports("/capabilities/effort") == Some(false) {
            return (kind("enabled") != Some(true)).then(Vec::new);
        }
        let offered = |effort: &Effort| match effort {
            Effort::None => kind("disabled") == Some(true),
            _ => self.supports(&format!("/capabilities/effort/{}", word(*effort))) == Some(true),
        };
        Some(EFFORTS.into_iter().filter(offered).collect())
    }

    fn price(&self, today: &str) -> Option<Price> {
        let rate = |path: &str, unit: f64| {
            let said = self.0.pointer(path)?;
            let number = said.as_f64().or_else(|| said.as_str()?.parse().ok())?;
            // Below zero stands "it depends".
            (number.is_finite() && number >= 0.0).then_some(number * unit)
        };
        let price = |input: &str, cached: &str, write: &str, output: &str, unit| {
            Some(Price {
                input: tidy(rate(input, unit)?),
                cached_input: rate(cached, unit).map(tidy),
                cache_write: rate(write, unit).map(tidy),
                output: tidy(rate(output, unit)?),
                as_of: today.to_owned(),
            })
        };
        price(
            "/pricing/prompt",
            "/pricing/input_cache_read",
            "/pricing/input_cache_write",
            "/pricing/completion",
            MILLION,
        )
        .or_else(|| {
            price(
                "/prompt_text_token_price",
                "/cached_prompt_text_token_price",
                "",
                "/completion_text_token_price",
                XAI,
            )
        })
    }

    /// The day on which it is switched off: a day, or a moment of one.
    fn retires_on(&self) -> Option<String> {
        let day = |name: &&str| {
            let said = self.0.get(*name)?;
            let day = match said.as_i64() {
                Some(seconds) => jiff::Timestamp::from_second(seconds)
                    .ok()?
                    .to_zoned_datetime(jiff::tz::TimeZone::UTC)
                    .date(),
                None => said
                    .as_str()?
                    .get(..10)?
                    .parse::<jiff::civil::Date>()
                    .ok()?,
            };
            Some(day.to_string())
        };
        [
            "retires_at",
            "shutdown_date",
            "deprecation",
            "expiration_date",
        ]
        .iter()
        .find_map(day)
    }
}

/// A price without the dust of binary fractions.
fn tidy(dollars: f64) -> f64 {
    (dollars * MILLION).round() / MILLION
}

const fn word(effort: Effort) -> &'static str {
    match effort {
        Effort::None => "none",
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Xhigh => "xhigh",
        Effort::Max => "max",
    }
}

fn display_name(entry: &Value) -> Option<String> {
    let name = ["display_name", "displayName", "name"]
        .iter()
        .find_map(|name| entry.get(*name)?.as_str())?;
    let clean: String = name
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME)
        .collect();
    Some(clean).filter(|name| !name.trim().is_empty() && !name.starts_with("models/"))
}

/// The name of a model that is known by its file's path, as llama-server's are.
fn file_stem(id: &str) -> Option<&str> {
    let path = id.strip_suffix(".gguf")?;
    path.rsplit(['/', '\\']).next()
}
