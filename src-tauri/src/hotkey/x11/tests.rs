//! Keys grabbed from a real X server, which each test starts for itself and throws away; xdotool
//! presses them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::super::key::every_key;
use super::*;

/// How long a press may take to be heard. Generous: a build may run beside it.
const SOON: Duration = Duration::from_secs(60);

/// An X server without a screen; it ends with its owner.
struct Display {
    server: Child,
    name: String,
}

impl Display {
    fn open() -> Self {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb: install xvfb");
        let mut number = String::new();
        BufReader::new(server.stdout.take().expect("its output"))
            .read_line(&mut number)
            .expect("the display's number");
        assert!(!number.trim().is_empty(), "Xvfb did not start");
        let name = format!(":{}", number.trim());
        Self { server, name }
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let status = Command::new(program)
            .args(arguments)
            .env("DISPLAY", &self.name)
            .status()
            .unwrap_or_else(|error| panic!("{program} did not start: {error}"));
        assert!(status.success(), "{program} {arguments:?}");
    }

    /// Puts a keysym where another key is, or nothing there.
    fn map(&self, key: &str, keysym: u32) {
        let (connection, _) = RustConnection::connect(Some(&self.name)).expect("a connection");
        let key: Key = format!("Ctrl+{key}").parse().expect("a key");
        let keycode = keycode(&connection, key.keysym())
            .expect("an answer")
            .expect("the key");
        connection
            .change_keyboard_mapping(1, keycode, 1, &[keysym])
            .expect("a change")
            .check()
            .expect("the change");
    }

    /// A grab whose presses come out of the channel.
    fn grab(&self, key: &str) -> Result<(Grab, mpsc::Receiver<Press>, Arc<Notify>), String> {
        let (told, presses) = mpsc::channel();
        let news = Arc::new(Notify::new());
        let pressed: Pressed = Arc::new(move |press: Option<Press>| {
            // A test that has seen enough listens no more.
            let _ = told.send(press.expect("what the X server says"));
        });
        let key = key.parse().expect("a key");
        let grab = Grab::take_on(Some(&self.name), key, pressed, Arc::clone(&news))?;
        Ok((grab, presses, news))
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

#[test]
fn a_press_is_heard_whatever_the_locks() {
    let display = Display::open();
    let (grab, presses, _news) = display.grab("Ctrl+Shift+Space").expect("the key");
    assert!(matches!(grab.state(), HotkeyState::Grabbed { key } if key == "Ctrl+Shift+Space"));
    display.run("xdotool", &["mousemove", "120", "70"]);
    for locks in [None, Some("Num_Lock"), Some("Caps_Lock")] {
        if let Some(lock) = locks {
            display.run("xdotool", &["key", lock]);
        }
        display.run("xdotool", &["key", "ctrl+shift+space"]);
        let press = presses
            .recv_timeout(SOON)
            .unwrap_or_else(|_| panic!("not heard with {locks:?}"));
        assert_eq!(press.pointer, (120, 70));
        assert_ne!(press.time, 0);
    }
    display.run("xdotool", &["key", "ctrl+space"]);
    drop(grab);
    assert!(presses.try_recv().is_err(), "another key is not ours");
}

#[test]
fn a_key_of_another_program_is_said_and_freed_when_dropped() {
    let display = Display::open();
    let (first, presses, _news) = display.grab("Ctrl+Alt+K").expect("the key");
    let refusal = display.grab("Ctrl+Alt+K").err().expect("a conflict");
    assert!(
        refusal.contains("another program holds this key"),
        "{refusal}"
    );
    display.run("xdotool", &["key", "ctrl+alt+k"]);
    presses.recv_timeout(SOON).expect("the first one's still");
    drop(first);
    // The thread is joined: what it called us with is gone.
    assert!(matches!(
        presses.recv_timeout(SOON),
        Err(mpsc::RecvTimeoutError::Disconnected)
    ));
    display.grab("Ctrl+Alt+K").expect("the key is free at once");
}

#[test]
fn a_key_that_is_held_is_pressed_once() {
    let display = Display::open();
    // What the X server really sends while a key is held, until it has repeated it some times.
    let (connection, screen) = RustConnection::connect(Some(&display.name)).expect("a connection");
    let root = connection.setup().roots[screen].root;
    let keycode = grab(&connection, root, &"Ctrl+F9".parse().expect("a key")).expect("the key");
    let mut presses = Presses::of(keycode);
    let (mut sent, mut read) = (0, 0);
    display.run("xdotool", &["keydown", "ctrl", "keydown", "F9"]);
    while sent < 4 {
        let event = connection.wait_for_event().expect("an event");
        sent += u32::from(matches!(event, Event::KeyPress(_)));
        read += u32::from(presses.read(&event).is_some());
    }
    assert_eq!(read, 1, "of {sent} presses the first is one");
    display.run("xdotool", &["keyup", "F9", "keydown", "F9"]);
    while read < 2 {
        let event = connection.wait_for_event().expect("an event");
        read += u32::from(presses.read(&event).is_some());
    }
}

#[test]
fn a_keyboard_that_changes_is_followed() {
    let display = Display::open();
    let (grab, presses, news) = display.grab("Ctrl+Shift+F9").expect("the key");
    let told = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime
            .block_on(async { tokio::time::timeout(SOON, news.notified()).await })
            .expect("the change is told");
    };
    display.map("F9", 0);
    told();
    assert!(matches!(
        grab.state(),
        HotkeyState::Failed { reason, .. } if reason.contains("this keyboard has no such key")
    ));
    display.map("F10", "Ctrl+F9".parse::<Key>().expect("a key").keysym());
    told();
    assert!(matches!(grab.state(), HotkeyState::Grabbed { .. }));
    display.run("xdotool", &["key", "ctrl+shift+F9"]);
    presses.recv_timeout(SOON).expect("it is where F10 was");
}

#[test]
fn every_key_is_on_a_keyboard() {
    let display = Display::open();
    let (connection, _) = RustConnection::connect(Some(&display.name)).expect("a connection");
    let twelve = "Ctrl+F12".parse::<Key>().expect("a key").keysym();
    for key in every_key() {
        let found = keycode(&connection, key.keysym()).expect("an answer");
        // Hardly a keyboard has more than twelve function keys.
        let rare = (twelve + 1..=twelve + 12).contains(&key.keysym());
        assert_eq!(found.is_some(), !rare, "{key}");
    }
}

#[test]
fn no_x_server_is_said() {
    let key = "Ctrl+F9".parse().expect("a key");
    let refusal = Grab::take_on(
        Some(":4294967"),
        key,
        Arc::new(|_| ()),
        Arc::new(Notify::new()),
    );
    assert!(refusal.err().expect("no server").contains("the X server"));
}
