//! When a request is sent again, and after how long: as the official clients do, with two
//! differences. A wait of over a minute is not sat out but reported, so that a person can decide;
//! and an account without credit is not asked again, unless the provider says so.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use reqwest::header::HeaderMap;

use super::fault::{TIMEOUT, UNTRUSTED};
use crate::{ErrorKind, Fault};

/// The longest wait that is sat out.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How often and how patiently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How many times a request is sent again.
    pub count: u32,
    /// The first wait; each further one is twice as long.
    pub first_wait: Duration,
    /// The longest wait that we choose ourselves.
    pub longest_wait: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            count: 2,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(8),
        }
    }
}

impl Retries {
    /// How long to wait before the request is sent again; `None` when it is not. `sent` is how often
    /// it was sent again already, and `headers` those of the answer, if there was one.
    pub(super) fn wait(
        &self,
        sent: u32,
        fault: &Fault,
        headers: Option<&HeaderMap>,
    ) -> Option<Duration> {
        if sent >= self.count {
            return None;
        }
        let told = headers.and_then(|headers| headers.get("x-should-retry")?.to_str().ok());
        let retryable = match (told, fault.status) {
            (Some("true"), _) => true,
            (Some("false"), _) => false,
            _ if fault.kind == ErrorKind::Quota => false,
            (_, Some(status)) => matches!(status, 408 | 409 | 429 | 500..=599),
            // What timed out may be running there still, and be paid for.
            (_, None) => {
                let lasting = matches!(fault.code.as_deref(), Some(TIMEOUT | UNTRUSTED));
                fault.kind == ErrorKind::Network && !lasting
            }
        };
        if !retryable {
            return None;
        }
        match fault.retry_after {
            Some(wait) if wait > LONGEST_WAIT => None,
            Some(wait) => Some(wait),
            None => {
                let doubled = self.first_wait.saturating_mul(1 << sent.min(16));
                Some(doubled.min(self.longest_wait).mul_f64(jitter()))
            }
        }
    }
}

/// A factor from 0.75 to 1, so that clients that failed together do not return together.
fn jitter() -> f64 {
    let random = RandomState::new().hash_one(0_u8) % 1_024;
    1.0 - 0.25 * f64::from(u16::try_from(random).unwrap_or(0)) / 1_024.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{HeaderMap, HeaderValue};

    use super::Retries;
    use crate::{ErrorKind, Fault};

    fn fault(status: Option<u16>, kind: ErrorKind) -> Fault {
        Fault {
            status,
            ..Fault::new(kind, "")
        }
    }

    #[test]
    fn waits_double_with_jitter_and_end() {
        let retries = Retries {
            count: 8,
            ..Retries::default()
        };
        let busy = fault(Some(503), ErrorKind::Overloaded);
        for (sent, full) in [
            (0, 500),
            (1, 1_000),
            (2, 2_000),
            (3, 4_000),
            (4, 8_000),
            (7, 8_000),
        ] {
            let wait = retries.wait(sent, &busy, None).unwrap();
            let full = Duration::from_millis(full);
            assert!(
                wait <= full && wait >= full.mul_f64(0.75),
                "{sent}: {wait:?}"
            );
        }
        assert_eq!(
            retries.wait(8, &busy, None),
            None,
            "the eighth was the last"
        );
    }

    #[test]
    fn only_what_may_pass_is_sent_again() {
        let retries = Retries::default();
        let again = |fault: &Fault| retries.wait(0, fault, None).is_some();
        for status in [408, 409, 429, 500, 502, 503, 504, 529] {
            assert!(
                again(&fault(Some(status), ErrorKind::Overloaded)),
                "{status}"
            );
        }
        for status in [200, 301, 400, 401, 403, 404, 413, 422] {
            assert!(
                !again(&fault(Some(status), ErrorKind::InvalidRequest)),
                "{status}"
            );
        }
        assert!(again(&fault(None, ErrorKind::Network)));
        assert!(!again(&fault(None, ErrorKind::InvalidRequest)));
        for code in ["timeout", "certificate"] {
            let lasting = fault(None, ErrorKind::Network).with_code(code);
            assert!(!again(&lasting), "{code}");
        }
        assert!(
            !again(&fault(Some(429), ErrorKind::Quota)),
            "no credit does not pass"
        );
    }

    #[test]
    fn the_provider_is_obeyed() {
        let retries = Retries::default();
        let told = |text| {
            HeaderMap::from_iter([(
                reqwest::header::HeaderName::from_static("x-should-retry"),
                HeaderValue::from_static(text),
            )])
        };
        let busy = fault(Some(503), ErrorKind::Overloaded);
        assert_eq!(retries.wait(0, &busy, Some(&told("false"))), None);
        for wrong in [
            fault(Some(400), ErrorKind::InvalidRequest),
            fault(Some(402), ErrorKind::Quota),
        ] {
            assert!(retries.wait(0, &wrong, Some(&told("true"))).is_some());
        }
        let mut limited = fault(Some(429), ErrorKind::RateLimited);
        limited.retry_after = Some(Duration::from_secs(7));
        assert_eq!(
            retries.wait(0, &limited, None),
            Some(Duration::from_secs(7))
        );
        limited.retry_after = Some(Duration::from_secs(61));
        assert_eq!(
            retries.wait(0, &limited, None),
            None,
            "a long wait is the person's to decide"
        );
    }
}
