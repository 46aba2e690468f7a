//! Columns that folder names `key=value` give.

use std::str::FromStr;
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use object_store::path::Path;

use super::unify::sql_name;
use crate::error::{Error, Result, SqlState};

/// What Hive and Spark write for a NULL.
const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The keys of a table's folders, as columns, and for each file its values.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    /// In the order in which the keys first appear.
    pub(super) fields: Vec<FieldRef>,
    /// One list per file, one value per field; NULL where a file's path lacks the key.
    pub(super) values: Vec<Vec<ScalarValue>>,
}

/// Reads the keys of all files of a table.
///
/// A key's column is `bigint` if all its values are integers, `date` if all are dates
/// (`2024-01-31`), else `text`. `wanted` fixes names and order (and a type where it names one);
/// without it every key becomes a column.
/// Fails with 22P02 if a value is not of the wanted type.
pub(super) fn read_partitions(
    base: &Path,
    files: &[&Path],
    wanted: Option<&[(String, Option<DataType>)]>,
) -> Result<Partitions> {
    let keys_of_files: Vec<Vec<(String, Option<String>)>> = files.iter().map(|file| keys(base, file)).collect();
    let columns: Vec<(String, Option<DataType>)> = match wanted {
        Some(wanted) => wanted.to_vec(),
        None => {
            let mut names: Vec<(String, Option<DataType>)> = Vec::new();
            for (key, _) in keys_of_files.iter().flatten() {
                if !names.iter().any(|(name, _)| name == key) {
                    names.push((key.clone(), None));
                }
            }
            names
        }
    };
    let mut partitions = Partitions { fields: Vec::new(), values: vec![Vec::new(); files.len()] };
    for (name, declared_type) in columns {
        let texts: Vec<Option<&str>> = keys_of_files
            .iter()
            .map(|keys| keys.iter().find(|(key, _)| *key == name).and_then(|(_, value)| value.as_deref()))
            .collect();
        let data_type = declared_type.unwrap_or_else(|| type_of(&texts));
        for (index, text) in texts.iter().enumerate() {
            let value = value_of(*text, &data_type).ok_or_else(|| {
                let (text, wanted) = (text.unwrap_or_default(), sql_name(&data_type));
                Error::new(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    format!("partition {name}={text} of file '{}' is not a {wanted}", files[index]),
                )
            })?;
            partitions.values[index].push(value);
        }
        partitions.fields.push(Arc::new(Field::new(name, data_type, true)));
    }
    Ok(partitions)
}

/// The keys on the way from the table's folder to the file, with their values unescaped.
fn keys(base: &Path, file: &Path) -> Vec<(String, Option<String>)> {
    let Some(parts) = file.prefix_match(base) else {
        return Vec::new();
    };
    let folders: Vec<_> = parts.collect();
    let folders = &folders[..folders.len().saturating_sub(1)];
    let pairs = folders.iter().filter_map(|folder| folder.as_ref().split_once('='));
    pairs
        .map(|(key, value)| {
            let value = decode_percent(value);
            (decode_percent(key), (value != HIVE_NULL).then_some(value))
        })
        .collect()
}

fn type_of(values: &[Option<&str>]) -> DataType {
    let mut known = values.iter().flatten().peekable();
    if known.peek().is_none() {
        return DataType::Utf8View;
    }
    if known.clone().all(|value| i64::from_str(value).is_ok()) {
        return DataType::Int64;
    }
    if known.all(|value| date(value).is_some()) { DataType::Date32 } else { DataType::Utf8View }
}

/// The value as a scalar of the column's type; `None` if it is no such value.
fn value_of(text: Option<&str>, data_type: &DataType) -> Option<ScalarValue> {
    let Some(text) = text else {
        return ScalarValue::try_from(data_type).ok();
    };
    match data_type {
        DataType::Utf8View => Some(ScalarValue::Utf8View(Some(text.to_owned()))),
        DataType::Date32 => Some(ScalarValue::Date32(Some(date(text)?))),
        _ => ScalarValue::try_from_string(text.to_owned(), data_type).ok().filter(|value| !value.is_null()),
    }
}

/// Days since 1970-01-01 of `YYYY-MM-DD`, and of nothing else.
fn date(text: &str) -> Option<i32> {
    if text.len() != 10 {
        return None;
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// Undoes `%20` and its like; a `%` that begins no escape stays.
fn decode_percent(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let escape = text.get(index + 1..index + 3).filter(|_| bytes[index] == b'%');
        match escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                index += 3;
            }
            None => {
                decoded.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}
