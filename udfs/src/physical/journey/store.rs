//! The rows of all users, in memory as long as there is room, then on disk, by bucket.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, SpillFile, TaskContext};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::spill::SpillManager;

use super::blocks::Block;
use super::buckets::Buckets;

/// The append-only log of one run: filled by every input at once, then read bucket by bucket.
///
/// Where the memory pool refuses, all that is held goes to one file for each bucket; reading takes what is in memory
/// first. Blocks are freed when all outputs are done, because each has rows of every bucket.
pub(super) struct Store {
    held: Mutex<Held>,
    disk: SpillManager,
    can_spill: bool,
}

struct Held {
    /// With the inputs that they are of.
    blocks: Vec<(usize, Block)>,
    /// By bucket: how many of the blocks were read.
    read: Vec<usize>,
    /// By bucket: rows in memory and on disk.
    row_counts: Vec<usize>,
    /// By bucket: the file, if something was spilled and not yet read.
    files: Vec<Option<Writer>>,
    reservation: MemoryReservation,
    has_spilled: bool,
}

/// Appends a batch to a file, or without one finishes it. (The type that does so cannot be named from outside.)
type Writer = Box<dyn FnMut(Option<&RecordBatch>) -> Result<Option<Arc<dyn SpillFile>>> + Send>;

impl Store {
    pub fn new(schema: SchemaRef, buckets: Buckets, context: &TaskContext, metrics: &ExecutionPlanMetricsSet) -> Self {
        let env = context.runtime_env();
        let can_spill = env.disk_manager.tmp_files_enabled();
        let reservation = MemoryConsumer::new("JourneyExec").with_can_spill(can_spill).register(context.memory_pool());
        let disk = SpillManager::new(env, SpillMetrics::new(metrics, 0), schema)
            .with_compression_type(context.session_config().spill_compression());
        let held = Held {
            blocks: vec![],
            read: vec![0; buckets.count()],
            row_counts: vec![0; buckets.count()],
            files: (0..buckets.count()).map(|_| None).collect(),
            reservation,
            has_spilled: false,
        };
        Self { held: Mutex::new(held), disk, can_spill }
    }

    /// Memory for something beside the blocks, of the same consumer.
    pub fn reservation(&self) -> MemoryReservation {
        self.held().reservation.new_empty()
    }

    /// Takes the next rows of an input.
    pub fn add(&self, input: usize, block: Block) -> Result<()> {
        let mut held = self.held();
        for (bucket, count) in held.row_counts.iter_mut().enumerate() {
            *count += block.row_count(bucket);
        }
        let room = held.reservation.try_grow(block.bytes());
        held.blocks.push((input, block));
        match room {
            Ok(()) => Ok(()),
            Err(full) if !self.can_spill => Err(full),
            Err(_) => self.spill(&mut held),
        }
    }

    /// Puts the inputs one after the other. Files are mostly in the order of time, and so are then most users' events,
    /// which saves sorting them.
    pub fn all_is_in(&self) {
        self.held().blocks.sort_by_key(|(input, _)| *input);
    }

    /// Makes `reservation` as large as `bytes`, on the cost of what is held here if need be.
    pub fn make_room(&self, reservation: &MemoryReservation, bytes: usize) -> Result<()> {
        let full = match reservation.try_resize(bytes) {
            Ok(()) => return Ok(()),
            Err(full) => full,
        };
        let mut held = self.held();
        if !self.can_spill || held.blocks.is_empty() {
            return Err(full);
        }
        self.spill(&mut held)?;
        reservation.try_resize(bytes)
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
    pub fn next_held(&self, buckets: &Range<usize>) -> Option<RecordBatch> {
        let mut held = self.held();
        let next = held.read[buckets.start];
        let rows = held.blocks.get(next)?.1.rows_of(buckets);
        held.read[buckets.clone()].fill(next + 1);
        Some(rows)
    }

    /// The rows of a bucket that are on disk; to be read after those in memory, and once.
    pub fn spilled(&self, bucket: usize) -> Result<Option<SendableRecordBatchStream>> {
        let Some(mut writer) = self.held().files[bucket].take() else { return Ok(None) };
        let Some(file) = writer(None)? else { return Ok(None) };
        self.disk.read_spill_as_stream(file, None).map(Some)
    }

    /// Writes all that was not read yet to the files of its buckets, and forgets it.
    fn spill(&self, held: &mut Held) -> Result<()> {
        held.has_spilled = true;
        let Held { blocks, read, files, reservation, .. } = held;
        for (bucket, (read, file)) in read.iter_mut().zip(files).enumerate() {
            for (_, block) in &blocks[*read..] {
                let rows = block.rows_of(&(bucket..bucket + 1));
                if rows.num_rows() == 0 {
                    continue;
                }
                if file.is_none() {
                    *file = Some(self.writer()?);
                }
                if let Some(writer) = file {
                    writer(Some(&rows))?;
                }
            }
            *read = 0;
        }
        blocks.clear();
        reservation.free();
        Ok(())
    }

    fn writer(&self) -> Result<Writer> {
        let mut file = self.disk.create_in_progress_file("JourneyExec")?;
        Ok(Box::new(move |rows| match rows {
            Some(rows) => file.append_batch(rows).map(|_| None),
            None => file.finish(),
        }))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
