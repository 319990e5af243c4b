//! `pilotfish doctor`: prints what was found; the exit code says whether all of it works.

use std::process::ExitCode;

use engine::Engine;
use protocol::{AppError, Check, Settings};

use super::output;
use crate::{doctor, hotkey};

pub(super) async fn run(engine: &Engine, json: bool) -> Result<ExitCode, AppError> {
    // A database that cannot be read has no settings: the usual key then.
    let key = engine.settings().await.unwrap_or_default().hotkey;
    let hotkey = hotkey::outlook(&key).await;
    print(&doctor::checks(engine, &hotkey).await, json)
}

/// The report when the engine did not open.
pub(super) async fn run_without(error: &AppError, json: bool) -> Result<ExitCode, AppError> {
    let hotkey = hotkey::outlook(&Settings::default().hotkey).await;
    print(&doctor::checks_without(error, &hotkey).await, json)
}

fn print(checks: &[Check], json: bool) -> Result<ExitCode, AppError> {
    if json {
        output::json(&checks)?;
    } else {
        for check in checks {
            let mark = if check.ok { "ok  " } else { "FAIL" };
            output::line(&format!("{mark} {:<9} {}", check.name, check.detail))?;
        }
    }
    Ok(if checks.iter().all(|check| check.ok) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
