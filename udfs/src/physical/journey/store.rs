//! The rows of all users, in memory as long as there is room, then on disk.

use std::mem;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};

use super::blocks::Block;
use super::buckets::Buckets;
use super::disk::Disk;
use super::memory::{Memory, Part};

/// The append-only log of one run: filled by every input at once, then read bucket by bucket.
///
/// Where the memory pool refuses, all that is held goes to disk; reading takes what is in memory first. Blocks are freed
/// when all outputs are done, because each has rows of every bucket.
pub(super) struct Store {
    memory: Memory,
    held: Mutex<Held>,
    /// Locked before `held`, and as long as blocks are on their way to it: who finds no more rows in memory waits here.
    disk: tokio::sync::Mutex<Disk>,
    can_spill: bool,
    gathered_rows: Count,
    gathered_bytes: Count,
}

struct Held {
    /// With the inputs that they are of.
    blocks: Vec<(usize, Arc<Block>)>,
    /// By bucket: how many of the blocks were read.
    read: Vec<usize>,
    /// By bucket: rows in memory and on disk.
    row_counts: Vec<usize>,
    /// Bytes of the blocks, and the memory granted for them.
    bytes: usize,
    room: Part,
    has_spilled: bool,
}

impl Store {
    pub fn new(schema: SchemaRef, buckets: Buckets, context: &TaskContext, metrics: &ExecutionPlanMetricsSet) -> Self {
        let disk = Disk::new(schema, buckets, context, metrics);
        let can_spill = disk.is_there();
        let memory = Memory::new(context, can_spill);
        let held = Held {
            blocks: vec![],
            read: vec![0; buckets.count()],
            row_counts: vec![0; buckets.count()],
            bytes: 0,
            room: memory.part(),
            has_spilled: false,
        };
        let count = |name: &'static str| MetricBuilder::new(metrics).global_counter(name);
        Self {
            memory,
            held: Mutex::new(held),
            disk: tokio::sync::Mutex::new(disk),
            can_spill,
            gathered_rows: count("gathered_rows"),
            gathered_bytes: count("gathered_bytes"),
        }
    }

    /// Memory for something beside the blocks.
    pub fn part(&self) -> Part {
        self.memory.part()
    }

    /// Takes the next rows of an input.
    pub async fn add(&self, input: usize, block: Block) -> Result<()> {
        self.gathered_rows.add(block.len());
        self.gathered_bytes.add(block.bytes());
        {
            let mut held = self.held();
            for (bucket, count) in held.row_counts.iter_mut().enumerate() {
                *count += block.row_count(bucket);
            }
            held.bytes += block.bytes();
            held.blocks.push((input, Arc::new(block)));
        }
        // While blocks were written others came; nothing held needs no memory, so this ends.
        loop {
            let reserved = self.held().reserve();
            match reserved {
                Err(_) if self.can_spill => self.spill().await?,
                reserved => return reserved,
            }
        }
    }

    /// Makes a part as large as `bytes`, at the cost of what is held here if need be.
    ///
    /// The outer error is one of the disk and ends the query; the inner one says that there is no room.
    pub async fn make_room(&self, part: &mut Part, bytes: usize) -> Result<Result<(), DataFusionError>> {
        if part.try_resize(bytes).is_ok() {
            return Ok(Ok(()));
        }
        self.spill().await?;
        Ok(part.try_resize(bytes))
    }

    /// Puts the inputs one after the other. Files are mostly in the order of time, and so are then most users' events,
    /// which saves sorting them.
    pub fn all_is_in(&self) {
        self.held().blocks.sort_by_key(|(input, _)| *input);
    }

    /// Whether memory was short.
    pub fn has_spilled(&self) -> bool {
        self.held().has_spilled
    }

    /// How many rows a bucket has.
    pub fn row_count(&self, bucket: usize) -> usize {
        self.held().row_counts[bucket]
    }

    /// The next rows of some buckets that are in memory.
    pub fn next_held(&self, buckets: &Range<usize>) -> Result<Option<RecordBatch>> {
        let blocks: Vec<Arc<Block>> = {
            let mut held = self.held();
            let next = held.read[buckets.start];
            let left = held.blocks[next..].iter().map(|(_, block)| block);
            let blocks: Vec<_> = left.clone().take(Block::read_at_once(left, buckets)).cloned().collect();
            held.read[buckets.clone()].fill(next + blocks.len());
            blocks
        };
        if blocks.is_empty() {
            return Ok(None);
        }
        Block::rows_of(&blocks, buckets).map(Some)
    }

    /// The disk, when nothing is on its way to it; to be read after what is in memory.
    pub async fn disk(&self) -> tokio::sync::MutexGuard<'_, Disk> {
        self.disk.lock().await
    }

    /// Writes all that was not read yet to disk, if there is one, and forgets it.
    async fn spill(&self) -> Result<()> {
        if !self.can_spill {
            return Ok(());
        }
        let mut disk = self.disk.lock().await;
        let (blocks, read, bytes) = {
            let mut held = self.held();
            held.has_spilled = true;
            let bucket_count = held.read.len();
            let read = mem::replace(&mut held.read, vec![0; bucket_count]);
            let blocks: Vec<Arc<Block>> = mem::take(&mut held.blocks).into_iter().map(|(_, block)| block).collect();
            (blocks, read, mem::take(&mut held.bytes))
        };
        if bytes == 0 {
            return Ok(());
        }
        for (bucket, read) in read.into_iter().enumerate() {
            let (buckets, mut left) = (bucket..bucket + 1, &blocks[read..]);
            while !left.is_empty() {
                let (next, rest) = left.split_at(Block::read_at_once(left.iter(), &buckets));
                disk.write(bucket, &Block::rows_of(next, &buckets)?)?;
                left = rest;
            }
            // Other queries get their turn.
            tokio::task::consume_budget().await;
        }
        drop(blocks);
        // What came meanwhile stays.
        let mut held = self.held();
        let bytes = held.bytes;
        held.room.shrink(bytes);
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Asks for the memory of all blocks.
    fn reserve(&mut self) -> Result<()> {
        self.room.try_resize(self.bytes)
    }
}
