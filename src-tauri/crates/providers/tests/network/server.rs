//! A server that does as it is told: it takes each connection through the next script, writing raw
//! bytes, so that it can break every rule of HTTP.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What a connection does after its request was read.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Writes the bytes.
    Send(Vec<u8>),
    /// Writes nothing for as long: for what is about silence itself.
    Silence(Duration),
    /// Waits for [`Server::release`].
    Wait,
    /// Writes nothing more, and stays until the client hangs up.
    Hang,
    /// Resets the connection.
    Reset,
}

/// A whole answer; `head` is the status line and headers.
pub(crate) fn answer(head: &str, content_type: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    let head = format!("{head}content-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
    vec![Step::Send((head + body).into_bytes())]
}

/// An event stream that ends with the connection.
pub(crate) fn event_stream(pieces: &[&str]) -> Vec<Step> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    std::iter::once(head)
        .chain(pieces.iter().copied())
        .map(|piece| Step::Send(piece.as_bytes().to_vec()))
        .collect()
}

/// So many zeros, packed.
pub(crate) fn gzip_of_zeros(bytes: usize) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&vec![0; bytes]).unwrap();
    packer.finish().unwrap()
}

/// What a server tells of its connections, and is told about them.
#[derive(Debug)]
pub(crate) struct Signals {
    requests: Mutex<Vec<String>>,
    answered: Semaphore,
    gate: Semaphore,
    hung_up: Semaphore,
}

impl Default for Signals {
    fn default() -> Self {
        Self {
            requests: Mutex::default(),
            answered: Semaphore::new(0),
            gate: Semaphore::new(0),
            hung_up: Semaphore::new(0),
        }
    }
}

/// The server; its tasks end when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    signals: Arc<Signals>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Starts a server that takes as many connections as there are scripts.
    pub(crate) async fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let signals = Arc::new(Signals::default());
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&signals);
        tasks.spawn(async move {
            for script in scripts {
                let (stream, _) = listener.accept().await.unwrap();
                serve(stream, script, &shared).await;
            }
        });
        Self {
            port,
            signals,
            tasks,
        }
    }

    /// Starts a server that takes connections for as long as it lives, several at once, and answers
    /// each by the first script whose text stands in the request.
    pub(crate) async fn together(scripts: Vec<(&'static str, Vec<Step>)>) -> Self {
        let scripts = Arc::new(scripts);
        Self::accepting(move |mut stream, signals| {
            let scripts = Arc::clone(&scripts);
            async move {
                let Some(request) = read_request(&mut stream).await else {
                    return;
                };
                let script = scripts.iter().find(|(text, _)| request.contains(text));
                signals.requests.lock().unwrap().push(request.clone());
                let (_, steps) = script.expect("a script for every request");
                play(stream, steps.clone(), &signals).await;
            }
        })
        .await
    }

    /// Starts a server that gives every connection to `serve`, several at once.
    pub(crate) async fn accepting<S: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(TcpStream, Arc<Signals>) -> S + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let signals = Arc::new(Signals::default());
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&signals);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self {
            port,
            signals,
            tasks,
        }
    }

    /// Its address, as an endpoint's base URL.
    pub(crate) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// The requests so far, head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.signals.requests.lock().unwrap().clone()
    }

    /// Returns when a script was done, but for its hanging.
    pub(crate) async fn answered(&self) {
        self.signals.answered.acquire().await.unwrap().forget();
    }

    /// Lets a waiting connection go on.
    pub(crate) fn release(&self) {
        self.signals.gate.add_permits(1);
    }

    /// Returns when the client closed a connection that hangs.
    pub(crate) async fn hung_up(&self) {
        self.signals.hung_up.acquire().await.unwrap().forget();
    }

    /// Stops the server and returns the address where it was.
    pub(crate) async fn stopped(mut self) -> String {
        self.tasks.shutdown().await;
        self.base_url()
    }
}

async fn serve(mut stream: TcpStream, script: Vec<Step>, signals: &Signals) {
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    signals.requests.lock().unwrap().push(request);
    play(stream, script, signals).await;
}

/// Takes a connection through the script.
pub(crate) async fn play(mut stream: TcpStream, script: Vec<Step>, signals: &Signals) {
    for step in script {
        match step {
            // A client that hangs up early is what some tests are about.
            Step::Send(bytes) => drop(stream.write_all(&bytes).await),
            Step::Silence(length) => tokio::time::sleep(length).await,
            Step::Wait => signals.gate.acquire().await.unwrap().forget(),
            Step::Reset => stream.set_zero_linger().unwrap(),
            Step::Hang => {
                signals.answered.add_permits(1);
                let mut rest = [0];
                while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
                signals.hung_up.add_permits(1);
                return;
            }
        }
    }
    signals.answered.add_permits(1);
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
    }
}
