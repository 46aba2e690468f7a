//! `CHANNEL_GROUP` over columns.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{AnyDictionaryArray, Array, ArrayRef, StringViewArray, UInt8Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::hash_utils::RandomState;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use tributary_core::channels::{self, Group, Visit};

use super::GROUP;
use super::args::{self, Texts};

/// `CHANNEL_GROUP`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ChannelGroup {
    signature: Signature,
}

impl ChannelGroup {
    pub fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ChannelGroup {
    fn name(&self) -> &str {
        GROUP.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Takes every type: an error made here loses its words, so [`Self::return_type`] judges the types.
    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        args::check_types(&GROUP, arg_types)?;
        Ok(DataType::Utf8View)
    }

    /// Every visit has a group, so the answer is never NULL.
    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<_> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) {
            let answer = names(by_row(&args.args, 1)?)?;
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?));
        }
        let indexes = match args::dictionary(&args.args) {
            Some((place, dictionary)) => by_value(args.args.clone(), place, dictionary)?,
            None => by_row(&args.args, args.number_rows)?,
        };
        Ok(ColumnarValue::Array(names(indexes)?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| GROUP.documentation());
        Some(&DOCUMENTATION)
    }
}

/// The group of each row, as its place in [`Group::ALL`]. Equal rows of a batch are judged once.
fn by_row(args: &[ColumnarValue], rows: usize) -> Result<Vec<u8>> {
    let texts = args.iter().map(Texts::new).collect::<Result<Vec<_>>>()?;
    let [source, medium, campaign, referrer] = texts.as_slice() else {
        return internal_err!("{} arguments passed the check of their number", texts.len());
    };
    let mut known: HashMap<[&str; 4], u8, RandomState> = HashMap::default();
    let indexes = (0..rows).map(|row| {
        let [source, medium, campaign, referrer] =
            [source, medium, campaign, referrer].map(|texts| texts.get(row).unwrap_or_default());
        *known
            .entry([source, medium, campaign, referrer])
            .or_insert_with(|| channels::group(&Visit { source, medium, campaign, referrer }) as u8)
    });
    Ok(indexes.collect())
}

/// As [`by_row`], once for each value of the one dictionary and once for its NULLs.
fn by_value(mut args: Vec<ColumnarValue>, place: usize, dictionary: &dyn AnyDictionaryArray) -> Result<Vec<u8>> {
    let values = dictionary.values();
    args[place] = ColumnarValue::Array(Arc::clone(values));
    let of_values = by_row(&args, values.len())?;
    args[place] = ColumnarValue::Scalar(ScalarValue::Utf8View(None));
    let of_null = by_row(&args, 1)?[0];
    let keys = dictionary.normalized_keys().into_iter().enumerate();
    Ok(keys.map(|(row, key)| if dictionary.is_valid(row) { of_values[key] } else { of_null }).collect())
}

/// The names of groups; all answers share one array of names.
fn names(indexes: Vec<u8>) -> Result<ArrayRef> {
    static NAMES: LazyLock<StringViewArray> =
        LazyLock::new(|| Group::ALL.iter().map(|group| Some(group.name())).collect());
    Ok(take(&*NAMES, &UInt8Array::from(indexes), None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_at_its_own_place() {
        for (place, group) in Group::ALL.into_iter().enumerate() {
            assert_eq!(group as usize, place, "{group}");
        }
    }
}
