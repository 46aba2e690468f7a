//! TAG_MATCH: which events are of a segment, over one table in memory.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput};
use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, ListBuilder, RecordBatch, StringBuilder};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::error::Result;
use tokio::runtime::Runtime;
use tributary_core::tags::{Case, Program};

use crate::engine;
use crate::shop::Dice;

const EXPRESSION: &str = "vip & (auto | ev) & !churn_risk";
const PLAIN: &str = include_str!("../../sql/plain/tag_match.sql");
const BATCH_ROWS: usize = 8_192;
const MOST_TAGS: u64 = 7;

/// Tags of the rows; the first ones are the commonest.
const TAGS: [&str; 12] = [
    "vip",
    "auto",
    "ev",
    "newsletter",
    "churn_risk",
    "travel",
    "music",
    "sports",
    "parents",
    "tea:red",
    "tea:white",
    "gold",
];

/// Times the three forms on tables of each size.
pub fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime for the queries");
    let mut group = criterion.benchmark_group("tags");
    group.sample_size(20);
    for (rows, row_count) in [("20k", 20_000), ("200k", 200_000)] {
        let shape = format!("rows={rows},conditions=4");
        let tagged = Tagged::of(row_count);
        let context = engine::context(&tagged.batches().expect("a table of tags")).expect("a context over the table");
        let ask = |sql: &str| runtime.block_on(engine::run(&context, sql)).expect("an answer");

        let program = Program::compile(EXPRESSION, Case::Sensitive).expect("a valid expression");
        let sql = format!("SELECT user_id, TAG_MATCH(tags, '{EXPRESSION}') AS is_wanted FROM events");
        let expected = answers_of_rule(&program, &tagged);
        assert!(
            [Some(true), Some(false), None].iter().all(|answer| expected.contains(answer)),
            "every answer is there"
        );
        assert_equal("sql", &expected, &answers_of_table(&ask(&sql)));
        assert_equal("plain", &expected, &answers_of_table(&ask(PLAIN)));

        group.throughput(Throughput::Elements(row_count as u64));
        group.bench_function(BenchmarkId::new("core", &shape), |b| {
            b.iter(|| answers_of_rule(&program, black_box(&tagged)));
        });
        group.bench_function(BenchmarkId::new("sql", &shape), |b| b.iter(|| ask(&sql)));
        group.bench_function(BenchmarkId::new("plain", &shape), |b| b.iter(|| ask(PLAIN)));
    }
    group.finish();
}

/// The tags of each row, one row after the other; the same number of rows gives the same tags.
struct Tagged {
    tags: Vec<&'static str>,
    /// Where the tags of each row end, and whether the row has a list at all.
    rows: Vec<(usize, bool)>,
}

impl Tagged {
    fn of(row_count: usize) -> Self {
        let mut dice = Dice(row_count as u64);
        let mut tags = vec![];
        let rows = (0..row_count).map(|_| {
            let has_list = dice.below(10) >= 3;
            if has_list {
                for _ in 0..dice.below(MOST_TAGS + 1) {
                    // The smaller of two places: tags may repeat in a row, and the first ones are the commonest.
                    let place = dice.below(TAGS.len() as u64).min(dice.below(TAGS.len() as u64));
                    tags.push(TAGS[place as usize]);
                }
            }
            (tags.len(), has_list)
        });
        let rows = rows.collect();
        Self { tags, rows }
    }

    /// Each row's tags, or none where it has no list.
    fn each(&self) -> impl Iterator<Item = Option<&[&'static str]>> {
        self.rows.iter().scan(0, |start, &(end, has_list)| {
            let tags = &self.tags[*start..end];
            *start = end;
            Some(has_list.then_some(tags))
        })
    }

    /// The rows as a table `(user_id, tags)`, each with a number of its own, in batches of the size an engine reads.
    fn batches(&self) -> Result<Vec<RecordBatch>> {
        let rows: Vec<_> = self.each().collect();
        let mut batches = vec![];
        for (batch_no, rows) in rows.chunks(BATCH_ROWS).enumerate() {
            let first_no = (batch_no * BATCH_ROWS) as i64;
            let users = Int64Array::from_iter_values(first_no..first_no + rows.len() as i64);
            let mut lists = ListBuilder::new(StringBuilder::new());
            for row in rows {
                for tag in row.unwrap_or_default() {
                    lists.values().append_value(tag);
                }
                lists.append(row.is_some());
            }
            let columns: [(&str, ArrayRef, bool); 2] =
                [("user_id", Arc::new(users), false), ("tags", Arc::new(lists.finish()), true)];
            batches.push(RecordBatch::try_from_iter_with_nullable(columns)?);
        }
        Ok(batches)
    }
}

fn answers_of_rule(program: &Program, tagged: &Tagged) -> Vec<Option<bool>> {
    let mut matcher = program.matcher();
    let rows = tagged.each().map(|tags| {
        matcher.reset();
        tags?.iter().for_each(|tag| matcher.see(tag));
        Some(matcher.matches())
    });
    rows.collect()
}

/// The columns `user_id, is_wanted` of an answer, in order of the rows' numbers.
fn answers_of_table(batches: &[RecordBatch]) -> Vec<Option<bool>> {
    let mut answers: Vec<(i64, Option<bool>)> = vec![];
    for batch in batches {
        let users = batch.column(0).as_primitive::<Int64Type>();
        answers.extend(users.values().iter().copied().zip(batch.column(1).as_boolean()));
    }
    answers.sort_unstable();
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn assert_equal(form: &str, expected: &[Option<bool>], found: &[Option<bool>]) {
    assert_eq!(expected.len(), found.len(), "{form} answers for another number of rows than the rule");
    for (row, (expected, found)) in expected.iter().zip(found).enumerate() {
        assert_eq!(expected, found, "{form} differs from the rule in row {row}");
    }
}
