//! `pilotfish keys`: which provider has a key, and where that key is.

use std::io::Read;
use std::process::ExitCode;

use engine::Engine;
use protocol::{AppError, ErrorCode, Secret, VaultState};

use super::{KeysCommand, output};

/// A key is at most 4 KiB; one byte more tells that it is longer.
const LONGEST: u64 = 4096 + 1;

pub async fn run(engine: &Engine, command: Option<KeysCommand>) -> Result<ExitCode, AppError> {
    match command.unwrap_or(KeysCommand::List { json: false }) {
        KeysCommand::Set { provider } => {
            let secret = read_secret()?;
            engine.set_key(&provider, secret).await?;
            output::complain(&format!("saved {provider}'s key: {}", place(engine).await));
        }
        KeysCommand::Remove { provider } => {
            engine.remove_key(&provider).await?;
            output::complain(&format!("removed {provider}'s key"));
        }
        KeysCommand::List { json } => {
            let endpoints = engine.endpoints().await?;
            if json {
                output::json(&endpoints)?;
                return Ok(ExitCode::SUCCESS);
            }
            for endpoint in endpoints {
                let key = match (&endpoint.key, endpoint.needs_key) {
                    (Some(key), _) if key.last_four.is_empty() => "key saved".to_owned(),
                    (Some(key), _) => format!("key …{}", key.last_four),
                    (None, true) => "no key yet".to_owned(),
                    (None, false) => "needs no key".to_owned(),
                };
                output::line(&format!(
                    "{:<16} {:<20} {}",
                    endpoint.id, key, endpoint.base_url
                ))?;
            }
            output::complain(&place(engine).await);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read_secret() -> Result<Secret<String>, AppError> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| {
            AppError::new(
                ErrorCode::InvalidRequest,
                format!("the key could not be read: {error}"),
            )
        })?;
    // An `echo` in front of the pipe ends its line; that end is no part of the key.
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    if text.is_empty() {
        let sentence = "no key came on standard input: pilotfish keys set PROVIDER < file-with-key";
        return Err(AppError::new(ErrorCode::InvalidRequest, sentence));
    }
    Ok(Secret::new(text))
}

async fn place(engine: &Engine) -> String {
    match engine.vault_state().await {
        VaultState::Ready { place } => format!("keys live in {place}"),
        VaultState::Locked { place } => format!("{place} is locked"),
        VaultState::NoKeyring => {
            "the system's keyring was never set up: unlock it in Settings, Endpoints".to_owned()
        }
        VaultState::Unavailable { reason } => reason,
        VaultState::Slow => "the keyring does not answer".to_owned(),
        VaultState::SessionOnly => "keys are kept in memory for this run only".to_owned(),
    }
}
