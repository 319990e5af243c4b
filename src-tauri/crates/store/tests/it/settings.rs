//! Settings that several processes change.

use pretty_assertions::assert_eq;
use store::StoreError;

use crate::ready;

#[tokio::test]
async fn changes_at_once_are_all_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (ready(dir.path()).await, ready(dir.path()).await);
    let add = |json: Option<&str>| {
        let count: u32 = json.map_or(0, |json| json.parse().unwrap());
        Ok::<_, StoreError>((count + 1).to_string())
    };
    let changes = (0..20).map(|number| {
        let store = if number % 2 == 0 { &one } else { &two };
        store.update_setting("count", add)
    });
    for changed in futures::future::join_all(changes).await {
        assert!(changed.unwrap());
    }
    assert_eq!(one.setting("count").await.unwrap().as_deref(), Some("20"));
}

#[tokio::test]
async fn a_refused_change_leaves_what_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = ready(dir.path()).await;
    store.set_setting("a", "1").await.unwrap();
    let refused = store
        .update_setting("a", |_| Err(StoreError::NotStreaming))
        .await;
    assert!(matches!(refused, Err(StoreError::NotStreaming)));
    let no_json = store
        .update_setting("a", |_| Ok::<_, StoreError>("{".to_owned()))
        .await;
    assert!(matches!(no_json, Err(StoreError::Invalid { .. })));
    let same = store
        .update_setting("a", |json| {
            Ok::<_, StoreError>(json.unwrap_or_default().to_owned())
        })
        .await;
    assert!(!same.unwrap(), "nothing changed");
    assert_eq!(store.setting("a").await.unwrap().as_deref(), Some("1"));
}
