//! Wrong calls and what they are told.

use super::events;
use crate::support::{context, mistake};

/// Calls that are wrong, and what they are told.
const WRONG: &[(&str, &str)] = &[
    ("sessions(t)", "42883: sessions takes an event time and a gap, and the rest by name, got timestamp"),
    (
        "sessions(t, max_events => 5)",
        "42883: sessions takes an event time and a gap, and the rest by name, got timestamp",
    ),
    (
        "sessions(t, '1 hour', 5)",
        "42883: sessions takes an event time and a gap, and the rest by name, got timestamp, text, bigint",
    ),
    ("sessions(v, '1 hour')", "42804: sessions: argument 'event_time' must be a timestamp or a date, got text"),
    ("sessions(t, true)", "42804: sessions: argument 'gap' must be an interval, text or seconds, got boolean"),
    ("sessions(t, '0 minutes')", "22023: sessions: argument 'gap' must be a positive interval, got '0 minutes'"),
    (
        "sessions(t, INTERVAL '-5 minutes')",
        "22023: sessions: argument 'gap' must be a positive interval, got '-00:05:00'",
    ),
    ("sessions(t, NULL)", "22023: sessions: argument 'gap' must be a positive interval, got NULL"),
    ("sessions(t, '1 month')", "22023: sessions: argument 'gap' must be an interval of days and below, got '1 month'"),
    ("sessions(t, 'soon')", "22023: sessions: argument 'gap' does not read as an interval: 'soon'"),
    ("sessions(t, v)", "22023: sessions: argument 'gap' must be a constant, got events.v"),
    ("sessions(t, gap => '1 hour', gap => '2 hours')", "42601: sessions: argument 'gap' is given twice"),
    (
        "sessions(t, '1 hour', max_duration => 0)",
        "22023: sessions: argument 'max_duration' must be a positive interval, got 0",
    ),
    (
        "sessions(t, '1 hour', max_duration => true)",
        "42804: sessions: argument 'max_duration' must be an interval, text or seconds, got boolean",
    ),
    (
        "sessions(t, '1 hour', max_events => 0)",
        "22023: sessions: argument 'max_events' must be a whole number of at least 1, got 0",
    ),
    (
        "sessions(t, '1 hour', max_events => 1.5)",
        "22023: sessions: argument 'max_events' must be a whole number of at least 1, got 1.5",
    ),
    (
        "sessions(t, '1 hour', max_events => NULL)",
        "22023: sessions: argument 'max_events' must be a whole number of at least 1, got NULL",
    ),
    (
        "sessions(t, '1 hour', max_events => length(v))",
        "22023: sessions: argument 'max_events' must be a constant, got character_length(events.v)",
    ),
    ("sessions(t, '1 hour', new_when => v)", "42804: sessions: argument 'new_when' must be boolean, got text"),
    ("sessions(t, '1 hour', end_when => 1)", "42804: sessions: argument 'end_when' must be boolean, got bigint"),
    (
        "sessions(t, '1 hour', change_of => map(ARRAY['a'], ARRAY[1]))",
        "42804: sessions: argument 'change_of' must be of a type that has an order, got ",
    ),
    (
        "sessions(t, '1 hour', day_boundary_tz => 'Europe/Atlantis')",
        "22023: sessions: argument 'day_boundary_tz' is no time zone: 'Europe/Atlantis'",
    ),
    (
        "sessions(t, '1 hour', day_boundary_tz => 8)",
        "22023: sessions: argument 'day_boundary_tz' must be text, got 8 of type bigint",
    ),
    (
        "sessions(t, '1 hour', max_event => 5)",
        "42601: sessions: unknown argument 'max_event'; it takes gap, max_duration, max_events, new_when, end_when, change_of, day_boundary_tz, tie",
    ),
    (
        "sessions(t, '1 hour', user_key => v)",
        "42601: sessions: unknown argument 'user_key'; it takes gap, max_duration, max_events, new_when, end_when, change_of, day_boundary_tz, tie",
    ),
    (
        "sessions(t, '1 hour', named_struct('max_event', 5))",
        "42601: sessions: unknown argument 'max_event'; it takes gap, max_duration, max_events, new_when, end_when, change_of, day_boundary_tz, tie",
    ),
    ("sessions(t, '1 hour') OVER (PARTITION BY v)", "0A000: sessions takes no OVER: it is an aggregate"),
    ("sessions(DISTINCT t, '1 hour')", "0A000: sessions takes no DISTINCT"),
    ("sessions(t, '1 hour' ORDER BY t)", "0A000: sessions takes no ORDER BY"),
    ("sessionize(t, '1 hour')", "42809: sessionize is a window function: it needs OVER"),
    ("sessionize_info(t, '1 hour')", "42809: sessionize_info is a window function: it needs OVER"),
    ("sessionize(t) OVER ()", "42883: sessionize takes an event time and a gap, and the rest by name, got timestamp"),
    (
        "sessionize(v, '1 hour') OVER ()",
        "42804: sessionize: argument 'event_time' must be a timestamp or a date, got text",
    ),
    (
        "sessionize(t, '-1 hour') OVER ()",
        "22023: sessionize: argument 'gap' must be a positive interval, got '-1 hour'",
    ),
    (
        "sessionize(t, '1 hour') OVER (ORDER BY t ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
        "0A000: sessionize takes no frame, such as ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
    ),
    ("sessionize(t, '1 hour') FILTER (WHERE v = 'a') OVER ()", "0A000: sessionize takes no FILTER"),
    ("sessionize(DISTINCT t, '1 hour') OVER ()", "0A000: sessionize takes no DISTINCT"),
    (
        "sessionize(t, '1 hour', session_timeout => 5) OVER ()",
        "42601: sessionize: unknown argument 'session_timeout'; it takes gap, max_duration, max_events, new_when, end_when, change_of, day_boundary_tz, tie",
    ),
    (
        "conditional_true_event(v) OVER (ORDER BY t)",
        "42804: conditional_true_event: argument 'condition' must be boolean, got text",
    ),
    (
        "conditional_true_event(v = 'a') OVER (PARTITION BY v)",
        "42P20: conditional_true_event counts in an order: OVER needs ORDER BY",
    ),
    ("conditional_true_event(v = 'a')", "42809: conditional_true_event is a window function: it needs OVER"),
    (
        "conditional_true_event(true, false) OVER (ORDER BY t)",
        "42883: conditional_true_event takes one argument, 'condition', got 2",
    ),
    (
        "conditional_change_event() OVER (ORDER BY t)",
        "42883: conditional_change_event takes one argument, 'value', got 0",
    ),
    (
        "conditional_change_event(v, ties => 1) OVER (ORDER BY t)",
        "42601: conditional_change_event: unknown argument 'ties'; it takes tie",
    ),
    (
        "sessions(arrow_cast(9223372036854775, 'Timestamp(Second, None)'), '1 hour')",
        "22008: event_time out of range: 9223372036854775 in Timestamp(s) does not fit in microseconds",
    ),
    (
        "sessionize(arrow_cast(9223372036854775, 'Timestamp(Second, None)'), '1 hour') OVER ()",
        "22008: event_time out of range: 9223372036854775 in Timestamp(s) does not fit in microseconds",
    ),
];

#[tokio::test]
async fn wrong_calls_are_told_what_is_wrong() {
    let context = context();
    for (call, told) in WRONG {
        let error = mistake(&context, &format!("SELECT {call} FROM {}", events("10:00 a"))).await;
        let message = format!("{}: {}", error.sqlstate, error.message);
        assert!(message.starts_with(told), "{call}\n  is told {message}\n  not     {told}");
    }
    let zone =
        mistake(&context, &format!("SELECT sessions(t, 1, day_boundary_tz => 'x') FROM {}", events("10:00"))).await;
    assert!(zone.hint.is_some_and(|hint| hint.contains("'Asia/Shanghai'")));
    let option = mistake(&context, &format!("SELECT sessions(t, 1, max_event => 1) FROM {}", events("10:00"))).await;
    assert_eq!(option.hint.as_deref(), Some("Perhaps you meant max_events => ..."));
    assert_eq!(option.position.map(|place| (place.line, place.column)), Some((1, 23)));
}
