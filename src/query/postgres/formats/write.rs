//! Times and intervals by a pattern: `to_char`.

use std::fmt::Write;

use super::pattern::{Case, Field, Key, Node, TimePattern};
use super::{DAYS, MONTHS, ROMAN_MONTHS, ordinal};
use crate::error::{Error, Result, SqlState};
use crate::query::postgres::times::Zone;
use crate::query::postgres::times::calendar::{
    JULIAN_EPOCH, MICROS_PER_SECOND, century, civil, day_of_year, iso_week, iso_weekday, iso_year_start, split, weekday,
};

/// What is written: a wall time, which may be that of an instant in a zone, or an interval.
#[derive(Clone, Debug)]
pub struct Moment {
    year: i64,
    month: i64,
    day: i64,
    /// Microseconds of the clock; of an interval with a sign, and without an end.
    time_us: i64,
    /// Days since 1970-01-01; intervals have none.
    days: Option<i64>,
    zone: Option<(String, i32)>,
}

impl Moment {
    /// A wall time.
    pub fn of_wall(wall_us: i64) -> Self {
        let (days, time_us) = split(wall_us);
        let (year, month, day) = civil(days);
        Self { year, month: month.into(), day: day.into(), time_us, days: Some(days), zone: None }
    }

    /// What the clocks of a zone show at an instant.
    pub fn of_instant(at_us: i64, zone: Zone) -> Self {
        let offset = zone.offset_seconds(at_us);
        Self { zone: Some((zone.abbreviation(at_us), offset)), ..Self::of_wall(zone.wall_time(at_us)) }
    }

    /// An interval.
    pub fn of_interval(months: i32, days: i32, nanos: i64) -> Self {
        let (months, day) = (i64::from(months), i64::from(days));
        Self { year: months / 12, month: months % 12, day, time_us: nanos / 1000, days: None, zone: None }
    }

    /// The year as it is written, without a sign.
    fn shown_year(&self) -> i64 {
        if self.days.is_some() && self.year <= 0 { 1 - self.year } else { self.year }
    }

    fn days(&self) -> Result<i64> {
        self.days.ok_or_else(|| {
            Error::new(SqlState::INVALID_DATETIME_FORMAT, "invalid format specification for an interval value")
                .with_hint("Intervals are not tied to specific calendar dates.")
        })
    }
}

/// Writes a moment by a pattern.
///
/// Fails with 22007 where an interval is asked for a field of the calendar.
pub fn write(pattern: &TimePattern, moment: &Moment) -> Result<String> {
    let mut out = String::new();
    for node in &pattern.nodes {
        match node {
            Node::Literal(character) | Node::Separator(character) => out.push(*character),
            Node::Field(field) => write_field(&mut out, field, moment)?,
        }
    }
    Ok(out)
}

fn write_field(out: &mut String, field: &Field, moment: &Moment) -> Result<()> {
    let seconds = moment.time_us / MICROS_PER_SECOND;
    let micros = moment.time_us % MICROS_PER_SECOND;
    let hour = seconds / 3600;
    let year = moment.shown_year();
    let word = |word: &str| field.case.of(word);
    let text = match field.key {
        Key::Exactly => return Ok(()),
        Key::Era { dots } => {
            moment.days()?;
            let era = if moment.year <= 0 { "Bc" } else { "Ad" };
            dotted(era, dots, field.case)
        }
        Key::HalfDay { dots } => dotted(if hour % 24 >= 12 { "Pm" } else { "Am" }, dots, field.case),
        Key::MonthName => {
            moment.days()?;
            let name = word(MONTHS[moment.month as usize - 1]);
            if field.is_bare { name } else { format!("{name:<9}") }
        }
        Key::MonthShortName => {
            moment.days()?;
            word(&MONTHS[moment.month as usize - 1][..3])
        }
        Key::DayName => {
            let name = word(DAYS[weekday(moment.days()?) as usize]);
            if field.is_bare { name } else { format!("{name:<9}") }
        }
        Key::DayShortName => word(&DAYS[weekday(moment.days()?) as usize][..3]),
        Key::RomanMonth => {
            moment.days()?;
            let name = word(ROMAN_MONTHS[moment.month as usize - 1]);
            if field.is_bare { name } else { format!("{name:<4}") }
        }
        Key::ZoneName => {
            moment.days()?;
            let name = moment.zone.as_ref().map_or("", |(name, _)| name.as_str());
            if field.case == Case::Lower { name.to_ascii_lowercase() } else { name.to_owned() }
        }
        Key::ZoneHours | Key::ZoneMinutes | Key::Offset => {
            moment.days()?;
            offset(field, moment.zone.as_ref().map_or(0, |(_, offset)| *offset))
        }
        Key::Hour24 => number(field, hour, 2),
        Key::Hour12 => number(field, if hour % 12 == 0 { 12 } else { hour % 12 }, 2),
        Key::Minute => number(field, seconds / 60 % 60, 2),
        Key::Second => number(field, seconds % 60, 2),
        Key::SecondOfDay => number(field, seconds, 0),
        Key::Millisecond => number_padded(field, micros / 1000, 3),
        Key::Microsecond => number_padded(field, micros, 6),
        Key::Fraction(digits) => number_padded(field, micros / 10i64.pow(6 - u32::from(digits)), usize::from(digits)),
        Key::MonthNumber => number(field, moment.month, 2),
        // The only number that a minus stands in the width of.
        Key::DayOfMonth if field.is_bare => number(field, moment.day, 0),
        Key::DayOfMonth => number_padded(field, moment.day, 2),
        Key::DayOfYear => number(field, day_of_year(moment.days()?), 3),
        Key::IsoDayOfYear => {
            let days = moment.days()?;
            number(field, days - iso_year_start(iso_week(days).0) + 1, 3)
        }
        Key::DayOfWeek => number(field, weekday(moment.days()?) + 1, 0),
        Key::IsoDayOfWeek => number(field, iso_weekday(moment.days()?), 0),
        Key::WeekOfYear => number(field, (day_of_year(moment.days()?) - 1) / 7 + 1, 2),
        Key::IsoWeek => number(field, iso_week(moment.days()?).1, 2),
        Key::WeekOfMonth => {
            moment.days()?;
            number(field, (moment.day - 1) / 7 + 1, 0)
        }
        Key::Quarter => {
            moment.days()?;
            number(field, (moment.month - 1) / 3 + 1, 0)
        }
        Key::JulianDay => number(field, moment.days()? + JULIAN_EPOCH, 0),
        Key::Century => number(field, if moment.days.is_some() { century(moment.year) } else { moment.year / 100 }, 2),
        Key::YearWithComma => {
            let text = format!("{},{:03}", year / 1000, year % 1000);
            format!("{text}{}", th(field, &text))
        }
        Key::Year(digits) => last_digits(field, year, digits),
        Key::IsoYear(digits) => {
            let iso = iso_week(moment.days()?).0;
            last_digits(field, if iso > 0 { iso } else { 1 - iso }, digits)
        }
    };
    out.push_str(&text);
    Ok(())
}

/// `AD`, `a.d.`: there is no mixed case of these.
fn dotted(word: &str, dots: bool, case: Case) -> String {
    let word = if case == Case::Lower { word.to_ascii_lowercase() } else { word.to_ascii_uppercase() };
    if dots { format!("{}.{}.", &word[..1], &word[1..]) } else { word }
}

/// A number with zeros before it, a sign beside its width, and `th` where it is asked for.
fn number(field: &Field, value: i64, width: usize) -> String {
    let width = if field.is_bare { 0 } else { width + usize::from(value < 0) };
    let text = format!("{value:0width$}");
    format!("{text}{}", th(field, &text))
}

/// A fraction keeps its zeros in any case.
fn number_padded(field: &Field, value: i64, width: usize) -> String {
    let text = format!("{value:0width$}");
    format!("{text}{}", th(field, &text))
}

fn last_digits(field: &Field, year: i64, digits: u8) -> String {
    let value = if digits == 4 { year } else { year % 10i64.pow(digits.into()) };
    number(field, value, digits.into())
}

fn th(field: &Field, digits: &str) -> String {
    field.ordinal.map_or_else(String::new, |case| case.of(ordinal(digits)))
}

/// `+08:30` for OF, `+08` for TZH, `30` for TZM.
fn offset(field: &Field, seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    let mut text = String::new();
    let _ = match field.key {
        Key::ZoneHours => write!(text, "{sign}{hours:02}"),
        Key::ZoneMinutes => write!(text, "{minutes:02}"),
        _ if field.is_bare => write!(text, "{sign}{hours}"),
        _ => write!(text, "{sign}{hours:02}"),
    };
    if field.key == Key::Offset && minutes != 0 {
        let _ = write!(text, ":{minutes:02}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Datelike, Timelike};
    use proptest::prelude::*;

    fn shown(pattern: &str, wall_us: i64) -> String {
        write(&TimePattern::parse(pattern).unwrap(), &Moment::of_wall(wall_us)).unwrap()
    }

    #[test]
    fn fields_are_padded_unless_they_are_bare() {
        // 2026-03-01 20:05:07.25, a Sunday.
        let at_us = 1_772_395_507_250_000;
        for (pattern, expected) in [
            ("YYYY-MM-DD HH24:MI:SS.MS", "2026-03-01 20:05:07.250"),
            ("FMDD. FMMonth YYYY, Day|", "1. March 2026, Sunday   |"),
            ("Month|", "March    |"),
            ("IYYY-\"W\"IW-ID", "2026-W09-7"),
            ("DDDth Q W CC J", "060th 1 1 21 2461101"),
            ("HH12 AM a.m. hh p.m.", "08 PM p.m. 08 p.m."),
            ("Y,YYY YYY YY Y", "2,026 026 26 6"),
            ("FMDDth FMMMTH RM|FMRM|", "1st 3RD III |III|"),
            ("\\\"YYYY\\\" \"a \\\"b\\\"\"", "\"2026\" a \"b\""),
            ("SSSS US FF2 DY dy Dy", "72307 250000 25 SUN sun Sun"),
        ] {
            assert_eq!(shown(pattern, at_us), expected, "{pattern}");
        }
    }

    #[test]
    fn an_interval_has_no_calendar() {
        let write = |pattern: &str| {
            write(&TimePattern::parse(pattern).unwrap(), &Moment::of_interval(14, -3, 90_061_500_000_000))
        };
        assert_eq!(write("YYYY MM DD HH24:MI:SS.US").unwrap(), "0001 02 -3 25:01:01.500000");
        assert_eq!(write("Day").map_err(|e| e.state), Err(SqlState::INVALID_DATETIME_FORMAT));
    }

    proptest! {
        #[test]
        fn it_is_what_another_calendar_writes(seconds in -60_000_000_000i64..250_000_000_000, micros in 0i64..1_000_000) {
            let at = DateTime::from_timestamp(seconds, micros as u32 * 1000).unwrap().naive_utc();
            let pattern = "YYYY-MM-DD HH24:MI:SS.US DDD D ID IYYY IW Mon Dy";
            let week = at.iso_week();
            let expected = format!(
                "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{micros:06} {:03} {} {} {:04} {:02} {} {}",
                at.year(), at.month(), at.day(), at.hour(), at.minute(), at.second(), at.ordinal(),
                at.weekday().number_from_sunday(), at.weekday().number_from_monday(), week.year(), week.week(),
                at.format("%b"), at.format("%a"),
            );
            prop_assert_eq!(shown(pattern, seconds * 1_000_000 + micros), expected);
        }
    }
}
