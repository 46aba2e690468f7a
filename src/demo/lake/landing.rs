//! A file as it comes from a collector: the next day's events, with everything that goes wrong.
//!
//! It lies in `landing/` for the import, and nothing of it is in the tables.

use std::fmt::Write;

use super::clock::{DAY_COUNT, DAY_US, HOUR_US, LOCAL_SHIFT_US, MINUTE_US, SECOND_US, starts_us};
use super::identity::phone;
use super::random::Random;
use super::vocabulary::CHANNELS;

/// Name of the file inside the lake.
pub const FILE: &str = "landing/events_2026-06-01.csv";

/// All rows of the file, the header not counted.
pub const ROWS: usize = 10_000;
/// Rows that repeat another, with the same `event_id`.
pub const DUPLICATES: usize = 150;
/// Rows whose time nobody can read.
pub const UNREADABLE_TIMES: usize = 40;
/// Rows with a telephone number that cannot be one.
pub const IMPOSSIBLE_PHONES: usize = 25;
/// Rows that came three days after they happened.
pub const LATE: usize = 60;

/// The names of the columns, as the first line.
const HEADER: &str = "event_id,event_time,received_at,user_id,phone,event,platform,channel";

const BAD_TIMES: [&str; 4] = ["昨天下午", "2026-13-45 10:00:00", "N/A", "0000-00-00 00:00:00"];
const BAD_PHONES: [&str; 4] = ["12345", "+8610000000000000", "没有", "+86-ABC-0000"];

/// The text of the file.
pub fn csv(seed: u64) -> String {
    let mut random = Random::new(seed, "landing");
    let mut rows: Vec<String> = (0..ROWS - DUPLICATES).map(|number| row(number, &mut random)).collect();
    for _ in 0..DUPLICATES {
        // Only clean rows are sent twice: they come last, and each at most once.
        let number = rows.len() - 2 * DUPLICATES;
        rows.push(rows[number].clone());
    }
    // The first row stays: whoever looks at a few rows to guess the type of the time sees at once
    // that it is text.
    random.shuffle(&mut rows[1..]);
    let mut text = String::with_capacity(ROWS * 140);
    text.push_str(HEADER);
    text.push('\n');
    for row in rows {
        text.push_str(&row);
        text.push('\n');
    }
    text
}

/// One row. The first ones are the bad ones, each bad in one way only.
fn row(number: usize, random: &mut Random) -> String {
    let late_from = UNREADABLE_TIMES + IMPOSSIBLE_PHONES;
    let is_late = (late_from..late_from + LATE).contains(&number);
    let received_us = starts_us(DAY_COUNT)
        + random.between(0, 23) * HOUR_US
        + random.between(0, 3_599) * SECOND_US
        + random.between(0, 999) * 1_000;
    let delay_us = random.between(1, 30) * SECOND_US;
    let event_us = received_us - delay_us - if is_late { 3 * DAY_US + 10 * MINUTE_US } else { 0 };
    let person = random.below(46_400) as usize;

    let event_time =
        if number < UNREADABLE_TIMES { (*random.pick(&BAD_TIMES)).to_owned() } else { local_text(event_us) };
    let phone = if (UNREADABLE_TIMES..late_from).contains(&number) {
        (*random.pick(&BAD_PHONES)).to_owned()
    } else if random.below(4) == 0 {
        phone(person)
    } else {
        String::new()
    };
    let event = random.pick(&["visit", "page_view", "product_view", "add_to_cart"]);
    let platform = random.pick(&["android", "ios", "miniprogram", "web"]);
    let channel = random.pick(&CHANNELS).name;
    format!(
        "n{number:06},{event_time},{},u{:05},{phone},{event},{platform},{channel}",
        local_text(received_us),
        person + 1,
    )
}

/// A moment of late May or early June as clocks in Shanghai show it, with its shift.
fn local_text(at_us: i64) -> String {
    let local_us = at_us + LOCAL_SHIFT_US;
    let day = super::clock::day_of(at_us);
    let (month, day_of_month) =
        if day < DAY_COUNT { (5, day - super::clock::day(5, 1) + 1) } else { (6, day - DAY_COUNT + 1) };
    let ms = local_us.rem_euclid(DAY_US) / 1_000;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "2026-{month:02}-{day_of_month:02}T{:02}:{:02}:{:02}.{:03}+08:00",
        ms / 3_600_000,
        ms / 60_000 % 60,
        ms / 1_000 % 60,
        ms % 1_000
    );
    text
}
