//! Whole statements of clients that no rewrite can plan, and statements that answer the same.
//!
//! Each entry says which client sends it, what stands in the way, and why the answer is the same.

use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::ast::folded;
use crate::error::{Error, Result, SqlState};

struct Canned {
    /// The name of the statement's first CTE and its columns, which no other statement has.
    cte: (&'static str, &'static [&'static str]),
    answer: &'static str,
}

const CANNED: [Canned; 1] = [
    // asyncpg asks for every type that it has no codec for, such as arrays.
    //
    // In the way: a recursive CTE inside a correlated subquery, over domains and composite types.
    // The same, because this server has neither: the asked types and the types of their elements are all there is.
    // Of arrays asyncpg knows those of text and of ids before it has asked, so what is NULL is one of text.
    Canned {
        cte: (
            "typeinfo_tree",
            &[
                "oid",
                "ns",
                "name",
                "kind",
                "basetype",
                "elemtype",
                "elemdelim",
                "range_subtype",
                "attrtypoids",
                "attrnames",
                "depth",
            ],
        ),
        answer: "
            SELECT t.oid, n.nspname AS ns, t.typname AS name, t.typtype AS kind, NULL::int AS basetype,
                t.typelem AS elemtype, e.typdelim AS elemdelim, r.rngsubtype AS range_subtype,
                NULL::text[] AS attrtypoids, NULL::text[] AS attrnames, asked.depth,
                NULL::text AS basetype_name, t.typelem::regtype::text AS elemtype_name,
                r.rngsubtype::regtype::text AS range_subtype_name
            FROM (
                SELECT oid, 0 AS depth FROM pg_catalog.pg_type WHERE oid = ANY($1::int[])
                UNION ALL
                SELECT typelem AS oid, 1 AS depth FROM pg_catalog.pg_type WHERE oid = ANY($1::int[]) AND typelem <> 0
            ) AS asked
            JOIN pg_catalog.pg_type t ON t.oid = asked.oid
            JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
            LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typlen = -1 AND t.typelem <> 0
            LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
            ORDER BY asked.depth DESC",
    },
];

/// Replaces a statement that is listed here by the one that answers the same.
pub fn replace(statement: &mut Statement) -> Result<()> {
    let Some(canned) = CANNED.iter().find(|canned| is_sent(statement, canned)) else { return Ok(()) };
    let malformed = || Error::new(SqlState::INTERNAL_ERROR, "a statement that stands for a client's does not parse");
    let mut parsed = Parser::parse_sql(&PostgreSqlDialect {}, canned.answer).map_err(|_| malformed())?;
    *statement = parsed.pop().ok_or_else(malformed)?;
    Ok(())
}

fn is_sent(statement: &Statement, canned: &Canned) -> bool {
    let Statement::Query(query) = statement else { return false };
    let Some(first) = query.with.as_ref().and_then(|with| with.cte_tables.first()) else { return false };
    let (name, columns) = canned.cte;
    folded(&first.alias.name) == name
        && first.alias.columns.len() == columns.len()
        && first.alias.columns.iter().zip(columns).all(|(given, known)| folded(&given.name) == *known)
}
