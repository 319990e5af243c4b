//! A provider that speaks Chat Completions over a real socket, word by word as the test has it,
//! and an engine that knows it.

use std::sync::Arc;

use engine::{Change, Config, Engine, Paths, TurnStream, TurnUpdate, WorkerCommand};
use protocol::{
    ConversationId, Endpoint, EndpointDraft, Fit, MessageId, MessageView, ModelRef, PartView,
    SendMessage, TurnStarted, Wire,
};
use serde_json::{Value, json};
use store::{Opened, Store};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use vault::{KeyStore, SessionKeys};

/// A server whose every request waits for the test.
pub(crate) struct Server {
    pub(crate) base_url: String,
    calls: mpsc::UnboundedReceiver<Call>,
    _accepting: JoinSet<()>,
}

/// A request that waits for its answer.
pub(crate) struct Call {
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: Value,
    socket: TcpStream,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (sender, calls) = mpsc::unbounded_channel();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                if let Some(call) = Call::read(socket).await {
                    let _ = sender.send(call);
                }
            }
        });
        Self {
            base_url,
            calls,
            _accepting: accepting,
        }
    }

    pub(crate) async fn call(&mut self) -> Call {
        self.calls.recv().await.unwrap()
    }

    /// Whether nothing was asked that the test has not taken.
    pub(crate) fn is_quiet(&self) -> bool {
        self.calls.is_empty()
    }
}

impl Call {
    async fn read(mut socket: TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if socket.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let length = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, value)| value.parse().unwrap());
        while bytes.len() < end + length {
            if socket.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
        let body = serde_json::from_slice(&bytes[end..]).unwrap_or(Value::Null);
        Some(Self { head, body, socket })
    }

    /// The texts of the request's messages, each after its role.
    pub(crate) fn messages(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
        let messages = self.body["messages"].as_array().unwrap();
        messages
            .iter()
            .map(|one| (text(&one["role"]), text(&one["content"])))
            .collect()
    }

    async fn write(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).await.unwrap();
    }

    async fn chunk(&mut self, text: &str) {
        self.write(&format!("{:x}\r\n{text}\r\n", text.len())).await;
    }

    /// Sends an event as it is.
    pub(crate) async fn data(&mut self, data: &Value) {
        self.chunk(&format!("data: {data}\n\n")).await;
    }

    /// Begins an answer.
    pub(crate) async fn begin(&mut self) {
        self.write(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )
        .await;
    }

    /// Says more.
    pub(crate) async fn say(&mut self, text: &str) {
        self.delta(&json!({ "content": text })).await;
    }

    /// Thinks more.
    pub(crate) async fn think(&mut self, text: &str) {
        self.delta(&json!({ "reasoning_content": text })).await;
    }

    async fn delta(&mut self, delta: &Value) {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": null });
        self.data(&json!({ "id": "c", "model": "model-a-2026", "choices": [choice] }))
            .await;
    }

    /// Ends the answer as the wire says it must.
    pub(crate) async fn finish(mut self, reason: &str) {
        let choice = json!({ "index": 0, "delta": {}, "finish_reason": reason });
        self.data(&json!({ "id": "c", "model": "model-a-2026", "choices": [choice] }))
            .await;
        let usage = json!({ "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10 });
        self.data(&json!({ "id": "c", "choices": [], "usage": usage }))
            .await;
        self.chunk("data: [DONE]\n\n").await;
        self.write("0\r\n\r\n").await;
    }

    /// A whole answer at once.
    pub(crate) async fn answer(mut self, text: &str) {
        self.begin().await;
        self.say(text).await;
        self.finish("stop").await;
    }

    /// Ends the connection in the middle.
    pub(crate) fn cut(self) {
        drop(self);
    }

    /// Answers with a body of JSON.
    pub(crate) async fn reply(self, status: u16, body: &Value) {
        self.reply_with(status, "", body).await;
    }

    /// Answers with a body of JSON after further headers, each with its line's end.
    pub(crate) async fn reply_with(mut self, status: u16, headers: &str, body: &Value) {
        let body = body.to_string();
        self.write(&format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}connection: close\r\n\r\n{body}",
            body.len()
        ))
        .await;
    }

    /// Answers with a stream as it is.
    pub(crate) async fn stream(mut self, events: &str) {
        self.begin().await;
        self.chunk(events).await;
        self.write("0\r\n\r\n").await;
    }

    /// Waits until the other side has closed the connection.
    pub(crate) async fn closed(mut self) {
        let mut rest = Vec::new();
        // A reset is a close too.
        let _ = self.socket.read_to_end(&mut rest).await;
    }
}

pub(crate) fn config(home: &TempDir, keys: Arc<dyn KeyStore>) -> Config {
    let worker = WorkerCommand {
        program: home.path().join("no-worker"),
        args: Vec::new(),
    };
    Config {
        home: Paths::under(home.path()),
        worker,
        keys,
    }
}

pub(crate) async fn open(home: &TempDir) -> Engine {
    Engine::open(config(home, Arc::new(SessionKeys::default())))
        .await
        .unwrap()
}

/// An engine in an empty home, which knows the server as `scripted`.
pub(crate) async fn engine_and_server() -> (TempDir, Engine, Server) {
    let home = TempDir::new().unwrap();
    let server = Server::start().await;
    let engine = open(&home).await;
    add(&engine, "Scripted", &server, false).await;
    (home, engine, server)
}

pub(crate) async fn add(engine: &Engine, name: &str, server: &Server, needs_key: bool) -> Endpoint {
    let base_url = server.base_url.clone();
    let draft = EndpointDraft {
        id: None,
        name: name.to_owned(),
        base_url,
        needs_key,
        wire: Wire::Chat,
        headers: Vec::new(),
    };
    engine.save_endpoint(draft).await.unwrap()
}

pub(crate) fn model(name: &str) -> ModelRef {
    name.parse().unwrap()
}

/// A question to the scripted model.
pub(crate) fn question(conversation: Option<ConversationId>, text: &str) -> SendMessage {
    SendMessage {
        conversation_id: conversation,
        text: text.to_owned(),
        model: Some(model("scripted/model-a")),
        effort: None,
        fit: Fit::default(),
    }
}

/// Asks, and takes the request.
pub(crate) async fn ask(
    engine: &Engine,
    server: &mut Server,
    conversation: Option<ConversationId>,
    text: &str,
) -> (TurnStarted, TurnStream, Call) {
    let started = engine.send(question(conversation, text)).await.unwrap();
    let stream = engine.attach(started.message_id).unwrap();
    (started, stream, server.call().await)
}

/// Asks, answers, and waits for the stored end.
pub(crate) async fn exchange(
    engine: &Engine,
    server: &mut Server,
    conversation: Option<ConversationId>,
    text: &str,
    answer: &str,
) -> TurnStarted {
    let (started, mut stream, call) = ask(engine, server, conversation, text).await;
    call.answer(answer).await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);
    started
}

/// Follows a turn until its text ends so.
pub(crate) async fn until(stream: &mut TurnStream, wanted: &str) {
    let mut text = String::new();
    while !text.ends_with(wanted) {
        for update in stream.next().await.unwrap() {
            match update {
                TurnUpdate::Delta { text: more, .. } => text.push_str(&more),
                TurnUpdate::Reading { .. }
                | TurnUpdate::Shortened { .. }
                | TurnUpdate::Summarising { .. }
                | TurnUpdate::Switched { .. } => {}
                other => panic!("it ended with {other:?} before {wanted:?} came: {text:?}"),
            }
        }
    }
}

/// Another Pilotfish's view of the same folder.
pub(crate) async fn beside(home: &TempDir) -> Store {
    match Store::open(&home.path().join("data")).await.unwrap() {
        Opened::Ready(store) => store,
        Opened::Recovery(_) => panic!("the database is damaged"),
    }
}

/// Waits until a checkpoint has reached the disk.
pub(crate) async fn stored(home: &TempDir, message: MessageId, wanted: &str) {
    let store = beside(home).await;
    while !store
        .message(message)
        .await
        .unwrap()
        .text()
        .contains(wanted)
    {
        tokio::task::yield_now().await;
    }
}

/// Waits until a conversation has another title than the given one.
pub(crate) async fn retitled(
    engine: &Engine,
    changes: &mut broadcast::Receiver<Change>,
    id: ConversationId,
    before: &str,
) -> String {
    loop {
        let title = engine.conversation(id).await.unwrap().title;
        if title != before {
            return title;
        }
        changes.recv().await.unwrap();
    }
}

/// Follows a turn to its end.
pub(crate) async fn end(stream: &mut TurnStream) -> TurnUpdate {
    let mut last = None;
    while let Some(mut updates) = stream.next().await {
        last = updates.pop();
    }
    last.unwrap()
}

/// What an answer shows, as its blocks' HTML.
pub(crate) fn shown(view: &MessageView) -> String {
    let html = |part: &PartView| match part {
        PartView::Rendered { blocks } | PartView::Thinking { blocks, .. } => blocks
            .iter()
            .map(|block| block.html.as_str())
            .collect::<String>(),
        PartView::Plain { text } => text.clone(),
        other => panic!("no text: {other:?}"),
    };
    view.parts.iter().map(html).collect()
}

/// What a text looks like when it is shown.
pub(crate) fn html(text: &str) -> String {
    markdown::render(text)
        .into_iter()
        .map(|block| block.html)
        .collect()
}
