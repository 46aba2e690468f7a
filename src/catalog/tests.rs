//! Sessions over one catalogue: what each sees, and what DDL says.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::TableReference;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Location;

use super::testing::{TestLake, TestTable};
use super::*;
use crate::error::Error;

fn table(name: &str, columns: &[&str]) -> Arc<dyn TableSource> {
    let fields: Vec<Field> = columns.iter().map(|column| Field::new(*column, DataType::Int64, true)).collect();
    Arc::new(TestTable { name: name.to_owned(), columns: Some(Arc::new(Schema::new(fields))) })
}

fn server() -> (Arc<Catalog>, Arc<TestLake>) {
    let lake = Arc::new(TestLake::new(vec![table("events", &["a", "b"])]));
    let server = Catalog::new(vec![Arc::clone(&lake) as _], vec![]).expect("the catalogue is built");
    (server, lake)
}

struct Client {
    context: SessionContext,
    catalog: SessionCatalog,
}

impl Client {
    fn connect(server: &Arc<Catalog>) -> Self {
        Self::connect_as(server, "anna", false)
    }

    fn connect_as(server: &Arc<Catalog>, user: &str, is_superuser: bool) -> Self {
        let catalog = SessionCatalog::new(Arc::clone(server), user, is_superuser);
        let mut config = SessionConfig::new();
        SessionCatalog::configure(config.options_mut());
        let context = SessionContext::new_with_config(config);
        context.register_catalog_list(Arc::new(catalog.clone()));
        catalog.bind_planner(context.state_weak_ref());
        Self { context, catalog }
    }

    async fn view(&self, name: &str, sql: &str, or_replace: bool) -> Result<Vec<Notice>, Error> {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).expect("the view's SQL parses");
        let Statement::Query(query) = statements.remove(0) else { panic!("a view is a query") };
        let name = TableReference::from(name);
        let definition = Definition { text: sql.to_owned(), start: Location::new(1, 1) };
        let made = self.catalog.create_view(&name, query, vec![], definition, or_replace);
        made.await.map_err(|error| match error.find_root() {
            datafusion::error::DataFusionError::External(inner) => {
                inner.downcast_ref::<Error>().cloned().unwrap_or_else(|| panic!("{inner}"))
            }
            other => panic!("{other}"),
        })
    }

    fn drop(&self, name: &str, kind: RelationKind, cascade: bool) -> Result<Vec<Notice>, Error> {
        self.catalog.drop_relation(&TableReference::from(name), kind, false, cascade)
    }

    /// The columns that a query answers, or the error as text.
    async fn columns(&self, sql: &str) -> Result<Vec<String>, String> {
        self.catalog.pin();
        let frame = self.context.sql(sql).await.map_err(|error| error.to_string())?;
        Ok(frame.schema().fields().iter().map(|field| field.name().clone()).collect())
    }
}

fn state(result: Result<Vec<Notice>, Error>) -> &'static str {
    result.expect_err("the change is refused").state.0
}

#[tokio::test]
async fn a_transaction_sees_its_own_view_and_others_see_it_after_commit() {
    let (server, _) = server();
    let (one, two) = (Client::connect(&server), Client::connect(&server));
    one.catalog.begin();
    one.view("v", "SELECT a FROM events", false).await.expect("the view is made");
    assert_eq!(one.columns("SELECT * FROM v").await, Ok(vec!["a".to_owned()]));
    assert!(two.columns("SELECT * FROM v").await.is_err());
    one.catalog.commit().expect("nothing else changed");
    assert_eq!(two.columns("SELECT * FROM public.v").await, Ok(vec!["a".to_owned()]));
}

#[tokio::test]
async fn a_rollback_leaves_nothing() {
    let (server, _) = server();
    let client = Client::connect(&server);
    client.catalog.begin();
    client.view("v", "SELECT a FROM events", false).await.expect("the view is made");
    client.catalog.rollback();
    assert!(client.columns("SELECT * FROM v").await.is_err());
}

#[tokio::test]
async fn a_view_is_shown_with_the_names_that_relations_have_now() {
    let (server, _) = server();
    let client = Client::connect(&server);
    let rename =
        |was: &str, to: &str| client.catalog.rename_relation(&TableReference::from(was), to.to_owned(), None, false);
    let shown = || {
        let relation = client.catalog.resolve(&TableReference::from("reader")).expect("the view is there");
        super::system::view_definition(&relation).expect("it is a view")
    };
    client.view("v", "SELECT a FROM events", false).await.expect("the view is made");
    let text = "SELECT v.a, public.v.a AS b, '-- v' AS c FROM v JOIN public.v AS w USING (a)";
    client.view("reader", text, false).await.expect("the view is made");
    rename("v", "New").expect("the view is renamed");
    let now = "SELECT v.a, v.a AS b, '-- v' AS c FROM \"New\" AS v JOIN public.\"New\" AS w USING (a);";
    assert_eq!(shown(), now);
    assert_eq!(client.columns("SELECT * FROM reader").await.map(|columns| columns.len()), Ok(3));
    rename("\"New\"", "v").expect("the view is renamed");
    assert_eq!(shown(), format!("{text};"));
    assert_eq!(client.columns("SELECT * FROM reader").await.map(|columns| columns.len()), Ok(3));
}

#[tokio::test]
async fn a_relation_that_is_told_from_another_by_its_schema_alone_keeps_its_name() {
    let (server, _) = server();
    let client = Client::connect(&server);
    client.view("events", "SELECT 1 AS a", false).await.expect("the view is made");
    let rename = |to: &str| {
        client.catalog.rename_relation(&TableReference::partial("public", "events"), to.to_owned(), None, false)
    };
    let schema =
        client.catalog.resolve(&TableReference::from("events")).expect("a table of the lake").name.schema.clone();
    let text = format!("SELECT public.events.a FROM public.events JOIN {schema}.events ON true");
    client.view("reader", &text, false).await.expect("the view is made");
    assert_eq!(state(rename("other")), "0A000");
    client.drop("reader", RelationKind::View, false).expect("the view is dropped");
    rename("other").expect("the view is renamed");
}

#[tokio::test]
async fn two_transactions_that_make_one_name_do_not_both_commit() {
    let (server, _) = server();
    let (one, two) = (Client::connect(&server), Client::connect(&server));
    one.catalog.begin();
    two.catalog.begin();
    one.view("v", "SELECT a FROM events", false).await.expect("the view is made");
    two.view("v", "SELECT b FROM events", false).await.expect("the view is made");
    one.catalog.commit().expect("the first commit wins");
    let error = two.catalog.commit().expect_err("the name is taken");
    assert_eq!(error.state.0, "40001");
    assert_eq!(two.columns("SELECT * FROM v").await, Ok(vec!["a".to_owned()]));
}

#[tokio::test]
async fn a_transaction_keeps_the_snapshot_of_its_begin() {
    let (server, lake) = server();
    let client = Client::connect(&server);
    client.catalog.begin();
    lake.set_tables(vec![table("events", &["a", "b"]), table("users", &["id"])]);
    server.refresh().await.expect("the lake is listed");
    assert!(client.columns("SELECT * FROM users").await.is_err());
    client.catalog.rollback();
    assert_eq!(client.columns("SELECT * FROM users").await, Ok(vec!["id".to_owned()]));
}

#[tokio::test]
async fn a_view_follows_its_table_and_keeps_its_columns() {
    let (server, lake) = server();
    let client = Client::connect(&server);
    client.view("v", "SELECT * FROM events", false).await.expect("the view is made");
    lake.set_tables(vec![table("events", &["c", "b", "a"])]);
    server.refresh().await.expect("the lake is listed");
    assert_eq!(client.columns("SELECT * FROM v").await, Ok(vec!["a".to_owned(), "b".to_owned()]));
    lake.set_tables(vec![table("events", &["b"])]);
    server.refresh().await.expect("the lake is listed");
    let error = client.columns("SELECT * FROM v").await.expect_err("a column is gone");
    assert!(error.contains("view public.v reads column \"a\", which is gone"), "{error}");
}

#[tokio::test]
async fn a_views_names_mean_what_they_meant_when_it_was_made() {
    let (server, _) = server();
    let client = Client::connect(&server);
    client.view("v", "SELECT a FROM events", false).await.expect("the view is made");
    client.catalog.set_search_path(vec!["public".to_owned()]);
    assert_eq!(client.columns("SELECT * FROM v").await, Ok(vec!["a".to_owned()]));
    assert!(client.columns("SELECT * FROM events").await.is_err());
}

#[tokio::test]
async fn ids_stay_and_belong_to_one_name() {
    let (server, _) = server();
    let client = Client::connect(&server);
    client.view("v", "SELECT a FROM events", false).await.expect("the view is made");
    let oid = |server: &Catalog| server.snapshot().relation("public", "v").map(|relation| relation.oid);
    let before = oid(&server);
    client.drop("v", RelationKind::View, false).expect("the view is dropped");
    assert_eq!(oid(&server), None);
    client.view("v", "SELECT b FROM events", false).await.expect("the view is made");
    assert_eq!(oid(&server), before);
}

#[tokio::test]
async fn refusals_carry_postgresqls_codes() {
    let (server, _) = server();
    let client = Client::connect(&server);
    client.view("v", "SELECT a FROM events", false).await.expect("the view is made");
    client.view("w", "SELECT a FROM v", false).await.expect("a view over a view is made");
    assert_eq!(state(client.view("v", "SELECT b FROM events", false).await), "42P07");
    assert_eq!(state(client.view("demo.x", "SELECT b FROM events", false).await), "0A000");
    assert_eq!(state(client.view("pg_catalog.x", "SELECT b FROM events", false).await), "42501");
    assert_eq!(state(client.view("nowhere.x", "SELECT b FROM events", false).await), "3F000");
    assert_eq!(state(client.view("other.public.x", "SELECT b FROM events", false).await), "0A000");
    assert_eq!(state(client.view("v", "SELECT a FROM w", true).await), "42P17");
    assert_eq!(state(client.view("x", "SELECT a, b AS \"a\u{1}1\" FROM events", false).await), "42701");
    assert_eq!(state(client.drop("events", RelationKind::Table, false)), "42809");
    assert_eq!(state(client.drop("v", RelationKind::Table, false)), "42809");
    assert_eq!(state(client.drop("gone", RelationKind::Table, false)), "42P01");
    assert_eq!(state(client.drop("pg_class", RelationKind::Table, false)), "42501");
    assert_eq!(state(client.drop("v", RelationKind::View, false)), "2BP01");
    let notices = client.drop("v", RelationKind::View, true).expect("both are dropped");
    assert_eq!(notices[0].message, "drop cascades to view public.w");
    assert!(server.snapshot().relation("public", "w").is_none());
}

#[tokio::test]
async fn schemas_come_and_go() {
    let (server, _) = server();
    let client = Client::connect(&server);
    let create = |name: &str, if_not_exists| {
        client.catalog.apply(Change::CreateSchema { name: name.to_owned(), if_not_exists, owner: None })
    };
    let drop = |name: &str, if_exists, cascade| {
        client.catalog.apply(Change::DropSchema { name: name.to_owned(), if_exists, cascade })
    };
    create("marts", false).expect("the schema is made");
    assert_eq!(state(create("marts", false)), "42P06");
    assert_eq!(create("marts", true).expect("it exists")[0].message, "schema \"marts\" already exists, skipping");
    assert_eq!(state(create("pg_mine", false)), "42939");
    client.view("marts.v", "SELECT a FROM events", false).await.expect("the view is made");
    assert_eq!(state(drop("marts", false, false)), "2BP01");
    drop("marts", false, true).expect("the schema is dropped with its view");
    assert_eq!(state(drop("marts", false, false)), "3F000");
    assert_eq!(state(drop("demo", false, true)), "0A000");
    assert_eq!(state(drop("pg_catalog", false, true)), "42501");
}

#[tokio::test]
async fn what_a_user_made_others_neither_replace_nor_drop_nor_rename_nor_put_before_it() {
    let (server, _) = server();
    let (anna, boss) = (Client::connect(&server), Client::connect_as(&server, "boss", false));
    let schema = |client: &Client, name: &str, owner: Option<&str>| {
        let (name, owner) = (name.to_owned(), owner.map(str::to_owned));
        client.catalog.apply(Change::CreateSchema { name, if_not_exists: false, owner })
    };
    // A schema of somebody's name is on the path of nobody but its owner.
    schema(&anna, "boss", None).expect("the schema is made");
    anna.view("boss.events", "SELECT 1 AS faked", false).await.expect("the view is made");
    boss.catalog.pin();
    assert_eq!(boss.columns("SELECT * FROM events").await.expect("it is the lake's"), ["a", "b"]);
    assert_eq!(state(boss.view("boss.mine", "SELECT 1 AS x", false).await), "42501");
    boss.view("public.v", "SELECT 1 AS x", false).await.expect("public is everybody's");
    anna.catalog.pin();
    assert_eq!(state(anna.view("public.v", "SELECT 2 AS x", true).await), "42501");
    assert_eq!(state(anna.drop("public.v", RelationKind::View, false)), "42501");
    boss.view("public.v", "SELECT 3 AS x", true).await.expect("it is theirs");
    let rename = |client: &Client, name: &str, to: &str| {
        client.catalog.rename_relation(&TableReference::parse_str(name), to.to_owned(), None, false)
    };
    assert_eq!(state(rename(&anna, "public.v", "w")), "42501");
    rename(&boss, "public.v", "w").expect("it is theirs");
    boss.catalog.pin();
    anna.catalog.pin();
    assert_eq!(boss.columns("SELECT * FROM w").await.expect("it has the other name"), ["x"]);
    assert_eq!(state(rename(&anna, "public.w", "v")), "42501", "a new name has the owner that the old one had");
    assert_eq!(state(schema(&anna, "theirs", Some("boss"))), "42501");
    let root = Client::connect_as(&server, "root", true);
    root.drop("boss.events", RelationKind::View, false).expect("a superuser may");
    root.catalog
        .apply(Change::DropSchema { name: "boss".to_owned(), if_exists: false, cascade: false })
        .expect("so too");
    schema(&root, "boss", Some("boss")).expect("the schema is made for its owner");
    boss.catalog.pin();
    boss.view("boss.events", "SELECT 1 AS own", false).await.expect("the view is made");
    boss.catalog.pin();
    assert_eq!(boss.columns("SELECT * FROM events").await.expect("it is their own"), ["own"]);
}

#[test]
fn a_lake_may_not_take_a_name_of_the_systems() {
    #[derive(Debug)]
    struct Named(&'static str);
    #[async_trait::async_trait]
    impl LakeSource for Named {
        fn name(&self) -> &str {
            self.0
        }
        async fn refresh(&self) -> crate::error::Result<()> {
            Ok(())
        }
        fn tables(&self) -> Vec<Arc<dyn TableSource>> {
            vec![]
        }
    }
    let refused = |names: &[&'static str]| {
        let lakes = names.iter().map(|name| Arc::new(Named(name)) as Arc<dyn LakeSource>).collect();
        Catalog::new(lakes, vec![]).err().map(|error| error.state.0)
    };
    assert_eq!(refused(&["pg_catalog"]), Some("22023"));
    assert_eq!(refused(&["public"]), Some("42P06"));
    assert_eq!(refused(&["demo", "demo"]), Some("42P06"));
    assert_eq!(refused(&["demo"]), None);
}
