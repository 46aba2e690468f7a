//! The type uuid, as Arrow knows it: sixteen bytes whose field bears the name `arrow.uuid`.

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::parquet::basic::LogicalType;
use datafusion::parquet::schema::types::SchemaDescriptor;

/// Where a field's metadata says that its values mean more than their storage.
const EXTENSION_KEY: &str = "ARROW:extension:name";

/// Arrow's name of the type.
const EXTENSION_NAME: &str = "arrow.uuid";

/// How Arrow stores a uuid.
pub const UUID_STORAGE: DataType = DataType::FixedSizeBinary(16);

/// A nullable field of type uuid.
pub fn uuid_field(name: &str) -> Field {
    as_uuid(Field::new(name, UUID_STORAGE, true))
}

/// Whether the values of a field are uuids, and not just sixteen bytes.
pub fn is_uuid(field: &Field) -> bool {
    *field.data_type() == UUID_STORAGE && field.extension_type_name() == Some(EXTENSION_NAME)
}

fn as_uuid(field: Field) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(EXTENSION_KEY.to_owned(), EXTENSION_NAME.to_owned());
    field.with_metadata(metadata)
}

/// The fields of a Parquet file, those that the file calls UUID named so also where its writer was not Arrow.
pub(super) fn with_uuids(fields: &Fields, file: &SchemaDescriptor) -> Fields {
    let stored = file.root_schema().get_fields();
    if stored.len() != fields.len() {
        return fields.clone();
    }
    let named = fields.iter().zip(stored).map(|(field, stored)| -> FieldRef {
        let is_called_so = matches!(stored.get_basic_info().logical_type_ref(), Some(LogicalType::Uuid));
        match is_called_so && *field.data_type() == UUID_STORAGE && !is_uuid(field) {
            true => as_uuid(field.as_ref().clone()).into(),
            false => field.clone(),
        }
    });
    named.collect()
}
