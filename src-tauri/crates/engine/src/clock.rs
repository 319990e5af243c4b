//! The time as the store keeps it, and the day as a model is told it.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY_MS: i64 = 86_400_000;

/// Now, in milliseconds UTC. A clock before 1970 counts as 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The number of the day that a time falls on, from 1970-01-01.
pub(crate) const fn day(at: i64) -> i64 {
    at.div_euclid(DAY_MS)
}

/// The day of a time in words, as `Monday, 23 November 2026`.
pub(crate) fn date_in_words(at: i64) -> String {
    const WEEKDAYS: [&str; 7] = [
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
        "Monday",
        "Tuesday",
        "Wednesday",
    ];
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let days = day(at);
    let weekday = usize::try_from(days.rem_euclid(7)).unwrap_or(0);
    let (year, month, day) = civil(days);
    let weekday = WEEKDAYS.get(weekday).copied().unwrap_or_default();
    let month = MONTHS.get(month).copied().unwrap_or_default();
    format!("{weekday}, {day} {month} {year}")
}

/// Year, month from 0 and day from 1 of a day number (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, usize, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 2
    } else {
        shifted_month - 10
    };
    let year = year_of_era + era * 400 + i64::from(month < 2);
    (year, usize::try_from(month).unwrap_or(0), day)
}

#[cfg(test)]
mod tests {
    use super::date_in_words;

    #[test]
    fn days_have_their_names() {
        assert_eq!(date_in_words(0), "Thursday, 1 January 1970");
        assert_eq!(date_in_words(951_782_400_000), "Tuesday, 29 February 2000");
        assert_eq!(date_in_words(1_795_478_399_999), "Monday, 23 November 2026");
        assert_eq!(
            date_in_words(1_795_478_400_000),
            "Tuesday, 24 November 2026"
        );
        assert_eq!(date_in_words(-1), "Wednesday, 31 December 1969");
    }
}
