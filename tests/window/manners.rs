//! What every person does with an answer: copying it, wording the question anew, naming the chat,
//! and dressing the window.

use crate::app::{App, SOON};
use crate::desktop::Desktop;
use crate::prepared::{CODE, Prepared, QUESTION};
use crate::until;

const ASSISTANT: &str = "[data-testid=message][data-role=assistant]";

/// Pastes what was copied into the composer, as a person would; gives what stands there then.
async fn pasted(desktop: &Desktop, app: &App, beginning: &str) -> String {
    let composer = app.shown("composer-input").await;
    composer.clear().await.expect("an empty composer");
    app.click("composer-input").await;
    desktop.ask("xdotool", &["key", "ctrl+v"]);
    let mut text = String::new();
    until("what was copied is pasted", SOON, async || {
        let read = app
            .run("return document.querySelector('[data-testid=composer-input]').value")
            .await;
        text = read.as_str().unwrap_or_default().to_owned();
        text.starts_with(beginning)
    })
    .await;
    text
}

#[tokio::test]
async fn what_is_copied_can_be_pasted() {
    let desktop = Desktop::open("copy").await;
    let prepared = Prepared::start();
    let app = App::start(&desktop).await;
    app.past_welcome().await;
    prepared.add_to(&app).await;
    app.ask(QUESTION).await;
    app.answered("complete", |_| true).await;

    app.click_on(&format!("{ASSISTANT} [data-testid=copy]"))
        .await;
    app.found(&format!(
        "{ASSISTANT} [data-testid=copy][aria-label=Copied]"
    ))
    .await;
    let answer = pasted(&desktop, &app, "Each step").await;
    assert!(
        answer.contains("```rust") && answer.contains("| Entries |"),
        "it is the Markdown that the model wrote: {answer:?}"
    );

    app.click_on(&format!("{ASSISTANT} .code-copy")).await;
    assert_eq!(pasted(&desktop, &app, "fn find").await, CODE);
    app.quit().await;
}

#[tokio::test]
async fn a_question_is_worded_anew_and_the_chat_named() {
    let desktop = Desktop::open("wording").await;
    let prepared = Prepared::start();
    let app = App::start(&desktop).await;
    app.past_welcome().await;
    prepared.add_to(&app).await;
    app.ask(QUESTION).await;
    app.answered("complete", |_| true).await;

    app.click("edit").await;
    app.type_into("edit-input", "How fast is binary search?")
        .await;
    app.click("edit-save").await;
    until("both wordings are there", SOON, async || {
        app.text("[data-role=user] [data-testid=sibling-count]")
            .await
            == "2/2"
    })
    .await;
    app.answered("complete", |text| text.contains("halves"))
        .await;

    app.name_chat("Searching").await;
    let has_keys = "return document.activeElement?.dataset.testid ?? ''";
    assert_eq!(app.run(has_keys).await, "conversation-item");
    app.quit().await;
}

#[tokio::test]
async fn the_window_keeps_the_look_that_was_chosen() {
    let desktop = Desktop::open("look").await;
    let app = App::start(&desktop).await;
    app.past_welcome().await;
    app.wear("dark").await;
    let scheme = "return getComputedStyle(document.documentElement).colorScheme";
    assert_eq!(app.run(scheme).await, "dark");
    app.quit().await;

    let app = App::start(&desktop).await;
    until("the window is dark again", SOON, async || {
        app.run(scheme).await == "dark"
    })
    .await;
    app.quit().await;
}
