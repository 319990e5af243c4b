//! The providers that can be asked: those the application knows, and the addresses that the person
//! added or changed.

use protocol::{AppError, Endpoint, EndpointDraft, ErrorCode, KeyRecord, ProviderId, RunsAt, Wire};
use providers::{builtin_endpoints, runs_at};
use url::Url;

use crate::{Change, Engine};

const NAME_CHARS: usize = 64;
const URL_BYTES: usize = 2048;

/// Addresses of the person's own.
const ENDPOINTS: usize = 100;

impl Engine {
    /// All endpoints: the built-in ones, changed or not, then the person's own.
    ///
    /// # Errors
    /// The store's.
    pub async fn endpoints(&self) -> Result<Vec<Endpoint>, AppError> {
        let saved = match self.reader() {
            Some(reader) => self.as_far_as_readable(reader.endpoints().await)?,
            None => Vec::new(),
        };
        Ok(merge(saved))
    }

    /// One endpoint.
    ///
    /// # Errors
    /// `NotFound`, and the store's.
    pub(crate) async fn endpoint(&self, provider: &ProviderId) -> Result<Endpoint, AppError> {
        let found = self
            .endpoints()
            .await?
            .into_iter()
            .find(|known| known.id == *provider);
        found.ok_or_else(|| {
            AppError::new(
                ErrorCode::NotFound,
                format!("there is no provider {provider}: choose another model, or add it in the settings"),
            )
        })
    }

    /// Adds an address or changes one. When it moves to another host its key is removed from the
    /// vault: a key goes only where the person put it.
    ///
    /// # Errors
    /// `InvalidRequest` that names the field; `NotFound` for an unknown id; the store's, the vault's.
    pub async fn save_endpoint(&self, draft: EndpointDraft) -> Result<Endpoint, AppError> {
        let store = self.store()?;
        let (name, base_url) = check(&draft)?;
        let known = self.endpoints().await?;
        let mut endpoint = match &draft.id {
            Some(id) => self.endpoint(id).await?,
            None if known.len() >= ENDPOINTS => {
                return Err(invalid(
                    "name: there are 100 endpoints already, remove one first",
                ));
            }
            None => Endpoint {
                id: free_id(&name, &known)?,
                name: String::new(),
                base_url: base_url.clone(),
                wire: Wire::Chat,
                needs_key: false,
                key: None,
            },
        };
        if endpoint.key.is_some() && host(&endpoint.base_url) != host(&base_url) {
            self.keys().remove(endpoint.id.as_str()).await?;
            endpoint.key = None;
        }
        endpoint.name = name;
        endpoint.base_url = base_url;
        endpoint.needs_key = draft.needs_key;
        store.save_endpoint(&endpoint).await?;
        self.announce(Change::Models);
        Ok(endpoint)
    }

    /// Removes an address and its key; a built-in one becomes again what it was.
    ///
    /// # Errors
    /// `NotFound`; the store's, the vault's.
    pub async fn remove_endpoint(&self, provider: &ProviderId) -> Result<(), AppError> {
        let store = self.store()?;
        if self.endpoint(provider).await?.key.is_some() {
            self.keys().remove(provider.as_str()).await?;
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

    /// Writes down that a key was saved or removed.
    pub(crate) async fn record_key(
        &self,
        mut endpoint: Endpoint,
        key: Option<KeyRecord>,
    ) -> Result<Endpoint, AppError> {
        endpoint.needs_key |= key.is_some();
        endpoint.key = key;
        self.store()?.save_endpoint(&endpoint).await?;
        self.announce(Change::Models);
        Ok(endpoint)
    }
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

fn host(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}

fn invalid(message: impl Into<String>) -> AppError {
    AppError::new(ErrorCode::InvalidRequest, message)
}

/// The name and the address, cleaned.
fn check(draft: &EndpointDraft) -> Result<(String, String), AppError> {
    let name = draft.name.trim();
    if !(1..=NAME_CHARS).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(invalid("name: 1 to 64 characters on one line"));
    }
    let text = draft.base_url.trim();
    if text.len() > URL_BYTES {
        return Err(invalid("base_url: 2048 bytes at most"));
    }
    let url = Url::parse(text).map_err(|error| {
        invalid(format!(
            "base_url: an address such as http://localhost:8080/v1 is needed ({error})"
        ))
    })?;
    let wrong = if !matches!(url.scheme(), "http" | "https") {
        "base_url: it begins with http:// or https://"
    } else if url.host_str().is_none_or(str::is_empty) {
        "base_url: the host is missing"
    } else if !url.username().is_empty() || url.password().is_some() {
        "base_url: leave out the user name and password, and save the key by itself"
    } else if url.query().is_some() || url.fragment().is_some() {
        "base_url: leave out what follows ? or #"
    } else if draft.needs_key
        && url.scheme() == "http"
        && matches!(runs_at(&url), RunsAt::Host { .. })
    {
        "base_url: use https, or the key would travel readable by everyone on the way"
    } else {
        return Ok((
            name.to_owned(),
            url.as_str().trim_end_matches('/').to_owned(),
        ));
    };
    Err(invalid(wrong))
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
        .find(|id| !id.is_inhouse() && known.iter().all(|endpoint| endpoint.id != *id))
        .ok_or_else(|| invalid("name: choose another, there are many of this name"))
}

#[cfg(test)]
mod tests {
    use protocol::{EndpointDraft, ErrorCode};

    use super::{check, free_id};

    fn draft(name: &str, base_url: &str, needs_key: bool) -> EndpointDraft {
        EndpointDraft {
            id: None,
            name: name.to_owned(),
            base_url: base_url.to_owned(),
            needs_key,
        }
    }

    #[test]
    fn a_wrong_address_is_refused_with_its_field() {
        let long = format!("http://{}", "x".repeat(2048));
        for (name, url, key) in [
            ("", "http://localhost:1/v1", false),
            ("a\nb", "http://localhost:1/v1", false),
            ("a", "", false),
            ("a", "localhost", false),
            ("a", "localhost:8080/v1", false),
            ("a", "ftp://localhost/v1", false),
            ("a", "file:///etc/passwd", false),
            ("a", "javascript:alert(1)", false),
            ("a", "http://me:secret@localhost/v1", false),
            ("a", "http://localhost/v1?key=1", false),
            ("a", "http://api.example.com/v1", true),
            ("a", &long, false),
        ] {
            let error = check(&draft(name, url, key)).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidRequest);
            let field = if name == "a" { "base_url:" } else { "name:" };
            assert!(
                error.message.starts_with(field),
                "{url:?}: {}",
                error.message
            );
        }
    }

    #[test]
    fn a_right_address_is_cleaned() {
        let (name, url) = check(&draft(" Mine ", " HTTP://Localhost:8080/v1/ ", true)).unwrap();
        assert_eq!(
            (name.as_str(), url.as_str()),
            ("Mine", "http://localhost:8080/v1")
        );
        check(&draft("Mine", "http://api.example.com/v1", false)).unwrap();
        check(&draft("Mine", "http://192.168.0.7:1234/v1", true)).unwrap();
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
