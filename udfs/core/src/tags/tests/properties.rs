//! Programs against the tree walk, over random expressions, spellings and rows.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::Case;
use super::oracle::{Leaf, Tree};
use super::{compiled, program};

const NAMES: &[&str] = &[
    "a",
    "b",
    "c",
    "a-b",
    "vip",
    "高意向",
    "非活跃",
    "兴趣:红茶",
    "兴趣:白茶",
    "a-name-longer-than-sixteen",
    "a-name-lodger-than-sixteen",
    "score",
    "score:7",
    "x1",
    "x2",
    "x3",
    "x4",
    "x5",
    "x6",
];
const PREFIXES: &[&str] = &["", "a", "兴趣:", "a-name-", "score:", "x"];
const OPERATORS: &[&str] = &["<", "<=", "=", "<>", ">=", ">"];

fn leaf() -> impl Strategy<Value = Leaf> {
    prop_oneof![
        6 => select(NAMES).prop_map(Leaf::Tag),
        1 => select(PREFIXES).prop_map(Leaf::Prefix),
        2 => (select(&["score", "积分", "兴趣"][..]), select(OPERATORS), -3..12_i64)
            .prop_map(|(name, operator, constant)| Leaf::Compare(name, operator, constant)),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let distinct = |leaves: &[Leaf]| {
        let mut seen: Vec<&Leaf> = Vec::new();
        for leaf in leaves {
            if !seen.contains(&leaf) {
                seen.push(leaf);
            }
        }
        seen.len()
    };
    let flat = prop_oneof![
        6 => leaf().prop_map(Tree::Leaf),
        1 => vec(leaf(), 1..6).prop_map(Tree::Any),
        1 => vec(leaf(), 1..4).prop_map(Tree::All),
        1 => (vec(leaf(), 1..6), 0..6_usize)
            .prop_map(move |(leaves, count)| Tree::AtLeast(1 + count % distinct(&leaves), leaves)),
    ];
    flat.prop_recursive(6, 48, 2, |inner| {
        let pair = (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            inner.prop_map(|inner| Tree::Not(Box::new(inner))),
            pair.clone().prop_map(|(left, right)| Tree::And(left, right)),
            pair.clone().prop_map(|(left, right)| Tree::Minus(left, right)),
            pair.clone().prop_map(|(left, right)| Tree::Xor(left, right)),
            pair.prop_map(|(left, right)| Tree::Or(left, right)),
        ]
    })
}

fn row() -> impl Strategy<Value = Vec<String>> {
    let tag = prop_oneof![
        8 => select(NAMES).prop_map(str::to_owned),
        2 => (select(&["score:", "积分=", "积分:", "兴趣:"][..]), -4..13_i64).prop_map(|(name, value)| format!("{name}{value}")),
        1 => select(&["", "other", "score:high", "积分", "A", "兴趣"][..]).prop_map(str::to_owned),
    ];
    vec(tag, 0..8)
}

/// Choices that a list of numbers makes, over and over.
fn chooser(choices: &[usize]) -> impl FnMut(usize) -> usize {
    let mut next = 0;
    move |count| {
        next += 1;
        choices.get(next % choices.len().max(1)).map_or(0, |choice| choice % count)
    }
}

fn answer(program: &super::Program, tags: &[String]) -> bool {
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    super::answer(program, &tags)
}

/// `PROPTEST_CASES` where set; else enough to meet every operator beside every other in a second.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_spelling_answers_as_the_tree_does(
        tree in tree(), choices in vec(0..60_usize, 1..40), rows in vec(row(), 1..12)
    ) {
        let text = tree.render(&mut chooser(&choices));
        let program = program(&text);
        for row in &rows {
            prop_assert_eq!(answer(&program, row), tree.holds(row), "{} as {} on {:?}", text, program, row);
        }
    }

    #[test]
    fn the_normal_spelling_is_a_fixed_point(tree in tree(), choices in vec(0..60_usize, 1..40)) {
        let first = program(&tree.render(&mut chooser(&choices)));
        let second = program(&first.to_string());
        prop_assert_eq!(first.to_string(), second.to_string());
        prop_assert_eq!(first.atoms(), second.atoms());
    }

    #[test]
    fn order_and_repeats_of_tags_change_nothing(
        tree in tree(), row in row(), order in Just((0..16_usize).collect::<Vec<_>>()).prop_shuffle()
    ) {
        let program = program(&tree.render(&mut chooser(&[1])));
        let doubled: Vec<String> =
            order.iter().filter_map(|&place| row.get(place % row.len().max(1))).cloned().collect();
        prop_assume!(doubled.len() >= row.len() && row.iter().all(|tag| doubled.contains(tag)));
        prop_assert_eq!(answer(&program, &doubled), answer(&program, &row));
    }

    #[test]
    fn bits_by_tag_add_up_to_the_bits_of_the_row(tree in tree(), row in row()) {
        let program = program(&tree.render(&mut chooser(&[1])));
        let mut matcher = program.matcher();
        let mut sum = vec![0; program.word_count()];
        for tag in &row {
            sum.iter_mut().zip(matcher.tag_bits(tag)).for_each(|(sum, bits)| *sum |= bits);
        }
        prop_assert_eq!(program.evaluate(&sum), tree.holds(&row));
    }

    #[test]
    fn facts_are_true_of_every_row(tree in tree(), rows in vec(row(), 1..12)) {
        let program = program(&tree.render(&mut chooser(&[1])));
        let required = program.required();
        for row in &rows {
            let holds = tree.holds(row);
            prop_assert!(program.constant().is_none_or(|constant| constant == holds));
            let mut matcher = program.matcher();
            row.iter().for_each(|tag| matcher.see(tag));
            let bits = matcher.bits();
            let has_required = required.iter().all(|bit| bits[bit / 64] >> (bit % 64) & 1 == 1);
            prop_assert!(!holds || has_required, "{} requires {:?}, {:?} matches", program, required, row);
        }
    }

    #[test]
    fn case_changes_nothing_where_it_is_folded(tree in tree(), row in row()) {
        let text = tree.render(&mut chooser(&[1]));
        let lower: Vec<String> = row.iter().map(|tag| tag.to_lowercase()).collect();
        let upper: Vec<String> = row.iter().map(|tag| tag.to_uppercase()).collect();
        let program = compiled(&text, Case::Insensitive);
        let expected = answer(&compiled(&text.to_lowercase(), Case::Sensitive), &lower);
        prop_assert_eq!(answer(&program, &upper), expected);
        prop_assert_eq!(answer(&program, &row), expected);
    }

    #[test]
    fn a_map_answers_as_its_entries_in_a_list(tree in tree(), entries in vec((select(&["score", "积分", "兴趣", "a"][..]), 0..12_i64), 0..5)) {
        let program = program(&tree.render(&mut chooser(&[1])));
        let mut matcher = program.matcher();
        let mut list = Vec::new();
        for (key, value) in entries {
            matcher.see_pair(key, Some(&value.to_string()));
            list.extend([key.to_owned(), format!("{key}:{value}")]);
        }
        prop_assert_eq!(matcher.matches(), tree.holds(&list));
    }
}
