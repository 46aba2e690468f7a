//! TAG_MATCH over every kind of column, with every kind of expression.

mod columns;
mod oracle;

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, StringViewArray,
};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::ColumnarValue;
use datafusion::prelude::SessionContext;

use crate::support::{context, lines, mistake, plan, rows};
use columns::{Row, delimited, every_encoding, lists, maps, row};

/// The answers of a call for each row of a column `tags`, and of a column `expression` where there is one.
async fn answers(columns: Vec<(&str, ArrayRef)>, call: &str) -> Vec<String> {
    let context = context();
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, c)| (name, c, true))).unwrap();
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
    context.register_table("t", Arc::new(table)).unwrap();
    rows(&context, &format!("SELECT {call} FROM t")).await
}

/// The goldens of the design: tags, expression, answer.
const GOLDENS: &[(&[&str], &str, bool)] = &[
    (&["a", "b"], "a & !c", true),
    (&["a", "b"], "a - b", false),
    (&["a", "b"], "a ^ b", false),
    (&["a", "b"], "!a | b & c", false),
    (&["a", "b"], "at_least(2, a, b, c)", true),
    (&[], "!a", true),
    (&["a"], "!a", false),
    (&["a", "a"], "a", true),
    (&["vip"], "VIP", false),
    (&["utm:spring"], "utm:*", true),
    (&["utm"], "utm:*", false),
    (&["score:45"], "score >= 30", true),
    (&["score:9"], "score >= 30", false),
    (&["score:low"], "score >= 30", false),
    (&["level:gold"], "level = \"gold\"", true),
    (&["b"], "any(a, b)", true),
    (&["b"], "all(a, b)", false),
    (&["高价值", "兴趣:红茶"], "高价值 AND (兴趣:红茶 OR 兴趣:白茶) AND NOT 流失风险", true),
    (&["高价值", "兴趣:红茶", "流失风险"], "高价值 AND (兴趣:红茶 OR 兴趣:白茶) AND NOT 流失风险", false),
    (&["高意向"], "高意向 且 非 流失风险", true),
    (&["非活跃"], "非活跃", true),
    (&["非活跃"], "非 活跃", true),
    (&["高价值", "兴趣:红茶"], "高价值 ＆ （兴趣：红茶 ｜ 兴趣：白茶） ＆ ！流失风险", true),
    (&["a_tag_of_many_bytes"], "a_tag_of_many_bytes & !a_tag_of_many_bytez", true),
];

#[tokio::test]
async fn the_goldens_hold_in_every_encoding() {
    for (tags, expression, expected) in GOLDENS {
        let row = Some(tags.iter().copied().map(Some).collect());
        for (encoding, column) in every_encoding(&[row]) {
            let call = format!("TAG_MATCH(tags, '{expression}')");
            assert_eq!(
                answers(vec![("tags", column)], &call).await,
                [expected.to_string()],
                "{expression}, {encoding}"
            );
        }
    }
}

#[tokio::test]
async fn null_tags_have_no_answer_an_empty_list_has_no_tags_and_a_null_among_tags_is_none() {
    let rows = [None, row(&[]), Some(vec![None]), Some(vec![None, Some("vip")]), row(&["ev"])];
    for (encoding, column) in every_encoding(&rows) {
        let not_vip = answers(vec![("tags", Arc::clone(&column))], "TAG_MATCH(tags, 'NOT vip')").await;
        assert_eq!(not_vip, ["NULL", "true", "true", "false", "true"], "{encoding}");
        let any = answers(vec![("tags", column)], "TAG_MATCH(tags, '*')").await;
        assert_eq!(any, ["NULL", "false", "false", "true", "true"], "{encoding}");
    }
    assert_eq!(
        rows_of("SELECT TAG_MATCH(NULL, 'vip'), TAG_MATCH(ARRAY[]::text[], '!vip'), TAG_MATCH(ARRAY[NULL], '!vip')")
            .await,
        ["NULL | true | true"]
    );
}

async fn rows_of(sql: &str) -> Vec<String> {
    rows(&context(), sql).await
}

#[tokio::test]
async fn a_slice_of_a_column_answers_for_its_own_rows() {
    let rows = [
        row(&["vip", "ev"]),
        None,
        row(&["churn_risk"]),
        row(&["vip"]),
        row(&[]),
        Some(vec![None, Some("vip"), Some("churn_risk")]),
        row(&["ev", "a_tag_of_many_bytes", "vip"]),
    ];
    let expected = ["true", "NULL", "false", "true", "false", "false", "true"];
    for (encoding, column) in every_encoding(&rows) {
        for start in 0..rows.len() {
            let part = column.slice(start, rows.len() - start);
            let answered = answers(vec![("tags", part)], "TAG_MATCH(tags, 'vip - churn_risk')").await;
            assert_eq!(answered, expected[start..], "{encoding} from row {start}");
        }
        let middle = column.slice(2, 3);
        let answered = answers(vec![("tags", middle)], "TAG_MATCH(tags, 'vip - churn_risk')").await;
        assert_eq!(answered, expected[2..5], "{encoding}");
    }
}

#[tokio::test]
async fn delimited_text_is_split_at_any_separator() {
    let texts = ["vip,ev", "vip; ev", " vip |ev ", "vip、ev", "vip，ev", "vip ev", "", "vip,,"];
    let column: ArrayRef = Arc::new(texts.iter().map(|text| Some(*text)).collect::<StringViewArray>());
    assert_eq!(
        answers(vec![("tags", column)], "TAG_MATCH(tags, 'vip & ev')").await,
        ["true", "true", "true", "true", "true", "false", "false", "false"]
    );
}

#[tokio::test]
async fn the_values_of_a_map_are_compared_in_their_own_form() {
    let keys = [Some(vec!["score", "level"]), Some(vec!["score"]), None, Some(vec![])];
    let columns: [(ArrayRef, &str); 5] = [
        (Arc::new(Int64Array::from(vec![Some(1000), Some(1), None])), "score >= 1000"),
        (Arc::new(Float64Array::from(vec![Some(1000.5), Some(1.0), Some(-1e300)])), "score > 1000.25"),
        (Arc::new(StringArray::from(vec![Some("1000"), Some("1"), Some("much")])), "score >= 1000"),
        (Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(false)])), "score = \"true\""),
        (
            datafusion::arrow::compute::cast(
                &Int64Array::from(vec![Some(1000), Some(1), None]),
                &DataType::Decimal128(12, 2),
            )
            .unwrap(),
            "score >= 1000 & score < 1000.01",
        ),
    ];
    for (values, expression) in columns {
        let map = maps(&keys, values);
        let kind = map.data_type().clone();
        let answered = answers(vec![("tags", Arc::clone(&map))], &format!("TAG_MATCH(tags, '{expression}')")).await;
        assert_eq!(answered, ["true", "false", "NULL", "false"], "{expression} on {kind}");
        let has_key = answers(vec![("tags", map)], "TAG_MATCH(tags, 'score')").await;
        assert_eq!(has_key, ["true", "true", "NULL", "false"], "a key without a value is a tag: {kind}");
    }
    assert_eq!(
        rows_of("SELECT TAG_MATCH(make_map('score', 45, 'level', 3), 'score >= 30 & level < 4 & score:45')").await,
        ["true"]
    );
}

#[tokio::test]
async fn case_matters_unless_told_otherwise() {
    let rows = [row(&["VIP"]), row(&["vip"]), row(&["ÉTÉ"]), row(&["other"])];
    for (encoding, column) in every_encoding(&rows) {
        let call = "TAG_MATCH(tags, 'Vip | été', ci => true)";
        assert_eq!(
            answers(vec![("tags", Arc::clone(&column))], call).await,
            ["true", "true", "true", "false"],
            "{encoding}"
        );
        let exact = answers(vec![("tags", column)], "TAG_MATCH(tags, 'Vip | été', ci => false)").await;
        assert_eq!(exact, ["false"; 4], "{encoding}");
    }
}

#[tokio::test]
async fn every_row_may_bring_its_own_expression() {
    let rows = [row(&["a"]), row(&["a"]), row(&["b"]), None, row(&["B"]), row(&["c"])];
    let texts = [Some("a"), Some("!a"), Some("a | b"), Some("a"), Some("b"), None];
    let expressions: [ArrayRef; 3] = [
        Arc::new(StringViewArray::from_iter(texts)),
        Arc::new(StringArray::from_iter(texts)),
        datafusion::arrow::compute::cast(
            &StringArray::from_iter(texts),
            &DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
        )
        .unwrap(),
    ];
    for expressions in expressions {
        for (encoding, column) in every_encoding(&rows) {
            let columns = || vec![("tags", Arc::clone(&column)), ("expression", Arc::clone(&expressions))];
            let answered = answers(columns(), "TAG_MATCH(tags, expression)").await;
            assert_eq!(answered, ["true", "false", "true", "NULL", "false", "NULL"], "{encoding}");
            let ignoring_case = answers(columns(), "TAG_MATCH(tags, expression, ci => true)").await;
            assert_eq!(ignoring_case, ["true", "false", "true", "NULL", "true", "NULL"], "{encoding}");
            let constant_tags = answers(columns(), "TAG_MATCH(ARRAY['b'], expression)").await;
            assert_eq!(constant_tags, ["false", "true", "true", "false", "true", "NULL"], "{encoding}");
        }
    }
}

#[tokio::test]
async fn more_conditions_than_bits_of_a_word_are_judged_as_few_are() {
    let many: Vec<String> = (0..200).map(|n| format!("tag_{n}")).collect();
    let rows = [row(&["tag_3", "tag_199"]), row(&["tag_3"]), None, row(&["tag_200"]), Some(vec![None, Some("tag_64")])];
    for (encoding, column) in every_encoding(&rows) {
        let any = format!("TAG_MATCH(tags, 'any({})')", many.join(", "));
        let answered = answers(vec![("tags", Arc::clone(&column))], &any).await;
        assert_eq!(answered, ["true", "true", "NULL", "false", "true"], "{encoding}");
        let two = format!("TAG_MATCH(tags, 'at_least(2, {})')", many.join(", "));
        let answered = answers(vec![("tags", column)], &two).await;
        assert_eq!(answered, ["true", "false", "NULL", "false", "false"], "{encoding}");
    }
}

#[tokio::test]
async fn an_expression_that_is_always_true_asks_only_whether_there_are_tags() {
    let rows = [row(&["a"]), None, row(&[])];
    for (encoding, column) in every_encoding(&rows) {
        let always = answers(vec![("tags", Arc::clone(&column))], "TAG_MATCH(tags, 'a | !a')").await;
        assert_eq!(always, ["true", "NULL", "true"], "{encoding}");
        let never = answers(vec![("tags", column)], "TAG_MATCH(tags, 'a & !a')").await;
        assert_eq!(never, ["false", "NULL", "false"], "{encoding}");
    }
}

#[tokio::test]
async fn constants_are_folded_in_the_plan() {
    let context = context();
    let batch = RecordBatch::try_from_iter([("tags", lists(&[row(&["a"])]))]).unwrap();
    assert!(!batch.schema().field(0).is_nullable());
    context.register_batch("t", batch).unwrap();
    let folded =
        plan(&context, "SELECT TAG_MATCH(ARRAY['vip'], 'vip - ev') AS known, TAG_MATCH(tags, 'a | !a') AS sure FROM t")
            .await;
    assert!(folded.contains("true as known") && folded.contains("true as sure"), "{folded}");
    let shown = plan(&context, "SELECT TAG_MATCH(tags, 'vip - ev') FROM t").await;
    assert!(shown.contains("tag_match(tags@0, vip - ev)"), "plans show the expression: {shown}");
}

#[tokio::test]
async fn a_parameter_is_an_expression_too() {
    let context = context();
    context
        .register_batch("t", RecordBatch::try_from_iter([("tags", lists(&[row(&["vip", "ev"])]))]).unwrap())
        .unwrap();
    let answer = async |expression: ScalarValue, ci: ScalarValue| {
        let frame = tributary_udfs::sql(&context, "SELECT TAG_MATCH(tags, $1, ci => $2) FROM t").await.unwrap();
        Ok::<_, datafusion::error::DataFusionError>(
            frame.with_param_values(vec![expression, ci])?.collect().await?.iter().flat_map(lines).collect::<Vec<_>>(),
        )
    };
    assert_eq!(answer("vip & ev".into(), false.into()).await.unwrap(), ["true"]);
    assert_eq!(answer("VIP & EV".into(), false.into()).await.unwrap(), ["false"]);
    assert_eq!(answer("VIP & EV".into(), true.into()).await.unwrap(), ["true"]);
    assert_eq!(answer("VIP & EV".into(), "true".into()).await.unwrap(), ["true"], "as drivers send untyped values");
    let told = async |expression: ScalarValue, ci: ScalarValue| {
        let error = answer(expression, ci).await.unwrap_err();
        tributary_udfs::UserError::find(&error).unwrap_or_else(|| panic!("{error}")).message.clone()
    };
    assert_eq!(
        told("vip &".into(), false.into()).await,
        "tag_match: argument 'expression', at character 6: expected a tag, found the end of the expression, in 'vip &'"
    );
    assert_eq!(
        told(ScalarValue::Utf8(None), false.into()).await,
        "tag_match: argument 'expression' must be text, got NULL"
    );
    assert_eq!(
        told("vip".into(), ScalarValue::Boolean(None)).await,
        "tag_match: argument 'ci' must be true or false, got NULL"
    );
}

#[tokio::test]
async fn it_works_where_only_the_function_is_registered() {
    let context = SessionContext::new();
    context.register_udf(tributary_udfs::tag_match().as_ref().clone());
    let sql = "SELECT tag_match(tags, 'a - b'), tag_match(tags, 'A', named_struct('ci', true)), tag_match(tags, e) \
               FROM (VALUES (ARRAY['a'], 'b'), (ARRAY['a', 'b'], 'b'), (NULL, 'b')) AS t(tags, e)";
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    assert_eq!(
        batches.iter().flat_map(lines).collect::<Vec<_>>(),
        ["true | true | false", "false | true | true", "NULL | NULL | NULL"]
    );
    let error = context.sql("SELECT tag_match(ARRAY['a'], 'a &')").await.unwrap().collect().await.unwrap_err();
    assert_eq!(tributary_udfs::UserError::find(&error).map(|error| error.sqlstate), Some("22023"), "{error}");
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

#[tokio::test]
async fn the_twin_in_plain_sql_gives_the_same_answers() {
    let tags = lists(&[
        row(&["vip", "auto"]),
        row(&["vip", "ev", "auto"]),
        row(&["vip", "ev", "churn_risk"]),
        row(&["vip"]),
        row(&["ev"]),
        row(&[]),
        None,
        row(&["churn_risk"]),
    ]);
    let people: ArrayRef = Arc::new(Int64Array::from_iter_values(0..8));
    let context = context();
    let batch = RecordBatch::try_from_iter([("user_id", people), ("tags", tags)]).unwrap();
    context.register_batch("events", batch).unwrap();
    let ours = rows(
        &context,
        "SELECT user_id, TAG_MATCH(tags, 'vip & (auto | ev) & !churn_risk') AS is_wanted FROM events ORDER BY user_id",
    )
    .await;
    let twin = include_str!("../../../sql/plain/tag_match.sql");
    assert_eq!(rows(&context, &format!("SELECT * FROM ({twin}) AS twin ORDER BY user_id")).await, ours);
    assert_eq!(ours.iter().filter(|row| row.ends_with("true")).count(), 2);
}

#[test]
fn random_expressions_agree_with_sets() {
    oracle::check(|expression, rows| {
        let mut answers = vec![];
        for (encoding, column) in every_encoding(rows) {
            let answered = direct(&column, expression);
            answers.push((encoding, answered));
            // The same rows behind others, so that offsets do not begin at zero.
            let doubled = concat(&[&column, &column]).unwrap();
            let second = doubled.slice(column.len(), column.len());
            answers.push(("a slice".to_string(), direct(&second, expression)));
        }
        answers
    });
}

/// The answers of the function itself, without a plan around it.
fn direct(column: &ArrayRef, expression: &str) -> Vec<Option<bool>> {
    use datafusion::arrow::datatypes::Field;
    use datafusion::logical_expr::ScalarFunctionArgs;
    let expression = ScalarValue::from(expression);
    let field = |data_type: DataType| Arc::new(Field::new("argument", data_type, true));
    let answer = tributary_udfs::tag_match()
        .invoke_with_args(ScalarFunctionArgs {
            arg_fields: vec![field(column.data_type().clone()), field(expression.data_type())],
            args: vec![ColumnarValue::Array(Arc::clone(column)), ColumnarValue::Scalar(expression)],
            number_rows: column.len(),
            return_field: field(DataType::Boolean),
            config_options: Arc::default(),
        })
        .unwrap();
    answer.to_array(column.len()).unwrap().as_boolean().iter().collect()
}

#[test]
fn delimited_text_and_lists_tell_the_same() {
    let rows: [Row; 2] = [row(&["a", "b"]), None];
    assert_eq!(delimited(&rows).data_type(), &DataType::Utf8View);
    assert_eq!(direct(&delimited(&rows), "a & b"), direct(&lists(&rows), "a & b"));
}

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
    use std::fmt::Write;
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
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tags/errors.txt");
    if std::env::var_os("TRIBUTARY_BLESS").is_some() {
        std::fs::write(&path, &told).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == told, "errors differ from errors.txt; bless with TRIBUTARY_BLESS=1 and read the diff:\n{told}");
}
