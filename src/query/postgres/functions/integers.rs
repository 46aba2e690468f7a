//! Arithmetic of integers that is an error where the answer does not fit (22003), as in PostgreSQL.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, Datum};
use datafusion::arrow::compute::kernels::numeric::{add, mul, sub};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{ScalarValue, internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::{Error, SqlState};

/// An operation on two integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntegerOperation {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
}

impl IntegerOperation {
    /// The operation of an operator, if it may not fit and would wrap around then.
    pub fn of(operator: Operator) -> Option<Self> {
        match operator {
            Operator::Plus => Some(Self::Add),
            Operator::Minus => Some(Self::Subtract),
            Operator::Multiply => Some(Self::Multiply),
            _ => None,
        }
    }

    /// The answer for two constants of one type.
    pub fn of_constants(self, left: &ScalarValue, right: &ScalarValue) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.apply(&left.data_type(), &left.to_scalar()?, &right.to_scalar()?)?, 0)
    }

    fn apply(self, data_type: &DataType, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef> {
        let answer = match self {
            Self::Add => add(left, right),
            Self::Subtract => sub(left, right),
            Self::Multiply => mul(left, right),
        };
        answer.map_err(|error| match error {
            ArrowError::ArithmeticOverflow(_) => {
                let name = match data_type {
                    DataType::Int64 => "bigint",
                    DataType::Int32 => "integer",
                    _ => "smallint",
                };
                Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range")).into()
            }
            other => other.into(),
        })
    }
}

/// The function of an operation.
pub fn integer_function(operation: IntegerOperation) -> Arc<ScalarUDF> {
    type Functions = [Arc<ScalarUDF>; 3];
    static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| {
        [
            (IntegerOperation::Add, "integer_add", "+"),
            (IntegerOperation::Subtract, "integer_subtract", "-"),
            (IntegerOperation::Multiply, "integer_multiply", "*"),
        ]
        .map(|(operation, name, sign)| {
            let signature = Signature::user_defined(Volatility::Immutable);
            Arc::new(ScalarUDF::new_from_impl(IntegerFunction { operation, name, sign, signature }))
        })
    });
    let [add, subtract, multiply] = &*FUNCTIONS;
    Arc::clone(match operation {
        IntegerOperation::Add => add,
        IntegerOperation::Subtract => subtract,
        IntegerOperation::Multiply => multiply,
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct IntegerFunction {
    operation: IntegerOperation,
    name: &'static str,
    sign: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for IntegerFunction {
    fn name(&self) -> &str {
        self.name
    }

    /// A column of a plan is found by the name that the operator gave it.
    ///
    /// A chain is written in one go: names of names would take the square of its length, and planning asks for the name
    /// of each part of it.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        use std::fmt::Write;
        let (mut function, mut args) = (self, args);
        let mut after_first = vec![];
        let first = loop {
            let [left, right] = args else { return internal_err!("{} has two arguments", function.name) };
            after_first.push((function.sign, right));
            match left {
                Expr::ScalarFunction(call) => match call.func.inner().downcast_ref::<Self>() {
                    Some(inner) => (function, args) = (inner, &call.args),
                    None => break left,
                },
                _ => break left,
            }
        };
        let mut name = first.schema_name().to_string();
        for (sign, operand) in after_first.into_iter().rev() {
            // A String takes all that is written to it.
            let _ = write!(name, " {sign} {}", operand.schema_name());
        }
        Ok(name)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [left, right] if left == right && left.is_signed_integer() => Ok(types.to_vec()),
            _ => plan_err!("function {} takes two integers of one type", self.name),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Int64))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let [left, right] = args.arg_fields else { return internal_err!("{} has two arguments", self.name) };
        let is_nullable = left.is_nullable() || right.is_nullable();
        Ok(Field::new(self.name, left.data_type().clone(), is_nullable).into())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        use ColumnarValue::{Array, Scalar};
        let [left, right] = args.args.as_slice() else { return internal_err!("{} has two arguments", self.name) };
        let data_type = left.data_type();
        let answer = match (left, right) {
            (Scalar(left), Scalar(right)) => return Ok(Scalar(self.operation.of_constants(left, right)?)),
            (Array(left), Array(right)) => self.operation.apply(&data_type, left, right),
            (Array(left), Scalar(right)) => self.operation.apply(&data_type, left, &right.to_scalar()?),
            (Scalar(left), Array(right)) => self.operation.apply(&data_type, &left.to_scalar()?, right),
        };
        Ok(Array(answer?))
    }
}
