//! What can go wrong between a provider and us: a table of faults, played to each wire by a server on
//! this machine, each with what must come of it. Whatever happens, text that had come is kept, the
//! answer ends once, and the error says what it is.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod bodies;
mod connections;
mod dialect;
mod hostile;
#[path = "../network/server.rs"]
#[expect(dead_code, reason = "the other tests of the network use the rest")]
mod server;
mod statuses;
mod streams;
mod tls;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use dialect::Dialect;
use futures::StreamExt;
use protocol::{AppError, Endpoint, ErrorAction, Part, Role, Secret, StopReason};
use providers::{
    ErrorKind, Http, Limits, Provider, ProviderError, ProviderEvent, Remote, Request,
    RequestMessage, Retries,
};
use server::{Server, Step};
use tokio_util::sync::CancellationToken;

const CANARY: &str = "sk-canary-3f9a1c77e0d24b58";

/// What the good part of every answer says.
const HELLO: &str = "Grüße, fish";

/// Which waits are short in a case: that which it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Haste {
    None,
    Connect,
    Headers,
    Idle,
    Eventless,
    Body,
    Closing,
    Bytes,
}

impl Haste {
    /// Waits that no case reaches by accident, but for the one; and retries without a pause.
    fn limits(self) -> Limits {
        let long = Duration::from_secs(30);
        let short = |haste| {
            if self == haste {
                Duration::from_millis(120)
            } else {
                long
            }
        };
        Limits {
            connect: short(Self::Connect),
            headers: short(Self::Headers),
            headers_local: short(Self::Headers),
            idle: short(Self::Idle),
            eventless: short(Self::Eventless),
            body: short(Self::Body),
            closing: short(Self::Closing),
            answer_bytes: if self == Self::Bytes {
                64 << 10
            } else {
                256 << 20
            },
            retries: Retries {
                first_wait: Duration::from_millis(1),
                longest_wait: Duration::from_millis(2),
                ..Retries::default()
            },
            ..Limits::default()
        }
    }
}

/// How a case must end.
#[derive(Clone, Debug, PartialEq)]
enum End {
    /// The answer is whole.
    Whole,
    /// It ends with an error of this kind; its code is ours, and named where the wires agree on it.
    Broken(ErrorKind, Option<&'static str>),
}

/// Where the server is.
#[derive(Clone, Debug)]
enum Place {
    /// At a port, where each connection is taken through the next script.
    Here(Vec<Vec<Step>>),
    /// The same, and every connection through the one script before anything was asked.
    Blunt(Vec<Step>),
    /// The same behind TLS that is not spoken there.
    Tls(Vec<Step>),
    /// Behind TLS with this certificate.
    Certified(tls::Certificate),
    /// Nowhere.
    Gone,
    /// At a name that no resolver takes.
    Unnamed,
}

/// A fault, and what must come of it.
#[derive(Clone, Debug)]
struct Case {
    name: &'static str,
    place: Place,
    haste: Haste,
    /// The text that must be kept.
    text: String,
    end: End,
    /// How many requests the server must have seen; `None` where it sees none that it could read.
    requests: Option<usize>,
    /// The wait that the error must name.
    retry_after: Option<Duration>,
}

impl Case {
    /// A server that does the same at every request, which must end so after one.
    fn new(name: &'static str, steps: Vec<Step>, end: End) -> Self {
        Self {
            name,
            place: Place::Here(vec![steps]),
            haste: Haste::None,
            text: String::new(),
            end,
            requests: Some(1),
            retry_after: None,
        }
    }

    /// One that must be asked three times.
    fn thrice(self) -> Self {
        Self {
            requests: Some(3),
            ..self
        }
    }

    /// One whose text must be kept.
    fn keeping(self, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..self
        }
    }

    fn in_haste(self, haste: Haste) -> Self {
        Self { haste, ..self }
    }

    fn waiting(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    /// One that is not reached by any request.
    fn at(self, place: Place) -> Self {
        Self {
            place,
            requests: None,
            ..self
        }
    }
}

fn broken(kind: ErrorKind, code: &'static str) -> End {
    End::Broken(kind, Some(code))
}

fn failed(kind: ErrorKind) -> End {
    End::Broken(kind, None)
}

fn send(text: impl Into<Vec<u8>>) -> Step {
    Step::Send(text.into())
}

/// An answer with these status line and headers, which closes its connection.
fn reply(head: &str, body: impl AsRef<[u8]>) -> Vec<Step> {
    let body = body.as_ref();
    let length = body.len();
    let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    vec![send([head.as_bytes(), body].concat())]
}

/// The head of an event stream that ends with its connection.
const STREAM: &str =
    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n";

/// Such a stream.
fn stream(body: impl AsRef<[u8]>) -> Vec<Step> {
    vec![send([STREAM.as_bytes(), body.as_ref()].concat())]
}

/// A piece now and then, for longer than any short wait.
fn trickle(piece: &str) -> Vec<Step> {
    let pause = Step::Silence(Duration::from_millis(30));
    std::iter::repeat_n([pause, send(piece)], 90)
        .flatten()
        .collect()
}

/// A server that takes every connection through the script before anything was asked.
async fn blunt(script: Vec<Step>) -> Server {
    Server::accepting(move |stream, signals| {
        let script = script.clone();
        async move { server::play(stream, script, &signals).await }
    })
    .await
}

/// What came of a case.
#[derive(Debug, PartialEq)]
struct Outcome {
    text: String,
    end: End,
    requests: Option<usize>,
    retry_after: Option<Duration>,
}

/// The clients, one for each haste: making one reads all certificates of the machine.
struct Clients(HashMap<Haste, Http>);

impl Clients {
    fn get(&mut self, haste: Haste) -> Http {
        let make = || Http::with_limits(haste.limits()).unwrap();
        self.0.entry(haste).or_insert_with(make).clone()
    }
}

/// Plays the case and says how it differs from what must come of it.
async fn play(dialect: &Dialect, case: Case, clients: &mut Clients) -> Option<String> {
    let url = |server: &Server, scheme: &str| server.base_url().replace("http", scheme);
    let (server, address) = match case.place.clone() {
        Place::Here(mut scripts) => {
            // One more than may be asked for, so that a request too many is seen.
            let last = scripts.last().unwrap().clone();
            let wanted = case.requests.unwrap_or(0) + 1;
            scripts.resize(wanted.max(scripts.len()), last);
            let server = Server::start(scripts).await;
            let address = server.base_url();
            (server, address)
        }
        Place::Blunt(steps) => {
            let server = blunt(steps).await;
            let address = server.base_url();
            (server, address)
        }
        Place::Tls(steps) => {
            let server = blunt(steps).await;
            let address = url(&server, "https");
            (server, address)
        }
        Place::Certified(certificate) => {
            let server = tls::server(certificate).await;
            let address = url(&server, "https");
            (server, address)
        }
        Place::Gone => {
            let address = Server::start(vec![]).await.stopped().await;
            (Server::start(vec![]).await, address)
        }
        Place::Unnamed => {
            let address = format!("http://{}.invalid/v1", "x".repeat(70));
            (Server::start(vec![]).await, address)
        }
    };
    let (text, end) = ask(dialect, &address, clients.get(case.haste), &server).await;
    let retry_after = end.as_ref().err().and_then(|error| error.retry_after);
    let found_code = end.as_ref().err().and_then(|error| error.code.clone());
    let end = match (&end, &case.end) {
        (Ok(_), _) => End::Whole,
        (Err(error), End::Broken(_, Some(code))) if found_code.as_deref() == Some(code) => {
            End::Broken(error.kind, Some(code))
        }
        (Err(error), _) => End::Broken(error.kind, None),
    };
    let found = Outcome {
        text,
        end,
        requests: case.requests.map(|_| server.requests().len()),
        retry_after,
    };
    let expected = Outcome {
        text: case.text,
        end: case.end,
        requests: case.requests,
        retry_after: case.retry_after,
    };
    (found != expected).then(|| {
        let shown = |outcome: &Outcome| {
            let text: String = outcome.text.chars().take(40).collect();
            let (end, requests, wait) = (&outcome.end, outcome.requests, outcome.retry_after);
            format!(
                "{text:?} ({} bytes) {end:?} {requests:?} {wait:?}",
                outcome.text.len()
            )
        };
        let wire = dialect.wire;
        let (found, expected) = (shown(&found), shown(&expected));
        format!(
            "{wire:?}, {}: {found} with code {found_code:?}, not {expected}",
            case.name
        )
    })
}

/// Asks, and returns the text and the end. A server that waits goes on when the first text came.
async fn ask(
    dialect: &Dialect,
    address: &str,
    http: Http,
    server: &Server,
) -> (String, Result<StopReason, ProviderError>) {
    let endpoint = Endpoint {
        id: "test".parse().unwrap(),
        name: "Test".to_owned(),
        base_url: address.to_owned(),
        wire: dialect.wire,
        needs_key: true,
        key: None,
        headers: Vec::new(),
    };
    let request = Request {
        model: "m".to_owned(),
        messages: vec![RequestMessage {
            role: Role::User,
            parts: vec![Part::text("hi")],
        }],
        ..Request::default()
    };
    let provider = Remote::new(&endpoint, http).unwrap();
    let key = Some(Secret::new(CANARY.to_owned()));
    let mut events = provider.stream(request, key, CancellationToken::new());
    let mut text = String::new();
    let mut end = None;
    while let Some(item) = events.next().await {
        assert!(end.is_none(), "nothing follows the end");
        match item {
            Ok(ProviderEvent::Text(more)) => {
                text += &more;
                server.release();
            }
            Ok(ProviderEvent::Finished { stop_reason }) => end = Some(Ok(stop_reason)),
            Ok(_) => {}
            Err(error) => {
                check(&error);
                end = Some(Err(error));
            }
        }
    }
    (text, end.expect("a stream ends with Finished or an error"))
}

/// What holds of every error: it is a line that says something, without the key, of bounded length,
/// and an action that waits says for how long.
fn check(error: &ProviderError) {
    assert!(!format!("{error} {error:?}").contains(CANARY), "{error:?}");
    assert!(error.message.len() > 10, "{error:?}");
    assert!(error.message.chars().count() <= 1_000, "{error:?}");
    assert!(!error.message.contains(char::is_control), "{error:?}");
    assert!(!error.message.contains('<'), "no markup: {error:?}");
    assert!(error.body.as_ref().is_none_or(|body| body.len() <= 4 << 10));
    let told = AppError::from(error.clone());
    let waits = told.action == Some(ErrorAction::Wait);
    assert!(!waits || told.retry_after_ms.is_some(), "{told:?}");
    assert_eq!(told.request_id, error.request_id);
}

/// Every fault of the table.
fn cases(dialect: &Dialect) -> Vec<Case> {
    [
        connections::cases(dialect),
        statuses::cases(dialect),
        bodies::cases(dialect),
        streams::cases(dialect),
        hostile::cases(dialect),
    ]
    .concat()
}

async fn survives(dialect: Dialect) {
    let mut clients = Clients(HashMap::new());
    let mut wrong = Vec::new();
    let cases = cases(&dialect);
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(
        names.len(),
        cases.len(),
        "every fault has a name of its own"
    );
    assert!(cases.len() >= 100, "{} kinds of fault", cases.len());
    for case in cases {
        let name = case.name;
        let played = play(&dialect, case, &mut clients);
        match tokio::time::timeout(Duration::from_secs(20), played).await {
            Ok(difference) => wrong.extend(difference),
            Err(_) => wrong.push(format!("{:?}, {name}: it hangs", dialect.wire)),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test]
async fn chat_survives_every_fault() {
    survives(dialect::chat()).await;
}

#[tokio::test]
async fn responses_survives_every_fault() {
    survives(dialect::responses()).await;
}

#[tokio::test]
async fn messages_survives_every_fault() {
    survives(dialect::messages()).await;
}

#[tokio::test]
async fn gemini_survives_every_fault() {
    survives(dialect::gemini()).await;
}
