//! Calls of functions. Most come whole; where the arguments stream, the first piece names the
//! function, the next ones set values at paths, and the last, often empty, no longer says that more
//! will come. A call without an id gets one from its place in the answer.

use serde_json::{Map, Value};

use super::path::Arguments;
use crate::{ErrorKind, Fault, ProviderEvent};

/// The most calls of one answer.
const MAX_CALLS: u32 = 1_024;

/// The longest id of a call, in bytes.
const MAX_ID_BYTES: usize = 1 << 10;

/// The longest name of a function, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// The calls of one answer so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    count: u32,
    open: Option<Open>,
}

/// A call whose arguments still stream.
#[derive(Debug)]
struct Open {
    index: u32,
    id: Option<String>,
    arguments: Arguments,
}

impl Calls {
    /// Whether there is any.
    pub(super) const fn any(&self) -> bool {
        self.count > 0
    }

    /// Takes a piece, and says whether a call began with it.
    pub(super) fn piece(
        &mut self,
        call: &Map<String, Value>,
        response_id: Option<&str>,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<bool, Fault> {
        let text = |name| call.get(name).and_then(Value::as_str);
        let id = text("id").filter(|id| !id.is_empty());
        let name = text("name").filter(|name| !name.is_empty());
        let pieces = call.get("partialArgs").and_then(Value::as_array);
        let pieces = pieces.map_or(&[][..], Vec::as_slice);
        let continues = call.get("willContinue") == Some(&Value::Bool(true));
        check(id, MAX_ID_BYTES)?;
        check(name, MAX_NAME_BYTES)?;
        let goes_on = self
            .open
            .as_ref()
            .is_some_and(|open| name.is_none() || id.is_some() && open.id.as_deref() == id);
        if !goes_on {
            self.close(out);
            let Some(name) = name else {
                let given = call.get("args").is_some_and(|args| !args.is_null());
                return if given || !pieces.is_empty() {
                    Err(invalid("the answer calls a tool without a name; ask again"))
                } else {
                    Ok(false)
                };
            };
            self.begin(id, name, response_id, out)?;
        }
        if let Some(open) = &mut self.open {
            if let Some(given) = call.get("args").filter(|args| !args.is_null()) {
                open.arguments.give(given);
            }
            for piece in pieces {
                open.arguments.set(piece)?;
            }
        }
        if !continues {
            self.close(out);
        }
        Ok(!goes_on)
    }

    /// Ends the call that is open, and gives out its arguments.
    pub(super) fn close(&mut self, out: &mut Vec<ProviderEvent>) {
        if let Some(open) = self.open.take() {
            out.push(ProviderEvent::ToolCall {
                index: open.index,
                id: None,
                name: None,
                arguments: open.arguments.into_json(),
            });
        }
    }

    fn begin(
        &mut self,
        id: Option<&str>,
        name: &str,
        response_id: Option<&str>,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        if self.count == MAX_CALLS {
            return Err(Fault::new(
                ErrorKind::Interrupted,
                "the answer calls too many tools; ask again",
            )
            .with_code("too_large"));
        }
        let index = self.count;
        self.count += 1;
        self.open = Some(Open {
            index,
            id: id.map(str::to_owned),
            arguments: Arguments::default(),
        });
        out.push(ProviderEvent::ToolCall {
            index,
            id: Some(id.map_or_else(|| made(response_id, index), str::to_owned)),
            name: Some(name.to_owned()),
            arguments: String::new(),
        });
        Ok(())
    }
}

/// An id for a call that has none: the same whenever the same answer is read, and no other answer's.
fn made(response_id: Option<&str>, index: u32) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    match response_id.filter(|id| id.len() <= 32 && id.chars().all(plain)) {
        Some(answer) => format!("call_{answer}_{index}"),
        None => format!("call_{index}"),
    }
}

/// Refuses what is no id or name: it is stored, shown, and sent back.
fn check(name: Option<&str>, limit: usize) -> Result<(), Fault> {
    if name.is_none_or(|name| name.len() <= limit && !name.contains(char::is_control)) {
        return Ok(());
    }
    Err(invalid(
        "the answer calls a tool by a name or an id that is none; ask again",
    ))
}

fn invalid(message: &str) -> Fault {
    Fault::new(ErrorKind::Interrupted, message).with_code("invalid_tool_call")
}
