//! TAG_MATCH over every kind of column, with every kind of expression.

mod columns;
mod errors;
mod oracle;
mod plans;

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, StringViewArray,
};
use datafusion::arrow::compute::{cast, concat};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

use crate::support::{context, rows};
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
            cast(&Int64Array::from(vec![Some(1000), Some(1), None]), &DataType::Decimal128(12, 2)).unwrap(),
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
        cast(&StringArray::from_iter(texts), &DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)))
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
