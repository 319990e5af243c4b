//! What the engine adds to a streamed answer: the same server on this machine is read by a bare
//! reqwest client, which looks at nothing, and through [`Engine::send`] to the stored end, in turns.
//! `scripts/bench` runs it; it prints one line of JSON.
//!
//! A chunk's cost is the wall time of a long stream by its number of chunks, with a server that
//! writes a few chunks at a time and as fast as it can: wall time, because the engine's work is
//! spread over threads and what counts is when the text is there. A bare client may be faster than
//! the server; its figure is the server's then. The engine's begins when the question is stored,
//! and ends with the last of the text, as whoever follows the turn gets it.
//!
//! The first token's time begins with the call and ends with the first of the text; for the bare
//! client, with the first bytes of the body. The engine stores a question before it sends it, which
//! waits for the disk; what that alone takes is measured in a store of its own.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use engine::{Config, Engine, Paths, TurnUpdate, WorkerCommand};
use protocol::{EndpointDraft, Fit, ModelRef, Part, SendMessage, Wire};
use serde_json::{Value, json};
use store::{Opened, Question, Store};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vault::SessionKeys;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Chunks of the long stream: several MiB, and below every limit.
const CHUNKS: usize = 20_000;

/// How often the long stream is read by each side.
const STREAMS: usize = 7;

/// How often the first token is awaited by each side.
const FIRSTS: usize = 60;

/// Chunks that the server writes at once: few, as tokens come.
const BATCH: usize = 4;

/// The text of a chunk.
const TOKEN: &str = " word";

const QUESTION: &str = "What is the capital of France, and since when?";

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

fn main() -> Outcome<()> {
    let closing = CancellationToken::new();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let until = closing.clone();
    let server = thread::spawn(move || serve(listener, &until));
    let measured = runtime::Runtime::new()?.block_on(async move {
        // On a worker, as the engine's turns are: the main thread is woken by another.
        let mut measuring = JoinSet::new();
        measuring.spawn(measure(address));
        measuring.join_next().await
    });
    closing.cancel();
    server.join().map_err(|_| "the server broke")??;
    let measured = measured.ok_or("nothing was measured")???;
    writeln!(io::stdout().lock(), "{measured}")?;
    Ok(())
}

/// Both sides in turns. The first round of each finds everything cold and is not counted.
async fn measure(address: SocketAddr) -> Outcome<Value> {
    let home = TempDir::new()?;
    let (ours, provider) = open(&home, address).await?;
    let bare = Bare {
        client: reqwest::Client::builder().no_proxy().build()?,
        url: format!("http://{address}/v1/chat/completions"),
    };
    let beside = TempDir::new()?;
    let Opened::Ready(store) = Store::open(beside.path()).await? else {
        return Err("an empty folder is no store".into());
    };

    let (mut chunk, mut bare_chunk) = (Vec::new(), Vec::new());
    for round in 0..=STREAMS {
        let theirs = bare.read(CHUNKS).await?;
        let through = read(&ours, &provider, CHUNKS).await?;
        if round > 0 {
            bare_chunk.push(theirs.whole);
            chunk.push(through.whole);
        }
    }
    let (mut first, mut bare_first, mut commit) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=FIRSTS {
        let theirs = bare.read(1).await?;
        let through = read(&ours, &provider, 1).await?;
        let alone = ask(&store, &provider).await?;
        if round > 0 {
            bare_first.push(theirs.first);
            first.push(through.first);
            commit.push(alone);
        }
    }
    ours.shutdown().await;
    store.close().await;
    let chunks = CHUNKS as u128;
    Ok(json!({
        "chunk_ns": median(chunk).as_nanos() / chunks,
        "bare_chunk_ns": median(bare_chunk).as_nanos() / chunks,
        "first_us": median(first).as_micros(),
        "bare_first_us": median(bare_first).as_micros(),
        "commit_us": median(commit).as_micros(),
    }))
}

/// An engine in an empty home, and the name under which it knows the server.
async fn open(home: &TempDir, address: SocketAddr) -> Outcome<(Engine, String)> {
    let engine = Engine::open(Config {
        home: Paths::under(home.path()),
        worker: WorkerCommand {
            program: home.path().join("no-worker"),
            args: Vec::new(),
        },
        keys: Arc::new(SessionKeys::default()),
    })
    .await?;
    let draft = EndpointDraft {
        id: None,
        name: "Loopback".to_owned(),
        base_url: format!("http://{address}/v1"),
        needs_key: false,
        wire: Wire::Chat,
        headers: Vec::new(),
    };
    let endpoint = engine.save_endpoint(draft).await?;
    Ok((engine, endpoint.id.to_string()))
}

/// The model that answers in so many chunks.
fn model(provider: &str, chunks: usize) -> Outcome<ModelRef> {
    Ok(format!("{provider}/{chunks}").parse()?)
}

/// How long an answer took.
struct Took {
    /// From the call to the first of it.
    first: Duration,
    /// From the request to the last of it.
    whole: Duration,
}

/// A client that reads and looks at nothing.
struct Bare {
    client: reqwest::Client,
    url: String,
}

impl Bare {
    async fn read(&self, chunks: usize) -> Outcome<Took> {
        let body = json!({
            "model": chunks.to_string(),
            "messages": [{ "role": "user", "content": QUESTION }],
            "stream": true,
        });
        let start = Instant::now();
        let mut response = self.client.post(&self.url).json(&body).send().await?;
        let mut first = None;
        while response.chunk().await?.is_some() {
            first.get_or_insert_with(|| start.elapsed());
        }
        Ok(Took {
            first: first.ok_or("the bare client got nothing")?,
            whole: start.elapsed(),
        })
    }
}

/// Asks through the engine, and follows the turn to its stored end.
async fn read(engine: &Engine, provider: &str, chunks: usize) -> Outcome<Took> {
    let question = SendMessage {
        conversation_id: None,
        text: QUESTION.to_owned(),
        model: Some(model(provider, chunks)?),
        effort: None,
        fit: Fit::default(),
    };
    let start = Instant::now();
    let started = engine.send(question).await?;
    let stored = start.elapsed();
    let mut stream = engine
        .attach(started.message_id)
        .ok_or("the answer was over before it was followed")?;
    let (mut first, mut last, mut length) = (None, stored, 0);
    while let Some(updates) = stream.next().await {
        for update in updates {
            match update {
                TurnUpdate::Delta { text, .. } => {
                    last = start.elapsed();
                    first.get_or_insert(last);
                    length += text.len();
                }
                TurnUpdate::Failed { error, .. } => return Err(error.into()),
                _ => {}
            }
        }
    }
    if length != chunks * TOKEN.len() {
        return Err(format!("{length} bytes came of {chunks} chunks").into());
    }
    Ok(Took {
        first: first.ok_or("the engine got nothing")?,
        whole: last.saturating_sub(stored),
    })
}

/// How long it takes to store a question, and nothing else.
async fn ask(store: &Store, provider: &str) -> Outcome<Duration> {
    let words = vec![Part::text(QUESTION.to_owned())];
    let model = model(provider, 1)?;
    let start = Instant::now();
    store.ask(Question::First(words), &model, 0).await?;
    Ok(start.elapsed())
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort();
    took.get(took.len() / 2).copied().unwrap_or_default()
}

/// Answers on a thread and a runtime of its own, so that it takes no turns from either reader.
fn serve(listener: std::net::TcpListener, closing: &CancellationToken) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let mut connections = JoinSet::new();
        while let Some(accepted) = closing.run_until_cancelled(listener.accept()).await {
            let (socket, _) = accepted?;
            // A reader that goes when it has the end is no failure.
            connections.spawn(async move { drop(answer(socket).await) });
        }
        Ok(())
    })
}

/// Answers one request after the other, each in as many chunks as its model is called.
async fn answer(mut socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let event = event(&json!({ "content": TOKEN }), &Value::Null);
    let batch = event.repeat(BATCH);
    let end = event_end();
    let mut asked = Vec::new();
    while socket.read_buf(&mut asked).await? > 0 {
        let Some(chunks) = chunks_of(&asked) else {
            continue;
        };
        asked.clear();
        socket.write_all(HEAD.as_bytes()).await?;
        let mut left = chunks;
        while left > 0 {
            let now = left.min(BATCH);
            let bytes = batch.as_bytes().get(..now * event.len());
            socket.write_all(bytes.unwrap_or_default()).await?;
            left -= now;
        }
        socket.write_all(end.as_bytes()).await?;
    }
    Ok(())
}

/// How many chunks a request wants; `None` while it is not whole.
fn chunks_of(request: &[u8]) -> Option<usize> {
    let (_, body) = str::from_utf8(request).ok()?.split_once("\r\n\r\n")?;
    let body: Value = serde_json::from_str(body).ok()?;
    body.get("model")?.as_str()?.parse().ok()
}

/// An event of Chat Completions as large as it is in life, in an HTTP chunk of its own.
fn event(delta: &Value, finish_reason: &Value) -> String {
    framed(&json!({
        "id": "chatcmpl-CkVq3o8vVnJmW1xT5yRZ0aBcDeFgH",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": "a-model-2026-09-01",
        "system_fingerprint": "fp_4f2a9c71e0",
        "choices": [{
            "index": 0,
            "delta": delta,
            "logprobs": null,
            "finish_reason": finish_reason,
        }],
        "usage": null,
    }))
}

/// What follows the text, to the end of the body.
fn event_end() -> String {
    let stop = event(&json!({}), &json!("stop"));
    let usage = framed(&json!({
        "id": "chatcmpl-CkVq3o8vVnJmW1xT5yRZ0aBcDeFgH",
        "choices": [],
        "usage": { "prompt_tokens": 20, "completion_tokens": 20, "total_tokens": 40 },
    }));
    format!("{stop}{usage}e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
}

fn framed(data: &Value) -> String {
    let event = format!("data: {data}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len())
}
