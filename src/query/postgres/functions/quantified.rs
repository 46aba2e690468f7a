//! `x = ANY (list)`, `x <> ALL (list)`, `x LIKE ANY (list)`: a value compared with each item of a list.
//!
//! The engine's planner writes most of them with both sides several times, so that those inside each other double at
//! every level, and passes over what is NULL in the list. Here each is one call, `any_eq(list, x)`, with SQL's answer:
//! that of the comparisons with all items, connected by OR or by AND.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::compute::kernels::boolean::{and_kleene, not, or_kleene};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_nested::array_has::array_has_udf;
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr_common::datum::apply_cmp;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::definition::sql_name;
use super::times::is_text;
use crate::error::{Error, SqlState};

/// Whether one item is enough, or all must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantifier {
    Any,
    All,
}

use Quantifier::{All, Any};

const FUNCTIONS: [(&str, Operator, Quantifier); 20] = [
    ("any_eq", Operator::Eq, Any),
    ("any_ne", Operator::NotEq, Any),
    ("any_lt", Operator::Lt, Any),
    ("any_le", Operator::LtEq, Any),
    ("any_gt", Operator::Gt, Any),
    ("any_ge", Operator::GtEq, Any),
    ("any_like", Operator::LikeMatch, Any),
    ("any_ilike", Operator::ILikeMatch, Any),
    ("any_not_like", Operator::NotLikeMatch, Any),
    ("any_not_ilike", Operator::NotILikeMatch, Any),
    ("all_eq", Operator::Eq, All),
    ("all_ne", Operator::NotEq, All),
    ("all_lt", Operator::Lt, All),
    ("all_le", Operator::LtEq, All),
    ("all_gt", Operator::Gt, All),
    ("all_ge", Operator::GtEq, All),
    ("all_like", Operator::LikeMatch, All),
    ("all_ilike", Operator::ILikeMatch, All),
    ("all_not_like", Operator::NotLikeMatch, All),
    ("all_not_ilike", Operator::NotILikeMatch, All),
];

/// The function that stands for an operator with ANY or ALL: it takes the list first. `None` for other operators.
pub fn quantified_name(op: &BinaryOperator, quantifier: Quantifier) -> Option<&'static str> {
    let op = match op {
        BinaryOperator::Eq => Operator::Eq,
        BinaryOperator::NotEq => Operator::NotEq,
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        BinaryOperator::PGLikeMatch => Operator::LikeMatch,
        BinaryOperator::PGILikeMatch => Operator::ILikeMatch,
        BinaryOperator::PGNotLikeMatch => Operator::NotLikeMatch,
        BinaryOperator::PGNotILikeMatch => Operator::NotILikeMatch,
        _ => return None,
    };
    FUNCTIONS.into_iter().find(|(_, known, of)| (*known, *of) == (op, quantifier)).map(|(name, ..)| name)
}

/// Whether a function of that name compares the items of its first argument with its second.
pub fn is_quantified(name: &str) -> bool {
    FUNCTIONS.iter().any(|(known, ..)| *known == name)
}

/// All of them.
pub fn quantified() -> impl Iterator<Item = ScalarUDF> {
    FUNCTIONS.into_iter().map(|(name, op, quantifier)| {
        let signature = Signature::array_and_element(Volatility::Immutable);
        ScalarUDF::new_from_impl(Quantified { name, op, quantifier, signature })
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Quantified {
    name: &'static str,
    op: Operator,
    quantifier: Quantifier,
    signature: Signature,
}

impl ScalarUDFImpl for Quantified {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [_, value] = types else { return plan_err!("{} takes a list and a value", self.name) };
        if self.takes_patterns() && !is_text(value) && !value.is_null() {
            let of = sql_name(&Field::new("", value.clone(), true));
            let message = format!("operator does not exist: {of} {} {of}", self.op);
            return Err(Error::new(SqlState::UNDEFINED_FUNCTION, message).into());
        }
        Ok(DataType::Boolean)
    }

    /// Equality with items that are written down is IN, which scans and their statistics know.
    fn simplify(&self, mut args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let negated = match (self.op, self.quantifier) {
            (Operator::Eq, Any) => false,
            (Operator::NotEq, All) => true,
            _ => return Ok(ExprSimplifyResult::Original(args)),
        };
        let [list, value] = args.as_mut_slice() else { return Ok(ExprSimplifyResult::Original(args)) };
        let items: Vec<Expr> = match list {
            Expr::Literal(list, _) if list.is_null() => return Ok(simplified(unknown())),
            Expr::Literal(list @ (ScalarValue::List(_) | ScalarValue::LargeList(_)), _) => {
                let rows = ScalarValue::convert_array_to_scalar_vec(&list.to_array()?)?;
                rows.into_iter().flatten().flatten().map(|item| Expr::Literal(item, None)).collect()
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "make_array" => std::mem::take(args),
            _ => return Ok(ExprSimplifyResult::Original(args)),
        };
        let value = Box::new(std::mem::take(value));
        Ok(simplified(Expr::InList(InList { expr: value, list: items, negated })))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [list, value] = args.args.as_slice() else { return exec_err!("{} takes a list and a value", self.name) };
        if list.data_type().is_null() {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
        }
        let is_constant = [list, value].into_iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let answers = match list {
            ColumnarValue::Scalar(list) => self.over_constant(list, value, rows)?,
            ColumnarValue::Array(lists) => match self.by_equality(&args, lists)? {
                Some(answers) => answers,
                None => self.over_rows(lists, value, rows)?,
            },
        };
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&answers, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(answers)))
    }
}

impl Quantified {
    fn takes_patterns(&self) -> bool {
        use Operator::{ILikeMatch, LikeMatch, NotILikeMatch, NotLikeMatch};
        matches!(self.op, LikeMatch | ILikeMatch | NotLikeMatch | NotILikeMatch)
    }

    /// One list for all rows: each item is compared with a column of values.
    fn over_constant(&self, list: &ScalarValue, value: &ColumnarValue, rows: usize) -> Result<BooleanArray> {
        let Some(items) = items(&list.to_array()?, 0)? else { return Ok(BooleanArray::new_null(rows)) };
        let value = ColumnarValue::Array(value.to_array(rows)?);
        // Of no items ALL is true, and ANY is false, whatever the value is.
        let mut answers = BooleanArray::from(vec![self.quantifier == All; rows]);
        for index in 0..items.len() {
            let item = ColumnarValue::Scalar(ScalarValue::try_from_array(&items, index)?);
            let compared = apply_cmp(self.op, &value, &item)?.into_array(rows)?;
            answers = match self.quantifier {
                Any => or_kleene(&answers, compared.as_boolean())?,
                All => and_kleene(&answers, compared.as_boolean())?,
            };
        }
        Ok(answers)
    }

    /// The engine's own search, which is faster than one row after the other, where nothing is NULL.
    fn by_equality(&self, args: &ScalarFunctionArgs, lists: &ArrayRef) -> Result<Option<BooleanArray>> {
        let negated = match (self.op, self.quantifier) {
            (Operator::Eq, Any) => false,
            (Operator::NotEq, All) => true,
            _ => return Ok(None),
        };
        let has_null_items = match lists.data_type() {
            DataType::List(_) => lists.as_list::<i32>().values().null_count() > 0,
            DataType::LargeList(_) => lists.as_list::<i64>().values().null_count() > 0,
            _ => true,
        };
        let has_null_values = match args.args.get(1) {
            Some(ColumnarValue::Array(values)) => values.null_count() > 0,
            Some(ColumnarValue::Scalar(value)) => value.is_null(),
            None => true,
        };
        if has_null_items || has_null_values {
            return Ok(None);
        }
        let found = array_has_udf().invoke_with_args(args.clone())?.into_array(args.number_rows)?;
        let found = found.as_boolean();
        Ok(Some(if negated { not(found)? } else { found.clone() }))
    }

    /// A list for each row.
    fn over_rows(&self, lists: &ArrayRef, value: &ColumnarValue, rows: usize) -> Result<BooleanArray> {
        let values = value.to_array(rows)?;
        let answer = |row: usize| -> Result<Option<bool>> {
            let Some(items) = items(lists, row)? else { return Ok(None) };
            let value = ColumnarValue::Scalar(ScalarValue::try_from_array(&values, row)?);
            let count = items.len();
            let compared = apply_cmp(self.op, &value, &ColumnarValue::Array(items))?.into_array(count)?;
            Ok(self.verdict(compared.as_boolean()))
        };
        (0..rows).map(answer).collect()
    }

    /// The answer to comparisons with all items: one that decides, else NULL if one is unknown.
    fn verdict(&self, compared: &BooleanArray) -> Option<bool> {
        let unknown = compared.null_count();
        let decisive = match self.quantifier {
            Any => compared.true_count(),
            All => compared.len() - unknown - compared.true_count(),
        };
        match (decisive, unknown) {
            (0, 0) => Some(self.quantifier == All),
            (0, _) => None,
            _ => Some(self.quantifier == Any),
        }
    }
}

fn unknown() -> Expr {
    Expr::Literal(ScalarValue::Boolean(None), None)
}

fn simplified(expr: Expr) -> ExprSimplifyResult {
    ExprSimplifyResult::Simplified(expr)
}

/// The items of the list in a row; `None` where it is NULL.
fn items(lists: &ArrayRef, row: usize) -> Result<Option<ArrayRef>> {
    if lists.is_null(row) {
        return Ok(None);
    }
    Ok(Some(match lists.data_type() {
        DataType::List(_) => lists.as_list::<i32>().value(row),
        DataType::LargeList(_) => lists.as_list::<i64>().value(row),
        DataType::FixedSizeList(..) => lists.as_fixed_size_list().value(row),
        other => {
            let of = sql_name(&Field::new("", other.clone(), true));
            let message = format!("op ANY/ALL (array) requires array on right side, not {of}");
            return Err(DataFusionError::from(Error::new(SqlState::WRONG_OBJECT_TYPE, message)));
        }
    }))
}
