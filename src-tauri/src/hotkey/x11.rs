//! A key grabbed from the X server. A thread of its own sleeps in the connection until the server
//! tells of a press, so that a press is heard at once and an idle application is never woken. Each
//! grab has a connection of its own: when that closes, the key is free whatever went wrong.

use std::sync::Arc;
use std::thread::JoinHandle;

use protocol::HotkeyState;
use tokio::sync::{Notify, watch};
use x11rb::connection::Connection as _;
use x11rb::errors::ReplyError;
use x11rb::protocol::xproto::{
    ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, Grab as Any, GrabMode,
    Keycode, Mapping, ModMask, Window, WindowClass,
};
use x11rb::protocol::{ErrorKind, Event};
use x11rb::rust_connection::RustConnection;

use super::key::Key;
use super::{Press, Pressed};

/// A grab is for an exact set of modifiers, and NumLock (by custom the second) and CapsLock count.
const LOCKS: [u16; 4] = [0, 1 << 4, 1 << 1, 1 << 4 | 1 << 1];

/// The X server's modifiers for `Ctrl`, `Alt`, `Shift` and `Super`, by custom.
const MODIFIERS: [ModMask; 4] = [ModMask::CONTROL, ModMask::M1, ModMask::SHIFT, ModMask::M4];

/// A key that is held until this is dropped.
pub(super) struct Grab {
    key: Key,
    state: watch::Receiver<HotkeyState>,
    connection: Arc<RustConnection>,
    /// Where the thread is told to end.
    mailbox: Window,
    thread: Option<JoinHandle<()>>,
}

impl Grab {
    /// Takes the key; `pressed` is called on the grab's own thread. When a change of the keyboard
    /// takes the key away or gives it back, `news` is told. Blocks for some round trips to the X
    /// server, and so does the drop.
    ///
    /// # Errors
    /// A sentence for people: another program holds the key, the keyboard has none such, or there
    /// is no X server.
    pub(super) fn take(key: Key, pressed: Pressed, news: Arc<Notify>) -> Result<Self, String> {
        Self::take_on(None, key, pressed, news)
    }

    /// The same on a display by its name; none is the session's.
    fn take_on(
        display: Option<&str>,
        key: Key,
        pressed: Pressed,
        news: Arc<Notify>,
    ) -> Result<Self, String> {
        let (connection, screen) = RustConnection::connect(display).map_err(unavailable)?;
        let root = connection.setup().roots[screen].root;
        let mailbox = mailbox(&connection, root).map_err(unavailable)?;
        let keycode = grab(&connection, root, &key)?;
        let connection = Arc::new(connection);
        let (told, state) = watch::channel(grabbed(&key));
        let listener = Listener {
            connection: Arc::clone(&connection),
            root,
            mailbox,
            key: key.clone(),
            pressed,
            told,
            news,
        };
        let thread = std::thread::Builder::new()
            .name("hotkey".to_owned())
            .spawn(move || listener.run(Presses::of(keycode)))
            .map_err(|error| {
                format!("no thread could be started to listen for the key ({error})")
            })?;
        Ok(Self {
            key,
            state,
            connection,
            mailbox,
            thread: Some(thread),
        })
    }

    /// The key that is held.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Whether the key works now.
    pub(super) fn state(&self) -> HotkeyState {
        self.state.borrow().clone()
    }
}

impl Drop for Grab {
    fn drop(&mut self) {
        let end = ClientMessageEvent::new(32, self.mailbox, x11rb::NONE, [0; 5]);
        let sent = self
            .connection
            .send_event(false, self.mailbox, EventMask::NO_EVENT, end)
            .and_then(|_| self.connection.flush());
        if let Err(error) = sent {
            // The listener's connection is the same: it has noticed, and ended.
            tracing::warn!(%error, "the X server has gone before its key was given back");
        }
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::warn!("the hotkey's thread has failed");
        }
    }
}

/// The thread's side of a grab.
struct Listener {
    connection: Arc<RustConnection>,
    root: Window,
    mailbox: Window,
    key: Key,
    pressed: Pressed,
    told: watch::Sender<HotkeyState>,
    news: Arc<Notify>,
}

impl Listener {
    fn run(self, mut presses: Presses) {
        loop {
            match self.connection.wait_for_event() {
                Ok(Event::ClientMessage(message)) if message.window == self.mailbox => break,
                Ok(Event::MappingNotify(change)) if change.request != Mapping::POINTER => {
                    presses = self.grab_again();
                }
                Ok(event) => {
                    if let Some(press) = presses.read(&event) {
                        (self.pressed)(Some(press));
                    }
                }
                Err(error) => {
                    self.tell(failed(&self.key, unavailable(error)));
                    return;
                }
            }
        }
        // With an answer, so that the key is free once the grab is dropped.
        if let Err(error) = release(&self.connection, self.root) {
            tracing::warn!(%error, "the old hotkey could not be given up");
        }
    }

    /// The keyboard has changed: the key may be elsewhere on it now, or nowhere.
    fn grab_again(&self) -> Presses {
        let taken = release(&self.connection, self.root)
            .map_err(unavailable)
            .and_then(|()| grab(&self.connection, self.root, &self.key));
        match taken {
            Ok(keycode) => {
                self.tell(grabbed(&self.key));
                Presses::of(keycode)
            }
            Err(reason) => {
                self.tell(failed(&self.key, reason));
                Presses::default()
            }
        }
    }

    fn tell(&self, state: HotkeyState) {
        let changed = self
            .told
            .send_if_modified(|known| std::mem::replace(known, state.clone()) != state);
        if changed {
            self.news.notify_one();
        }
    }
}

/// Finds presses among the events of a grab. While a key is held the X server repeats it: each time
/// a release and a press, of the same instant.
#[derive(Default)]
struct Presses {
    keycode: Option<Keycode>,
    released_at: Option<u32>,
}

impl Presses {
    fn of(keycode: Keycode) -> Self {
        Self {
            keycode: Some(keycode),
            released_at: None,
        }
    }

    /// The press that an event tells of; none for a repetition, and for the other keys that come
    /// our way while ours is held.
    fn read(&mut self, event: &Event) -> Option<Press> {
        match event {
            Event::KeyRelease(event) if Some(event.detail) == self.keycode => {
                self.released_at = Some(event.time);
                None
            }
            Event::KeyPress(event) if Some(event.detail) == self.keycode => {
                (self.released_at != Some(event.time)).then_some(Press {
                    time: event.time,
                    pointer: (event.root_x, event.root_y),
                })
            }
            _ => None,
        }
    }
}

/// A window that is never shown: what is sent to it comes out of `wait_for_event`.
fn mailbox(connection: &RustConnection, root: Window) -> Result<Window, ReplyError> {
    let window = connection
        .generate_id()
        .map_err(|_| ReplyError::ConnectionError(x11rb::errors::ConnectionError::UnknownError))?;
    connection
        .create_window(
            x11rb::COPY_DEPTH_FROM_PARENT,
            window,
            root,
            0,
            0,
            1,
            1,
            0,
            WindowClass::INPUT_ONLY,
            x11rb::COPY_FROM_PARENT,
            &CreateWindowAux::new(),
        )?
        .check()?;
    Ok(window)
}

/// Takes the key with its modifiers, whatever the locks; the keycode that it has on this keyboard.
fn grab(connection: &RustConnection, root: Window, key: &Key) -> Result<Keycode, String> {
    let keycode = keycode(connection, key.keysym())
        .map_err(unavailable)?
        .ok_or("this keyboard has no such key: choose another")?;
    let wanted = key
        .modifiers()
        .into_iter()
        .zip(MODIFIERS)
        .filter(|(held, _)| *held)
        .fold(ModMask::default(), |mask, (_, modifier)| mask | modifier);
    for locks in LOCKS {
        let taken = connection
            .grab_key(
                false,
                root,
                wanted | ModMask::from(locks),
                keycode,
                GrabMode::ASYNC,
                GrabMode::ASYNC,
            )
            .map_err(ReplyError::from)
            .and_then(|asked| asked.check());
        if let Err(error) = taken {
            let reason = match &error {
                ReplyError::X11Error(refused) if refused.error_kind == ErrorKind::Access => {
                    "another program holds this key: choose another".to_owned()
                }
                _ => unavailable(error),
            };
            // With some of the locks it may have been had.
            drop(release(connection, root));
            return Err(reason);
        }
    }
    Ok(keycode)
}

/// Gives up all that the connection has grabbed.
fn release(connection: &RustConnection, root: Window) -> Result<(), ReplyError> {
    connection.ungrab_key(Any::ANY, root, ModMask::ANY)?.check()
}

/// Where a keysym is on this keyboard: best where no `Shift` is needed for it.
fn keycode(connection: &RustConnection, keysym: u32) -> Result<Option<Keycode>, ReplyError> {
    let (first, last) = (
        connection.setup().min_keycode,
        connection.setup().max_keycode,
    );
    let mapping = connection
        .get_keyboard_mapping(first, last.saturating_sub(first).saturating_add(1))?
        .reply()?;
    let width = usize::from(mapping.keysyms_per_keycode).max(1);
    let best = (first..=last)
        .zip(mapping.keysyms.chunks(width))
        .filter_map(|(keycode, keysyms)| {
            let level = keysyms.iter().position(|found| *found == keysym)?;
            Some((level, keycode))
        })
        .min();
    Ok(best.map(|(_, keycode)| keycode))
}

fn grabbed(key: &Key) -> HotkeyState {
    HotkeyState::Grabbed {
        key: key.to_string(),
    }
}

fn failed(key: &Key, reason: String) -> HotkeyState {
    HotkeyState::Failed {
        key: key.to_string(),
        reason,
    }
}

fn unavailable(error: impl std::fmt::Display) -> String {
    format!("the X server does not give keys: bind `pilotfish toggle` to one instead ({error})")
}

#[cfg(test)]
mod tests;
