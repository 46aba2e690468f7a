//! Funnels as ClickHouse computed them.

use std::collections::HashMap;
use std::fmt::Write;

use tokio_postgres::Client;

use crate::fixtures::{self, csv};
use crate::server::Server;

#[tokio::test]
async fn the_shop_funnel_has_clickhouses_level_for_every_user() {
    let server = Server::start(&[format!("shop={}", fixtures::testdata("ecom_clickstream").display())]);
    let client = server.connect().await;
    let expected: Vec<(String, i32)> = csv("ecom_clickstream/expected_funnel_1d_per_user.csv")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].parse().expect("a level")))
        .collect();
    assert_eq!(expected.len(), 600);
    // Nobody's level depends on the order of rows of one time, so our rules agree with ClickHouse's.
    for compat in ["tributary", "clickhouse"] {
        let sql = format!(
            "SELECT user_id, FUNNEL(event_time, '1 day', event = 'product_view', event = 'add_to_cart', event = 'cart', \
             event = 'shipping_details', event = 'payment_details', event = 'purchase', compat => '{compat}') \
             FROM events GROUP BY user_id ORDER BY user_id"
        );
        let rows = client.query(&sql, &[]).await.expect("it runs");
        let levels: Vec<(String, i32)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(levels, expected, "{compat}");
    }
}

#[tokio::test]
async fn as_many_users_reach_each_step_of_the_shop_funnel() {
    let server = Server::start(&[format!("shop={}", fixtures::testdata("ecom_clickstream").display())]);
    let client = server.connect().await;
    let expected = csv("ecom_clickstream/expected_funnel_counts.csv");
    assert_eq!(expected.len(), 2);
    for row in expected {
        let [mode, window_seconds, counts @ ..] = row.as_slice() else { panic!("mode, window, counts") };
        assert_eq!(mode, "default");
        let reached = (1..=counts.len())
            .map(|step| format!("count(*) FILTER (WHERE level >= {step})"))
            .collect::<Vec<_>>()
            .join(", ");
        let sql = format!(
            "SELECT {reached} FROM (SELECT FUNNEL(event_time, {window_seconds}, event = 'product_view', \
             event = 'add_to_cart', event = 'cart', event = 'shipping_details', event = 'payment_details', \
             event = 'purchase') AS level FROM events GROUP BY user_id) AS levels"
        );
        let answer = client.query_one(&sql, &[]).await.expect("it runs");
        let answered: Vec<String> = (0..counts.len()).map(|step| answer.get::<_, i64>(step).to_string()).collect();
        assert_eq!(answered, counts, "within {window_seconds} seconds");
    }
}

/// One funnel question about the small streams.
struct Question {
    id: String,
    window_seconds: String,
    modes: String,
    chain: String,
}

impl Question {
    fn call(&self, compat: &str) -> String {
        let steps: String = self.chain.chars().fold(String::new(), |mut steps, letter| {
            let _ = write!(steps, ", event = '{letter}'");
            steps
        });
        let mode = if self.modes.is_empty() { "default" } else { &self.modes };
        let (window, id) = (&self.window_seconds, &self.id);
        format!("FUNNEL(event_time, {window}{steps}, mode => '{mode}', compat => '{compat}') AS level_{id}")
    }

    /// Releases of ClickHouse disagree under `allow_reentry`, and under `strict_order` where the first step recurs
    /// after the second happened.
    fn is_advisory(&self, stream: &[(i64, char)]) -> bool {
        let has = |mode: &str| self.modes.split('+').any(|word| word == mode);
        has("allow_reentry") || has("strict_order") && self.first_step_recurs(stream)
    }

    fn first_step_recurs(&self, stream: &[(i64, char)]) -> bool {
        let mut steps = self.chain.chars();
        let (first, second) = (steps.next(), steps.next());
        let is = |step: Option<char>, event: char| step == Some(event);
        let mut rows = stream.to_vec();
        rows.sort_by_key(|&(second, _)| second);
        let reached = rows.iter().position(|&(_, event)| is(second, event));
        reached.is_some_and(|reached| rows[reached..].iter().any(|&(_, event)| is(first, event)))
    }
}

/// The streams as a table of a lake, the questions, and ClickHouse's level by question and stream.
struct Cases {
    server: Server,
    streams: HashMap<String, Vec<(i64, char)>>,
    questions: Vec<Question>,
    expected: HashMap<(String, String), i32>,
    _folder: tempfile::TempDir,
}

fn cases() -> Cases {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut table = "stream_id,event_time,event\n".to_owned();
    let mut streams = HashMap::new();
    for row in csv("behaviour_cases/streams.csv") {
        let events: Vec<(i64, char)> = row[2]
            .split_whitespace()
            .map(|event| {
                let (second, name) = event.split_once(':').expect("time:name");
                (second.parse().expect("seconds"), name.chars().next().expect("a name"))
            })
            .collect();
        for (second, event) in &events {
            let _ = writeln!(table, "{},1970-01-01 00:{:02}:{:02},{event}", row[0], second / 60, second % 60);
        }
        streams.insert(row[0].clone(), events);
    }
    std::fs::write(folder.path().join("events.csv"), table).expect("it can be written");
    let questions = csv("behaviour_cases/specs.csv")
        .into_iter()
        .map(|row| {
            let [id, window_seconds, modes, chain] = row.try_into().expect("four values");
            Question { id, window_seconds, modes, chain }
        })
        .collect();
    let expected = csv("behaviour_cases/expected.csv")
        .into_iter()
        .map(|row| ((row[0].clone(), row[1].clone()), row[2].parse().expect("a level")))
        .collect();
    let server = Server::start(&[format!("cases={}", folder.path().display())]);
    Cases { server, streams, questions, expected, _folder: folder }
}

impl Cases {
    /// Calls `visit` with question, stream, our level and ClickHouse's, for every answer of the files.
    async fn compare(&self, compat: &str, mut visit: impl FnMut(&Question, &[(i64, char)], i32, i32)) {
        let client: Client = self.server.connect().await;
        let mut compared = 0;
        // Several questions in one statement: one scan, and a test of several funnels in one aggregate.
        for questions in self.questions.chunks(12) {
            let calls = questions.iter().map(|question| question.call(compat)).collect::<Vec<_>>().join(", ");
            let sql = format!("SELECT stream_id::text, {calls} FROM events GROUP BY stream_id");
            for row in client.query(&sql, &[]).await.expect("it runs") {
                let stream_id: String = row.get(0);
                for (index, question) in questions.iter().enumerate() {
                    let key = (question.id.clone(), stream_id.clone());
                    if let Some(&theirs) = self.expected.get(&key) {
                        compared += 1;
                        visit(question, &self.streams[&stream_id], row.get(index + 1), theirs);
                    }
                }
            }
        }
        assert_eq!(compared, self.expected.len(), "every answer is compared");
    }
}

#[tokio::test]
async fn compat_clickhouse_gives_clickhouses_answers() {
    let (mut binding_count, mut advisory_count, mut advisory_differences) = (0, 0, 0);
    let mut differences = vec![];
    let cases = cases();
    cases
        .compare("clickhouse", |question, stream, ours, theirs| {
            if question.is_advisory(stream) {
                advisory_count += 1;
                advisory_differences += usize::from(ours != theirs);
                return;
            }
            binding_count += 1;
            if ours != theirs {
                differences.push(format!("question {}: ours {ours}, theirs {theirs}, {stream:?}", question.id));
            }
        })
        .await;
    println!("{advisory_differences} of {advisory_count} advisory answers differ");
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!((binding_count, advisory_count), (18_270, 7_410));
}

/// The core crate explains each of these by a rule (FUNNEL-4, FUNNEL-7, FUNNEL-8); through the server they must be
/// the same ones, and no others.
#[tokio::test]
async fn native_answers_differ_as_often_as_the_rules_say() {
    let mut higher: HashMap<String, usize> = HashMap::new();
    let mut lower: HashMap<String, usize> = HashMap::new();
    let cases = cases();
    cases
        .compare("tributary", |question, _, ours, theirs| {
            let counts = match ours.cmp(&theirs) {
                std::cmp::Ordering::Equal => return,
                std::cmp::Ordering::Greater => &mut higher,
                std::cmp::Ordering::Less => &mut lower,
            };
            *counts.entry(question.modes.clone()).or_default() += 1;
        })
        .await;
    let counts = |counts: &[(&str, usize)]| -> HashMap<String, usize> {
        counts.iter().map(|&(modes, count)| (modes.to_owned(), count)).collect()
    };
    let expected_higher = [
        ("strict_increase", 306),
        ("strict_deduplication+strict_increase", 287),
        ("strict_order", 76),
        ("strict_order+strict_increase", 171 + 19),
    ];
    assert_eq!(higher, counts(&expected_higher));
    assert_eq!(lower, counts(&[("strict_deduplication+strict_increase", 10)]));
}
