//! Hostile answers in the real window: what has run or loaded something elsewhere is shown, and
//! nothing runs, nothing is loaded, nothing is asked and nobody is sent anywhere.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{App, SOON};
use crate::desktop::Desktop;
use crate::until;

use forms::FORMS;

#[path = "../../src-tauri/crates/markdown/tests/safety/forms.rs"]
mod forms;

/// Stands at the end of the answer.
const END: &str = "That is all of them.";

#[tokio::test]
async fn a_hostile_answer_runs_and_loads_nothing() {
    let desktop = Desktop::open("safety").await;
    let sink = Sink::start();
    let app = App::start(&desktop).await;
    app.past_welcome().await;
    sink.add_to(&app).await;
    watch(&app).await;
    app.ask("Show me all of them.").await;
    app.answered("complete", |text| text.contains(END)).await;
    assert_calm(&app, &sink).await;
    app.quit().await;

    // The stored answer, as it is shown at once.
    let app = App::start(&desktop).await;
    watch(&app).await;
    app.click("conversation-item").await;
    app.answered("complete", |text| text.contains(END)).await;
    assert_calm(&app, &sink).await;
    app.quit().await;
}

/// Counts what the page is asked to say from now on; a page that is left forgets the count.
async fn watch(app: &App) {
    app.run(
        "window.watched = { address: location.href, dialogs: 0 };\
         for (const name of ['alert', 'confirm', 'prompt', 'open', 'print']) {\
           window[name] = () => { window.watched.dialogs += 1; return null; };\
         }",
    )
    .await;
}

/// Touches everything in the answer and looks at what came of it.
async fn assert_calm(app: &App, sink: &Sink) {
    let odd = app
        .run(
            "const parts = [...document.querySelectorAll('.prose, .prose *')];\
             for (const part of parts) {\
               for (const type of ['mouseover', 'mouseenter', 'pointerdown', 'animationstart']) {\
                 part.dispatchEvent(new Event(type, { bubbles: true }));\
               }\
               part.focus?.();\
             }\
             const loads = 'script, img, iframe, object, embed, video, audio, source, link, style, \
               svg, base, meta, form, template, frame';\
             return parts.filter(part => part.matches(loads) || [...part.attributes].some(({ name }) => \
               /^on|^(src|srcset|srcdoc|href|xlink:href|style|action|formaction|ping|background)$/\
                 .test(name))).map(part => part.outerHTML.slice(0, 200));",
        )
        .await;
    assert_eq!(odd, json!([]), "what loads or runs is not there");
    let watched = app
        .page
        .execute_async(
            "const done = arguments[arguments.length - 1];\
             requestAnimationFrame(() => requestAnimationFrame(() => \
               setTimeout(() => done([window.watched?.dialogs ?? 'left', \
                 window.watched?.address === location.href]))));",
            Vec::new(),
        )
        .await
        .expect("the page's answer");
    assert_eq!(watched, json!([0, true]), "no dialog, and the page stays");
    assert_eq!(sink.strangers().await, 0, "nobody has asked for anything");
}

/// A model's server that answers with all the forms, and counts who asks it for anything else.
struct Sink {
    address: SocketAddr,
    desk: Arc<Desk>,
    server: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Desk {
    closed: AtomicBool,
    strangers: AtomicUsize,
    checks: AtomicUsize,
}

impl Sink {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        let desk = Arc::new(Desk::default());
        let shared = Arc::clone(&desk);
        let server = thread::spawn(move || serve(&listener, &shared));
        Self {
            address,
            desk,
            server: Some(server),
        }
    }

    async fn add_to(&self, app: &App) {
        app.click("settings-button").await;
        app.click("settings-tab-endpoints").await;
        app.click("endpoint-add").await;
        app.type_into("endpoint-name", "Forms").await;
        app.type_into("endpoint-url", &format!("http://{}/v1", self.address))
            .await;
        app.click("endpoint-save").await;
        let row = "[data-testid=endpoint-row][data-provider=forms]";
        app.click_on(&format!("{row} [data-testid=endpoint-test]"))
            .await;
        app.found(&format!("{row} [data-testid=endpoint-result]"))
            .await;
        app.close_settings().await;
        app.pick("forms/forms").await;
    }

    /// How many have asked for something that is no model's: all that came before now.
    async fn strangers(&self) -> usize {
        let before = self.desk.checks.load(Ordering::SeqCst);
        let mut stream = TcpStream::connect(self.address).expect("the sink");
        stream
            .write_all(b"GET /check HTTP/1.1\r\n\r\n")
            .expect("a check");
        until("the sink has seen all", SOON, async || {
            self.desk.checks.load(Ordering::SeqCst) > before
        })
        .await;
        self.desk.strangers.load(Ordering::SeqCst)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.desk.closed.store(true, Ordering::SeqCst);
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
            if let (Ok(stream), Ok(address)) = (stream, listener.local_addr()) {
                connections.spawn(move || drop(answer(stream, desk, address)));
            }
        }
    });
}

fn answer(mut stream: TcpStream, desk: &Desk, address: SocketAddr) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let line = request(&stream)?;
    match line.split(' ').nth(1).unwrap_or_default() {
        "/check" => {
            desk.checks.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
        "/v1/models" => {
            let list = json!({ "object": "list", "data": [{ "id": "forms", "object": "model" }] });
            let list = list.to_string();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{list}",
                list.len()
            )
        }
        path if path.starts_with("/v1/") => {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n",
            )?;
            let text: Vec<char> = forms(address).chars().collect();
            for piece in text.chunks(200) {
                let piece: String = piece.iter().collect();
                event(&mut stream, &json!({ "content": piece }), None)?;
            }
            event(&mut stream, &json!({}), Some("stop"))?;
            stream.write_all(b"data: [DONE]\n\n")
        }
        _ => {
            desk.strangers.fetch_add(1, Ordering::SeqCst);
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        }
    }
}

/// All the forms, each in a quote so that none swallows the next, and all that call elsewhere call
/// the sink.
fn forms(sink: SocketAddr) -> String {
    let mut text = String::new();
    for form in FORMS {
        let form = form
            .replace("https://evil.example", &format!("http://{sink}"))
            .replace("evil.example", &sink.to_string());
        text.push_str("> ");
        text.push_str(&form.replace('\n', "\n> "));
        text.push_str("\n\n");
    }
    text + END
}

/// The first line of a request, which is read whole.
fn request(stream: &TcpStream) -> io::Result<String> {
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
    reader.read_exact(&mut vec![0; length])?;
    Ok(first)
}

fn event(stream: &mut TcpStream, delta: &Value, finish: Option<&str>) -> io::Result<()> {
    let chunk = json!({
        "id": "forms",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "forms",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
    });
    write!(stream, "data: {chunk}\n\n")?;
    stream.flush()
}
