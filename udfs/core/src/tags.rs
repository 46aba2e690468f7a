//! Whether a row's tags satisfy an expression such as
//! `高价值 AND (兴趣:红茶 OR 兴趣:白茶) AND NOT 流失风险`.
//!
//! [`Program::compile`] reads the expression once; a [`Matcher`] takes the tags of one row after
//! the other. Where tags repeat (dictionaries), [`Matcher::tag_bits`] is asked once per distinct tag
//! and [`Program::evaluate`] once per row.
//!
//! # Rules
//!
//! - **TAGS-1, tags.** A row's tags are a set of texts: order and repeats change nothing, the empty
//!   text is no tag. A row without tags satisfies `NOT a`. A tag that no row has is false, not an
//!   error.
//! - **TAGS-2, names.** A bare name consists of letters and digits of any language, the signs
//!   `_ : . / + # @ % $ ~`, and every other visible character outside ASCII but `“ ” ‘ ’ 、 。 ≥ ≤ ≠`.
//!   A hyphen between two of these belongs to the name: `a-b` is one tag; `a - b`, `a -b` and `a- b`
//!   have an operator. Invisible characters (a zero-width space) are errors. A bare name is the tag
//!   of exactly this text.
//! - **TAGS-3, quoted names.** `"..."`, `'...'`, `“...”`, `‘...’`, `＂...＂` and `＇...＇` hold any text,
//!   taken as it stands; the closing quote is doubled to stand for itself. Not empty.
//! - **TAGS-4, operators.** `AND`, `OR`, `XOR`, `NOT` in any case; `&` or `&&`, `|` or `||`, `^`, `!`;
//!   `-` between two operands is AND NOT.
//! - **TAGS-5, Chinese.** `且`, `或`, `非` as separate words are AND, OR, NOT: `非 活跃` negates, `非活跃` is
//!   a tag. What separates is space, a parenthesis, a quote or a sign.
//! - **TAGS-6, full-width.** Outside quotes, U+FF01 to U+FF5E (`（ ） ： ， ！ ＆ ｜ ＞ ＝ ０ Ａ`) mean their
//!   ASCII twins, in names too: `兴趣：红茶` is the tag `兴趣:红茶`. U+3000 is space. Tags of rows are
//!   taken as they stand: a tag that has full-width signs is written in quotes.
//! - **TAGS-7, precedence.** NOT binds before AND and minus, these before XOR, this before OR; equals
//!   from left to right. `!a | b & c` is `(!a) | (b & c)`. At most [`MAX_NESTING`] parentheses may be
//!   open.
//! - **TAGS-8, prefixes.** `utm:*` holds when a tag begins with `utm:` (`utm:` itself does too), `*`
//!   when there is any tag. The `*` follows the name without space, bare or quoted; inside quotes
//!   it is a character.
//! - **TAGS-9, lists.** `any(...)`, `all(...)` and `at_least(n, ...)` hold when one, all, `n` or more
//!   of their items do. Items are tags, prefixes and comparisons, without operators; one written
//!   twice counts once. `n` is 1 to the number of items; no list is empty. Without a parenthesis
//!   the three words are tags.
//! - **TAGS-10, comparisons.** `name op constant` with `> >= < <= = <> !=` (also `==`, `≥ ≤ ≠`) holds
//!   when it does for any value of `name`; the values are those in tags `name:value` and
//!   `name=value`, space around them removed. Without a value it is false, `<>` too:
//!   `NOT level = "gold"` is true then. `name` alone is the tag `name`, not its values.
//! - **TAGS-11, constants.** A bare number (`30`, `-2.5`, `1e6`) compares as a decimal, exactly, with
//!   values that are numbers; others satisfy nothing. A quoted text compares by code points.
//! - **TAGS-12, maps.** An entry `key -> value` of a map is the tags `key` and `key:value`; without a
//!   value, `key`. So one expression asks a map and a list alike.
//! - **TAGS-13, case.** [`Case::Insensitive`] puts names, constants and tags in lower case, letter by
//!   letter, as Unicode's simple mapping has it: `É` is `é`, but `ß` is not `ss`.
//! - **TAGS-14, delimited text.** Tags in one text stand between `,` `;` `|` or their full-width twins
//!   or `、`, space around them removed, empty ones left out. Such tags cannot contain these signs.
//! - **TAGS-15, errors.** Empty expressions, two operands side by side, unbalanced parentheses and
//!   whatever else is not above: [`TagError`], with place, fault and a hint.
//! - **TAGS-16, limits.** [`MAX_EXPRESSION_BYTES`], [`MAX_NESTING`], [`MAX_ATOMS`]; an error above.
//!
//! # Cost
//!
//! Compiling is linear in the expression and recurses nowhere, nor does anything after it. A tag that
//! is in no expression costs one bit of a filter, one that is a hash of at most sixteen bytes; one
//! whose first byte begins a prefix or a compared name, one hash more per distinct length of prefix
//! and per `:` and `=` in it. A row costs one look-up in a truth table for up to 12 distinct
//! conditions, else a pass over the program. No allocation for a row.
//!
//! # What the caller decides
//!
//! NULL (no tags at all is not the same as no tag), which columns are maps, and that bytes are
//! UTF-8: a `&str` always is, so binary columns and parameters are checked where they become text.

mod error;
mod fold;
mod lookup;
mod matcher;
mod parser;
mod program;
mod table;
#[cfg(test)]
mod tests;
mod token;
mod value;

use std::fmt;

pub use error::{Expected, Found, Problem, TagError};
pub use matcher::{Matcher, split_tags};
pub use program::Program;
pub use value::{Comparison, Constant, Number, Operator};

/// The longest expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 1 << 20;

/// The most parentheses that can be open at one place, those of lists aside.
pub const MAX_NESTING: usize = 500;

/// The most distinct tags, prefixes and comparisons in one expression.
pub const MAX_ATOMS: usize = 4096;

/// Whether `VIP` and `vip` are one tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Case {
    /// They are two.
    #[default]
    Sensitive,
    /// They are one (TAGS-13).
    Insensitive,
}

/// A condition that one tag can satisfy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Atom {
    /// The tag of this text.
    Tag(String),
    /// Any tag that begins with this text.
    Prefix(String),
    /// A tag whose value compares so.
    Compare(Comparison),
}

impl fmt::Display for Atom {
    /// As the expression would have it, quoted where it must be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(name) => write_name(f, name),
            Self::Prefix(prefix) if prefix.is_empty() => f.write_str("*"),
            Self::Prefix(prefix) => {
                write_name(f, prefix)?;
                f.write_str("*")
            }
            Self::Compare(comparison) => {
                write_name(f, &comparison.name)?;
                write!(f, " {} ", comparison.operator)?;
                match &comparison.constant {
                    Constant::Number(number) => number.fmt(f),
                    Constant::Text(text) => write_quoted(f, text),
                }
            }
        }
    }
}

fn write_name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    if is_bare(name) { f.write_str(name) } else { write_quoted(f, name) }
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "\"{}\"", text.replace('"', "\"\""))
}

/// Whether the name means itself without quotes.
fn is_bare(name: &str) -> bool {
    const WORDS: [&str; 10] = ["and", "or", "xor", "not", "any", "all", "at_least", "且", "或", "非"];
    let is_word = |character: char| token::is_word(character) && token::ascii_twin(character) == character;
    !WORDS.iter().any(|word| name.eq_ignore_ascii_case(word))
        && name.split('-').all(|part| !part.is_empty() && part.chars().all(is_word))
}
