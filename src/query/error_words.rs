//! What DataFusion words in text only, by its class.
//!
//! Its sentences quote names, values and expressions of the statement, so they are told by how they begin, and never by a
//! word that stands somewhere in them: a table `sparse_events` is no number that cannot be parsed.

use crate::error::SqlState;

/// Sentences of planning, with `{}` where something is quoted.
const PLANNING: &[(&str, SqlState)] = &[
    ("Column in {} must be in GROUP BY or an aggregate function", SqlState::GROUPING_ERROR),
    ("HAVING clause references: {} must appear in the GROUP BY clause", SqlState::GROUPING_ERROR),
    ("Aggregate functions are not allowed in the WHERE clause", SqlState::GROUPING_ERROR),
    ("Aggregate function calls cannot ", SqlState::GROUPING_ERROR),
    ("Argument {} to grouping function is not in grouping columns", SqlState::GROUPING_ERROR),
    ("Window function calls cannot be nested", SqlState::WINDOWING_ERROR),
    ("Invalid window frame: ", SqlState::WINDOWING_ERROR),
    ("RANGE requires exactly one ORDER BY column", SqlState::WINDOWING_ERROR),
    ("GROUPS requires an ORDER BY clause", SqlState::WINDOWING_ERROR),
    ("The window {} is defined multiple times!", SqlState::WINDOWING_ERROR),
    ("The window {} is not defined!", SqlState::UNDEFINED_OBJECT),
    ("Ambiguous reference to ", SqlState::AMBIGUOUS_COLUMN),
    ("WITH query name {} specified more than once", SqlState::DUPLICATE_ALIAS),
    ("failed to resolve schema: ", SqlState::INVALID_SCHEMA_NAME),
    ("failed to resolve catalog: ", SqlState::INVALID_SCHEMA_NAME),
    // Places in lists, and lists that do not fit each other.
    ("Order by column out of bounds", SqlState::INVALID_COLUMN_REFERENCE),
    ("Order by index starts at 1", SqlState::INVALID_COLUMN_REFERENCE),
    ("Cannot find column with position ", SqlState::INVALID_COLUMN_REFERENCE),
    ("For SELECT DISTINCT, ORDER BY expressions ", SqlState::INVALID_COLUMN_REFERENCE),
    ("SELECT DISTINCT ON expressions must match initial ORDER BY", SqlState::INVALID_COLUMN_REFERENCE),
    ("LIMIT must be >= 0", SqlState::INVALID_LIMIT),
    ("OFFSET must be >=0", SqlState::INVALID_OFFSET),
    ("UNION queries have different number of columns", SqlState::SYNTAX_ERROR),
    ("INTERSECT/EXCEPT query must have the same number of columns", SqlState::SYNTAX_ERROR),
    ("Non-recursive term and recursive term must have the same number", SqlState::SYNTAX_ERROR),
    ("Inconsistent data length across values list", SqlState::SYNTAX_ERROR),
    ("Scalar subquery should only return one column", SqlState::SYNTAX_ERROR),
    ("InSubquery should only return one column", SqlState::SYNTAX_ERROR),
    ("Set comparison subquery should only return one column", SqlState::SYNTAX_ERROR),
    ("subquery must return exactly one column", SqlState::SYNTAX_ERROR),
    ("SELECT * with no tables specified", SqlState::SYNTAX_ERROR),
    // Parameters.
    ("Invalid placeholder, ", SqlState::UNDEFINED_PARAMETER),
    ("Unknown placeholder: ", SqlState::UNDEFINED_PARAMETER),
    ("Can't parse placeholder: ", SqlState::UNDEFINED_PARAMETER),
    ("Failed to parse placeholder id: ", SqlState::UNDEFINED_PARAMETER),
    ("Empty placeholder id", SqlState::UNDEFINED_PARAMETER),
    ("No value found for placeholder ", SqlState::UNDEFINED_PARAMETER),
    ("Placeholder type ", SqlState::INDETERMINATE_DATATYPE),
    // Types that have nothing in common.
    ("Inconsistent data type across values list", SqlState::DATATYPE_MISMATCH),
    ("CASE expression 'then' values had ", SqlState::DATATYPE_MISMATCH),
    ("Failed to coerce then ", SqlState::DATATYPE_MISMATCH),
    ("Failed to coerce case ", SqlState::DATATYPE_MISMATCH),
    ("Cannot create filter with non-boolean predicate ", SqlState::DATATYPE_MISMATCH),
    ("a filter must be boolean", SqlState::DATATYPE_MISMATCH),
    ("Can not find compatible types to compare ", SqlState::DATATYPE_MISMATCH),
    ("There isn't a common type to coerce ", SqlState::DATATYPE_MISMATCH),
    ("Cannot find a common type for arguments to ", SqlState::DATATYPE_MISMATCH),
    ("Failed to unify argument types of ", SqlState::DATATYPE_MISMATCH),
    ("Cannot automatically convert ", SqlState::DATATYPE_MISMATCH),
    ("Incompatible inputs for Union: ", SqlState::DATATYPE_MISMATCH),
    ("expr type {} can't cast to {} in ", SqlState::DATATYPE_MISMATCH),
    ("Cannot cast ", SqlState::CANNOT_COERCE),
    ("Unsupported CAST from ", SqlState::CANNOT_COERCE),
    // Operators and functions that do not exist for these types.
    ("Cannot infer common ", SqlState::UNDEFINED_FUNCTION),
    ("Cannot coerce arithmetic expression ", SqlState::UNDEFINED_FUNCTION),
    ("Cannot get result type for ", SqlState::UNDEFINED_FUNCTION),
    ("Negation only supports ", SqlState::UNDEFINED_FUNCTION),
    ("Unary operator '+' only supports ", SqlState::UNDEFINED_FUNCTION),
    ("No function matches the given name and argument types ", SqlState::UNDEFINED_FUNCTION),
    ("Failed to coerce arguments to satisfy a call to ", SqlState::UNDEFINED_FUNCTION),
    ("For function '{}' ", SqlState::UNDEFINED_FUNCTION),
    ("Function '{}' ", SqlState::UNDEFINED_FUNCTION),
    ("The function '{}' expected ", SqlState::UNDEFINED_FUNCTION),
    ("The function {} expects ", SqlState::UNDEFINED_FUNCTION),
    ("'{}' does not support zero arguments", SqlState::UNDEFINED_FUNCTION),
    ("There is no window function named ", SqlState::UNDEFINED_FUNCTION),
    ("Avg does not support inputs of type ", SqlState::UNDEFINED_FUNCTION),
    ("function {} cannot take {} arguments", SqlState::UNDEFINED_FUNCTION),
    ("function {} takes ", SqlState::UNDEFINED_FUNCTION),
    ("a time zone is a name or an interval, not ", SqlState::UNDEFINED_FUNCTION),
    ("only times have a time zone, not ", SqlState::UNDEFINED_FUNCTION),
    ("Percentile value must be between ", SqlState::NUMERIC_VALUE_OUT_OF_RANGE),
];

/// Sentences of running.
const RUNNING: &[(&str, SqlState)] = &[
    ("Arrow error: Divide by zero", SqlState::DIVISION_BY_ZERO),
    ("Divide by zero", SqlState::DIVISION_BY_ZERO),
    ("Division by zero", SqlState::DIVISION_BY_ZERO),
    ("division by zero", SqlState::DIVISION_BY_ZERO),
    ("Arrow error: Arithmetic overflow", SqlState::NUMERIC_VALUE_OUT_OF_RANGE),
    ("Arithmetic Overflow in ", SqlState::NUMERIC_VALUE_OUT_OF_RANGE),
    ("Overflow happened on ", SqlState::NUMERIC_VALUE_OUT_OF_RANGE),
    ("Integer overflow", SqlState::NUMERIC_VALUE_OUT_OF_RANGE),
    ("integer overflow", SqlState::NUMERIC_VALUE_OUT_OF_RANGE),
    ("Decimal overflow", SqlState::NUMERIC_VALUE_OUT_OF_RANGE),
    ("start position overflow", SqlState::NUMERIC_VALUE_OUT_OF_RANGE),
    ("negative overflow", SqlState::NUMERIC_VALUE_OUT_OF_RANGE),
    ("Timestamp out of range", SqlState::DATETIME_FIELD_OVERFLOW),
    ("date_bin timestamp value ", SqlState::DATETIME_FIELD_OVERFLOW),
    ("Cannot generate date range ", SqlState::DATETIME_FIELD_OVERFLOW),
    ("Cannot generate timestamp range ", SqlState::DATETIME_FIELD_OVERFLOW),
    ("Decimal value {} with scale {} overflows timestamp ", SqlState::DATETIME_FIELD_OVERFLOW),
    ("Cannot cast {} value {} to {}: converted value exceeds", SqlState::DATETIME_FIELD_OVERFLOW),
    ("string size overflow on ", SqlState::PROGRAM_LIMIT_EXCEEDED),
    ("byte array offset overflow", SqlState::PROGRAM_LIMIT_EXCEEDED),
    ("offset overflow, ", SqlState::PROGRAM_LIMIT_EXCEEDED),
    ("array_repeat: total repeated values overflowed", SqlState::PROGRAM_LIMIT_EXCEEDED),
    ("Error parsing timestamp from ", SqlState::INVALID_DATETIME_FORMAT),
    ("Error parsing '{}' as time", SqlState::INVALID_DATETIME_FORMAT),
    ("Unable to parse date from ", SqlState::INVALID_DATETIME_FORMAT),
    ("Unable to parse time from ", SqlState::INVALID_DATETIME_FORMAT),
    ("failed to parse timezone ", SqlState::INVALID_PARAMETER_VALUE),
    ("Invalid timezone ", SqlState::INVALID_PARAMETER_VALUE),
    ("field position must not be zero", SqlState::INVALID_PARAMETER_VALUE),
    ("DATE_BIN stride must be non-zero", SqlState::INVALID_PARAMETER_VALUE),
    ("Cannot cast string '{}' to value of ", SqlState::INVALID_TEXT_REPRESENTATION),
    ("Arrow error: Cast error: Cannot cast string ", SqlState::INVALID_TEXT_REPRESENTATION),
    ("Arrow error: Parser error: ", SqlState::INVALID_TEXT_REPRESENTATION),
];

/// The class of what the planner says; class 42 without more for a sentence that is not known.
pub fn of_planning(message: &str) -> SqlState {
    find(PLANNING, message).unwrap_or(SqlState::SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION)
}

/// The class of what a running plan says; class 22 without more for a sentence that is not known.
pub fn of_running(message: &str) -> SqlState {
    find(RUNNING, message).unwrap_or(SqlState::DATA_EXCEPTION)
}

fn find(sentences: &[(&str, SqlState)], message: &str) -> Option<SqlState> {
    sentences.iter().find(|(sentence, _)| begins(message, sentence)).map(|(_, state)| *state)
}

/// Whether a message begins as a sentence does, whatever it quotes.
pub(super) fn begins(message: &str, sentence: &str) -> bool {
    let mut parts = sentence.split("{}");
    let start = parts.next().and_then(|start| message.strip_prefix(start));
    start.is_some_and(|start| {
        let after = |rest: &str, part: &str| rest.find(part).map(|at| at + part.len());
        parts.try_fold(start, |rest, part| after(rest, part).and_then(|at| rest.get(at..))).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that once decided, wherever they stood.
    const QUOTED: &str =
        "sparse overflow type schema placeholder aggregate group by cast already exists ambiguous not found";

    #[test]
    fn what_a_sentence_quotes_decides_nothing() {
        for (sentence, state) in PLANNING {
            assert_eq!(of_planning(&format!("{} {QUOTED}", sentence.replace("{}", QUOTED))), *state, "{sentence}");
        }
        for (sentence, state) in RUNNING {
            assert_eq!(of_running(&format!("{} {QUOTED}", sentence.replace("{}", QUOTED))), *state, "{sentence}");
        }
        assert_eq!(of_planning(QUOTED).0, "42000");
        assert_eq!(of_running(QUOTED).0, "22000");
    }

    #[test]
    fn a_sentence_is_told_by_its_beginning() {
        assert!(begins("The window w is not defined!", "The window {} is not defined!"));
        assert!(!begins("The window w is defined multiple times!", "The window {} is not defined!"));
        assert!(!begins("So the window w is not defined!", "The window {} is not defined!"));
    }
}
