//! The real application on a desktop, driven through WebKitWebDriver as a person's hands and eyes
//! would: what can be clicked is clicked, what is shown is read.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::desktop::Desktop;
use crate::session::{Owned, PILOTFISH};
use crate::until;

/// How long the window itself may take to show something. Generous: a build may run beside it.
pub const SOON: Duration = Duration::from_secs(120);
/// How long a model may take.
pub const ANSWER: Duration = Duration::from_secs(600);

/// Keys without a letter, as WebDriver names them.
pub const ESCAPE: &str = "\u{e00c}";
pub const DELETE: &str = "\u{e017}";
const ENTER: &str = "\u{e007}";
const F2: &str = "\u{e032}";

/// The running application.
pub struct App {
    /// The page of the main window.
    pub page: Client,
    driver: Owned,
}

impl App {
    /// Starts the application and waits until its page can be used.
    pub async fn start(desktop: &Desktop) -> Self {
        let port = free_port();
        let driver = Owned::start(
            desktop
                .command("WebKitWebDriver")
                .arg(format!("--port={port}"))
                .env("TAURI_AUTOMATION", "true")
                .env("TAURI_WEBVIEW_AUTOMATION", "true"),
        );
        until("the driver listens", SOON, async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_ok()
        })
        .await;
        let mut capabilities = Capabilities::new();
        capabilities.insert(
            "webkitgtk:browserOptions".to_owned(),
            json!({ "binary": PILOTFISH, "args": [] }),
        );
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("the application under the driver");
        let app = Self { page, driver };
        app.found("[data-testid=composer-input], [data-testid=welcome]")
            .await;
        app
    }

    /// Kills the application as a power cut would: no handler of it runs.
    pub async fn kill(self) {
        kill(self.pid());
        until("the application is gone", SOON, async || self.is_gone()).await;
    }

    /// The application's process.
    pub fn pid(&self) -> u32 {
        child_named(self.driver.0.id(), "pilotfish").expect("the application's process")
    }

    /// Whether the application runs no more.
    pub fn is_gone(&self) -> bool {
        child_named(self.driver.0.id(), "pilotfish").is_none()
    }

    /// Ends the application in order.
    pub async fn quit(self) {
        // The driver closes the window and with it the program; its answer may get lost with them.
        drop(self.page.clone().close().await);
        until("the application is gone", SOON, async || self.is_gone()).await;
    }

    /// Waits for an element by its `data-testid`.
    pub async fn shown(&self, id: &str) -> Element {
        self.found(&format!("[data-testid='{id}']")).await
    }

    /// Waits for an element; when it does not come, tells what is shown instead.
    pub async fn found(&self, css: &str) -> Element {
        let found = self
            .page
            .wait()
            .at_most(SOON)
            .every(Duration::from_millis(50))
            .for_element(Locator::Css(css))
            .await;
        match found {
            Ok(element) => element,
            Err(error) => {
                let shown = self
                    .page
                    .source()
                    .await
                    .unwrap_or_else(|error| error.to_string());
                panic!("{css} was not shown ({error}), but: {shown:.4000}")
            }
        }
    }

    /// Clicks an element by its `data-testid`; again when the page moved under the click.
    pub async fn click(&self, id: &str) {
        self.click_on(&format!("[data-testid='{id}']")).await;
    }

    /// Clicks an element; again while the page moves under the click.
    pub async fn click_on(&self, css: &str) {
        until(&format!("{css} takes a click"), SOON, async || {
            self.found(css).await.click().await.is_ok()
        })
        .await;
    }

    /// Types into an element by its `data-testid`, in place of what is there.
    pub async fn type_into(&self, id: &str, text: &str) {
        let field = self.shown(id).await;
        field
            .clear()
            .await
            .unwrap_or_else(|error| panic!("{id}: {error}"));
        field
            .send_keys(text)
            .await
            .unwrap_or_else(|error| panic!("{id}: {error}"));
    }

    /// Goes past the first start's greeting.
    pub async fn past_welcome(&self) {
        self.click("welcome-skip").await;
        self.shown("composer-input").await;
    }

    /// Closes the settings.
    pub async fn close_settings(&self) {
        self.click("settings-close").await;
        until("the settings are closed", SOON, async || {
            self.count("[data-testid^=settings-tab-]").await == 0
        })
        .await;
    }

    /// Names the open chat, by the key that does: clearing the field as `type_into` does would take
    /// the keys from it, and with them the wish to rename.
    pub async fn name_chat(&self, title: &str) {
        until("the name can be changed", SOON, async || {
            // The row may have just come, and a list that is read again may move it.
            let row = self
                .found("li.isOpen [data-testid=conversation-item]")
                .await;
            row.send_keys(F2).await.is_ok() && self.count("[data-testid=rename-input]").await > 0
        })
        .await;
        let field = self.shown("rename-input").await;
        // All of the old name is selected: the new one takes its place.
        field.send_keys(title).await.expect("the name");
        field.send_keys(ENTER).await.expect("Enter");
        let mut shown = String::new();
        until(&format!("the chat is called {title}"), SOON, async || {
            shown = self.text("[data-testid=thread-title]").await;
            shown == title || shown.contains(title)
        })
        .await;
        assert_eq!(shown, title);
    }

    /// Chooses the light or the dark look in the settings: both windows wear it.
    pub async fn wear(&self, theme: &str) {
        self.click("settings-button").await;
        self.click("settings-tab-appearance").await;
        self.click_on(&format!("label:has([data-testid='theme-{theme}'])"))
            .await;
        self.found(&format!(":root[data-theme='{theme}']")).await;
        self.close_settings().await;
    }

    /// Picks a model in the composer's picker.
    pub async fn pick(&self, model: &str) {
        self.click("picker-button").await;
        let search = model.split_once('/').map_or(model, |(_, name)| name);
        self.type_into("picker-search", search).await;
        self.click_on(&format!(
            "[data-testid='picker-option'][data-model='{model}']"
        ))
        .await;
    }

    /// Asks a question.
    pub async fn ask(&self, question: &str) {
        self.type_into("composer-input", question).await;
        self.click("send").await;
    }

    /// The newest answer's state and text; two empty ones before there is any.
    pub async fn answer(&self) -> (String, String) {
        let read = self
            .run(
                "const all = document.querySelectorAll(\
                   '[data-testid=message][data-role=assistant]');\
                 const last = all[all.length - 1];\
                 if (!last) return ['', ''];\
                 const prose = [...last.querySelectorAll('.prose')].map(part => part.textContent);\
                 return [last.dataset.state, prose.join(' ')];",
            )
            .await;
        let part = |index: usize| read[index].as_str().unwrap_or_default().trim().to_owned();
        (part(0), part(1))
    }

    /// Waits until the newest answer is in a state and its text as wished; gives the text.
    pub async fn answered(&self, state: &str, enough: impl Fn(&str) -> bool) -> String {
        self.answer_when(&format!("the answer is {state}"), |now, text| {
            now == state && enough(text)
        })
        .await
        .1
    }

    /// Waits until the newest answer has grown enough, or has ended; gives its state and text.
    pub async fn grown(&self, enough: impl Fn(&str) -> bool) -> (String, String) {
        self.answer_when("the answer grows", |state, text| {
            state == "complete" || (state == "streaming" && enough(text))
        })
        .await
    }

    /// Waits until the newest answer grows no more; gives its state and text.
    pub async fn ended(&self) -> (String, String) {
        self.answer_when("the answer ends", |state, _| {
            !state.is_empty() && state != "streaming"
        })
        .await
    }

    async fn answer_when(
        &self,
        what: &str,
        holds: impl Fn(&str, &str) -> bool,
    ) -> (String, String) {
        let mut answer = (String::new(), String::new());
        until(what, ANSWER, async || {
            answer = self.answer().await;
            holds(&answer.0, &answer.1)
        })
        .await;
        answer
    }

    /// How many elements there are.
    pub async fn count(&self, css: &str) -> u64 {
        let script = format!("return document.querySelectorAll({}).length", json!(css));
        self.run(&script).await.as_u64().unwrap_or_default()
    }

    /// The text of the first element that fits; empty while there is none.
    pub async fn text(&self, css: &str) -> String {
        let script = format!(
            "return document.querySelector({})?.textContent ?? ''",
            json!(css)
        );
        let text = self.run(&script).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str) -> Value {
        self.page
            .execute(script, Vec::new())
            .await
            .expect("the page's answer")
    }

    /// Waits until what the page is now has been painted.
    pub async fn painted(&self) {
        let frames = "const done = arguments[0]; \
                      requestAnimationFrame(() => requestAnimationFrame(() => done()))";
        self.page
            .execute_async(frames, Vec::new())
            .await
            .expect("two frames");
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("its number").port()
}

/// Kills a process: no handler of it runs.
pub fn kill(pid: u32) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::KILL)
        .expect("SIGKILL");
}

/// The child of a process that runs a program of the given name.
fn child_named(parent: u32, name: &str) -> Option<u32> {
    children(parent)
        .into_iter()
        .find_map(|(pid, found)| (found == name).then_some(pid))
}

/// The running children of a process, with the names that the system keeps of their programs: of
/// 15 bytes at most.
pub fn children(parent: u32) -> Vec<(u32, String)> {
    fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // "pid (name) state parent …", and a name may hold brackets of its own.
            let (head, tail) = stat.rsplit_once(')')?;
            let mut tail = tail.split_whitespace();
            let running = tail.next() != Some("Z");
            let is_child = running && tail.next()?.parse::<u32>().ok()? == parent;
            is_child.then(|| (pid, head.split_once('(').unwrap_or_default().1.to_owned()))
        })
        .collect()
}
