//! The time as the store keeps it, and the day as a model is told it: the day where the person is.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

/// Now, in milliseconds UTC. A clock before 1970 counts as 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The day of the calendar that a time, in milliseconds UTC, falls on in a time zone. A time beyond
/// the year 9999 counts as 1970.
pub(crate) fn day(at: i64, zone: &TimeZone) -> Date {
    let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    zone.to_datetime(at).date()
}

/// When the day of the calendar began, in milliseconds UTC, that a time falls on in a time zone.
pub(crate) fn day_began(at: i64, zone: &TimeZone) -> i64 {
    began(day(at, zone), zone)
}

/// When a day begins in a time zone, in milliseconds UTC.
pub(crate) fn began(day: Date, zone: &TimeZone) -> i64 {
    zone.to_timestamp(day.to_datetime(Time::midnight()))
        .map_or(0, |midnight| midnight.as_millisecond())
}

/// A time, in milliseconds UTC, as the person's clock shows it: `2026-11-23 14:05:09`.
#[must_use]
pub fn local_time(at: i64) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    let local = TimeZone::system().to_datetime(at);
    local.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A day in words, as `Monday, 23 November 2026`.
pub(crate) fn in_words(day: Date) -> String {
    day.strftime("%A, %-d %B %Y").to_string()
}

#[cfg(test)]
mod tests {
    use jiff::tz::{TimeZone, offset};

    use super::{day, day_began, in_words};

    #[test]
    fn days_have_their_names() {
        let words = |at| in_words(day(at, &TimeZone::UTC));
        assert_eq!(words(0), "Thursday, 1 January 1970");
        assert_eq!(words(951_782_400_000), "Tuesday, 29 February 2000");
        assert_eq!(words(1_795_478_399_999), "Monday, 23 November 2026");
        assert_eq!(words(1_795_478_400_000), "Tuesday, 24 November 2026");
        assert_eq!(words(-1), "Wednesday, 31 December 1969");
        assert_eq!(words(i64::MAX), "Thursday, 1 January 1970");
    }

    #[test]
    fn a_day_begins_where_the_person_is() {
        let noon = 1_795_435_200_000;
        let hour = 3_600_000;
        assert_eq!(day_began(noon, &TimeZone::UTC), noon - 12 * hour);
        let zone = TimeZone::fixed(offset(9));
        assert_eq!(day_began(noon, &zone), noon - 21 * hour);
    }

    #[test]
    fn the_day_is_that_of_the_place() {
        let late_evening_in_london = 1_795_478_399_999;
        let words = |hours| {
            let zone = TimeZone::fixed(offset(hours));
            in_words(day(late_evening_in_london, &zone))
        };
        assert_eq!(words(9), "Tuesday, 24 November 2026");
        assert_eq!(words(-8), "Monday, 23 November 2026");
    }
}
