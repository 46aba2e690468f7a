//! What is written about the funnel functions.

use std::sync::LazyLock;

use datafusion::logical_expr::Documentation;

use super::Answer;
use crate::doc::{ArgumentDoc, ErrorDoc, ExampleDoc, FunctionDoc, FunctionKind, OptionDoc};

const ARGUMENTS: &[ArgumentDoc] = &[
    ArgumentDoc {
        name: "event_time",
        sql_type: "timestamp",
        description: "When the event happened: a timestamp of any unit, with or without time zone, or a date (midnight).",
        is_variadic: false,
        is_nameable: false,
    },
    ArgumentDoc {
        name: "within",
        sql_type: "interval",
        description: "The longest time from the first step to the last, inclusive: an interval of days and below, text \
                      that reads as one (`'7 days'`), or seconds. Constant and positive. May be named instead: \
                      `within => '7 days'`.",
        is_variadic: false,
        is_nameable: true,
    },
    ArgumentDoc {
        name: "step",
        sql_type: "boolean",
        description: "The condition of each step, in the order in which they should be taken: 1 to 64.",
        is_variadic: true,
        is_nameable: false,
    },
];

const OPTIONS: &[OptionDoc] = &[
    OptionDoc {
        name: "mode",
        sql_type: "text",
        values: &["strict_order", "strict_deduplication", "strict_increase", "strict_once", "allow_reentry"],
        default: "none",
        description: "How strict to be; several are joined with `+`. strict_order: an event that is not due ends the \
                      journey. strict_deduplication: so does the repeat of a reached step. strict_increase: each step \
                      strictly later than the one before. strict_once: an event counts for one step only. \
                      allow_reentry, with strict_order: steps that are not due yet are skipped. Combine: strict_order \
                      or strict_deduplication with strict_increase, and strict_order with allow_reentry.",
    },
    OptionDoc {
        name: "compat",
        sql_type: "text",
        values: &["tributary", "clickhouse"],
        default: "'tributary'",
        description: "Whose rules decide. `'clickhouse'` gives the level of ClickHouse's windowFunnel, its known \
                      defects included.",
    },
    OptionDoc {
        name: "report",
        sql_type: "text",
        values: &["first", "last", "fastest"],
        default: "'first'",
        description: "Which of several longest chains funnel_times and funnel_durations tell about: the one with the \
                      earliest entry, the latest entry, or the shortest time from first to last step.",
    },
];

const NULLS: &str = "a NULL time drops the row; a NULL condition is false (with compat 'clickhouse' it drops the row); \
                     a NULL constant is an error.";
const TIES: &str = "events of equal time form one group whose order means nothing: a chain may pass through them in the \
                    order of the steps. The answer never depends on the order of the input.";
const ERRORS: &[ErrorDoc] = &[
    ErrorDoc { sqlstate: "22008", cause: "a time does not fit in microseconds since 1970 in 64 bits" },
    ErrorDoc {
        sqlstate: "22023",
        cause: "the window is NULL, zero, negative, of months, not constant or not readable; an option has an unknown word",
    },
    ErrorDoc { sqlstate: "0A000", cause: "modes that do not combine; DISTINCT, ORDER BY, WITHIN GROUP or OVER" },
    ErrorDoc { sqlstate: "42601", cause: "an unknown option (the nearest is suggested), or one given twice" },
    ErrorDoc { sqlstate: "42804", cause: "event_time is no time, or a step is not boolean" },
    ErrorDoc { sqlstate: "42883", cause: "fewer than three arguments" },
    ErrorDoc { sqlstate: "54023", cause: "more than 64 steps" },
];
const COST: &str = "linear in events times steps. 11 bytes a stored event up to 8 steps, 18 up to 64; rows that meet no \
                    step are not stored, except with strict_order.";
const MERGE: &str = "the state of a user is the list of its stored events in any order; two states are merged by \
                     appending one to the other.";
const SOURCES: &[&str] = &[
    "ClickHouse windowFunnel (documentation, and its issues 37177 and 93789)",
    "the ordered funnels of Amplitude, Mixpanel and PostHog",
];

/// `funnel`.
pub(crate) const LEVEL: FunctionDoc = FunctionDoc {
    name: "funnel",
    kind: FunctionKind::Aggregate,
    summary: "How many steps of a sequence a user took, in order, within a time after the first.",
    description: "Group by the user. The answer is the length of the longest chain of events that takes the steps in \
                  order, starts with the first step, and ends at most `within` after it. Other events may lie between.",
    syntax: "funnel(event_time, within, step1 [, step2 ...] [, mode => text] [, compat => text] [, report => text])",
    arguments: ARGUMENTS,
    options: OPTIONS,
    returns: "integer",
    answer: "the number of the furthest step reached, from 0 (no first step) to the number of steps; never NULL.",
    nulls: NULLS,
    ties: TIES,
    errors: ERRORS,
    cost: COST,
    merge: MERGE,
    examples: &[
        ExampleDoc {
            question: "How far did each visitor get within a week of the first look?",
            sql: "SELECT user_id, FUNNEL(event_time, '7 days', event = 'view', event = 'cart', event = 'purchase') AS level\n\
                  FROM (VALUES ('Ana', timestamp '2026-03-01 09:00:00', 'view'),\n             \
                  ('Ana', timestamp '2026-03-02 10:00:00', 'cart'),\n             \
                  ('Ana', timestamp '2026-03-08 09:00:00', 'purchase'),\n             \
                  ('Bo', timestamp '2026-03-01 09:00:00', 'view'),\n             \
                  ('Bo', timestamp '2026-03-08 09:00:01', 'cart'),\n             \
                  ('Cy', timestamp '2026-03-01 09:00:00', 'cart')) AS events(user_id, event_time, event)\n\
                  GROUP BY user_id\n\
                  ORDER BY user_id",
            answer: &["Ana | 3", "Bo | 1", "Cy | 0"],
        },
        ExampleDoc {
            question: "And when nothing else may happen on the way?",
            sql: "SELECT FUNNEL(event_time, event = 'view', event = 'purchase', within => '1 day', mode => 'strict_order') AS level\n\
                  FROM (VALUES (timestamp '2026-03-01 09:00:00', 'view'),\n             \
                  (timestamp '2026-03-01 09:05:00', 'call'),\n             \
                  (timestamp '2026-03-01 09:10:00', 'purchase')) AS events(event_time, event)",
            answer: &["1"],
        },
    ],
    sources: SOURCES,
};

/// `funnel_times`.
pub(crate) const TIMES: FunctionDoc = FunctionDoc {
    name: "funnel_times",
    summary: "When a user took each step of a sequence, within a time after the first.",
    description: "The chain that funnel counts, as the times of its steps. Of several longest chains `report` chooses \
                  one; within it every step is taken as early as possible.",
    syntax: "funnel_times(event_time, within, step1 [, step2 ...] [, mode => text] [, compat => text] [, report => text])",
    returns: "timestamp[]",
    answer: "one time per step reached, in microseconds with the time zone of event_time; an empty list if none.",
    examples: &[ExampleDoc {
        question: "When did the visitor look and buy?",
        sql: "SELECT FUNNEL_TIMES(event_time, '7 days', event = 'view', event = 'purchase') AS times\n\
              FROM (VALUES (timestamp '2026-03-01 09:00:00', 'view'),\n             \
              (timestamp '2026-03-02 10:30:00', 'purchase')) AS events(event_time, event)",
        answer: &["[2026-03-01T09:00:00, 2026-03-02T10:30:00]"],
    }],
    ..LEVEL
};

/// `funnel_durations`.
pub(crate) const DURATIONS: FunctionDoc = FunctionDoc {
    name: "funnel_durations",
    summary: "How long a user took from each step of a sequence to the next.",
    description: "The chain that funnel_times reports, as the time from each step to the next. The median time to a \
                  step over all users is the median of one element.",
    syntax: "funnel_durations(event_time, within, step1 [, step2 ...] [, mode => text] [, compat => text] [, report => text])",
    returns: "interval[]",
    answer: "one interval (days of 24 hours, and the rest) per step after the first; an empty list below two steps.",
    examples: &[ExampleDoc {
        question: "How many seconds from look to purchase?",
        sql: "SELECT extract(epoch FROM took[1]) AS seconds\n\
              FROM (SELECT FUNNEL_DURATIONS(event_time, '7 days', event = 'view', event = 'purchase') AS took\n      \
              FROM (VALUES (timestamp '2026-03-01 09:00:00', 'view'),\n                   \
              (timestamp '2026-03-02 10:30:00', 'purchase')) AS events(event_time, event)) AS durations",
        answer: &["91800.0"],
    }],
    ..LEVEL
};

impl Answer {
    /// The documentation in the form of DataFusion's catalogue.
    pub(super) fn documentation(self) -> &'static Documentation {
        static LEVEL_DOC: LazyLock<Documentation> = LazyLock::new(|| LEVEL.documentation());
        static TIMES_DOC: LazyLock<Documentation> = LazyLock::new(|| TIMES.documentation());
        static DURATIONS_DOC: LazyLock<Documentation> = LazyLock::new(|| DURATIONS.documentation());
        match self {
            Self::Level => &LEVEL_DOC,
            Self::Times => &TIMES_DOC,
            Self::Durations => &DURATIONS_DOC,
        }
    }
}
