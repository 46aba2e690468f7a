//! Statements as they are after the rewrite.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::*;

fn rewritten(sql: &str) -> String {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).expect("the test's SQL parses");
    rewrite(&mut statements[0]).expect("the test's SQL is rewritten");
    statements[0].to_string()
}

/// The labels of a SELECT list without FROM, as the client sees them.
fn labels(list: &str) -> Vec<String> {
    let mut statements =
        Parser::parse_sql(&PostgreSqlDialect {}, &format!("SELECT {list} FROM t")).expect("the test's SQL parses");
    labels::add(&mut statements[0]);
    let Statement::Query(query) = &statements[0] else { panic!("a SELECT is a query") };
    let datafusion::sql::sqlparser::ast::SetExpr::Select(select) = query.body.as_ref() else {
        panic!("a SELECT has a select list")
    };
    select
        .projection
        .iter()
        .map(|item| match item {
            datafusion::sql::sqlparser::ast::SelectItem::ExprWithAlias { alias, .. } => label(&alias.value).to_owned(),
            other => other.to_string(),
        })
        .collect()
}

#[test]
fn results_are_named_as_postgresql_names_them() {
    let given = [
        ("1", "?column?"),
        ("count(*)", "count"),
        ("count(*)::int", "count"),
        ("'a'::text", "text"),
        ("1::bigint", "int8"),
        ("1::pg_catalog.int8", "int8"),
        ("interval '1 day'", "interval"),
        ("date '2020-01-01'", "date"),
        ("CASE WHEN true THEN 1 END", "case"),
        ("CASE WHEN true THEN 1 ELSE count(*) END", "count"),
        ("coalesce(1, 2)", "coalesce"),
        ("ARRAY[1]", "array"),
        ("(SELECT 1)", "?column?"),
        ("(SELECT 2 AS z)", "z"),
        ("EXISTS(SELECT 1)", "exists"),
        ("1 + 1", "?column?"),
        ("extract(year FROM now())", "extract"),
        ("trim('a')", "btrim"),
        ("trim(LEADING 'a' FROM 'b')", "ltrim"),
        ("substring('abc' FROM 1)", "substring"),
        ("x::date", "x"),
        ("'{1}'::int[]", "int4"),
        ("current_schema", "current_schema"),
        ("current_user", "current_user"),
        ("x[1]", "x"),
        ("now() AT TIME ZONE 'utc'", "timezone"),
        ("1 IS NULL", "?column?"),
    ];
    for (sql, name) in given {
        assert_eq!(labels(sql), [name], "{sql}");
    }
}

#[test]
fn equal_names_are_told_apart_and_shown_equal() {
    assert_eq!(labels("1, 2, count(*), count(*)"), ["?column?", "?column?", "count", "count"]);
    assert_eq!(labels("1 AS a, 2 AS a"), ["a", "a"]);
    let text = rewritten("SELECT count(*), count(*) FROM t");
    assert_eq!(text, "SELECT count(*) AS \"count\", count(*) AS \"count\u{1}1\" FROM t");
}

#[test]
fn plain_columns_keep_their_form_unless_a_wildcard_repeats_them() {
    assert_eq!(rewritten("SELECT a.id, b.id FROM a, b"), "SELECT a.id, b.id FROM a, b");
    assert_eq!(rewritten("SELECT n.oid, n.* FROM n"), "SELECT n.oid AS \"oid\u{1}0\", n.* FROM n");
    assert_eq!(rewritten("SELECT n.name, c.* FROM n, c"), "SELECT n.name, c.* FROM n, c");
}

#[test]
fn a_name_that_having_means_as_a_column_is_not_taken() {
    assert_eq!(
        rewritten("SELECT count(*) FROM t GROUP BY x HAVING sum(count) > 5"),
        "SELECT count(*) AS \"count\u{1}0\" FROM t GROUP BY x HAVING sum(count) > 5"
    );
}

#[test]
fn a_name_that_order_by_means_as_a_column_is_not_taken() {
    assert_eq!(
        rewritten("SELECT e.ts::date FROM e ORDER BY e.ts"),
        "SELECT e.ts::DATE AS \"ts\u{1}0\" FROM e ORDER BY e.ts"
    );
    assert_eq!(rewritten("SELECT ts::date FROM e ORDER BY ts"), "SELECT ts::DATE AS \"ts\" FROM e ORDER BY ts");
}

#[test]
fn casts_to_object_names_become_calls() {
    assert_eq!(
        rewritten("SELECT 1 AS x FROM t WHERE oid = 'a.b'::regclass"),
        "SELECT 1 AS x FROM t WHERE oid = regclassin('a.b')"
    );
    assert_eq!(
        rewritten("SELECT c.oid::pg_catalog.regclass FROM c ORDER BY c.oid::pg_catalog.regclass::pg_catalog.text"),
        "SELECT regclassout(c.oid) AS \"oid\u{1}0\" FROM c ORDER BY regclassout(c.oid)"
    );
    assert_eq!(rewritten("SELECT 'f'::regproc::oid AS x"), "SELECT regprocin('f')::oid AS x");
    assert_eq!(rewritten("SELECT x::pg_catalog.text AS x, y::name AS y"), "SELECT x::TEXT AS x, y::TEXT AS y");
}

#[test]
fn operators_collations_and_schemas_of_functions_are_plain() {
    assert_eq!(
        rewritten(
            "SELECT pg_catalog.lower(a) AS a FROM t WHERE a OPERATOR(pg_catalog.~) '^(b)$' COLLATE pg_catalog.default"
        ),
        "SELECT lower(a) AS a FROM t WHERE a ~ '^(b)$'"
    );
    let mut statements =
        Parser::parse_sql(&PostgreSqlDialect {}, "SELECT a FROM t ORDER BY a COLLATE \"sv_SE\"").expect("it parses");
    let error = rewrite(&mut statements[0]).expect_err("the collation does not exist");
    assert_eq!(error.state.0, "42704");
}

#[test]
fn correlated_subqueries_are_aggregated_and_decorrelated() {
    assert_eq!(
        rewritten(
            "SELECT (SELECT c.n FROM c, t WHERE c.oid = a.coll AND t.oid = a.typ AND a.coll <> t.coll AND a.ok) AS x FROM a"
        ),
        "SELECT CASE WHEN a.ok THEN (SELECT single_value(c.n) FROM c, t WHERE c.oid = a.coll AND t.oid = a.typ \
         AND c.oid <> t.coll) END AS x FROM a"
    );
    assert_eq!(
        rewritten("SELECT (SELECT max(b.x) FROM b WHERE b.y = a.y) AS x FROM a"),
        "SELECT (SELECT max(b.x) AS \"max\" FROM b WHERE b.y = a.y) AS x FROM a"
    );
}

#[test]
fn arrays_of_queries_are_aggregates() {
    assert_eq!(
        rewritten("SELECT ARRAY(SELECT b.x FROM b WHERE b.y = a.y ORDER BY 1) AS x FROM a"),
        "SELECT array_or_empty((SELECT array_agg(b.x ORDER BY b.x) FROM b WHERE b.y = a.y)) AS x FROM a"
    );
}

#[test]
fn arrays_over_elements_are_mapped_in_place() {
    assert_eq!(
        rewritten("SELECT ARRAY(SELECT 'toast.' || x FROM pg_catalog.unnest(t.o) x) AS x FROM t"),
        "SELECT array_or_empty(array_transform(t.o, x -> 'toast.' || x)) AS x FROM t"
    );
    assert_eq!(
        rewritten("SELECT ARRAY(SELECT x FROM unnest(t.o) AS u(x)) AS x FROM t"),
        "SELECT array_or_empty(t.o) AS x FROM t"
    );
    assert_eq!(
        rewritten("SELECT ARRAY(SELECT DISTINCT unnest(t.o) ORDER BY 1 DESC) AS x FROM t"),
        "SELECT array_or_empty(array_sort(array_distinct(t.o), 'DESC', 'NULLS FIRST')) AS x FROM t"
    );
}

#[test]
fn array_constants_are_cast_item_by_item() {
    assert_eq!(rewritten("SELECT '{1,2}'::oid[] AS x"), "SELECT ARRAY['1', '2']::oid[] AS x");
}

#[test]
fn tables_that_are_always_empty_make_a_select_empty() {
    assert_eq!(
        rewritten(
            "SELECT p.polname, ARRAY(SELECT 1 FROM r WHERE oid = ANY (p.polroles)) AS x FROM pg_policy p WHERE p.polroles = '{0}'"
        ),
        "SELECT p.polname, NULL::TEXT AS x FROM pg_policy p WHERE false"
    );
    assert_eq!(
        rewritten(
            "SELECT (SELECT d.adbin FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid) AS x FROM pg_attribute a"
        ),
        "SELECT NULL::TEXT AS x FROM pg_attribute a"
    );
    // An aggregate answers over no rows too, and an outer join keeps its other side.
    assert_eq!(rewritten("SELECT count(*) AS n FROM pg_policy"), "SELECT count(*) AS n FROM pg_policy WHERE false");
    assert_eq!(
        rewritten("SELECT c.oid FROM pg_class c LEFT JOIN pg_index i ON c.oid = i.indrelid"),
        "SELECT c.oid FROM pg_class c LEFT JOIN pg_index i ON c.oid = i.indrelid"
    );
}

#[test]
fn rows_are_compared_by_a_tree_that_is_wide_and_not_deep() {
    let row = |items: usize| format!("({})", vec!["x"; items].join(", "));
    let compared = |items: usize| {
        let sql = format!("SELECT 1 FROM t WHERE {} = {}", row(items), row(items));
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, &sql).unwrap().remove(0);
        rewrite(&mut statement).map(|()| statement)
    };
    let most = crate::limits::COLUMNS;
    assert_eq!(compared(most + 1).map_err(|error| error.state.0), Err("54011"));
    struct Depth(usize, usize);
    impl datafusion::sql::sqlparser::ast::Visitor for Depth {
        type Break = ();

        fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
            self.0 += 1;
            self.1 = self.1.max(self.0);
            ControlFlow::Continue(())
        }

        fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
            self.0 -= 1;
            ControlFlow::Continue(())
        }
    }
    let mut depth = Depth(0, 0);
    let _ = datafusion::sql::sqlparser::ast::Visit::visit(&compared(most).unwrap(), &mut depth);
    assert!(depth.1 < 20, "{}", depth.1);
    assert_eq!(
        rewritten("SELECT 1 FROM t WHERE (a, b, c) <> (1, 2, 3)"),
        "SELECT 1 AS \"?column?\" FROM t WHERE (a <> 1 OR b <> 2 OR c <> 3)"
    );
}

#[test]
fn no_operand_is_written_twice() {
    for (open, close) in [
        ("generate_subscripts(ARRAY[", "], 1)"),
        ("1 = ANY (ARRAY[(", ")::int])"),
        ("(", " = ANY (ARRAY[x]))::int"),
        ("1 <> ALL (ARRAY[(", ")::int])"),
        ("(", " < ANY (ARRAY[x, y]))::int"),
        ("(lower(", ") LIKE ANY (ARRAY['a', 'b']))::text"),
    ] {
        let sql = |levels: usize| format!("SELECT {}1{} FROM t", open.repeat(levels), close.repeat(levels));
        let grown = rewritten(&sql(8)).len() - rewritten(&sql(7)).len();
        assert!(grown < 100, "{open}#{close}: a level more is {grown} characters more");
    }
}
