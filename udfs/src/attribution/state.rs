//! The state between stages: lists of equal length, one entry for each row that matters, in any order.
//!
//! Two states of a user are merged by appending one to the other.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, UInt32Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type, UInt32Type};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::EmitTo;

use super::answer::lists;
use super::journal::{Journal, Rows};
use super::rows::Layout;
use super::worth::Worth;
use crate::error::{UserError, sqlstate};

/// The parts of a state, by name.
pub(super) fn fields(name: &str, layout: &Layout) -> Vec<FieldRef> {
    let mut parts = vec![("at_us", DataType::Int64), ("kinds", DataType::UInt32), ("channels", DataType::Utf8View)];
    parts.extend(layout.held.clone().map(|held| ("values", held)));
    parts.extend(layout.tie.as_ref().map(|_| ("ties", DataType::BinaryView)));
    parts.extend(layout.carried.as_ref().map(|_| ("carried", DataType::BinaryView)));
    let list = |(part, item)| {
        Arc::new(Field::new(format!("{name}[{part}]"), DataType::new_list(item, true), false)) as FieldRef
    };
    parts.into_iter().map(list).collect()
}

/// Gives the rows of the emitted groups as state.
pub(super) fn take<A: Worth>(journal: &mut Journal<A>, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
    let mut lengths = Vec::with_capacity(journal.group_count(emit_to));
    let mut all = Rows::<A>::default();
    journal.emit(emit_to, false, |reader, rows| {
        all.append(rows);
        lengths.push(rows.at_us.len());
        if all.at_us.len() > i32::MAX as usize {
            let (name, events) = (reader.layout().name, all.at_us.len());
            return Err(UserError::new(
                sqlstate::PROGRAM_LIMIT_EXCEEDED,
                format!("{name}: {events} events in one piece of state, a piece holds {}", i32::MAX),
            )
            .with_hint("Give the query more partitions, or leave tributary.one_stage on.")
            .into());
        }
        Ok(())
    })?;
    journal.free_spare();
    let reader = &journal.reader;
    let Rows { at_us, kinds, channels, ties, carried, values } = all;
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(at_us)),
        Arc::new(UInt32Array::from(kinds)),
        reader.channels.labels().text_column(&channels)?,
    ];
    if let Some(held) = &reader.layout().held {
        columns.push(A::column(values, held));
    }
    for (codes, numbers) in [(&reader.ties, ties), (&reader.carried, carried)] {
        if let Some(codes) = codes {
            columns.push(codes.codes.labels().binary_column(&numbers)?);
        }
    }
    let list = |column: ArrayRef| {
        let item = Arc::new(Field::new_list_field(column.data_type().clone(), true));
        lists(item, lengths.clone(), column)
    };
    columns.into_iter().map(list).collect()
}

/// Adds states to their groups.
pub(super) fn merge<A: Worth>(
    journal: &mut Journal<A>,
    states: &[ArrayRef],
    group_indices: &[usize],
    group_count: usize,
) -> Result<()> {
    journal.set_group_count(group_count);
    let parts = states
        .iter()
        .map(|state| {
            let given = state.data_type();
            state.as_list_opt::<i32>().ok_or_else(|| internal_datafusion_err!("a state is a list, got {given}"))
        })
        .collect::<Result<Vec<&ListArray>>>()?;
    // All parts of a state are cut alike, so that the entries of one are those of the others.
    let mut entries = parts.iter().map(|part| {
        let (first, end) = (part.value_offsets()[0] as usize, part.value_offsets()[part.len()] as usize);
        part.values().slice(first, end - first)
    });
    let mut next = || entries.next().ok_or_else(|| internal_datafusion_err!("a state lacks a part"));
    let mut rows = Rows::<A> {
        at_us: next()?.as_primitive::<Int64Type>().values().to_vec(),
        kinds: next()?.as_primitive::<UInt32Type>().values().to_vec(),
        ..Rows::default()
    };
    let channels = next()?;
    let reader = &mut journal.reader;
    reader.channels.read(&channels, 0..channels.len(), &mut rows.channels)?;
    if let Some(held) = &reader.layout().held {
        rows.values = A::read(&next()?, held)?;
    }
    for (codes, numbers) in [(&mut reader.ties, &mut rows.ties), (&mut reader.carried, &mut rows.carried)] {
        if let Some(codes) = codes {
            let entries = next()?;
            codes.codes.read(&entries, 0..entries.len(), numbers)?;
        }
    }
    let Some(bounds) = parts.first() else { return Ok(()) };
    let first = bounds.value_offsets()[0];
    for (row, &group) in group_indices.iter().enumerate() {
        if bounds.is_valid(row) {
            let (start, end) = (bounds.value_offsets()[row] - first, bounds.value_offsets()[row + 1] - first);
            journal.merge(group, &rows, start as usize..end as usize)?;
        }
    }
    Ok(())
}
