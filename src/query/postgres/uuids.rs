//! The type uuid: read from text, written as text, compared, and told to the planner.
//!
//! DataFusion keeps a uuid as sixteen bytes and casts neither way. Here a cast becomes a call, and a constant beside a
//! uuid is read as one, as PostgreSQL does with a constant whose type nothing else gives.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::expr::{Between, Case, Cast, InList, Placeholder};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::functions::{uuid_in, uuid_out};
use crate::error::{Error, Result, SqlState};

pub use crate::lake::{UUID_STORAGE, is_uuid, uuid_field};

/// Reads a uuid as PostgreSQL does: 32 digits in either case, hyphens after any fourth, braces around it all.
pub fn parse_uuid(text: &str) -> Result<[u8; 16]> {
    digits_of(text).ok_or_else(|| {
        let message = format!("invalid input syntax for type uuid: \"{text}\"");
        Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
    })
}

fn digits_of(text: &str) -> Option<[u8; 16]> {
    let bare = match text.strip_prefix('{') {
        Some(opened) => opened.strip_suffix('}')?,
        None => text,
    };
    let mut rest = bare.bytes().peekable();
    let digit = |rest: &mut std::iter::Peekable<std::str::Bytes<'_>>| (rest.next()? as char).to_digit(16);
    let mut bytes = [0; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        let (high, low) = (digit(&mut rest)?, digit(&mut rest)?);
        *byte = (high * 16 + low) as u8;
        if index % 2 == 1 && index < 15 {
            rest.next_if_eq(&b'-');
        }
    }
    rest.next().is_none().then_some(bytes)
}

/// A uuid as PostgreSQL writes it: small letters, in groups of 8, 4, 4, 4 and 12 digits.
pub fn uuid_text(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // A String takes all that is written to it.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What the planner learns: what a constant beside a uuid means.
#[derive(Debug)]
pub struct Uuids;

impl ExprPlanner for Uuids {
    fn plan_binary_op(
        &self,
        mut compared: RawBinaryExpr,
        schema: &DFSchema,
    ) -> PlanResult<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
        let RawBinaryExpr { op, left, right } = &mut compared;
        if matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq) {
            match (is_of_uuids(left, schema), is_of_uuids(right, schema)) {
                (true, false) => beside_uuid(right, schema, |other| format!("uuid {op} {other}"))?,
                (false, true) => beside_uuid(left, schema, |other| format!("{other} {op} uuid"))?,
                _ => {}
            }
        }
        Ok(PlannerResult::Original(compared))
    }
}

/// Reads a constant that is compared with a uuid; text of a column is no uuid until it is cast.
fn beside_uuid(other: &mut Expr, schema: &DFSchema, shown: impl Fn(&str) -> String) -> Result<()> {
    read_constant(other)?;
    match other.get_type(schema) {
        Ok(DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
            let message = format!("operator does not exist: {}", shown("text"));
            Err(Error::new(SqlState::UNDEFINED_FUNCTION, message).with_hint("Cast one of them: ::uuid or ::text."))
        }
        _ => Ok(()),
    }
}

/// Turns casts from and to uuid into calls, and constants that stand beside uuids into uuids.
///
/// What the operators of [`Uuids`] compare has been read while it was planned; the others have no hook there.
#[derive(Debug)]
pub struct UuidCasts;

impl FunctionRewrite for UuidCasts {
    fn name(&self) -> &str {
        "uuid_casts"
    }

    fn rewrite(&self, mut expr: Expr, schema: &DFSchema, _: &ConfigOptions) -> PlanResult<Transformed<Expr>> {
        match &mut expr {
            Expr::Cast(Cast { expr: operand, field }) if is_uuid(field) => {
                if read_constant(operand)? {
                    return Ok(Transformed::yes(std::mem::take(operand)));
                }
                if is_text(&operand.get_type(schema)?) {
                    return Ok(Transformed::yes(uuid_in().call(vec![std::mem::take(operand)])));
                }
            }
            Expr::Cast(Cast { expr: operand, field }) if is_text(field.data_type()) && is_of_uuids(operand, schema) => {
                **operand = uuid_out().call(vec![std::mem::take(operand)]);
                return Ok(Transformed::yes(expr));
            }
            Expr::InList(InList { expr: operand, list, .. })
                if list.iter().any(is_text_constant) && is_of_uuids(operand, schema) =>
            {
                for item in list.iter_mut() {
                    read_constant(item)?;
                }
                return Ok(Transformed::yes(expr));
            }
            Expr::Between(Between { expr: operand, low, high, .. })
                if [&low, &high].into_iter().any(|end| is_text_constant(end)) && is_of_uuids(operand, schema) =>
            {
                read_constant(low)?;
                read_constant(high)?;
                return Ok(Transformed::yes(expr));
            }
            Expr::ScalarFunction(call) => {
                let op = match call.func.name() {
                    "is_distinct_from" => Operator::IsDistinctFrom,
                    "is_not_distinct_from" => Operator::IsNotDistinctFrom,
                    _ => return Ok(Transformed::no(expr)),
                };
                let [left, right] = call.args.as_mut_slice() else { return Ok(Transformed::no(expr)) };
                let (left, right) = (std::mem::take(left), std::mem::take(right));
                let mut compared = BinaryExpr::new(Box::new(left), op, Box::new(right));
                if is_of_uuids(&compared.right, schema) {
                    read_constant(&mut compared.left)?;
                } else if is_of_uuids(&compared.left, schema) {
                    read_constant(&mut compared.right)?;
                }
                return Ok(Transformed::yes(Expr::BinaryExpr(compared)));
            }
            Expr::Case(Case { expr: Some(operand), when_then_expr, .. })
                if when_then_expr.iter().any(|(when, _)| is_text_constant(when)) && is_of_uuids(operand, schema) =>
            {
                for (when, _) in when_then_expr.iter_mut() {
                    read_constant(when)?;
                }
                return Ok(Transformed::yes(expr));
            }
            _ => {}
        }
        Ok(Transformed::no(expr))
    }
}

/// The field of a result column: sixteen bytes are a uuid where all that come into the plan are.
///
/// DataFusion does not say of `coalesce(id, ...)`, CASE, `max(id)` or `array_agg(id)` what it says of `id`.
pub fn result_field(plan: &LogicalPlan, field: &FieldRef) -> FieldRef {
    let is_list = matches!(field.data_type(), DataType::List(item) if is_plain(item));
    if !(is_list || is_plain(field)) || !only_uuids_come_in(plan).unwrap_or(false) {
        return Arc::clone(field);
    }
    let (name, is_nullable) = (field.name(), field.is_nullable());
    Arc::new(match is_list {
        true => {
            let items = DataType::List(Arc::new(uuid_field(Field::LIST_FIELD_DEFAULT_NAME)));
            Field::new(name, items, is_nullable)
        }
        false => uuid_field(name).with_nullable(is_nullable),
    })
}

fn is_plain(field: &Field) -> bool {
    *field.data_type() == UUID_STORAGE && !is_uuid(field)
}

/// Whether no column of a table, no cast, no parameter and no function brings sixteen bytes that are no uuid.
fn only_uuids_come_in(plan: &LogicalPlan) -> PlanResult<bool> {
    let mut is_so = true;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            is_so &= !scan.source.schema().fields().iter().any(|field| is_plain(field));
        }
        let schema = merge_schema(&node.inputs());
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                is_so &= match expr {
                    Expr::Cast(Cast { field, .. }) | Expr::Placeholder(Placeholder { field: Some(field), .. }) => {
                        !is_plain(field)
                    }
                    Expr::ScalarFunction(call) => {
                        let is_of_bytes = |arg: &Expr| matches!(arg.get_type(&schema), Ok(of) if holds_uuids(&of));
                        call.args.iter().any(is_of_bytes)
                            || !matches!(expr.get_type(&schema), Ok(UUID_STORAGE))
                            || is_of_uuids(expr, &schema)
                    }
                    _ => true,
                };
                Ok(if is_so { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
            })
        })
    })?;
    Ok(is_so)
}

/// Whether a type is sixteen bytes, or a list of them.
fn holds_uuids(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) => *item.data_type() == UUID_STORAGE,
        other => *other == UUID_STORAGE,
    }
}

/// A constant of type uuid.
pub fn uuid_constant(bytes: Option<[u8; 16]>) -> Expr {
    let value = ScalarValue::FixedSizeBinary(16, bytes.map(Vec::from));
    Expr::Literal(value, Some(FieldMetadata::from(&uuid_field(""))))
}

/// Reads a constant text in place; `false` where it is none.
fn read_constant(expr: &mut Expr) -> Result<bool> {
    let Expr::Literal(value, _) = expr else { return Ok(false) };
    let Some(text) = value.try_as_str() else { return Ok(false) };
    let bytes = text.map(parse_uuid).transpose()?;
    *expr = uuid_constant(bytes);
    Ok(true)
}

fn is_text_constant(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if is_text(&value.data_type()))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Whether the values of an expression are uuids. What cannot be resolved here fails where it is planned.
fn is_of_uuids(expr: &Expr, schema: &DFSchema) -> bool {
    expr.to_field(schema).is_ok_and(|(_, field)| is_uuid(&field))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; 16] =
        [0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8, 0xbb, 0x6d, 0x6b, 0xb9, 0xbd, 0x38, 0x0a, 0x11];

    #[test]
    fn a_uuid_is_read_in_every_spelling_of_postgresql() {
        for text in [
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
            "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
        ] {
            assert_eq!(parse_uuid(text), Ok(BYTES), "{text}");
        }
        assert_eq!(uuid_text(&BYTES), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    }

    #[test]
    fn what_is_no_uuid_is_said_as_postgresql_says_it() {
        for text in [
            "",
            "tea",
            "红茶",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "a0e-ebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-",
            " a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ] {
            let error = parse_uuid(text).expect_err(text);
            assert_eq!(error.state, SqlState::INVALID_TEXT_REPRESENTATION);
            assert_eq!(error.message, format!("invalid input syntax for type uuid: \"{text}\""));
        }
    }
}
