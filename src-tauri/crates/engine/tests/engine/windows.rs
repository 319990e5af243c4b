//! What windows get: small rendered events, at most one a frame, none while they are hidden.

use std::time::Instant;

use engine::{Presenter, TurnUpdate};
use futures::FutureExt;
use pretty_assertions::assert_eq;
use protocol::{Block, PartKind, TurnEvent};
use tokio::sync::watch;

use crate::scripted::{ask, end, engine_and_server, until};

const TEXT: &str = "# Title\n\nSome *text* with [a link](https://example.com).\n\n- one\n- two\n\n\
```rust\nfn main() {}\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nThe end.";

/// A window: its blocks by part.
#[derive(Default)]
struct Window {
    finished: Vec<Vec<Block>>,
    tails: Vec<Option<Block>>,
    events: usize,
}

impl Window {
    fn take(&mut self, event: &TurnEvent) {
        self.events += 1;
        let TurnEvent::Patch {
            part,
            from,
            append,
            tail,
            ..
        } = event
        else {
            return;
        };
        let part = *part as usize;
        self.finished
            .resize(self.finished.len().max(part + 1), Vec::new());
        self.tails.resize(self.finished.len(), None);
        assert!(
            *from as usize <= self.finished[part].len(),
            "no blocks are missing"
        );
        self.finished[part].truncate(*from as usize);
        self.finished[part].extend(append.clone());
        self.tails[part].clone_from(tail);
    }

    /// Follows a turn; the event that ended it.
    async fn follow(&mut self, presenter: &mut Presenter) -> TurnEvent {
        let mut last = None;
        while let Some(event) = presenter.next().await {
            assert!(serde_json::to_vec(&event).unwrap().len() <= 8192);
            self.take(&event);
            last = Some(event);
        }
        last.unwrap()
    }
}

#[tokio::test]
async fn patches_build_what_rendering_the_whole_gives() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, stream, mut call) = ask(&engine, &mut server, None, "Hi").await;
    let (_shown, visible) = watch::channel(true);
    let mut presenter = engine.present(stream, visible);
    let mut window = Window::default();
    let talk = async {
        call.begin().await;
        call.think("Let me *see*").await;
        for piece in TEXT.as_bytes().chunks(3) {
            call.say(std::str::from_utf8(piece).unwrap()).await;
        }
        call.finish("stop").await;
    };
    let before = Instant::now();
    let (last, ()) = futures::join!(window.follow(&mut presenter), talk);
    let frames = before.elapsed().as_millis() / 16;
    assert_eq!(
        last,
        TurnEvent::Finished {
            message_id: started.message_id
        }
    );
    assert_eq!(
        window.finished,
        [markdown::render("Let me *see*"), markdown::render(TEXT)]
    );
    assert_eq!(window.tails, [None, None], "nothing is left open");
    assert!(
        window.events as u128 <= frames + 2,
        "{} events, {frames} frames",
        window.events
    );
}

#[tokio::test]
async fn a_hidden_window_gets_nothing_and_then_the_whole() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut raw, mut call) = ask(&engine, &mut server, None, "Hi").await;
    let (shown, visible) = watch::channel(true);
    let mut presenter = engine.present(engine.attach(started.message_id).unwrap(), visible);
    assert_eq!(
        presenter.next().await,
        Some(TurnEvent::Started(started.clone()))
    );
    shown.send(false).unwrap();
    call.begin().await;
    for word in ["one ", "two ", "three"] {
        call.say(word).await;
        until(&mut raw, word).await;
        assert_eq!(presenter.next().now_or_never(), None, "it is hidden");
    }
    shown.send(true).unwrap();
    let Some(TurnEvent::Patch {
        part,
        kind,
        from,
        append,
        tail,
        ..
    }) = presenter.next().await
    else {
        panic!("a window that is shown catches up")
    };
    assert_eq!((part, kind, from), (0, PartKind::Text, 0));
    let all: Vec<Block> = append.into_iter().chain(tail).collect();
    assert_eq!(all, markdown::render("one two three"), "in one event");

    shown.send(false).unwrap();
    call.say(" four").await;
    call.finish("stop").await;
    assert_eq!(end(&mut raw).await, TurnUpdate::Finished);
    assert_eq!(presenter.next().now_or_never(), None, "it is hidden again");
    shown.send(true).unwrap();
    let finished = TurnEvent::Finished {
        message_id: started.message_id,
    };
    assert_eq!(
        presenter.next().await,
        Some(finished),
        "it reads the stored message"
    );
    assert_eq!(presenter.next().await, None);
}

#[tokio::test]
async fn a_window_that_comes_late_to_a_long_answer_gets_all_of_it() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut raw, mut call) = ask(&engine, &mut server, None, "Hi").await;
    let text: String = (0..60)
        .map(|n| format!("{n} {}\n\n", "größer ".repeat(300)))
        .collect();
    call.begin().await;
    call.say(&text).await;
    call.say("end").await;
    call.finish("stop").await;
    assert_eq!(end(&mut raw).await, TurnUpdate::Finished);
    let (_shown, visible) = watch::channel(true);
    let mut presenter = engine.present(engine.attach(started.message_id).unwrap(), visible);
    let mut window = Window::default();
    let message_id = started.message_id;
    assert_eq!(
        window.follow(&mut presenter).await,
        TurnEvent::Finished { message_id }
    );
    assert_eq!(window.finished, [markdown::render(&(text + "end"))]);
}

#[tokio::test]
async fn a_window_that_is_gone_ends_its_events() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (_started, stream, _call) = ask(&engine, &mut server, None, "Hi").await;
    let (shown, visible) = watch::channel(false);
    let mut presenter = engine.present(stream, visible);
    drop(shown);
    assert_eq!(presenter.next().await, None);
}

#[tokio::test]
async fn a_hidden_window_does_not_hold_up_the_end() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (_started, stream, _call) = ask(&engine, &mut server, None, "Hi").await;
    let (_shown, visible) = watch::channel(false);
    let mut presenter = engine.present(stream, visible);
    let (last, ()) = futures::join!(presenter.next(), engine.shutdown());
    assert_eq!(last, None);
    engine.closed().await;
}

#[tokio::test]
async fn a_failure_reaches_the_window_with_what_had_come() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (_started, stream, mut call) = ask(&engine, &mut server, None, "Hi").await;
    let (_shown, visible) = watch::channel(true);
    let mut presenter = engine.present(stream, visible);
    let mut window = Window::default();
    call.begin().await;
    call.say("half").await;
    while window.finished.is_empty() {
        let event = presenter.next().await.unwrap();
        window.take(&event);
    }
    call.cut();
    let last = window.follow(&mut presenter).await;
    assert!(
        matches!(
            last,
            TurnEvent::Failed {
                retryable: true,
                ..
            }
        ),
        "{last:?}"
    );
    assert_eq!(window.finished, [markdown::render("half")]);
}
