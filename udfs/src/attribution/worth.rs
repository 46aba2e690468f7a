//! What conversions are worth, as columns: decimals, floats, or nothing.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, new_null_array};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type};
use datafusion::arrow::error::ArrowError;
use tributary_core::attribution::Amount;

/// Digits that a share has beyond those of its value.
pub(super) const SHARE_DIGITS: i8 = 6;
/// Digits of a decimal.
pub(super) const DECIMAL_DIGITS: u8 = 38;

/// A kind of value that conversions may have.
pub(super) trait Worth: Amount<Share: Send + Sync> + Default + Debug + Send + Sync + 'static {
    /// The values of a column; NULL is 0.
    ///
    /// # Errors
    /// A value has more than 38 digits.
    fn read(column: &ArrayRef, held: &DataType) -> Result<Vec<Self>, ArrowError>;

    /// A column of values as they are held between stages.
    fn column(values: Vec<Self>, held: &DataType) -> ArrayRef;

    /// A column of shares.
    fn shares(shares: Vec<Self::Share>, returns: &DataType) -> ArrayRef;

    /// The sum of two shares, if its type holds it.
    fn added(one: Self::Share, other: Self::Share) -> Option<Self::Share>;

    /// Shares as floats, in units of the value.
    fn floats(shares: Vec<Self::Share>, held: &DataType) -> ArrayRef;
}

impl Worth for i128 {
    fn read(column: &ArrayRef, held: &DataType) -> Result<Vec<Self>, ArrowError> {
        let column = match column.data_type() {
            DataType::Decimal128(..) => Arc::clone(column),
            _ => {
                let strict = CastOptions { safe: false, ..CastOptions::default() };
                cast_with_options(column, held, &strict)?
            }
        };
        let column = column.as_primitive::<Decimal128Type>();
        Ok(match column.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => column.values().to_vec(),
            Some(_) => column.iter().map(Option::unwrap_or_default).collect(),
        })
    }

    fn column(values: Vec<Self>, held: &DataType) -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_data_type(held.clone()))
    }

    fn shares(shares: Vec<i128>, returns: &DataType) -> ArrayRef {
        Arc::new(Decimal128Array::from(shares).with_data_type(returns.clone()))
    }

    fn added(one: i128, other: i128) -> Option<i128> {
        super::pool::added(one, other)
    }

    fn floats(shares: Vec<i128>, held: &DataType) -> ArrayRef {
        let scale = if let DataType::Decimal128(_, scale) = held { *scale } else { 0 };
        let units = 10f64.powi(i32::from(scale + SHARE_DIGITS));
        Arc::new(shares.into_iter().map(|share| share as f64 / units).collect::<Float64Array>())
    }
}

impl Worth for f64 {
    fn read(column: &ArrayRef, held: &DataType) -> Result<Vec<Self>, ArrowError> {
        let column = cast_with_options(column, held, &CastOptions::default())?;
        Ok(column.as_primitive::<Float64Type>().iter().map(Option::unwrap_or_default).collect())
    }

    fn column(values: Vec<Self>, _held: &DataType) -> ArrayRef {
        Arc::new(Float64Array::from(values))
    }

    fn shares(shares: Vec<f64>, _returns: &DataType) -> ArrayRef {
        Arc::new(Float64Array::from(shares))
    }

    fn added(one: f64, other: f64) -> Option<f64> {
        Some(one + other)
    }

    fn floats(shares: Vec<f64>, _held: &DataType) -> ArrayRef {
        Arc::new(Float64Array::from(shares))
    }
}

impl Worth for () {
    fn read(column: &ArrayRef, _held: &DataType) -> Result<Vec<Self>, ArrowError> {
        Ok(vec![(); column.len()])
    }

    fn column(values: Vec<Self>, held: &DataType) -> ArrayRef {
        new_null_array(held, values.len())
    }

    fn shares(shares: Vec<()>, returns: &DataType) -> ArrayRef {
        new_null_array(returns, shares.len())
    }

    fn added((): (), (): ()) -> Option<()> {
        Some(())
    }

    fn floats(shares: Vec<()>, _held: &DataType) -> ArrayRef {
        new_null_array(&DataType::Float64, shares.len())
    }
}
