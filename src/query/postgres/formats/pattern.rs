//! A pattern of times, cut into its fields: `YYYY-MM-DD HH24:MI`.

use crate::error::{Error, Result, SqlState};

/// How a word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Upper,
    Capital,
    Lower,
}

impl Case {
    /// A capitalised word in this case.
    pub fn of(self, word: &str) -> String {
        match self {
            Self::Upper => word.to_ascii_uppercase(),
            Self::Capital => word.to_owned(),
            Self::Lower => word.to_ascii_lowercase(),
        }
    }
}

/// What a field stands for. Years carry how many of their last digits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Era {
        dots: bool,
    },
    HalfDay {
        dots: bool,
    },
    Century,
    DayName,
    DayShortName,
    DayOfYear,
    DayOfMonth,
    DayOfWeek,
    /// The first digits of the fraction of a second.
    Fraction(u8),
    Exactly,
    Hour24,
    Hour12,
    IsoDayOfYear,
    IsoDayOfWeek,
    IsoWeek,
    IsoYear(u8),
    JulianDay,
    Minute,
    MonthNumber,
    MonthName,
    MonthShortName,
    Millisecond,
    Microsecond,
    Offset,
    Quarter,
    RomanMonth,
    SecondOfDay,
    Second,
    ZoneHours,
    ZoneMinutes,
    ZoneName,
    WeekOfYear,
    WeekOfMonth,
    YearWithComma,
    Year(u8),
}

/// The spellings, in capitals, longer ones before their beginnings.
const KEYS: &[(&str, Key)] = &[
    ("A.D.", Key::Era { dots: true }),
    ("A.M.", Key::HalfDay { dots: true }),
    ("AD", Key::Era { dots: false }),
    ("AM", Key::HalfDay { dots: false }),
    ("B.C.", Key::Era { dots: true }),
    ("BC", Key::Era { dots: false }),
    ("CC", Key::Century),
    ("DAY", Key::DayName),
    ("DDD", Key::DayOfYear),
    ("DD", Key::DayOfMonth),
    ("DY", Key::DayShortName),
    ("D", Key::DayOfWeek),
    ("FF1", Key::Fraction(1)),
    ("FF2", Key::Fraction(2)),
    ("FF3", Key::Fraction(3)),
    ("FF4", Key::Fraction(4)),
    ("FF5", Key::Fraction(5)),
    ("FF6", Key::Fraction(6)),
    ("FX", Key::Exactly),
    ("HH24", Key::Hour24),
    ("HH12", Key::Hour12),
    ("HH", Key::Hour12),
    ("IDDD", Key::IsoDayOfYear),
    ("ID", Key::IsoDayOfWeek),
    ("IW", Key::IsoWeek),
    ("IYYY", Key::IsoYear(4)),
    ("IYY", Key::IsoYear(3)),
    ("IY", Key::IsoYear(2)),
    ("I", Key::IsoYear(1)),
    ("J", Key::JulianDay),
    ("MI", Key::Minute),
    ("MM", Key::MonthNumber),
    ("MONTH", Key::MonthName),
    ("MON", Key::MonthShortName),
    ("MS", Key::Millisecond),
    ("OF", Key::Offset),
    ("P.M.", Key::HalfDay { dots: true }),
    ("PM", Key::HalfDay { dots: false }),
    ("Q", Key::Quarter),
    ("RM", Key::RomanMonth),
    ("SSSSS", Key::SecondOfDay),
    ("SSSS", Key::SecondOfDay),
    ("SS", Key::Second),
    ("TZH", Key::ZoneHours),
    ("TZM", Key::ZoneMinutes),
    ("TZ", Key::ZoneName),
    ("US", Key::Microsecond),
    ("WW", Key::WeekOfYear),
    ("W", Key::WeekOfMonth),
    ("Y,YYY", Key::YearWithComma),
    ("YYYY", Key::Year(4)),
    ("YYY", Key::Year(3)),
    ("YY", Key::Year(2)),
    ("Y", Key::Year(1)),
];

/// One part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A character that is written as it is; `is_quoted` ones and letters stand for any character of an input.
    Literal(char),
    /// A sign or a space outside of quotes, which an input may have or not.
    Separator(char),
    Field(Field),
}

/// A field of a time, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub key: Key,
    /// As it stands in the pattern, for messages.
    pub spelling: String,
    pub case: Case,
    /// `FM`: no padding.
    pub is_bare: bool,
    /// `TH` or `th`.
    pub ordinal: Option<Case>,
}

/// A pattern of times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimePattern {
    pub nodes: Vec<Node>,
}

impl TimePattern {
    /// Cuts a pattern. Fails with 0A000 on what PostgreSQL would honour and is not here.
    pub fn parse(pattern: &str) -> Result<Self> {
        let mut nodes = vec![];
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            let (is_bare, after) = prefix(rest)?;
            if let Some((length, key, case)) = find(after) {
                let spelling = after[..length].to_owned();
                let (ordinal, after) = suffix(&after[length..])?;
                nodes.push(Node::Field(Field { key, spelling, case, is_bare, ordinal }));
                rest = after;
            } else if is_bare {
                // A prefix before nothing that it could change is passed over, as in PostgreSQL.
                rest = after;
            } else if first == '"' {
                rest = quoted(&rest[1..], &mut nodes);
            } else {
                let escaped = rest.strip_prefix("\\\"").map(|_| '"');
                let character = escaped.unwrap_or(first);
                nodes.push(if is_separator(character) { Node::Separator(character) } else { Node::Literal(character) });
                rest = &rest[if escaped.is_some() { 2 } else { first.len_utf8() }..];
            }
        }
        Ok(Self { nodes })
    }
}

/// Whether a character separates fields: a sign or a space.
pub fn is_separator(character: char) -> bool {
    character.is_ascii_whitespace() || character.is_ascii_punctuation()
}

fn prefix(text: &str) -> Result<(bool, &str)> {
    for spelled in ["FM", "fm"] {
        if let Some(rest) = text.strip_prefix(spelled) {
            return Ok((true, rest));
        }
    }
    if text.starts_with("TM") || text.starts_with("tm") {
        return Err(unsupported("TM"));
    }
    Ok((false, text))
}

fn suffix(text: &str) -> Result<(Option<Case>, &str)> {
    if let Some(rest) = text.strip_prefix("TH") {
        return Ok((Some(Case::Upper), rest));
    }
    if let Some(rest) = text.strip_prefix("th") {
        return Ok((Some(Case::Lower), rest));
    }
    if text.starts_with("SP") || text.starts_with("sp") {
        return Err(unsupported("SP"));
    }
    Ok((None, text))
}

fn unsupported(what: &str) -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("\"{what}\" in a pattern is not supported"))
}

/// The field that a text starts with: its length, key and case.
fn find(text: &str) -> Option<(usize, Key, Case)> {
    KEYS.iter().find_map(|(spelling, key)| {
        let head = text.get(..spelling.len())?;
        let has_capital = matches!(key, Key::DayName | Key::DayShortName | Key::MonthName | Key::MonthShortName);
        let case = if head == *spelling {
            Case::Upper
        } else if head == spelling.to_ascii_lowercase() {
            Case::Lower
        } else if has_capital && is_capitalised(head, spelling) {
            Case::Capital
        } else {
            return None;
        };
        Some((spelling.len(), *key, case))
    })
}

/// `Month` of `MONTH`.
fn is_capitalised(word: &str, spelling: &str) -> bool {
    let (head, tail) = spelling.split_at(1);
    word.strip_prefix(head).is_some_and(|rest| rest == tail.to_ascii_lowercase())
}

/// Takes the characters up to the closing quote; a backslash takes the next one as it is.
fn quoted<'a>(text: &'a str, nodes: &mut Vec<Node>) -> &'a str {
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return &text[at + 1..],
            '\\' => {
                if let Some((_, escaped)) = characters.next() {
                    nodes.push(Node::Literal(escaped));
                }
            }
            other => nodes.push(Node::Literal(other)),
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(pattern: &str) -> Vec<Key> {
        let fields = TimePattern::parse(pattern).unwrap().nodes.into_iter().filter_map(|node| match node {
            Node::Field(field) => Some(field.key),
            _ => None,
        });
        fields.collect()
    }

    #[test]
    fn the_longest_field_is_meant() {
        assert_eq!(keys("YYYYMMDD"), [Key::Year(4), Key::MonthNumber, Key::DayOfMonth]);
        assert_eq!(keys("DDDth IYYY-IW-ID"), [Key::DayOfYear, Key::IsoYear(4), Key::IsoWeek, Key::IsoDayOfWeek]);
        assert_eq!(keys("HH24MISSMSUS"), [Key::Hour24, Key::Minute, Key::Second, Key::Millisecond, Key::Microsecond]);
        assert_eq!(keys("Hh24"), []);
        assert_eq!(keys("\"YYYY\" yyyy"), [Key::Year(4)]);
    }

    #[test]
    fn what_is_not_here_is_refused() {
        assert_eq!(TimePattern::parse("TMMonth").map_err(|e| e.state), Err(SqlState::FEATURE_NOT_SUPPORTED));
        assert_eq!(TimePattern::parse("DDSP").map_err(|e| e.state), Err(SqlState::FEATURE_NOT_SUPPORTED));
    }

    proptest! {
        #[test]
        fn any_text_is_a_pattern_or_refused(pattern in "\\PC{0,40}") {
            let _ = TimePattern::parse(&pattern);
        }
    }
}
