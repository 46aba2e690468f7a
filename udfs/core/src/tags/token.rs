//! Characters to tokens (TAGS-2 to TAGS-6).

use super::error::{Found, Problem};
use super::value::Operator;

/// A fault and its byte.
pub(super) type Fault = (usize, Problem);

/// A token and the bytes it was written in.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name {
        text: String,
        quoted: bool,
        wildcard: bool,
    },
    /// The word before the parenthesis of a list, which is consumed with it.
    List(ListWord),
    And,
    /// A minus: AND NOT.
    Minus,
    Or,
    Xor,
    Not,
    Compare(Operator),
    Open,
    Close,
    Comma,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListWord {
    Any,
    All,
    AtLeast,
}

/// Reads tokens one after the other; each character is looked at a constant number of times.
pub(super) struct Lexer<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    /// What stands in the bytes of the token, for messages.
    pub(super) fn found(&self, token: &Token) -> Found {
        match token.kind {
            Kind::End => Found::End,
            _ => Found::text(&self.source[token.start..token.end]),
        }
    }

    /// Where the character that ends at this byte starts.
    pub(super) fn start_of_last(&self, end: usize) -> usize {
        self.source[..end].char_indices().next_back().map_or(0, |(start, _)| start)
    }

    /// The next token; at the end [`Kind::End`], again and again.
    pub(super) fn next(&mut self) -> Result<Token, Fault> {
        self.skip_space();
        let start = self.at;
        let Some((raw, character)) = self.peek() else {
            return Ok(Token { kind: Kind::End, start, end: start });
        };
        let kind = if let Some(closing) = closing_quote(raw) {
            self.quoted(closing)?
        } else if character == '*' || is_word(character) {
            self.word()?
        } else if let Some(operator) = self.comparison() {
            Kind::Compare(operator)
        } else {
            let (kind, doubles) = match character {
                '&' => (Kind::And, true),
                '|' => (Kind::Or, true),
                '^' => (Kind::Xor, false),
                '!' => (Kind::Not, false),
                '-' => (Kind::Minus, false),
                '(' => (Kind::Open, false),
                ')' => (Kind::Close, false),
                ',' => (Kind::Comma, false),
                _ if is_invisible(raw) => return Err((start, Problem::InvisibleCharacter { character: raw })),
                _ => return Err((start, Problem::UnexpectedCharacter { character: raw })),
            };
            self.bump();
            if doubles {
                self.take(character);
            }
            kind
        };
        Ok(Token { kind, start, end: self.at })
    }

    /// The comparison that follows, if one does; otherwise nothing is consumed.
    pub(super) fn comparison(&mut self) -> Option<Operator> {
        let before = self.at;
        self.skip_space();
        let operator = match self.bump() {
            Some('<') if self.take('=') => Operator::LessOrEqual,
            Some('<') if self.take('>') => Operator::NotEqual,
            Some('<') => Operator::Less,
            Some('>') if self.take('=') => Operator::GreaterOrEqual,
            Some('>') => Operator::Greater,
            Some('=') => {
                self.take('=');
                Operator::Equal
            }
            Some('!') if self.take('=') => Operator::NotEqual,
            Some('≥') => Operator::GreaterOrEqual,
            Some('≤') => Operator::LessOrEqual,
            Some('≠') => Operator::NotEqual,
            _ => {
                self.at = before;
                return None;
            }
        };
        Some(operator)
    }

    /// The value of a comparison: as [`Lexer::next`], but a minus before a word is its sign.
    pub(super) fn value(&mut self) -> Result<Token, Fault> {
        self.skip_space();
        let start = self.at;
        if !self.take('-') {
            return self.next();
        }
        if !self.peek().is_some_and(|(_, character)| is_word(character)) {
            return Ok(Token { kind: Kind::Minus, start, end: self.at });
        }
        let mut token = self.next()?;
        token.start = start;
        if let Kind::Name { text, .. } = &mut token.kind {
            text.insert(0, '-');
        }
        Ok(token)
    }

    /// A bare word: a name, a prefix, an operator or the head of a list.
    fn word(&mut self) -> Result<Kind, Fault> {
        let mut text = String::new();
        while let Some((_, character)) = self.peek() {
            let joins = is_word(character) || character == '-' && !text.is_empty() && self.hyphen_joins();
            if !joins {
                break;
            }
            text.push(character);
            self.bump();
        }
        if self.wildcard()? {
            return Ok(Kind::Name { text, quoted: false, wildcard: true });
        }
        let is = |word: &str| text.eq_ignore_ascii_case(word);
        Ok(match text.as_str() {
            "且" => Kind::And,
            "或" => Kind::Or,
            "非" => Kind::Not,
            _ if is("and") => Kind::And,
            _ if is("or") => Kind::Or,
            _ if is("xor") => Kind::Xor,
            _ if is("not") => Kind::Not,
            _ if is("any") && self.opens() => Kind::List(ListWord::Any),
            _ if is("all") && self.opens() => Kind::List(ListWord::All),
            _ if is("at_least") && self.opens() => Kind::List(ListWord::AtLeast),
            _ => Kind::Name { text, quoted: false, wildcard: false },
        })
    }

    /// Text up to `closing`; a doubled one is one character of the name.
    fn quoted(&mut self, closing: char) -> Result<Kind, Fault> {
        let start = self.at;
        let mut text = String::new();
        self.bump();
        loop {
            let Some((raw, _)) = self.peek() else {
                return Err((start, Problem::UnclosedQuote { closing }));
            };
            self.bump();
            if raw == closing {
                if self.peek().is_none_or(|(next, _)| next != closing) {
                    break;
                }
                self.bump();
            }
            text.push(raw);
        }
        let wildcard = self.wildcard()?;
        Ok(Kind::Name { text, quoted: true, wildcard })
    }

    /// Consumes the `*` that ends a prefix, if one does.
    fn wildcard(&mut self) -> Result<bool, Fault> {
        let at = self.at;
        if !self.take('*') {
            return Ok(false);
        }
        match self.peek() {
            Some((_, next)) if next == '*' || is_word(next) => Err((at, Problem::WildcardInside)),
            _ => Ok(true),
        }
    }

    /// Consumes the parenthesis that opens a list, if one follows.
    fn opens(&mut self) -> bool {
        let before = self.at;
        self.skip_space();
        let opens = self.take('(');
        if !opens {
            self.at = before;
        }
        opens
    }

    /// Whether the hyphen here has a word or a wildcard right behind it.
    fn hyphen_joins(&self) -> bool {
        let next = self.source[self.at..].chars().nth(1).map(ascii_twin);
        next.is_some_and(|next| next == '*' || is_word(next))
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|(raw, _)| raw.is_whitespace()) {
            self.bump();
        }
    }

    /// The character here, as written and as its ASCII twin.
    fn peek(&self) -> Option<(char, char)> {
        self.source[self.at..].chars().next().map(|raw| (raw, ascii_twin(raw)))
    }

    /// Consumes a character and returns its ASCII twin.
    fn bump(&mut self) -> Option<char> {
        let (raw, character) = self.peek()?;
        self.at += raw.len_utf8();
        Some(character)
    }

    /// Consumes the character, if its twin is this one.
    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek().is_some_and(|(_, character)| character == wanted);
        if found {
            self.bump();
        }
        found
    }
}

/// The ASCII character that a full-width one stands for (TAGS-6); others stand for themselves.
pub(super) fn ascii_twin(character: char) -> char {
    match u32::from(character) {
        code @ 0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(character),
        _ => character,
    }
}

/// Whether a bare name can contain the character, hyphens aside (TAGS-2).
pub(super) fn is_word(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || "_:./+#@%$~".contains(character);
    }
    !character.is_whitespace()
        && !character.is_control()
        && !is_invisible(character)
        && !"“”‘’、。≥≤≠".contains(character)
}

/// Characters that leave no trace on a screen. The joiners U+200C and U+200D are not among them:
/// Persian and emoji are spelled with them.
fn is_invisible(character: char) -> bool {
    matches!(u32::from(character), 0xAD | 0x200B | 0x200E | 0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF)
        || character.is_control()
}

/// The character that closes a name which this one opens.
fn closing_quote(opening: char) -> Option<char> {
    match opening {
        '"' | '\'' | '＂' | '＇' => Some(opening),
        '“' => Some('”'),
        '‘' => Some('’'),
        _ => None,
    }
}
