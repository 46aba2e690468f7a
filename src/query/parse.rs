//! Text to statements: cut from tokens first, parsed once, never printed and parsed again.
//!
//! The byte range of a statement serves error positions, view text and logs.

use std::ops::Range;
use std::sync::Arc;

use datafusion::sql::parser::{CreateExternalTable, DFParserBuilder, Statement as DfStatement};
use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, TokenizerError, Word};
use tributary_udfs::TributaryDialect;

use super::fetch::{self, Fetch};
use crate::error::{Error, Result, SqlState};
use crate::limits;
use crate::sealed::Sealed;

/// One statement of a query text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The statement as the user wrote it, without the semicolon.
    pub text: String,
    /// The whole query text: error positions count in it, as clients expect.
    pub source: Arc<str>,
    pub kind: Sealed<Kind>,
}

/// What the parser made of it.
#[derive(Clone, Debug)]
pub enum Kind {
    /// PostgreSQL's grammar, with our functions' named options.
    Sql(Box<Statement>),
    /// FETCH or MOVE of a cursor.
    Fetch(Fetch),
    /// `CREATE EXTERNAL TABLE`, which only DataFusion's grammar has.
    External(Box<CreateExternalTable>),
}

/// Parses a query text: zero statements (blank text), one, or several.
///
/// As in PostgreSQL nothing is returned, and so nothing runs, if any statement is wrong.
pub fn parse(text: &str) -> Result<Vec<Parsed>> {
    if text.len() > limits::STATEMENT_BYTES {
        return Err(Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("the statement has {} bytes, more than the {} allowed", text.len(), limits::STATEMENT_BYTES),
        ));
    }
    let dialect = TributaryDialect;
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location().map_err(|e| tokenizer_error(text, &e))?;
    let source: Arc<str> = text.into();
    let lines = LineStarts::of(text);
    cut(tokens).into_iter().map(|tokens| parse_one(&source, &lines, tokens)).collect()
}

/// Character position, from 1, of a place that the tokenizer counts in lines and columns.
pub fn position(text: &str, location: Location) -> Option<usize> {
    if location.line == 0 || location.column == 0 {
        return None;
    }
    let lines = LineStarts::of(text);
    Some(lines.char_offset(location) + 1)
}

/// Byte offset of a place that the tokenizer counts in lines and columns.
pub(super) fn byte_offset(text: &str, location: Location) -> usize {
    LineStarts::of(text).byte_offset(text, location)
}

fn parse_one(text: &Arc<str>, lines: &LineStarts, tokens: Vec<TokenWithSpan>) -> Result<Parsed> {
    refuse_long_chains(&tokens)?;
    let range = byte_range(text, lines, &tokens);
    let offset = text[..range.start].chars().count();
    let statement_text = text[range].to_owned();
    let dialect = TributaryDialect;
    let kind = if let Some(fetch) = fetch::parse(&tokens) {
        Kind::Fetch(fetch?)
    } else if is_external_table(&tokens) {
        Kind::External(Box::new(parse_external(&statement_text, offset)?))
    } else {
        let mut parser =
            Parser::new(&dialect).with_recursion_limit(limits::PARSER_DEPTH).with_tokens_with_locations(tokens);
        let statement = parser.parse_statement().and_then(|statement| {
            let next = parser.peek_token();
            match next.token {
                Token::EOF => Ok(statement),
                _ => parser.expected("end of statement", next),
            }
        });
        Kind::Sql(Box::new(statement.map_err(|e| parser_error(text, e))?))
    };
    Ok(Parsed { text: statement_text, source: Arc::clone(text), kind: Sealed::new(kind) })
}

/// DataFusion's parser wants a text of its own; `offset` is where it starts, in characters.
fn parse_external(source: &str, offset: usize) -> Result<CreateExternalTable> {
    let dialect = TributaryDialect;
    let shift = |mut error: Error| {
        error.position = error.position.map(|p| p + offset);
        error
    };
    let mut statements = DFParserBuilder::new(source)
        .with_dialect(&dialect)
        .with_recursion_limit(limits::PARSER_DEPTH)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|e| shift(super::errors::from_datafusion(&e, source)))?;
    match statements.pop_front() {
        Some(DfStatement::CreateExternalTable(create)) if statements.is_empty() => Ok(create),
        _ => Err(Error::new(SqlState::SYNTAX_ERROR, "expected CREATE EXTERNAL TABLE")),
    }
}

/// Cuts tokens at the semicolons; pieces without a word or sign are dropped.
fn cut(tokens: Vec<TokenWithSpan>) -> Vec<Vec<TokenWithSpan>> {
    let mut statements = vec![vec![]];
    for token in tokens {
        match token.token {
            Token::SemiColon => statements.push(vec![]),
            Token::EOF => {}
            _ => {
                if let Some(last) = statements.last_mut() {
                    last.push(token);
                }
            }
        }
    }
    statements.retain(|tokens| tokens.iter().any(|t| !is_blank(&t.token)));
    statements
}

fn is_blank(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_))
}

/// A chain of operators parses in a loop and becomes a tree as deep as the chain is long.
fn refuse_long_chains(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut chains = vec![0usize];
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket => chains.push(0),
            Token::RParen | Token::RBracket if chains.len() > 1 => {
                chains.pop();
            }
            Token::Comma => {
                if let Some(chain) = chains.last_mut() {
                    *chain = 0;
                }
            }
            token if is_operator(token) => {
                let Some(chain) = chains.last_mut() else { continue };
                *chain += 1;
                if *chain > limits::OPERATORS_IN_A_ROW {
                    return Err(Error::new(
                        SqlState::STATEMENT_TOO_COMPLEX,
                        format!("the statement has more than {} operators in a row", limits::OPERATORS_IN_A_ROW),
                    )
                    .with_hint("Replace chains of OR by IN (...)."));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the token joins what stands before it to what comes after, a level deeper.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT
        ),
        Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::Mod
        | Token::StringConcat
        | Token::Caret
        | Token::DoubleColon => true,
        _ => false,
    }
}

fn is_external_table(tokens: &[TokenWithSpan]) -> bool {
    let mut words = tokens.iter().filter(|t| !is_blank(&t.token)).map(|t| match &t.token {
        Token::Word(Word { value, quote_style: None, .. }) => value.to_ascii_uppercase(),
        _ => String::new(),
    });
    words.next().as_deref() == Some("CREATE")
        && match words.next().as_deref() {
            Some("EXTERNAL") => true,
            Some("UNBOUNDED") => words.next().as_deref() == Some("EXTERNAL"),
            Some("OR") => words.next().as_deref() == Some("REPLACE") && words.next().as_deref() == Some("EXTERNAL"),
            _ => false,
        }
}

fn byte_range(text: &str, lines: &LineStarts, tokens: &[TokenWithSpan]) -> Range<usize> {
    let mut solid = tokens.iter().filter(|t| !is_blank(&t.token));
    let first = solid.next().map(|t| t.span.start);
    let last = solid
        .next_back()
        .map(|t| t.span.end)
        .or_else(|| tokens.iter().find(|t| !is_blank(&t.token)).map(|t| t.span.end));
    let start = first.map_or(0, |at| lines.byte_offset(text, at));
    let end = last.map_or(text.len(), |at| lines.byte_offset(text, at));
    start..end.max(start)
}

/// Byte and character offsets of the lines of a text.
struct LineStarts(Vec<(usize, usize)>);

impl LineStarts {
    fn of(text: &str) -> Self {
        let mut starts = vec![(0, 0)];
        for (chars, (bytes, c)) in text.char_indices().enumerate() {
            if c == '\n' {
                starts.push((bytes + 1, chars + 1));
            }
        }
        Self(starts)
    }

    fn line(&self, location: Location) -> (usize, usize) {
        let index = (location.line.max(1) - 1) as usize;
        self.0.get(index).or(self.0.last()).copied().unwrap_or((0, 0))
    }

    fn byte_offset(&self, text: &str, location: Location) -> usize {
        let (start, _) = self.line(location);
        let rest = &text[start..];
        let column = (location.column.max(1) - 1) as usize;
        start + rest.char_indices().nth(column).map_or(rest.len(), |(bytes, _)| bytes)
    }

    fn char_offset(&self, location: Location) -> usize {
        let (_, start) = self.line(location);
        start + (location.column.max(1) - 1) as usize
    }
}

fn tokenizer_error(text: &str, error: &TokenizerError) -> Error {
    let error_at = Error::new(SqlState::SYNTAX_ERROR, error.message.clone());
    match position(text, error.location) {
        Some(at) => error_at.at(at),
        None => error_at,
    }
}

/// The parser's message as PostgreSQL would say it, and where it points.
pub(super) fn parser_error(text: &str, error: ParserError) -> Error {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => {
            return Error::new(
                SqlState::STATEMENT_TOO_COMPLEX,
                format!("the statement is nested deeper than {} levels", limits::PARSER_DEPTH),
            )
            .with_hint("Split it, or replace chains of OR by IN (...).");
        }
    };
    let (message, location) = split_location(&message);
    let error = Error::new(SqlState::SYNTAX_ERROR, format!("syntax error: {message}"));
    match location.and_then(|at| position(text, at)) {
        Some(at) => error.at(at),
        None => error,
    }
}

/// sqlparser writes the place into its message: `... at Line: 2, Column: 14`.
fn split_location(message: &str) -> (&str, Option<Location>) {
    let Some((head, tail)) = message.rsplit_once(" at Line: ") else {
        return (message, None);
    };
    let numbers = tail.split_once(", Column: ").and_then(|(line, column)| {
        let column: String = column.chars().take_while(char::is_ascii_digit).collect();
        Some(Location { line: line.trim().parse().ok()?, column: column.parse().ok()? })
    });
    match numbers {
        Some(location) => (head, Some(location)),
        None => (message, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_cut_at_semicolons_outside_of_quotes() {
        let parsed = parse("select ';' as a; ;\n-- c;\nselect 2 /* ; */ ;").unwrap();
        let texts: Vec<_> = parsed.iter().map(|p| p.text.as_str()).collect();
        assert_eq!(texts, ["select ';' as a", "select 2"]);
    }

    #[test]
    fn blank_text_is_no_statement() {
        assert!(parse(" ;; -- nothing\n").unwrap().is_empty());
    }

    #[test]
    fn a_syntax_error_points_at_its_character_also_after_chinese_text() {
        let error = parse("select '茶' as x;\nselect 1 frm t t2").unwrap_err();
        assert_eq!(error.state, SqlState::SYNTAX_ERROR);
        assert_eq!(error.position, Some(31));
    }

    #[test]
    fn an_external_table_is_recognised_and_keeps_its_text() {
        let text = "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'x.parquet'";
        let parsed = parse(text).unwrap();
        assert!(matches!(*parsed[0].kind, Kind::External(_)));
        assert_eq!(parsed[0].text, text);
    }

    #[test]
    fn a_long_chain_is_an_error_and_a_long_list_is_not() {
        let chain = format!("select {}1", "1 + ".repeat(limits::OPERATORS_IN_A_ROW + 1));
        assert_eq!(parse(&chain).unwrap_err().state, SqlState::STATEMENT_TOO_COMPLEX);
        let list = format!("select x in ({}1)", "-1, ".repeat(20_000));
        assert!(parse(&list).is_ok());
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        let text = format!("select {}1{}", "(".repeat(20_000), ")".repeat(20_000));
        let error = parse(&text).unwrap_err();
        assert_eq!(error.state, SqlState::STATEMENT_TOO_COMPLEX);
    }
}
