//! Files that come, go and are broken, and a server that cannot start.

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_postgres::Client;

use super::{db_error, failure};
use crate::fixtures;
use crate::server::{Server, run, tributary};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn parquet() -> Vec<u8> {
    std::fs::read(fixtures::testdata("lakes/tea/by_day/day=2026-03-01/part.parquet")).expect("the file is committed")
}

fn serve(folder: &TempDir) -> Server {
    Server::start(&[format!("shop={}", folder.path().display())])
}

async fn count(client: &Client, table: &str) -> Result<i64, tokio_postgres::Error> {
    Ok(client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?.get(0))
}

#[tokio::test]
async fn a_new_file_is_seen_within_five_seconds() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("orders")).expect("an empty folder");
    write(&folder.path().join("orders/a.parquet"), parquet());
    let server = serve(&folder);
    let client = server.connect().await;
    assert_eq!(count(&client, "orders").await.expect("the table is there"), 2);
    write(&folder.path().join("orders/b.parquet"), parquet());
    write(&folder.path().join("people.csv"), "name\nAna\n");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(count(&client, "orders").await.expect("a file more"), 4);
    assert_eq!(count(&client, "people").await.expect("a table more"), 1);
}

#[tokio::test]
async fn a_file_that_is_removed_is_gone_from_its_table() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("orders")).expect("an empty folder");
    for name in ["a", "b"] {
        write(&folder.path().join(format!("orders/{name}.parquet")), parquet());
    }
    let server = serve(&folder);
    let client = server.connect().await;
    assert_eq!(count(&client, "orders").await.expect("the table is there"), 4);
    std::fs::remove_file(folder.path().join("orders/b.parquet")).expect("it can be removed");
    let started = Instant::now();
    while count(&client, "orders").await.ok() != Some(2) {
        assert!(started.elapsed() < Duration::from_secs(5), "the file is still read");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_half_written_file_is_named_and_other_tables_work() {
    let folder = folder();
    let whole = parquet();
    std::fs::create_dir(folder.path().join("orders")).expect("an empty folder");
    write(&folder.path().join("orders/whole.parquet"), &whole);
    write(&folder.path().join("orders/half.parquet"), &whole[..whole.len() / 2]);
    write(&folder.path().join("noise.parquet"), "these are no columns of anything");
    write(&folder.path().join("people.csv"), "name\nAna\n");
    let server = serve(&folder);
    let client = server.connect().await;
    for (table, file) in [("orders", "half.parquet"), ("noise", "noise.parquet")] {
        let error = count(&client, table).await.expect_err("the file cannot be read");
        let error = db_error(&error);
        assert_eq!(error.code().code(), "XX001", "{error}");
        assert!(error.message().contains(file), "{error}");
    }
    assert_eq!(count(&client, "people").await.expect("another table"), 1);
    // Once it is whole, the table works without a restart.
    write(&folder.path().join("orders/half.parquet"), &whole);
    let started = Instant::now();
    while count(&client, "orders").await.ok() != Some(4) {
        assert!(started.elapsed() < Duration::from_secs(10), "the repaired file is not seen");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Overwrites what a Parquet file has between its first bytes and its footer.
fn with_spoilt_body(mut file: Vec<u8>) -> Vec<u8> {
    let length = file.len();
    let footer = u32::from_le_bytes(file[length - 8..length - 4].try_into().expect("four bytes")) as usize + 8;
    file[4..length - footer].fill(0xA5);
    file
}

#[tokio::test]
async fn damage_behind_a_sound_footer_is_named_by_every_query_that_reads_it() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("sales")).expect("an empty folder");
    write(&folder.path().join("sales/whole.parquet"), parquet());
    write(&folder.path().join("sales/spoilt.parquet"), with_spoilt_body(parquet()));
    write(&folder.path().join("sold.parquet"), parquet());
    write(&folder.path().join("people.csv"), "name\nDiana\n");
    let server = serve(&folder);
    let client = server.connect().await;
    for sql in [
        "SELECT * FROM sales",
        "SELECT sum(orders) FROM sales WHERE orders > 5",
        "SELECT orders, count(*) FROM sales GROUP BY orders ORDER BY orders LIMIT 1",
        "SELECT p.name FROM people AS p JOIN sales AS s ON s.orders = character_length(p.name)",
        "SELECT funnel(to_timestamp(orders), '1 day', orders = 5) FROM sales",
        "SELECT orders FROM sold UNION SELECT orders FROM sales",
    ] {
        for partitions in [1, 4] {
            let set = format!("SET datafusion.execution.target_partitions = {partitions}");
            client.batch_execute(&set).await.expect("it can be set");
            let error = client.query(sql, &[]).await.expect_err(sql);
            let error = db_error(&error);
            assert_eq!(error.code().code(), "XX001", "{sql}: {error}");
            assert!(error.message().contains("sales/spoilt.parquet"), "{sql}: {error}");
            assert!(error.detail().is_some_and(|cause| !cause.is_empty()), "{sql}: {error:?}");
        }
    }
    // The connection goes on, as do other tables and what the footer alone answers.
    assert_eq!(count(&client, "people").await.expect("another table"), 1);
    assert_eq!(count(&client, "sales").await.expect("the footers count the rows"), 4);
    let sold = client.query_one("SELECT sum(orders)::bigint FROM sold", &[]).await.expect("another table");
    assert_eq!(sold.get::<_, i64>(0), 11);
}

#[tokio::test]
async fn a_csv_row_that_cannot_be_read_names_its_file() {
    let folder = folder();
    write(&folder.path().join("people.csv"), "name,age\nAna,31\nBo,40,and,more\n");
    write(&folder.path().join("cities.csv"), "city\n杭州\n");
    let server = serve(&folder);
    let client = server.connect().await;
    let error = client.simple_query("SELECT * FROM people").await.expect_err("a row has too many fields");
    let error = db_error(&error);
    assert!(error.message().contains("people.csv"), "{error}");
    assert_eq!(count(&client, "cities").await.expect("another table"), 1);
}

#[tokio::test]
async fn an_external_table_reads_a_file_where_it_is() {
    let folder = folder();
    write(&folder.path().join("people.csv"), "name,age\nAna,31\n");
    let elsewhere = fixtures::testdata("lakes/tea/drift");
    let server = serve(&folder);
    let client = server.connect().await;
    client
        .batch_execute(&format!("CREATE EXTERNAL TABLE drift STORED AS PARQUET LOCATION '{}/'", elsewhere.display()))
        .await
        .expect("the folder is there");
    assert_eq!(count(&client, "drift").await.expect("it is a table"), 3);
    let missing = "CREATE EXTERNAL TABLE none STORED AS PARQUET LOCATION '/no/such/folder/'";
    let (state, message) = failure(client.simple_query(missing).await);
    assert_eq!(state, "58P01", "{message}");
    assert!(message.contains("/no/such/folder"), "{message}");
    client.batch_execute("DROP TABLE drift").await.expect("it can be dropped");
    assert_eq!(failure(client.simple_query("SELECT * FROM drift").await).0, "42P01");
}

#[test]
fn a_port_in_use_is_named_with_a_way_out() {
    let server = Server::shared();
    let address = server.address().to_string();
    let output = run(tributary().args(["serve", "--listen", &address, "--lake", &fixtures::golden_lake()]));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(told.contains(&address) && told.contains("--listen 127.0.0.1:0"), "{told}");
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn a_lake_that_does_not_exist_is_named() {
    let output = run(tributary().args(["serve", "--listen", "127.0.0.1:0", "--lake", "shop=/no/such/lake"]));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(told.contains("/no/such/lake"), "{told}");
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn a_server_without_a_lake_says_how_to_name_one() {
    let output = run(tributary().args(["serve", "--listen", "127.0.0.1:0"]));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(told.contains("no lake") && told.contains("--lake PATH"), "{told}");
}

#[test]
fn an_address_that_others_reach_needs_a_word_of_trust() {
    let lake = fixtures::golden_lake();
    let output = run(tributary().args(["serve", "--listen", "0.0.0.0:0", "--lake", &lake]));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(told.contains("--trust-network"), "{told}");
}
