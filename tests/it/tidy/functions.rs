//! What every function must have; the message lists what is missing, with paths.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::read;
use crate::fixtures;
use crate::functions_command::catalogue;

/// Functions that are pieces of others and need no folder of their own, each with the reason.
const PIECES: [(&str, &str, &str); 3] = [
    ("funnel_times", "funnel", "the same question, another answer"),
    ("funnel_durations", "funnel", "the same question, another answer"),
    ("step_mask", "funnel", "the conditions of a funnel as bits; no question of its own"),
];

/// Named arguments that the design knows (decisions S4); a function may have no other.
const NAMES: [&str; 30] = [
    "within",
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
    "value",
    "models",
    "carry",
    "breakdown",
    "entered_from",
];

/// Reserved words of PostgreSQL 16, with those that are reserved but may name a function or a type: none of them can
/// stand before `=>` in a client's grammar.
const RESERVED: &str = "all analyse analyze and any array as asc asymmetric authorization binary both case cast check \
    collate collation column concurrently constraint create cross current_catalog current_date current_role \
    current_schema current_time current_timestamp current_user default deferrable desc distinct do else end except \
    false fetch for foreign freeze from full grant group having ilike in initially inner intersect into is isnull join \
    lateral leading left like limit localtime localtimestamp natural not notnull null offset on only or order outer \
    overlaps placing primary references returning right select session_user similar some symmetric system_user table \
    tablesample then to trailing true union unique user using variadic verbose when where window with";

fn home(name: &str) -> &str {
    PIECES.iter().find(|(piece, _, _)| *piece == name).map_or(name, |(_, home, _)| home)
}

#[test]
fn every_function_has_all_that_a_function_has() {
    let root = fixtures::root();
    let mut missing = BTreeSet::new();
    for function in catalogue() {
        let name = function["name"].as_str().expect("a name");
        for field in ["summary", "description", "syntax", "returns", "answer", "nulls", "ties", "cost", "merge"] {
            if function[field].as_str().is_none_or(str::is_empty) {
                missing.insert(format!("{name}: '{field}' in its documentation"));
            }
        }
        for list in ["arguments", "errors", "examples", "sources"] {
            if function[list].as_array().is_none_or(Vec::is_empty) {
                missing.insert(format!("{name}: '{list}' in its documentation"));
            }
        }
        let home = home(name);
        let needed: [PathBuf; 5] = [
            format!("udfs/core/src/{home}.rs").into(),
            format!("udfs/src/{home}/semantics.md").into(),
            format!("testdata/golden/functions/{home}").into(),
            format!("sql/plain/{home}.sql").into(),
            format!("benches/functions/{home}.rs").into(),
        ];
        missing.extend(
            needed.iter().filter(|path| !root.join(path).exists()).map(|path| format!("{name}: {}", path.display())),
        );
        for question in ["rules", "nulls", "ties", "edges", "types", "errors", "merge", "plan", "plain", "examples"] {
            let path = format!("testdata/golden/functions/{home}/{question}.slt");
            if !root.join(&path).is_file() {
                missing.insert(format!("{name}: {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn golden_files_of_a_function_call_it() {
    for function in catalogue() {
        let name = function["name"].as_str().expect("a name");
        if name == "step_mask" {
            continue;
        }
        let folder = fixtures::testdata("golden/functions").join(home(name));
        let called = format!("{}(", name.to_uppercase());
        let calls = fixtures::files_below(&folder, &["slt"]).iter().filter(|path| read(path).contains(&called)).count();
        assert!(calls > 0, "no golden file calls {called}...)");
    }
}

#[test]
fn names_of_options_are_those_of_the_design_and_no_reserved_words() {
    let reserved: BTreeSet<&str> = RESERVED.split_whitespace().collect();
    for function in catalogue() {
        let name = &function["name"];
        let options = function["options"].as_array().expect("a list").iter();
        let nameable = function["arguments"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|argument| argument["may_be_named"] == true);
        for option in options.chain(nameable).filter_map(|option| option["name"].as_str()) {
            assert!(NAMES.contains(&option), "{name}: option '{option}' is not in the design");
            assert!(!reserved.contains(option), "{name}: option '{option}' is a reserved word of PostgreSQL");
        }
    }
    assert!(NAMES.iter().all(|name| !reserved.contains(name)));
}
