//! What the log holds of an event beside its time: nothing, two flags, or flags and codes of values.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use tributary_core::sessions::Columns;

use super::codes::{CODE_BITS, Codes};
use crate::log::Payload;

/// Flags are the lowest bits of an entry.
const FLAG_BITS: u32 = 2;
const FLAG_MASK: u64 = (1 << FLAG_BITS) - 1;
const CODE_MASK: u64 = (1 << CODE_BITS) - 1;

/// An event of the log.
pub(super) trait Entry: Payload {
    /// Bits that may be set.
    const BITS: u32;

    /// A user's events as the rule reads them.
    fn columns<'a>(at_us: &'a [i64], entries: &'a [Self], values: &Values, unpacked: &'a mut Unpacked) -> Columns<'a>;
}

/// Flags and codes in one integer.
pub(super) fn bits(flags: u64, change: u32, tie: u32) -> u64 {
    flags & FLAG_MASK | u64::from(change) << FLAG_BITS | u64::from(tie) << (FLAG_BITS + CODE_BITS)
}

/// The flags of an entry.
pub(super) fn flags(entry: impl Payload) -> u8 {
    (entry.unpack() & FLAG_MASK) as u8
}

/// The code of an entry's `change_of`.
pub(super) fn change(entry: impl Payload) -> u32 {
    (entry.unpack() >> FLAG_BITS & CODE_MASK) as u32
}

/// The code of an entry's `tie`.
pub(super) fn tie(entry: impl Payload) -> u32 {
    (entry.unpack() >> (FLAG_BITS + CODE_BITS)) as u32
}

/// Only times matter.
impl Entry for () {
    const BITS: u32 = 0;

    #[inline]
    fn columns<'a>(at_us: &'a [i64], _: &'a [Self], _: &Values, _: &'a mut Unpacked) -> Columns<'a> {
        Columns::of_times(at_us)
    }
}

/// Flags.
impl Entry for u8 {
    const BITS: u32 = FLAG_BITS;

    #[inline]
    fn columns<'a>(at_us: &'a [i64], entries: &'a [Self], _: &Values, _: &'a mut Unpacked) -> Columns<'a> {
        Columns { at_us, flags: entries, ..Columns::default() }
    }
}

/// Flags and codes.
impl Entry for u64 {
    const BITS: u32 = u64::BITS;

    fn columns<'a>(at_us: &'a [i64], entries: &'a [Self], values: &Values, unpacked: &'a mut Unpacked) -> Columns<'a> {
        unpacked.flags.clear();
        unpacked.flags.extend(entries.iter().map(|&entry| flags(entry)));
        unpacked.change.clear();
        unpacked.change.extend(entries.iter().map(|&entry| change(entry)));
        unpacked.tie.clear();
        if values.tie.is_some() {
            unpacked.tie.extend(entries.iter().map(|&entry| tie(entry)));
        }
        values.columns(at_us, unpacked)
    }
}

/// A user's events as columns; the memory is reused from user to user.
#[derive(Default)]
pub(super) struct Unpacked {
    pub flags: Vec<u8>,
    pub change: Vec<u32>,
    pub tie: Vec<u32>,
    order: Vec<u32>,
}

/// The values that codes stand for.
pub(super) struct Values {
    pub change: Option<Codes>,
    pub tie: Option<Codes>,
}

impl Values {
    /// No values yet, of the columns that there are.
    pub fn new(change: Option<&DataType>, tie: Option<&DataType>) -> Result<Self> {
        Ok(Self { change: change.map(Codes::new).transpose()?, tie: tie.map(Codes::new).transpose()? })
    }

    /// The columns of a user whose codes are unpacked.
    ///
    /// Only among events of one time does the order of values matter; elsewhere a code says all.
    pub fn columns<'a>(&self, at_us: &'a [i64], unpacked: &'a mut Unpacked) -> Columns<'a> {
        let Unpacked { flags, change, tie, order } = unpacked;
        if at_us.windows(2).any(|pair| pair[0] == pair[1]) {
            if let Some(codes) = &self.change {
                codes.rank(change, order);
            }
            if let Some(codes) = &self.tie {
                codes.rank(tie, order);
                // NULL, 0, is to come last.
                tie.iter_mut().for_each(|rank| *rank = rank.wrapping_sub(1));
            }
        } else {
            tie.clear();
        }
        Columns { at_us, flags, change, tie }
    }

    /// Bytes that the values hold.
    pub fn bytes(&self) -> usize {
        [&self.change, &self.tie].into_iter().flatten().map(Codes::bytes).sum()
    }
}
