//! Our dialect reads what PostgreSQL's reads, in the same way.

use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use tributary_udfs::TributaryDialect;

const CORPUS: &str = include_str!("corpus.sql");

#[test]
fn the_corpus_parses_alike_under_both_dialects() {
    let (mut read, mut refused) = (0, 0);
    for statement in CORPUS.split(";\n").filter(|statement| !statement.trim().is_empty()) {
        let ours = Parser::parse_sql(&TributaryDialect, statement);
        let postgres = Parser::parse_sql(&PostgreSqlDialect {}, statement);
        // What ours reads beside it.
        if statement.contains("((TABLE ") {
            assert!(ours.is_ok() && postgres.is_err(), "{statement}: {ours:?}");
            continue;
        }
        match &postgres {
            Ok(_) => read += 1,
            Err(_) => refused += 1,
        }
        // Arguments are named by names here, by expressions there: they read alike.
        if (statement.contains("=>") || statement.contains("json_object(")) && postgres.is_ok() {
            let written = |parsed: &[Statement]| parsed.iter().map(Statement::to_string).collect::<Vec<_>>();
            assert_eq!(ours.as_deref().map(written), postgres.as_deref().map(written), "{statement}");
            continue;
        }
        assert_eq!(format!("{ours:?}"), format!("{postgres:?}"), "{statement}");
    }
    assert!(read > 60 && refused > 3, "the corpus reads {read} and refuses {refused}");
}
