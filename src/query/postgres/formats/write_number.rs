//! Numbers by a pattern: `to_char`.

use super::numbers::{MOST_DIGITS, NumberPattern, Part, Signs};
use super::ordinal;
use super::pattern::Case;

impl NumberPattern {
    /// Writes a number whose fraction has the pattern's digits.
    pub fn write(&self, number: &Digits) -> String {
        if let Some(case) = self.roman {
            return self.write_roman(number, case);
        }
        let overflows = number.whole.len() > self.whole_digits;
        let (whole, fraction) = match overflows {
            true => ("#".repeat(self.whole_digits), "#".repeat(self.fraction_digits)),
            false => (number.whole.clone(), number.fraction.clone()),
        };
        let mut writer = Writer {
            pattern: self,
            is_negative: number.is_negative,
            blanks: self.whole_digits - whole.len(),
            // A zero before the point is not written where no `0` asks for it.
            hides_zero: whole == "0" && self.zeros_from.is_none() && self.fraction_digits > 0,
            kept_fraction: self.kept_fraction(&fraction),
            whole: whole.into_bytes(),
            fraction: fraction.into_bytes(),
            digit: 0,
            after_point: 0,
            is_past_point: false,
            has_digit: false,
            sign_is_done: self.signs == Signs::Placed,
            out: String::new(),
        };
        let last = self.parts.iter().rposition(|part| matches!(part, Part::Digit | Part::Zero | Part::Point));
        for (index, part) in self.parts.iter().enumerate() {
            writer.part(*part, overflows);
            if Some(index) == last {
                writer.close();
            }
        }
        writer.out
    }

    /// Digits after the point that are written: `FM` leaves out zeros at the end that no `0` asks for.
    fn kept_fraction(&self, fraction: &str) -> usize {
        if !self.is_bare {
            return fraction.len();
        }
        fraction.trim_end_matches('0').len().max(self.zeros_to.min(fraction.len()))
    }

    fn write_roman(&self, number: &Digits, case: Case) -> String {
        let value: Option<u32> = number.whole.parse().ok();
        let text = match value {
            Some(value @ 1..=3999) if !number.is_negative => case.of(&roman(value)),
            _ => "#".repeat(15),
        };
        if self.is_bare { text } else { format!("{text:>15}") }
    }
}

/// A number as decimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digits {
    pub is_negative: bool,
    /// Without zeros before it; `0` where there is nothing before the point.
    pub whole: String,
    pub fraction: String,
}

impl Digits {
    /// Of a decimal, rounded half away from zero to `places` digits after the point.
    ///
    /// `None` where it has more digits than 128 bits hold.
    pub fn of_decimal(value: i128, scale: i8, shift: usize, places: usize) -> Option<Self> {
        let mut digits = value.unsigned_abs();
        // Places that the digits have, and those they shall have.
        let have = i32::from(scale) - i32::try_from(shift).ok()?;
        let want = i32::try_from(places).ok()?;
        if have > want {
            match 10u128.checked_pow((have - want).unsigned_abs()) {
                Some(unit) => digits = digits / unit + u128::from(digits % unit >= unit.div_ceil(2)),
                None => digits = 0,
            }
        } else {
            digits = digits.checked_mul(10u128.checked_pow((want - have).unsigned_abs())?)?;
        }
        let text = format!("{digits:0width$}", width = places + 1);
        let (whole, fraction) = text.split_at(text.len() - places);
        // What is rounded to zero has no sign, unless it is written of a float.
        Some(Self { is_negative: value < 0 && digits != 0, whole: whole.to_owned(), fraction: fraction.to_owned() })
    }

    /// Of a float: at most fifteen digits count, as many as a double has in every case.
    pub fn of_float(value: f64, places: usize) -> Self {
        const SURE_DIGITS: usize = 15;
        let is_negative = value.is_sign_negative() && !value.is_nan();
        if value.is_nan() {
            return Self { is_negative, whole: "NaN".to_owned(), fraction: String::new() };
        }
        if value.is_infinite() {
            // Longer than any pattern.
            return Self { is_negative, whole: "#".repeat(MOST_DIGITS + 1), fraction: "#".repeat(places) };
        }
        let whole_length = format!("{:.0}", value.abs()).len();
        let sure = if whole_length >= SURE_DIGITS { 0 } else { places.min(SURE_DIGITS - whole_length) };
        let text = format!("{:.sure$}", value.abs());
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        Self { is_negative, whole: whole.to_owned(), fraction: fraction.to_owned() }
    }
}

struct Writer<'a> {
    pattern: &'a NumberPattern,
    is_negative: bool,
    whole: Vec<u8>,
    fraction: Vec<u8>,
    /// Places of digits before the first digit of the number.
    blanks: usize,
    hides_zero: bool,
    kept_fraction: usize,
    /// The next place before the point, and after it.
    digit: usize,
    after_point: usize,
    is_past_point: bool,
    /// Whether a digit has been written, so that groups are separated.
    has_digit: bool,
    sign_is_done: bool,
    out: String,
}

impl Writer<'_> {
    fn part(&mut self, part: Part, overflows: bool) {
        let is_bare = self.pattern.is_bare;
        match part {
            Part::Digit | Part::Zero if self.is_past_point => self.fraction_digit(),
            Part::Digit | Part::Zero => self.whole_digit(),
            Part::Point => {
                self.is_past_point = true;
                // A point with nothing behind it is not written, but for what does not fit.
                if !self.fraction.is_empty() || overflows {
                    self.sign();
                    self.out.push('.');
                }
            }
            Part::Group if self.has_digit => self.out.push(','),
            Part::Group if !is_bare => self.out.push(' '),
            Part::Currency => self.out.push(' '),
            Part::Minus if self.is_negative => self.out.push('-'),
            Part::Plus if !self.is_negative => self.out.push('+'),
            Part::Minus | Part::Plus if !is_bare => self.out.push(' '),
            Part::Sign => self.out.push(if self.is_negative { '-' } else { '+' }),
            Part::Ordinal(case) => {
                if !overflows && !self.is_negative && !self.pattern.has_point {
                    let digits = String::from_utf8_lossy(&self.whole).into_owned();
                    self.out.push_str(&case.of(ordinal(&digits)));
                }
            }
            Part::Literal(character) => self.out.push(character),
            Part::Silent | Part::Group | Part::Minus | Part::Plus => {}
        }
    }

    fn whole_digit(&mut self) {
        let place = self.digit;
        self.digit += 1;
        let is_zero = self.pattern.zeros_from.is_some_and(|from| from <= place);
        let is_hidden = self.hides_zero && place == self.blanks;
        let only_zero_left = self.pattern.is_bare && self.kept_fraction == 0;
        if (place >= self.blanks || is_zero) && (!is_hidden || only_zero_left) {
            self.sign();
        }
        if place < self.blanks {
            if is_zero {
                self.out.push('0');
                self.has_digit = true;
            } else if !self.pattern.is_bare {
                self.out.push(' ');
            }
        } else if is_hidden {
            if !self.pattern.is_bare {
                self.out.push(' ');
            } else if only_zero_left {
                self.out.push('0');
            }
        } else {
            self.out.push(char::from(self.whole[place - self.blanks]));
            self.has_digit = true;
        }
    }

    fn fraction_digit(&mut self) {
        if self.after_point < self.kept_fraction {
            self.out.push(char::from(self.fraction[self.after_point]));
            self.has_digit = true;
        }
        self.after_point += 1;
    }

    /// Writes the sign before the first digit, once.
    fn sign(&mut self) {
        if self.sign_is_done {
            return;
        }
        let is_bare = self.pattern.is_bare;
        match (self.pattern.signs, self.is_negative) {
            (Signs::After | Signs::Placed, _) => return,
            (Signs::Before, false) => self.out.push('+'),
            (Signs::Brackets, true) => self.out.push('<'),
            (Signs::Before | Signs::Floating, true) => self.out.push('-'),
            (Signs::Floating | Signs::Brackets, false) if !is_bare => self.out.push(' '),
            (Signs::Floating | Signs::Brackets, false) => {}
        }
        self.sign_is_done = true;
    }

    /// Writes what follows the last digit.
    fn close(&mut self) {
        match (self.pattern.signs, self.is_negative) {
            (Signs::Brackets, true) => self.out.push('>'),
            (Signs::Brackets, false) if !self.pattern.is_bare => self.out.push(' '),
            (Signs::After, is_negative) => self.out.push(if is_negative { '-' } else { '+' }),
            _ => {}
        }
    }
}

/// `1.25e+02` of a decimal, with a space for a plus.
pub fn scientific_decimal(value: i128, scale: i8, places: usize) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut exponent = i32::try_from(digits.len()).unwrap_or(0) - 1 - i32::from(scale);
    if value == 0 {
        exponent = 0;
    }
    let kept = (places + 1).min(digits.len());
    let mut mantissa: u128 = digits[..kept].parse().unwrap_or(0);
    if digits.as_bytes().get(kept).is_some_and(|next| *next >= b'5') {
        mantissa += 1;
    }
    let mut mantissa = mantissa.to_string();
    if mantissa.len() > kept {
        // Rounded up to a further digit: 9.99 is 1.00e+01.
        mantissa.pop();
        exponent += 1;
    }
    mantissa.push_str(&"0".repeat(places + 1 - kept));
    scientific(value < 0, &mantissa, exponent)
}

/// `1.25e+02` of a finite float.
pub fn scientific_float(value: f64, places: usize) -> String {
    let text = format!("{:.places$e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    scientific(value < 0.0, &mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

fn scientific(is_negative: bool, mantissa: &str, exponent: i32) -> String {
    let (first, rest) = mantissa.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if is_negative { '-' } else { ' ' };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}{point}{rest}e{exponent_sign}{:02}", exponent.unsigned_abs())
}

fn roman(mut value: u32) -> String {
    const SIGNS: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let mut out = String::new();
    for (worth, sign) in SIGNS {
        while value >= worth {
            out.push_str(sign);
            value -= worth;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(value: &str, pattern: &str) -> String {
        let pattern = NumberPattern::parse(pattern).unwrap();
        let scale = value.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let digits: i128 = value.replace('.', "").parse().unwrap();
        let scale = i8::try_from(scale).unwrap();
        if pattern.is_scientific {
            return scientific_decimal(digits, scale, pattern.fraction_digits);
        }
        pattern.write(&Digits::of_decimal(digits, scale, pattern.shift_digits, pattern.fraction_digits).unwrap())
    }

    #[test]
    fn the_table_of_postgresqls_manual_holds() {
        for (value, pattern, expected) in [
            ("-0.1", "99.99", "  -.10"),
            ("-0.1", "FM9.99", "-.1"),
            ("-0.1", "FM90.99", "-0.1"),
            ("0.1", "0.9", " 0.1"),
            ("12", "9990999.9", "    0012.0"),
            ("12", "FM9990999.9", "0012."),
            ("485", "999", " 485"),
            ("-485", "999", "-485"),
            ("485", "9 9 9", " 4 8 5"),
            ("1485", "9,999", " 1,485"),
            ("1485", "9G999", " 1,485"),
            ("148.5", "999.999", " 148.500"),
            ("148.5", "FM999.999", "148.5"),
            ("148.5", "FM999.990", "148.500"),
            ("3148.5", "9G999D999", " 3,148.500"),
            ("-485", "999S", "485-"),
            ("-485", "999MI", "485-"),
            ("485", "999MI", "485 "),
            ("485", "FM999MI", "485"),
            ("485", "PL999", "+ 485"),
            ("485", "SG999", "+485"),
            ("-485", "SG999", "-485"),
            ("-485", "9SG99", "4-85"),
            ("-485", "999PR", "<485>"),
            ("485", "RN", "        CDLXXXV"),
            ("485", "FMRN", "CDLXXXV"),
            ("5", "FMRN", "V"),
            ("482", "999th", " 482nd"),
            ("485", "\"Good number:\"999", "Good number: 485"),
            ("485.8", "\"Pre:\"999\" Post:\" .999", "Pre: 485 Post: .800"),
            ("12", "99V999", " 12000"),
            ("12.4", "99V999", " 12400"),
            ("12.45", "99V9", " 125"),
            ("0.0004859", "9.99EEEE", " 4.86e-04"),
            ("485", "99", " ##"),
        ] {
            assert_eq!(shown(value, pattern), expected, "{value} by {pattern}");
        }
    }

    proptest! {
        #[test]
        fn plain_digits_are_written_as_everybody_writes_them(value in -999_999_999i128..=999_999_999) {
            let pattern = "FM999999990.00";
            let unsigned = value.unsigned_abs();
            let sign = if value < 0 { "-" } else { "" };
            let expected = format!("{sign}{}.{:02}", unsigned / 100, unsigned % 100);
            let pattern = NumberPattern::parse(pattern).unwrap();
            prop_assert_eq!(pattern.write(&Digits::of_decimal(value, 2, 0, 2).unwrap()), expected);
        }

        #[test]
        fn any_pattern_writes_any_number_or_is_refused(pattern in "([90.,DGSVL]|MI|PL|SG|PR|FM|TH|RN|EEEE|\"x\"){0,8}",
                                                      value in any::<i64>(), scale in 0i8..12) {
            if let Ok(pattern) = NumberPattern::parse(&pattern) {
                let (shift, places) = (pattern.shift_digits, pattern.fraction_digits);
                let _ = pattern.write(&Digits::of_decimal(value.into(), scale, shift, places).unwrap());
                let _ = pattern.write(&Digits::of_float(value as f64 / 1000.0, places));
            }
        }
    }
}
