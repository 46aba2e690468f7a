//! A DataFusion program that registers the functions and nothing else.

use datafusion::prelude::SessionContext;

use crate::support::lines;

#[tokio::test]
async fn positional_calls_work_where_only_the_functions_are_registered() {
    let context = SessionContext::new();
    for function in tributary_udfs::aggregates() {
        context.register_udaf(function.as_ref().clone());
    }
    let sql = "SELECT u, funnel(t, '1 day', e = 'a', e = 'b'), \
               funnel(t, INTERVAL '1 day', named_struct('mode', 'strict_order'), e = 'a', e = 'b') \
               FROM (VALUES (1, timestamp '2026-03-01 00:00:00', 'a'), (1, timestamp '2026-03-01 00:01:00', 'x'), \
               (1, timestamp '2026-03-01 00:02:00', 'b')) AS events(u, t, e) GROUP BY u";
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    assert_eq!(batches.iter().flat_map(lines).collect::<Vec<_>>(), ["1 | 2 | 1"]);
}

#[tokio::test]
async fn a_window_call_is_refused_there_too() {
    let context = SessionContext::new();
    context.register_udaf(tributary_udfs::funnel().as_ref().clone());
    let sql = "SELECT funnel(t, '1 day', e = 'a') OVER () FROM (VALUES (now(), 'a')) AS events(t, e)";
    let error = match context.sql(sql).await {
        Ok(frame) => frame.collect().await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(tributary_udfs::UserError::find(&error).map(|error| error.sqlstate), Some("0A000"), "{error}");
}
