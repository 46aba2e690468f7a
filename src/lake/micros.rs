//! Timestamps of any unit, read as microseconds.
//!
//! DataFusion's cast from nanoseconds drops digits towards zero, so that the last nanosecond before
//! 1970 would become 1970; time here is floored. And a comparison with a cast column is not always
//! pushed to row groups and pages. So the scan of a file in another unit gets its own expression,
//! and comparisons with constants are turned into the file's unit, where they prune.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};
use datafusion::physical_plan::PhysicalExpr;

use crate::error::{Error, SqlState};

/// Adapts expressions over the table to a file, with timestamps as this module's docs say.
#[derive(Debug)]
pub(super) struct MicrosAdapterFactory;

impl PhysicalExprAdapterFactory for MicrosAdapterFactory {
    fn create(&self, table: SchemaRef, file: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let mut columns = HashMap::new();
        let fields: Vec<FieldRef> = table
            .fields()
            .iter()
            .map(|field| match file.field_with_name(field.name()) {
                Ok(stored) if is_other_timestamp(stored.data_type(), field.data_type()) => {
                    columns.insert(field.name().clone(), field.data_type().clone());
                    // To the stock adapter the column is what the file has: no cast is added.
                    Arc::new(stored.clone())
                }
                _ => Arc::clone(field),
            })
            .collect();
        let inner_table = if columns.is_empty() { table } else { Arc::new(Schema::new(fields)) };
        let stock = DefaultPhysicalExprAdapterFactory.create(inner_table, Arc::clone(&file))?;
        if columns.is_empty() {
            return Ok(stock);
        }
        Ok(Arc::new(MicrosAdapter { stock, columns, file }))
    }
}

fn is_other_timestamp(stored: &DataType, shown: &DataType) -> bool {
    matches!((stored, shown), (DataType::Timestamp(..), DataType::Timestamp(TimeUnit::Microsecond, _)))
        && stored != shown
}

#[derive(Debug)]
struct MicrosAdapter {
    stock: Arc<dyn PhysicalExprAdapter>,
    /// The table's type of each column that the file stores as another timestamp.
    columns: HashMap<String, DataType>,
    file: SchemaRef,
}

impl PhysicalExprAdapter for MicrosAdapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let expr = expr.transform_down(|expr| {
            if let Some(compared) = self.compare_in_file_unit(&expr)? {
                return Ok(Transformed::new(compared, true, TreeNodeRecursion::Jump));
            }
            if let Some(shown) = expr.downcast_ref::<Column>().and_then(|column| self.columns.get(column.name())) {
                let micros = Arc::new(ToMicros { column: Arc::clone(&expr), shown: shown.clone() });
                return Ok(Transformed::new(micros, true, TreeNodeRecursion::Jump));
            }
            Ok(Transformed::no(expr))
        });
        self.stock.rewrite(expr.data()?)
    }
}

impl MicrosAdapter {
    /// `column op constant` in the file's own unit, true for exactly the same rows.
    fn compare_in_file_unit(&self, expr: &Arc<dyn PhysicalExpr>) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let Some(binary) = expr.downcast_ref::<BinaryExpr>() else {
            return Ok(None);
        };
        let (column, op, value) =
            match (binary.left().downcast_ref::<Column>(), binary.right().downcast_ref::<Column>()) {
                (Some(_), None) => (binary.left(), *binary.op(), binary.right()),
                (None, Some(_)) => match binary.op().swap() {
                    Some(op) => (binary.right(), op, binary.left()),
                    None => return Ok(None),
                },
                _ => return Ok(None),
            };
        let (Some(name), Some(literal)) = (column.downcast_ref::<Column>(), value.downcast_ref::<Literal>()) else {
            return Ok(None);
        };
        let ScalarValue::TimestampMicrosecond(Some(micros), _) = literal.value() else {
            return Ok(None);
        };
        if !self.columns.contains_key(name.name()) {
            return Ok(None);
        }
        let DataType::Timestamp(unit, zone) = self.file.field_with_name(name.name())?.data_type() else {
            return Ok(None);
        };
        let bound = |op: Operator, at: Option<i64>| -> Option<Arc<dyn PhysicalExpr>> {
            let value = Arc::new(Literal::new(timestamp(*unit, at?, zone.clone())));
            Some(Arc::new(BinaryExpr::new(Arc::clone(column), op, value)))
        };
        let both = |op: Operator, a: Option<Arc<dyn PhysicalExpr>>, b: Option<Arc<dyn PhysicalExpr>>| {
            Some(Arc::new(BinaryExpr::new(a?, op, b?)) as Arc<dyn PhysicalExpr>)
        };
        // The file's values that become `micros` are those from `first` to before `after`.
        let (first, after) = match unit {
            TimeUnit::Nanosecond => (micros.checked_mul(1000), micros.checked_add(1).and_then(|m| m.checked_mul(1000))),
            unit => {
                let step = micros_per(*unit);
                let first = micros.div_euclid(step) + i64::from(micros.rem_euclid(step) != 0);
                (Some(first), micros.div_euclid(step).checked_add(1))
            }
        };
        Ok(match op {
            Operator::Lt => bound(Operator::Lt, first),
            Operator::LtEq => bound(Operator::Lt, after),
            Operator::Gt => bound(Operator::GtEq, after),
            Operator::GtEq => bound(Operator::GtEq, first),
            Operator::Eq => both(Operator::And, bound(Operator::GtEq, first), bound(Operator::Lt, after)),
            Operator::NotEq => both(Operator::Or, bound(Operator::Lt, first), bound(Operator::GtEq, after)),
            _ => None,
        })
    }
}

/// How many microseconds one step of a coarser unit is.
fn micros_per(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond | TimeUnit::Nanosecond => 1,
    }
}

fn timestamp(unit: TimeUnit, value: i64, zone: Option<Arc<str>>) -> ScalarValue {
    match unit {
        TimeUnit::Second => ScalarValue::TimestampSecond(Some(value), zone),
        TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(Some(value), zone),
        TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(Some(value), zone),
        TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(Some(value), zone),
    }
}

/// Turns one timestamp into microseconds: finer units are floored, coarser ones multiplied.
///
/// `None` where the result does not fit.
pub(super) fn to_micros(unit: TimeUnit, value: i64) -> Option<i64> {
    match unit {
        TimeUnit::Nanosecond => Some(value.div_euclid(1000)),
        unit => value.checked_mul(micros_per(unit)),
    }
}

/// A timestamp column of the file as the table shows it.
#[derive(Debug, Eq)]
struct ToMicros {
    column: Arc<dyn PhysicalExpr>,
    shown: DataType,
}

// Derived, it would move the column out of its Arc.
impl PartialEq for ToMicros {
    fn eq(&self, other: &Self) -> bool {
        self.column.eq(&other.column) && self.shown == other.shown
    }
}

impl Hash for ToMicros {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        self.shown.hash(state);
    }
}

impl fmt::Display for ToMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "micros({})", self.column)
    }
}

impl PhysicalExpr for ToMicros {
    fn return_field(&self, input: &Schema) -> Result<FieldRef> {
        let field = self.column.return_field(input)?;
        Ok(Arc::new(Field::new(field.name(), self.shown.clone(), field.is_nullable())))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let values = self.column.evaluate(batch)?.into_array(batch.num_rows())?;
        let DataType::Timestamp(TimeUnit::Microsecond, zone) = &self.shown else {
            return datafusion::common::internal_err!("{self} must be in microseconds");
        };
        let multiply = |unit: TimeUnit| {
            move |value: i64| {
                to_micros(unit, value).ok_or_else(|| {
                    let message = format!("timestamp of {self} out of range: {value} {unit:?}s since 1970");
                    DataFusionError::from(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message))
                })
            }
        };
        let micros = match values.data_type() {
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                values
                    .as_primitive::<TimestampNanosecondType>()
                    .unary::<_, TimestampMicrosecondType>(|nanos| nanos.div_euclid(1000))
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => values.as_primitive::<TimestampMicrosecondType>().clone(),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                values
                    .as_primitive::<TimestampMillisecondType>()
                    .try_unary::<_, TimestampMicrosecondType, _>(multiply(TimeUnit::Millisecond))?
            }
            DataType::Timestamp(TimeUnit::Second, _) => {
                values
                    .as_primitive::<TimestampSecondType>()
                    .try_unary::<_, TimestampMicrosecondType, _>(multiply(TimeUnit::Second))?
            }
            other => return datafusion::common::internal_err!("{self} is over {other}"),
        };
        let micros: ArrayRef = Arc::new(micros.with_timezone_opt(zone.clone()));
        Ok(ColumnarValue::Array(micros))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.column]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match <[_; 1]>::try_from(children) {
            Ok([column]) => Ok(Arc::new(Self { column, shown: self.shown.clone() })),
            Err(_) => datafusion::common::internal_err!("{self} has one child"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "micros(")?;
        self.column.fmt_sql(f)?;
        write!(f, ")")
    }
}
