//! Finished files on their way to a bucket.

use std::path::Path as FsPath;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};

use super::meter::ClusterMeter;
use crate::error::{Error, Result, SqlState};
use crate::lake::store;

/// Bytes that are read from a finished file and sent at a time.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// Parts of one file on their way at a time.
const PARTS_IN_FLIGHT: usize = 4;

/// Sends a file of this machine to a store, and tells `meter` its bytes.
pub(super) async fn send(
    store: &dyn ObjectStore,
    made: &FsPath,
    to: &Path,
    shown: &str,
    meter: &ClusterMeter,
) -> Result<()> {
    let failed = |error: object_store::Error| remote(shown, &error);
    let upload = store.put_multipart(to).await.map_err(failed)?;
    let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
    let mut bytes = tokio::fs::File::open(made).await.map_err(|error| unread(made, &error))?;
    loop {
        let mut part = Vec::with_capacity(PART_BYTES);
        let mut limited = tokio::io::AsyncReadExt::take(&mut bytes, PART_BYTES as u64);
        let length = tokio::io::AsyncReadExt::read_to_end(&mut limited, &mut part).await;
        let length = length.map_err(|error| unread(made, &error))?;
        if length == 0 {
            break;
        }
        upload.wait_for_capacity(PARTS_IN_FLIGHT).await.map_err(failed)?;
        upload.put(part.into());
        meter.advance(length as u64)?;
    }
    upload.finish().await.map_err(failed)?;
    Ok(())
}

pub(super) fn remote(shown: &str, error: &object_store::Error) -> Error {
    let (state, reason) = store::reason(error);
    Error::new(state, format!("could not write to '{shown}': {reason}"))
}

fn unread(path: &FsPath, error: &std::io::Error) -> Error {
    Error::new(SqlState::IO_ERROR, format!("could not read '{}': {error}", path.display()))
}
