//! The slow obvious reading: a tree, walked for each row over its tags as texts.

use std::collections::BTreeSet;

/// An expression as a tree.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Leaf(Leaf),
    Not(Box<Tree>),
    And(Box<Tree>, Box<Tree>),
    Minus(Box<Tree>, Box<Tree>),
    Xor(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
    AtLeast(usize, Vec<Leaf>),
    Any(Vec<Leaf>),
    All(Vec<Leaf>),
}

/// A condition on single tags.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Leaf {
    Tag(&'static str),
    Prefix(&'static str),
    Compare(&'static str, &'static str, i64),
}

impl Leaf {
    fn holds(&self, tags: &[String]) -> bool {
        tags.iter().filter(|tag| !tag.is_empty()).any(|tag| match self {
            Self::Tag(name) => tag == name,
            Self::Prefix(prefix) => tag.starts_with(prefix),
            Self::Compare(name, operator, constant) => {
                let value = [":", "="].iter().find_map(|sign| tag.strip_prefix(&format!("{name}{sign}")));
                value.and_then(|value| value.parse::<i64>().ok()).is_some_and(|value| match *operator {
                    "<" => value < *constant,
                    "<=" => value <= *constant,
                    "=" => value == *constant,
                    "<>" => value != *constant,
                    ">=" => value >= *constant,
                    _ => value > *constant,
                })
            }
        })
    }

    fn text(&self) -> String {
        match self {
            Self::Tag(name) => (*name).to_owned(),
            Self::Prefix(prefix) => format!("{prefix}*"),
            Self::Compare(name, operator, constant) => format!("{name}{operator}{constant}"),
        }
    }
}

impl Tree {
    pub(super) fn holds(&self, tags: &[String]) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.holds(tags),
            Self::Not(inner) => !inner.holds(tags),
            Self::And(left, right) => left.holds(tags) && right.holds(tags),
            Self::Minus(left, right) => left.holds(tags) && !right.holds(tags),
            Self::Xor(left, right) => left.holds(tags) != right.holds(tags),
            Self::Or(left, right) => left.holds(tags) || right.holds(tags),
            Self::AtLeast(count, leaves) => {
                let held: BTreeSet<String> = leaves.iter().filter(|leaf| leaf.holds(tags)).map(Leaf::text).collect();
                held.len() >= *count
            }
            Self::Any(leaves) => leaves.iter().any(|leaf| leaf.holds(tags)),
            Self::All(leaves) => leaves.iter().all(|leaf| leaf.holds(tags)),
        }
    }

    /// How strongly the tree binds: OR 1, XOR 2, AND and minus 3, NOT 4, the rest 5.
    fn strength(&self) -> u8 {
        match self {
            Self::Or(..) => 1,
            Self::Xor(..) => 2,
            Self::And(..) | Self::Minus(..) => 3,
            Self::Not(_) => 4,
            Self::Leaf(_) | Self::AtLeast(..) | Self::Any(_) | Self::All(_) => 5,
        }
    }

    /// The tree as text with the fewest parentheses, each sign in a spelling that `choose` picks
    /// from so many.
    pub(super) fn render(&self, choose: &mut impl FnMut(usize) -> usize) -> String {
        let mut pick = |spellings: &[&str]| spellings[choose(spellings.len())].to_owned();
        match self {
            Self::Leaf(leaf) => respell(&leaf.text(), choose),
            Self::Not(inner) => {
                let sign = pick(&["!", "NOT ", "not ", "非 ", "！", "! "]);
                sign + &inner.inside(4, choose)
            }
            Self::And(left, right) => {
                let sign = pick(&[" AND ", "&", " && ", " 且 ", "＆", " and "]);
                left.inside(3, choose) + &sign + &right.inside(4, choose)
            }
            Self::Minus(left, right) => {
                let sign = pick(&[" - ", " -", "- ", "　－　"]);
                left.inside(3, choose) + &sign + &right.inside(4, choose)
            }
            Self::Xor(left, right) => {
                let sign = pick(&[" XOR ", "^", " xor ", "＾"]);
                left.inside(2, choose) + &sign + &right.inside(3, choose)
            }
            Self::Or(left, right) => {
                let sign = pick(&[" OR ", "|", "||", " 或 ", "｜", " Or "]);
                left.inside(1, choose) + &sign + &right.inside(2, choose)
            }
            Self::AtLeast(count, leaves) => {
                let head = pick(&["at_least(", "AT_LEAST (", "at_least（"]);
                format!("{head}{count}, {}", items(leaves, choose))
            }
            Self::Any(leaves) => pick(&["any(", "ANY (", "any（"]) + &items(leaves, choose),
            Self::All(leaves) => pick(&["all(", "All（", "all( "]) + &items(leaves, choose),
        }
    }

    /// The text as an operand that must bind at least this strongly.
    fn inside(&self, strength: u8, choose: &mut impl FnMut(usize) -> usize) -> String {
        let text = self.render(choose);
        if self.strength() >= strength {
            text
        } else if choose(2) == 0 {
            format!("({text})")
        } else {
            format!("（ {text}）")
        }
    }
}

fn items(leaves: &[Leaf], choose: &mut impl FnMut(usize) -> usize) -> String {
    let items: Vec<String> = leaves.iter().map(|leaf| respell(&leaf.text(), choose)).collect();
    items.join([", ", ",", "，"][choose(3)]) + [")", "）"][choose(2)]
}

/// The text as it stands, or with every ASCII sign but the hyphen full-width.
fn respell(text: &str, choose: &mut impl FnMut(usize) -> usize) -> String {
    if choose(3) > 0 {
        return text.to_owned();
    }
    let wide = |character: char| match character {
        '!'..='~' if character != '-' => char::from_u32(u32::from(character) + 0xFEE0).unwrap_or(character),
        _ => character,
    };
    text.chars().map(wide).collect()
}
