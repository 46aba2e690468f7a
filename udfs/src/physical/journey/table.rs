//! The users of some buckets, with the accumulators of every aggregate.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use datafusion::arrow::compute::{and_kleene, prep_null_mask_filter};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::cast::as_boolean_array;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::{AggregateMode, aggregate_expressions, evaluate_group_by, evaluate_many};

use super::exec::Aggregation;
use super::runs::Runs;
use super::users::Users;

/// An accumulator that keeps more than this without a user begins anew.
const MAX_KEPT_BYTES: usize = 8 << 20;

/// Takes rows of whole users, gives a row for each user.
pub(super) struct Table {
    aggregation: Arc<Aggregation>,
    users: Users,
    accumulators: Vec<Box<dyn GroupsAccumulator>>,
    arguments: Vec<Vec<Arc<dyn PhysicalExpr>>>,
    /// The user of every row of a batch, as a number.
    user_of_row: Vec<usize>,
}

impl Table {
    /// A table for rows in any order.
    pub fn new(aggregation: &Arc<Aggregation>, input: &SchemaRef) -> Result<Self> {
        Self::with_users(Users::new(aggregation.keys.group_schema(input)?)?, aggregation)
    }

    /// A table for rows that come sorted by user.
    pub fn sorted(aggregation: &Arc<Aggregation>, runs: Runs) -> Result<Self> {
        Self::with_users(Users::Sorted(runs), aggregation)
    }

    fn with_users(users: Users, aggregation: &Arc<Aggregation>) -> Result<Self> {
        let functions = &aggregation.functions;
        Ok(Self {
            users,
            accumulators: functions.iter().map(|it| it.create_groups_accumulator()).collect::<Result<_>>()?,
            arguments: aggregate_expressions(functions, &AggregateMode::Single, 0)?,
            aggregation: Arc::clone(aggregation),
            user_of_row: vec![],
        })
    }

    /// Takes those of the rows in that the aggregation is about, and says how many they are.
    pub fn add(&mut self, rows: &RecordBatch) -> Result<usize> {
        let keys = self.keys(rows)?;
        let chosen = self.aggregation.rows.as_ref().map(|rows_of| condition(rows_of, rows)).transpose()?;
        let count = chosen.as_ref().map_or(rows.num_rows(), BooleanArray::true_count);
        let chosen = chosen.filter(|_| count < rows.num_rows()).map(|chosen| match chosen.null_count() {
            0 => chosen,
            _ => prep_null_mask_filter(&chosen),
        });
        match (&mut self.users, &chosen) {
            (Users::Sorted(runs), Some(chosen)) => {
                runs.number(&keys, Some(chosen.values()), &mut self.user_of_row)?;
            }
            (users, None) => users.number(&keys, &mut self.user_of_row)?,
            (_, Some(_)) => return internal_err!("rows that are chosen here come sorted by user"),
        }
        if count == 0 {
            return Ok(0);
        }
        let user_count = self.users.len();
        let arguments = evaluate_many(&self.arguments, rows)?;
        let calls = self.accumulators.iter_mut().zip(&arguments).zip(&self.aggregation.filters);
        for ((accumulator, arguments), filter) in calls {
            let filter = filter.as_ref().map(|filter| condition(filter, rows)).transpose()?;
            let filter = match (&chosen, filter) {
                (Some(chosen), Some(filter)) => Some(and_kleene(chosen, &filter)?),
                (chosen, filter) => filter.or_else(|| chosen.clone()),
            };
            accumulator.update_batch(arguments, &self.user_of_row, filter.as_ref(), user_count)?;
        }
        Ok(count)
    }

    /// The key columns of some rows.
    pub fn keys(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let keys = evaluate_group_by(&self.aggregation.keys, rows)?;
        keys.into_iter().next().ok_or_else(|| internal_datafusion_err!("a journey has a user"))
    }

    /// A row for every user; the table is empty again.
    pub fn finish(&mut self, schema: &SchemaRef) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = self.users.take()?;
        for (accumulator, function) in self.accumulators.iter_mut().zip(&self.aggregation.functions) {
            columns.push(accumulator.evaluate(EmitTo::All)?);
            // What it knows of users that are gone (texts, say) would be carried through all passes.
            if accumulator.size() > MAX_KEPT_BYTES {
                *accumulator = function.create_groups_accumulator()?;
            }
        }
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }

    pub fn bytes(&self) -> usize {
        let accumulators: usize = self.accumulators.iter().map(|accumulator| accumulator.size()).sum();
        self.users.bytes() + accumulators + self.user_of_row.capacity() * size_of::<usize>()
    }

    pub fn is_empty(&self) -> bool {
        self.users.len() == 0
    }
}

fn condition(filter: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Result<BooleanArray> {
    let holds = filter.evaluate(rows)?.into_array(rows.num_rows())?;
    Ok(as_boolean_array(&holds)?.clone())
}
