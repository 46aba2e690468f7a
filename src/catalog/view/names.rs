//! The names of relations in a view's query: resolved when it is made, and replaced where it is planned after a rename.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, TableAlias,
    TableFactor, TableWithJoins, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::text::{Form, Renamed, Spot};
use crate::catalog::name::QualifiedName;

/// What a query says of relations.
#[derive(Debug, Default)]
pub struct Names {
    /// The relations that it reads.
    pub references: BTreeSet<QualifiedName>,
    /// Those that are read beside another of their name, without an alias: they are told apart by their schemas.
    pub namesakes: BTreeSet<QualifiedName>,
    /// Where they stand in the statement.
    pub spots: Vec<Spot>,
}

/// Writes the schema into every table name of the query, and says which relations it reads.
///
/// Names of CTEs stay as they are where the CTE is visible. Names that resolve to nothing stay as well,
/// and the planner reports them.
pub fn qualify(query: &mut Query, resolve: impl Fn(&ObjectName) -> Option<QualifiedName>) -> Names {
    let mut qualifier =
        Qualifier { resolve, scopes: vec![], selects: vec![], form: None, columns: vec![], names: Names::default() };
    // The visitor never breaks.
    let _ = query.visit(&mut qualifier);
    let Qualifier { columns, mut names, .. } = qualifier;
    names.spots.extend(columns.into_iter().filter(|spot| names.references.contains(&spot.relation)));
    names
}

/// Puts the names of now into a query whose names have been resolved. The first name of a relation becomes its alias
/// where it has none: columns may be written with it.
pub fn rename(query: &mut Query, renamed: &Renamed) {
    // The visitor never breaks.
    let _ = query.visit(&mut Renaming(renamed));
}

struct Qualifier<R> {
    resolve: R,
    scopes: Vec<CteScope>,
    /// Of the SELECTs around a place, whether the user wrote them.
    selects: Vec<bool>,
    /// Of the table factor that is being read.
    form: Option<Form>,
    /// Columns that name a schema, which may be that of a relation.
    columns: Vec<Spot>,
    names: Names,
}

/// The CTEs of one query. Each becomes visible when its own query has been visited (all at once if RECURSIVE);
/// the visitor sees the CTEs' queries first and in order, since WITH is the first part of a query.
struct CteScope {
    names: Vec<String>,
    visible_count: usize,
}

impl<R> Qualifier<R> {
    fn is_cte(&self, name: &ObjectName) -> bool {
        let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else { return false };
        let wanted = normalized(ident);
        self.scopes.iter().any(|scope| scope.names[..scope.visible_count].contains(&wanted))
    }

    /// Keeps where the schema of `schema.name.column` or `schema.name.*` stands.
    fn keep_schema(&mut self, table: &[&Ident]) {
        if let [.., schema, name] = table {
            let first = table.first().map_or(schema.span, |first| first.span);
            let span = Span::new(first.start, name.span.start);
            let relation = QualifiedName::new(normalized(schema), normalized(name));
            self.columns.push(Spot { span, relation, form: Form::Schema });
        }
    }
}

impl<R: Fn(&ObjectName) -> Option<QualifiedName>> VisitorMut for Qualifier<R> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let (names, is_recursive) = match &query.with {
            Some(with) => (with.cte_tables.iter().map(|cte| normalized(&cte.alias.name)).collect(), with.recursive),
            None => (Vec::new(), false),
        };
        let visible_count = if is_recursive { names.len() } else { 0 };
        self.scopes.push(CteScope { names, visible_count });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.scopes.pop();
        if let Some(parent) = self.scopes.last_mut()
            && parent.visible_count < parent.names.len()
        {
            parent.visible_count += 1;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.selects.push(select.select_token.0.span != Span::empty());
        for name in select.projection.iter().filter_map(qualified_wildcard) {
            self.keep_schema(&idents(name));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.selects.pop();
        let mut shown = vec![];
        select.from.iter().for_each(|table| push_shown(table, &mut shown));
        let count = |name: &str| shown.iter().filter(|(shown, _)| shown == name).count();
        let namesakes = shown.iter().filter(|(name, _)| count(name) > 1).filter_map(|(_, relation)| relation.clone());
        self.names.namesakes.extend(namesakes);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        self.form = match factor {
            TableFactor::Table { alias: Some(_), .. } => Some(Form::Aliased),
            TableFactor::Table { args: None, .. } if self.selects.last() == Some(&false) => Some(Form::Argument),
            TableFactor::Table { args: None, .. } => Some(Form::Bare),
            _ => None,
        };
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
        let form = self.form.take();
        if self.is_cte(name) {
            return ControlFlow::Continue(());
        }
        let Some(full) = (self.resolve)(name) else { return ControlFlow::Continue(()) };
        let parts = idents(name);
        let spans = parts.first().zip(parts.last()).map(|(first, last)| (first.span, last.span));
        if let (Some(form), Some((first, last))) = (form, spans) {
            let span = if form == Form::Argument { Span::new(first.start, last.end) } else { last };
            self.names.spots.push(Spot { span, relation: full.clone(), form });
        }
        *name = object_name(&full);
        self.names.references.insert(full);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [table @ .., _] = parts.as_slice()
        {
            self.keep_schema(&table.iter().collect::<Vec<_>>());
        }
        ControlFlow::Continue(())
    }
}

/// What the tables of FROM are called, and which relation each is that has no alias.
fn push_shown(table: &TableWithJoins, shown: &mut Vec<(String, Option<QualifiedName>)>) {
    let factors = std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation));
    for factor in factors {
        match factor {
            TableFactor::NestedJoin { table_with_joins, alias: None } => push_shown(table_with_joins, shown),
            TableFactor::Table { alias: Some(alias), .. }
            | TableFactor::Derived { alias: Some(alias), .. }
            | TableFactor::Function { alias: Some(alias), .. }
            | TableFactor::UNNEST { alias: Some(alias), .. }
            | TableFactor::NestedJoin { alias: Some(alias), .. } => shown.push((normalized(&alias.name), None)),
            TableFactor::Table { name, alias: None, .. } => {
                if let Some(last) = idents(name).last() {
                    shown.push((normalized(last), resolved(name)));
                }
            }
            _ => {}
        }
    }
}

struct Renaming<'a>(&'a Renamed);

impl Renaming<'_> {
    /// How many of the parts of `catalog.schema.name` come before a name that is an alias now.
    fn parts_before(&self, table: &[&Ident]) -> Option<usize> {
        let [.., schema, name] = table else { return None };
        self.0.contains_key(&QualifiedName::new(normalized(schema), normalized(name))).then(|| table.len() - 1)
    }
}

impl VisitorMut for Renaming<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item
                && let Some(before) = self.parts_before(&idents(name))
            {
                name.0.drain(..before);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, .. } = factor
            && let Some(was) = resolved(name)
            && let Some(is) = self.0.get(&was)
        {
            *name = object_name(is);
            alias.get_or_insert_with(|| TableAlias {
                explicit: true,
                name: Ident::with_quote('"', was.name),
                columns: vec![],
                at: None,
            });
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [table @ .., _] = parts.as_slice()
            && let Some(before) = self.parts_before(&table.iter().collect::<Vec<_>>())
        {
            parts.drain(..before);
        }
        ControlFlow::Continue(())
    }
}

fn qualified_wildcard(item: &SelectItem) -> Option<&ObjectName> {
    match item {
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => Some(name),
        _ => None,
    }
}

/// The parts of a name; none of one that a function makes.
fn idents(name: &ObjectName) -> Vec<&Ident> {
    name.0.iter().map(|part| part.as_ident()).collect::<Option<_>>().unwrap_or_default()
}

/// The relation of a name with its schema.
fn resolved(name: &ObjectName) -> Option<QualifiedName> {
    match idents(name).as_slice() {
        [schema, name] => Some(QualifiedName::new(normalized(schema), normalized(name))),
        _ => None,
    }
}

fn object_name(name: &QualifiedName) -> ObjectName {
    let parts = [&name.schema, &name.name].map(|part| Ident::with_quote('"', part.clone()));
    ObjectName::from(parts.to_vec())
}

/// An identifier as the catalogue stores it: folded to lower case unless quoted.
pub fn normalized(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::Statement;
    use datafusion::sql::sqlparser::{dialect::PostgreSqlDialect, parser::Parser};

    use super::*;

    fn parsed(sql: &str) -> Box<Query> {
        match Parser::parse_sql(&PostgreSqlDialect {}, sql).expect("the test's SQL parses").remove(0) {
            Statement::Query(query) => query,
            _ => panic!("the test's SQL is a query"),
        }
    }

    fn in_demo(name: &ObjectName) -> Option<QualifiedName> {
        match idents(name).as_slice() {
            [name] => Some(QualifiedName::new("demo", normalized(name))),
            [schema, name] => Some(QualifiedName::new(normalized(schema), normalized(name))),
            _ => None,
        }
    }

    fn qualified(sql: &str) -> String {
        let mut query = parsed(sql);
        qualify(&mut query, in_demo);
        query.to_string()
    }

    #[test]
    fn table_names_gain_their_schema_in_every_place() {
        assert_eq!(
            qualified("SELECT (SELECT max(x) FROM Orders) FROM events e WHERE id IN (SELECT id FROM users)"),
            "SELECT (SELECT max(x) FROM \"demo\".\"orders\") FROM \"demo\".\"events\" e \
             WHERE id IN (SELECT id FROM \"demo\".\"users\")"
        );
    }

    #[test]
    fn a_cte_hides_a_table_only_after_its_own_query() {
        assert_eq!(
            qualified("WITH t AS (SELECT * FROM t), u AS (SELECT * FROM t) SELECT * FROM t, u, v"),
            "WITH t AS (SELECT * FROM \"demo\".\"t\"), u AS (SELECT * FROM t) SELECT * FROM t, u, \"demo\".\"v\""
        );
    }

    #[test]
    fn a_recursive_cte_sees_itself() {
        assert_eq!(
            qualified("WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT 1 FROM t) SELECT * FROM t"),
            "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT 1 FROM t) SELECT * FROM t"
        );
    }

    #[test]
    fn a_cte_is_not_seen_outside_its_query() {
        assert_eq!(
            qualified("SELECT * FROM (WITH t AS (SELECT 1) SELECT * FROM t) AS s, t"),
            "SELECT * FROM (WITH t AS (SELECT 1) SELECT * FROM t) AS s, \"demo\".\"t\""
        );
    }

    #[test]
    fn the_first_name_of_a_renamed_relation_is_its_alias() {
        let renamed = [(QualifiedName::new("demo", "a"), QualifiedName::new("demo", "c"))].into();
        let read = |sql: &str| {
            let mut query = parsed(sql);
            qualify(&mut query, in_demo);
            rename(&mut query, &renamed);
            query.to_string().replace('"', "")
        };
        assert_eq!(
            read("SELECT a.x, demo.a.y, demo.a.*, (SELECT max(b.x) FROM b WHERE b.x = demo.a.x) FROM a"),
            "SELECT a.x, a.y, a.*, (SELECT max(b.x) FROM demo.b WHERE b.x = a.x) FROM demo.c AS a"
        );
        assert_eq!(
            read("SELECT z.x FROM demo.a z JOIN other.a ON true"),
            "SELECT z.x FROM demo.c z JOIN other.a ON true"
        );
        assert_eq!(read("WITH a AS (SELECT 1 AS x) SELECT a.x FROM a"), "WITH a AS (SELECT 1 AS x) SELECT a.x FROM a");
    }

    #[test]
    fn relations_of_one_name_are_told_apart_by_their_schemas() {
        let namesakes = |sql: &str| qualify(&mut parsed(sql), in_demo).namesakes.len();
        assert_eq!(namesakes("SELECT demo.a.x FROM demo.a, other.a"), 2);
        assert_eq!(namesakes("SELECT demo.a.x FROM demo.a, (b JOIN other.a ON true)"), 2);
        assert_eq!(namesakes("SELECT a.x FROM demo.a, other.a AS b"), 0);
        assert_eq!(namesakes("SELECT a.x FROM demo.a UNION SELECT a.x FROM other.a"), 0);
    }
}
