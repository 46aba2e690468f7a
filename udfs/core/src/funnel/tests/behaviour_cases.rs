//! 25,680 answers of a released ClickHouse, see `testdata/behaviour_cases/README.md`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::super::Compat;
use super::*;

struct Question {
    window_s: i64,
    modes: Modes,
    chain: String,
}

struct Case<'a> {
    question: &'a Question,
    stream: &'a str,
    clickhouse_level: u32,
}

impl Case<'_> {
    fn spec(&self) -> Spec {
        spec(self.question.chain.len(), self.question.window_s * SECOND, self.question.modes)
    }

    fn events(&self) -> Events {
        events(&self.question.chain, self.stream)
    }

    /// Releases of ClickHouse disagree under allow_reentry, and under strict_order where the first step recurs after the
    /// second was reached.
    fn is_advisory(&self) -> bool {
        let modes = self.question.modes;
        modes.allow_reentry || modes.strict_order && self.first_step_recurs()
    }

    fn first_step_recurs(&self) -> bool {
        let mut rows = self.events();
        rows.sort_by_key(|&(at_us, _)| at_us);
        let second_reached = rows.iter().position(|&(_, mask)| mask & 2 > 0);
        second_reached.is_some_and(|second| rows[second..].iter().any(|&(_, mask)| mask & 1 > 0))
    }
}

fn lines(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/behaviour_cases").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().skip(1).map(str::to_owned).collect()
}

fn for_each_case(mut visit: impl FnMut(&Case<'_>)) {
    let questions: HashMap<String, Question> = lines("specs.csv")
        .iter()
        .map(|line| {
            let [id, window_s, mode, chain] = fields(line);
            let window_s = window_s.parse().expect("seconds");
            (id.to_owned(), Question { window_s, modes: modes(mode), chain: chain.to_owned() })
        })
        .collect();
    let streams: HashMap<String, String> = lines("streams.csv")
        .iter()
        .map(|line| {
            let [id, _kind, events] = fields(line);
            (id.to_owned(), events.to_owned())
        })
        .collect();
    for line in lines("expected.csv") {
        let [spec_id, stream_id, level] = fields(&line);
        let clickhouse_level = level.parse().expect("level");
        visit(&Case { question: &questions[spec_id], stream: &streams[stream_id], clickhouse_level });
    }
}

fn fields<const COUNT: usize>(line: &str) -> [&str; COUNT] {
    line.split(',').collect::<Vec<_>>().try_into().expect("one value for each column")
}

#[test]
fn compat_clickhouse_gives_clickhouses_answers() {
    let (mut checked, mut advisory, mut advisory_differences) = (0, 0, 0);
    for_each_case(|case| {
        let level = level_of(&with_compat(&case.spec(), Compat::ClickHouse), &case.events());
        if case.is_advisory() {
            advisory += 1;
            advisory_differences += usize::from(level != case.clickhouse_level);
            return;
        }
        checked += 1;
        let Question { window_s, modes, chain } = case.question;
        assert_eq!(level, case.clickhouse_level, "{chain} within {window_s} s, {modes}: {}", case.stream);
    });
    println!("{checked} answers equal; {advisory} advisory ones, {advisory_differences} of them different");
    assert_eq!(checked + advisory, 25_680);
}

#[test]
fn native_answers_differ_where_a_rule_says_so() {
    let mut differences: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for_each_case(|case| {
        let spec = case.spec();
        let events = case.events();
        let native = level_of(&spec, &events);
        if native == case.clickhouse_level {
            return;
        }
        let modes = case.question.modes;
        let repeats_a_step = case.question.chain.chars().any(|name| mask_of(&case.question.chain, name).count_ones() > 1);
        let rule = if modes.strict_order && repeats_a_step {
            "a row of several steps is due if one of them is"
        } else if modes.strict_increase {
            "a stored chain is not lost to a later one"
        } else {
            "none"
        };
        println!("{modes} {} {} s: ours {native}, ClickHouse {}: {}", case.question.chain, case.question.window_s, case.clickhouse_level, case.stream);
        *differences.entry((modes.to_string(), rule)).or_default() += 1;
    });
    println!("{differences:#?}");
}
