//! What works here, each with what to do when it does not: for `pilotfish doctor` and for the
//! window's page about itself. Nothing of it asks the person for a password or goes to the network.

use engine::Engine;
use protocol::{AppError, Check, HotkeyState, StoreState, VaultState};
use vault::{KeyStore, OsKeyring};

/// Looks at everything.
pub async fn checks(engine: &Engine, hotkey: &HotkeyState) -> Vec<Check> {
    let vault = engine.vault_state().await;
    let place = place(&vault);
    let mut checks = vec![keyring(vault)];
    checks.extend(keys(engine, &place).await);
    checks.extend([
        self::hotkey(hotkey),
        model(engine).await,
        catalog(engine).await,
        database(engine).await,
        webview(),
    ]);
    checks
}

/// Looks at what there is to see when the engine does not open.
pub async fn checks_without(error: &AppError, hotkey: &HotkeyState) -> Vec<Check> {
    vec![
        keyring(OsKeyring::open().state().await),
        self::hotkey(hotkey),
        check("database", false, error.message.clone()),
        webview(),
    ]
}

fn check(name: &str, ok: bool, detail: impl Into<String>) -> Check {
    Check {
        name: name.to_owned(),
        ok,
        detail: detail.into(),
    }
}

fn keyring(state: VaultState) -> Check {
    match state {
        VaultState::Ready { place } => check("keyring", true, format!("keys live in {place}")),
        VaultState::Locked { place } => check(
            "keyring",
            false,
            format!("{place} is locked: unlock it in Settings, Endpoints"),
        ),
        VaultState::NoKeyring => check(
            "keyring",
            false,
            "it was never set up: unlock it in Settings, Endpoints, to choose a password for it",
        ),
        VaultState::Unavailable { reason } => check("keyring", false, reason),
        VaultState::Slow => check(
            "keyring",
            false,
            "it does not answer: restart the keyring daemon",
        ),
        VaultState::SessionOnly => check("keyring", true, "keys are kept in memory for this run"),
    }
}

/// Where keys are, for the end of a sentence.
fn place(state: &VaultState) -> String {
    match state {
        VaultState::Ready { place } | VaultState::Locked { place } => place.clone(),
        VaultState::NoKeyring | VaultState::Unavailable { .. } | VaultState::Slow => {
            "the system's keyring".to_owned()
        }
        VaultState::SessionOnly => "memory, until Pilotfish quits".to_owned(),
    }
}

/// Each key that was saved, and where it lives.
async fn keys(engine: &Engine, place: &str) -> Vec<Check> {
    let Ok(endpoints) = engine.endpoints().await else {
        // The check of the database says why.
        return Vec::new();
    };
    let saved = endpoints.into_iter().filter_map(|endpoint| {
        let key = endpoint.key?;
        let sign = match key.last_four.as_str() {
            "" => "saved".to_owned(),
            last => format!("…{last}"),
        };
        let detail = format!("{}: {sign}, in {place}", endpoint.id);
        Some(check("key", true, detail))
    });
    saved.collect()
}

fn hotkey(state: &HotkeyState) -> Check {
    match state {
        HotkeyState::Grabbed { key } => check("hotkey", true, format!("{key}, grabbed on X11")),
        HotkeyState::Portal { key } => check(
            "hotkey",
            true,
            format!("{key}, by the desktop's GlobalShortcuts portal"),
        ),
        HotkeyState::Command { command, reason } => check(
            "hotkey",
            true,
            format!("{reason}: bind a key to `{command}`"),
        ),
        HotkeyState::Failed { key, reason } => check("hotkey", false, format!("{key}: {reason}")),
        HotkeyState::Off => check("hotkey", true, "switched off"),
    }
}

async fn model(engine: &Engine) -> Check {
    match engine.probe_worker().await {
        Ok(detail) => check("model", true, detail),
        Err(error) => check("model", false, error.message),
    }
}

async fn catalog(engine: &Engine) -> Check {
    match engine.catalog_summary().await {
        Ok(summary) => check("catalog", true, summary),
        Err(error) => check("catalog", false, error.message),
    }
}

async fn database(engine: &Engine) -> Check {
    match engine.store_state() {
        StoreState::Ready => match engine.store_summary().await {
            Ok(summary) => check("database", true, summary),
            Err(error) => check("database", false, error.message),
        },
        StoreState::Recovery { reason, .. } => check(
            "database",
            false,
            format!("read-only: {reason}; open the window to recover"),
        ),
    }
}

fn webview() -> Check {
    match tauri::webview_version() {
        Ok(version) if cfg!(target_os = "linux") => {
            check("webview", true, format!("WebKitGTK {version}"))
        }
        Ok(version) => check("webview", true, version),
        Err(error) => check("webview", false, format!("{error}: install WebKitGTK 4.1")),
    }
}
