//! A person's session that is nobody's: a home of its own, a private D-Bus without services, and an
//! unlocked gnome-keyring on it. What runs in it finds the small model and can touch nothing else.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// The program under test.
pub const PILOTFISH: &str = env!("CARGO_BIN_EXE_pilotfish");

/// A bus that starts nothing by itself: a portal that is installed but dead costs 25 s a start.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"#;

/// A process that ends with its owner.
pub struct Owned(pub Child);

impl Owned {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let program = command.get_program().to_owned();
        Self(
            command
                .spawn()
                .unwrap_or_else(|error| panic!("{program:?} did not start: {error}")),
        )
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing of it stays behind.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The session. Everything in it ends and goes when it is dropped.
pub struct Session {
    /// `PILOTFISH_HOME`.
    pub home: PathBuf,
    /// Where its private bus listens.
    pub bus_address: String,
    _keyring: Owned,
    _bus: Owned,
    folder: TempDir,
}

impl Session {
    /// Opens a session whose library holds the small model.
    pub fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().join("pilotfish");
        let models = home.join("models");
        fs::create_dir_all(&models).expect("the models' folder");
        let runtime = folder.path().join("run");
        fs::create_dir(&runtime).expect("the runtime folder");
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).expect("its mode");
        link_or_copy(&small_model(), &models.join("small.gguf"));

        let configuration = folder.path().join("bus.conf");
        fs::write(&configuration, BUS).expect("the bus's configuration");
        let mut bus = Owned::start(
            Command::new("dbus-daemon")
                .arg(format!("--config-file={}", configuration.display()))
                .args(["--nofork", "--nopidfile", "--print-address=1"])
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        );
        let mut bus_address = String::new();
        BufReader::new(bus.0.stdout.take().expect("its output"))
            .read_line(&mut bus_address)
            .expect("the bus's address");
        let bus_address = bus_address.trim().to_owned();
        assert!(!bus_address.is_empty(), "the private bus did not start");

        let mut keyring = Owned::start(
            in_session(
                Command::new("gnome-keyring-daemon"),
                folder.path(),
                &home,
                &bus_address,
            )
            .args(["--foreground", "--components=secrets", "--unlock"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
        );
        // The password of a new keyring; its end of input is what the daemon waits for.
        keyring
            .0
            .stdin
            .take()
            .expect("its input")
            .write_all(b"fish")
            .expect("the password");
        let session = Self {
            home,
            bus_address,
            _keyring: keyring,
            _bus: bus,
            folder,
        };
        let found = session
            .command("gdbus")
            .args([
                "wait",
                "--session",
                "--timeout",
                "60",
                "org.freedesktop.secrets",
            ])
            .status()
            .expect("gdbus");
        assert!(found.success(), "the keyring did not come up");
        session
    }

    /// A command inside the session.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        in_session(
            Command::new(program),
            self.folder.path(),
            &self.home,
            &self.bus_address,
        )
    }

    /// Everything that the keyring holds for Pilotfish, as `secret-tool` shows it.
    pub fn secrets(&self) -> String {
        let output = self
            .command("secret-tool")
            .args(["search", "--all", "service", "pilotfish"])
            .output()
            .expect("secret-tool");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The files under `PILOTFISH_HOME`, models aside, in which a text stands.
    pub fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        search(&self.home, text.as_bytes(), &mut found);
        found
    }
}

fn in_session(mut command: Command, folder: &Path, home: &Path, bus_address: &str) -> Command {
    for name in [
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "XAUTHORITY",
        "PILOTFISH_MODEL_SOURCE",
    ] {
        command.env_remove(name);
    }
    command
        .env("HOME", folder)
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("XDG_RUNTIME_DIR", folder.join("run"))
        .env("DBUS_SESSION_BUS_ADDRESS", bus_address)
        .env("PILOTFISH_HOME", home)
        .env("NO_AT_BRIDGE", "1")
        .env("LC_ALL", "C.UTF-8");
    command
}

/// The small model's file: named by scripts/test, or where `pilotfish models pull small` puts it.
pub fn small_model() -> PathBuf {
    let path = std::env::var_os("PILOTFISH_TEST_MODEL").map_or_else(
        || {
            let home = std::env::var_os("HOME").unwrap_or_default();
            Path::new(&home).join(".local/share/pilotfish/models/small.gguf")
        },
        PathBuf::from,
    );
    assert!(
        path.is_file(),
        "{} is no model: start scripts/test, which fetches it",
        path.display()
    );
    path
}

/// The weights are large: a second name for them is enough where the file system allows it.
fn link_or_copy(from: &Path, to: &Path) {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).expect("a copy of the model");
    }
}

fn search(folder: &Path, text: &[u8], found: &mut Vec<PathBuf>) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // What runs here tidies up as well.
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        Err(error) => panic!("{}: {error}", folder.display()),
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("models") {
                search(&path, text, found);
            }
        } else if contains(&path, text) {
            found.push(path);
        }
    }
}

fn contains(path: &Path, text: &[u8]) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text))
}
