//! Asking, being cut off, going on, switching, and finding it all again.

use crate::app::{ANSWER, App, DELETE, ESCAPE, SOON};
use crate::desktop::Desktop;
use crate::peer::Peer;
use crate::until;

/// Text as compared across renderings: a block that grows shows marks and white space that are gone
/// once it is finished.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphabetic()).collect()
}

/// The beginning of a text.
fn beginning(text: &str, of: usize) -> String {
    letters(text).chars().take(of).collect()
}

/// Asks for a story until one is caught growing: gives what was shown early, what later, and how
/// often was asked. The small model now and then ends a story before anyone looks.
async fn caught_growing(app: &App) -> (String, String, u64) {
    for asked in 1..=8 {
        app.ask("Tell me a very long story about a fisherman, his boat and the sea.")
            .await;
        until("the newest answer is this one", SOON, async || {
            let answers = "[data-testid=message][data-role=assistant]";
            app.count(answers).await == asked
        })
        .await;
        let (_, early) = app.grown(|text| text.len() > 40).await;
        let (state, later) = app.grown(|text| text.len() > early.len() + 80).await;
        if state == "streaming" {
            return (early, later, asked);
        }
    }
    panic!("no story was long enough to be caught");
}

#[tokio::test]
async fn an_answer_streams_survives_a_kill_and_goes_on() {
    let desktop = Desktop::open("kill").await;
    let app = App::start(&desktop).await;
    app.past_welcome().await;

    // It streams: the text grows while the answer is not finished.
    let (early, later, asked) = caught_growing(&app).await;
    assert!(
        letters(&later).starts_with(&beginning(&early, 30)),
        "{early:?} then {later:?}"
    );
    app.kill().await;

    let app = App::start(&desktop).await;
    app.click("conversation-item").await;
    let kept = app.answered("interrupted", |text| !text.is_empty()).await;
    // What was on the screen a checkpoint ago is there; `early` is several checkpoints old.
    assert!(
        letters(&kept).starts_with(&letters(&early)),
        "of {early:?} only {kept:?} was kept"
    );
    assert_eq!(
        app.count("[data-testid=message][data-role=user]").await,
        asked
    );

    app.click("continue").await;
    let (state, grown) = app.grown(|text| text.len() > kept.len() + 40).await;
    assert!(
        letters(&grown).starts_with(&beginning(&kept, 30)),
        "it goes on and begins not anew"
    );
    if state == "streaming" {
        app.click("stop").await;
        let (_, stopped) = app.ended().await;
        assert!(stopped.len() >= kept.len(), "stopping keeps what has come");
    }
    app.quit().await;
}

#[tokio::test]
async fn the_picker_switches_to_another_server_in_the_same_conversation() {
    let desktop = Desktop::open("switch").await;
    let peer = Peer::start();
    let app = App::start(&desktop).await;
    app.past_welcome().await;
    app.ask("What is the capital of Australia?").await;
    let first = app.answered("complete", |_| true).await;
    assert!(first.contains("Canberra"), "{first:?}");
    assert_eq!(peer.answers(), 0, "the in-house model answers in the house");

    app.click("settings-button").await;
    app.click("settings-tab-endpoints").await;
    app.click("endpoint-add").await;
    app.type_into("endpoint-name", "Second").await;
    app.type_into("endpoint-url", &peer.base_url).await;
    app.click("endpoint-save").await;
    let row = "[data-testid=endpoint-row][data-provider=second]";
    app.click_on(&format!("{row} [data-testid=endpoint-test]"))
        .await;
    let result = format!("{row} [data-testid=endpoint-result]");
    until("the second server offers its model", SOON, async || {
        app.text(&result).await.contains("peer")
    })
    .await;
    app.close_settings().await;

    app.pick("second/peer").await;
    app.ask("And of New Zealand?").await;
    until("the second server has answered", ANSWER, async || {
        peer.answers() > 0
    })
    .await;
    until("its answer is shown whole", ANSWER, async || {
        app.count("[data-testid=message][data-role=assistant][data-state=complete]")
            .await
            == 2
    })
    .await;
    assert!(!app.answer().await.1.is_empty());
    assert_eq!(
        app.count("[data-testid=conversation-item]").await,
        1,
        "one conversation"
    );
    app.quit().await;
}

#[tokio::test]
async fn answers_are_made_anew_found_and_deleted_with_undo() {
    let desktop = Desktop::open("manners").await;
    let app = App::start(&desktop).await;
    app.past_welcome().await;
    app.ask("Say only the word pelican.").await;
    app.answered("complete", |_| true).await;

    app.click("regenerate").await;
    until("the second answer is whole", ANSWER, async || {
        app.answer().await.0 == "complete" && versions(&app).await == "2/2"
    })
    .await;
    app.click("sibling-prev").await;
    until("the first answer is shown again", SOON, async || {
        versions(&app).await == "1/2"
    })
    .await;
    assert_eq!(
        app.count("[data-testid=message][data-role=assistant]")
            .await,
        1
    );

    app.type_into("search-input", "pelican").await;
    app.click("search-hit").await;
    app.found("[data-testid=message][data-role=user]").await;
    app.type_into("search-input", "albatross").await;
    until("nothing is found", SOON, async || {
        app.count("[data-testid=search-hit]").await == 0
    })
    .await;
    app.shown("search-input")
        .await
        .send_keys(ESCAPE)
        .await
        .expect("Escape");

    app.shown("conversation-item")
        .await
        .send_keys(DELETE)
        .await
        .expect("Delete");
    until("it is gone", SOON, async || {
        app.count("[data-testid=conversation-item]").await == 0
    })
    .await;
    app.click("toast-undo").await;
    app.shown("conversation-item").await;
    app.quit().await;
}

/// Which of its versions the answer shows, as `2/2`.
async fn versions(app: &App) -> String {
    let shown = app
        .run("return document.querySelector('[data-testid=sibling-count]')?.textContent ?? ''")
        .await;
    shown.as_str().unwrap_or_default().to_owned()
}
