//! Rows of one user in, the session of each row out.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::PartitionEvaluator;
use tributary_core::sessions::{self, Columns, Row, Scratch, UserKey};

use super::args::{Call, TIME};
use super::days::LocalDays;
use super::journey::Journey;
use super::output;
use super::udwf::Answer;
use crate::time::micros;

/// The evaluator of `sessionize` and `sessionize_info`.
pub(super) struct Partition {
    pub call: Arc<Call>,
    pub answer: Answer,
    pub returns: DataType,
}

impl std::fmt::Debug for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partition").field("spec", &self.call.spec).finish_non_exhaustive()
    }
}

impl PartitionEvaluator for Partition {
    /// Needs the whole partition: its order is the rule's own, whatever OVER's ORDER BY says.
    fn evaluate_all(&mut self, values: &[ArrayRef], row_count: usize) -> Result<ArrayRef> {
        let mut journey = Journey::read(self.call.data, values)?;
        match self.answer {
            Answer::Number => {
                let numbers = self.answers(&mut journey, row_count, 0, |row| row.session_no);
                Ok(Arc::new(Int64Array::try_new(numbers.into(), journey.nulls)?))
            }
            Answer::Info => {
                let rows = self.answers(&mut journey, row_count, None, Some);
                let users = self.call.data.user_index().map(|index| user_texts(values, index)).transpose()?;
                let keys = users.map_or_else(|| vec![None; row_count], |users| keys(&rows, &users));
                output::info(&rows, keys, &self.returns)
            }
        }
    }
}

impl Partition {
    /// A part of each row's answer, in the order of the rows; `unknown` where the time is NULL.
    fn answers<T: Clone>(
        &self,
        journey: &mut Journey,
        row_count: usize,
        unknown: T,
        part: impl Fn(Row) -> T,
    ) -> Vec<T> {
        let mut days = self.call.zone.as_ref().map(LocalDays::new);
        let day_of = |at_us| days.as_mut().map_or(0, |days| days.day_of(at_us));
        let (events, places) = journey.events();
        let mut scratch = Scratch::default();
        match places {
            None => {
                let mut answers = Vec::with_capacity(row_count);
                sessions::rows(&self.call.spec, &events, day_of, &mut scratch, |row| answers.push(part(row)));
                answers
            }
            Some(places) => {
                let mut answers = vec![unknown; row_count];
                let mut places = places.iter();
                sessions::rows(&self.call.spec, &events, day_of, &mut scratch, |row| {
                    if let Some(&place) = places.next() {
                        answers[place as usize] = part(row);
                    }
                });
                answers
            }
        }
    }
}

/// The session number of every row of some users, `ends` being where the rows of each end.
///
/// `None` if a session depends on more than time, or a time is NULL, or a user's rows do not come by time: then each
/// partition is read and sorted for itself.
pub(super) fn number_users(call: &Call, columns: &[ArrayRef], ends: &[usize]) -> Result<Option<ArrayRef>> {
    let data = call.data;
    let (Some(times), None, None, None) =
        (columns.get(TIME), data.flags_index(), data.change_index(), data.tie_index())
    else {
        return Ok(None);
    };
    let (at_us, nulls) = micros(times)?;
    if nulls.is_some_and(|nulls| nulls.null_count() > 0) {
        return Ok(None);
    }
    let mut days = call.zone.as_ref().map(LocalDays::new);
    let mut numbers: Vec<i64> = Vec::with_capacity(at_us.len());
    let mut scratch = Scratch::default();
    let begins = std::iter::once(0).chain(ends.iter().copied());
    for (begin, &end) in begins.zip(ends) {
        let at_us = &at_us[begin..end];
        if !at_us.is_sorted() {
            return Ok(None);
        }
        let columns = Columns::of_times(at_us);
        let day_of = |at_us| days.as_mut().map_or(0, |days| days.day_of(at_us));
        sessions::rows(&call.spec, &columns, day_of, &mut scratch, |row| numbers.push(row.session_no));
    }
    Ok(Some(Arc::new(Int64Array::from(numbers))))
}

fn user_texts(values: &[ArrayRef], index: usize) -> Result<StringArray> {
    let users = values.get(index).ok_or_else(|| internal_datafusion_err!("user_key is missing"))?;
    Ok(cast(users, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// The key of each row's session; NULL where the time or the user is.
fn keys(rows: &[Option<Row>], users: &StringArray) -> Vec<Option<String>> {
    // Mostly the rows of a partition are of one user.
    let mut latest: Option<(&str, UserKey)> = None;
    let keys = rows.iter().enumerate().map(|(index, row)| {
        let row = row.as_ref().filter(|_| users.is_valid(index))?;
        let user = users.value(index);
        let key = match latest {
            Some((known, key)) if known == user => key,
            _ => UserKey::new(user.as_bytes()),
        };
        latest = Some((user, key));
        Some(format!("{:016x}", key.session_key(row.started_at_us, row.start_index)))
    });
    keys.collect()
}
