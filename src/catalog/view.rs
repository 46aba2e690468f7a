//! Views: the query as parsed, with every name resolved once, planned again at each use.
//!
//! Planning again lets a view see files that arrived since, and a view below it that was replaced.
//! Names are resolved when the view is made, so the reader's search path changes nothing.

mod names;
mod text;

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{TableProvider, view::ViewTable};
use datafusion::common::Column;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::Statement as PlannedStatement;
use datafusion::sql::sqlparser::ast::{ObjectName, Query, Statement};
use datafusion::sql::sqlparser::tokenizer::Location;

pub(crate) use self::names::normalized;
use self::names::{Names, qualify, rename};
use self::text::{Renamed, Text};
use super::name::{QualifiedName, column_label};
use crate::error::{Error, SqlState};
use crate::sealed::Sealed;

/// The text of a view's query as the user wrote it, and where it stands in the statement that the query was parsed from.
#[derive(Clone, Debug)]
pub struct Definition {
    pub text: String,
    pub start: Location,
}

/// A view's definition and the columns it had when it was made.
#[derive(Clone, Debug)]
pub struct View {
    /// The view's columns. Columns that a table gains later are not added, as in PostgreSQL.
    pub columns: SchemaRef,
    /// The relations that the query reads, by their names of now.
    pub references: BTreeSet<QualifiedName>,
    text: Arc<Text>,
    /// With the names that relations had when the view was made.
    query: Sealed<Query>,
    renamed: Renamed,
    /// By the names that they had then.
    namesakes: Arc<BTreeSet<QualifiedName>>,
    renames: Vec<String>,
}

impl View {
    /// Makes a view from its query, which must have been rewritten for the planner already.
    ///
    /// `resolve` answers which relation an unqualified name means now, `renames` are the view's own column names.
    /// Plans the query once: it fails as the query itself would fail.
    pub async fn new(
        definition: Definition,
        mut query: Box<Query>,
        renames: Vec<String>,
        resolve: impl Fn(&ObjectName) -> Option<QualifiedName>,
        state: &SessionState,
    ) -> datafusion::error::Result<Self> {
        let Names { references, namesakes, spots } = qualify(&mut query, resolve);
        let text = Arc::new(Text::new(definition.text, definition.start, spots));
        let plan = plan_query(Query::clone(&query), state).await?;
        let plan = rename_columns(plan, &renames)?;
        reject_duplicate_columns(&plan)?;
        let columns = Arc::clone(plan.schema().inner());
        let (query, namesakes) = (Sealed::new(*query), Arc::new(namesakes));
        Ok(Self { columns, references, text, query, renamed: Renamed::new(), namesakes, renames })
    }

    /// The query as the user wrote it, with the names that relations have now.
    pub fn definition(&self) -> String {
        self.text.with(&self.renamed)
    }

    /// The view where a relation that it reads has another name. Nothing is parsed, and no query is walked: names are put
    /// in where the view is planned or shown.
    ///
    /// `None` if it reads the relation beside another of that name: what its columns mean is told by the schema alone,
    /// and a relation of another name would need an alias.
    pub fn reading(&self, was: &QualifiedName, is: &QualifiedName) -> Option<Self> {
        let first = self.renamed.iter().find(|(_, now)| *now == was).map_or(was, |(first, _)| first).clone();
        if self.namesakes.contains(&first) {
            return None;
        }
        let mut view = self.clone();
        view.renamed.insert(first, is.clone());
        view.references.remove(was);
        view.references.insert(is.clone());
        Some(view)
    }

    /// Plans the view over the relations of now.
    pub async fn provider(
        &self,
        name: &QualifiedName,
        state: &SessionState,
    ) -> datafusion::error::Result<Arc<dyn TableProvider>> {
        let mut query = Query::clone(&self.query);
        if !self.renamed.is_empty() {
            rename(&mut query, &self.renamed);
        }
        let plan = rename_columns(plan_query(query, state).await?, &self.renames)?;
        let plan = keep_columns(plan, &self.columns, name)?;
        Ok(Arc::new(ViewTable::new(plan, Some(self.definition()))))
    }
}

async fn plan_query(query: Query, state: &SessionState) -> datafusion::error::Result<LogicalPlan> {
    let statement = Statement::Query(Box::new(query));
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
