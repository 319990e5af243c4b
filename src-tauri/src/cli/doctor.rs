//! `pilotfish doctor`: what works here, each with what to do when it does not.

use std::process::ExitCode;

use engine::Engine;
use protocol::{AppError, Check, HotkeyState, StoreState, VaultState};

use super::output;
use crate::hotkey;

/// Prints what was found; the exit code says whether all of it works.
pub(super) async fn run(engine: &Engine, json: bool) -> Result<ExitCode, AppError> {
    let checks = checks(engine, &hotkey::expected_route().await).await;
    if json {
        output::json(&checks)?;
    } else {
        for check in &checks {
            let mark = if check.ok { "ok  " } else { "FAIL" };
            output::line(&format!("{mark} {:<9} {}", check.name, check.detail))?;
        }
    }
    let sound = checks.iter().all(|check| check.ok);
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Looks at everything; nothing of it asks the person for a password or goes to the network.
pub async fn checks(engine: &Engine, hotkey: &HotkeyState) -> Vec<Check> {
    vec![
        keyring(engine.vault_state().await),
        self::hotkey(hotkey),
        model(engine).await,
        database(engine).await,
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
    let entries = engine.library().await;
    let Some(entry) = entries.iter().find(|entry| entry.state.can_be_asked()) else {
        return check(
            "model",
            false,
            "none is on this machine: pilotfish models pull small",
        );
    };
    match engine.probe_worker().await {
        Ok(detail) => check("model", true, format!("{}; {detail}", entry.name)),
        Err(error) => check("model", false, error.message),
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
        Ok(version) => check("webview", true, format!("WebKitGTK {version}")),
        Err(error) => check("webview", false, format!("{error}: install WebKitGTK 4.1")),
    }
}
