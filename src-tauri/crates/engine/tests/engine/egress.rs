//! What leaves the machine: by leave alone, entered whatever becomes of it, and at its price.

use std::net::{IpAddr, UdpSocket};

use engine::{Engine, TurnUpdate};
use futures::FutureExt;
use protocol::{
    AtCap, CallOutcome, Caps, Endpoint, EndpointDraft, ErrorCode, EstimateRequest, LedgerEntry,
    MessageState, Model, Price, ProviderCap, Purpose, RegenerateMessage, RunsAt, Secret,
    SendMessage, Settings, Wire,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::scripted::{
    add, ask, beside, end, engine_and_server, exchange, model, open, question, until,
};

/// An address of this machine that is not loopback, so that it counts as one of the local network;
/// `None` where there is no network at all.
fn own_address() -> Option<IpAddr> {
    // Nothing is sent: the system only chooses where it would send from.
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(("192.0.2.1", 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

/// A listener that counts as a host elsewhere, and an endpoint of that address. Without a network
/// nothing listens, and the address is one for documentation.
async fn elsewhere(engine: &Engine) -> (Option<TcpListener>, Endpoint) {
    let listener = match own_address() {
        Some(ip) => TcpListener::bind((ip, 0)).await.ok(),
        None => None,
    };
    let base_url = listener.as_ref().map_or_else(
        || "http://192.0.2.1/v1".to_owned(),
        |listener| format!("http://{}/v1", listener.local_addr().unwrap()),
    );
    let draft = EndpointDraft {
        id: None,
        name: "Elsewhere".to_owned(),
        base_url,
        needs_key: false,
        wire: Wire::Chat,
        headers: Vec::new(),
    };
    (listener, engine.save_endpoint(draft).await.unwrap())
}

/// Whether nobody has connected.
fn is_untouched(listener: Option<&TcpListener>) -> bool {
    listener.is_none_or(|listener| listener.accept().now_or_never().is_none())
}

async fn change(engine: &Engine, change: impl FnOnce(&mut Settings)) {
    let mut settings = engine.settings().await.unwrap();
    change(&mut settings);
    engine.save_settings(settings).await.unwrap();
}

async fn entries(engine: &Engine) -> Vec<LedgerEntry> {
    engine.ledger(1, None, 100).await.unwrap().entries
}

/// Lets the scripted model cost one dollar for a million tokens of input and two of output.
async fn with_price(home: &TempDir) {
    let priced = Model {
        model: model("scripted/model-a"),
        name: "A".to_owned(),
        runs_at: RunsAt::ThisMachine,
        context_tokens: None,
        output_tokens: Some(1_000),
        images: false,
        files: false,
        tools: false,
        efforts: Vec::new(),
        price: Some(Price {
            input: 1.0,
            cached_input: Some(0.5),
            cache_write: None,
            output: 2.0,
            as_of: "2026-11-12".to_owned(),
        }),
        retires_on: None,
        bytes: None,
    };
    let provider = "scripted".parse().unwrap();
    let store = beside(home).await;
    store.cache_models(&provider, &[priced], 1).await.unwrap();
}

/// Asks a model that must not be asked, and gives the code of the failure.
async fn refused(engine: &Engine, request: SendMessage) -> ErrorCode {
    let started = engine.send(request).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    match end(&mut stream).await {
        TurnUpdate::Failed { error, .. } => error.code,
        other => panic!("it was not refused: {other:?}"),
    }
}

fn to_elsewhere() -> SendMessage {
    SendMessage {
        model: Some(model("elsewhere/m")),
        ..question(None, "May this leave?")
    }
}

#[tokio::test]
async fn under_local_only_no_function_of_the_engine_opens_a_connection() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (listener, endpoint) = elsewhere(&engine).await;
    change(&engine, |settings| settings.local_only = true).await;

    let started = engine.send(to_elsewhere()).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
        panic!("it was not refused");
    };
    assert_eq!(error.code, ErrorCode::LocalOnly);
    assert!(error.message.contains("local-only"), "{}", error.message);
    let again = RegenerateMessage {
        message_id: started.message_id,
        model: None,
        effort: None,
        fit: protocol::Fit::default(),
    };
    let again = engine.regenerate(again).await.unwrap();
    let mut stream = engine.attach(again.message_id).unwrap();
    assert!(matches!(end(&mut stream).await, TurnUpdate::Failed { .. }));

    let tested = engine.test_endpoint(&endpoint.id).await.unwrap_err();
    assert_eq!(tested.code, ErrorCode::LocalOnly);
    let listing = engine.models(true);
    let answering = async { server.call().await.reply(200, &json!({ "data": [] })).await };
    let (groups, ()) = tokio::join!(listing, answering);
    let groups = groups.unwrap();
    let group = groups.iter().find(|group| group.provider == endpoint.id);
    let error = group.and_then(|group| group.error.as_ref()).unwrap();
    assert_eq!(error.code, ErrorCode::LocalOnly);
    let pulled = engine.pull("small", |_| {}).await.unwrap_err();
    assert_eq!(pulled.code, ErrorCode::LocalOnly);
    let pulled = engine.pull_from_hub("a/b", "c.gguf", |_| {}).await;
    assert_eq!(pulled.unwrap_err().code, ErrorCode::LocalOnly);
    assert!(is_untouched(listener.as_ref()));

    // A program on this machine may be asked all the same.
    exchange(&engine, &mut server, None, "Hello", "Hi").await;
    let kept_back: Vec<Purpose> = entries(&engine)
        .await
        .into_iter()
        .filter(|entry| {
            let code = ErrorCode::LocalOnly;
            entry.outcome == CallOutcome::Refused { code } && entry.bytes_sent == 0
        })
        .map(|entry| entry.purpose)
        .collect();
    assert_eq!(
        kept_back,
        [
            Purpose::Download,
            Purpose::Download,
            Purpose::TestKey,
            Purpose::Answer,
            Purpose::Answer
        ]
    );
}

#[tokio::test]
async fn one_conversation_can_be_kept_here_while_others_leave() {
    let (_home, engine, mut server) = engine_and_server().await;
    let (listener, _) = elsewhere(&engine).await;
    let kept = exchange(&engine, &mut server, None, "Hello", "Hi").await;
    let conversation = engine
        .set_local_only(kept.conversation_id, true)
        .await
        .unwrap();
    assert!(conversation.local_only);
    let request = SendMessage {
        conversation_id: Some(kept.conversation_id),
        ..to_elsewhere()
    };
    assert_eq!(refused(&engine, request).await, ErrorCode::LocalOnly);
    assert!(is_untouched(listener.as_ref()));

    if let Some(listener) = listener {
        let other = engine.send(to_elsewhere()).await.unwrap();
        let mut stream = engine.attach(other.message_id).unwrap();
        let _socket = listener.accept().await.unwrap();
        engine.cancel(other.turn_id);
        assert_eq!(end(&mut stream).await, TurnUpdate::Cancelled);
    }
}

#[tokio::test]
async fn models_of_a_cloud_behind_a_program_on_this_machine_leave_it() {
    let (_home, engine, mut server) = engine_and_server().await;
    change(&engine, |settings| settings.local_only = true).await;
    for name in ["scripted/glm-4.6:cloud", "scripted/gpt-oss:120b-cloud"] {
        let request = SendMessage {
            model: Some(model(name)),
            ..question(None, "May this leave?")
        };
        assert_eq!(refused(&engine, request).await, ErrorCode::LocalOnly);
    }
    assert!(server.is_quiet());

    change(&engine, |settings| settings.local_only = false).await;
    let request = SendMessage {
        model: Some(model("scripted/glm-4.6:cloud")),
        ..question(None, "What do you cost?")
    };
    let started = engine.send(request).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    server.call().await.answer("Who knows?").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);
    let view = engine.message(started.message_id).await.unwrap();
    assert_eq!(view.cost, None, "it is no model of this machine");
    let spending = engine.spending(1).await.unwrap();
    assert_eq!(spending.total.unpriced_calls, 1);
}

#[tokio::test]
async fn every_call_is_entered_however_it_ends() {
    let (home, engine, mut server) = engine_and_server().await;
    with_price(&home).await;
    add(&engine, "Keyed", &server, true).await;
    let key = "sk-very-secret-key-0123";
    let provider = "keyed".parse().unwrap();
    let secret = Secret::new(key.to_owned());
    engine.set_key(&provider, secret).await.unwrap();

    let (started, mut stream, call) = ask(&engine, &mut server, None, "Where do pike live?").await;
    let sent = length(&call.head);
    call.answer("In ponds and slow rivers.").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);

    let request = SendMessage {
        model: Some(model("keyed/model-a")),
        ..question(None, "Where do pike live?")
    };
    let failing = engine.send(request).await.unwrap();
    let mut stream = engine.attach(failing.message_id).unwrap();
    let said = json!({ "error": { "message": format!("the key {key} is wrong") } });
    server.call().await.reply(401, &said).await;
    assert!(matches!(end(&mut stream).await, TurnUpdate::Failed { .. }));

    let (stopping, mut stream, mut call) =
        ask(&engine, &mut server, None, "Where do pike live?").await;
    call.begin().await;
    call.say("In ponds").await;
    until(&mut stream, "In ponds").await;
    engine.cancel(stopping.turn_id);
    assert_eq!(end(&mut stream).await, TurnUpdate::Cancelled);

    let testing = engine.test_endpoint(&provider);
    let answering = async { server.call().await.reply(200, &json!({ "data": [] })).await };
    let (tested, ()) = tokio::join!(testing, answering);
    tested.unwrap();

    let all = entries(&engine).await;
    let [test, stopped, failed, whole] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!(
        (whole.purpose, &whole.outcome),
        (Purpose::Answer, &CallOutcome::Ok)
    );
    assert_eq!(whole.message_id, Some(started.message_id));
    assert_eq!(whole.conversation_id, Some(started.conversation_id));
    assert_eq!(whole.runs_at, RunsAt::ThisMachine);
    assert!(whole.host.starts_with("127.0.0.1:"), "{}", whole.host);
    assert_eq!(whole.model.as_deref(), Some("model-a"));
    assert_eq!(whole.bytes_sent, sent);
    assert!(whole.bytes_received > 0);
    let code = ErrorCode::Auth;
    assert_eq!(failed.outcome, CallOutcome::Failed { code });
    assert_eq!((failed.usage.as_ref(), failed.cost.as_ref()), (None, None));
    assert_eq!(stopped.outcome, CallOutcome::Cancelled);
    assert!(stopped.usage.as_ref().unwrap().estimated);
    assert!(stopped.cost.as_ref().unwrap().estimated);
    assert_eq!(
        (test.purpose, &test.outcome),
        (Purpose::TestKey, &CallOutcome::Ok)
    );

    let written = serde_json::to_string(&all).unwrap();
    for private in ["pike", "pond", key, "secret"] {
        assert!(!written.contains(private), "{private} is in the ledger");
    }
}

/// The length of a request's body, as its head says.
fn length(head: &str) -> u64 {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().unwrap().1.parse().unwrap()
}

#[tokio::test]
async fn a_call_whose_caller_goes_away_is_entered() {
    let (home, engine, mut server) = engine_and_server().await;
    let provider = "scripted".parse().unwrap();
    let mut testing = Box::pin(engine.test_endpoint(&provider));
    tokio::select! {
        _ = &mut testing => panic!("nobody has answered"),
        _call = server.call() => {}
    }
    drop(testing);
    engine.shutdown().await;
    let page = beside(&home).await.ledger(0, None, 10).await.unwrap();
    assert_eq!(page.entries.len(), 1);
    assert_eq!(page.entries[0].outcome, CallOutcome::Cancelled);
}

#[tokio::test]
async fn an_answer_has_its_cost_and_a_conversation_its_sum() {
    let (home, engine, mut server) = engine_and_server().await;
    let free = exchange(&engine, &mut server, None, "Hello", "Hi").await;
    let view = engine.message(free.message_id).await.unwrap();
    let cost = view.cost.unwrap();
    assert_eq!(
        (cost.usd, cost.as_of),
        (0.0, None),
        "it runs on this machine"
    );

    with_price(&home).await;
    let first = exchange(&engine, &mut server, None, "Hello", "Hi").await;
    let view = engine.message(first.message_id).await.unwrap();
    let cost = view.cost.unwrap();
    // 7 tokens in at 1 and 3 out at 2 dollars for a million.
    assert_eq!(cost.usd, 0.000_013);
    assert!(!cost.estimated);
    assert_eq!(cost.as_of.as_deref(), Some("2026-11-12"));

    let id = Some(first.conversation_id);
    exchange(&engine, &mut server, id, "And now?", "Still").await;
    let spend = engine
        .conversation_spend(first.conversation_id)
        .await
        .unwrap();
    assert_eq!((spend.usd, spend.calls), (0.000_026, 2));
    assert_eq!((spend.input_tokens, spend.output_tokens), (14, 6));
    let spending = engine.spending(2).await.unwrap();
    assert_eq!(spending.today, spending.total);
    assert_eq!((spending.total.calls, spending.days.len()), (3, 1));
    assert_eq!(spending.models[0].model, model("scripted/model-a"));
    assert_eq!(
        spending.conversations[0].conversation_id,
        first.conversation_id
    );
}

#[tokio::test]
async fn an_answer_that_is_gone_on_with_costs_both_calls() {
    let (home, engine, mut server) = engine_and_server().await;
    with_price(&home).await;
    let (started, mut stream, mut call) = ask(&engine, &mut server, None, "Count").await;
    call.begin().await;
    call.say("One, ").await;
    call.finish("length").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);
    engine.continue_answer(started.message_id).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    server.call().await.answer("two").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);
    let view = engine.message(started.message_id).await.unwrap();
    assert_eq!(view.cost.unwrap().usd, 0.000_026);
}

/// Caps that the scripted provider reaches with one answer.
fn caps(at_cap: AtCap) -> Caps {
    Caps {
        usd_per_day: None,
        providers: vec![ProviderCap {
            provider: "scripted".parse().unwrap(),
            usd_per_day: 0.000_01,
        }],
        at_cap,
    }
}

#[tokio::test]
async fn a_cap_blocks_what_would_go_beyond_it() {
    let (home, engine, mut server) = engine_and_server().await;
    with_price(&home).await;
    change(&engine, |settings| settings.caps = caps(AtCap::Block)).await;
    exchange(&engine, &mut server, None, "Hello", "Hi").await;
    let code = refused(&engine, question(None, "Once more")).await;
    assert_eq!(code, ErrorCode::CapReached);
    assert!(server.is_quiet());
    let last = entries(&engine).await.swap_remove(0);
    assert_eq!(last.outcome, CallOutcome::Refused { code });

    // A list costs nothing, and another provider has no cap.
    add(&engine, "Other", &server, false).await;
    let request = SendMessage {
        model: Some(model("other/m")),
        ..question(None, "And you?")
    };
    let started = engine.send(request).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    server.call().await.answer("Yes").await;
    assert_eq!(end(&mut stream).await, TurnUpdate::Finished);

    change(&engine, |settings| settings.caps = Caps::default()).await;
    exchange(&engine, &mut server, None, "Again", "Yes").await;
}

#[tokio::test]
async fn the_cap_of_all_together_is_about_hosts_elsewhere() {
    let (home, engine, mut server) = engine_and_server().await;
    with_price(&home).await;
    exchange(&engine, &mut server, None, "Hello", "Hi").await;
    let draft = EndpointDraft {
        id: None,
        name: "Paid".to_owned(),
        base_url: "https://192.0.2.1/v1".to_owned(),
        needs_key: false,
        wire: Wire::Chat,
        headers: Vec::new(),
    };
    engine.save_endpoint(draft).await.unwrap();
    let total = Caps {
        usd_per_day: Some(0.000_01),
        ..Caps::default()
    };
    change(&engine, |settings| settings.caps = total).await;
    let request = SendMessage {
        model: Some(model("paid/m")),
        ..question(None, "May this leave?")
    };
    assert_eq!(refused(&engine, request).await, ErrorCode::CapReached);
    exchange(&engine, &mut server, None, "Here", "Free").await;
}

#[tokio::test]
async fn at_a_cap_the_model_in_the_house_can_take_over() {
    let (home, engine, mut server) = engine_and_server().await;
    with_price(&home).await;
    change(&engine, |settings| settings.caps = caps(AtCap::InHouse)).await;
    exchange(&engine, &mut server, None, "Hello", "Hi").await;
    let started = engine.send(question(None, "Once more")).await.unwrap();
    let mut stream = engine.attach(started.message_id).unwrap();
    // There is none in this house: what matters is who was asked.
    let TurnUpdate::Failed { error, .. } = end(&mut stream).await else {
        panic!("there is no model in the house");
    };
    assert_eq!(error.code, ErrorCode::ModelMissing);
    assert!(server.is_quiet());
    let view = engine.message(started.message_id).await.unwrap();
    assert_eq!(view.state, MessageState::Failed);
    assert_eq!(view.attempts.len(), 1);
    assert_eq!(view.attempts[0].error.code, ErrorCode::CapReached);
}

#[tokio::test]
async fn settings_that_cannot_be_read_let_nothing_out() {
    let (home, engine, server) = engine_and_server().await;
    beside(&home)
        .await
        .set_setting("settings", r#"{"local_only":"perhaps"}"#)
        .await
        .unwrap();
    let provider = "scripted".parse().unwrap();
    let error = engine.test_endpoint(&provider).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Storage);
    assert!(server.is_quiet());
}

#[tokio::test]
async fn a_message_is_estimated_before_it_is_sent() {
    let (home, engine, mut server) = engine_and_server().await;
    let ask = |conversation, text: &str| EstimateRequest {
        conversation_id: conversation,
        model: Some(model("scripted/model-a")),
        text: text.to_owned(),
    };
    let unknown = engine.estimate(ask(None, "Hello")).await.unwrap();
    assert_eq!(unknown.least.unwrap().usd, 0.0, "it runs on this machine");
    assert_eq!(unknown.most, None);
    with_price(&home).await;
    let short = engine.estimate(ask(None, "Hello")).await.unwrap();
    let started = exchange(&engine, &mut server, None, "Hello", "Hi").await;
    let id = Some(started.conversation_id);
    let long = engine
        .estimate(ask(id, &"word ".repeat(300)))
        .await
        .unwrap();
    assert!(long.input_tokens > short.input_tokens + 300);
    let (least, most) = (long.least.unwrap(), long.most.unwrap());
    assert!(
        least.usd < most.usd && least.estimated,
        "{least:?} {most:?}"
    );
    let input = f64::from(u32::try_from(long.input_tokens).unwrap());
    assert_eq!(most.usd, (input + 2_000.0) / 1_000_000.0);
    assert!(server.is_quiet());
}

#[tokio::test]
async fn local_only_outlives_the_run() {
    let (home, engine, _server) = engine_and_server().await;
    let (listener, _) = elsewhere(&engine).await;
    change(&engine, |settings| settings.local_only = true).await;
    engine.shutdown().await;
    let engine = open(&home).await;
    assert_eq!(refused(&engine, to_elsewhere()).await, ErrorCode::LocalOnly);
    assert!(is_untouched(listener.as_ref()));
}
