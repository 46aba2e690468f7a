//! Text to times by a pattern: `to_date` and `to_timestamp`.
//!
//! Outside of `FX`, spaces before a field are passed over, a sign or space of the pattern takes at most one of the
//! text, and any other character takes whatever stands at its place. A number takes as many digits as its field has,
//! and more where no digit can follow. What the text does not say is the first of its kind; the year is 1 BC.

use super::pattern::{Field, Key, Node, TimePattern, is_separator};
use super::{DAYS, MONTHS, ROMAN_MONTHS};
use crate::error::{Error, Result, SqlState};
use crate::query::postgres::times::Zone;
use crate::query::postgres::times::calendar::{
    JULIAN_EPOCH, MICROS_PER_DAY, MICROS_PER_SECOND, civil, days_in_month, days_of, is_leap, iso_year_start,
};

/// What a text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// Days since 1970-01-01.
    pub days: i64,
    /// Microseconds since midnight.
    pub time_us: i64,
    /// Seconds east of Greenwich, where the pattern has TZH.
    pub offset_seconds: Option<i32>,
}

impl Read {
    /// The instant: at its own offset, or else in the zone of the session.
    pub fn instant(self, session: Zone) -> Result<i64> {
        let zone = self.offset_seconds.map_or(session, Zone::Fixed);
        let wall_us = self.days.checked_mul(MICROS_PER_DAY).and_then(|midnight| midnight.checked_add(self.time_us));
        let out_of_range = || Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range");
        Ok(zone.instant(wall_us.ok_or_else(out_of_range)?))
    }
}

/// Reads a text by a pattern.
///
/// Fails with 22007 where the text does not fit, with 22008 where it says a time that does not exist, and with 0A000
/// where the pattern has a field that is only written.
pub fn read(text: &str, pattern: &TimePattern) -> Result<Read> {
    let mut reader = Reader { text, rest: text, found: Found::default(), is_exact: false, skipped: 0 };
    for (index, node) in pattern.nodes.iter().enumerate() {
        if reader.rest.is_empty() {
            break;
        }
        reader.node(node, index == 0, pattern.nodes.get(index + 1))?;
    }
    reader.found.read(text)
}

/// The values of fields, as written.
#[derive(Default)]
struct Found {
    /// Whether years and weeks are those of ISO 8601, once a field has told.
    is_iso: Option<bool>,
    year: Option<i64>,
    /// Digits of the year that the pattern asks for.
    year_digits: u8,
    century: Option<i64>,
    is_before_christ: Option<bool>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    /// Sunday is 1.
    day_of_week: Option<i64>,
    week: Option<i64>,
    week_of_month: Option<i64>,
    julian: Option<i64>,
    hour: Option<i64>,
    has_half_days: bool,
    is_pm: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    second_of_day: Option<i64>,
    millis: Option<i64>,
    micros: Option<i64>,
    zone_is_negative: bool,
    zone_hours: Option<i64>,
    zone_minutes: Option<i64>,
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    found: Found,
    is_exact: bool,
    /// Spaces passed over beyond those of the pattern.
    skipped: i32,
}

impl Reader<'_> {
    fn node(&mut self, node: &Node, is_first: bool, next: Option<&Node>) -> Result<()> {
        if !self.is_exact && (is_first || matches!(node, Node::Field(_))) {
            self.skip_spaces();
        }
        match node {
            Node::Separator(_) if self.is_exact => self.skip_one(),
            Node::Separator(_) => {
                self.skipped -= 1;
                if self.rest.starts_with(is_separator) {
                    self.skip_one();
                    self.skipped += 1;
                }
            }
            Node::Literal(_) if self.is_exact => self.skip_one(),
            // A space that was passed over may have been this character's.
            Node::Literal(_) if self.skipped > 0 => self.skipped -= 1,
            Node::Literal(_) => self.skip_one(),
            Node::Field(field) => {
                self.field(field, next)?;
                if !self.is_exact {
                    self.skipped = 0;
                    self.skip_spaces();
                }
            }
        }
        Ok(())
    }

    fn skip_one(&mut self) {
        let mut characters = self.rest.chars();
        characters.next();
        self.rest = characters.as_str();
    }

    fn skip_spaces(&mut self) {
        while self.rest.starts_with(|c: char| c.is_ascii_whitespace()) {
            self.skip_one();
            self.skipped += 1;
        }
    }

    fn field(&mut self, field: &Field, next: Option<&Node>) -> Result<()> {
        self.convention(field.key)?;
        // Numbers of this field may go on as long as there are digits.
        let is_open = field.is_bare || field.ordinal.is_some() || !may_start_with_digit(next);
        let int = |reader: &mut Self, digits: usize| reader.integer(field, digits, is_open).map(|(value, _)| value);
        match field.key {
            Key::Exactly => self.is_exact = true,
            Key::Era { .. } => {
                let is_before = self.word(field, &["b.c.", "bc", "a.d.", "ad"])? < 2;
                put(is_before, &mut self.found.is_before_christ, field)?;
            }
            Key::HalfDay { .. } => {
                let is_pm = self.word(field, &["p.m.", "pm", "a.m.", "am"])? < 2;
                put(is_pm, &mut self.found.is_pm, field)?;
                self.found.has_half_days = true;
            }
            Key::MonthName => {
                let month = self.word(field, &MONTHS)? as i64 + 1;
                put(month, &mut self.found.month, field)?;
            }
            Key::MonthShortName => {
                let month = self.word(field, &MONTHS.map(|name| &name[..3]))? as i64 + 1;
                put(month, &mut self.found.month, field)?;
            }
            Key::RomanMonth => {
                // VIII before VII before V: the longest is meant.
                let mut numbers: Vec<(usize, &str)> = ROMAN_MONTHS.into_iter().enumerate().collect();
                numbers.sort_by_key(|(_, name)| std::cmp::Reverse(name.len()));
                let names: Vec<&str> = numbers.iter().map(|(_, name)| *name).collect();
                let month = numbers[self.word(field, &names)?].0 as i64 + 1;
                put(month, &mut self.found.month, field)?;
            }
            Key::DayName => {
                let day = self.word(field, &DAYS)? as i64 + 1;
                put(day, &mut self.found.day_of_week, field)?;
            }
            Key::DayShortName => {
                let day = self.word(field, &DAYS.map(|name| &name[..3]))? as i64 + 1;
                put(day, &mut self.found.day_of_week, field)?;
            }
            Key::Hour12 => {
                let hour = int(self, 2)?;
                put(hour, &mut self.found.hour, field)?;
                self.found.has_half_days = true;
            }
            Key::Hour24 => {
                let hour = int(self, 2)?;
                put(hour, &mut self.found.hour, field)?;
            }
            Key::Minute => put(int(self, 2)?, &mut self.found.minute, field)?,
            Key::Second => put(int(self, 2)?, &mut self.found.second, field)?,
            Key::SecondOfDay => put(int(self, 5)?, &mut self.found.second_of_day, field)?,
            Key::Millisecond => {
                let value = self.fraction(field, 3, is_open)?;
                put(value, &mut self.found.millis, field)?;
            }
            Key::Microsecond => {
                let value = self.fraction(field, 6, is_open)?;
                put(value, &mut self.found.micros, field)?;
            }
            Key::Fraction(digits) => {
                let value = self.fraction(field, digits.into(), is_open)? * 10i64.pow(6 - u32::from(digits));
                put(value, &mut self.found.micros, field)?;
            }
            Key::ZoneName | Key::Offset => {
                let message = format!("formatting field \"{}\" is only supported in to_char", field.spelling);
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            Key::ZoneHours => {
                // A minus may have been taken for the sign between two fields.
                let before = &self.text[..self.text.len() - self.rest.len()];
                let was_passed = self.skipped > 0 && before.ends_with('-');
                let has_sign = self.rest.starts_with(['+', '-', ' ']);
                self.found.zone_is_negative = if has_sign { self.rest.starts_with('-') } else { was_passed };
                if self.rest.starts_with(['+', '-', ' ']) {
                    self.skip_one();
                }
                let hours = self.integer(field, 2, is_open)?.0;
                put(hours, &mut self.found.zone_hours, field)?;
            }
            Key::ZoneMinutes => put(int(self, 2)?, &mut self.found.zone_minutes, field)?,
            Key::MonthNumber => put(int(self, 2)?, &mut self.found.month, field)?,
            Key::DayOfMonth => put(int(self, 2)?, &mut self.found.day, field)?,
            Key::DayOfYear | Key::IsoDayOfYear => put(int(self, 3)?, &mut self.found.day_of_year, field)?,
            Key::DayOfWeek => put(int(self, 1)?, &mut self.found.day_of_week, field)?,
            Key::IsoDayOfWeek => {
                // Monday is 1 here, Sunday is 1 there.
                let day = int(self, 1)? + 1;
                put(if day > 7 { 1 } else { day }, &mut self.found.day_of_week, field)?;
            }
            Key::WeekOfYear | Key::IsoWeek => put(int(self, 2)?, &mut self.found.week, field)?,
            Key::WeekOfMonth => put(int(self, 1)?, &mut self.found.week_of_month, field)?,
            // Which day of a quarter is meant nobody knows, so nothing is made of it.
            Key::Quarter => {
                int(self, 1)?;
            }
            Key::Century => put(int(self, 2)?, &mut self.found.century, field)?,
            Key::JulianDay => put(int(self, 1)?, &mut self.found.julian, field)?,
            Key::YearWithComma => {
                let thousands = self.integer(field, 9, true)?.0;
                let Some(after) = self.rest.strip_prefix(',') else { return Err(not_a_number(self.rest, field)) };
                self.rest = after;
                let rest = self.integer(field, 3, false)?.0;
                self.year(thousands * 1000 + rest, 4, field)?;
            }
            Key::Year(digits) | Key::IsoYear(digits) => {
                let (year, length) = self.integer(field, digits.into(), is_open)?;
                let year = if digits < 4 && length < 4 { nearest_to_2020(year) } else { year };
                self.year(year, digits, field)?;
            }
        }
        Ok(())
    }

    fn year(&mut self, year: i64, digits: u8, field: &Field) -> Result<()> {
        self.found.year_digits = digits;
        put(year, &mut self.found.year, field)
    }

    /// Weeks of ISO 8601 and months cannot be told together.
    fn convention(&mut self, key: Key) -> Result<()> {
        let is_iso = match key {
            Key::IsoYear(_) | Key::IsoWeek | Key::IsoDayOfWeek | Key::IsoDayOfYear => true,
            Key::Year(_)
            | Key::YearWithComma
            | Key::Century
            | Key::MonthNumber
            | Key::MonthName
            | Key::MonthShortName
            | Key::RomanMonth
            | Key::DayOfMonth
            | Key::DayOfYear
            | Key::DayOfWeek
            | Key::WeekOfYear
            | Key::WeekOfMonth => false,
            _ => return Ok(()),
        };
        match self.found.is_iso {
            Some(known) if known != is_iso => {
                Err(Error::new(SqlState::INVALID_DATETIME_FORMAT, "invalid combination of date conventions")
                    .with_hint("Do not mix Gregorian and ISO week date conventions in a formatting template."))
            }
            _ => {
                self.found.is_iso = Some(is_iso);
                Ok(())
            }
        }
    }

    /// A number, and how many characters it has.
    fn integer(&mut self, field: &Field, digits: usize, is_open: bool) -> Result<(i64, usize)> {
        self.rest = self.rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
        let sign_length = usize::from(self.rest.starts_with(['+', '-']));
        let digit_count = self.rest.bytes().skip(sign_length).take_while(u8::is_ascii_digit).count();
        let length = if is_open {
            sign_length + digit_count
        } else {
            if self.rest.len() < digits {
                let message = format!("source string too short for \"{}\" formatting field", field.spelling);
                return Err(Error::new(SqlState::INVALID_DATETIME_FORMAT, message)
                    .with_detail(format!("Field requires {digits} characters, but only {} remain.", self.rest.len()))
                    .with_hint("If your source string is not fixed-width, try using the \"FM\" modifier."));
            }
            let length = (sign_length + digit_count).min(digits);
            if digit_count > 0 && length < digits {
                let shown: String = self.rest.chars().take(digits).collect();
                let message = format!("invalid value \"{shown}\" for \"{}\"", field.spelling);
                return Err(Error::new(SqlState::INVALID_DATETIME_FORMAT, message)
                    .with_detail(format!("Field requires {digits} characters, but only {length} could be parsed."))
                    .with_hint("If your source string is not fixed-width, try using the \"FM\" modifier."));
            }
            length
        };
        if length <= sign_length {
            return Err(not_a_number(self.rest, field));
        }
        let (number, rest) = self.rest.split_at(length);
        let value = number.parse::<i32>().map_err(|_| {
            let message = format!("value for \"{}\" in source string is out of range", field.spelling);
            Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message).with_detail(format!(
                "Value must be in the range {} to {}.",
                i32::MIN,
                i32::MAX
            ))
        })?;
        self.rest = rest;
        Ok((value.into(), length))
    }

    /// The digits after a point: 25 of three digits is 250.
    fn fraction(&mut self, field: &Field, digits: usize, is_open: bool) -> Result<i64> {
        let (value, length) = self.integer(field, digits, is_open)?;
        let missing = digits.saturating_sub(length);
        Ok(value * 10i64.pow(missing as u32))
    }

    /// Which of the words stands next, in any case.
    fn word(&mut self, field: &Field, words: &[&str]) -> Result<usize> {
        let starts = |word: &&str| self.rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        match words.iter().position(starts) {
            Some(at) => {
                self.rest = &self.rest[words[at].len()..];
                Ok(at)
            }
            None => {
                let word: String = self.rest.chars().take_while(|c| !c.is_ascii_whitespace()).collect();
                let message = format!("invalid value \"{word}\" for \"{}\"", field.spelling);
                Err(Error::new(SqlState::INVALID_DATETIME_FORMAT, message)
                    .with_detail("The given value did not match any of the allowed values for this field."))
            }
        }
    }
}

/// Whether what follows a number in the pattern may be a digit of the text.
fn may_start_with_digit(next: Option<&Node>) -> bool {
    match next {
        None | Some(Node::Separator(_)) => false,
        Some(Node::Literal(character)) => character.is_ascii_digit(),
        Some(Node::Field(field)) => !matches!(
            field.key,
            Key::Era { .. }
                | Key::HalfDay { .. }
                | Key::DayName
                | Key::DayShortName
                | Key::MonthName
                | Key::MonthShortName
                | Key::RomanMonth
                | Key::ZoneName
                | Key::Offset
                | Key::ZoneHours
                | Key::Exactly
        ),
    }
}

fn not_a_number(rest: &str, field: &Field) -> Error {
    let word: String = rest.chars().take(field.spelling.len()).collect();
    let message = format!("invalid value \"{word}\" for \"{}\"", field.spelling);
    Error::new(SqlState::INVALID_DATETIME_FORMAT, message).with_detail("Value must be an integer.")
}

/// A field that is said twice must say the same.
fn put<T: PartialEq>(value: T, place: &mut Option<T>, field: &Field) -> Result<()> {
    if place.as_ref().is_some_and(|known| *known != value) {
        let message = format!("conflicting values for \"{}\" field in formatting string", field.spelling);
        return Err(Error::new(SqlState::INVALID_DATETIME_FORMAT, message)
            .with_detail("This value contradicts a previous setting for the same field type."));
    }
    *place = Some(value);
    Ok(())
}

/// A year of fewer digits is the one nearest to 2020.
fn nearest_to_2020(year: i64) -> i64 {
    match year {
        0..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}

impl Found {
    fn read(self, text: &str) -> Result<Read> {
        let out_of_range = || {
            let message = format!("date/time field value out of range: \"{text}\"");
            Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
        };
        let time_us = self.time_us()?.ok_or_else(out_of_range)?;
        let days = self.days()?.ok_or_else(out_of_range)?;
        let offset_seconds = match (self.zone_hours, self.zone_minutes) {
            (None, None) => None,
            (hours, minutes) => {
                let (hours, minutes) = (hours.unwrap_or(0), minutes.unwrap_or(0));
                if !(0..=15).contains(&hours) || !(0..60).contains(&minutes) {
                    return Err(out_of_range());
                }
                let seconds = (hours * 3600 + minutes * 60) as i32;
                Some(if self.zone_is_negative { -seconds } else { seconds })
            }
        };
        Ok(Read { days, time_us, offset_seconds })
    }

    /// `None` where there is no such time.
    fn time_us(&self) -> Result<Option<i64>> {
        let of_day = self.second_of_day.unwrap_or(0);
        let mut hour = self.hour.unwrap_or(of_day / 3600);
        let minute = self.minute.unwrap_or(of_day / 60 % 60);
        let second = self.second.unwrap_or(of_day % 60);
        if self.has_half_days {
            if !(1..=12).contains(&hour) {
                let message = format!("hour \"{hour}\" is invalid for the 12-hour clock");
                return Err(Error::new(SqlState::INVALID_DATETIME_FORMAT, message)
                    .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
            }
            let is_pm = self.is_pm.unwrap_or(false);
            hour = hour % 12 + if is_pm { 12 } else { 0 };
        }
        let micros = self.millis.unwrap_or(0) * 1000 + self.micros.unwrap_or(0);
        let exists = (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second)
            && (0..MICROS_PER_SECOND).contains(&micros);
        Ok(exists.then(|| (hour * 3600 + minute * 60 + second) * MICROS_PER_SECOND + micros))
    }

    /// The year, astronomical; `None` where nothing tells it.
    fn astronomical_year(&self) -> Option<i64> {
        let is_before = self.is_before_christ == Some(true);
        let century = self.century.map(|century| if is_before { -century } else { century });
        match (self.year, century) {
            (Some(year), Some(century)) if self.year_digits <= 2 => {
                let in_century = year % 100;
                Some(match (in_century, century < 0) {
                    (0, true) => century * 100 + 1,
                    (0, false) => century * 100,
                    (_, true) => (century + 1) * 100 - in_century + 1,
                    (_, false) => (century - 1) * 100 + in_century,
                })
            }
            (Some(year), _) => {
                let year = if is_before { -year } else { year };
                // There is no year zero: -1 is 1 BC.
                Some(if year < 0 { year + 1 } else { year })
            }
            (None, Some(century)) => Some(if century >= 0 { (century - 1) * 100 + 1 } else { century * 100 + 1 }),
            (None, None) => None,
        }
    }

    /// `None` where there is no such date.
    fn days(&self) -> Result<Option<i64>> {
        if let Some(julian) = self.julian {
            let is_alone =
                [self.year, self.century, self.month, self.day, self.day_of_year, self.week, self.week_of_month]
                    .iter()
                    .all(Option::is_none);
            if !is_alone {
                let message = "\"J\" beside other fields of a date is not supported";
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            return Ok(Some(julian - JULIAN_EPOCH));
        }
        let known_year = self.astronomical_year();
        let year = known_year.unwrap_or(0);
        let is_iso = self.is_iso == Some(true);
        let mut day_of_year = self.day_of_year;
        if let Some(week) = self.week {
            if is_iso {
                let monday = iso_year_start(year) + (week - 1) * 7;
                // Sunday is 1 in the field and the last of its week.
                let after = self.day_of_week.map_or(0, |day| if day > 1 { day - 2 } else { 6 });
                return Ok((1..=53).contains(&week).then_some(monday + after));
            }
            day_of_year = Some((week - 1) * 7 + 1);
        }
        let mut day = self.day.unwrap_or(1);
        if let Some(week) = self.week_of_month {
            day = (week - 1) * 7 + 1;
        }
        let mut month = self.month.unwrap_or(1);
        if let Some(count) = day_of_year
            && (month <= 1 || day <= 1)
        {
            if known_year.is_none() {
                let message = "cannot calculate day of year without year information";
                return Err(Error::new(SqlState::INVALID_DATETIME_FORMAT, message));
            }
            if is_iso {
                return Ok(Some(iso_year_start(year) + count - 1));
            }
            let longest = if is_leap(year) { 366 } else { 365 };
            if !(1..=longest).contains(&count) {
                return Ok(None);
            }
            // What has been said of month and day, holds.
            let (_, counted_month, counted_day) = civil(days_of(year, 1, 1) + count - 1);
            month = if month <= 1 { counted_month.into() } else { month };
            day = if day <= 1 { counted_day.into() } else { day };
        }
        let exists = (-4713..=5_874_897).contains(&year)
            && (1..=12).contains(&month)
            && (1..=i64::from(days_in_month(year, month as u32))).contains(&day);
        Ok(exists.then(|| days_of(year, month as u32, day as u32)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::postgres::formats::write::{Moment, write};
    use crate::query::postgres::times::calendar::split;
    use proptest::prelude::*;

    fn shown(text: &str, pattern: &str) -> String {
        let pattern = TimePattern::parse(pattern).unwrap();
        match read(text, &pattern) {
            Err(error) => error.state.0.to_owned(),
            Ok(read) => {
                let moment = Moment::of_wall(read.days * MICROS_PER_DAY + read.time_us);
                write(&TimePattern::parse("YYYY-MM-DD HH24:MI:SS.US AD").unwrap(), &moment).unwrap()
            }
        }
    }

    #[test]
    fn texts_are_read_as_postgresql_reads_them() {
        let midnight = |date: &str| format!("{date} 00:00:00.000000 AD");
        for (text, pattern, expected) in [
            ("2026-03-01", "YYYY-MM-DD", midnight("2026-03-01")),
            ("  2026   3 1", "YYYY MM DD", midnight("2026-03-01")),
            ("20260301", "YYYYMMDD", midnight("2026-03-01")),
            ("1. march 26", "DD. Month YY", midnight("2026-03-01")),
            ("2026-W09-7", "IYYY-\"W\"IW-ID", midnight("2026-03-01")),
            ("2026 060", "YYYY DDD", midnight("2026-03-01")),
            ("2461101", "J", midnight("2026-03-01")),
            ("2000-1131", "YYYY-MMDD", midnight("2000-11-31").replace("2000-11-31 00:00:00.000000 AD", "22008")),
            ("8:05 pm", "HH12:MI AM", "0001-01-01 20:05:00.000000 BC".to_owned()),
            ("13:05 pm", "HH12:MI AM", "22007".to_owned()),
            ("12.5", "SS.MS", "0001-01-01 00:00:12.500000 BC".to_owned()),
            ("2026-02-30", "YYYY-MM-DD", "22008".to_owned()),
            ("2026-3", "YYYY-MM-DD", midnight("2026-03-01")),
            ("tea", "YYYY", "22007".to_owned()),
            ("2026 09", "IYYY MM", "22007".to_owned()),
            ("2026", "TZ", "0A000".to_owned()),
        ] {
            assert_eq!(shown(text, pattern), expected, "{text} by {pattern}");
        }
    }

    #[test]
    fn an_offset_makes_an_instant() {
        let pattern = TimePattern::parse("YYYY-MM-DD HH24:MI TZH:TZM").unwrap();
        let read = read("2026-03-01 08:00 -03:30", &pattern).unwrap();
        assert_eq!(read.instant(Zone::UTC), Ok(1_772_364_600_000_000));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in -60_000_000_000i64..250_000_000_000, micros in 0i64..1_000_000,
                                        at in 0usize..6) {
            let wall_us = seconds * 1_000_000 + micros;
            let pattern = [
                "YYYY-MM-DD HH24:MI:SS.US", "YYYYMMDDHH24MISSUS", "IYYY-IW-ID HH12:MI:SS.US PM", "DDD YYYY SSSS.US",
                "FMDD Month YYYY FMHH24:FMMI:FMSS.US", "J HH24:MI:SS.FF6",
            ][at];
            let pattern = TimePattern::parse(pattern).unwrap();
            let (days, _) = split(wall_us);
            prop_assume!(civil(days).0 > 0);
            let text = write(&pattern, &Moment::of_wall(wall_us)).unwrap();
            let read = read(&text, &pattern).unwrap();
            prop_assert_eq!(read.days * MICROS_PER_DAY + read.time_us, wall_us, "{}", text);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,20}", pattern in "(YYYY|MM|DD|HH24|Mon|IW|TZH|[- :]|FX|Y,YYY|CC|W|D){0,6}") {
            if let Ok(pattern) = TimePattern::parse(&pattern) {
                let _ = read(&text, &pattern);
            }
        }
    }
}
