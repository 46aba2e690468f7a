//! Lengths of time as a marketer writes them: `7 days`, `'1 day 12 hours'`, `36h`, `3600`.

use std::fmt::Write as _;

use super::error::DurationFault;

const SECOND_US: u64 = 1_000_000;

/// Units as PostgreSQL names them: length in microseconds, full name, other names.
const UNITS: [(u64, &str, &[&str]); 7] = [
    (1, "microsecond", &["us", "µs", "usec", "usecs", "usecond", "useconds"]),
    (1_000, "millisecond", &["ms", "msec", "msecs", "msecond", "mseconds"]),
    (SECOND_US, "second", &["s", "sec", "secs"]),
    (60 * SECOND_US, "minute", &["m", "min", "mins"]),
    (3_600 * SECOND_US, "hour", &["h", "hr", "hrs"]),
    (86_400 * SECOND_US, "day", &["d"]),
    (604_800 * SECOND_US, "week", &["w"]),
];

/// Units of the calendar, whose length depends on when they begin.
const CALENDAR_UNITS: [&str; 17] = [
    "month",
    "months",
    "mon",
    "mons",
    "quarter",
    "quarters",
    "year",
    "years",
    "yr",
    "yrs",
    "y",
    "decade",
    "decades",
    "century",
    "centuries",
    "millennium",
    "millennia",
];

/// Microseconds and the normalised text: full unit names, one space between, as many parts as
/// given.
///
/// A bare number is seconds. A part smaller than a microsecond is rounded.
pub(super) fn parse(text: &str) -> Result<(i64, String), DurationFault> {
    let mut rest = text.trim();
    let mut total_us: u128 = 0;
    let mut normalised = String::new();
    if rest.is_empty() {
        return Err(DurationFault::Malformed);
    }
    while !rest.is_empty() {
        if rest.starts_with('-') {
            return Err(DurationFault::Negative);
        }
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_end);
        let after = after.trim_start();
        let unit_end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        rest = after.trim_start();
        // Only a number alone may do without a unit: `1 day 12` leaves open what the 12 are.
        let is_bare = unit.is_empty() && rest.is_empty() && normalised.is_empty();
        if unit.is_empty() && !is_bare {
            return Err(DurationFault::Malformed);
        }
        let (unit_us, unit_name) = if is_bare { (SECOND_US, "second") } else { unit_named(unit)? };
        let part_us = scaled(number, unit_us)?;
        total_us = total_us.saturating_add(part_us);
        let number = shortest(number);
        let plural = if number == "1" { "" } else { "s" };
        let space = if normalised.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(normalised, "{space}{number} {unit_name}{plural}");
    }
    match i64::try_from(total_us) {
        Ok(0) => Err(DurationFault::Zero),
        Ok(total_us) => Ok((total_us, normalised)),
        Err(_) => Err(DurationFault::TooLong),
    }
}

fn unit_named(word: &str) -> Result<(u64, &'static str), DurationFault> {
    let lower = word.to_lowercase();
    for (unit_us, name, others) in UNITS {
        if lower == name || lower.strip_suffix('s') == Some(name) || others.contains(&lower.as_str()) {
            return Ok((unit_us, name));
        }
    }
    let unit = super::parse::shortened(word);
    if CALENDAR_UNITS.contains(&lower.as_str()) {
        Err(DurationFault::CalendarUnit { unit })
    } else {
        Err(DurationFault::UnknownUnit { unit })
    }
}

/// A decimal number times a unit, rounded to a microsecond.
fn scaled(number: &str, unit_us: u64) -> Result<u128, DurationFault> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return Err(DurationFault::Malformed);
    }
    let whole: u128 = match whole.trim_start_matches('0') {
        "" => 0,
        digits if digits.len() > 19 => return Err(DurationFault::TooLong),
        digits => digits.parse().map_err(|_| DurationFault::Malformed)?,
    };
    // Eighteen digits of a week are far below a microsecond.
    let fraction = fraction.get(..18).unwrap_or(fraction);
    let digits: u128 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| DurationFault::Malformed)? };
    let ten_to = 10u128.pow(fraction.len() as u32);
    Ok(whole * u128::from(unit_us) + (digits * u128::from(unit_us) + ten_to / 2) / ten_to)
}

/// The number without zeros that say nothing: `07.50` is `7.5`.
fn shortest(number: &str) -> String {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}
