//! The questions that the demo asks, and the answers that were planted.
//!
//! Each is one statement of `sql/recipes`, numbered as the questions of a marketing team are.

use super::answer::Answer;

/// One question.
pub struct Question {
    pub number: u8,
    /// The recipe as its file has it: the question is its first line.
    recipe: &'static str,
    /// Finds in an answer what was planted.
    truths: fn(&Answer) -> Vec<Truth>,
}

/// One planted number and the one that the answer gives for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    pub what: String,
    pub planted: f64,
    /// None where the answer does not have it.
    pub answered: Option<f64>,
}

impl Truth {
    fn new(what: impl Into<String>, planted: f64, answered: Option<f64>) -> Self {
        Self { what: what.into(), planted, answered }
    }

    /// The answer is what was planted. Rates come rounded to the planted digits, so the tolerance
    /// is only for their way through text.
    pub fn holds(&self) -> bool {
        self.answered.is_some_and(|answered| (answered - self.planted).abs() < 1e-9)
    }
}

impl Question {
    /// The question in Chinese and English: the first line of the recipe.
    pub fn titles(&self) -> (&'static str, &'static str) {
        let first = self.recipe.lines().next().unwrap_or_default().trim_start_matches("--").trim();
        first.split_once(" / ").unwrap_or((first, first))
    }

    /// The statement, without the question above it.
    pub fn sql(&self) -> &'static str {
        self.recipe.split_once('\n').map_or("", |(_, sql)| sql).trim()
    }

    /// What was planted beside what was answered.
    pub fn truths(&self, answer: &Answer) -> Vec<Truth> {
        (self.truths)(answer)
    }
}

/// All questions that can be asked today, by number.
pub const QUESTIONS: [Question; 7] = [
    Question { number: 2, recipe: include_str!("../../sql/recipes/02_funnel.sql"), truths: funnel },
    Question { number: 3, recipe: include_str!("../../sql/recipes/03_leak.sql"), truths: leak },
    Question { number: 9, recipe: include_str!("../../sql/recipes/09_script.sql"), truths: script },
    Question { number: 10, recipe: include_str!("../../sql/recipes/10_pick_up.sql"), truths: pick_up },
    Question { number: 12, recipe: include_str!("../../sql/recipes/12_agents.sql"), truths: agents },
    Question { number: 13, recipe: include_str!("../../sql/recipes/13_leads.sql"), truths: leads },
    Question { number: 14, recipe: include_str!("../../sql/recipes/14_attempts.sql"), truths: attempts },
];

fn funnel(answer: &Answer) -> Vec<Truth> {
    let within_7_days = [("1", 43_300.0), ("2", 24_000.0), ("3", 8_000.0), ("4", 3_450.0), ("5", 2_580.0)];
    let mut truths: Vec<Truth> = within_7_days
        .into_iter()
        .map(|(step, planted)| {
            let what = format!("people at step {step} within 7 days");
            Truth::new(what, planted, answer.number("users", &[("step", step)]))
        })
        .collect();
    let in_1_day = answer.number("users_in_1_day", &[("step", "5")]);
    truths.push(Truth::new("people at step 5 within 1 day", 2_322.0, in_1_day));
    truths
}

fn leak(answer: &Answer) -> Vec<Truth> {
    // Weeks are written as dates, so their texts sort as they do.
    let leaks = |week: &str| week >= "2026-05-11";
    let before = |week: &str| !leaks(week);
    let android_after = |column| answer.sum(column, "week", leaks);
    let others = |kind: &str| {
        let android = answer.sum(&format!("android_{kind}"), "week", before)?;
        Some(android + answer.sum(&format!("other_{kind}"), "week", |_| true)?)
    };
    let rate = |paid: Option<f64>, checkouts: Option<f64>| Some(paid? / checkouts?);
    let (leaked, paid) = (android_after("android_checkouts"), android_after("android_paid"));
    let (other_checkouts, other_paid) = (others("checkouts"), others("paid"));
    vec![
        Truth::new("Android checkouts since 11 May", 450.0, leaked),
        Truth::new("of them paid", 180.0, paid),
        Truth::new("Android rate since 11 May", 0.4, rate(paid, leaked)),
        Truth::new("checkouts of everyone else", 3_000.0, other_checkouts),
        Truth::new("of them paid", 2_400.0, other_paid),
        Truth::new("rate of everyone else", 0.8, rate(other_paid, other_checkouts)),
    ]
}

fn script(answer: &Answer) -> Vec<Truth> {
    let scripts = [("A", [1_050.0, 1_000.0, 900.0, 450.0, 210.0]), ("B", [1_050.0, 1_000.0, 900.0, 720.0, 380.0])];
    let stages = ["greeting", "need", "price", "close", "sold"];
    let mut truths = Vec::new();
    for (script, planted) in scripts {
        for (step, (stage, planted)) in (1..).zip(stages.into_iter().zip(planted)) {
            let step = step.to_string();
            let answered = answer.number("calls", &[("script_id", script), ("step", &step)]);
            truths.push(Truth::new(format!("script {script}, {stage}"), planted, answered));
        }
    }
    truths
}

fn pick_up(answer: &Answer) -> Vec<Truth> {
    let evening = |hour: &str| matches!(hour, "18" | "19");
    let other = |hour: &str| !evening(hour);
    vec![
        Truth::new("first dials from 18:00 to 19:59", 1_000.0, answer.sum("dials", "hour", evening)),
        Truth::new("of them answered", 600.0, answer.sum("answered", "hour", evening)),
        Truth::new("first dials at other hours", 2_000.0, answer.sum("dials", "hour", other)),
        Truth::new("of them answered", 600.0, answer.sum("answered", "hour", other)),
    ]
}

fn agents(answer: &Answer) -> Vec<Truth> {
    let of = |agent: &str, column: &str| answer.number(column, &[("agent_id", agent)]);
    vec![
        Truth::new("agent_03, calls", 150.0, of("agent_03", "calls")),
        Truth::new("agent_03, rate", 0.32, of("agent_03", "sold_rate")),
        Truth::new("agent_03, index", 1.067, of("agent_03", "sold_index")),
        Truth::new("agent_07, calls", 100.0, of("agent_07", "calls")),
        Truth::new("agent_07, rate", 0.28, of("agent_07", "sold_rate")),
        Truth::new("agent_07, index", 1.273, of("agent_07", "sold_index")),
    ]
}

fn leads(answer: &Answer) -> Vec<Truth> {
    let planted =
        [("industry_site", [500.0, 0.22, 176.0]), ("baidu", [1_000.0, 0.3, 90.0]), ("seo", [600.0, 0.3, 90.0])];
    let mut truths = Vec::new();
    for (source, planted) in planted {
        for (column, planted) in ["leads", "win_rate", "value_per_lead"].into_iter().zip(planted) {
            let answered = answer.number(column, &[("lead_channel", source)]);
            truths.push(Truth::new(format!("{source}, {column}"), planted, answered));
        }
    }
    truths
}

fn attempts(answer: &Answer) -> Vec<Truth> {
    let planted = [("1", [3_000.0, 0.4, 0.01]), ("2", [1_800.0, 0.25, 0.03]), ("3", [1_350.0, 0.1, 0.08])];
    let mut truths = Vec::new();
    for (attempt, planted) in planted {
        for (column, planted) in ["dials", "connect_rate", "opt_out_rate"].into_iter().zip(planted) {
            let answered = answer.number(column, &[("call_attempt", attempt)]);
            truths.push(Truth::new(format!("attempt {attempt}, {column}"), planted, answered));
        }
    }
    truths
}
