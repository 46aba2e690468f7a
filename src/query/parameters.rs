//! Types of `$1`, `$2` ... that the text of a statement tells before anything is planned.

use std::ops::ControlFlow;

use datafusion::arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::sql::sqlparser::ast::{
    DataType as SqlType, Expr, LimitClause, Query, Statement, TimezoneInfo, Value, Visit, Visitor,
};

/// Types found in the text, by position from 0.
#[derive(Debug, Default)]
pub struct ParameterHints(Vec<Option<DataType>>);

impl ParameterHints {
    /// The type that the text tells for a parameter, if any.
    pub fn get(&self, index: usize) -> Option<DataType> {
        self.0.get(index).cloned().flatten()
    }

    fn put(&mut self, expr: &Expr, data_type: Option<DataType>) {
        let Some(index) = placeholder(expr) else { return };
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        if self.0[index].is_none() {
            self.0[index] = data_type;
        }
    }
}

/// `$3` is 2.
pub fn index_of(placeholder: &str) -> Option<usize> {
    placeholder.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)
}

/// Reads `$1::date`, `CAST($1 AS int)`, `LIMIT $1`, `OFFSET $2`.
pub fn hints(statement: &Statement) -> ParameterHints {
    let mut hints = ParameterHints::default();
    let _ = statement.visit(&mut hints);
    hints
}

impl Visitor for ParameterHints {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Cast { expr, data_type, .. } = expr {
            self.put(expr, arrow_type(data_type));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause {
            if let Some(limit) = limit {
                self.put(limit, Some(DataType::Int64));
            }
            if let Some(offset) = offset {
                self.put(&offset.value, Some(DataType::Int64));
            }
        }
        ControlFlow::Continue(())
    }
}

fn placeholder(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => index_of(name),
            _ => None,
        },
        Expr::Nested(inner) => placeholder(inner),
        _ => None,
    }
}

/// The types that a parameter is cast to in practice; others are left to the planner.
pub fn arrow_type(sql: &SqlType) -> Option<DataType> {
    Some(match sql {
        SqlType::Boolean | SqlType::Bool => DataType::Boolean,
        SqlType::SmallInt(_) | SqlType::Int2(_) => DataType::Int16,
        SqlType::Int(_) | SqlType::Integer(_) | SqlType::Int4(_) => DataType::Int32,
        SqlType::BigInt(_) | SqlType::Int8(_) => DataType::Int64,
        SqlType::Real | SqlType::Float4 => DataType::Float32,
        SqlType::DoublePrecision | SqlType::Double(_) | SqlType::Float8 | SqlType::Float(_) => {
            DataType::Float64
        }
        SqlType::Text | SqlType::Varchar(_) | SqlType::CharacterVarying(_) | SqlType::String(_) => {
            DataType::Utf8
        }
        SqlType::Bytea => DataType::Binary,
        SqlType::Date => DataType::Date32,
        SqlType::Interval { .. } => DataType::Interval(IntervalUnit::MonthDayNano),
        SqlType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        SqlType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => return None,
    })
}
