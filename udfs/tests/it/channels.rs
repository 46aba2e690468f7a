//! CHANNEL_GROUP and UTM over every kind of column.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use tributary_core::channels::{Visit, group};
use tributary_core::url::Parameter;

use crate::support::{context, lines, mistake, rows};

/// Visits with their groups: source, medium, campaign, referrer.
const VISITS: &[([Option<&str>; 4], &str)] = &[
    ([None, None, None, None], "Direct"),
    ([Some(""), Some("(none)"), Some("(not set)"), Some("")], "Direct"),
    ([Some("(direct)"), None, None, Some("https://www.google.com/")], "Direct"),
    ([Some("google"), Some("cpc"), Some("Cross-network"), None], "Cross-network"),
    ([Some("google"), Some("cpc"), Some("summer_shopping"), None], "Paid Shopping"),
    ([Some("google"), Some("cpc"), Some("brand"), None], "Paid Search"),
    ([Some("baidu"), Some("sem"), None, None], "Paid Search"),
    ([Some("facebook"), Some("paid_social"), None, None], "Paid Social"),
    ([Some("youtube"), Some("cpm"), None, None], "Paid Video"),
    ([Some("some.site"), Some("banner"), None, None], "Display"),
    ([Some("some.site"), Some("cpc"), None, None], "Paid Other"),
    ([Some("amazon"), None, None, None], "Organic Shopping"),
    ([Some("小红书"), None, None, None], "Organic Social"),
    ([Some("youtube.com"), None, None, None], "Organic Video"),
    ([Some("GOOGLE"), Some("Organic"), None, None], "Organic Search"),
    ([None, None, None, Some("https://www.bing.com/search?q=ev")], "Organic Search"),
    ([Some("partner.example"), Some("referral"), None, None], "Referral"),
    ([None, None, None, Some("https://partner.example/page")], "Referral"),
    ([Some("newsletter"), Some("email"), None, None], "Email"),
    ([Some("partner"), Some("affiliate"), None, None], "Affiliates"),
    ([Some("podcast"), Some("audio"), None, None], "Audio"),
    ([Some("crm"), Some("sms"), None, None], "SMS"),
    ([Some("app"), Some("push"), None, None], "Mobile Push Notifications"),
    ([Some("store_qr"), Some("offline"), None, None], "Unassigned"),
];

const NAMES: [&str; 4] = ["source", "medium", "campaign", "referrer"];

fn text_types() -> Vec<DataType> {
    let keyed = |key: DataType, value: DataType| DataType::Dictionary(Box::new(key), Box::new(value));
    vec![
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        keyed(DataType::Int8, DataType::Utf8),
        keyed(DataType::UInt16, DataType::Utf8View),
    ]
}

fn register(context: &SessionContext, columns: Vec<(&str, ArrayRef)>) {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
    context.register_table("t", Arc::new(table)).unwrap();
}

#[tokio::test]
async fn every_group_is_given_in_every_encoding() {
    for text in text_types() {
        let context = context();
        let columns = NAMES.iter().enumerate().map(|(place, name)| {
            let texts: StringArray = VISITS.iter().map(|(visit, _)| visit[place]).collect();
            (*name, cast(&texts, &text).unwrap())
        });
        register(&context, columns.collect());
        let expected: Vec<_> = VISITS.iter().map(|(_, group)| *group).collect();
        let call = "SELECT CHANNEL_GROUP(source, medium, campaign, referrer) FROM t";
        assert_eq!(rows(&context, call).await, expected, "{text}");
    }
}

#[tokio::test]
async fn one_varying_column_is_judged_by_its_own_values() {
    let sources = [Some("google"), None, Some("facebook"), Some("google"), None, Some("unknown"), Some("google")];
    for text in text_types() {
        let context = context();
        register(&context, vec![("source", cast(&StringArray::from_iter(sources), &text).unwrap())]);
        let paid = rows(&context, "SELECT channel_group(source, 'cpc', NULL, 'https://bing.com') FROM t").await;
        let expected =
            ["Paid Search", "Paid Search", "Paid Social", "Paid Search", "Paid Search", "Paid Other", "Paid Search"];
        assert_eq!(paid, expected, "a NULL source leaves the referrer, {text}");
        let grouped =
            "SELECT channel_group(source, NULL, NULL, NULL) AS channel, count(*) FROM t GROUP BY 1 ORDER BY 1";
        let expected = ["Direct | 2", "Organic Search | 3", "Organic Social | 1", "Unassigned | 1"];
        assert_eq!(rows(&context, grouped).await, expected, "{text}");
    }
}

#[tokio::test]
async fn it_never_differs_from_the_rules() {
    let words = [None, Some("google"), Some("cpc"), Some("(direct)"), Some("email"), Some("bing.com"), Some("shop")];
    let mut visits: Vec<[Option<&str>; 4]> = vec![];
    for source in words {
        for medium in words {
            for campaign in words {
                visits.extend(words.map(|referrer| [source, medium, campaign, referrer]));
            }
        }
    }
    let context = context();
    let column =
        |place: usize| -> ArrayRef { Arc::new(visits.iter().map(|visit| visit[place]).collect::<StringArray>()) };
    register(&context, NAMES.iter().enumerate().map(|(place, name)| (*name, column(place))).collect());
    let expected: Vec<String> = visits
        .iter()
        .map(|visit| {
            let [source, medium, campaign, referrer] = visit.map(Option::unwrap_or_default);
            group(&Visit { source, medium, campaign, referrer }).to_string()
        })
        .collect();
    assert_eq!(rows(&context, "SELECT channel_group(source, medium, campaign, referrer) FROM t").await, expected);
}

/// URLs with their source and click id.
const URLS: &[(Option<&str>, Option<&str>, Option<&str>)] = &[
    (Some("https://a.example/?utm_source=google&gclid=Ab1"), Some("google"), Some("Ab1")),
    (Some("https://a.example/?UTM_Source=news+letter"), Some("news letter"), None),
    (Some("utm_source=%E5%B0%8F%E7%BA%A2%E4%B9%A6&x=1"), Some("小红书"), None),
    (Some("https://a.example/#/home?utm_source=in_a_fragment"), Some("in_a_fragment"), None),
    (Some("https://a.example/?utm_source=first&utm_source=second"), Some("first"), None),
    (Some("https://a.example/?utm_source=&gclid="), None, None),
    (Some("https://a.example/"), None, None),
    (Some(""), None, None),
    (None, None, None),
    (Some("https://a.example/?utm_source=google&gclid=Ab1"), Some("google"), Some("Ab1")),
    (Some("https://a.example/?utm_source=google&gclid=Ab1"), Some("google"), Some("Ab1")),
];

fn shown(text: Option<&str>) -> &str {
    text.unwrap_or("NULL")
}

#[tokio::test]
async fn a_parameter_is_found_in_every_encoding() {
    for text in text_types() {
        let context = context();
        let urls: StringArray = URLS.iter().map(|(url, _, _)| *url).collect();
        register(&context, vec![("url", cast(&urls, &text).unwrap())]);
        let found = rows(&context, "SELECT UTM(url, 'source'), utm(url, 'UTM_SOURCE'), utm(url, 'gclid') FROM t").await;
        let expected: Vec<_> =
            URLS.iter().map(|(_, source, click)| format!("{0} | {0} | {1}", shown(*source), shown(*click))).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[tokio::test]
async fn every_row_may_ask_for_another_parameter() {
    let names = [Some("source"), Some("gclid"), None, Some("utm_source")];
    let context = context();
    let url = "https://a.example/?utm_source=google&gclid=Ab1";
    let urls: StringArray = names.iter().map(|_| Some(url)).collect();
    register(&context, vec![("url", Arc::new(urls)), ("name", Arc::new(StringArray::from_iter(names)))]);
    let expected: Vec<String> = names
        .iter()
        .map(|name| {
            let value = name.and_then(|name| Parameter::try_new(name).unwrap().value_in(url));
            shown(value.as_deref()).to_string()
        })
        .collect();
    assert_eq!(rows(&context, "SELECT utm(url, name) FROM t").await, expected);
    assert_eq!(rows(&context, &format!("SELECT utm('{url}', name) FROM t")).await, expected);
    let told =
        mistake(&context, "SELECT utm(url, name || '') FROM (VALUES ('a', 'b'), ('a', ' ')) AS v(url, name)").await;
    assert_eq!(told.message, "utm: argument 'name' must be the name of a parameter, got ' '");
}

#[tokio::test]
async fn parameters_of_the_protocol_are_text() {
    let context = context();
    let sql = "SELECT channel_group($1, $2, NULL, NULL), utm($3, $4)";
    let frame = tributary_udfs::sql(&context, sql).await.unwrap();
    let values = ["google", "cpc", "?utm_term=tea", "term"].map(ScalarValue::from).to_vec();
    let batches = frame.with_param_values(values).unwrap().collect().await.unwrap();
    assert_eq!(batches.iter().flat_map(lines).collect::<Vec<_>>(), ["Paid Search | tea"]);
}

#[tokio::test]
async fn they_work_where_only_the_functions_are_registered() {
    let context = SessionContext::new();
    context.register_udf(tributary_udfs::channel_group().as_ref().clone());
    context.register_udf(tributary_udfs::utm().as_ref().clone());
    let sql = "SELECT channel_group('google', 'cpc', NULL, NULL), utm('?utm_id=7', 'id'), utm(NULL, 'id')";
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    assert_eq!(batches.iter().flat_map(lines).collect::<Vec<_>>(), ["Paid Search | 7 | NULL"]);
}

#[tokio::test]
async fn the_twins_in_plain_sql_give_the_same_answers() {
    let mut visits: Vec<[Option<&str>; 3]> = vec![];
    for source in [None, Some(""), Some("(direct)"), Some("google"), Some("facebook"), Some("newsletter")] {
        for medium in [None, Some(""), Some("cpc"), Some("paid_social"), Some("organic"), Some("email")] {
            visits.extend(
                [None, Some(""), Some("brand"), Some("Cross-network")].map(|campaign| [source, medium, campaign]),
            );
        }
    }
    let column = |place: usize| -> ArrayRef { Arc::new(visits.iter().map(|v| v[place]).collect::<StringArray>()) };
    let nothing: ArrayRef = Arc::new(StringArray::new_null(visits.len()));
    let columns = vec![("source", column(0)), ("medium", column(1)), ("campaign", column(2)), ("referrer", nothing)];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    let context = context();
    context.register_batch("events", batch).unwrap();
    let ours =
        "SELECT source, medium, campaign, channel_group(source, medium, campaign, referrer) AS channel FROM events";
    let twin = include_str!("../../../sql/plain/channel_group.sql");
    assert_eq!(rows(&context, twin).await, rows(&context, ours).await);

    let urls: StringArray = URLS
        .iter()
        .map(|(url, _, _)| *url)
        .filter(|url| !url.is_some_and(|url| url.contains(['%', '+', '#'])))
        .collect();
    let batch = RecordBatch::try_from_iter_with_nullable([("url", Arc::new(urls) as ArrayRef, true)]).unwrap();
    context.deregister_table("events").unwrap();
    context.register_batch("events", batch).unwrap();
    let ours = rows(&context, "SELECT url, utm(url, 'source') AS utm FROM events").await;
    let twin = include_str!("../../../sql/plain/utm.sql");
    assert_eq!(rows(&context, twin).await, ours);
}

#[tokio::test]
async fn wrong_calls_are_told_what_is_wrong() {
    let context = context();
    for (wrong, sqlstate, message) in [
        ("channel_group('a', 'b', 'c')", "42883", "channel_group takes 4 arguments, got 3"),
        ("channel_group('a', 'b', 'c', 'd', 'e')", "54023", "channel_group takes 4 arguments, got 5"),
        ("channel_group('a', 1, 'c', 'd')", "42804", "channel_group: argument 'medium' must be text, got bigint"),
        (
            "channel_group('a', 'b', 'c', ARRAY['d'])",
            "42804",
            "channel_group: argument 'referrer' must be text, got text[]",
        ),
        (
            "channel_group(source => 'a')",
            "42601",
            "channel_group: unknown argument 'source'; it takes no named arguments",
        ),
        ("utm('a')", "42883", "utm takes 2 arguments, got 1"),
        ("utm(arrow_cast('a', 'Binary'), 'id')", "42804", "utm: argument 'url' must be text, got bytea"),
        ("utm('a', NULL)", "22023", "utm: argument 'name' must be text, got NULL"),
        ("utm('a', '')", "22023", "utm: argument 'name' must be the name of a parameter, got ''"),
    ] {
        let told = mistake(&context, &format!("SELECT {wrong}")).await;
        assert_eq!((told.sqlstate, told.message.as_str()), (sqlstate, message), "{wrong}");
    }
}
