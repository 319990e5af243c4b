//! Summoning: the key over another program's window, and the quick window that takes the keys.

use std::time::Duration;

use tokio::time::timeout;

use crate::app::{App, SOON};
use crate::desktop::Desktop;
use crate::session::{Owned, PILOTFISH};
use crate::until;

/// The quick window's title.
const QUICK: &str = "Pilotfish – ask";
const OTHER: &str = "Another program";

#[tokio::test]
async fn the_hotkey_summons_the_quick_window_over_another() {
    let desktop = Desktop::open("hotkey").await;
    let app = App::start(&desktop).await;
    app.past_welcome().await;
    let _other = Owned::start(desktop.command("xmessage").args(["-title", OTHER, "hello"]));
    until("the other window has the keys", SOON, async || {
        desktop.ask("xdotool", &["search", "--name", OTHER, "windowactivate"]);
        desktop.active_window() == OTHER
    })
    .await;

    // The key is grabbed a moment after the window is there; a press before that reaches nobody.
    until("the key summons the quick window", SOON, async || {
        desktop.ask("xdotool", &["key", "ctrl+shift+space"]);
        timeout(
            Duration::from_secs(10),
            until("it is there", SOON, async || {
                desktop.active_window() == QUICK
            }),
        )
        .await
        .is_ok()
    })
    .await;

    // It takes the keys: what is typed now is asked, and the main window learns of it.
    desktop.ask(
        "xdotool",
        &["type", "--delay", "15", "What is the capital of Australia?"],
    );
    desktop.ask("xdotool", &["key", "Return"]);
    app.click("conversation-item").await;
    let asked = app.found("[data-testid=message][data-role=user]").await;
    assert_eq!(
        asked.text().await.expect("its text").trim(),
        "What is the capital of Australia?"
    );
    app.answered("complete", |text| !text.is_empty()).await;

    desktop.ask("xdotool", &["key", "Escape"]);
    until("Escape hides it", SOON, async || {
        desktop.active_window() != QUICK
    })
    .await;
    let toggled = desktop
        .command(PILOTFISH)
        .arg("toggle")
        .status()
        .expect("pilotfish toggle");
    assert!(toggled.success());
    until("toggle summons it too", SOON, async || {
        desktop.active_window() == QUICK
    })
    .await;
    app.quit().await;
}
