//! The keyring's states, with `keyring_core`'s mock store behind the thread. A real keyring is
//! asked in `tests/secret_service.rs`.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join, join_all, ready};
use keyring_core::api::CredentialStoreApi;
use keyring_core::{Entry, Error, mock};
use pretty_assertions::assert_eq;
use protocol::{AppError, ErrorCode, Secret, VaultState};
use tokio::sync::oneshot;

use super::OsKeyring;
use super::system::{Client, Look, System};
use crate::{KeyStore, VaultError};

/// What the next call does instead of working.
enum Upset {
    Fails(Error),
    Panics,
    /// Says that it was reached, and hangs until the test lets go.
    Hangs(oneshot::Sender<()>, Receiver<()>),
}

#[derive(Default)]
struct Shared {
    upsets: Mutex<VecDeque<Upset>>,
    looks: Mutex<VecDeque<Look>>,
    opened: AtomicUsize,
    called: AtomicUsize,
}

struct Fake {
    shared: Arc<Shared>,
    entries: Arc<mock::Store>,
}

struct Store {
    shared: Arc<Shared>,
    entries: Arc<mock::Store>,
}

impl CredentialStoreApi for Store {
    fn vendor(&self) -> String {
        "test".to_owned()
    }

    fn id(&self) -> String {
        "test".to_owned()
    }

    fn build(
        &self,
        service: &str,
        user: &str,
        modifiers: Option<&HashMap<&str, &str>>,
    ) -> keyring_core::Result<Entry> {
        self.shared.called.fetch_add(1, Ordering::SeqCst);
        let upset = self.shared.upsets.lock().expect("upsets").pop_front();
        match upset {
            None => self.entries.build(service, user, modifiers),
            Some(Upset::Fails(error)) => Err(error),
            Some(Upset::Panics) => panic!("the store is broken"),
            Some(Upset::Hangs(reached, until)) => {
                reached.send(()).expect("the test waits for it");
                until.recv().ok();
                self.entries.build(service, user, modifiers)
            }
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl System for Fake {
    fn open(&self) -> keyring_core::Result<Client> {
        self.shared.opened.fetch_add(1, Ordering::SeqCst);
        let store = Store {
            shared: Arc::clone(&self.shared),
            entries: Arc::clone(&self.entries),
        };
        Ok(Client {
            store: Arc::new(store),
            takes_label: false,
        })
    }

    fn look(&self, _account: Option<String>) -> BoxFuture<'_, Result<Look, VaultError>> {
        let next = self.shared.looks.lock().expect("looks").pop_front();
        ready(Ok(next.unwrap_or(Look::Ready {
            place: "here".to_owned(),
        })))
        .boxed()
    }

    fn unlock(&self, _deadline: Duration) -> BoxFuture<'_, Result<(), VaultError>> {
        ready(Ok(())).boxed()
    }
}

struct Desk {
    keyring: OsKeyring,
    shared: Arc<Shared>,
    entries: Arc<mock::Store>,
}

fn desk() -> Desk {
    let shared = Arc::new(Shared::default());
    let entries = mock::Store::new().expect("mock");
    let fake = Fake {
        shared: Arc::clone(&shared),
        entries: Arc::clone(&entries),
    };
    Desk {
        keyring: OsKeyring::over(Arc::new(fake)),
        shared,
        entries,
    }
}

impl Desk {
    fn upset(&self, upset: Upset) {
        self.shared.upsets.lock().expect("upsets").push_back(upset);
    }

    fn look(&self, look: Look) {
        self.shared.looks.lock().expect("looks").push_back(look);
    }

    /// A read whose call hangs until the returned sender is dropped. The clock jumps to the
    /// read's deadline when the call has been reached, so that nobody waits for it.
    async fn read_that_hangs(&self) -> (Result<Option<String>, VaultError>, Sender<()>) {
        let (let_go, until) = channel();
        let (reached, hangs) = oneshot::channel();
        self.upset(Upset::Hangs(reached, until));
        let jump = async {
            hangs.await.expect("the call is made");
            tokio::time::pause();
        };
        let (answer, ()) = join(self.read(), jump).await;
        tokio::time::resume();
        (answer, let_go)
    }

    fn opened(&self) -> usize {
        self.shared.opened.load(Ordering::SeqCst)
    }

    /// Makes the next use of the stored entry fail.
    fn entry_fails(&self, error: Error) {
        let entry = self
            .entries
            .build("pilotfish", "openai", None)
            .expect("entry");
        let entry: &mock::Cred = entry.as_any().downcast_ref().expect("mock");
        entry.set_error(error);
    }

    async fn read(&self) -> Result<Option<String>, VaultError> {
        Ok(self
            .keyring
            .get("openai")
            .await?
            .map(|secret| secret.expose().clone()))
    }

    async fn write(&self, secret: &str) -> Result<(), VaultError> {
        self.keyring
            .set("openai", Secret::new(secret.to_owned()))
            .await
    }
}

fn lost() -> Error {
    Error::PlatformFailure("the session does not exist".into())
}

fn no_access() -> Error {
    Error::NoStorageAccess("no result".into())
}

fn here() -> Look {
    Look::Ready {
        place: "here".to_owned(),
    }
}

fn locked() -> Look {
    Look::Locked {
        place: "here".to_owned(),
    }
}

#[tokio::test]
async fn keeps_replaces_and_removes() {
    let desk = desk();
    assert_eq!(desk.read().await, Ok(None));
    for secret in ["first", "second"] {
        desk.write(secret).await.expect("set");
        assert_eq!(desk.read().await, Ok(Some(secret.to_owned())));
    }
    desk.keyring.remove("openai").await.expect("remove");
    desk.keyring.remove("openai").await.expect("remove again");
    assert_eq!(desk.read().await, Ok(None));
    assert_eq!(desk.opened(), 1);
    assert_eq!(desk.keyring.thread.threads(), 1);
}

#[tokio::test]
async fn a_locked_keyring_is_not_touched() {
    let desk = desk();
    desk.look(locked());
    assert_eq!(desk.read().await, Err(VaultError::Locked));
    desk.look(locked());
    assert_eq!(desk.write("key").await, Err(VaultError::Locked));
    desk.look(locked());
    assert_eq!(desk.keyring.remove("openai").await, Err(VaultError::Locked));
    assert_eq!(desk.shared.called.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn states_are_told_apart() {
    let desk = desk();
    let ready = VaultState::Ready {
        place: "here".to_owned(),
    };
    assert_eq!(desk.keyring.state().await, ready);
    desk.look(locked());
    assert_eq!(
        desk.keyring.state().await,
        VaultState::Locked {
            place: "here".to_owned()
        }
    );
    desk.look(Look::NoKeyring);
    assert_eq!(desk.keyring.state().await, VaultState::NoKeyring);
}

#[tokio::test]
async fn a_keyring_nobody_set_up_can_be_read_but_not_written() {
    let desk = desk();
    desk.look(Look::NoKeyring);
    assert_eq!(desk.read().await, Ok(None));
    desk.look(Look::NoKeyring);
    desk.upset(Upset::Fails(no_access()));
    desk.look(Look::NoKeyring);
    assert_eq!(desk.write("key").await, Err(VaultError::NoKeyring));
}

#[tokio::test]
async fn refused_access_is_explained_by_a_second_look() {
    let desk = desk();
    desk.entry_fails(no_access());
    desk.look(here());
    desk.look(locked());
    assert_eq!(desk.write("key").await, Err(VaultError::Locked));

    desk.entry_fails(no_access());
    let Err(VaultError::Refused { reason }) = desk.write("key").await else {
        panic!("not refused")
    };
    assert!(reason.contains("disk"), "{reason}");
    assert_eq!(desk.read().await, Ok(None));
}

#[tokio::test]
async fn a_lost_session_gets_one_new_client() {
    let desk = desk();
    desk.write("key").await.expect("set");
    desk.entry_fails(lost());
    assert_eq!(desk.read().await, Ok(Some("key".to_owned())));
    assert_eq!(desk.opened(), 2);

    desk.upset(Upset::Fails(lost()));
    desk.upset(Upset::Fails(lost()));
    assert!(matches!(
        desk.read().await,
        Err(VaultError::Unavailable { .. })
    ));
    assert_eq!(desk.opened(), 3);
    assert_eq!(desk.read().await, Ok(Some("key".to_owned())));
}

#[tokio::test]
async fn a_panic_in_the_client_stays_on_its_thread() {
    let desk = desk();
    desk.write("key").await.expect("set");
    desk.upset(Upset::Panics);
    assert_eq!(desk.read().await, Ok(Some("key".to_owned())));
    desk.upset(Upset::Panics);
    desk.upset(Upset::Panics);
    assert!(matches!(
        desk.read().await,
        Err(VaultError::Unavailable { .. })
    ));
    assert_eq!(desk.read().await, Ok(Some("key".to_owned())));
    assert_eq!(desk.keyring.thread.threads(), 1);
}

#[tokio::test]
async fn every_other_error_has_its_word() {
    let desk = desk();
    desk.entry_fails(Error::TooLong("password".to_owned(), 2560));
    assert_eq!(
        desk.write("key").await,
        Err(VaultError::TooLong { limit: 2560 })
    );
    let bytes = b"canary \xff".to_vec();
    for error in [
        Error::BadEncoding(bytes.clone()),
        Error::BadDataFormat(bytes, "canary".into()),
        Error::Ambiguous(Vec::new()),
        Error::Invalid("user".to_owned(), "odd".to_owned()),
        Error::NotSupportedByStore("reading".to_owned()),
        Error::BadStoreFormat("odd".to_owned()),
    ] {
        desk.entry_fails(error);
        let Err(error @ VaultError::Refused { .. }) = desk.read().await else {
            panic!("not refused")
        };
        assert!(!error.to_string().contains("canary"));
    }
}

#[tokio::test]
async fn what_is_no_key_is_not_handed_out() {
    let desk = desk();
    let entry = desk
        .entries
        .build("pilotfish", "openai", None)
        .expect("entry");
    for bytes in [&b"a\nb"[..], b"", b"\xff\xfe", &[b'k'; 4097]] {
        entry.set_secret(bytes).expect("set");
        assert!(matches!(desk.read().await, Err(VaultError::Refused { .. })));
    }
    desk.write("key").await.expect("it can be replaced");
    assert_eq!(desk.read().await, Ok(Some("key".to_owned())));
}

#[tokio::test]
async fn what_is_no_key_is_not_kept() {
    let desk = desk();
    for secret in ["", "a\nb", "a\0b"] {
        assert!(matches!(
            desk.write(secret).await,
            Err(VaultError::Refused { .. })
        ));
    }
    let long = "k".repeat(4097);
    assert_eq!(
        desk.write(&long).await,
        Err(VaultError::TooLong { limit: 4096 })
    );
    assert!(matches!(
        desk.keyring.get("").await,
        Err(VaultError::Refused { .. })
    ));
    assert_eq!(desk.shared.called.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_hanging_call_costs_its_thread_and_not_the_caller() {
    let desk = desk();
    let (answer, let_go) = desk.read_that_hangs().await;
    assert_eq!(answer, Err(VaultError::Slow));
    desk.write("key").await.expect("a fresh thread");
    assert_eq!(desk.read().await, Ok(Some("key".to_owned())));
    assert_eq!(desk.keyring.thread.threads(), 2);
    drop(let_go);
}

#[tokio::test]
async fn who_waits_behind_a_hanging_call_is_served_when_it_is_given_up() {
    let desk = desk();
    let (let_go, until) = channel();
    let (reached, hangs) = oneshot::channel();
    desk.upset(Upset::Hangs(reached, until));
    let first = async {
        let answer = desk.read().await;
        // What is left of the second call's time passes as it does.
        tokio::time::resume();
        answer
    };
    let second = async {
        hangs.await.expect("the first call is made");
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(1)).await;
        desk.read().await
    };
    let (first, second) = join(first, second).await;
    assert_eq!(first, Err(VaultError::Slow));
    assert_eq!(second, Ok(None));
    assert_eq!(desk.keyring.thread.threads(), 2);
    drop(let_go);
}

#[tokio::test]
async fn hanging_threads_are_bounded_and_joined_when_they_return() {
    let desk = desk();
    let mut hanging = Vec::new();
    for _ in 0..4 {
        let (answer, let_go) = desk.read_that_hangs().await;
        assert_eq!(answer, Err(VaultError::Slow));
        hanging.push(let_go);
    }
    assert_eq!(desk.read().await, Err(VaultError::Slow));
    assert_eq!(desk.keyring.thread.threads(), 4);
    drop(hanging);
    // Until one has ended, each answer is `Slow`, and comes at once.
    let recovered = async {
        while let Err(error) = desk.read().await {
            assert_eq!(error, VaultError::Slow);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), recovered)
        .await
        .expect("a thread ends");
    assert!(desk.keyring.thread.threads() <= 4);
}

#[tokio::test]
async fn callers_at_once_each_get_their_answer() {
    let desk = desk();
    join_all((0..50).map(|n| {
        let keyring = &desk.keyring;
        async move {
            let account = format!("p{n}");
            keyring
                .set(&account, Secret::new(format!("key {n}")))
                .await
                .expect("set");
            let secret = keyring.get(&account).await.expect("get").expect("a secret");
            assert_eq!(*secret.expose(), format!("key {n}"));
        }
    }))
    .await;
    assert_eq!(desk.keyring.thread.threads(), 1);
}

#[test]
fn errors_have_codes_that_say_what_to_do() {
    let reason = String::new;
    for (error, code) in [
        (VaultError::Locked, ErrorCode::VaultLocked),
        (VaultError::NoKeyring, ErrorCode::VaultLocked),
        (VaultError::Dismissed, ErrorCode::VaultLocked),
        (VaultError::Slow, ErrorCode::VaultUnavailable),
        (
            VaultError::Unavailable { reason: reason() },
            ErrorCode::VaultUnavailable,
        ),
        (VaultError::TooLong { limit: 1 }, ErrorCode::InvalidRequest),
        (
            VaultError::Refused { reason: reason() },
            ErrorCode::InvalidRequest,
        ),
    ] {
        assert_eq!(AppError::from(error).code, code);
    }
}
