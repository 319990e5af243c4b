//! The providers that can be asked: those the application knows, and the addresses that the person
//! added or changed.

use protocol::{AppError, Endpoint, EndpointDraft, ErrorCode, KeyRecord, ProviderId, RunsAt, Wire};
use providers::{builtin_endpoints, runs_at};
use url::{Origin, Url};

use crate::{Change, Engine};

const NAME_CHARS: usize = 64;

/// Addresses of the person's own.
const ENDPOINTS: usize = 100;

impl Engine {
    /// All endpoints: the built-in ones, changed or not, then the person's own.
    ///
    /// # Errors
    /// The store's.
    pub async fn endpoints(&self) -> Result<Vec<Endpoint>, AppError> {
        let mut endpoints = self.kept_endpoints().await?;
        for endpoint in &mut endpoints {
            if let Some(record) = self.inner.keys.in_memory(&endpoint.id) {
                endpoint.key = Some(record);
            }
        }
        Ok(endpoints)
    }

    /// One endpoint.
    ///
    /// # Errors
    /// `NotFound`, and the store's.
    pub(crate) async fn endpoint(&self, provider: &ProviderId) -> Result<Endpoint, AppError> {
        find(self.endpoints().await?, provider)
    }

    /// One endpoint as the store has it: without the note of a key that is kept in memory.
    ///
    /// # Errors
    /// `NotFound`, and the store's.
    pub(crate) async fn kept_endpoint(&self, provider: &ProviderId) -> Result<Endpoint, AppError> {
        find(self.kept_endpoints().await?, provider)
    }

    async fn kept_endpoints(&self) -> Result<Vec<Endpoint>, AppError> {
        let saved = match self.reader() {
            Some(reader) => self.as_far_as_readable(reader.endpoints().await)?,
            None => Vec::new(),
        };
        self.with_cluster(merge(saved)).await
    }

    /// Adds an address or changes one. When it moves to another origin (scheme, host or port) its
    /// key is removed from the vault: a key goes only where the person put it.
    ///
    /// # Errors
    /// `InvalidRequest` that names the field; `NotFound` for an unknown id; the store's, the vault's.
    pub async fn save_endpoint(&self, draft: EndpointDraft) -> Result<Endpoint, AppError> {
        let store = self.store()?;
        let name = checked_name(&draft.name)?;
        let base_url = providers::base_url(&draft.base_url)?;
        let headers = providers::headers(&draft.headers)?;
        if draft.wire == Wire::Inhouse {
            return Err(invalid("wire: choose chat, responses, messages or gemini"));
        }
        let known = self.kept_endpoints().await?;
        let mut endpoint = match draft.id {
            Some(id) => find(known, &id)?,
            None if known.len() >= ENDPOINTS => {
                return Err(invalid(
                    "name: there are 100 endpoints already, remove one first",
                ));
            }
            None => Endpoint {
                id: free_id(&name, &known)?,
                name: String::new(),
                base_url: base_url.to_string(),
                wire: draft.wire,
                needs_key: false,
                key: None,
                headers: Vec::new(),
            },
        };
        let has_key = endpoint.key.is_some() || self.inner.keys.in_memory(&endpoint.id).is_some();
        let moves = origin(&endpoint.base_url) != Some(base_url.origin());
        if draft.needs_key || (has_key && !moves) {
            may_carry_key(base_url.as_str())?;
        }
        if has_key && moves {
            let recorded = endpoint.key.is_some();
            self.inner.keys.remove(&endpoint.id, recorded).await?;
            endpoint.key = None;
        }
        endpoint.name = name;
        endpoint.base_url = base_url.as_str().trim_end_matches('/').to_owned();
        endpoint.wire = draft.wire;
        endpoint.needs_key = draft.needs_key;
        endpoint.headers = headers;
        store.save_endpoint(&endpoint).await?;
        self.announce(Change::Models);
        self.endpoint(&endpoint.id).await
    }

    /// Removes an address and its key; a built-in one becomes again what it was.
    ///
    /// # Errors
    /// `NotFound`; the store's, the vault's.
    pub async fn remove_endpoint(&self, provider: &ProviderId) -> Result<(), AppError> {
        let store = self.store()?;
        let recorded = self.kept_endpoint(provider).await?.key.is_some();
        if recorded || self.inner.keys.in_memory(provider).is_some() {
            self.inner.keys.remove(provider, recorded).await?;
        }
        if store
            .endpoints()
            .await?
            .iter()
            .any(|saved| saved.id == *provider)
        {
            store.remove_endpoint(provider).await?;
        }
        self.announce(Change::Models);
        Ok(())
    }

    /// Writes down that a lasting key was saved or removed.
    pub(crate) async fn record_key(
        &self,
        provider: &ProviderId,
        key: Option<KeyRecord>,
    ) -> Result<(), AppError> {
        let endpoint = Endpoint {
            key,
            ..self.kept_endpoint(provider).await?
        };
        self.store()?.save_endpoint(&endpoint).await?;
        Ok(())
    }
}

/// Refuses an address to which a key would travel readable by everyone on the way: plain HTTP that
/// leaves the person's own network.
pub(crate) fn may_carry_key(base_url: &str) -> Result<(), AppError> {
    let url = providers::base_url(base_url)?;
    if url.scheme() == "https" || !matches!(runs_at(&url), RunsAt::Host { .. }) {
        return Ok(());
    }
    Err(invalid(
        "base URL: begin it with https://, or the key would travel readable by everyone on the way",
    ))
}

/// Whether the application knows the provider without being told.
pub(crate) fn is_builtin(provider: &ProviderId) -> bool {
    builtin_endpoints()
        .iter()
        .any(|known| known.id == *provider)
}

/// Where an endpoint's models run; `None` when its address cannot be read.
pub(crate) fn place(endpoint: &Endpoint) -> Option<RunsAt> {
    Url::parse(&endpoint.base_url).ok().map(|url| runs_at(&url))
}

fn merge(saved: Vec<Endpoint>) -> Vec<Endpoint> {
    let mut endpoints = builtin_endpoints();
    for own in saved {
        match endpoints.iter_mut().find(|known| known.id == own.id) {
            Some(known) => *known = own,
            None => endpoints.push(own),
        }
    }
    endpoints
}

fn find(endpoints: Vec<Endpoint>, provider: &ProviderId) -> Result<Endpoint, AppError> {
    let found = endpoints.into_iter().find(|known| known.id == *provider);
    found.ok_or_else(|| {
        let message = format!(
            "there is no provider {provider}: choose another model, or add it in the settings"
        );
        AppError::new(ErrorCode::NotFound, message)
    })
}

/// Scheme, host and port: to whom a key was given.
fn origin(base_url: &str) -> Option<Origin> {
    Url::parse(base_url).ok().map(|url| url.origin())
}

fn invalid(message: impl Into<String>) -> AppError {
    AppError::new(ErrorCode::InvalidRequest, message)
}

fn checked_name(text: &str) -> Result<String, AppError> {
    let name = text.trim();
    if !(1..=NAME_CHARS).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(invalid("name: 1 to 64 characters on one line"));
    }
    Ok(name.to_owned())
}

/// An id made from a name: `My Server` becomes `my-server`, or `my-server-2` when that is taken.
fn free_id(name: &str, known: &[Endpoint]) -> Result<ProviderId, AppError> {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(56);
    let slug = match slug.trim_end_matches('-') {
        "" => "endpoint",
        slug => slug,
    };
    let numbered = (2..1000).map(|number| format!("{slug}-{number}"));
    std::iter::once(slug.to_owned())
        .chain(numbered)
        .filter_map(|id| id.parse::<ProviderId>().ok())
        .find(|id| {
            !id.is_inhouse()
                && *id != ProviderId::cluster()
                && known.iter().all(|endpoint| endpoint.id != *id)
        })
        .ok_or_else(|| invalid("name: choose another, there are many of this name"))
}

#[cfg(test)]
mod tests {
    use super::{free_id, may_carry_key};

    #[test]
    fn keys_travel_sealed_or_stay_in_the_house() {
        for url in [
            "https://api.example.com/v1",
            "http://localhost:8080/v1",
            "http://192.168.0.7:1234/v1",
        ] {
            may_carry_key(url).unwrap();
        }
        for url in ["http://api.example.com/v1", "no address"] {
            assert!(may_carry_key(url).is_err(), "{url}");
        }
    }

    #[test]
    fn ids_are_made_from_names() {
        let id = |name| free_id(name, &[]).unwrap().to_string();
        assert_eq!(id("My Server (home)"), "my-server-home");
        assert_eq!(id("サーバ"), "endpoint");
        assert_eq!(
            id("Inhouse"),
            "inhouse-2",
            "the in-house model's name is taken"
        );
    }
}
