//! Starting: once more, from a key of the desktop, without a display, over a folder that is none;
//! and coming back when the page's process dies.

use std::fs;
use std::time::Duration;

use crate::app::{App, SOON, children, kill};
use crate::desktop::Desktop;
use crate::session::{Owned, PILOTFISH, Session};
use crate::until;

const MAIN: &str = "Pilotfish";
const QUICK: &str = "Pilotfish – ask";
const OTHER: &str = "Another program";

/// Another program's window in front, with the keys; it goes when it is dropped.
async fn other_window(desktop: &Desktop) -> Owned {
    let other = Owned::start(desktop.command("xmessage").args(["-title", OTHER, "hello"]));
    other_in_front(desktop).await;
    other
}

async fn other_in_front(desktop: &Desktop) {
    until("the other window has the keys", SOON, async || {
        desktop.ask("xdotool", &["search", "--name", OTHER, "windowactivate"]);
        desktop.active_window() == OTHER
    })
    .await;
}

async fn in_front(desktop: &Desktop, title: &str) {
    until(&format!("{title} is in front"), SOON, async || {
        desktop.active_window() == title
    })
    .await;
}

/// Whether a window can be seen; a window manager may still call one active that was hidden.
fn is_shown(desktop: &Desktop, title: &str) -> bool {
    let title = format!("^{title}$");
    !desktop
        .ask("xdotool", &["search", "--onlyvisible", "--name", &title])
        .is_empty()
}

/// How many instances have the database open.
fn instances(desktop: &Desktop) -> usize {
    fs::read_dir(desktop.session.home.join("data/instances"))
        .expect("the instances")
        .count()
}

#[tokio::test]
async fn a_second_start_raises_the_first() {
    let desktop = Desktop::open("second").await;
    let app = App::start(&desktop).await;
    app.past_welcome().await;
    let opened = instances(&desktop);
    let _other = other_window(&desktop).await;

    let second = desktop.command(PILOTFISH).status().expect("a second start");
    assert!(second.success());
    in_front(&desktop, MAIN).await;
    assert_eq!(instances(&desktop), opened, "the second opened nothing");

    // Nothing that a crash leaves may hold what was in memory.
    let pid = app.pid();
    let mut family = children(pid);
    family.push((pid, "pilotfish".to_owned()));
    for (pid, name) in family {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("its limits");
        let core = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max core file size"))
            .expect("the limit of core dumps");
        let limit: Vec<&str> = core.split_whitespace().take(2).collect();
        assert_eq!(limit, ["0", "0"], "{name}");
    }
    app.quit().await;
}

#[tokio::test]
async fn toggle_starts_the_application_and_summons() {
    let desktop = Desktop::open("toggle").await;
    let toggle = || {
        desktop
            .command(PILOTFISH)
            .arg("toggle")
            .status()
            .expect("toggle")
    };
    let _app = Owned::start(desktop.command(PILOTFISH).arg("toggle"));
    in_front(&desktop, QUICK).await;
    assert!(!is_shown(&desktop, MAIN), "only the quick window is");

    assert!(toggle().success());
    until("it is hidden", SOON, async || !is_shown(&desktop, QUICK)).await;
    assert!(toggle().success());
    in_front(&desktop, QUICK).await;
    // Seen but without the keys, it is called back and not hidden; by either way.
    let _other = other_window(&desktop).await;
    assert!(toggle().success());
    in_front(&desktop, QUICK).await;
    other_in_front(&desktop).await;
    until("the hotkey calls it back", SOON, async || {
        desktop.ask("xdotool", &["key", "ctrl+shift+space"]);
        tokio::time::timeout(Duration::from_secs(5), in_front(&desktop, QUICK))
            .await
            .is_ok()
    })
    .await;
    desktop.ask("xdotool", &["key", "ctrl+shift+space"]);
    until("the hotkey hides it", SOON, async || {
        !is_shown(&desktop, QUICK)
    })
    .await;
}

#[tokio::test]
async fn a_crashed_page_comes_back() {
    let desktop = Desktop::open("crash").await;
    let app = App::start(&desktop).await;
    app.past_welcome().await;
    let web = page_process(&app).expect("the page's process");
    kill(web);
    until("the page has another process", SOON, async || {
        page_process(&app).is_some_and(|pid| pid != web)
    })
    .await;

    // The driver has lost the page with its process, so it is used as a person would: what is typed
    // into the quick window arrives in the database.
    let question = "pelicans after a crash";
    until("a question is asked", SOON, async || {
        desktop.ask("xdotool", &["key", "ctrl+shift+space"]);
        let shown = tokio::time::timeout(Duration::from_secs(5), in_front(&desktop, QUICK)).await;
        if shown.is_err() {
            return false;
        }
        desktop.ask("xdotool", &["key", "ctrl+a"]);
        desktop.ask("xdotool", &["type", "--delay", "30", question]);
        desktop.ask("xdotool", &["key", "Return"]);
        let stored = until("it is stored", SOON, async || {
            let files = desktop.session.files_with(question);
            files
                .iter()
                .any(|file| file.to_string_lossy().contains("pilotfish.db"))
        });
        tokio::time::timeout(Duration::from_secs(5), stored)
            .await
            .is_ok()
    })
    .await;
    app.kill().await;
}

/// The process of the application's pages.
fn page_process(app: &App) -> Option<u32> {
    children(app.pid())
        .into_iter()
        .find_map(|(pid, name)| name.starts_with("WebKitWebProces").then_some(pid))
}

#[test]
fn without_a_display_it_says_what_to_do() {
    let session = Session::open();
    let output = session.command(PILOTFISH).output().expect("a start");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("there is no display") && said.contains("pilotfish chat"),
        "{said}"
    );
    assert!(!session.home.join("data").exists(), "nothing was opened");
}

#[tokio::test]
async fn what_cannot_be_opened_is_shown() {
    let desktop = Desktop::open("failure").await;
    fs::write(desktop.session.home.join("data"), "no folder").expect("a file in the way");
    let mut app = Owned::start(&mut desktop.command(PILOTFISH));
    in_front(&desktop, MAIN).await;
    desktop.ask("xdotool", &["key", "Escape"]);
    until("it ends once that is read", SOON, async || {
        app.0
            .try_wait()
            .expect("its state")
            .is_some_and(|status| !status.success())
    })
    .await;
}
