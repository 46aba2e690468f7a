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

/// All questions that can be asked today: first the story of the shop in the order it is told, then the rest by number.
pub const QUESTIONS: [Question; 14] = [
    Question { number: 1, recipe: include_str!("../../sql/recipes/01_budget.sql"), truths: budget },
    Question { number: 8, recipe: include_str!("../../sql/recipes/08_telephone.sql"), truths: telephone },
    Question { number: 2, recipe: include_str!("../../sql/recipes/02_funnel.sql"), truths: funnel },
    Question { number: 3, recipe: include_str!("../../sql/recipes/03_leak.sql"), truths: leak },
    Question { number: 9, recipe: include_str!("../../sql/recipes/09_script.sql"), truths: script },
    Question { number: 7, recipe: include_str!("../../sql/recipes/07_audience.sql"), truths: audience },
    Question { number: 22, recipe: include_str!("../../sql/recipes/22_sessions.sql"), truths: sessions },
    Question { number: 4, recipe: include_str!("../../sql/recipes/04_first_channel.sql"), truths: first_channel },
    Question { number: 10, recipe: include_str!("../../sql/recipes/10_pick_up.sql"), truths: pick_up },
    Question { number: 11, recipe: include_str!("../../sql/recipes/11_call_back.sql"), truths: call_back },
    Question { number: 12, recipe: include_str!("../../sql/recipes/12_agents.sql"), truths: agents },
    Question { number: 13, recipe: include_str!("../../sql/recipes/13_leads.sql"), truths: leads },
    Question { number: 14, recipe: include_str!("../../sql/recipes/14_attempts.sql"), truths: attempts },
    Question { number: 15, recipe: include_str!("../../sql/recipes/15_won.sql"), truths: won },
];

fn budget(answer: &Answer) -> Vec<Truth> {
    let planted = [
        ("douyin", "first", [860.0, 103_200.0, 1.72]),
        ("douyin", "last", [80.0, 9_600.0, 0.16]),
        ("douyin", "linear", [446.667, 52_800.0, 0.88]),
        ("baidu", "first", [710.0, 131_000.0, 2.91]),
        ("baidu", "last", [250.0, 25_000.0, 0.56]),
        ("baidu", "linear", [546.667, 86_000.0, 1.91]),
        ("call_in", "last", [590.0, 232_000.0, 11.05]),
        ("call_out", "linear", [60.0, 24_000.0, 0.8]),
        ("seo", "first", [610.0, 101_300.0, 12.66]),
    ];
    let mut truths = Vec::new();
    for (channel, model, planted) in planted {
        for (column, planted) in ["conversions", "value", "roas"].into_iter().zip(planted) {
            let answered = answer.number(column, &[("channel", channel), ("model", model)]);
            truths.push(Truth::new(format!("{channel}, {model}, {column}"), planted, answered));
        }
    }
    for model in ["first", "last", "linear"] {
        let answered = answer.number("all_conversions", &[("model", model)]);
        truths.push(Truth::new(format!("first orders in all, {model}"), 3_330.0, answered));
    }
    truths
}

fn telephone(answer: &Answer) -> Vec<Truth> {
    let planted = [("baidu", 1_000.0), ("seo", 600.0), ("industry_site", 500.0)];
    let calls = |(channel, planted)| {
        Truth::new(format!("calls from {channel}"), planted, answer.number("calls", &[("channel", channel)]))
    };
    let mut truths: Vec<Truth> = planted.into_iter().map(calls).collect();
    truths.push(Truth::new("calls in all", 2_100.0, answer.sum("calls", "channel", |_| true)));
    truths
}

fn audience(answer: &Answer) -> Vec<Truth> {
    let planted = [
        ("keen", "people of 高意向", 5_000.0),
        ("keen_and_staying", "of them not 流失风险", 3_800.0),
        ("may_be_texted", "of those with consent now", 3_400.0),
        ("tea_lovers", "高价值 with an interest in tea, not 流失风险", 640.0),
    ];
    planted.into_iter().map(|(column, what, planted)| Truth::new(what, planted, answer.number(column, &[]))).collect()
}

fn sessions(answer: &Answer) -> Vec<Truth> {
    vec![Truth::new("sessions in all", 112_772.0, answer.sum("sessions", "platform", |_| true))]
}

fn first_channel(answer: &Answer) -> Vec<Truth> {
    let of = |channel: &str, column: &str| answer.number(column, &[("first_channel", channel)]);
    vec![
        Truth::new("store_qr, first order", 60.0, of("store_qr", "first_order")),
        Truth::new("store_qr, value per buyer", 222.0, of("store_qr", "value_per_buyer")),
        Truth::new("store_qr, repeat rate", 0.45, of("store_qr", "repeat_rate")),
        Truth::new("douyin, first order", 120.0, of("douyin", "first_order")),
        Truth::new("douyin, value per buyer", 132.0, of("douyin", "value_per_buyer")),
        Truth::new("douyin, repeat rate", 0.1, of("douyin", "repeat_rate")),
        Truth::new("industry_site, value per buyer", 848.0, of("industry_site", "value_per_buyer")),
        Truth::new("referral, value per buyer", 192.0, of("referral", "value_per_buyer")),
    ]
}

fn call_back(answer: &Answer) -> Vec<Truth> {
    let of = |kind: &str, column: &str| answer.number(column, &[("answer", kind)]);
    vec![
        Truth::new("missed calls", 300.0, answer.sum("missed_calls", "answer", |_| true)),
        Truth::new("called back within 15 minutes", 180.0, of("called back", "missed_calls")),
        Truth::new("of them buy", 54.0, of("called back", "buyers")),
        Truth::new("buyers among the others", 0.0, of("never called back", "buyers")),
    ]
}

fn won(answer: &Answer) -> Vec<Truth> {
    let mut truths = vec![
        Truth::new(
            "accounts won by the first touch of industry_site",
            110.0,
            answer.number("conversions", &[("model", "first"), ("channel", "industry_site")]),
        ),
        Truth::new(
            "accounts won by the last touch of call_in",
            110.0,
            answer.number("conversions", &[("model", "last"), ("channel", "call_in")]),
        ),
    ];
    for model in ["first", "last", "milestones(0.3, 0.3, 0.3)"] {
        let of_model = |text: &str| text == model;
        truths.push(Truth::new(format!("{model}, accounts"), 110.0, answer.sum("conversions", "model", of_model)));
        truths.push(Truth::new(format!("{model}, value"), 88_000.0, answer.sum("value", "model", of_model)));
    }
    truths
}

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
