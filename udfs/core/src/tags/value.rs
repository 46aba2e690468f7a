//! Comparisons of a tag's value with a number or a text (TAGS-10, TAGS-11).

use std::cmp::Ordering;
use std::fmt;

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
}

impl Operator {
    /// Whether a value that stands in this order to the constant satisfies the comparison.
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        })
    }
}

/// `name >= 1000`: a condition on the values of a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Comparison {
    /// Whose values are compared.
    pub name: String,
    /// How.
    pub operator: Operator,
    /// With what.
    pub constant: Constant,
}

/// The right side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Constant {
    /// A number: values that are no numbers satisfy nothing.
    Number(Number),
    /// A text: values are compared by code points.
    Text(String),
}

impl Comparison {
    /// Whether one value, without space around it, satisfies the comparison.
    pub(super) fn holds(&self, value: &str) -> bool {
        match &self.constant {
            Constant::Number(number) => {
                Decimal::read(value).is_some_and(|value| self.operator.holds(value.compare(&number.as_decimal())))
            }
            Constant::Text(text) => self.operator.holds(value.cmp(text)),
        }
    }
}

/// A decimal number of any size, kept exactly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    negative: bool,
    /// The power of ten of the digits, read as 0.d1d2d3...
    exponent: i64,
    /// ASCII digits without zeros at either end; none for zero.
    digits: Vec<u8>,
}

impl Number {
    /// The number that the text spells: `-12`, `3.5`, `.5`, `1e3`. None for any other text, such as
    /// `inf`, `0x10` or `1,000`, and for exponents of ten digits or more.
    pub fn read(text: &str) -> Option<Self> {
        let decimal = Decimal::read(text)?;
        Some(Self {
            negative: decimal.negative,
            exponent: decimal.exponent,
            digits: decimal.digits().copied().collect(),
        })
    }

    fn as_decimal(&self) -> Decimal<'_> {
        Decimal { negative: self.negative, exponent: self.exponent, mantissa: &self.digits }
    }
}

impl fmt::Display for Number {
    /// Plain digits where they are few, else with an exponent; reads back as the same number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: String = self.digits.iter().copied().map(char::from).collect();
        let length = digits.len() as i64;
        if self.negative {
            f.write_str("-")?;
        }
        match self.exponent {
            _ if length == 0 => f.write_str("0"),
            point @ 1..=40 if point >= length => write!(f, "{digits}{:0<1$}", "", (point - length) as usize),
            point @ 1..=40 => write!(f, "{}.{}", &digits[..point as usize], &digits[point as usize..]),
            point @ -20..=0 => write!(f, "0.{:0<1$}{digits}", "", -point as usize),
            point => write!(f, "0.{digits}e{point}"),
        }
    }
}

/// A number as it stands in a text, so that reading one allocates nothing.
struct Decimal<'a> {
    negative: bool,
    exponent: i64,
    /// From the first digit that is not zero to the last; may contain the point.
    mantissa: &'a [u8],
}

impl<'a> Decimal<'a> {
    fn read(text: &'a str) -> Option<Self> {
        /// An exponent of more digits than this makes no number, so that sums cannot overflow.
        const MAX_EXPONENT_DIGITS: usize = 9;
        /// The largest exponent, so that what is printed can be read.
        const MAX_EXPONENT: u64 = 999_999_999;

        let (negative, unsigned) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            all => (false, all),
        };
        let (mantissa, power) = match unsigned.iter().position(|&byte| byte == b'e' || byte == b'E') {
            None => (unsigned, 0),
            Some(at) => {
                let power = std::str::from_utf8(&unsigned[at + 1..]).ok()?;
                let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
                if digits.len() > MAX_EXPONENT_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                (&unsigned[..at], power.parse::<i64>().ok()?)
            }
        };
        let mut point = None;
        let (mut first, mut last) = (None, 0);
        for (at, byte) in mantissa.iter().enumerate() {
            match byte {
                b'.' if point.is_none() => point = Some(at),
                b'0' => {}
                b'1'..=b'9' => {
                    first.get_or_insert(at);
                    last = at;
                }
                _ => return None,
            }
        }
        if mantissa.len() == usize::from(point.is_some()) {
            return None;
        }
        let Some(first) = first else {
            return Some(Self { negative: false, exponent: 0, mantissa: &[] });
        };
        let point = point.unwrap_or(mantissa.len()) as i64;
        // Between the point and a first digit behind it stand zeros, and the point itself.
        let whole_digits = if point > first as i64 { point - first as i64 } else { point + 1 - first as i64 };
        let exponent = whole_digits + power;
        (exponent.unsigned_abs() <= MAX_EXPONENT).then(|| Self {
            negative,
            exponent,
            mantissa: &mantissa[first..=last],
        })
    }

    fn digits(&self) -> impl Iterator<Item = &u8> {
        self.mantissa.iter().filter(|&&byte| byte != b'.')
    }

    /// -1, 0 or 1.
    fn sign(&self) -> i8 {
        match (self.mantissa.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    fn compare(&self, other: &Decimal<'_>) -> Ordering {
        let signs = self.sign().cmp(&other.sign());
        if signs.is_ne() || self.sign() == 0 {
            return signs;
        }
        // Neither has zeros at its ends, so the exponents decide, then the digits as text.
        let sizes = self.exponent.cmp(&other.exponent).then_with(|| self.digits().cmp(other.digits()));
        if self.negative { sizes.reverse() } else { sizes }
    }
}
