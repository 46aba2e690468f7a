//! Functions on text and numbers that PostgreSQL has and DataFusion has not.

use datafusion::error::{DataFusionError, Result};

use super::definition::{Function, Kind, Returns, Row, sql_name};
use crate::catalog::quote_ident;
use crate::catalog::system::Cell;
use crate::query::postgres::expressions::like_escape;
use crate::query::postgres::similar::{escape_character, to_regex};

/// The functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function::strict("quote_ident", &[&[Kind::Text]], Returns::Text, |_, row| Ok(row.text(0).map(quote_ident).into())),
    Function::strict("quote_literal", &[&[Kind::Text]], Returns::Text, |_, row| {
        Ok(row.text(0).map(quote_literal).into())
    }),
    Function::sees_null("quote_nullable", &[&[Kind::Text]], Returns::Text, |_, row| {
        Ok(row.text(0).map_or_else(|| "NULL".to_owned(), quote_literal).into())
    }),
    Function::strict("pg_size_pretty", &[&[Kind::Oid]], Returns::Text, |_, row| Ok(row.int(0).map(size_pretty).into())),
    Function::sees_null("pg_typeof", &[&[Kind::Any]], Returns::Text, |_, row| Ok(sql_name(row.type_of(0)).into())),
    Function::strict("similar_to_escape", &[&[Kind::Text], &[Kind::Text, Kind::Text]], Returns::Text, |_, row| {
        let pattern = row.text(0).unwrap_or_default();
        Ok(to_regex(pattern, escape_character(row.text(1))?)?.into())
    }),
    Function::strict("like_escape", &[&[Kind::Text, Kind::Text]], Returns::Text, |_, row| {
        let escape = row.text(1).unwrap_or_default().chars().next();
        Ok(like_escape(row.text(0).unwrap_or_default(), escape)?.into())
    }),
    // Both are operators by the time that a statement runs.
    Function::sees_null("is_distinct_from", TWO_OF_ANY, Returns::Bool, |_, _| Err(not_an_operator())),
    Function::sees_null("is_not_distinct_from", TWO_OF_ANY, Returns::Bool, |_, _| Err(not_an_operator())),
    Function::strict("pg_encoding_to_char", &[&[Kind::Oid]], Returns::Text, |_, row| Ok(encoding_name(row))),
    Function::strict("pg_char_to_encoding", &[&[Kind::Text]], Returns::Int4, |_, row| encoding_number(row)),
];

const TWO_OF_ANY: &[&[Kind]] = &[&[Kind::Any, Kind::Any]];

fn not_an_operator() -> DataFusionError {
    DataFusionError::Internal("IS DISTINCT FROM was not made an operator".to_owned())
}

/// The encoding UTF8 in PostgreSQL's list; the only one here.
const ENCODING_UTF8: i64 = 6;

/// Text as a string constant of SQL, with `E''` only where a backslash needs it.
fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A size in the largest unit that keeps it above ten, rounded half away from zero as PostgreSQL does.
fn size_pretty(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    const LIMIT: i128 = 10 * 1024;
    let mut size = i128::from(bytes);
    if size.abs() < LIMIT {
        return format!("{size} {}", UNITS[0]);
    }
    // One bit more than the unit is kept for rounding at the end.
    size >>= 9;
    for (index, unit) in UNITS.iter().enumerate().skip(1) {
        if size.abs() < 2 * LIMIT - 1 || index == UNITS.len() - 1 {
            let half = if size < 0 { -1 } else { 1 };
            return format!("{} {unit}", (size + half) / 2);
        }
        size >>= 10;
    }
    unreachable!("the last unit always fits")
}

fn encoding_name(row: &Row) -> Cell {
    if row.int(0) == Some(ENCODING_UTF8) { "UTF8".into() } else { "".into() }
}

fn encoding_number(row: &Row) -> Result<Cell> {
    let is_utf8 = row.text(0).is_some_and(|name| matches!(name.to_lowercase().as_str(), "utf8" | "utf-8" | "unicode"));
    // -1 is PostgreSQL's answer for an encoding it does not know.
    Ok(if is_utf8 { ENCODING_UTF8 } else { -1 }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_quoted_so_that_they_read_back() {
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\b"), "E'a\\\\b'");
    }

    #[test]
    fn sizes_change_unit_at_ten_of_the_next() {
        assert_eq!(size_pretty(0), "0 bytes");
        assert_eq!(size_pretty(10_239), "10239 bytes");
        assert_eq!(size_pretty(10_240), "10 kB");
        assert_eq!(size_pretty(10_485_247), "10239 kB");
        assert_eq!(size_pretty(10_485_248), "10 MB");
        assert_eq!(size_pretty(-20_480), "-20 kB");
        assert_eq!(size_pretty(i64::MAX), "8192 PB");
    }
}
