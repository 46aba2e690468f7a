//! The way of a text to a rewritten statement, over a corpus and what becomes of it by seeded mutation.
//!
//! Whatever is sent is a statement or an error: never a panic, and never a long time.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Kind, parse, postgres};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }
}

fn files(folder: &Path, ends: &[&str], found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(&path, ends, found);
        } else if path.extension().is_some_and(|end| ends.iter().any(|wanted| end == *wanted)) {
            found.push(path);
        }
    }
}

/// Statements of clients, golden files and recipes.
fn corpus() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![];
    for (folder, end) in
        [("testdata/clients", "sql"), ("testdata/golden", "slt"), ("sql", "sql"), ("udfs/tests/it", "sql")]
    {
        files(&root.join(folder), &[end], &mut found);
    }
    let mut statements = vec![];
    for file in found {
        let text = std::fs::read_to_string(&file).unwrap();
        if file.extension().is_some_and(|end| end == "slt") {
            // A golden file: blocks of a head line, a statement, and an answer under a rule.
            let blocks = text.split("\n\n").filter_map(|block| block.split_once('\n'));
            statements.extend(blocks.map(|(_, block)| block.split("\n----").next().unwrap_or_default().to_owned()));
        } else {
            statements.extend(text.split(";\n").map(str::to_owned));
        }
    }
    statements.retain(|statement| !statement.trim().is_empty() && statement.len() < 4_000);
    assert!(statements.len() > 500, "the corpus has {} statements", statements.len());
    statements
}

const WORDS: [&str; 40] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    "'",
    "\"",
    "$$",
    "$1",
    "--",
    "/*",
    "::",
    "=>",
    ":=",
    "->>",
    "||",
    "*",
    ".",
    "SELECT",
    "FROM",
    "WHERE",
    "OVER",
    "CASE",
    "END",
    "NOT",
    "NULL",
    "INTERVAL",
    "ARRAY",
    "WITH",
    "UNION ALL",
    "LATERAL",
    "AS OF",
    "FUNNEL(",
    "0",
    "1e999",
    "茶",
    "\u{0}",
];

fn mutated(corpus: &[String], random: &mut Random) -> String {
    let mut text: Vec<char> = corpus[random.below(corpus.len())].chars().collect();
    for _ in 0..=random.below(4) {
        let (from, length) = (random.below(text.len()), random.below(30));
        let to = (from + length).min(text.len());
        let at = random.below(text.len() + 1);
        match random.below(6) {
            0 => drop(text.drain(from..to)),
            1 => {
                let copy = text[from..to].repeat(1 + random.below(40));
                text.splice(at..at, copy);
            }
            2 => {
                let other: Vec<char> = corpus[random.below(corpus.len())].chars().collect();
                let start = random.below(other.len());
                text.splice(at..at, other[start..(start + length).min(other.len())].iter().copied());
            }
            3 => text.truncate(at),
            _ => {
                let word = WORDS[random.below(WORDS.len())].repeat(1 + random.below(3) * random.below(100));
                text.splice(at..at, word.chars());
            }
        }
    }
    text.into_iter().collect()
}

/// What the server does with a text before it plans it.
fn read(text: &str) -> usize {
    let Ok(statements) = parse(text, &CancellationToken::new()) else { return 0 };
    for statement in &statements {
        if let Kind::Sql(parsed) = &*statement.kind {
            let mut parsed = parsed.clone();
            if postgres::rewrite(&mut parsed).is_ok() {
                let _ = tributary_udfs::rewrite(&mut parsed);
            }
        }
    }
    statements.len()
}

#[test]
fn every_text_is_a_statement_or_an_error_and_soon() {
    // The server's query threads have such stacks; a test's thread has less.
    let work = std::thread::Builder::new().stack_size(crate::limits::QUERY_STACK_BYTES).spawn(|| {
        let corpus = corpus();
        let (mut read_count, mut slowest) = (0, (Duration::ZERO, String::new()));
        let mut look = |text: &str| {
            let started = Instant::now();
            read_count += read(text);
            if started.elapsed() > slowest.0 {
                slowest = (started.elapsed(), text.to_owned());
            }
        };
        corpus.iter().for_each(|text| look(text));
        let mut random = Random(20_260_302);
        for _ in 0..20_000 {
            look(&mutated(&corpus, &mut random));
        }
        assert!(read_count > 1_500, "only {read_count} statements were read");
        assert!(slowest.0 < Duration::from_secs(5), "{slowest:?}");
    });
    work.unwrap().join().unwrap();
}
