//! Keys of the API, one for each program that may use it. A key is shown once, when it is made; what
//! is kept is its SHA-256, from which it cannot be got back. The keys are random and long, so that
//! no slow hash is needed.

use protocol::{ApiKey, AppError, ErrorCode, Secret};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Engine, clock};

/// Where the store keeps them.
const SETTING: &str = "api_keys";
/// The longest name, in characters.
const NAME_CHARS: usize = 64;
/// The most keys.
const MOST_KEYS: usize = 1_000;
/// Random bytes of a key.
const KEY_BYTES: usize = 32;

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    key: ApiKey,
    sha256: String,
}

impl Engine {
    /// The keys that programs hold, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, AppError> {
        Ok(self
            .kept_api_keys()
            .await?
            .into_iter()
            .map(|kept| kept.key)
            .collect())
    }

    /// Makes a key for the program of the given name; it is not to be had again later.
    ///
    /// # Errors
    /// `InvalidRequest` for a name that is empty, too long or taken; the store's.
    pub async fn create_api_key(&self, name: &str) -> Result<Secret<String>, AppError> {
        let name = name.trim();
        let wrong = |message: String| AppError::new(ErrorCode::InvalidRequest, message);
        let length = name.chars().count();
        if length == 0 || length > NAME_CHARS || name.chars().any(char::is_control) {
            return Err(wrong(format!(
                "a key's name has 1 to {NAME_CHARS} characters: name the program"
            )));
        }
        let mut random = [0_u8; KEY_BYTES];
        getrandom::fill(&mut random).map_err(|error| {
            AppError::new(
                ErrorCode::Unknown,
                format!("the system gives no random numbers: {error}"),
            )
        })?;
        let secret = Secret::new(format!("pf-{}", hex(&random)));
        let made = Kept {
            key: ApiKey {
                name: name.to_owned(),
                created_at: clock::now_ms(),
            },
            sha256: hex(&Sha256::digest(secret.expose().as_bytes())),
        };
        self.change_api_keys(|keys| {
            if keys.iter().any(|kept| kept.key.name == name) {
                return Err(wrong(format!(
                    "{name} has a key already: revoke that, or take another name"
                )));
            }
            if keys.len() >= MOST_KEYS {
                return Err(wrong(format!(
                    "there are {MOST_KEYS} keys: revoke those that nobody uses"
                )));
            }
            keys.push(made);
            Ok(())
        })
        .await?;
        Ok(secret)
    }

    /// Takes a program's key away.
    ///
    /// # Errors
    /// `NotFound` when no key has that name; the store's.
    pub async fn revoke_api_key(&self, name: &str) -> Result<(), AppError> {
        let name = name.trim();
        self.change_api_keys(|keys| {
            let before = keys.len();
            keys.retain(|kept| kept.key.name != name);
            if keys.len() == before {
                let message = format!("no key is named {name}: pilotfish api keys list shows them");
                return Err(AppError::new(ErrorCode::NotFound, message));
            }
            Ok(())
        })
        .await
    }

    async fn kept_api_keys(&self) -> Result<Vec<Kept>, AppError> {
        read(self.readable()?.setting(SETTING).await?.as_deref())
    }

    /// Changes the list, whichever process changed it last.
    async fn change_api_keys(
        &self,
        change: impl FnOnce(&mut Vec<Kept>) -> Result<(), AppError>,
    ) -> Result<(), AppError> {
        let store = self.store()?;
        let changed = store.update_setting(SETTING, |json| {
            let mut keys = read(json)?;
            change(&mut keys)?;
            serde_json::to_string(&keys).map_err(unreadable)
        });
        changed.await.map(drop)
    }
}

fn read(json: Option<&str>) -> Result<Vec<Kept>, AppError> {
    match json {
        None => Ok(Vec::new()),
        Some(json) => serde_json::from_str(json).map_err(unreadable),
    }
}

fn unreadable(error: serde_json::Error) -> AppError {
    AppError::new(
        ErrorCode::Storage,
        format!("the list of keys is not what it should be: {error}"),
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
