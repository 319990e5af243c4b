//! The items of an answer, given out in the order in which they were begun. A model's own words come
//! one item after another, but what the provider runs beside them (searches, several at a time) may
//! end in any order: what an item says before its turn is held until those before it have ended.
//! So each closes right after it spoke, and what the provider needs back stands with its own part.

use std::collections::HashSet;

use serde_json::Value;

use super::item::{self, Kind};
use crate::{ErrorKind, Fault, ProviderEvent};

/// The most items of one answer.
const MAX_ITEMS: usize = 4_096;

/// How an event says which item it belongs to. Most give both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) output_index: Option<u64>,
    pub(super) id: Option<&'a str>,
}

/// Where in a reasoning item a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Summary(Option<u64>),
    Content(Option<u64>),
}

#[derive(Debug)]
struct Item {
    kind: Kind,
    output_index: Option<u64>,
    id: Option<String>,
    /// What it has said: its text, its thinking or the arguments of its call.
    said: String,
    section: Option<Section>,
    /// The number of its call, and whether that was named.
    call: u32,
    named: bool,
    ended: bool,
    /// What waits for its turn.
    held: Vec<ProviderEvent>,
}

/// The items of one answer so far.
#[derive(Debug, Default)]
pub(super) struct Items {
    items: Vec<Item>,
    /// The item whose turn it is; those before it are over.
    turn: usize,
    calls: u32,
    refused: bool,
    /// The custom tools that we may be called with; `None` until the provider has said.
    custom: Option<HashSet<String>>,
}

impl Items {
    /// Whether a tool was called.
    pub(super) const fn called(&self) -> bool {
        self.calls > 0
    }

    /// Whether the model declined.
    pub(super) const fn refused(&self) -> bool {
        self.refused
    }

    /// Notes which tools the request declared, as the provider repeats it. With xAI a call of a
    /// custom tool that was not declared is a search that the provider runs itself.
    pub(super) fn declared(&mut self, tools: &[Value]) {
        let named = |tool: &Value| {
            let custom = tool.get("type").and_then(Value::as_str) == Some("custom");
            let name = tool.get("name")?.as_str()?;
            custom.then(|| name.to_owned())
        };
        self.custom = Some(tools.iter().filter_map(named).collect());
    }

    /// An item begins.
    pub(super) fn begin(
        &mut self,
        place: Place<'_>,
        value: &Value,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        let kind = item::kind(value, self.custom.as_ref());
        let at = self.open(kind, place, value.get("id").and_then(Value::as_str))?;
        if kind == Kind::Call && item::text(value, "call_id").is_some() {
            self.name(at, value, out)?;
        }
        Ok(())
    }

    /// More of a message.
    pub(super) fn say(
        &mut self,
        place: Place<'_>,
        text: String,
        refusal: bool,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        if text.is_empty() {
            return Ok(());
        }
        let at = self.speaker(Kind::Message, place, out)?;
        self.refused |= refusal;
        self.items[at].said.push_str(&text);
        self.give(at, ProviderEvent::Text(text), out);
        Ok(())
    }

    /// More of the chain of thought; its sections are paragraphs.
    pub(super) fn think(
        &mut self,
        place: Place<'_>,
        section: Section,
        mut text: String,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        if text.is_empty() {
            return Ok(());
        }
        let at = self.speaker(Kind::Reasoning, place, out)?;
        let item = &mut self.items[at];
        let before = item.section.replace(section);
        if before.is_some_and(|before| before != section) {
            text.insert_str(0, item::PARAGRAPH);
        }
        item.said.push_str(&text);
        self.give(at, ProviderEvent::Thinking(text), out);
        Ok(())
    }

    /// More of a call's arguments, or what they add up to. Those of a call that was not begun come
    /// with its end.
    pub(super) fn argue(
        &mut self,
        place: Place<'_>,
        arguments: &str,
        whole: bool,
        out: &mut Vec<ProviderEvent>,
    ) {
        let Some(at) = self.find(Kind::Call, place) else {
            return;
        };
        let item = &self.items[at];
        let more = if whole {
            arguments.strip_prefix(&item.said).unwrap_or_default()
        } else {
            arguments
        };
        self.argue_more(at, more, out);
    }

    /// An item ends and is told as a whole: what did not come before comes now, and with it what
    /// the provider needs back.
    pub(super) fn end(
        &mut self,
        place: Place<'_>,
        value: Value,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        let kind = item::kind(&value, self.custom.as_ref());
        let at = match self.find(kind, place) {
            Some(at) => at,
            None => self.open(kind, place, place.id)?,
        };
        self.end_at(at, value, out)
    }

    fn end_at(
        &mut self,
        at: usize,
        value: Value,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        // What others have overtaken is over: its part is closed.
        if self.items[at].ended || at < self.turn {
            return Ok(());
        }
        let said = std::mem::take(&mut self.items[at].said);
        match self.items[at].kind {
            Kind::Message => {
                let (text, refusal) = item::message_text(&value);
                self.refused |= refusal;
                let more = text.strip_prefix(&said).unwrap_or_default();
                if !more.is_empty() {
                    self.give(at, ProviderEvent::Text(more.to_owned()), out);
                }
                let spoken = !said.is_empty() || !more.is_empty();
                let data = if spoken {
                    item::message_blob(value, &(said + more))
                } else {
                    value
                };
                self.close(at, spoken, data, out);
            }
            Kind::Reasoning => {
                let more = item::thinking_left(&value, &said);
                let spoken = !said.is_empty() || !more.is_empty();
                if !more.is_empty() {
                    self.give(at, ProviderEvent::Thinking(more), out);
                }
                self.close(at, spoken, value, out);
            }
            Kind::Call => {
                self.name(at, &value, out)?;
                let arguments = item::arguments(&value);
                let more = arguments.strip_prefix(&said).unwrap_or_default();
                self.argue_more(at, more, out);
                self.close(at, true, item::call_blob(value), out);
            }
            Kind::Other => self.close(at, false, value, out),
        }
        self.items[at].ended = true;
        while self.items.get(self.turn).is_some_and(|item| item.ended) {
            self.next_turn(out);
        }
        Ok(())
    }

    /// Ends what is open as the answer tells it at its end, where an item's own end never came.
    pub(super) fn end_open(
        &mut self,
        output: Vec<Value>,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        let none = self.items.is_empty();
        for (index, value) in (0..).zip(output) {
            if !value.is_object() {
                continue;
            }
            let kind = item::kind(&value, self.custom.as_ref());
            let open = self.items.iter().position(|item| {
                let here = item.output_index.is_none_or(|at| at == index);
                here && item.kind == kind && !item.ended
            });
            let place = Place {
                output_index: Some(index),
                id: None,
            };
            match open {
                Some(at) => self.end_at(at, value, out)?,
                None if none => self.end(place, value, out)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Gives out what is held, at the end of the stream.
    pub(super) fn flush(&mut self, out: &mut Vec<ProviderEvent>) {
        while self.turn < self.items.len() {
            self.next_turn(out);
        }
    }

    /// The item that speaks, begun if need be. The model says one thing at a time: words of its own
    /// that stand open before these are over, also where their end has not been told.
    fn speaker(
        &mut self,
        kind: Kind,
        place: Place<'_>,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<usize, Fault> {
        let at = match self.find(kind, place) {
            Some(at) => at,
            None => self.open(kind, place, place.id)?,
        };
        let words =
            |item: &Item| item.ended || matches!(item.kind, Kind::Message | Kind::Reasoning);
        if self.turn < at && self.items[self.turn..at].iter().all(words) {
            while self.turn < at {
                self.next_turn(out);
            }
        }
        Ok(at)
    }

    /// The last item of that kind at a place. Where no place is told, it is the one that is open.
    fn find(&self, kind: Kind, place: Place<'_>) -> Option<usize> {
        let last = |fits: &dyn Fn(&Item) -> bool| {
            let fits = |item: &Item| item.kind == kind && fits(item);
            self.items.iter().rposition(fits)
        };
        let by_index = place
            .output_index
            .and_then(|index| last(&|item| item.output_index == Some(index)));
        let by_id = || {
            let id = place.id?;
            last(&|item| item.id.as_deref() == Some(id))
        };
        let by_order = || {
            let told = place.output_index.is_some();
            last(&|item| !told && item.output_index.is_none() && !item.ended)
        };
        by_index.or_else(by_id).or_else(by_order)
    }

    fn open(&mut self, kind: Kind, place: Place<'_>, id: Option<&str>) -> Result<usize, Fault> {
        if self.items.len() == MAX_ITEMS {
            let fault = Fault::new(
                ErrorKind::Interrupted,
                "the answer has too many parts; ask again",
            );
            return Err(fault.with_code("too_large"));
        }
        let call = self.calls;
        self.calls += u32::from(kind == Kind::Call);
        self.items.push(Item {
            kind,
            output_index: place.output_index,
            id: id.map(str::to_owned),
            said: String::new(),
            section: None,
            call,
            named: false,
            ended: false,
            held: Vec::new(),
        });
        Ok(self.items.len() - 1)
    }

    /// Tells the id and the name of a call, once.
    fn name(
        &mut self,
        at: usize,
        value: &Value,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        let item = &mut self.items[at];
        if std::mem::replace(&mut item.named, true) {
            return Ok(());
        }
        let (id, name) = item::call_names(value)?;
        let event = ProviderEvent::ToolCall {
            index: item.call,
            id: id.map(str::to_owned),
            name: name.map(str::to_owned),
            arguments: String::new(),
        };
        self.give(at, event, out);
        Ok(())
    }

    fn argue_more(&mut self, at: usize, more: &str, out: &mut Vec<ProviderEvent>) {
        if more.is_empty() {
            return;
        }
        let item = &mut self.items[at];
        item.said.push_str(more);
        let event = ProviderEvent::ToolCall {
            index: item.call,
            id: None,
            name: None,
            arguments: more.to_owned(),
        };
        self.give(at, event, out);
    }

    /// What the provider needs back, with the part that the item has opened or as one of its own.
    fn close(&mut self, at: usize, spoken: bool, data: Value, out: &mut Vec<ProviderEvent>) {
        let event = if spoken {
            ProviderEvent::Blob(data)
        } else {
            ProviderEvent::Opaque(data)
        };
        self.give(at, event, out);
    }

    fn give(&mut self, at: usize, event: ProviderEvent, out: &mut Vec<ProviderEvent>) {
        if at <= self.turn {
            out.push(event);
        } else {
            self.items[at].held.push(event);
        }
    }

    fn next_turn(&mut self, out: &mut Vec<ProviderEvent>) {
        self.turn += 1;
        if let Some(item) = self.items.get_mut(self.turn) {
            out.append(&mut item.held);
        }
    }
}
