//! A real gnome-keyring on a private D-Bus, in a home of its own. Each case is this test binary
//! over again, under `dbus-run-session`, with one ignored test of this file as what runs inside.
#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says so what is wrong"
)]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use protocol::{Secret, VaultState};
use tempfile::TempDir;
use vault::{KeyStore as _, OsKeyring, VaultError};

const PASSWORD: &str = "a password";
const NAME: &str = "org.freedesktop.secrets";

/// A bus that starts nothing by itself.
const BARE_BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"#;

/// A home that no case shares with another or with the person who runs the tests.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        for program in [
            "gnome-keyring-daemon",
            "dbus-run-session",
            "gdbus",
            "secret-tool",
        ] {
            let found = Command::new("which")
                .arg(program)
                .output()
                .expect("which")
                .status
                .success();
            assert!(
                found,
                "{program} is missing: install gnome-keyring, dbus, libglib2.0-bin and libsecret-tools"
            );
        }
        let home = tempfile::tempdir().expect("a temporary folder");
        for folder in ["data", "config", "cache", "run"] {
            fs::create_dir(home.path().join(folder)).expect("a folder");
        }
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(home.path().join("run"), private).expect("permissions");
        fs::write(home.path().join("bus.conf"), BARE_BUS).expect("a file");
        Self(home)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn environment(&self, command: &mut Command) {
        command
            .env("HOME", self.path())
            .env("XDG_DATA_HOME", self.path().join("data"))
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("XDG_CACHE_HOME", self.path().join("cache"))
            .env("XDG_RUNTIME_DIR", self.path().join("run"))
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("GNOME_KEYRING_CONTROL");
    }

    /// Runs an ignored test of this file on a bus of its own, which starts no program by itself.
    fn run_on_bus(&self, case: &str) {
        let mut command = Command::new("dbus-run-session");
        command
            .arg("--config-file")
            .arg(self.path().join("bus.conf"))
            .arg("--");
        self.run(command, case);
    }

    fn run(&self, mut command: Command, case: &str) {
        let program = std::env::current_exe().expect("this test binary");
        command
            .arg(program)
            .args(["--ignored", "--exact", case, "--nocapture"]);
        self.environment(&mut command);
        let output = command.output().expect("the case starts");
        assert!(output.status.success(), "{case} failed:\n{}", text(&output));
        assert!(
            text(&output).contains("1 passed"),
            "{case} did not run:\n{}",
            text(&output)
        );
    }
}

fn text(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

/// Starts a keyring on this bus, or replaces the one that runs, and waits until it answers. The
/// first password makes the login keyring; a wrong one later leaves it locked.
fn start_keyring(password: &str) {
    let mut daemon = Command::new("gnome-keyring-daemon")
        .args([
            "--replace",
            "--components=secrets",
            "--unlock",
            "--daemonize",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("gnome-keyring starts");
    daemon
        .stdin
        .take()
        .expect("stdin")
        .write_all(password.as_bytes())
        .expect("a password");
    assert!(daemon.wait().expect("gnome-keyring").success());
    let arrived = Command::new("gdbus")
        .args(["wait", "--session", "--timeout", "20", NAME])
        .status()
        .expect("gdbus");
    assert!(arrived.success(), "gnome-keyring does not come to the bus");
}

/// A call of the bus itself, or of the keyring.
fn gdbus(destination: &str, path: &str, method: &str, argument: &str) -> String {
    let output = Command::new("gdbus")
        .args([
            "call",
            "--session",
            "--dest",
            destination,
            "--object-path",
            path,
        ])
        .args(["--method", method, argument])
        .output()
        .expect("gdbus");
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn ask_bus(method: &str) -> String {
    let method = format!("org.freedesktop.DBus.{method}");
    gdbus(
        "org.freedesktop.DBus",
        "/org/freedesktop/DBus",
        &method,
        NAME,
    )
}

/// The process id of the keyring on this bus.
fn keyring_pid() -> String {
    let reply = ask_bus("GetConnectionUnixProcessID");
    reply
        .trim_start_matches("(uint32")
        .chars()
        .filter(char::is_ascii_digit)
        .collect()
}

fn signal(signal: &str, pid: &str) {
    let sent = Command::new("kill")
        .args([signal, pid])
        .status()
        .expect("kill");
    assert!(sent.success());
}

/// Kills the keyring and waits until the bus has noticed.
fn kill_keyring() {
    signal("-KILL", &keyring_pid());
    for _ in 0..1000 {
        if ask_bus("NameHasOwner").contains("false") {
            return;
        }
    }
    panic!("the bus still knows the keyring after its end");
}

fn lock_keyring() {
    gdbus(
        NAME,
        "/org/freedesktop/secrets",
        "org.freedesktop.Secret.Service.Lock",
        r#"[objectpath "/org/freedesktop/secrets/collection/login"]"#,
    );
}

fn secret_tool(account: &str) -> String {
    let output = Command::new("secret-tool")
        .args(["lookup", "service", "pilotfish", "username", account])
        .output()
        .expect("secret-tool");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn read(keyring: &OsKeyring, account: &str) -> Result<Option<String>, VaultError> {
    Ok(keyring
        .get(account)
        .await?
        .map(|secret| secret.expose().clone()))
}

async fn write(keyring: &OsKeyring, secret: &str) -> Result<(), VaultError> {
    keyring.set("openai", Secret::new(secret.to_owned())).await
}

fn login() -> String {
    "Secret Service keyring \"Login\"".to_lowercase()
}

fn place(state: &VaultState) -> String {
    match state {
        VaultState::Ready { place } | VaultState::Locked { place } => place.to_lowercase(),
        other => panic!("no place: {other:?}"),
    }
}

#[test]
fn keeps_what_secret_tool_finds() {
    Home::new().run_on_bus("inside_normal");
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_normal() {
    start_keyring(PASSWORD);
    let keyring = OsKeyring::open();
    let state = keyring.state().await;
    assert!(matches!(state, VaultState::Ready { .. }), "{state:?}");
    assert_eq!(place(&state), login());
    assert_eq!(read(&keyring, "openai").await, Ok(None));
    for secret in ["sk-first", "sk-second ä"] {
        write(&keyring, secret).await.expect("set");
        assert_eq!(read(&keyring, "openai").await, Ok(Some(secret.to_owned())));
        assert_eq!(secret_tool("openai"), secret);
    }
    assert_eq!(read(&keyring, "xai").await, Ok(None));
    keyring.unlock().await.expect("nothing to unlock");
    keyring.remove("openai").await.expect("remove");
    keyring.remove("openai").await.expect("remove again");
    assert_eq!(read(&keyring, "openai").await, Ok(None));
    assert_eq!(secret_tool("openai"), "");
}

#[test]
fn a_locked_keyring_is_told_and_not_prompted() {
    Home::new().run_on_bus("inside_locked");
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_locked() {
    start_keyring(PASSWORD);
    let keyring = OsKeyring::open();
    write(&keyring, "sk-1").await.expect("set");
    lock_keyring();
    assert_eq!(read(&keyring, "openai").await, Err(VaultError::Locked));
    assert_eq!(write(&keyring, "sk-2").await, Err(VaultError::Locked));
    assert_eq!(keyring.remove("openai").await, Err(VaultError::Locked));
    let state = keyring.state().await;
    assert!(matches!(state, VaultState::Locked { .. }), "{state:?}");
    assert_eq!(place(&state), login());
    // There is no display for the dialog: it ends at once, and the keyring stays locked.
    assert_eq!(keyring.unlock().await, Err(VaultError::Dismissed));
    assert_eq!(read(&keyring, "openai").await, Err(VaultError::Locked));
    // Unlocked by someone else, it is there again, for the same object.
    start_keyring(PASSWORD);
    assert_eq!(read(&keyring, "openai").await, Ok(Some("sk-1".to_owned())));
}

#[test]
fn a_keyring_nobody_set_up_is_told_apart() {
    Home::new().run_on_bus("inside_fresh");
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_fresh() {
    let mut daemon = Command::new("gnome-keyring-daemon")
        .args(["--foreground", "--components=secrets"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("gnome-keyring starts");
    let arrived = Command::new("gdbus")
        .args(["wait", "--session", "--timeout", "20", NAME])
        .status()
        .expect("gdbus");
    assert!(arrived.success());
    let keyring = OsKeyring::open();
    assert_eq!(keyring.state().await, VaultState::NoKeyring);
    assert_eq!(read(&keyring, "openai").await, Ok(None));
    assert_eq!(write(&keyring, "sk-1").await, Err(VaultError::NoKeyring));
    assert_eq!(keyring.unlock().await, Err(VaultError::Dismissed));
    daemon.kill().expect("kill");
    daemon.wait().expect("wait");
}

#[test]
fn no_provider_is_told() {
    Home::new().run_on_bus("inside_no_provider");
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_no_provider() {
    let keyring = OsKeyring::open();
    assert_unavailable(&keyring, "install gnome-keyring").await;
}

#[test]
fn no_bus_is_told() {
    let home = Home::new();
    home.run(Command::new("env"), "inside_no_bus");
}

#[tokio::test]
#[ignore = "runs without a bus"]
async fn inside_no_bus() {
    let keyring = OsKeyring::open();
    assert_unavailable(&keyring, "no D-Bus session").await;
}

async fn assert_unavailable(keyring: &OsKeyring, what: &str) {
    let state = keyring.state().await;
    assert!(
        matches!(&state, VaultState::Unavailable { reason } if reason.contains(what)),
        "{state:?}"
    );
    for error in [
        read(keyring, "openai").await.map(drop),
        write(keyring, "sk-1").await,
        keyring.remove("openai").await,
        keyring.unlock().await,
    ] {
        let Err(VaultError::Unavailable { reason }) = error else {
            panic!("{error:?}")
        };
        assert!(reason.contains(what), "{reason}");
    }
}

#[test]
fn a_keyring_that_died_comes_back() {
    Home::new().run_on_bus("inside_restarted");
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_restarted() {
    start_keyring(PASSWORD);
    let keyring = OsKeyring::open();
    write(&keyring, "sk-1").await.expect("set");
    for round in 0..3 {
        kill_keyring();
        assert_unavailable(&keyring, "install gnome-keyring").await;
        start_keyring(PASSWORD);
        assert_eq!(
            read(&keyring, "openai").await,
            Ok(Some("sk-1".to_owned())),
            "{round}"
        );
    }
    // Replaced between two calls, without a moment of absence.
    start_keyring(PASSWORD);
    write(&keyring, "sk-2").await.expect("set");
    assert_eq!(secret_tool("openai"), "sk-2");
    // And locked after its end, as D-Bus starts it by itself.
    kill_keyring();
    start_keyring("a wrong password");
    assert_eq!(read(&keyring, "openai").await, Err(VaultError::Locked));
}

#[test]
fn a_keyring_that_hangs_is_slow_and_comes_back() {
    Home::new().run_on_bus("inside_hanging");
}

/// What it answers, no later than its deadline.
async fn in_time<T>(answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), answer)
        .await
        .expect("a deadline of three seconds")
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_hanging() {
    start_keyring(PASSWORD);
    let keyring = OsKeyring::open();
    write(&keyring, "sk-1").await.expect("set");
    let pid = keyring_pid();
    signal("-STOP", &pid);
    assert_eq!(in_time(keyring.state()).await, VaultState::Slow);
    let read_it = in_time(read(&keyring, "openai")).await;
    assert_eq!(read_it, Err(VaultError::Slow));
    assert_eq!(in_time(keyring.unlock()).await, Err(VaultError::Slow));
    signal("-CONT", &pid);
    let state = keyring.state().await;
    assert!(matches!(state, VaultState::Ready { .. }), "{state:?}");
    assert_eq!(read(&keyring, "openai").await, Ok(Some("sk-1".to_owned())));
    keyring.unlock().await.expect("nothing to unlock");
}

#[test]
fn a_secret_lands_in_no_file() {
    let home = Home::new();
    home.run_on_bus("inside_files");
    let mut files = 0;
    let mut folders = vec![home.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let kind = entry.file_type().expect("a kind");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).expect("a file");
                let found = bytes.windows(11).any(|window| window == b"canary-4711");
                assert!(!found, "{}", entry.path().display());
                files += 1;
            }
        }
    }
    assert!(files > 1, "the keyring's own file was looked at");
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_files() {
    start_keyring(PASSWORD);
    let keyring = OsKeyring::open();
    write(&keyring, "canary-4711").await.expect("set");
    let answers = many_readers(&keyring).await;
    assert_eq!(answers, 20);
}

/// Twenty readers at once, of whom nobody waits for more than the deadline.
async fn many_readers(keyring: &OsKeyring) -> usize {
    let readers = (0..20).map(|_| read(keyring, "openai"));
    let answers = tokio::time::timeout(Duration::from_secs(10), futures::future::join_all(readers));
    let answers = answers.await.expect("in time");
    answers
        .iter()
        .filter(|answer| **answer == Ok(Some("canary-4711".to_owned())))
        .count()
}
