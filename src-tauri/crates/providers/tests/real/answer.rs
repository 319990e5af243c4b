//! An answer from its first event to its end, and the parts that it becomes in a conversation.

use futures::StreamExt;
use protocol::{Part, ProviderBlob, StopReason, Usage};
use providers::{Provider, ProviderError, ProviderEvent, Remote, Request};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// All of an answer.
#[derive(Debug)]
pub struct Answer {
    /// What it leaves in the conversation.
    pub parts: Vec<Part>,
    /// The last report of tokens.
    pub usage: Option<Usage>,
    /// How it ended.
    pub end: Result<StopReason, ProviderError>,
}

impl Answer {
    /// Asks and reads to the end.
    pub async fn to(provider: &Remote, request: &Request) -> Self {
        let stream = provider.stream(request.clone(), super::key(), CancellationToken::new());
        let items: Vec<_> = stream.collect().await;
        let mut answer = Self {
            parts: Vec::new(),
            usage: None,
            end: Ok(StopReason::Other),
        };
        let mut calls: Vec<(u32, usize)> = Vec::new();
        let last = items.len().checked_sub(1).expect("an end");
        for (place, item) in items.into_iter().enumerate() {
            let ends = matches!(item, Err(_) | Ok(ProviderEvent::Finished { .. }));
            assert_eq!(ends, place == last, "the end comes last: {item:?}");
            match item {
                Ok(ProviderEvent::Finished { stop_reason }) => answer.end = Ok(stop_reason),
                Ok(event) => answer.take(event, provider, &request.model, &mut calls),
                Err(error) => answer.end = Err(error),
            }
        }
        answer
    }

    /// Text and thinking grow until something else comes or a blob closes them.
    fn take(
        &mut self,
        event: ProviderEvent,
        provider: &Remote,
        model: &str,
        calls: &mut Vec<(u32, usize)>,
    ) {
        let tag = |data: Value| ProviderBlob {
            wire: provider.wire(),
            provider: provider.id().clone(),
            model: model.to_owned(),
            data,
        };
        let thinking = |text, blob| Part::Thinking {
            text,
            duration_ms: None,
            blob,
        };
        let parts = &mut self.parts;
        match event {
            ProviderEvent::Text(more) => match parts.last_mut() {
                Some(Part::Text { text, blob: None }) => text.push_str(&more),
                _ => parts.push(Part::text(more)),
            },
            ProviderEvent::Thinking(more) => match parts.last_mut() {
                Some(Part::Thinking {
                    text, blob: None, ..
                }) => text.push_str(&more),
                _ => parts.push(thinking(more, None)),
            },
            ProviderEvent::ToolCall {
                index,
                id,
                name,
                arguments: more,
            } => {
                let known = calls.iter().find(|(known, _)| *known == index);
                let place = known.map_or(parts.len(), |(_, place)| *place);
                if place == parts.len() {
                    calls.push((index, place));
                    parts.push(Part::ToolCall {
                        id: id.expect("the id comes first"),
                        name: name.expect("the name comes first"),
                        arguments: String::new(),
                        blob: None,
                    });
                }
                if let Part::ToolCall { arguments, .. } = &mut parts[place] {
                    arguments.push_str(&more);
                }
            }
            ProviderEvent::Blob(data) => match parts.last_mut() {
                Some(
                    Part::Text { blob, .. }
                    | Part::Thinking { blob, .. }
                    | Part::ToolCall { blob, .. },
                ) if blob.is_none() => *blob = Some(tag(data)),
                _ => parts.push(thinking(String::new(), Some(tag(data)))),
            },
            ProviderEvent::Opaque(data) => parts.push(thinking(String::new(), Some(tag(data)))),
            ProviderEvent::Usage(usage) => self.usage = Some(usage),
            ProviderEvent::Started { .. } | ProviderEvent::Reading { .. } => {}
            ProviderEvent::Finished { .. } => unreachable!("it is taken before"),
        }
    }

    /// The visible text.
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text { text, .. } => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// The chain of thought.
    pub fn thinking(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Thinking { text, .. } => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// Name and arguments of each call.
    pub fn calls(&self) -> Vec<(&str, &str)> {
        let calls = self.parts.iter().filter_map(|part| match part {
            Part::ToolCall {
                name, arguments, ..
            } => Some((name.as_str(), arguments.as_str())),
            _ => None,
        });
        calls.collect()
    }
}
