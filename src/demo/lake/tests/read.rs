//! Tables back to rows.

use datafusion::arrow::array::{Array, AsArray, BooleanArray, Decimal128Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, Int32Type, TimestampMicrosecondType};

use crate::demo::lake::DemoLake;

/// One column of one batch by name.
pub fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a dyn Array {
    batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}")).as_ref()
}

/// The texts of a column.
pub fn texts(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let array: &StringArray = column(batch, name).as_string();
    array.iter().map(|value| value.map(str::to_owned)).collect()
}

/// The instants of a column, in microseconds.
pub fn instants(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    column(batch, name).as_primitive::<TimestampMicrosecondType>().iter().collect()
}

/// The cents of a column of money.
pub fn cents(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    let array: &Decimal128Array = column(batch, name).as_primitive::<Decimal128Type>();
    assert_eq!(array.scale(), 2);
    array.iter().map(|value| value.map(|value| value as i64)).collect()
}

/// The days of a column of dates.
pub fn dates(batch: &RecordBatch, name: &str) -> Vec<Option<i32>> {
    column(batch, name).as_primitive::<Date32Type>().iter().collect()
}

/// The whole numbers of a column.
pub fn ints(batch: &RecordBatch, name: &str) -> Vec<Option<i32>> {
    column(batch, name).as_primitive::<Int32Type>().iter().collect()
}

/// The numbers of a column.
pub fn numbers(batch: &RecordBatch, name: &str) -> Vec<Option<f64>> {
    column(batch, name).as_primitive::<Float64Type>().iter().collect()
}

/// The truths of a column.
pub fn flags(batch: &RecordBatch, name: &str) -> Vec<Option<bool>> {
    let array: &BooleanArray = column(batch, name).as_boolean();
    array.iter().collect()
}

/// The lists of texts of a column.
pub fn lists(batch: &RecordBatch, name: &str) -> Vec<Vec<String>> {
    let array = column(batch, name).as_list::<i32>();
    array
        .iter()
        .map(|list| {
            let list = list.expect("lists are never missing");
            let items: &StringArray = list.as_string();
            items.iter().map(|item| item.expect("no missing item").to_owned()).collect()
        })
        .collect()
}

/// The one batch of a table of one file.
pub fn only<'a>(lake: &'a DemoLake, table: &str) -> &'a RecordBatch {
    let table = lake.table(table).unwrap_or_else(|| panic!("no table {table}"));
    assert_eq!(table.files.len(), 1, "{} is one file", table.name);
    &table.files[0].1
}

/// What the tests ask of an event.
#[derive(Clone, Debug)]
pub struct EventRow {
    pub event_id: String,
    pub at_us: i64,
    pub user: String,
    pub device: String,
    pub event: String,
    pub platform: String,
    pub channel: Option<String>,
    pub is_touch: bool,
    pub province: String,
    pub tracking_code: Option<String>,
    pub referrer: Option<String>,
    pub order_index: Option<i32>,
    pub revenue_cents: Option<i64>,
    pub lead: Option<String>,
    pub score: Option<f64>,
    pub experiment: Option<String>,
    pub variant: Option<String>,
    pub call: Option<String>,
    pub direction: Option<String>,
    pub status: Option<String>,
    pub attempt: Option<i32>,
    pub call_seconds: Option<i32>,
    pub stage: Option<String>,
    pub outcome: Option<String>,
    pub script: Option<String>,
}

/// All events, in the order of the files.
pub fn event_rows(lake: &DemoLake) -> Vec<EventRow> {
    let table = lake.table("events").expect("there is an event table");
    table.files.iter().flat_map(|(_, batch)| rows_of(batch)).collect()
}

fn rows_of(batch: &RecordBatch) -> Vec<EventRow> {
    let text = |name| texts(batch, name).into_iter();
    let key = |name| texts(batch, name).into_iter().map(move |value| value.expect(name));
    let mut event_id = key("event_id");
    let mut at_us = instants(batch, "event_time").into_iter().map(|at| at.expect("a time"));
    let (mut user, mut device) = (key("user_id"), key("anonymous_id"));
    let (mut event, mut platform) = (key("event"), key("platform"));
    let mut province = key("province");
    let mut is_touch = flags(batch, "is_touch").into_iter().map(|flag| flag.expect("a flag"));
    let (mut channel, mut tracking_code) = (text("channel"), text("tracking_code"));
    let (mut referrer, mut lead) = (text("referrer_user_id"), text("lead_id"));
    let (mut experiment, mut variant) = (text("experiment"), text("variant"));
    let (mut call, mut direction) = (text("call_id"), text("call_direction"));
    let (mut status, mut stage) = (text("call_status"), text("call_stage"));
    let (mut outcome, mut script) = (text("call_outcome"), text("script_id"));
    let mut order_index = ints(batch, "order_index").into_iter();
    let mut attempt = ints(batch, "call_attempt").into_iter();
    let mut call_seconds = ints(batch, "call_seconds").into_iter();
    let mut revenue_cents = cents(batch, "revenue").into_iter();
    let mut score = numbers(batch, "score").into_iter();
    let row = |_| {
        Some(EventRow {
            event_id: event_id.next()?,
            at_us: at_us.next()?,
            user: user.next()?,
            device: device.next()?,
            event: event.next()?,
            platform: platform.next()?,
            channel: channel.next()?,
            is_touch: is_touch.next()?,
            province: province.next()?,
            tracking_code: tracking_code.next()?,
            referrer: referrer.next()?,
            order_index: order_index.next()?,
            revenue_cents: revenue_cents.next()?,
            lead: lead.next()?,
            score: score.next()?,
            experiment: experiment.next()?,
            variant: variant.next()?,
            call: call.next()?,
            direction: direction.next()?,
            status: status.next()?,
            attempt: attempt.next()?,
            call_seconds: call_seconds.next()?,
            stage: stage.next()?,
            outcome: outcome.next()?,
            script: script.next()?,
        })
    };
    (0..batch.num_rows()).map_while(row).collect()
}
