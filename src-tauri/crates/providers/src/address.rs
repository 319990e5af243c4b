//! Where a provider is: base URLs as people write them, and what a person is told about a host.

use protocol::{AppError, ErrorCode, RunsAt};
use url::{Host, Url};

/// The longest base URL, in bytes.
const MAX_URL_BYTES: usize = 2_048;

/// Endpoints that documentation shows in full, and that people therefore paste in full.
const PASTED: [&str; 5] = [
    "/chat/completions",
    "/completions",
    "/responses",
    "/messages",
    "/models",
];

/// Why a text is no base URL. Every message names the field and says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is nothing.
    #[error("base URL: write the server's address, as http://localhost:11434/v1")]
    Empty,
    /// It is absurdly long.
    #[error("base URL: shorten it to {MAX_URL_BYTES} bytes")]
    TooLong,
    /// There is no `http://` or `https://`.
    #[error("base URL: begin it with http:// or https://, as http://localhost:11434/v1")]
    Scheme,
    /// It cannot be read.
    #[error("base URL: {reason}; write it as http://localhost:11434/v1")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// It holds a user name or a password.
    #[error("base URL: leave out what stands before the @, and save the key as the endpoint's key")]
    UserInfo,
    /// It holds a query or a fragment.
    #[error("base URL: leave out everything from the {mark}")]
    Query {
        /// `?` or `#`.
        mark: char,
    },
    /// It is an example that the person has yet to complete: somebody else may be there.
    #[error("base URL: put the name of your own resource in place of YOUR-RESOURCE")]
    Placeholder,
    /// It is the address of one function and not of the API.
    #[error("base URL: leave out {suffix} at the end: {instead}")]
    Pasted {
        /// What is too much.
        suffix: &'static str,
        /// The address without it.
        instead: String,
    },
}

impl From<AddressError> for AppError {
    fn from(error: AddressError) -> Self {
        Self::new(ErrorCode::InvalidRequest, error.to_string())
    }
}

/// Reads a base URL as a person wrote it; blanks around it and slashes at its end are dropped.
///
/// # Errors
/// When it is none, with what to write instead.
pub fn base_url(text: &str) -> Result<Url, AddressError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(AddressError::Empty);
    }
    if text.len() > MAX_URL_BYTES {
        return Err(AddressError::TooLong);
    }
    let lower = text.to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        return Err(AddressError::Scheme);
    }
    if lower.contains("your-resource") {
        return Err(AddressError::Placeholder);
    }
    let mut url = Url::parse(text).map_err(|error| AddressError::Malformed {
        reason: error.to_string(),
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::UserInfo);
    }
    if url.query().is_some() {
        return Err(AddressError::Query { mark: '?' });
    }
    if url.fragment().is_some() {
        return Err(AddressError::Query { mark: '#' });
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    if let Some(suffix) = PASTED.into_iter().find(|suffix| path.ends_with(suffix)) {
        url.set_path(&path[..path.len() - suffix.len()]);
        return Err(AddressError::Pasted {
            suffix,
            instead: url.into(),
        });
    }
    Ok(url)
}

/// The address of a function under the base URL; `path` begins with a slash.
pub(crate) fn under(base_url: &Url, path: &str) -> Url {
    let mut url = base_url.clone();
    url.set_path(&format!("{}{path}", base_url.path().trim_end_matches('/')));
    url
}

/// Where a model at this address runs, judged by the host alone: nothing is looked up.
#[must_use]
pub fn runs_at(base_url: &Url) -> RunsAt {
    let host = base_url.host_str().unwrap_or_default().to_owned();
    let (this_machine, local_network) = match base_url.host() {
        Some(Host::Ipv4(ip)) => (
            ip.is_loopback() || ip.is_unspecified(),
            ip.is_private() || ip.is_link_local(),
        ),
        Some(Host::Ipv6(ip)) => match ip.to_ipv4_mapped() {
            Some(ip) => (
                ip.is_loopback() || ip.is_unspecified(),
                ip.is_private() || ip.is_link_local(),
            ),
            None => (
                ip.is_loopback() || ip.is_unspecified(),
                ip.is_unique_local() || ip.is_unicast_link_local(),
            ),
        },
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            (
                name == "localhost" || name.ends_with(".localhost"),
                name.ends_with(".local"),
            )
        }
        None => (false, false),
    };
    if this_machine {
        RunsAt::ThisMachine
    } else if local_network {
        RunsAt::LocalNetwork { host }
    } else {
        RunsAt::Host { host }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use protocol::RunsAt;
    use url::Url;

    use super::{AddressError, base_url, runs_at, under};

    #[test]
    fn base_urls_are_read_as_people_write_them() {
        for (text, expected) in [
            ("http://localhost:11434/v1", "http://localhost:11434/v1"),
            (
                "  https://api.example.org/v1/// ",
                "https://api.example.org/v1",
            ),
            ("HTTP://Example.ORG", "http://example.org/"),
            ("http://[::1]:8080", "http://[::1]:8080/"),
        ] {
            assert_eq!(base_url(text).unwrap().as_str(), expected);
        }
        let root = base_url("http://example.org/").unwrap();
        assert_eq!(
            under(&root, "/models").as_str(),
            "http://example.org/models"
        );
        let deep = base_url("http://example.org/openai/v1/").unwrap();
        assert_eq!(
            under(&deep, "/models").as_str(),
            "http://example.org/openai/v1/models"
        );
    }

    #[test]
    fn wrong_base_urls_say_what_to_do() {
        let pasted = AddressError::Pasted {
            suffix: "/chat/completions",
            instead: "http://localhost:11434/v1".to_owned(),
        };
        for (text, expected) in [
            ("  ", AddressError::Empty),
            ("localhost:11434/v1", AddressError::Scheme),
            ("file:///etc/passwd", AddressError::Scheme),
            ("javascript:alert(1)", AddressError::Scheme),
            ("https://user@example.org/v1", AddressError::UserInfo),
            ("https://:secret@example.org/v1", AddressError::UserInfo),
            (
                "https://example.org/v1?key=1",
                AddressError::Query { mark: '?' },
            ),
            (
                "https://example.org/v1#x",
                AddressError::Query { mark: '#' },
            ),
            ("http://localhost:11434/v1/chat/completions/", pasted),
            (
                "https://YOUR-RESOURCE.services.ai.azure.com/openai/v1",
                AddressError::Placeholder,
            ),
        ] {
            let error = base_url(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(
                error.to_string().starts_with("base URL: "),
                "the field is named"
            );
        }
        for text in ["http://", "http://exa mple.org", "http://host:99999"] {
            assert!(
                matches!(base_url(text), Err(AddressError::Malformed { .. })),
                "{text}"
            );
        }
        assert_eq!(
            base_url(&format!("http://{}", "x".repeat(4_096))),
            Err(AddressError::TooLong)
        );
        let secret = base_url("https://:canary@example.org")
            .unwrap_err()
            .to_string();
        assert!(
            !secret.contains("canary"),
            "what was pasted as a password is not repeated"
        );
    }

    #[test]
    fn hosts_are_told_apart() {
        let at = |url: &str| runs_at(&Url::parse(url).unwrap());
        for url in [
            "http://localhost:1",
            "http://LOCALHOST.",
            "http://a.localhost",
            "http://127.9.9.9",
            "http://0x7f000001",
            "http://0.0.0.0:8000",
            "http://[::1]",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert_eq!(at(url), RunsAt::ThisMachine, "{url}");
        }
        for url in [
            "http://10.0.0.1",
            "http://172.16.0.1",
            "http://192.168.1.4",
            "http://169.254.1.1",
            "http://[fd00::1]",
            "http://[fe80::1]",
            "http://studio.local",
        ] {
            assert!(matches!(at(url), RunsAt::LocalNetwork { .. }), "{url}");
        }
        for url in [
            "https://api.example.org",
            "http://localhost.example.org",
            "http://127.0.0.1.example.org",
            "http://172.32.0.1",
            "http://[2001:db8::1]",
            "http://notlocal",
        ] {
            assert!(matches!(at(url), RunsAt::Host { .. }), "{url}");
        }
        assert_eq!(
            at("https://api.example.org/v1"),
            RunsAt::Host {
                host: "api.example.org".to_owned()
            }
        );
    }
}
