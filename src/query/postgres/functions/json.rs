//! `json_build_object(key, value, ...)`, which SQLAlchemy asks columns' properties with.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{ArrayRef, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::times::session_zone;
use crate::error::{Error, SqlState};
use crate::query::postgres::json::Json;
use crate::query::postgres::json_text::JsonWriter;

/// The function.
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

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        if !args.arg_fields.len().is_multiple_of(2) {
            let message = "argument list must have even number of elements";
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
                .with_hint("The arguments of json_build_object() must consist of alternating keys and values.")
                .into());
        }
        Ok(Json::Text.field(self.name()).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let writer = JsonWriter { form: Json::Text, zone: session_zone(&args.config_options) };
        let columns =
            args.args.iter().map(|column| column.to_array(args.number_rows)).collect::<Result<Vec<ArrayRef>>>()?;
        let fields: Vec<&Field> = args.arg_fields.iter().map(AsRef::as_ref).collect();
        let mut objects = StringBuilder::new();
        let mut object = BytesMut::new();
        for row in 0..args.number_rows {
            object.clear();
            write_object(&mut object, writer, &fields, &columns, row)?;
            let text = std::str::from_utf8(&object)
                .map_err(|_| Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "a value is no valid UTF-8"))?;
            objects.append_value(text);
        }
        Ok(ColumnarValue::Array(Arc::new(objects.finish())))
    }
}

/// Keys and values in turn, as PostgreSQL writes them.
fn write_object(
    out: &mut BytesMut,
    writer: JsonWriter,
    fields: &[&Field],
    columns: &[ArrayRef],
    row: usize,
) -> Result<(), Error> {
    out.put_u8(b'{');
    for (index, (pair, fields)) in columns.chunks(2).zip(fields.chunks(2)).enumerate() {
        let ([key, value], [key_field, field]) = (pair, fields) else { continue };
        if index > 0 {
            out.put_slice(b", ");
        }
        writer.write_key(out, (key_field, key), row, 2 * index + 1)?;
        out.put_slice(b" : ");
        writer.write_of(out, field, value, row)?;
    }
    out.put_u8(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Int64Array, NullArray, StringArray};

    use super::*;
    use crate::query::postgres::times::Zone;

    fn object(columns: &[ArrayRef]) -> Result<String, Error> {
        let fields: Vec<Field> = columns.iter().map(|c| Field::new("", c.data_type().clone(), true)).collect();
        let mut out = BytesMut::new();
        let writer = JsonWriter { form: Json::Text, zone: Zone::UTC };
        write_object(&mut out, writer, &fields.iter().collect::<Vec<_>>(), columns, 0)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn objects_are_written_as_postgresql_writes_them() {
        let key = |key: &str| Arc::new(StringArray::from(vec![key])) as ArrayRef;
        let nothing = || Arc::new(NullArray::new(1)) as ArrayRef;
        let pairs = [key("a"), Arc::new(Int64Array::from(vec![1])), key("b\""), nothing()];
        assert_eq!(object(&pairs).expect("the keys are there"), "{\"a\" : 1, \"b\\\"\" : null}");
        assert!(object(&[nothing(), nothing()]).is_err());
    }
}
