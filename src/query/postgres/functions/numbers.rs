//! Arithmetic on numbers that fails or rounds as PostgreSQL does: `integer_negate`, `float_divide`, `float_modulo`,
//! `to_whole`.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Datum};
use datafusion::arrow::compute::kernels::numeric::{div, neg, rem};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{ArrowPrimitiveType, DataType, Float32Type, Float64Type};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{exec_err, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::times::over_columns;
use crate::error::{Error, SqlState};

/// `-x` of an integer; the smallest one has none (22003).
pub fn integer_negate() -> Arc<ScalarUDF> {
    Body::Negate.udf()
}

/// `x / y` of floats, or `x % y`; a zero below is 22012.
pub fn float_function(is_modulo: bool) -> Arc<ScalarUDF> {
    if is_modulo { Body::Modulo.udf() } else { Body::Divide.udf() }
}

/// The nearest whole number.
pub fn to_whole() -> Arc<ScalarUDF> {
    Body::Whole.udf()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Body {
    Negate,
    Divide,
    Modulo,
    Whole,
}

impl Body {
    fn udf(self) -> Arc<ScalarUDF> {
        static FUNCTIONS: LazyLock<[Arc<ScalarUDF>; 4]> = LazyLock::new(|| {
            [Body::Negate, Body::Divide, Body::Modulo, Body::Whole].map(|body| {
                let arity = if matches!(body, Body::Divide | Body::Modulo) { 2 } else { 1 };
                let signature = Signature::any(arity, Volatility::Immutable);
                Arc::new(ScalarUDF::new_from_impl(NumberFunction { body, signature }))
            })
        });
        Arc::clone(&FUNCTIONS[self as usize])
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NumberFunction {
    body: Body,
    signature: Signature,
}

impl ScalarUDFImpl for NumberFunction {
    fn name(&self) -> &str {
        match self.body {
            Body::Negate => "integer_negate",
            Body::Divide => "float_divide",
            Body::Modulo => "float_modulo",
            Body::Whole => "to_whole",
        }
    }

    /// A column of a plan is found by the name that the operator gave it.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        match (self.body, args) {
            (Body::Negate, [operand]) => Ok(format!("(- {})", operand.schema_name())),
            (Body::Divide, [left, right]) => Ok(format!("{} / {}", left.schema_name(), right.schema_name())),
            (Body::Modulo, [left, right]) => Ok(format!("{} % {}", left.schema_name(), right.schema_name())),
            (Body::Whole, [operand]) => Ok(operand.schema_name().to_string()),
            _ => internal_err!("{} was called with {} arguments", self.name(), args.len()),
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        over_columns(&args, |columns| match (self.body, columns) {
            (Body::Negate, [values]) => neg(values).map_err(|error| overflow(error, values.data_type())),
            (Body::Divide, [left, right]) => divide(left, right, div),
            (Body::Modulo, [left, right]) => divide(left, right, rem),
            (Body::Whole, [values]) => whole(values),
            _ => exec_err!("{} was called with {} arguments", self.name(), columns.len()),
        })
    }
}

fn overflow(error: ArrowError, data_type: &DataType) -> datafusion::error::DataFusionError {
    match error {
        ArrowError::ArithmeticOverflow(_) => {
            let name = super::times::type_name(data_type);
            Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range")).into()
        }
        other => other.into(),
    }
}

type Kernel = fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef, ArrowError>;

fn divide(left: &ArrayRef, right: &ArrayRef, kernel: Kernel) -> Result<ArrayRef> {
    let has_zero = match right.data_type() {
        DataType::Float32 => has_zero::<Float32Type>(left, right),
        _ => has_zero::<Float64Type>(left, right),
    };
    if has_zero {
        return Err(Error::new(SqlState::DIVISION_BY_ZERO, "division by zero").into());
    }
    Ok(kernel(left, right)?)
}

/// Whether any number is divided by zero; NULL is not divided.
fn has_zero<T: ArrowPrimitiveType>(left: &ArrayRef, right: &ArrayRef) -> bool {
    let zero = T::default_value();
    let Some(divisors) = right.as_primitive_opt::<T>() else { return false };
    let is_divided = |row: usize| left.is_valid(row) && right.is_valid(row);
    divisors.values().iter().enumerate().any(|(row, divisor)| *divisor == zero && is_divided(row))
}

fn whole(values: &ArrayRef) -> Result<ArrayRef> {
    Ok(match values.data_type() {
        DataType::Float32 => {
            Arc::new(values.as_primitive::<Float32Type>().unary::<_, Float32Type>(f32::round_ties_even))
        }
        DataType::Float64 => {
            Arc::new(values.as_primitive::<Float64Type>().unary::<_, Float64Type>(f64::round_ties_even))
        }
        &DataType::Decimal128(precision, scale) if scale > 0 => {
            // A cast to fewer digits rounds away from zero; a further digit before the point is for that.
            let options = CastOptions { safe: false, ..Default::default() };
            let whole = DataType::Decimal128(precision.saturating_add(1).min(38), 0);
            let rounded = cast_with_options(values, &whole, &options)?;
            cast_with_options(&rounded, values.data_type(), &options)?
        }
        _ => Arc::clone(values),
    })
}
