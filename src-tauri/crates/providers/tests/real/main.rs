//! Programs that others wrote to be, or to play, a provider: a llama.cpp server, `llmock`, which
//! breaks off on demand and judges how it was taken, and `aimock`, which says what it was told to.
//! Our own scripted servers share our reading of the wires; these do not. `scripts/test` installs
//! them and names them; a test whose server is not named says so and is skipped.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod aimock;
mod answer;
mod llmock;
mod peer;
mod server;
mod thinking;

use std::time::Duration;

use protocol::{Endpoint, Header, Part, Role, Secret, Wire};
use providers::{Http, Limits, Remote, Request, RequestMessage, Retries, Tool, builtin_endpoints};
use serde_json::json;

/// Waits that no test reaches by accident, and short pauses before a request is sent again.
fn limits() -> Limits {
    let patient = Duration::from_secs(120);
    Limits {
        headers: patient,
        headers_local: patient,
        headers_list: patient,
        idle: patient,
        retries: Retries {
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(1),
            ..Retries::default()
        },
        ..Limits::default()
    }
}

/// A client, to be shared: making one reads all certificates of the machine.
fn client() -> Http {
    Http::with_limits(limits()).unwrap()
}

/// The built-in provider of that name, or one of a person's own, at another address.
fn remote(id: &str, base_url: &str, wire: Wire, headers: Vec<Header>, http: &Http) -> Remote {
    let own = Endpoint {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        base_url: String::new(),
        wire,
        needs_key: true,
        key: None,
        headers: Vec::new(),
    };
    let known = builtin_endpoints()
        .into_iter()
        .find(|known| known.id == own.id);
    let endpoint = Endpoint {
        base_url: base_url.to_owned(),
        wire,
        headers,
        ..known.unwrap_or(own)
    };
    Remote::new(&endpoint, http.clone()).unwrap()
}

fn key() -> Option<Secret<String>> {
    Some(Secret::new("sk-not-a-key".to_owned()))
}

fn message(role: Role, parts: Vec<Part>) -> RequestMessage {
    RequestMessage { role, parts }
}

fn user(text: &str) -> RequestMessage {
    message(Role::User, vec![Part::text(text)])
}

fn request(model: &str, text: &str) -> Request {
    Request {
        model: model.to_owned(),
        messages: vec![user(text)],
        ..Request::default()
    }
}

/// A tool that tells the weather.
fn weather() -> Tool {
    Tool {
        name: "get_weather".to_owned(),
        description: "Tells the weather in a city.".to_owned(),
        schema: json!({
            "type": "object",
            "properties": { "city": { "type": "string" } },
            "required": ["city"],
        }),
    }
}

/// What a tool says to each of the calls among the parts.
fn results(parts: &[Part], content: &str, is_error: bool) -> RequestMessage {
    let results = parts.iter().filter_map(|part| match part {
        Part::ToolCall { id, .. } => Some(Part::ToolResult {
            call_id: id.clone(),
            content: content.to_owned(),
            is_error,
        }),
        _ => None,
    });
    message(Role::User, results.collect())
}
