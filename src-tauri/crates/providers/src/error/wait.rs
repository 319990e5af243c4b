//! How long a provider asks to wait, in the many ways in which providers say it. What is most exact
//! comes first: `retry-after-ms`, `retry-after` in seconds or as a date, Google's `RetryInfo` in the
//! body, and last the moment at which a limit that is used up is reset.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use serde_json::Value;

/// The limits whose state comes in headers `x-ratelimit-remaining-…` and `x-ratelimit-reset-…`.
const LIMITS: [&str; 2] = ["requests", "tokens"];

/// The wait that the headers of an answer name.
pub(super) fn in_headers(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if let Some(ms) = text(headers, "retry-after-ms").and_then(number) {
        return Duration::try_from_secs_f64(ms / 1_000.0).ok();
    }
    let value = text(headers, "retry-after")?;
    match number(value) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => {
            let date = httpdate::parse_http_date(value).ok()?;
            Some(date.duration_since(now).unwrap_or_default())
        }
    }
}

/// The wait that an error's body names: `{"@type": "….RetryInfo", "retryDelay": "48s"}` in its
/// details.
pub(super) fn in_body(error: &Value) -> Option<Duration> {
    let details = error.get("details")?.as_array()?;
    details
        .iter()
        .find_map(|detail| length(detail.get("retryDelay")?.as_str()?))
}

/// When the limits that are used up are all reset. Of one that has something left nothing follows:
/// its reset may be a day away.
pub(super) fn until_reset(headers: &HeaderMap) -> Option<Duration> {
    LIMITS
        .iter()
        .filter(|limit| {
            let left = text(headers, &format!("x-ratelimit-remaining-{limit}")).and_then(number);
            left.is_none_or(|left| left <= 0.0)
        })
        .filter_map(|limit| length(text(headers, &format!("x-ratelimit-reset-{limit}"))?))
        .max()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// A length of time as `6m0s`, `12ms`, `7.66s` or a bare number of seconds.
fn length(text: &str) -> Option<Duration> {
    if let Some(seconds) = number(text) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let mut sum = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount = number(&rest[..digits])?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let seconds = match &rest[..letters] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        rest = &rest[letters..];
        sum = sum.checked_add(Duration::try_from_secs_f64(amount * seconds).ok()?)?;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use pretty_assertions::assert_eq;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::json;

    use super::{in_body, in_headers, until_reset};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn waits_are_read_in_all_spellings() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_470);
        for (pairs, wait) in [
            (
                &[("retry-after-ms", "1500"), ("retry-after", "9")][..],
                Some(1_500),
            ),
            (&[("retry-after", "0.5")], Some(500)),
            (&[("retry-after", " 3 ")], Some(3_000)),
            (
                &[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")],
                Some(10_000),
            ),
            (&[("retry-after", "Wed, 21 Oct 2015 07:00:00 GMT")], Some(0)),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "1e300")], None),
            (&[("retry-after", "soon")], None),
            (&[], None),
        ] {
            let found = in_headers(&headers(pairs), now);
            assert_eq!(found, wait.map(Duration::from_millis), "{pairs:?}");
        }
    }

    #[test]
    fn a_wait_in_the_body_is_read() {
        let error = |delay: serde_json::Value| {
            json!({ "code": 429, "details": [
                { "@type": "type.googleapis.com/google.rpc.Help" },
                { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay },
            ] })
        };
        for (delay, wait) in [
            (json!("48s"), Some(48_000)),
            (json!("0.25s"), Some(250)),
            (json!("soon"), None),
            (json!(48), None),
        ] {
            assert_eq!(
                in_body(&error(delay.clone())),
                wait.map(Duration::from_millis),
                "{delay}"
            );
        }
        assert_eq!(in_body(&json!({ "details": "x" })), None);
    }

    #[test]
    fn only_a_limit_that_is_used_up_is_waited_for() {
        for (pairs, wait) in [
            (
                &[
                    ("x-ratelimit-remaining-requests", "14370"),
                    ("x-ratelimit-reset-requests", "23h59m"),
                    ("x-ratelimit-remaining-tokens", "0"),
                    ("x-ratelimit-reset-tokens", "7.66s"),
                ][..],
                Some(7_660),
            ),
            (&[("x-ratelimit-reset-requests", "6m0s")], Some(360_000)),
            (
                &[
                    ("x-ratelimit-reset-requests", "12ms"),
                    ("x-ratelimit-reset-tokens", "1m2s"),
                ],
                Some(62_000),
            ),
            (&[("x-ratelimit-reset-tokens", "2")], Some(2_000)),
            (&[("x-ratelimit-reset-tokens", "")], None),
            (&[("x-ratelimit-reset-tokens", "5 minutes")], None),
            (&[("x-ratelimit-reset-tokens", "1e300s")], None),
            (&[], None),
        ] {
            let found = until_reset(&headers(pairs));
            assert_eq!(found, wait.map(Duration::from_millis), "{pairs:?}");
        }
    }
}
