//! The fields that `extract` and `date_part` take out of times, dates and intervals.
//!
//! A field is a whole number of its smallest unit, which [`Field::scale`] says: seconds have six digits after the point.

use super::calendar::{
    JULIAN_EPOCH, MICROS_PER_SECOND, century, civil, day_of_year, iso_week, iso_weekday, millennium, split, weekday,
};
use crate::error::{Error, SqlState};

/// A field of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    Century,
    Day,
    Decade,
    DayOfWeek,
    DayOfYear,
    Epoch,
    Hour,
    IsoDayOfWeek,
    IsoYear,
    Julian,
    Microseconds,
    Millennium,
    Milliseconds,
    Minute,
    Month,
    Quarter,
    Second,
    Timezone,
    TimezoneHour,
    TimezoneMinute,
    Week,
    Year,
}

/// What a field is taken out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// What a wall clock shows.
    Wall {
        at_us: i64,
    },
    /// An instant, what the session's clocks show at it, and their offset in seconds.
    Instant {
        at_us: i64,
        wall_us: i64,
        offset_seconds: i32,
    },
    /// Days since 1970-01-01.
    Date {
        days: i64,
    },
    /// Microseconds since midnight.
    Time {
        at_us: i64,
    },
    Interval {
        months: i32,
        days: i32,
        nanos: i64,
    },
}

impl Source {
    fn type_name(self) -> &'static str {
        match self {
            Self::Wall { .. } => "timestamp without time zone",
            Self::Instant { .. } => "timestamp with time zone",
            Self::Date { .. } => "date",
            Self::Time { .. } => "time without time zone",
            Self::Interval { .. } => "interval",
        }
    }
}

impl Field {
    /// The field of a name; `None` where nothing has it.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "c" | "cent" | "century" | "centuries" => Self::Century,
            "d" | "day" | "days" => Self::Day,
            "dec" | "decade" | "decades" | "decs" => Self::Decade,
            "dow" => Self::DayOfWeek,
            "doy" => Self::DayOfYear,
            "epoch" => Self::Epoch,
            "h" | "hour" | "hours" | "hr" | "hrs" => Self::Hour,
            "isodow" => Self::IsoDayOfWeek,
            "isoyear" => Self::IsoYear,
            "j" | "jd" | "julian" => Self::Julian,
            "microsecond" | "microseconds" | "us" | "usec" | "usecs" | "useconds" => Self::Microseconds,
            "mil" | "mils" | "millennia" | "millennium" => Self::Millennium,
            "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" | "mseconds" => Self::Milliseconds,
            "m" | "min" | "mins" | "minute" | "minutes" => Self::Minute,
            "mon" | "mons" | "month" | "months" => Self::Month,
            "qtr" | "quarter" => Self::Quarter,
            "s" | "sec" | "second" | "seconds" | "secs" => Self::Second,
            "timezone" => Self::Timezone,
            "timezone_hour" | "timezone_h" => Self::TimezoneHour,
            "timezone_minute" | "timezone_m" => Self::TimezoneMinute,
            "w" | "week" | "weeks" => Self::Week,
            "y" | "year" | "years" | "yr" | "yrs" => Self::Year,
            _ => return None,
        })
    }

    /// Digits after the point; dates have no parts of a second.
    pub fn scale(self, of_date: bool) -> i8 {
        match self {
            _ if of_date => 0,
            Self::Epoch | Self::Second => 6,
            Self::Milliseconds => 3,
            _ => 0,
        }
    }

    /// The field of a time, in units of its scale.
    ///
    /// Fails with 0A000 where the type has no such field; `name` is how the user wrote it.
    pub fn of(self, source: Source, name: &str) -> Result<i64, Error> {
        let value = match source {
            Source::Wall { at_us } => self.of_wall(at_us).or((self == Self::Epoch).then_some(at_us)),
            Source::Instant { at_us, wall_us, offset_seconds } => {
                self.of_wall(wall_us).or_else(|| self.of_instant(at_us, i64::from(offset_seconds)))
            }
            Source::Date { days } => self.of_date(days),
            Source::Time { at_us } => self.of_time(at_us).or((self == Self::Epoch).then_some(at_us)),
            Source::Interval { months, days, nanos } => self.of_interval(months.into(), days.into(), nanos / 1000)?,
        };
        value.ok_or_else(|| {
            let message = format!("unit \"{name}\" not supported for type {}", source.type_name());
            Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
        })
    }

    fn of_wall(self, wall_us: i64) -> Option<i64> {
        let (days, time_us) = split(wall_us);
        self.of_time(time_us).or_else(|| match self {
            // The fraction of a Julian day has no end.
            Self::Epoch | Self::Julian => None,
            _ => self.of_date(days),
        })
    }

    fn of_instant(self, at_us: i64, offset_seconds: i64) -> Option<i64> {
        match self {
            Self::Epoch => Some(at_us),
            Self::Timezone => Some(offset_seconds),
            Self::TimezoneHour => Some(offset_seconds / 3600),
            Self::TimezoneMinute => Some(offset_seconds % 3600 / 60),
            _ => None,
        }
    }

    fn of_date(self, days: i64) -> Option<i64> {
        let (year, month, day) = civil(days);
        // The year before the first is 1 BC, which is -1 here.
        let without_zero = |year: i64| if year > 0 { year } else { year - 1 };
        Some(match self {
            Self::Century => century(year),
            Self::Day => i64::from(day),
            Self::Decade => year.div_euclid(10),
            Self::DayOfWeek => weekday(days),
            Self::DayOfYear => day_of_year(days),
            Self::Epoch => days * 86_400,
            Self::IsoDayOfWeek => iso_weekday(days),
            Self::IsoYear => without_zero(iso_week(days).0),
            Self::Julian => days + JULIAN_EPOCH,
            Self::Millennium => millennium(year),
            Self::Month => i64::from(month),
            Self::Quarter => i64::from(month - 1) / 3 + 1,
            Self::Week => iso_week(days).1,
            Self::Year => without_zero(year),
            _ => return None,
        })
    }

    fn of_time(self, time_us: i64) -> Option<i64> {
        let seconds = time_us / MICROS_PER_SECOND;
        Some(match self {
            Self::Hour => seconds / 3600,
            Self::Minute => seconds / 60 % 60,
            // Millionths of a second, thousandths of a millisecond and whole microseconds are one number.
            Self::Second | Self::Milliseconds | Self::Microseconds => time_us % (60 * MICROS_PER_SECOND),
            _ => return None,
        })
    }

    fn of_interval(self, months: i64, days: i64, time_us: i64) -> Result<Option<i64>, Error> {
        let year = months / 12;
        Ok(Some(match self {
            Self::Century => year / 100,
            Self::Day => days,
            Self::Decade => year / 10,
            // A year has 365.25 days, a month 30.
            Self::Epoch => ((1461 * year + 120 * (months % 12) + 4 * days) * 21_600)
                .checked_mul(MICROS_PER_SECOND)
                .and_then(|us| us.checked_add(time_us))
                .ok_or_else(|| Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"))?,
            Self::Millennium => year / 1000,
            Self::Month => months % 12,
            Self::Quarter => months % 12 / 3 + 1,
            Self::Year => year,
            _ => return Ok(self.of_time(time_us)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_whole_number_of_its_smallest_unit() {
        // 2026-03-01 20:05:07.25, a Sunday.
        let at_us = 1_772_395_507_250_000;
        let of = |field: Field| field.of(Source::Wall { at_us }, "").map_err(|e| e.state);
        for (field, expected) in [
            (Field::Century, 21),
            (Field::Decade, 202),
            (Field::DayOfWeek, 0),
            (Field::IsoDayOfWeek, 7),
            (Field::DayOfYear, 60),
            (Field::Week, 9),
            (Field::Quarter, 1),
            (Field::Hour, 20),
            (Field::Minute, 5),
            (Field::Second, 7_250_000),
            (Field::Milliseconds, 7_250_000),
            (Field::Microseconds, 7_250_000),
            (Field::Epoch, at_us),
        ] {
            assert_eq!(of(field), Ok(expected), "{field:?}");
        }
        assert_eq!(of(Field::Timezone), Err(SqlState::FEATURE_NOT_SUPPORTED));
        assert_eq!(of(Field::Julian), Err(SqlState::FEATURE_NOT_SUPPORTED));
    }

    #[test]
    fn intervals_keep_their_own_months_days_and_hours() {
        let source = Source::Interval { months: -14, days: 3, nanos: 90_061_500_000_000 };
        let of = |field: Field| field.of(source, "").map_err(|e| e.state);
        assert_eq!(of(Field::Year), Ok(-1));
        assert_eq!(of(Field::Month), Ok(-2));
        assert_eq!(of(Field::Hour), Ok(25));
        assert_eq!(of(Field::Second), Ok(1_500_000));
        assert_eq!(of(Field::Epoch), Ok(((-1461 - 240 + 12) * 21_600 + 90_061) * 1_000_000 + 500_000));
        assert_eq!(of(Field::DayOfWeek), Err(SqlState::FEATURE_NOT_SUPPORTED));
    }
}
