//! Conditions to the arguments of one [`StepMask`]: what can be looked up is, the rest stays boolean.

use std::collections::BTreeMap;

use datafusion::common::{Column, DFSchema, ExprSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::{Lookup, StepMask};
use crate::call;
use std::sync::Arc;

/// A condition's index, and the texts that meet it.
type Step = (usize, Vec<String>);

/// One expression for all conditions; with `null_drops_row` a row is NULL when any of its conditions is.
pub(crate) fn pack(conditions: Vec<Expr>, null_drops_row: bool, schema: &DFSchema) -> Result<Expr> {
    let mut by_column: BTreeMap<String, (Column, Vec<Step>)> = BTreeMap::new();
    for (index, condition) in conditions.iter().enumerate() {
        if let Some((column, texts)) = texts(condition).filter(|(column, _)| is_text(column, schema)) {
            by_column.entry(column.flat_name()).or_insert_with(|| (column.clone(), vec![])).1.push((index, texts));
        }
    }
    // One column can be looked up; of several the one that answers most conditions.
    let looked_up = by_column.into_values().max_by_key(|(_, steps)| steps.len());
    let mut args = vec![];
    let mut is_looked_up = vec![false; conditions.len()];
    let lookup = looked_up.map(|(column, steps)| {
        args.push(Expr::Column(column));
        let mut masks: BTreeMap<String, u64> = BTreeMap::new();
        for (index, texts) in steps {
            is_looked_up[index] = true;
            for text in texts {
                *masks.entry(text).or_default() |= 1 << index;
            }
        }
        Lookup::new(masks)
    });
    let mut bits = vec![];
    for (index, condition) in conditions.into_iter().enumerate() {
        if !is_looked_up[index] {
            bits.push(index as u8);
            args.push(condition);
        }
    }
    let function = StepMask::planned(lookup, bits, null_drops_row);
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function.into()), args)))
}

/// The column and the texts of `column = 'x'`, `column IN ('x', 'y')` and any OR of such on one column.
fn texts(condition: &Expr) -> Option<(&Column, Vec<String>)> {
    match condition {
        Expr::Alias(alias) => texts(&alias.expr),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (column(left), text(right)) {
            (Some(column), Some(text)) => Some((column, vec![text])),
            _ => Some((column(right)?, vec![text(left)?])),
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let ((left, mut all), (right, more)) = (texts(left)?, texts(right)?);
            all.extend(more);
            (left == right).then_some((left, all))
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            Some((column(expr)?, list.iter().map(text).collect::<Option<_>>()?))
        }
        _ => None,
    }
}

/// The column under casts from text to text, which change no letter.
fn column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Cast(cast) if call::is_text(cast.field.data_type()) => column(&cast.expr),
        _ => None,
    }
}

fn is_text(column: &Column, schema: &DFSchema) -> bool {
    schema.data_type(column).is_ok_and(call::is_text)
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(value, _) => literal(value),
        Expr::Cast(cast) if call::is_text(cast.field.data_type()) => text(&cast.expr),
        _ => None,
    }
}

fn literal(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Dictionary(_, value) => literal(value),
        value => value.try_as_str().flatten().map(str::to_string),
    }
}
