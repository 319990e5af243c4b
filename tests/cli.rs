//! The terminal, driven as a person and a script drive it: the built program in a session of its
//! own, its output and exit code, and what it leaves on disk.

#![cfg(test)]

#[path = "support/session.rs"]
mod session;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use session::{Owned, PILOTFISH, Session};

/// Runs `pilotfish` with arguments, and with `input` on its standard input.
fn run(session: &Session, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = session
        .command(PILOTFISH)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pilotfish");
    // A program that refuses its arguments does not read its input: a broken pipe is fine then.
    drop(child.stdin.take().expect("its input").write_all(input));
    child.wait_with_output().expect("its end")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// The output of a run that must succeed.
fn stdout_of(session: &Session, arguments: &[&str], input: &[u8]) -> String {
    let output = run(session, arguments, input);
    assert!(
        output.status.success(),
        "{arguments:?} failed: {}",
        text(&output.stderr)
    );
    text(&output.stdout).to_owned()
}

/// What a run that must fail says on standard error; standard output stays empty.
fn complaint_of(session: &Session, arguments: &[&str], input: &[u8]) -> String {
    let output = run(session, arguments, input);
    assert!(!output.status.success(), "{arguments:?} must fail");
    assert_eq!(
        text(&output.stdout).trim(),
        "",
        "{arguments:?} must not answer"
    );
    let complaint = text(&output.stderr).to_owned();
    assert!(!complaint.contains("panicked"), "{complaint}");
    complaint
}

#[test]
fn an_answer_goes_to_the_pipe_and_into_the_database() {
    let session = Session::open();
    let answer = stdout_of(
        &session,
        &[
            "ask",
            "-m",
            "inhouse/small",
            "What is the capital of Australia?",
        ],
        b"",
    );
    assert!(answer.contains("Canberra"), "{answer:?}");
    assert!(
        answer.ends_with('\n'),
        "a terminal's next prompt needs a line of its own"
    );
    assert!(
        !answer.contains('\x1b'),
        "a pipe gets no escape codes: {answer:?}"
    );
    assert!(
        !session.files_with("capital of Australia").is_empty(),
        "the question is stored"
    );
    assert!(
        !session.files_with("Canberra").is_empty(),
        "the answer is stored"
    );
}

#[test]
fn json_names_the_conversation_and_it_goes_on() {
    let session = Session::open();
    let first = stdout_of(
        &session,
        &["ask", "-m", "inhouse/small", "--json", "-"],
        b"My dog is called Rex. Say hello to him.",
    );
    let first: Value = serde_json::from_str(&first).expect("one JSON object");
    let conversation = first["conversation_id"].as_str().expect("its conversation");
    assert!(!first["text"].as_str().expect("its text").is_empty());
    assert_eq!(first["state"], "complete");
    assert!(
        first["usage"]["output_tokens"]
            .as_u64()
            .is_some_and(|tokens| tokens > 0)
    );

    let second = stdout_of(
        &session,
        &[
            "ask",
            "-c",
            conversation,
            "--json",
            "What is my dog called?",
        ],
        b"",
    );
    let second: Value = serde_json::from_str(&second).expect("one JSON object");
    assert_eq!(second["conversation_id"], conversation);
    assert!(!second["text"].as_str().expect("its text").is_empty());
    let read = |answer: &Value| {
        answer["usage"]["input_tokens"]
            .as_u64()
            .expect("tokens read")
    };
    assert!(
        read(&second) > read(&first),
        "it sees what was said before: {second}"
    );
    let cached = second["usage"]["cached_tokens"].as_u64();
    assert!(
        cached.is_some(),
        "the in-house model always knows what it kept: {second}"
    );
}

/// Starts `pilotfish` as a shell starts what runs in the foreground: in a process group of its own,
/// which is whom a terminal tells of Ctrl+C.
fn in_foreground(session: &Session, arguments: &[&str], input: Stdio) -> Owned {
    Owned::start(
        session
            .command(PILOTFISH)
            .args(arguments)
            .process_group(0)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    )
}

fn press_ctrl_c(child: &Owned) {
    let group = rustix::process::Pid::from_child(&child.0);
    rustix::process::kill_process_group(group, rustix::process::Signal::INT).expect("Ctrl+C");
}

fn rest(from: &mut Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    from.as_mut()
        .expect("a pipe")
        .read_to_end(&mut bytes)
        .expect("the rest of it");
    text(&bytes).to_owned()
}

#[test]
fn ctrl_c_keeps_what_has_come() {
    let session = Session::open();
    let long = "Count from one to five hundred, in words.";
    let mut child = in_foreground(
        &session,
        &["ask", "-m", "inhouse/small", long],
        Stdio::null(),
    );
    let mut beginning = [0; 24];
    child
        .0
        .stdout
        .as_mut()
        .expect("its output")
        .read_exact(&mut beginning)
        .expect("the beginning of the answer");
    press_ctrl_c(&child);
    let partial = text(&beginning).to_owned() + &rest(&mut child.0.stdout);
    let said = rest(&mut child.0.stderr);
    let status = child.0.wait().expect("its end");
    assert_eq!(status.code(), Some(130), "as shells have it: {said}");
    assert!(said.contains("stopped"), "{said}");
    assert!(
        !said.contains("model process"),
        "the worker lives until it is told to end: {said}"
    );

    let first_line = partial.trim().lines().next().expect("a line");
    let kept = session.files_with(first_line.get(..20).unwrap_or(first_line));
    assert!(!kept.is_empty(), "{first_line:?} is stored");
}

#[test]
fn ctrl_c_leaves_json_whole() {
    let session = Session::open();
    let long = "Count from one to five hundred, in words.";
    let mut child = in_foreground(
        &session,
        &["ask", "-m", "inhouse/small", "--json", long],
        Stdio::null(),
    );
    // Once the question is stored it is being answered.
    while session.files_with("five hundred").is_empty() {
        assert!(
            child.0.try_wait().expect("its state").is_none(),
            "it ended before it was stopped"
        );
        std::thread::yield_now();
    }
    press_ctrl_c(&child);
    let report: Value = serde_json::from_str(&rest(&mut child.0.stdout)).expect("one JSON object");
    assert_eq!(report["state"], "cancelled");
    assert_eq!(child.0.wait().expect("its end").code(), Some(130));
}

#[test]
fn ctrl_c_at_the_prompt_ends_a_chat() {
    let session = Session::open();
    let mut child = in_foreground(&session, &["chat", "-m", "inhouse/small"], Stdio::piped());
    // The pipe stays open: nobody will ever type the next line.
    let mut input = child.0.stdin.take().expect("its input");
    input
        .write_all(b"What is the capital of Australia?\n")
        .expect("a question");
    let mut out = BufReader::new(child.0.stdout.take().expect("its output"));
    let mut answer = String::new();
    out.read_line(&mut answer).expect("the answer");
    assert!(answer.contains("Canberra"), "{answer:?}");
    out.read_line(&mut answer).expect("the empty line after it");
    press_ctrl_c(&child);
    assert!(child.0.wait().expect("its end").success());
}

#[test]
fn a_chat_through_a_pipe_remembers_and_tells_of_failures() {
    let session = Session::open();
    let answers = stdout_of(
        &session,
        &["chat", "-m", "inhouse/small"],
        b"What is the capital of Australia?\n\nSay hello.\n",
    );
    assert!(answers.contains("Canberra"), "{answers:?}");
    assert!(
        !answers.contains("> "),
        "a pipe gets no prompt: {answers:?}"
    );
    let failed = run(&session, &["chat", "-m", "inhouse/nonesuch"], b"hi\n");
    assert!(!failed.status.success(), "a script learns of the failure");
    assert!(text(&failed.stderr).contains("nonesuch"));
}

#[test]
fn a_reader_that_goes_away_costs_nothing() {
    let session = Session::open();
    let question = "What is the capital of Australia?";
    let mut child = in_foreground(
        &session,
        &["ask", "-m", "inhouse/small", question],
        Stdio::null(),
    );
    drop(child.0.stdout.take());
    let said = rest(&mut child.0.stderr);
    assert!(child.0.wait().expect("its end").success(), "{said}");
    assert!(
        !session.files_with("Canberra").is_empty(),
        "the answer is stored"
    );
}

#[test]
fn wrong_input_is_answered_with_what_to_do() {
    let session = Session::open();
    let unknown_flag = complaint_of(&session, &["ask", "--loudly", "hi"], b"");
    assert!(
        unknown_flag.contains("--loudly") && unknown_flag.contains("--help"),
        "{unknown_flag}"
    );
    let no_model = complaint_of(&session, &["ask", "-m", "inhouse/nonesuch", "hi"], b"");
    assert!(no_model.contains("nonesuch"), "{no_model}");
    let no_provider = complaint_of(&session, &["ask", "-m", "nonesuch/x", "hi"], b"");
    assert!(no_provider.contains("nonesuch"), "{no_provider}");
    let bad_name = complaint_of(&session, &["ask", "-m", "default", "hi"], b"");
    assert!(bad_name.contains("provider/model"), "{bad_name}");
    complaint_of(&session, &["ask", "-m", "inhouse/small", "-"], b"");
    complaint_of(&session, &["ask", "-m", "inhouse/small", "-"], b"\xff\xfe");
    let too_long = complaint_of(
        &session,
        &["ask", "-m", "inhouse/small", "-"],
        &[b'a'; 2 << 20],
    );
    assert!(too_long.contains("MiB"), "{too_long}");
    complaint_of(
        &session,
        &["ask", "-c", "01890000-0000-7000-8000-000000000000", "hi"],
        b"",
    );
}

#[test]
fn the_library_lists_imports_and_refuses() {
    let session = Session::open();
    let listed: Value =
        serde_json::from_str(&stdout_of(&session, &["models", "list", "--json"], b"")).unwrap();
    let small = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["id"] == "small")
        .unwrap();
    // A file is looked through when it is first asked, not when it is listed.
    assert_eq!(small["state"]["is"], "checking");
    assert_eq!(small["licence"], "Apache-2.0");

    let page = session.home.join("page.gguf");
    std::fs::write(&page, "<!doctype html><title>Not found</title>").unwrap();
    let refused = complaint_of(&session, &["models", "import", page.to_str().unwrap()], b"");
    assert!(refused.contains("GGUF"), "{refused}");
    complaint_of(
        &session,
        &["models", "import", "/nonexistent/file.gguf"],
        b"",
    );

    // Weights that are here already are not kept twice.
    let copy = session.home.join("a-copy.gguf");
    std::fs::copy(session::small_model(), &copy).unwrap();
    let imported = stdout_of(&session, &["models", "import", copy.to_str().unwrap()], b"");
    assert_eq!(imported.trim(), "inhouse/small");

    // A file that the person puts into the folder is a model like any other.
    std::fs::rename(&copy, session.home.join("models/my-own.gguf")).unwrap();
    assert!(stdout_of(&session, &["models", "list"], b"").contains("inhouse/my-own"));
    let question = "What is the capital of Australia?";
    let answer = stdout_of(&session, &["ask", "-m", "inhouse/my-own", question], b"");
    assert!(answer.len() > 1, "{answer:?}");
    stdout_of(&session, &["models", "remove", "my-own"], b"");
    let gone = complaint_of(&session, &["ask", "-m", "inhouse/my-own", "Say hi."], b"");
    assert!(gone.contains("my-own"), "{gone}");
}

#[test]
fn a_key_is_in_the_keyring_and_nowhere_else() {
    let session = Session::open();
    let secret = "sk-test-7QpXv2bN9dLw4TzR";
    let listed: Value =
        serde_json::from_str(&stdout_of(&session, &["keys", "list", "--json"], b"")).unwrap();
    let provider = listed[0]["id"]
        .as_str()
        .expect("a built-in endpoint")
        .to_owned();

    stdout_of(
        &session,
        &["keys", "set", &provider],
        format!("{secret}\n").as_bytes(),
    );
    let kept = session.secrets();
    assert!(
        kept.contains(&format!("secret = {secret}\n")),
        "the keyring has it: {kept}"
    );
    assert_eq!(session.files_with(secret), Vec::<std::path::PathBuf>::new());
    let listed = stdout_of(&session, &["keys", "list", "--json"], b"");
    assert!(!listed.contains(secret), "no listing shows a key");
    assert!(
        listed.contains("4TzR"),
        "the last four tell keys apart: {listed}"
    );
    let lines = stdout_of(&session, &["keys", "list"], b"");
    let line = lines.lines().find(|line| line.contains("4TzR"));
    assert!(
        line.is_some_and(|line| line.contains("in keyring")),
        "each key says where it is: {lines}"
    );

    stdout_of(&session, &["keys", "remove", &provider], b"");
    assert!(!session.secrets().contains(secret), "removed means gone");
    let empty = complaint_of(&session, &["keys", "set", &provider], b"\n");
    assert!(empty.contains("standard input"), "{empty}");
    complaint_of(&session, &["keys", "set", "nonesuch"], b"sk-x\n");
    let untold = complaint_of(&session, &["keys", "test", "openai"], b"");
    assert!(
        untold.contains("there is no key for OpenAI yet"),
        "{untold}"
    );
}

#[test]
fn the_ledger_lists_the_calls_and_what_they_came_to() {
    let session = Session::open();
    let nothing = stdout_of(&session, &["ledger"], b"");
    assert_eq!(nothing, "", "nobody was asked");
    let complaint = complaint_of(&session, &["ledger", "--days", "0"], b"");
    assert!(complaint.contains("1..=400"), "{complaint}");

    enter_a_call(&session);
    let lines = stdout_of(&session, &["ledger", "--json"], b"");
    let call: Value = serde_json::from_str(lines.trim()).expect("one JSON object");
    assert_eq!(call["provider"], "paid");
    assert_eq!(call["outcome"]["is"], "ok");
    assert_eq!(call["cost"]["usd"], 0.25);
    let shown = run(&session, &["ledger", "--days", "1"], b"");
    let line = text(&shown.stdout);
    assert!(
        line.contains("answer") && line.contains("api.example m-1: 120 B sent, 4500 B received"),
        "{line}"
    );
    assert!(line.contains("~10 in, ~3 out, ~0.250000 USD"), "{line}");
    let sum = text(&shown.stderr);
    assert!(sum.contains("today ~0.2500 USD"), "{sum}");
}

/// Enters a call of this moment into the ledger, as an engine does.
fn enter_a_call(session: &Session) {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock after 1970");
    let host = "api.example".to_owned();
    let entry = protocol::LedgerEntry {
        at: i64::try_from(now.as_millis()).expect("a time"),
        duration_ms: 900,
        runs_at: protocol::RunsAt::Host { host: host.clone() },
        host,
        purpose: protocol::Purpose::Answer,
        provider: Some("paid".parse().expect("a name")),
        model: Some("m-1".to_owned()),
        conversation_id: None,
        message_id: None,
        usage: Some(protocol::Usage {
            input_tokens: Some(10),
            output_tokens: Some(3),
            estimated: true,
            ..protocol::Usage::default()
        }),
        bytes_sent: 120,
        bytes_received: 4_500,
        cost: Some(protocol::Cost {
            usd: 0.25,
            estimated: true,
            as_of: Some("2026-11-12".to_owned()),
        }),
        outcome: protocol::CallOutcome::Ok,
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let opened = store::Store::open(&session.home.join("data")).await;
        let store::Opened::Ready(store) = opened.expect("the store") else {
            panic!("the database is damaged");
        };
        store.enter(&entry).await.expect("the entry");
        store.close().await;
    });
}

#[test]
fn the_doctor_looks_at_everything() {
    let session = Session::open();
    // Without a display a check may fail, and the exit code says so; the report is whole anyway.
    let output = run(&session, &["doctor", "--json"], b"");
    let checks: Value = serde_json::from_slice(&output.stdout).expect("a JSON array");
    let checks = checks.as_array().unwrap();
    let of = |name: &str| {
        checks
            .iter()
            .find(|check| check["name"] == name)
            .expect("the check")
    };
    for name in [
        "keyring", "hotkey", "model", "catalog", "database", "webview",
    ] {
        assert!(
            !of(name)["detail"].as_str().unwrap().is_empty(),
            "{name} says what it found"
        );
    }
    for name in ["keyring", "model", "catalog", "database", "webview"] {
        assert_eq!(of(name)["ok"], true, "{}", of(name));
    }
    assert_eq!(
        output.status.success(),
        checks.iter().all(|check| check["ok"] == true)
    );
}

#[test]
fn the_doctor_reports_when_the_database_does_not_open() {
    let session = Session::open();
    // A file where the folder should be.
    std::fs::create_dir_all(session.home.parent().expect("its parent")).unwrap();
    let broken = session.home.join("not-a-folder");
    std::fs::write(&broken, "x").unwrap();
    let mut doctor = session.command(PILOTFISH);
    let output = doctor
        .env("PILOTFISH_HOME", &broken)
        .args(["doctor", "--json"])
        .output()
        .expect("pilotfish");
    assert!(!output.status.success());
    let checks: Value = serde_json::from_slice(&output.stdout).expect("a JSON array");
    let database = checks
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == "database")
        .expect("its check");
    assert_eq!(database["ok"], false);
    assert!(!database["detail"].as_str().unwrap().is_empty());
}

#[test]
fn a_key_of_the_api_is_shown_once() {
    let session = Session::open();
    let printed = stdout_of(&session, &["api", "keys", "create", "Editor"], b"");
    let key = printed.trim_end();
    assert_eq!(printed, format!("{key}\n"), "the key alone on its line");
    assert!(
        key.len() > 32 && !key.contains(char::is_whitespace),
        "{key:?}"
    );
    let kept = session.files_with(key);
    assert_eq!(
        kept,
        Vec::<std::path::PathBuf>::new(),
        "only its hash is stored"
    );
    let listed = stdout_of(&session, &["api", "keys", "list"], b"");
    assert_eq!(listed.trim(), "Editor");
    let twice = complaint_of(&session, &["api", "keys", "create", "Editor"], b"");
    assert!(twice.contains("Editor"), "{twice}");
    stdout_of(&session, &["api", "keys", "revoke", "Editor"], b"");
    assert_eq!(
        stdout_of(&session, &["api", "keys", "list", "--json"], b"").trim(),
        "[]"
    );
    let unknown = complaint_of(&session, &["api", "keys", "revoke", "Editor"], b"");
    assert!(unknown.contains("Editor"), "{unknown}");
}

/// `debug` opens no session: it is a filter.
fn filter(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(PILOTFISH)
        .arg("debug")
        .args(arguments)
        .env("PILOTFISH_HOME", "/nonexistent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pilotfish");
    child
        .stdin
        .take()
        .expect("its input")
        .write_all(input)
        .expect("the input");
    child.wait_with_output().expect("its end")
}

#[test]
fn markdown_renders_the_same_in_any_pieces() {
    let source = "# Héllo\n\nA *b* `c` [d](https://example.com/)\n\n```rust\nfn main() {}\n```\n\n\
                  | a | b |\n|---|--:|\n| 1 | 2 |\n\n<script>alert(1)</script>\n\n\
                  ![x](https://example.com/x.png)\n\n$$e = mc^2$$\n";
    let whole = filter(&["render"], source.as_bytes());
    assert!(whole.status.success());
    let html = text(&whole.stdout);
    for wanted in [
        "<h1",
        "<em>b</em>",
        "data-lang=\"rust\"",
        "<table",
        "<math",
        "&lt;script&gt;",
    ] {
        assert!(html.contains(wanted), "{wanted} is missing in {html}");
    }
    for harmful in ["<script", "<img", "href=", "src=\"", "style="] {
        assert!(
            !html
                .replace("data-src=\"", "")
                .replace("data-href=", "")
                .contains(harmful)
        );
    }
    for step in ["1", "2", "3", "7", "64", "100000"] {
        let pieces = filter(&["render", "--stream", step], source.as_bytes());
        assert_eq!(text(&pieces.stdout), html, "in pieces of {step}");
    }
}

#[test]
fn a_recorded_stream_decodes_the_same_in_any_pieces() {
    let body = "data: {\"id\":\"1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\
                \"assistant\",\"content\":\"Gr\"},\"finish_reason\":null}]}\n\n: ping\n\n\
                data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"üße\"},\"finish_reason\":\
                \"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\
                \"total_tokens\":5}}\n\ndata: [DONE]\n\n";
    let whole = filter(&["decode", "--wire", "chat"], body.as_bytes());
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stderr));
    let events: Vec<Value> = text(&whole.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let said: String = events
        .iter()
        .filter(|event| event["type"] == "text")
        .map(|event| event["text"].as_str().unwrap())
        .collect();
    assert_eq!(said, "Grüße");
    assert!(events.iter().any(|event| event["type"] == "usage"));
    assert!(events.iter().any(|event| event["type"] == "stop"));
    for split in 1..=40 {
        let split = split.to_string();
        let pieces = filter(
            &["decode", "--wire", "chat", "--split", &split],
            body.as_bytes(),
        );
        assert_eq!(pieces.stdout, whole.stdout, "in pieces of {split}");
        assert_eq!(pieces.status.code(), Some(0));
    }

    let cut = &body.as_bytes()[..body.find(": ping").unwrap()];
    let interrupted = filter(&["decode", "--wire", "chat"], cut);
    assert_eq!(interrupted.status.code(), Some(3), "cut off is no success");
    assert!(text(&interrupted.stdout).contains("\"kind\":\"interrupted\""));
}

#[test]
fn every_wire_is_decoded_and_encoded() {
    for (wire, body) in [
        (
            "gemini",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]},\
             \"finishReason\":\"STOP\"}]}\r\n\r\n",
        ),
        (
            "messages",
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n\
             data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\
             \"text\":\"hi\"}}\n\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
             data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n\
             data: {\"type\":\"message_stop\"}\n\n",
        ),
        (
            "responses",
            "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\
             \"delta\":\"hi\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\
             \"completed\"}}\n\n",
        ),
    ] {
        let whole = filter(&["decode", "--wire", wire], body.as_bytes());
        let said = text(&whole.stdout);
        assert_eq!(whole.status.code(), Some(0), "{wire}: {said}");
        assert!(said.contains("\"text\":\"hi\""), "{wire}: {said}");
        let cut = filter(&["decode", "--wire", wire], &body.as_bytes()[..60]);
        assert_eq!(cut.status.code(), Some(3), "{wire} cut off is no success");

        let conversation = br#"{"messages":[{"role":"user","content":"Hi"}],
            "tools":[{"name":"f","schema":{"type":"object"}}]}"#;
        let body = filter(&["request", "--wire", wire, "--model", "m"], conversation);
        assert!(body.status.success(), "{wire}: {}", text(&body.stderr));
        let body: Value = serde_json::from_slice(&body.stdout).expect("JSON");
        assert!(body["tools"].is_array(), "{wire}: {body}");
    }
    let inhouse = filter(&["decode", "--wire", "inhouse"], b"");
    assert!(
        !inhouse.status.success(),
        "the house's own wire is no one else's"
    );
}

#[test]
fn a_conversation_becomes_the_body_that_would_be_sent() {
    let conversation = br#"{"system":"Be brief.","messages":[{"role":"user","content":"Hi"}]}"#;
    let body = filter(
        &["request", "--wire", "chat", "--model", "gpt-x"],
        conversation,
    );
    assert!(body.status.success(), "{}", text(&body.stderr));
    let body: Value = serde_json::from_slice(&body.stdout).expect("JSON");
    assert_eq!(body["model"], "gpt-x");
    let roles: Vec<&Value> = body["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| &message["role"])
        .collect();
    assert_eq!(roles, ["system", "user"]);
    let refused = filter(&["request", "--wire", "chat", "--model", "x"], b"[");
    assert!(!refused.status.success());
    let unknown = filter(&["decode", "--wire", "smoke"], b"");
    assert!(text(&unknown.stderr).contains("chat, responses, messages, gemini"));
}
