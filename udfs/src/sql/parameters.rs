//! Parameters of scalar calls get the types of their places.
//!
//! DataFusion asks a planner about aggregates and windows, whose parameters [`super::planner`] types, and about no
//! scalar function. So the statement says the type itself: `tag_match(tags, $1)` is `tag_match(tags, CAST($1 AS TEXT))`.

use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, Value, ValueWithSpan};

use super::arguments::{NamedOption, option_name};
use crate::doc::FunctionDoc;

/// Casts every bare parameter of a call, where its place takes one type.
pub(super) fn give_types(function: &FunctionDoc, positional: &mut [FunctionArg], options: &mut [NamedOption]) {
    let repeated = function.arguments.last().filter(|argument| argument.is_variadic);
    let places = function.arguments.iter().chain(repeated.into_iter().cycle());
    for (place, arg) in places.zip(positional) {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) = arg {
            give_type(value, place.sql_type);
        }
    }
    for option in options {
        let name = option_name(&option.name);
        if let Some(place) = function.options.iter().find(|place| place.name == name) {
            give_type(&mut option.value, place.sql_type);
        }
    }
}

fn give_type(value: &mut Expr, sql_type: &str) {
    let Expr::Value(ValueWithSpan { value: Value::Placeholder(_), .. }) = value else { return };
    let data_type = match sql_type {
        "boolean" => DataType::Boolean,
        "text" => DataType::Text,
        _ => return,
    };
    let expr = Box::new(std::mem::replace(value, Expr::value(Value::Null)));
    *value = Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None };
}
