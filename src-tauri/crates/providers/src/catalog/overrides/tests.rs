//! What a person's own facts may say, and that whatever else they say is named and changes nothing.

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use protocol::{Effort, Endpoint, Model, Price, RunsAt};
use serde_json::{Value, json};

use super::{MAX_OVERRIDE_BYTES, Overrides};
use crate::{builtin_endpoints, known_models};

fn endpoint(id: &str) -> Endpoint {
    let mut endpoints = builtin_endpoints().into_iter();
    endpoints.find(|known| known.id.as_str() == id).unwrap()
}

fn parsed(file: &Value) -> Overrides {
    Overrides::parse(file.to_string().as_bytes()).unwrap()
}

fn find<'a>(models: &'a [Model], name: &str) -> &'a Model {
    let mut models = models.iter();
    models
        .find(|model| model.model.to_string() == name)
        .unwrap()
}

#[test]
fn the_persons_word_goes_before_all_others() {
    let overrides = parsed(&json!({ "models": {
        "openai/gpt-6.1-sol": {
            "name": "Sol", "context_tokens": 400_000, "output_tokens": 1_000, "images": false,
            "files": false, "tools": false, "efforts": ["high", "low", "high"],
            "price": { "input": 1, "cached_input": 0.5, "cache_write": 2, "output": 3.5,
                "as_of": "2026-11-20" },
            "retires_on": "2027-01-31",
        },
        "openai/gpt-6-sol": { "context_tokens": 500_000 },
        "openai/gpt-5.4-2026-03-05": { "images": false },
        "openai/of-my-own": { "tools": true },
        "anthropic/claude-opus-5-5": { "name": "not this provider's" },
    } }));
    assert_eq!((overrides.len(), overrides.is_empty()), (5, false));
    let openai = endpoint("openai");
    let before = known_models(&openai, "2026-11-20");
    let mut models = before.clone();
    overrides.apply(&openai, &mut models);
    assert_eq!(models.len(), before.len() + 2);

    let sol = find(&models, "openai/gpt-6.1-sol");
    let expected = Model {
        model: sol.model.clone(),
        name: "Sol".to_owned(),
        runs_at: RunsAt::Host {
            host: "api.openai.com".to_owned(),
        },
        context_tokens: Some(400_000),
        output_tokens: Some(1_000),
        images: false,
        files: false,
        tools: false,
        efforts: vec![Effort::Low, Effort::High],
        price: Some(Price {
            input: 1.0,
            cached_input: Some(0.5),
            cache_write: Some(2.0),
            output: 3.5,
            as_of: "2026-11-20".to_owned(),
        }),
        retires_on: Some("2027-01-31".to_owned()),
        bytes: None,
    };
    assert_eq!(*sol, expected);

    let shorter = find(&models, "openai/gpt-6-sol");
    let known = find(&before, "openai/gpt-6-sol").clone();
    let expected = Model {
        context_tokens: Some(500_000),
        ..known
    };
    assert_eq!(*shorter, expected, "what is not said stays as it was");

    let dated = find(&models, "openai/gpt-5.4-2026-03-05");
    assert!(!dated.images && dated.price.is_some());
    let own = find(&models, "openai/of-my-own");
    assert_eq!((own.name.as_str(), own.tools), ("of-my-own", true));
    assert_eq!(own.context_tokens, None);
}

#[test]
fn an_empty_file_says_nothing() {
    for file in ["", " \n", "{}", r#"{"models":{}}"#] {
        assert!(Overrides::parse(file.as_bytes()).unwrap().is_empty());
    }
}

#[test]
fn a_broken_file_names_the_field() {
    let model = |facts: Value| json!({ "models": { "openai/x": facts } });
    let price = |price: Value| model(json!({ "price": price }));
    let rate = |input: Value| price(json!({ "input": input, "output": 1, "as_of": "2026-11-20" }));
    for (file, field) in [
        (json!([]), "the file"),
        (json!({ "model": {} }), "model"),
        (json!({ "models": [] }), "models"),
        (json!({ "models": { "gpt": {} } }), "models.gpt"),
        (json!({ "models": { "Open AI/x": {} } }), "models.Open AI/x"),
        (model(json!(5)), "models.openai/x"),
        (model(json!({ "context": 5 })), "models.openai/x.context"),
        (
            model(json!({ "context_tokens": 0 })),
            "models.openai/x.context_tokens",
        ),
        (
            model(json!({ "context_tokens": "8k" })),
            "models.openai/x.context_tokens",
        ),
        (
            model(json!({ "output_tokens": 1.5 })),
            "models.openai/x.output_tokens",
        ),
        (
            model(json!({ "output_tokens": 5_000_000_000_u64 })),
            "models.openai/x.output_tokens",
        ),
        (model(json!({ "images": "yes" })), "models.openai/x.images"),
        (model(json!({ "tools": null })), "models.openai/x.tools"),
        (model(json!({ "name": "" })), "models.openai/x.name"),
        (model(json!({ "name": "a\nb" })), "models.openai/x.name"),
        (
            model(json!({ "efforts": ["huge"] })),
            "models.openai/x.efforts",
        ),
        (
            model(json!({ "retires_on": "soon" })),
            "models.openai/x.retires_on",
        ),
        (
            model(json!({ "retires_on": "2026-02-30" })),
            "models.openai/x.retires_on",
        ),
        (price(json!(5)), "models.openai/x.price"),
        (
            price(json!({ "input": 1, "output": 1 })),
            "models.openai/x.price.as_of",
        ),
        (
            price(json!({ "input": 1, "as_of": "2026-11-20" })),
            "models.openai/x.price.output",
        ),
        (rate(json!(-1)), "models.openai/x.price.input"),
        (rate(json!("1")), "models.openai/x.price.input"),
        (rate(json!(1e9)), "models.openai/x.price.input"),
        (
            price(json!({ "per_token": 1 })),
            "models.openai/x.price.per_token",
        ),
    ] {
        let error = Overrides::parse(file.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.field, field, "{file}: {error}");
        let about = error.provider.map(|provider| provider.to_string());
        let expected = field.contains("openai").then(|| "openai".to_owned());
        assert_eq!(about, expected, "{file}");
    }
    let cut = Overrides::parse(b"{\"models\": {").unwrap_err();
    assert_eq!(cut.field, "the file");
    assert!(cut.reason.contains("line 1"), "{cut}");
}

#[test]
fn files_are_bounded() {
    let long = vec![b' '; MAX_OVERRIDE_BYTES + 1];
    assert_eq!(Overrides::parse(&long).unwrap_err().field, "the file");
    let many: serde_json::Map<String, Value> = (0..2_001)
        .map(|n| (format!("openai/m{n}"), json!({})))
        .collect();
    let file = json!({ "models": many }).to_string();
    let error = Overrides::parse(file.as_bytes()).unwrap_err();
    assert_eq!(error.field, "models");
}

proptest! {
    #[test]
    fn no_content_is_too_odd(content in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Overrides::parse(&content);
    }

    #[test]
    fn no_field_is_too_odd(name in "[a-z_.]{0,12}", value in "[0-9a-z\\[\\]{}\":,.-]{0,20}") {
        let file = format!("{{\"models\":{{\"openai/x\":{{\"{name}\":{value}}}}}}}");
        let _ = Overrides::parse(file.as_bytes());
    }
}
