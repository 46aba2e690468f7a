//! `_tributary.pending.json`: lies in a clustered folder while a generation comes or goes.
//!
//! A table changes from one manifest to the next at once, but its files come before and go after. The marker names
//! them, so that nobody takes them for strangers, and so that the next run can remove what a killed one left.

use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};

use super::manifest::{FORMAT, FORMAT_KEY};
use crate::error::{Error, Result, SqlState};

/// The name of the marker in its folder.
pub(super) const PENDING_NAME: &str = "_tributary.pending.json";

/// Files that are not of the table unless its manifest says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    #[serde(rename = "tributary.format")]
    pub(super) format: u32,
    /// The run that wrote the marker, and how often it said that it is at work.
    pub(super) run: String,
    pub(super) beat: u64,
    /// Files on their way into the table, below the folder.
    pub(super) arriving: Vec<String>,
    /// Files on their way out of it.
    pub(super) leaving: Vec<String>,
}

impl Pending {
    pub(super) fn new(run: String) -> Self {
        Self { format: FORMAT, run, beat: 0, arriving: Vec::new(), leaving: Vec::new() }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.arriving.iter().chain(&self.leaving).map(String::as_str)
    }

    /// The text to store.
    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::new(SqlState::INTERNAL_ERROR, format!("marker: {error}")))?;
        text.push(b'\n');
        Ok(text)
    }

    fn from_json(text: &[u8], shown: &str) -> Result<Self> {
        let damaged = |why: String| {
            Error::new(SqlState::DATA_CORRUPTED, format!("marker '{shown}' cannot be used: {why}"))
                .with_hint("If no run of tributary is at work on the table, remove the marker.")
        };
        let value: serde_json::Value = serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))?;
        match value.get(FORMAT_KEY).and_then(serde_json::Value::as_u64) {
            None => return Err(damaged(format!("it has no '{FORMAT_KEY}'"))),
            Some(format) if format > u64::from(FORMAT) => {
                let message = format!("marker '{shown}' has format {format}, this server reads up to {FORMAT}");
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            Some(_) => {}
        }
        serde_json::from_value(value).map_err(|error| damaged(error.to_string()))
    }
}

/// Reads the marker of a folder, with the version that was read; `None` if it has none.
///
/// Fails with XX001 and 0A000 if it is none of ours, 58030 if the store does not answer.
pub(super) async fn read_pending(
    store: &dyn ObjectStore,
    folder: &Path,
    shown: &str,
) -> Result<Option<(Pending, ObjectMeta)>> {
    let shown = format!("{}/{PENDING_NAME}", shown.trim_end_matches('/'));
    let failed =
        |error: object_store::Error| Error::new(SqlState::IO_ERROR, format!("could not read '{shown}': {error}"));
    let found = match store.get(&folder.clone().join(PENDING_NAME)).await {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let meta = found.meta.clone();
    let text = found.bytes().await.map_err(failed)?;
    Ok(Some((Pending::from_json(&text, &shown)?, meta)))
}
