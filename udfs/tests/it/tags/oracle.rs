//! Random expressions as trees, judged by asking a set of tags.

use std::collections::BTreeSet;
use std::fmt;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::columns::Row;

/// Tags of all lengths around those that fit in a view, with values and prefixes among them.
const TAGS: [&str; 10] = [
    "a",
    "vip",
    "twelve_bytes",
    "thirteen_byte",
    "a_tag_of_many_bytes",
    "兴趣:红茶",
    "兴趣:白茶",
    "流失风险",
    "score:45",
    "score:7",
];

#[derive(Clone, Debug)]
enum Tree {
    Tag(&'static str),
    Prefix(&'static str),
    ScoreAtLeast(i64),
    AtLeast(usize, BTreeSet<&'static str>),
    Not(Box<Tree>),
    And(Box<Tree>, Box<Tree>),
    Minus(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
    Xor(Box<Tree>, Box<Tree>),
}

impl Tree {
    fn holds(&self, tags: &BTreeSet<&str>) -> bool {
        match self {
            Self::Tag(tag) => tags.contains(tag),
            Self::Prefix(prefix) => tags.iter().any(|tag| tag.starts_with(prefix)),
            Self::ScoreAtLeast(least) => tags
                .iter()
                .filter_map(|tag| tag.strip_prefix("score:")?.parse::<i64>().ok())
                .any(|score| score >= *least),
            Self::AtLeast(count, wanted) => wanted.iter().filter(|tag| tags.contains(*tag)).count() >= *count,
            Self::Not(one) => !one.holds(tags),
            Self::And(left, right) => left.holds(tags) && right.holds(tags),
            Self::Minus(left, right) => left.holds(tags) && !right.holds(tags),
            Self::Or(left, right) => left.holds(tags) || right.holds(tags),
            Self::Xor(left, right) => left.holds(tags) != right.holds(tags),
        }
    }
}

impl fmt::Display for Tree {
    /// With every parenthesis, so that precedence is not what is tested here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, "\"{tag}\""),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::ScoreAtLeast(least) => write!(f, "score >= {least}"),
            Self::AtLeast(count, tags) => {
                let tags: Vec<_> = tags.iter().map(|tag| format!("\"{tag}\"")).collect();
                write!(f, "at_least({count}, {})", tags.join(", "))
            }
            Self::Not(one) => write!(f, "NOT ({one})"),
            Self::And(left, right) => write!(f, "({left}) AND ({right})"),
            Self::Minus(left, right) => write!(f, "({left}) - ({right})"),
            Self::Or(left, right) => write!(f, "({left}) OR ({right})"),
            Self::Xor(left, right) => write!(f, "({left}) XOR ({right})"),
        }
    }
}

/// Half of the trees ask for whole tags alone, which have a path of their own.
fn tree() -> impl Strategy<Value = Tree> {
    let tag = prop::sample::select(&TAGS[..]);
    let plain = tag.clone().prop_map(Tree::Tag).boxed();
    let any = prop_oneof![
        3 => plain.clone(),
        1 => prop::sample::select(&["兴趣:", "a", "thirteen"][..]).prop_map(Tree::Prefix),
        1 => (0_i64..60).prop_map(Tree::ScoreAtLeast),
        1 => (1_usize..3, prop::collection::btree_set(tag, 3..5)).prop_map(|(count, tags)| Tree::AtLeast(count, tags)),
    ]
    .boxed();
    prop_oneof![branches(plain), branches(any)]
}

fn branches(leaf: BoxedStrategy<Tree>) -> impl Strategy<Value = Tree> {
    leaf.prop_recursive(4, 12, 2, |inner| {
        let two = (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            inner.prop_map(|one| Tree::Not(Box::new(one))),
            two.clone().prop_map(|(left, right)| Tree::And(left, right)),
            two.clone().prop_map(|(left, right)| Tree::Minus(left, right)),
            two.clone().prop_map(|(left, right)| Tree::Or(left, right)),
            two.prop_map(|(left, right)| Tree::Xor(left, right)),
        ]
    })
}

fn rows() -> impl Strategy<Value = Vec<Row<'static>>> {
    let tag = prop::option::weighted(0.9, prop::sample::select(&TAGS[..]));
    prop::collection::vec(prop::option::weighted(0.9, prop::collection::vec(tag, 0..6)), 1..12)
}

/// Compares the answers that `ask` gives, each with a name, with those of the tree.
pub fn check(ask: impl Fn(&str, &[Row]) -> Vec<(String, Vec<Option<bool>>)>) {
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let result = runner.run(&(tree(), rows()), |(tree, rows)| {
        let expected: Vec<Option<bool>> =
            rows.iter().map(|row| Some(tree.holds(&row.as_ref()?.iter().copied().flatten().collect()))).collect();
        for (encoding, answered) in ask(&tree.to_string(), &rows) {
            prop_assert_eq!(&answered, &expected, "{} in {}", tree, encoding);
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
