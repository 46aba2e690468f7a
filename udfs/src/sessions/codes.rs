//! Values of any type as small numbers: equal values have one code, and codes can be put in the order of their values.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::{HashMap, Result};
use std::hash::BuildHasher;
use std::mem;

use crate::error::{UserError, sqlstate};

/// Codes are below this number, so that two of them and two flags fit in 64 bits.
const LIMIT: usize = 1 << CODE_BITS;
/// Bits of a code.
pub(super) const CODE_BITS: u32 = 31;

/// The values seen so far, each once; NULL has code 0.
///
/// Cost: a look-up for each value, for dictionaries one for each value of the dictionary; memory for each distinct one.
pub(super) struct Codes {
    converter: RowConverter,
    /// The value of each code, in a form whose bytes sort as the values do.
    values: Rows,
    /// The latest code of each hash.
    latest: HashMap<u64, u32>,
    /// For each code an earlier one of the same hash, or itself.
    earlier: Vec<u32>,
}

impl Codes {
    /// No values yet, of this type or of dictionaries of it.
    pub fn new(data_type: &DataType) -> Result<Self> {
        let data_type = value_type(data_type);
        let converter = RowConverter::new(vec![SortField::new(data_type.clone())])?;
        let null = converter.convert_columns(&[new_null_array(data_type, 1)])?;
        let values = converter.empty_rows(0, 0);
        let mut codes = Self { converter, values, latest: HashMap::default(), earlier: vec![] };
        codes.code_each(&null)?;
        Ok(codes)
    }

    /// The code of every value.
    ///
    /// # Errors
    /// 54000 when there are more than 2^31 - 1 different ones.
    pub fn encode(&mut self, values: &ArrayRef) -> Result<Vec<u32>> {
        if let Some(dictionary) = values.as_any_dictionary_opt() {
            // A partition may be a slice of a batch whose dictionary has far more values than it has rows.
            if dictionary.values().len() > values.len() || dictionary.values().is_empty() {
                return self.encode(&cast(values, value_type(values.data_type()))?);
            }
            let codes = self.encode(dictionary.values())?;
            let keys = dictionary.normalized_keys();
            let code = |row: usize, key: usize| if dictionary.keys().is_null(row) { 0 } else { codes[key] };
            return Ok(keys.into_iter().enumerate().map(|(row, key)| code(row, key)).collect());
        }
        let rows = self.converter.convert_columns(&[ArrayRef::clone(values)])?;
        self.code_each(&rows)
    }

    fn code_each(&mut self, rows: &Rows) -> Result<Vec<u32>> {
        let mut codes = Vec::with_capacity(rows.num_rows());
        for row in rows {
            let hash = self.latest.hasher().hash_one(row.data());
            let latest = self.latest.get(&hash).copied();
            let code = match latest.and_then(|latest| self.find(row.data(), latest)) {
                Some(code) => code,
                None => {
                    let code = self.earlier.len();
                    if code >= LIMIT {
                        return Err(too_many().into());
                    }
                    let code = code as u32;
                    self.values.push(row);
                    self.earlier.push(latest.unwrap_or(code));
                    self.latest.insert(hash, code);
                    code
                }
            };
            codes.push(code);
        }
        Ok(codes)
    }

    /// The code of a value, if it is `code` or one before it of the same hash.
    fn find(&self, value: &[u8], mut code: u32) -> Option<u32> {
        loop {
            if self.values.row(code as usize).data() == value {
                return Some(code);
            }
            let earlier = self.earlier[code as usize];
            if earlier == code {
                return None;
            }
            code = earlier;
        }
    }

    /// Replaces codes by numbers in the order of their values: NULL stays 0, the smallest of these values is 1.
    pub fn rank(&self, codes: &mut [u32], order: &mut Vec<u32>) {
        order.clear();
        order.extend_from_slice(codes);
        order.sort_unstable_by(|&one, &other| self.compare(one, other));
        order.dedup();
        order.retain(|&code| code != 0);
        for code in codes.iter_mut().filter(|code| **code != 0) {
            let place = order.binary_search_by(|&other| self.compare(other, *code));
            // Every code is in the order; a place is below the count of codes.
            *code = place.map_or(0, |place| place as u32 + 1);
        }
    }

    fn compare(&self, one: u32, other: u32) -> std::cmp::Ordering {
        self.values.row(one as usize).cmp(&self.values.row(other as usize))
    }

    /// The values of codes.
    pub fn decode(&self, codes: &[u32]) -> Result<ArrayRef> {
        let mut columns = self.converter.convert_rows(codes.iter().map(|&code| self.values.row(code as usize)))?;
        Ok(columns.swap_remove(0))
    }

    /// Bytes that the values hold.
    pub fn bytes(&self) -> usize {
        let entry = mem::size_of::<(u64, u32)>() + 1;
        self.converter.size()
            + self.values.size()
            + self.latest.capacity() * entry
            + self.earlier.capacity() * mem::size_of::<u32>()
    }
}

/// The type of the values, without dictionaries around them.
pub(super) fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => value_type(values),
        other => other,
    }
}

fn too_many() -> UserError {
    UserError::new(
        sqlstate::PROGRAM_LIMIT_EXCEEDED,
        format!("change_of and tie may have up to {} different values in one partition of a query", LIMIT - 1),
    )
    .with_hint("Give the query more partitions, or name a column with fewer values.")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{DictionaryArray, Int32Array, NullArray, StringArray};
    use datafusion::arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn equal_values_have_one_code_over_batches_and_encodings() {
        let text = DataType::Utf8;
        let mut codes = Codes::new(&text).unwrap();
        let plain: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None, Some("a"), Some("b")]));
        assert_eq!(codes.encode(&plain).unwrap(), [1, 0, 2, 1]);
        let coded: DictionaryArray<Int32Type> = [Some("c"), Some("a"), None, Some("c")].into_iter().collect();
        assert_eq!(codes.encode(&(Arc::new(coded.clone()) as ArrayRef)).unwrap(), [3, 2, 0, 3]);
        assert_eq!(codes.encode(&(Arc::new(coded.slice(1, 1)) as ArrayRef)).unwrap(), [2]);
        let mut few = [3, 0, 1, 2, 1];
        codes.rank(&mut few, &mut vec![]);
        assert_eq!(few, [3, 0, 2, 1, 2]);
        assert_eq!(codes.decode(&[2, 0]).unwrap().as_string::<i32>().iter().collect::<Vec<_>>(), [Some("a"), None]);
    }

    #[test]
    fn a_null_in_a_dictionary_and_a_column_of_nulls_are_null() {
        let mut codes = Codes::new(&DataType::Utf8).unwrap();
        let values: ArrayRef = Arc::new(StringArray::from(vec![None, Some("x")]));
        let keys = Int32Array::from(vec![Some(1), Some(0), None]);
        let coded: ArrayRef = Arc::new(DictionaryArray::new(keys, values));
        assert_eq!(codes.encode(&coded).unwrap(), [1, 0, 0]);
        let mut nothing = Codes::new(&DataType::Null).unwrap();
        assert_eq!(nothing.encode(&(Arc::new(NullArray::new(2)) as ArrayRef)).unwrap(), [0, 0]);
    }
}
