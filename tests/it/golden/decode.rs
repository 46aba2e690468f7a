//! Binary values as the text that PostgreSQL prints for them.
//!
//! Written from the description of PostgreSQL's binary formats and not with the server's own code, so that a
//! mistake there is not repeated here.

use std::error::Error;
use std::fmt::Write;

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use tokio_postgres::types::{FromSql, Kind, Type};

/// The bytes of a value of any type.
pub struct Raw<'a>(pub &'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(bytes))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The type of an array's items.
pub fn item_of(pg: &Type) -> Option<&Type> {
    match pg.kind() {
        Kind::Array(item) => Some(item),
        _ => (*pg == Type::RECORD_ARRAY).then_some(&Type::RECORD),
    }
}

/// Whether the text of a value may depend on the session's time zone.
pub fn needs_zone(pg: &Type) -> bool {
    matches!(*item_of(pg).unwrap_or(pg), Type::TIMESTAMPTZ | Type::RECORD)
}

/// The zone of that name; whole hours as POSIX writes them, `UTC+3` and `<-05>+05`, are zones of the list too.
pub fn zone(name: &str) -> Tz {
    let hours = name.rfind(['+', '-']).and_then(|at| name[at..].parse::<i8>().ok());
    let listed = hours.map(|hours| format!("Etc/GMT{hours:+}"));
    name.parse()
        .or_else(|error| listed.as_deref().map_or(Err(error), str::parse))
        .unwrap_or_else(|_| panic!("the decoder of the tests knows no zone '{name}'"))
}

/// The text of a value.
pub fn text(pg: &Type, bytes: &[u8], zone: Tz) -> String {
    if let Some(item) = item_of(pg) {
        return array(item, bytes, zone);
    }
    match *pg {
        Type::BOOL => if bytes == [0] { "f" } else { "t" }.to_owned(),
        Type::INT2 => i16::from_be_bytes(sized(bytes)).to_string(),
        Type::INT4 => i32::from_be_bytes(sized(bytes)).to_string(),
        Type::OID => u32::from_be_bytes(sized(bytes)).to_string(),
        Type::INT8 => i64::from_be_bytes(sized(bytes)).to_string(),
        Type::FLOAT4 => {
            let value = f32::from_be_bytes(sized(bytes));
            float(f64::from(value), &format!("{value:e}"), 6)
        }
        Type::FLOAT8 => {
            let value = f64::from_be_bytes(sized(bytes));
            float(value, &format!("{value:e}"), 15)
        }
        Type::NUMERIC => numeric(bytes),
        Type::BYTEA => bytes.iter().fold("\\x".to_owned(), |hex, byte| format!("{hex}{byte:02x}")),
        Type::DATE => date(i32::from_be_bytes(sized(bytes))),
        Type::TIME => clock(i64::from_be_bytes(sized(bytes))),
        Type::TIMESTAMP => timestamp(i64::from_be_bytes(sized(bytes)), None),
        Type::TIMESTAMPTZ => timestamp(i64::from_be_bytes(sized(bytes)), Some(zone)),
        Type::INTERVAL => interval(bytes),
        Type::UUID => uuid(bytes),
        Type::RECORD => record(bytes, zone),
        Type::JSONB => utf8(&bytes[1..]),
        _ => utf8(bytes),
    }
}

/// The number of fields, then the type, the length and the value of each.
fn record(bytes: &[u8], zone: Tz) -> String {
    let word = |at: usize| i32::from_be_bytes(sized(&bytes[at..at + 4]));
    let (mut at, mut fields) = (4, vec![]);
    for _ in 0..word(0) {
        let pg = Type::from_oid(word(at) as u32).expect("a type of PostgreSQL's own");
        let length = word(at + 4);
        at += 8;
        fields.push(match usize::try_from(length) {
            Err(_) => String::new(),
            Ok(length) => {
                at += length;
                let shown = text(&pg, &bytes[at - length..at], zone);
                let is_plain = !shown.is_empty() && !shown.contains(['(', ')', ',', '"', '\\', ' ', '\n', '\t']);
                let quoted = || format!("\"{}\"", shown.replace('\\', "\\\\").replace('"', "\"\""));
                if is_plain { shown.clone() } else { quoted() }
            }
        });
    }
    assert_eq!(at, bytes.len(), "a record ends with its last field");
    format!("({})", fields.join(","))
}

fn sized<const WIDTH: usize>(bytes: &[u8]) -> [u8; WIDTH] {
    bytes.try_into().unwrap_or_else(|_| panic!("{} bytes where {WIDTH} are right", bytes.len()))
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text is UTF-8")
}

/// The shortest digits that read back as the same number; with an exponent outside of 0.0001 to `digits` places.
fn float(value: f64, scientific: &str, digits: i32) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let (mantissa, exponent) = scientific.split_once('e').expect("an exponent");
    let exponent: i32 = exponent.parse().expect("digits");
    if exponent < -4 || exponent >= digits {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    // Move the point of the shortest digits to its place.
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let figures = mantissa.replace('.', "");
    let point = exponent + 1;
    let moved = if point <= 0 {
        format!("0.{}{figures}", "0".repeat(point.unsigned_abs() as usize))
    } else if figures.len() <= point as usize {
        format!("{figures:0<width$}", width = point as usize)
    } else {
        format!("{}.{}", &figures[..point as usize], &figures[point as usize..])
    };
    format!("{sign}{moved}")
}

/// Groups of four decimal digits, the weight of the first, a sign, and the digits shown after the point.
fn numeric(bytes: &[u8]) -> String {
    let short = |at: usize| i16::from_be_bytes(sized(&bytes[2 * at..2 * at + 2]));
    let (groups, weight, sign, scale) = (short(0), short(1), short(2) as u16, short(3));
    if sign == 0xC000 {
        return "NaN".to_owned();
    }
    let group = |power: i16| match weight - power {
        index if (0..groups).contains(&index) => short(4 + index as usize),
        _ => 0,
    };
    let mut whole = String::new();
    for power in (0..=weight.max(0)).rev() {
        let _ = write!(whole, "{:04}", group(power));
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let mut fraction = String::new();
    for power in 1..=(scale + 3) / 4 {
        let _ = write!(fraction, "{:04}", group(-power));
    }
    fraction.truncate(scale as usize);
    let sign = if sign == 0x4000 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// PostgreSQL counts from 2000.
fn date(days: i32) -> String {
    match days {
        i32::MAX => return "infinity".to_owned(),
        i32::MIN => return "-infinity".to_owned(),
        _ => {}
    }
    let start = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a date");
    let shift = Days::new(u64::from(days.unsigned_abs()));
    let date = if days < 0 { start.checked_sub_days(shift) } else { start.checked_add_days(shift) };
    let date = date.expect("a date of chrono's range");
    year_month_day(date) + era(date)
}

fn year_month_day(date: NaiveDate) -> String {
    let year = if date.year() > 0 { date.year() } else { 1 - date.year() };
    format!("{year:04}-{:02}-{:02}", date.month(), date.day())
}

fn era(date: NaiveDate) -> &'static str {
    if date.year() > 0 { "" } else { " BC" }
}

fn clock(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    let whole = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    match micros % 1_000_000 {
        0 => whole,
        part => format!("{whole}.{}", format!("{part:06}").trim_end_matches('0')),
    }
}

fn timestamp(micros: i64, zone: Option<Tz>) -> String {
    match micros {
        i64::MAX => return "infinity".to_owned(),
        i64::MIN => return "-infinity".to_owned(),
        _ => {}
    }
    let start: DateTime<Utc> = Utc.with_ymd_and_hms(2000, 1, 1, 0, 0, 0).single().expect("an instant");
    let at = start.checked_add_signed(TimeDelta::microseconds(micros)).expect("an instant of chrono's range");
    let (local, offset) = match zone {
        None => (at.naive_utc(), String::new()),
        Some(zone) => {
            let local = at.with_timezone(&zone);
            // `+0800` or `+08:30`: minutes are shown where there are any.
            let offset = local.format("%z").to_string();
            let (hours, minutes) = offset.split_at(3);
            let minutes = if minutes == "00" { String::new() } else { format!(":{minutes}") };
            (local.naive_local(), format!("{hours}{minutes}"))
        }
    };
    let micros = i64::from(local.num_seconds_from_midnight()) * 1_000_000 + i64::from(local.nanosecond() / 1_000);
    format!("{} {}{offset}{}", year_month_day(local.date()), clock(micros), era(local.date()))
}

/// Microseconds, days, months, each with its own sign.
fn interval(bytes: &[u8]) -> String {
    let micros = i64::from_be_bytes(sized(&bytes[0..8]));
    let days = i32::from_be_bytes(sized(&bytes[8..12]));
    let months = i32::from_be_bytes(sized(&bytes[12..16]));
    let mut parts: Vec<String> = vec![];
    let mut after_negative = false;
    for (count, one, many) in [(months / 12, "year", "years"), (months % 12, "mon", "mons"), (days, "day", "days")] {
        if count != 0 {
            let plus = if after_negative && count > 0 { "+" } else { "" };
            parts.push(format!("{plus}{count} {}", if count == 1 { one } else { many }));
            after_negative = count < 0;
        }
    }
    if micros != 0 || parts.is_empty() {
        let sign = match micros {
            i64::MIN..0 => "-",
            _ if after_negative => "+",
            _ => "",
        };
        parts.push(format!("{sign}{}", clock(micros.abs())));
    }
    parts.join(" ")
}

fn uuid(bytes: &[u8]) -> String {
    let hex = bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    [&hex[0..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]].join("-")
}

/// Dimensions, a flag, the item type; then each dimension's length and lower bound; then the items.
fn array(item: &Type, bytes: &[u8], zone: Tz) -> String {
    let int = |at: usize| i32::from_be_bytes(sized(&bytes[at..at + 4]));
    let (dimensions, oid) = (int(0), int(8) as u32);
    assert_eq!(oid, item.oid(), "the items of {} are of another type", item.name());
    if dimensions == 0 {
        return "{}".to_owned();
    }
    assert_eq!((dimensions, int(16)), (1, 1), "one dimension that starts at 1");
    let mut at = 20;
    let items = (0..int(12)).map(|_| {
        let length = int(at);
        at += 4;
        if length < 0 {
            return "NULL".to_owned();
        }
        let value = text(item, &bytes[at..at + length as usize], zone);
        at += length as usize;
        quoted(&value)
    });
    format!("{{{}}}", items.collect::<Vec<_>>().join(","))
}

fn quoted(item: &str) -> String {
    let special = |c: char| matches!(c, '{' | '}' | ',' | '"' | '\\') || c.is_ascii_whitespace();
    if !item.is_empty() && !item.eq_ignore_ascii_case("null") && !item.contains(special) {
        return item.to_owned();
    }
    format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\""))
}
