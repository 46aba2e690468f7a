//! The function as DataFusion sees it: before its expression is known, and after.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility, lit,
};
use tributary_core::tags::Case;

use super::tester::Tester;
use super::{DOC, args, by_row, configure};
use crate::call;

/// `TAG_MATCH`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TagMatch {
    expression: Expression,
    signature: Signature,
}

/// Where the expression comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Expression {
    /// From the arguments, which nobody has looked at yet.
    Written,
    /// From the arguments, another one for every row.
    PerRow(Case),
    /// It was a constant, and is compiled.
    Constant(Arc<Tester>),
}

impl TagMatch {
    /// The function as it is registered.
    pub fn written() -> Self {
        Self::with(Expression::Written)
    }

    /// The function with an expression of this kind.
    pub fn with(expression: Expression) -> Self {
        Self { expression, signature: Signature::user_defined(Volatility::Immutable) }
    }

    /// Whether nobody has looked at the arguments yet.
    pub fn is_written(&self) -> bool {
        self.expression == Expression::Written
    }
}

impl ScalarUDFImpl for TagMatch {
    fn name(&self) -> &str {
        DOC.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Takes every type: an error made here loses its words, so [`Self::return_type`] judges the types.
    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        args::check_types(arg_types)?;
        Ok(DataType::Boolean)
    }

    /// NULL in, NULL out: outer joins below a filter on it may become inner ones.
    fn is_strict(&self) -> bool {
        true
    }

    /// In a program without our analyzer rule, compiles a constant expression here; and replaces a call by its answer
    /// where neither the tags nor their absence can change it.
    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        match &self.expression {
            Expression::Written => {
                let is_constant =
                    args.get(args::EXPRESSION).is_some_and(|expression| expression.as_literal().is_some());
                if is_constant && !args.iter().any(call::has_placeholder) {
                    let call = configure::configured(&args, &Ok)?;
                    return Ok(ExprSimplifyResult::Simplified(Expr::ScalarFunction(call)));
                }
            }
            Expression::Constant(tester) => {
                if let (Some(answer), Some(tags)) = (tester.constant(), args.get(args::TAGS))
                    && !info.nullable(tags)?
                {
                    return Ok(ExprSimplifyResult::Simplified(lit(answer)));
                }
            }
            Expression::PerRow(_) => {}
        }
        Ok(ExprSimplifyResult::Original(args))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [tags, expression, options @ ..] = args.args.as_slice() else {
            return internal_err!("a call without an expression passed the check of types");
        };
        match (&self.expression, expression) {
            (Expression::Constant(tester), _) => answer(tags, |tags| tester.test(tags)),
            (Expression::PerRow(case), expressions) => per_row(tags, expressions, *case, args.number_rows),
            (Expression::Written, expression) => {
                let case = written_case(options)?;
                match expression {
                    ColumnarValue::Scalar(expression) => {
                        let tester = Tester::compile(&args::expression(expression)?, case)?;
                        answer(tags, |tags| tester.test(tags))
                    }
                    expressions => per_row(tags, expressions, case, args.number_rows),
                }
            }
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| DOC.documentation());
        Some(&DOCUMENTATION)
    }
}

/// The case that options ask for which arrive with the rows.
fn written_case(options: &[ColumnarValue]) -> Result<Case> {
    match options {
        [] => args::case(None, &Ok),
        [ColumnarValue::Scalar(options), ..] => args::case(Some(&Expr::Literal(options.clone(), None)), &Ok),
        [ColumnarValue::Array(_), ..] => Err(args::varying_options().into()),
    }
}

fn per_row(tags: &ColumnarValue, expressions: &ColumnarValue, case: Case, rows: usize) -> Result<ColumnarValue> {
    let expressions = expressions.to_array(rows)?;
    Ok(ColumnarValue::Array(Arc::new(by_row::test(&tags.to_array(rows)?, &expressions, case)?)))
}

/// One answer for constant tags, one for each row else.
fn answer(tags: &ColumnarValue, test: impl Fn(&ArrayRef) -> Result<BooleanArray>) -> Result<ColumnarValue> {
    match tags {
        ColumnarValue::Array(tags) => Ok(ColumnarValue::Array(Arc::new(test(tags)?))),
        ColumnarValue::Scalar(tags) => {
            let answers = test(&tags.to_array()?)?;
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&answers, 0)?))
        }
    }
}
