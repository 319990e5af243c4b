//! What has come of an answer: the provider's events folded into parts, which any number of readers
//! follow, each from a cursor of its own.

use protocol::{
    AppError, Attempt, ModelRef, Part, PartKind, ProviderBlob, ProviderId, StopReason, Usage, Wire,
};
use providers::ProviderEvent;
use store::MAX_PARTS;

/// The longest answer, in bytes of its parts and of what providers need back with them. The store
/// takes more than this and one event.
pub(crate) const ANSWER_BYTES: usize = 8 << 20;

/// Who sends the events: what opaque data is tagged with.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) wire: Wire,
    pub(crate) provider: ProviderId,
    pub(crate) model: String,
}

/// How a turn ended. What the draft held is stored by then, or kept until it can be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    Finished,
    Failed(AppError),
    Cancelled,
}

/// That one model did not answer and another was asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Switch {
    pub(crate) attempt: Attempt,
    /// Which was asked then.
    pub(crate) next: ModelRef,
}

/// How far a reader has come: bytes of each part.
pub(crate) type Cursor = Vec<usize>;

/// Text that a part has gained since a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delta {
    pub(crate) part: u32,
    pub(crate) kind: PartKind,
    pub(crate) text: String,
}

/// What has come so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grown {
    parts: Vec<GrowingPart>,
    /// Parts below this number came from an earlier turn and do not grow.
    sealed: usize,
    /// Models that were asked in vain, in order.
    pub(crate) switches: Vec<Switch>,
    /// Old messages that are summed up, and how many are to be, until the request leaves.
    pub(crate) summarising: Option<(u32, u32)>,
    /// Prompt tokens read and to read, until the first token.
    pub(crate) reading: Option<(u32, u32)>,
    /// Earlier messages that were left out of the request.
    pub(crate) dropped: u32,
    /// When the first token came.
    pub(crate) first_token_at: Option<i64>,
    /// The model that is asked, where that is not the one that was chosen.
    pub(crate) asked: Option<ModelRef>,
    /// The model that answers, as its provider names it.
    named: Option<ModelRef>,
    /// Tokens as the provider counts them.
    pub(crate) usage: Option<Usage>,
    /// Why the model stopped.
    pub(crate) stop_reason: Option<StopReason>,
    /// Set once, last.
    pub(crate) end: Option<End>,
}

#[derive(Clone, Debug)]
struct GrowingPart {
    kind: PartKind,
    text: String,
    /// The provider's number of a tool call.
    call: Option<u32>,
    call_id: String,
    name: String,
    blob: Option<ProviderBlob>,
    /// The size of that, as JSON.
    blob_bytes: usize,
    began_at: i64,
    duration_ms: Option<u64>,
}

impl Grown {
    /// Nothing, or the parts of the answer that is continued. When `joined`, new text goes on in
    /// the last of them, which is then no longer what a provider signed.
    pub(crate) fn new(parts: &[Part], joined: bool) -> Self {
        let mut parts: Vec<GrowingPart> =
            parts.iter().filter_map(GrowingPart::from_stored).collect();
        let mut sealed = parts.len();
        if let Some(last) = parts.last_mut().filter(|_| joined) {
            last.blob = None;
            last.blob_bytes = 0;
            sealed -= 1;
        }
        Self {
            parts,
            sealed,
            ..Self::default()
        }
    }

    /// What has come after the cursor, which moves to the end.
    pub(crate) fn since(&self, cursor: &mut Cursor) -> Vec<Delta> {
        cursor.resize(self.parts.len(), 0);
        let mut deltas = Vec::new();
        for ((part, number), seen) in self.parts.iter().zip(0_u32..).zip(cursor) {
            let text = part.text.get(*seen..).unwrap_or_default();
            if !text.is_empty() {
                *seen = part.text.len();
                deltas.push(Delta {
                    part: number,
                    kind: part.kind,
                    text: text.to_owned(),
                });
            }
        }
        deltas
    }

    /// A cursor at the end of what has come.
    pub(crate) fn cursor(&self) -> Cursor {
        self.parts.iter().map(|part| part.text.len()).collect()
    }

    /// Whether the answer is as long as one may be. What has come can be stored still.
    pub(crate) fn is_full(&self) -> bool {
        let bytes: usize = self.parts.iter().map(GrowingPart::bytes).sum();
        bytes > ANSWER_BYTES || self.parts.len() >= MAX_PARTS
    }

    /// Whether the model has said anything in this turn.
    pub(crate) const fn has_begun(&self) -> bool {
        self.first_token_at.is_some()
    }

    /// The parts as they are stored. Empty ones are left out, unless a provider needs them back.
    pub(crate) fn parts(&self, at: i64) -> Vec<Part> {
        self.parts
            .iter()
            .filter_map(|part| part.to_stored(at))
            .collect()
    }

    /// Begins anew with another model: the one before has said nothing, and what it sent besides is
    /// forgotten.
    pub(crate) fn switch(&mut self, switch: Switch) {
        self.parts.truncate(self.sealed);
        self.reading = None;
        self.summarising = None;
        self.usage = None;
        self.named = None;
        self.switches.push(switch);
    }

    /// The model that answered, as far as that is known.
    pub(crate) fn served_by(&self) -> Option<ModelRef> {
        match self.has_begun() {
            true => self.answering(),
            false => self.named.clone(),
        }
    }

    /// The model that answers or is to, where another than the chosen one is known of.
    pub(crate) fn answering(&self) -> Option<ModelRef> {
        self.named.as_ref().or(self.asked.as_ref()).cloned()
    }

    /// Models that were asked in vain, in order.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = Attempt> {
        self.switches.iter().map(|switch| switch.attempt.clone())
    }

    /// Folds one event in.
    pub(crate) fn fold(&mut self, event: ProviderEvent, origin: &Origin, at: i64) {
        match event {
            ProviderEvent::Started {
                model,
                response_id: _,
            } => {
                // A name that cannot be read back is none.
                let named = model.map(|model| format!("{}/{model}", origin.provider));
                if let Some(model) = named.and_then(|name| name.parse().ok()) {
                    self.named = Some(model);
                }
            }
            ProviderEvent::Reading { done, total } => self.reading = Some((done, total)),
            ProviderEvent::Text(text) => self.grow(PartKind::Text, &text, at),
            ProviderEvent::Thinking(text) => self.grow(PartKind::Thinking, &text, at),
            ProviderEvent::ToolCall {
                index,
                id,
                name,
                arguments,
            } => {
                self.note_token(at);
                let part = self.call(index, at);
                if let Some(id) = id {
                    part.call_id = id;
                }
                if let Some(name) = name {
                    part.name = name;
                }
                part.text.push_str(&arguments);
            }
            ProviderEvent::Blob(data) => self.attach(data, origin, at),
            ProviderEvent::Opaque(data) => {
                self.note_token(at);
                self.open(GrowingPart::new(PartKind::Thinking, at), at);
                self.attach(data, origin, at);
            }
            ProviderEvent::Usage(usage) => self.usage = Some(usage),
            ProviderEvent::Finished { stop_reason } => {
                self.close_last(at);
                self.stop_reason = Some(stop_reason);
            }
        }
    }

    fn grow(&mut self, kind: PartKind, text: &str, at: i64) {
        if text.is_empty() {
            return;
        }
        self.note_token(at);
        // A blob closes its part: it holds for the text before it alone.
        let open = self.parts.len() > self.sealed
            && self
                .parts
                .last()
                .is_some_and(|last| last.kind == kind && last.blob.is_none());
        if !open {
            self.open(GrowingPart::new(kind, at), at);
        }
        if let Some(part) = self.parts.last_mut() {
            part.text.push_str(text);
        }
    }

    fn call(&mut self, index: u32, at: i64) -> &mut GrowingPart {
        let sealed = self.sealed;
        let known = self
            .parts
            .iter()
            .skip(sealed)
            .position(|part| part.call == Some(index));
        let place = match known {
            Some(place) => sealed + place,
            None => {
                let new = GrowingPart::new(PartKind::ToolCall, at);
                self.open(
                    GrowingPart {
                        call: Some(index),
                        ..new
                    },
                    at,
                );
                self.parts.len() - 1
            }
        };
        &mut self.parts[place]
    }

    /// A provider's opaque data belongs to the open part, or to an empty thinking part of its own.
    fn attach(&mut self, data: serde_json::Value, origin: &Origin, at: i64) {
        let free = self.parts.len() > self.sealed
            && self.parts.last().is_some_and(|last| last.blob.is_none());
        if !free {
            self.open(GrowingPart::new(PartKind::Thinking, at), at);
        }
        if let Some(part) = self.parts.last_mut() {
            part.blob_bytes = data.to_string().len();
            part.blob = Some(ProviderBlob {
                wire: origin.wire,
                provider: origin.provider.clone(),
                model: origin.model.clone(),
                data,
            });
        }
    }

    fn open(&mut self, part: GrowingPart, at: i64) {
        self.close_last(at);
        self.parts.push(part);
    }

    fn close_last(&mut self, at: i64) {
        if let Some(last) = self.parts.last_mut() {
            last.duration_ms
                .get_or_insert_with(|| elapsed(last.began_at, at));
        }
    }

    fn note_token(&mut self, at: i64) {
        self.first_token_at.get_or_insert(at);
    }
}

impl GrowingPart {
    fn new(kind: PartKind, at: i64) -> Self {
        Self {
            kind,
            text: String::new(),
            call: None,
            call_id: String::new(),
            name: String::new(),
            blob: None,
            blob_bytes: 0,
            began_at: at,
            duration_ms: None,
        }
    }

    fn from_stored(part: &Part) -> Option<Self> {
        let (kind, text, blob, duration_ms) = match part {
            Part::Text { text, blob } => (PartKind::Text, text, blob, None),
            Part::Thinking {
                text,
                duration_ms,
                blob,
            } => (PartKind::Thinking, text, blob, *duration_ms),
            Part::Image { .. }
            | Part::File { .. }
            | Part::ToolCall { .. }
            | Part::ToolResult { .. } => return None,
        };
        Some(Self {
            text: text.clone(),
            blob: blob.clone(),
            blob_bytes: blob.as_ref().map_or(0, |blob| blob.data.to_string().len()),
            duration_ms: Some(duration_ms.unwrap_or(0)),
            ..Self::new(kind, 0)
        })
    }

    fn bytes(&self) -> usize {
        self.text.len() + self.call_id.len() + self.name.len() + self.blob_bytes
    }

    fn to_stored(&self, at: i64) -> Option<Part> {
        let text = self.text.clone();
        let blob = self.blob.clone();
        match self.kind {
            PartKind::ToolCall => Some(Part::ToolCall {
                id: self.call_id.clone(),
                name: self.name.clone(),
                arguments: text,
                blob,
            }),
            PartKind::Text | PartKind::Thinking if text.is_empty() && blob.is_none() => None,
            PartKind::Text => Some(Part::Text { text, blob }),
            PartKind::Thinking => {
                let took = self
                    .duration_ms
                    .unwrap_or_else(|| elapsed(self.began_at, at));
                let duration_ms = (took > 0).then_some(took);
                Some(Part::Thinking {
                    text,
                    duration_ms,
                    blob,
                })
            }
        }
    }
}

fn elapsed(from: i64, to: i64) -> u64 {
    u64::try_from(to.saturating_sub(from)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use protocol::{ModelRef, Part, PartKind, ProviderBlob, ProviderId, StopReason, Wire};
    use providers::ProviderEvent;
    use serde_json::json;
    use store::MAX_PARTS;

    use super::{ANSWER_BYTES, Cursor, Grown, Origin};

    fn origin() -> Origin {
        Origin {
            wire: Wire::Chat,
            provider: ProviderId::inhouse(),
            model: "m".to_owned(),
        }
    }

    fn grown(before: &[Part], joined: bool, events: Vec<ProviderEvent>) -> Grown {
        let mut grown = Grown::new(before, joined);
        for (event, at) in events.into_iter().zip(100..) {
            grown.fold(event, &origin(), at);
        }
        grown
    }

    fn text(text: &str) -> ProviderEvent {
        ProviderEvent::Text(text.to_owned())
    }

    fn thinking(text: &str) -> ProviderEvent {
        ProviderEvent::Thinking(text.to_owned())
    }

    fn blob(data: serde_json::Value) -> ProviderBlob {
        ProviderBlob {
            wire: Wire::Chat,
            provider: ProviderId::inhouse(),
            model: "m".to_owned(),
            data,
        }
    }

    #[test]
    fn parts_stand_in_the_order_in_which_they_came() {
        let call = |id: Option<&str>, name: Option<&str>, arguments: &str| {
            let (id, name) = (id.map(str::to_owned), name.map(str::to_owned));
            ProviderEvent::ToolCall {
                index: 0,
                id,
                name,
                arguments: arguments.to_owned(),
            }
        };
        let events = vec![
            thinking("a"),
            thinking("b"),
            ProviderEvent::Blob(json!("signed")),
            text("c"),
            text(""),
            call(Some("1"), Some("tool"), "{"),
            call(None, None, "}"),
            ProviderEvent::Finished {
                stop_reason: StopReason::ToolUse,
            },
        ];
        let grown = grown(&[], false, events);
        assert_eq!(
            grown.parts(200),
            [
                Part::Thinking {
                    text: "ab".to_owned(),
                    duration_ms: Some(3),
                    blob: Some(blob(json!("signed")))
                },
                Part::text("c"),
                Part::ToolCall {
                    id: "1".to_owned(),
                    name: "tool".to_owned(),
                    arguments: "{}".to_owned(),
                    blob: None
                },
            ]
        );
        assert_eq!(grown.first_token_at, Some(100));
        assert_eq!(grown.stop_reason, Some(StopReason::ToolUse));
    }

    #[test]
    fn a_continued_text_grows_on_and_cut_off_thinking_does_not() {
        let before = [Part::text("one, ")];
        let joined = grown(&before, true, vec![text("two")]);
        assert_eq!(joined.parts(0), [Part::text("one, two")]);

        let thought = Part::Thinking {
            text: "Hm".to_owned(),
            duration_ms: Some(5),
            blob: None,
        };
        let apart = grown(std::slice::from_ref(&thought), false, vec![thinking("So")]);
        let parts = apart.parts(100);
        assert_eq!((parts.len(), &parts[0]), (2, &thought));
    }

    #[test]
    fn a_blob_closes_its_part() {
        let signed = |name: &str| ProviderEvent::Blob(json!(name));
        let events = vec![thinking("A"), signed("a"), thinking("B"), signed("b")];
        let thought = |text: &str, name: &str, duration_ms| Part::Thinking {
            text: text.to_owned(),
            duration_ms,
            blob: Some(blob(json!(name))),
        };
        assert_eq!(
            grown(&[], false, events).parts(103),
            [thought("A", "a", Some(2)), thought("B", "b", Some(1))]
        );
        let before = [Part::Text {
            text: "one, ".to_owned(),
            blob: Some(blob(json!("a"))),
        }];
        assert_eq!(
            grown(&before, true, vec![text("two")]).parts(0),
            [Part::text("one, two")],
            "what is gone on with is not what was signed"
        );
    }

    #[test]
    fn the_model_that_was_told_is_not_forgotten() {
        let started = |model: Option<&str>| ProviderEvent::Started {
            model: model.map(str::to_owned),
            response_id: None,
        };
        let events = vec![started(Some("m-1")), started(None)];
        assert_eq!(
            grown(&[], false, events).served_by(),
            Some(ModelRef::inhouse("m-1"))
        );
    }

    #[test]
    fn text_and_blobs_and_parts_fill_an_answer() {
        let half = "x".repeat(ANSWER_BYTES / 2);
        assert!(!grown(&[], false, vec![text(&half), text(&half)]).is_full());
        assert!(grown(&[], false, vec![text(&half), text(&half), text("x")]).is_full());
        let signed = vec![
            ProviderEvent::Blob(json!(half)),
            ProviderEvent::Blob(json!(half)),
        ];
        assert!(grown(&[], false, signed).is_full());

        let parts = |count: usize| {
            let both = || [thinking("t"), text("x")];
            let events = std::iter::repeat_with(both).flatten().take(count);
            grown(&[], false, events.collect())
        };
        assert!(!parts(MAX_PARTS - 1).is_full());
        let full = parts(MAX_PARTS);
        assert!(full.is_full() && full.parts(0).len() <= MAX_PARTS);
    }

    #[test]
    fn each_reader_has_a_cursor_of_its_own() {
        let mut grown = grown(&[Part::text("kept ")], true, vec![]);
        let mut writer = grown.cursor();
        let mut reader = Cursor::new();
        grown.fold(text("new"), &origin(), 1);
        let texts = |cursor: &mut Cursor| {
            let deltas = grown.since(cursor);
            deltas
                .into_iter()
                .map(|delta| (delta.part, delta.kind, delta.text))
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(&mut writer), [(0, PartKind::Text, "new".to_owned())]);
        assert_eq!(
            texts(&mut reader),
            [(0, PartKind::Text, "kept new".to_owned())]
        );
        assert_eq!(texts(&mut reader), []);
    }
}
