//! `uuid_in(text)` and `uuid_out(uuid)`, which casts from and to uuid are.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryBuilder, StringArray};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{ScalarValue, exec_err, internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::query::postgres::uuids::{UUID_STORAGE, parse_uuid, uuid_field, uuid_text};

/// Reads text as uuids (22P02 where it is none).
pub fn uuid_in() -> Arc<ScalarUDF> {
    static UUID_IN: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(UuidIn { signature }))
    });
    Arc::clone(&UUID_IN)
}

/// Writes uuids as text.
pub fn uuid_out() -> Arc<ScalarUDF> {
    static UUID_OUT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let signature = Signature::exact(vec![UUID_STORAGE], Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(UuidOut { signature }))
    });
    Arc::clone(&UUID_OUT)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct UuidIn {
    signature: Signature,
}

impl ScalarUDFImpl for UuidIn {
    fn name(&self) -> &str {
        "uuid_in"
    }

    /// A column of a plan is found by the name that the cast gave it, which is its operand's.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let [operand] = args else { return internal_err!("{} has one argument", self.name()) };
        Ok(operand.schema_name().to_string())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [DataType::Utf8View | DataType::Utf8 | DataType::LargeUtf8 | DataType::Null] => {
                Ok(vec![DataType::Utf8View])
            }
            _ => plan_err!("function uuid_in takes one text"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(UUID_STORAGE)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(uuid_field(self.name()).into())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        each(&args, |texts| {
            let Some(texts) = texts.as_string_view_opt() else {
                return exec_err!("uuid_in was given {}", texts.data_type());
            };
            let mut uuids = FixedSizeBinaryBuilder::with_capacity(texts.len(), 16);
            for text in texts {
                match text {
                    Some(text) => uuids.append_value(parse_uuid(text)?)?,
                    None => uuids.append_null(),
                }
            }
            Ok(Arc::new(uuids.finish()))
        })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct UuidOut {
    signature: Signature,
}

impl ScalarUDFImpl for UuidOut {
    fn name(&self) -> &str {
        "uuid_out"
    }

    /// A column of a plan is found by the name that the cast gave it, which is its operand's.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let [operand] = args else { return internal_err!("{} has one argument", self.name()) };
        Ok(operand.schema_name().to_string())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        each(&args, |uuids| {
            let Some(uuids) = uuids.as_fixed_size_binary_opt() else {
                return exec_err!("uuid_out was given {}", uuids.data_type());
            };
            let texts: StringArray = uuids.iter().map(|uuid| uuid.map(uuid_text)).collect();
            Ok(Arc::new(texts))
        })
    }
}

/// Applies a function of one column; a constant stays one.
fn each(args: &ScalarFunctionArgs, body: impl Fn(&dyn Array) -> Result<ArrayRef>) -> Result<ColumnarValue> {
    let [argument] = args.args.as_slice() else { return exec_err!("a call with one argument has {}", args.args.len()) };
    match argument {
        ColumnarValue::Array(values) => Ok(ColumnarValue::Array(body(values)?)),
        ColumnarValue::Scalar(value) => {
            let answer = body(&value.to_array()?)?;
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?))
        }
    }
}
