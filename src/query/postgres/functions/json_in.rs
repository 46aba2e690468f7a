//! `json_in` and `jsonb_in`: text that is checked to be JSON.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::StringArray;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{exec_err, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::times::{over_columns, texts};
use crate::error::Error;
use crate::query::postgres::json::Json;

/// The function that reads one of the types.
pub fn json_in(json: Json) -> Arc<ScalarUDF> {
    static FUNCTIONS: LazyLock<[Arc<ScalarUDF>; 2]> = LazyLock::new(|| {
        [Json::Text, Json::Binary].map(|json| {
            let signature = Signature::exact(vec![DataType::Utf8View], Volatility::Immutable);
            Arc::new(ScalarUDF::new_from_impl(JsonIn { json, signature }))
        })
    });
    Arc::clone(&FUNCTIONS[json as usize])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonIn {
    json: Json,
    signature: Signature,
}

impl ScalarUDFImpl for JsonIn {
    fn name(&self) -> &str {
        match self.json {
            Json::Text => "json_in",
            Json::Binary => "jsonb_in",
        }
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

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(self.json.field(self.name()).into())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        over_columns(&args, |columns| {
            let [values] = columns else { return exec_err!("{} has one argument", self.name()) };
            let read = texts(values)?.iter().map(|text| text.map(|text| self.json.read(text)).transpose());
            Ok(Arc::new(read.collect::<Result<StringArray, Error>>()?))
        })
    }
}
