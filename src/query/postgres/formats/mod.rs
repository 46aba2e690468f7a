//! The patterns of `to_char`, `to_date`, `to_timestamp` and `to_number`: the rules, without Arrow and SQL.
//!
//! [`pattern`] and [`numbers`] cut patterns, [`write`] and [`write_number`] write by them, [`read`] and [`to_number`] read.
//! They are PostgreSQL's. What a pattern asks for and is not here is refused (0A000), and text that does not fit its
//! pattern is too (22007 for times, 22P02 for numbers): no pattern gives another answer than PostgreSQL's.

pub mod numbers;
pub mod pattern;
pub mod read;
pub mod to_number;
pub mod write;
pub mod write_number;

pub use numbers::NumberPattern;
pub use pattern::TimePattern;

/// `1ST`, `2ND`, `13TH`: what follows a number, in capitals.
fn ordinal(digits: &str) -> &'static str {
    let mut last = digits.bytes().rev();
    let (one, ten) = (last.next(), last.next());
    match (ten, one) {
        (Some(b'1'), _) => "TH",
        (_, Some(b'1')) => "ST",
        (_, Some(b'2')) => "ND",
        (_, Some(b'3')) => "RD",
        _ => "TH",
    }
}

/// The months as the Romans number them.
const ROMAN_MONTHS: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
