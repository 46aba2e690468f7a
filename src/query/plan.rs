//! A parsed statement to a logical plan, its parameters and its columns.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ParamValues;
use datafusion::common::metadata::{FieldMetadata, ScalarAndMetadata};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::execution::SessionState;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::prelude::DataFrame;
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Query, SelectItem, SetExpr, Statement};
use datafusion::sql::sqlparser::parser::Parser;
use tributary_udfs::TributaryDialect;

use super::parameters::{self, ParameterHints};
use super::{complexity, errors, inlined, placed, postgres};
use crate::error::{Error, Result, SqlState};
use crate::limits;

/// A statement that gives rows, planned but not bound.
#[derive(Clone, Debug)]
pub struct Planned {
    pub plan: LogicalPlan,
    /// Types of `$1`, `$2` ...: what the client declared, else what the place asks for.
    pub parameters: Vec<FieldRef>,
    pub columns: Vec<Column>,
    pub shape: Shape,
}

/// One column of a result, under the name that PostgreSQL would give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// Type and metadata, as planned; batches may carry another encoding of the same values.
    pub field: FieldRef,
}

impl Column {
    /// A column that is not of a plan.
    pub fn new(name: &str, data_type: DataType) -> Self {
        Self { name: name.to_owned(), field: Arc::new(Field::new(name, data_type, true)) }
    }
}

/// Whether two plans of one statement give the same columns: the zone in a type of instants says nothing.
pub fn same_columns(one: &[Column], other: &[Column]) -> bool {
    let is_same = |(one, other): (&Column, &Column)| {
        let types = (one.field.data_type(), other.field.data_type());
        let is_same_type = match types {
            (DataType::Timestamp(one, Some(_)), DataType::Timestamp(other, Some(_))) => one == other,
            (one, other) => one == other,
        };
        is_same_type && one.name == other.name && one.field.metadata() == other.field.metadata()
    };
    one.len() == other.len() && one.iter().zip(other).all(is_same)
}

/// How the plan's batches become rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As they are.
    Rows,
    /// EXPLAIN: a line of text each.
    Explain { verbose: bool },
}

/// Plans one statement: PostgreSQL's manners first, then our functions' syntax, then DataFusion.
///
/// `source` is the query text that error positions count in; `declared` holds the parameter
/// types that the client gave, by position.
pub async fn plan(
    ctx: &SessionContext,
    statement: &Statement,
    source: &str,
    declared: &[Option<DataType>],
) -> Result<Planned> {
    let state = ctx.state();
    let mut statement = statement.clone();
    let mut hints = ParameterHints::default();
    hints.read(&statement);
    postgres::rewrite(&mut statement)?;
    tributary_udfs::rewrite(&mut statement).map_err(|e| errors::from_user_error(&e, source))?;
    // The options of our scalar functions have said their types by now.
    hints.read(&statement);
    let shape = shape_of(&mut statement)?;
    let plan = plan_declared(&state, statement, declared).await.map_err(|e| errors::from_datafusion(&e, source))?;
    refuse_giants(&plan, source)?;
    inlined::check(&plan, source)?;
    let plan = postgres::unify_times(plan).map_err(|e| errors::from_datafusion(&e, source))?;
    let (plan, parameters) = type_parameters(plan, declared, &hints, source)?;
    refuse_what_only_reads_may_not(&plan)?;
    let columns = match shape {
        Shape::Explain { .. } => {
            vec![Column::new("QUERY PLAN", DataType::Utf8)]
        }
        Shape::Rows => columns(&plan),
    };
    if parameters.is_empty() {
        check_early(&state, &plan, source)?;
    }
    Ok(Planned { plan, parameters, columns, shape })
}

/// Fails as a query would that is too large to be planned (54001): a view is planned wherever it is used.
pub(super) async fn refuse_too_large(ctx: &SessionContext, query: &Query, source: &str) -> Result<()> {
    let statement = Statement::Query(Box::new(query.clone()));
    let plan = ctx.state().statement_to_plan(DfStatement::Statement(Box::new(statement))).await;
    let plan = plan.map_err(|e| errors::from_datafusion(&e, source))?;
    refuse_giants(&plan, source)?;
    inlined::check(&plan, source)
}

/// A plan in which each part is used twice by the next is small to build and endless to walk.
fn refuse_giants(plan: &LogicalPlan, source: &str) -> Result<()> {
    let mut nodes = 0;
    plan.apply_with_subqueries(|_| {
        nodes += 1;
        Ok(if nodes > limits::PLAN_NODES { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })
    .map_err(|e| errors::from_datafusion(&e, source))?;
    if nodes <= limits::PLAN_NODES {
        return Ok(());
    }
    let message = format!("the plan of the statement has more than {} steps", limits::PLAN_NODES);
    Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, message)
        .with_hint("A WITH query or a view that is used twice counts twice: keep what is used often as a table."))
}

/// Plans with the declared types in place.
///
/// A numeric has no type that keeps every value's own digits, so it is left open unless the
/// statement cannot be planned without it; then it has 12 digits after the point.
async fn plan_declared(
    state: &SessionState,
    statement: Statement,
    declared: &[Option<DataType>],
) -> datafusion::error::Result<LogicalPlan> {
    let is_numeric = |declared: &Option<DataType>| declared.as_ref().is_some_and(DataType::is_decimal);
    let open: Vec<_> = declared.iter().map(|d| if is_numeric(d) { None } else { d.clone() }).collect();
    let plan_with = async |types: &[Option<DataType>]| {
        let mut statement = statement.clone();
        parameters::declare(&mut statement, types);
        state.statement_to_plan(DfStatement::Statement(Box::new(statement))).await
    };
    match plan_with(&open).await {
        Err(_) if declared.iter().any(is_numeric) => plan_with(declared).await,
        planned => planned,
    }
}

/// Puts values in the places of the parameters.
pub fn bind(planned: &Planned, values: Vec<ScalarValue>, text: &str) -> Result<LogicalPlan> {
    if planned.parameters.len() > values.len() {
        return Err(Error::new(
            SqlState::PROTOCOL_VIOLATION,
            format!(
                "bind message supplies {} parameters, but the statement requires {}",
                values.len(),
                planned.parameters.len()
            ),
        ));
    }
    if values.is_empty() {
        return Ok(planned.plan.clone());
    }
    let values = values.into_iter().zip(&planned.parameters).map(|(value, parameter)| {
        let metadata = (!parameter.metadata().is_empty()).then(|| FieldMetadata::from(parameter.as_ref()));
        ScalarAndMetadata::new(value, metadata)
    });
    planned
        .plan
        .clone()
        .replace_params_with_values(&ParamValues::List(values.collect()))
        .map_err(|e| errors::from_datafusion(&e, text))
}

/// The value of a parameter of EXECUTE, as one that is assigned to a column of `data_type`: the rules of casts hold.
///
/// Columns and parameters are not there to be read, and subqueries may not stand here (0A000), as in PostgreSQL.
pub async fn constant(
    ctx: &SessionContext,
    expr: &SqlExpr,
    data_type: Option<&DataType>,
    source: &str,
) -> Result<ScalarValue> {
    let failed = |e| errors::from_datafusion(&e, source);
    let state = ctx.state();
    if complexity::has_subquery(expr) {
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "cannot use subquery in EXECUTE parameter"));
    }
    let item = SelectItem::UnnamedExpr(parameters::assigned(expr.clone(), data_type));
    let mut statement = Parser::parse_sql(&TributaryDialect, "SELECT 1")
        .ok()
        .and_then(|mut statements| statements.pop())
        .ok_or_else(|| Error::new(SqlState::INTERNAL_ERROR, "cannot make a query of one value"))?;
    if let Statement::Query(query) = &mut statement
        && let SetExpr::Select(select) = query.body.as_mut()
    {
        select.projection = vec![item];
    }
    postgres::rewrite(&mut statement)?;
    let plan = state.statement_to_plan(DfStatement::Statement(Box::new(statement))).await.map_err(failed)?;
    inlined::check(&plan, source)?;
    let batches = DataFrame::new(state, plan).collect().await.map_err(failed)?;
    match batches.iter().find(|b| b.num_rows() == 1 && b.num_columns() == 1) {
        Some(batch) => ScalarValue::try_from_array(batch.column(0), 0).map_err(failed),
        None => Err(Error::new(SqlState::SYNTAX_ERROR, "a parameter of EXECUTE must be one value")),
    }
}

/// Runs the analyzer now, so that a wrong call is an error of Parse and not of Execute.
fn check_early(state: &SessionState, plan: &LogicalPlan, text: &str) -> Result<()> {
    state
        .analyzer()
        .execute_and_check(plan.clone(), state.config_options(), |_, _| {})
        .map(|_| ())
        .map_err(|e| errors::from_datafusion(&e, text))
}

/// How the answer looks. The options of EXPLAIN are honoured or refused, never passed over.
fn shape_of(statement: &mut Statement) -> Result<Shape> {
    let Statement::Explain { verbose, analyze, format, options, .. } = statement else {
        return Ok(Shape::Rows);
    };
    for option in options.take().unwrap_or_default() {
        let argument = option.arg.as_ref().map(|arg| arg.to_string().trim_matches('\'').to_ascii_lowercase());
        let is_on = !matches!(argument.as_deref(), Some("off" | "false" | "0"));
        match (option.name.value.to_ascii_lowercase().as_str(), argument.as_deref()) {
            ("analyze", _) => *analyze = is_on,
            ("verbose", _) => *verbose = is_on,
            ("format", Some("text")) => {}
            // The plan says what it costs either way; these ask for less or for PostgreSQL's own counters.
            ("costs" | "timing" | "summary" | "buffers" | "settings" | "wal", _) => {}
            (name, argument) => {
                let asked = argument.map_or(name.to_uppercase(), |a| format!("{} {a}", name.to_uppercase()));
                return Err(explain_option(&asked));
            }
        }
    }
    if let Some(format) = format {
        return Err(explain_option(&format!("FORMAT {format}")));
    }
    Ok(Shape::Explain { verbose: *verbose })
}

fn explain_option(asked: &str) -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("EXPLAIN ({asked}) is not supported"))
        .with_hint("Use EXPLAIN, with ANALYZE and VERBOSE where wanted.")
}

/// What is left after transaction, session and catalogue statements must only read.
fn refuse_what_only_reads_may_not(plan: &LogicalPlan) -> Result<()> {
    let what = match plan {
        LogicalPlan::Dml(_) => "INSERT, UPDATE and DELETE",
        LogicalPlan::Ddl(_) => "this definition",
        LogicalPlan::Copy(_) => "COPY",
        LogicalPlan::Statement(_) => "this statement",
        _ => return Ok(()),
    };
    Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} is not supported"))
        .with_hint("Lakes are read; CREATE VIEW and CREATE EXTERNAL TABLE name what to read."))
}

/// Gives every placeholder a type and lists the types in order.
fn type_parameters(
    plan: LogicalPlan,
    declared: &[Option<DataType>],
    hints: &ParameterHints,
    text: &str,
) -> Result<(LogicalPlan, Vec<FieldRef>)> {
    let inferred = plan.get_parameter_fields().map_err(|e| errors::from_datafusion(&e, text))?;
    let items = placed::placed_parameters(&plan).map_err(|e| errors::from_datafusion(&e, text))?;
    let highest = inferred
        .keys()
        .filter_map(|name| parameters::index_of(name))
        .map(|index| index + 1)
        .max()
        .unwrap_or(0)
        .max(declared.len())
        // What is never asked, such as a condition on a system table without rows, is not in the plan any more.
        .max(hints.count());
    let types: Vec<FieldRef> = (0..highest)
        .map(|index| {
            let declared = declared.get(index).cloned().flatten().map(parameters::field);
            declared
                .or_else(|| hints.get(index))
                .or_else(|| items.get(&index).cloned())
                .or_else(|| inferred.get(&format!("${}", index + 1))?.as_ref().map(parameters::like))
                .filter(|field| !field.data_type().is_null())
                .unwrap_or_else(|| parameters::field(DataType::Utf8))
        })
        .collect();
    if types.is_empty() {
        return Ok((plan, types));
    }
    let typed = plan
        .transform_up_with_subqueries(|node| {
            node.map_expressions(|expr| expr.transform_up(|e| Ok(with_type(e, &types))))?
                .map_data(LogicalPlan::recompute_schema)
        })
        .map_err(|e| errors::from_datafusion(&e, text))?;
    Ok((typed.data, types))
}

fn with_type(expr: Expr, types: &[FieldRef]) -> Transformed<Expr> {
    let Expr::Placeholder(Placeholder { id, field }) = expr else {
        return Transformed::no(expr);
    };
    let Some(typed) = parameters::index_of(&id).and_then(|index| types.get(index)) else {
        return Transformed::no(Expr::Placeholder(Placeholder { id, field }));
    };
    Transformed::yes(Expr::Placeholder(Placeholder { id, field: Some(Arc::clone(typed)) }))
}

fn columns(plan: &LogicalPlan) -> Vec<Column> {
    let column = |(index, field): (usize, &FieldRef)| {
        let name = field_name(plan, index).unwrap_or_else(|| postgres::label(field.name()));
        Column { name: name.to_owned(), field: postgres::result_field(plan, field) }
    };
    plan.schema().fields().iter().enumerate().map(column).collect()
}

/// The name of a record's field that a column is, as in `touch.channel`, where the column has no name of its own.
fn field_name(plan: &LogicalPlan, index: usize) -> Option<&str> {
    match plan {
        LogicalPlan::Projection(projection) => match projection.expr.get(index)? {
            Expr::ScalarFunction(access) if access.name() == "get_field" => {
                access.args.last()?.as_literal()?.try_as_str().flatten()
            }
            _ => None,
        },
        LogicalPlan::Sort(sort) => field_name(&sort.input, index),
        LogicalPlan::Limit(limit) => field_name(&limit.input, index),
        LogicalPlan::Distinct(distinct) => field_name(distinct.input(), index),
        _ => None,
    }
}
