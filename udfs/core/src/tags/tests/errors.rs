//! What is refused, where, and in which words (TAGS-15).

use super::super::{Expected, Found, Problem};
use super::error;

/// The expression is refused at this character with this message.
fn refused(expression: &str, at_char: usize, message: &str) {
    let error = error(expression);
    assert_eq!(error.to_string(), format!("at character {at_char}: {message}"), "{expression}");
    assert!(expression.is_char_boundary(error.at_byte), "{expression}");
    assert_eq!(expression[..error.at_byte].chars().count() + 1, at_char, "{expression}");
}

fn hint(expression: &str) -> String {
    error(expression).hint().unwrap_or_default()
}

#[test]
fn an_empty_expression_is_refused() {
    for expression in ["", "   ", "　\n\t"] {
        refused(expression, 1, "the expression is empty");
    }
}

#[test]
fn a_missing_operand_is_named_with_its_place() {
    refused("a &", 4, "expected a tag, found the end of the expression");
    refused("高意向 且", 6, "expected a tag, found the end of the expression");
    refused("!", 2, "expected a tag, found the end of the expression");
    refused("a AND OR b", 7, "expected a tag, found 'OR'");
    refused("a &&& b", 5, "expected a tag, found '&'");
    refused("()", 2, "expected a tag, found ')'");
    refused("a | 且", 5, "expected a tag, found '且'");
    assert_eq!(hint("a | 且"), "且 is an operator; quote it to mean a tag: \"且\"");
    refused("- a", 1, "expected a tag, found '-'");
    assert!(hint("-a").contains("write NOT"));
}

#[test]
fn two_operands_side_by_side_suggest_an_operator_or_quotes() {
    refused("a b", 3, "an operator is missing between 'a' and 'b'");
    assert_eq!(hint("a b"), "write a AND b, or quote a tag that contains spaces: \"a b\"");
    refused("a NOT b", 3, "an operator is missing before this");
    assert!(hint("a NOT b").contains("AND NOT"));
    refused("(a) b", 5, "an operator is missing before this");
    refused("a (b)", 3, "an operator is missing before this");
    refused("a \"b\"", 3, "an operator is missing before this");
    refused("a!b", 2, "an operator is missing before this");
    refused("a any(b)", 3, "an operator is missing before this");
}

#[test]
fn an_unbalanced_parenthesis_is_the_place() {
    refused("a & (b | (c)", 5, "the parenthesis that opens here is never closed");
    refused("((a)", 1, "the parenthesis that opens here is never closed");
    refused("兴趣 & （a", 6, "the parenthesis that opens here is never closed");
    refused("a) & b", 2, "the parenthesis that closes here was never opened");
    refused("any(a, b", 4, "the parenthesis that opens here is never closed");
    refused("x & any （", 9, "the parenthesis that opens here is never closed");
    refused("at_least(2", 9, "the parenthesis that opens here is never closed");
}

#[test]
fn quotes_are_closed_and_not_empty() {
    refused("a & 'b", 5, "the quote that opens here is never closed with '");
    refused("“a\"", 1, "the quote that opens here is never closed with ”");
    refused("a & \"\"", 5, "a tag cannot be empty");
    refused("a & ”b”", 5, "unexpected character '”'");
}

#[test]
fn characters_that_mean_nothing_are_refused() {
    refused("a & b;", 6, "unexpected character ';'");
    refused("高意向、低意向", 4, "unexpected character '、'");
    refused("高意向。", 4, "unexpected character '。'");
    refused("[a]", 1, "unexpected character '['");
    refused("vip\u{200b} & a", 4, "invisible character U+200B");
    refused("a & \u{feff}b", 5, "invisible character U+FEFF");
    refused("a\0b", 2, "invisible character U+0000");
    assert_eq!(hint("高意向。"), "quote a tag that contains it: \"...。...\"");
}

#[test]
fn a_wildcard_ends_its_name() {
    refused("a*b", 2, "a wildcard can only end a tag");
    refused("utm:**", 5, "a wildcard can only end a tag");
    refused("utm:* >= 3", 7, "expected an operator or the end, found '>='");
}

#[test]
fn comparisons_need_a_name_and_a_value() {
    refused("score >=", 9, "expected a number or quoted text, found the end of the expression");
    refused("score >= high", 10, "expected a number or quoted text, found 'high'");
    assert_eq!(hint("score >= high"), "quote a value that is not a number: level = \"gold\"");
    refused("score >= - 3", 10, "expected a number or quoted text, found '-'");
    refused("score > > 3", 9, "expected a number or quoted text, found '>'");
    refused("score > -x", 9, "expected a number or quoted text, found '-x'");
    refused("> 3", 1, "expected a tag, found '>'");
    refused("1 < score < 3", 5, "expected a number or quoted text, found 'score'");
    refused("x = 1 = 2", 7, "expected an operator or the end, found '='");
}

#[test]
fn lists_hold_items_and_a_count_that_can_be_met() {
    refused("any()", 5, "expected a tag, a prefix or a comparison, found ')'");
    refused("any(a,)", 7, "expected a tag, a prefix or a comparison, found ')'");
    refused("any(a & b)", 7, "expected a comma or a closing parenthesis, found '&'");
    refused("any(!a)", 5, "expected a tag, a prefix or a comparison, found '!'");
    refused("all((a))", 5, "expected a tag, a prefix or a comparison, found '('");
    refused("all(any(a))", 5, "expected a tag, a prefix or a comparison, found 'any('");
    refused("any(a b)", 7, "expected a comma or a closing parenthesis, found 'b'");
    refused("at_least(a, b)", 10, "expected a whole number, found 'a'");
    refused("at_least(-1, b)", 10, "expected a whole number, found '-'");
    refused("at_least(2)", 11, "expected a comma after the number, found ')'");
    refused("at_least(0, a)", 10, "the number of at_least must be 1 or more, found 0");
    refused("at_least(3, a, b, b)", 10, "at_least asks for 3 of 2 distinct items, which is never true");
    refused("at_least(99999999999, a)", 10, "at_least asks for 99999999999 of 1 distinct items, which is never true");
    refused("a, b", 2, "expected an operator or the end, found ','");
    assert!(hint("a, b").contains("any(...)"));
}

#[test]
fn long_texts_are_cut_in_messages() {
    let name = "茶".repeat(1000);
    let Problem::Expected { expected: Expected::Value, found: Found::Text(found) } =
        error(&format!("x > {name}")).problem
    else {
        panic!("another problem");
    };
    assert_eq!(found, format!("{}...", "茶".repeat(Found::MAX_CHARS)));
    assert!(error(&format!("{name} {name}")).to_string().len() < 400);
}
