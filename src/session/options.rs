//! DataFusion's options and our own, behind their prefixes: which of them a session may set, and to what.
//!
//! Most of DataFusion's options size something, change what names or times mean, or trade answers for speed. So a
//! session may set those of a list, each within its range; the others are the server's, and stay as it started with them.

use std::ops::RangeInclusive;

use datafusion::config::{ConfigOptions, ExtensionOptions};

use super::Session;
use crate::engine::TributaryOptions;
use crate::error::{Error, Result, SqlState};

/// Prefixes of settings that DataFusion's options hold, ours among them.
const PREFIXES: [&str; 2] = ["datafusion.", "tributary."];

/// What an option may be set to.
enum Allowed {
    Bool,
    Number(RangeInclusive<u64>),
}
use Allowed::{Bool, Number};

const MIB: u64 = 1024 * 1024;

/// What a session may set. None of them changes an answer, and within its range none takes more than a statement has.
#[rustfmt::skip]
const SETTABLE: &[(&str, Allowed)] = &[
    ("datafusion.execution.batch_size", Number(1..=65_536)),
    ("datafusion.execution.coalesce_batches", Bool),
    ("datafusion.execution.collect_statistics", Bool),
    ("datafusion.execution.parquet.bloom_filter_on_read", Bool),
    ("datafusion.execution.parquet.enable_page_index", Bool),
    ("datafusion.execution.parquet.max_in_list_size", Number(0..=10_000)),
    ("datafusion.execution.parquet.pruning", Bool),
    ("datafusion.execution.parquet.pushdown_filters", Bool),
    ("datafusion.execution.parquet.reorder_filters", Bool),
    ("datafusion.execution.sort_in_place_threshold_bytes", Number(0..=64 * MIB)),
    ("datafusion.execution.sort_spill_reservation_bytes", Number(0..=1024 * MIB)),
    // Exchanges have a channel from each partition to each.
    ("datafusion.execution.target_partitions", Number(1..=256)),
    ("datafusion.explain.logical_plan_only", Bool),
    ("datafusion.explain.physical_plan_only", Bool),
    ("datafusion.explain.show_schema", Bool),
    ("datafusion.explain.show_sizes", Bool),
    ("datafusion.explain.show_statistics", Bool),
    ("datafusion.optimizer.enable_aggregate_dynamic_filter_pushdown", Bool),
    ("datafusion.optimizer.enable_distinct_aggregation_soft_limit", Bool),
    ("datafusion.optimizer.enable_dynamic_filter_pushdown", Bool),
    ("datafusion.optimizer.enable_join_dynamic_filter_pushdown", Bool),
    ("datafusion.optimizer.enable_round_robin_repartition", Bool),
    ("datafusion.optimizer.enable_topk_aggregation", Bool),
    ("datafusion.optimizer.enable_topk_dynamic_filter_pushdown", Bool),
    ("datafusion.optimizer.filter_null_join_keys", Bool),
    ("datafusion.optimizer.hash_join_single_partition_threshold", Number(0..=1024 * MIB)),
    ("datafusion.optimizer.hash_join_single_partition_threshold_rows", Number(0..=1_000_000_000)),
    ("datafusion.optimizer.join_reordering", Bool),
    ("datafusion.optimizer.prefer_existing_sort", Bool),
    ("datafusion.optimizer.prefer_hash_join", Bool),
    ("datafusion.optimizer.repartition_aggregations", Bool),
    ("datafusion.optimizer.repartition_file_min_size", Number(0..=u64::MAX >> 1)),
    ("datafusion.optimizer.repartition_file_scans", Bool),
    ("datafusion.optimizer.repartition_joins", Bool),
    ("datafusion.optimizer.repartition_sorts", Bool),
    ("datafusion.optimizer.repartition_windows", Bool),
    ("datafusion.optimizer.top_down_join_key_reordering", Bool),
    ("tributary.drop_repeats", Bool),
    ("tributary.drop_stepless", Bool),
    ("tributary.journeys", Bool),
    ("tributary.one_stage", Bool),
    ("tributary.read_codes", Bool),
];

/// Whether a name is one of an option, and not of a setting of the session.
pub(super) fn is_option(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// SET: 42704 for what is no option, 55P02 for one that is the server's, 22023 for a value that it cannot have.
pub(super) fn set(session: &Session, name: &str, value: &str) -> Result<()> {
    let value = checked(session, name, value)?;
    put(session.context.state_ref().write().config_mut().options_mut(), name, &value)
}

/// An option of the start-up message: RESET goes back to it.
pub(super) fn set_initial(session: &Session, name: &str, value: &str) -> Result<()> {
    set(session, name, value)?;
    let value = checked(session, name, value)?;
    put(&mut session.initial_options.lock(), name, &value)
}

/// RESET: what the session started with.
pub(super) fn reset(session: &Session, name: &str) -> Result<()> {
    let Some(value) = entry(&session.initial_options.lock(), name) else { return Err(unknown(name)) };
    allowed(name)?;
    match value {
        Some(value) => put(session.context.state_ref().write().config_mut().options_mut(), name, &value),
        None => {
            let message = format!("parameter \"{name}\" has no value to go back to");
            Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message))
        }
    }
}

/// RESET ALL: every option as the session started with it.
pub(super) fn reset_all(session: &Session) {
    let initial = session.initial_options.lock().clone();
    *session.context.state_ref().write().config_mut().options_mut() = initial;
}

/// The value of an option as SHOW prints it; `None` if there is no such option.
pub(super) fn show(session: &Session, name: &str) -> Option<String> {
    entry(session.context.state().config_options(), name).map(Option::unwrap_or_default)
}

/// A name that is no setting and no option (42704).
pub(super) fn unknown(name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

fn allowed(name: &str) -> Result<&'static Allowed> {
    let found = SETTABLE.iter().find(|(settable, _)| settable.eq_ignore_ascii_case(name));
    found.map(|(_, allowed)| allowed).ok_or_else(|| {
        Error::new(SqlState::CANT_CHANGE_RUNTIME_PARAM, format!("parameter \"{name}\" cannot be changed"))
            .with_hint("It is the server's. What a session may set of DataFusion's options does not change answers.")
    })
}

/// The value as DataFusion reads it.
fn checked(session: &Session, name: &str, value: &str) -> Result<String> {
    if entry(&session.initial_options.lock(), name).is_none() {
        return Err(unknown(name));
    }
    let wrong = |hint: &str| {
        let message = format!("invalid value for parameter \"{name}\": \"{value}\"");
        Error::new(SqlState::INVALID_PARAMETER_VALUE, message).with_hint(hint)
    };
    match allowed(name)? {
        Bool => match value.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" | "t" | "y" => Ok("true".to_owned()),
            "off" | "false" | "no" | "0" | "f" | "n" => Ok("false".to_owned()),
            _ => Err(wrong("Use on or off.")),
        },
        Number(range) => {
            let digits = value.trim();
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            if !is_number {
                return Err(wrong("Use a whole number."));
            }
            match digits.parse::<u64>() {
                Ok(number) if range.contains(&number) => Ok(number.to_string()),
                _ => {
                    let (least, most) = (range.start(), range.end());
                    let message =
                        format!("{digits} is outside the valid range for parameter \"{name}\" ({least} .. {most})");
                    Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message))
                }
            }
        }
    }
}

fn put(options: &mut ConfigOptions, name: &str, value: &str) -> Result<()> {
    options.set(&name.to_ascii_lowercase(), value).map_err(|error| {
        let message = format!("parameter \"{name}\": {}", error.strip_backtrace());
        Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
    })
}

/// The value of one of DataFusion's options or ours; `None` if there is no such option.
fn entry(options: &ConfigOptions, name: &str) -> Option<Option<String>> {
    let wanted = name.to_ascii_lowercase();
    // Extensions list their keys without their prefix.
    let ours = wanted.strip_prefix("tributary.");
    if let (Some(key), Some(extension)) = (ours, options.extensions.get::<TributaryOptions>()) {
        return extension.entries().into_iter().find(|e| e.key == key || e.key == wanted).map(|e| e.value);
    }
    options.entries().into_iter().find(|e| e.key == wanted).map(|e| e.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_set_is_there_and_each_end_of_its_range_can_be_put() {
        let mut options = ConfigOptions::new();
        options.extensions.insert(TributaryOptions::default());
        for (name, allowed) in SETTABLE {
            assert!(entry(&options, name).is_some(), "{name}");
            let values = match allowed {
                Bool => ["true".to_owned(), "false".to_owned()],
                Number(range) => [range.start().to_string(), range.end().to_string()],
            };
            for value in values {
                put(&mut options, name, &value).unwrap();
                assert_eq!(entry(&options, name), Some(Some(value)), "{name}");
            }
        }
    }

    #[test]
    fn every_option_of_ours_may_be_set() {
        for entry in TributaryOptions::default().entries() {
            let name = format!("tributary.{}", entry.key.trim_start_matches("tributary."));
            assert!(SETTABLE.iter().any(|(settable, _)| *settable == name), "{name}");
        }
    }
}
