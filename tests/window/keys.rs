//! A key that a person saves in the settings: in the keyring, and nowhere else.

use std::path::PathBuf;

use crate::app::{App, SOON};
use crate::desktop::Desktop;
use crate::until;

#[tokio::test]
async fn a_saved_key_is_in_the_keyring_and_nowhere_else() {
    let secret = "sk-window-Zt81mQpWvK55Lr";
    let desktop = Desktop::open("keys").await;
    let app = App::start(&desktop).await;
    app.past_welcome().await;
    app.click("settings-button").await;
    app.click("settings-tab-endpoints").await;
    app.click("endpoint-add").await;
    app.type_into("endpoint-name", "Cloud").await;
    app.type_into("endpoint-url", "https://cloud.invalid/v1")
        .await;
    app.click("endpoint-needs-key").await;
    app.click("endpoint-save").await;
    let row = "[data-testid=endpoint-row][data-provider=cloud]";
    app.click_on(&format!("{row} [data-testid=endpoint-key]"))
        .await;
    app.type_into("key-input", secret).await;
    app.click("key-save").await;
    until("the keyring has the key", SOON, async || {
        desktop
            .session
            .secrets()
            .contains(&format!("secret = {secret}\n"))
    })
    .await;
    until("the page has forgotten the key", SOON, async || {
        let shown = app
            .run(
                "return document.documentElement.outerHTML + \
                 [...document.querySelectorAll('input')].map(field => field.value).join(' ')",
            )
            .await;
        !shown.as_str().expect("the page").contains(secret)
    })
    .await;
    let record = app
        .found(&format!("{row} [data-testid=endpoint-key-record]"))
        .await;
    let record = record.text().await.expect("its text");
    assert!(
        record.contains("55Lr"),
        "the last four tell keys apart: {record:?}"
    );
    assert_eq!(desktop.session.files_with(secret), Vec::<PathBuf>::new());
    app.quit().await;
    assert_eq!(desktop.session.files_with(secret), Vec::<PathBuf>::new());
}
