//! `generate_series` and `generate_subscripts` in FROM, with arguments that are known only when the statement runs.
//!
//! The arguments are a row of their own, a plain projection, so that parameters, casts, calls and subqueries are planned
//! as everywhere. [`Series`] makes the rows of a series out of that row, a batch at a time: a series of any length takes
//! the memory of one batch.

mod exec;
mod runs;
mod select_list;

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, Schema};
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DFSchemaRef, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::expr::{Cast, Placeholder};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{
    Expr, ExprSchemable, Extension, LogicalPlan, LogicalPlanBuilder, UserDefinedLogicalNode,
    UserDefinedLogicalNodeCore, lit,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use datafusion::sql::sqlparser::ast::{
    DataType as SqlType, ExactNumberInfo, Expr as SqlExpr, FunctionArg, FunctionArgExpr, TableAlias, TableFactor, Value,
};

pub use self::select_list::rewrite_select;

use self::exec::SeriesExec;
use self::select_list::subscripts;
use super::ast::{cast, constant, last_name};
use super::functions::{INTERVAL, WALL, instant_type, is_text, sql_name};
use crate::error::{Error, SqlState};

/// Lets a session plan the functions of this module.
pub fn configure(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    builder.relation_planners().get_or_insert_default().push(Arc::new(Relations));
    tributary_udfs::plan_also(builder, vec![Arc::new(Operators)])
}

// ---- from the statement to a plan

#[derive(Debug)]
struct Relations;

impl RelationPlanner for Relations {
    fn plan_relation(&self, factor: TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        let Some(series) = Call::of(&factor) else { return Ok(RelationPlanning::Original(Box::new(factor))) };
        let plan = series.plan(context)?;
        let alias = series.alias.cloned();
        let plan = match alias {
            Some(_) => plan,
            // As in PostgreSQL, a function in FROM is its own alias.
            None => LogicalPlanBuilder::from(plan).alias(series.name.as_str())?.build()?,
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

/// A call in FROM.
struct Call<'a> {
    name: String,
    args: &'a [FunctionArg],
    alias: Option<&'a TableAlias>,
    has_ordinality: bool,
}

impl<'a> Call<'a> {
    fn of(factor: &'a TableFactor) -> Option<Self> {
        let (name, args, alias, has_ordinality) = match factor {
            TableFactor::Table { name, args: Some(args), alias, with_ordinality, .. } => {
                (name, args.args.as_slice(), alias, *with_ordinality)
            }
            TableFactor::Function { name, args, alias, with_ordinality, .. } => {
                (name, args.as_slice(), alias, *with_ordinality)
            }
            _ => return None,
        };
        let name = last_name(name).filter(|name| name == "generate_series" || name == "generate_subscripts")?;
        Some(Self { name, args, alias: alias.as_ref(), has_ordinality })
    }

    fn plan(&self, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
        let empty = DFSchema::empty();
        let args = self.sql_args()?;
        let args = args.into_iter().map(|arg| context.sql_to_expr(arg, &empty)).collect::<Result<Vec<Expr>>>()?;
        if args.iter().any(|arg| arg.contains_outer()) {
            let message = format!("{} with columns of another relation is not supported", self.name);
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                .with_hint(
                    "Put it into the select list: SELECT ..., generate_series(1, n) FROM ... makes its rows there.",
                )
                .into());
        }
        let given = args.iter().map(|arg| arg.get_type(&empty)).collect::<Result<Vec<DataType>>>()?;
        let wanted = argument_types(&given).ok_or_else(|| self.undefined(&given))?;
        let args = args.into_iter().zip(&given).zip(&wanted);
        let args = args.map(|((arg, given), wanted)| typed(arg, given, wanted)).collect::<Result<Vec<Expr>>>()?;
        let named = args.into_iter().zip(["first", "last", "step"]).map(|(arg, name)| arg.alias(name));
        let input = LogicalPlanBuilder::empty(true).project(named)?.build()?;
        // A function that answers one column lends it the alias of the relation.
        let column = match self.alias {
            Some(alias) => context.normalize_ident(alias.name.clone()),
            None => self.name.clone(),
        };
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(Series::over(input, &column, self.has_ordinality)?) }))
    }

    /// The ends of the series as they are written; the subscripts of an array are from 1 to its length.
    fn sql_args(&self) -> Result<Vec<SqlExpr>> {
        let args = self.args.iter().map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(exact(expr.clone())),
            other => {
                let message = format!("{} takes no argument like {other}", self.name);
                Err(DataFusionError::from(Error::new(SqlState::SYNTAX_ERROR, message)))
            }
        });
        let args = args.collect::<Result<Vec<SqlExpr>>>()?;
        if self.name != "generate_subscripts" {
            return Ok(args);
        }
        let [array, dimension] = <[SqlExpr; 2]>::try_from(args).map_err(|_| {
            let message = format!("{} takes an array and one of its dimensions", self.name);
            DataFusionError::from(Error::new(SqlState::UNDEFINED_FUNCTION, message))
        })?;
        Ok(subscripts(array, dimension).into())
    }

    fn undefined(&self, given: &[DataType]) -> DataFusionError {
        let given: Vec<String> =
            given.iter().map(|data_type| sql_name(&Field::new("", data_type.clone(), true))).collect();
        let message = format!("function {}({}) does not exist", self.name, given.join(", "));
        Error::new(SqlState::UNDEFINED_FUNCTION, message)
            .with_hint("It takes two whole numbers or numerics, with or without a step, or two times and an interval.")
            .into()
    }
}

/// A constant with a point is numeric, with the digits that it has; elsewhere it is a float, and so is one with more digits
/// than numerics have here.
fn exact(expr: SqlExpr) -> SqlExpr {
    let digits = match &expr {
        SqlExpr::Value(value) => match &value.value {
            Value::Number(number, _) => number.to_string(),
            _ => return expr,
        },
        _ => return expr,
    };
    match digits.split_once('.') {
        Some((whole, fraction))
            if whole.len() + fraction.len() <= usize::from(DECIMAL128_MAX_PRECISION)
                && fraction.bytes().all(|b| b.is_ascii_digit()) =>
        {
            let scale = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
            let numeric = SqlType::Numeric(ExactNumberInfo::PrecisionAndScale(38, scale));
            cast(constant(Value::SingleQuotedString(digits)), numeric)
        }
        _ => expr,
    }
}

/// The types that arguments are brought to; the first is that of the series. `None` where there is no such function.
///
/// As in PostgreSQL, dates and times that are only texts count as instants.
fn argument_types(given: &[DataType]) -> Option<Vec<DataType>> {
    if !(2..=3).contains(&given.len()) {
        return None;
    }
    let is_open = |data_type: &DataType| data_type.is_null() || is_text(data_type);
    let is_time = |data_type: &DataType| matches!(data_type, DataType::Timestamp(..) | DataType::Date32);
    let is_span = |data_type: &DataType| matches!(data_type, DataType::Interval(_) | DataType::Duration(_));
    if let [first, last, step] = given
        && (is_span(step) || is_time(first) || is_time(last))
    {
        let is_right = [first, last].into_iter().all(|end| is_time(end) || is_open(end));
        let is_wall = |end: &DataType| matches!(end, DataType::Timestamp(_, None));
        let is_walled =
            [first, last].into_iter().all(|end| is_wall(end) || is_open(end)) && (is_wall(first) || is_wall(last));
        let of = if is_walled { WALL } else { instant_type() };
        return (is_right && (is_span(step) || is_open(step))).then(|| vec![of.clone(), of, INTERVAL]);
    }
    let scales = given.iter().map(|data_type| match data_type {
        DataType::Decimal128(_, scale) => Some(Some(*scale)),
        other if other.is_integer() || is_open(other) => Some(None),
        _ => None,
    });
    let scale = scales.collect::<Option<Vec<Option<i8>>>>()?.into_iter().flatten().max();
    let is_narrow = |data_type: &DataType| matches!(data_type, DataType::Int8 | DataType::Int16 | DataType::Int32);
    let of = match scale {
        Some(scale) => DataType::Decimal128(38, scale),
        None if given.iter().all(|of| is_narrow(of) || is_open(of)) && given.iter().any(is_narrow) => DataType::Int32,
        None => DataType::Int64,
    };
    Some(vec![of; given.len()])
}

/// An argument in its type; a parameter of no type has it.
fn typed(arg: Expr, given: &DataType, wanted: &DataType) -> Result<Expr> {
    if given == wanted {
        return Ok(arg);
    }
    let arg = arg.transform(|expr| {
        Ok(match expr {
            Expr::Placeholder(Placeholder { id, field: None }) if given.is_null() => {
                let field = Field::new(id.as_str(), wanted.clone(), true);
                Transformed::yes(Expr::Placeholder(Placeholder { id, field: Some(Arc::new(field)) }))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(match arg.data {
        arg @ Expr::Placeholder(_) if arg.get_type(&DFSchema::empty())? == *wanted => arg,
        Expr::Literal(value, _) if value.is_null() => lit(value.cast_to(wanted)?),
        arg => Expr::Cast(Cast::new(Box::new(arg), wanted.clone())),
    })
}

// ---- the node

/// The rows of a series, for each row of the input; its columns are the first value, the last and maybe the step.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Series {
    input: LogicalPlan,
    /// The values, and their numbers from 1 where the statement asks for them.
    schema: DFSchemaRef,
}

impl Series {
    fn over(input: LogicalPlan, column: &str, has_ordinality: bool) -> Result<Self> {
        let data_type = input.schema().field(0).data_type().clone();
        let mut fields = vec![Field::new(column, data_type, false)];
        if has_ordinality {
            fields.push(Field::new("ordinality", DataType::Int64, false));
        }
        let schema = DFSchema::try_from(Schema::new(fields))?;
        Ok(Self { input, schema: Arc::new(schema) })
    }
}

/// The columns are compared as well: they are not told by the input.
impl PartialOrd for Series {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.input.partial_cmp(&other.input).filter(|ordering| ordering.is_ne() || self == other)
    }
}

impl UserDefinedLogicalNodeCore for Series {
    fn name(&self) -> &str {
        "Series"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    /// No column of the input is one of the output.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        self.schema.field_names().into_iter().collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Series")
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        match (inputs.pop(), inputs.is_empty() && exprs.is_empty()) {
            (Some(input), true) => Ok(Self { input, schema: Arc::clone(&self.schema) }),
            _ => internal_err!("Series has one input and no expressions"),
        }
    }
}

// ---- from the node to an operator

struct Operators;

#[async_trait]
impl ExtensionPlanner for Operators {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _inputs: &[&LogicalPlan],
        operators: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let (Some(series), [input]) = (node.as_any().downcast_ref::<Series>(), operators) else { return Ok(None) };
        let schema = Arc::new(series.schema.as_arrow().clone());
        Ok(Some(Arc::new(SeriesExec::new(Arc::clone(input), schema))))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::{IntervalUnit, TimeUnit};

    use super::*;

    #[test]
    fn a_series_has_the_type_of_its_ends() {
        let number = DataType::Decimal128(38, 0);
        let first = |given: &[DataType]| argument_types(given).map(|types| types[0].clone());
        assert_eq!(first(&[DataType::Int64, DataType::Int32]), Some(DataType::Int64));
        assert_eq!(first(&[DataType::Int32, DataType::Null]), Some(DataType::Int32));
        assert_eq!(first(&[DataType::Null, DataType::Null]), Some(DataType::Int64));
        assert_eq!(
            first(&[DataType::Int64, DataType::Int64, DataType::Decimal128(3, 2)]),
            Some(DataType::Decimal128(38, 2))
        );
        assert_eq!(first(&[number.clone(), DataType::Float64]), None);
        assert_eq!(first(&[DataType::Int64]), None);
    }

    #[test]
    fn a_constant_with_more_digits_than_a_numeric_has_stays_as_it_is() {
        let shown = |number: &str| exact(constant(Value::Number(number.to_owned(), false))).to_string();
        assert_eq!(shown("1.50"), "'1.50'::NUMERIC(38,2)");
        let most = format!("0.{}", "1".repeat(37));
        assert_eq!(shown(&most), format!("'{most}'::NUMERIC(38,37)"));
        assert_eq!(shown(&format!("{most}1")), format!("{most}1"));
    }

    #[test]
    fn times_need_a_step_and_dates_are_instants() {
        let (wall, span) =
            (DataType::Timestamp(TimeUnit::Nanosecond, None), DataType::Interval(IntervalUnit::MonthDayNano));
        let first = |given: &[DataType]| argument_types(given).map(|types| types[0].clone());
        assert_eq!(first(&[wall.clone(), wall.clone()]), None);
        assert_eq!(first(&[wall.clone(), DataType::Utf8, span.clone()]), Some(WALL));
        assert_eq!(first(&[wall.clone(), DataType::Date32, span.clone()]), Some(instant_type()));
        assert_eq!(first(&[DataType::Date32, DataType::Date32, DataType::Utf8]), Some(instant_type()));
        assert_eq!(first(&[DataType::Utf8, DataType::Utf8, span.clone()]), Some(instant_type()));
        assert_eq!(first(&[wall, DataType::Int64, span]), None);
    }
}
