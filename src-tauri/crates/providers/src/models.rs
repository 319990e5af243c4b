//! Lists of models as providers give them, in all their shapes. Names are text from elsewhere: they are bounded and hold no control characters.

use std::collections::HashSet;

use protocol::{Model, ModelRef, ProviderId, RunsAt};
use serde_json::Value;

/// The most models of one provider.
const MAX_MODELS: usize = 2_000;

/// The models of a list; `None` when the body is no list.
pub(crate) fn read(provider: &ProviderId, runs_at: &RunsAt, body: &[u8]) -> Option<Vec<Model>> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let list = ["data", "models"]
        .iter()
        .filter_map(|name| value.get(*name))
        .chain([&value])
        .find_map(Value::as_array)?;
    let mut seen = HashSet::new();
    let models = list
        .iter()
        .filter_map(|entry| model(provider, runs_at, entry))
        .filter(|model| seen.insert(model.model.model.clone()))
        .take(MAX_MODELS)
        .collect();
    Some(models)
}

fn model(provider: &ProviderId, runs_at: &RunsAt, entry: &Value) -> Option<Model> {
    // Ollama's own list has `model` and `name`, every other one `id`.
    let id = ["id", "model", "name"]
        .iter()
        .find_map(|name| entry.get(*name)?.as_str())?;
    let full: ModelRef = format!("{provider}/{id}").parse().ok()?;
    let has = |path: &str, word: &str| {
        entry
            .pointer(path)
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(|item| item.as_str() == Some(word)))
    };
    let is = |path: &str| {
        entry
            .pointer(path)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    };
    // Mistral lists what only embeds or transcribes, too.
    if entry.pointer("/capabilities/completion_chat") == Some(&Value::Bool(false)) {
        return None;
    }
    Some(Model {
        name: display_name(entry).unwrap_or_else(|| file_stem(id).to_owned()),
        runs_at: runs_at.clone(),
        context_tokens: number(
            entry,
            &[
                "/meta/n_ctx",
                "/max_model_len",
                "/context_length",
                "/context_window",
                "/max_context_length",
                "/meta/n_ctx_train",
            ],
        ),
        output_tokens: number(
            entry,
            &[
                "/max_completion_tokens",
                "/top_provider/max_completion_tokens",
            ],
        ),
        images: has("/architecture/input_modalities", "image") || is("/capabilities/vision"),
        tools: has("/supported_parameters", "tools") || is("/capabilities/function_calling"),
        efforts: Vec::new(),
        price: None,
        retires_on: None,
        bytes: entry.get("size").and_then(Value::as_u64),
        model: full,
    })
}

fn number(entry: &Value, paths: &[&str]) -> Option<u32> {
    paths
        .iter()
        .filter_map(|path| entry.pointer(path)?.as_u64())
        .find_map(|number| u32::try_from(number).ok().filter(|number| *number > 0))
}

fn display_name(entry: &Value) -> Option<String> {
    let name = ["display_name", "name"]
        .iter()
        .find_map(|name| entry.get(*name)?.as_str())?;
    let clean: String = name.chars().filter(|c| !c.is_control()).take(128).collect();
    Some(clean).filter(|name| !name.trim().is_empty())
}

/// The name of a model that is known by its file's path, as llama-server's are.
fn file_stem(id: &str) -> &str {
    match id.strip_suffix(".gguf") {
        Some(path) => path.rsplit(['/', '\\']).next().unwrap_or(path),
        None => id,
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use protocol::{Model, ProviderId, RunsAt};
    use serde_json::{Value, json};

    use super::read;

    fn list(value: &Value) -> Option<Vec<Model>> {
        let provider: ProviderId = "p".parse().unwrap();
        read(
            &provider,
            &RunsAt::ThisMachine,
            value.to_string().as_bytes(),
        )
    }

    #[test]
    fn lists_of_all_shapes_are_read() {
        let bare = json!({ "object": "list", "data": [
            { "id": "a", "object": "model", "owned_by": "x" },
            { "id": "org/b", "max_model_len": 4096 },
            { "id": "/srv/models/c.Q4_K_M.gguf", "meta": { "n_ctx": 8192, "n_ctx_train": 32768 } },
        ] });
        let found: Vec<_> = list(&bare)
            .unwrap()
            .into_iter()
            .map(|model| (model.model.to_string(), model.name, model.context_tokens))
            .collect();
        assert_eq!(
            found,
            [
                ("p/a".to_owned(), "a".to_owned(), None),
                ("p/org/b".to_owned(), "org/b".to_owned(), Some(4_096)),
                (
                    "p//srv/models/c.Q4_K_M.gguf".to_owned(),
                    "c.Q4_K_M".to_owned(),
                    Some(8_192)
                ),
            ]
        );
        let tags = json!({ "models": [{ "name": "llama:1b", "model": "llama:1b", "size": 7 }] });
        let model = list(&tags).unwrap().remove(0);
        assert_eq!(
            (model.model.model.as_str(), model.bytes),
            ("llama:1b", Some(7))
        );
        let rich = json!([{ "id": "v", "name": "Vi\u{7}sion", "context_length": 9,
            "architecture": { "input_modalities": ["text", "image"] },
            "supported_parameters": ["tools"], "top_provider": { "max_completion_tokens": 3 } }]);
        let model = list(&rich).unwrap().remove(0);
        assert_eq!(
            (model.name.as_str(), model.images, model.tools),
            ("Vision", true, true)
        );
        assert_eq!(
            (model.context_tokens, model.output_tokens),
            (Some(9), Some(3))
        );
    }

    #[test]
    fn hostile_lists_are_bounded() {
        let many: Vec<Value> = (0..5_000)
            .map(|n| json!({ "id": format!("m{n}") }))
            .collect();
        assert_eq!(list(&json!({ "data": many })).unwrap().len(), 2_000);
        let odd = json!({ "data": [
            1, null, {}, { "id": 5 }, { "id": "" }, { "id": "a\nb" }, { "id": "x".repeat(300) },
            { "id": "twice" }, { "id": "twice", "max_model_len": -1 },
            { "id": "embed", "capabilities": { "completion_chat": false, "vision": true } },
        ] });
        assert_eq!(list(&odd).unwrap().len(), 1);
        for no_list in [json!({ "data": "x" }), json!("x"), json!({ "error": {} })] {
            assert_eq!(list(&no_list), None, "{no_list}");
        }
    }
}
