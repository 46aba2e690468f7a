//! Telephone numbers and the printed QR code: which channel each stood for, and when.

use super::call_desk::NUMBERS;
use super::clock::{HOUR_US, SECOND_US, day, starts_us};
use super::events::Event;
use super::people::Cast;
use super::random::Random;

/// A tracking code during one span of its life.
#[derive(Clone, Debug)]
pub struct Code {
    pub code: &'static str,
    /// `phone` or `qr`.
    pub kind: &'static str,
    pub channel: &'static str,
    pub valid_from_us: i64,
    pub valid_until_us: Option<i64>,
}

/// The code that was printed once and used twice.
pub const REUSED_CODE: &str = "QR-SPRING-01";

/// The moment at which the code went from Xiaohongshu to Baidu.
const HANDED_OVER_US: i64 = starts_us(day(4, 15));

/// How often the code was seen before it was handed over, and since.
const SEEN: [(std::ops::Range<i64>, usize); 2] = [(day(3, 10)..day(4, 15), 40), (day(4, 15)..day(5, 30), 60)];

/// All codes: three numbers that kept their channel, and a QR code that did not.
pub fn codes() -> Vec<Code> {
    let number = |(channel, code): (&'static str, &'static str)| Code {
        code,
        kind: "phone",
        channel,
        valid_from_us: starts_us(0),
        valid_until_us: None,
    };
    let mut codes: Vec<Code> = NUMBERS.into_iter().map(number).collect();
    codes.push(Code {
        code: REUSED_CODE,
        kind: "qr",
        channel: "xiaohongshu",
        valid_from_us: starts_us(0),
        valid_until_us: Some(HANDED_OVER_US),
    });
    codes.push(Code {
        code: REUSED_CODE,
        kind: "qr",
        channel: "baidu",
        valid_from_us: HANDED_OVER_US,
        valid_until_us: None,
    });
    codes
}

/// The times at which the QR code was seen: no touches, and seen by anybody.
pub fn sightings(cast: &Cast, seed: u64) -> Vec<Event> {
    let mut random = Random::new(seed, "sightings");
    let mut passers_by = cast.who(|person| person.level >= 1);
    let mut events = Vec::new();
    for (days, count) in SEEN {
        for person in random.take(&mut passers_by, count) {
            let at_us = starts_us(random.between(days.start, days.end - 1))
                + random.between(9, 21) * HOUR_US
                + random.between(0, 3_599) * SECOND_US;
            let mut seen = Event::server(person, at_us, "code_seen");
            seen.tracking_code = Some(REUSED_CODE);
            events.push(seen);
        }
    }
    events
}
