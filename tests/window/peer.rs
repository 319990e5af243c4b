//! Another program's model server with the same weights, to switch to in a conversation.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::session::{Owned, small_model};

/// The running server; it ends when it is dropped.
pub struct Peer {
    /// What a person types as its address.
    pub base_url: String,
    log: PathBuf,
    _server: Owned,
}

impl Peer {
    /// Starts the server, with the Python that scripts/test prepared.
    pub fn start() -> Self {
        let python = std::env::var_os("PILOTFISH_TEST_PEER").map_or_else(
            || {
                let home = std::env::var_os("HOME").unwrap_or_default();
                Path::new(&home).join(".cache/pilotfish-test/peer/bin/python")
            },
            PathBuf::from,
        );
        assert!(
            python.is_file(),
            "{} is missing: start scripts/test, which prepares it",
            python.display()
        );
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peer.log");
        let mut server = Owned::start(
            Command::new(python)
                .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/lib/peer.py"))
                .arg(small_model())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(File::create(&log).expect("the server's log")),
        );
        let mut address = String::new();
        BufReader::new(server.0.stdout.take().expect("its output"))
            .read_line(&mut address)
            .expect("the server's address");
        assert!(
            address.starts_with("http://127.0.0.1:"),
            "the second server did not start"
        );
        Self {
            base_url: format!("{}/v1", address.trim()),
            log,
            _server: server,
        }
    }

    /// How many answers it has given, by its own log.
    pub fn answers(&self) -> usize {
        let log = std::fs::read_to_string(&self.log).expect("the server's log");
        log.lines()
            .filter(|line| line.contains("stop processing"))
            .count()
    }
}
