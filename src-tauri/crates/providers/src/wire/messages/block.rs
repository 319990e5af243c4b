//! The blocks of an answer as they grow. Of a text, of thinking and of a call we take what we
//! understand; the rest of the block (a signature, citations, who called) is what the provider needs
//! back with it. Every other block is assembled and kept whole.

use serde_json::{Map, Value, json};

use crate::{ErrorKind, Fault, ProviderEvent};

/// The most blocks that are open at once; one is usual.
const MAX_OPEN: usize = 64;

/// The most tool calls of one answer.
const MAX_CALLS: u32 = 1_024;

/// The most bytes of events that are held back until their block stops.
const MAX_HELD_BYTES: usize = 8 << 20;

/// The longest id of a call, in bytes. Some gateways hide a signature in it.
const MAX_ID_BYTES: usize = 8 << 10;

/// The longest name of a tool, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// The field under which arguments go that are no JSON object: the provider takes nothing else, and
/// the model shall see what it wrote.
pub(super) const INVALID_JSON: &str = "INVALID_JSON";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    /// The call of this number.
    Call(u32),
    Other,
}

/// A block that has begun.
#[derive(Debug)]
struct Block {
    /// The provider's number.
    index: u64,
    kind: Kind,
    /// Whether anything of it was given out.
    given: bool,
    /// What has not been given out.
    fields: Map<String, Value>,
    /// Input that came in pieces, of a block that is kept whole.
    input: String,
}

/// The blocks of one answer.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    open: Vec<Block>,
    /// The block that the last part given out belongs to, while more of it may come.
    tail: Option<(u64, Kind)>,
    held: usize,
    calls: u32,
    spoke: bool,
}

impl Blocks {
    /// Whether a tool was called.
    pub(super) const fn called(&self) -> bool {
        self.calls > 0
    }

    /// Whether there was text.
    pub(super) const fn spoke(&self) -> bool {
        self.spoke
    }

    /// A block begins; `bytes` is the size of its event. One of the same number that did not stop
    /// stops now.
    pub(super) fn start(
        &mut self,
        index: u64,
        mut fields: Map<String, Value>,
        bytes: usize,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        self.stop(index, out);
        if self.tail.is_some_and(|(last, _)| last == index) {
            self.close_tail(out);
        }
        if self.open.len() == MAX_OPEN {
            return Err(too_large("holds too many blocks at once"));
        }
        self.hold(bytes)?;
        let kind = match fields.get("type").and_then(Value::as_str) {
            Some("text") => Kind::Text,
            Some("thinking") => Kind::Thinking,
            Some("tool_use") => Kind::Call(self.calls),
            _ => Kind::Other,
        };
        let said = match kind {
            Kind::Text => text(fields.remove("text"))?,
            Kind::Thinking => text(fields.remove("thinking"))?,
            Kind::Call(number) => {
                self.call(number, index, &mut fields, out)?;
                String::new()
            }
            Kind::Other => String::new(),
        };
        if kind != Kind::Other {
            fields.remove("type");
        }
        self.open.push(Block {
            index,
            kind,
            given: false,
            fields,
            input: String::new(),
        });
        self.say(index, kind, said, out);
        Ok(())
    }

    /// A block grows. Growth of a kind that is new here is skipped, but in blocks that are kept
    /// whole.
    pub(super) fn delta(
        &mut self,
        index: u64,
        mut delta: Map<String, Value>,
        bytes: usize,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        let name = delta.remove("type");
        let name = name.as_ref().and_then(Value::as_str).unwrap_or_default();
        if !self.open.iter().any(|block| block.index == index) {
            // Text whose block never began is text all the same.
            let kind = match name {
                "text_delta" => "text",
                "thinking_delta" => "thinking",
                _ => return Ok(()),
            };
            let fields = Map::from_iter([("type".to_owned(), json!(kind))]);
            self.start(index, fields, 0, out)?;
        }
        let Some(block) = self.open.iter_mut().find(|block| block.index == index) else {
            return Ok(());
        };
        match (block.kind, name) {
            (Kind::Text, "text_delta") => {
                let more = text(delta.remove("text"))?;
                self.say(index, Kind::Text, more, out);
            }
            (Kind::Thinking, "thinking_delta") => {
                let more = text(delta.remove("thinking"))?;
                self.say(index, Kind::Thinking, more, out);
            }
            (Kind::Call(number), "input_json_delta") => {
                let arguments = text(delta.remove("partial_json"))?;
                if !arguments.is_empty() {
                    block.given = true;
                    out.push(more_of_call(number, arguments));
                }
            }
            (Kind::Other, "input_json_delta") => {
                block.input += &text(delta.remove("partial_json"))?;
                self.hold(bytes)?;
            }
            (_, "citations_delta") => {
                let citations = block.fields.entry("citations").or_insert(Value::Null);
                if !citations.is_array() {
                    *citations = json!([]);
                }
                if let Some(citations) = citations.as_array_mut() {
                    citations.extend(delta.remove("citation"));
                }
                self.hold(bytes)?;
            }
            (Kind::Thinking, "signature_delta") => {
                block.fields.append(&mut delta);
                self.hold(bytes)?;
            }
            (Kind::Other, _) => {
                for (field, value) in delta {
                    match (block.fields.get_mut(&field), value) {
                        (Some(Value::String(so_far)), Value::String(more)) => {
                            so_far.push_str(&more)
                        }
                        (_, value) => {
                            block.fields.insert(field, value);
                        }
                    }
                }
                self.hold(bytes)?;
            }
            (Kind::Text | Kind::Thinking | Kind::Call(_), _) => {}
        }
        Ok(())
    }

    /// A block stops: what it held back follows it.
    pub(super) fn stop(&mut self, index: u64, out: &mut Vec<ProviderEvent>) {
        let Some(place) = self.open.iter().position(|block| block.index == index) else {
            return;
        };
        let mut block = self.open.remove(place);
        if self.open.is_empty() {
            self.held = 0;
        }
        let is_tail = self.tail == Some((block.index, block.kind));
        match block.kind {
            Kind::Other => {
                block.end_input();
                self.tail = None;
                out.push(ProviderEvent::Opaque(Value::Object(block.fields)));
            }
            Kind::Call(number) => {
                let input = block.fields.remove("input");
                if !block.given {
                    let whole = input.filter(Value::is_object);
                    let whole = whole.map_or_else(|| "{}".to_owned(), |input| input.to_string());
                    out.push(more_of_call(number, whole));
                }
                self.attach(is_tail && block.needs_back(), block.fields, out);
            }
            Kind::Text => self.attach(is_tail && block.needs_back(), block.fields, out),
            // Thinking goes back whole or not at all: that it came to its end is worth noting.
            Kind::Thinking => {
                let needed = block.needs_back();
                if block.given {
                    self.attach(is_tail, block.fields, out);
                } else if needed {
                    self.tail = None;
                    block.fields.insert("type".to_owned(), json!("thinking"));
                    block.fields.insert("thinking".to_owned(), json!(""));
                    out.push(ProviderEvent::Opaque(Value::Object(block.fields)));
                }
            }
        }
    }

    /// The answer is whole: what did not stop stops now.
    pub(super) fn stop_all(&mut self, out: &mut Vec<ProviderEvent>) {
        while let Some(first) = self.open.first() {
            self.stop(first.index, out);
        }
    }

    /// What is open will never be whole.
    pub(super) fn give_up(&mut self, out: &mut Vec<ProviderEvent>) {
        self.open.clear();
        self.held = 0;
        self.close_tail(out);
    }

    /// Gives out text or thinking. What stands in two blocks stays in two parts.
    fn say(&mut self, index: u64, kind: Kind, said: String, out: &mut Vec<ProviderEvent>) {
        if said.is_empty() {
            return;
        }
        let tail = Some((index, kind));
        if self.tail != tail {
            if self.tail.is_some_and(|(_, last)| last == kind) {
                self.close_tail(out);
            }
            self.tail = tail;
        }
        if let Some(block) = self.open.iter_mut().find(|block| block.index == index) {
            block.given = true;
        }
        self.spoke |= kind == Kind::Text;
        out.push(match kind {
            Kind::Thinking => ProviderEvent::Thinking(said),
            _ => ProviderEvent::Text(said),
        });
    }

    /// Closes the last part, so that nothing grows on in it.
    fn close_tail(&mut self, out: &mut Vec<ProviderEvent>) {
        if let Some((_, Kind::Text | Kind::Thinking)) = self.tail.take() {
            out.push(ProviderEvent::Blob(json!({})));
        }
    }

    fn attach(&mut self, needed: bool, fields: Map<String, Value>, out: &mut Vec<ProviderEvent>) {
        if needed {
            self.tail = None;
            out.push(ProviderEvent::Blob(Value::Object(fields)));
        }
    }

    fn call(
        &mut self,
        number: u32,
        index: u64,
        fields: &mut Map<String, Value>,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        if number == MAX_CALLS {
            return Err(too_large("calls too many tools"));
        }
        self.calls += 1;
        self.tail = Some((index, Kind::Call(number)));
        out.push(ProviderEvent::ToolCall {
            index: number,
            id: short(fields.remove("id"), MAX_ID_BYTES)?,
            name: short(fields.remove("name"), MAX_NAME_BYTES)?,
            arguments: String::new(),
        });
        Ok(())
    }

    fn hold(&mut self, bytes: usize) -> Result<(), Fault> {
        self.held += bytes;
        if self.held > MAX_HELD_BYTES {
            return Err(too_large("holds a block that is too long"));
        }
        Ok(())
    }
}

impl Block {
    /// Leaves of the fields only what says something; whether there is any.
    fn needs_back(&mut self) -> bool {
        self.fields.retain(|_, value| match value {
            Value::Null => false,
            Value::Array(values) => !values.is_empty(),
            Value::String(text) => !text.is_empty(),
            _ => true,
        });
        !self.fields.is_empty()
    }

    /// Puts input that came in pieces into its place.
    fn end_input(&mut self) {
        if !self.input.is_empty() {
            let input = arguments(&std::mem::take(&mut self.input));
            self.fields.insert("input".to_owned(), input);
        }
    }
}

/// Arguments as an object, which is all that the provider takes.
pub(super) fn arguments(written: &str) -> Value {
    match serde_json::from_str(written) {
        Ok(Value::Object(arguments)) => Value::Object(arguments),
        _ if written.trim().is_empty() => json!({}),
        _ => json!({ INVALID_JSON: written }),
    }
}

fn more_of_call(index: u32, arguments: String) -> ProviderEvent {
    ProviderEvent::ToolCall {
        index,
        id: None,
        name: None,
        arguments,
    }
}

/// What must be text where it stands: to drop it unseen would lose a piece of the answer.
fn text(value: Option<Value>) -> Result<String, Fault> {
    match value {
        Some(Value::String(text)) => Ok(text),
        None | Some(Value::Null) => Ok(String::new()),
        Some(_) => Err(super::not_understood("text is of another type").with_code("invalid_event")),
    }
}

/// An id or a name; it is stored, shown, and sent back.
fn short(value: Option<Value>, limit: usize) -> Result<Option<String>, Fault> {
    let name = text(value)?;
    if name.len() > limit || name.contains(char::is_control) {
        return Err(Fault::new(
            ErrorKind::Interrupted,
            "the answer calls a tool by a name or an id that is none; ask again",
        )
        .with_code("invalid_tool_call"));
    }
    Ok(Some(name).filter(|name| !name.is_empty()))
}

fn too_large(what: &str) -> Fault {
    Fault::new(
        ErrorKind::Interrupted,
        format!("the answer {what}; ask again"),
    )
    .with_code("too_large")
}
