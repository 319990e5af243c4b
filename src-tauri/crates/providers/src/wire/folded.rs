//! Events folded into parts as the engine folds them, for tests of what goes back to a provider:
//! text and thinking grow until something else comes or a blob closes them.

use protocol::{Part, ProviderBlob, ProviderId, Wire};
use serde_json::Value;

use crate::ProviderEvent;

/// The parts of an answer of the given maker.
pub(crate) fn folded(
    wire: Wire,
    provider: &ProviderId,
    model: &str,
    events: Vec<ProviderEvent>,
) -> Vec<Part> {
    let tag = |data: Value| ProviderBlob {
        wire,
        provider: provider.clone(),
        model: model.to_owned(),
        data,
    };
    let thought = |text: String, blob| Part::Thinking {
        text,
        duration_ms: None,
        blob,
    };
    let mut parts: Vec<Part> = Vec::new();
    let mut calls: Vec<usize> = Vec::new();
    for event in events {
        match event {
            ProviderEvent::Text(more) => match parts.last_mut() {
                Some(Part::Text { text, blob: None }) => text.push_str(&more),
                _ => parts.push(Part::text(more)),
            },
            ProviderEvent::Thinking(more) => match parts.last_mut() {
                Some(Part::Thinking {
                    text, blob: None, ..
                }) => text.push_str(&more),
                _ => parts.push(thought(more, None)),
            },
            ProviderEvent::ToolCall {
                index,
                id,
                name,
                arguments: more,
            } => {
                if calls.len() == index as usize {
                    calls.push(parts.len());
                    parts.push(Part::ToolCall {
                        id: id.unwrap(),
                        name: name.unwrap(),
                        arguments: String::new(),
                        blob: None,
                    });
                }
                if let Part::ToolCall { arguments, .. } = &mut parts[calls[index as usize]] {
                    arguments.push_str(&more);
                }
            }
            ProviderEvent::Blob(data) => {
                let open = match parts.last_mut() {
                    Some(
                        Part::Text { blob, .. }
                        | Part::Thinking { blob, .. }
                        | Part::ToolCall { blob, .. },
                    ) => Some(blob).filter(|blob| blob.is_none()),
                    _ => None,
                };
                match open {
                    Some(blob) => *blob = Some(tag(data)),
                    None => parts.push(thought(String::new(), Some(tag(data)))),
                }
            }
            ProviderEvent::Opaque(data) => parts.push(thought(String::new(), Some(tag(data)))),
            ProviderEvent::Started { .. }
            | ProviderEvent::Reading { .. }
            | ProviderEvent::Usage(_)
            | ProviderEvent::Finished { .. } => {}
        }
    }
    parts
}
