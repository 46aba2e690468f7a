//! Types of `$1`, `$2` ... that the text of a statement tells before anything is planned.

use std::ops::ControlFlow;

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType as SqlType, ExactNumberInfo, Expr, LimitClause, Query, Statement,
    TimezoneInfo, Value, Visit, VisitMut, Visitor, VisitorMut,
};

use super::postgres::{self, UUID_STORAGE, is_uuid, parse_uuid, uuid_field};

/// Types found in the text, by position from 0; none yet for a parameter that the text only names.
#[derive(Debug, Default)]
pub struct ParameterHints(Vec<Option<DataType>>);

impl ParameterHints {
    /// Reads `$1::date`, `CAST($1 AS int)`, `LIMIT $1`, `OFFSET $2`. What was found before holds.
    pub fn read(&mut self, statement: &Statement) {
        // The visitor never breaks.
        let _ = statement.visit(self);
    }

    /// The type that the text tells for a parameter, if any.
    pub fn get(&self, index: usize) -> Option<DataType> {
        self.0.get(index).cloned().flatten()
    }

    /// How many parameters the text has, as PostgreSQL counts them: up to the highest that is named anywhere.
    pub fn count(&self) -> usize {
        self.0.len()
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

/// `$3` is 2. A number that no client can bind a value to is none.
pub fn index_of(placeholder: &str) -> Option<usize> {
    let number = placeholder.strip_prefix('$')?.parse::<u16>().ok()?;
    usize::from(number).checked_sub(1)
}

/// A parameter of a type that was declared or written down: sixteen bytes are then a uuid.
pub fn field(data_type: DataType) -> FieldRef {
    Arc::new(match data_type {
        UUID_STORAGE => uuid_field(""),
        DataType::List(item) if *item.data_type() == UUID_STORAGE => {
            Field::new("", DataType::List(Arc::new(uuid_field(Field::LIST_FIELD_DEFAULT_NAME))), true)
        }
        other => Field::new("", other, true),
    })
}

/// A parameter of the type of what it is compared with: what else its field says does not go with it.
pub fn like(other: &FieldRef) -> FieldRef {
    Arc::new(if is_uuid(other) { uuid_field("") } else { Field::new("", other.data_type().clone(), true) })
}

/// The value of a parameter of EXECUTE, in the parameter's type.
pub fn assign(value: ScalarValue, parameter: &Field) -> datafusion::error::Result<ScalarValue> {
    match value.try_as_str() {
        Some(text) if is_uuid(parameter) => {
            let bytes = text.map(parse_uuid).transpose()?;
            Ok(ScalarValue::FixedSizeBinary(16, bytes.map(Vec::from)))
        }
        _ => value.cast_to(parameter.data_type()),
    }
}

/// An expression in the type of the parameter that it is the value of; one whose type has no name stays as it is.
pub fn assigned(expr: Expr, data_type: Option<&DataType>) -> Expr {
    match data_type.filter(|data_type| !data_type.is_decimal()).and_then(sql_type) {
        Some(data_type) => cast(expr, data_type),
        None => expr,
    }
}

fn cast(operand: Expr, data_type: SqlType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(operand), data_type, array: false, format: None }
}

/// Puts the types that the client declared into the statement, as casts of the placeholders,
/// so that they are known while it is planned.
pub fn declare(statement: &mut Statement, declared: &[Option<DataType>]) {
    // The visitor never breaks.
    let _ = statement.visit(&mut Declare(declared));
}

struct Declare<'a>(&'a [Option<DataType>]);

impl VisitorMut for Declare<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Value(_) = expr else { return ControlFlow::Continue(()) };
        let declared = placeholder(expr).and_then(|index| self.0.get(index)?.as_ref()).and_then(sql_type);
        if let Some(data_type) = declared {
            *expr = cast(expr.clone(), data_type);
        }
        ControlFlow::Continue(())
    }
}

/// The reverse of [`arrow_type`], for the types that a client may declare.
fn sql_type(arrow: &DataType) -> Option<SqlType> {
    const MICROSECONDS: Option<u64> = Some(6);
    Some(match arrow {
        DataType::Boolean => SqlType::Boolean,
        DataType::Int16 => SqlType::SmallInt(None),
        DataType::Int32 => SqlType::Integer(None),
        DataType::Int64 => SqlType::BigInt(None),
        DataType::Float32 => SqlType::Real,
        DataType::Float64 => SqlType::DoublePrecision,
        DataType::Decimal128(precision, scale) => {
            SqlType::Numeric(ExactNumberInfo::PrecisionAndScale(u64::from(*precision), i64::from(*scale)))
        }
        DataType::Utf8 => SqlType::Text,
        DataType::Binary => SqlType::Bytea,
        &UUID_STORAGE => SqlType::Uuid,
        DataType::Date32 => SqlType::Date,
        DataType::Interval(_) => SqlType::Interval { fields: None, precision: None },
        DataType::Timestamp(_, None) => SqlType::Timestamp(MICROSECONDS, TimezoneInfo::None),
        DataType::Timestamp(_, Some(_)) => SqlType::Timestamp(MICROSECONDS, TimezoneInfo::Tz),
        DataType::List(item) => {
            let item = sql_type(item.data_type())?;
            SqlType::Array(ArrayElemTypeDef::SquareBracket(Box::new(item), None))
        }
        _ => return None,
    })
}

impl Visitor for ParameterHints {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Cast { expr, data_type, .. } => {
                let mut data_type = data_type.clone();
                postgres::normalize_type(&mut data_type);
                self.put(expr, arrow_type(&data_type));
            }
            other => self.put(other, None),
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
        SqlType::DoublePrecision | SqlType::Double(_) | SqlType::Float8 | SqlType::Float(_) => DataType::Float64,
        SqlType::Text | SqlType::Varchar(_) | SqlType::CharacterVarying(_) | SqlType::String(_) => DataType::Utf8,
        SqlType::Bytea => DataType::Binary,
        SqlType::Uuid => UUID_STORAGE,
        SqlType::Date => DataType::Date32,
        SqlType::Interval { .. } => DataType::Interval(IntervalUnit::MonthDayNano),
        SqlType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        SqlType::Numeric(_) | SqlType::Decimal(_) => DataType::Decimal128(38, 12),
        SqlType::Array(ArrayElemTypeDef::SquareBracket(item, _) | ArrayElemTypeDef::AngleBracket(item)) => {
            DataType::List(Arc::new(Field::new_list_field(arrow_type(item)?, true)))
        }
        SqlType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => return None,
    })
}
