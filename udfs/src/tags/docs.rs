//! What is written about `tag_match`.

use crate::doc::{ArgumentDoc, ErrorDoc, ExampleDoc, FunctionDoc, FunctionKind, OptionDoc};

/// What is written about `tag_match`.
pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "tag_match",
    kind: FunctionKind::Scalar,
    summary: "Whether a row's tags satisfy an expression such as 'vip AND NOT churn_risk'.",
    description: "Tags are a list of text, text such as `'vip,ev'`, or a map. An expression combines names with AND, OR, \
                  XOR, NOT (also `& | ^ !`, `且 或 非`), `a - b` for a AND NOT b, and parentheses; `utm:*` asks for a \
                  prefix, `score >= 30` for a value, `any(a, b)`, `all(a, b)` and `at_least(2, a, b, c)` for several. \
                  NOT binds first, then AND and minus, then XOR, then OR. Names with other signs are quoted.",
    syntax: "tag_match(tags, expression [, ci => boolean])",
    arguments: &[
        ArgumentDoc {
            name: "tags",
            sql_type: "text[]",
            description: "A list of text; or text whose tags are separated by `,` `;` `|` or `、`; or a map, whose keys \
                          are tags and whose values (text, numbers, booleans, times) are compared.",
            is_variadic: false,
            is_nameable: false,
        },
        ArgumentDoc {
            name: "expression",
            sql_type: "text",
            description: "The expression: a constant, compiled once for the query, or a column.",
            is_variadic: false,
            is_nameable: false,
        },
    ],
    options: &[OptionDoc {
        name: "ci",
        sql_type: "boolean",
        values: &[],
        default: "false",
        description: "Whether `VIP` and `vip` are one tag. Letters are put in lower case one by one: `É` is `é`.",
    }],
    returns: "boolean",
    answer: "true or false; a tag that the row does not have is false, and an empty list has no tags, so NOT vip is true.",
    nulls: "NULL tags or a NULL expression in a column give NULL; a NULL among the tags is no tag; a NULL value of a map \
            leaves its key; a NULL constant is an error.",
    ties: "do not matter: each row is judged alone, and its tags are a set.",
    errors: &[
        ErrorDoc {
            sqlstate: "22023",
            cause: "the expression does not read (place, cause and fix are told), or a constant is NULL",
        },
        ErrorDoc { sqlstate: "42601", cause: "an unknown option (the nearest is suggested), or one given twice" },
        ErrorDoc {
            sqlstate: "42804",
            cause: "tags are no text, list of text or map of text, or the expression is no text",
        },
        ErrorDoc { sqlstate: "42883", cause: "fewer than two arguments" },
        ErrorDoc { sqlstate: "54023", cause: "more than two arguments without a name" },
    ],
    cost: "a few nanoseconds a tag, one look-up a row for up to 12 conditions and one pass over the expression above. \
           Dictionaries are judged once per value. Nothing is allocated for a row. Expressions in a column are compiled \
           once per distinct text of a batch.",
    merge: "nothing to merge: it has no state.",
    examples: &[
        ExampleDoc {
            question: "Who is a valuable customer with a taste for tea, and not about to leave?",
            sql: "SELECT name, TAG_MATCH(tags, '高价值 AND (兴趣:红茶 OR 兴趣:白茶) AND NOT 流失风险') AS wanted\n\
                  FROM (VALUES ('Ana', ARRAY['高价值', '兴趣:红茶']),\n             \
                  ('Bo', ARRAY['高价值', '兴趣:白茶', '流失风险']),\n             \
                  ('Cy', NULL)) AS users(name, tags)\n\
                  ORDER BY name",
            answer: &["Ana | true", "Bo | false", "Cy | NULL"],
        },
        ExampleDoc {
            question: "Who scored 30 or more and came by an advertisement, whichever?",
            sql: "SELECT name\n\
                  FROM (VALUES ('Ana', 'score:45,utm:spring'), ('Bo', 'score:12,utm:spring'), ('Cy', 'score:80')) AS leads(name, tags)\n\
                  WHERE TAG_MATCH(tags, 'score >= 30 & utm:*')",
            answer: &["Ana"],
        },
        ExampleDoc {
            question: "Does a spelling with capitals count?",
            sql: "SELECT TAG_MATCH(ARRAY['VIP'], 'vip') AS exact, TAG_MATCH(ARRAY['VIP'], 'vip', ci => true) AS ignoring_case",
            answer: &["false | true"],
        },
    ],
    sources: &[
        "bit_construct and bit_match of Hologres (documentation)",
        "array containment in PostgreSQL and list_contains in DuckDB, which ask for one tag at a time",
    ],
};
