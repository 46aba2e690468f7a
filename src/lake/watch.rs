//! Readers that notice a file that changed under them, and what a failed read says of its file.
//!
//! A file is read in pieces over the whole time of a statement, and its footer comes from a cache.
//! If it is replaced meanwhile, pieces of two versions could make a number that neither holds. So a
//! remote read is made on the condition that the version is the listed one, and after a local read
//! the file is looked at again.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::{ParquetError, Result as ParquetResult};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::buffers::Buffers;
use super::faults::{blame, passing, replaced};
use super::spec::Place;
use crate::error::Error;

/// Gaps of at most this many bytes between two ranges are read over: one request costs more.
const COALESCED_GAP_BYTES: u64 = 1024 * 1024;

impl Place {
    /// Reads ranges of one version of a file, or says that this version is no longer there.
    async fn read_version(
        &self,
        meta: &ObjectMeta,
        ranges: &[Range<u64>],
        buffers: &Arc<Buffers>,
    ) -> object_store::Result<Vec<Bytes>> {
        if self.is_local {
            let path = LocalFileSystem::new().path_to_filesystem(&meta.location)?;
            let read = buffers.read(path, ranges.to_vec()).await;
            return read.map_err(|error| of_store(&meta.location, error));
        }
        if meta.e_tag.is_none() {
            return self.store.get_ranges(&meta.location, ranges).await;
        }
        let fetch = |range: Range<u64>| async move {
            let options = GetOptions {
                if_match: meta.e_tag.clone(),
                range: Some(GetRange::Bounded(range)),
                ..GetOptions::default()
            };
            self.store.get_opts(&meta.location, options).await?.bytes().await
        };
        object_store::coalesce_ranges(ranges, fetch, COALESCED_GAP_BYTES).await
    }

    /// Looks whether the file is still the listed version.
    pub(super) async fn check_version(&self, meta: &ObjectMeta) -> std::result::Result<(), Error> {
        let file = self.show(&meta.location);
        let now = self.store.head(&meta.location).await.map_err(|error| passing(&file, &error).error)?;
        let is_same = now.size == meta.size && now.last_modified == meta.last_modified && now.e_tag == meta.e_tag;
        if is_same { Ok(()) } else { Err(replaced(&file)) }
    }

    /// The error as the user should see it: the file's own fault is said with its name.
    pub(super) async fn explain(&self, meta: &ObjectMeta, error: DataFusionError) -> DataFusionError {
        let Some(fault) = blame(&self.show(&meta.location), &error) else {
            return error;
        };
        // Rubbish read from a file that was replaced under the reader is not the file's damage.
        match self.check_version(meta).await {
            Err(changed) if fault.is_lasting => changed.into(),
            _ => fault.error.into(),
        }
    }
}

/// Makes readers of Parquet files that keep footers in the runtime's cache.
#[derive(Debug)]
pub(super) struct WatchingReaderFactory {
    place: Arc<Place>,
    cached: CachedParquetFileReaderFactory,
    buffers: Arc<Buffers>,
}

impl WatchingReaderFactory {
    pub(super) fn new(place: &Arc<Place>, runtime: &RuntimeEnv) -> Self {
        let footers = runtime.cache_manager.get_file_metadata_cache();
        let cached = CachedParquetFileReaderFactory::new(Arc::clone(&place.store), footers);
        Self { place: Arc::clone(place), cached, buffers: Arc::default() }
    }
}

impl WatchingReaderFactory {
    /// A reader of one version of a file, which counts its bytes in `metrics`.
    pub(super) fn reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<WatchingReader> {
        let meta = file.object_meta.clone();
        Ok(WatchingReader {
            metrics: ParquetFileMetrics::new(partition_index, meta.location.as_ref(), metrics),
            place: Arc::clone(&self.place),
            buffers: Arc::clone(&self.buffers),
            footer: self.cached.create_reader(partition_index, file, metadata_size_hint, metrics)?,
            meta,
        })
    }
}

impl ParquetFileReaderFactory for WatchingReaderFactory {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        Ok(Box::new(self.reader(partition_index, file, metadata_size_hint, metrics)?))
    }
}

/// Reads one version of a file.
pub(super) struct WatchingReader {
    place: Arc<Place>,
    buffers: Arc<Buffers>,
    meta: ObjectMeta,
    /// Reads the footer only, through the cache.
    footer: Box<dyn AsyncFileReader + Send>,
    metrics: ParquetFileMetrics,
}

impl AsyncFileReader for WatchingReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        let bytes = self.get_byte_ranges(vec![range]);
        bytes.map_ok(|mut ranges| ranges.pop().unwrap_or_default()).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        let byte_count: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        self.metrics.bytes_scanned.add(usize::try_from(byte_count).unwrap_or(usize::MAX));
        async move {
            let bytes = self.place.read_version(&self.meta, &ranges, &self.buffers).await;
            if self.place.is_local {
                self.place.check_version(&self.meta).await.map_err(external)?;
            }
            bytes.map_err(|error| external(passing(&self.place.show(&self.meta.location), &error).error))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            match self.footer.get_metadata(options).await {
                Ok(metadata) => Ok(metadata),
                Err(error) => {
                    let error = self.place.explain(&self.meta, error.into()).await;
                    Err(ParquetError::External(Box::new(error)))
                }
            }
        }
        .boxed()
    }
}

/// An error of the file system as the store would word it.
fn of_store(location: &Path, error: std::io::Error) -> object_store::Error {
    let path = location.to_string();
    match error.kind() {
        std::io::ErrorKind::NotFound => object_store::Error::NotFound { path, source: error.into() },
        std::io::ErrorKind::PermissionDenied => object_store::Error::PermissionDenied { path, source: error.into() },
        _ => object_store::Error::Generic { store: "local files", source: error.into() },
    }
}

fn external(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
