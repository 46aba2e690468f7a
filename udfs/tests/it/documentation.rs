//! What is written is true, complete, and spelled so that PostgreSQL could read it.

use std::path::Path;

use crate::support::{context, rows};

#[tokio::test]
async fn every_example_answers_what_it_says() {
    for function in tributary_udfs::catalogue() {
        for example in function.examples {
            assert_eq!(rows(&context(), example.sql).await, example.answer, "{}: {}", function.name, example.sql);
        }
    }
}

#[test]
fn the_reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("FUNCTIONS.md");
    let page = tributary_udfs::reference(tributary_udfs::catalogue());
    if std::env::var_os("TRIBUTARY_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "udfs/FUNCTIONS.md is stale: run the tests with TRIBUTARY_BLESS=1 and read the diff");
}

#[test]
fn every_function_is_registered_and_documented() {
    let context = context();
    let state = context.state();
    for function in tributary_udfs::catalogue() {
        let documented = match function.kind {
            tributary_udfs::FunctionKind::Aggregate | tributary_udfs::FunctionKind::AggregateOrWindow => {
                state.aggregate_functions()[function.name].documentation().map(|doc| doc.description.clone())
            }
            tributary_udfs::FunctionKind::Window => {
                state.window_functions()[function.name].documentation().map(|doc| doc.description.clone())
            }
            tributary_udfs::FunctionKind::Scalar => {
                state.scalar_functions()[function.name].documentation().map(|doc| doc.description.clone())
            }
            // A relation is planned by itself: its examples say that it is there.
            tributary_udfs::FunctionKind::Relation => Some(function.summary.to_string()),
        };
        assert_eq!(documented.as_deref(), Some(function.summary), "{}", function.name);
        assert!(!function.examples.is_empty() && !function.sources.is_empty(), "{}", function.name);
    }
}

/// The names that decision S4 allows, and `ci`, which the meaning of TAG_MATCH names: tags are case-sensitive unless `ci`.
const ALLOWED: [&str; 30] = [
    "within",
    "gap",
    "window_from",
    "mode",
    "compat",
    "report",
    "step_order",
    "touch",
    "include_self",
    "lookback",
    "lookback_touches",
    "consume",
    "per_channel_once",
    "milestones",
    "max_duration",
    "max_events",
    "new_when",
    "end_when",
    "change_of",
    "day_boundary_tz",
    "tie",
    "timezone",
    "as_of",
    "user_key",
    "time_key",
    "conversion",
    "ci",
    "value",
    "models",
    "carry",
];

/// PostgreSQL 17's reserved words, those that are reserved except as function or type names, and those that are not
/// column names: none can be an argument's name everywhere.
const RESERVED: &str = "all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean \
    both case cast char character check coalesce collate collation column concurrently constraint create cross \
    current_catalog current_date current_role current_schema current_time current_timestamp current_user dec decimal \
    default deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full \
    grant greatest group grouping having ilike in initially inner inout int integer intersect interval into is isnull \
    join json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize \
    json_table json_value lateral leading least left like limit localtime localtimestamp merge_action national natural \
    nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay placing \
    position precision primary real references returning right row select session_user setof similar smallint some \
    substring symmetric system_user table tablesample then time timestamp to trailing treat trim true union unique user \
    using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest \
    xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable";

#[test]
fn option_names_are_those_decided_and_no_reserved_words() {
    for function in tributary_udfs::catalogue() {
        for name in function.option_names() {
            assert!(ALLOWED.contains(&name), "{}: option {name} was never decided", function.name);
            assert!(!RESERVED.split_whitespace().any(|word| word == name), "{}: {name} is reserved", function.name);
        }
    }
}
