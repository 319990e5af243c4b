//! The portal's absence in all its forms, and a portal that a test plays, on a private bus: this test
//! binary over again under `dbus-run-session`, with an ignored test as what runs inside. A real
//! portal asks a person, and is none of these tests.

mod fake;

use std::fs;
use std::process::Command;

use self::fake::{Answer, FakePortal};
use super::super::Hotkey;
use super::*;

/// How long an event may take. Generous: a build may run beside it.
const SOON: Duration = Duration::from_secs(60);

/// A bus that starts nothing by itself.
const BARE_BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"#;

/// Runs an ignored test of this module, on a bus of its own or on none.
fn run(case: &str, with_bus: bool) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let configuration = folder.path().join("bus.conf");
    fs::write(&configuration, BARE_BUS).expect("a file");
    let mut command = if with_bus {
        let mut command = Command::new("dbus-run-session");
        command.arg("--config-file").arg(&configuration).arg("--");
        command
    } else {
        Command::new("env")
    };
    let output = command
        .arg(std::env::current_exe().expect("this test binary"))
        .args([
            "--ignored",
            "--exact",
            &format!("hotkey::portal::tests::{case}"),
        ])
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env("XDG_RUNTIME_DIR", folder.path())
        .env("WAYLAND_DISPLAY", "wayland-of-a-test")
        .output()
        .expect("dbus-run-session: install dbus");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

async fn absent() -> String {
    let key = "Ctrl+Shift+Space".parse().expect("a key");
    match bind(&key, Arc::new(|_| ()), Arc::new(Notify::new())).await {
        Err(PortalError::Absent(reason)) => reason,
        Err(error) => panic!("not absent: {error:?}"),
        Ok(_) => panic!("there is a portal"),
    }
}

#[test]
fn no_bus() {
    run("inside_no_bus", false);
}

#[tokio::test]
#[ignore = "runs without a bus"]
async fn inside_no_bus() {
    assert!(absent().await.contains("no D-Bus session"));
}

#[test]
fn no_portal() {
    run("inside_no_portal", true);
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_no_portal() {
    assert_eq!(absent().await, "this desktop has no portal");
}

#[test]
fn a_portal_without_global_shortcuts() {
    run("inside_other_portal", true);
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_other_portal() {
    let bus = Connection::session().await.expect("a bus");
    // It serves objects, and this one is not among them.
    bus.object_server()
        .at("/elsewhere", zbus::fdo::ObjectManager)
        .await
        .expect("an object");
    bus.request_name(PORTAL).await.expect("the name");
    assert_eq!(
        absent().await,
        "this desktop's portal has no global shortcuts"
    );
}

#[test]
fn a_portal_that_hangs_is_not_waited_for() {
    run("inside_hangs", true);
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_hangs() {
    let bus = Connection::session().await.expect("a bus");
    // It keeps the calls and answers none.
    let _messages = MessageStream::from(&bus);
    bus.request_name(PORTAL).await.expect("the name");
    let reason = find(Duration::from_millis(300))
        .await
        .expect_err("no answer");
    assert_eq!(reason, "the desktop's portal does not answer");
}

/// How the hotkey stands after its next change.
async fn changed(hotkey: &Hotkey) -> HotkeyState {
    timeout(SOON, hotkey.changed()).await.expect("it is told")
}

fn by_portal(key: &str) -> HotkeyState {
    HotkeyState::Portal {
        key: key.to_owned(),
    }
}

fn is_command(state: &HotkeyState) -> bool {
    matches!(state, HotkeyState::Command { reason, .. } if reason == GONE)
}

#[test]
fn the_portal_holds_the_key() {
    run("inside_held", true);
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_held() {
    let mut portal = FakePortal::start(Answer::Gives("Press <Ctrl>Space")).await;
    let (told, mut presses) = tokio::sync::mpsc::unbounded_channel();
    let hotkey = Hotkey::new(move |press| told.send(press).expect("a listener"));
    assert_eq!(
        hotkey.set("Ctrl+Shift+Space").await,
        by_portal("Press <Ctrl>Space")
    );
    assert_eq!(hotkey.state(), by_portal("Press <Ctrl>Space"));
    assert_eq!(portal.wanted().await, "CTRL+SHIFT+space");
    portal.press("another").await;
    portal.press(SHORTCUT).await;
    let press = timeout(SOON, presses.recv()).await.expect("a press");
    assert_eq!(press, Some(None));
    assert!(presses.try_recv().is_err(), "another shortcut is not ours");
    assert_eq!(hotkey.set("").await, HotkeyState::Off);
    portal.closed().await;
}

#[test]
fn a_refusal_is_said() {
    run("inside_refused", true);
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_refused() {
    let _portal = FakePortal::start(Answer::Refuses).await;
    let hotkey = Hotkey::new(|_| ());
    let state = hotkey.set("Ctrl+Shift+Space").await;
    assert!(
        matches!(&state, HotkeyState::Failed { reason, .. } if reason.contains("confirm its dialog")),
        "{state:?}"
    );
    assert_eq!(hotkey.state(), state);
}

#[test]
fn a_portal_that_dies_is_noticed_and_asked_again() {
    run("inside_dies", true);
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_dies() {
    let portal = FakePortal::start(Answer::Gives("one")).await;
    let (told, mut presses) = tokio::sync::mpsc::unbounded_channel();
    let hotkey = Hotkey::new(move |press| told.send(press).expect("a listener"));
    assert_eq!(hotkey.set("Ctrl+Shift+Space").await, by_portal("one"));
    portal.die().await;
    let state = changed(&hotkey).await;
    assert!(is_command(&state), "{state:?}");
    let portal = FakePortal::start(Answer::Gives("two")).await;
    assert_eq!(changed(&hotkey).await, by_portal("two"));
    portal.press(SHORTCUT).await;
    timeout(SOON, presses.recv()).await.expect("a press");
}

#[test]
fn a_session_that_ends_is_noticed() {
    run("inside_session_ends", true);
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_session_ends() {
    let portal = FakePortal::start(Answer::Gives("one")).await;
    let hotkey = Hotkey::new(|_| ());
    assert_eq!(hotkey.set("Ctrl+Shift+Space").await, by_portal("one"));
    portal.end_session().await;
    let state = changed(&hotkey).await;
    assert!(is_command(&state), "{state:?}");
    hotkey.release().await;
    assert_eq!(hotkey.state(), HotkeyState::Off);
}

#[test]
fn a_portal_that_dies_with_its_dialog_open_is_not_waited_for() {
    run("inside_dialog", true);
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_dialog() {
    let mut portal = FakePortal::start(Answer::Never).await;
    let hotkey = Hotkey::new(|_| ());
    let asked = hotkey.set("Ctrl+Shift+Space");
    let die = async {
        portal.wanted().await;
        portal.die().await;
    };
    let (state, ()) = timeout(SOON, futures::future::join(asked, die))
        .await
        .expect("an answer");
    assert!(is_command(&state), "{state:?}");
}
