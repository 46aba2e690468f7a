//! Named options of a call: recognised, judged, and put where the planner expects them.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArgOperator, Ident, Spanned, Value, ValueWithSpan,
};

use crate::doc::FunctionDoc;
use crate::error::{Location, UserError, nearest, sqlstate};

/// An option as it was written.
pub(super) struct NamedOption {
    pub name: Ident,
    pub value: Expr,
}

/// An argument, by its name or by its place.
pub(super) enum Argument {
    Named(Box<NamedOption>),
    Positional(Box<FunctionArg>),
}

/// What an argument is: an option is written with `=>` or with `:=`.
pub(super) fn argument(arg: FunctionArg) -> Argument {
    use FunctionArgOperator::{Assignment, RightArrow};
    match arg {
        FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), operator: RightArrow | Assignment } => {
            Argument::Named(Box::new(NamedOption { name, value }))
        }
        FunctionArg::ExprNamed {
            name: Expr::Identifier(name),
            arg: FunctionArgExpr::Expr(value),
            operator: RightArrow | Assignment,
        } => Argument::Named(Box::new(NamedOption { name, value })),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(mut value)) => match take_assigned_name(&mut value) {
            Some(name) => Argument::Named(Box::new(NamedOption { name, value })),
            None => Argument::Positional(Box::new(FunctionArg::Unnamed(FunctionArgExpr::Expr(value)))),
        },
        other => Argument::Positional(Box::new(other)),
    }
}

/// Takes `name` out of `name := value`, which the parser reads as an operator that binds as `=` does:
/// `touch := a = b` arrives as `(touch := a) = b`.
fn take_assigned_name(value: &mut Expr) -> Option<Ident> {
    let Expr::BinaryOp { left, op, right } = value else { return None };
    if *op != BinaryOperator::Assignment {
        return take_assigned_name(left);
    }
    let Expr::Identifier(name) = left.as_ref() else { return None };
    let name = name.clone();
    *value = std::mem::replace(right, Expr::value(Value::Null));
    Some(name)
}

/// The expressions of `(a, b)`, `(a)` or `a`.
pub(super) fn take_columns(value: Expr) -> Vec<Expr> {
    match value {
        Expr::Tuple(values) => values,
        Expr::Nested(value) => vec![*value],
        value => vec![value],
    }
}

/// Refuses options that the function does not know, has twice, or whose word is none it knows.
pub(super) fn check(function: &FunctionDoc, options: &[NamedOption]) -> Result<(), UserError> {
    for (index, option) in options.iter().enumerate() {
        let name = option_name(&option.name);
        let position = location(option.name.span.start);
        if !function.option_names().any(|known| known == name) {
            return Err(unknown_option(function, &name).at(position));
        }
        if options[..index].iter().any(|earlier| option_name(&earlier.name) == name) {
            return Err(UserError::new(
                sqlstate::SYNTAX_ERROR,
                format!("{}: argument '{name}' is given twice", function.name),
            )
            .at(position));
        }
        check_words(function, &name, &option.value)?;
    }
    Ok(())
}

/// The name as the catalogue spells it: unquoted names are in lower case, as everywhere in SQL.
pub(super) fn option_name(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// Checks a word that stands in the statement itself; what is computed or bound is checked when it is known.
fn check_words(function: &FunctionDoc, name: &str, value: &Expr) -> Result<(), UserError> {
    let Some(option) = function.options.iter().find(|option| option.name == name) else { return Ok(()) };
    let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) = value else { return Ok(()) };
    if option.values.is_empty() {
        return Ok(());
    }
    let position = location(value.span().start);
    if name == "mode" {
        return crate::funnel::parse_modes(function.name, text).map(|_| ()).map_err(|error| error.at(position));
    }
    let word = text.trim().to_lowercase();
    if option.values.contains(&word.as_str()) {
        return Ok(());
    }
    Err(crate::call::not_allowed(function.name, name, text, option.values).at(position))
}

/// The error for an option that the function does not know: what it knows, and what was probably meant.
pub(crate) fn unknown_option(function: &FunctionDoc, given: &str) -> UserError {
    let known: Vec<_> = function.option_names().collect();
    let listed = match known.as_slice() {
        [] => "it takes no named arguments".to_string(),
        known => format!("it takes {}", known.join(", ")),
    };
    let error =
        UserError::new(sqlstate::SYNTAX_ERROR, format!("{}: unknown argument '{given}'; {listed}", function.name));
    match nearest(given, known.iter().copied()) {
        Some(nearest) => error.with_hint(format!("Perhaps you meant {nearest} => ...")),
        None => error,
    }
}

/// A place of the parser as a place of ours.
pub(super) fn location(place: datafusion::sql::sqlparser::tokenizer::Location) -> Option<Location> {
    (place.line > 0).then_some(Location { line: place.line, column: place.column })
}
