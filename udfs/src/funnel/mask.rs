//! Masks of steps as they are stored and exchanged.

use datafusion::arrow::datatypes::{ArrowPrimitiveType, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use tributary_core::funnel::Mask;

use crate::log::Payload;

/// A mask of steps as it is stored: the narrowest integer that has a bit for every step.
pub(crate) trait PackedMask: Mask + Payload {
    /// The Arrow type of a column of such masks.
    type Arrow: ArrowPrimitiveType<Native = Self>;
}

impl PackedMask for u8 {
    type Arrow = UInt8Type;
}

impl PackedMask for u16 {
    type Arrow = UInt16Type;
}

impl PackedMask for u32 {
    type Arrow = UInt32Type;
}

impl PackedMask for u64 {
    type Arrow = UInt64Type;
}
