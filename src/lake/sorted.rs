//! Whether the files of a folder are in the order that its owner declares.
//!
//! A declaration is no proof, and a wrong one makes wrong answers in operators that cannot notice. So each version of
//! a file is read once, users and times alone, before anything is promised of it.

use std::sync::Arc;

use datafusion::datasource::listing::PartitionedFile;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;

use super::disorder::{Asked, first_disorder};
use super::faults::undecodable;
use super::file::{LakeFile, Reader};
use super::spec::Place;
use super::watch::WatchingReaderFactory;
use crate::error::{Error, Result, SqlState};

/// What the owner of a folder declares of it: rows sorted by user and time, ascending, NULL last, and no user in two
/// files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedBy {
    /// The column that says who.
    pub user_key: String,
    /// The column that says when.
    pub time_key: String,
}

impl LakeFile {
    /// Reads users and times of the file, once for each version of it.
    ///
    /// The inner error is lasting: 22000 with the first row that is out of order, XX001 if the file is damaged. It is
    /// work for the processor, so it is done on a thread that nobody waits for.
    pub(super) async fn check_order(
        self: &Arc<Self>,
        place: &Arc<Place>,
        reader: &Arc<Reader>,
        by: &SortedBy,
    ) -> Result<Result<()>> {
        let checked = || async {
            let (file, place, reader, by) = (Arc::clone(self), Arc::clone(place), Arc::clone(reader), by.clone());
            let here = tokio::runtime::Handle::current();
            let checked = tokio::task::spawn_blocking(move || {
                here.block_on(async {
                    let _permit = reader.permits.acquire().await.map_err(|error| {
                        Error::new(SqlState::INTERNAL_ERROR, format!("lake: the readers are closed: {error}"))
                    })?;
                    check(&file, &place, &reader, &by).await
                })
            });
            checked.await.map_err(|error| Error::new(SqlState::INTERNAL_ERROR, format!("lake: a check ended: {error}")))
        };
        let checked = self.is_in_order.get_or_try_init(|| async {
            match checked().await? {
                // The store may answer another time; what the rows are stays.
                Err(error) if matches!(error.state, SqlState::IO_ERROR | SqlState::UNDEFINED_FILE) => Err(error),
                checked => Ok(checked),
            }
        });
        checked.await.cloned()
    }
}

async fn check(file: &LakeFile, place: &Arc<Place>, reader: &Reader, by: &SortedBy) -> Result<()> {
    let readers = WatchingReaderFactory::new(place, &reader.runtime);
    let file_reader =
        readers.reader(0, PartitionedFile::from(file.meta.clone()), None, &ExecutionPlanMetricsSet::new());
    let file_reader = file_reader.map_err(|error| undecodable(&file.shown, &error.to_string()))?;
    let Some(disorder) = first_disorder(file_reader, &file.shown, by, Asked::UsersAndTimes).await? else {
        return Ok(());
    };
    let message = format!("file '{}' is declared sorted and is not", file.shown);
    Err(Error::new(SqlState::DATA_EXCEPTION, message).with_detail(disorder.detail()).with_hint(RIGHT))
}

/// What can be done about a wrong declaration.
pub(super) const RIGHT: &str =
    "Take `sorted` out of the table's section in the config file, or write the table with `tributary cluster`.";
