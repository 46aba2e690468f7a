//! `tributary cluster SOURCE TARGET`, `tributary compact FOLDER` and `tributary check FOLDER`.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::fixtures;
use crate::server::{Server, run, tributary};

/// Runs a command that ends by itself: whether it succeeded, what it printed, and what it told.
fn tributary_runs(arguments: &[&str]) -> (bool, String, String) {
    let output = run(tributary().args(arguments));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what is printed is UTF-8");
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are UTF-8")
}

/// Clusters a table of the tests' lake into `folder`.
fn cluster(table: &str, folder: &Path, arguments: &[&str]) -> String {
    let (source, target) = (fixtures::testdata("lakes/tea").join(table), folder.join("events"));
    let (ok, printed, told) = tributary_runs(&[&["cluster", text(&source), text(&target)], arguments].concat());
    assert!(ok, "{told}");
    printed
}

/// Questions that need users, times and every column.
const QUESTIONS: [&str; 6] = [
    "SELECT user_id, FUNNEL(event_time, event = 'page_view', event = 'product_view', event = 'add_to_cart',
            event = 'purchase', within => '7 days') AS level
     FROM events GROUP BY user_id ORDER BY user_id",
    "SELECT user_id, s.session_no, s.started_at, s.ended_at, s.event_count, s.cause
     FROM (SELECT user_id, unnest(SESSIONS(event_time, '30 minutes')) AS s FROM events GROUP BY user_id) AS visits
     ORDER BY 1, 2",
    "SELECT user_id, event_time, event,
            SESSIONIZE(event_time, '1 hour') OVER (PARTITION BY user_id ORDER BY event_time) AS session
     FROM events ORDER BY user_id, event_time, event, channel",
    "SELECT t.channel, sum(t.credit), sum(t.value)
     FROM (SELECT unnest(ATTRIBUTE_TOTALS('linear', event_time, channel, event = 'purchase', revenue)) AS t
           FROM events GROUP BY user_id) AS totals
     GROUP BY t.channel ORDER BY t.channel",
    "SELECT event, count(*), count(DISTINCT user_id), min(event_time), max(event_time), sum(revenue)
     FROM events GROUP BY event ORDER BY event",
    "SELECT * FROM events WHERE user_id = 'Eli' AND event_time > '2026-03-02' ORDER BY event_time, event",
];

/// All answers of a lake, as text.
async fn answers(lake: &Path, partitions: usize) -> Vec<String> {
    let server = Server::start(&[format!("shop={}", lake.display())]);
    let client = server.connect().await;
    let set = format!("SET datafusion.execution.target_partitions = {partitions}");
    client.batch_execute(&set).await.expect("it can be set");
    let mut answers = vec![];
    for question in QUESTIONS {
        let messages = client.simple_query(question).await.unwrap_or_else(|error| panic!("{question}: {error:?}"));
        let mut answer = String::new();
        for message in messages {
            if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                let values: Vec<&str> = (0..row.len()).map(|column| row.get(column).unwrap_or("NULL")).collect();
                let _ = writeln!(answer, "{}", values.join("|"));
            }
        }
        assert!(!answer.is_empty(), "{question}");
        answers.push(answer);
    }
    answers
}

#[tokio::test]
async fn the_server_answers_the_same_over_a_clustered_folder_as_over_its_source() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let raw = folder.path().join("raw");
    fs::create_dir_all(&raw).expect("it can be made");
    fs::copy(fixtures::testdata("lakes/tea/events.csv"), raw.join("events.csv")).expect("it can be copied");
    let expected = answers(&raw, 2).await;
    for (table, ranges) in [("events.csv", "1"), ("visits", "3"), ("visits", "40")] {
        let lake = folder.path().join(format!("{table}-in-{ranges}"));
        let printed = cluster(table, &lake, &["--ranges", ranges, "--memory-limit", "1MiB"]);
        assert!(printed.contains(" rows of 8 users in "), "{printed}");
        for partitions in [1, 2, 8] {
            assert_eq!(answers(&lake, partitions).await, expected, "{table} in {ranges}, {partitions} partitions");
        }
        let (ok, printed, told) = tributary_runs(&["check", text(&lake.join("events"))]);
        assert!(ok && printed.contains("nothing is wrong"), "{printed}{told}");
    }
}

#[test]
fn check_names_what_is_wrong_and_fails() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    cluster("events.csv", folder.path(), &["--ranges", "3"]);
    let table = folder.path().join("events");
    fs::remove_file(table.join("range-00001-generation-1.parquet")).expect("there are three");
    let (ok, printed, _) = tributary_runs(&["check", text(&table)]);
    assert!(!ok);
    assert!(printed.contains("range-00001-generation-1.parquet: is missing\n"), "{printed}");
    assert!(printed.contains("1 thing is wrong"), "{printed}");
}

#[test]
fn a_wrong_call_says_what_would_be_right() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let source = fixtures::testdata("lakes/tea/events.csv");
    let target = folder.path().join("events");
    let (ok, _, told) = tributary_runs(&["cluster", text(&source), text(&target), "--user-key", "visitor"]);
    assert!(!ok);
    for part in ["user key \"visitor\" is no column", "event_time, event, channel, revenue", "--user-key NAME"] {
        assert!(told.contains(part), "{part} is missing: {told}");
    }
    assert!(!target.exists());
    let (ok, _, told) = tributary_runs(&["check", text(folder.path())]);
    assert!(!ok && told.contains("it has no _tributary.json"), "{told}");
}

/// Starts a command and kills it at a moment.
fn kill_at(arguments: &[&str], moment: &dyn Fn() -> bool) {
    let mut run = tributary();
    let mut child =
        run.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let began_at = Instant::now();
    while !moment() {
        assert!(began_at.elapsed() < Duration::from_secs(60), "the run does not come so far");
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("it runs");
    child.wait().expect("a child can be waited for");
}

fn has_files(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

#[test]
fn killed_at_any_point_it_leaves_no_table_and_the_next_run_makes_it() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let mut csv = "user_id,event_time,event,page\n".to_owned();
    for row in 0..150_000_u32 {
        let (user, hour, page) = (row.wrapping_mul(2_654_435_761) % 5_000, row / 10_000, row % 977);
        let _ = writeln!(csv, "{user},2026-01-01 {hour:02}:{:02}:00,view,/product/{page}", row % 60);
    }
    let (raw, table) = (folder.path().join("raw.csv"), folder.path().join("events"));
    fs::write(&raw, csv).expect("it can be written");
    let (spilled, made) = (folder.path().join(".events.cluster/spill"), folder.path().join(".events.cluster/table"));
    let moments: [&dyn Fn() -> bool; 3] = [&|| spilled.exists(), &|| has_files(&spilled), &|| has_files(&made)];
    let arguments = ["cluster", text(&raw), text(&table), "--memory-limit", "1MiB", "--ranges", "16"];
    for moment in moments {
        kill_at(&arguments, moment);
        assert!(!table.exists(), "half a table is there");
        assert!(folder.path().join(".events.cluster").exists(), "it was killed too late");
    }
    let (ok, printed, told) = tributary_runs(&arguments);
    assert!(ok, "{told}");
    assert!(printed.contains("150,000 rows of 5,000 users in 16 ranges"), "{printed}");
    assert!(!folder.path().join(".events.cluster").exists());
    let (ok, printed, _) = tributary_runs(&["check", text(&table)]);
    assert!(ok, "{printed}");
}

/// The rows of the tests' `events.csv` in files of one part of them each: before and from each of the days.
fn parts(folder: &Path, days: &[&str]) -> Vec<String> {
    let all = fs::read_to_string(fixtures::testdata("lakes/tea/events.csv")).expect("it can be read");
    let (header, rows) = all.split_once('\n').expect("it has a header");
    let part_of = |row: &str| days.iter().filter(|day| row.split(',').nth(1).is_some_and(|time| time >= **day)).count();
    let write = |part: usize| {
        let mine: Vec<&str> = rows.lines().filter(|row| part_of(row) == part).collect();
        let path = folder.join(format!("part{part}/rows.csv"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(&path, format!("{header}\n{}\n", mine.join("\n"))).expect("it can be written");
        text(path.parent().expect("a folder")).to_owned()
    };
    (0..=days.len()).map(write).collect()
}

#[tokio::test]
async fn a_table_that_grows_by_days_answers_as_its_source_and_so_does_the_compact_one() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (raw, lake) = (folder.path().join("raw"), folder.path().join("lake"));
    fs::create_dir_all(&raw).expect("it can be made");
    fs::copy(fixtures::testdata("lakes/tea/events.csv"), raw.join("events.csv")).expect("it can be copied");
    let expected = answers(&raw, 2).await;
    let parts = parts(folder.path(), &["2026-03-03", "2026-03-06", "2026-03-08"]);
    let table = lake.join("events");
    let (ok, _, told) = tributary_runs(&["cluster", &parts[0], text(&table), "--ranges", "3"]);
    assert!(ok, "{told}");
    let (ok, _, told) = tributary_runs(&["cluster", &parts[1], text(&table)]);
    assert!(!ok && told.contains("is a clustered table already") && told.contains("--append"), "{told}");
    for (place, part) in parts[1..].iter().enumerate() {
        let (ok, printed, told) = tributary_runs(&["cluster", part, text(&table), "--append"]);
        assert!(ok && printed.contains(&format!("appended as generation {}", place + 2)), "{printed}{told}");
    }
    for partitions in [1, 2, 8] {
        assert_eq!(answers(&lake, partitions).await, expected, "generations, {partitions} partitions");
    }
    let (ok, printed, _) = tributary_runs(&["check", text(&table)]);
    assert!(ok && printed.contains("of 4 generations were checked, nothing is wrong"), "{printed}");
    let (ok, printed, told) = tributary_runs(&["compact", text(&table)]);
    assert!(ok && printed.contains("of generation 5"), "{printed}{told}");
    assert_eq!(answers(&lake, 2).await, expected, "compact");
    let (ok, printed, told) = tributary_runs(&["compact", text(&table)]);
    assert!(ok && printed.contains("nothing is to be merged"), "{printed}{told}");
    let (ok, printed, _) = tributary_runs(&["check", text(&table)]);
    assert!(ok && printed.contains("nothing is wrong"), "{printed}");
}

#[tokio::test]
async fn a_server_sees_what_is_appended_and_its_statements_go_on_over_a_compaction() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let parts = parts(folder.path(), &["2026-03-06"]);
    let (lake, table) = (folder.path().join("lake"), folder.path().join("lake/events"));
    let (ok, _, told) = tributary_runs(&["cluster", &parts[0], text(&table), "--ranges", "2"]);
    assert!(ok, "{told}");
    let server = Server::start(&[format!("shop={}", lake.display())]);
    let client = server.connect().await;
    let count = async || -> i64 {
        let row = client.query_one("SELECT count(event) FROM events WHERE event <> ''", &[]).await;
        row.expect("statements go on").get(0)
    };
    let before = count().await;
    let (ok, _, told) = tributary_runs(&["cluster", &parts[1], text(&table), "--append"]);
    assert!(ok, "{told}");
    let began_at = Instant::now();
    while count().await == before {
        assert!(began_at.elapsed() < Duration::from_secs(10), "the new rows are not seen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(count().await, 28);
    let sql = "SELECT count(event) FROM events WHERE event <> ''";
    let slow = server.connect().await;
    slow.batch_execute("BEGIN").await.expect("a transaction");
    assert_eq!(slow.query_one(sql, &[]).await.expect("a row").get::<_, i64>(0), 28);
    let mut run = tributary().args(["compact", text(&table)]).stdout(Stdio::null()).spawn().expect("it starts");
    loop {
        assert_eq!(count().await, 28);
        if run.try_wait().expect("it can be asked").is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(count().await, 28);
    // A transaction that is open all the while keeps to files that are gone.
    let error = slow.query_one(sql, &[]).await.expect_err("its files are gone");
    let error = error.as_db_error().expect("the server says it");
    assert_eq!(error.code().code(), "58P01", "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("begin the transaction again")), "{error:?}");
    slow.batch_execute("ROLLBACK; BEGIN").await.expect("it begins again");
    assert_eq!(slow.query_one(sql, &[]).await.expect("a row").get::<_, i64>(0), 28);
    let files = fixtures::files_below(&table, &["parquet"]);
    let is_compact = |file: &Path| text(file).contains("-generation-3-");
    assert!(files.len() == 2 && files.iter().all(|file| is_compact(file)), "{files:?}");
}

#[test]
fn an_append_that_is_killed_leaves_the_old_table_and_the_next_run_goes_on() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let csv = |name: &str, rows: std::ops::Range<u32>| -> String {
        let mut csv = "user_id,event_time,event\n".to_owned();
        for row in rows {
            let user = row.wrapping_mul(2_654_435_761) % 5_000;
            let _ = writeln!(csv, "{user},2026-01-{:02} 00:{:02}:00,view", row / 10_000 + 1, row % 60);
        }
        let path = folder.path().join(name);
        fs::write(&path, csv).expect("it can be written");
        text(&path).to_owned()
    };
    let (old, new, table) = (csv("old.csv", 0..1_000), csv("new.csv", 1_000..150_000), folder.path().join("events"));
    let (ok, _, told) = tributary_runs(&["cluster", &old, text(&table), "--ranges", "16"]);
    assert!(ok, "{told}");
    let hidden = folder.path().join(".events.cluster");
    let moments: [&dyn Fn() -> bool; 3] =
        [&|| hidden.exists(), &|| has_files(&hidden.join("spill")), &|| has_files(&hidden.join("table"))];
    let arguments = ["cluster", &new, text(&table), "--append", "--memory-limit", "1MiB"];
    for moment in moments {
        kill_at(&arguments, moment);
        assert!(hidden.exists(), "it was killed too late");
        let (ok, printed, _) = tributary_runs(&["check", text(&table)]);
        assert!(ok && printed.contains("1,000 rows"), "{printed}");
    }
    let (ok, printed, told) = tributary_runs(&arguments);
    assert!(ok && printed.contains("149,000 rows of 5,000 users in 16 ranges"), "{printed}{told}");
    assert!(!hidden.exists());
    let (ok, printed, _) = tributary_runs(&["check", text(&table)]);
    assert!(ok && printed.contains("150,000 rows in 32 files of 2 generations"), "{printed}");
}

/// The files of the clustered table of the tests' lake as plain Parquet, without their manifest.
fn sorted_files(folder: &Path) {
    fs::create_dir_all(folder).expect("it can be made");
    for file in fixtures::files_below(&fixtures::testdata("lakes/tea/clustered"), &["parquet"]) {
        fs::copy(&file, folder.join(file.file_name().expect("a file has a name"))).expect("it can be copied");
    }
}

#[tokio::test]
async fn a_folder_that_the_config_calls_sorted_is_checked_and_then_believed() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (lake, config) = (folder.path().join("lake"), folder.path().join("tributary.toml"));
    sorted_files(&lake.join("events"));
    sorted_files(&lake.join("twice"));
    fs::copy(lake.join("twice/range-00001-generation-1.parquet"), lake.join("twice/again.parquet")).expect("a copy");
    let sections = "[tables.events]\nsorted = true\n[tables.\"shop.twice\"]\nsorted = true\n";
    fs::write(&config, sections).expect("it can be written");
    let server = Server::start_with(&[format!("shop={}", lake.display())], &["--config", text(&config)]);
    let client = server.connect().await;
    client.batch_execute("SET datafusion.execution.target_partitions = 4").await.expect("it can be set");

    let sql = "SELECT user_id, count(event) FROM events GROUP BY user_id";
    let plan = client.query(&format!("EXPLAIN {sql}"), &[]).await.expect("a plan");
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    let plan = plan.join("\n");
    assert!(plan.contains("output_partitioning=Range([user_id@0 ASC NULLS LAST]"), "{plan}");
    assert!(!plan.contains("RepartitionExec"), "{plan}");
    assert_eq!(client.query(sql, &[]).await.expect("rows").len(), 8);

    let error = client.query("SELECT count(event) FROM twice", &[]).await.expect_err("a user is in two files");
    let error = error.as_db_error().expect("the server says it");
    assert_eq!(error.code().code(), "22000");
    assert!(error.message().contains("again.parquet") && error.message().contains("overlap"), "{error:?}");

    fs::write(&config, "[tables.evnets]\nsorted = true\n").expect("it can be written");
    let lake = format!("shop={}", lake.display());
    let listen = ["--listen", "127.0.0.1:0", "--config", text(&config)];
    let (ok, _, told) = tributary_runs(&[&["serve", "--lake", &lake], &listen[..]].concat());
    assert!(!ok);
    assert!(told.contains("[tables.evnets]"), "{told}");
}
