//! What requests carry beside their body: the key in the header where its provider looks for it,
//! what a provider wants of every request, and what a person added to an endpoint.
//!
//! A person's headers are kept in the database and shown, so none may carry a secret, and none may
//! change how a request is framed, packed or understood.

use protocol::{AppError, Endpoint, ErrorCode, Header, Secret};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::catalog::{self, Fixed};
use crate::{ErrorKind, Fault};

/// The most headers of an endpoint.
const MAX_HEADERS: usize = 16;
/// The longest name, in bytes.
const MAX_NAME: usize = 64;
/// The longest value, in bytes.
const MAX_VALUE: usize = 1_024;

/// Names that are ours to set, or the connection's. What carries keys under other names is known by
/// [`sounds_secret`].
const RESERVED: [&str; 20] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

/// Where a provider looks for the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Auth {
    /// `Authorization: Bearer`, as most do.
    Bearer,
    /// `x-api-key`: Anthropic.
    XApiKey,
    /// `api-key`: Azure.
    ApiKey,
    /// `x-goog-api-key`: Google.
    XGoogApiKey,
}

/// Why a person's headers cannot be sent. Every message names the field and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// There are too many.
    #[error("headers: {MAX_HEADERS} at most")]
    TooMany,
    /// A name is none.
    #[error(
        "headers: {name:?} is no header's name; use 1 to {MAX_NAME} letters, digits and hyphens"
    )]
    Name {
        /// The name, shortened.
        name: String,
    },
    /// The header is ours to set, or the connection's.
    #[error("headers: leave out {name}, which is set by itself")]
    Reserved {
        /// The name.
        name: String,
    },
    /// The header would carry a secret, and what is kept here is shown.
    #[error("headers: leave out {name} and save the key as the endpoint's key")]
    Secret {
        /// The name.
        name: String,
    },
    /// The name stands twice.
    #[error("headers: {name} stands twice, keep one")]
    Twice {
        /// The name.
        name: String,
    },
    /// The value cannot be sent.
    #[error("headers: the value of {name} must be 1 to {MAX_VALUE} printable ASCII characters")]
    Value {
        /// The name.
        name: String,
    },
}

impl From<HeaderError> for AppError {
    fn from(error: HeaderError) -> Self {
        Self::new(ErrorCode::InvalidRequest, error.to_string())
    }
}

/// Reads headers as a person wrote them; blanks around them are dropped and names become lower case.
///
/// # Errors
/// When one cannot be sent or must not be, with what to do instead.
pub fn headers(written: &[Header]) -> Result<Vec<Header>, HeaderError> {
    if written.len() > MAX_HEADERS {
        return Err(HeaderError::TooMany);
    }
    let mut read: Vec<Header> = Vec::with_capacity(written.len());
    for header in written {
        let name = header.name.trim().to_ascii_lowercase();
        let is_name = (1..=MAX_NAME).contains(&name.len()) && HeaderName::try_from(&name).is_ok();
        if !is_name {
            let name = header.name.chars().take(MAX_NAME).collect();
            return Err(HeaderError::Name { name });
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(HeaderError::Reserved { name });
        }
        if sounds_secret(&name) {
            return Err(HeaderError::Secret { name });
        }
        if read.iter().any(|known| known.name == name) {
            return Err(HeaderError::Twice { name });
        }
        let value = header.value.trim().to_owned();
        let fits = (1..=MAX_VALUE).contains(&value.len())
            && value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !fits {
            return Err(HeaderError::Value { name });
        }
        read.push(Header { name, value });
    }
    Ok(read)
}

/// Whether a header of this name carries what nobody may read.
fn sounds_secret(name: &str) -> bool {
    ["-key", "-token", "apikey"]
        .iter()
        .any(|end| name.ends_with(end))
        || ["authorization", "cookie", "password", "secret"]
            .iter()
            .any(|part| name.contains(part))
}

/// The headers of all requests to one endpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers {
    auth: &'static [Auth],
    others: HeaderMap,
}

impl Headers {
    /// Those of the endpoint: what its provider wants, or else its wire, and over that the person's.
    pub(crate) fn of(endpoint: &Endpoint) -> Result<Self, HeaderError> {
        let (auth, fixed) = catalog::custom(endpoint);
        let own = headers(&endpoint.headers)?;
        let own = own.iter().map(|own| (own.name.as_str(), &own.value));
        let fixed = fixed.iter().map(Fixed::pair);
        let mut others = HeaderMap::new();
        for (name, value) in fixed.chain(own) {
            let value = HeaderValue::from_str(value);
            let (Ok(read), Ok(value)) = (HeaderName::try_from(name), value) else {
                let name = name.to_owned();
                return Err(HeaderError::Value { name });
            };
            others.insert(read, value);
        }
        Ok(Self { auth, others })
    }

    /// All of them, the key in its place.
    pub(crate) fn with_key(&self, key: Option<&Secret<String>>) -> Result<HeaderMap, Fault> {
        let mut headers = self.others.clone();
        let Some(key) = key else { return Ok(headers) };
        let key = key.expose().trim();
        for auth in self.auth {
            let (name, value) = match auth {
                Auth::Bearer => (
                    AUTHORIZATION,
                    HeaderValue::from_str(&format!("Bearer {key}")),
                ),
                Auth::XApiKey => (
                    HeaderName::from_static("x-api-key"),
                    HeaderValue::from_str(key),
                ),
                Auth::ApiKey => (
                    HeaderName::from_static("api-key"),
                    HeaderValue::from_str(key),
                ),
                Auth::XGoogApiKey => (
                    HeaderName::from_static("x-goog-api-key"),
                    HeaderValue::from_str(key),
                ),
            };
            let mut value = value.map_err(|_| {
                Fault::new(
                    ErrorKind::Auth,
                    "the key holds characters that no key has; copy it again and save it anew",
                )
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use proptest::prelude::*;
    use protocol::Header;

    use super::{HeaderError, HeaderMap, HeaderName, HeaderValue, headers};

    fn header(name: &str, value: &str) -> Header {
        Header {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn headers_are_read_as_people_write_them() {
        let read = headers(&[header(" X-Team ", " red "), header("anthropic-beta", "a,b")]);
        let expected = [header("x-team", "red"), header("anthropic-beta", "a,b")];
        assert_eq!(read.unwrap(), expected);
        assert_eq!(headers(&[]).unwrap(), []);
    }

    #[test]
    fn wrong_headers_say_what_to_do() {
        let named = |name: &str| name.to_owned();
        let long = "x".repeat(1_025);
        for (name, value, expected) in [
            ("", "a", HeaderError::Name { name: named("") }),
            ("a b", "a", HeaderError::Name { name: named("a b") }),
            (
                "a\r\nb",
                "a",
                HeaderError::Name {
                    name: named("a\r\nb"),
                },
            ),
            ("é", "a", HeaderError::Name { name: named("é") }),
            (
                "Host",
                "a",
                HeaderError::Reserved {
                    name: named("host"),
                },
            ),
            (
                "Content-Length",
                "1",
                HeaderError::Reserved {
                    name: named("content-length"),
                },
            ),
            (
                "Transfer-Encoding",
                "chunked",
                HeaderError::Reserved {
                    name: named("transfer-encoding"),
                },
            ),
            ("x-a", "", HeaderError::Value { name: named("x-a") }),
            (
                "x-a",
                "a\r\nx-b: c",
                HeaderError::Value { name: named("x-a") },
            ),
            ("x-a", "é", HeaderError::Value { name: named("x-a") }),
            (
                "x-a",
                long.as_str(),
                HeaderError::Value { name: named("x-a") },
            ),
        ] {
            let error = headers(&[header(name, value)]).unwrap_err();
            assert_eq!(error, expected, "{name:?}: {value:?}");
            assert!(error.to_string().starts_with("headers: "), "{error}");
        }
        for name in [
            "Authorization",
            "x-api-key",
            "API-Key",
            "x-goog-api-key",
            "Cookie",
            "Proxy-Authorization",
            "x-auth-token",
            "cf-access-client-secret",
        ] {
            let error = headers(&[header(name, "canary")]).unwrap_err();
            let name = name.to_ascii_lowercase();
            assert_eq!(error, HeaderError::Secret { name });
            assert!(!error.to_string().contains("canary"), "it is not repeated");
        }
        let twice = headers(&[header("x-a", "1"), header("X-A", "2")]);
        let name = named("x-a");
        assert_eq!(twice, Err(HeaderError::Twice { name }));
        let many: Vec<Header> = (0..17).map(|n| header(&format!("x-{n}"), "1")).collect();
        assert_eq!(headers(&many), Err(HeaderError::TooMany));
        assert_eq!(headers(&many[..16]).unwrap().len(), 16);
    }

    proptest! {
        #[test]
        fn what_is_taken_can_be_sent(name in ".{0,70}", value in ".{0,1100}") {
            if let Ok(read) = headers(&[header(&name, &value)]) {
                let mut map = HeaderMap::new();
                for one in read {
                    let name = HeaderName::try_from(one.name).unwrap();
                    map.insert(name, HeaderValue::from_str(&one.value).unwrap());
                }
                prop_assert_eq!(map.len(), 1);
            }
        }
    }
}
