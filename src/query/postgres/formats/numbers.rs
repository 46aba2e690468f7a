//! A pattern of numbers, cut into its parts: `FM999,990.00`.

use super::pattern::Case;
use crate::error::{Error, Result, SqlState};

/// One part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `9`
    Digit,
    /// `0`
    Zero,
    /// `.` and `D`
    Point,
    /// `,` and `G`
    Group,
    /// `L`: the sign of a currency, which is a space where no money is of any country.
    Currency,
    /// `MI`
    Minus,
    /// `PL`
    Plus,
    /// `SG`
    Sign,
    /// `S` and `PR`, which the digits beside them write.
    Silent,
    /// `TH`
    Ordinal(Case),
    Literal(char),
}

/// Where the sign of a number goes, unless the pattern has a place for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    /// Before the first digit, a space for none.
    Floating,
    /// `S` before the digits: plus is written too.
    Before,
    /// `S` after them.
    After,
    /// `PR`: a negative number stands between `<` and `>`.
    Brackets,
    /// `MI` or `SG`: nowhere else.
    Placed,
}

/// A pattern of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberPattern {
    pub parts: Vec<Part>,
    pub signs: Signs,
    /// Digits before the point, those of `V` included.
    pub whole_digits: usize,
    /// Digits after the point.
    pub fraction_digits: usize,
    /// The first `0` before the point, counted in digits from zero.
    pub(super) zeros_from: Option<usize>,
    /// The last `0` after the point, counted in digits from one.
    pub(super) zeros_to: usize,
    pub has_point: bool,
    /// `FM`
    pub is_bare: bool,
    /// `V`: how many places the point is moved to the right.
    pub shift_digits: usize,
    /// `RN`
    pub(super) roman: Option<Case>,
    /// `EEEE`
    pub is_scientific: bool,
}

/// Digits of a pattern: as many as numbers have here.
pub(super) const MOST_DIGITS: usize = 38;

const SPELLINGS: [&str; 16] =
    ["EEEE", "FM", "MI", "PL", "PR", "RN", "SG", "SP", "TH", "B", "C", "D", "G", "L", "S", "V"];

impl NumberPattern {
    /// Cuts a pattern. Fails with 42601 where its parts contradict each other, with 0A000 on what is not here.
    pub fn parse(pattern: &str) -> Result<Self> {
        let mut parsed = Self {
            parts: vec![],
            signs: Signs::Floating,
            whole_digits: 0,
            fraction_digits: 0,
            zeros_from: None,
            zeros_to: 0,
            has_point: false,
            is_bare: false,
            shift_digits: 0,
            roman: None,
            is_scientific: false,
        };
        let mut used = Used::default();
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            if let Some(word) =
                SPELLINGS.iter().find(|word| rest.starts_with(*word) || rest.starts_with(&word.to_ascii_lowercase()))
            {
                let case = if rest.starts_with(word) { Case::Upper } else { Case::Lower };
                parsed.word(word, case, &mut used)?;
                rest = &rest[word.len()..];
                continue;
            }
            if parsed.is_scientific && matches!(first, '9' | '0' | '.' | ',') {
                return Err(not_last());
            }
            match first {
                '9' | '0' | '.' | ',' => parsed.sign_of_digits(first, &mut used)?,
                '"' => {
                    rest = parsed.quoted(&rest[1..]);
                    continue;
                }
                '\\' if rest[1..].starts_with('"') => {
                    parsed.parts.push(Part::Literal('"'));
                    rest = &rest[2..];
                    continue;
                }
                other => parsed.parts.push(Part::Literal(other)),
            }
            rest = &rest[first.len_utf8()..];
        }
        parsed.finish(&used)
    }

    fn sign_of_digits(&mut self, sign: char, used: &mut Used) -> Result<()> {
        match sign {
            '.' => return self.point(used),
            ',' => self.parts.push(Part::Group),
            digit => {
                if used.brackets {
                    return Err(contradiction(&format!("\"{digit}\" must be ahead of \"PR\"")));
                }
                if used.v && digit == '9' {
                    self.shift_digits += 1;
                } else if self.has_point {
                    self.fraction_digits += 1;
                } else {
                    if digit == '0' {
                        self.zeros_from.get_or_insert(self.whole_digits);
                    }
                    self.whole_digits += 1;
                }
                if digit == '0' {
                    self.zeros_to = self.fraction_digits;
                }
                self.parts.push(if digit == '0' { Part::Zero } else { Part::Digit });
            }
        }
        Ok(())
    }

    fn point(&mut self, used: &Used) -> Result<()> {
        if self.has_point {
            return Err(contradiction("multiple decimal points"));
        }
        if used.v {
            return Err(contradiction("cannot use \"V\" and decimal point together"));
        }
        self.has_point = true;
        self.parts.push(Part::Point);
        Ok(())
    }

    fn word(&mut self, word: &str, case: Case, used: &mut Used) -> Result<()> {
        if self.is_scientific && word != "EEEE" {
            return Err(not_last());
        }
        match word {
            "D" => return self.point(used),
            "G" => self.parts.push(Part::Group),
            "L" => self.parts.push(Part::Currency),
            "FM" => self.is_bare = true,
            "TH" => self.parts.push(Part::Ordinal(case)),
            "RN" => self.roman = Some(case),
            "S" => {
                if used.s {
                    return Err(contradiction("cannot use \"S\" twice"));
                }
                if used.plus || used.minus || used.brackets {
                    return Err(contradiction("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together"));
                }
                used.s = true;
                used.s_is_after_point = self.has_point;
                used.digits_before_s = self.whole_digits;
                self.parts.push(Part::Silent);
            }
            "MI" | "PL" | "SG" => {
                if used.s {
                    return Err(contradiction(&format!("cannot use \"S\" and \"{word}\" together")));
                }
                used.minus |= word != "PL";
                used.plus |= word != "MI";
                self.parts.push(match word {
                    "MI" => Part::Minus,
                    "PL" => Part::Plus,
                    _ => Part::Sign,
                });
            }
            "PR" => {
                if used.s || used.plus || used.minus {
                    return Err(contradiction("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together"));
                }
                used.brackets = true;
                self.parts.push(Part::Silent);
            }
            "V" => {
                if self.has_point {
                    return Err(contradiction("cannot use \"V\" and decimal point together"));
                }
                used.v = true;
            }
            "EEEE" => {
                let is_alone = !(self.is_bare || used.s || used.brackets || used.minus || used.plus || used.v)
                    && self.roman.is_none();
                if self.is_scientific || !is_alone {
                    return Err(contradiction("\"EEEE\" is incompatible with other formats")
                        .with_detail("\"EEEE\" may only be used together with digit and decimal point patterns."));
                }
                self.is_scientific = true;
            }
            other => {
                let message = format!("\"{other}\" in a pattern is not supported");
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
        }
        Ok(())
    }

    fn quoted<'a>(&mut self, text: &'a str) -> &'a str {
        let mut characters = text.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => return &text[at + 1..],
                '\\' => self.parts.extend(characters.next().map(|(_, escaped)| Part::Literal(escaped))),
                other => self.parts.push(Part::Literal(other)),
            }
        }
        ""
    }

    fn finish(mut self, used: &Used) -> Result<Self> {
        self.whole_digits += self.shift_digits;
        if self.whole_digits + self.fraction_digits > MOST_DIGITS {
            let message = format!("a pattern of more than {MOST_DIGITS} digits is not supported");
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        self.signs = if used.s {
            let is_after = used.s_is_after_point || used.digits_before_s == self.whole_digits;
            if is_after { Signs::After } else { Signs::Before }
        } else if used.brackets {
            Signs::Brackets
        } else if used.minus {
            Signs::Placed
        } else {
            Signs::Floating
        };
        self.refuse_what_has_no_meaning(used)?;
        Ok(self)
    }

    /// PostgreSQL writes something of these too, which nobody can want.
    fn refuse_what_has_no_meaning(&self, used: &Used) -> Result<()> {
        let refuse = |what: &str| Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} is not supported")));
        let is_digit = |part: &Part| matches!(part, Part::Digit | Part::Zero);
        let has_only_digits = self.parts.iter().all(|part| is_digit(part) || *part == Part::Point);
        if self.is_scientific && !has_only_digits {
            return refuse("\"EEEE\" beside anything but digits and a point");
        }
        if self.roman.is_some() {
            let is_alone = self.parts.is_empty();
            return if is_alone { Ok(()) } else { refuse("\"RN\" beside anything but \"FM\"") };
        }
        if !self.parts.iter().any(is_digit) {
            return refuse("a pattern of numbers without digits");
        }
        if used.brackets && (used.minus || used.plus) {
            return refuse("\"PR\" beside \"MI\", \"PL\" or \"SG\"");
        }
        let after_point = self.parts.iter().skip_while(|part| **part != Part::Point).skip(1);
        if after_point.clone().any(|part| *part == Part::Group) {
            return refuse("a group after the decimal point");
        }
        if self.fraction_digits == 0 && after_point.clone().any(|part| *part != Part::Silent) {
            return refuse("a decimal point without digits after it");
        }
        Ok(())
    }

    /// Whether numbers are written as the Romans wrote them.
    pub fn is_roman(&self) -> bool {
        self.roman.is_some()
    }
}

#[derive(Default)]
struct Used {
    s: bool,
    s_is_after_point: bool,
    digits_before_s: usize,
    brackets: bool,
    minus: bool,
    plus: bool,
    v: bool,
}

fn not_last() -> Error {
    contradiction("\"EEEE\" must be the last pattern used")
}

fn contradiction(message: &str) -> Error {
    Error::new(SqlState::SYNTAX_ERROR, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_errors() {
        for pattern in ["9.9.9", "S9S", "9PRS", "MI9S", "99PR9", "9.9V9", "FM9EEEE"] {
            assert_eq!(NumberPattern::parse(pattern).map_err(|e| e.state), Err(SqlState::SYNTAX_ERROR), "{pattern}");
        }
        for pattern in ["B99", "C99", "99SP", "L9EEEE", "D", "RN9", "9.G9", "9PRSG", "9.MI"] {
            let refused = NumberPattern::parse(pattern).map_err(|e| e.state);
            assert_eq!(refused, Err(SqlState::FEATURE_NOT_SUPPORTED), "{pattern}");
        }
    }
}
