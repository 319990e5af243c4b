//! A desktop of its own for a test: an X server without a screen, a window manager, and the
//! session. One at a time on a machine, whatever the runner: each takes both of its cores.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::session::{Owned, Session};
use crate::until;

/// The desktop; everything on it ends when it is dropped.
pub struct Desktop {
    /// The session that the windows run in.
    pub session: Session,
    display: String,
    log: PathBuf,
    _manager: Owned,
    _server: Owned,
    _turn: File,
}

impl Desktop {
    /// Opens a desktop; what its programs say goes to a log named after the test.
    pub async fn open(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let turn = File::create(folder.join("desktop.lock")).expect("the lock's file");
        turn.lock().expect("a turn on this machine");

        let mut server = Owned::start(
            Command::new("Xvfb")
                .args([
                    "-displayfd",
                    "1",
                    "-screen",
                    "0",
                    "1440x900x24",
                    "-noreset",
                    "-nolisten",
                    "tcp",
                ])
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        );
        let mut number = String::new();
        BufReader::new(server.0.stdout.take().expect("its output"))
            .read_line(&mut number)
            .expect("the display's number");
        assert!(!number.trim().is_empty(), "Xvfb did not start");
        let display = format!(":{}", number.trim());

        let session = Session::open();
        let log = folder.join(format!("{test}.log"));
        drop(File::create(&log).expect("the log"));
        let manager = Owned::start(
            session
                .command("openbox")
                .env("DISPLAY", &display)
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        let desktop = Self {
            session,
            display,
            log,
            _manager: manager,
            _server: server,
            _turn: turn,
        };
        until(
            "the window manager runs",
            Duration::from_secs(60),
            async || {
                desktop
                    .ask("xprop", &["-root", "_NET_SUPPORTING_WM_CHECK"])
                    .contains("window id")
            },
        )
        .await;
        desktop
    }

    /// A command on the desktop, its standard error in the test's log.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.session.command(program);
        let log = File::options()
            .append(true)
            .open(&self.log)
            .expect("the log");
        command
            .env("DISPLAY", &self.display)
            .env("GDK_BACKEND", "x11")
            .env("PILOTFISH_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command
    }

    /// What a short command on the desktop prints; nothing when it fails.
    pub fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let output = self
            .command(program)
            .args(arguments)
            .stdout(Stdio::piped())
            .output()
            .unwrap_or_else(|error| panic!("{program} did not start: {error}"));
        if !output.status.success() {
            return String::new();
        }
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Takes a picture of the window of that name from the display; whether there was one.
    pub fn picture(&self, name: &str, file: &Path) -> bool {
        let window = self.ask("xdotool", &["search", "--onlyvisible", "--name", name]);
        let window = window.lines().next().unwrap_or_default();
        let taken = self
            .command("import")
            .args(["-window", window, "-strip"])
            .arg(file)
            .stdout(Stdio::null())
            .status();
        taken.expect("import of ImageMagick").success()
    }

    /// The name of the window that has the keys.
    pub fn active_window(&self) -> String {
        self.ask("xdotool", &["getactivewindow", "getwindowname"])
    }
}
