//! Every planted number, counted afresh from the finished tables.
//!
//! Nothing here asks the generator what it meant to do: the tests read the columns as a stranger
//! would and count by the plainest means.

mod attribution;
mod audience;
mod call_desk;
mod landing;
mod programmes;
mod read;
mod shop;
mod whole;

use std::sync::OnceLock;

use super::{DemoLake, SEED, generate};
use read::{EventRow, event_rows};

/// The lake of the demo and its events, made once for all tests.
struct Sample {
    lake: DemoLake,
    events: Vec<EventRow>,
}

fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let lake = generate(SEED);
        let events = event_rows(&lake);
        Sample { lake, events }
    })
}

/// Microseconds of a local moment, written as in a report.
fn local(text: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(&format!("{text}+08:00"))
        .expect("a moment of a test is well formed")
        .timestamp_micros()
}

/// The provinces of the west, as the pause of Douyin names them.
const WEST: [&str; 7] = ["四川", "重庆", "陕西", "云南", "贵州", "广西", "甘肃"];

fn is_west(province: &str) -> bool {
    WEST.contains(&province)
}
