//! Casts, comparisons and arithmetic of times, as the session's time zone has them.
//!
//! The planner gives instants a zone of their own as a part of their type. It says nothing here: an instant is shown,
//! cut and counted in the zone that the session has when the statement runs, so what depends on a zone is brought to
//! that one. No rewrite changes the type of an expression, since what stands above has been planned with it.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::expr::{Between, Cast, InList, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

use super::functions::{TimeFunction, WALL, instant_plus, instant_type, is_text, session_zone};
use super::is_uuid;
use super::times::zone::is_infinite;
use super::times::{Zone, input};
use crate::error::Result;

/// The rewrite; it runs once on each statement, with the session's settings.
#[derive(Debug)]
pub struct Instants;

impl FunctionRewrite for Instants {
    fn name(&self) -> &str {
        "instants"
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, options: &ConfigOptions) -> PlanResult<Transformed<Expr>> {
        let zone = session_zone(options);
        match expr {
            Expr::Cast(cast) => rewrite_cast(cast, schema, zone),
            Expr::BinaryExpr(binary) => rewrite_binary(binary, schema, zone),
            Expr::Between(Between { expr, negated, mut low, mut high }) => {
                let of = type_of(&expr, schema);
                let changed = [&mut low, &mut high].into_iter().map(|end| meet(end, schema, of.as_ref(), zone));
                let changed = changed.collect::<Result<Vec<bool>>>()?.contains(&true);
                Ok(Transformed::new_transformed(Expr::Between(Between { expr, negated, low, high }), changed))
            }
            Expr::InList(InList { expr, mut list, negated }) => {
                let of = type_of(&expr, schema);
                let changed = list.iter_mut().map(|item| meet(item, schema, of.as_ref(), zone));
                let changed = changed.collect::<Result<Vec<bool>>>()?.contains(&true);
                Ok(Transformed::new_transformed(Expr::InList(InList { expr, list, negated }), changed))
            }
            Expr::ScalarFunction(call) => Ok(rewrite_call(call, schema, zone)),
            other => Ok(Transformed::no(other)),
        }
    }
}

fn type_of(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    // What cannot be resolved here fails where it is planned.
    expr.get_type(schema).ok()
}

pub(super) fn is_instant(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, Some(_)))
}

/// Wall times and dates: what is an instant in some zone only.
pub(super) fn is_wall(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64)
}

/// The type of instants that DataFusion cuts and counts in a zone.
fn in_zone(zone: Zone) -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(zone.to_string().into()))
}

/// A cast, where the type is not what is wanted already.
pub(super) fn brought_to(expr: Expr, from: &DataType, to: &DataType) -> Expr {
    if from == to { expr } else { Expr::Cast(Cast::new(Box::new(expr), to.clone())) }
}

// ---- casts

fn rewrite_cast(cast: Cast, schema: &DFSchema, zone: Zone) -> PlanResult<Transformed<Expr>> {
    let Some(from) = type_of(&cast.expr, schema) else { return Ok(Transformed::no(Expr::Cast(cast))) };
    let to = cast.field.data_type().clone();
    if let Some(value) = constant(&cast.expr, &to, zone)? {
        return Ok(Transformed::yes(Expr::Literal(value, None)));
    }
    let (function, answer) = match (&from, &to) {
        (from, DataType::Timestamp(_, None)) if is_text(from) => (TimeFunction::TimestampIn, WALL),
        (from, DataType::Timestamp(_, Some(_))) if is_text(from) => (TimeFunction::InstantIn, instant_type()),
        (from, DataType::Date32) if is_text(from) => (TimeFunction::DateIn, DataType::Date32),
        (from, to) if is_wall(from) && is_instant(to) => (TimeFunction::Instant, instant_type()),
        (from, to) if is_instant(from) && (is_wall(to) || is_time(to)) => (TimeFunction::WallTime, WALL),
        (from, to) if is_text(to) && is_printed_otherwise(from) => {
            let is_uuid = cast.expr.to_field(schema).is_ok_and(|(_, field)| is_uuid(&field));
            if is_uuid {
                return Ok(Transformed::no(Expr::Cast(cast)));
            }
            (TimeFunction::TextOut, DataType::Utf8)
        }
        _ => return Ok(Transformed::no(Expr::Cast(cast))),
    };
    Ok(Transformed::yes(brought_to(function.udf().call(vec![*cast.expr]), &answer, &to)))
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Time32(_) | DataType::Time64(_))
}

/// Whether DataFusion's own cast to text is not what PostgreSQL prints.
fn is_printed_otherwise(data_type: &DataType) -> bool {
    match data_type {
        DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Timestamp(..)
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Interval(_)
        | DataType::Duration(_)
        | DataType::Date32
        | DataType::Date64
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_)
        | DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(..)
        | DataType::Struct(_) => true,
        DataType::Dictionary(_, values) => is_printed_otherwise(values),
        _ => false,
    }
}

/// A constant text as a value of a type of time, read while the statement is planned, where a mistake is said first.
fn constant(expr: &Expr, to: &DataType, zone: Zone) -> Result<Option<ScalarValue>> {
    let Expr::Literal(value, _) = expr else { return Ok(None) };
    let Some(Some(text)) = value.try_as_str() else { return Ok(None) };
    Ok(match to {
        DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, None) => {
            Some(ScalarValue::TimestampMicrosecond(Some(input::timestamp(text)?), None))
        }
        DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, Some(label)) => {
            Some(ScalarValue::TimestampMicrosecond(Some(input::instant(text, zone)?), Some(Arc::clone(label))))
        }
        DataType::Date32 => Some(ScalarValue::Date32(Some(input::date(text)?))),
        _ => None,
    })
}

// ---- operators

fn rewrite_binary(mut binary: BinaryExpr, schema: &DFSchema, zone: Zone) -> PlanResult<Transformed<Expr>> {
    let types = (type_of(&binary.left, schema), type_of(&binary.right, schema));
    let (Some(left), Some(right)) = types else { return Ok(Transformed::no(Expr::BinaryExpr(binary))) };
    let changed = match binary.op {
        Operator::Plus | Operator::Minus if is_instant(&left) && matches!(right, DataType::Interval(_)) => {
            return Ok(plus_interval(binary, &left, zone));
        }
        Operator::Plus if matches!(left, DataType::Interval(_)) && is_instant(&right) => {
            std::mem::swap(&mut binary.left, &mut binary.right);
            return Ok(plus_interval(binary, &right, zone));
        }
        Operator::Minus => {
            let mut changed = meet_wall(&mut binary.left, &left, &right) || meet_wall(&mut binary.right, &right, &left);
            if [&left, &right].into_iter().all(|side| is_instant(side) || is_wall(side)) {
                for side in [&mut binary.left, &mut binary.right] {
                    changed |= refuse_infinite(side, schema);
                }
            }
            changed
        }
        Operator::StringConcat => {
            let (prints_left, prints_right) = (is_printed_otherwise(&left), is_printed_otherwise(&right));
            (is_text(&right) && prints_left && print(&mut binary.left, &left))
                || (is_text(&left) && prints_right && print(&mut binary.right, &right))
        }
        op if op.supports_propagation() || matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom) => {
            meet(&mut binary.left, schema, Some(&right), zone)? || meet(&mut binary.right, schema, Some(&left), zone)?
        }
        _ => false,
    };
    Ok(Transformed::new_transformed(Expr::BinaryExpr(binary), changed))
}

/// Brings one side of a comparison to the other, which is of type `other`; whether anything was done.
fn meet(expr: &mut Expr, schema: &DFSchema, other: Option<&DataType>, zone: Zone) -> Result<bool> {
    let Some(other) = other else { return Ok(false) };
    if !is_instant(other) && !is_wall(other) {
        return Ok(false);
    }
    if let Some(value) = constant(expr, &in_micros(other), zone)? {
        *expr = Expr::Literal(value, None);
        return Ok(true);
    }
    Ok(type_of(expr, schema).is_some_and(|own| meet_wall(expr, &own, other)))
}

pub(super) fn in_micros(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Date64 => DataType::Date32,
        other => other.clone(),
    }
}

/// A wall time beside an instant is the instant that it means in the session's zone.
fn meet_wall(expr: &mut Expr, own: &DataType, other: &DataType) -> bool {
    let meets = is_wall(own) && is_instant(other);
    if meets {
        let instant = TimeFunction::Instant.udf().call(vec![std::mem::take(expr)]);
        *expr = brought_to(instant, &instant_type(), &in_micros(other));
    }
    meets
}

/// Has an infinite time fail when it is met: a difference with one is no span. Whether anything was done.
fn refuse_infinite(expr: &mut Expr, schema: &DFSchema) -> bool {
    let may_be_infinite = match &*expr {
        Expr::Literal(ScalarValue::TimestampMicrosecond(at_us, _), _) => at_us.is_some_and(is_infinite),
        Expr::ScalarFunction(call) if call.func.name() == "now" => false,
        other => matches!(type_of(other, schema), Some(DataType::Timestamp(TimeUnit::Microsecond, _))),
    };
    if may_be_infinite {
        *expr = TimeFunction::Finite.udf().call(vec![std::mem::take(expr)]);
    }
    may_be_infinite
}

/// An instant plus days is the same time of another day, in the session's zone.
fn plus_interval(binary: BinaryExpr, instant: &DataType, zone: Zone) -> Transformed<Expr> {
    let BinaryExpr { left, op, right } = binary;
    let is_even = match zone {
        Zone::Fixed(_) => true,
        Zone::Named(zone) => matches!(zone, chrono_tz::Tz::UTC | chrono_tz::Tz::Etc__UTC),
    };
    if !is_even {
        let span = if op == Operator::Minus { Expr::Negative(right) } else { *right };
        let moved = instant_plus().call(vec![*left, span]);
        return Transformed::yes(brought_to(moved, &instant_type(), instant));
    }
    let local = in_zone(zone);
    if *instant == local {
        return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
    }
    // Days of 24 hours are counted alike at every offset, months are not.
    let left = Box::new(brought_to(*left, instant, &local));
    let moved = Expr::BinaryExpr(BinaryExpr { left, op, right });
    Transformed::yes(brought_to(moved, &local, instant))
}

// ---- calls

fn rewrite_call(mut call: ScalarFunction, schema: &DFSchema, zone: Zone) -> Transformed<Expr> {
    match call.func.name() {
        "date_trunc" => {
            let Some(time) = call.args.get_mut(1) else { return Transformed::no(Expr::ScalarFunction(call)) };
            let local = in_zone(zone);
            match type_of(time, schema) {
                Some(own) if is_instant(&own) && own != local => {
                    *time = brought_to(std::mem::take(time), &own, &local);
                    Transformed::yes(brought_to(Expr::ScalarFunction(call), &local, &own))
                }
                _ => Transformed::no(Expr::ScalarFunction(call)),
            }
        }
        "concat" | "concat_ws" => {
            let mut changed = false;
            for arg in &mut call.args {
                if let Some(own) = type_of(arg, schema) {
                    changed |= print(arg, &own);
                }
            }
            Transformed::new_transformed(Expr::ScalarFunction(call), changed)
        }
        _ => Transformed::no(Expr::ScalarFunction(call)),
    }
}

/// What is joined to text is printed first; whether anything was done.
fn print(expr: &mut Expr, own: &DataType) -> bool {
    let prints = is_printed_otherwise(own) || *own == DataType::Boolean;
    if prints {
        *expr = TimeFunction::TextOut.udf().call(vec![std::mem::take(expr)]);
    }
    prints
}
