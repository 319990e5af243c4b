//! Who counts as calling, and the call itself on a private bus: this test binary over again under
//! `dbus-run-session`, with an ignored test as what runs inside.

use super::*;

fn arguments(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn only_the_exact_word_counts() {
    assert!(is_toggle(&arguments(&["pilotfish", "toggle"])));
    assert!(is_toggle(&arguments(&["/usr/bin/pilotfish", "toggle"])));
    for other in [
        &[][..],
        &["toggle"],
        &["pilotfish"],
        &["pilotfish", "Toggle"],
        &["pilotfish", "toggle "],
        &["pilotfish", "--toggle"],
        &["pilotfish", "toggle", "now"],
        &["pilotfish", "ask", "toggle"],
    ] {
        assert!(!is_toggle(&arguments(other)), "{other:?}");
    }
}

#[cfg(target_os = "linux")]
mod on_a_bus {
    use std::process::Command;
    use std::time::Duration;

    use futures::StreamExt as _;
    use zbus::message::Type;
    use zbus::{Connection, MessageStream};

    use super::super::SummonError;
    use super::super::linux::{NAME, PATH, toggle_running, within};

    /// Runs an ignored test of this module on a bus of its own.
    fn run(case: &str) {
        let case = format!("summon::tests::on_a_bus::{case}");
        let output = Command::new("dbus-run-session")
            .arg("--")
            .arg(std::env::current_exe().expect("this test binary"))
            .args(["--ignored", "--exact", &case])
            .output()
            .expect("dbus-run-session: install dbus");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
    }

    #[test]
    fn the_names_follow_from_the_identifier() {
        let configuration = include_str!("../../../tauri.conf.json");
        let identifier = NAME
            .strip_suffix(".SingleInstance")
            .expect("the plugin's suffix");
        assert!(configuration.contains(&format!("\"identifier\": \"{identifier}\"")));
        assert_eq!(
            PATH,
            format!("/{}", NAME.replace('.', "/").replace('-', "_"))
        );
    }

    #[test]
    fn nobody_runs() {
        run("inside_nobody_runs");
    }

    #[test]
    #[ignore = "runs on a private bus"]
    fn inside_nobody_runs() {
        assert!(!toggle_running().expect("a bus"));
    }

    #[test]
    fn the_running_application_hears_it() {
        run("inside_heard");
    }

    #[tokio::test]
    #[ignore = "runs on a private bus"]
    async fn inside_heard() {
        let bus = Connection::session().await.expect("a bus");
        let mut messages = MessageStream::from(&bus);
        bus.request_name(NAME).await.expect("the name");
        let hear = async {
            while let Some(message) = messages.next().await {
                let message = message.expect("a message");
                if message.header().message_type() != Type::MethodCall {
                    continue;
                }
                let (words, folder): (Vec<String>, String) =
                    message.body().deserialize().expect("words and a folder");
                assert!(super::super::is_toggle(&words));
                assert!(!folder.is_empty());
                assert_eq!(message.header().path().expect("a path").as_str(), PATH);
                bus.reply(&message.header(), &()).await.expect("a reply");
                return;
            }
        };
        let (called, ()) = futures::join!(within(Duration::from_secs(20)), hear);
        assert!(called.expect("called"));
    }

    #[test]
    fn an_application_that_hangs_is_not_waited_for() {
        run("inside_hangs");
    }

    #[tokio::test]
    #[ignore = "runs on a private bus"]
    async fn inside_hangs() {
        let bus = Connection::session().await.expect("a bus");
        // It keeps the calls and answers none.
        let _messages = MessageStream::from(&bus);
        bus.request_name(NAME).await.expect("the name");
        let error = within(Duration::from_millis(300))
            .await
            .expect_err("no answer");
        assert!(matches!(error, SummonError::Slow), "{error}");
    }
}
