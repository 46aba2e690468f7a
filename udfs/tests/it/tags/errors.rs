//! Wrong calls and what they are told, and expressions that nobody should write.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{context, mistake, rows};

/// Calls that are wrong.
const WRONG: &[&str] = &[
    "tag_match(ARRAY['a'], '')",
    "tag_match(ARRAY['a'], 'a &')",
    "tag_match(ARRAY['a'], 'a b')",
    "tag_match(ARRAY['a'], 'a OR OR b')",
    "tag_match(ARRAY['a'], '(a | b')",
    "tag_match(ARRAY['a'], 'a)')",
    "tag_match(ARRAY['a'], '\"a')",
    "tag_match(ARRAY['a'], '高价值 且 （红茶 或')",
    "tag_match(ARRAY['a'], 'score >= thirty')",
    "tag_match(ARRAY['a'], 'at_least(4, a, b)')",
    "tag_match(ARRAY['a'], NULL)",
    "tag_match(ARRAY['a'], 7)",
    "tag_match(ARRAY['a'], 'a', ci => NULL)",
    "tag_match(ARRAY['a'], 'a', ci => 'yes')",
    "tag_match(ARRAY['a'], 'a', ci => user_id > 1)",
    "tag_match(ARRAY['a'], 'a', cl => true)",
    "tag_match(ARRAY['a'], 'a', ci => true, ci => false)",
    "tag_match(ARRAY['a'], 'a', true)",
    "tag_match(ARRAY['a'], 'a', 'b')",
    "tag_match(ARRAY['a'], 'a', named_struct('case', 'no'))",
    "tag_match(ARRAY['a'])",
    "tag_match()",
    "tag_match(1, 'a')",
    "tag_match(ARRAY[1, 2], 'a')",
    "tag_match(ARRAY[ARRAY['a']], 'a')",
    "tag_match(arrow_cast('a', 'Binary'), 'a')",
    "tag_match(make_map(1, 'a'), 'a')",
    "tag_match(make_map('a', ARRAY[1]), 'a')",
    "tag_match('a', ARRAY['a'])",
];

#[tokio::test]
async fn wrong_calls_are_told_what_is_wrong() {
    let context = context();
    let mut told = String::new();
    for wrong in WRONG {
        let error = mistake(&context, &format!("SELECT {wrong} FROM (VALUES (1)) AS t(user_id)")).await;
        let place = error.position.map(|place| format!(" at {}:{}", place.line, place.column)).unwrap_or_default();
        writeln!(told, "{wrong}\n  {}{place}: {}", error.sqlstate, error.message).unwrap();
        if let Some(hint) = error.hint {
            writeln!(told, "  HINT: {hint}").unwrap();
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tags/errors.txt");
    if std::env::var_os("TRIBUTARY_BLESS").is_some() {
        std::fs::write(&path, &told).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == told, "errors differ from errors.txt; bless with TRIBUTARY_BLESS=1 and read the diff:\n{told}");
}
#[tokio::test]
async fn a_wrong_expression_in_a_column_is_told_with_its_text() {
    let context = context();
    let sql = "SELECT TAG_MATCH(ARRAY['a'], e) FROM (VALUES ('a'), ('b ('), ('c')) AS t(e)";
    let error = mistake(&context, sql).await;
    assert_eq!(error.sqlstate, "22023");
    assert_eq!(
        error.message,
        "tag_match: argument 'expression', at character 3: an operator is missing before this, in 'b ('"
    );
}

#[tokio::test]
async fn monstrous_expressions_get_an_answer_or_an_error_quickly() {
    let context = context();
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    let megabyte = "tag_of_ten | ".repeat((1 << 20) / 13);
    let cases = [
        (nested(20_000), Some("more than 500 parentheses are open")),
        (nested(500), None),
        ("(".repeat(20_000), Some("more than 500 parentheses are open")),
        (format!("{megabyte}a"), None),
        (format!("{megabyte}{megabyte}a"), Some("bytes, at most 1048576 are allowed")),
        ("!".repeat(1 << 19) + "a", None),
        ("a".repeat(1 << 20), None),
        ((0..5000).map(|n| format!("t{n}")).collect::<Vec<_>>().join("|"), Some("4096")),
    ];
    for (expression, wrong) in cases {
        let start = Instant::now();
        let sql = format!("SELECT TAG_MATCH(ARRAY['a'], '{expression}')");
        match wrong {
            None => assert_eq!(rows(&context, &sql).await.len(), 1),
            Some(wrong) => {
                let told = mistake(&context, &sql).await;
                assert!(told.sqlstate == "22023" && told.message.contains(wrong), "{}", told.message);
                assert!(told.message.len() < 1000, "a message for people: {}", told.message);
            }
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{} bytes took {:?}", expression.len(), start.elapsed());
    }
}
