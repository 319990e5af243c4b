//! Keys of the API: shown once, kept as a sum, made and revoked by any process.

use std::collections::HashSet;
use std::path::Path;

use pretty_assertions::assert_eq;
use protocol::ErrorCode;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::scripted::open;

/// Whether any file below the folder holds the text.
fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = std::fs::read(path).unwrap();
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    })
}

#[tokio::test]
async fn a_key_is_shown_once_and_kept_as_its_sum() {
    let home = TempDir::new().unwrap();
    let engine = open(&home).await;
    let key = engine.create_api_key(" Editor ").await.unwrap();
    let key = key.expose();
    assert!(
        key.starts_with("pf-") && key.len() == 3 + 64,
        "32 random bytes"
    );
    let kept = engine.api_keys().await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].name, "Editor");
    assert!(!format!("{kept:?}").contains(&key[3..]));
    engine.shutdown().await;
    drop(engine);

    let sum: String = Sha256::digest(key.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(holds(home.path(), &sum), "the sum is how it is known again");
    assert!(!holds(home.path(), &key[3..]), "no file holds the key");
    assert_eq!(open(&home).await.api_keys().await.unwrap(), kept);
}

#[tokio::test]
async fn a_name_is_one_line_and_has_one_key() {
    let home = TempDir::new().unwrap();
    let engine = open(&home).await;
    engine.create_api_key("Editor").await.unwrap();
    for wrong in ["", " \t", "a\nb", "a\0b", &"x".repeat(65), " Editor"] {
        let refused = engine.create_api_key(wrong).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidRequest, "{wrong:?}");
    }
    engine.create_api_key(&"ß".repeat(64)).await.unwrap();
    assert_eq!(engine.api_keys().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_revoked_key_is_gone_and_its_name_free() {
    let home = TempDir::new().unwrap();
    let engine = open(&home).await;
    let first = engine.create_api_key("Editor").await.unwrap();
    engine.revoke_api_key(" Editor ").await.unwrap();
    assert_eq!(engine.api_keys().await.unwrap(), []);
    let refused = engine.revoke_api_key("Editor").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotFound);
    let second = engine.create_api_key("Editor").await.unwrap();
    assert_ne!(first.expose(), second.expose());
}

#[tokio::test]
async fn two_instances_lose_none_of_each_others_keys() {
    let home = TempDir::new().unwrap();
    let (one, two) = (open(&home).await, open(&home).await);
    let names: Vec<String> = (0..20).map(|number| format!("program {number}")).collect();
    let made = names.iter().enumerate().map(|(number, name)| {
        let engine = if number % 2 == 0 { &one } else { &two };
        engine.create_api_key(name)
    });
    for made in futures::future::join_all(made).await {
        made.unwrap();
    }
    let kept = one.api_keys().await.unwrap();
    let kept: HashSet<String> = kept.into_iter().map(|key| key.name).collect();
    assert_eq!(kept, names.into_iter().collect());
}
