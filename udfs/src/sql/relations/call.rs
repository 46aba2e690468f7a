//! A call of a relation, as the function that lowers it sees it.

use datafusion::common::{Column, Result};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, FunctionArg, FunctionArgExpr, Spanned, TableFactor};

use super::input::{self, Key};
use crate::doc::FunctionDoc;
use crate::error::{UserError, sqlstate};
use crate::sql::arguments::{Argument, argument, location, option_name, take_columns};
use crate::sql::planner::give_type;
use crate::sql::rewrite::tuple_as_struct;

/// A call whose relation is planned; its other arguments are planned over that relation as they are asked for.
pub(crate) struct RelationCall<'a> {
    pub function: &'static FunctionDoc,
    /// The relation.
    pub input: LogicalPlan,
    positional: Vec<SqlExpr>,
    named: Vec<(String, SqlExpr)>,
    context: &'a mut dyn RelationPlannerContext,
}

impl<'a> RelationCall<'a> {
    /// Plans the relation of a call that was rewritten.
    ///
    /// # Errors
    /// What is wrong in the relation; 42601 for arguments that are no expressions.
    pub fn new(
        function: &'static FunctionDoc,
        args: Vec<FunctionArg>,
        context: &'a mut dyn RelationPlannerContext,
    ) -> Result<Self> {
        let mut args = args.into_iter();
        let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(SqlExpr::Subquery(subquery)))) = args.next() else {
            return Err(input::no_relation(function).into());
        };
        let relation = TableFactor::Derived { lateral: false, subquery, alias: None, sample: None };
        let (mut positional, mut named) = (vec![], vec![]);
        for arg in args {
            match argument(arg) {
                Argument::Named(option) => named.push((option_name(&option.name), option.value)),
                Argument::Positional(arg) => match *arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => positional.push(expr),
                    other => {
                        return Err(UserError::new(
                            sqlstate::SYNTAX_ERROR,
                            format!("{}: {other} is no argument", function.name),
                        )
                        .into());
                    }
                },
            }
        }
        let most = function.arguments.len() - 1;
        if positional.len() > most {
            return Err(UserError::new(
                sqlstate::TOO_MANY_ARGUMENTS,
                format!("{} takes a relation and {most} arguments, got {}", function.name, positional.len()),
            )
            .with_hint("What follows is named, such as lookback => '30 days'.")
            .into());
        }
        let input = context.plan(relation)?;
        Ok(Self { function, input, positional, named, context })
    }

    /// The argument of this name, from its place or by its name.
    pub fn argument(&mut self, name: &str) -> Result<Option<Expr>> {
        if let Some(named) = self.option(name)? {
            return Ok(Some(named));
        }
        // The places of arguments that are named are taken by those that follow, as in every call.
        let is_named = |argument: &str| self.named.iter().any(|(named, _)| named == argument);
        let places = self.function.arguments.iter().skip(1).filter(|argument| !is_named(argument.name));
        let Some(index) = places.into_iter().position(|argument| argument.name == name) else { return Ok(None) };
        self.positional.get(index).cloned().map(|expr| self.planned(name, expr)).transpose()
    }

    /// The argument that must be given.
    pub fn needed(&mut self, name: &str, example: &str) -> Result<Expr> {
        match self.argument(name)? {
            Some(expr) => Ok(expr),
            None => {
                let message = format!("{} needs '{name}'", self.function.name);
                Err(UserError::new(sqlstate::UNDEFINED_FUNCTION, message)
                    .with_hint(format!("Example: {example}."))
                    .into())
            }
        }
    }

    /// The option of this name.
    pub fn option(&mut self, name: &str) -> Result<Option<Expr>> {
        let given = self.named.iter().find(|(given, _)| given == name).map(|(_, expr)| expr.clone());
        given.map(|expr| self.planned(name, expr)).transpose()
    }

    fn planned(&mut self, name: &str, expr: SqlExpr) -> Result<Expr> {
        let mut planned = self.context.sql_to_expr(tuple_as_struct(expr), self.input.schema())?;
        let argument = self.function.arguments.iter().find(|argument| argument.name == name);
        let option = self.function.options.iter().find(|option| option.name == name);
        if let Some(sql_type) = argument.map(|argument| argument.sql_type).or(option.map(|option| option.sql_type)) {
            give_type(&mut planned, sql_type);
        }
        Ok(planned)
    }

    /// The columns that an option names: one, or several in parentheses.
    ///
    /// # Errors
    /// 42601 if it names something else.
    pub fn columns(&mut self, name: &str) -> Result<Vec<Column>> {
        let Some((_, given)) = self.named.iter().find(|(given, _)| given == name).cloned() else { return Ok(vec![]) };
        let place = given.span().start;
        let mut columns = vec![];
        for expr in take_columns(given) {
            match self.context.sql_to_expr(expr, self.input.schema())? {
                Expr::Column(column) => columns.push(column),
                other => {
                    return Err(UserError::new(
                        sqlstate::SYNTAX_ERROR,
                        format!("{}: argument '{name}' takes columns, got {other}", self.function.name),
                    )
                    .with_hint("Compute it in the relation: (SELECT ..., expression AS name FROM ...).")
                    .at(location(place))
                    .into());
                }
            }
        }
        Ok(columns)
    }

    /// The column that tells users apart: by option, by the table's property, by its usual name.
    pub fn user_key(&mut self) -> Result<Column> {
        self.key(&input::USER)
    }

    /// The column that says when an event happened.
    pub fn time_key(&mut self) -> Result<Column> {
        self.key(&input::TIME)
    }

    fn key(&mut self, key: &Key) -> Result<Column> {
        match self.columns(key.option)?.pop() {
            Some(column) => Ok(column),
            None => Ok(input::find(self.function, key, self.input.schema())?),
        }
    }
}
