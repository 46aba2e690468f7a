//! Text to numbers by a pattern: `to_number`.
//!
//! PostgreSQL makes a number of any text, and passes over what does not fit. Here a text that does not fit its pattern
//! is an error (22P02); where both give a number, it is the same.

use super::numbers::{NumberPattern, Part, Signs};
use crate::error::{Error, Result, SqlState};

/// Digits after the point of what [`read`] gives.
pub fn scale(pattern: &NumberPattern) -> usize {
    pattern.fraction_digits + pattern.shift_digits
}

/// Refuses patterns that are only written (0A000).
pub fn check(pattern: &NumberPattern) -> Result<()> {
    if pattern.is_scientific || pattern.is_roman() {
        let what = if pattern.is_roman() { "RN" } else { "EEEE" };
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("\"{what}\" not supported for input")));
    }
    Ok(())
}

/// Reads a text by a pattern: the number in units of [`scale`].
pub fn read(text: &str, pattern: &NumberPattern) -> Result<i128> {
    read_digits(text, pattern).ok_or_else(|| {
        let message = format!("invalid input syntax for type numeric: \"{text}\"");
        Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
    })
}

fn read_digits(text: &str, pattern: &NumberPattern) -> Option<i128> {
    let mut reader =
        Reader { rest: text.trim(), is_negative: false, has_sign: false, digits: 0, count: 0, places: None };
    for part in &pattern.parts {
        reader.part(*part, pattern.signs)?;
    }
    if pattern.signs == Signs::Brackets && reader.is_negative {
        reader.rest = reader.rest.strip_prefix('>')?;
    } else if pattern.signs == Signs::After {
        reader.take_sign();
    }
    if reader.count == 0 || !reader.rest.trim_start().is_empty() {
        return None;
    }
    let missing = pattern.fraction_digits - reader.places.unwrap_or(0);
    let value = reader.digits.checked_mul(10i128.checked_pow(u32::try_from(missing).ok()?)?)?;
    Some(if reader.is_negative { -value } else { value })
}

struct Reader<'a> {
    rest: &'a str,
    is_negative: bool,
    has_sign: bool,
    digits: i128,
    count: usize,
    /// Digits after the point, once it has been passed.
    places: Option<usize>,
}

impl Reader<'_> {
    /// `None` where the text cannot be of the pattern.
    fn part(&mut self, part: Part, signs: Signs) -> Option<()> {
        match part {
            Part::Digit | Part::Zero => {
                if self.count == 0 && self.places.is_none() {
                    self.skip_spaces();
                    match signs {
                        Signs::Floating | Signs::Before => self.take_sign(),
                        Signs::Brackets if !self.is_negative && self.rest.starts_with('<') => {
                            self.rest = &self.rest[1..];
                            self.is_negative = true;
                        }
                        _ => {}
                    }
                }
                if let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(10)) {
                    self.rest = &self.rest[1..];
                    self.digits = self.digits.checked_mul(10)?.checked_add(i128::from(digit))?;
                    self.count += 1;
                    self.places = self.places.map(|places| places + 1);
                }
            }
            Part::Point => {
                self.skip_spaces();
                if matches!(signs, Signs::Floating | Signs::Before) {
                    self.take_sign();
                }
                if let Some(after) = self.rest.strip_prefix('.') {
                    self.rest = after;
                    self.places = Some(0);
                } else if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
                    // More digits than the pattern has before the point.
                    return None;
                } else {
                    self.places = Some(0);
                }
            }
            Part::Group => self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest),
            Part::Currency => {
                self.rest =
                    self.rest.trim_start_matches(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.'));
            }
            Part::Minus | Part::Plus | Part::Sign => {
                self.skip_spaces();
                self.take_sign();
            }
            Part::Silent => {}
            Part::Ordinal(_) => {
                let letters = self.rest.bytes().take(2).filter(u8::is_ascii_alphabetic).count();
                self.rest = if letters == 2 { &self.rest[2..] } else { self.rest };
            }
            Part::Literal(character) => self.rest = self.rest.strip_prefix(character).unwrap_or(self.rest),
        }
        Some(())
    }

    fn take_sign(&mut self) {
        if !self.has_sign && self.rest.starts_with(['-', '+']) {
            self.is_negative = self.rest.starts_with('-');
            self.has_sign = true;
            self.rest = self.rest[1..].trim_start();
        }
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::postgres::formats::write_number::Digits;
    use proptest::prelude::*;

    fn number(text: &str, pattern: &str) -> Option<i128> {
        read(text, &NumberPattern::parse(pattern).unwrap()).ok()
    }

    #[test]
    fn numbers_are_read_with_their_signs_groups_and_money() {
        assert_eq!(number("12,454.8-", "99G999D9S"), Some(-124_548));
        assert_eq!(number(" $1,234.50", "L9,999.99"), Some(123_450));
        assert_eq!(number("<12>", "99PR"), Some(-12));
        assert_eq!(number("12", "99.99"), Some(1200));
        assert_eq!(number("-.5", "9.9"), Some(-5));
        assert_eq!(number("12454", "99V999"), Some(12_454));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (text, pattern) in
            [("123", "99"), ("12abc", "99"), ("tea", "99"), ("", "99"), ("1 2", "99"), ("123.4", "99.9")]
        {
            assert_eq!(number(text, pattern), None, "{text} by {pattern}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in -99_999_999i64..=99_999_999, at in 0usize..6) {
            let pattern = ["999,999.99", "S999999.99", "999G999D99MI", "999999.99PR", "FM999990.00", "SG999999.99"][at];
            let pattern = NumberPattern::parse(pattern).unwrap();
            let written = pattern.write(&Digits::of_decimal(value.into(), 2, 0, 2).unwrap());
            prop_assert_eq!(read(&written, &pattern).ok(), Some(i128::from(value)), "{}", written);
        }
    }
}
