//! How workers come, go and are shared out.

use std::process::Stdio;

use inhouse::{Config, Inhouse, WorkerCommand};
use protocol::LibraryState;
use tokio::io::AsyncWriteExt as _;

use super::*;

fn kill(process: u32) {
    let process = i32::try_from(process)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
}

/// `sh` that runs a script with the worker as its first argument and the folder as its second.
fn scripted(script: &str, folder: &Path) -> WorkerCommand {
    WorkerCommand {
        program: PathBuf::from("/bin/sh"),
        args: vec![
            "-c".into(),
            script.into(),
            "worker".into(),
            worker_program().into(),
            folder.into(),
        ],
    }
}

#[tokio::test]
async fn a_killed_worker_costs_one_answer() {
    let House {
        folder: _folder,
        inhouse,
    } = house(Config::IDLE_UNLOAD);
    let stream = begun(&inhouse, MODEL).await;
    let first = inhouse.worker_process_ids().await;
    kill(first[0]);
    let error = last_error(stream).await;
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert!(
        error
            .message
            .contains("the next question starts a fresh one")
    );
    assert!(whole(&inhouse, ask("Hello!")).await.pieces > 0);
    assert_ne!(inhouse.worker_process_ids().await, first);
    inhouse.shutdown().await;
    assert_eq!(inhouse.worker_process_ids().await, [0_u32; 0]);
}

#[tokio::test]
async fn a_worker_that_is_killed_while_it_loads_costs_one_answer() {
    let flags = tempfile::tempdir().unwrap();
    // The first one never gets further than its first command.
    let script =
        "if mkdir \"$2/once\" 2>/dev/null; then exec tail -f /dev/null; else exec \"$1\"; fi";
    let House {
        folder: _folder,
        inhouse,
    } = house_with(scripted(script, flags.path()), Config::IDLE_UNLOAD);
    let mut stream = inhouse
        .provider()
        .stream(ask("Hello!"), None, CancellationToken::new());
    assert!(matches!(
        stream.next().await,
        Some(Ok(ProviderEvent::Started { .. }))
    ));
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while !flags.path().join("once").exists() {
        look.tick().await;
    }
    kill(inhouse.worker_process_ids().await[0]);
    let error = last_error(stream).await;
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert!(
        error.message.contains("while it loaded"),
        "{}",
        error.message
    );
    assert!(
        whole(&inhouse, ask("Hello!")).await.pieces > 0,
        "the next answer comes at once"
    );
    inhouse.shutdown().await;
}

#[tokio::test]
async fn a_worker_ends_with_its_parent() {
    let mut worker = tokio::process::Command::new(worker_program())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let load = serde_json::json!({
        "type": "load", "path": model_file(), "stamp": { "bytes": 0, "modified_ns": 0 },
        "threads": 1, "slots": 1, "context": 8192,
    });
    let generate = serde_json::json!({
        "type": "generate", "id": 1, "system": "", "continue_last": false, "cache_key": null,
        "messages": [{ "role": "user", "text": "word ".repeat(6000) }],
        "max_tokens": null, "stop": [],
        "sampling": { "temperature": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0,
            "repeat_penalty": 1.0, "seed": null },
    });
    let mut stdin = worker.stdin.take().unwrap();
    stdin
        .write_all(format!("{load}\n{generate}\n").as_bytes())
        .await
        .unwrap();
    drop(stdin);
    let ended = tokio::time::timeout(Duration::from_secs(20), worker.wait()).await;
    assert!(ended.is_ok(), "it outlives the one who needs it");
}

#[tokio::test]
async fn weights_that_were_replaced_or_removed_answer_no_more() {
    let house = house(Config::IDLE_UNLOAD);
    let inhouse = &house.inhouse;
    let long = ask(&"word ".repeat(2000));
    whole(inhouse, ask("Hello!")).await;
    let first = inhouse.worker_process_ids().await;
    house.add_narrow(MODEL);
    let error = answer(inhouse, long.clone()).await.error.unwrap();
    assert_eq!(error.kind, ErrorKind::ContextOverflow);
    let second = inhouse.worker_process_ids().await;
    assert_eq!(second.len(), 1, "the old one has gone");
    assert_ne!(second, first);

    inhouse.remove(MODEL).await.unwrap();
    assert_eq!(inhouse.worker_process_ids().await, [0_u32; 0]);
    let error = answer(inhouse, ask("Hello!")).await.error.unwrap();
    assert_eq!(error.kind, ErrorKind::NotFound);
    house.add(MODEL);
    assert!(whole(inhouse, long).await.pieces > 0);
    inhouse.shutdown().await;
}

#[tokio::test]
async fn a_third_model_waits_for_one_of_two_workers() {
    let house = house(Config::IDLE_UNLOAD);
    let inhouse = &house.inhouse;
    house.add("second");
    house.add("third");
    let third = Request {
        model: "third".to_owned(),
        ..ask("Hello!")
    };
    let answers = [begun(inhouse, MODEL).await, begun(inhouse, "second").await];
    let error = answer(inhouse, third.clone()).await.error.unwrap();
    assert_eq!(error.kind, ErrorKind::Overloaded, "{}", error.message);
    drop(answers);
    assert!(whole(inhouse, third).await.pieces > 0);
    assert_eq!(inhouse.worker_process_ids().await.len(), 2);
    inhouse.shutdown().await;
}

#[tokio::test]
async fn more_questions_than_can_wait_are_refused() {
    const TAKEN: usize = 4 + 32;
    let House {
        folder: _folder,
        inhouse,
    } = house(Config::IDLE_UNLOAD);
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(begun(&inhouse, MODEL).await);
    }
    let mut request = ask("Count from one to one thousand.");
    request.max_tokens = Some(2000);
    while streams.len() < TAKEN {
        let mut stream = inhouse
            .provider()
            .stream(request.clone(), None, CancellationToken::new());
        // From now on the worker has it.
        assert!(stream.next().await.unwrap().is_ok());
        streams.push(stream);
    }
    let error = answer(&inhouse, request).await.error.unwrap();
    assert_eq!(error.kind, ErrorKind::Overloaded, "{}", error.message);
    drop(streams);
    assert!(whole(&inhouse, ask("Hello!")).await.pieces > 0);
    inhouse.shutdown().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_workers_environment_holds_no_secret() {
    let House {
        folder: _folder,
        inhouse,
    } = house(Config::IDLE_UNLOAD);
    whole(&inhouse, ask("Hello!")).await;
    let process = inhouse.worker_process_ids().await[0];
    let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap();
    let environment = String::from_utf8(environment).unwrap();
    let allowed = [
        "PATH",
        "HOME",
        "LANG",
        "TZ",
        "LD_LIBRARY_PATH",
        "PILOTFISH_BACKENDS",
        "GOMP_SPINCOUNT",
    ];
    for pair in environment.split_terminator('\0') {
        let (name, _) = pair.split_once('=').unwrap();
        assert!(allowed.contains(&name), "{name}");
    }
    // This test has more than that.
    assert!(std::env::vars_os().any(|(name, _)| !allowed.iter().any(|known| name == *known)));
    let likely = std::fs::read_to_string(format!("/proc/{process}/oom_score_adj")).unwrap();
    assert_eq!(likely.trim(), "800", "the first to go when memory runs out");
    inhouse.shutdown().await;
}

/// What an old processor gets: the library that uses nothing new.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[tokio::test]
async fn the_library_for_the_oldest_processors_answers() {
    const LIBRARY: &str = "libggml-cpu-x64.so";
    let program = worker_program();
    let backends = tempfile::tempdir().unwrap();
    let built = program.parent().unwrap().join(LIBRARY);
    std::fs::copy(built, backends.path().join(LIBRARY)).unwrap();
    let script = "PILOTFISH_BACKENDS=\"$2\" exec \"$1\"";
    let House {
        folder: _folder,
        inhouse,
    } = house_with(scripted(script, backends.path()), Config::IDLE_UNLOAD);
    let answer = whole(&inhouse, ask("What is the capital of Australia?")).await;
    assert!(answer.text.contains("Canberra"), "{}", answer.text);
    let process = inhouse.worker_process_ids().await[0];
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let computing: Vec<&str> = maps
        .lines()
        .filter(|line| line.contains("ggml-cpu"))
        .collect();
    assert!(!computing.is_empty());
    assert!(computing.iter().all(|line| line.ends_with(LIBRARY)));
    inhouse.shutdown().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_llama_cpp_cannot_name_is_said_to_be_one() {
    use std::os::unix::ffi::OsStrExt as _;

    let folder = tempfile::tempdir().unwrap();
    let models_dir = folder
        .path()
        .join(std::ffi::OsStr::from_bytes(b"m\xffdels"));
    std::fs::create_dir(&models_dir).unwrap();
    place_model(&models_dir.join("test.gguf"));
    let inhouse = Inhouse::open(Config {
        models_dir,
        cache_dir: folder.path().join("cache"),
        worker: WorkerCommand {
            program: worker_program(),
            args: Vec::new(),
        },
        idle_unload: Config::IDLE_UNLOAD,
        threads: None,
    });
    assert!(
        inhouse
            .library()
            .list()
            .await
            .iter()
            .any(|entry| entry.id == MODEL && entry.state == LibraryState::Checking)
    );
    let error = answer(&inhouse, ask("Hello!")).await.error.unwrap();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(error.message.contains("not UTF-8"), "{}", error.message);
}

#[tokio::test]
async fn an_idle_worker_lets_go_of_its_memory() {
    let House {
        folder: _folder,
        inhouse,
    } = house(Duration::from_millis(50));
    whole(&inhouse, ask("Hello!")).await;
    let gone = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while !inhouse.worker_process_ids().await.is_empty() {
            look.tick().await;
        }
    };
    let patience = Duration::from_secs(20);
    let gone = tokio::time::timeout(patience, gone).await;
    assert!(gone.is_ok(), "the worker is still there");
    assert!(
        whole(&inhouse, ask("Hello!")).await.pieces > 0,
        "and it comes back"
    );
    inhouse.shutdown().await;
}

#[tokio::test]
async fn a_program_that_is_no_worker_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let models_dir = folder.path().to_owned();
    std::fs::copy(model_file(), models_dir.join("test.gguf")).unwrap();
    let inhouse = Inhouse::open(Config {
        models_dir,
        cache_dir: folder.path().join("cache"),
        worker: WorkerCommand {
            program: folder.path().join("no-such-program"),
            args: Vec::new(),
        },
        idle_unload: Config::IDLE_UNLOAD,
        threads: None,
    });
    let error = answer(&inhouse, ask("Hello!")).await.error.unwrap();
    assert!(
        error.message.contains("could not be started"),
        "{}",
        error.message
    );
}
