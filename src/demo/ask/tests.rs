use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;

use super::*;
use crate::demo::lake::{SEED, generate};

#[test]
fn numbers_are_readable() {
    assert_eq!(readable(43_300.0), "43,300");
    assert_eq!(readable(1_234_567.5), "1,234,567.5");
    assert_eq!(readable(0.8), "0.8");
    assert_eq!(readable(-999.0), "-999");
    assert_eq!(readable(1.273), "1.273");
}

#[test]
fn a_missing_answer_is_wrong_and_says_so() {
    let mut report = Report::default();
    let funnel = QUESTIONS.iter().find(|question| question.number == 2).expect("the funnel is asked");
    let lines = judge(funnel, &Answer::default(), &mut report);
    assert_eq!((report.right, report.wrong), (0, 6));
    assert!(!report.is_right());
    assert!(lines.starts_with("  ✗ people at step 1 within 7 days: planted 43,300, answered nothing"));
}

#[test]
fn every_recipe_begins_with_its_question_in_both_languages() {
    let mut numbers = HashSet::new();
    for question in &QUESTIONS {
        let (chinese, english) = question.titles();
        assert!(chinese.ends_with('？') && english.ends_with('?'), "{chinese} {english}");
        assert!(question.sql().ends_with(';'), "{}", question.number);
        assert!(numbers.insert(question.number));
    }
}

/// The demo lake in memory, under plain DataFusion with our functions.
fn context() -> SessionContext {
    let state = tributary_udfs::install(SessionStateBuilder::new().with_default_features()).build();
    let context = SessionContext::new_with_state(state);
    for table in generate(SEED).tables {
        let batches = table.files.into_iter().map(|(_, batch)| batch).collect();
        let source = MemTable::try_new(table.schema, vec![batches]).expect("a table");
        context.register_table(table.name, Arc::new(source)).expect("a new name");
    }
    context
}

async fn answer(context: &SessionContext, sql: &str) -> Answer {
    let frame = tributary_udfs::sql(context, sql.trim_end_matches(';')).await.expect("it plans");
    let fields = frame.schema().fields().iter();
    let columns = fields.map(|field| field.name().clone()).collect();
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in frame.collect().await.expect("it runs") {
        let formatters: Vec<_> = batch
            .columns()
            .iter()
            .map(|array| ArrayFormatter::try_new(array, &options).expect("a plain column"))
            .collect();
        for row in 0..batch.num_rows() {
            let value = |(array, text): (&Arc<dyn datafusion::arrow::array::Array>, &ArrayFormatter<'_>)| {
                array.is_valid(row).then(|| text.value(row).to_string())
            };
            rows.push(batch.columns().iter().zip(&formatters).map(value).collect());
        }
    }
    Answer { columns, rows }
}

/// The wire is tested by the demo itself; here the SQL and the lake.
#[tokio::test(flavor = "multi_thread")]
async fn every_question_is_answered_as_planted() {
    let context = context();
    for question in &QUESTIONS {
        let answer = answer(&context, question.sql()).await;
        for truth in question.truths(&answer) {
            assert!(truth.holds(), "question {}: {}\n{}", question.number, line(&truth), answer.table());
        }
    }
}
