//! `pilotfish keys`: which provider has a key, and where that key is.

use std::io::{BufRead, IsTerminal, Read};
use std::process::ExitCode;

use engine::Engine;
use protocol::{AppError, ErrorCode, KeyPlace, ProviderId, Secret, VaultState};

use super::interrupt::{Interrupt, STOPPED};
use super::{KeysCommand, output};

/// A key is at most 4 KiB; one byte more tells that it is longer.
const LONGEST: u64 = 4096 + 1;

pub async fn run(
    engine: &Engine,
    command: Option<KeysCommand>,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, AppError> {
    match command.unwrap_or(KeysCommand::List { json: false }) {
        KeysCommand::Set { provider } => {
            let Some(secret) = read_secret(&provider, interrupt).await? else {
                return Ok(ExitCode::from(STOPPED));
            };
            engine.set_key(&provider, secret).await?;
            output::complain(&format!("saved {provider}'s key: {}", place(engine).await));
        }
        KeysCommand::Test { provider } => {
            let models = tokio::select! {
                models = engine.test_endpoint(&provider) => models?,
                () = interrupt.pressed() => return Ok(ExitCode::from(STOPPED)),
            };
            let count = match models.len() {
                1 => "1 model".to_owned(),
                count => format!("{count} models"),
            };
            output::line(&format!("{provider} works: {count}"))?;
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
            let states = engine.provider_states().await?;
            for endpoint in endpoints {
                let key = match (&endpoint.key, endpoint.needs_key) {
                    (Some(key), _) if key.last_four.is_empty() => "key saved".to_owned(),
                    (Some(key), _) => format!("key …{}", key.last_four),
                    (None, true) => "no key yet".to_owned(),
                    (None, false) => "needs no key".to_owned(),
                };
                let state = states.iter().find(|state| state.provider == endpoint.id);
                let at = state.map_or("", |state| where_now(&state.key));
                let line = format!(
                    "{:<16} {:<20} {:<10} {}",
                    endpoint.id, key, at, endpoint.base_url
                );
                output::line(&line)?;
            }
            output::complain(&place(engine).await);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where a key is right now, in a word; the keyring's own name stands under the list.
const fn where_now(key: &KeyPlace) -> &'static str {
    match key {
        KeyPlace::Nowhere => "",
        KeyPlace::Keyring { .. } => "in keyring",
        KeyPlace::Memory => "in memory",
        KeyPlace::Locked { .. } => "locked",
        KeyPlace::Lost => "lost",
        KeyPlace::Unknown => "unknown",
    }
}

/// The key: a line that is typed unseen, or all that comes through a pipe. `None` when the person
/// pressed Ctrl+C instead.
async fn read_secret(
    provider: &ProviderId,
    interrupt: &mut Interrupt,
) -> Result<Option<Secret<String>>, AppError> {
    let typed = std::io::stdin().is_terminal();
    let _unseen = typed.then(|| {
        output::prompt(&format!("{provider}'s key, which is not shown: "));
        unseen::Typing::begin()
    });
    let reading = tokio::task::spawn_blocking(move || read(typed));
    let secret = tokio::select! {
        read = reading => read.unwrap_or_else(|error| Err(wrong(error.to_string())))?,
        () = interrupt.pressed() => {
            output::complain("");
            return Ok(None);
        }
    };
    if typed {
        output::complain("");
    }
    Ok(Some(secret))
}

fn read(typed: bool) -> Result<Secret<String>, AppError> {
    // Room for all of it from the start: a buffer that grew would leave copies of the key behind.
    let mut text = String::with_capacity(LONGEST as usize + 64);
    let mut input = std::io::stdin().lock().take(LONGEST);
    let read = if typed {
        input.read_line(&mut text)
    } else {
        input.read_to_string(&mut text)
    };
    let text = Secret::new(text);
    read.map_err(|error| wrong(format!("the key could not be read: {error}")))?;
    // An `echo` in front of the pipe ends its line; that end is no part of the key.
    match text.expose().trim_end_matches(['\r', '\n']) {
        "" => Err(wrong(
            "no key came on standard input: pilotfish keys set PROVIDER < file-with-key".to_owned(),
        )),
        key => Ok(Secret::new(key.to_owned())),
    }
}

fn wrong(sentence: String) -> AppError {
    AppError::new(ErrorCode::InvalidRequest, sentence)
}

#[cfg(unix)]
mod unseen {
    //! A terminal that does not show what is typed.

    use rustix::stdio::stdin;
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    /// The terminal is as before once this is dropped.
    pub(super) struct Typing(Option<Termios>);

    impl Typing {
        pub(super) fn begin() -> Self {
            let before = tcgetattr(stdin()).ok();
            if let Some(mut modes) = before.clone() {
                modes.local_modes.remove(LocalModes::ECHO);
                // A terminal that refuses shows the key to who types it, and to nobody else.
                let _ = tcsetattr(stdin(), OptionalActions::Flush, &modes);
            }
            Self(before)
        }
    }

    impl Drop for Typing {
        fn drop(&mut self) {
            if let Some(before) = &self.0 {
                let _ = tcsetattr(stdin(), OptionalActions::Now, before);
            }
        }
    }
}

#[cfg(not(unix))]
mod unseen {
    //! Elsewhere the terminal shows what is typed.

    pub(super) struct Typing;

    impl Typing {
        pub(super) const fn begin() -> Self {
            Self
        }
    }
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
