//! Mutated expressions: no panic, places on character boundaries, and what compiles reads back.

use super::super::{Case, Program};

const CORPUS: &[&str] = &[
    "高价值 AND (兴趣:红茶 OR 兴趣:白茶) AND NOT 流失风险",
    "高意向 且 非 流失风险",
    "a & !c - b ^ d | at_least(2, a, utm:*, score >= 30.5)",
    "any('x y', “第一””次”, \"q\"\"\"*) XOR all(a-b, c -d)",
    "（积分≥１０００｜等级＝“金”）＆！非活跃",
    "a <> -1e-3 && b != 'it''s' || ((c))",
];

const PIECES: &[&str] = &[
    "(",
    ")",
    "（",
    "\"",
    "'",
    "“",
    "”",
    "*",
    "-",
    "!",
    "&",
    "|",
    "^",
    ",",
    "，",
    "<",
    "=",
    "≥",
    " ",
    "　",
    "AND",
    " 或 ",
    "any(",
    "at_least(2,",
    "茶",
    "é",
    "\u{200b}",
    "\u{200d}",
    "\0",
    "\\",
    "1e",
    ".",
    "99999999999",
    "👍🏽",
    "；",
];

/// A small generator of numbers, so that a failure repeats (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ mixed >> 31) % end.max(1) as u64) as usize
    }
}

/// Inserts, removes, repeats or swaps a few characters.
fn mutate(text: &str, numbers: &mut Numbers) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..1 + numbers.below(4) {
        let at = numbers.below(characters.len() + 1);
        let end = (at + numbers.below(6)).min(characters.len());
        match numbers.below(4) {
            0 => drop(characters.splice(at..at, PIECES[numbers.below(PIECES.len())].chars())),
            1 => drop(characters.drain(at..end)),
            2 => {
                let piece = characters[at..end].to_vec();
                drop(characters.splice(at..at, piece));
            }
            _ if end > at => characters.swap(at, end - 1),
            _ => characters.reverse(),
        }
    }
    characters.into_iter().collect()
}

#[test]
fn mutated_expressions_answer_or_say_where_they_are_wrong() {
    let mut numbers = Numbers(20_261_122);
    let (mut right, mut wrong) = (0, 0);
    for round in 0..30_000 {
        let mut text = CORPUS[numbers.below(CORPUS.len())].to_owned();
        for _ in 0..=numbers.below(3) {
            text = mutate(&text, &mut numbers);
        }
        let case = if round % 2 == 0 { Case::Sensitive } else { Case::Insensitive };
        match Program::compile(&text, case) {
            Ok(program) => {
                right += 1;
                let again = Program::compile(&program.to_string(), case);
                let again = again.unwrap_or_else(|error| panic!("{text:?} became {program}: {error}"));
                assert_eq!(again.to_string(), program.to_string(), "{text:?}");
                assert_eq!(again.atoms(), program.atoms(), "{text:?}");
                let tags = [text.as_str(), "a", "积分:1000", "utm:x", "score=31"];
                super::answer(&program, &tags);
                super::answer(&program, &[]);
            }
            Err(error) => {
                wrong += 1;
                assert!(text.is_char_boundary(error.at_byte), "{text:?}: {error}");
                assert_eq!(text[..error.at_byte].chars().count() + 1, error.at_char, "{text:?}: {error}");
                assert!(error.to_string().len() < 600 && error.hint().is_none_or(|hint| hint.len() < 600), "{text:?}");
            }
        }
    }
    assert!(right > 1_000 && wrong > 1_000, "the mutations reach both: {right} right, {wrong} wrong");
}
