//! Lists of models as providers give them, in all their shapes: bare names, names with windows and
//! prices, and long lists in pages. Names are text from elsewhere: they are bounded and hold no
//! control characters.

mod entry;

use serde_json::Value;

use crate::catalog::known::Facts;

/// The most models of one provider.
pub(crate) const MAX_MODELS: usize = 2_000;

/// The longest name of a page, in bytes.
const MAX_CURSOR: usize = 2_048;

/// A model of a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    /// The provider's name for it.
    pub(crate) id: String,
    /// What the list says of it.
    pub(crate) facts: Facts,
}

/// A list, or a page of a long one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Page {
    pub(crate) models: Vec<Listed>,
    /// The query by which the next page is asked for.
    pub(crate) next: Option<(&'static str, String)>,
}

/// Reads a list as of a day, which becomes the day of its prices; `None` when the body is no list.
pub(crate) fn read(body: &[u8], today: &str) -> Option<Page> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let list = ["data", "models"]
        .iter()
        .filter_map(|name| value.get(*name))
        .chain([&value])
        .find_map(Value::as_array)?;
    let mut models: Vec<Listed> = list
        .iter()
        .filter_map(|entry| entry::read(entry, today))
        .take(MAX_MODELS)
        .collect();
    if let (Some(_), Some(beside)) = (value.get("data"), value.get("models")) {
        complete(&mut models, beside, today);
    }
    Some(Page {
        models,
        next: next(&value),
    })
}

/// llama-server lists its models twice, and tells what they can do in the second list alone.
fn complete(models: &mut [Listed], beside: &Value, today: &str) {
    for entry in beside.as_array().into_iter().flatten().take(MAX_MODELS) {
        let Some(more) = entry::read(entry, today) else {
            continue;
        };
        if let Some(model) = models.iter_mut().find(|model| model.id == more.id) {
            model.facts = std::mem::take(&mut model.facts).over(more.facts);
        }
    }
}

fn next(value: &Value) -> Option<(&'static str, String)> {
    let text = |name: &str| {
        let text = value.get(name)?.as_str()?;
        (1..=MAX_CURSOR)
            .contains(&text.len())
            .then(|| text.to_owned())
    };
    if let Some(token) = text("nextPageToken") {
        return Some(("pageToken", token));
    }
    let more = value.get("has_more").and_then(Value::as_bool) == Some(true);
    text("last_id")
        .filter(|_| more)
        .map(|last| ("after_id", last))
}

#[cfg(test)]
mod tests;
