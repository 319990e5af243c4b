//! Parts of messages as rows: the main text in a column of its own, where the search index finds
//! it, and whatever else a part has as JSON.

use protocol::{Part, PartKind};
use serde_json::{Map, Value};
use sqlx::sqlite::SqliteConnection;

use crate::error::StoreError;
use crate::segment::segmented;

/// The largest message that is stored, in bytes of its parts.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;
/// The most parts that a message has.
pub const MAX_PARTS: usize = 4096;

/// A part as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PartRow {
    pub(crate) kind: String,
    pub(crate) text: Option<String>,
    pub(crate) json: Option<String>,
}

/// Which field of a part's JSON is its main text.
fn text_field(kind: &str) -> Option<&'static str> {
    match kind {
        "text" | "thinking" => Some("text"),
        "tool_call" => Some("arguments"),
        "tool_result" => Some("content"),
        _ => None,
    }
}

/// The row of a part.
fn encode(part: &Part) -> Result<PartRow, StoreError> {
    let invalid = |reason: String| StoreError::Invalid { reason };
    let value = serde_json::to_value(part).map_err(|error| invalid(error.to_string()))?;
    let Value::Object(mut fields) = value else {
        return Err(invalid("a part is an object".to_owned()));
    };
    let Some(Value::String(kind)) = fields.remove("type") else {
        return Err(invalid("a part has a type".to_owned()));
    };
    let text = text_field(&kind).and_then(|field| match fields.remove(field) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    });
    let json = if fields.is_empty() {
        None
    } else {
        Some(Value::Object(fields).to_string())
    };
    Ok(PartRow { kind, text, json })
}

/// The part of a row. A row that makes no sense becomes a text with what can be read of it.
pub(crate) fn decode(row: PartRow) -> Part {
    let PartRow { kind, text, json } = row;
    let mut fields = json
        .as_deref()
        .and_then(|json| serde_json::from_str::<Map<String, Value>>(json).ok())
        .unwrap_or_default();
    fields.insert("type".to_owned(), Value::String(kind.clone()));
    if let Some(field) = text_field(&kind) {
        fields.insert(
            field.to_owned(),
            Value::String(text.clone().unwrap_or_default()),
        );
    }
    serde_json::from_value(Value::Object(fields)).unwrap_or_else(|error| {
        tracing::warn!(%kind, %error, "a stored part cannot be read");
        Part::text(text.unwrap_or_default())
    })
}

/// The rows of a message's parts, when they are within the limits.
pub(crate) fn encode_all(parts: &[Part]) -> Result<Vec<PartRow>, StoreError> {
    if parts.len() > MAX_PARTS {
        return Err(StoreError::Invalid {
            reason: format!("a message has at most {MAX_PARTS} parts"),
        });
    }
    let rows = encode_each(parts)?;
    let bytes: usize = rows
        .iter()
        .map(|row| {
            row.text.as_ref().map_or(0, String::len) + row.json.as_ref().map_or(0, String::len)
        })
        .sum();
    if bytes > MAX_MESSAGE_BYTES {
        return Err(StoreError::TooLarge {
            what: "message",
            limit: MAX_MESSAGE_BYTES,
        });
    }
    Ok(rows)
}

/// The rows of parts that are in the store already: they are kept, however many there are.
pub(crate) fn encode_each(parts: &[Part]) -> Result<Vec<PartRow>, StoreError> {
    parts.iter().map(encode).collect()
}

/// Gives a message its parts, in place of those it has.
pub(crate) async fn replace(
    connection: &mut SqliteConnection,
    message: i64,
    rows: &[PartRow],
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM parts WHERE message = ?")
        .bind(message)
        .execute(&mut *connection)
        .await?;
    for (ordinal, row) in (0_i64..).zip(rows) {
        let searched = matches!(row.kind.as_str(), "text" | "thinking");
        let segmented = row.text.as_deref().filter(|_| searched).and_then(segmented);
        sqlx::query(
            "INSERT INTO parts (message, ordinal, kind, text, json, segmented)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(message)
        .bind(ordinal)
        .bind(&row.kind)
        .bind(&row.text)
        .bind(&row.json)
        .bind(segmented)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The name of a growing part's kind, as in its row.
pub(crate) const fn kind_name(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Text => "text",
        PartKind::Thinking => "thinking",
        PartKind::ToolCall => "tool_call",
    }
}

/// A part that has only a text so far.
fn growing(kind: &str, text: String) -> Part {
    match kind {
        "thinking" => Part::Thinking {
            text,
            duration_ms: None,
            blob: None,
        },
        "tool_call" => Part::ToolCall {
            id: String::new(),
            name: String::new(),
            arguments: text,
            blob: None,
        },
        _ => Part::text(text),
    }
}

/// Adds what a draft gained, in order, to the parts that were stored before.
pub(crate) fn fold(parts: &mut Vec<Part>, chunks: impl IntoIterator<Item = (u32, String, String)>) {
    // Where each ordinal of the draft ended up: a gap in the ordinals is no gap in the parts.
    let mut places: Vec<(u32, usize)> = (0_u32..).zip(0..parts.len()).collect();
    for (ordinal, kind, text) in chunks {
        let place = places
            .iter()
            .rev()
            .find(|(known, _)| *known == ordinal)
            .map(|(_, at)| *at);
        let grown = place
            .and_then(|at| parts.get_mut(at))
            .and_then(|part| match part {
                Part::Text { text, .. } if kind == "text" => Some(text),
                Part::Thinking { text, .. } if kind == "thinking" => Some(text),
                Part::ToolCall { arguments, .. } if kind == "tool_call" => Some(arguments),
                _ => None,
            });
        if let Some(grown) = grown {
            grown.push_str(&text);
        } else {
            places.push((ordinal, parts.len()));
            parts.push(growing(&kind, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use protocol::{AttachmentId, Part, ProviderBlob, ProviderId, Wire};

    use super::{PartRow, decode, encode, fold};

    #[test]
    fn every_kind_of_part_comes_back_as_it_was() {
        let blob = Some(ProviderBlob {
            wire: Wire::Messages,
            provider: ProviderId::inhouse(),
            model: "m".to_owned(),
            data: serde_json::json!({ "signature": "x" }),
        });
        let parts = [
            Part::text("a"),
            Part::text(""),
            Part::Text {
                text: "b".to_owned(),
                blob: blob.clone(),
            },
            Part::Thinking {
                text: "c".to_owned(),
                duration_ms: Some(7),
                blob: blob.clone(),
            },
            Part::Image {
                attachment: AttachmentId::generate(),
                media_type: "image/png".to_owned(),
            },
            Part::File {
                attachment: AttachmentId::generate(),
                name: "n".to_owned(),
                media_type: "text/plain".to_owned(),
            },
            Part::ToolCall {
                id: "1".to_owned(),
                name: "t".to_owned(),
                arguments: "{".to_owned(),
                blob,
            },
            Part::ToolResult {
                call_id: "1".to_owned(),
                content: "d".to_owned(),
                is_error: true,
            },
        ];
        for part in parts {
            assert_eq!(decode(encode(&part).unwrap()), part);
        }
    }

    #[test]
    fn a_plain_text_needs_no_json() {
        let row = encode(&Part::text("a")).unwrap();
        assert_eq!(
            row,
            PartRow {
                kind: "text".to_owned(),
                text: Some("a".to_owned()),
                json: None
            }
        );
    }

    #[test]
    fn a_row_that_makes_no_sense_keeps_its_text() {
        let row = PartRow {
            kind: "hologram".to_owned(),
            text: Some("a".to_owned()),
            json: Some("{".to_owned()),
        };
        assert_eq!(decode(row), Part::text("a"));
    }

    #[test]
    fn a_draft_continues_the_parts_that_were_there() {
        let mut parts = vec![Part::text("one")];
        let chunk = |part: u32, kind: &str, text: &str| (part, kind.to_owned(), text.to_owned());
        fold(
            &mut parts,
            [
                chunk(0, "text", " more"),
                chunk(3, "thinking", "hm"),
                chunk(3, "thinking", "m"),
                chunk(4, "text", "two"),
                chunk(0, "text", "!"),
            ],
        );
        assert_eq!(
            parts,
            [
                Part::text("one more!"),
                Part::Thinking {
                    text: "hmm".to_owned(),
                    duration_ms: None,
                    blob: None
                },
                Part::text("two"),
            ]
        );
    }
}
