//! Tokens to operations in postfix order (TAGS-7 to TAGS-12), without recursion: what is open
//! stands on a stack of our own.

mod list;

use std::collections::HashMap;

use super::error::{Expected, Problem, TagError, shorten};
use super::token::{Fault, Kind, Lexer, Token};
use super::value::{Comparison, Constant, Number};
use super::{Atom, Case, MAX_ATOMS, MAX_EXPRESSION_BYTES, MAX_NESTING, fold};

/// One step of a postfix program over a stack of truth values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Atom(u32),
    Not,
    And,
    Xor,
    Or,
    /// A condition on how many members of a list hold. The range is one of [`Parsed::members`].
    List {
        rule: ListRule,
        start: u32,
        end: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListRule {
    Any,
    All,
    AtLeast(u32),
}

/// An expression that is right.
pub(super) struct Parsed {
    /// The distinct conditions; their index is their bit.
    pub atoms: Vec<Atom>,
    pub ops: Vec<Op>,
    /// Atoms of the lists in `ops`, one range after the other.
    pub members: Vec<u32>,
    /// The expression with operators as words, names quoted where needed and single spaces.
    pub text: String,
}

/// Reads an expression. Linear in its length; the stack is at most a few entries for each open
/// parenthesis.
pub(super) fn parse(source: &str, case: Case) -> Result<Parsed, TagError> {
    if source.len() > MAX_EXPRESSION_BYTES {
        return Err(TagError::new(source, 0, Problem::TooLong { bytes: source.len() }));
    }
    let mut parser = Parser {
        lexer: Lexer::new(source),
        case,
        bits: HashMap::new(),
        pending: Vec::new(),
        nesting: 0,
        last_name: None,
        parsed: Parsed { atoms: Vec::new(), ops: Vec::new(), members: Vec::new(), text: String::new() },
    };
    match parser.expression() {
        Ok(()) => Ok(parser.parsed),
        Err((at_byte, problem)) => Err(TagError::new(source, at_byte, problem)),
    }
}

/// What waits for its right operand, weakest first; a parenthesis stops all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pending {
    Open { at: usize },
    Or,
    Xor,
    And,
    Not,
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    case: Case,
    bits: HashMap<Atom, u32>,
    pending: Vec<Pending>,
    nesting: usize,
    /// The operand just read, where it is a bare name, for the message about a missing operator.
    last_name: Option<String>,
    parsed: Parsed,
}

impl Parser<'_> {
    /// Operands and operators in turn.
    fn expression(&mut self) -> Result<(), Fault> {
        loop {
            self.operand()?;
            if !self.operator()? {
                return Ok(());
            }
        }
    }

    /// Reads NOTs and parentheses that open, then a condition or a list.
    fn operand(&mut self) -> Result<(), Fault> {
        loop {
            let token = self.lexer.next()?;
            match token.kind {
                Kind::Not => self.push_not(),
                Kind::Open => {
                    if self.nesting == MAX_NESTING {
                        return Err((token.start, Problem::TooDeep));
                    }
                    self.nesting += 1;
                    self.pending.push(Pending::Open { at: token.start });
                    self.write("(");
                }
                Kind::Name { .. } => {
                    let atom = self.atom(token)?;
                    self.parsed.ops.push(Op::Atom(atom));
                    return Ok(());
                }
                Kind::List(word) => return self.list(word, token.end),
                Kind::End if self.parsed.ops.is_empty() && self.pending.is_empty() => return Err((0, Problem::Empty)),
                _ => return Err(self.expected(Expected::Tag, &token)),
            }
        }
    }

    /// Reads parentheses that close, then an operator; false at the end.
    fn operator(&mut self) -> Result<bool, Fault> {
        loop {
            let token = self.lexer.next()?;
            match token.kind {
                Kind::And => self.push_binary(Pending::And, " AND "),
                Kind::Minus => {
                    self.push_binary(Pending::And, " AND ");
                    self.push_not();
                }
                Kind::Xor => self.push_binary(Pending::Xor, " XOR "),
                Kind::Or => self.push_binary(Pending::Or, " OR "),
                Kind::Close => {
                    self.close(Pending::Or);
                    if self.pending.pop().is_none() {
                        return Err((token.start, Problem::UnopenedParenthesis));
                    }
                    self.nesting -= 1;
                    self.last_name = None;
                    self.write(")");
                    continue;
                }
                Kind::End => {
                    self.close(Pending::Or);
                    return match self.pending.pop() {
                        Some(Pending::Open { at }) => Err((at, Problem::UnclosedParenthesis)),
                        _ => Ok(false),
                    };
                }
                Kind::Name { text, quoted: false, wildcard: false } => {
                    let (left, right) = (self.last_name.take(), Some(shorten(&text)));
                    return Err((token.start, Problem::MissingOperator { left, right }));
                }
                Kind::Name { .. } | Kind::List(_) | Kind::Not | Kind::Open => {
                    return Err((token.start, Problem::MissingOperator { left: None, right: None }));
                }
                Kind::Comma | Kind::Compare(_) => return Err(self.expected(Expected::Operator, &token)),
            }
            return Ok(true);
        }
    }

    /// The condition that begins with a name: the tag, the prefix, or a comparison of its values.
    fn atom(&mut self, token: Token) -> Result<u32, Fault> {
        let Kind::Name { text, quoted, wildcard } = token.kind else {
            return Err(self.expected(Expected::Item, &token));
        };
        if text.is_empty() && !wildcard {
            return Err((token.start, Problem::EmptyName));
        }
        self.last_name = (!quoted && !wildcard).then(|| shorten(&text));
        let name = fold::folded(text, self.case);
        let atom = if wildcard {
            Atom::Prefix(name)
        } else if let Some(operator) = self.lexer.comparison() {
            self.last_name = None;
            Atom::Compare(Comparison { name, operator, constant: self.constant()? })
        } else {
            Atom::Tag(name)
        };
        self.write(&atom.to_string());
        if let Some(&bit) = self.bits.get(&atom) {
            return Ok(bit);
        }
        if self.parsed.atoms.len() == MAX_ATOMS {
            return Err((token.start, Problem::TooManyAtoms));
        }
        let bit = self.parsed.atoms.len() as u32;
        self.parsed.atoms.push(atom.clone());
        self.bits.insert(atom, bit);
        Ok(bit)
    }

    /// The right side of a comparison.
    fn constant(&mut self) -> Result<Constant, Fault> {
        let token = self.lexer.value()?;
        match &token.kind {
            Kind::Name { text, quoted: true, wildcard: false } => {
                Ok(Constant::Text(fold::folded(text.trim().to_owned(), self.case)))
            }
            Kind::Name { text, quoted: false, wildcard: false } => match Number::read(text) {
                Some(number) => Ok(Constant::Number(number)),
                None => Err(self.expected(Expected::Value, &token)),
            },
            _ => Err(self.expected(Expected::Value, &token)),
        }
    }

    /// Two NOTs are none.
    fn push_not(&mut self) {
        if self.pending.last() == Some(&Pending::Not) {
            self.pending.pop();
            self.parsed.text.truncate(self.parsed.text.len() - NOT.len());
        } else {
            self.pending.push(Pending::Not);
            self.write(NOT);
        }
    }

    /// Whatever binds as strongly as the operator has its operands now; the operator waits for its
    /// right one.
    fn push_binary(&mut self, operator: Pending, word: &str) {
        self.close(operator);
        self.pending.push(operator);
        self.last_name = None;
        self.write(word);
    }

    /// Emits what waits and binds as strongly as `weakest` or stronger, back to a parenthesis.
    fn close(&mut self, weakest: Pending) {
        while let Some(operator) = self.pending.pop_if(|pending| *pending >= weakest) {
            match operator {
                Pending::Not => self.parsed.ops.push(Op::Not),
                Pending::Xor => self.parsed.ops.push(Op::Xor),
                Pending::And => self.join(ListRule::All, Op::And),
                Pending::Or => self.join(ListRule::Any, Op::Or),
                Pending::Open { .. } => {}
            }
        }
    }

    /// Emits AND or OR. A chain of conditions becomes one list, so that a thousand tags joined by
    /// OR cost one look at their bits.
    fn join(&mut self, rule: ListRule, op: Op) {
        let Parsed { ops, members, .. } = &mut self.parsed;
        match ops.as_mut_slice() {
            // No list came after this one, so its members are the last.
            [.., Op::List { rule: left, end, .. }, Op::Atom(right)] if *left == rule => {
                members.push(*right);
                *end += 1;
                ops.pop();
            }
            [.., Op::Atom(left), Op::Atom(right)] => {
                let start = members.len() as u32;
                members.extend([*left, *right]);
                ops.truncate(ops.len() - 2);
                ops.push(Op::List { rule, start, end: start + 2 });
            }
            _ => ops.push(op),
        }
    }

    fn write(&mut self, text: &str) {
        self.parsed.text.push_str(text);
    }

    fn expected(&self, expected: Expected, token: &Token) -> Fault {
        (token.start, Problem::Expected { expected, found: self.lexer.found(token) })
    }
}

const NOT: &str = "NOT ";
