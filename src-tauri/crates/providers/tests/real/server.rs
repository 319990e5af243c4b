//! A server of somebody else, as a child: it prints its address, and ends when its standard input
//! does, so that nothing stays behind however a test ends.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Tells apart the logs of the servers of one process.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// A running server.
pub struct Server {
    /// Where it listens, as `http://127.0.0.1:1234`.
    pub address: String,
    log: PathBuf,
    child: Child,
}

impl Server {
    /// Starts it and waits until it says where it listens.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let log = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}-{}-{number}.log", std::process::id()));
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} did not start: {error}"));
        let mut server = Self {
            address: String::new(),
            log,
            child,
        };
        let mut address = String::new();
        BufReader::new(server.child.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        assert!(
            address.starts_with("http://127.0.0.1:"),
            "{name} did not start: {}",
            server.log()
        );
        server.address = address.trim().to_owned();
        server
    }

    /// What it has written to its log so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing of it stays behind.
        drop(self.child.kill());
        drop(self.child.wait());
        if !std::thread::panicking() {
            drop(std::fs::remove_file(&self.log));
        }
    }
}

/// What an environment variable names; `None`, and said so, when it is not set.
pub fn named(variable: &str) -> Option<OsString> {
    let named = std::env::var_os(variable).filter(|named| !named.is_empty());
    if named.is_none() {
        // Written past the harness, which would swallow it: a skipped test must be seen.
        std::io::stderr()
            .write_all(
                format!("skipped: no server; scripts/test names it in {variable}\n").as_bytes(),
            )
            .unwrap();
    }
    named
}
