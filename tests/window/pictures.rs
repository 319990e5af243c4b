//! Pictures of every view in light and dark, for the README and for eyes that look at them:
//! `scripts/screenshots` says where they go.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::app::{App, DELETE, ESCAPE, SOON};
use crate::desktop::Desktop;
use crate::prepared::{BROKEN, Prepared, QUESTION, SHORTLY, SLOWLY};
use crate::session::PILOTFISH;
use crate::until;

const MAIN: &str = "^Pilotfish$";
const QUICK: &str = "^Pilotfish – ask$";
const THEMES: [&str; 2] = ["light", "dark"];

/// Smaller files hold a single colour.
const LEAST_BYTES: usize = 1_500;

#[tokio::test]
async fn every_view_shows_itself_in_light_and_dark() {
    let desktop = Desktop::open("pictures").await;
    let prepared = Prepared::start();
    let mut album = Album::open(&desktop);
    let app = App::start(&desktop).await;
    for theme in THEMES {
        // The settings cannot be reached from the greeting: the page is dressed as they would.
        app.run(&format!(
            "document.documentElement.dataset.theme = '{theme}'"
        ))
        .await;
        album.take(&app, "welcome", theme).await;
    }
    app.past_welcome().await;
    prepared.add_to(&app).await;
    for theme in THEMES {
        app.click("new-chat").await;
        app.wear(theme).await;
        album.take(&app, "empty", theme).await;
        answers(&app, &mut album, theme).await;
        overlays(&app, &mut album, theme).await;
        settings(&app, &mut album, theme).await;
        search(&app, &mut album, theme).await;
        unfinished(&app, &mut album, theme).await;
        narrow(&desktop, &app, &mut album, theme).await;
        deleted(&app, &mut album, theme).await;
    }
    // Last, for the keys do not always come back from another window when no person takes them.
    for theme in THEMES {
        app.wear(theme).await;
        quick(&desktop, &app, &mut album, theme).await;
    }
    app.quit().await;
}

/// An answer with everything in it, and its question being worded anew.
async fn answers(app: &App, album: &mut Album<'_>, theme: &str) {
    app.ask(QUESTION).await;
    app.answered("complete", |_| true).await;
    app.name_chat("Binary search").await;
    album.take(app, "thread", theme).await;
    app.click("edit").await;
    app.shown("edit-input").await;
    album.take(app, "edit", theme).await;
    press(app, "edit-input", ESCAPE).await;
}

async fn overlays(app: &App, album: &mut Album<'_>, theme: &str) {
    app.click("picker-button").await;
    app.shown("picker-search").await;
    album.take(app, "picker", theme).await;
    press(app, "picker-search", ESCAPE).await;
    app.click_on(".prose .link").await;
    app.shown("link-host").await;
    album.take(app, "link", theme).await;
    press(app, "link-open", ESCAPE).await;
    app.click("shortcuts-button").await;
    app.shown("dialog-close").await;
    album.take(app, "shortcuts", theme).await;
    app.click("dialog-close").await;
}

async fn settings(app: &App, album: &mut Album<'_>, theme: &str) {
    app.click("settings-button").await;
    for tab in [
        "models",
        "endpoints",
        "failover",
        "privacy",
        "hotkey",
        "appearance",
        "about",
    ] {
        app.click(&format!("settings-tab-{tab}")).await;
        match tab {
            "endpoints" => drop(app.shown("endpoint-add").await),
            "hotkey" => drop(app.shown("hotkey-route").await),
            "about" => {
                app.click("doctor-run").await;
                app.shown("doctor").await;
            }
            _ => {}
        }
        album.take(app, &format!("settings-{tab}"), theme).await;
    }
    app.close_settings().await;
}

async fn search(app: &App, album: &mut Album<'_>, theme: &str) {
    app.type_into("search-input", "entries").await;
    app.shown("search-hit").await;
    album.take(app, "search", theme).await;
    app.type_into("search-input", "albatross").await;
    until("nothing is found", SOON, async || {
        app.text(".sidebar h2").await == "Nothing found"
    })
    .await;
    album.take(app, "search-none", theme).await;
    press(app, "search-input", ESCAPE).await;
}

/// An answer that grows, one that was stopped and one that broke off.
async fn unfinished(app: &App, album: &mut Album<'_>, theme: &str) {
    app.click("new-chat").await;
    app.ask(SLOWLY).await;
    app.answered("streaming", |text| text.contains("its pilot"))
        .await;
    album.take(app, "streaming", theme).await;
    app.click("stop").await;
    app.answered("cancelled", |_| true).await;
    app.name_chat("How a pilot fish lives").await;
    album.take(app, "stopped", theme).await;
    app.click("new-chat").await;
    app.ask(BROKEN).await;
    app.answered("interrupted", |text| !text.is_empty()).await;
    app.name_chat("Why ships have pilots").await;
    album.take(app, "interrupted", theme).await;
}

async fn narrow(desktop: &Desktop, app: &App, album: &mut Album<'_>, theme: &str) {
    resize(desktop, app, ["420", "740"]).await;
    album.take(app, "narrow", theme).await;
    app.click("sidebar-button").await;
    album.take(app, "narrow-chats", theme).await;
    press(app, "new-chat", ESCAPE).await;
    resize(desktop, app, ["1080", "740"]).await;
}

async fn resize(desktop: &Desktop, app: &App, [width, height]: [&str; 2]) {
    until("the window has its size", SOON, async || {
        // The name is also that of windows nobody sees: all that are seen are meant.
        let size = [
            "--onlyvisible",
            "--name",
            MAIN,
            "windowsize",
            "%@",
            width,
            height,
        ];
        desktop.ask("xdotool", &[&["search"], &size[..]].concat());
        app.run("return String(window.innerWidth)").await == width
    })
    .await;
}

/// The quick window, alone and with an answer. No driver reaches it: the keys do, and the display.
async fn quick(desktop: &Desktop, app: &App, album: &mut Album<'_>, theme: &str) {
    let before = app.count("[data-testid=conversation-item]").await;
    let toggled = desktop.command(PILOTFISH).arg("toggle").status();
    assert!(toggled.expect("pilotfish toggle").success());
    until("the quick window has the keys", SOON, async || {
        desktop.active_window() == "Pilotfish – ask"
    })
    .await;
    desktop.ask("xdotool", &["key", "ctrl+n"]);
    album.take_window("quick", theme).await;
    desktop.ask("xdotool", &["type", "--delay", "20", SHORTLY]);
    desktop.ask("xdotool", &["key", "Return"]);
    until("the question is stored", SOON, async || {
        app.count("[data-testid=conversation-item]").await > before
    })
    .await;
    app.click("conversation-item").await;
    app.answered("complete", |text| text.contains("sun")).await;
    album.take_window("quick-answer", theme).await;
    until("Escape hides the quick window", SOON, async || {
        // The key goes to whoever has the keys; to hand them over again would take them away first.
        if desktop.active_window() == "Pilotfish – ask" {
            desktop.ask("xdotool", &["key", "Escape"]);
        } else {
            let seen = ["search", "--onlyvisible", "--name", QUICK];
            desktop.ask("xdotool", &[&seen[..], &["windowactivate"]].concat());
        }
        desktop
            .ask("xdotool", &["search", "--onlyvisible", "--name", QUICK])
            .is_empty()
    })
    .await;
}

async fn deleted(app: &App, album: &mut Album<'_>, theme: &str) {
    press(app, "conversation-item", DELETE).await;
    app.shown("toast-undo").await;
    album.take(app, "deleted", theme).await;
    app.click("toast-undo").await;
    until("the note is gone", SOON, async || {
        app.count("[data-testid=toast]").await == 0
    })
    .await;
}

async fn press(app: &App, id: &str, key: &str) {
    let element = app.shown(id).await;
    element
        .send_keys(key)
        .await
        .unwrap_or_else(|error| panic!("{key:?} in {id}: {error}"));
}

/// The folder of pictures, taken from the display as a person sees it; no two look the same.
struct Album<'d> {
    desktop: &'d Desktop,
    folder: PathBuf,
    taken: HashSet<Vec<u8>>,
}

impl<'d> Album<'d> {
    fn open(desktop: &'d Desktop) -> Self {
        let folder = std::env::var_os("PILOTFISH_PICTURES").map_or_else(
            || Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures"),
            PathBuf::from,
        );
        fs::create_dir_all(&folder).expect("the pictures' folder");
        Self {
            desktop,
            folder,
            taken: HashSet::new(),
        }
    }

    /// Takes a picture of the page once what moves has come to rest.
    async fn take(&mut self, app: &App, view: &str, theme: &str) {
        until("nothing moves", SOON, async || {
            let moving = "return document.getAnimations().filter(a => a.playState === 'running' \
                          && a.effect?.getComputedTiming().iterations !== Infinity).length";
            app.run(moving).await == 0
        })
        .await;
        let file = self.folder.join(format!("{view}-{theme}.png"));
        // What was clicked is painted with the next frame, and a picture may come before it.
        until(
            &format!("{view} looks like no other view"),
            SOON,
            async || {
                app.painted().await;
                let taken = self.desktop.picture(MAIN, &file);
                taken && !self.taken.contains(&fs::read(&file).expect("the picture"))
            },
        )
        .await;
        self.keep(&file);
    }

    /// Takes a picture of the quick window once two in a row are the same: no driver tells more.
    async fn take_window(&mut self, view: &str, theme: &str) {
        let file = self.folder.join(format!("{view}-{theme}.png"));
        let mut before = Vec::new();
        until("the quick window is at rest", SOON, async || {
            let taken = self.desktop.picture(QUICK, &file);
            let now = fs::read(&file).unwrap_or_default();
            let rests = taken && now == before && now.len() > LEAST_BYTES;
            before = now;
            rests && !self.taken.contains(&before)
        })
        .await;
        self.keep(&file);
    }

    fn keep(&mut self, file: &Path) {
        let picture = fs::read(file).expect("the picture");
        let name = file.display();
        assert!(picture.len() > LEAST_BYTES, "{name} is blank");
        assert!(self.taken.insert(picture), "{name} looks like another view");
    }
}
