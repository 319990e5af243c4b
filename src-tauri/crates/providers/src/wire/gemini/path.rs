//! Arguments that come as values at paths (`$.recipe.steps[2]`), put together into the JSON that they
//! form. Of JSONPath only what names one place is known: names and numbers.

use serde_json::{Map, Value};

use crate::{ErrorKind, Fault};

/// The most steps of a path: JSON that is deeper could not be read back by everyone.
const MAX_STEPS: usize = 32;

/// How far ahead of a list's end a value may be set. What stands between is `null`: a provider does
/// not stream what is empty.
const MAX_GAP: usize = 16;

/// The most that the pieces of one call may hold, in bytes of their paths and their values.
const MAX_BYTES: usize = 8 << 20;

/// What one value weighs at least, in bytes.
const VALUE_BYTES: usize = 32;

/// The arguments of one call so far.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    /// `null` until there is any.
    root: Value,
    bytes: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Number(usize),
}

impl Arguments {
    /// Takes arguments that came whole.
    pub(super) fn give(&mut self, given: &Value) {
        match (&mut self.root, given) {
            (Value::Object(known), Value::Object(given)) => known.extend(given.clone()),
            (root, given) => *root = given.clone(),
        }
    }

    /// Sets the value of a piece at its path; a text is added to the text that stands there.
    pub(super) fn set(&mut self, piece: &Value) -> Result<(), Fault> {
        let path = piece.get("jsonPath").and_then(Value::as_str);
        let path = path.ok_or_else(|| invalid("a piece has no path"))?;
        let more = piece.get("stringValue").and_then(Value::as_str);
        let value = ["numberValue", "boolValue"]
            .iter()
            .find_map(|name| piece.get(name).cloned())
            .or_else(|| piece.get("nullValue").map(|_| Value::Null));
        self.weigh(path.len() + more.map_or(0, str::len) + VALUE_BYTES)?;
        let steps = steps(path).ok_or_else(|| invalid("a path cannot be read"))?;
        if more.is_none() && value.is_none() {
            return Ok(());
        }
        let place = self.place(&steps)?;
        match (more, place, value) {
            (Some(more), Value::String(text), _) => text.push_str(more),
            (Some(more), place, _) => *place = Value::String(more.to_owned()),
            (None, place, value) => *place = value.unwrap_or_default(),
        }
        Ok(())
    }

    /// The arguments as JSON; without any, an empty object.
    pub(super) fn into_json(self) -> String {
        match self.root {
            Value::Null => "{}".to_owned(),
            // A proxy may hand on what it was given as a text.
            Value::String(text) => text,
            root => root.to_string(),
        }
    }

    fn weigh(&mut self, bytes: usize) -> Result<(), Fault> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_BYTES {
            return Err(Fault::new(
                ErrorKind::Interrupted,
                "the answer calls a tool with too much; ask again",
            )
            .with_code("too_large"));
        }
        Ok(())
    }

    fn place(&mut self, steps: &[Step]) -> Result<&mut Value, Fault> {
        let mut gaps = 0;
        let mut place = &mut self.root;
        for step in steps {
            if place.is_null() {
                *place = match step {
                    Step::Name(_) => Value::Object(Map::new()),
                    Step::Number(_) => Value::Array(Vec::new()),
                };
            }
            place = match (step, place) {
                (Step::Name(name), Value::Object(fields)) => {
                    fields.entry(name.as_str()).or_insert(Value::Null)
                }
                (Step::Number(number), Value::Array(list)) => {
                    if *number > list.len() + MAX_GAP {
                        return Err(invalid("a list has too wide a gap"));
                    }
                    gaps += (number + 1).saturating_sub(list.len());
                    if *number >= list.len() {
                        list.resize(number + 1, Value::Null);
                    }
                    &mut list[*number]
                }
                _ => return Err(invalid("a value stands where a path goes on")),
            };
        }
        self.bytes = self.bytes.saturating_add(gaps * VALUE_BYTES);
        Ok(place)
    }
}

/// The steps of a path; `None` when it names no single place.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let step;
        (step, rest) = if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, rest) = name.split_at(end);
            let single = !name.is_empty() && name != "*";
            (single.then(|| Step::Name(name.to_owned()))?, rest)
        } else {
            let inner = rest.strip_prefix('[')?;
            match inner.chars().next()? {
                quote @ ('\'' | '"') => quoted(&inner[1..], quote)?,
                _ => {
                    let (number, rest) = inner.split_once(']')?;
                    (Step::Number(number.parse().ok()?), rest)
                }
            }
        };
        steps.push(step);
        if steps.len() > MAX_STEPS {
            return None;
        }
    }
    Some(steps)
}

/// A name up to its closing quote and bracket, and what follows.
fn quoted(text: &str, quote: char) -> Option<(Step, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next()?.1 {
                'n' => name.push('\n'),
                't' => name.push('\t'),
                other => name.push(other),
            },
            c if c == quote => {
                let rest = text[at + c.len_utf8()..].strip_prefix(']')?;
                return Some((Step::Name(name), rest));
            }
            c => name.push(c),
        }
    }
    None
}

fn invalid(why: &str) -> Fault {
    Fault::new(
        ErrorKind::Interrupted,
        format!("the arguments of a tool could not be put together ({why}); ask again"),
    )
    .with_code("invalid_tool_call")
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    use super::{Arguments, MAX_BYTES, Step, steps};

    fn json(pieces: &[Value]) -> Value {
        let mut arguments = Arguments::default();
        for piece in pieces {
            arguments.set(piece).unwrap();
        }
        serde_json::from_str(&arguments.into_json()).unwrap()
    }

    #[test]
    fn values_stand_at_their_paths() {
        assert_eq!(json(&[]), json!({}));
        assert_eq!(
            json(&[
                json!({ "jsonPath": "$.a[0].b", "stringValue": "on", "willContinue": true }),
                json!({ "jsonPath": "$.a[0].b", "stringValue": "e" }),
                json!({ "jsonPath": "$.a[2]", "numberValue": 0.5 }),
                json!({ "jsonPath": "$['x.y']", "boolValue": true }),
                json!({ "jsonPath": "$[\"q\\\"\"]", "nullValue": "NULL_VALUE" }),
                json!({ "jsonPath": "$.later", "willContinue": true }),
            ]),
            json!({ "a": [{ "b": "one" }, null, 0.5], "x.y": true, "q\"": null })
        );
    }

    #[test]
    fn paths_that_name_no_place_are_refused() {
        for path in [
            "", "a", "$a", "$.", "$..a", "$.*", "$[*]", "$[1", "$['a", "$['a'", "$[-1]", "$[1:2]",
        ] {
            assert_eq!(steps(path), None, "{path}");
        }
        assert_eq!(
            steps("$.a-b[10]['c']"),
            Some(vec![
                Step::Name("a-b".into()),
                Step::Number(10),
                Step::Name("c".into())
            ])
        );
        assert_eq!(steps(&"$.a".repeat(40).replace("a$", "a")), None);
    }

    #[test]
    fn hostile_pieces_are_refused() {
        let mut arguments = Arguments::default();
        let mut set = |piece: Value| arguments.set(&piece).map_err(|fault| fault.code.unwrap());
        assert_eq!(
            set(json!({ "jsonPath": "$.a", "stringValue": "x" })),
            Ok(())
        );
        for piece in [
            json!({ "jsonPath": "$.a.b", "stringValue": "x" }),
            json!({ "jsonPath": "$.l[4000000000]", "numberValue": 1 }),
            json!({ "stringValue": "x" }),
            json!("x"),
        ] {
            assert_eq!(set(piece), Err("invalid_tool_call".into()));
        }
        let long = "x".repeat(MAX_BYTES / 2);
        let long = json!({ "jsonPath": "$.a", "stringValue": long });
        assert_eq!(set(long.clone()), Ok(()));
        assert_eq!(set(long), Err("too_large".into()));
    }
}
