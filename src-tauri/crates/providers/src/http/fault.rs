//! What can go wrong on the way to a provider, in words that a person can act on.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION};
use url::Url;

use crate::{ErrorKind, Fault};

/// The code of a fault about a connection that was refused: nothing listens there.
pub(super) const REFUSED: &str = "connection_refused";

/// The code of a fault about a certificate that is not trusted.
pub(super) const UNTRUSTED: &str = "certificate";

/// The code of a fault about a wait that was too long.
pub(super) const TIMEOUT: &str = "timeout";

/// A request that got no answer.
pub(super) fn not_sent(url: &Url, error: &reqwest::Error) -> Fault {
    let host = host(url);
    let why = innermost(error);
    let (message, code) = if is_untrusted(error) {
        let message = format!(
            "the certificate of {host} is not trusted ({why}); check the base URL and this \
             machine's clock"
        );
        (message, UNTRUSTED)
    } else if error.is_connect() || error.is_timeout() {
        let message =
            format!("could not connect to {host} ({why}); check that it runs, and the base URL");
        let code = if is_refused(error) {
            REFUSED
        } else {
            "connection"
        };
        (message, code)
    } else {
        let message = format!("the request to {host} got no answer ({why}); try again");
        (message, "connection")
    };
    let fault = Fault::new(ErrorKind::Network, message).with_code(code);
    match code {
        UNTRUSTED => fault.with_action(None),
        _ => fault,
    }
}

/// An answer whose connection ended before it did.
pub(super) fn broke_off(url: &Url, error: &reqwest::Error) -> Fault {
    let message = format!(
        "the connection to {} broke off before the answer ended ({}); continue it, or ask again",
        host(url),
        innermost(error)
    );
    Fault::new(ErrorKind::Interrupted, message).with_code("connection_lost")
}

/// A wait for a sign of life that was too long.
pub(super) fn silent(url: &Url, limit: Duration, kind: ErrorKind) -> Fault {
    let message = format!(
        "{} was silent for {} s; try again",
        host(url),
        limit.as_secs()
    );
    Fault::new(kind, message).with_code(TIMEOUT)
}

/// A body that trickles.
pub(super) fn slow(url: &Url, within: Duration) -> Fault {
    let message = format!(
        "{} did not come to an end in {} s; try again",
        host(url),
        within.as_secs()
    );
    Fault::new(ErrorKind::Interrupted, message).with_code(TIMEOUT)
}

/// An answer that is alive and says nothing.
pub(crate) fn wordless(url: &Url, within: Duration) -> Fault {
    let message = format!(
        "{} sent signs of life for {} s and nothing of the answer; try again",
        host(url),
        within.as_secs()
    );
    Fault::new(ErrorKind::Interrupted, message).with_code(TIMEOUT)
}

/// A body beyond what is read.
pub(super) fn too_large(url: &Url, limit: usize) -> Fault {
    let message = format!(
        "{} answered with more than {limit} bytes; check the base URL",
        host(url)
    );
    Fault::new(ErrorKind::Unknown, message)
        .with_code("too_large")
        .with_action(None)
}

/// An answer that points elsewhere, where the key does not go.
pub(super) fn moved(url: &Url, status: u16, headers: &HeaderMap) -> Fault {
    let target = headers
        .get(LOCATION)
        .and_then(|location| location.to_str().ok())
        .and_then(|location| url.join(location).ok())
        .and_then(|target| target.host_str().map(|_| host(&target)));
    let message = match target {
        Some(target) => format!(
            "{} points to {target}, which is not followed; if that is right, put it into the base \
             URL",
            host(url)
        ),
        None => format!("{} points elsewhere; check the base URL", host(url)),
    };
    let fault = Fault::new(ErrorKind::InvalidRequest, message).with_code("redirect");
    Fault {
        status: Some(status),
        ..fault
    }
}

/// Whether nothing listens there.
fn is_refused(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused)
    })
}

/// Whether the other side could not show that it is who it should be.
fn is_untrusted(error: &reqwest::Error) -> bool {
    causes(error).filter_map(of_tls).any(|error| {
        matches!(
            error,
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented
        )
    })
}

/// The error of TLS that this is, or that it wraps: what an I/O error wraps is not its source.
fn of_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let of_io = || of_tls(error.downcast_ref::<io::Error>()?.get_ref()?);
    error.downcast_ref().or_else(of_io)
}

/// An error and all that lies behind it.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error| (*error).source())
}

/// Host and port, for people.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or("the server");
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What lies at the bottom of an error, which is what a person can act on.
fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
        .to_string()
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect()
}
