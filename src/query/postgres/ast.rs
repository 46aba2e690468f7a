//! Small constructors and questions over parsed expressions that several rewrites share.

use std::collections::HashSet;
use std::sync::LazyLock;

use datafusion::functions_aggregate::all_default_aggregate_functions;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, Value,
};
use tributary_udfs::FunctionKind;

use super::functions::SINGLE_VALUE;

/// A call of a function with positional arguments.
pub fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// A cast.
pub fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::DoubleColon, expr: Box::new(expr), data_type, array: false, format: None }
}

/// A constant.
pub fn constant(value: Value) -> Expr {
    Expr::Value(value.with_empty_span())
}

/// NULL of type text: PostgreSQL's type of a NULL that nothing else gives a type.
pub fn null_text() -> Expr {
    cast(constant(Value::Null), DataType::Text)
}

/// The text of a string constant in any of its spellings.
pub fn string_constant(expr: &Expr) -> Option<&str> {
    let Expr::Value(value) = expr else { return None };
    match &value.value {
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
        Value::DollarQuotedString(text) => Some(&text.value),
        _ => None,
    }
}

/// The last part of a name as SQL reads it: folded to lower case unless quoted.
pub fn last_name(name: &ObjectName) -> Option<String> {
    match name.0.last()? {
        ObjectNamePart::Identifier(ident) => Some(folded(ident)),
        ObjectNamePart::Function(_) => None,
    }
}

/// An identifier as SQL reads it.
pub fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// The name of the function that an expression calls, without its schema.
pub fn called_function(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Function(function) => last_name(&function.name),
        Expr::Nested(inner) => called_function(inner),
        _ => None,
    }
}

/// Gives a call another function.
pub fn rename_call(expr: &mut Expr, name: &str) {
    match expr {
        Expr::Function(function) => function.name = ObjectName::from(vec![Ident::new(name)]),
        Expr::Nested(inner) => rename_call(inner, name),
        _ => {}
    }
}

/// Takes an expression out of its place, leaving NULL.
pub fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, constant(Value::Null))
}

/// The parts of a condition that AND joins.
pub fn conjuncts(condition: Expr) -> Vec<Expr> {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut parts = conjuncts(*left);
            parts.extend(conjuncts(*right));
            parts
        }
        Expr::Nested(inner) if matches!(*inner, Expr::BinaryOp { op: BinaryOperator::And, .. }) => conjuncts(*inner),
        other => vec![other],
    }
}

/// A condition from its parts.
pub fn all_of(parts: Vec<Expr>) -> Option<Expr> {
    parts.into_iter().reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    })
}

/// Whether a function of that name makes one value of many rows: those of the engine, ours, and those that only
/// PostgreSQL has.
pub fn is_aggregate(name: &str) -> bool {
    static NAMES: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let of_engine = all_default_aggregate_functions();
        let of_engine =
            of_engine.iter().flat_map(|function| [&[function.name().to_owned()], function.aliases()].concat());
        let ours = tributary_udfs::catalogue()
            .iter()
            .filter(|doc| matches!(doc.kind, FunctionKind::Aggregate | FunctionKind::AggregateOrWindow));
        let ours = ours.map(|doc| doc.name.to_lowercase());
        let others = ["every", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg", "xmlagg", SINGLE_VALUE];
        of_engine.chain(ours).chain(others.map(str::to_owned)).collect()
    });
    NAMES.contains(name)
}
