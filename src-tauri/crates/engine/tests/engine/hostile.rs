//! A provider that means harm: whatever it says is text, in the store and in the window.

use engine::TurnUpdate;
use pretty_assertions::assert_eq;
use protocol::{ErrorCode, MessageState};
use serde_json::{Value, json};

use crate::scripted::{ask, end, engine_and_server, html, shown};

/// Markup, a terminal's commands, NUL, and letters that turn what stands around them.
const HARM: &str =
    "a\u{0}b\u{1b}]0;owned\u{7}\u{202e}<script>alert(1)</script><img src=x onerror=y>";

fn chunk(model: &str, delta: &Value, reason: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": reason });
    let chunk = json!({ "id": HARM, "model": model, "choices": [choice] });
    format!("data: {chunk}\n\n")
}

#[tokio::test]
async fn what_it_says_is_text() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, call) = ask(&engine, &mut server, None, "Hi").await;
    let said = json!({ "content": HARM, "role": HARM });
    let events = [
        chunk("<b>m</b>", &said, None),
        "event: execute\ndata: alert(1)\n\n".to_owned(),
        chunk(HARM, &json!({}), Some(HARM)),
    ];
    call.stream(&events.concat()).await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);
    let answer = engine.message(started.message_id).await.unwrap();
    assert_eq!(answer.state, MessageState::Complete);
    assert_eq!(shown(&answer), html(HARM));
    let shown = shown(&answer);
    assert!(
        !shown.contains("<script") && !shown.contains("<img"),
        "{shown}"
    );
    let source = engine.source(started.message_id).await.unwrap();
    assert_eq!(source, HARM, "nothing of it is lost");
    let found = engine.search("alert", 10).await.unwrap();
    assert_eq!(found.len(), 1, "NUL hides nothing from a search");
}

#[tokio::test]
async fn what_it_calls_an_error_is_a_line() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (started, mut stream, call) = ask(&engine, &mut server, None, "Hi").await;
    let error = json!({ "message": HARM.repeat(10_000), "code": HARM, "type": HARM });
    call.reply(400, &json!({ "error": error })).await;
    let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
        panic!("400 is no success")
    };
    assert_eq!(error.code, ErrorCode::InvalidRequest);
    assert!(error.message.chars().count() <= 1_200, "{error}");
    let odd = |c: char| c.is_control() || c == '\u{202e}';
    assert!(!error.message.contains(odd), "{error:?}");
    let stored = engine.message(started.message_id).await.unwrap();
    assert_eq!(stored.error, Some(error));
}
