//! Values in PostgreSQL's binary format.

use bytes::{BufMut, BytesMut};

/// Days from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
pub const EPOCH_DAYS: i64 = 10_957;
/// The same in microseconds.
pub const EPOCH_MICROS: i64 = EPOCH_DAYS * 86_400_000_000;

const NUMERIC_NEGATIVE: u16 = 0x4000;
const NUMERIC_NAN: u16 = 0xC000;
/// Numeric digits are base 10,000: four decimal places each.
const GROUP_PLACES: u32 = 4;
const GROUP: u128 = 10_000;

/// A date in days since 1970-01-01; the ends of the range stay the ends, which mean infinity.
pub fn date(out: &mut BytesMut, days: i32) {
    out.put_i32(match days {
        i32::MAX | i32::MIN => days,
        _ => days.saturating_sub(EPOCH_DAYS as i32).max(i32::MIN + 1),
    });
}

/// The reverse of [`date`].
pub fn date_from(pg_days: i32) -> i32 {
    match pg_days {
        i32::MAX | i32::MIN => pg_days,
        _ => pg_days.saturating_add(EPOCH_DAYS as i32),
    }
}

/// An instant or local time; the ends of the range stay the ends, which mean infinity.
pub fn timestamp(out: &mut BytesMut, at_us: i64) {
    out.put_i64(match at_us {
        i64::MAX | i64::MIN => at_us,
        _ => at_us.saturating_sub(EPOCH_MICROS).max(i64::MIN + 1),
    });
}

/// The reverse of [`timestamp`].
pub fn timestamp_from(pg_us: i64) -> i64 {
    match pg_us {
        i64::MAX | i64::MIN => pg_us,
        _ => pg_us.saturating_add(EPOCH_MICROS),
    }
}

/// Microseconds, days and months.
pub fn interval(out: &mut BytesMut, months: i32, days: i32, nanos: i64) {
    out.put_i64(nanos / 1000);
    out.put_i32(days);
    out.put_i32(months);
}

/// A decimal as base-10,000 digits.
pub fn numeric(out: &mut BytesMut, value: i128, scale: i8) {
    let negative = value < 0;
    let mut digits = value.unsigned_abs();
    let places = u32::try_from(scale).unwrap_or(0);
    // A negative scale counts zeros before the point; they become groups of their own.
    let zeros = if scale < 0 { u32::from(scale.unsigned_abs()) } else { 0 };
    let mut groups: Vec<u16> = vec![];
    let mut weight_of_last = -i32::try_from(places.div_ceil(GROUP_PLACES)).unwrap_or(0);
    // The last group after the point is filled up to four places.
    let ragged = places % GROUP_PLACES;
    if ragged != 0 {
        let part = digits % 10u128.pow(ragged);
        groups.push((part * 10u128.pow(GROUP_PLACES - ragged)) as u16);
        digits /= 10u128.pow(ragged);
    }
    let shift = zeros % GROUP_PLACES;
    weight_of_last += i32::try_from(zeros / GROUP_PLACES).unwrap_or(0);
    if shift != 0 {
        let room = 10u128.pow(GROUP_PLACES - shift);
        groups.push(((digits % room) * 10u128.pow(shift)) as u16);
        digits /= room;
    }
    while digits > 0 {
        groups.push((digits % GROUP) as u16);
        digits /= GROUP;
    }
    let trailing = groups.iter().take_while(|g| **g == 0).count();
    let groups = &groups[trailing..];
    let leading = groups.iter().rev().take_while(|g| **g == 0).count();
    let groups = &groups[..groups.len() - leading];
    let weight = if groups.is_empty() { 0 } else { weight_of_last + (trailing + groups.len()) as i32 - 1 };
    out.put_i16(groups.len() as i16);
    out.put_i16(weight as i16);
    out.put_u16(if negative { NUMERIC_NEGATIVE } else { 0 });
    out.put_i16(places as i16);
    groups.iter().rev().for_each(|group| out.put_u16(*group));
}

/// A numeric as it came: value and scale. `None` where it is not a number or does not fit.
pub fn numeric_from(bytes: &[u8]) -> Option<(i128, i8)> {
    let word = |index: usize| Some(u16::from_be_bytes(bytes.get(2 * index..2 * index + 2)?.try_into().ok()?));
    let count = usize::from(word(0)?);
    let weight = i32::from(word(1)? as i16);
    let sign = word(2)?;
    let places = i32::from(word(3)?);
    if bytes.len() != 8 + 2 * count || (sign & NUMERIC_NAN) == NUMERIC_NAN || places > 38 {
        return None;
    }
    let mut value = 0i128;
    // Each group stands for digits * 10000^(weight - index); the scale cuts or fills the rest.
    for index in 0..count {
        let group = i128::from(word(4 + index)?);
        if group >= GROUP as i128 {
            return None;
        }
        let power = (weight - index as i32) * GROUP_PLACES as i32 + places;
        let add = if power >= 0 {
            group.checked_mul(10i128.checked_pow(power as u32)?)?
        } else {
            group / 10i128.checked_pow(power.unsigned_abs())?
        };
        value = value.checked_add(add)?;
    }
    let value = if sign == NUMERIC_NEGATIVE { -value } else { value };
    (value.unsigned_abs() < 10u128.pow(38)).then_some((value, places as i8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_numeric_is_what_postgresql_sends() {
        // 12345.678::numeric(10,3) as a real server sends it.
        let mut out = BytesMut::new();
        numeric(&mut out, 12_345_678, 3);
        assert_eq!(out.as_ref(), [0, 3, 0, 1, 0, 0, 0, 3, 0, 1, 0x09, 0x29, 0x1a, 0x7c]);
        let mut zero = BytesMut::new();
        numeric(&mut zero, 0, 2);
        assert_eq!(zero.as_ref(), [0, 0, 0, 0, 0, 0, 0, 2]);
    }

    proptest! {
        #[test]
        fn a_numeric_survives_the_way_there_and_back(value in -(10i128.pow(37))..10i128.pow(37), scale in 0i8..=30) {
            let mut out = BytesMut::new();
            numeric(&mut out, value, scale);
            prop_assert_eq!(numeric_from(&out), Some((value, scale)));
        }

        #[test]
        fn any_bytes_are_a_number_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = numeric_from(&bytes);
        }
    }

    #[test]
    fn zeros_before_the_point_keep_their_weight() {
        let mut out = BytesMut::new();
        numeric(&mut out, 12, -3);
        assert_eq!(numeric_from(&out), Some((12_000, 0)));
        let mut out = BytesMut::new();
        numeric(&mut out, 7, -8);
        assert_eq!(numeric_from(&out), Some((700_000_000, 0)));
    }
}
