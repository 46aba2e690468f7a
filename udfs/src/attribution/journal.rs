//! The state of an attribution: a log of the rows that matter, and beside it what does not fit an entry.

use std::mem;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::common::Result;
use datafusion::logical_expr::EmitTo;
use tributary_core::attribution::CONVERSION;

use super::rows::{Layout, Reader};
use super::worth::Worth;
use crate::codes::Ranked;
use crate::error::{UserError, sqlstate};
use crate::log::{Counters, Log};

/// Every group's rows, to be given back user by user.
///
/// An entry of the log is a row's kind, a flag, and a number: of its channel, or, under the flag, of its [`Details`].
pub(super) struct Journal<A> {
    pub reader: Reader<A>,
    log: Log<u64>,
    details: Vec<Details<A>>,
    /// How many details there may be before those of users that were given back are left out.
    most_details: usize,
    /// All payloads at once: the bits that the log must keep.
    payloads: u64,
    group_count: usize,
    counters: Option<Arc<Counters>>,
}

/// What an entry has no room for.
#[derive(Debug, Clone, Copy, Default)]
struct Details<A> {
    channel: u32,
    tie: u32,
    carried: u32,
    value: A,
}

/// A user's rows in the order of time, as columns; texts and ties are numbers of the [`Reader`].
#[derive(Debug, Default)]
pub(super) struct Rows<A> {
    pub at_us: Vec<i64>,
    pub kinds: Vec<u32>,
    pub channels: Vec<u32>,
    pub ties: Vec<u32>,
    pub carried: Vec<u32>,
    pub values: Vec<A>,
}

/// Details that are not worth looking through.
const FEW_DETAILS: usize = 4_096;

impl<A: Worth> Journal<A> {
    pub fn new(layout: Layout, counters: Option<Arc<Counters>>) -> Result<Self> {
        Ok(Self {
            reader: Reader::new(layout)?,
            log: Log::new(u64::BITS),
            details: vec![],
            most_details: FEW_DETAILS,
            payloads: 0,
            group_count: 0,
            counters,
        })
    }

    /// Adds the rows of a batch that matter, each to its group.
    pub fn update(
        &mut self,
        columns: &[ArrayRef],
        group_of: impl Fn(usize) -> usize,
        filter: Option<&BooleanArray>,
        group_count: usize,
    ) -> Result<()> {
        self.group_count = group_count;
        let at_us = self.reader.read(columns, filter)?;
        if let Some(counters) = &self.counters {
            counters.add_events(at_us.len(), self.reader.batch.rows.len());
        }
        self.make_room(self.reader.batch.rows.len())?;
        let batch = mem::take(&mut self.reader.batch);
        let mut values = batch.values.iter();
        for (index, (&row, &kind)) in batch.rows.iter().zip(&batch.kinds).enumerate() {
            let is_conversion = kind & CONVERSION as u32 > 0;
            let details = Details {
                channel: batch.channels[index],
                tie: batch.ties.get(index).copied().unwrap_or_default(),
                carried: batch.carried.get(index).copied().unwrap_or_default(),
                value: if is_conversion { values.next().copied().unwrap_or_default() } else { A::default() },
            };
            self.push(group_of(row as usize), at_us[row as usize], kind, details);
        }
        self.reader.batch = batch;
        Ok(())
    }

    /// Adds rows as another stage kept them.
    pub fn merge(&mut self, group: usize, rows: &Rows<A>, entries: std::ops::Range<usize>) -> Result<()> {
        self.make_room(entries.len())?;
        for entry in entries {
            let details = Details {
                channel: rows.channels[entry],
                tie: rows.ties.get(entry).copied().unwrap_or_default(),
                carried: rows.carried.get(entry).copied().unwrap_or_default(),
                value: rows.values.get(entry).copied().unwrap_or_default(),
            };
            self.push(group, rows.at_us[entry], rows.kinds[entry], details);
        }
        Ok(())
    }

    pub fn set_group_count(&mut self, group_count: usize) {
        self.group_count = group_count;
    }

    #[inline]
    fn push(&mut self, group: usize, at_us: i64, kind: u32, details: Details<A>) {
        let layout = self.reader.layout();
        let is_valued = layout.held.is_some() && kind & CONVERSION as u32 > 0;
        let has_details = is_valued || layout.tie.is_some() || layout.carried.is_some();
        let kind_bits = layout.kind_bits;
        let number = if has_details {
            self.details.push(details);
            self.details.len() as u64 - 1
        } else {
            u64::from(details.channel)
        };
        let payload = (number << 1 | u64::from(has_details)) << kind_bits | u64::from(kind);
        self.payloads |= payload;
        self.log.push(group, at_us, payload);
    }

    /// Refuses more rows than an entry can number.
    fn make_room(&self, rows: usize) -> Result<()> {
        let numbers = self.details.len().max(self.reader.channels.len()) + rows;
        if numbers >> (u64::BITS - 1 - self.reader.layout().kind_bits).min(u32::BITS) == 0 {
            return Ok(());
        }
        let name = self.reader.layout().name;
        Err(UserError::new(
            sqlstate::PROGRAM_LIMIT_EXCEEDED,
            format!("{name}: more than {numbers} conversions or channels in one partition"),
        )
        .with_hint("Give the query more partitions.")
        .into())
    }

    /// How many groups are asked for.
    pub fn group_count(&self, emit_to: EmitTo) -> usize {
        match emit_to {
            EmitTo::All => self.group_count,
            EmitTo::First(count) => count.min(self.group_count),
        }
    }

    /// Hands every emitted group's rows over, those of users without a conversion as none where only conversions
    /// matter, and forgets them.
    pub fn emit(
        &mut self,
        emit_to: EmitTo,
        needs_conversion: bool,
        mut each: impl FnMut(&Reader<A>, &mut Rows<A>) -> Result<()>,
    ) -> Result<()> {
        let count = self.group_count(emit_to);
        let log_bytes = self.log.used_bytes();
        let (reader, details) = (&self.reader, &self.details);
        let mut rows = Rows::default();
        let mut told = Ok(());
        self.log.set_payload_bits(u64::BITS - self.payloads.leading_zeros());
        let wanted = if needs_conversion { CONVERSION } else { 0 };
        let sorted = self.log.drain(count, |sorted| {
            sorted.for_each_group_with(wanted, |at_us, payloads| {
                if told.is_ok() {
                    rows.unpack(reader.layout(), details, at_us, payloads);
                    told = each(reader, &mut rows);
                }
            });
        });
        told?;
        if let Some(counters) = &self.counters {
            counters.add_users(count, sorted);
            counters.add_log(log_bytes.saturating_sub(self.log.used_bytes()));
        }
        self.group_count -= count;
        if self.group_count == 0 {
            self.log.clear();
            self.details = vec![];
            self.payloads = 0;
        } else if self.details.len() > self.most_details {
            self.write_anew();
        }
        Ok(())
    }

    /// Gives back memory that is kept for later rows.
    pub fn free_spare(&mut self) {
        self.log.free_spare();
    }

    /// Leaves out the details of users that were given back, while others stay.
    fn write_anew(&mut self) {
        let mut old = mem::replace(&mut self.log, Log::new(u64::BITS));
        let details = mem::take(&mut self.details);
        self.payloads = 0;
        let (mut rows, mut group) = (Rows::default(), 0);
        let group_count = self.group_count;
        // How many users are in order was counted, or will be, when they are given back.
        let _ = old.drain(group_count, |sorted| {
            sorted.for_each_group_with(0, |at_us, payloads| {
                rows.unpack(self.reader.layout(), &details, at_us, payloads);
                for (entry, &at_us) in rows.at_us.iter().enumerate() {
                    let details = Details {
                        channel: rows.channels[entry],
                        tie: rows.ties.get(entry).copied().unwrap_or_default(),
                        carried: rows.carried.get(entry).copied().unwrap_or_default(),
                        value: rows.values[entry],
                    };
                    self.push(group, at_us, rows.kinds[entry], details);
                }
                group += 1;
            });
        });
        self.most_details = FEW_DETAILS.max(2 * self.details.len());
    }

    pub fn bytes(&self) -> usize {
        self.log.bytes() + self.details.capacity() * mem::size_of::<Details<A>>() + self.reader.bytes()
    }
}

fn has_details(layout: &Layout, payload: u64) -> bool {
    payload >> layout.kind_bits & 1 > 0
}

impl<A: Worth> Rows<A> {
    fn unpack(&mut self, layout: &Layout, details: &[Details<A>], at_us: &[i64], payloads: &[u64]) {
        let Self { at_us: times, kinds, channels, ties, carried, values } = self;
        times.clear();
        times.extend_from_slice(at_us);
        let kind = (1u64 << layout.kind_bits) - 1;
        kinds.clear();
        kinds.extend(payloads.iter().map(|payload| (payload & kind) as u32));
        let details_of = |&payload: &u64| {
            let number = payload >> layout.kind_bits >> 1;
            if has_details(layout, payload) {
                details[number as usize]
            } else {
                Details { channel: number as u32, ..Details::default() }
            }
        };
        channels.clear();
        ties.clear();
        carried.clear();
        values.clear();
        for payload in payloads {
            let details = details_of(payload);
            channels.push(details.channel);
            values.push(details.value);
            if layout.tie.is_some() {
                ties.push(details.tie);
            }
            if layout.carried.is_some() {
                carried.push(details.carried);
            }
        }
    }

    /// Adds the rows of another user.
    pub fn append(&mut self, other: &Self) {
        self.at_us.extend_from_slice(&other.at_us);
        self.kinds.extend_from_slice(&other.kinds);
        self.channels.extend_from_slice(&other.channels);
        self.ties.extend_from_slice(&other.ties);
        self.carried.extend_from_slice(&other.carried);
        self.values.extend_from_slice(&other.values);
    }

    /// Replaces numbers by ranks, which sort as what they stand for.
    pub fn rank(&mut self, channels: &Ranked, ties: Option<&Ranked>) {
        self.channels.iter_mut().for_each(|channel| *channel = channels.ranks[*channel as usize]);
        if let Some(ties_by_rank) = ties {
            self.ties.iter_mut().for_each(|tie| *tie = ties_by_rank.ranks[*tie as usize]);
        }
    }
}
