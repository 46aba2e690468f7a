//! The demo lake as tables: each row of the story under the names of the canonical schema.

mod beside;
mod columns;
mod events;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;

use super::Story;
use super::clock::{DAY_COUNT, day, starts_us};
use columns::Columns;

/// One table of the lake.
#[derive(Clone, Debug)]
pub struct DemoTable {
    /// Its name in SQL.
    pub name: &'static str,
    pub schema: SchemaRef,
    /// Its files: name inside the lake without the ending, and rows.
    pub files: Vec<(String, RecordBatch)>,
}

impl DemoTable {
    /// A table of one file.
    fn single(name: &'static str, columns: Columns) -> Self {
        let (schema, batch) = columns.finish();
        Self { name, schema, files: vec![(name.to_owned(), batch)] }
    }

    /// Rows of all files.
    pub fn rows(&self) -> usize {
        self.files.iter().map(|(_, batch)| batch.num_rows()).sum()
    }
}

/// All tables, the events first.
pub fn tables(story: &Story) -> Vec<DemoTable> {
    let mut tables = vec![event_table(story)];
    tables.extend(beside::tables(story));
    tables
}

/// The event table: a folder with one file per local month, in time order.
fn event_table(story: &Story) -> DemoTable {
    let months = [("2026-03", 0, day(4, 1)), ("2026-04", day(4, 1), day(5, 1)), ("2026-05", day(5, 1), DAY_COUNT)];
    let mut files = Vec::new();
    let mut schema = None;
    for (month, from, until) in months {
        let first = story.events.partition_point(|event| event.at_us < starts_us(from));
        let end = story.events.partition_point(|event| event.at_us < starts_us(until));
        let (file_schema, batch) = events::columns(story, first..end).finish();
        schema.get_or_insert(file_schema);
        files.push((format!("events/{month}"), batch));
    }
    let schema = schema.unwrap_or_else(|| Columns::new().finish().0);
    DemoTable { name: "events", schema, files }
}

/// The text of a person's id.
fn user_id(person: usize) -> String {
    format!("u{:05}", person + 1)
}
