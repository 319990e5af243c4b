//! How long a provider asks to wait, in the many ways in which providers say it. What is most exact
//! comes first: `retry-after-ms`, `retry-after` in seconds or as a date, Google's `RetryInfo` in the
//! body, the moment at which a limit that is used up is reset, and last the words of the message,
//! which are all that a stream has.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use serde_json::Value;

/// The longest wait that is believed. What asks for more means something else.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);

/// The limits whose state comes in headers: what is left of one, and when it is reset.
const LIMITS: [(&str, &str); 8] = [
    (
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    (
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ),
    (
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ),
    (
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ),
    (
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("ratelimit-remaining", "ratelimit-reset"),
];

/// The wait that the headers of an answer name.
pub(super) fn in_headers(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if let Some(ms) = text(headers, "retry-after-ms").and_then(number) {
        return believed(Duration::try_from_secs_f64(ms / 1_000.0).ok());
    }
    let value = text(headers, "retry-after")?;
    believed(match number(value) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => moment(value, now),
    })
}

/// The wait that an error's body names: `{"@type": "….RetryInfo", "retryDelay": "48s"}` in its
/// details.
pub(super) fn in_body(error: &Value) -> Option<Duration> {
    let details = error.get("details")?.as_array()?;
    believed(
        details
            .iter()
            .find_map(|detail| length(detail.get("retryDelay")?.as_str()?)),
    )
}

/// The wait that a message names, as OpenAI's "Please try again in 1.898s".
pub(super) fn in_message(message: &str) -> Option<Duration> {
    let (_, rest) = message.split_once("try again in ")?;
    let word = rest.split_whitespace().next()?.trim_end_matches(['.', ',']);
    let named = if number(word).is_some() {
        let unit = rest.split_whitespace().nth(1)?.trim_end_matches(['.', ',']);
        let letter = match unit {
            "second" | "seconds" | "s" => "s",
            "minute" | "minutes" => "m",
            "hour" | "hours" => "h",
            _ => return None,
        };
        length(&format!("{word}{letter}"))
    } else {
        length(word)
    };
    believed(named)
}

/// When the limits that are used up are all reset. Of one that has something left nothing follows:
/// its reset may be a day away.
pub(super) fn until_reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    LIMITS
        .iter()
        .filter(|(left, _)| {
            let left = text(headers, left).and_then(number);
            left.is_none_or(|left| left <= 0.0)
        })
        .filter_map(|(_, reset)| believed(until(text(headers, reset)?, now)))
        .max()
}

fn believed(wait: Option<Duration>) -> Option<Duration> {
    wait.filter(|wait| *wait <= LONGEST)
}

/// A reset, as a length of time, as a date, or as seconds or milliseconds since 1970.
fn until(value: &str, now: SystemTime) -> Option<Duration> {
    let since_epoch = match number(value) {
        Some(ms) if ms >= 1e12 => Duration::try_from_secs_f64(ms / 1_000.0).ok()?,
        Some(seconds) if seconds >= 1e9 => Duration::try_from_secs_f64(seconds).ok()?,
        _ => return length(value).or_else(|| moment(value, now)),
    };
    let at = SystemTime::UNIX_EPOCH.checked_add(since_epoch)?;
    Some(at.duration_since(now).unwrap_or_default())
}

/// The time until a date as HTTP writes it, or as RFC 3339 does.
fn moment(value: &str, now: SystemTime) -> Option<Duration> {
    let at = match httpdate::parse_http_date(value) {
        Ok(at) => at,
        Err(_) => value.parse::<jiff::Timestamp>().ok()?.try_into().ok()?,
    };
    Some(at.duration_since(now).unwrap_or_default())
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

    use super::{in_body, in_headers, in_message, until_reset};

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
            (&[("retry-after", "99999999")], None),
            (&[("retry-after", "2015-10-21T07:28:00Z")], Some(10_000)),
            (&[("retry-after-ms", "-5")], None),
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
    fn a_wait_in_a_message_is_read() {
        for (message, wait) in [
            (
                "limit reached. please try again in 1.898s. visit x",
                Some(1_898),
            ),
            ("please try again in 6m0s.", Some(360_000)),
            ("try again in 20ms", Some(20)),
            ("try again in 2 seconds.", Some(2_000)),
            ("try again in 3 minutes", Some(180_000)),
            ("try again in a moment", None),
            ("try again in 5", None),
            ("try again in ", None),
            ("", None),
        ] {
            assert_eq!(
                in_message(message),
                wait.map(Duration::from_millis),
                "{message}"
            );
        }
    }

    #[test]
    fn only_a_limit_that_is_used_up_is_waited_for() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_741_305_590);
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
            (
                &[
                    ("anthropic-ratelimit-requests-remaining", "3"),
                    ("anthropic-ratelimit-requests-reset", "2025-03-07T23:59:59Z"),
                    ("anthropic-ratelimit-input-tokens-remaining", "0"),
                    (
                        "anthropic-ratelimit-input-tokens-reset",
                        "2025-03-07T00:00:00Z",
                    ),
                ],
                Some(10_000),
            ),
            (&[("x-ratelimit-reset", "1741305600000")], Some(10_000)),
            (&[("x-ratelimit-reset", "1741305600")], Some(10_000)),
            (&[("x-ratelimit-reset", "1741305000")], Some(0)),
            (
                &[("ratelimit-remaining", "0"), ("ratelimit-reset", "7")],
                Some(7_000),
            ),
            (&[], None),
        ] {
            let found = until_reset(&headers(pairs), now);
            assert_eq!(found, wait.map(Duration::from_millis), "{pairs:?}");
        }
    }
}
