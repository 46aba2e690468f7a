//! Text that means a date, a wall time or an instant, in the spellings that PostgreSQL reads.
//!
//! Dates are `2026-03-01`, `20260301`, `3/1/2026` (month first), or have a month's name; times are `8:30`, `08:30:15.25`,
//! `8:30 PM`; a zone is an offset east of Greenwich, an abbreviation or a city. `BC` may follow, and the day of the
//! week may be said. Words that depend on when they are read (`now`, `today`) are constants of the statement and are
//! read there (`literals.rs`).

use super::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND, days_in_month, days_of};
use super::zone::{Zone, is_infinite};
use crate::error::{Error, SqlState};

/// Last and first year that PostgreSQL has.
const YEARS: std::ops::RangeInclusive<i64> = -4712..=294_276;
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// The wall time of a text; a zone in it says nothing, as in PostgreSQL.
pub fn timestamp(text: &str) -> Result<i64, Error> {
    read(text, "timestamp").and_then(|moment| moment.wall_us(text))
}

/// The instant of a text: in its own zone, or else in that of the session.
pub fn instant(text: &str, session: Zone) -> Result<i64, Error> {
    let moment = read(text, "timestamp with time zone")?;
    let wall_us = moment.wall_us(text)?;
    Ok(if is_infinite(wall_us) { wall_us } else { moment.zone.unwrap_or(session).instant(wall_us) })
}

/// The date of a text, in days since 1970-01-01; a time of day in it says nothing.
pub fn date(text: &str) -> Result<i32, Error> {
    let days = match read(text, "date")?.date {
        Date::Days(days) => days,
        Date::Infinite(_) => {
            let message = format!("an infinite date is not supported: \"{text}\"");
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
    };
    i32::try_from(days).map_err(|_| out_of_range(text))
}

#[derive(Clone, Copy)]
enum Date {
    Days(i64),
    Infinite(i64),
}

struct Moment {
    date: Date,
    /// Microseconds since midnight.
    time_us: i64,
    zone: Option<Zone>,
}

impl Moment {
    fn wall_us(&self, text: &str) -> Result<i64, Error> {
        match self.date {
            Date::Infinite(end) => Ok(end),
            Date::Days(days) => days
                .checked_mul(MICROS_PER_DAY)
                .and_then(|midnight| midnight.checked_add(self.time_us))
                .ok_or_else(|| out_of_range(text)),
        }
    }
}

fn out_of_range(text: &str) -> Error {
    let message = format!("date/time field value out of range: \"{text}\"");
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
}

/// Why a text is no moment.
enum Wrong {
    Syntax,
    Range,
    Zone(Error),
}

fn read(text: &str, type_name: &str) -> Result<Moment, Error> {
    read_words(text.trim()).map_err(|wrong| match wrong {
        Wrong::Syntax => {
            let message = format!("invalid input syntax for type {type_name}: \"{text}\"");
            Error::new(SqlState::INVALID_DATETIME_FORMAT, message)
        }
        Wrong::Range => out_of_range(text),
        Wrong::Zone(error) => error,
    })
}

fn read_words(text: &str) -> Result<Moment, Wrong> {
    let alone = |date| Ok(Moment { date, time_us: 0, zone: None });
    match text.to_ascii_lowercase().as_str() {
        "infinity" | "+infinity" => return alone(Date::Infinite(i64::MAX)),
        "-infinity" => return alone(Date::Infinite(i64::MIN)),
        "epoch" => return Ok(Moment { date: Date::Days(0), time_us: 0, zone: Some(Zone::UTC) }),
        _ => {}
    }
    let mut parts = Parts::default();
    let mut rest = text;
    while !rest.is_empty() {
        let length = word_length(rest);
        let (word, after) = rest.split_at(length);
        rest = after.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        parts.take(word)?;
    }
    parts.moment()
}

/// How far the first word goes: a number, a clock, a date, an offset or letters.
fn word_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let run = |from: usize, belongs: fn(u8) -> bool| {
        from + bytes[from..].iter().position(|b| !belongs(*b)).unwrap_or(bytes.len() - from)
    };
    match bytes[0] {
        b'0'..=b'9' => {
            let end = run(0, |b| b.is_ascii_digit());
            match bytes.get(end) {
                Some(b':') => run(end, |b| b.is_ascii_digit() || matches!(b, b':' | b'.')),
                Some(b'-' | b'/') => {
                    run(end, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'/')).min(date_end(text))
                }
                Some(b'.') => run(end, |b| b.is_ascii_digit() || b == b'.'),
                _ => end,
            }
        }
        b'+' | b'-' => run(1, |b| b.is_ascii_digit() || b == b':'),
        // The T between date and time, before digits only.
        b'T' | b't' if bytes.get(1).is_some_and(u8::is_ascii_digit) => 1,
        byte if byte.is_ascii_alphabetic() => {
            let end = run(0, |b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'/' | b'.'));
            // `Etc/GMT+5` and `UTC+3` go on; after a month's name a number starts.
            match bytes.get(end) {
                Some(b'+' | b'-') => {
                    run(end, |b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b':' | b'_' | b'/'))
                }
                _ => end,
            }
        }
        _ => text.chars().next().map_or(1, char::len_utf8),
    }
}

/// Where a date that starts with a number ends: after its third part, before `T` and a time.
fn date_end(text: &str) -> usize {
    let mut separators = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'-' | b'/' => {
                separators += 1;
                if separators == 3 {
                    return at;
                }
            }
            b'T' | b't' if separators == 2 => return at,
            _ => {}
        }
    }
    text.len()
}

#[derive(Default)]
struct Parts {
    year: Option<i64>,
    month: Option<u32>,
    day: Option<u32>,
    time_us: Option<i64>,
    is_pm: Option<bool>,
    is_before_christ: Option<bool>,
    zone: Option<Zone>,
    after_t: bool,
}

impl Parts {
    fn take(&mut self, word: &str) -> Result<(), Wrong> {
        let first = word.as_bytes().first().copied().unwrap_or_default();
        match first {
            b'0'..=b'9' if word.contains(':') => self.put_time(clock(word)?),
            b'0'..=b'9' if word.contains(['-', '/', '.']) => self.take_date(word),
            b'0'..=b'9' => self.take_number(word),
            b'+' | b'-' => self.put_zone(signed_offset(word).ok_or(Wrong::Syntax)?),
            _ if first.is_ascii_alphabetic() => self.take_word(word),
            _ => Err(Wrong::Syntax),
        }
    }

    fn take_date(&mut self, word: &str) -> Result<(), Wrong> {
        let parts: Vec<&str> = word.split(['-', '/', '.']).collect();
        let [first, second, third] = parts.as_slice() else { return Err(Wrong::Syntax) };
        let (year, month, day) = match (month_of(first), month_of(second)) {
            (Some(month), None) => (*third, Some(month), *second),
            (None, Some(month)) if first.len() >= 3 => (*first, Some(month), *third),
            (None, Some(month)) => (*third, Some(month), *first),
            (None, None) if first.len() >= 3 => (*first, Some(number(second)? as u32), *third),
            // The month comes first, as DateStyle says.
            (None, None) => (*third, Some(number(first)? as u32), *second),
            _ => return Err(Wrong::Syntax),
        };
        self.put_date(full_year(year)?, month.ok_or(Wrong::Syntax)?, number(day)? as u32)
    }

    fn take_number(&mut self, digits: &str) -> Result<(), Wrong> {
        let has_date = self.day.is_some();
        let two = |at: usize| number(&digits[at..at + 2]);
        match digits.len() {
            4 | 6 if self.after_t => {
                let seconds = if digits.len() == 6 { two(4)? } else { 0 };
                self.put_time((two(0)? * 3600 + two(2)? * 60 + seconds) * MICROS_PER_SECOND)
            }
            8 if !has_date && self.month.is_none() => {
                self.put_date(number(&digits[..4])?, two(4)? as u32, two(6)? as u32)
            }
            1 | 2 if self.month.is_some() && !has_date => {
                self.day = Some(number(digits)? as u32);
                Ok(())
            }
            // Before its month: `1 March 2026`.
            1 | 2 if !has_date && self.year.is_none() => {
                self.day = Some(number(digits)? as u32);
                Ok(())
            }
            _ if self.year.is_none() && digits.len() <= 6 => {
                self.year = Some(full_year(digits)?);
                Ok(())
            }
            _ => Err(Wrong::Syntax),
        }
    }

    fn take_word(&mut self, word: &str) -> Result<(), Wrong> {
        let lower = word.to_ascii_lowercase();
        let known = lower.trim_end_matches('.');
        match known {
            "t" if self.time_us.is_none() => {
                self.after_t = true;
                return Ok(());
            }
            "am" | "a.m" => return put(&mut self.is_pm, false),
            "pm" | "p.m" => return put(&mut self.is_pm, true),
            "bc" | "b.c" => return put(&mut self.is_before_christ, true),
            "ad" | "a.d" => return put(&mut self.is_before_christ, false),
            _ => {}
        }
        if let Some(month) = month_of(known) {
            return put(&mut self.month, month);
        }
        if known.len() >= 3 && WEEKDAYS.iter().any(|day| day.starts_with(known)) {
            return Ok(());
        }
        let zone =
            Zone::named(word).map_err(|error| if word.contains('/') { Wrong::Zone(error) } else { Wrong::Syntax });
        self.put_zone(zone?)
    }

    fn put_date(&mut self, year: i64, month: u32, day: u32) -> Result<(), Wrong> {
        put(&mut self.year, year)?;
        put(&mut self.month, month)?;
        put(&mut self.day, day)
    }

    fn put_time(&mut self, time_us: i64) -> Result<(), Wrong> {
        put(&mut self.time_us, time_us)
    }

    fn put_zone(&mut self, zone: Zone) -> Result<(), Wrong> {
        put(&mut self.zone, zone)
    }

    fn moment(self) -> Result<Moment, Wrong> {
        let (Some(year), Some(month), Some(day)) = (self.year, self.month, self.day) else { return Err(Wrong::Syntax) };
        let year = match self.is_before_christ {
            Some(_) if year <= 0 => return Err(Wrong::Range),
            Some(true) => 1 - year,
            // There is no year zero.
            _ if year == 0 => return Err(Wrong::Range),
            _ => year,
        };
        let is_date =
            YEARS.contains(&year) && (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        let time_us = self.time_us.unwrap_or(0);
        let hours = time_us / (3600 * MICROS_PER_SECOND);
        let time_us = match self.is_pm {
            Some(_) if !(1..=12).contains(&hours) => return Err(Wrong::Range),
            Some(true) if hours < 12 => time_us + MICROS_PER_DAY / 2,
            Some(false) if hours == 12 => time_us - MICROS_PER_DAY / 2,
            _ => time_us,
        };
        if !is_date || time_us > MICROS_PER_DAY {
            return Err(Wrong::Range);
        }
        Ok(Moment { date: Date::Days(days_of(year, month, day)), time_us, zone: self.zone })
    }
}

/// Fills a place that may be filled once.
fn put<T>(place: &mut Option<T>, value: T) -> Result<(), Wrong> {
    if place.is_some() {
        return Err(Wrong::Syntax);
    }
    *place = Some(value);
    Ok(())
}

fn number(digits: &str) -> Result<i64, Wrong> {
    let is_number = !digits.is_empty() && digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number).ok_or(Wrong::Syntax)
}

/// A year of two digits is the nearest of 1970 to 2069.
fn full_year(digits: &str) -> Result<i64, Wrong> {
    let year = number(digits)?;
    Ok(match (digits.len(), year) {
        (1 | 2, 0..70) => year + 2000,
        (1 | 2, _) => year + 1900,
        _ => year,
    })
}

/// A month by its name, or the first three letters of it, or `sept`.
fn month_of(word: &str) -> Option<u32> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let word = word.to_ascii_lowercase();
    let is_name = |(short, name): (&&str, &&str)| word == **short || word == **name;
    let at = MONTHS.iter().zip(&NAMES).position(is_name);
    at.or((word == "sept").then_some(8)).map(|at| at as u32 + 1)
}

/// Microseconds of `8:30`, `08:30:15.25`; millionths are rounded to.
fn clock(word: &str) -> Result<i64, Wrong> {
    let mut parts = word.split(':');
    let (hours, minutes) = (number(parts.next().unwrap_or_default())?, number(parts.next().unwrap_or_default())?);
    let (seconds, fraction) = match parts.next() {
        None => (0, 0),
        Some(text) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            if !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Wrong::Syntax);
            }
            // A billionth cannot change which millionth is nearest, but for a tie.
            let kept = format!("{:0<9}", &fraction[..fraction.len().min(9)]);
            (number(whole)?, (number(&kept)? + 500) / 1000)
        }
    };
    if parts.next().is_some() {
        return Err(Wrong::Syntax);
    }
    if hours > 24 || minutes > 59 || seconds > 60 {
        return Err(Wrong::Range);
    }
    Ok((hours * 3600 + minutes * 60 + seconds) * MICROS_PER_SECOND + fraction)
}

/// `+8`, `-03:30`, `+0530`: east of Greenwich.
fn signed_offset(word: &str) -> Option<Zone> {
    let digits = &word[1..];
    let spelled = match digits.len() {
        3 | 4 if digits.bytes().all(|b| b.is_ascii_digit()) => {
            let (hours, minutes) = digits.split_at(digits.len() - 2);
            format!("{}{hours}:{minutes}", &word[..1])
        }
        _ => word.to_owned(),
    };
    super::zone::offset(&spelled, ':').map(Zone::Fixed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use chrono_tz::Tz;
    use proptest::prelude::*;

    use crate::query::postgres::times::text;

    fn shown(read: Result<i64, Error>) -> String {
        match read {
            Err(error) => error.state.0.to_owned(),
            Ok(at_us) => {
                let mut out = BytesMut::new();
                text::timestamp(&mut out, at_us);
                String::from_utf8(out.to_vec()).unwrap()
            }
        }
    }

    #[test]
    fn wall_times_are_read_in_many_spellings() {
        for (text, expected) in [
            ("2026-03-01", "2026-03-01 00:00:00"),
            ("2026-3-1 8:05", "2026-03-01 08:05:00"),
            ("20260301T203015", "2026-03-01 20:30:15"),
            ("2026-03-01T20:30:15.25Z", "2026-03-01 20:30:15.25"),
            ("  2026/03/01 08:30 PM ", "2026-03-01 20:30:00"),
            ("3/1/2026 12:00 am", "2026-03-01 00:00:00"),
            ("1-Mar-2026", "2026-03-01 00:00:00"),
            ("Sunday, March 1, 2026 10:00", "2026-03-01 10:00:00"),
            ("1 mar 2026", "2026-03-01 00:00:00"),
            ("44-03-15 BC", "22008"),
            ("0044-03-15 12:00:00 BC", "0044-03-15 12:00:00 BC"),
            ("2026-03-01 20:00:00+05", "2026-03-01 20:00:00"),
            ("2026-12-31 24:00:00", "2027-01-01 00:00:00"),
            ("2026-03-01 10:00:00.1234567", "2026-03-01 10:00:00.123457"),
            ("infinity", "infinity"),
            ("2026-02-29", "22008"),
            ("2026-03-01 25:00", "22008"),
            ("0000-01-01", "22008"),
            ("2026-03", "22007"),
            ("tea", "22007"),
            ("", "22007"),
            ("2026-03-01 10:00 11:00", "22007"),
            ("红茶", "22007"),
        ] {
            assert_eq!(shown(timestamp(text)), expected, "{text}");
        }
    }

    #[test]
    fn an_instant_has_its_own_zone_or_that_of_the_session() {
        let shanghai = Zone::Named(Tz::Asia__Shanghai);
        for (text, expected) in [
            ("2026-03-01 20:00:00", "2026-03-01 12:00:00"),
            ("2026-03-01 20:00:00 PST", "2026-03-02 04:00:00"),
            ("2026-03-01 20:00:00 -3", "2026-03-01 23:00:00"),
            ("2026-03-01 20:00:00.5-0330", "2026-03-01 23:30:00.5"),
            ("2026-07-01 20:00 America/New_York", "2026-07-02 00:00:00"),
            ("2026-03-01T20:00:00Z", "2026-03-01 20:00:00"),
            ("2026-03-01 20:00:00 Nowhere/Land", "22023"),
            ("epoch", "1970-01-01 00:00:00"),
        ] {
            assert_eq!(shown(instant(text, shanghai)), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(at_us in -200_000_000_000_000_000i64..9_000_000_000_000_000_000) {
            prop_assert_eq!(timestamp(&shown(Ok(at_us))).ok(), Some(at_us));
        }

        #[test]
        fn any_text_is_a_time_or_an_error(text in "[-0-9a-zTZ:./+, 红]{0,30}") {
            let _ = timestamp(&text);
            let _ = date(&text);
        }
    }
}
