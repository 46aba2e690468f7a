//! The rows of one file, compared with what its footer, its manifest and its range promise.

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::kernels::cmp::distinct;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::ScalarValue;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderMetadata;
use datafusion::parquet::arrow::arrow_reader::statistics::StatisticsConverter;

use crate::error::{Error, Result, SqlState};
use crate::lake::cluster::Keys;
use crate::lake::manifest::{Manifest, ManifestFile, from_text, to_text};

/// Walks through the rows of a file in its order.
pub(super) struct RowsCheck<'a> {
    file: &'a ManifestFile,
    keys: Keys,
    user: Column,
    time: Column,
    /// The users of the file's range: from the first on, and below the second.
    from: Option<OwnedRow>,
    below: Option<OwnedRow>,
    /// The row before, as bytes that compare and as values to show.
    last: Option<(OwnedRow, RecordBatch)>,
    row_count: u64,
    user_count: u64,
    is_out_of_order: bool,
    is_out_of_range: bool,
    findings: Vec<String>,
}

/// One of the two columns: its bounds in the row group and in the file.
struct Column {
    name: String,
    /// The place in the batches that are read.
    place: usize,
    data_type: DataType,
    converter: RowConverter,
    of_group: Option<(OwnedRow, OwnedRow)>,
    of_file: Option<(OwnedRow, OwnedRow)>,
}

impl<'a> RowsCheck<'a> {
    pub(super) fn new(manifest: &Manifest, file: &'a ManifestFile, keys: Keys, schema: &Schema) -> Result<Self> {
        let place = |index: usize| usize::from(index == keys.user.max(keys.time));
        let column = |index: usize| -> Result<Column> {
            let field = schema.field(index);
            let by = SortField::new(field.data_type().clone());
            let converter = RowConverter::new(vec![by]).map_err(|error| broken(&error))?;
            Ok(Column {
                name: field.name().clone(),
                place: place(index),
                data_type: field.data_type().clone(),
                converter,
                of_group: None,
                of_file: None,
            })
        };
        let (user, time) = (column(keys.user)?, column(keys.time)?);
        let mut findings = Vec::new();
        let mut point = |index: Option<usize>| -> Result<Option<OwnedRow>> {
            let Some(text) = index.and_then(|index| manifest.split_points.get(index)) else { return Ok(None) };
            let row = user.row_of(text)?;
            if row.is_none() {
                findings.push(format!("is of a range that begins or ends at '{text}', which is no value of its users"));
            }
            Ok(row)
        };
        let (from, below) = (point(file.range.checked_sub(1))?, point(Some(file.range))?);
        Ok(Self {
            file,
            keys,
            user,
            time,
            from,
            below,
            last: None,
            row_count: 0,
            user_count: 0,
            is_out_of_order: false,
            is_out_of_range: false,
            findings,
        })
    }

    /// Looks at the next rows.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let (users, times) = (batch.column(self.user.place), batch.column(self.time.place));
        self.check_order(batch, users, times)?;
        self.check_range(batch, users)?;
        self.count_users(batch, users)?;
        self.user.add(users)?;
        self.time.add(times)?;
        let end = batch.num_rows() - 1;
        let rows = self.keys.users_and_times(&users.slice(end, 1), &times.slice(end, 1))?;
        self.last = Some((rows.row(0).owned(), batch.slice(end, 1)));
        self.row_count += batch.num_rows() as u64;
        Ok(())
    }

    fn check_order(&mut self, batch: &RecordBatch, users: &ArrayRef, times: &ArrayRef) -> Result<()> {
        if self.is_out_of_order {
            return Ok(());
        }
        let rows = self.keys.users_and_times(users, times)?;
        let first_wrong = match &self.last {
            Some((last, _)) if last.row() > rows.row(0) => Some(0),
            _ => (1..rows.num_rows()).find(|index| rows.row(index - 1) > rows.row(*index)),
        };
        let Some(index) = first_wrong else { return Ok(()) };
        self.is_out_of_order = true;
        let before = match (index.checked_sub(1), &self.last) {
            (Some(before), _) => self.show(batch, before)?,
            (None, Some((_, last))) => self.show(last, 0)?,
            (None, None) => String::new(),
        };
        let finding = format!(
            "row {} is out of order: {} comes after {before}",
            self.row_count + index as u64,
            self.show(batch, index)?
        );
        self.findings.push(finding);
        Ok(())
    }

    fn check_range(&mut self, batch: &RecordBatch, users: &ArrayRef) -> Result<()> {
        if self.is_out_of_range {
            return Ok(());
        }
        let rows = self.keys.users(users)?;
        let is_outside = |index: &usize| {
            let row = rows.row(*index);
            self.from.as_ref().is_some_and(|from| row.data() < from.row().data())
                || self.below.as_ref().is_some_and(|below| row.data() >= below.row().data())
        };
        if let Some(index) = (0..rows.num_rows()).find(is_outside) {
            self.is_out_of_range = true;
            let user = self.show(batch, index)?;
            let range = self.file.range;
            self.findings
                .push(format!("row {} is of another range than {range}: {user}", self.row_count + index as u64));
        }
        Ok(())
    }

    fn count_users(&mut self, batch: &RecordBatch, users: &ArrayRef) -> Result<()> {
        let changes = |a: &ArrayRef, b: &ArrayRef| distinct(a, b).map(|changed| changed.true_count() as u64);
        let rest = batch.num_rows() - 1;
        let inside = changes(&users.slice(0, rest), &users.slice(1, rest)).map_err(|error| broken(&error))?;
        let at_start = match &self.last {
            Some((_, last)) => {
                changes(last.column(self.user.place), &users.slice(0, 1)).map_err(|error| broken(&error))?
            }
            None => 1,
        };
        self.user_count += inside + at_start;
        Ok(())
    }

    /// A row's user and time, for people.
    fn show(&self, batch: &RecordBatch, row: usize) -> Result<String> {
        let value = |column: &Column| -> Result<String> {
            let value = ScalarValue::try_from_array(batch.column(column.place), row).map_err(|error| broken(&error))?;
            Ok(format!("{} {}", column.name, to_text(&value)?.unwrap_or_else(|| "NULL".to_owned())))
        };
        Ok(format!("({}, {})", value(&self.user)?, value(&self.time)?))
    }

    /// Compares the rows of a row group with its statistics, by which scans leave it out.
    pub(super) fn end_group(&mut self, group: usize, metadata: &ArrowReaderMetadata) -> Result<()> {
        for column in [&mut self.user, &mut self.time] {
            let Some((least, greatest)) = column.of_group.take() else { continue };
            let name = &column.name;
            let found = |why: &str| format!("row group {group} {why} of \"{name}\"");
            match column.stored_bounds(group, metadata)? {
                None => self.findings.push(found("has no statistics")),
                Some((stored_least, stored_greatest)) if least < stored_least || greatest > stored_greatest => {
                    self.findings.push(found("has values outside of its statistics"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Compares the whole file with the manifest, and gives all that was found.
    pub(super) fn finish(mut self) -> Result<Vec<String>> {
        if self.row_count != self.file.row_count {
            self.findings.push(format!("{} rows were read, the manifest says {}", self.row_count, self.file.row_count));
        }
        // Users that are not in order are counted more than once.
        if self.user_count != self.file.user_count && !self.is_out_of_order {
            self.findings.push(format!("has {} users, the manifest says {}", self.user_count, self.file.user_count));
        }
        let file = self.file;
        let told = [(&self.user, &file.user_min, &file.user_max), (&self.time, &file.time_min, &file.time_max)];
        for (column, least, greatest) in told {
            let (found_least, found_greatest) = match &column.of_file {
                Some((least, greatest)) => (Some(least), Some(greatest)),
                None => (None, None),
            };
            for (what, told, found) in [("smallest", least, found_least), ("largest", greatest, found_greatest)] {
                let told_row = told.as_deref().map(|text| column.row_of(text)).transpose()?.flatten();
                if told_row.as_ref() != found {
                    let told = told.as_deref().unwrap_or("none");
                    self.findings
                        .push(format!("has another {what} \"{}\" than the manifest says: {told}", column.name));
                }
            }
        }
        Ok(self.findings)
    }
}

impl Column {
    fn rows_of(&self, array: &ArrayRef) -> Result<datafusion::arrow::row::Rows> {
        self.converter.convert_columns(std::slice::from_ref(array)).map_err(|error| broken(&error))
    }

    /// A value of the manifest; `None` if it is none of this column.
    fn row_of(&self, text: &str) -> Result<Option<OwnedRow>> {
        let Some(value) = from_text(text, &self.data_type) else { return Ok(None) };
        let array = value.to_array().map_err(|error| broken(&error))?;
        Ok(Some(self.rows_of(&array)?.row(0).owned()))
    }

    fn add(&mut self, values: &ArrayRef) -> Result<()> {
        let rows = self.rows_of(values)?;
        let present = || rows.iter().enumerate().filter(|(index, _)| !values.is_null(*index)).map(|(_, row)| row);
        let (Some(least), Some(greatest)) = (present().min(), present().max()) else { return Ok(()) };
        for bounds in [&mut self.of_group, &mut self.of_file] {
            match bounds {
                None => *bounds = Some((least.owned(), greatest.owned())),
                Some((first, last)) => {
                    if least < first.row() {
                        *first = least.owned();
                    }
                    if greatest > last.row() {
                        *last = greatest.owned();
                    }
                }
            }
        }
        Ok(())
    }

    /// The bounds that the footer has of a row group.
    fn stored_bounds(&self, group: usize, metadata: &ArrowReaderMetadata) -> Result<Option<(OwnedRow, OwnedRow)>> {
        let converter = StatisticsConverter::try_new(&self.name, metadata.schema(), metadata.parquet_schema())
            .map_err(|error| broken(&error))?;
        let group = [metadata.metadata().row_group(group)];
        let least = converter.row_group_mins(group).map_err(|error| broken(&error))?;
        let greatest = converter.row_group_maxes(group).map_err(|error| broken(&error))?;
        if least.is_null(0) || greatest.is_null(0) {
            return Ok(None);
        }
        Ok(Some((self.rows_of(&least)?.row(0).owned(), self.rows_of(&greatest)?.row(0).owned())))
    }
}

fn broken(error: &dyn std::fmt::Display) -> Error {
    Error::new(SqlState::INTERNAL_ERROR, format!("check: {error}"))
}
