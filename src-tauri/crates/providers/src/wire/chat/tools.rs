//! Tool calls as they come in pieces. Servers disagree on how a piece says which call it belongs to:
//! by index (OpenAI), by id without an index (Mistral), or by neither, a whole call a piece; and some
//! number all calls 0.

use serde_json::{Value, json};

use super::EXTRA_CONTENT;
use super::chunk::ToolDelta;
use crate::{ErrorKind, Fault, ProviderEvent};

/// The most tool calls of one answer.
const MAX_CALLS: usize = 1_024;

/// The longest id of a call, in bytes. Some gateways hide a signature in it.
const MAX_ID_BYTES: usize = 8 << 10;

/// The longest name of a tool, in bytes.
const MAX_NAME_BYTES: usize = 256;

#[derive(Debug)]
struct Call {
    index: Option<u64>,
    id: Option<String>,
    named: bool,
    /// Whether what its maker needs back with it has come.
    extra: bool,
}

/// The calls of one answer so far; a call's place here is its index in our events.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

impl Calls {
    /// Whether there is any.
    pub(super) const fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Appends the events of a piece: more of the call, and what its maker needs back with it.
    pub(super) fn delta(
        &mut self,
        delta: ToolDelta,
        out: &mut Vec<ProviderEvent>,
    ) -> Result<(), Fault> {
        let (name, arguments) = delta
            .function
            .map_or((None, None), |function| (function.name, function.arguments));
        let id = delta.id.filter(|id| !id.is_empty());
        let name = name.filter(|name| !name.is_empty());
        check(id.as_deref(), MAX_ID_BYTES)?;
        check(name.as_deref(), MAX_NAME_BYTES)?;
        let place = self.place(delta.index, id.as_deref(), name.is_some())?;
        let count = self.0.len();
        let call = &mut self.0[place];
        let new_id = call.id.is_none() && id.is_some();
        if new_id {
            call.id.clone_from(&id);
        }
        let new_name = !call.named;
        call.named |= name.is_some();
        let extra = delta
            .extra_content
            .filter(|extra| !extra.is_empty() && !call.extra && place + 1 == count);
        call.extra |= extra.is_some();
        out.push(ProviderEvent::ToolCall {
            index: u32::try_from(place).unwrap_or(u32::MAX),
            id: id.filter(|_| new_id),
            name: name.filter(|_| new_name),
            arguments: match arguments {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text,
                Some(other) => other.to_string(),
            },
        });
        out.extend(extra.map(|extra| ProviderEvent::Blob(json!({ EXTRA_CONTENT: extra }))));
        Ok(())
    }

    fn place(&mut self, index: Option<u64>, id: Option<&str>, named: bool) -> Result<usize, Fault> {
        let known = match (index, id) {
            (Some(_), _) => self.0.iter().rposition(|call| call.index == index),
            (None, Some(id)) => self
                .0
                .iter()
                .rposition(|call| call.id.as_deref() == Some(id)),
            (None, None) => self.0.len().checked_sub(1),
        };
        let other_call = |call: &Call| match (id, &call.id) {
            (Some(id), Some(known)) => named && id != known,
            (None, _) => index.is_none() && named && call.named,
            (Some(_), None) => false,
        };
        if let Some(place) = known
            && !other_call(&self.0[place])
        {
            return Ok(place);
        }
        if self.0.len() == MAX_CALLS {
            return Err(Fault::new(
                ErrorKind::Interrupted,
                "the answer calls too many tools; ask again",
            )
            .with_code("too_large"));
        }
        self.0.push(Call {
            index,
            id: None,
            named: false,
            extra: false,
        });
        Ok(self.0.len() - 1)
    }
}

/// Refuses what is no id or name: it is stored, shown, and sent back.
fn check(name: Option<&str>, limit: usize) -> Result<(), Fault> {
    if name.is_none_or(|name| name.len() <= limit && !name.contains(char::is_control)) {
        return Ok(());
    }
    Err(Fault::new(
        ErrorKind::Interrupted,
        "the answer calls a tool by a name or an id that is none; ask again",
    )
    .with_code("invalid_tool_call"))
}
