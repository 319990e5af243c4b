//! What the person set: read leniently, checked before it is written.

use protocol::{AppError, Caps, ErrorCode, ModelRef, Settings};

use crate::{Change, Engine, cluster};

const KEY: &str = "settings";

/// Where a stored text that no version understood is kept when new settings are saved.
const UNREADABLE_KEY: &str = "settings.unreadable";

const INSTRUCTIONS_BYTES: usize = 8 * 1024;
const HOTKEY_BYTES: usize = 64;
const NO_HOTKEY: &str = "hotkey: a key such as Ctrl+Shift+Space, or nothing to switch it off";
const FAVOURITES: usize = 64;
const EFFORTS: usize = 64;
const RECENTS: usize = 8;
const CAPS: usize = 128;

/// Models of a failover chain.
pub(crate) const FAILOVER: usize = 8;
pub(crate) const LONG_FAILOVER: &str = "failover: 8 models at most";

impl Engine {
    /// The person's settings; defaults where nothing was set.
    ///
    /// # Errors
    /// The store's.
    pub async fn settings(&self) -> Result<Settings, AppError> {
        let Some(reader) = self.reader() else {
            return Ok(Settings::default());
        };
        let stored = self.as_far_as_readable(reader.setting(KEY).await)?;
        Ok(stored.and_then(|json| parse(&json)).unwrap_or_default())
    }

    /// The settings, where a default in the place of what cannot be read would let something out.
    ///
    /// # Errors
    /// The store's; `Storage` when what is stored is unreadable.
    pub(crate) async fn binding_settings(&self) -> Result<Settings, AppError> {
        let Some(json) = self.readable()?.setting(KEY).await? else {
            return Ok(Settings::default());
        };
        parse(&json).ok_or_else(|| {
            AppError::new(
                ErrorCode::Storage,
                "the stored settings are unreadable, so nothing is sent: save them anew in the settings",
            )
        })
    }

    /// Saves the settings and gives them back. The recent models stay as they are: the engine notes
    /// them, and a window may know an older list. So does the hotkey, which is set where it is taken.
    ///
    /// # Errors
    /// `InvalidRequest` that names the field; the store's.
    pub async fn save_settings(&self, settings: Settings) -> Result<Settings, AppError> {
        check(&settings)?;
        self.before_cluster(settings.inhouse_cluster.as_ref())
            .await?;
        self.change_settings(|kept| {
            let recents = std::mem::take(&mut kept.recents);
            let hotkey = std::mem::take(&mut kept.hotkey);
            *kept = Settings {
                recents,
                hotkey,
                ..settings
            };
        })
        .await
    }

    /// Sets the key that summons the quick window, as `Ctrl+Shift+Space`; an empty one switches it
    /// off. Gives back the settings.
    ///
    /// # Errors
    /// `InvalidRequest` for a text that is no key; the store's.
    pub async fn set_hotkey(&self, key: String) -> Result<Settings, AppError> {
        if !may_be_hotkey(&key) {
            return Err(AppError::new(ErrorCode::InvalidRequest, NO_HOTKEY));
        }
        self.change_settings(|settings| settings.hotkey = key).await
    }

    /// The model that a new conversation asks unless another is chosen.
    ///
    /// # Errors
    /// The store's.
    pub async fn default_model(&self) -> Result<ModelRef, AppError> {
        let chosen = self.settings().await?.default_model;
        Ok(chosen.unwrap_or_else(|| ModelRef::inhouse(inhouse::DEFAULT)))
    }

    /// Chooses the model that new conversations ask. Gives back the settings.
    ///
    /// # Errors
    /// `NotFound` when no provider has that name; the store's.
    pub async fn set_default_model(&self, model: ModelRef) -> Result<Settings, AppError> {
        self.route(&model).await?;
        self.change_settings(|settings| settings.default_model = Some(model))
            .await
    }

    /// Notes that a model was asked: it becomes the first of the recent ones.
    pub(crate) async fn note_recent(&self, model: &ModelRef) -> Result<(), AppError> {
        self.change_settings(|settings| {
            settings.recents.retain(|recent| recent != model);
            settings.recents.insert(0, model.clone());
            settings.recents.truncate(RECENTS);
        })
        .await
        .map(drop)
    }

    /// Changes what is stored, whoever stored it: a window, another window, or a terminal.
    async fn change_settings(
        &self,
        change: impl FnOnce(&mut Settings),
    ) -> Result<Settings, AppError> {
        let store = self.store()?;
        let unreadable = store
            .setting(KEY)
            .await?
            .filter(|json| parse(json).is_none());
        if let Some(old) = unreadable {
            store
                .set_setting(UNREADABLE_KEY, &serde_json::Value::String(old).to_string())
                .await?;
        }
        let mut settings = Settings::default();
        let changed = store
            .update_setting(KEY, |json| {
                settings = json.and_then(parse).unwrap_or_default();
                change(&mut settings);
                serde_json::to_string(&settings).map_err(|error| {
                    let message = format!("the settings cannot be written: {error}");
                    AppError::new(ErrorCode::Unknown, message)
                })
            })
            .await?;
        if changed {
            self.announce(Change::Settings);
        }
        Ok(settings)
    }
}

fn parse(json: &str) -> Option<Settings> {
    serde_json::from_str(json)
        .inspect_err(|error| tracing::warn!(%error, "the stored settings are unreadable"))
        .ok()
}

fn may_be_hotkey(text: &str) -> bool {
    text.len() <= HOTKEY_BYTES && !text.chars().any(char::is_control)
}

fn check(settings: &Settings) -> Result<(), AppError> {
    let Settings {
        appearance,
        hotkey,
        favourites,
        efforts,
        instructions,
        caps,
        failover,
        inhouse_cluster,
        ..
    } = settings;
    inhouse_cluster.as_ref().map_or(Ok(()), cluster::check)?;
    let wrong = if !(80..=160).contains(&appearance.text_percent) {
        "appearance.text_percent: choose 80 to 160"
    } else if !may_be_hotkey(hotkey) {
        NO_HOTKEY
    } else if favourites.len() > FAVOURITES {
        "favourites: 64 models at most"
    } else if efforts.len() > EFFORTS {
        "efforts: 64 models at most"
    } else if instructions.len() > INSTRUCTIONS_BYTES {
        "instructions: 8 KiB at most"
    } else if failover.len() > FAILOVER {
        LONG_FAILOVER
    } else if !are_caps(caps) {
        "caps: an amount of 0 to 1,000,000 USD each, and one for a provider"
    } else {
        return Ok(());
    };
    Err(AppError::new(ErrorCode::InvalidRequest, wrong))
}

fn are_caps(caps: &Caps) -> bool {
    let mut providers: Vec<&str> = caps
        .providers
        .iter()
        .map(|cap| cap.provider.as_str())
        .collect();
    providers.sort_unstable();
    let count = providers.len();
    providers.dedup();
    let amounts = caps.providers.iter().map(|cap| cap.usd_per_day);
    let mut amounts = amounts.chain(caps.usd_per_day);
    count == providers.len()
        && count <= CAPS
        && amounts.all(|usd| (0.0..=1_000_000.0).contains(&usd))
}

#[cfg(test)]
mod tests {
    use protocol::{Appearance, Caps, Settings};

    use super::{check, parse};

    #[test]
    fn a_wrong_setting_is_named() {
        let wrong = [
            (
                "appearance",
                Settings {
                    appearance: Appearance {
                        text_percent: 79,
                        ..Appearance::default()
                    },
                    ..Settings::default()
                },
            ),
            (
                "hotkey",
                Settings {
                    hotkey: "x".repeat(65),
                    ..Settings::default()
                },
            ),
            (
                "caps",
                Settings {
                    caps: Caps {
                        usd_per_day: Some(f64::NAN),
                        ..Caps::default()
                    },
                    ..Settings::default()
                },
            ),
            (
                "instructions",
                Settings {
                    instructions: "x".repeat(8193),
                    ..Settings::default()
                },
            ),
        ];
        for (field, settings) in wrong {
            let error = check(&settings).unwrap_err();
            assert!(
                error.message.starts_with(field),
                "{} names {field}",
                error.message
            );
        }
        check(&Settings::default()).unwrap();
    }

    #[test]
    fn older_settings_take_defaults() {
        let settings = parse(r#"{"hotkey":"Alt+Space"}"#).unwrap();
        assert_eq!(settings.hotkey, "Alt+Space");
        assert_eq!(settings.appearance.text_percent, 100);
        assert_eq!(parse("no json"), None);
    }
}
