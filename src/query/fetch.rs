//! `FETCH` and `MOVE`, whose grammar the parser knows in part only.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use crate::error::{Error, Result, SqlState};

/// How rows of a cursor are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The cursor's name, folded as names are.
    pub cursor: String,
    /// Rows that are passed over before.
    pub skipped: u64,
    /// Rows that are given; `None` is all.
    pub count: Option<u64>,
    /// Whether `skipped` counts from the first row and not from where the cursor stands.
    pub is_absolute: bool,
    /// MOVE: the rows are counted and not given.
    pub is_move: bool,
}

/// Parses a statement that starts with FETCH or MOVE; `None` for any other.
///
/// `FETCH [NEXT | n | ALL | FORWARD [n | ALL] | FIRST | ABSOLUTE n | RELATIVE n] [FROM | IN] cursor`. What would go
/// backwards is 55000, as it is for any cursor that was not declared to scroll.
pub fn parse(tokens: &[TokenWithSpan]) -> Option<Result<Fetch>> {
    let mut tokens = Tokens(tokens.iter().map(|t| &t.token).filter(|t| !matches!(t, Token::Whitespace(_))).collect());
    let is_move = match tokens.keyword()?.as_str() {
        "FETCH" => false,
        "MOVE" => true,
        _ => return None,
    };
    tokens.advance();
    Some(tokens.fetch(is_move))
}

/// The tokens that are left.
struct Tokens<'a>(Vec<&'a Token>);

impl Tokens<'_> {
    /// The next token as a word that is not quoted, in capitals.
    fn keyword(&self) -> Option<String> {
        match self.0.first() {
            Some(Token::Word(Word { value, quote_style: None, .. })) => Some(value.to_ascii_uppercase()),
            _ => None,
        }
    }

    fn advance(&mut self) {
        self.0.remove(0);
    }

    /// Takes a word, if it comes next.
    fn takes(&mut self, word: &str) -> bool {
        // The last word is the cursor's name, whatever it is.
        let takes = self.0.len() > 1 && self.keyword().as_deref() == Some(word);
        if takes {
            self.advance();
        }
        takes
    }

    fn number(&mut self) -> Result<Option<i64>> {
        let is_negative = matches!(self.0.first(), Some(Token::Minus));
        let is_signed = is_negative || matches!(self.0.first(), Some(Token::Plus));
        let digits = match self.0.get(usize::from(is_signed)) {
            Some(Token::Number(digits, _)) => digits.to_string(),
            _ if is_signed => return Err(syntax("a number of rows is expected")),
            _ => return Ok(None),
        };
        let count: i64 = digits.parse().map_err(|_| syntax("the number of rows is too large"))?;
        (0..=usize::from(is_signed)).for_each(|_| self.advance());
        Ok(Some(if is_negative { -count } else { count }))
    }

    fn fetch(mut self, is_move: bool) -> Result<Fetch> {
        let mut fetch = Fetch { cursor: String::new(), skipped: 0, count: Some(1), is_absolute: false, is_move };
        if self.takes("NEXT") {
        } else if self.takes("ALL") {
            fetch.count = None;
        } else if self.takes("FIRST") {
            fetch.is_absolute = true;
        } else if self.takes("ABSOLUTE") {
            fetch.is_absolute = true;
            fetch.skipped = forward(self.required()?)? - 1;
        } else if self.takes("RELATIVE") {
            fetch.skipped = forward(self.required()?)? - 1;
        } else if self.takes("PRIOR") || self.takes("LAST") || self.takes("BACKWARD") {
            return Err(backwards());
        } else {
            let is_forward = self.takes("FORWARD");
            if is_forward && self.takes("ALL") {
                fetch.count = None;
            } else if let Some(count) = self.number()? {
                fetch.count = Some(forward(count)?);
            }
        }
        let _ = self.takes("FROM") || self.takes("IN");
        fetch.cursor = match self.0.as_slice() {
            [Token::Word(Word { value, quote_style: None, .. })] if !is_reserved(value) => value.to_lowercase(),
            [Token::Word(Word { value, quote_style: Some(_), .. })] => value.clone(),
            _ => return Err(syntax("the name of a cursor is expected")),
        };
        Ok(fetch)
    }

    fn required(&mut self) -> Result<i64> {
        self.number()?.ok_or_else(|| syntax("a number of rows is expected"))
    }
}

fn is_reserved(word: &str) -> bool {
    ["FROM", "IN", "ALL"].iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}

/// Zero is the row that the cursor stands on, which is behind it.
fn forward(count: i64) -> Result<u64> {
    u64::try_from(count).ok().filter(|count| *count > 0).ok_or_else(backwards)
}

/// What a cursor says that does not scroll.
pub fn backwards() -> Error {
    Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
}

fn syntax(message: &str) -> Error {
    Error::new(SqlState::SYNTAX_ERROR, format!("syntax error: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;
    use tributary_udfs::TributaryDialect;

    fn fetch(text: &str) -> Option<Result<Fetch>> {
        parse(&Tokenizer::new(&TributaryDialect, text).tokenize_with_location().unwrap())
    }

    fn rows(text: &str) -> (u64, Option<u64>) {
        let fetch = fetch(text).unwrap().unwrap();
        (fetch.skipped, fetch.count)
    }

    #[test]
    fn rows_are_asked_for_in_postgresqls_ways() {
        assert_eq!(rows("fetch c"), (0, Some(1)));
        assert_eq!(rows("FETCH NEXT FROM c"), (0, Some(1)));
        assert_eq!(rows("FETCH 10 IN c"), (0, Some(10)));
        assert_eq!(rows("FETCH +10 c"), (0, Some(10)));
        assert_eq!(rows("FETCH FORWARD 10 FROM c"), (0, Some(10)));
        assert_eq!(rows("FETCH FORWARD FROM c"), (0, Some(1)));
        assert_eq!(rows("MOVE FORWARD ALL IN \"My c\""), (0, None));
        assert_eq!(rows("FETCH RELATIVE 3 FROM c"), (2, Some(1)));
        assert_eq!(fetch("fetch next").unwrap().unwrap().cursor, "next");
        assert_eq!(fetch("MOVE 2 \"My c\"").unwrap().unwrap().cursor, "My c");
    }

    #[test]
    fn what_goes_back_or_is_no_number_is_refused() {
        for text in ["FETCH PRIOR FROM c", "FETCH -1 FROM c", "FETCH 0 FROM c", "MOVE BACKWARD ALL IN c"] {
            let refused = fetch(text).unwrap().map_err(|e| e.state);
            assert_eq!(refused, Err(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE), "{text}");
        }
        for text in ["FETCH", "FETCH FROM", "FETCH 1.5 FROM c", "FETCH ABSOLUTE FROM c", "FETCH c d"] {
            if let Some(fetch) = fetch(text) {
                assert_eq!(fetch.map_err(|e| e.state), Err(SqlState::SYNTAX_ERROR), "{text}");
            }
        }
        assert!(fetch("SELECT 1").is_none());
    }
}
