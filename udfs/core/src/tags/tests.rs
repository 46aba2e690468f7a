//! The rules by example, errors with their places, and the fast code against a slow tree walk.

mod errors;
mod fuzz;
mod limits;
mod oracle;
mod properties;
mod rules;

use super::{Case, Program, TagError};

fn program(expression: &str) -> Program {
    compiled(expression, Case::Sensitive)
}

fn compiled(expression: &str, case: Case) -> Program {
    match Program::compile(expression, case) {
        Ok(program) => program,
        Err(error) => panic!("{expression}: {error}"),
    }
}

fn error(expression: &str) -> TagError {
    match Program::compile(expression, Case::Sensitive) {
        Ok(program) => panic!("{expression} is {program}"),
        Err(error) => error,
    }
}

/// The answer for these tags, which both ways of evaluating must give.
fn answer(program: &Program, tags: &[&str]) -> bool {
    let mut matcher = program.matcher();
    for tag in tags {
        matcher.see(tag);
    }
    assert_eq!(matcher.matches(), program.evaluate_postfix(matcher.bits()), "table and postfix, {program}");
    matcher.matches()
}

fn matches(expression: &str, tags: &[&str]) -> bool {
    answer(&program(expression), tags)
}

/// The expression with its operators as words.
fn normal(expression: &str) -> String {
    program(expression).to_string()
}
