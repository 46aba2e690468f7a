//! What a file's footer says, in the types of the table: rows, smallest and largest values, order.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use std::sync::Arc;

use super::file::Contents;
use super::micros::to_micros;

/// The footer's statistics for the columns of the table.
///
/// Whatever cannot be carried over exactly is left unknown: DataFusion answers `min`, `max` and
/// `count` from what is called exact, without a look at the rows. So floats are never exact (a
/// footer leaves NaN out), and a column that the file lacks is all NULL.
pub(super) fn table_statistics(contents: &Contents, fields: &[FieldRef]) -> Statistics {
    let Some(stored) = &contents.statistics else {
        return Statistics {
            num_rows: Precision::Absent,
            total_byte_size: Precision::Absent,
            column_statistics: vec![ColumnStatistics::new_unknown(); fields.len()],
        };
    };
    let columns = fields.iter().map(|field| {
        let Ok(index) = contents.schema.index_of(field.name()) else {
            return ColumnStatistics { null_count: stored.num_rows, ..ColumnStatistics::new_unknown() };
        };
        if contents.repeated.contains(field.name()) {
            return ColumnStatistics::new_unknown();
        }
        let column = &stored.column_statistics[index];
        ColumnStatistics {
            null_count: column.null_count,
            min_value: carry(&column.min_value, field.data_type()),
            max_value: carry(&column.max_value, field.data_type()),
            sum_value: Precision::Absent,
            distinct_count: column.distinct_count.to_inexact(),
            byte_size: column.byte_size,
        }
    });
    Statistics {
        num_rows: stored.num_rows,
        total_byte_size: stored.total_byte_size,
        column_statistics: columns.collect(),
    }
}

fn carry(bound: &Precision<ScalarValue>, shown: &DataType) -> Precision<ScalarValue> {
    let Some(value) = bound.get_value().filter(|value| !value.is_null()) else {
        return Precision::Absent;
    };
    let stored = value.data_type();
    let carried = match (&stored, shown) {
        (stored, shown) if stored == shown => Some(value.clone()),
        (DataType::Timestamp(unit, _), DataType::Timestamp(_, zone)) => count_of(value)
            .and_then(|value| to_micros(*unit, value))
            .map(|micros| ScalarValue::TimestampMicrosecond(Some(micros), zone.clone())),
        (_, shown) if shown.is_nested() => None,
        (_, shown) => value.cast_to(shown).ok().filter(|value| !value.is_null()),
    };
    let is_exact = matches!(bound, Precision::Exact(_)) && !shown.is_floating() && !stored.is_floating();
    match carried {
        Some(value) if is_exact => Precision::Exact(value),
        Some(value) => Precision::Inexact(value),
        None => Precision::Absent,
    }
}

/// The count of a timestamp, in its own unit.
fn count_of(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampSecond(count, _)
        | ScalarValue::TimestampMillisecond(count, _)
        | ScalarValue::TimestampMicrosecond(count, _)
        | ScalarValue::TimestampNanosecond(count, _) => *count,
        _ => None,
    }
}

/// The order of the file's rows, as far as it is still true of the table's columns.
///
/// Where widening makes different values equal (nanoseconds floored, integers as doubles), the
/// columns behind that one are no longer in order.
pub(super) fn table_ordering(contents: &Contents, fields: &[FieldRef]) -> Option<LexOrdering> {
    let mut order = Vec::new();
    for (index, options) in &contents.ordering {
        let stored = contents.schema.field(*index);
        let Some(place) = fields.iter().position(|field| field.name() == stored.name()) else {
            break;
        };
        let shown = fields[place].data_type();
        if contents.repeated.contains(stored.name()) || !keeps_order(stored.data_type(), shown) {
            break;
        }
        let column = Arc::new(Column::new(stored.name(), place));
        order.push(PhysicalSortExpr::new(column, *options));
        if merges_values(stored.data_type(), shown) {
            break;
        }
    }
    LexOrdering::new(order)
}

/// Whether the table's type orders values as the file's does. Widening keeps order, but what a file
/// calls text may be a guess (CSV), and an unusable column keeps another file's type.
fn keeps_order(stored: &DataType, shown: &DataType) -> bool {
    let shown_alone = super::unify::table_type(stored);
    &shown_alone == shown || (shown_alone.is_numeric() && shown.is_numeric())
}

fn merges_values(stored: &DataType, shown: &DataType) -> bool {
    use datafusion::arrow::datatypes::TimeUnit::Nanosecond;
    matches!(stored, DataType::Timestamp(Nanosecond, _)) || (stored.is_integer() && shown.is_floating())
}
