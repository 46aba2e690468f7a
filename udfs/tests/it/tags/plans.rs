//! The call in a plan: constants, parameters, other programs, and plain SQL beside it.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;

use super::columns::{lists, row};
use crate::support::{context, lines, plan, rows};

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
    let twin = include_str!("../../../../sql/plain/tag_match.sql");
    assert_eq!(rows(&context, &format!("SELECT * FROM ({twin}) AS twin ORDER BY user_id")).await, ours);
    assert_eq!(ours.iter().filter(|row| row.ends_with("true")).count(), 2);
}
