//! Statements that psql 15 and drivers send about the catalogue, planned and run against one.
//!
//! They were recorded against PostgreSQL 15 and lie in `testdata/clients`, one folder per client;
//! psql's has one file per command. `{demo.events}` stands for the id of a relation, `{function funnel}` for that of a function.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{ScalarValue, TableReference};
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as PlannedStatement;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Location;
use tributary_udfs::TributaryDialect;

use super::{json, label, register, rewrite};
use crate::catalog::system::{Activity, CursorInfo, FunctionInfo, PreparedInfo, SessionInfo, SettingInfo, Signal};
use crate::catalog::testing::{TestLake, TestTable};
use crate::catalog::{Catalog, Definition, SessionCatalog, TableSource};
use crate::error::{Error, Result, SqlState};

/// An answer as psql shows it: labels, then rows of text.
#[derive(Debug)]
struct Answer {
    labels: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Answer {
    fn has_row(&self, wanted: &[&str]) -> bool {
        self.rows.iter().any(|row| wanted.iter().zip(row).all(|(wanted, cell)| wanted == cell))
    }
}

#[derive(Debug)]
struct TestSession;

impl SessionInfo for TestSession {
    fn backend_pid(&self) -> i32 {
        4_242
    }

    fn setting(&self, name: &str) -> Option<String> {
        (name == "statement_timeout").then(|| "0".to_owned())
    }

    fn set_setting(&self, name: &str, _: &str, _: bool) -> Result<()> {
        Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\"")))
    }

    fn settings(&self) -> Vec<SettingInfo> {
        vec![SettingInfo {
            name: "statement_timeout".to_owned(),
            value: "0".to_owned(),
            unit: Some("ms"),
            description: "Sets the maximum allowed duration of any statement.".to_owned(),
            context: "user",
            kind: "integer",
            allowed_values: vec![],
            boot_value: "0".to_owned(),
            reset_value: "0".to_owned(),
        }]
    }

    fn activity(&self) -> Vec<Activity> {
        vec![]
    }

    fn prepared_statements(&self) -> Vec<PreparedInfo> {
        vec![]
    }

    fn cursors(&self) -> Vec<CursorInfo> {
        vec![]
    }

    fn is_superuser(&self) -> bool {
        true
    }

    fn signal(&self, _: i32, _: Signal) -> Result<bool> {
        Ok(false)
    }

    fn server_started_at_us(&self) -> i64 {
        1_700_000_000_000_000
    }
}

struct Connection {
    context: SessionContext,
    catalog: SessionCatalog,
    _session: Arc<dyn SessionInfo>,
}

fn events() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("user_id", DataType::Utf8View, true),
        Field::new("event_time", DataType::Timestamp(TimeUnit::Microsecond, None), false),
        Field::new("event", DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), true),
        Field::new("props", DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))), true),
        Field::new("amount", DataType::Decimal128(10, 2), true),
        Field::new("n", DataType::Int64, true),
    ]))
}

impl Connection {
    /// A connection to a server with the given tables in lake `demo`, and the view `public.daily`.
    async fn open(tables: Vec<TestTable>) -> Self {
        let tables = tables.into_iter().map(|table| Arc::new(table) as Arc<dyn TableSource>).collect();
        let functions = tributary_udfs::catalogue().iter().copied().map(FunctionInfo::from).collect();
        let server = Catalog::new(vec![Arc::new(TestLake::new(tables))], functions).expect("the catalogue is built");
        let catalog = SessionCatalog::new(server, "anna", false);
        let mut config = SessionConfig::new();
        SessionCatalog::configure(config.options_mut());
        let builder = SessionStateBuilder::new().with_config(config).with_default_features();
        let context = SessionContext::new_with_state(builder.with_type_planner(Arc::new(json::Types)).build());
        context.register_catalog_list(Arc::new(catalog.clone()));
        let session: Arc<dyn SessionInfo> = Arc::new(TestSession);
        catalog.bind_info(Arc::downgrade(&session));
        catalog.bind_planner(context.state_weak_ref());
        register(&context, &catalog).expect("the functions are registered");
        let connection = Self { context, catalog, _session: session };
        connection.create_view("daily", "SELECT event_time::date AS day, count(*) AS n FROM events GROUP BY 1").await;
        connection
    }

    async fn usual() -> Self {
        let users = Arc::new(Schema::new(vec![
            Field::new("user_id", DataType::Utf8, true),
            Field::new("city", DataType::Utf8, true),
        ]));
        Self::open(vec![
            TestTable { name: "events".to_owned(), columns: Some(events()) },
            TestTable { name: "users".to_owned(), columns: Some(users) },
        ])
        .await
    }

    async fn create_view(&self, name: &str, sql: &str) {
        let Statement::Query(query) = parse(sql) else { panic!("a view is a query") };
        let definition = Definition { text: sql.to_owned(), start: Location::new(1, 1) };
        self.catalog
            .create_view(&TableReference::bare(name), query, vec![], definition, false)
            .await
            .expect("the view is made");
    }

    async fn try_run(&self, sql: &str) -> datafusion::error::Result<Answer> {
        self.try_run_with(sql, vec![]).await
    }

    async fn try_run_with(&self, sql: &str, parameters: Vec<ScalarValue>) -> datafusion::error::Result<Answer> {
        let statement = parse(sql);
        self.catalog.pin();
        let state = self.context.state();
        let plan = state.statement_to_plan(PlannedStatement::Statement(Box::new(statement))).await?;
        let mut frame = self.context.execute_logical_plan(plan).await?;
        if !parameters.is_empty() {
            frame = frame.with_param_values(parameters)?;
        }
        let labels = frame.schema().fields().iter().map(|field| label(field.name()).to_owned()).collect();
        let rows = frame.collect().await?.iter().flat_map(shown_rows).collect();
        Ok(Answer { labels, rows })
    }

    async fn run(&self, sql: &str) -> Answer {
        self.try_run(sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"))
    }

    /// The answers to the statements of a recorded file.
    async fn replay(&self, command: &str) -> Vec<Answer> {
        let mut answers = Vec::new();
        for sql in recorded("psql15", command) {
            answers.push(self.run(&self.with_ids(&sql)).await);
        }
        answers
    }

    /// Puts ids in the place of names in braces.
    fn with_ids(&self, sql: &str) -> String {
        let snapshot = self.catalog.snapshot();
        let mut text = sql.to_owned();
        for relation in snapshot.relations() {
            let name = format!("{{{}.{}}}", relation.name.schema, relation.name.name);
            text = text.replace(&name, &relation.oid.to_string());
        }
        for function in self.catalog.server().system().functions() {
            text = text.replace(&format!("{{function {}}}", function.info.name), &function.oid.to_string());
        }
        text
    }
}

fn parse(sql: &str) -> Statement {
    let mut statements = Parser::parse_sql(&TributaryDialect, sql).unwrap_or_else(|e| panic!("{sql}\n{e}"));
    let mut statement = statements.remove(0);
    rewrite(&mut statement).unwrap_or_else(|error| panic!("{sql}\n{error}"));
    statement
}

fn shown_rows(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default();
    let columns: Vec<ArrayFormatter> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).expect("a column can be shown"))
        .collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|column| column.value(row).to_string()).collect()).collect()
}

fn corpus(client: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/clients").join(client)
}

fn recorded(client: &str, command: &str) -> Vec<String> {
    let file = corpus(client).join(format!("{command}.sql"));
    let text = std::fs::read_to_string(file).expect("the command is recorded");
    text.split(";\n").map(str::trim).filter(|sql| !sql.is_empty()).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_recorded_statement_runs() {
    let connection = Connection::usual().await;
    let mut failures = BTreeMap::new();
    for entry in std::fs::read_dir(corpus("psql15")).expect("the corpus is a folder") {
        let path = entry.expect("the corpus can be listed").path();
        let command = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        for sql in recorded("psql15", &command) {
            if let Err(error) = connection.try_run(&connection.with_ids(&sql)).await {
                failures.entry(command.clone()).or_insert_with(Vec::new).push(format!("{sql}\n  => {error}"));
            }
        }
    }
    // psql shows this error, and so does PostgreSQL: an aggregate has no definition to show.
    let sf = failures.remove("sf").unwrap_or_default();
    assert!(sf.iter().all(|failure| failure.contains("is an aggregate function")), "{sf:?}");
    // These ask for the hidden column that names a row's table, which does not exist here.
    for command in ["dL", "dd"] {
        let known = failures.remove(command).unwrap_or_default();
        assert!(known.iter().all(|failure| failure.contains("tableoid")), "{known:?}");
    }
    let report: Vec<String> =
        failures.iter().map(|(command, errors)| format!("{command}:\n{}", errors.join("\n"))).collect();
    assert!(failures.is_empty(), "{} commands fail\n{}", failures.len(), report.join("\n\n"));
}

#[tokio::test]
async fn d_lists_the_lake_and_public() {
    let connection = Connection::usual().await;
    let answers = connection.replay("d").await;
    assert_eq!(answers[0].labels, ["Schema", "Name", "Type", "Owner"]);
    assert!(answers[0].has_row(&["demo", "events", "table", "tributary"]));
    assert!(answers[0].has_row(&["public", "daily", "view", "tributary"]));
    assert_eq!(answers[0].rows.len(), 3);
}

#[tokio::test]
async fn d_table_lists_columns_with_postgresql_types() {
    let connection = Connection::usual().await;
    let answers = connection.replay("d_events").await;
    assert_eq!(answers[0].rows[0][1..], ["demo", "events"]);
    let columns: Vec<(&str, &str)> = answers[2].rows.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
    let expected = [
        ("user_id", "text"),
        ("event_time", "timestamp without time zone"),
        ("event", "text"),
        ("props", "text[]"),
        ("amount", "numeric(10,2)"),
        ("n", "bigint"),
    ];
    assert_eq!(columns, expected);
    let not_null: Vec<&str> = answers[2].rows.iter().map(|row| row[3].as_str()).collect();
    assert_eq!(not_null, ["false", "true", "false", "false", "false", "false"]);
}

#[tokio::test]
async fn df_shows_what_is_written_about_our_functions() {
    let connection = Connection::usual().await;
    let answers = connection.replay("dfplus_funnel").await;
    let doc = tributary_udfs::catalogue().iter().find(|doc| doc.name == "funnel").expect("funnel is documented");
    let row = &answers[0].rows[0];
    let cell = |name: &str| {
        let index = answers[0].labels.iter().position(|label| label == name).expect("the column is there");
        row[index].clone()
    };
    assert_eq!(cell("Name"), "funnel");
    assert_eq!(cell("Type"), "agg");
    assert_eq!(cell("Result data type"), doc.returns);
    assert_eq!(cell("Argument data types"), doc.arguments_text());
    assert_eq!(cell("Description"), doc.summary);
    let all = connection.replay("df").await;
    assert_eq!(all[0].rows.len(), tributary_udfs::catalogue().len());
}

#[tokio::test]
async fn a_view_shows_its_definition_and_its_columns() {
    let connection = Connection::usual().await;
    let answers = connection.replay("dplus_daily").await;
    let all: Vec<String> = answers.iter().flat_map(|answer| answer.rows.iter().flatten().cloned()).collect();
    assert!(all.iter().any(|cell| cell.contains("SELECT event_time::date AS day")), "{all:?}");
    let columns = answers.iter().find(|answer| answer.has_row(&["day", "date"])).expect("the columns are listed");
    // PostgreSQL promises nothing about NULL in a view's columns, though count(*) is never NULL.
    let not_null = columns.labels.iter().position(|label| label == "attnotnull").expect("psql asks for it");
    assert!(columns.rows.iter().all(|row| row[not_null] == "false"), "{columns:?}");
}

#[tokio::test]
async fn completion_finds_tables_columns_and_settings() {
    let connection = Connection::usual().await;
    assert!(connection.replay("tab_from").await[0].has_row(&["events"]));
    assert!(connection.replay("tab_select_where").await[0].has_row(&["user_id"]));
    assert!(connection.replay("tab_set").await[0].has_row(&["statement_timeout"]));
}

#[tokio::test]
async fn the_search_path_decides_what_is_visible() {
    let connection = Connection::usual().await;
    connection.catalog.set_search_path(vec!["public".to_owned()]);
    let answers = connection.replay("d").await;
    assert!(!answers[0].has_row(&["demo", "events"]));
    assert!(answers[0].has_row(&["public", "daily"]));
    let shown = connection.run("SELECT 'demo.events'::regclass, current_schema(), current_schemas(true)::text").await;
    assert_eq!(shown.labels, ["regclass", "current_schema", "current_schemas"]);
    assert_eq!(shown.rows[0][..2], ["demo.events", "public"]);
    let error = connection.try_run("SELECT * FROM events").await.expect_err("events is not on the path");
    assert!(error.to_string().contains("not found"), "{error}");
}

#[tokio::test]
async fn a_table_that_cannot_be_read_disturbs_only_itself() {
    let connection = Connection::open(vec![
        TestTable { name: "events".to_owned(), columns: Some(events()) },
        TestTable { name: "broken".to_owned(), columns: None },
    ])
    .await;
    let answers = connection.replay("d").await;
    assert!(answers[0].has_row(&["demo", "broken", "table"]));
    let oid = connection.catalog.snapshot().relation("demo", "broken").map(|relation| relation.oid).unwrap_or_default();
    let error = connection
        .try_run(&format!("SELECT attname FROM pg_attribute WHERE attrelid = '{oid}'"))
        .await
        .expect_err("its columns are not known");
    assert!(error.to_string().contains("/lake/demo/broken.parquet"), "{error}");
    let columns = connection.run("SELECT count(*) FROM information_schema.columns WHERE table_name = 'events'").await;
    assert_eq!(columns.rows[0], ["6"]);
}

#[tokio::test]
async fn d_answers_at_a_thousand_tables() {
    let tables = (0..1_000).map(|index| TestTable { name: format!("events_{index}"), columns: Some(events()) });
    let tables = tables.chain([
        TestTable { name: "events".to_owned(), columns: Some(events()) },
        TestTable { name: "broken".to_owned(), columns: None },
    ]);
    let connection = Connection::open(tables.collect()).await;
    // The first question of a process pays for pages and caches.
    connection.replay("d").await;
    let started = Instant::now();
    let answers = connection.replay("d").await;
    let listing_ms = started.elapsed().as_millis();
    assert_eq!(answers[0].rows.len(), 1_003);
    let started = Instant::now();
    connection.replay("d_events").await;
    println!("\\d: {listing_ms} ms, \\d events: {} ms", started.elapsed().as_millis());
}

/// The questions of a driver's session; transactions and settings are the session's.
fn questions(client: &str) -> Vec<String> {
    let is_question = |sql: &String| ["SELECT", "WITH"].iter().any(|word| sql.to_uppercase().starts_with(word));
    let about_settings = |sql: &String| sql.contains("set_config") || sql.contains("pg_advisory_unlock_all");
    recorded(client, "session").into_iter().filter(|sql| is_question(sql) && !about_settings(sql)).collect()
}

#[tokio::test]
async fn sqlalchemy_reflects_tables_and_views() {
    let connection = Connection::usual().await;
    let mut answers = Vec::new();
    for sql in questions("sqlalchemy") {
        answers.push(connection.run(&connection.with_ids(&sql)).await);
    }
    let columns = answers.iter().find(|answer| answer.labels.iter().any(|label| label == "format_type"));
    let columns = columns.expect("it asks for columns");
    assert!(columns.has_row(&["event_time", "timestamp without time zone"]), "{columns:?}");
    assert!(columns.has_row(&["amount", "numeric(10,2)"]), "{columns:?}");
    let domains = connection.run("SELECT count(*) FROM pg_type WHERE typtype = 'd' AND pg_type_is_visible(oid)").await;
    assert_eq!(domains.rows, [["0"]]);
}

#[tokio::test]
async fn asyncpg_learns_of_types_without_codec() {
    let connection = Connection::usual().await;
    let sql = questions("asyncpg").into_iter().find(|sql| sql.contains("typeinfo_tree")).expect("it asks for types");
    let asked = [1_007, 2_287].map(|oid| ScalarValue::Int32(Some(oid)));
    let asked = ScalarValue::List(ScalarValue::new_list(&asked, &DataType::Int32, true));
    let answer = connection.try_run_with(&sql, vec![asked]).await.expect("the question is answered");
    assert_eq!(answer.labels[..3], ["oid", "ns", "name"]);
    let names: Vec<&str> = answer.rows.iter().map(|row| row[2].as_str()).collect();
    assert_eq!(names.len(), 4, "{answer:?}");
    assert!(["_int4", "int4", "_record", "record"].iter().all(|name| names.contains(name)), "{names:?}");
}

#[tokio::test]
async fn psycopg_finds_a_type_by_name() {
    let connection = Connection::usual().await;
    let sql = questions("psycopg3").into_iter().find(|sql| sql.contains("array_oid")).expect("it asks for a type");
    let answer = connection.try_run_with(&sql, vec![ScalarValue::from("int4")]).await.expect("the type is found");
    assert_eq!(answer.rows, [["int4", "23", "1007", "integer", ","]]);
}

#[tokio::test]
async fn everyday_queries_keep_their_meaning_and_get_their_names() {
    let connection = Connection::usual().await;
    let given: [(&str, &[&str]); 22] = [
        ("SELECT event, count(*) FROM events GROUP BY event ORDER BY count(*) DESC, event", &["event", "count"]),
        ("SELECT DISTINCT lower(event) FROM events ORDER BY lower(event)", &["lower"]),
        ("SELECT 1, 1, 1::bigint, 1::smallint", &["?column?", "?column?", "int8", "int2"]),
        ("SELECT count(*), count(*) FROM events", &["count", "count"]),
        ("SELECT e.n, e.n, e.* FROM (SELECT n FROM events) e", &["n", "n", "n"]),
        ("SELECT a.n, b.n FROM events a JOIN events b ON a.user_id = b.user_id ORDER BY b.n", &["n", "n"]),
        ("SELECT count FROM (SELECT count(*) FROM events) s", &["count"]),
        ("WITH x AS (SELECT max(n) FROM events) SELECT max FROM x", &["max"]),
        (
            "SELECT event_time::date, count(*) FROM events GROUP BY event_time::date ORDER BY 1",
            &["event_time", "count"],
        ),
        ("SELECT event_time::date FROM events e ORDER BY e.event_time", &["event_time"]),
        (
            "SELECT event_time::date AS d, count(*) FROM events GROUP BY d HAVING count(*) > 0 ORDER BY d",
            &["d", "count"],
        ),
        ("SELECT max(n) FROM events GROUP BY event HAVING max(n) > 1", &["max"]),
        ("SELECT count(*) FROM (SELECT 1 AS count) s GROUP BY count HAVING sum(count) > 0", &["count"]),
        ("SELECT lower(event) FROM events UNION SELECT 'a' ORDER BY 1", &["lower"]),
        ("SELECT x FROM generate_series(1, 3) AS t(x) FETCH FIRST 2 ROWS ONLY", &["x"]),
        (
            "SELECT user_id, row_number() OVER (PARTITION BY user_id ORDER BY event_time) FROM events",
            &["user_id", "row_number"],
        ),
        (
            "SELECT current_user, current_schema, pg_backend_pid()",
            &["current_user", "current_schema", "pg_backend_pid"],
        ),
        ("SELECT n, (SELECT city FROM users u WHERE u.user_id = e.user_id) FROM events e", &["n", "city"]),
        ("SELECT n FROM events WHERE event = ANY('{a,b}') OR event <> ALL(ARRAY['a'])", &["n"]),
        (
            "SELECT array_agg(n ORDER BY n), ARRAY(SELECT city FROM users ORDER BY 1) FROM events",
            &["array_agg", "array"],
        ),
        ("SELECT n FROM events WHERE event LIKE 'a/_%' ESCAPE '/' ORDER BY event COLLATE \"C\"", &["n"]),
        (
            "SELECT pg_size_pretty(123456789), format_type(1700, 655366), 'events'::regclass::oid > 0",
            &["pg_size_pretty", "format_type", "?column?"],
        ),
    ];
    for (sql, labels) in given {
        assert_eq!(connection.run(sql).await.labels, labels, "{sql}");
    }
    let shown =
        connection.run("SELECT current_user, current_schema, pg_backend_pid(), format_type(1700, 655366)").await;
    assert_eq!(shown.rows, [["anna", "demo", "4242", "numeric(10,2)"]]);
    let two = connection.run("SELECT x FROM generate_series(1, 3) AS t(x) FETCH FIRST 2 ROWS ONLY").await;
    assert_eq!(two.rows.len(), 2);
}

#[tokio::test]
async fn a_scalar_subquery_with_two_rows_fails_as_in_postgresql() {
    let connection = Connection::usual().await;
    let sql = "SELECT (SELECT y FROM (VALUES (1, 1), (1, 2)) u(x, y) WHERE u.x = t.x) FROM (VALUES (1)) t(x)";
    let error = connection.try_run(sql).await.expect_err("there are two rows");
    assert!(error.to_string().contains("more than one row returned by a subquery used as an expression"), "{error}");
    let one = "SELECT (SELECT y FROM (VALUES (1, 7), (2, 8)) u(x, y) WHERE u.x = t.x) AS y FROM (VALUES (1), (3)) t(x) ORDER BY t.x";
    let answer = connection.run(one).await;
    assert_eq!(answer.rows, [["7"], [""]]);
}
