//! Attribution through SQL: goldens, the three forms against each other, plans, errors and the relation.

mod agree;
mod errors;
mod goldens;
mod plans;
mod relation;

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;

/// An event: user, second, channel, name, cents.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    pub user: i64,
    pub second: Option<i64>,
    pub channel: Option<&'static str>,
    pub name: &'static str,
    pub cents: Option<i128>,
}

/// Registers `events(user_id, event_time, channel, event, revenue numeric(12, 2))`, dealt out to partitions in turn.
pub fn register(context: &SessionContext, events: &[Event], partitions: usize) {
    let batches: Vec<Vec<RecordBatch>> = (0..partitions)
        .map(|partition| {
            let rows: Vec<&Event> = events.iter().skip(partition).step_by(partitions).collect();
            let times = rows.iter().map(|row| row.second.map(|second| second * 1_000_000));
            let cents = rows.iter().map(|row| row.cents).collect::<Decimal128Array>();
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("user_id", Arc::new(rows.iter().map(|row| Some(row.user)).collect::<Int64Array>())),
                ("event_time", Arc::new(times.collect::<TimestampMicrosecondArray>())),
                ("channel", Arc::new(rows.iter().map(|row| row.channel).collect::<StringViewArray>())),
                ("event", Arc::new(rows.iter().map(|row| Some(row.name)).collect::<StringViewArray>())),
                ("revenue", Arc::new(cents.with_precision_and_scale(12, 2).unwrap())),
            ];
            let columns = columns.into_iter().map(|(name, column)| (name, column, true));
            vec![RecordBatch::try_from_iter_with_nullable(columns).unwrap()]
        })
        .collect();
    let schema = batches[0][0].schema();
    context.deregister_table("events").unwrap();
    context.register_table("events", Arc::new(MemTable::try_new(schema, batches).unwrap())).unwrap();
}
