//! Pictures of every view in light and dark, for the README and for eyes that look at them:
//! `scripts/screenshots` says where they go.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::app::{App, ESCAPE, SOON};
use crate::desktop::Desktop;
use crate::until;

#[tokio::test]
async fn every_view_shows_itself_in_light_and_dark() {
    let folder = std::env::var_os("PILOTFISH_PICTURES").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures"),
        PathBuf::from,
    );
    fs::create_dir_all(&folder).expect("the pictures' folder");
    let desktop = Desktop::open("pictures").await;
    let app = App::start(&desktop).await;
    let mut taken = HashSet::new();
    for theme in ["light", "dark"] {
        dress(&app, theme).await;
        take(&app, &folder, "welcome", theme, &mut taken).await;
    }
    app.past_welcome().await;
    for theme in ["light", "dark"] {
        dress(&app, theme).await;
        take(&app, &folder, "empty", theme, &mut taken).await;
    }
    app.ask(
        "Summarise in one sentence: the pilot fish follows sharks and eats their parasites; \
         the shark lets it.",
    )
    .await;
    app.answered("complete", |text| !text.is_empty()).await;
    app.ask("What is the capital of Australia?").await;
    app.answered("complete", |text| !text.is_empty()).await;
    for theme in ["light", "dark"] {
        dress(&app, theme).await;
        take(&app, &folder, "thread", theme, &mut taken).await;
        app.click("picker-button").await;
        app.shown("picker-search").await;
        take(&app, &folder, "picker", theme, &mut taken).await;
        app.shown("picker-search")
            .await
            .send_keys(ESCAPE)
            .await
            .expect("Escape");
        app.click("settings-button").await;
        for tab in ["models", "endpoints", "hotkey", "appearance"] {
            app.click(&format!("settings-tab-{tab}")).await;
            take(&app, &folder, &format!("settings-{tab}"), theme, &mut taken).await;
        }
        app.close_settings().await;
    }
    app.quit().await;
}

/// Shows the window as a system of that theme would.
async fn dress(app: &App, theme: &str) {
    app.run(&format!(
        "document.documentElement.dataset.theme = '{theme}'"
    ))
    .await;
}

/// Takes a picture once what moves has come to rest; two views or themes never look the same.
async fn take(app: &App, folder: &Path, view: &str, theme: &str, taken: &mut HashSet<Vec<u8>>) {
    until("nothing moves", SOON, async || {
        let moving = "return document.getAnimations().filter(a => a.playState === 'running' \
                      && a.effect?.getComputedTiming().iterations !== Infinity).length";
        app.run(moving).await == 0
    })
    .await;
    let file = folder.join(format!("{view}-{theme}.png"));
    app.picture(&file).await;
    let picture = fs::read(&file).expect("the picture");
    assert!(picture.len() > 4096, "{view} is blank in {theme}");
    assert!(
        taken.insert(picture),
        "{view} in {theme} looks like another view"
    );
}
