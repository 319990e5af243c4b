//! A server whose answers were written beforehand, for pictures and for tests of the window's
//! manners: what is shown there must not hang on what a small model makes up. It calls itself what
//! it is.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::App;

/// The model as the picker names it.
pub const MODEL: &str = "prepared/prepared";

/// A question, and an answer with everything that an answer may hold.
pub const QUESTION: &str = "How fast is binary search, and how do I write it in Rust?";
/// The code in the answer to [`QUESTION`].
pub const CODE: &str = "fn find(sorted: &[u32], wanted: u32) -> Option<usize> {
    let at = sorted.partition_point(|&entry| entry < wanted);
    (sorted.get(at) == Some(&wanted)).then_some(at)
}
";
/// A question whose answer begins and then waits until nobody wants it any more.
pub const SLOWLY: &str = "Tell me slowly how a pilot fish lives.";
/// A question whose answer breaks off.
pub const BROKEN: &str = "Why do ships have pilots? Break off in the middle.";
/// A question with a short answer.
pub const SHORTLY: &str = "Why is the sky blue?";

const TRUE_FACTS: &str = "Pilot fish swim with sharks, rays and turtles. They eat the parasites on \
    them and what is left of their meals, and no shark eats its pilot.\n\n";
const SKY: &str = "Air scatters **short waves** far more than long ones: by $1/\\lambda^4$. So blue \
    light reaches you from all over the sky, and red light mostly straight from the sun.";

/// The running server; it ends when it is dropped.
pub struct Prepared {
    address: SocketAddr,
    desk: Arc<Desk>,
    server: Option<JoinHandle<()>>,
}

/// What its connections share.
struct Desk {
    closed: AtomicBool,
    /// Answers that are held back wait here until the server ends.
    lock: Mutex<()>,
    closing: Condvar,
}

impl Prepared {
    /// Starts the server on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        let desk = Arc::new(Desk {
            closed: AtomicBool::new(false),
            lock: Mutex::new(()),
            closing: Condvar::new(),
        });
        let shared = Arc::clone(&desk);
        let server = thread::spawn(move || serve(&listener, &shared));
        Self {
            address,
            desk,
            server: Some(server),
        }
    }

    /// Adds it to the application as a person would, and chooses its model for new chats.
    pub async fn add_to(&self, app: &App) {
        app.click("settings-button").await;
        app.click("settings-tab-endpoints").await;
        app.click("endpoint-add").await;
        app.type_into("endpoint-name", "Prepared").await;
        app.type_into("endpoint-url", &format!("http://{}/v1", self.address))
            .await;
        app.click("endpoint-save").await;
        let row = "[data-testid=endpoint-row][data-provider=prepared]";
        app.click_on(&format!("{row} [data-testid=endpoint-test]"))
            .await;
        app.found(&format!("{row} [data-testid=endpoint-result]"))
            .await;
        app.close_settings().await;
        app.pick(MODEL).await;
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        {
            let _held = self
                .desk
                .lock
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            self.desk.closed.store(true, Ordering::SeqCst);
        }
        self.desk.closing.notify_all();
        // The listener sees that it is closed with the next one who comes.
        drop(TcpStream::connect(self.address));
        if let Some(server) = self.server.take() {
            drop(server.join());
        }
    }
}

fn serve(listener: &TcpListener, desk: &Desk) {
    thread::scope(|connections| {
        for stream in listener.incoming() {
            if desk.closed.load(Ordering::SeqCst) {
                return;
            }
            if let Ok(stream) = stream {
                // Who hangs up in the middle of an answer is no failure of the server.
                connections.spawn(move || drop(answer(stream, desk)));
            }
        }
    });
}

fn answer(mut stream: TcpStream, desk: &Desk) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let (line, body) = request(&stream)?;
    if line.starts_with("GET ") {
        let list = json!({ "object": "list", "data": [{ "id": "prepared", "object": "model" }] });
        let list = list.to_string();
        return write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{list}",
            list.len()
        );
    }
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n",
    )?;
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let asked = messages.last().map_or("", |last| text(&last["content"]));
    // The engine may put words of its own around the question.
    if asked.contains(SLOWLY) {
        say(&mut stream, TRUE_FACTS)?;
        let held = desk.lock.lock().unwrap_or_else(PoisonError::into_inner);
        drop(
            desk.closing
                .wait_while(held, |()| !desk.closed.load(Ordering::SeqCst)),
        );
        return Ok(());
    }
    if asked.contains(BROKEN) {
        return say(
            &mut stream,
            "A pilot knows the sandbanks of one harbour, and ",
        );
    }
    if asked.contains(SHORTLY) {
        say(&mut stream, SKY)?;
    } else {
        say(&mut stream, &binary_search())?;
    }
    let usage = json!({ "prompt_tokens": 31, "completion_tokens": 214, "total_tokens": 245 });
    event(&mut stream, json!({}), Some("stop"), Some(usage))?;
    stream.write_all(b"data: [DONE]\n\n")
}

/// The content of a message, as a plain text or as a list of one.
fn text(content: &Value) -> &str {
    content
        .as_str()
        .or_else(|| content[0]["text"].as_str())
        .unwrap_or_default()
}

fn binary_search() -> String {
    format!(
        "Each step halves what is left, so a million entries need only 20 steps:\n\n\
         $$\\text{{steps}}(n) = \\left\\lceil \\log_2 (n + 1) \\right\\rceil$$\n\n\
         ```rust\n{CODE}```\n\n\
         | Entries | Steps | One by one, at worst |\n\
         |--------:|------:|---------------------:|\n\
         | 1,000 | 10 | 1,000 |\n\
         | 1,000,000 | 20 | 1,000,000 |\n\n\
         The entries must be in order; [`sort_unstable`]\
         (https://doc.rust-lang.org/std/primitive.slice.html#method.sort_unstable) does that once.\n"
    )
}

/// The first line of a request, and its body as JSON.
fn request(stream: &TcpStream) -> io::Result<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((first, serde_json::from_slice(&body).unwrap_or_default()))
}

/// Says a text word by word, as models do.
fn say(stream: &mut TcpStream, text: &str) -> io::Result<()> {
    for word in text.split_inclusive(' ') {
        event(stream, json!({ "content": word }), None, None)?;
    }
    Ok(())
}

fn event(
    stream: &mut TcpStream,
    delta: Value,
    finish: Option<&str>,
    usage: Option<Value>,
) -> io::Result<()> {
    let chunk = json!({
        "id": "prepared",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "prepared",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
        "usage": usage,
    });
    write!(stream, "data: {chunk}\n\n")?;
    stream.flush()
}
