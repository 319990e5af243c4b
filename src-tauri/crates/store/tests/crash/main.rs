//! Kills the store at its N-th write, flush and rename, and lets the disk be full or broken there,
//! in the middle of creating, migrating, sending, streaming, editing, copying, deleting and
//! restoring; then opens it again. Whatever happened: the database is whole, and all that was
//! acknowledged is there.
//!
//! strace injects the faults; each thread of the writer counts its own calls.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of this is a test, its helpers too"
)]

mod acknowledged;
mod check;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::time::Instant;

use protocol::{ModelRef, Part};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use store::{Opened, Question, Store};

use acknowledged::{Acknowledged, Phase};

/// What lies in the folder at the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Start {
    Empty,
    OldVersion,
    Store,
    Damaged,
}

/// What is where the damaged database was.
pub(crate) const JUNK: &str = "this is no database, but it may be all that somebody has";

/// Which calls a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Calls {
    /// Writes to any file.
    Write,
    /// Writes to the database and its log alone, which leaves out those of a snapshot.
    Commit,
    Flush,
    /// What changes a name or a length.
    Name,
}

impl Calls {
    const fn names(self) -> &'static str {
        match self {
            Self::Write | Self::Commit => "pwrite64",
            Self::Flush => "fsync,fdatasync",
            Self::Name => "rename,unlink,ftruncate",
        }
    }

    /// What tells strace which calls those are.
    fn arguments(self, dir: &Path) -> Vec<String> {
        let mut arguments = vec!["-e".to_owned(), format!("trace={}", self.names())];
        if self == Self::Commit {
            for name in ["pilotfish.db", "pilotfish.db-wal"] {
                arguments.extend(["-P".to_owned(), dir.join(name).display().to_string()]);
            }
        }
        arguments
    }
}

const KILL: &str = "signal=KILL";
const FULL: &str = "error=ENOSPC";
const BROKEN: &str = "error=EIO";

/// What is done to which writer, on which calls, at how many points, and whether every later call
/// fails as well.
const FAULTS: [(Start, &str, Calls, &str, usize, bool); 28] = [
    (Start::Empty, "open", Calls::Write, KILL, 8, false),
    (Start::Empty, "open", Calls::Flush, KILL, 3, false),
    (Start::Empty, "open", Calls::Name, KILL, 2, false),
    (Start::OldVersion, "open", Calls::Commit, KILL, 20, false),
    (Start::OldVersion, "open", Calls::Write, KILL, 6, false),
    (Start::OldVersion, "open", Calls::Flush, KILL, 4, false),
    (Start::OldVersion, "open", Calls::Name, KILL, 3, false),
    (Start::Store, "talk", Calls::Write, KILL, 24, false),
    (Start::Store, "talk", Calls::Flush, KILL, 8, false),
    (Start::Store, "copy", Calls::Write, KILL, 8, false),
    (Start::Store, "delete", Calls::Write, KILL, 14, false),
    (Start::Store, "delete", Calls::Commit, KILL, 28, false),
    (Start::Store, "delete", Calls::Flush, KILL, 6, false),
    (Start::Store, "delete", Calls::Name, KILL, 4, false),
    (Start::Damaged, "restore", Calls::Write, KILL, 12, false),
    (Start::Damaged, "restore", Calls::Flush, KILL, 4, false),
    (Start::Damaged, "restore", Calls::Name, KILL, 12, false),
    (Start::Empty, "open", Calls::Write, FULL, 6, false),
    (Start::Empty, "open", Calls::Write, FULL, 3, true),
    (Start::OldVersion, "open", Calls::Commit, FULL, 8, false),
    (Start::OldVersion, "open", Calls::Write, FULL, 4, true),
    (Start::Store, "talk", Calls::Write, FULL, 16, false),
    (Start::Store, "talk", Calls::Write, FULL, 6, true),
    (Start::Empty, "open", Calls::Write, BROKEN, 6, false),
    (Start::OldVersion, "open", Calls::Commit, BROKEN, 8, false),
    (Start::OldVersion, "open", Calls::Flush, BROKEN, 4, false),
    (Start::Store, "talk", Calls::Write, BROKEN, 16, false),
    (Start::Store, "talk", Calls::Flush, BROKEN, 12, false),
];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) start: Start,
    mode: &'static str,
    calls: Calls,
    fault: &'static str,
    at: usize,
    lasting: bool,
}

/// The text of message `n`: the writer knows it too.
pub(crate) fn text(n: usize) -> String {
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
            let first = include_str!("../../migrations/0001_conversations.sql");
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
        Start::Damaged => {
            Box::pin(prepare(Start::OldVersion, dir)).await;
            let Opened::Ready(store) = Store::open(dir).await.unwrap() else {
                panic!("damaged")
            };
            store.close().await;
            fs::write(dir.join("pilotfish.db"), JUNK).unwrap();
        }
        Start::Store => {
            let Opened::Ready(store) = Store::open(dir).await.unwrap() else {
                panic!("damaged")
            };
            let words = Question::First(vec![Part::text("here before")]);
            let model = ModelRef::inhouse("small");
            store.ask(words, &model, 1).await.unwrap();
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

/// Runs the writer under strace.
fn traced(dir: &Path, mode: &str, arguments: &[String]) -> Output {
    Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(dir.with_extension("trace"))
        .args(arguments)
        .arg(writer())
        .arg(dir)
        .arg(mode)
        .output()
        .unwrap()
}

/// The most calls that one thread makes in an undisturbed run.
fn most_calls(dir: &Path, mode: &str, calls: Calls) -> usize {
    let output = traced(dir, mode, &calls.arguments(dir));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && !said.contains("failed"),
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
            .names()
            .split(',')
            .any(|name| call.starts_with(&format!("{name}(")))
        {
            *counts.entry(thread).or_default() += 1;
        }
    }
    counts.into_values().max().expect("the writer writes")
}

/// What came of a point: whether the fault was injected, and where a kill hit.
struct Hit {
    fault: &'static str,
    happened: bool,
    phase: String,
}

fn run(point: Point, template: &Path, dir: &Path) -> Hit {
    copy_dir(template, dir);
    let on = if point.lasting { "+" } else { "" };
    let mut arguments = point.calls.arguments(dir);
    arguments.extend([
        "-e".to_owned(),
        format!(
            "inject={}:{}:when={}{on}",
            point.calls.names(),
            point.fault,
            point.at
        ),
    ]);
    let output = traced(dir, point.mode, &arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    let all = Acknowledged::read(&said);
    let happened = if point.fault == KILL {
        !output.status.success()
    } else {
        errors_are_named(point, &all, &said);
        fs::read_to_string(dir.with_extension("trace"))
            .unwrap()
            .contains("(INJECTED)")
    };
    let phase = phase(point, dir, &all);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(check::check(point, dir, &said));
    Hit {
        fault: point.fault,
        happened,
        phase,
    }
}

/// A disk that refuses is called that, and a database on it never damaged.
fn errors_are_named(point: Point, all: &Acknowledged, said: &str) {
    let names_it = |line: &String| {
        line.contains("the disk is full")
            || (point.fault == BROKEN && line.contains("could not be read"))
    };
    for line in all.failed.iter().chain(&all.recovery) {
        assert!(
            names_it(line) || (all.opened && !line.contains("damaged")),
            "{point:?}: it says something else\n{said}"
        );
    }
    assert!(
        all.opened || all.recovery.is_some() || !all.failed.is_empty(),
        "{point:?}: it says nothing\n{said}"
    );
    let has_no_room_at_all = point.start == Start::Store && point.lasting && point.at == 1;
    if all.recovery.is_some() || has_no_room_at_all {
        assert_eq!(
            all.listed,
            Some(1),
            "{point:?}: a whole database is shown\n{said}"
        );
    }
    if all.opened && point.lasting {
        assert!(all.failed.iter().all(names_it), "{point:?}\n{said}");
    }
}

/// Where a kill hit, as far as the writer's words and the folder tell.
fn phase(point: Point, dir: &Path, all: &Acknowledged) -> String {
    let phase = all.phase.unwrap_or(Phase::Open);
    if point.start == Start::OldVersion && !all.opened {
        let copied = fs::read_dir(dir.join("snapshots"))
            .is_ok_and(|entries| entries.flatten().any(|entry| is_snapshot(&entry.path())));
        let step = if copied { "Migrate" } else { "CopyFirst" };
        return step.to_owned();
    }
    if point.start == Start::Empty && !all.opened {
        return "Create".to_owned();
    }
    format!("{phase:?}")
}

fn is_snapshot(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "db")
}

/// How many kills at least hit each step.
const HIT_AT_LEAST: [(&str, usize); 9] = [
    ("Create", 6),
    ("CopyFirst", 3),
    ("Migrate", 12),
    ("Send", 4),
    ("Stream", 10),
    ("Edit", 2),
    ("Copy", 3),
    ("Delete", 4),
    ("Restore", 6),
];

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
    // strace compares paths as the system names them.
    let place = root.path().canonicalize().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut templates = HashMap::new();
    for start in [
        Start::Empty,
        Start::OldVersion,
        Start::Store,
        Start::Damaged,
    ] {
        let template = place.join(format!("{start:?}"));
        runtime.block_on(prepare(start, &template));
        templates.insert(start, template);
    }
    let mut most = HashMap::new();
    let mut points = Vec::new();
    for (start, mode, calls, fault, count, lasting) in FAULTS {
        let most = *most.entry((start, mode, calls)).or_insert_with(|| {
            let dir = place.join(format!("{start:?}-{mode}-{calls:?}"));
            copy_dir(&templates[&start], &dir);
            most_calls(&dir, mode, calls)
        });
        let count = count.min(most);
        for number in 0..count {
            points.push(Point {
                start,
                mode,
                calls,
                fault,
                at: 1 + number * (most - 1) / (count - 1).max(1),
                lasting,
            });
        }
    }

    let queue = Mutex::new(points.into_iter().enumerate());
    let hits = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((number, point)) = next else { break };
                    let dir = place.join(number.to_string());
                    let hit = run(point, &templates[&point.start], &dir);
                    hits.lock().unwrap().push(hit);
                    fs::remove_dir_all(&dir).unwrap();
                }
            });
        }
    });
    let hits = hits.into_inner().unwrap();
    let of = |fault: &str| {
        hits.iter()
            .filter(|hit| hit.fault == fault && hit.happened)
            .count()
    };
    let mut steps: BTreeMap<&str, usize> = BTreeMap::new();
    for hit in hits.iter().filter(|hit| hit.fault == KILL && hit.happened) {
        *steps.entry(&hit.phase).or_default() += 1;
    }
    println!(
        "{} kills {steps:?}, {} full and {} broken disks in {:?}: {most:?}",
        of(KILL),
        of(FULL),
        of(BROKEN),
        began.elapsed()
    );
    assert!(of(KILL) >= 60, "only {} kills happened", of(KILL));
    assert!(of(FULL) >= 30, "the disk was full only {} times", of(FULL));
    assert!(of(BROKEN) >= 30, "the disk broke only {} times", of(BROKEN));
    for (step, least) in HIT_AT_LEAST {
        let kills = steps.get(step).copied().unwrap_or_default();
        assert!(kills >= least, "only {kills} kills in {step}: {steps:?}");
    }
}
