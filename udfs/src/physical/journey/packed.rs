//! Columns of a block, each in as few bytes as its values need.
//!
//! A block waits until all inputs are read, so that its bytes are the memory of the operator. Times of some days differ
//! in five bytes of eight, ids of a million users in three, masks of a funnel in one, and a channel is one byte instead of
//! the sixteen of a view.

use std::ops::{BitOr, BitXor, Range};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BooleanBufferBuilder, NullBufferBuilder, UInt32Array, make_array,
    new_null_array,
};
use datafusion::arrow::buffer::{Buffer, NullBuffer};
use datafusion::arrow::compute::{concat, interleave, take};
use datafusion::arrow::datatypes::{ArrowNativeType, DataType};
use datafusion::common::Result;

use crate::codes::Codes;

/// A column with more texts than this keeps them as they are.
const MAX_TEXTS: usize = 1 << 12;
const MAX_TEXT_BYTES: usize = 1 << 20;
/// Of so many rows at most one has a value where only those that have are kept.
const SPARSE: usize = 4;

/// The rows of a block in the batches in which they came, and the place of each.
#[derive(Clone, Copy)]
pub(super) struct Unplaced<'a> {
    pub parts: &'a [&'a ArrayRef],
    pub places: &'a [u32],
}

/// A column of a block.
pub(super) enum Packed {
    /// As Arrow has it.
    Whole(ArrayRef),
    /// Values of one width: the high bytes that all of them share, and of each the low bytes. Those of NULL say nothing.
    Low { shared: i128, low: Numbers, nulls: Option<NullBuffer>, data_type: DataType },
    /// Texts as numbers: places in `texts`, of which the first is NULL.
    Coded { codes: Numbers, texts: ArrayRef, text_bytes: usize },
    /// Values of the few rows that have one.
    Sparse { places: Vec<u32>, values: ArrayRef },
}

/// Numbers of up to 64 bits, of one width that is enough for the greatest of them.
pub(super) struct Numbers {
    /// Bytes of a number; 0 where all of them are 0.
    width: usize,
    /// The lowest bytes of each, from the lowest.
    bytes: Vec<u8>,
}

/// The texts of one column of one input, as long as they are few.
pub(super) struct Texts {
    codes: Codes,
    /// The texts by number, as the last block had them.
    column: Option<ArrayRef>,
    are_few: bool,
}

impl Packed {
    /// `texts` are those of this column in earlier blocks.
    pub fn new(column: Unplaced, texts: &mut Texts) -> Result<Self> {
        let data_type = column.data_type();
        let null_count: usize = column.parts.iter().map(|part| part.null_count()).sum();
        if null_count > 0 && (column.places.len() - null_count) * SPARSE <= column.places.len() {
            return column.sparse();
        }
        if *data_type == DataType::Utf8View
            && texts.are_few
            && let Some(coded) = texts.packed(column)?
        {
            return Ok(coded);
        }
        // Intervals are sixteen bytes too, of less alignment.
        let is_decimal = matches!(data_type, DataType::Decimal128(..));
        let low = match data_type.primitive_width() {
            Some(2) => column.low::<u16>(),
            Some(4) => column.low::<u32>(),
            Some(8) => column.low::<u64>(),
            Some(16) if is_decimal => column.low::<i128>(),
            _ => None,
        };
        if let Some(low) = low {
            return Ok(low);
        }
        Ok(Self::Whole(match data_type.primitive_width() {
            Some(1) if null_count == 0 => column.scattered::<u8>()?,
            Some(2) if null_count == 0 => column.scattered::<u16>()?,
            Some(4) if null_count == 0 => column.scattered::<u32>()?,
            Some(8) if null_count == 0 => column.scattered::<u64>()?,
            Some(16) if null_count == 0 && is_decimal => column.scattered::<i128>()?,
            _ => column.taken()?,
        }))
    }

    /// The values of some rows of each of these, one after the other, as they came.
    pub fn rows_of(columns: &[(&Self, Range<usize>)]) -> Result<ArrayRef> {
        if let Some(values) = Self::low_of(columns).or_else(|| Self::coded_of(columns)) {
            return values;
        }
        let columns = columns.iter().map(|(column, rows)| column.rows(rows.clone())).collect::<Result<Vec<_>>>()?;
        match columns.as_slice() {
            [column] => Ok(Arc::clone(column)),
            columns => Ok(concat(&columns.iter().map(|column| column.as_ref()).collect::<Vec<&dyn Array>>())?),
        }
    }

    /// `None` where some of them is held in another way.
    fn low_of(columns: &[(&Self, Range<usize>)]) -> Option<Result<ArrayRef>> {
        let mut parts = Vec::with_capacity(columns.len());
        for (column, rows) in columns {
            let Self::Low { shared, low, nulls, data_type } = column else { return None };
            parts.push((*shared, low, nulls, rows.clone(), data_type));
        }
        let count = parts.iter().map(|(_, _, _, rows, _)| rows.len()).sum();
        fn values<'a, T: ArrowNativeType>(
            parts: impl Iterator<Item = (i128, &'a Numbers, Range<usize>)>,
            count: usize,
            value: impl Fn(i128, u64) -> T,
        ) -> Buffer {
            let mut values = Vec::with_capacity(count);
            for (shared, low, rows) in parts {
                low.extend(&mut values, rows, |low| value(shared, low));
            }
            Buffer::from_vec(values)
        }
        let low = parts.iter().map(|(shared, low, _, rows, _)| (*shared, *low, rows.clone()));
        let (.., data_type) = parts.first()?;
        let values = match data_type.primitive_width() {
            Some(2) => values(low, count, |shared, low| shared as u16 | low as u16),
            Some(4) => values(low, count, |shared, low| shared as u32 | low as u32),
            Some(8) => values(low, count, |shared, low| shared as u64 | low),
            _ => values(low, count, |shared, low| shared | i128::from(low)),
        };
        let mut nulls = NullBufferBuilder::new(count);
        for (_, _, own, rows, _) in &parts {
            match own {
                Some(own) => nulls.append_buffer(&own.slice(rows.start, rows.len())),
                None => nulls.append_n_non_nulls(rows.len()),
            }
        }
        let data = ArrayData::builder((*data_type).clone()).len(count).add_buffer(values).nulls(nulls.finish());
        Some(data.build().map(make_array).map_err(Into::into))
    }

    /// `None` where some of them is held in another way, or has other texts.
    fn coded_of(columns: &[(&Self, Range<usize>)]) -> Option<Result<ArrayRef>> {
        let mut all = Vec::with_capacity(columns.iter().map(|(_, rows)| rows.len()).sum());
        let mut known: Option<&ArrayRef> = None;
        for (column, rows) in columns {
            let Self::Coded { codes, texts, .. } = column else { return None };
            if !Arc::ptr_eq(known.get_or_insert(texts), texts) {
                return None;
            }
            codes.extend(&mut all, rows.clone(), |code| code as u32);
        }
        let texts = known?;
        Some(take(texts, &UInt32Array::from(all), None).map_err(Into::into))
    }

    /// The values of some rows, as they came.
    fn rows(&self, rows: Range<usize>) -> Result<ArrayRef> {
        let count = rows.len();
        match self {
            Self::Whole(column) => Ok(column.slice(rows.start, count)),
            Self::Low { .. } | Self::Coded { .. } => Self::rows_of(&[(self, rows)]),
            Self::Sparse { places, values } => {
                let first = places.partition_point(|place| (*place as usize) < rows.start);
                let last = places.partition_point(|place| (*place as usize) < rows.end);
                if first == last {
                    return Ok(new_null_array(values.data_type(), count));
                }
                let (mut chosen, mut is_there) = (vec![0; count], BooleanBufferBuilder::new(count));
                is_there.append_n(count, false);
                for (value, place) in (first as u32..).zip(&places[first..last]) {
                    let row = *place as usize - rows.start;
                    chosen[row] = value;
                    is_there.set_bit(row, true);
                }
                let chosen = UInt32Array::new(chosen.into(), Some(NullBuffer::new(is_there.finish())));
                Ok(take(values, &chosen, None)?)
            }
        }
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        let of_nulls = |nulls: &Option<NullBuffer>| nulls.as_ref().map_or(0, |nulls| nulls.buffer().capacity());
        match self {
            Self::Whole(column) => column.get_array_memory_size(),
            Self::Low { low, nulls, .. } => low.bytes.capacity() + of_nulls(nulls),
            Self::Coded { codes, text_bytes, .. } => codes.bytes.capacity() + text_bytes,
            Self::Sparse { places, values } => places.capacity() * size_of::<u32>() + values.get_array_memory_size(),
        }
    }
}

impl<'a> Unplaced<'a> {
    fn data_type(&self) -> &'a DataType {
        self.parts[0].data_type()
    }

    /// `None` where that saves nothing.
    fn low<T>(&self) -> Option<Packed>
    where
        T: ArrowNativeType + BitOr<Output = T> + BitXor<Output = T> + Into<i128>,
    {
        let parts: Vec<ArrayData> = self.parts.iter().map(|part| part.to_data()).collect();
        let values: Vec<&[T]> = parts.iter().map(|part| &part.buffer::<T>(0)[..part.len()]).collect();
        let nulls = |part: &ArrayData| part.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        let nulls: Vec<Option<NullBuffer>> = parts.iter().map(nulls).collect();
        let first = |(values, nulls): (&&[T], &Option<NullBuffer>)| match nulls {
            None => values.first().copied(),
            Some(nulls) => nulls.valid_indices().next().map(|row| values[row]),
        };
        let one = values.iter().zip(&nulls).find_map(first)?;
        let differing = values.iter().zip(&nulls).fold(T::default(), |all, (values, nulls)| match nulls {
            None => values.iter().fold(all, |all, value| all | (*value ^ one)),
            Some(nulls) => nulls.valid_indices().fold(all, |all, row| all | (values[row] ^ one)),
        });
        let differing: i128 = differing.into();
        let width = Numbers::width_of(u64::try_from(differing).ok()?);
        if width >= size_of::<T>() {
            return None;
        }
        let one: i128 = one.into();
        let shared = one >> (width as u32 * u8::BITS) << (width as u32 * u8::BITS);
        let (mut low, mut places) = (Numbers::new(width, self.places.len()), self.places);
        for values in values {
            let (own, rest) = places.split_at(values.len());
            places = rest;
            let low_of = |value: &T| {
                let value: i128 = (*value).into();
                value as u64
            };
            low.put(values.iter().map(low_of), own);
        }
        Some(Packed::Low { shared, low, nulls: self.nulls(), data_type: self.data_type().clone() })
    }

    fn nulls(&self) -> Option<NullBuffer> {
        let mut placed: Option<BooleanBufferBuilder> = None;
        let mut places = self.places;
        for part in self.parts {
            let (own, rest) = places.split_at(part.len());
            places = rest;
            let Some(nulls) = part.logical_nulls().filter(|nulls| nulls.null_count() > 0) else { continue };
            let placed = placed.get_or_insert_with(|| {
                let mut all = BooleanBufferBuilder::new(self.places.len());
                all.append_n(self.places.len(), true);
                all
            });
            for (place, is_there) in own.iter().zip(&nulls) {
                if !is_there {
                    placed.set_bit(*place as usize, false);
                }
            }
        }
        placed.map(|mut placed| NullBuffer::new(placed.finish()))
    }

    fn sparse(&self) -> Result<Packed> {
        let mut valued: Vec<(u32, (usize, usize))> = vec![];
        let mut places = self.places;
        for (index, part) in self.parts.iter().enumerate() {
            let (own, rest) = places.split_at(part.len());
            places = rest;
            let rows = |row: usize| (own[row], (index, row));
            match part.nulls() {
                Some(nulls) => valued.extend(nulls.valid_indices().map(rows)),
                None => valued.extend((0..part.len()).map(rows)),
            }
        }
        valued.sort_unstable_by_key(|(place, _)| *place);
        let (places, rows): (Vec<u32>, Vec<(usize, usize)>) = valued.into_iter().unzip();
        let parts = self.parts.iter().map(|part| part.as_ref()).collect::<Vec<&dyn Array>>();
        let values = compacted(interleave(&parts, &rows)?);
        Ok(Packed::Sparse { places, values })
    }

    /// Puts every value in its place; for values of one width and without NULL.
    fn scattered<T: ArrowNativeType>(&self) -> Result<ArrayRef> {
        let mut placed = vec![T::default(); self.places.len()];
        let mut places = self.places.iter();
        for part in self.parts {
            let data = part.to_data();
            for (&value, &place) in data.buffer::<T>(0)[..data.len()].iter().zip(&mut places) {
                placed[place as usize] = value;
            }
        }
        let data = ArrayData::builder(self.data_type().clone()).len(placed.len()).add_buffer(Buffer::from_vec(placed));
        Ok(make_array(data.build()?))
    }

    /// The same for every type.
    fn taken(&self) -> Result<ArrayRef> {
        let mut rows = vec![0; self.places.len()];
        for (row, &place) in (0..).zip(self.places) {
            rows[place as usize] = row;
        }
        let parts = self.parts.iter().map(|part| part.as_ref()).collect::<Vec<&dyn Array>>();
        Ok(compacted(take(&concat(&parts)?, &UInt32Array::from(rows), None)?))
    }
}

/// Text in buffers of its own: a view into the pages that it was decoded from would keep all of them.
fn compacted(column: ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => column,
    }
}

impl Texts {
    pub fn new() -> Self {
        Self { codes: Codes::new(), column: None, are_few: true }
    }

    /// `None` where there are too many, from then on always.
    fn packed(&mut self, column: Unplaced) -> Result<Option<Packed>> {
        let mut numbers = Vec::with_capacity(column.places.len());
        for part in column.parts {
            self.codes.read(part, 0..part.len(), &mut numbers)?;
            if self.codes.len() > MAX_TEXTS || self.codes.bytes() > MAX_TEXT_BYTES {
                *self = Self { are_few: false, ..Self::new() };
                return Ok(None);
            }
        }
        let (texts, text_bytes) = match &self.column {
            Some(texts) if texts.len() == self.codes.len() + 1 => (Arc::clone(texts), 0),
            _ => {
                let all: Vec<u32> = (0..=self.codes.len() as u32).collect();
                let texts = self.codes.labels().text_column(&all)?;
                self.column = Some(Arc::clone(&texts));
                let bytes = texts.get_array_memory_size();
                (texts, bytes)
            }
        };
        let width = Numbers::width_of(self.codes.len() as u64);
        let mut codes = Numbers::new(width, column.places.len());
        codes.put(numbers.into_iter().map(u64::from), column.places);
        Ok(Some(Packed::Coded { codes, texts, text_bytes }))
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        self.codes.bytes()
    }
}

impl Numbers {
    /// How many bytes a number of up to `greatest` has.
    fn width_of(greatest: u64) -> usize {
        (u64::BITS - greatest.leading_zeros()).div_ceil(u8::BITS) as usize
    }

    fn new(width: usize, count: usize) -> Self {
        Self { width, bytes: vec![0; count * width] }
    }

    /// Puts the lowest bytes of each number in its place.
    fn put(&mut self, numbers: impl Iterator<Item = u64>, places: &[u32]) {
        fn put<const N: usize>(bytes: &mut [u8], numbers: impl Iterator<Item = u64>, places: &[u32]) {
            let (cells, _) = bytes.as_chunks_mut::<N>();
            for (number, place) in numbers.zip(places) {
                cells[*place as usize].copy_from_slice(&number.to_le_bytes()[..N]);
            }
        }
        match self.width {
            0 => {}
            1 => put::<1>(&mut self.bytes, numbers, places),
            2 => put::<2>(&mut self.bytes, numbers, places),
            3 => put::<3>(&mut self.bytes, numbers, places),
            4 => put::<4>(&mut self.bytes, numbers, places),
            5 => put::<5>(&mut self.bytes, numbers, places),
            6 => put::<6>(&mut self.bytes, numbers, places),
            7 => put::<7>(&mut self.bytes, numbers, places),
            _ => put::<8>(&mut self.bytes, numbers, places),
        }
    }

    /// Appends what `value` makes of each number of some rows.
    fn extend<T: Clone>(&self, values: &mut Vec<T>, rows: Range<usize>, value: impl Fn(u64) -> T) {
        fn get<const N: usize, T>(bytes: &[u8], values: &mut Vec<T>, rows: Range<usize>, value: impl Fn(u64) -> T) {
            let (cells, _) = bytes.as_chunks::<N>();
            values.extend(cells[rows].iter().map(|cell| {
                let mut number = [0; size_of::<u64>()];
                number[..N].copy_from_slice(cell);
                value(u64::from_le_bytes(number))
            }));
        }
        match self.width {
            0 => values.resize(values.len() + rows.len(), value(0)),
            1 => get::<1, T>(&self.bytes, values, rows, value),
            2 => get::<2, T>(&self.bytes, values, rows, value),
            3 => get::<3, T>(&self.bytes, values, rows, value),
            4 => get::<4, T>(&self.bytes, values, rows, value),
            5 => get::<5, T>(&self.bytes, values, rows, value),
            6 => get::<6, T>(&self.bytes, values, rows, value),
            7 => get::<7, T>(&self.bytes, values, rows, value),
            _ => get::<8, T>(&self.bytes, values, rows, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Int64Array, StringArray, StringViewArray};
    use datafusion::arrow::compute::cast;
    use datafusion::arrow::datatypes::{IntervalUnit, TimeUnit};
    use proptest::prelude::*;

    use super::*;

    /// A column of a type from numbers, which casts, and texts where numbers cannot be cast.
    fn column(numbers: &[Option<i64>], data_type: &DataType) -> ArrayRef {
        let whole: ArrayRef = Arc::new(numbers.iter().copied().collect::<Int64Array>());
        match data_type {
            DataType::Interval(_) | DataType::Binary | DataType::BinaryView => {
                let texts = numbers.iter().map(|number| number.map(|number| format!("{number} days")));
                cast(&texts.collect::<StringArray>(), data_type).unwrap()
            }
            DataType::Utf8View => {
                let texts = numbers.iter().map(|number| number.map(|number| format!("渠道 {number}")));
                Arc::new(texts.collect::<StringViewArray>())
            }
            DataType::Date32 => cast(&cast(&whole, &DataType::Int32).unwrap(), data_type).unwrap(),
            DataType::Time32(_) => cast(&cast(&whole, &DataType::Int32).unwrap(), data_type).unwrap(),
            DataType::Null => new_null_array(data_type, numbers.len()),
            _ => cast(&whole, data_type).unwrap(),
        }
    }

    fn types() -> Vec<DataType> {
        use DataType::*;
        vec![
            Int8,
            UInt8,
            Int16,
            UInt16,
            Int32,
            UInt32,
            Int64,
            UInt64,
            Float32,
            Float64,
            Boolean,
            Null,
            Date32,
            Date64,
            Time32(TimeUnit::Second),
            Time64(TimeUnit::Microsecond),
            Duration(TimeUnit::Millisecond),
            Timestamp(TimeUnit::Microsecond, None),
            Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            Decimal32(9, 0),
            Decimal64(18, 2),
            Decimal128(38, 4),
            Interval(IntervalUnit::MonthDayNano),
            Utf8,
            LargeUtf8,
            Utf8View,
            Binary,
            BinaryView,
            Dictionary(Box::new(Int32), Box::new(Utf8)),
        ]
    }

    proptest! {
        /// What is unpacked is what was packed, in its new place: for every type, any spread, share of NULL and slice.
        #[test]
        fn every_value_comes_back(
            parts in proptest::collection::vec(
                proptest::collection::vec((any::<u64>(), 0.0..1.0f64), 1..60), 1..5),
            which in 0..types().len(),
            bits in 0..64u32,
            base in any::<i64>(),
            null_share in prop_oneof![Just(0.0), Just(0.3), Just(0.9), Just(1.0)],
            shuffle in any::<u64>(),
            cuts in (0.0..1.0f64, 0.0..1.0f64),
        ) {
            let data_type = &types()[which];
            let number = |bits_of: u64| base.wrapping_add((bits_of & ((1u64 << bits) - 1)) as i64);
            let numbers = |part: &Vec<(u64, f64)>| -> Vec<Option<i64>> {
                part.iter().map(|(bits, chance)| (*chance >= null_share).then(|| number(*bits))).collect()
            };
            // Parts of arrays, as scans give them.
            let parts: Vec<ArrayRef> = parts.iter().map(|part| {
                let whole = column(&[vec![Some(1), None], numbers(part)].concat(), data_type);
                whole.slice(2, part.len())
            }).collect();
            let parts: Vec<&ArrayRef> = parts.iter().collect();
            let count: usize = parts.iter().map(|part| part.len()).sum();
            let mut places: Vec<u32> = (0..count as u32).collect();
            places.sort_by_key(|place| (u64::from(*place) ^ shuffle).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let packed = Packed::new(Unplaced { parts: &parts, places: &places }, &mut Texts::new()).unwrap();

            let places_of_first: Vec<u32> = (0..parts[0].len() as u32).collect();
            let mut row_at = vec![0; count];
            for (row, place) in (0u32..).zip(&places) {
                row_at[*place as usize] = row;
            }
            let all: Vec<&dyn Array> = parts.iter().map(|part| part.as_ref()).collect();
            let placed = take(&concat(&all).unwrap(), &UInt32Array::from(row_at), None).unwrap();
            let (a, b) = ((cuts.0 * count as f64) as usize, (cuts.1 * count as f64) as usize);
            for rows in [0..count, a.min(b)..a.max(b)] {
                let expected = placed.slice(rows.start, rows.len());
                let given = Packed::rows_of(&[(&packed, rows)]).unwrap();
                prop_assert_eq!(given.as_ref(), expected.as_ref());
            }
            // Blocks of one column need not be held in the same way.
            let first = Packed::new(Unplaced { parts: &parts[..1], places: &places_of_first }, &mut Texts::new()).unwrap();
            let both = concat(&[parts[0].as_ref(), placed.as_ref()]).unwrap();
            let given = Packed::rows_of(&[(&first, 0..parts[0].len()), (&packed, 0..count)]).unwrap();
            prop_assert_eq!(given.as_ref(), both.as_ref());
            let twice = concat(&[placed.as_ref(), placed.as_ref()]).unwrap();
            let given = Packed::rows_of(&[(&packed, 0..count), (&packed, 0..count)]).unwrap();
            prop_assert_eq!(given.as_ref(), twice.as_ref());
        }
    }

    fn packed(column: ArrayRef, texts: &mut Texts) -> Packed {
        let places: Vec<u32> = (0..column.len() as u32).collect();
        Packed::new(Unplaced { parts: &[&column], places: &places }, texts).unwrap()
    }

    #[test]
    fn a_value_takes_the_bytes_that_it_needs() {
        let count = 1000;
        let bytes = |numbers: &dyn Fn(i64) -> Option<i64>, data_type: DataType| {
            let numbers: Vec<Option<i64>> = (0..count).map(numbers).collect();
            packed(column(&numbers, &data_type), &mut Texts::new()).bytes() / count as usize
        };
        let micros = || DataType::Timestamp(TimeUnit::Microsecond, None);
        assert_eq!(bytes(&|row| Some(1_767_571_200_000_000 + row * 86_400_000), micros()), 5);
        assert_eq!(bytes(&|row| Some((row % 1000) * 1000), DataType::Int64), 3);
        assert_eq!(bytes(&|row| Some(row % 16), DataType::UInt64), 1);
        assert_eq!(bytes(&|_| Some(7), DataType::UInt64), 0);
        assert_eq!(bytes(&|row| Some(row % 200), DataType::Decimal128(12, 2)), 2);
        assert_eq!(bytes(&|row| Some(row % 9), DataType::Utf8View), 1);
        // Four of the place and eight of the value, a hundredth of the rows.
        assert_eq!(bytes(&|row| (row % 100 == 0).then_some(row), DataType::Float64), 0);
        // The extremes are eight bytes apart: nothing is gained, nothing is lost.
        assert!(bytes(&|row| Some(if row == 0 { i64::MIN } else { i64::MAX }), DataType::Int64) >= 8);
    }

    #[test]
    fn texts_that_are_many_stay_as_they_are() {
        let mut texts = Texts::new();
        let few = |start: i64| column(&(start..start + 500).map(Some).collect::<Vec<_>>(), &DataType::Utf8View);
        let is_coded = |packed: Packed| matches!(packed, Packed::Coded { .. });
        assert!(is_coded(packed(few(0), &mut texts)));
        let before = packed(few(500), &mut texts);
        assert!(is_coded(packed(few(300), &mut texts)));
        let many = column(&(0..5000).map(Some).collect::<Vec<_>>(), &DataType::Utf8View);
        assert!(!is_coded(packed(many, &mut texts)) && !is_coded(packed(few(0), &mut texts)));
        assert_eq!(Packed::rows_of(&[(&before, 0..500)]).unwrap().as_ref(), few(500).as_ref());
    }
}
