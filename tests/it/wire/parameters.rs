//! Types of parameters that nobody declares: what PostgreSQL infers from where they stand, and the answers with values.

use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::server::Server;

/// Statements, and what `pg_prepared_statements` of PostgreSQL 15 has as the types of their parameters.
const CASES: &[(&str, &[Type])] = &[
    ("SELECT round($1, 2)", &[Type::NUMERIC]),
    ("SELECT round(x, $1) FROM (VALUES (1.5::numeric)) AS t (x)", &[Type::INT4]),
    ("SELECT trunc($1, $2)", &[Type::NUMERIC, Type::INT4]),
    ("SELECT sqrt($1), power($2, $3), round($4)", &[Type::FLOAT8, Type::FLOAT8, Type::FLOAT8, Type::FLOAT8]),
    ("SELECT lag(x, $1) OVER (ORDER BY x) FROM (VALUES (1)) AS t (x)", &[Type::INT4]),
    ("SELECT lead(x, $1, $2) OVER (ORDER BY x) FROM (VALUES (1::bigint)) AS t (x)", &[Type::INT4, Type::INT8]),
    (
        "SELECT ntile($1) OVER (ORDER BY x), nth_value(x, $2) OVER (ORDER BY x) FROM (VALUES (1)) AS t (x)",
        &[Type::INT4, Type::INT4],
    ),
    ("SELECT percentile_cont($1) WITHIN GROUP (ORDER BY x) FROM (VALUES (1.0::float8)) AS t (x)", &[Type::FLOAT8]),
    ("SELECT substr($1, $2, $3)", &[Type::TEXT, Type::INT4, Type::INT4]),
    (
        "SELECT left($1, $2), lpad($3, $4, $5), split_part($6, $7, $8)",
        &[Type::TEXT, Type::INT4, Type::TEXT, Type::INT4, Type::TEXT, Type::TEXT, Type::TEXT, Type::INT4],
    ),
    ("SELECT a[$1] FROM (VALUES (ARRAY[1, 2])) AS t (a)", &[Type::INT4]),
    (
        "SELECT x = ALL($1), x <> ALL($2), x > ANY($3) FROM (VALUES (1::bigint)) AS t (x)",
        &[Type::INT8_ARRAY, Type::INT8_ARRAY, Type::INT8_ARRAY],
    ),
    ("SELECT x = ALL($1) FROM (VALUES ('a')) AS t (x)", &[Type::TEXT_ARRAY]),
    ("SELECT $1 = ANY(a), array_append(a, $2) FROM (VALUES (ARRAY['a'])) AS t (a)", &[Type::TEXT, Type::TEXT]),
    (
        "SELECT $1 = ANY(a), array_position(a, $2) FROM (VALUES (ARRAY[1.5::float8])) AS t (a)",
        &[Type::FLOAT8, Type::FLOAT8],
    ),
    ("SELECT a[$1:$2], array_length(a, $3) FROM (VALUES (ARRAY['a'])) AS t (a)", &[Type::INT4, Type::INT4, Type::INT4]),
    ("SELECT to_timestamp($1)", &[Type::FLOAT8]),
    (
        "SELECT date_trunc($1, x), to_char(x, $2) FROM (VALUES (timestamp '2026-03-01')) AS t (x)",
        &[Type::TEXT, Type::TEXT],
    ),
    ("SELECT date_bin($1, x, x) FROM (VALUES (timestamp '2026-03-01')) AS t (x)", &[Type::INTERVAL]),
];

#[tokio::test]
async fn types_are_inferred_as_postgresql_infers_them() {
    let server = Server::shared();
    let client = server.connect().await;
    for (sql, types) in CASES {
        let statement = client.prepare(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        assert_eq!(statement.params(), *types, "{sql}");
    }
}

/// The first column of the rows, as text.
async fn answers(client: &Client, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Vec<Option<String>> {
    let sql = format!("SELECT (x)::text FROM ({sql}) AS t (x)");
    let rows = client.query(&sql, values).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn what_they_are_bound_to_counts() {
    let server = Server::shared();
    let client = server.connect().await;
    let some = |texts: &[&str]| texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>();
    let hundred = "(SELECT n::int FROM generate_series(1, 4) AS s (n)) AS v (n)";
    let lag = format!("SELECT lag(n, $1, $2) OVER (ORDER BY n) FROM {hundred}");
    assert_eq!(answers(&client, &lag, &[&2_i32, &-1_i32]).await, some(&["-1", "-1", "1", "2"]));
    let median = format!("SELECT percentile_cont($1) WITHIN GROUP (ORDER BY n::float8) FROM {hundred}");
    assert_eq!(answers(&client, &median, &[&0.25_f64]).await, some(&["1.75"]));
    assert_eq!(answers(&client, "SELECT (ARRAY['a', 'b'])[$1]", &[&2_i32]).await, some(&["b"]));
    assert_eq!(answers(&client, "SELECT left('Longjing', $1)", &[&-4_i32]).await, some(&["Long"]));
    let all = format!("SELECT n <> ALL($1) AND n > ANY($2) FROM {hundred} ORDER BY n");
    assert_eq!(
        answers(&client, &all, &[&vec![1_i32, 3], &vec![2_i32, 9]]).await,
        some(&["false", "false", "false", "true"])
    );
}

#[tokio::test]
async fn object_ids_are_described_as_such() {
    let server = Server::shared();
    let client = server.connect().await;
    let sql = "SELECT oid, relnamespace, oid::text AS shown, oid::oid AS id, oid::int AS number FROM pg_class \
               WHERE relname = 'pg_class' UNION ALL SELECT $1::oid, 1, 'x', 2::oid, 3 ORDER BY number DESC LIMIT 1";
    let statement = client.prepare(sql).await.expect("the statement is right");
    let types: Vec<_> = statement.columns().iter().map(|column| column.type_().clone()).collect();
    assert_eq!(types[2], Type::TEXT);
    assert_eq!((&types[0], &types[3], &types[4]), (&Type::OID, &Type::OID, &Type::INT4));
    assert_eq!(statement.params(), [Type::OID]);
    let row = client.query_one(&statement, &[&7_u32]).await.expect("it runs");
    assert_eq!((row.get::<_, u32>(0), row.get::<_, u32>(3), row.get::<_, i32>(4)), (1259, 1259, 1259));
    let grouped = "SELECT relnamespace::oid, count(*) FROM pg_class WHERE relname = 'pg_class' GROUP BY 1";
    let row = client.query_one(grouped, &[]).await.expect("it runs");
    assert_eq!((row.get::<_, u32>(0), row.get::<_, i64>(1)), (11, 1));
}
