//! The portal's absence, in all its forms, on a private bus: this test binary over again under
//! `dbus-run-session`, with an ignored test as what runs inside. A real portal asks a person, and
//! is none of these tests.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use zbus::MessageStream;

use super::*;

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
    match bind(&key, Arc::new(|| ())).await {
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
