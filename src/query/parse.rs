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
use tokio_util::sync::CancellationToken;
use tributary_udfs::{TributaryDialect, parse_within};

use super::fetch::{self, Fetch};
use super::{balance, complexity};
use crate::error::{Error, Result, SqlState};
use crate::limits;
use crate::sealed::Sealed;

/// One statement of a query text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The statement as the user wrote it, without the semicolon.
    pub text: String,
    /// Where it begins in the query text; the places of its syntax tree count there.
    pub start: Location,
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
/// As in PostgreSQL nothing is returned, and so nothing runs, if any statement is wrong. Takes time in proportion to the
/// text, and ends with 57014 before the next statement once `stop` is cancelled.
pub fn parse(text: &str, stop: &CancellationToken) -> Result<Vec<Parsed>> {
    if text.len() > limits::STATEMENT_BYTES {
        return Err(Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("the statement has {} bytes, more than the {} allowed", text.len(), limits::STATEMENT_BYTES),
        ));
    }
    // Counted before there are any: a token takes a hundred times the memory of its text.
    if text.len() > limits::STATEMENT_TOKENS && most_tokens(text) > limits::STATEMENT_TOKENS {
        return Err(Error::new(
            SqlState::STATEMENT_TOO_COMPLEX,
            format!("the statement has more than {} words and signs", limits::STATEMENT_TOKENS),
        )
        .with_hint("Put long lists into a table, or send them as one array parameter."));
    }
    let dialect = TributaryDialect;
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location().map_err(|e| tokenizer_error(text, &e))?;
    let source: Arc<str> = text.into();
    let mut walk = Walk::of(text);
    let mut statements = vec![];
    for tokens in cut(tokens) {
        if stop.is_cancelled() {
            return Err(Error::new(SqlState::QUERY_CANCELED, "the statement was stopped while it was parsed"));
        }
        statements.push(parse_one(&source, &mut walk, tokens)?);
    }
    Ok(statements)
}

/// At least as many tokens as a text has: its words, and everything else a character each.
fn most_tokens(text: &str) -> usize {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    let mut was_word = false;
    text.bytes()
        .filter(|byte| {
            let starts = !is_word(*byte) || !was_word;
            was_word = is_word(*byte);
            starts
        })
        .count()
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

fn parse_one(text: &Arc<str>, walk: &mut Walk<'_>, mut tokens: Vec<TokenWithSpan>) -> Result<Parsed> {
    complexity::check(&tokens)?;
    let (range, offset) = place(walk, &tokens);
    let solid = tokens.iter().find(|token| !is_blank(&token.token));
    let start = solid.map_or(Location::new(1, 1), |token| token.span.start);
    let statement_text = text[range].to_owned();
    let dialect = TributaryDialect;
    if is_about_transactions(&tokens) {
        tokens = without_deferrable(tokens);
    }
    let kind = if let Some(fetch) = fetch::parse(&tokens) {
        Kind::Fetch(fetch?)
    } else if is_external_table(&tokens) {
        Kind::External(Box::new(parse_external(&statement_text, offset)?))
    } else {
        let steps = limits::PARSER_STEPS + tokens.len().saturating_mul(limits::PARSER_STEPS_PER_TOKEN);
        let mut parser =
            Parser::new(&dialect).with_recursion_limit(limits::PARSER_DEPTH).with_tokens_with_locations(tokens);
        let statement = parse_within(steps, || parser.parse_statement()).and_then(|statement| {
            let next = parser.peek_token();
            match next.token {
                Token::EOF => Ok(statement),
                _ => parser.expected("end of statement", next),
            }
        });
        let mut statement = statement.map_err(|e| parser_error(text, e))?;
        balance::balance(&mut statement);
        complexity::check_work(&statement)?;
        complexity::check_subqueries(&statement)?;
        complexity::check_with(&statement)?;
        Kind::Sql(Box::new(statement))
    };
    Ok(Parsed { text: statement_text, start, source: Arc::clone(text), kind: Sealed::new(kind) })
}

/// Whether these are BEGIN, START TRANSACTION or SET TRANSACTION.
fn is_about_transactions(tokens: &[TokenWithSpan]) -> bool {
    let mut words = tokens.iter().filter(|token| !is_blank(&token.token)).map(keyword);
    match words.next() {
        Some(Keyword::BEGIN | Keyword::START) => true,
        Some(Keyword::SET) => words.any(|word| word == Keyword::TRANSACTION),
        _ => false,
    }
}

/// Takes `[NOT] DEFERRABLE` out of the modes of a transaction, where the parser does not know it.
///
/// It says whether a transaction may wait for a snapshot that no other one can spoil. Every snapshot here is one.
/// Modes may have one comma between them, which goes with it; commas that are wrong stay, for the parser to refuse.
fn without_deferrable(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_comma = |token: Option<&TokenWithSpan>| token.is_some_and(|token| token.token == Token::Comma);
    let ends_mode = |token: &TokenWithSpan| {
        let is_head = matches!(keyword(token), Keyword::BEGIN | Keyword::START | Keyword::TRANSACTION | Keyword::WORK);
        token.token != Token::Comma && !is_head
    };
    let mut kept: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().filter(|token| !is_blank(&token.token)).peekable();
    while let Some(token) = rest.next() {
        if keyword(&token) != Keyword::DEFERRABLE {
            kept.push(token);
            continue;
        }
        kept.pop_if(|token| keyword(token) == Keyword::NOT);
        if is_comma(kept.last()) {
            if let [.., before, _] = kept.as_slice()
                && ends_mode(before)
            {
                kept.pop();
            }
        } else if let Some(comma) = rest.next_if(|token| token.token == Token::Comma)
            && (rest.peek().is_none() || is_comma(rest.peek()))
        {
            kept.push(comma);
        }
    }
    kept
}

/// The keyword that a token is, unless it is quoted.
fn keyword(token: &TokenWithSpan) -> Keyword {
    match &token.token {
        Token::Word(Word { keyword, quote_style: None, .. }) => *keyword,
        _ => Keyword::NoKeyword,
    }
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

/// The bytes of a statement, and the characters before it.
fn place(walk: &mut Walk<'_>, tokens: &[TokenWithSpan]) -> (Range<usize>, usize) {
    let mut solid = tokens.iter().filter(|t| !is_blank(&t.token)).map(|t| t.span);
    let Some(first) = solid.next() else { return (walk.byte..walk.byte, walk.chars) };
    let last = solid.next_back().unwrap_or(first);
    walk.to(first.start);
    let (start, offset) = (walk.byte, walk.chars);
    walk.to(last.end);
    (start..walk.byte, offset)
}

/// A walk through a text, from its first place to its last: places are asked for in their order, so that all of them
/// together cost one pass.
struct Walk<'a> {
    rest: &'a str,
    line: u64,
    column: u64,
    byte: usize,
    chars: usize,
}

impl<'a> Walk<'a> {
    fn of(text: &'a str) -> Self {
        Self { rest: text, line: 1, column: 1, byte: 0, chars: 0 }
    }

    /// Goes on to a place that the tokenizer counts in lines and columns; one that lies behind is where the walk stands.
    fn to(&mut self, place: Location) {
        let mut chars = self.rest.chars();
        while (self.line, self.column) < (place.line, place.column) {
            let Some(c) = chars.next() else { break };
            (self.line, self.column) = if c == '\n' { (self.line + 1, 1) } else { (self.line, self.column + 1) };
            self.chars += 1;
        }
        self.byte += self.rest.len() - chars.as_str().len();
        self.rest = chars.as_str();
    }
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
                "the statement is nested deeper than the parser follows",
            )
            .with_hint("Split it into parts, for example with WITH.");
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

    fn parse(text: &str) -> Result<Vec<Parsed>> {
        super::parse(text, &CancellationToken::new())
    }

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
    fn many_statements_take_time_in_proportion_to_their_text() {
        let started = std::time::Instant::now();
        let text = "end; /* 茶 */ end;\n".repeat(50_000);
        let parsed = parse(&text).unwrap();
        assert_eq!(parsed.len(), 100_000);
        assert!(parsed.iter().all(|parsed| parsed.text == "end"));
        let one_line = "end;".repeat(100_000);
        assert_eq!(parse(&one_line).unwrap().len(), 100_000);
        assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
        let error = parse(&format!("{text} select 1 frm t t2")).unwrap_err();
        assert_eq!(error.position, Some(text.chars().count() + 15));
    }

    #[test]
    fn a_text_that_nobody_wants_is_not_parsed_on() {
        let stop = CancellationToken::new();
        stop.cancel();
        let error = super::parse("select 1; select 2", &stop).unwrap_err();
        assert_eq!(error.state, SqlState::QUERY_CANCELED);
    }

    #[test]
    fn deferrable_goes_with_one_comma_and_leaves_wrong_ones() {
        for modes in [
            "DEFERRABLE",
            "DEFERRABLE, READ ONLY",
            "READ ONLY, NOT DEFERRABLE",
            "READ ONLY, DEFERRABLE, ISOLATION LEVEL SERIALIZABLE",
            "READ ONLY NOT DEFERRABLE READ WRITE",
            "NOT DEFERRABLE , DEFERRABLE /* x */ , READ ONLY",
            "DEFERRABLE DEFERRABLE",
        ] {
            for head in ["BEGIN", "BEGIN WORK", "START TRANSACTION", "SET TRANSACTION"] {
                // The parser wants a mode behind SET TRANSACTION.
                let modes = if head == "SET TRANSACTION" { format!("READ ONLY, {modes}") } else { modes.to_owned() };
                assert_eq!(parse(&format!("{head} {modes}")).map(|parsed| parsed.len()), Ok(1), "{head} {modes}");
            }
        }
        for wrong in [
            "BEGIN , DEFERRABLE",
            "BEGIN DEFERRABLE,",
            "BEGIN READ ONLY, DEFERRABLE,",
            "BEGIN READ ONLY,, DEFERRABLE",
            "BEGIN DEFERRABLE,, READ ONLY",
            "START TRANSACTION NOT NOT DEFERRABLE",
            "BEGIN \"DEFERRABLE\"",
        ] {
            assert_eq!(
                parse(wrong).map(|parsed| parsed.len()).map_err(|e| e.state),
                Err(SqlState::SYNTAX_ERROR),
                "{wrong}"
            );
        }
    }

    #[test]
    fn many_modes_of_a_transaction_take_time_in_proportion_to_their_text() {
        let started = std::time::Instant::now();
        assert!(parse(&format!("BEGIN {}", "DEFERRABLE, ".repeat(100_000))).is_err());
        assert!(parse(&format!("BEGIN {}", "NOT DEFERRABLE ".repeat(100_000))).is_ok());
        assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
    }

    #[test]
    fn an_external_table_is_recognised_and_keeps_its_text() {
        let text = "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'x.parquet'";
        let parsed = parse(text).unwrap();
        assert!(matches!(*parsed[0].kind, Kind::External(_)));
        assert_eq!(parsed[0].text, text);
    }

    #[test]
    fn tokens_are_counted_before_they_are_made() {
        assert_eq!(most_tokens("select a1, 'tea' from t"), 12);
        let list = format!("select 1 in ({})", "1,".repeat(limits::STATEMENT_TOKENS / 2));
        assert_eq!(parse(&list).unwrap_err().state, SqlState::STATEMENT_TOO_COMPLEX);
    }

    #[test]
    fn long_lists_and_filters_are_no_depth() {
        for part in ["x in (-1, ", "x = 1 or ", "1 union all select "] {
            let text = match part {
                "x in (-1, " => format!("select x in ({}1)", "-1, ".repeat(20_000)),
                part => format!("select {}1", part.repeat(20_000)),
            };
            assert!(parse(&text).is_ok(), "{part}");
        }
    }

    #[test]
    fn what_the_parser_would_try_over_and_over_ends_soon() {
        let started = std::time::Instant::now();
        for (open, close) in [
            ("abs(", ")"),
            ("(", ")"),
            ("[", "]"),
            ("case ", " end"),
            ("f(a => ", ")"),
            ("array[", "]"),
            ("((select ", "))"),
        ] {
            for depth in [30, 200, 390] {
                let text = format!("select {}1{}", open.repeat(depth), close.repeat(depth));
                let _ = parse(&text);
                let _ = parse(&format!("select * from {}t{}", open.repeat(depth), close.repeat(depth)));
                let _ = parse(&text[..text.len() / 2]);
            }
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        let text = format!("select {}1{}", "(".repeat(20_000), ")".repeat(20_000));
        let error = parse(&text).unwrap_err();
        assert_eq!(error.state, SqlState::STATEMENT_TOO_COMPLEX);
    }
}
