//! The lists of every provider, as each of them gives it.

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use protocol::{Effort, Price};
use serde_json::{Value, json};

use super::{Facts, Listed, Page, read};

const TODAY: &str = "2026-11-25";

fn page(value: &Value) -> Option<Page> {
    read(value.to_string().as_bytes(), TODAY)
}

fn list(value: &Value) -> Vec<Listed> {
    page(value).unwrap().models
}

fn one(value: &Value) -> Listed {
    let mut models = list(value);
    assert_eq!(models.len(), 1);
    models.remove(0)
}

fn price(input: f64, cached_input: Option<f64>, output: f64) -> Price {
    Price {
        input,
        cached_input,
        cache_write: None,
        output,
        as_of: TODAY.to_owned(),
    }
}

#[test]
fn bare_lists() {
    let found = list(&json!({ "object": "list", "data": [
        { "id": "gpt-6-sol", "object": "model", "owned_by": "x", "shutdown_date": null },
        { "id": "gpt-5", "object": "model", "owned_by": "x", "shutdown_date": "2026-12-11" },
    ] }));
    assert_eq!(found[0].id, "gpt-6-sol");
    assert_eq!(found[0].facts, Facts::default(), "it says nothing");
    assert_eq!(found[1].facts.retires_on.as_deref(), Some("2026-12-11"));
}

#[test]
fn lists_of_servers_at_home() {
    let served = json!({ "data": [
        { "id": "org/b", "max_model_len": 4096 },
        { "id": "/srv/models/c.Q4_K_M.gguf", "meta": { "n_ctx": 8192, "n_ctx_train": 32768 } },
    ], "models": [
        { "name": "/srv/models/c.Q4_K_M.gguf", "model": "/srv/models/c.Q4_K_M.gguf",
          "capabilities": ["completion", "multimodal"] },
    ] });
    let found = list(&served);
    assert_eq!(found[0].facts.context_tokens, Some(4_096));
    let facts = &found[1].facts;
    assert_eq!(facts.name.as_deref(), Some("c.Q4_K_M"));
    assert_eq!(
        (facts.context_tokens, facts.images),
        (Some(8_192), Some(true))
    );
    let tags = one(&json!({ "models": [{ "name": "llama:1b", "model": "llama:1b", "size": 7 }] }));
    assert_eq!((tags.id.as_str(), tags.facts.bytes), ("llama:1b", Some(7)));
}

#[test]
fn anthropics_list() {
    let can = |supported: bool| json!({ "supported": supported });
    let capabilities = |steered: bool, disabled: bool, enabled: bool| {
        json!({
            "image_input": can(true), "pdf_input": can(true),
            "effort": { "supported": steered, "low": can(true), "medium": can(true),
                "high": can(true), "xhigh": can(false), "max": can(true) },
            "thinking": { "supported": true, "types": { "adaptive": can(true),
                "disabled": can(disabled), "enabled": can(enabled) } },
        })
    };
    let body = json!({ "data": [
        { "type": "model", "id": "claude-new", "display_name": "Claude New",
          "created_at": "2026-10-01T00:00:00Z", "lifecycle": "active", "retires_at": null,
          "max_input_tokens": 1_000_000, "max_tokens": 128_000,
          "capabilities": capabilities(true, true, false) },
        { "id": "claude-always", "lifecycle": "deprecated", "retires_at": "2026-11-30T00:00:00Z",
          "capabilities": capabilities(true, false, false) },
        { "id": "claude-budget", "capabilities": capabilities(false, true, true) },
        { "id": "claude-plain", "capabilities": capabilities(false, true, false) },
        { "id": "claude-gone", "lifecycle": "retired" },
    ], "has_more": true, "first_id": "claude-new", "last_id": "claude-gone" });
    let page = page(&body).unwrap();
    assert_eq!(page.next, Some(("after_id", "claude-gone".to_owned())));
    let found = page.models;
    assert_eq!(found.len(), 4, "what is gone is no model to ask");
    let expected = Facts {
        name: Some("Claude New".to_owned()),
        context_tokens: Some(1_000_000),
        output_tokens: Some(128_000),
        images: Some(true),
        files: Some(true),
        efforts: Some(vec![
            Effort::None,
            Effort::Low,
            Effort::Medium,
            Effort::High,
            Effort::Max,
        ]),
        ..Facts::default()
    };
    assert_eq!(found[0].facts, expected);
    let efforts = found[1].facts.efforts.clone().unwrap();
    assert_eq!(efforts[0], Effort::Low, "it always thinks");
    assert_eq!(found[1].facts.retires_on.as_deref(), Some("2026-11-30"));
    assert_eq!(found[2].facts.efforts, None, "the catalog knows better");
    assert_eq!(found[3].facts.efforts, Some(Vec::new()));
}

#[test]
fn geminis_list() {
    let body = json!({ "models": [
        { "name": "models/gemini-9-flash", "displayName": "Gemini 9 Flash",
          "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
          "supportedGenerationMethods": ["generateContent", "countTokens"] },
        { "name": "models/embedding-9", "supportedGenerationMethods": ["embedContent"] },
        { "name": "models/veo", "supportedActions": ["predictLongRunning"] },
    ], "nextPageToken": "Abc" });
    let page = page(&body).unwrap();
    assert_eq!(page.next, Some(("pageToken", "Abc".to_owned())));
    assert_eq!(
        page.models.len(),
        1,
        "what makes no text is no model to talk to"
    );
    let model = &page.models[0];
    assert_eq!(model.id, "gemini-9-flash");
    assert_eq!(model.facts.name.as_deref(), Some("Gemini 9 Flash"));
    assert_eq!(model.facts.context_tokens, Some(1_048_576));
    assert_eq!(model.facts.output_tokens, Some(65_536));
}

#[test]
fn xais_list_has_prices() {
    let model = one(&json!({ "models": [
        { "id": "grok-9", "input_modalities": ["text", "image"], "output_modalities": ["text"],
          "prompt_text_token_price": 30_000, "cached_prompt_text_token_price": 7_500,
          "completion_text_token_price": 150_000, "aliases": [] },
        { "id": "grok-imagine", "output_modalities": ["image"] },
    ] }));
    assert_eq!(model.facts.price, Some(price(3.0, Some(0.75), 15.0)));
    assert_eq!(model.facts.images, Some(true));
}

#[test]
fn openrouters_list_is_rich() {
    let entry = |id: &str, more: Value| {
        let mut entry = json!({ "id": id, "name": "Org: Model", "context_length": 262_144,
            "architecture": { "input_modalities": ["text", "image", "file"],
                "output_modalities": ["text"] },
            "pricing": { "prompt": "0.00000125", "completion": "0.00000425",
                "input_cache_read": "0.00000015" },
            "top_provider": { "max_completion_tokens": 32_768 },
            "supported_parameters": ["tools", "reasoning"] });
        let more = more.as_object().unwrap().clone();
        entry.as_object_mut().unwrap().extend(more);
        entry
    };
    let found = list(&json!({ "data": [
        entry("org/model", json!({})),
        entry("org/always", json!({ "reasoning": { "mandatory": true } })),
        entry("org/named", json!({ "reasoning": { "mandatory": false,
            "supported_efforts": ["xhigh", "high"] }, "expiration_date": "2027-01-01" })),
        entry("org/plain", json!({ "supported_parameters": ["temperature"] })),
        entry("org/auto", json!({ "pricing": { "prompt": "-1", "completion": "-1" } })),
        entry("org/draws", json!({ "architecture": { "output_modalities": ["image"] } })),
    ] }));
    assert_eq!(found.len(), 5);
    let expected = Facts {
        name: Some("Org: Model".to_owned()),
        context_tokens: Some(262_144),
        output_tokens: Some(32_768),
        images: Some(true),
        files: Some(true),
        tools: Some(true),
        efforts: Some(vec![
            Effort::None,
            Effort::Low,
            Effort::Medium,
            Effort::High,
        ]),
        price: Some(price(1.25, Some(0.15), 4.25)),
        ..Facts::default()
    };
    assert_eq!(found[0].facts, expected);
    let always = found[1].facts.efforts.clone().unwrap();
    assert_eq!(always, [Effort::Low, Effort::Medium, Effort::High]);
    let named = found[2].facts.efforts.clone().unwrap();
    assert_eq!(named, [Effort::None, Effort::High, Effort::Xhigh]);
    assert_eq!(found[2].facts.retires_on.as_deref(), Some("2027-01-01"));
    let plain = &found[3].facts;
    assert_eq!(
        (plain.tools, plain.efforts.clone()),
        (Some(false), Some(Vec::new()))
    );
    assert_eq!(found[4].facts.price, None, "it depends");
}

#[test]
fn lists_of_mistral_groq_and_azure() {
    let found = list(&json!({ "data": [
        { "id": "mistral-x", "max_context_length": 262_144, "deprecation": "2026-12-31T12:00:00Z",
          "capabilities": { "completion_chat": true, "function_calling": true, "vision": false } },
        { "id": "embeds", "capabilities": { "completion_chat": false, "vision": true } },
        { "id": "groq-x", "active": true, "context_window": 131_072, "max_completion_tokens": 65_536 },
        { "id": "groq-off", "active": false },
        { "id": "azure-embeds", "capabilities": { "chat_completion": false } },
        { "id": "azure-x", "capabilities": { "chat_completion": true } },
    ] }));
    let ids: Vec<&str> = found.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids, ["mistral-x", "groq-x", "azure-x"]);
    let mistral = &found[0].facts;
    assert_eq!((mistral.images, mistral.tools), (Some(false), Some(true)));
    assert_eq!(mistral.retires_on.as_deref(), Some("2026-12-31"));
    let groq = &found[1].facts;
    assert_eq!(
        (groq.context_tokens, groq.output_tokens),
        (Some(131_072), Some(65_536))
    );
}

#[test]
fn hostile_lists_are_bounded() {
    let many: Vec<Value> = (0..5_000)
        .map(|n| json!({ "id": format!("m{n}") }))
        .collect();
    assert_eq!(list(&json!({ "data": many })).len(), 2_000);
    let odd = json!({ "data": [
        1, null, {}, { "id": 5 }, { "id": "" }, { "id": "a\nb" }, { "id": "x".repeat(300) },
        { "id": "wrong", "max_model_len": -1, "name": "Wro\u{7}ng", "capabilities": 5,
          "pricing": { "prompt": "NaN", "completion": [] }, "deprecation": 1e300, "meta": [],
          "retires_at": "2026-99-99", "supported_parameters": {}, "capabilities": ["x"] },
    ] });
    let model = one(&odd);
    let expected = Facts {
        name: Some("Wrong".to_owned()),
        images: Some(false),
        ..Facts::default()
    };
    assert_eq!(model.facts, expected);
    for no_list in [json!({ "data": "x" }), json!("x"), json!({ "error": {} })] {
        assert_eq!(page(&no_list), None, "{no_list}");
    }
    for cursor in [json!(5), json!(""), json!("x".repeat(3_000))] {
        let body =
            json!({ "data": [], "has_more": true, "last_id": cursor, "nextPageToken": cursor });
        assert_eq!(page(&body).unwrap().next, None);
    }
}

proptest! {
    #[test]
    fn no_body_is_too_odd(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&body, TODAY);
    }
}
