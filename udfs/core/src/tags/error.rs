//! What is wrong with an expression, where, and what to write instead.

use std::fmt;

use super::{MAX_ATOMS, MAX_EXPRESSION_BYTES, MAX_NESTING};

/// An expression that was refused, with the place of the fault.
///
/// `Display` is one sentence without the name of any SQL function; [`TagError::hint`] is a second
/// one where there is an obvious fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagError {
    /// Bytes before the fault; always on a character boundary of the expression.
    pub at_byte: usize,
    /// The character of the fault, counted from 1; one more than the characters at the end.
    pub at_char: usize,
    /// What is wrong there.
    pub problem: Problem,
}

impl TagError {
    /// The fault `problem` at byte `at_byte` of `expression`.
    pub(super) fn new(expression: &str, at_byte: usize, problem: Problem) -> Self {
        let before = expression.get(..at_byte).unwrap_or(expression);
        Self { at_byte: before.len(), at_char: before.chars().count() + 1, problem }
    }

    /// What to write instead, where that is obvious.
    pub fn hint(&self) -> Option<String> {
        let hint = match &self.problem {
            Problem::Empty => "write at least one tag, as in 'vip AND NOT churned'".to_owned(),
            Problem::MissingOperator { left: Some(left), right: Some(right) } => {
                format!("write {left} AND {right}, or quote a tag that contains spaces: \"{left} {right}\"")
            }
            Problem::MissingOperator { .. } => "write AND, OR or XOR between the two, or AND NOT".to_owned(),
            Problem::Expected { expected: Expected::Tag, found: Found::Text(text) } if text == "-" => {
                "a minus stands between two tags and means AND NOT; before a tag write NOT".to_owned()
            }
            Problem::Expected { expected: Expected::Tag, found: Found::Text(text) } if is_word_operator(text) => {
                format!("{text} is an operator; quote it to mean a tag: \"{text}\"")
            }
            Problem::Expected { expected: Expected::Operator, found: Found::Text(text) } if text == "," => {
                "a comma separates the items of any(...), all(...) and at_least(...)".to_owned()
            }
            Problem::Expected { expected: Expected::Value, found: Found::Text(_) } => {
                "quote a value that is not a number: level = \"gold\"".to_owned()
            }
            Problem::Expected { expected: Expected::ItemsEnd | Expected::Item, .. } => {
                "items are tags, prefixes and comparisons, without operators or parentheses".to_owned()
            }
            Problem::Expected { expected: Expected::Count, .. } => {
                "at_least(2, a, b, c) is true when 2 or more of a, b and c are".to_owned()
            }
            Problem::UnexpectedCharacter { character } => {
                format!("quote a tag that contains it: \"...{character}...\"")
            }
            Problem::InvisibleCharacter { .. } => "delete it, or quote a tag that contains it".to_owned(),
            Problem::WildcardInside => {
                "a wildcard ends a prefix, as in utm:*; quote a tag that contains '*'".to_owned()
            }
            Problem::UnclosedQuote { .. } => "double a quote that belongs to the tag".to_owned(),
            Problem::TooManyAtoms => "keep long lists of tags in a table and join it".to_owned(),
            Problem::Expected { .. }
            | Problem::EmptyName
            | Problem::UnclosedParenthesis
            | Problem::UnopenedParenthesis
            | Problem::CountZero
            | Problem::CountTooLarge { .. }
            | Problem::TooLong { .. }
            | Problem::TooDeep => return None,
        };
        Some(hint)
    }
}

/// A fault of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Nothing but space.
    Empty,
    /// Something else was due.
    Expected {
        /// What would have been right.
        expected: Expected,
        /// What stands there.
        found: Found,
    },
    /// Two operands stand side by side.
    MissingOperator {
        /// The bare name on the left, where it is one.
        left: Option<String>,
        /// The bare name on the right, where it is one.
        right: Option<String>,
    },
    /// The parenthesis that opens here is never closed.
    UnclosedParenthesis,
    /// The parenthesis that closes here was never opened.
    UnopenedParenthesis,
    /// The quote that opens here is never closed.
    UnclosedQuote {
        /// The character that would close it.
        closing: char,
    },
    /// Quotes with nothing between them.
    EmptyName,
    /// A character that a bare name cannot contain.
    UnexpectedCharacter {
        /// The character as written.
        character: char,
    },
    /// A character nobody can see, outside quotes: it would silently make another tag.
    InvisibleCharacter {
        /// The character.
        character: char,
    },
    /// A `*` that does not end its name.
    WildcardInside,
    /// `at_least(0, ...)`, which is always true.
    CountZero,
    /// `at_least` asks for more than there are distinct items; never true.
    CountTooLarge {
        /// How many it asks for, as written.
        count: String,
        /// How many distinct items there are.
        items: usize,
    },
    /// More bytes than [`MAX_EXPRESSION_BYTES`].
    TooLong {
        /// The size of the expression in bytes.
        bytes: usize,
    },
    /// More open parentheses than [`MAX_NESTING`].
    TooDeep,
    /// More distinct tags, prefixes and comparisons than [`MAX_ATOMS`].
    TooManyAtoms,
}

/// What would have been right where something else stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A tag, or what begins an operand.
    Tag,
    /// An item of a list: a tag, a prefix or a comparison.
    Item,
    /// An operator, a closing parenthesis or the end.
    Operator,
    /// A number or quoted text, after a comparison.
    Value,
    /// The number of `at_least`.
    Count,
    /// The comma after the number of `at_least`.
    CountEnd,
    /// A comma or the closing parenthesis of a list.
    ItemsEnd,
}

/// What stands where something else was due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The expression ends.
    End,
    /// This text, as written; cut after [`Found::MAX_CHARS`].
    Text(String),
}

impl Found {
    /// The most characters of an expression that a message repeats.
    pub const MAX_CHARS: usize = 40;

    /// The text as a message shows it.
    pub(super) fn text(text: &str) -> Self {
        Self::Text(shorten(text))
    }
}

/// The text, cut with an ellipsis after [`Found::MAX_CHARS`].
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(Found::MAX_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn is_word_operator(text: &str) -> bool {
    ["and", "or", "xor"].iter().any(|word| text.eq_ignore_ascii_case(word)) || ["且", "或"].contains(&text)
}

impl fmt::Display for TagError {
    /// `at character 4: expected a tag, found the end of the expression`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.at_char, self.problem)
    }
}

impl std::error::Error for TagError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the expression is empty"),
            Self::Expected { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::MissingOperator { left: Some(left), right: Some(right) } => {
                write!(f, "an operator is missing between '{left}' and '{right}'")
            }
            Self::MissingOperator { .. } => f.write_str("an operator is missing before this"),
            Self::UnclosedParenthesis => f.write_str("the parenthesis that opens here is never closed"),
            Self::UnopenedParenthesis => f.write_str("the parenthesis that closes here was never opened"),
            Self::UnclosedQuote { closing } => write!(f, "the quote that opens here is never closed with {closing}"),
            Self::EmptyName => f.write_str("a tag cannot be empty"),
            Self::UnexpectedCharacter { character } => write!(f, "unexpected character '{character}'"),
            Self::InvisibleCharacter { character } => {
                write!(f, "invisible character U+{:04X}", u32::from(*character))
            }
            Self::WildcardInside => f.write_str("a wildcard can only end a tag"),
            Self::CountZero => f.write_str("the number of at_least must be 1 or more, found 0"),
            Self::CountTooLarge { count, items } => {
                write!(f, "at_least asks for {count} of {items} distinct items, which is never true")
            }
            Self::TooLong { bytes } => {
                write!(f, "the expression has {bytes} bytes, at most {MAX_EXPRESSION_BYTES} are allowed")
            }
            Self::TooDeep => write!(f, "more than {MAX_NESTING} parentheses are open"),
            Self::TooManyAtoms => write!(f, "more than {MAX_ATOMS} distinct tags, prefixes and comparisons"),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tag => "a tag",
            Self::Item => "a tag, a prefix or a comparison",
            Self::Operator => "an operator or the end",
            Self::Value => "a number or quoted text",
            Self::Count => "a whole number",
            Self::CountEnd => "a comma after the number",
            Self::ItemsEnd => "a comma or a closing parenthesis",
        })
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => f.write_str("the end of the expression"),
            Self::Text(text) => write!(f, "'{text}'"),
        }
    }
}
