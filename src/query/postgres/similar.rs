//! `SIMILAR TO`: the patterns of the SQL standard, as regular expressions of the engine.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Value, ValueWithSpan};

use super::ast::{call, constant, string_constant, take};
use crate::error::{Error, Result, SqlState};

/// Rewrites one `SIMILAR TO` as a match of a regular expression.
pub fn rewrite_expr(expr: &mut Expr) -> Result<()> {
    let Expr::SimilarTo { negated, expr: value, pattern, escape_char } = expr else { return Ok(()) };
    let escape = escape_char.as_ref().map(escape_text);
    let regex = match string_constant(pattern) {
        Some(text) => text_constant(&to_regex(text, escape_character(escape.as_deref())?)?),
        None => {
            let mut arguments = vec![take(pattern)];
            arguments.extend(escape.as_deref().map(text_constant));
            call("similar_to_escape", arguments)
        }
    };
    let op = if *negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
    let compared = Expr::BinaryOp { left: Box::new(take(value)), op, right: Box::new(regex) };
    *expr = Expr::Nested(Box::new(compared));
    Ok(())
}

fn escape_text(given: &ValueWithSpan) -> String {
    match &given.value {
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => text.clone(),
        other => other.to_string(),
    }
}

fn text_constant(text: &str) -> Expr {
    constant(Value::SingleQuotedString(text.to_owned()))
}

/// The escape character: the backslash where none is named, none where the empty text is.
pub fn escape_character(escape: Option<&str>) -> Result<Option<char>> {
    let Some(text) = escape else { return Ok(Some('\\')) };
    let mut characters = text.chars();
    let first = characters.next();
    if characters.next().is_some() {
        return Err(Error::new(SqlState("22025"), "invalid escape string")
            .with_hint("Escape string must be empty or one character."));
    }
    Ok(first)
}

/// The regular expression that matches what the pattern does, from end to end.
///
/// `%` is any text, `_` any character; `|*+?{}()[]` mean what they mean there, and everything else itself.
pub fn to_regex(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    out.push_str("^(?s:");
    let mut characters = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = characters.next() {
        if Some(c) == escape {
            let Some(escaped) = characters.next() else {
                return Err(Error::new(SqlState("22025"), "pattern must not end with escape character"));
            };
            if escaped == '"' && !in_class {
                let message = "separators in a pattern of SIMILAR TO are not supported";
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            push_literal(&mut out, escaped);
        } else if in_class {
            match c {
                ']' => {
                    in_class = false;
                    out.push(']');
                }
                // `[:alpha:]` goes through as it is; a bracket alone is a character.
                '[' if characters.peek() == Some(&':') => {
                    out.push('[');
                    for named in characters.by_ref() {
                        out.push(named);
                        if named == ']' {
                            break;
                        }
                    }
                }
                '-' => out.push('-'),
                other => push_literal(&mut out, other),
            }
        } else {
            match c {
                '%' => out.push_str(".*"),
                '_' => out.push('.'),
                '(' => out.push_str("(?:"),
                '[' => {
                    in_class = true;
                    out.push('[');
                    if let Some(not) = characters.next_if_eq(&'^') {
                        out.push(not);
                    }
                    // A bracket that closes nothing yet is a character.
                    if characters.next_if_eq(&']').is_some() {
                        out.push_str("\\]");
                    }
                }
                ')' | '|' | '*' | '+' | '?' | '{' | '}' => out.push(c),
                other => push_literal(&mut out, other),
            }
        }
    }
    out.push_str(")$");
    Ok(out)
}

fn push_literal(out: &mut String, c: char) {
    if c.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{BooleanArray, StringArray};
    use datafusion::arrow::compute::regexp_is_match;
    use proptest::prelude::*;

    fn regex(pattern: &str) -> String {
        to_regex(pattern, Some('\\')).unwrap()
    }

    #[test]
    fn a_pattern_is_a_regular_expression_from_end_to_end() {
        assert_eq!(regex("a%"), "^(?s:a.*)$");
        assert_eq!(regex("%(b|d)_"), "^(?s:.*(?:b|d).)$");
        assert_eq!(regex("a.c^$"), "^(?s:a\\.c\\^\\$)$");
        assert_eq!(regex("100\\%"), "^(?s:100\\%)$");
        assert_eq!(regex("[^a-z%][[:digit:]]"), "^(?s:[^a-z\\%][[:digit:]])$");
        assert_eq!(to_regex("50#%", Some('#')).unwrap(), "^(?s:50\\%)$");
        assert_eq!(to_regex("a\\b", None).unwrap(), "^(?s:a\\\\b)$");
    }

    #[test]
    fn half_an_escape_is_22025() {
        assert_eq!(to_regex("a\\", Some('\\')).map_err(|e| e.state), Err(SqlState("22025")));
        assert_eq!(escape_character(Some("xx")).map_err(|e| e.state), Err(SqlState("22025")));
        assert_eq!(escape_character(Some("")).unwrap(), None);
        assert_eq!(escape_character(None).unwrap(), Some('\\'));
    }

    proptest! {
        #[test]
        fn plain_text_matches_itself_and_nothing_longer(text in "[-a-z .^$&~#红]{0,12}") {
            let texts = StringArray::from(vec![text.clone(), format!("{text}x")]);
            let pattern = StringArray::from(vec![regex(&text); 2]);
            let matches = regexp_is_match(&texts, &pattern, None::<&StringArray>).unwrap();
            prop_assert_eq!(matches, BooleanArray::from(vec![true, false]));
        }
    }
}
