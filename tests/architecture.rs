//! Holds the house to its plan: which crate may lean on which, which heavy dependency lives where,
//! and that the commands of the windows are registered, permitted and granted alike. What the
//! compiler cannot refuse is refused here.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Each crate of the house, and the crates of the house that it may lean on.
const ARROWS: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("markdown", &["protocol"]),
    ("store", &["protocol"]),
    ("vault", &["protocol"]),
    ("providers", &["protocol"]),
    ("inhouse", &["protocol", "providers"]),
    (
        "engine",
        &[
            "protocol",
            "markdown",
            "store",
            "vault",
            "providers",
            "inhouse",
        ],
    ),
    (
        "pilotfish",
        &[
            "protocol",
            "markdown",
            "store",
            "vault",
            "providers",
            "inhouse",
            "engine",
        ],
    ),
];

/// Dependencies that are kept behind one wall, by the beginning of their name.
const WALLS: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("reqwest", &["providers", "inhouse"]),
    ("keyring", &["vault"]),
    ("zbus-secret-service", &["vault"]),
    ("llama-cpp", &["inhouse"]),
    ("tauri", &["pilotfish"]),
    ("wry", &["pilotfish"]),
];

/// A file longer than this lacks a concept.
const MOST_LINES: usize = 800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The crates of the house, by their manifests alone.
fn manifests() -> Metadata {
    MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()
        .expect("cargo metadata")
}

/// All that is built for this kind of machine. Without the filter cargo wants the crates of every
/// system, and a build fetches only those of its own.
fn resolved() -> Metadata {
    let compiler = Command::new("rustc").arg("-vV").output().expect("rustc");
    let compiler = String::from_utf8(compiler.stdout).expect("UTF-8");
    let host = compiler
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("the kind of machine");
    let target = format!("--filter-platform={host}");
    let options = ["--locked".to_owned(), "--offline".to_owned(), target];
    MetadataCommand::new()
        .current_dir(root())
        .other_options(options)
        .exec()
        .expect("cargo metadata")
}

fn house(metadata: &Metadata) -> BTreeMap<&str, &Package> {
    metadata
        .workspace_packages()
        .into_iter()
        .map(|p| (p.name.as_str(), p))
        .collect()
}

/// What a crate is built with; tests may lean on more.
fn leans_on(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
}

#[test]
fn arrows_point_one_way() {
    let metadata = manifests();
    let house = house(&metadata);
    let planned: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let built: BTreeSet<&str> = house.keys().copied().collect();
    assert_eq!(
        built, planned,
        "a crate is missing from the plan, or the plan from the house"
    );
    for (name, allowed) in ARROWS {
        for other in leans_on(house[name]).filter(|other| planned.contains(other)) {
            assert!(allowed.contains(&other), "{name} must not lean on {other}");
        }
    }
}

#[test]
fn heavy_dependencies_stay_behind_their_walls() {
    let metadata = manifests();
    for (name, package) in house(&metadata) {
        for other in leans_on(package) {
            for (wall, allowed) in WALLS {
                let outside = other.starts_with(wall) && !allowed.contains(&name);
                assert!(
                    !outside,
                    "{name} must not name {other}: only {allowed:?} may"
                );
            }
        }
    }
}

#[test]
fn what_ships_is_new_enough_and_bundled() {
    let metadata = resolved();
    let tauri = metadata
        .packages
        .iter()
        .find(|p| p.name == "tauri")
        .expect("tauri");
    // 2.12.0 is the oldest whose IPC checks are known good.
    assert!(
        tauri.version >= "2.12.0".parse().unwrap(),
        "tauri {} is too old",
        tauri.version
    );

    let sqlite: Vec<&Package> = metadata
        .packages
        .iter()
        .filter(|p| p.name == "libsqlite3-sys")
        .collect();
    assert_eq!(
        sqlite.len(),
        1,
        "two copies of SQLite in one program corrupt databases"
    );
    let resolve = metadata.resolve.as_ref().expect("a resolved graph");
    let node = resolve
        .nodes
        .iter()
        .find(|node| node.id == sqlite[0].id)
        .expect("its node");
    assert!(
        node.features
            .iter()
            .any(|feature| feature.as_str() == "bundled"),
        "SQLite must be built in: the system's may lack the fixes that the store asserts"
    );
}

/// `cargo deny check bans`, as far as one file and the lock can tell, for those who lack the tool.
#[test]
fn what_is_banned_does_not_come_in() {
    let rules = fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let rules: toml::Table = rules.parse().expect("TOML");
    let bans = rules["bans"]["deny"].as_array().expect("a list of bans");
    assert!(bans.len() > 5, "only {} bans found", bans.len());
    let metadata = resolved();
    let nodes = &metadata.resolve.as_ref().expect("a resolved graph").nodes;
    for ban in bans {
        let banned = ban["crate"].as_str().expect("its name");
        let wrappers: Vec<&str> = ban
            .get("wrappers")
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(toml::Value::as_str)
            .collect();
        let users = nodes.iter().filter(|node| {
            let named = |id| metadata[id].name.as_str() == banned;
            node.dependencies.iter().any(named)
        });
        for user in users {
            let user = metadata[&user.id].name.as_str();
            assert!(
                wrappers.contains(&user),
                "{user} brings in {banned}, which deny.toml bans"
            );
        }
    }
}

#[test]
fn files_stay_short_and_say_what_they_are() {
    let mut files = Vec::new();
    for folder in ["src-tauri", "tests", "ui/src", "scripts"] {
        collect(&root().join(folder), &mut files);
    }
    assert!(
        files.len() > 40,
        "only {} files found: the walk is broken",
        files.len()
    );
    for file in files {
        let shown = file.strip_prefix(root()).unwrap_or(&file).display();
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        let lines = text.lines().count();
        assert!(
            lines < MOST_LINES,
            "{shown} has {lines} lines: find the missing concept"
        );
        if file.extension().is_some_and(|extension| extension == "rs") {
            assert!(
                text.starts_with("//! "),
                "{shown} does not begin with what it is for"
            );
            assert!(
                !file.ends_with("mod.rs"),
                "{shown}: modules are foo.rs beside foo/"
            );
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the house") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() {
            let made = [
                "target",
                "node_modules",
                "dist",
                "bindings",
                "gen",
                "__pycache__",
            ];
            if !made.contains(&name) {
                collect(&path, files);
            }
        } else {
            let read = ["rs", "ts", "svelte", "css", "html", "sh", "py", "sql"];
            let kind = path
                .extension()
                .and_then(|kind| kind.to_str())
                .unwrap_or_default();
            if read.contains(&kind) || folder.ends_with("scripts") {
                files.push(path);
            }
        }
    }
}

#[test]
fn the_network_is_reached_by_one_door() {
    // Who makes a client or a provider could ask past local-only, the caps and the ledger.
    let doors = [
        ("Http::new(", "egress.rs"),
        ("Http::with_limits(", "egress.rs"),
        ("Remote::new(", "models.rs"),
        (".provider_at(", "egress.rs"),
        (".permit_download(", "library.rs"),
        (".pull(", "library.rs"),
        (".pull_from_hub(", "library.rs"),
    ];
    let mut files = Vec::new();
    collect(&root().join("src-tauri/crates/engine/src"), &mut files);
    assert!(files.len() > 20, "the walk is broken");
    for file in files {
        let text = fs::read_to_string(&file).expect("a source");
        for (call, door) in doors {
            assert!(
                !text.contains(call) || file.ends_with(door),
                "{} calls {call}…): only {door} may",
                file.display()
            );
        }
    }
    let mut files = Vec::new();
    collect(&root().join("src-tauri/src"), &mut files);
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            !text.contains("Http::"),
            "{} makes a client of its own",
            file.display()
        );
    }
}

#[test]
fn commands_are_registered_permitted_and_granted_alike() {
    let registered = registered();
    let written = written();
    assert!(
        registered.len() > 20,
        "only {registered:?} found: the reading is broken"
    );
    assert_eq!(
        registered, written,
        "every #[tauri::command] is registered, and nothing else"
    );

    let mut granted = BTreeSet::new();
    for window in ["main", "quick"] {
        let capability = root().join(format!("src-tauri/capabilities/{window}.json"));
        let capability: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(capability).expect("the capability")).unwrap();
        assert_eq!(capability["windows"], serde_json::json!([window]));
        let permissions: Vec<&str> = capability["permissions"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|p| p.as_str())
            .collect();
        for permission in &permissions {
            let known = *permission == format!("{window}-window")
                || permission.starts_with("core:event:allow-");
            assert!(
                known,
                "{window} is granted {permission}, which no page of ours needs"
            );
        }
        assert!(permissions.contains(&format!("{window}-window").as_str()));
        let permitted = permitted(window);
        let unknown: Vec<_> = permitted.difference(&registered).collect();
        assert!(
            unknown.is_empty(),
            "{window} is permitted what does not exist: {unknown:?}"
        );
        granted.extend(permitted);
    }
    assert_eq!(
        granted, registered,
        "a command that no window may call is dead"
    );
    assert_eq!(
        called(),
        registered,
        "ui/src/ipc.ts calls every command, and nothing else"
    );
}

/// The names in `generate_handler!`.
fn registered() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("src-tauri/src/commands.rs")).expect("commands.rs");
    let (_, after) = text
        .split_once("generate_handler![")
        .expect("generate_handler!");
    let (list, _) = after.split_once(']').expect("the list's end");
    list.split(',')
        .filter_map(|path| path.trim().rsplit("::").next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The commands that the pages call, all of them through one door.
fn called() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("ui/src/ipc.ts")).expect("ipc.ts");
    let mut names = BTreeSet::new();
    let mut before = "";
    for part in text.split("('") {
        let (word, _) = part.split_once('\'').unwrap_or_default();
        let name = word.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !word.is_empty();
        if name && !before.ends_with("listen") {
            names.insert(word.to_owned());
        }
        before = part;
    }
    names
}

/// The functions under `#[tauri::command]`.
fn written() -> BTreeSet<String> {
    let mut files = Vec::new();
    collect(&root().join("src-tauri/src"), &mut files);
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).expect("a source file");
        for after in text.split("#[tauri::command").skip(1) {
            let (_, from_name) = after
                .split_once("fn ")
                .expect("a function after the attribute");
            let end = from_name.find(['(', '<']).expect("its arguments");
            names.insert(from_name[..end].to_owned());
        }
    }
    names
}

/// The commands that a window's permission file allows.
fn permitted(window: &str) -> BTreeSet<String> {
    let file = root().join(format!("src-tauri/permissions/{window}.toml"));
    let text = fs::read_to_string(file).expect("the permission file");
    let (_, after) = text
        .split_once("commands.allow = [")
        .expect("commands.allow");
    let (list, rest) = after.split_once(']').expect("the list's end");
    assert!(!rest.contains("commands.allow"), "one permission a window");
    list.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}
