//! The real small model in a real child process, through the provider's public door.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod cache;
mod process;
mod turns;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::BoxStream;
use inhouse::{Config, Inhouse, WorkerCommand};
use protocol::{Part, Role, StopReason, Usage};
use providers::{ErrorKind, ProviderError, ProviderEvent, Request, RequestMessage};
use tokio_util::sync::CancellationToken;

type Stream = BoxStream<'static, Result<ProviderEvent, ProviderError>>;

const MODEL: &str = "test";
const SYSTEM: &str = "You are a helpful assistant.";

/// The small model's file, as `scripts/test` names it.
fn model_file() -> PathBuf {
    let path = std::env::var_os("PILOTFISH_TEST_MODEL")
        .expect("PILOTFISH_TEST_MODEL names no model file: run scripts/test, which fetches one");
    PathBuf::from(path)
}

/// `examples/worker.rs`, built beside this test.
fn worker_program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile
        .join("examples")
        .join(format!("worker{}", std::env::consts::EXE_SUFFIX))
}

struct House {
    folder: tempfile::TempDir,
    inhouse: Inhouse,
}

impl House {
    fn file(&self, name: &str) -> PathBuf {
        self.folder
            .path()
            .join("models")
            .join(format!("{name}.gguf"))
    }

    /// Puts the small model there under another name.
    fn add(&self, name: &str) {
        place_model(&self.file(name));
    }

    /// Puts a copy of the small model there that has a window of 1024 tokens.
    fn add_narrow(&self, name: &str) {
        let mut bytes = std::fs::read(model_file()).unwrap();
        let key = b"llama.context_length\x04\0\0\0";
        let mut places = bytes.windows(key.len());
        let at = places.position(|window| window == key).unwrap() + key.len();
        bytes[at..at + 4].copy_from_slice(&1024_u32.to_le_bytes());
        let part = self.folder.path().join("part");
        std::fs::write(&part, bytes).unwrap();
        std::fs::rename(part, self.file(name)).unwrap();
    }
}

fn place_model(file: &Path) {
    std::fs::hard_link(model_file(), file)
        .or_else(|_| std::fs::copy(model_file(), file).map(drop))
        .unwrap();
}

fn house(idle_unload: Duration) -> House {
    let worker = WorkerCommand {
        program: worker_program(),
        args: Vec::new(),
    };
    house_with(worker, idle_unload)
}

fn house_with(worker: WorkerCommand, idle_unload: Duration) -> House {
    let folder = tempfile::tempdir().unwrap();
    let models_dir = folder.path().join("models");
    std::fs::create_dir(&models_dir).unwrap();
    place_model(&models_dir.join(format!("{MODEL}.gguf")));
    let inhouse = Inhouse::open(Config {
        models_dir,
        cache_dir: folder.path().join("cache"),
        worker,
        idle_unload,
        threads: Some(2),
    });
    House { folder, inhouse }
}

/// An answer that is being made and will be for a while: the worker has begun to read seven thousand
/// words.
async fn begun(inhouse: &Inhouse, model: &str) -> Stream {
    let mut request = ask(&"word ".repeat(7000));
    request.model = model.to_owned();
    let mut stream = inhouse
        .provider()
        .stream(request, None, CancellationToken::new());
    loop {
        match stream.next().await.unwrap().unwrap() {
            ProviderEvent::Reading { .. } => return stream,
            ProviderEvent::Text(_) | ProviderEvent::Finished { .. } => {
                panic!("it was read at once")
            }
            _ => {}
        }
    }
}

async fn last_error(mut stream: Stream) -> ProviderError {
    let mut errors = Vec::new();
    while let Some(event) = stream.next().await {
        errors.extend(event.err());
    }
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

fn message(role: Role, text: &str) -> RequestMessage {
    RequestMessage {
        role,
        parts: vec![Part::text(text)],
    }
}

/// A question, answered greedily.
fn ask(text: &str) -> Request {
    Request {
        model: MODEL.to_owned(),
        system: SYSTEM.to_owned(),
        messages: vec![message(Role::User, text)],
        max_tokens: Some(24),
        temperature: Some(0.0),
        ..Request::default()
    }
}

#[derive(Debug, Default)]
struct Outcome {
    text: String,
    pieces: usize,
    readings: Vec<(u32, u32)>,
    usage: Option<Usage>,
    stop_reason: Option<StopReason>,
    error: Option<ProviderError>,
}

async fn answer(inhouse: &Inhouse, request: Request) -> Outcome {
    let asked = request.model.clone();
    let mut stream = inhouse
        .provider()
        .stream(request, None, CancellationToken::new());
    let mut outcome = Outcome::default();
    while let Some(event) = stream.next().await {
        match event {
            Ok(ProviderEvent::Started { model, .. }) => assert_eq!(model, Some(asked.clone())),
            Ok(ProviderEvent::Reading { done, total }) => outcome.readings.push((done, total)),
            Ok(ProviderEvent::Text(text)) => {
                outcome.text.push_str(&text);
                outcome.pieces += 1;
            }
            Ok(ProviderEvent::Usage(usage)) => outcome.usage = Some(usage),
            Ok(ProviderEvent::Finished { stop_reason }) => outcome.stop_reason = Some(stop_reason),
            Ok(other) => panic!("no such event comes from the in-house model: {other:?}"),
            Err(error) => outcome.error = Some(error),
        }
    }
    outcome
}

/// An answer that must be whole.
async fn whole(inhouse: &Inhouse, request: Request) -> Outcome {
    let outcome = answer(inhouse, request).await;
    assert_eq!(outcome.error, None);
    assert!(outcome.stop_reason.is_some());
    outcome
}

#[tokio::test]
async fn an_answer_streams_and_is_the_same_every_time() {
    let House {
        folder: _folder,
        inhouse,
    } = house(Config::IDLE_UNLOAD);
    let question = "What is the capital of Australia?";
    let first = whole(&inhouse, ask(question)).await;
    assert!(first.text.contains("Canberra"), "{}", first.text);
    assert!(first.pieces > 2, "it came in {} pieces", first.pieces);
    assert_eq!(first.stop_reason, Some(StopReason::EndTurn));
    let total = first.readings[0].1;
    assert_eq!(first.readings.last(), Some(&(total, total)));
    let usage = first.usage.unwrap();
    assert_eq!(
        (usage.input_tokens, usage.cached_tokens),
        (Some(u64::from(total)), Some(0))
    );
    let again = whole(&inhouse, ask(question)).await;
    assert_eq!(again.text, first.text);
    assert_eq!(inhouse.context_tokens(MODEL).await, Some(8192));
    inhouse.shutdown().await;
}

#[tokio::test]
async fn conversations_answered_at_once_are_answered_as_each_alone() {
    let House {
        folder: _folder,
        inhouse,
    } = house(Config::IDLE_UNLOAD);
    let questions = [
        "What is the capital of Australia?",
        "What is the capital of France?",
    ];
    let mut alone = Vec::new();
    for question in questions {
        alone.push(whole(&inhouse, ask(question)).await.text);
    }
    let (one, two) = tokio::join!(
        whole(&inhouse, ask(questions[0])),
        whole(&inhouse, ask(questions[1]))
    );
    assert_eq!([one.text, two.text], [alone[0].as_str(), alone[1].as_str()]);
    assert_eq!(
        inhouse.worker_process_ids().await.len(),
        1,
        "one process answers both"
    );
    inhouse.shutdown().await;
}

#[tokio::test]
async fn a_next_turn_reads_only_what_is_new() {
    let House {
        folder: _folder,
        inhouse,
    } = house(Config::IDLE_UNLOAD);
    let mut request = ask("What is the capital of Australia?");
    request.cache_key = Some("conversation".to_owned());
    let first = whole(&inhouse, request.clone()).await;
    let before = first.usage.unwrap();
    request.messages.push(message(Role::Assistant, &first.text));
    request.messages.push(message(Role::User, "And of France?"));
    let second = whole(&inhouse, request).await.usage.unwrap();
    let known = before.input_tokens.unwrap() + before.output_tokens.unwrap();
    assert!(
        second.cached_tokens.unwrap() >= known,
        "{second:?} keeps less than the {known} tokens of the first turn"
    );
    // Another conversation still has the system prompt.
    let other = whole(&inhouse, ask("Hello!")).await.usage.unwrap();
    assert!(other.cached_tokens.unwrap() > 5, "{other:?}");
    inhouse.shutdown().await;
}

#[tokio::test]
async fn a_cancelled_answer_ends_at_once_and_the_next_one_works() {
    let House {
        folder: _folder,
        inhouse,
    } = house(Config::IDLE_UNLOAD);
    let cancel = CancellationToken::new();
    let mut request = ask("Count from one to one thousand.");
    request.max_tokens = Some(2000);
    let mut stream = inhouse.provider().stream(request, None, cancel.clone());
    loop {
        match stream.next().await.unwrap().unwrap() {
            ProviderEvent::Text(_) => break,
            ProviderEvent::Finished { .. } => panic!("it ended before it was cancelled"),
            _ => {}
        }
    }
    let start = Instant::now();
    cancel.cancel();
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(event);
    }
    assert!(
        start.elapsed() < Duration::from_millis(50),
        "it took {:?}",
        start.elapsed()
    );
    assert_eq!(last.unwrap().unwrap_err().kind, ErrorKind::Interrupted);
    assert!(whole(&inhouse, ask("Hello!")).await.pieces > 0);
    inhouse.shutdown().await;
}

/// A copy of the model, changed, as `broken.gguf`.
fn broken(house: &House, change: impl FnOnce(&mut Vec<u8>)) -> Request {
    let mut bytes = std::fs::read(model_file()).unwrap();
    change(&mut bytes);
    std::fs::write(house.folder.path().join("models/broken.gguf"), bytes).unwrap();
    Request {
        model: "broken".to_owned(),
        ..ask("Hello!")
    }
}

#[tokio::test]
async fn damaged_weights_are_an_error_and_nothing_else() {
    let house = house(Config::IDLE_UNLOAD);
    let truncated = broken(&house, |bytes| bytes.truncate(bytes.len() / 2));
    let error = answer(&house.inhouse, truncated).await.error.unwrap();
    assert_eq!(error.kind, ErrorKind::ModelInvalid);
    assert!(
        error.message.contains("a part of it is missing"),
        "{}",
        error.message
    );

    let flipped = broken(&house, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
    });
    let error = answer(&house.inhouse, flipped).await.error.unwrap();
    assert_eq!(error.kind, ErrorKind::ModelInvalid);
    assert!(error.message.contains("damaged copy"), "{}", error.message);

    let missing = Request {
        model: "default".to_owned(),
        ..ask("Hello!")
    };
    let error = answer(&house.inhouse, missing).await.error.unwrap();
    assert_eq!(error.kind, ErrorKind::ModelMissing);
    assert!(
        error.message.contains("pilotfish models pull default"),
        "{}",
        error.message
    );
    assert!(whole(&house.inhouse, ask("Hello!")).await.pieces > 0);
    house.inhouse.shutdown().await;
}

/// A sound file of the person's own that llama.cpp cannot use: one tensor and half a vocabulary.
#[tokio::test]
async fn a_file_that_llama_cpp_refuses_is_an_error() {
    let house = house(Config::IDLE_UNLOAD);
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(2_u64.to_le_bytes());
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    text(&mut bytes, "general.architecture");
    bytes.extend(8_u32.to_le_bytes());
    text(&mut bytes, "llama");
    text(&mut bytes, "tokenizer.ggml.tokens");
    bytes.extend([9_u32, 8].map(u32::to_le_bytes).concat());
    bytes.extend(1_u64.to_le_bytes());
    text(&mut bytes, "<s>");
    text(&mut bytes, "token_embd.weight");
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(32_u64.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32) + 128, 0);
    std::fs::write(house.folder.path().join("models/odd.gguf"), bytes).unwrap();
    let odd = Request {
        model: "odd".to_owned(),
        ..ask("Hello!")
    };
    let error = answer(&house.inhouse, odd.clone()).await.error.unwrap();
    assert_eq!(error.kind, ErrorKind::ModelInvalid);
    assert!(error.message.contains("odd"), "{}", error.message);
    assert!(
        answer(&house.inhouse, odd).await.error.is_some(),
        "and again"
    );
    house.inhouse.shutdown().await;
}

#[tokio::test]
async fn what_does_not_fit_is_told_before_it_is_read() {
    let House {
        folder: _folder,
        inhouse,
    } = house(Config::IDLE_UNLOAD);
    let outcome = answer(&inhouse, ask(&"word ".repeat(9000))).await;
    let error = outcome.error.unwrap();
    assert_eq!(error.kind, ErrorKind::ContextOverflow);
    assert!(error.message.contains("8191"), "{}", error.message);
    assert_eq!(outcome.readings, []);
    let error = answer(&inhouse, ask(&"x".repeat(5 << 20)))
        .await
        .error
        .unwrap();
    assert_eq!(error.kind, ErrorKind::ContextOverflow);
    inhouse.shutdown().await;
}

#[tokio::test]
async fn stop_texts_limits_and_unfinished_answers_are_heeded() {
    let House {
        folder: _folder,
        inhouse,
    } = house(Config::IDLE_UNLOAD);
    let question = "What is the capital of Australia?";
    let mut stopping = ask(question);
    stopping.stop = vec!["Canberra".to_owned()];
    let stopped = whole(&inhouse, stopping).await;
    assert_eq!(stopped.stop_reason, Some(StopReason::StopSequence));
    assert!(!stopped.text.contains("Canb"), "{}", stopped.text);

    let mut short = ask(question);
    short.max_tokens = Some(2);
    let short = whole(&inhouse, short).await;
    assert_eq!(short.stop_reason, Some(StopReason::MaxTokens));
    assert_eq!(short.usage.unwrap().output_tokens, Some(2));

    let mut open = ask(question);
    open.messages
        .push(message(Role::Assistant, "The capital of Australia is"));
    open.continue_last = true;
    let rest = whole(&inhouse, open).await;
    assert!(
        rest.text.trim_start().starts_with("Canberra"),
        "{}",
        rest.text
    );
    inhouse.shutdown().await;
}

#[tokio::test]
async fn wrong_requests_are_refused_before_they_reach_the_model() {
    let House {
        folder: _folder,
        inhouse,
    } = house(Config::IDLE_UNLOAD);
    let wrong: [fn(&mut Request); 8] = [
        |request| request.temperature = Some(f32::NAN),
        |request| request.temperature = Some(1e30),
        |request| request.temperature = Some(-1.0),
        |request| request.max_tokens = Some(0),
        |request| request.stop = vec![String::new()],
        |request| request.stop = vec!["x".to_owned(); 17],
        |request| request.messages.clear(),
        |request| request.continue_last = true,
    ];
    for change in wrong {
        let mut request = ask("Hello!");
        change(&mut request);
        let error = answer(&inhouse, request).await.error.unwrap();
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{}", error.message);
    }
    assert_eq!(
        inhouse.worker_process_ids().await,
        [0_u32; 0],
        "no worker was started"
    );
}
