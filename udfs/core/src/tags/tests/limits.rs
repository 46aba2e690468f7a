//! Hostile sizes: an answer or an error, soon, on any stack (TAGS-16).

use std::time::{Duration, Instant};

use super::super::{Case, MAX_ATOMS, MAX_EXPRESSION_BYTES, MAX_NESTING, Problem, Program};
use super::{answer, error, matches, program};

/// Far more than any of these needs in an unoptimised build, far less than anything quadratic.
const SOON: Duration = Duration::from_secs(10);

fn soon<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    assert!(start.elapsed() < SOON, "{what} took {:?}", start.elapsed());
    result
}

#[test]
fn parentheses_nest_up_to_the_limit() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(matches(&nested(MAX_NESTING), &["a"]));
    let over = error(&nested(MAX_NESTING + 1));
    assert_eq!((over.at_char, over.problem), (MAX_NESTING + 1, Problem::TooDeep));
    assert_eq!(error(&nested(20_000)).problem, Problem::TooDeep);
    assert_eq!(error(&"(".repeat(20_000)).problem, Problem::TooDeep);
    assert_eq!(error(&"any(".repeat(20_000)).at_char, 5);
    let not_nested = format!("{}a{}", "!(".repeat(MAX_NESTING), ")".repeat(MAX_NESTING));
    assert!(matches(&not_nested, &["a"]), "an even number of NOTs");
}

#[test]
fn the_deepest_expression_fits_the_stack() {
    // Each parenthesis leaves an OR, a XOR and an AND waiting; 13 atoms, so that no table answers.
    let (levels, ends) = ("a | b ^ c & (".repeat(MAX_NESTING), ")".repeat(MAX_NESTING));
    let program = program(&format!("all(h, i, j, k, l, m) | {levels}d | e ^ f & !g{ends}"));
    assert_eq!(program.atoms().len(), 13);
    assert!(answer(&program, &["a"]));
    assert!(!answer(&program, &[]));
    assert!(answer(&program, &["c", "f"]));
    assert!(!answer(&program, &["c", "f", "g"]));
    assert!(answer(&program, &["c", "f", "b"]), "an even number of XORs");
}

#[test]
fn an_expression_of_a_megabyte_answers_soon() {
    let fill = |unit: &str, end: &str| format!("{}{end}", unit.repeat((1_000_000 - end.len()) / unit.len()));
    /// The answer for the tags a and b, by the number of units before the end.
    type Expected = fn(usize) -> bool;
    let cases: [(&str, &str, Expected); 7] = [
        ("a & ", "b", |_| true),
        ("a | !", "b", |_| true),
        ("a ^ b | c - ", "d", |_| true),
        ("!", "a", |units| units % 2 == 0),
        ("score >= 3 & ", "a", |_| false),
        ("(a | b) & ", "a", |_| true),
        ("any(a, b) ^ ", "x", |units| units % 2 == 1),
    ];
    for (unit, end, expected) in cases {
        let units = (1_000_000 - end.len()) / unit.len();
        assert_eq!(soon(unit, || matches(&fill(unit, end), &["a", "b"])), expected(units), "{unit}");
    }
    let name = "茶".repeat(300_000);
    assert!(soon("one name", || matches(&name, &[&name])));
    for unit in ["(a & ", "\"", "-", "a-", "a:", "* ", "at_least(", "a,", "<", "”", "　"] {
        soon(unit, || error(&fill(unit, "(")));
    }
}

#[test]
fn one_byte_too_many_is_refused() {
    let longest = format!("a{}", " ".repeat(MAX_EXPRESSION_BYTES - 1));
    assert!(matches(&longest, &["a"]));
    assert_eq!(error(&format!("{longest} ")).problem, Problem::TooLong { bytes: MAX_EXPRESSION_BYTES + 1 });
}

#[test]
fn as_many_names_as_allowed_work_and_one_more_is_refused() {
    let names = |count: usize| (0..count).map(|n| format!("tag:{n}")).collect::<Vec<_>>();
    for (joined, holds) in [(" | ", true), (" & ", false), (" ^ ", true), ("* | ", true)] {
        let program = program(&names(MAX_ATOMS).join(joined));
        assert_eq!(program.word_count(), MAX_ATOMS / 64);
        assert_eq!(answer(&program, &["tag:4095"]), holds, "{joined}");
        assert!(!answer(&program, &["tag:x"]), "{joined}");
        assert_eq!(soon("required", || program.required().len()), if holds { 0 } else { MAX_ATOMS });
    }
    assert!(matches(&format!("at_least(2, {})", names(MAX_ATOMS).join(", ")), &["tag:0", "tag:4095"]));
    let over = Program::compile(&names(MAX_ATOMS + 1).join(" | "), Case::Sensitive);
    assert_eq!(over.err().map(|error| error.problem), Some(Problem::TooManyAtoms));
    assert!(matches(&vec!["a | b"; 10_000].join(" | "), &["b"]), "repeated names are one");
}

#[test]
fn a_tag_of_a_megabyte_answers_soon() {
    let program = program("a > 1 | utm:* & x | a:a:a = 'b'");
    for unit in ["a:", "a=", ":", "utm:", "1"] {
        let tag = unit.repeat(1_000_000 / unit.len());
        assert!(!soon(unit, || answer(&program, &[&tag])), "{unit}");
    }
    let number = format!("a:{}", "9".repeat(1_000_000));
    assert!(soon("number", || answer(&program, &[&number])));
}
