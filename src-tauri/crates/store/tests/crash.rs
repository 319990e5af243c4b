//! Kills the store at its N-th write and its N-th flush, and lets the disk be full or broken there,
//! in the middle of creating, migrating, sending, streaming, editing, deleting and copying; then
//! opens it again. Whatever happened: the database is whole, and all that was acknowledged is there.
//!
//! strace injects the faults; each thread of the writer counts its own calls.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of this file is a test, its helpers too"
)]

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::time::Instant;

use protocol::{Conversation, MessageId, MessageState, Part};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use store::{NewConversation, Opened, Store};

/// What lies in the folder at the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Start {
    Empty,
    OldVersion,
    Store,
}

const WRITE: &str = "pwrite64";
const FLUSH: &str = "fsync,fdatasync";
const KILL: &str = "signal=KILL";

/// What is done, on which calls, how many points, and whether every later call fails as well.
const FAULTS: [(Start, &str, &str, usize, bool); 11] = [
    (Start::Empty, WRITE, KILL, 14, false),
    (Start::OldVersion, WRITE, KILL, 16, false),
    (Start::OldVersion, FLUSH, KILL, 6, false),
    (Start::Store, WRITE, KILL, 24, false),
    (Start::Store, FLUSH, KILL, 12, false),
    (Start::Empty, WRITE, "error=ENOSPC", 3, true),
    (Start::OldVersion, WRITE, "error=ENOSPC", 4, false),
    (Start::Store, WRITE, "error=ENOSPC", 5, false),
    (Start::Store, WRITE, "error=ENOSPC", 5, true),
    (Start::Store, WRITE, "error=EIO", 4, false),
    (Start::Store, FLUSH, "error=EIO", 5, false),
];

#[derive(Clone, Copy, Debug)]
struct Point {
    start: Start,
    calls: &'static str,
    fault: &'static str,
    at: usize,
    lasting: bool,
}

fn text(n: usize) -> String {
    format!("message {n} {}", "漢字 and words ".repeat(n * 7 % 60))
}

fn writer() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples/crash_writer");
    assert!(
        path.is_file(),
        "cargo builds {} for a whole `cargo test -p store`",
        path.display()
    );
    path
}

/// Runs the writer under strace.
fn traced(dir: &Path, arguments: &[String]) -> Output {
    Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(dir.with_extension("trace"))
        .args(arguments)
        .arg(writer())
        .arg(dir)
        .output()
        .unwrap()
}

async fn raw(dir: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(dir.join("pilotfish.db"))
        .create_if_missing(true)
        .connect()
        .await
        .unwrap()
}

/// A folder as it is before the fault.
async fn prepare(start: Start, dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    match start {
        Start::Empty => {}
        Start::OldVersion => {
            let mut old = raw(dir).await;
            sqlx::query("PRAGMA journal_mode = WAL")
                .execute(&mut old)
                .await
                .unwrap();
            let first = include_str!("../migrations/0001_conversations.sql");
            sqlx::raw_sql(first).execute(&mut old).await.unwrap();
            sqlx::raw_sql(
                "BEGIN;
                 INSERT INTO conversations (id, title, leaf, created_at, updated_at)
                 VALUES (randomblob(16), 'old', 200, 1, 1);
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
                 INSERT INTO messages (id, conversation, parent, depth, role, state, created_at)
                 SELECT randomblob(16), 1, nullif(i - 1, 0), i - 1, 'user', 'complete', i FROM n;
                 INSERT INTO parts (message, ordinal, kind, text)
                 SELECT key, 0, 'text', 'old words ' || hex(randomblob(60)) FROM messages;
                 PRAGMA user_version = 1;
                 PRAGMA application_id = 1346980934;
                 COMMIT;",
            )
            .execute(&mut old)
            .await
            .unwrap();
            old.close().await.unwrap();
        }
        Start::Store => {
            let Opened::Ready(store) = Store::open(dir).await.unwrap() else {
                panic!("damaged")
            };
            let talk = store.create(NewConversation::default(), 1).await.unwrap();
            store
                .append_user(talk.id, None, vec![Part::text("here before")], 1)
                .await
                .unwrap();
            store.close().await;
        }
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The most calls that one thread makes in an undisturbed run.
fn most_calls(dir: &Path, calls: &str) -> usize {
    let output = traced(dir, &["-e".to_owned(), format!("trace={calls}")]);
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        !said.contains("failed"),
        "an undisturbed run fails in nothing: {said}"
    );
    let mut counts: HashMap<String, usize> = HashMap::new();
    for line in fs::read_to_string(dir.with_extension("trace"))
        .unwrap()
        .lines()
    {
        let mut words = line.split_whitespace();
        let thread = words.next().unwrap_or_default().to_owned();
        let call = words.next().unwrap_or_default();
        if calls
            .split(',')
            .any(|name| call.starts_with(&format!("{name}(")))
        {
            *counts.entry(thread).or_default() += 1;
        }
    }
    counts.into_values().max().expect("the writer writes")
}

/// What the writer said that it was told.
#[derive(Debug, Default)]
struct Acknowledged {
    sent: Vec<(MessageId, usize, String)>,
    grown: HashMap<MessageId, (usize, usize)>,
    finished: Vec<(MessageId, usize, String)>,
    deleting: HashSet<String>,
    purged: HashSet<String>,
}

impl Acknowledged {
    fn read(said: &str) -> Self {
        let mut all = Self::default();
        // A line that was cut off was not said.
        for line in said
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
        {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["sent", id, n, talk] => {
                    all.sent
                        .push((id.parse().unwrap(), n.parse().unwrap(), (*talk).to_owned()));
                }
                ["grown", id, n, length] => {
                    let grown = (n.parse().unwrap(), length.parse().unwrap());
                    all.grown.insert(id.parse().unwrap(), grown);
                }
                ["finished", id, n, talk] => {
                    all.finished.push((
                        id.parse().unwrap(),
                        n.parse().unwrap(),
                        (*talk).to_owned(),
                    ));
                }
                ["deleting", talk] => {
                    all.deleting.insert((*talk).to_owned());
                }
                ["purged", talk] if *talk != "nothing" => {
                    all.purged.insert((*talk).to_owned());
                }
                _ => {}
            }
        }
        all
    }
}

/// Opens what is left and compares it with what was acknowledged.
async fn check(point: Point, dir: &Path, said: &str) {
    let store = match Store::open(dir).await {
        Ok(Opened::Ready(store)) => store,
        other => panic!("{point:?}: {other:?}\n{said}"),
    };
    store.recover().await.unwrap();
    let all = Acknowledged::read(said);
    let excused = |talk: &String| all.deleting.contains(talk);
    let present = |message: MessageId| {
        let store = store.clone();
        async move { store.message(message).await.ok() }
    };
    for (id, n, talk) in &all.sent {
        match present(*id).await {
            Some(message) => assert_eq!(message.text(), text(*n), "{point:?}: a sent text changed"),
            None => assert!(
                excused(talk),
                "{point:?}: message {n} was sent and is lost\n{said}"
            ),
        }
    }
    for (id, n, talk) in &all.finished {
        match present(*id).await {
            Some(message) => {
                assert_eq!(message.state, MessageState::Complete, "{point:?}");
                assert_eq!(
                    message.text(),
                    text(*n),
                    "{point:?}: a finished answer changed"
                );
            }
            None => assert!(
                excused(talk),
                "{point:?}: answer {n} was finished and is lost"
            ),
        }
    }
    for (id, (n, length)) in &all.grown {
        if let Some(message) = present(*id).await {
            let kept = message.text();
            assert!(
                text(*n).starts_with(&kept),
                "{point:?}: the draft is in disorder"
            );
            assert!(
                kept.len() >= *length,
                "{point:?}: {} of {length} bytes kept",
                kept.len()
            );
            assert_ne!(
                message.state,
                MessageState::Streaming,
                "{point:?}: nobody writes it"
            );
        } else {
            assert!(
                !all.deleting.is_empty(),
                "{point:?}: a draft is lost\n{said}"
            );
        }
    }
    for talk in &all.purged {
        let gone = store.conversation(talk.parse().unwrap()).await;
        assert!(
            gone.is_err(),
            "{point:?}: what was deleted for good is back"
        );
    }
    let (query, wanted) = match point.start {
        Start::Empty => ("nothing", 0),
        Start::OldVersion => ("old words", 100),
        Start::Store => ("here before", 1),
    };
    let found = store.search(query, 100).await.unwrap().len();
    assert_eq!(found, wanted, "{point:?}: what was there before is there");
    for snapshot in store.snapshots().await.unwrap() {
        whole(point, &dir.join("snapshots").join(&snapshot.name)).await;
    }
    // Life goes on.
    let talk: Conversation = store.create(NewConversation::default(), 1).await.unwrap();
    store
        .append_user(talk.id, None, vec![Part::text("afterwards")], 1)
        .await
        .unwrap();
    assert_eq!(store.search("afterwards", 5).await.unwrap().len(), 1);
    store.close().await;
    whole(point, &dir.join("pilotfish.db")).await;
}

async fn whole(point: Point, database: &Path) {
    let mut outside = SqliteConnectOptions::new()
        .filename(database)
        .connect()
        .await
        .unwrap();
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut outside)
        .await
        .unwrap();
    assert_eq!(verdict, "ok", "{point:?}: {}", database.display());
    let indexed: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'search'")
            .fetch_one(&mut outside)
            .await
            .unwrap();
    if indexed == 1 {
        sqlx::query("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")
            .execute(&mut outside)
            .await
            .unwrap_or_else(|error| panic!("{point:?}: the index disagrees: {error}"));
    }
    outside.close().await.unwrap();
}

fn run(point: Point, template: &Path, dir: &Path) -> bool {
    copy_dir(template, dir);
    let on = if point.lasting { "+" } else { "" };
    let output = traced(
        dir,
        &[
            "-e".to_owned(),
            format!("trace={}", point.calls),
            "-e".to_owned(),
            format!(
                "inject={}:{}:when={}{on}",
                point.calls, point.fault, point.at
            ),
        ],
    );
    let said = String::from_utf8(output.stdout).unwrap();
    let hit = if point.fault == KILL {
        !output.status.success()
    } else {
        fs::read_to_string(dir.with_extension("trace"))
            .unwrap()
            .contains("(INJECTED)")
    };
    let failures = said
        .lines()
        .filter(|line| line.starts_with("failed"))
        .count();
    if said.starts_with("opened") && point.fault != KILL {
        if point.lasting {
            let named = failures == 0 || said.contains("the disk is full");
            assert!(named, "{point:?}: it says something else\n{said}");
        } else if point.at > 30 {
            // A failure costs its connection, and the next one has a thread, and a count, of its
            // own: so faults recur, but what comes right after one is served.
            let lines: Vec<&str> = said.lines().collect();
            let twice = lines
                .windows(2)
                .any(|two| two.iter().all(|one| one.starts_with("failed")));
            assert!(!twice, "{point:?}: nothing went on after one fault\n{said}");
        }
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(check(point, dir, &said));
    hit
}

#[test]
fn nothing_acknowledged_is_lost_wherever_the_writer_dies_or_the_disk_fails() {
    if Command::new("strace").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("PILOTFISH_SKIP_STRACE").is_some(),
            "strace is not installed, and without it nothing is proved here: install it, or set \
             PILOTFISH_SKIP_STRACE to skip this test knowingly"
        );
        println!("skipped: there is no strace");
        return;
    }
    let began = Instant::now();
    let root = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut templates = HashMap::new();
    let mut calls = HashMap::new();
    for start in [Start::Empty, Start::OldVersion, Start::Store] {
        let template = root.path().join(format!("{start:?}"));
        runtime.block_on(prepare(start, &template));
        for kind in [WRITE, FLUSH] {
            let dir = root.path().join(format!("{start:?}-{}", kind.len()));
            copy_dir(&template, &dir);
            calls.insert((start, kind), most_calls(&dir, kind));
        }
        templates.insert(start, template);
    }
    let mut points = Vec::new();
    for (start, kind, fault, count, lasting) in FAULTS {
        let most = calls[&(start, kind)];
        let count = count.min(most);
        for number in 0..count {
            // Spread over the whole run, closer at its beginning, where the store is made.
            let last = (count - 1).max(1);
            let at = 1 + number * number * (most - 1) / (last * last);
            points.push(Point {
                start,
                calls: kind,
                fault,
                at,
                lasting,
            });
        }
    }
    let kills = points.iter().filter(|point| point.fault == KILL).count();
    let errors = points.len() - kills;
    assert!(
        kills >= 60 && errors >= 20,
        "{kills} kills and {errors} errors: {calls:?}"
    );

    let queue = Mutex::new(points.into_iter().enumerate());
    let hits = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((number, point)) = next else { break };
                    let dir = root.path().join(number.to_string());
                    let hit = run(point, &templates[&point.start], &dir);
                    hits.lock().unwrap().push((point.fault == KILL, hit));
                    fs::remove_dir_all(&dir).unwrap();
                }
            });
        }
    });
    let hits = hits.into_inner().unwrap();
    let of = |kill: bool| {
        hits.iter()
            .filter(|(killed, hit)| *killed == kill && *hit)
            .count()
    };
    println!(
        "{} kills and {} errors in {:?}: {calls:?}",
        of(true),
        of(false),
        began.elapsed()
    );
    assert!(
        of(true) >= 60,
        "only {} of {kills} kills happened",
        of(true)
    );
    assert!(
        of(false) >= 20,
        "only {} of {errors} errors happened",
        of(false)
    );
}
