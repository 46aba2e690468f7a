//! `json_build_object(key, value, ...)`, which SQLAlchemy asks columns' properties with.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use crate::error::{Error, SqlState};

/// The function. Its result is text: there is no JSON type yet.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct JsonBuildObject {
    signature: Signature,
}

impl Default for JsonBuildObject {
    fn default() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Stable) }
    }
}

impl ScalarUDFImpl for JsonBuildObject {
    fn name(&self) -> &str {
        "json_build_object"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        if !arguments.len().is_multiple_of(2) {
            return plan_err!("json_build_object: argument list must have even number of elements");
        }
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns =
            args.args.iter().map(|column| column.to_array(args.number_rows)).collect::<Result<Vec<ArrayRef>>>()?;
        let mut objects = StringBuilder::new();
        for row in 0..args.number_rows {
            let values =
                columns.iter().map(|column| ScalarValue::try_from_array(column, row)).collect::<Result<Vec<_>>>()?;
            objects.append_value(object(&values)?);
        }
        Ok(ColumnarValue::Array(Arc::new(objects.finish())))
    }
}

/// Keys and values in turn, as PostgreSQL writes them.
fn object(pairs: &[ScalarValue]) -> Result<String> {
    let mut text = String::from("{");
    for (index, pair) in pairs.chunks(2).enumerate() {
        let [key, value] = pair else { continue };
        if key.is_null() {
            let message = format!("json_build_object: argument {} must not be null", 2 * index + 1);
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
                .with_hint("Object keys should be text.")
                .into());
        }
        let separator = if index == 0 { "" } else { ", " };
        // A String takes all that is written to it.
        let _ = write!(text, "{separator}{} : {}", quoted(&key.to_string()), json(value));
    }
    text.push('}');
    Ok(text)
}

fn json(value: &ScalarValue) -> String {
    match value {
        value if value.is_null() => "null".to_owned(),
        ScalarValue::Boolean(Some(value)) => value.to_string(),
        value if value.data_type().is_numeric() => value.to_string(),
        value => quoted(&value.to_string()),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_written_as_postgresql_writes_them() {
        let pairs = [ScalarValue::from("a"), ScalarValue::from(1i64), ScalarValue::from("b\""), ScalarValue::Null];
        assert_eq!(object(&pairs).expect("the keys are there"), "{\"a\" : 1, \"b\\\"\" : null}");
        assert!(object(&[ScalarValue::Null, ScalarValue::Null]).is_err());
    }
}
