//! Users as numbers from 0, in the order in which they are met.

use std::hash::{BuildHasher, RandomState};

use datafusion::arrow::array::{Array, ArrayData, ArrayRef, make_array};
use datafusion::arrow::buffer::{Buffer, NullBuffer};
use datafusion::arrow::datatypes::{ArrowNativeType, DataType, SchemaRef};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::EmitTo;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;

use super::runs::Runs;

/// The users that a table knows.
pub(super) enum Users {
    /// Keys that are one integer: the usual case, in one cache line a look-up.
    Integer(IntegerKeys),
    /// All other keys.
    Any(Box<dyn GroupValues>),
    /// Keys of any type whose rows come sorted.
    Sorted(Runs),
}

impl Users {
    pub fn new(keys: SchemaRef) -> Result<Self> {
        if let [key] = keys.fields().as_ref()
            && is_integer(key.data_type())
        {
            return Ok(Self::Integer(IntegerKeys::new(key.data_type().clone())));
        }
        Ok(Self::Any(new_group_values(keys, &GroupOrdering::None)?))
    }

    /// The user of every row.
    pub fn number(&mut self, keys: &[ArrayRef], users: &mut Vec<usize>) -> Result<()> {
        match (self, keys) {
            (Self::Integer(known), [keys]) => known.number(keys, users),
            (Self::Integer(_), _) => Err(internal_datafusion_err!("a user has one key, got {}", keys.len())),
            (Self::Any(known), keys) => known.intern(keys, users),
            (Self::Sorted(known), keys) => known.number(keys, None, users),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Integer(known) => known.keys.len(),
            Self::Any(known) => known.len(),
            Self::Sorted(known) => known.len(),
        }
    }

    /// The key columns of all users, in their order; then none is known.
    pub fn take(&mut self) -> Result<Vec<ArrayRef>> {
        match self {
            Self::Integer(known) => Ok(vec![known.take()?]),
            Self::Any(known) => known.emit(EmitTo::All),
            Self::Sorted(known) => known.take(),
        }
    }

    pub fn bytes(&self) -> usize {
        match self {
            Self::Integer(known) => known.bytes(),
            Self::Any(known) => known.size(),
            Self::Sorted(known) => known.bytes(),
        }
    }
}

/// Types whose values are equal where their bits are.
fn is_integer(data_type: &DataType) -> bool {
    let is_temporal = matches!(data_type, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..));
    data_type.is_integer() || is_temporal
}

/// A hash table of integers of up to 64 bits, with open addressing.
pub(super) struct IntegerKeys {
    data_type: DataType,
    /// A power of two of them, at most half of them used.
    slots: Vec<Slot>,
    keys: Vec<u64>,
    /// The number of the user whose key is NULL.
    null: Option<usize>,
    /// Drawn by chance: who chooses keys does not choose where they go.
    seed: u64,
}

#[derive(Clone, Copy)]
struct Slot {
    key: u64,
    user: u32,
}

impl Slot {
    const EMPTY: Self = Self { key: 0, user: u32::MAX };
}

const FIRST_SLOTS: usize = 1 << 10;

impl IntegerKeys {
    fn new(data_type: DataType) -> Self {
        let seed = RandomState::new().hash_one(0);
        Self { data_type, slots: vec![Slot::EMPTY; FIRST_SLOTS], keys: vec![], null: None, seed }
    }

    fn number(&mut self, keys: &ArrayRef, users: &mut Vec<usize>) -> Result<()> {
        if self.keys.len() + keys.len() >= u32::MAX as usize {
            return Err(internal_datafusion_err!("a bucket has more than 4 billion users"));
        }
        users.clear();
        users.reserve(keys.len());
        let data = keys.to_data();
        match self.data_type.primitive_width() {
            Some(1) => self.number_bits(&data.buffer::<u8>(0)[..data.len()], data.nulls(), users),
            Some(2) => self.number_bits(&data.buffer::<u16>(0)[..data.len()], data.nulls(), users),
            Some(4) => self.number_bits(&data.buffer::<u32>(0)[..data.len()], data.nulls(), users),
            Some(8) => self.number_bits(&data.buffer::<u64>(0)[..data.len()], data.nulls(), users),
            _ => return Err(internal_datafusion_err!("{} is no integer", self.data_type)),
        }
        Ok(())
    }

    fn number_bits<T: Copy + Into<u64>>(&mut self, keys: &[T], nulls: Option<&NullBuffer>, users: &mut Vec<usize>) {
        match nulls.filter(|nulls| nulls.null_count() > 0) {
            None => users.extend(keys.iter().map(|&key| self.user(key.into()))),
            Some(nulls) => users.extend(keys.iter().zip(nulls).map(|(&key, is_known)| match is_known {
                true => self.user(key.into()),
                false => self.null_user(),
            })),
        }
    }

    #[inline]
    fn user(&mut self, key: u64) -> usize {
        let mut place = self.place(key);
        loop {
            let slot = self.slots[place];
            if slot.user == u32::MAX {
                return self.add(place, key);
            }
            if slot.key == key {
                return slot.user as usize;
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
    }

    /// Where to look for a key first.
    #[inline]
    fn place(&self, key: u64) -> usize {
        const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15;
        let product = u128::from(key ^ self.seed) * SPREAD;
        ((product >> 64) as u64 ^ product as u64) as usize & (self.slots.len() - 1)
    }

    #[cold]
    fn add(&mut self, place: usize, key: u64) -> usize {
        let user = self.keys.len();
        self.keys.push(key);
        self.slots[place] = Slot { key, user: user as u32 };
        if self.keys.len() * 2 > self.slots.len() {
            self.grow();
        }
        user
    }

    fn grow(&mut self) {
        self.slots = vec![Slot::EMPTY; self.slots.len() * 2];
        for (user, &key) in self.keys.iter().enumerate() {
            if self.null == Some(user) {
                continue;
            }
            let mut place = self.place(key);
            while self.slots[place].user != u32::MAX {
                place = (place + 1) & (self.slots.len() - 1);
            }
            self.slots[place] = Slot { key, user: user as u32 };
        }
    }

    fn null_user(&mut self) -> usize {
        let next = self.keys.len();
        if self.null.is_none() {
            self.keys.push(0);
        }
        *self.null.get_or_insert(next)
    }

    fn take(&mut self) -> Result<ArrayRef> {
        let keys = std::mem::take(&mut self.keys);
        let nulls = self.null.take().map(|null| (0..keys.len()).map(|user| user != null).collect::<NullBuffer>());
        self.slots.fill(Slot::EMPTY);
        let values = match self.data_type.primitive_width() {
            Some(1) => narrowed(&keys, |key| key as u8),
            Some(2) => narrowed(&keys, |key| key as u16),
            Some(4) => narrowed(&keys, |key| key as u32),
            _ => Buffer::from_vec(keys.clone()),
        };
        let data = ArrayData::builder(self.data_type.clone()).len(keys.len()).add_buffer(values).nulls(nulls);
        Ok(make_array(data.build()?))
    }

    fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.keys.capacity() * size_of::<u64>()
    }
}

fn narrowed<T: ArrowNativeType>(keys: &[u64], narrow: impl Fn(u64) -> T) -> Buffer {
    Buffer::from_vec(keys.iter().map(|&key| narrow(key)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::Int64Array;
    use datafusion::arrow::compute::cast;
    use datafusion::arrow::datatypes::{Field, Schema, TimeUnit};
    use proptest::prelude::*;

    use super::*;

    const TYPES: [DataType; 8] = [
        DataType::Int8,
        DataType::UInt8,
        DataType::Int16,
        DataType::UInt32,
        DataType::Int64,
        DataType::UInt64,
        DataType::Date32,
        DataType::Timestamp(TimeUnit::Nanosecond, None),
    ];

    proptest! {
        /// DataFusion's own table of groups is the oracle.
        #[test]
        fn integers_are_numbered_as_all_other_keys_are(
            batches in proptest::collection::vec(
                proptest::collection::vec(proptest::option::weighted(0.9, -120..120i64), 0..400), 0..6),
            data_type in 0..TYPES.len(),
            taken_after in 0..6usize,
        ) {
            let data_type = &TYPES[data_type];
            let schema = Arc::new(Schema::new(vec![Field::new("user_id", data_type.clone(), true)]));
            let mut ours = Users::new(Arc::clone(&schema)).unwrap();
            prop_assert!(matches!(ours, Users::Integer(_)));
            let mut theirs = new_group_values(schema, &GroupOrdering::None).unwrap();
            let (mut users, mut expected) = (vec![], vec![]);
            for (index, batch) in batches.into_iter().enumerate() {
                // A value that the type does not have is one more NULL. A slice, as blocks give them.
                let keys = cast(&Int64Array::from(batch), data_type).unwrap();
                let keys = keys.slice(keys.len() / 4, keys.len() / 2);
                ours.number(&[Arc::clone(&keys)], &mut users).unwrap();
                theirs.intern(&[keys], &mut expected).unwrap();
                prop_assert_eq!(&users, &expected);
                prop_assert_eq!(ours.len(), theirs.len());
                if index == taken_after {
                    prop_assert_eq!(ours.take().unwrap(), theirs.emit(EmitTo::All).unwrap());
                    prop_assert_eq!(ours.len(), 0);
                }
            }
            prop_assert_eq!(ours.take().unwrap(), theirs.emit(EmitTo::All).unwrap());
        }
    }

    #[test]
    fn many_users_are_each_one() {
        let schema = Arc::new(Schema::new(vec![Field::new("user_id", DataType::Int64, true)]));
        let mut users = Users::new(schema).unwrap();
        let keys: ArrayRef = Arc::new((0..200_000).map(|key| Some(key << 40)).collect::<Int64Array>());
        let mut numbers = vec![];
        for _ in 0..2 {
            users.number(&[Arc::clone(&keys)], &mut numbers).unwrap();
            assert!(numbers.iter().enumerate().all(|(row, &user)| row == user));
        }
        assert!(users.bytes() > 200_000 * 8);
        assert_eq!(users.take().unwrap(), [keys]);
    }
}
