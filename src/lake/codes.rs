//! Which texts of a Parquet file are stored as codes into a dictionary, so that a scan may ask for the codes.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::parquet::basic::Encoding;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use tributary_udfs::StoredAsCodes;

use super::unify::table_type;

/// What a footer says of the texts of its file; `None` where none is stored so.
///
/// `natural` are the columns in the types that a reader gives unasked.
pub(super) fn stored_as_codes(metadata: &ParquetMetaData, natural: &Schema) -> Option<StoredAsCodes> {
    let file = metadata.file_metadata().schema_descr();
    let is_coded = |name: &str| {
        let leaves = (0..file.num_columns()).filter(|leaf| file.get_column_root(*leaf).name() == name);
        let mut chunks = leaves.flat_map(|leaf| metadata.row_groups().iter().map(move |group| group.column(leaf)));
        metadata.num_row_groups() > 0 && chunks.all(is_all_codes)
    };
    let names = natural.fields().iter().filter(|field| has_texts(field.data_type())).map(|field| field.name());
    let columns: Arc<[String]> = names.filter(|name| is_coded(name)).cloned().collect();
    let schema = schema_without_dictionaries(natural).unwrap_or_else(|| Arc::new(natural.clone()));
    (!columns.is_empty()).then_some(StoredAsCodes { schema, columns })
}

fn has_texts(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => has_texts(value),
        DataType::List(item) | DataType::LargeList(item) => has_texts(item.data_type()),
        _ => false,
    }
}

/// Writers fall back to plain text where a dictionary grows too large; some do not say so, and count as if they did.
fn is_all_codes(chunk: &ColumnChunkMetaData) -> bool {
    let is_codes = |encoding: Encoding| matches!(encoding, Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY);
    chunk.dictionary_page_offset().is_some()
        && chunk.page_encoding_stats_mask().is_some_and(|pages| {
            let mut encodings = pages.encodings();
            encodings.all(is_codes)
        })
}

/// What to ask the reader for where a file would give dictionaries: text at once, without a cast.
pub(super) fn schema_without_dictionaries(schema: &Schema) -> Option<SchemaRef> {
    let is_dictionary = |field: &FieldRef| matches!(field.data_type(), DataType::Dictionary(..));
    if !schema.fields().iter().any(is_dictionary) {
        return None;
    }
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Dictionary(_, value) => {
            let plain = Field::new(field.name(), table_type(value), field.is_nullable());
            Arc::new(plain.with_metadata(field.metadata().clone()))
        }
        _ => Arc::clone(field),
    });
    Some(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}
