//! Claiming and calling on a private bus: this test binary over again under `dbus-run-session`, with
//! an ignored test as what runs inside.

use std::process::Command;

use zbus::MessageStream;

use super::*;

/// Runs an ignored test of this module on a bus of its own, or on none.
fn run(case: &str, with_bus: bool) {
    let case = format!("summon::bus::tests::{case}");
    let mut command = if with_bus {
        let mut command = Command::new("dbus-run-session");
        command.arg("--");
        command
    } else {
        Command::new("env")
    };
    let folder = tempfile::tempdir().expect("a folder");
    let output = command
        .arg(std::env::current_exe().expect("this test binary"))
        .args(["--ignored", "--exact", &case])
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

async fn ours(name: &str, opening: Opening) -> Instance {
    match within(Duration::from_secs(20), name, opening).await {
        Ok(Claim::Ours(instance)) => instance,
        Ok(Claim::Called) => panic!("somebody else runs"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_usual_home_has_the_plain_name_and_others_their_own() {
    let configuration = include_str!("../../../../tauri.conf.json");
    assert!(configuration.contains(&format!("\"identifier\": \"{IDENTIFIER}\"")));
    assert_eq!(name(None), IDENTIFIER);
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    assert_ne!(name(Some(&one)), name(Some(&two)));
    assert_ne!(name(Some(&one)), name(None));
    std::fs::create_dir(&one).expect("a home");
    std::os::unix::fs::symlink(&one, &two).expect("a link");
    assert_eq!(name(Some(&one)), name(Some(&two)), "one place is one home");
    zbus::names::WellKnownName::try_from(name(Some(&one))).expect("a name for the bus");
}

#[test]
fn the_second_start_calls_the_first() {
    run("inside_called", true);
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_called() {
    let deadline = Duration::from_secs(20);
    let mut first = ours("a.home", Opening::Main).await;
    // Before anybody listens: calls are kept.
    for opening in [Opening::Quick, Opening::Main] {
        let second = within(deadline, "a.home", opening).await;
        assert!(matches!(second, Ok(Claim::Called)));
    }
    assert_eq!(first.next().await, Some(Opening::Quick));
    assert_eq!(first.next().await, Some(Opening::Main));
    let mut other = ours("another.home", Opening::Main).await;
    drop(first);
    let mut again = ours("a.home", Opening::Main).await;
    assert!(again.calls.try_recv().is_err() && other.calls.try_recv().is_err());
}

#[test]
fn calls_do_not_pile_up() {
    run("inside_busy", true);
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_busy() {
    let deadline = Duration::from_secs(20);
    let _first = ours("a.home", Opening::Main).await;
    for _ in 0..WAITING {
        let called = within(deadline, "a.home", Opening::Quick).await;
        assert!(matches!(called, Ok(Claim::Called)));
    }
    let refused = within(deadline, "a.home", Opening::Quick).await;
    assert!(matches!(refused, Err(SummonError::Failed(_))));
}

#[test]
fn without_a_bus_every_start_is_the_application() {
    run("inside_no_bus", false);
}

#[tokio::test]
#[ignore = "runs without a bus"]
async fn inside_no_bus() {
    let mut alone = ours("a.home", Opening::Main).await;
    assert_eq!(alone.next().await, None, "nobody can call");
}

#[test]
fn an_application_that_hangs_is_not_waited_for() {
    run("inside_hangs", true);
}

#[tokio::test]
#[ignore = "runs on a private bus"]
async fn inside_hangs() {
    let bus = Connection::session().await.expect("a bus");
    // It keeps the calls and answers none.
    let _messages = MessageStream::from(&bus);
    bus.request_name("a.home").await.expect("the name");
    let called = within(Duration::from_millis(300), "a.home", Opening::Main).await;
    assert!(matches!(called, Err(SummonError::Slow)));
}
