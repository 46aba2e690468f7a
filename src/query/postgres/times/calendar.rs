//! The Gregorian calendar, carried on to all years, and the weeks of ISO 8601 in it.

/// Microseconds of a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds of a day without a change of clocks.
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// The Julian day of 1970-01-01.
pub const JULIAN_EPOCH: i64 = 2_440_588;

/// Days since 1970-01-01 and microseconds since midnight.
pub fn split(at_us: i64) -> (i64, i64) {
    (at_us.div_euclid(MICROS_PER_DAY), at_us.rem_euclid(MICROS_PER_DAY))
}

/// A difference of two times as days and what is left of one, both with its sign. Days fit: there are 107 million at most.
pub fn days_and_time(micros: i64) -> (i32, i64) {
    ((micros / MICROS_PER_DAY) as i32, micros % MICROS_PER_DAY)
}

/// Year (astronomical: 0 is 1 BC), month and day of a count of days since 1970-01-01.
pub fn civil(days: i64) -> (i64, u32, u32) {
    // Count from 0000-03-01, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day)
}

/// Days since 1970-01-01 of a date; the reverse of [`civil`]. Days beyond the end of the month count on.
pub fn days_of(year: i64, month: u32, day: u32) -> i64 {
    let month = i64::from(month);
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Whether a year has 366 days.
pub fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

/// Days of a month, which counts from one.
pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Day of the week: Sunday is 0.
pub fn weekday(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

/// Day of the week as ISO 8601 counts: Monday is 1, Sunday is 7.
pub fn iso_weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// Day of the year, from one.
pub fn day_of_year(days: i64) -> i64 {
    days - days_of(civil(days).0, 1, 1) + 1
}

/// The Monday on which a year of ISO 8601 starts: the week of 4 January.
pub fn iso_year_start(year: i64) -> i64 {
    let fourth = days_of(year, 1, 4);
    fourth - (iso_weekday(fourth) - 1)
}

/// Year and week of ISO 8601.
pub fn iso_week(days: i64) -> (i64, i64) {
    // The Thursday of a week is in the year that the week belongs to.
    let thursday = days - iso_weekday(days) + 4;
    let year = civil(thursday).0;
    (year, (days - iso_year_start(year)).div_euclid(7) + 1)
}

/// The century of a year: 2000 is in the 20th, 2001 in the 21st; there is none between the 1st and the 1st BC.
pub fn century(year: i64) -> i64 {
    if year > 0 { (year + 99) / 100 } else { -((99 - (year - 1)) / 100) }
}

/// The millennium of a year, counted as centuries are.
pub fn millennium(year: i64) -> i64 {
    if year > 0 { (year + 999) / 1000 } else { -((999 - (year - 1)) / 1000) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Datelike, NaiveDate, Weekday};

    #[test]
    fn every_day_of_eight_centuries_is_what_another_calendar_says() {
        let mut day = NaiveDate::from_ymd_opt(1600, 1, 1).unwrap();
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        for _ in 0..292_194 {
            let days = day.signed_duration_since(epoch).num_days();
            assert_eq!(civil(days), (i64::from(day.year()), day.month(), day.day()));
            assert_eq!(days_of(i64::from(day.year()), day.month(), day.day()), days);
            assert_eq!(day_of_year(days), i64::from(day.ordinal()));
            assert_eq!(weekday(days), i64::from(day.weekday().num_days_from_sunday()));
            assert_eq!(iso_weekday(days), i64::from(day.weekday().number_from_monday()));
            let week = day.iso_week();
            assert_eq!(iso_week(days), (i64::from(week.year()), i64::from(week.week())));
            let start = NaiveDate::from_isoywd_opt(week.year(), 1, Weekday::Mon).unwrap();
            assert_eq!(iso_year_start(i64::from(week.year())), start.signed_duration_since(epoch).num_days());
            day = day.succ_opt().unwrap();
        }
    }

    #[test]
    fn years_before_christ_have_no_year_zero_between_centuries() {
        let centuries = [(2001, 21), (2000, 20), (1, 1), (0, -1), (-99, -1), (-100, -2)];
        assert!(centuries.iter().all(|(year, expected)| century(*year) == *expected));
        let millennia = [(2001, 3), (2000, 2), (1, 1), (0, -1), (-999, -1), (-1000, -2)];
        assert!(millennia.iter().all(|(year, expected)| millennium(*year) == *expected));
    }
}
