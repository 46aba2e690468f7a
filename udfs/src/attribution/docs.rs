//! What is written about the attribution functions.

use std::sync::LazyLock;

use datafusion::logical_expr::Documentation;

use super::Answer;
use crate::doc::{ArgumentDoc, ErrorDoc, ExampleDoc, FunctionDoc, FunctionKind, OptionDoc};

const MODELS: ArgumentDoc = ArgumentDoc {
    name: "models",
    sql_type: "text",
    description: "How credit is divided, constant; several are separated by commas (one with OVER). `first`, `last`, \
                  `last_non(direct)`, `linear`, `position(0.4, 0.4)` or `position(0.4, 0.2, 0.4)`, \
                  `time_decay(7 days)`, `weights(0.5, 0.3, 0.2)`, `participation`, `linear_position`, `geometric(0.5)`, \
                  `milestones(0.3, 0.3, 0.3)`.",
    is_variadic: false,
    is_nameable: false,
};
const TIME: ArgumentDoc = ArgumentDoc {
    name: "event_time",
    sql_type: "timestamp",
    description: "When the event happened: a timestamp of any unit, with or without time zone, or a date (midnight).",
    is_variadic: false,
    is_nameable: false,
};
const CHANNEL: ArgumentDoc = ArgumentDoc {
    name: "channel",
    sql_type: "text",
    description: "What earns credit: text of any encoding. A row without one is no touch.",
    is_variadic: false,
    is_nameable: false,
};
const CONVERSION: ArgumentDoc = ArgumentDoc {
    name: "conversion",
    sql_type: "boolean",
    description: "The condition under which a row is a conversion. May be named: `conversion => event = 'purchase'`.",
    is_variadic: false,
    is_nameable: true,
};
const VALUE: ArgumentDoc = ArgumentDoc {
    name: "value",
    sql_type: "numeric",
    description: "What a conversion is worth: an integer, a decimal or a float; negative for refunds. May be left out, or \
                  named: `value => revenue`.",
    is_variadic: false,
    is_nameable: true,
};
const ARGUMENTS: &[ArgumentDoc] = &[MODELS, TIME, CHANNEL, CONVERSION, VALUE];

const TOUCH: OptionDoc = OptionDoc {
    name: "touch",
    sql_type: "boolean",
    values: &[],
    default: "every row with a channel",
    description: "The condition under which a row with a channel is a touch.",
};
const INCLUDE_SELF: OptionDoc = OptionDoc {
    name: "include_self",
    sql_type: "boolean",
    values: &[],
    default: "false",
    description: "Whether a conversion's own row may be a touch for it. Collectors put a channel on every row, the \
                  order's too.",
};
const LOOKBACK: OptionDoc = OptionDoc {
    name: "lookback",
    sql_type: "interval",
    values: &[],
    default: "no limit",
    description: "How long before a conversion a touch may be, inclusive: an interval of days and below, text that reads \
                  as one, or seconds.",
};
const LOOKBACK_TOUCHES: OptionDoc = OptionDoc {
    name: "lookback_touches",
    sql_type: "bigint",
    values: &[],
    default: "no limit",
    description: "How many touches a conversion sees, the last ones; with `lookback` both hold.",
};
const CONSUME: OptionDoc = OptionDoc {
    name: "consume",
    sql_type: "text",
    values: &["none", "since_last"],
    default: "'none'",
    description: "With `'since_last'` a conversion sees only what happened after the one before it.",
};
const PER_CHANNEL_ONCE: OptionDoc = OptionDoc {
    name: "per_channel_once",
    sql_type: "boolean",
    values: &[],
    default: "false",
    description: "Whether a conversion sees of each channel the last touch alone.",
};
const MILESTONES: OptionDoc = OptionDoc {
    name: "milestones",
    sql_type: "record",
    values: &[],
    default: "none",
    description: "The conditions of the model `milestones`: one, or up to 30 in parentheses, such as \
                  `(event = 'lead', event = 'opportunity')`.",
};
const TIE: OptionDoc = OptionDoc {
    name: "tie",
    sql_type: "any",
    values: &[],
    default: "none",
    description: "What orders rows of one time, before their channels do: a column of any type that has an order.",
};
const OPTIONS: &[OptionDoc] =
    &[TOUCH, INCLUDE_SELF, LOOKBACK, LOOKBACK_TOUCHES, CONSUME, PER_CHANNEL_ONCE, MILESTONES, TIE];

const NULLS: &str = "a NULL time drops the row (with OVER its answer is NULL); a NULL condition is false; a NULL channel \
                     is no touch; a NULL value is 0, and the conversion counts; a NULL constant is an error.";
const TIES: &str = "rows of equal time are ordered by `tie`, channel, conversion after none, value, touch after none. \
                    Touches at the conversion's time count. The answer never depends on the order of the input.";
const ERRORS: &[ErrorDoc] = &[
    ErrorDoc { sqlstate: "22003", cause: "the values of a user's conversions have more than 32 digits together" },
    ErrorDoc { sqlstate: "22008", cause: "a time does not fit in microseconds since 1970 in 64 bits" },
    ErrorDoc {
        sqlstate: "22023",
        cause: "a model is unknown or wrongly written (the place is told); an option is NULL, not constant, zero, negative, \
                or an unknown word",
    },
    ErrorDoc {
        sqlstate: "0A000",
        cause: "two models with OVER; DISTINCT, ORDER BY, WITHIN GROUP, FILTER with OVER, a frame; a value of more than \
                32 decimals",
    },
    ErrorDoc { sqlstate: "42601", cause: "an unknown option (the nearest is suggested), or one given twice" },
    ErrorDoc { sqlstate: "42804", cause: "an argument is of a wrong type" },
    ErrorDoc { sqlstate: "42883", cause: "fewer than four arguments" },
    ErrorDoc { sqlstate: "54000", cause: "an answer of more than 2,147,483,647 elements" },
    ErrorDoc { sqlstate: "54023", cause: "more than five arguments without a name, or more than 30 milestones" },
];
const MERGE: &str = "the state of a user is the list of its touches, conversions and milestones in any order; two states \
                     are merged by appending one to the other.";
const SOURCES: &[&str] = &[
    "the rule-based models of Google Analytics, Adobe Customer Journey Analytics and Teradata's attribution",
    "Snowplow's dbt package for attribution, and its fractribution",
];

/// `attribute`.
pub(super) const ATTRIBUTE: FunctionDoc = FunctionDoc {
    name: "attribute",
    kind: FunctionKind::AggregateOrWindow,
    summary: "Which touches earned each conversion, and how much of it.",
    description: "With GROUP BY the user: a list with an element for each model, touch and conversion; a conversion \
                  without touches is an element whose channel is NULL, so that totals reconcile. With OVER (PARTITION BY \
                  the user): what the row earned of all conversions, 0 where it is no touch.",
    syntax: "attribute(models, event_time, channel, conversion [, value] [, touch => boolean] [, include_self => boolean]\n          \
             [, lookback => interval] [, lookback_touches => bigint] [, consume => text] [, per_channel_once => boolean]\n          \
             [, milestones => (condition, ...)] [, tie => any]) [OVER (PARTITION BY user ORDER BY event_time)]",
    arguments: ARGUMENTS,
    options: OPTIONS,
    returns: "record[]",
    answer: "elements of model, channel, touch_time, conversion_time, touch_index (from 0), touch_count, credit \
             (numeric(20,12), which sum to exactly 1 for each conversion) and value (six more decimals than the value, \
             which sum to exactly it; double precision for floats; NULL without a value); an empty list for a user \
             without conversions. With OVER a number: in units of the value where one is given, of conversions \
             (numeric(38,12)) where not.",
    nulls: NULLS,
    ties: TIES,
    errors: ERRORS,
    cost: "one visit for each element of the answer; 18 bytes for each touch, conversion and milestone, 32 more for each \
           conversion with a value. Ask attribute_totals where sums will do.",
    merge: MERGE,
    examples: &[
        ExampleDoc {
            question: "Which channels earned what, under which model?",
            sql: "SELECT a.model, a.channel, round(sum(a.credit), 4) AS conversions, round(sum(a.value), 2) AS revenue\n\
                  FROM (SELECT unnest(ATTRIBUTE('last, time_decay(7 days)', event_time, channel, event = 'purchase',\n                              \
                  revenue::numeric(10, 2), lookback => '30 days')) AS a\n      \
                  FROM (VALUES ('Ana', timestamp '2026-03-01 00:00:00', 'search', 'visit', NULL),\n                   \
                  ('Ana', timestamp '2026-03-08 00:00:00', 'email', 'visit', NULL),\n                   \
                  ('Ana', timestamp '2026-03-09 00:00:00', NULL, 'purchase', 90.00),\n                   \
                  ('Bo', timestamp '2026-03-02 00:00:00', NULL, 'purchase', 10.00))\n           \
                  AS events(user_id, event_time, channel, event, revenue)\n      \
                  GROUP BY user_id) AS credits\n\
                  GROUP BY 1, 2\n\
                  ORDER BY 1, 2",
            answer: &[
                "last | email | 1.0000 | 90.00",
                "last | search | 0.0000 | 0.00",
                "last | NULL | 1.0000 | 10.00",
                "time_decay(7 days) | email | 0.6667 | 60.00",
                "time_decay(7 days) | search | 0.3333 | 30.00",
                "time_decay(7 days) | NULL | 1.0000 | 10.00",
            ],
        },
        ExampleDoc {
            question: "And what did each visit earn?",
            sql: "SELECT channel, ATTRIBUTE('linear', event_time, channel, event = 'purchase', revenue)\n                \
                  OVER (PARTITION BY user_id ORDER BY event_time) AS revenue\n\
                  FROM (VALUES (1, timestamp '2026-03-01 00:00:00', 'search', 'visit', NULL),\n             \
                  (1, timestamp '2026-03-08 00:00:00', 'email', 'visit', NULL),\n             \
                  (1, timestamp '2026-03-09 00:00:00', NULL, 'purchase', 90)) AS events(user_id, event_time, channel, event, revenue)\n\
                  ORDER BY event_time",
            answer: &["search | 45.000000", "email | 45.000000", "NULL | 0.000000"],
        },
    ],
    sources: SOURCES,
};

/// `attribute_totals`.
pub(super) const TOTALS: FunctionDoc = FunctionDoc {
    name: "attribute_totals",
    kind: FunctionKind::Aggregate,
    summary: "How much each channel earned of a user's conversions, for each model.",
    description: "The sums over attribute's list by model and channel, without the list: a user with a million touches and \
                  a thousand conversions costs no more than its rows. GROUP BY the user, unnest, and sum over users.",
    syntax: "attribute_totals(models, event_time, channel, conversion [, value] [, touch => boolean]\n                 \
             [, include_self => boolean] [, lookback => interval] [, lookback_touches => bigint] [, consume => text]\n                 \
             [, per_channel_once => boolean] [, milestones => (condition, ...)] [, tie => any])",
    returns: "record[]",
    answer: "elements of model, channel (NULL for conversions without touches), credit (numeric(38,12)) and value (six more \
             decimals than the value; double precision for floats; NULL without a value), for every channel that some \
             conversion sees; an empty list for a user without conversions.",
    cost: "linear in rows and models; 18 bytes for each touch, conversion and milestone, 32 more for each conversion with a \
           value.",
    examples: &[ExampleDoc {
        question: "Which channels earned what?",
        sql: "SELECT t.channel, sum(t.credit) AS conversions, sum(t.value) AS revenue\n\
              FROM (SELECT unnest(ATTRIBUTE_TOTALS('linear', event_time, channel, event = 'purchase', revenue)) AS t\n      \
              FROM (VALUES (1, timestamp '2026-03-01 00:00:00', 'search', 'visit', NULL),\n                   \
              (1, timestamp '2026-03-08 00:00:00', 'email', 'visit', NULL),\n                   \
              (1, timestamp '2026-03-09 00:00:00', 'email', 'purchase', 90)) AS events(user_id, event_time, channel, event, revenue)\n      \
              GROUP BY user_id) AS totals\n\
              GROUP BY t.channel\n\
              ORDER BY t.channel",
        answer: &["email | 0.500000000000 | 45.000000", "search | 0.500000000000 | 45.000000"],
    }],
    ..ATTRIBUTE
};

/// `attribution_touches`.
pub(crate) const TOUCHES: FunctionDoc = FunctionDoc {
    name: "attribution_touches",
    kind: FunctionKind::Relation,
    summary: "One row for each model, conversion and touch, with what the touch earned.",
    description: "The fact table of attribution, over a relation of events: a table, a view or a query. Stands in FROM.",
    syntax: "attribution_touches(relation, channel, conversion => boolean, models => text [, value => numeric]\n                    \
             [, touch => boolean] [, include_self => boolean] [, lookback => interval] [, lookback_touches => bigint]\n                    \
             [, consume => text] [, per_channel_once => boolean] [, milestones => (condition, ...)] [, tie => any]\n                    \
             [, user_key => column] [, time_key => column] [, carry => (column, ...)])",
    arguments: &[
        ArgumentDoc {
            name: "relation",
            sql_type: "relation",
            description: "The events: a table's name, `(SELECT ...)` or `(TABLE name)`.",
            is_variadic: false,
            is_nameable: false,
        },
        CHANNEL,
        CONVERSION,
        VALUE,
    ],
    options: &[
        OptionDoc {
            name: "models",
            sql_type: "text",
            values: &[],
            default: "none: must be given",
            description: "How credit is divided, as the first argument of attribute.",
        },
        TOUCH,
        INCLUDE_SELF,
        LOOKBACK,
        LOOKBACK_TOUCHES,
        CONSUME,
        PER_CHANNEL_ONCE,
        MILESTONES,
        TIE,
        OptionDoc {
            name: "user_key",
            sql_type: "column",
            values: &[],
            default: "user_id",
            description: "The column that tells users apart. Rows without one are those of one user, as with GROUP BY.",
        },
        OptionDoc {
            name: "time_key",
            sql_type: "column",
            values: &[],
            default: "event_time",
            description: "The column that says when an event happened.",
        },
        OptionDoc {
            name: "carry",
            sql_type: "record",
            values: &[],
            default: "none",
            description: "Columns of the touch's row to show: one, or several in parentheses, such as `(campaign, content)`.",
        },
    ],
    returns: "record",
    answer: "rows with columns: the user under its own name, conversion_id text (the user, the conversion's microseconds since 1970, \
             and its number among conversions of that time), conversion_time, conversion_value double precision, model_no \
             integer (from 1), model text, touch_no integer (from 1), touch_count integer, channel text, touch_time, \
             lag_seconds double precision, credit double precision, value double precision, is_unattributed boolean, and \
             the carried columns. No rows for users without conversions.",
    errors: &[
        ErrorDoc { sqlstate: "22003", cause: "the values of a user's conversions have more than 32 digits together" },
        ErrorDoc { sqlstate: "22023", cause: "a model or an option that attribute refuses; `models` is not given" },
        ErrorDoc { sqlstate: "42601", cause: "an unknown option, one given twice, or a relation that is none" },
        ErrorDoc { sqlstate: "42703", cause: "no column for users or times is found (candidates are listed)" },
        ErrorDoc { sqlstate: "42804", cause: "an argument is of a wrong type" },
        ErrorDoc { sqlstate: "42883", cause: "the channel or the conversion is not given" },
        ErrorDoc { sqlstate: "54000", cause: "an answer of more than 2,147,483,647 rows in one partition" },
    ],
    examples: &[ExampleDoc {
        question: "Which touch earned how much of which order?",
        sql: "WITH events AS (\n    \
              SELECT * FROM (VALUES (1, timestamp '2026-03-01 00:00:00', 'search', 'visit', NULL),\n                          \
              (1, timestamp '2026-03-08 00:00:00', 'email', 'visit', NULL),\n                          \
              (1, timestamp '2026-03-09 00:00:00', NULL, 'purchase', 90)) AS rows(user_id, event_time, channel, event, revenue)\n\
              )\n\
              SELECT conversion_id, model, touch_no, touch_count, channel, lag_seconds, credit, value\n\
              FROM attribution_touches(events, channel, conversion => event = 'purchase', value => revenue, models => 'linear')\n\
              ORDER BY touch_no",
        answer: &[
            "1-1773014400000000-1 | linear | 1 | 2 | search | 691200.0 | 0.5 | 45.0",
            "1-1773014400000000-1 | linear | 2 | 2 | email | 86400.0 | 0.5 | 45.0",
        ],
    }],
    ..ATTRIBUTE
};

impl Answer {
    /// The documentation in the form of DataFusion's catalogue.
    pub(super) fn documentation(self) -> Option<&'static Documentation> {
        static ATTRIBUTE_DOC: LazyLock<Documentation> = LazyLock::new(|| ATTRIBUTE.documentation());
        static TOTALS_DOC: LazyLock<Documentation> = LazyLock::new(|| TOTALS.documentation());
        match self {
            Self::List | Self::Row => Some(&ATTRIBUTE_DOC),
            Self::Totals => Some(&TOTALS_DOC),
            // A relation is no function of DataFusion's catalogue.
            Self::Touches => None,
        }
    }
}
