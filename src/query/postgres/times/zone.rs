//! Zones: what wall clocks show at an instant, and which instant a wall clock means.
//!
//! A wall time that was skipped is read with the offset before the change, one that came twice with the offset after
//! it, as in PostgreSQL.

use std::fmt;

use chrono::{DateTime, LocalResult, Offset, TimeZone};
use chrono_tz::{OffsetName, Tz};

use super::abbreviations;
use super::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND};
use crate::error::{Error, SqlState};

/// A zone of the world, or an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// Seconds east of Greenwich.
    Fixed(i32),
    Named(Tz),
}

/// What is outside of this is no offset: a day has fewer seconds.
const OFFSET_SECONDS: i32 = 86_400;

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self::Fixed(0);

    /// Reads what the context of a session holds: an IANA name, or an offset east of Greenwich as `+08:00`.
    pub fn of_context(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Fixed(offset(text, ':').unwrap_or(0)), Self::Named)
    }

    /// Reads what `AT TIME ZONE` and the text of an instant name: an abbreviation, an IANA name in any case, or an
    /// offset **west** of Greenwich as POSIX writes it, `UTC+3`.
    ///
    /// Fails with 22023 on a name that nothing has.
    pub fn named(text: &str) -> Result<Self, Error> {
        let known = abbreviations::offset_seconds(text).map(Self::Fixed).or_else(|| Self::of_setting(text));
        known.ok_or_else(|| {
            Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{text}\" not recognized"))
        })
    }

    /// An IANA name in any case, or an offset **west** of Greenwich as POSIX writes it.
    pub fn of_setting(text: &str) -> Option<Self> {
        let named = chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(text));
        named.map(|zone| Self::Named(*zone)).or_else(|| posix(text))
    }

    /// Seconds east of Greenwich at an instant.
    pub fn offset_seconds(self, at_us: i64) -> i32 {
        match self {
            Self::Fixed(seconds) => seconds,
            // Most sessions are of this one, and most times are asked for in their millions.
            Self::Named(Tz::UTC | Tz::Etc__UTC) => 0,
            Self::Named(zone) => DateTime::from_timestamp_micros(at_us)
                .map_or(0, |at| zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()),
        }
    }

    /// What the wall clocks of the zone show at an instant. Infinities stay.
    pub fn wall_time(self, at_us: i64) -> i64 {
        if is_infinite(at_us) {
            return at_us;
        }
        at_us.saturating_add(i64::from(self.offset_seconds(at_us)) * MICROS_PER_SECOND)
    }

    /// The instant that a wall time of the zone means. Infinities stay.
    pub fn instant(self, wall_us: i64) -> i64 {
        if is_infinite(wall_us) {
            return wall_us;
        }
        let seconds = match self {
            Self::Fixed(seconds) => seconds,
            Self::Named(zone) => {
                let wall = DateTime::from_timestamp_micros(wall_us).map(|at| at.naive_utc());
                match wall.map(|wall| zone.offset_from_local_datetime(&wall)) {
                    Some(LocalResult::Single(offset) | LocalResult::Ambiguous(_, offset)) => {
                        offset.fix().local_minus_utc()
                    }
                    // Clocks were put forward over it: a day earlier is before that in every zone.
                    Some(LocalResult::None) => self.offset_seconds(wall_us.saturating_sub(MICROS_PER_DAY)),
                    None => 0,
                }
            }
        };
        wall_us.saturating_sub(i64::from(seconds) * MICROS_PER_SECOND)
    }

    /// What people call the zone at an instant: `CEST`, or the offset where there is no such name.
    pub fn abbreviation(self, at_us: i64) -> String {
        let named = match self {
            Self::Fixed(0) => Some("UTC".to_owned()),
            Self::Fixed(_) => None,
            Self::Named(zone) => DateTime::from_timestamp_micros(at_us)
                .and_then(|at| zone.offset_from_utc_datetime(&at.naive_utc()).abbreviation().map(str::to_owned)),
        };
        named.unwrap_or_else(|| short_offset(self.offset_seconds(at_us)))
    }
}

/// As the context of a session holds it and Arrow reads it.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(zone) => f.write_str(zone.name()),
            Self::Fixed(seconds) => {
                let (sign, minutes) = if *seconds < 0 { ('-', -seconds / 60) } else { ('+', seconds / 60) };
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

/// `+08`, `-03:30`.
pub fn short_offset(seconds: i32) -> String {
    let (sign, minutes) = if seconds < 0 { ('-', -seconds / 60) } else { ('+', seconds / 60) };
    match minutes % 60 {
        0 => format!("{sign}{:02}", minutes / 60),
        rest => format!("{sign}{:02}:{rest:02}", minutes / 60),
    }
}

/// Whether a time is one of the ends of the range.
pub fn is_infinite(at_us: i64) -> bool {
    matches!(at_us, i64::MAX | i64::MIN)
}

/// `UTC+3`, `<+07>-07`, `+08`: a name that says nothing, then hours west of Greenwich.
fn posix(text: &str) -> Option<Zone> {
    let rest = match text.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>')?.1,
        None => text.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
    };
    let seconds = offset(rest, ':')?;
    // Arrow's offsets have no seconds.
    (seconds % 60 == 0).then_some(Zone::Fixed(-seconds))
}

/// Seconds of `+08`, `8:30` and `-03:30:00`; `None` where it is none or a day long.
pub fn offset(text: &str, separator: char) -> Option<i32> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let mut seconds = 0;
    let mut parts = digits.split(separator);
    for unit in [3600, 60, 1] {
        let Some(part) = parts.next() else { break };
        let is_number = !part.is_empty() && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit());
        let count: i32 = part.parse().ok().filter(|_| is_number)?;
        if unit < 3600 && count >= 60 {
            return None;
        }
        seconds += count * unit;
    }
    (parts.next().is_none() && seconds < OFFSET_SECONDS).then_some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BERLIN: Zone = Zone::Named(Tz::Europe__Berlin);
    const HOUR: i64 = 3600 * MICROS_PER_SECOND;
    /// 2026-03-29 01:00:00 and 2026-10-25 01:00:00 UTC: Berlin's clocks change.
    const SPRING: i64 = 1_774_746_000 * MICROS_PER_SECOND;
    const AUTUMN: i64 = 1_792_890_000 * MICROS_PER_SECOND;

    #[test]
    fn a_skipped_hour_is_read_with_the_offset_before_and_a_double_one_with_that_after() {
        let skipped = SPRING + HOUR + HOUR / 2;
        assert_eq!(BERLIN.instant(skipped), SPRING + HOUR / 2);
        assert_eq!(BERLIN.instant(SPRING + HOUR - 1), SPRING - 1);
        assert_eq!(BERLIN.instant(SPRING + 2 * HOUR), SPRING);
        let double = AUTUMN + HOUR + HOUR / 2;
        assert_eq!(BERLIN.instant(double), AUTUMN + HOUR / 2);
        assert_eq!(BERLIN.instant(AUTUMN + HOUR - 1), AUTUMN - HOUR - 1);
        // Samoa had no 30 December 2011 at all.
        let noon = 1_325_246_400 * MICROS_PER_SECOND;
        assert_eq!(Zone::Named(Tz::Pacific__Apia).instant(noon), noon + 10 * HOUR);
    }

    #[test]
    fn names_are_abbreviations_cities_and_offsets_to_the_west() {
        assert_eq!(Zone::named("cet"), Ok(Zone::Fixed(3600)));
        assert_eq!(Zone::named("asia/shanghai"), Ok(Zone::Named(Tz::Asia__Shanghai)));
        assert_eq!(Zone::named("UTC+3"), Ok(Zone::Fixed(-3 * 3600)));
        assert_eq!(Zone::named("-05:30"), Ok(Zone::Fixed(19_800)));
        assert_eq!(Zone::of_setting("<+07>-07"), Some(Zone::Fixed(7 * 3600)));
        for nowhere in ["", "Nowhere/Land", "UTC+", "EST5EDT6", "+25", "+08:60", "+08:00:30", "+-8"] {
            assert_eq!(Zone::named(nowhere).map_err(|e| e.state), Err(SqlState::INVALID_PARAMETER_VALUE), "{nowhere}");
        }
    }

    #[test]
    fn what_is_written_for_the_context_is_read_back() {
        for zone in [BERLIN, Zone::Fixed(0), Zone::Fixed(-12_600), Zone::Fixed(8 * 3600)] {
            assert_eq!(Zone::of_context(&zone.to_string()).offset_seconds(SPRING), zone.offset_seconds(SPRING));
        }
    }

    #[test]
    fn a_zone_has_a_name_for_each_half_of_the_year() {
        assert_eq!(BERLIN.abbreviation(SPRING - 1), "CET");
        assert_eq!(BERLIN.abbreviation(SPRING), "CEST");
        assert_eq!(Zone::Fixed(-12_600).abbreviation(0), "-03:30");
    }

    proptest! {
        #[test]
        fn the_wall_time_of_an_instant_means_it_again_but_for_the_first_of_two(at in -4_000_000_000i64..7_000_000_000,
                                                                             zone in 0..chrono_tz::TZ_VARIANTS.len()) {
            let zone = Zone::Named(chrono_tz::TZ_VARIANTS[zone]);
            let at_us = at * MICROS_PER_SECOND;
            let again = zone.instant(zone.wall_time(at_us));
            prop_assert_eq!(zone.wall_time(again), zone.wall_time(at_us));
            prop_assert!(again >= at_us, "of two instants the later one is meant");
        }

        #[test]
        fn no_text_is_too_strange_to_be_refused(text in "\\PC{0,20}") {
            let _ = Zone::named(&text);
            let _ = Zone::of_context(&text);
        }
    }
}
