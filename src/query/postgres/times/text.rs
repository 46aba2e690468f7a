//! Values as PostgreSQL prints them: ISO dates, `postgres` intervals, shortest floats.

use bytes::{BufMut, BytesMut};

use super::Zone;
use super::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND, civil};

/// Writes text into a byte buffer; formatting into memory cannot fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {{
        use std::fmt::Write;
        let _ = write!($out, $($arg)*);
    }};
}
pub(crate) use put;

/// `2026-03-01`, with ` BC` before year one; the ends of the range of 32 bits are infinities.
pub fn date(out: &mut BytesMut, days: i64) {
    if days == i64::from(i32::MAX) || days == i64::from(i32::MIN) {
        out.put_slice(if days > 0 { b"infinity" } else { b"-infinity" });
        return;
    }
    let (year, month, day) = civil(days);
    let shown = if year > 0 { year } else { 1 - year };
    put!(out, "{shown:04}-{month:02}-{day:02}");
    if year <= 0 {
        out.put_slice(b" BC");
    }
}

/// `08:30:00.25`.
pub fn time(out: &mut BytesMut, micros: i64) {
    let seconds = micros / MICROS_PER_SECOND;
    put!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    fraction(out, micros % MICROS_PER_SECOND);
}

/// `2026-03-01 08:30:00.25`; the ends of the range are infinities.
pub fn timestamp(out: &mut BytesMut, at_us: i64) {
    if !infinite(out, at_us) {
        local(out, at_us, ' ', |_| {});
    }
}

/// `2026-03-01 16:30:00.25+08` in the session's zone.
pub fn timestamp_with_zone(out: &mut BytesMut, at_us: i64, zone: Zone) {
    if infinite(out, at_us) {
        return;
    }
    let offset = zone.offset_seconds(at_us);
    local(out, at_us.saturating_add(i64::from(offset) * MICROS_PER_SECOND), ' ', |out| put_offset(out, offset, false));
}

/// `2026-03-01T16:30:00.25+08:00`, as JSON has it: in a zone, or the wall time without one.
pub fn iso_timestamp(out: &mut BytesMut, at_us: i64, zone: Option<Zone>) {
    if infinite(out, at_us) {
        return;
    }
    let offset = zone.map(|zone| zone.offset_seconds(at_us));
    let local_us = at_us.saturating_add(i64::from(offset.unwrap_or(0)) * MICROS_PER_SECOND);
    local(out, local_us, 'T', |out| offset.into_iter().for_each(|offset| put_offset(out, offset, true)));
}

/// `+08`, or `+05:30`; `with_minutes` writes them where they are none, too.
fn put_offset(out: &mut BytesMut, offset_seconds: i32, with_minutes: bool) {
    let sign = if offset_seconds < 0 { '-' } else { '+' };
    let offset = offset_seconds.unsigned_abs();
    put!(out, "{sign}{:02}", offset / 3600);
    if with_minutes || !offset.is_multiple_of(3600) {
        put!(out, ":{:02}", offset / 60 % 60);
    }
    if !offset.is_multiple_of(60) {
        put!(out, ":{:02}", offset % 60);
    }
}

fn local(out: &mut BytesMut, at_us: i64, separator: char, zone: impl FnOnce(&mut BytesMut)) {
    let days = at_us.div_euclid(MICROS_PER_DAY);
    let (year, month, day) = civil(days);
    let shown = if year > 0 { year } else { 1 - year };
    put!(out, "{shown:04}-{month:02}-{day:02}{separator}");
    time(out, at_us.rem_euclid(MICROS_PER_DAY));
    zone(out);
    if year <= 0 {
        out.put_slice(b" BC");
    }
}

fn infinite(out: &mut BytesMut, at_us: i64) -> bool {
    match at_us {
        i64::MAX => out.put_slice(b"infinity"),
        i64::MIN => out.put_slice(b"-infinity"),
        _ => return false,
    }
    true
}

fn fraction(out: &mut BytesMut, micros: i64) {
    if micros == 0 {
        return;
    }
    let (mut digits, mut width) = (micros.unsigned_abs(), 6);
    while digits % 10 == 0 {
        digits /= 10;
        width -= 1;
    }
    put!(out, ".{digits:0width$}");
}

/// `1 year 2 mons 3 days 04:05:06.7`, each part with its own sign.
pub fn interval(out: &mut BytesMut, months: i32, days: i32, nanos: i64) {
    let micros = nanos / 1000;
    // A positive part after a negative one carries its plus, so that it is not read as negative.
    let (mut nothing_yet, mut negative) = (true, false);
    let parts = [(months / 12, "year", "years"), (months % 12, "mon", "mons"), (days, "day", "days")];
    for (count, one, many) in parts {
        if count != 0 {
            let space = if nothing_yet { "" } else { " " };
            let plus = if negative && count > 0 { "+" } else { "" };
            put!(out, "{space}{plus}{count} {}", if count == 1 { one } else { many });
            (nothing_yet, negative) = (false, count < 0);
        }
    }
    if micros != 0 || nothing_yet {
        let space = if nothing_yet { "" } else { " " };
        let plus = negative && micros > 0;
        let sign = if micros < 0 {
            "-"
        } else if plus {
            "+"
        } else {
            ""
        };
        put!(out, "{space}{sign}");
        time(out, micros.saturating_abs());
    }
}

/// The shortest text that reads back as the same number; scientific beyond `digits` places.
pub fn float(out: &mut BytesMut, value: f64, single: bool) {
    if value.is_nan() {
        return out.put_slice(b"NaN");
    }
    if value.is_infinite() {
        return out.put_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    }
    let scientific = if single { format!("{:e}", value as f32) } else { format!("{value:e}") };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let widest = if single { 6 } else { 15 };
    if exponent < -4 || exponent >= widest {
        let sign = if exponent < 0 { '-' } else { '+' };
        put!(out, "{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    } else if single {
        put!(out, "{}", value as f32);
    } else {
        put!(out, "{value}");
    }
}

/// A decimal with exactly `scale` digits after the point.
pub fn decimal(out: &mut BytesMut, value: i128, scale: i8) {
    if value < 0 {
        out.put_u8(b'-');
    }
    let digits = value.unsigned_abs();
    match u32::try_from(scale) {
        Ok(0) => put!(out, "{digits}"),
        Ok(scale) => {
            let unit = 10u128.checked_pow(scale);
            let (whole, part) = unit.map_or((0, digits), |unit| (digits / unit, digits % unit));
            put!(out, "{whole}.{part:0width$}", width = scale as usize);
        }
        Err(_) => {
            put!(out, "{digits}");
            if digits != 0 {
                (0..scale.unsigned_abs()).for_each(|_| out.put_u8(b'0'));
            }
        }
    }
}

/// `\x` and two hexadecimal digits a byte.
pub fn bytea(out: &mut BytesMut, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(2 + 2 * bytes.len());
    out.put_slice(b"\\x");
    for byte in bytes {
        out.put_u8(HEX[usize::from(byte >> 4)]);
        out.put_u8(HEX[usize::from(byte & 15)]);
    }
}

/// An item of an array: quoted where PostgreSQL would quote it.
pub fn array_item(out: &mut BytesMut, item: &[u8]) {
    let plain = !item.is_empty()
        && !item.eq_ignore_ascii_case(b"null")
        && !item
            .iter()
            .any(|b| matches!(b, b'{' | b'}' | b',' | b'"' | b'\\') || b.is_ascii_whitespace() || *b == 0x0b);
    if plain {
        return out.put_slice(item);
    }
    out.put_u8(b'"');
    for &byte in item {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(b'\\');
        }
        out.put_u8(byte);
    }
    out.put_u8(b'"');
}

/// A field of a record: quoted where PostgreSQL would quote it, with quotes and backslashes doubled.
pub fn record_field(out: &mut BytesMut, field: &[u8]) {
    let plain = !field.is_empty()
        && !field
            .iter()
            .any(|b| matches!(b, b'(' | b')' | b',' | b'"' | b'\\') || b.is_ascii_whitespace() || *b == 0x0b);
    if plain {
        return out.put_slice(field);
    }
    out.put_u8(b'"');
    for &byte in field {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(byte);
        }
        out.put_u8(byte);
    }
    out.put_u8(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        write(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn dates_reach_beyond_four_digits_and_before_christ() {
        assert_eq!(text(|o| date(o, 0)), "1970-01-01");
        assert_eq!(text(|o| date(o, -1)), "1969-12-31");
        assert_eq!(text(|o| date(o, 20_513)), "2026-03-01");
        assert_eq!(text(|o| date(o, -719_163)), "0001-12-31 BC");
        assert_eq!(text(|o| date(o, 2_932_897)), "10000-01-01");
    }

    #[test]
    fn an_instant_is_printed_in_the_zone_of_the_session() {
        let at = 1_772_323_200_250_000; // 2026-03-01 00:00:00.25 UTC
        let shanghai = Zone::of_context("Asia/Shanghai");
        assert_eq!(text(|o| timestamp_with_zone(o, at, shanghai)), "2026-03-01 08:00:00.25+08");
        assert_eq!(text(|o| iso_timestamp(o, at, Some(shanghai))), "2026-03-01T08:00:00.25+08:00");
        assert_eq!(text(|o| iso_timestamp(o, at, None)), "2026-03-01T00:00:00.25");
        let kolkata = Zone::of_context("Asia/Kolkata");
        assert_eq!(text(|o| timestamp_with_zone(o, at, kolkata)), "2026-03-01 05:30:00.25+05:30");
        assert_eq!(text(|o| timestamp(o, -1)), "1969-12-31 23:59:59.999999");
        assert_eq!(text(|o| timestamp(o, i64::MAX)), "infinity");
    }

    #[test]
    fn both_nights_of_summer_time_print_their_own_offset() {
        let berlin = Zone::of_context("Europe/Berlin");
        let before = 1_774_745_999_000_000; // 2026-03-29 00:59:59 UTC
        assert_eq!(text(|o| timestamp_with_zone(o, before, berlin)), "2026-03-29 01:59:59+01");
        let after = before + 1_000_000;
        assert_eq!(text(|o| timestamp_with_zone(o, after, berlin)), "2026-03-29 03:00:00+02");
    }

    #[test]
    fn intervals_are_printed_in_postgres_style() {
        assert_eq!(text(|o| interval(o, 0, 0, 0)), "00:00:00");
        assert_eq!(text(|o| interval(o, 14, 3, 14_706_700_000_000)), "1 year 2 mons 3 days 04:05:06.7");
        assert_eq!(text(|o| interval(o, 0, -1, 3_600_000_000_000)), "-1 days +01:00:00");
        assert_eq!(text(|o| interval(o, 0, 0, -500_000_000)), "-00:00:00.5");
        assert_eq!(text(|o| interval(o, -1, 2, 0)), "-1 mons +2 days");
        assert_eq!(text(|o| interval(o, 0, 7, 0)), "7 days");
    }

    #[test]
    fn floats_are_shortest_and_scientific_where_postgresql_is() {
        let double = |v| text(|o| float(o, v, false));
        assert_eq!(double(0.1), "0.1");
        assert_eq!(double(1e14), "100000000000000");
        assert_eq!(double(1e15), "1e+15");
        assert_eq!(double(1.5e-5), "1.5e-05");
        assert_eq!(double(0.0001), "0.0001");
        assert_eq!(double(-0.0), "-0");
        assert_eq!(double(f64::NEG_INFINITY), "-Infinity");
        assert_eq!(text(|o| float(o, f64::from(0.1f32), true)), "0.1");
        assert_eq!(text(|o| float(o, 1e6, true)), "1e+06");
    }

    #[test]
    fn decimals_keep_their_scale() {
        assert_eq!(text(|o| decimal(o, -5, 2)), "-0.05");
        assert_eq!(text(|o| decimal(o, 12_345, 2)), "123.45");
        assert_eq!(text(|o| decimal(o, 12, -3)), "12000");
    }

    #[test]
    fn array_items_are_quoted_only_where_needed() {
        assert_eq!(text(|o| array_item(o, "红茶".as_bytes())), "红茶");
        assert_eq!(text(|o| array_item(o, b"a \"b\"")), "\"a \\\"b\\\"\"");
        assert_eq!(text(|o| array_item(o, b"null")), "\"null\"");
        assert_eq!(text(|o| array_item(o, b"")), "\"\"");
    }

    #[test]
    fn fields_of_records_double_their_quotes() {
        assert_eq!(text(|o| record_field(o, "红茶".as_bytes())), "红茶");
        assert_eq!(text(|o| record_field(o, b"a \"b\"")), "\"a \"\"b\"\"\"");
        assert_eq!(text(|o| record_field(o, b"null")), "null");
        assert_eq!(text(|o| record_field(o, b"")), "\"\"");
    }
}
