//! Where rows wait between reading and sorting: in memory as far as it is allowed, then in files.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::FileReader;
use datafusion::arrow::ipc::writer::FileWriter;
use datafusion::arrow::record_batch::RecordBatch;
use parking_lot::Mutex;

use super::route::{Chunk, byte_count};
use crate::error::{Error, Result, SqlState};

/// Memory that waiting rows may take together.
#[derive(Debug)]
pub(super) struct Allowance {
    left_bytes: AtomicUsize,
}

impl Allowance {
    pub(super) fn new(bytes: usize) -> Self {
        Self { left_bytes: AtomicUsize::new(bytes) }
    }

    fn take(&self, bytes: usize) -> bool {
        self.left_bytes.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

/// Rows of one bucket that came together.
pub(super) struct Piece {
    /// The unit of the source, and the place in it: pieces in this order are in the order of the source.
    order: (usize, usize),
    rows: Waiting,
}

enum Waiting {
    InMemory(RecordBatch),
    InFile { file: Arc<SpillFile>, batch_index: usize },
}

/// A file of rows; it goes when nobody waits for a row of it.
struct SpillFile {
    path: PathBuf,
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        // It lies in a folder that goes with the work, so what fails here is done there.
        let _ = fs::remove_file(&self.path);
    }
}

/// Rows between two points.
#[derive(Default)]
pub(super) struct Bucket {
    pieces: Vec<Piece>,
    pub(super) row_count: u64,
    pub(super) byte_count: usize,
}

impl Bucket {
    fn push(&mut self, piece: Piece, row_count: usize, byte_count: usize) {
        self.pieces.push(piece);
        self.row_count += row_count as u64;
        self.byte_count += byte_count;
    }

    /// The rows in the order of the source, batch by batch.
    pub(super) fn read(&mut self) -> BucketReader<'_> {
        self.pieces.sort_unstable_by_key(|piece| piece.order);
        BucketReader { pieces: self.pieces.iter(), files: HashMap::new() }
    }
}

pub(super) struct BucketReader<'a> {
    pieces: std::slice::Iter<'a, Piece>,
    files: HashMap<&'a Path, FileReader<BufReader<File>>>,
}

impl Iterator for BucketReader<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match &self.pieces.next()?.rows {
            Waiting::InMemory(batch) => Some(Ok(batch.clone())),
            Waiting::InFile { file, batch_index } => Some(self.read(&file.path, *batch_index)),
        }
    }
}

impl<'a> BucketReader<'a> {
    fn read(&mut self, path: &'a Path, batch_index: usize) -> Result<RecordBatch> {
        let reader = match self.files.entry(path) {
            std::collections::hash_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let file = File::open(path).map_err(|error| failed(path, &error))?;
                place.insert(FileReader::try_new_buffered(file, None).map_err(|error| failed(path, &error))?)
            }
        };
        reader.set_index(batch_index).map_err(|error| failed(path, &error))?;
        match reader.next() {
            Some(batch) => batch.map_err(|error| failed(path, &error)),
            None => Err(failed(path, &"it ends early")),
        }
    }
}

/// Buckets that are being filled, by any number of threads.
pub(super) struct Shelf {
    schema: SchemaRef,
    folder: PathBuf,
    allowance: Arc<Allowance>,
    buckets: Mutex<Vec<Bucket>>,
}

impl Shelf {
    pub(super) fn new(schema: &SchemaRef, folder: &Path, allowance: &Arc<Allowance>, bucket_count: usize) -> Self {
        Self {
            schema: Arc::clone(schema),
            folder: folder.to_owned(),
            allowance: Arc::clone(allowance),
            buckets: Mutex::new(std::iter::repeat_with(Bucket::default).take(bucket_count).collect()),
        }
    }

    /// A filler for one thread.
    pub(super) fn filler(&self) -> Filler<'_> {
        Filler { shelf: self, spill: None }
    }

    /// The buckets, in their order. All fillers must have finished.
    pub(super) fn into_buckets(self) -> Vec<Bucket> {
        self.buckets.into_inner()
    }
}

/// Puts chunks on the shelf; what does not fit in memory goes to a file of this filler's own.
pub(super) struct Filler<'a> {
    shelf: &'a Shelf,
    spill: Option<Spill>,
}

struct Spill {
    file: Arc<SpillFile>,
    writer: FileWriter<BufWriter<File>>,
    batch_count: usize,
}

impl Filler<'_> {
    /// Puts a chunk on the shelf. `order` are the unit of the source and the chunk's place in it.
    pub(super) fn put(&mut self, chunk: &Chunk, order: (usize, usize)) -> Result<()> {
        let mut start = 0;
        let is_kept = self.shelf.allowance.take(byte_count(&chunk.rows));
        let mut filled = Vec::new();
        for (bucket, end) in chunk.ends.iter().enumerate() {
            let rows = chunk.rows.slice(start, end - start);
            start = *end;
            if rows.num_rows() == 0 {
                continue;
            }
            let (row_count, byte_count) = (rows.num_rows(), byte_count(&rows));
            let rows = if is_kept { Waiting::InMemory(rows) } else { self.spill(&rows)? };
            filled.push((bucket, Piece { order, rows }, row_count, byte_count));
        }
        let mut buckets = self.shelf.buckets.lock();
        for (bucket, piece, row_count, byte_count) in filled {
            buckets[bucket].push(piece, row_count, byte_count);
        }
        Ok(())
    }

    fn spill(&mut self, rows: &RecordBatch) -> Result<Waiting> {
        let spill = match &mut self.spill {
            Some(spill) => spill,
            None => self.spill.insert(Spill::create(&self.shelf.folder, &self.shelf.schema)?),
        };
        spill.writer.write(rows).map_err(|error| failed(&spill.file.path, &error))?;
        spill.batch_count += 1;
        Ok(Waiting::InFile { file: Arc::clone(&spill.file), batch_index: spill.batch_count - 1 })
    }

    /// Completes the file. Rows can be read from then on.
    pub(super) fn finish(self) -> Result<()> {
        match self.spill {
            Some(mut spill) => spill.writer.finish().map_err(|error| failed(&spill.file.path, &error)),
            None => Ok(()),
        }
    }
}

impl Spill {
    fn create(folder: &Path, schema: &SchemaRef) -> Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let path = folder.join(format!("{}.arrow", NEXT.fetch_add(1, Relaxed)));
        let file = File::create_new(&path).map_err(|error| failed(&path, &error))?;
        let file_of_rows = Arc::new(SpillFile { path: path.clone() });
        let writer = FileWriter::try_new_buffered(file, schema).map_err(|error| failed(&path, &error))?;
        Ok(Self { file: file_of_rows, writer, batch_count: 0 })
    }
}

fn failed(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::new(SqlState::IO_ERROR, format!("rows that wait in '{}': {why}", path.display()))
        .with_hint("Rows that do not fit in memory wait on the disk: it needs room for about all of them.")
}
