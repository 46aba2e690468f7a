//! What is written about `channel_group` and `utm`.

use crate::doc::{ArgumentDoc, ErrorDoc, ExampleDoc, FunctionDoc, FunctionKind};

const NO_TIES: &str = "do not matter: each row is judged alone.";
const NO_STATE: &str = "nothing to merge: it has no state.";

const fn text(name: &'static str, description: &'static str) -> ArgumentDoc {
    ArgumentDoc { name, sql_type: "text", description, is_variadic: false, is_nameable: false }
}

/// `channel_group`.
pub(crate) const GROUP: FunctionDoc = FunctionDoc {
    name: "channel_group",
    kind: FunctionKind::Scalar,
    summary: "Which marketing channel brought a visit: Paid Search, Organic Social, Email and so on.",
    description: "The default channel groups of Google Analytics 4, in its spelling and by its rules, extended by the \
                  referrer and by Chinese media. Each text is read without spaces around it, in any case, and with \
                  full-width letters as their ASCII twins. The referrer is read only where the source is missing.",
    syntax: "channel_group(source, medium, campaign, referrer)",
    arguments: &[
        text("source", "The name, host or URL of the site that sent the visit: `utm_source` or its twin."),
        text("medium", "The kind of traffic, such as `cpc`, `email` or `信息流`: `utm_medium` or its twin."),
        text("campaign", "The name of the campaign: `utm_campaign` or its twin."),
        text("referrer", "The URL or host of the page before; pass NULL for pages of the visited site itself."),
    ],
    options: &[],
    returns: "text",
    answer: "one of 19 groups, such as `Direct`, `Cross-network`, `Paid Search`, `Organic Shopping`, `Referral` or \
             `Mobile Push Notifications`; `Unassigned` where no rule knows the visit; never NULL.",
    nulls: "a NULL is a missing text, as an empty one is; four of them are `Direct`.",
    ties: NO_TIES,
    errors: &[
        ErrorDoc { sqlstate: "42804", cause: "an argument is not text" },
        ErrorDoc { sqlstate: "42883", cause: "fewer than four arguments" },
        ErrorDoc { sqlstate: "54023", cause: "more than four arguments" },
    ],
    cost: "linear in the texts and a few look-ups; equal rows of a batch are judged once.",
    merge: NO_STATE,
    examples: &[ExampleDoc {
        question: "Which channels brought these visits?",
        sql: "SELECT source, medium, channel_group(source, medium, campaign, referrer) AS channel\n\
              FROM (VALUES (1, 'google', 'cpc', 'summer', NULL),\n             \
              (2, '小红书', '信息流', NULL, NULL),\n             \
              (3, 'newsletter', 'email', NULL, NULL),\n             \
              (4, NULL, NULL, NULL, 'https://www.bing.com/search?q=ev'),\n             \
              (5, NULL, NULL, NULL, NULL)) AS visits(id, source, medium, campaign, referrer)\n\
              ORDER BY id",
        answer: &[
            "google | cpc | Paid Search",
            "小红书 | 信息流 | Paid Social",
            "newsletter | email | Email",
            "NULL | NULL | Organic Search",
            "NULL | NULL | Direct",
        ],
    }],
    sources: &["the default channel group of Google Analytics 4 (documentation), and its list of source categories"],
};

/// `utm`.
pub(crate) const UTM: FunctionDoc = FunctionDoc {
    name: "utm",
    kind: FunctionKind::Scalar,
    summary: "The value of a campaign parameter, or of any other, in a URL.",
    description: "`source`, `medium`, `campaign`, `term`, `content`, `id`, `source_platform`, `creative_format` and \
                  `marketing_tactic` stand for `utm_source` and so on; any other name is the parameter of that name. \
                  Query strings without an address are read too, and parameters behind the `#` of one-page \
                  applications. The first occurrence counts; `+` and `%20` are decoded.",
    syntax: "utm(url, name)",
    arguments: &[
        text("url", "A URL, or a query string alone. Any text has an answer: nothing insists on a valid URL."),
        text(
            "name",
            "The name of the parameter, in any case: `source`, `utm_source`, `gclid`; a constant or a column.",
        ),
    ],
    options: &[],
    returns: "text",
    answer: "the decoded value; NULL where the parameter is missing or empty.",
    nulls: "a NULL URL, or a NULL name in a column, gives NULL; a NULL constant as name is an error.",
    ties: NO_TIES,
    errors: &[
        ErrorDoc { sqlstate: "22023", cause: "the name is empty, or a constant NULL" },
        ErrorDoc { sqlstate: "42804", cause: "an argument is not text" },
        ErrorDoc { sqlstate: "42883", cause: "fewer than two arguments" },
        ErrorDoc { sqlstate: "54023", cause: "more than two arguments" },
    ],
    cost: "one pass over the URL; a dictionary of URLs is read once per value.",
    merge: NO_STATE,
    examples: &[ExampleDoc {
        question: "Where did this visit come from, and what was it shown?",
        sql: "SELECT utm(url, 'source') AS source, utm(url, 'campaign') AS campaign, utm(url, 'gclid') AS click\n\
              FROM (VALUES ('https://shop.example/tea?utm_source=google&utm_campaign=spring+sale&gclid=Ab1'),\n             \
              ('https://shop.example/#/home?utm_source=%E5%B0%8F%E7%BA%A2%E4%B9%A6')) AS visits(url)\n\
              ORDER BY source",
        answer: &["google | spring sale | Ab1", "小红书 | NULL | NULL"],
    }],
    sources: &["the campaign parameters of Google Analytics (documentation)", "the URL standard's query strings"],
};
