//! A portal as the desktop has one, with a person who answers its dialog in one way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use tokio::time::timeout;
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, ObjectServer};

use super::super::{PATH, PORTAL};
use super::SOON;

type Options = HashMap<String, OwnedValue>;

/// What the person does with the dialog.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// Gives a key, described so.
    Gives(&'static str),
    /// Closes the dialog.
    Refuses,
    /// Lets it stand there.
    Never,
}

/// The running portal; it dies when it is dropped.
pub(super) struct FakePortal {
    bus: Connection,
    session: Arc<Mutex<Option<OwnedObjectPath>>>,
    asked: mpsc::UnboundedReceiver<String>,
    ended: mpsc::UnboundedReceiver<()>,
}

impl FakePortal {
    pub(super) async fn start(answer: Answer) -> Self {
        let session = Arc::new(Mutex::new(None));
        let (asking, asked) = mpsc::unbounded_channel();
        let (ending, ended) = mpsc::unbounded_channel();
        let shortcuts = Shortcuts {
            answer,
            session: Arc::clone(&session),
            asking,
            ending,
        };
        let bus = zbus::connection::Builder::session()
            .expect("a bus")
            .serve_at(PATH, shortcuts)
            .expect("a place")
            .name(PORTAL)
            .expect("a name")
            .build()
            .await
            .expect("the portal");
        Self {
            bus,
            session,
            asked,
            ended,
        }
    }

    /// The trigger that was asked for, once it is.
    pub(super) async fn wanted(&mut self) -> String {
        let asked = timeout(SOON, self.asked.recv()).await;
        asked.expect("a wish").expect("the portal lives")
    }

    /// Waits until the application closes its session.
    pub(super) async fn closed(&mut self) {
        let ended = timeout(SOON, self.ended.recv()).await;
        ended.expect("an end").expect("the portal lives");
    }

    /// Tells of a press.
    pub(super) async fn press(&self, shortcut: &str) {
        let emitter = SignalEmitter::new(&self.bus, PATH).expect("the portal's place");
        Shortcuts::activated(&emitter, self.session(), shortcut, 1, HashMap::new())
            .await
            .expect("a press");
    }

    /// Ends the session, as a desktop may.
    pub(super) async fn end_session(&self) {
        let details: HashMap<&str, Value<'_>> = HashMap::new();
        self.bus
            .emit_signal(
                None::<&str>,
                self.session(),
                "org.freedesktop.portal.Session",
                "Closed",
                &details,
            )
            .await
            .expect("the end");
    }

    /// Dies.
    pub(super) async fn die(self) {
        self.bus.close().await.expect("the end");
    }

    fn session(&self) -> ObjectPath<'static> {
        let session = self.session.lock().expect("the session");
        session.clone().expect("a session").into_inner()
    }
}

struct Shortcuts {
    answer: Answer,
    session: Arc<Mutex<Option<OwnedObjectPath>>>,
    asking: mpsc::UnboundedSender<String>,
    ending: mpsc::UnboundedSender<()>,
}

#[zbus::interface(name = "org.freedesktop.portal.GlobalShortcuts")]
impl Shortcuts {
    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        1
    }

    async fn create_session(
        &self,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
        #[zbus(object_server)] objects: &ObjectServer,
    ) -> OwnedObjectPath {
        let session = place("session", &header, &options, "session_handle_token");
        let door = Session {
            ending: self.ending.clone(),
        };
        objects.at(&session, door).await.expect("the session");
        let given = HashMap::from([("session_handle", Value::from(session.as_str()))]);
        let request = respond(bus, &header, &options, 0, given).await;
        *self.session.lock().expect("the session") = Some(session);
        request
    }

    async fn bind_shortcuts(
        &self,
        _session: OwnedObjectPath,
        shortcuts: Vec<(String, Options)>,
        _parent: String,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> OwnedObjectPath {
        let (id, wish) = &shortcuts[0];
        let trigger = wish["preferred_trigger"].downcast_ref::<&str>();
        // A test that does not ask hears nothing.
        drop(self.asking.send(trigger.expect("a trigger").to_owned()));
        match self.answer {
            Answer::Gives(key) => {
                let details = HashMap::from([
                    ("description", Value::from("what for")),
                    ("trigger_description", Value::from(key)),
                ]);
                let bound = HashMap::from([("shortcuts", Value::from(vec![(&**id, details)]))]);
                respond(bus, &header, &options, 0, bound).await
            }
            Answer::Refuses => respond(bus, &header, &options, 1, HashMap::new()).await,
            Answer::Never => place("request", &header, &options, "handle_token"),
        }
    }

    #[zbus(signal)]
    async fn activated(
        emitter: &SignalEmitter<'_>,
        session: ObjectPath<'_>,
        shortcut: &str,
        timestamp: u64,
        options: HashMap<&str, Value<'_>>,
    ) -> zbus::Result<()>;
}

struct Session {
    ending: mpsc::UnboundedSender<()>,
}

#[zbus::interface(name = "org.freedesktop.portal.Session")]
impl Session {
    fn close(&self) {
        let _ = self.ending.send(());
    }
}

/// Where the caller expects an object, by the portals' rule.
fn place(kind: &str, header: &Header<'_>, options: &Options, token: &str) -> OwnedObjectPath {
    let sender = header.sender().expect("a sender").as_str();
    let sender = sender.trim_start_matches(':').replace('.', "_");
    let token = options[token].downcast_ref::<&str>().expect("a token");
    OwnedObjectPath::try_from(format!("{PATH}/{kind}/{sender}/{token}")).expect("a path")
}

/// Answers a request: by a signal on its own object, which the caller listens to already.
async fn respond(
    bus: &Connection,
    header: &Header<'_>,
    options: &Options,
    code: u32,
    results: HashMap<&str, Value<'_>>,
) -> OwnedObjectPath {
    let request = place("request", header, options, "handle_token");
    bus.emit_signal(
        header.sender().cloned(),
        &request,
        "org.freedesktop.portal.Request",
        "Response",
        &(code, results),
    )
    .await
    .expect("the answer");
    request
}
