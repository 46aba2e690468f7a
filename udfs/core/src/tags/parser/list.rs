//! `any(...)`, `all(...)` and `at_least(n, ...)` (TAGS-9).

use super::super::error::{Expected, Problem, shorten};
use super::super::token::{Fault, Kind, ListWord, Token};
use super::{ListRule, Op, Parser};

impl Parser<'_> {
    /// The items of a list, behind the parenthesis that ends at `opened_to`.
    pub(super) fn list(&mut self, word: ListWord, opened_to: usize) -> Result<(), Fault> {
        let (name, count) = match word {
            ListWord::Any => ("any(", None),
            ListWord::All => ("all(", None),
            ListWord::AtLeast => ("at_least(", Some(self.count(opened_to)?)),
        };
        self.write(name);
        if let Some(count) = &count {
            self.write(&format!("{}, ", count.text));
        }
        let start = self.parsed.members.len();
        loop {
            let token = self.lexer.next()?;
            let item = self.item(token, opened_to)?;
            self.parsed.members.push(item);
            let token = self.lexer.next()?;
            match token.kind {
                Kind::Comma => self.write(", "),
                Kind::Close => break,
                _ => return Err(self.in_list(Expected::ItemsEnd, &token, opened_to)),
            }
        }
        self.write(")");
        self.last_name = None;
        let end = sort_members(&mut self.parsed.members, start);
        let rule = match (word, count) {
            (ListWord::All, _) => ListRule::All,
            (_, Some(count)) => ListRule::AtLeast(count.at_most(end - start)?),
            (_, None) => ListRule::Any,
        };
        self.parsed.ops.push(Op::List { rule, start: start as u32, end: end as u32 });
        Ok(())
    }

    fn item(&mut self, token: Token, opened_to: usize) -> Result<u32, Fault> {
        if matches!(token.kind, Kind::Name { .. }) {
            self.atom(token)
        } else {
            Err(self.in_list(Expected::Item, &token, opened_to))
        }
    }

    /// The number of `at_least` and the comma behind it.
    fn count(&mut self, opened_to: usize) -> Result<Count, Fault> {
        let token = self.lexer.next()?;
        let Kind::Name { text, quoted: false, wildcard: false } = &token.kind else {
            return Err(self.in_list(Expected::Count, &token, opened_to));
        };
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.expected(Expected::Count, &token));
        }
        // More than 32 bits is more than there can be items, which is said with the items.
        let number = text.parse().unwrap_or(u32::MAX);
        if number == 0 {
            return Err((token.start, Problem::CountZero));
        }
        let count = Count { at: token.start, number, text: text.clone() };
        let comma = self.lexer.next()?;
        match comma.kind {
            Kind::Comma => Ok(count),
            _ => Err(self.in_list(Expected::CountEnd, &comma, opened_to)),
        }
    }

    /// As [`Parser::expected`], but at the end the fault is the parenthesis that stayed open.
    fn in_list(&self, expected: Expected, token: &Token, opened_to: usize) -> Fault {
        match token.kind {
            Kind::End => (self.lexer.start_of_last(opened_to), Problem::UnclosedParenthesis),
            _ => self.expected(expected, token),
        }
    }
}

/// The number of an `at_least`, as written.
struct Count {
    at: usize,
    number: u32,
    text: String,
}

impl Count {
    fn at_most(self, items: usize) -> Result<u32, Fault> {
        if self.number as usize <= items {
            Ok(self.number)
        } else {
            Err((self.at, Problem::CountTooLarge { count: shorten(&self.text), items }))
        }
    }
}

/// Sorts the members from `start` and drops repeats; returns their new end.
fn sort_members(members: &mut Vec<u32>, start: usize) -> usize {
    let mut list = members.split_off(start);
    list.sort_unstable();
    list.dedup();
    members.append(&mut list);
    members.len()
}
