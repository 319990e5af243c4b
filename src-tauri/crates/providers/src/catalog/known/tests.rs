//! The built-in models are sound, and agree with a second source where one is at hand.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use pretty_assertions::assert_eq;
use protocol::{Effort, Endpoint, ModelRef, Price, ProviderId};
use serde_json::Value;

use super::{Facts, KNOWN, MODELS, Section, facts, known_models, undated};
use crate::builtin_endpoints;
use crate::catalog::{Quirks, entry};

fn provider(id: &str) -> ProviderId {
    id.parse().unwrap()
}

fn endpoint(id: &str) -> Endpoint {
    let mut endpoints = builtin_endpoints().into_iter();
    endpoints.find(|known| known.id.as_str() == id).unwrap()
}

#[test]
fn the_built_in_models_are_sound() {
    let sections: Vec<Section> = serde_json::from_str(MODELS).unwrap();
    let mut providers = HashSet::new();
    for section in &sections {
        let id = &section.provider;
        assert!(providers.insert(id), "{id} stands twice");
        let provider = entry(id).unwrap();
        section.prices_as_of.parse::<jiff::civil::Date>().unwrap();
        let mut models = HashSet::new();
        for known in &section.models {
            let model = format!("{id}/{}", known.id);
            model.parse::<ModelRef>().unwrap();
            assert!(models.insert(&known.id), "{model} stands twice");
            assert!(provider.converses(&known.id), "{model} would be left out");
            let sizes = [known.context_tokens, known.output_tokens];
            assert!(
                sizes.iter().flatten().all(|tokens| *tokens >= 1_024),
                "{model}"
            );
            assert!(known.output_tokens <= known.context_tokens, "{model}");
            assert!(known.efforts.is_sorted(), "{model}: efforts rise");
            if let Some(rates) = known.price {
                let all = [Some(rates.input), rates.cached_input, rates.cache_write];
                let all = all.into_iter().flatten().chain([rates.output]);
                assert!(
                    all.into_iter().all(|rate| (0.0..1_000.0).contains(&rate)),
                    "{model}"
                );
                assert!(
                    rates
                        .cached_input
                        .is_none_or(|cached| cached <= rates.input),
                    "{model}"
                );
            }
            if let Some(day) = &known.retires_on {
                day.parse::<jiff::civil::Date>().unwrap();
            }
            let mut quirks = provider.quirks.clone();
            quirks.extend(known.quirks.clone());
            serde_json::from_value::<Quirks>(Value::Object(quirks)).unwrap();
        }
    }
    for id in [
        "openai",
        "anthropic",
        "gemini",
        "xai",
        "deepseek",
        "meta",
        "mistral",
        "groq",
        "foundry",
    ] {
        assert!(providers.contains(&provider(id)), "{id} has models");
    }
}

#[test]
fn dated_versions_are_their_model() {
    for (dated, model) in [
        ("claude-haiku-4-5-20251001", Some("claude-haiku-4-5")),
        ("gpt-5.4-2026-03-05", Some("gpt-5.4")),
        ("claude-haiku-4-5", None),
        ("grok-4.20-0309", None),
        ("2026-03-05", None),
        ("a-2026-3-05", None),
        ("", None),
    ] {
        assert_eq!(undated(dated), model, "{dated}");
    }
    let dated = facts(&provider("anthropic"), "claude-haiku-4-5-20251001");
    let model = facts(&provider("anthropic"), "claude-haiku-4-5");
    assert_eq!(dated.name, None, "which version it is stays to be seen");
    assert_eq!(dated.price, model.price);
    assert_eq!(
        facts(&provider("anthropic"), "claude-of-tomorrow"),
        Facts::default()
    );
    assert_eq!(facts(&provider("mine"), "gpt-5.4"), Facts::default());
}

#[test]
fn what_one_source_does_not_say_the_next_does() {
    let list = Facts {
        context_tokens: Some(9),
        images: Some(false),
        efforts: Some(Vec::new()),
        ..Facts::default()
    };
    let catalog = Facts {
        name: Some("N".to_owned()),
        context_tokens: Some(7),
        images: Some(true),
        tools: Some(true),
        efforts: Some(vec![Effort::Low]),
        ..Facts::default()
    };
    let both = list.over(catalog);
    assert_eq!((both.context_tokens, both.tools), (Some(9), Some(true)));
    assert_eq!(both.images, Some(false), "a no is an answer");
    assert_eq!(both.efforts, Some(Vec::new()));
    assert_eq!(both.name.as_deref(), Some("N"));
}

#[test]
fn models_stand_in_for_a_list_until_they_retire() {
    let openai = endpoint("openai");
    let names = |today| {
        let models = known_models(&openai, today).into_iter();
        models.map(|model| model.model.model).collect::<Vec<_>>()
    };
    assert!(names("2026-12-10").contains(&"gpt-5".to_owned()));
    assert!(!names("2026-12-11").contains(&"gpt-5".to_owned()));
    assert_eq!(names("2026-12-11")[0], "gpt-6.1-sol", "the best is first");
    assert_eq!(known_models(&endpoint("ollama"), "2026-12-11"), []);
}

/// Names a folder with the files of other catalogs: LiteLLM's
/// `model_prices_and_context_window_backup.json`, models.dev's `api.json`, or both.
const SECOND_SOURCE: &str = "PILOTFISH_CATALOGS";

/// What another catalog says of a model, as far as ours says it too.
#[derive(Default)]
struct Other {
    context_tokens: Option<u64>,
    output_tokens: Option<u64>,
    input: Option<f64>,
    output: Option<f64>,
    images: Option<bool>,
    tools: Option<bool>,
    retires_on: Option<String>,
}

fn litellm(folder: &Path) -> Option<BTreeMap<String, Other>> {
    let file = folder.join("model_prices_and_context_window_backup.json");
    let all: BTreeMap<String, Value> = serde_json::from_slice(&std::fs::read(file).ok()?).unwrap();
    let entry = |(name, entry): (String, Value)| {
        let provider = match entry["litellm_provider"].as_str()? {
            "azure_ai" => "foundry",
            provider => provider,
        };
        let model = name.split_once('/').map_or(name.as_str(), |(first, rest)| {
            if matches!(first, "azure_ai") || first == provider {
                rest
            } else {
                name.as_str()
            }
        });
        let other = Other {
            context_tokens: entry["max_input_tokens"].as_u64(),
            output_tokens: entry["max_output_tokens"].as_u64(),
            input: entry["input_cost_per_token"]
                .as_f64()
                .map(|rate| rate * 1e6),
            output: entry["output_cost_per_token"]
                .as_f64()
                .map(|rate| rate * 1e6),
            images: entry["supports_vision"].as_bool(),
            tools: entry["supports_function_calling"].as_bool(),
            retires_on: entry["deprecation_date"].as_str().map(str::to_owned),
        };
        Some((format!("{provider}/{model}"), other))
    };
    Some(all.into_iter().filter_map(entry).collect())
}

fn models_dev(folder: &Path) -> Option<BTreeMap<String, Other>> {
    let all: Value = serde_json::from_slice(&std::fs::read(folder.join("api.json")).ok()?).unwrap();
    let mut found = BTreeMap::new();
    for (provider, section) in all.as_object()? {
        let provider = match provider.as_str() {
            "google" => "gemini",
            provider => provider,
        };
        for (model, entry) in section["models"].as_object().into_iter().flatten() {
            let inputs = entry["modalities"]["input"].as_array();
            let other = Other {
                context_tokens: entry["limit"]["context"].as_u64(),
                output_tokens: entry["limit"]["output"].as_u64(),
                input: entry["cost"]["input"].as_f64(),
                output: entry["cost"]["output"].as_f64(),
                images: inputs.map(|list| list.iter().any(|one| one == "image")),
                tools: entry["tool_call"].as_bool(),
                retires_on: None,
            };
            found.insert(format!("{provider}/{model}"), other);
        }
    }
    Some(found)
}

/// Other catalogs are no authority: what differs is listed for a person to look into, and only a
/// price that is off by more than a factor of two, which no discount explains, fails the test.
#[test]
fn the_catalog_agrees_with_a_second_source() {
    let folder = std::env::var_os(SECOND_SOURCE);
    let Some(folder) = folder.as_deref().map(Path::new) else {
        note(&format!(
            "no second source: {SECOND_SOURCE} names no folder"
        ));
        return;
    };
    let sources = [
        ("LiteLLM", litellm(folder)),
        ("models.dev", models_dev(folder)),
    ];
    assert!(
        sources.iter().any(|(_, source)| source.is_some()),
        "{SECOND_SOURCE} names a folder without a known catalog"
    );
    let mut wrong = Vec::new();
    for (source, others) in &sources {
        let Some(others) = others else { continue };
        for section in KNOWN.iter() {
            for known in &section.models {
                let name = format!("{}/{}", section.provider, known.id);
                match others.get(&name) {
                    Some(other) => compare(source, &name, &section.facts(known), other, &mut wrong),
                    None => note(&format!("{source} does not know {name}")),
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

fn compare(source: &str, name: &str, ours: &Facts, other: &Other, wrong: &mut Vec<String>) {
    let differs = |what: &str, ours: &dyn std::fmt::Debug, theirs: &dyn std::fmt::Debug| {
        note(&format!(
            "{name}: {what} is {ours:?}, and {theirs:?} in {source}"
        ));
    };
    let sizes = [
        ("context_tokens", ours.context_tokens, other.context_tokens),
        ("output_tokens", ours.output_tokens, other.output_tokens),
    ];
    for (what, ours, theirs) in sizes {
        if theirs.is_some() && ours.map(u64::from) != theirs {
            differs(what, &ours, &theirs);
        }
    }
    for (what, ours, theirs) in [
        ("images", ours.images, other.images),
        ("tools", ours.tools, other.tools),
    ] {
        if theirs.is_some() && ours != theirs {
            differs(what, &ours, &theirs);
        }
    }
    if other.retires_on.is_some() && ours.retires_on != other.retires_on {
        differs("retires_on", &ours.retires_on, &other.retires_on);
    }
    let rate = |rate: fn(&Price) -> f64| ours.price.as_ref().map(rate);
    for (what, ours, theirs) in [
        ("input price", rate(|price| price.input), other.input),
        ("output price", rate(|price| price.output), other.output),
    ] {
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            continue;
        };
        if (ours - theirs).abs() > 1e-6 {
            differs(what, &ours, &theirs);
        }
        if ours > theirs * 2.01 || theirs > ours * 2.01 {
            wrong.push(format!(
                "{name}: {what} is {ours}, and {theirs} in {source}"
            ));
        }
    }
}

/// A line for whoever runs the test: it is captured unless it fails or is asked for.
fn note(line: &str) {
    use std::io::Write;
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{line}");
}
