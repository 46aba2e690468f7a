//! What every function must have; the message lists what is missing, with paths.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::read;
use crate::fixtures;
use crate::functions_command::catalogue;

/// A family of functions: one rule, one contract, one folder of goldens, and its members with their plain twins.
struct Family {
    core: &'static str,
    folder: &'static str,
    /// Each member with its twin in `sql/plain`; several may share one that answers them all.
    members: &'static [(&'static str, &'static str)],
}

/// Every family, by the name of its bench and goldens.
const FAMILIES: [Family; 5] = [
    Family {
        core: "funnel",
        folder: "funnel",
        // The mask is the conditions of a funnel as bits; no question of its own.
        members: &[
            ("funnel", "funnel"),
            ("funnel_times", "funnel"),
            ("funnel_durations", "funnel"),
            ("step_mask", "funnel"),
        ],
    },
    Family {
        core: "sessions",
        folder: "sessions",
        members: &[
            ("sessionize", "sessions"),
            ("sessionize_info", "sessions"),
            ("sessions", "sessions"),
            ("conditional_true_event", "sessions"),
            ("conditional_change_event", "sessions"),
        ],
    },
    Family {
        core: "attribution",
        folder: "attribution",
        members: &[("attribute", "attribute"), ("attribute_totals", "attribute"), ("attribution_touches", "attribute")],
    },
    Family { core: "tags", folder: "tags", members: &[("tag_match", "tag_match")] },
    Family { core: "channels", folder: "channels", members: &[("channel_group", "channel_group"), ("utm", "utm")] },
];

/// Named arguments that the design knows (decisions S4); a function may have no other.
const NAMES: [&str; 32] = [
    "ci",
    "gap",
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
        let family = FAMILIES.iter().find_map(|family| {
            let (_, twin) = family.members.iter().find(|(member, _)| *member == name)?;
            Some((family, twin))
        });
        let Some((Family { core, folder, .. }, twin)) = family else {
            missing.insert(format!("{name}: its family"));
            continue;
        };
        let needed: [PathBuf; 5] = [
            format!("udfs/core/src/{core}.rs").into(),
            format!("udfs/src/{folder}/semantics.md").into(),
            format!("testdata/golden/functions/{folder}").into(),
            format!("sql/plain/{twin}.sql").into(),
            format!("benches/functions/{folder}.rs").into(),
        ];
        missing.extend(
            needed.iter().filter(|path| !root.join(path).exists()).map(|path| format!("{name}: {}", path.display())),
        );
        for question in ["rules", "nulls", "ties", "edges", "types", "errors", "merge", "plan", "plain", "examples"] {
            let path = format!("testdata/golden/functions/{folder}/{question}.slt");
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
        let family = FAMILIES.iter().find(|family| family.members.iter().any(|(member, _)| *member == name));
        let folder = fixtures::testdata("golden/functions").join(family.map_or(name, |family| family.folder));
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
