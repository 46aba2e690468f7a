//! A key that unnest repeats is not unique: answers above unnest are those above a table of the same rows.

use std::sync::Arc;

use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;

use crate::support::{context, plan, register, rows};

const MINUTE: i64 = 60_000_000;
const VISITS: &str = "(SELECT user_id, s.session_no AS n, s.event_count AS c FROM (SELECT user_id, \
                      unnest(sessions(event_time, '30 minutes')) AS s FROM events GROUP BY user_id) AS unnested)";

/// Three users: two with three sessions, one with one; the table `visits_table` has the rows of [`VISITS`].
async fn visited() -> SessionContext {
    let context = context();
    let events = [(1, 0), (1, 5), (1, 60), (1, 120), (2, 0), (2, 60), (2, 65), (2, 70), (2, 180), (3, 0), (3, 1)];
    let events: Vec<_> = events.into_iter().map(|(user, minute)| (user, Some(minute * MINUTE), Some("view"))).collect();
    register(&context, &events, 2);
    let batches = tributary_udfs::sql(&context, VISITS).await.unwrap().collect().await.unwrap();
    let table = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
    context.register_table("visits_table", Arc::new(table)).unwrap();
    rows(&context, &format!("CREATE VIEW visits_view AS {VISITS}")).await;
    let copied = rows(&context, "SELECT * FROM visits_table ORDER BY 2, 1").await;
    assert_eq!(copied, ["1 | 1 | 2", "2 | 1 | 1", "3 | 1 | 2", "1 | 2 | 1", "2 | 2 | 3", "1 | 3 | 1", "2 | 3 | 1"]);
    context
}

/// Asserts that a query over `{v}` answers the same whatever the visits come from.
async fn agrees(context: &SessionContext, query: &str, is_ordered: bool) {
    let answer = async |sql: String| {
        let mut answer = rows(context, &sql).await;
        if !is_ordered {
            answer.sort();
        }
        answer
    };
    let expected = answer(query.replace("{v}", "visits_table")).await;
    assert!(!expected.is_empty(), "{query}");
    for visits in [VISITS, "visits_view", "(SELECT * FROM visits_view)", "(SELECT * FROM visits_view ORDER BY user_id)"]
    {
        assert_eq!(answer(query.replace("{v}", visits)).await, expected, "{query} over {visits}");
    }
    let cte = format!("WITH visits AS {VISITS} {}", query.replace("{v}", "visits"));
    assert_eq!(answer(cte).await, expected, "{query} over a CTE");
}

#[tokio::test]
async fn distinct_users_come_once() {
    let context = visited().await;
    assert_eq!(
        rows(&context, &format!("SELECT DISTINCT user_id FROM {VISITS} AS v ORDER BY 1")).await,
        ["1", "2", "3"]
    );
    for query in [
        "SELECT DISTINCT user_id FROM {v} AS v",
        "SELECT DISTINCT user_id, n > 1 FROM {v} AS v",
        "SELECT count(*) FROM (SELECT DISTINCT user_id FROM {v} AS v) AS users",
        "SELECT count(DISTINCT user_id), count(*), count(DISTINCT n) FROM {v} AS v",
        "SELECT user_id FROM {v} AS v UNION SELECT user_id FROM {v} AS w",
        "SELECT user_id FROM {v} AS v INTERSECT SELECT user_id FROM {v} AS w",
    ] {
        agrees(&context, query, false).await;
    }
    agrees(&context, "SELECT DISTINCT ON (user_id) user_id, n FROM {v} AS v ORDER BY user_id, n DESC", true).await;
    let beside = "SELECT DISTINCT user_id, unnest(sessions(event_time, '30 minutes')) IS NULL FROM events GROUP BY user_id ORDER BY 1";
    assert_eq!(rows(&context, beside).await, ["1 | false", "2 | false", "3 | false"]);
}

#[tokio::test]
async fn groups_are_by_what_is_written() {
    let context = visited().await;
    for query in [
        "SELECT user_id FROM {v} AS v GROUP BY user_id",
        "SELECT user_id, count(*), max(n), sum(c) FROM {v} AS v GROUP BY user_id",
        "SELECT user_id, count(*) FROM {v} AS v GROUP BY user_id HAVING count(*) > 1",
        "SELECT user_id, n, sum(c) FROM {v} AS v GROUP BY user_id, n",
        "SELECT user_id FROM {v} AS v GROUP BY user_id, n",
        "SELECT count(*) FROM (SELECT user_id, n FROM {v} AS v GROUP BY user_id, n) AS groups",
        "SELECT sum(c) FROM {v} AS v GROUP BY user_id, n > 1",
        "SELECT user_id, n, count(*) FROM {v} AS v GROUP BY ROLLUP (user_id, n)",
        "SELECT x, count(*) FROM (SELECT user_id AS x, n + c AS y FROM {v} AS v WHERE n < 3) AS w GROUP BY x",
        "SELECT (SELECT count(*) FROM (SELECT user_id FROM {v} AS v GROUP BY user_id) AS groups) AS users, 1",
    ] {
        agrees(&context, query, false).await;
    }
}

#[tokio::test]
async fn every_key_of_an_order_counts() {
    let context = visited().await;
    for query in [
        "SELECT user_id, n FROM {v} AS v ORDER BY user_id, n DESC",
        "SELECT user_id, c, n FROM {v} AS v ORDER BY user_id DESC, c DESC, n",
        "SELECT n FROM {v} AS v ORDER BY user_id, n DESC LIMIT 4",
        "SELECT user_id, n FROM {v} AS v ORDER BY user_id, n DESC OFFSET 1 LIMIT 2",
        "SELECT user_id, array_agg(n ORDER BY user_id, n DESC) FROM {v} AS v GROUP BY user_id ORDER BY 1",
    ] {
        agrees(&context, query, true).await;
    }
    // The order stands beside the unnest.
    let sql = "SELECT user_id, unnest(sessions(event_time, '30 minutes'))['session_no'] AS n FROM events \
               GROUP BY user_id ORDER BY user_id, n DESC";
    assert_eq!(rows(&context, sql).await, ["1 | 3", "1 | 2", "1 | 1", "2 | 3", "2 | 2", "2 | 1", "3 | 1"]);
}

#[tokio::test]
async fn joins_and_subqueries_see_every_row() {
    let context = visited().await;
    for query in [
        "SELECT a.user_id, a.n, b.n FROM {v} AS a JOIN {v} AS b ON a.user_id = b.user_id",
        "SELECT a.user_id, count(*) FROM {v} AS a JOIN {v} AS b ON a.user_id = b.user_id GROUP BY a.user_id",
        "SELECT DISTINCT a.user_id FROM {v} AS a LEFT JOIN {v} AS b ON a.user_id = b.user_id AND b.n > a.n",
        "SELECT a.user_id, a.n FROM {v} AS a LEFT JOIN {v} AS b ON a.user_id = b.user_id",
        "SELECT e.user_id, v.n FROM events AS e LEFT JOIN {v} AS v ON e.user_id = v.user_id",
        "SELECT e.user_id, count(*) FROM events AS e JOIN {v} AS v USING (user_id) GROUP BY e.user_id",
        "SELECT u.user_id, count(v.n) FROM (SELECT DISTINCT user_id FROM events) AS u, {v} AS v \
         WHERE u.user_id = v.user_id GROUP BY u.user_id",
        "SELECT count(*) FROM events WHERE user_id IN (SELECT user_id FROM {v} AS v WHERE n > 1)",
        "SELECT user_id, (SELECT max(n) FROM {v} AS v WHERE v.user_id = e.user_id) FROM events AS e",
        "SELECT count(*) FROM events AS e WHERE NOT EXISTS (SELECT 1 FROM {v} AS v WHERE v.user_id = e.user_id AND n = 2)",
        "SELECT count(*) FROM events WHERE user_id = (SELECT max(user_id) FROM (SELECT user_id FROM {v} AS v GROUP BY user_id) AS g)",
    ] {
        agrees(&context, query, false).await;
    }
}

#[tokio::test]
async fn windows_see_ties() {
    let context = visited().await;
    for query in [
        "SELECT user_id, sum(c) OVER (ORDER BY user_id) FROM {v} AS v",
        "SELECT user_id, n, rank() OVER (ORDER BY user_id), row_number() OVER (ORDER BY user_id, n DESC) FROM {v} AS v",
        "SELECT user_id, n, lag(n) OVER (PARTITION BY user_id ORDER BY n) FROM {v} AS v",
        "SELECT DISTINCT user_id, count(*) OVER (PARTITION BY user_id) FROM {v} AS v",
    ] {
        agrees(&context, query, false).await;
    }
}

#[tokio::test]
async fn an_unnest_over_an_unnest_repeats_both_keys() {
    let context = visited().await;
    let nested = |visits: &str| {
        format!(
            "(SELECT user_id, k, unnest(generate_series(1, k)) AS i FROM (SELECT user_id, unnest(array_agg(c)) AS k \
             FROM {visits} AS v GROUP BY user_id) AS w)"
        )
    };
    for query in [
        "SELECT DISTINCT user_id FROM {n} AS x",
        "SELECT user_id, count(*), sum(i) FROM {n} AS x GROUP BY user_id",
        "SELECT user_id FROM {n} AS x GROUP BY user_id, k",
        "SELECT count(*) FROM (SELECT user_id, i FROM {n} AS x GROUP BY user_id, i) AS y",
    ] {
        agrees(&context, &query.replace("{n}", &nested("{v}")), false).await;
    }
}

#[tokio::test]
async fn unnest_of_other_aggregates_and_after_distinct_is_mended_too() {
    let context = visited().await;
    let lists = "(SELECT user_id, unnest(array_agg(event_time)) AS t FROM events GROUP BY user_id)";
    assert_eq!(
        rows(&context, &format!("SELECT user_id, count(*) FROM {lists} AS x GROUP BY user_id ORDER BY 1")).await,
        ["1 | 4", "2 | 5", "3 | 2"]
    );
    let distinct = "(SELECT user_id, unnest(ARRAY[1, 2]) AS t FROM (SELECT DISTINCT user_id FROM events) AS users)";
    assert_eq!(
        rows(&context, &format!("SELECT DISTINCT user_id FROM {distinct} AS x ORDER BY 1")).await,
        ["1", "2", "3"]
    );
}

#[tokio::test]
async fn a_key_that_is_unique_stays_so() {
    let context = visited().await;
    // Grouped again above the unnest, a user is unique, and the second key of an order is for nothing.
    let sql = format!(
        "SELECT user_id, sessions FROM (SELECT user_id, count(*) AS sessions FROM {VISITS} AS v GROUP BY user_id) AS u \
         ORDER BY user_id, sessions"
    );
    let planned = plan(&context, &sql).await;
    assert!(planned.contains("SortExec: expr=[user_id@0 ASC NULLS LAST]"), "{planned}");
    assert_eq!(rows(&context, &sql).await, ["1 | 3", "2 | 3", "3 | 1"]);
}

#[tokio::test]
async fn filters_columns_and_limits_go_through() {
    let context = visited().await;
    let planned = plan(&context, &format!("SELECT n FROM {VISITS} AS v WHERE user_id = 2 AND n > 1 LIMIT 5")).await;
    let line = |wanted: &str| planned.lines().position(|line| line.contains(wanted));
    assert!(line("user_id@0 = 2") > line("AggregateExec"), "users are chosen before they are aggregated: {planned}");
    assert!(line("UnnestExec") < line("AggregateExec") && line("UnnestExec").is_some(), "{planned}");
    assert!(!planned.contains("ManyRows"), "{planned}");
}

/// DataFusion takes correlated queries apart and looks below no node that it does not know: these are left to it.
#[tokio::test]
async fn an_unnest_over_columns_of_an_outer_query_is_left_alone() {
    let context = visited().await;
    let users = "(VALUES (1), (2)) AS u(id)";
    let list = "SELECT e.user_id, unnest(sessions(event_time, '30 minutes')) AS s FROM events AS e \
                WHERE e.user_id = u.id GROUP BY e.user_id";
    let exists = format!("SELECT id FROM {users} WHERE EXISTS (SELECT 1 FROM ({list}) AS l WHERE l.s.event_count = 3)");
    assert_eq!(rows(&context, &exists).await, ["2"]);
    let lateral = format!("SELECT id, l.s.session_no FROM {users}, LATERAL ({list}) AS l ORDER BY id, l.s.session_no");
    assert_eq!(rows(&context, &lateral).await, ["1 | 1", "1 | 2", "1 | 3", "2 | 1", "2 | 2", "2 | 3"]);
    let counted = format!("SELECT id, count(*) FROM {users}, LATERAL ({list}) AS l GROUP BY id ORDER BY id");
    assert_eq!(rows(&context, &counted).await, ["1 | 1", "2 | 1"], "DataFusion's answer; right is 3 for both");
}
