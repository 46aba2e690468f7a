//! Which local day a moment belongs to, without a look into the zone for every row.

use std::ops::Range;

use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::datatypes::TimestampMicrosecondType;
use datafusion::arrow::temporal_conversions::as_datetime_with_timezone;

use super::args::Zone;
use crate::time::DAY_US;

/// Moments whose local time is sure to have a date: 260,000 years around 1970.
const CALENDAR_US: u64 = 260_000 * 365 * DAY_US as u64;

/// The local days of a zone, counted from 1970-01-01; the current one is remembered with its bounds.
#[derive(Debug)]
pub(super) struct LocalDays {
    tz: Tz,
    /// Moments that are known to lie on `day`.
    known_us: Range<i64>,
    day: i64,
}

impl LocalDays {
    /// The days of a zone.
    pub fn new(zone: &Zone) -> Self {
        Self { tz: zone.tz, known_us: 0..0, day: 0 }
    }

    /// The local day of a moment.
    #[inline]
    pub fn day_of(&mut self, at_us: i64) -> i64 {
        if !self.known_us.contains(&at_us) {
            self.look_up(at_us);
        }
        self.day
    }

    /// Finds the day, and as much of it as has the same offset from UTC: the rest, on the two days of a year on which
    /// the clock is moved, is looked up again.
    fn look_up(&mut self, at_us: i64) {
        let offset_us = self.offset_us(at_us);
        self.day = at_us.saturating_add(offset_us).div_euclid(DAY_US);
        let start_us = self.day.saturating_mul(DAY_US).saturating_sub(offset_us);
        let end_us = start_us.saturating_add(DAY_US);
        let is_same = |other_us: i64| self.offset_us(other_us) == offset_us;
        self.known_us = Range {
            start: if is_same(start_us) { start_us } else { at_us },
            end: if is_same(end_us.saturating_sub(1)) { end_us } else { at_us.saturating_add(1) },
        };
    }

    /// How far local clocks are ahead of UTC; beyond the calendar they are not.
    fn offset_us(&self, at_us: i64) -> i64 {
        if at_us.unsigned_abs() > CALENDAR_US {
            return 0;
        }
        as_datetime_with_timezone::<TimestampMicrosecondType>(at_us, self.tz)
            .map_or(0, |local| local.naive_local().and_utc().timestamp_micros() - at_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = 3_600_000_000;

    fn days(zone: &str) -> LocalDays {
        LocalDays { tz: zone.parse().unwrap(), known_us: 0..0, day: 0 }
    }

    /// 2026-03-29T00:00:00Z, the day on which Berlin's clocks go from 02:00 to 03:00.
    const SPRING_US: i64 = 1_774_742_400_000_000;
    /// 2026-10-25T00:00:00Z, the day on which they go from 03:00 to 02:00.
    const AUTUMN_US: i64 = 1_792_886_400_000_000;

    #[test]
    fn a_day_begins_at_local_midnight_on_both_sides_of_a_moved_clock() {
        let mut berlin = days("Europe/Berlin");
        for (midnight_us, before, after) in [(SPRING_US, 1, 2), (AUTUMN_US, 2, 1)] {
            let day = midnight_us / DAY_US;
            // Midnight is `before` hours ahead of UTC's on the day itself, `after` hours on the day after.
            let first_us = midnight_us - before * HOUR_US;
            let next_us = midnight_us + DAY_US - after * HOUR_US;
            for _ in 0..2 {
                assert_eq!(berlin.day_of(first_us - 1), day - 1);
                assert_eq!(berlin.day_of(first_us), day);
                assert_eq!(berlin.day_of(midnight_us + HOUR_US), day);
                assert_eq!(berlin.day_of(next_us - 1), day);
                assert_eq!(berlin.day_of(next_us), day + 1);
            }
        }
    }

    #[test]
    fn what_is_remembered_never_differs_from_what_is_looked_up() {
        // Santiago moves its clocks at midnight: a day of 23 hours begins at 01:00, one of 25 ends twice.
        for zone in ["America/Santiago", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia", "+08:00", "UTC"] {
            let mut remembering = days(zone);
            for quarter in 0..4 * 24 * 400 {
                let at_us = SPRING_US - 200 * DAY_US + quarter * HOUR_US / 4;
                assert_eq!(remembering.day_of(at_us), days(zone).day_of(at_us), "{zone} at {at_us}");
            }
        }
    }

    #[test]
    fn times_beyond_the_calendar_have_a_day() {
        let mut berlin = days("Europe/Berlin");
        assert_eq!(berlin.day_of(i64::MAX - 1), (i64::MAX - 1) / DAY_US);
        assert_eq!(berlin.day_of(i64::MIN + 1), (i64::MIN + 1).div_euclid(DAY_US));
    }
}
