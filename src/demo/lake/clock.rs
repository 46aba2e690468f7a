//! The shop's calendar: 1 March to 31 May 2026, as clocks in Shanghai show it.
//!
//! All times are microseconds since 1970-01-01 UTC. China keeps UTC+8 all year, so local time is
//! a fixed shift.

pub const SECOND_US: i64 = 1_000_000;
pub const MINUTE_US: i64 = 60 * SECOND_US;
pub const HOUR_US: i64 = 60 * MINUTE_US;
pub const DAY_US: i64 = 24 * HOUR_US;

/// How far clocks in Shanghai are ahead of UTC.
pub const LOCAL_SHIFT_US: i64 = 8 * HOUR_US;

/// 2026-03-01 as days since 1970-01-01: day 0 of the demo.
pub const FIRST_DAY_EPOCH: i64 = 20_513;

/// Days of the demo: March, April, May.
pub const DAY_COUNT: i64 = 92;

/// A day of the demo by month and day of month; day 0 is 1 March.
pub const fn day(month: i64, day_of_month: i64) -> i64 {
    let before = match month {
        3 => 0,
        4 => 31,
        _ => 61,
    };
    before + day_of_month - 1
}

/// The moment at which a day of the demo begins in Shanghai.
pub const fn starts_us(day: i64) -> i64 {
    (FIRST_DAY_EPOCH + day) * DAY_US - LOCAL_SHIFT_US
}

/// The end of the demo: nothing happens at or after it.
pub const END_US: i64 = starts_us(DAY_COUNT);

/// The local day of a moment; 1 March is 0.
pub const fn day_of(at_us: i64) -> i64 {
    (at_us + LOCAL_SHIFT_US).div_euclid(DAY_US) - FIRST_DAY_EPOCH
}

/// The local hour of a moment, 0 to 23.
pub const fn hour_of(at_us: i64) -> i64 {
    (at_us + LOCAL_SHIFT_US).rem_euclid(DAY_US) / HOUR_US
}

/// The local week of a moment: weeks begin on Monday, and 2 March is a Monday.
pub const fn week_of(at_us: i64) -> i64 {
    (day_of(at_us) - 1).div_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Datelike, Timelike};

    #[test]
    fn the_calendar_is_the_real_one() {
        for (number, text) in [
            (day(3, 1), "2026-03-01T00:00:00+08:00"),
            (day(4, 20), "2026-04-20T00:00:00+08:00"),
            (day(5, 31), "2026-05-31T00:00:00+08:00"),
            (DAY_COUNT, "2026-06-01T00:00:00+08:00"),
        ] {
            let real = DateTime::parse_from_rfc3339(text).expect("a well-formed date");
            assert_eq!(starts_us(number), real.timestamp_micros(), "{text}");
            assert_eq!(day_of(starts_us(number)), number);
            assert_eq!(day_of(starts_us(number) - 1), number - 1);
        }
    }

    #[test]
    fn hours_and_weeks_are_local() {
        let real = DateTime::parse_from_rfc3339("2026-05-11T00:30:00+08:00").expect("a date");
        let at_us = real.timestamp_micros();
        assert_eq!(hour_of(at_us), i64::from(real.hour()));
        assert_eq!(real.weekday(), chrono::Weekday::Mon);
        assert_eq!(week_of(at_us), week_of(at_us - HOUR_US) + 1);
    }
}
