//! A store that is slow or refuses: another Pilotfish that writes for too long stands for both.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use engine::TurnUpdate;
use pretty_assertions::assert_eq;
use protocol::{ErrorCode, MessageState};
use store::StoreError;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::scripted::{ask, beside, end, engine_and_server, html, open, shown, stored, until};

/// Less than the 5 seconds for which a write waits for another.
const AT_ONCE: Duration = Duration::from_secs(4);

/// Another Pilotfish in the middle of a write.
struct Writing {
    release: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Writing {
    async fn begin(home: &TempDir) -> Self {
        let (begun, has_begun) = oneshot::channel();
        let (release, released) = mpsc::channel();
        let store = beside(home).await;
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime
                .block_on(store.update_setting("test.held", |_| {
                    begun.send(()).unwrap();
                    released.recv().unwrap();
                    Ok::<_, StoreError>("1".to_owned())
                }))
                .unwrap();
        });
        has_begun.await.unwrap();
        Self { release, thread }
    }

    fn end(self) {
        self.release.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

#[tokio::test]
async fn a_slow_disk_holds_up_neither_the_answer_nor_the_stop() {
    let (home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Count").await;
    let writing = Writing::begin(&home).await;
    call.begin().await;
    call.say("one, ").await;
    until(&mut stream, "one, ").await;
    call.say("two").await;
    tokio::time::timeout(AT_ONCE, until(&mut stream, "two"))
        .await
        .expect("the answer does not wait for the disk");
    engine.cancel(started.turn_id);
    tokio::time::timeout(AT_ONCE, call.closed())
        .await
        .expect("nor does the stop");
    writing.end();
    assert_eq!(end(&mut stream).await, TurnUpdate::Cancelled);
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(
        (answer.state, shown(&answer)),
        (MessageState::Cancelled, html("one, two"))
    );
}

#[tokio::test]
async fn an_end_that_cannot_be_stored_is_shown_whole_and_stored_later() {
    let (home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Count").await;
    let id = started.message_id;
    call.begin().await;
    call.say("one, ").await;
    stored(&home, id, "one, ").await;
    let writing = Writing::begin(&home).await;
    call.say("two").await;
    until(&mut stream, "two").await;
    call.finish("stop").await;
    let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
        panic!("it is not stored")
    };
    assert_eq!(error.code, ErrorCode::Busy);
    assert!(error.message.contains("could not be stored yet"), "{error}");

    let shows = async || {
        let answer = engine.message(id).await.unwrap();
        (answer.state, shown(&answer), answer.can_continue)
    };
    let whole = html("one, two");
    assert_eq!(shows().await, (MessageState::Failed, whole.clone(), false));
    assert_eq!(engine.source(id).await.unwrap(), "one, two");
    assert_eq!(engine.continue_answer(id).await.unwrap_err(), error);

    writing.end();
    engine.shutdown().await;
    drop(engine);
    let engine = open(&home).await;
    let answer = engine.message(id).await.unwrap();
    assert_eq!(
        (answer.state, shown(&answer), answer.error),
        (MessageState::Complete, whole, None)
    );
}
