//! Rows that bring their own expressions.

use std::collections::HashMap;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use tributary_core::tags::Case;

use super::tester::Tester;

/// The answer of each row to its own expression; NULL where tags or expression are NULL.
///
/// Every distinct text is compiled once for the rows that share it, and one at a time, so that memory stays that of the
/// rows. An expression that does not read is an error, whatever the tags.
pub(super) fn test(tags: &ArrayRef, expressions: &ArrayRef, case: Case) -> Result<BooleanArray> {
    let expressions = cast(expressions, &DataType::Utf8View)?;
    let mut row_lists: Vec<(&str, Vec<u32>)> = vec![];
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (row, expression) in (0..).zip(expressions.as_string_view()) {
        let Some(expression) = expression else { continue };
        let place = *places.entry(expression).or_insert_with(|| {
            row_lists.push((expression, vec![]));
            row_lists.len() - 1
        });
        row_lists[place].1.push(row);
    }
    let mut answers = vec![None; tags.len()];
    for (expression, rows) in row_lists {
        let tester = Tester::compile(expression, case)?;
        let rows = UInt32Array::from(rows);
        let answered = tester.test(&take(tags, &rows, None)?)?;
        for (row, answer) in rows.values().iter().zip(&answered) {
            answers[*row as usize] = answer;
        }
    }
    Ok(answers.into())
}
