//! What is written about the session functions.

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
        name: "gap",
        sql_type: "interval",
        description: "The longest time between two events of a session, inclusive: an interval of days and below, text \
                      that reads as one (`'30 minutes'`), or seconds. Constant and positive. May be named instead: \
                      `gap => '30 minutes'`.",
        is_variadic: false,
        is_nameable: true,
    },
];

const MAX_DURATION: OptionDoc = OptionDoc {
    name: "max_duration",
    sql_type: "interval",
    values: &[],
    default: "none",
    description: "The longest time from a session's first event to its last, inclusive; as gap otherwise.",
};
const MAX_EVENTS: OptionDoc = OptionDoc {
    name: "max_events",
    sql_type: "bigint",
    values: &[],
    default: "none",
    description: "How many events a session holds before the next event starts another: a constant of at least 1.",
};
const NEW_WHEN: OptionDoc = OptionDoc {
    name: "new_when",
    sql_type: "boolean",
    values: &[],
    default: "none",
    description: "A condition: an event for which it is true starts a session.",
};
const END_WHEN: OptionDoc = OptionDoc {
    name: "end_when",
    sql_type: "boolean",
    values: &[],
    default: "none",
    description: "A condition: an event for which it is true is the last of its session.",
};
const CHANGE_OF: OptionDoc = OptionDoc {
    name: "change_of",
    sql_type: "any",
    values: &[],
    default: "none",
    description: "A value of any type that has an order: an event starts a session when its value differs from the \
                  user's last one. NULL is no value.",
};
const DAY_BOUNDARY_TZ: OptionDoc = OptionDoc {
    name: "day_boundary_tz",
    sql_type: "text",
    values: &[],
    default: "none",
    description: "A time zone, such as `'Europe/Berlin'`: the first event of a local day starts a session. Times without \
                  a zone are read as UTC. Constant.",
};
const TIE: OptionDoc = OptionDoc {
    name: "tie",
    sql_type: "any",
    values: &[],
    default: "none",
    description: "A value of any type that has an order: puts events of equal time in order, NULL last.",
};
const USER_KEY: OptionDoc = OptionDoc {
    name: "user_key",
    sql_type: "any",
    values: &[],
    default: "none",
    description: "Whose session it is, as in PARTITION BY: what session_key is made of, beside the start. Read as text, so \
                  that 42 and '42' give one key. Without it session_key is NULL.",
};

const NULLS: &str = "an event whose time is NULL takes part in nothing, and its answer is NULL; a NULL condition is \
                     false; a NULL in change_of is no change and not remembered; a NULL constant is an error.";
const TIES: &str = "events of equal time are ordered by tie, then new_when and end_when (false first), then change_of \
                    (smaller first, NULL last); events equal in all of these are in one session. The answer never \
                    depends on the order of the input, nor on ORDER BY.";
const ERRORS: &[ErrorDoc] = &[
    ErrorDoc { sqlstate: "22008", cause: "a time does not fit in microseconds since 1970 in 64 bits" },
    ErrorDoc {
        sqlstate: "22023",
        cause: "gap or max_duration is NULL, zero, negative, of months, not constant or not readable; max_events is not a \
                whole number of at least 1; day_boundary_tz is no time zone",
    },
    ErrorDoc { sqlstate: "0A000", cause: "DISTINCT, FILTER, IGNORE NULLS, or a frame inside OVER" },
    ErrorDoc { sqlstate: "42601", cause: "an unknown option (the nearest is suggested), or one given twice" },
    ErrorDoc {
        sqlstate: "42804",
        cause: "event_time is no time, a condition not boolean, change_of or tie without order",
    },
    ErrorDoc { sqlstate: "42809", cause: "no OVER" },
    ErrorDoc { sqlstate: "42883", cause: "no gap, or more than a time and a gap without a name" },
];
const COST: &str = "one pass over a user's events, after a sort if they do not come in the order of time. The whole \
                    partition is held in memory: for counts and durations use sessions, which takes 10 bytes an event.";
const SOURCES: &[&str] = &[
    "the sessions of Google Analytics, Snowplow and Adobe (documentation)",
    "sessionize of DuckDB's extensions and Teradata's Sessionize (documentation)",
];

/// `sessionize`.
pub(crate) const SESSIONIZE: FunctionDoc = FunctionDoc {
    name: "sessionize",
    kind: FunctionKind::Window,
    summary: "The number of the session that each of a user's events belongs to.",
    description: "Partition by the user. Sessions are numbered from 1 in order of time; an event starts the next one when \
                  it comes more than the gap after the event before it, or when one of the options says so.",
    syntax: "sessionize(event_time, gap [, max_duration => interval] [, max_events => bigint] [, new_when => boolean] \
             [, end_when => boolean] [, change_of => any] [, day_boundary_tz => text] [, tie => any]) \
             OVER (PARTITION BY user_id ORDER BY event_time)",
    arguments: ARGUMENTS,
    options: &[MAX_DURATION, MAX_EVENTS, NEW_WHEN, END_WHEN, CHANGE_OF, DAY_BOUNDARY_TZ, TIE],
    returns: "bigint",
    answer: "the number of the event's session, from 1; NULL where the time is NULL.",
    nulls: NULLS,
    ties: TIES,
    errors: ERRORS,
    cost: COST,
    merge: "none: a window function sees all rows of its partition.",
    examples: &[
        ExampleDoc {
            question: "Which visit does each event belong to?",
            sql: "SELECT event_time::time AS at, SESSIONIZE(event_time, '30 minutes') OVER (ORDER BY event_time) AS session_no\n\
                  FROM (VALUES (timestamp '2026-03-01 10:00:00'), (timestamp '2026-03-01 10:15:00'),\n             \
                  (timestamp '2026-03-01 10:25:00'), (timestamp '2026-03-01 11:30:00'),\n             \
                  (timestamp '2026-03-01 11:45:00'), (timestamp '2026-03-01 13:00:00')) AS events(event_time)\n\
                  ORDER BY event_time",
            answer: &["10:00:00 | 1", "10:15:00 | 1", "10:25:00 | 1", "11:30:00 | 2", "11:45:00 | 2", "13:00:00 | 3"],
        },
        ExampleDoc {
            question: "And when a new campaign is a new visit?",
            sql: "SELECT event_time::time AS at,\n       \
                  SESSIONIZE(event_time, '30 minutes', change_of => campaign) OVER (ORDER BY event_time) AS session_no\n\
                  FROM (VALUES (timestamp '2026-03-01 10:00:00', 'spring'), (timestamp '2026-03-01 10:05:00', NULL),\n             \
                  (timestamp '2026-03-01 10:10:00', 'summer')) AS events(event_time, campaign)\n\
                  ORDER BY event_time",
            answer: &["10:00:00 | 1", "10:05:00 | 1", "10:10:00 | 2"],
        },
    ],
    sources: SOURCES,
};

/// `sessionize_info`.
pub(crate) const SESSIONIZE_INFO: FunctionDoc = FunctionDoc {
    name: "sessionize_info",
    summary: "The session that each of a user's events belongs to: number, key, place, cause and start.",
    description: "The sessions of sessionize, with the event's place in its session, why the session started (first, \
                  timeout, max_duration, max_events, condition, end_condition, change, day: the first of these that \
                  holds), the time since the user's event before, the start, and a key that is the same in every run \
                  over the same user and start.",
    syntax: "sessionize_info(event_time, gap [, max_duration => interval] [, max_events => bigint] [, new_when => boolean] \
             [, end_when => boolean] [, change_of => any] [, day_boundary_tz => text] [, tie => any] [, user_key => any]) \
             OVER (PARTITION BY user_id ORDER BY event_time)",
    options: &[MAX_DURATION, MAX_EVENTS, NEW_WHEN, END_WHEN, CHANGE_OF, DAY_BOUNDARY_TZ, TIE, USER_KEY],
    returns: "record",
    answer: "session_no bigint; session_key text (16 hexadecimal digits, NULL without user_key); event_no bigint, from 1; \
             is_start boolean; cause text, NULL but at the start; gap interval since the event before, NULL on the user's \
             first; started_at, in microseconds with the time zone of event_time. NULL where the time is NULL.",
    examples: &[ExampleDoc {
        question: "Why did each visit start?",
        sql: "SELECT user_id, info['session_no'] AS session_no, info['cause'] AS cause, info['session_key'] AS session_key\n\
              FROM (SELECT user_id, event_time, sessionize_info(event_time, '30 minutes', max_events => 2, user_key => user_id)\n             \
              OVER (PARTITION BY user_id ORDER BY event_time) AS info\n      \
              FROM (VALUES ('Ana', timestamp '2026-03-01 10:00:00'), ('Ana', timestamp '2026-03-01 10:05:00'),\n                   \
              ('Ana', timestamp '2026-03-01 10:10:00'), ('Ana', timestamp '2026-03-01 12:00:00')) AS e(user_id, event_time)) AS events\n\
              WHERE info['is_start']\n\
              ORDER BY event_time",
        answer: &[
            "Ana | 1 | first | 63d25ff39572d326",
            "Ana | 2 | max_events | 1cb944d2189f9289",
            "Ana | 3 | timeout | f19e38225c4c874c",
        ],
    }],
    ..SESSIONIZE
};

/// `sessions`.
pub(crate) const SESSIONS: FunctionDoc = FunctionDoc {
    name: "sessions",
    kind: FunctionKind::Aggregate,
    summary: "A user's sessions, each with its start, end, number of events and cause.",
    description: "Group by the user. The sessions are those of sessionize, as a list in order of time; unnest gives a row \
                  for each. The fast way to every question about visits: events are neither sorted nor kept.",
    syntax: "sessions(event_time, gap [, max_duration => interval] [, max_events => bigint] [, new_when => boolean] \
             [, end_when => boolean] [, change_of => any] [, day_boundary_tz => text] [, tie => any])",
    returns: "record[]",
    answer: "one record a session: session_no bigint, from 1; started_at and ended_at, in microseconds with the time zone \
             of event_time; event_count bigint; cause text, as in sessionize_info. An empty list without events; never NULL.",
    nulls: "an event whose time is NULL takes part in nothing; a NULL condition is false; a NULL in change_of is no change \
            and not remembered; a NULL constant is an error.",
    errors: &[
        ERRORS[0],
        ERRORS[1],
        ErrorDoc { sqlstate: "0A000", cause: "DISTINCT, ORDER BY, WITHIN GROUP, IGNORE NULLS or OVER" },
        ERRORS[3],
        ERRORS[4],
        ERRORS[6],
        ErrorDoc {
            sqlstate: "54000",
            cause: "more than 2^31 - 1 sessions, or values of change_of or tie, in one partition",
        },
    ],
    cost: "linear in events, and a sort of those users whose events do not come in the order of time. 10 bytes a stored \
           event; 11 with conditions, 18 with change_of or tie, whose different values are stored once.",
    merge: "the state of a user is the list of its events in any order; two states are merged by appending one to the \
            other.",
    examples: &[ExampleDoc {
        question: "How many visits has each user, of how many events, and how many seconds is the longest?",
        sql: "SELECT user_id, count(*) AS sessions, sum(s.event_count) AS events, max(extract(epoch FROM s.ended_at) - extract(epoch FROM s.started_at)) AS longest\n\
              FROM (SELECT user_id, unnest(sessions(event_time, '30 minutes')) AS s\n      \
              FROM (VALUES ('Ana', timestamp '2026-03-01 10:00:00'), ('Ana', timestamp '2026-03-01 10:20:00'),\n                   \
              ('Ana', timestamp '2026-03-01 12:00:00'), ('Bo', timestamp '2026-03-01 09:00:00')) AS events(user_id, event_time)\n      \
              GROUP BY user_id) AS visits\n\
              GROUP BY user_id\n\
              ORDER BY user_id",
        answer: &["Ana | 2 | 3 | 1200.0", "Bo | 1 | 1 | 0.0"],
    }],
    ..SESSIONIZE
};

const COUNTER_ERRORS: &[ErrorDoc] = &[
    ErrorDoc { sqlstate: "0A000", cause: "DISTINCT, FILTER, IGNORE NULLS, or a frame inside OVER" },
    ErrorDoc { sqlstate: "42601", cause: "an unknown option, or one given twice" },
    ErrorDoc { sqlstate: "42804", cause: "a condition that is not boolean, a value or tie without order" },
    ErrorDoc { sqlstate: "42809", cause: "no OVER" },
    ErrorDoc { sqlstate: "42883", cause: "not exactly one argument" },
    ErrorDoc { sqlstate: "42P20", cause: "no ORDER BY inside OVER" },
];
const COUNTER_OPTIONS: &[OptionDoc] = &[OptionDoc {
    description: "A value of any type that has an order: puts rows that ORDER BY leaves equal in order, NULL last.",
    ..TIE
}];

/// `conditional_true_event`.
pub(crate) const TRUE_EVENT: FunctionDoc = FunctionDoc {
    name: "conditional_true_event",
    kind: FunctionKind::Window,
    summary: "How many rows up to this one satisfy a condition.",
    description: "A running count, from 0: it goes up by one at every row for which the condition is true, and so numbers \
                  the stretches between them.",
    syntax: "conditional_true_event(condition [, tie => any]) OVER (PARTITION BY user_id ORDER BY event_time)",
    arguments: &[ArgumentDoc {
        name: "condition",
        sql_type: "boolean",
        description: "What is counted.",
        is_variadic: false,
        is_nameable: false,
    }],
    options: COUNTER_OPTIONS,
    returns: "bigint",
    answer: "the number of true rows up to and including this one; never NULL.",
    nulls: "a NULL condition is false.",
    ties: "rows that are equal in OVER's ORDER BY are ordered by tie, NULL last, then false before true; rows equal in \
           both get the count after all of them.",
    errors: COUNTER_ERRORS,
    cost: "one pass over the partition.",
    merge: "none: a window function sees all rows of its partition.",
    examples: &[ExampleDoc {
        question: "How often had the visitor logged in by then?",
        sql: "SELECT minute, conditional_true_event(event = 'login') OVER (ORDER BY minute) AS logins\n\
              FROM (VALUES (1, 'view'), (2, 'login'), (3, 'view'), (4, 'login')) AS events(minute, event)\n\
              ORDER BY minute",
        answer: &["1 | 0", "2 | 1", "3 | 1", "4 | 2"],
    }],
    sources: &["CONDITIONAL_TRUE_EVENT of Snowflake and Vertica (documentation)"],
};

/// `conditional_change_event`.
pub(crate) const CHANGE_EVENT: FunctionDoc = FunctionDoc {
    name: "conditional_change_event",
    summary: "How often a value changed up to this row.",
    description: "A running count, from 0: it goes up by one at every row whose value differs from the last value before \
                  it, and so numbers the stretches of equal values.",
    syntax: "conditional_change_event(value [, tie => any]) OVER (PARTITION BY user_id ORDER BY event_time)",
    arguments: &[ArgumentDoc {
        name: "value",
        sql_type: "any",
        description: "What is watched: a value of any type that has an order.",
        is_variadic: false,
        is_nameable: false,
    }],
    answer: "the number of changes up to and including this row, 0 until the second value; never NULL.",
    nulls: "a NULL is no value: it is no change and is not remembered.",
    ties: "rows that are equal in OVER's ORDER BY are ordered by tie, NULL last, then the smaller value first, NULL last; \
           rows equal in both are one change at most.",
    examples: &[ExampleDoc {
        question: "How often had the visitor changed the channel by then?",
        sql: "SELECT minute, conditional_change_event(channel) OVER (ORDER BY minute) AS changes\n\
              FROM (VALUES (1, 'search'), (2, NULL), (3, 'search'), (4, 'email')) AS events(minute, channel)\n\
              ORDER BY minute",
        answer: &["1 | 0", "2 | 0", "3 | 0", "4 | 1"],
    }],
    sources: &["CONDITIONAL_CHANGE_EVENT of Snowflake and Vertica (documentation)"],
    ..TRUE_EVENT
};
