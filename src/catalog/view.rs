//! Views: the query as parsed, with every name resolved once, planned again at each use.
//!
//! Planning again lets a view see files that arrived since, and a view below it that was replaced.
//! Names are resolved when the view is made, so the reader's search path changes nothing.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{TableProvider, view::ViewTable};
use datafusion::common::Column;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::Statement as PlannedStatement;
use datafusion::sql::sqlparser::ast::{Ident, ObjectName, ObjectNamePart, Query, Statement, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::name::{QualifiedName, column_label};
use crate::error::{Error, SqlState};
use crate::sealed::Sealed;

/// A view's definition and the columns it had when it was made.
#[derive(Clone, Debug)]
pub struct View {
    /// The query as the user wrote it.
    pub definition: String,
    /// The view's columns. Columns that a table gains later are not added, as in PostgreSQL.
    pub columns: SchemaRef,
    /// The relations that the query reads.
    pub references: BTreeSet<QualifiedName>,
    query: Sealed<Query>,
    renames: Vec<String>,
}

impl View {
    /// Makes a view from its query, which must have been rewritten for the planner already.
    ///
    /// `resolve` answers which relation an unqualified name means now, `renames` are the view's own column names.
    /// Plans the query once: it fails as the query itself would fail.
    pub async fn new(
        definition: String,
        mut query: Box<Query>,
        renames: Vec<String>,
        resolve: impl Fn(&ObjectName) -> Option<QualifiedName>,
        state: &SessionState,
    ) -> datafusion::error::Result<Self> {
        let references = qualify(&mut query, resolve);
        let plan = plan_query(&query, state).await?;
        let plan = rename_columns(plan, &renames)?;
        reject_duplicate_columns(&plan)?;
        let columns = Arc::clone(plan.schema().inner());
        Ok(Self { definition, columns, references, query: Sealed::new(*query), renames })
    }

    /// The view where a relation that it reads has another name.
    ///
    /// Its text is then that of the parsed query: what the user wrote names what is not there any more.
    pub fn reading(&self, was: &QualifiedName, is: &QualifiedName) -> Self {
        let mut view = self.clone();
        let renamed = |name: &ObjectName| means(name, was).then(|| is.clone());
        let mut query = Query::clone(&self.query);
        qualify(&mut query, renamed);
        view.query = Sealed::new(query);
        if let Some(mut written) = parsed(&self.definition) {
            qualify(&mut written, renamed);
            view.definition = written.to_string();
        }
        view.references.remove(was);
        view.references.insert(is.clone());
        view
    }

    /// Plans the view over the relations of now.
    pub async fn provider(
        &self,
        name: &QualifiedName,
        state: &SessionState,
    ) -> datafusion::error::Result<Arc<dyn TableProvider>> {
        let plan = rename_columns(plan_query(&self.query, state).await?, &self.renames)?;
        let plan = keep_columns(plan, &self.columns, name)?;
        Ok(Arc::new(ViewTable::new(plan, Some(self.definition.clone()))))
    }
}

/// The query of a view's text.
fn parsed(definition: &str) -> Option<Box<Query>> {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, definition).ok()?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Some(query),
        _ => None,
    }
}

/// Whether a name, with its schema or without, is that of a relation.
fn means(name: &ObjectName, relation: &QualifiedName) -> bool {
    let part = |part: &ObjectNamePart| match part {
        ObjectNamePart::Identifier(ident) => Some(normalized(ident)),
        ObjectNamePart::Function(_) => None,
    };
    let mut parts = name.0.iter().rev().map(part);
    parts.next().flatten().is_some_and(|name| name == relation.name)
        && parts.next().is_none_or(|schema| schema.is_some_and(|schema| schema == relation.schema))
}

async fn plan_query(query: &Query, state: &SessionState) -> datafusion::error::Result<LogicalPlan> {
    let statement = Statement::Query(Box::new(query.clone()));
    state.statement_to_plan(PlannedStatement::Statement(Box::new(statement))).await
}

fn rename_columns(plan: LogicalPlan, renames: &[String]) -> datafusion::error::Result<LogicalPlan> {
    if renames.is_empty() {
        return Ok(plan);
    }
    if renames.len() > plan.schema().fields().len() {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "CREATE VIEW specifies more column names than columns").into());
    }
    let columns: Vec<Expr> = plan
        .schema()
        .columns()
        .into_iter()
        .enumerate()
        .map(|(index, column)| match renames.get(index) {
            Some(name) => Expr::Column(column).alias(name),
            None => Expr::Column(column),
        })
        .collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

fn reject_duplicate_columns(plan: &LogicalPlan) -> datafusion::error::Result<()> {
    let mut seen = BTreeSet::new();
    let mut labels = plan.schema().fields().iter().map(|field| column_label(field.name()));
    match labels.find(|label| !seen.insert(*label)) {
        None => Ok(()),
        Some(label) => {
            let message = format!("column \"{label}\" specified more than once");
            Err(Error::new(SqlState("42701"), message)
                .with_hint("Give each column of the view a name of its own with AS.")
                .into())
        }
    }
}

/// Projects to the columns the view was made with; tables may have gained others since.
fn keep_columns(
    plan: LogicalPlan,
    columns: &SchemaRef,
    view: &QualifiedName,
) -> datafusion::error::Result<LogicalPlan> {
    let now = plan.schema();
    let is_unchanged = now.fields().len() == columns.fields().len()
        && now.fields().iter().zip(columns.fields()).all(|(a, b)| a.name() == b.name());
    if is_unchanged {
        return Ok(plan);
    }
    let kept: Vec<Expr> = columns
        .fields()
        .iter()
        .map(|field| {
            now.columns()
                .into_iter()
                .find(|column: &Column| column.name() == field.name())
                .map(Expr::Column)
                .ok_or_else(|| {
                    let message = format!("view {view} reads column \"{}\", which is gone", field.name());
                    Error::new(SqlState::UNDEFINED_COLUMN, message)
                        .with_hint("Make the view again with CREATE OR REPLACE VIEW.")
                })
        })
        .collect::<Result<_, _>>()?;
    LogicalPlanBuilder::from(plan).project(kept)?.build()
}

/// Writes the schema into every table name of the query and returns the relations it reads.
///
/// Names of CTEs stay as they are where the CTE is visible. Names that resolve to nothing stay as well,
/// and the planner reports them.
fn qualify(query: &mut Query, resolve: impl Fn(&ObjectName) -> Option<QualifiedName>) -> BTreeSet<QualifiedName> {
    let mut qualifier = Qualifier { resolve, scopes: Vec::new(), references: BTreeSet::new() };
    // The visitor never breaks.
    let _ = query.visit(&mut qualifier);
    qualifier.references
}

struct Qualifier<R> {
    resolve: R,
    scopes: Vec<CteScope>,
    references: BTreeSet<QualifiedName>,
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

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
        if !self.is_cte(name)
            && let Some(full) = (self.resolve)(name)
        {
            *name = ObjectName::from(vec![
                Ident::with_quote('"', full.schema.clone()),
                Ident::with_quote('"', full.name.clone()),
            ]);
            self.references.insert(full);
        }
        ControlFlow::Continue(())
    }
}

/// An identifier as the catalogue stores it: folded to lower case unless quoted.
pub(crate) fn normalized(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::{dialect::PostgreSqlDialect, parser::Parser};

    use super::*;

    fn qualified(sql: &str) -> String {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).expect("the test's SQL parses");
        let Statement::Query(query) = &mut statements[0] else { panic!("the test's SQL is a query") };
        qualify(query, |name| match name.0.as_slice() {
            [ObjectNamePart::Identifier(ident)] => Some(QualifiedName::new("demo", normalized(ident))),
            _ => None,
        });
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
}
