//! Operators, function names, special words and patterns in PostgreSQL's spelling.

use std::borrow::Cow;

use datafusion::sql::sqlparser::ast::{
    Array, BinaryOperator, DataType, Expr, Function, FunctionArguments, Ident, LimitClause, ObjectName, ObjectNamePart,
    Query, TableFactor, TimezoneInfo, UnaryOperator, Value, ValueWithSpan,
};

use super::super::balance;
use super::array_text;
use super::ast::{call, cast, constant, folded, last_name, string_constant, take};
use super::functions::{Quantifier, quantified_name};
use crate::error::{Error, Result, SqlState};
use crate::limits;

/// Collations that compare bytes, as the engine does.
const BYTE_COLLATIONS: [&str; 6] = ["default", "C", "POSIX", "c", "posix", "ucs_basic"];

/// Functions whose PostgreSQL name means something else in DataFusion, and the one that means the same.
const RENAMED: [(&str, &str); 3] = [
    // PostgreSQL removes every equal element, DataFusion's function of that name only the first.
    ("array_remove", "array_remove_all"),
    // A statement has one time.
    ("statement_timestamp", "now"),
    ("transaction_timestamp", "now"),
];

/// Words without parentheses that are calls.
const BARE_CALLS: [&str; 2] = ["current_schema", "current_role"];

/// Rewrites one expression whose operands have been rewritten.
pub fn rewrite_expr(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::Collate { expr: operand, collation } => {
            let name = last_name(collation).unwrap_or_default();
            if !BYTE_COLLATIONS.contains(&name.as_str()) {
                let message = format!("collation \"{name}\" for encoding \"UTF8\" does not exist");
                return Err(Error::new(SqlState::UNDEFINED_OBJECT, message)
                    .with_hint("Text is compared by its bytes: use COLLATE \"C\" or none."));
            }
            *expr = take(operand);
        }
        Expr::BinaryOp { op, .. } => {
            if let BinaryOperator::PGCustomBinaryOperator(parts) = op
                && let Some(plain) = plain_operator(parts)
            {
                *op = plain;
            }
            compare_by_item(expr)?;
        }
        Expr::Function(function) => {
            strip_schema(&mut function.name);
            if let Some(name) = last_name(&function.name)
                && let Some((_, same)) = RENAMED.iter().find(|(renamed, _)| *renamed == name)
            {
                function.name = ObjectName::from(vec![Ident::new(*same)]);
            }
            if let Some(value) = last_name(&function.name).and_then(|name| shorthand(&name)) {
                *expr = value;
                return Ok(());
            }
            if let FunctionArguments::List(arguments) = &function.args
                && arguments.args.len() == 3
                && last_name(&function.name).as_deref() == Some("date_trunc")
            {
                function.name = ObjectName::from(vec![Ident::new("date_trunc_in_zone")]);
            }
        }
        Expr::Identifier(ident) if ident.quote_style.is_none() => {
            let word = folded(ident);
            if BARE_CALLS.contains(&word.as_str()) {
                *expr = call(&word, vec![]);
            }
        }
        Expr::AnyOp { .. } => compare_with_items(expr, Quantifier::Any),
        Expr::AllOp { .. } => compare_with_items(expr, Quantifier::All),
        // A constant beside a uuid is one, which only the types tell: the planner must not compare it as text before.
        Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right)
            if string_constant(left).is_some() || string_constant(right).is_some() =>
        {
            let (left, right) = (take(left), take(right));
            let name =
                if matches!(expr, Expr::IsDistinctFrom(..)) { "is_distinct_from" } else { "is_not_distinct_from" };
            *expr = call(name, vec![left, right]);
        }
        Expr::Like { any: true, .. } | Expr::ILike { any: true, .. } => any_of_patterns(expr)?,
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: power } if is_power(power) => {
            let mut base = power.as_mut();
            while let Expr::BinaryOp { left, op: BinaryOperator::PGExp, .. } = base {
                base = left.as_mut();
            }
            *base = Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(take(base)) };
            *expr = take(power);
        }
        Expr::AtTimeZone { timestamp, time_zone } => {
            *expr = call("timezone", vec![take(time_zone), take(timestamp)]);
        }
        Expr::Extract { field, expr: time, .. } => {
            let field = constant(Value::SingleQuotedString(field.to_string().trim_matches(['\'', '"']).to_lowercase()));
            *expr = call("extract", vec![field, take(time)]);
        }
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            rewrite_escape(pattern, escape_char)?;
        }
        _ => {}
    }
    Ok(())
}

/// `x = ANY (list)` as the call `any_eq(list, x)`; a subquery on the right is the planner's.
fn compare_with_items(expr: &mut Expr, quantifier: Quantifier) {
    let (Expr::AnyOp { left, compare_op, right, .. } | Expr::AllOp { left, compare_op, right }) = expr else { return };
    if let Some(items) = string_constant(right).and_then(array_items) {
        **right = items;
    }
    if let BinaryOperator::PGCustomBinaryOperator(parts) = compare_op
        && let Some(plain) = plain_operator(parts)
    {
        *compare_op = plain;
    }
    if !matches!(**right, Expr::Subquery(_))
        && let Some(function) = quantified_name(compare_op, quantifier)
    {
        *expr = call(function, vec![take(right), take(left)]);
    }
}

/// `(a, b) = (c, d)` as `a = c AND b = d`, and `<>` as `a <> c OR b <> d`: so each item has a type of its own.
///
/// # Errors
/// 54011 for more items than a row may have.
fn compare_by_item(expr: &mut Expr) -> Result<()> {
    let Expr::BinaryOp { left, op: op @ (BinaryOperator::Eq | BinaryOperator::NotEq), right } = expr else {
        return Ok(());
    };
    let (Expr::Tuple(lefts), Expr::Tuple(rights)) = (left.as_mut(), right.as_mut()) else { return Ok(()) };
    if lefts.len().max(rights.len()) > limits::COLUMNS {
        let message = format!("ROW expressions can have at most {} entries", limits::COLUMNS);
        return Err(Error::new(SqlState::TOO_MANY_COLUMNS, message));
    }
    if lefts.len() != rights.len() {
        return Ok(());
    }
    let joint = if *op == BinaryOperator::Eq { BinaryOperator::And } else { BinaryOperator::Or };
    let pairs = std::mem::take(lefts).into_iter().zip(std::mem::take(rights));
    let compared =
        pairs.map(|(left, right)| Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) });
    if let Some(all) = balance::joined(compared.collect(), &joint) {
        *expr = Expr::Nested(Box::new(all));
    }
    Ok(())
}

/// `x LIKE ANY (ARRAY[p, q])` as `x LIKE p OR x LIKE q` where `x` is a column and the patterns are few, so that what files
/// say of their texts can be used; else as the call `any_like(patterns, x)`, which has `x` once.
fn any_of_patterns(expr: &mut Expr) -> Result<()> {
    const FEW: usize = 16;
    let is_ilike = matches!(expr, Expr::ILike { .. });
    let (Expr::Like { negated, any, expr: value, pattern, escape_char }
    | Expr::ILike { negated, any, expr: value, pattern, escape_char }) = expr
    else {
        return Ok(());
    };
    if escape_char.is_some() {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "LIKE ANY takes no ESCAPE"));
    }
    let mut list = pattern.as_mut();
    while let Expr::Nested(inner) = list {
        list = inner.as_mut();
    }
    if matches!(list, Expr::Subquery(_)) {
        let message = "LIKE ANY with a subquery is not supported";
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
            .with_hint("Use EXISTS (SELECT ... WHERE x LIKE pattern)."));
    }
    if let Some(text) = string_constant(list) {
        *list = array_items(text).ok_or_else(|| {
            let message = format!("malformed array literal: \"{text}\"");
            Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
        })?;
    }
    let is_column = matches!(**value, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
    if let Expr::Array(array) = list
        && is_column
        && (1..=FEW).contains(&array.elem.len())
    {
        let patterns = std::mem::take(&mut array.elem);
        *any = false;
        let one = expr.clone();
        let matches = patterns.into_iter().map(|item| {
            let mut one = one.clone();
            if let Expr::Like { pattern, .. } | Expr::ILike { pattern, .. } = &mut one {
                **pattern = item;
            }
            one
        });
        if let Some(any) = balance::joined(matches.collect(), &BinaryOperator::Or) {
            *expr = Expr::Nested(Box::new(any));
        }
        return Ok(());
    }
    let op = match (is_ilike, *negated) {
        (false, false) => BinaryOperator::PGLikeMatch,
        (false, true) => BinaryOperator::PGNotLikeMatch,
        (true, false) => BinaryOperator::PGILikeMatch,
        (true, true) => BinaryOperator::PGNotILikeMatch,
    };
    if let Some(function) = quantified_name(&op, Quantifier::Any) {
        *expr = call(function, vec![take(list), take(value)]);
    }
    Ok(())
}

/// The parser reads `-2 ^ 2` as the negative of a power; the minus is of the base.
fn is_power(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryOp { op: BinaryOperator::PGExp, .. })
}

/// Functions that are casts of others.
fn shorthand(name: &str) -> Option<Expr> {
    const MICROSECONDS: Option<u64> = Some(6);
    match name {
        "localtimestamp" => Some(cast(call("now", vec![]), DataType::Timestamp(MICROSECONDS, TimezoneInfo::None))),
        "localtime" => Some(cast(call("now", vec![]), DataType::Time(MICROSECONDS, TimezoneInfo::None))),
        "gen_random_uuid" => Some(cast(call("uuid", vec![]), DataType::Uuid)),
        _ => None,
    }
}

/// Takes `pg_catalog.` and `public.` off a function's name: functions have no schemas in DataFusion.
fn strip_schema(name: &mut ObjectName) {
    if let [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(_)] = name.0.as_slice()
        && matches!(folded(schema).as_str(), "pg_catalog" | "public")
    {
        name.0.remove(0);
    }
}

/// The operator that `OPERATOR(pg_catalog.~)` names.
fn plain_operator(parts: &[String]) -> Option<BinaryOperator> {
    let [schema, name] = parts else { return None };
    if !schema.eq_ignore_ascii_case("pg_catalog") {
        return None;
    }
    Some(match name.as_str() {
        "=" => BinaryOperator::Eq,
        "<>" | "!=" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        "<=" => BinaryOperator::LtEq,
        ">" => BinaryOperator::Gt,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        "%" => BinaryOperator::Modulo,
        "||" => BinaryOperator::StringConcat,
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "~~*" => BinaryOperator::PGILikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        "!~~*" => BinaryOperator::PGNotILikeMatch,
        _ => return None,
    })
}

/// The elements of a one-dimensional array constant: `'{r,v}'` as `ARRAY['r', 'v']`.
///
/// `None` for text that is no array, and for nested arrays.
pub fn array_items(text: &str) -> Option<Expr> {
    let item = |item: Option<Cow<'_, str>>| {
        constant(item.map_or(Value::Null, |item| Value::SingleQuotedString(item.into_owned())))
    };
    let elem = array_text::items(text).map(|read| read.map(item)).collect::<std::result::Result<_, _>>().ok()?;
    Some(Expr::Array(Array { elem, named: true }))
}

/// Writes a LIKE pattern with another escape character as one with the backslash, the only one the engine knows.
fn rewrite_escape(pattern: &mut Expr, escape: &mut Option<ValueWithSpan>) -> Result<()> {
    let Some(given) = escape.as_ref() else { return Ok(()) };
    let text = match &given.value {
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => text.clone(),
        other => other.to_string(),
    };
    if text == "\\" {
        return Ok(());
    }
    let mut characters = text.chars();
    let (character, more) = (characters.next(), characters.next());
    if more.is_some() {
        return Err(Error::new(SqlState("22025"), "invalid escape string")
            .with_hint("Escape string must be empty or one character."));
    }
    if is_constant_pattern(pattern) {
        rewrite_pattern(pattern, character)?;
    } else {
        let escaped = vec![take(pattern), constant(Value::SingleQuotedString(text))];
        *pattern = call("like_escape", escaped);
    }
    *escape = None;
    Ok(())
}

/// Whether a pattern is made of constants alone.
fn is_constant_pattern(pattern: &Expr) -> bool {
    match pattern {
        Expr::Nested(inner) => is_constant_pattern(inner),
        Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
            is_constant_pattern(left) && is_constant_pattern(right)
        }
        other => string_constant(other).is_some(),
    }
}

/// Rewrites a pattern of constants.
fn rewrite_pattern(pattern: &mut Expr, escape: Option<char>) -> Result<()> {
    match pattern {
        Expr::Nested(inner) => rewrite_pattern(inner, escape),
        // The pieces of 'a/_' || '%' are patterns each, unless a piece ends in half an escape.
        Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
            rewrite_pattern(left, escape)?;
            rewrite_pattern(right, escape)
        }
        other => {
            if let Some(text) = string_constant(other) {
                *other = constant(Value::SingleQuotedString(like_escape(text, escape)?));
            }
            Ok(())
        }
    }
}

/// `like_escape(pattern, escape)`: the pattern with the backslash as its escape. It may not end in half an escape (22025).
pub fn like_escape(pattern: &str, escape: Option<char>) -> Result<String> {
    backslashed(pattern, escape)
        .ok_or_else(|| Error::new(SqlState("22025"), "LIKE pattern must not end with escape character"))
}

/// The pattern with backslash as its escape; `None` if it ends in half an escape.
fn backslashed(pattern: &str, escape: Option<char>) -> Option<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        if Some(c) == escape {
            out.push('\\');
            out.push(characters.next()?);
        } else {
            if c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
    }
    Some(out)
}

/// `FETCH FIRST n ROWS ONLY` as `LIMIT n`; `AS [NOT] MATERIALIZED` says nothing about the answer.
pub fn rewrite_query(query: &mut Query) {
    if query.limit_clause.is_none()
        && let Some(fetch) = &query.fetch
        && !fetch.with_ties
        && !fetch.percent
    {
        let limit = fetch.quantity.clone().unwrap_or_else(|| constant(Value::Number("1".to_owned(), false)));
        query.limit_clause = Some(LimitClause::LimitOffset { limit: Some(limit), offset: None, limit_by: vec![] });
        query.fetch = None;
    }
    if let Some(with) = &mut query.with {
        for cte in &mut with.cte_tables {
            cte.materialized = None;
        }
    }
}

/// Takes `pg_catalog.` off a table function's name.
pub fn rewrite_table_factor(factor: &mut TableFactor) {
    match factor {
        TableFactor::Table { name, args: Some(_), .. } => strip_schema(name),
        TableFactor::Function { name, .. } => strip_schema(name),
        _ => {}
    }
}

/// The query of a call of the form `ARRAY(SELECT ...)`.
pub fn array_query(function: &Function) -> Option<&Query> {
    match &function.args {
        FunctionArguments::Subquery(query) if last_name(&function.name).as_deref() == Some("array") => Some(query),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_constants_are_taken_apart_as_postgresql_does() {
        let shown = |text| array_items(text).map(|items| items.to_string());
        assert_eq!(shown("{r, v}").as_deref(), Some("ARRAY['r', 'v']"));
        assert_eq!(shown("{\"a,b\",null,\"null\"}").as_deref(), Some("ARRAY['a,b', NULL, 'null']"));
        assert_eq!(shown("{}").as_deref(), Some("ARRAY[]"));
        assert_eq!(shown("{{1},{2}}"), None);
        assert_eq!(shown("r"), None);
    }

    #[test]
    fn patterns_keep_their_meaning_under_the_backslash() {
        assert_eq!(backslashed("pg/_%", Some('/')).as_deref(), Some("pg\\_%"));
        assert_eq!(backslashed("a\\b//", Some('/')).as_deref(), Some("a\\\\b\\/"));
        assert_eq!(backslashed("50%", None).as_deref(), Some("50%"));
        assert_eq!(backslashed("x/", Some('/')), None);
    }
}
