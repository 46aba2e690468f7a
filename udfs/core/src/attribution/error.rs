//! What can be wrong in a list of models, and in which words.

use std::fmt;

use super::model::NAMES;

/// Why a text is no list of models: what is wrong, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelError {
    /// The byte of the text where the fault begins; always between two characters or at the end.
    pub position: usize,
    /// What is wrong there.
    pub fault: ModelFault,
}

/// What is wrong at one place of a list of models. Texts given are shortened to 40 characters.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelFault {
    /// The text names no model.
    Empty,
    /// A name that is no model.
    Unknown {
        /// The name as given.
        given: String,
        /// The model whose name is nearest, if one is near.
        nearest: Option<&'static str>,
    },
    /// Something else stands where the grammar needs this.
    Expected {
        /// What is needed.
        expected: &'static str,
        /// What stands there; empty at the end of the text.
        given: String,
    },
    /// A parenthesis or quote that is never closed.
    Unclosed {
        /// What opens at the position: `parenthesis` or `quote`.
        what: &'static str,
    },
    /// More or fewer arguments than the model takes.
    ArgumentCount {
        /// The model.
        model: &'static str,
        /// How many were given.
        given: usize,
        /// How the model is written.
        usage: &'static str,
    },
    /// An argument that must be a number and is none.
    NotANumber {
        /// The model.
        model: &'static str,
        /// The argument as given.
        given: String,
    },
    /// A number outside what the model takes.
    OutOfRange {
        /// The model.
        model: &'static str,
        /// The number as given.
        given: String,
        /// What it must be.
        allowed: &'static str,
    },
    /// Shares whose sum is not what the model needs.
    Sum {
        /// The model.
        model: &'static str,
        /// What the shares sum to.
        sum: f64,
        /// What they must sum to.
        allowed: &'static str,
    },
    /// A half-life that is no length of time.
    HalfLife {
        /// The half-life as given.
        given: String,
        /// Why it is none.
        fault: DurationFault,
    },
    /// A label without quotes that holds a space: a comma may be missing.
    LabelWithSpace {
        /// The label as given.
        given: String,
    },
    /// A model that the list already holds.
    Duplicate {
        /// The model, normalised.
        model: String,
    },
    /// More of something than a list may hold.
    TooMany {
        /// What there is too much of: `models` or `arguments`.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
}

/// Why a text is no length of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DurationFault {
    /// Not numbers with units.
    Malformed,
    /// A word after a number that is no unit.
    UnknownUnit {
        /// The word as given.
        unit: String,
    },
    /// Months, years and longer units have no fixed length.
    CalendarUnit {
        /// The unit as given.
        unit: String,
    },
    /// Zero, or less than half a microsecond.
    Zero,
    /// Negative.
    Negative,
    /// Longer than 292,000 years.
    TooLong,
}

impl fmt::Display for DurationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("write numbers with units, such as 7 days or '1 day 12 hours'"),
            Self::UnknownUnit { unit } => write!(
                f,
                "'{unit}' is no unit; units are microseconds, milliseconds, seconds, minutes, hours, days, weeks"
            ),
            Self::CalendarUnit { unit } => {
                write!(f, "'{unit}' has no fixed length; use days or weeks")
            }
            Self::Zero => f.write_str("it must be longer than zero"),
            Self::Negative => f.write_str("it must be positive"),
            Self::TooLong => f.write_str("it is longer than time reaches"),
        }
    }
}

impl fmt::Display for ModelFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "no model is named; the models are {}", NAMES.join(", ")),
            Self::Unknown { given, nearest } => {
                write!(f, "unknown model '{given}'")?;
                if let Some(nearest) = nearest {
                    write!(f, ", did you mean '{nearest}'?")?;
                }
                write!(f, "; the models are {}", NAMES.join(", "))
            }
            Self::Expected { expected, given } if given.is_empty() => {
                write!(f, "expected {expected}, but the text ends")
            }
            Self::Expected { expected, given } => write!(f, "expected {expected}, got '{given}'"),
            Self::Unclosed { what } => write!(f, "the {what} opened here is never closed"),
            Self::ArgumentCount { model, given, usage } => {
                let plural = if *given == 1 { "" } else { "s" };
                write!(f, "model {model} does not take {given} argument{plural}; write {usage}")
            }
            Self::NotANumber { model, given } => write!(f, "model {model} takes numbers, got '{given}'"),
            Self::OutOfRange { model, given, allowed } => {
                write!(f, "the numbers of model {model} must be {allowed}, got {given}")
            }
            Self::Sum { model, sum, allowed } => {
                write!(f, "the shares of model {model} must sum to {allowed}, they sum to {sum}")
            }
            Self::HalfLife { given, fault } => write!(f, "'{given}' is no half-life for model time_decay: {fault}"),
            Self::LabelWithSpace { given } => {
                write!(f, "put quotes around a label with a space, or a comma between two: '{given}'")
            }
            Self::Duplicate { model } => write!(f, "model {model} is named twice"),
            Self::TooMany { what, limit } => write!(f, "more than {limit} {what}"),
        }
    }
}

impl fmt::Display for ModelError {
    /// What is wrong; the position is left to the caller, who knows where the text stands.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for ModelError {}
