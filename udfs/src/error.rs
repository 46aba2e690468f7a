//! What a wrong call is told: one error with SQLSTATE, hint and place in the statement.

use std::fmt;

use datafusion::common::DataFusionError;

/// SQLSTATE codes that the functions raise.
pub mod sqlstate {
    /// A call that does not read as SQL allows: an unknown or doubled option.
    pub const SYNTAX_ERROR: &str = "42601";
    /// Rows that are not what their table is declared to be.
    pub const DATA_EXCEPTION: &str = "22000";
    /// A value outside of what an argument allows.
    pub const INVALID_PARAMETER_VALUE: &str = "22023";
    /// An argument of a type that the function does not take.
    pub const DATATYPE_MISMATCH: &str = "42804";
    /// A combination that is understood and refused.
    pub const FEATURE_NOT_SUPPORTED: &str = "0A000";
    /// More arguments than the function takes.
    pub const TOO_MANY_ARGUMENTS: &str = "54023";
    /// More data than the representation holds.
    pub const PROGRAM_LIMIT_EXCEEDED: &str = "54000";
    /// Fewer arguments than the function needs.
    pub const UNDEFINED_FUNCTION: &str = "42883";
    /// A window function that is called without OVER.
    pub const WRONG_OBJECT_TYPE: &str = "42809";
    /// A window function whose OVER lacks what it needs.
    pub const WINDOWING_ERROR: &str = "42P20";
    /// A time outside of what microseconds in 64 bits hold.
    pub const DATETIME_OVERFLOW: &str = "22008";
    /// A number with more digits than its answer has.
    pub const NUMERIC_VALUE_OUT_OF_RANGE: &str = "22003";
    /// A column that a relation does not have.
    pub const UNDEFINED_COLUMN: &str = "42703";
}

/// A place in the text of a statement; both numbers start at one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Location {
    /// Line of the statement.
    pub line: u64,
    /// Character within the line.
    pub column: u64,
}

/// A mistake in a call, in words for the person who wrote it.
///
/// Travels as [`DataFusionError::External`]; a server finds it by walking the sources of the error it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserError {
    /// One of [`sqlstate`].
    pub sqlstate: &'static str,
    /// Function, argument, what was given, what is allowed.
    pub message: String,
    /// The obvious fix, where there is one.
    pub hint: Option<String>,
    /// Where in the statement, when it is known.
    pub position: Option<Location>,
}

impl UserError {
    /// An error without hint and place.
    pub fn new(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self { sqlstate, message: message.into(), hint: None, position: None }
    }

    /// Adds the fix to try.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the fix to try, unless a nearer one is given.
    #[must_use]
    pub(crate) fn with_hint_if_none(self, hint: &str) -> Self {
        if self.hint.is_some() { self } else { self.with_hint(hint) }
    }

    /// Adds the place in the statement; a place without a line (generated code) is no place.
    #[must_use]
    pub fn at(mut self, position: Option<Location>) -> Self {
        self.position = position.filter(|p| p.line > 0);
        self
    }

    /// The error inside a DataFusion error, however deeply it is wrapped.
    pub fn find(error: &DataFusionError) -> Option<&UserError> {
        found(error)
    }
}

/// Rows that do not come in the order that their table is declared to have.
///
/// Travels as a [`UserError`] does, and is one for who looks no further: an operator knows rows and not files, so a server
/// may want to say more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfOrder {
    /// What is said of it.
    pub error: UserError,
    /// Whether the users are in order, and the rows of one of them are not.
    pub is_within_user: bool,
}

impl OutOfOrder {
    /// The error inside a DataFusion error, however deeply it is wrapped.
    pub fn find(error: &DataFusionError) -> Option<&OutOfOrder> {
        found(error)
    }
}

impl fmt::Display for OutOfOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for OutOfOrder {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<OutOfOrder> for DataFusionError {
    fn from(error: OutOfOrder) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

/// The first error of a type among the sources of a DataFusion error.
fn found<E: std::error::Error + 'static>(error: &DataFusionError) -> Option<&E> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        source = match error.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::External(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Shared(inner)) => Some(inner.as_ref()),
            _ => error.source(),
        };
    }
    None
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UserError {}

impl From<UserError> for DataFusionError {
    fn from(error: UserError) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

/// The candidate that `given` was most likely meant to be, if any is near enough to suggest.
///
/// Distance is counted in edits (insert, delete, replace, swap of neighbours); at most a third of the word may differ.
pub(crate) fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(&given, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let width = b.len() + 1;
    let mut cost = vec![0usize; (a.len() + 1) * width];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            cost[i * width + j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replace = cost[(i - 1) * width + j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let edit = cost[(i - 1) * width + j].min(cost[i * width + j - 1]) + 1;
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let swap = if swapped { cost[(i - 2) * width + j - 2] + 1 } else { usize::MAX };
                replace.min(edit).min(swap)
            };
        }
    }
    cost[a.len() * width + b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_letter_finds_its_word() {
        assert_eq!(nearest("moed", ["mode", "compat", "report"]), Some("mode"));
        assert_eq!(nearest("strict_ordr", ["strict_order", "strict_once"]), Some("strict_order"));
    }

    #[test]
    fn a_stranger_gets_no_suggestion() {
        assert_eq!(nearest("colour", ["mode", "compat", "report"]), None);
    }

    #[test]
    fn a_wrapped_error_is_found() {
        let error = DataFusionError::from(UserError::new(sqlstate::SYNTAX_ERROR, "no"));
        let wrapped = error.context("rule").context("outer");
        assert_eq!(UserError::find(&wrapped).map(|e| e.sqlstate), Some("42601"));
    }
}
