//! The seeded input of the benches: people who look around a shop, and some who buy.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::error::Result;

/// The names of the events; the first four are the steps of the funnel, in order.
pub const EVENTS: [&str; 6] = ["page_view", "product_view", "add_to_cart", "purchase", "search", "login"];

const SECOND_US: u64 = 1_000_000;
const DAY_US: u64 = 86_400 * SECOND_US;
const START_US: i64 = 1_767_571_200_000_000; // 2026-01-05, a Monday
const SPAN_DAYS: u64 = 90;
const BATCH_ROWS: usize = 8_192;

/// What usually comes after each event, as places in [`EVENTS`]; one of ten is drawn.
const NEXT: [[usize; 10]; 6] = [
    [0, 0, 0, 1, 1, 1, 1, 4, 4, 5],
    [0, 0, 1, 1, 1, 1, 2, 2, 4, 5],
    [0, 0, 1, 1, 1, 2, 3, 3, 3, 4],
    [0, 0, 0, 0, 0, 0, 1, 4, 5, 5],
    [0, 0, 1, 1, 1, 1, 1, 1, 4, 4],
    [0, 0, 0, 0, 0, 1, 1, 4, 4, 5],
];

/// All events of a shop, in order of time: every user's are spread among the others'.
pub struct Shop {
    rows: Vec<Row>,
}

struct Row {
    at_us: i64,
    user_id: i64,
    event: usize,
}

/// The same events as columns, one user's together and in order of time.
pub struct Journeys {
    /// Microseconds since 1970, UTC.
    pub at_us: Vec<i64>,
    /// Bit `k` is set when the row is step `k + 1` of the funnel.
    pub masks: Vec<u8>,
    /// Each user's number, and the row after the user's last.
    pub users: Vec<(i64, usize)>,
}

impl Shop {
    /// A shop of so many users with about 20 events each; the same number gives the same shop.
    pub fn of(user_count: usize) -> Self {
        let mut dice = Dice(user_count as u64);
        let mut rows = Vec::with_capacity(user_count * 24);
        for user_id in 1..=user_count as i64 {
            let mut at_us = START_US + dice.below(SPAN_DAYS * DAY_US) as i64;
            let mut event = [0, 0, 0, 4, 5][dice.below(5) as usize];
            for _ in 0..=dice.below(40) {
                rows.push(Row { at_us, user_id, event });
                // Mostly minutes, sometimes days, and now and then no time at all: steps can tie.
                at_us += match dice.below(20) {
                    0 => dice.below(4 * DAY_US),
                    1 => 0,
                    _ => dice.below(600 * SECOND_US),
                } as i64;
                event = NEXT[event][dice.below(10) as usize];
            }
        }
        rows.sort_by_key(|row| row.at_us);
        Self { rows }
    }

    /// How many events there are.
    pub fn event_count(&self) -> usize {
        self.rows.len()
    }

    /// The events as a table `(user_id, event_time, event)`, in batches of the size an engine reads.
    pub fn batches(&self) -> Result<Vec<RecordBatch>> {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let schema = Arc::new(Schema::new(vec![
            Field::new("user_id", DataType::Int64, false),
            Field::new("event_time", time, false),
            Field::new("event", DataType::Utf8View, false),
        ]));
        self.rows
            .chunks(BATCH_ROWS)
            .map(|rows| {
                let users = Int64Array::from_iter_values(rows.iter().map(|row| row.user_id));
                let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.at_us));
                let events = StringViewArray::from_iter_values(rows.iter().map(|row| EVENTS[row.event]));
                let columns: Vec<ArrayRef> =
                    vec![Arc::new(users), Arc::new(times.with_timezone("UTC")), Arc::new(events)];
                Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
            })
            .collect()
    }

    /// The events as the rules of `tributary-core` read them, for a funnel of the first `step_count` events.
    pub fn journeys(&self, step_count: usize) -> Journeys {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by_key(|row| row.user_id);
        let users = rows.chunk_by(|one, next| one.user_id == next.user_id).scan(0, |end, user| {
            *end += user.len();
            Some((user[0].user_id, *end))
        });
        Journeys {
            at_us: rows.iter().map(|row| row.at_us).collect(),
            masks: rows.iter().map(|row| if row.event < step_count { 1 << row.event } else { 0 }).collect(),
            users: users.collect(),
        }
    }
}

/// SplitMix64, the public-domain generator: small, seeded, and the same everywhere.
pub struct Dice(pub u64);

impl Dice {
    /// A number from 0 to `bound - 1`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % bound
    }
}
