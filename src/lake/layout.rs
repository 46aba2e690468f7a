//! What a scan may promise of a table in ranges of users, and why it may.
//!
//! DataFusion believes what a scan declares: were it wrong, so would be the answers. So the files are compared with
//! the manifest first, and a folder that is not what its manifest says is no table.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::Schema;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use object_store::path::Path;

use super::cluster::Keys;
use super::manifest::{Manifest, ManifestFile, from_text};
use super::sorted::{RIGHT, SortedBy};
use super::table::ReadyFile;
use crate::error::{Error, Result, SqlState};

/// How a table in ranges is sorted, in each of its keys.
pub(super) const ASCENDING: SortOptions = SortOptions { descending: false, nulls_first: false };

/// Ranges of users, and which files they are.
#[derive(Debug)]
pub(super) struct Layout {
    user: Key,
    time: Key,
    /// Ascending: range 0 is below the first, range `n` begins with point `n - 1`.
    pub(super) points: Vec<ScalarValue>,
    pub(super) row_counts: Vec<u64>,
    /// Where each file belongs.
    pub(super) places: HashMap<Path, FilePlace>,
}

/// The range of users that a file holds a part of, and which part: older generations come before newer ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FilePlace {
    pub(super) range: usize,
    pub(super) generation: u64,
}

/// A column that the rows are sorted by.
#[derive(Debug)]
struct Key {
    name: String,
    /// The place in the table's schema.
    place: usize,
}

impl Key {
    fn find(name: &str, schema: &Schema) -> Result<Self> {
        let place = schema.index_of(name).map_err(|_| {
            Error::new(SqlState::DATA_EXCEPTION, format!("the manifest's key \"{name}\" is no column of the files"))
        })?;
        Ok(Self { name: name.to_owned(), place })
    }

    fn by(&self) -> PhysicalSortExpr {
        PhysicalSortExpr::new(Arc::new(Column::new(&self.name, self.place)), ASCENDING)
    }
}

impl Layout {
    /// Compares the files of a folder with its manifest.
    ///
    /// Fails with 58030 if a file of the manifest is missing or another than the one that was written, or if there is
    /// a file that the manifest does not know; with 22000 if ranges overlap. A damaged file fails who reads it.
    pub(super) fn of_manifest(
        manifest: &Manifest,
        folder: &Path,
        files: &mut [ReadyFile],
        schema: &Schema,
    ) -> Result<Self> {
        let (user, time) = (Key::find(&manifest.user_key, schema)?, Key::find(&manifest.time_key, schema)?);
        let points = manifest.split_points.iter().map(|text| {
            from_text(text, schema.field(user.place).data_type())
                .ok_or_else(|| wrong_ranges(format!("'{text}' is no value of \"{}\"", user.name)))
        });
        let points = points.collect::<Result<Vec<_>>>()?;
        if let Some(pair) = points.windows(2).find(|pair| !is_before(&pair[0], &pair[1])) {
            return Err(wrong_ranges(format!("one begins at {} and the next at {}", pair[0], pair[1])));
        }
        let mut layout = Self { user, time, row_counts: vec![0; points.len() + 1], points, places: HashMap::new() };
        let mut there: HashMap<Path, &mut ReadyFile> =
            files.iter_mut().map(|file| (file.file.meta.location.clone(), file)).collect();
        for listed in &manifest.files {
            let path = folder.clone().join(listed.path.as_str());
            let Some(file) = there.remove(&path) else {
                let message = format!("file '{}' is in the table's manifest and is missing", listed.path);
                return Err(Error::new(SqlState::IO_ERROR, message).with_hint(CHECK));
            };
            layout.add(listed, file, schema)?;
            layout.places.insert(path, FilePlace { range: listed.range, generation: listed.generation });
        }
        match there.into_values().next() {
            Some(file) => {
                let message = format!("file '{}' is not in the manifest of its folder", file.file.shown);
                Err(Error::new(SqlState::IO_ERROR, message)
                    .with_hint("Remove the file, or write the table again with `tributary cluster`."))
            }
            None => Ok(layout),
        }
    }

    /// Takes each file for a range of users, by the bounds in its footer.
    ///
    /// Fails with 22000 if two files hold one user, or a footer does not say which users the file holds; 42703 and
    /// 42804 on keys that cannot be. The order inside of the files is another question.
    pub(super) fn of_files(by: &SortedBy, files: &[ReadyFile], schema: &Schema) -> Result<Self> {
        let keys = Keys::try_new(schema, &by.user_key, &by.time_key)?;
        let user = Key { name: by.user_key.clone(), place: keys.user };
        let time = Key { name: by.time_key.clone(), place: keys.time };
        let mut bounds = Vec::with_capacity(files.len());
        let mut layout = Self { user, time, points: Vec::new(), row_counts: Vec::new(), places: HashMap::new() };
        for file in files {
            // A damaged file fails who reads it; whether others are in order cannot be told without it.
            let ready = file.ready.as_ref().map_err(Clone::clone)?;
            match UserBounds::of(file, ready, layout.user.place) {
                Some(of_users) if of_users.row_count > 0 => bounds.push(of_users),
                Some(_) => {}
                None => {
                    let message = format!(
                        "file '{}' is declared sorted, and its footer does not say which users it holds",
                        file.file.shown
                    );
                    return Err(Error::new(SqlState::DATA_EXCEPTION, message).with_hint(RIGHT));
                }
            }
        }
        bounds.sort_by(|a, b| a.least.partial_cmp(&b.least).unwrap_or(Ordering::Equal));
        for pair in bounds.windows(2) {
            if pair[0].has_null || !is_before(&pair[0].greatest, &pair[1].least) {
                let (a, b) = (&pair[0].file.file.shown, &pair[1].file.file.shown);
                let message = format!("files '{a}' and '{b}' are declared sorted, and their users overlap");
                let (end, start) = if pair[0].has_null {
                    ("NULL".to_owned(), pair[1].greatest.to_string())
                } else {
                    (pair[0].greatest.to_string(), pair[1].least.to_string())
                };
                return Err(Error::new(SqlState::DATA_EXCEPTION, message)
                    .with_detail(format!("The first goes up to user {end}, the second has user {start}."))
                    .with_hint(RIGHT));
            }
        }
        for (range, of_users) in bounds.into_iter().enumerate() {
            if range > 0 {
                layout.points.push(of_users.least);
            }
            layout.row_counts.push(of_users.row_count as u64);
            let place = FilePlace { range, generation: 1 };
            layout.places.insert(of_users.file.file.meta.location.clone(), place);
        }
        Ok(layout)
    }

    fn add(&mut self, listed: &ManifestFile, file: &mut ReadyFile, schema: &Schema) -> Result<()> {
        let shown = &file.file.shown;
        let changed = |why: String| {
            let message = format!("file '{shown}' is not the one that its manifest names: {why}");
            Error::new(SqlState::IO_ERROR, message).with_hint(CHECK)
        };
        if file.file.meta.size != listed.byte_count {
            return Err(changed(format!("it has {} bytes, not {}", file.file.meta.size, listed.byte_count)));
        }
        self.row_counts[listed.range] += listed.row_count;
        let Ok(ready) = &mut file.ready else { return Ok(()) };
        let Some(statistics) = ready.statistics.as_deref() else { return Ok(()) };
        let mut statistics = statistics.clone();
        if statistics.num_rows != Precision::Exact(usize::try_from(listed.row_count).unwrap_or(usize::MAX)) {
            return Err(changed(format!("it has {} rows, not {}", statistics.num_rows, listed.row_count)));
        }
        let told = [(&self.user, &listed.user_min, &listed.user_max), (&self.time, &listed.time_min, &listed.time_max)];
        for (key, least, greatest) in told {
            let Some(column) = statistics.column_statistics.get_mut(key.place) else {
                return Err(changed(format!("\"{}\" comes from the names of folders", key.name)));
            };
            for (bound, told) in [(&mut column.min_value, least), (&mut column.max_value, greatest)] {
                let told = told.as_deref().and_then(|text| from_text(text, schema.field(key.place).data_type()));
                match (&*bound, &told) {
                    (Precision::Exact(found), Some(told)) if found == told => {}
                    // The footer has the first bytes of a long text; the manifest has the whole.
                    (Precision::Inexact(_), Some(told)) => *bound = Precision::Exact(told.clone()),
                    (Precision::Absent, None) => {}
                    _ => return Err(changed(format!("it has other bounds of \"{}\"", key.name))),
                }
            }
        }
        self.check_range(listed, &statistics.column_statistics[self.user.place])?;
        ready.statistics = Some(Arc::new(statistics));
        Ok(())
    }

    /// Whether the users of a file are of its range. NULL is after all others.
    fn check_range(&self, listed: &ManifestFile, users: &ColumnStatistics) -> Result<()> {
        let from = listed.range.checked_sub(1).map(|index| &self.points[index]);
        let below = self.points.get(listed.range);
        let is_early = from.is_some_and(|from| users.min_value.get_value().is_some_and(|least| least < from));
        let is_late = below.is_some_and(|below| users.max_value.get_value().is_some_and(|greatest| greatest >= below));
        let has_null = users.null_count.get_value().is_none_or(|count| *count > 0);
        if is_early || is_late || (has_null && below.is_some()) {
            return Err(wrong_ranges(format!("file '{}' has users of another range than its own", listed.path)));
        }
        Ok(())
    }

    /// The order of the rows of each file, and of the files of a partition one after the other.
    pub(super) fn ordering(&self) -> Option<LexOrdering> {
        LexOrdering::new([self.user.by(), self.time.by()])
    }

    /// The columns of the table that the rows are sorted by.
    pub(super) fn key_places(&self) -> [usize; 2] {
        [self.user.place, self.time.place]
    }
}

/// Which users a file holds, as its footer says.
struct UserBounds<'a> {
    file: &'a ReadyFile,
    row_count: usize,
    least: ScalarValue,
    greatest: ScalarValue,
    has_null: bool,
}

impl<'a> UserBounds<'a> {
    /// `None` if the footer does not say it, or every user is NULL.
    fn of(file: &'a ReadyFile, ready: &PartitionedFile, user: usize) -> Option<Self> {
        let statistics = ready.statistics.as_deref()?;
        let row_count = *statistics.num_rows.get_value()?;
        let users = statistics.column_statistics.get(user)?;
        let (least, greatest) = match row_count {
            0 => (ScalarValue::Null, ScalarValue::Null),
            _ => (users.min_value.get_value()?.clone(), users.max_value.get_value()?.clone()),
        };
        let has_null = users.null_count.get_value().is_none_or(|count| *count > 0);
        Some(Self { file, row_count, least, greatest, has_null })
    }
}

/// What can be done about a folder that is not what its manifest says.
const CHECK: &str = "`tributary check` names all that is wrong; write the table again with `tributary cluster`.";

/// Values that cannot be compared are in no order.
fn is_before(a: &ScalarValue, b: &ScalarValue) -> bool {
    a.partial_cmp(b) == Some(Ordering::Less)
}

fn wrong_ranges(why: String) -> Error {
    Error::new(SqlState::DATA_EXCEPTION, format!("the ranges of users of the table overlap: {why}")).with_hint(CHECK)
}
