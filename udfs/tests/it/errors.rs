//! Wrong calls and what they are told, in the words of `errors.txt`.

use std::fmt::Write;
use std::path::Path;

use crate::support::{context, mistake, register};

/// Calls that are wrong; `%` stands for the steps of a right one.
const WRONG: &[&str] = &[
    // Options.
    "funnel(event_time, '7 days', %, moed => 'strict_order')",
    "funnel(event_time, '7 days', %, colour => 'red')",
    "funnel(event_time, '7 days', %, mode => 'strict_order', mode := 'strict_once')",
    "funnel(event_time, '7 days', %, mode => 'strict')",
    "funnel(event_time, '7 days', %, mode => 'strict_order + strict_once')",
    "funnel(event_time, '7 days', %, mode => 'allow_reentry')",
    "funnel(event_time, '7 days', %, mode => NULL)",
    "funnel(event_time, '7 days', %, mode => 3)",
    "funnel(event_time, '7 days', %, mode => event)",
    "funnel(event_time, '7 days', %, compat => 'clickhous')",
    "funnel(event_time, '7 days', %, report => 'best')",
    "funnel_times(event_time, '7 days', %, report => 'last', compat => 'clickhouse')",
    "step_mask(event = 'a', mode => 'x')",
    "funnel(event_time, '7 days', named_struct('moed', 'strict_order'), %)",
    // The window.
    "funnel(event_time, '0 days', %)",
    "funnel(event_time, INTERVAL '-1 day', %)",
    "funnel(event_time, 0, %)",
    "funnel(event_time, -5, %)",
    "funnel(event_time, NULL, %)",
    "funnel(event_time, 'NaN'::double precision, %)",
    "funnel(event_time, '1 month', %)",
    "funnel(event_time, INTERVAL '1 year 3 days', %)",
    "funnel(event_time, 'a week', %)",
    "funnel(event_time, event, %)",
    "funnel(event_time, CASE WHEN user_id > 1 THEN INTERVAL '1 day' END, %)",
    "funnel(event_time, %)",
    "funnel(event_time, '7 days', %, within => '1 day')",
    // The other arguments.
    "funnel(event, '7 days', %)",
    "funnel(user_id, '7 days', %)",
    "funnel(event_time, '7 days', event)",
    "funnel(event_time, '7 days', true, 1)",
    "funnel(event_time, '7 days')",
    "funnel(event_time)",
    "funnel(event_time, '7 days', 65)",
    "step_mask(event = 'a', 'b')",
    // Clauses.
    "funnel(DISTINCT event_time, '7 days', %)",
    "funnel(event_time, '7 days', % ORDER BY event_time)",
    "funnel(event_time, '7 days', %) OVER (PARTITION BY user_id)",
    "funnel(event_time, '7 days', %) WITHIN GROUP (ORDER BY event_time)",
    "funnel(event_time, '7 days', %) IGNORE NULLS",
    // Data.
    "funnel(arrow_cast(9223372036854775, 'Timestamp(Second, None)'), '7 days', %)",
];

#[tokio::test]
async fn wrong_calls_are_told_what_is_wrong() {
    let context = context();
    register(&context, &[(1, Some(0), Some("a"))], 1);
    let mut told = String::new();
    for wrong in WRONG {
        let call = if wrong.contains(" 65)") {
            format!("funnel(event_time, '7 days'{})", ", event = 'a'".repeat(65))
        } else {
            wrong.replace('%', "event = 'a', event = 'b'")
        };
        let error = mistake(&context, &format!("SELECT {call}\nFROM events GROUP BY user_id")).await;
        writeln!(told, "{wrong}").unwrap();
        let place = error.position.map(|place| format!(" at {}:{}", place.line, place.column)).unwrap_or_default();
        writeln!(told, "  {}{place}: {}", error.sqlstate, error.message).unwrap();
        if let Some(hint) = error.hint {
            writeln!(told, "  HINT: {hint}").unwrap();
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/errors.txt");
    if std::env::var_os("TRIBUTARY_BLESS").is_some() {
        std::fs::write(&path, &told).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == told, "errors differ from errors.txt; bless with TRIBUTARY_BLESS=1 and read the diff:\n{told}");
}
