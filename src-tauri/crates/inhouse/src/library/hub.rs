//! The model hub: one file over https, resumed where it broke off, and only when the hub says
//! beforehand that it is the file we want. Every redirect is looked at again.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use futures::StreamExt as _;
use protocol::PullProgress;
use reqwest::header::{CONTENT_RANGE, HeaderMap, LOCATION, RANGE};
use reqwest::{Client, StatusCode};
use tokio::io::AsyncWriteExt as _;
use url::{Host, Url};

use super::LibraryError;
use super::fetch::Progress;

/// The hub's host.
pub const HUB_HOST: &str = "huggingface.co";
const HUB: &str = "https://huggingface.co/";
const CONNECT: Duration = Duration::from_secs(5);
const READ: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: usize = 5;

/// A hub.
#[derive(Clone, Debug)]
pub(super) struct Hub {
    base: String,
    /// Tests serve a hub of their own on loopback; a real one is never there.
    allow_loopback: bool,
}

/// A file that is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) repository: &'a str,
    pub(super) file: &'a str,
    pub(super) bytes: u64,
    pub(super) sha256: &'a str,
}

/// What the hub says about a file before it sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Advert {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// The hub was of no use, for this reason; another source may be.
fn useless(reason: impl Into<String>) -> LibraryError {
    LibraryError::Source(reason.into())
}

/// The hub has something else than we want, for this reason; another source may have it.
fn wrong(reason: impl Into<String>) -> LibraryError {
    LibraryError::WrongContent(reason.into())
}

impl Hub {
    pub(super) fn public() -> Self {
        Self {
            base: HUB.to_owned(),
            allow_loopback: false,
        }
    }

    #[cfg(test)]
    pub(super) const fn at(base: String) -> Self {
        Self {
            base,
            allow_loopback: true,
        }
    }

    fn url(&self, repository: &str, file: &str) -> Result<Url, LibraryError> {
        id_of(repository, file)?;
        let url = format!("{}{repository}/resolve/main/{file}", self.base);
        Url::parse(&url).map_err(|error| useless(format!("{url} is no address: {error}")))
    }

    /// The client follows no redirect by itself: `get` looks at each.
    fn client() -> Result<Client, LibraryError> {
        // A second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(READ)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("pilotfish/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| useless(format!("the network cannot be used: {error}")))
    }

    /// Asks what a file is, without its content.
    pub(super) async fn look_up(
        &self,
        repository: &str,
        file: &str,
    ) -> Result<Advert, LibraryError> {
        let url = self.url(repository, file)?;
        let response = Self::client()?
            .head(url)
            .send()
            .await
            .map_err(unreachable)?;
        let status = response.status();
        // It answers 401 for repositories that it does not have, or does not show to everybody.
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED) {
            return Err(LibraryError::NoSuchFile(format!("{repository}/{file}")));
        }
        if !status.is_success() && !status.is_redirection() {
            return Err(useless(format!("the model hub answered {status}")));
        }
        let headers = response.headers();
        let bytes = header(headers, "x-linked-size").and_then(|size| size.parse().ok());
        let sha256 = header(headers, "x-linked-etag")
            .map(|tag| {
                tag.trim_start_matches("W/")
                    .trim_matches('"')
                    .to_ascii_lowercase()
            })
            .filter(|tag| tag.len() == 64 && tag.bytes().all(|b| b.is_ascii_hexdigit()));
        match bytes.zip(sha256) {
            Some((bytes, sha256)) => Ok(Advert { bytes, sha256 }),
            None => Err(useless(
                "the model hub does not name the file's size and sum",
            )),
        }
    }

    /// Fetches a file into `part`, from where that ends.
    pub(super) async fn fetch(
        &self,
        wanted: &Wanted<'_>,
        part: &Path,
        progress: Progress<'_>,
    ) -> Result<(), LibraryError> {
        let advert = self.look_up(wanted.repository, wanted.file).await?;
        if advert.bytes != wanted.bytes || advert.sha256 != wanted.sha256 {
            return Err(wrong("the model hub offers another file under that name"));
        }
        let url = self.url(wanted.repository, wanted.file)?;
        let source = url.host_str().unwrap_or_default().to_owned();
        let mut file = tokio::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(part)
            .await?;
        let mut done = file.metadata().await?.len();
        if done > wanted.bytes {
            file.set_len(0).await?;
            done = 0;
        }
        if done == wanted.bytes {
            return Ok(());
        }
        let response = self.get(url, done).await?;
        if response.status() == StatusCode::OK && done > 0 {
            // It cannot resume.
            file.set_len(0).await?;
            done = 0;
        } else if done > 0 && !continues(response.headers(), done) {
            return Err(useless("the model hub went on at another place"));
        }
        let mut body = response.bytes_stream();
        let mut told = 0;
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(unreachable)?;
            done += bytes.len() as u64;
            if done > wanted.bytes {
                file.set_len(0).await?;
                return Err(wrong("the model hub sent more than it said"));
            }
            file.write_all(&bytes).await?;
            // Some ten times a second is enough for a progress bar.
            if done - told > (1 << 20) {
                told = done;
                let (source, total) = (source.clone(), wanted.bytes);
                progress(PullProgress::Fetching {
                    source,
                    done,
                    total,
                });
            }
        }
        file.flush().await?;
        if done == wanted.bytes {
            Ok(())
        } else {
            Err(useless(format!(
                "the model hub broke off after {done} bytes"
            )))
        }
    }

    /// Follows redirects to https on public hosts only, and gives the first other answer.
    async fn get(&self, mut url: Url, from: u64) -> Result<reqwest::Response, LibraryError> {
        let client = Self::client()?;
        for _ in 0..=MAX_REDIRECTS {
            self.allow(&url)?;
            let mut request = client.get(url.clone());
            if from > 0 {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            let response = request.send().await.map_err(unreachable)?;
            let status = response.status();
            if status.is_redirection() {
                let to = response
                    .headers()
                    .get(LOCATION)
                    .and_then(|to| to.to_str().ok());
                url = to
                    .and_then(|to| url.join(to).ok())
                    .ok_or_else(|| useless("the model hub redirects to nowhere"))?;
            } else if status == StatusCode::OK || status == StatusCode::PARTIAL_CONTENT {
                return Ok(response);
            } else {
                return Err(useless(format!("the model hub answered {status}")));
            }
        }
        Err(useless("the model hub redirects without end"))
    }

    /// No redirect may lead to plain text or into this machine or network.
    fn allow(&self, url: &Url) -> Result<(), LibraryError> {
        if self.allow_loopback && url.as_str().starts_with(&self.base) {
            return Ok(());
        }
        let is_inside = match url.host() {
            Some(Host::Domain(name)) => {
                name == "localhost" || name.ends_with(".localhost") || !name.contains('.')
            }
            Some(Host::Ipv4(ip)) => !is_public(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => !is_public(IpAddr::V6(ip)),
            None => true,
        };
        if url.scheme() != "https" || is_inside {
            return Err(useless(format!(
                "the model hub redirects to {}",
                url.origin().ascii_serialization()
            )));
        }
        Ok(())
    }
}

/// The id of a file of the hub: its name. Refuses what is no repository or no GGUF file.
pub(super) fn id_of(repository: &str, file: &str) -> Result<String, LibraryError> {
    let is_word = |word: &str| {
        (1..=96).contains(&word.len())
            && !word.starts_with('.')
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let is_repository = repository.split('/').count() == 2 && repository.split('/').all(is_word);
    if !is_repository {
        return Err(LibraryError::InvalidRequest(format!(
            "a repository is named owner/name, not {repository:?}"
        )));
    }
    file.rsplit('/')
        .next()
        .and_then(|name| name.strip_suffix(".gguf"))
        .filter(|name| !name.is_empty() && file.split('/').all(is_word))
        .map(str::to_owned)
        .ok_or_else(|| {
            LibraryError::InvalidRequest(format!("a model is a file ending in .gguf, not {file:?}"))
        })
}

fn unreachable(error: reqwest::Error) -> LibraryError {
    let what = if error.is_connect() || error.is_timeout() {
        "the model hub cannot be reached"
    } else {
        "the connection to the model hub broke off"
    };
    tracing::debug!("{what}: {error}");
    useless(what)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Whether an answer goes on at byte `from`.
fn continues(headers: &HeaderMap, from: u64) -> bool {
    headers
        .get(CONTENT_RANGE)
        .and_then(|range| range.to_str().ok())
        .is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            !(ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || ip.is_documentation())
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_public(IpAddr::V4(ip)),
            None => {
                !(ip.is_loopback()
                    || ip.is_unspecified()
                    || ip.is_unique_local()
                    || ip.is_unicast_link_local()
                    || ip.is_multicast())
            }
        },
    }
}
