use std::fs;
use std::sync::Arc;

use futures::StreamExt;

use super::*;

/// Two values a file: of a column with one value a scan reads the footer alone.
fn two_files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("t/p=1/a.parquet"), &rows(vec![("a", ints(&[1, 11]))]));
    write(&folder.path().join("t/p=2/b.parquet"), &rows(vec![("a", ints(&[2, 22]))]));
    folder
}

fn halve(path: &std::path::Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

#[tokio::test]
async fn a_half_written_file_is_named_by_the_queries_that_need_it() {
    let folder = two_files();
    write(&folder.path().join("users.parquet"), &rows(vec![("a", ints(&[1]))]));
    halve(&folder.path().join("t/p=2/b.parquet"));
    write_text(&folder.path().join("rubbish.parquet"), "these are not the bytes of a Parquet file");
    let (lake, runtime) = open(folder.path()).await;
    let context = session(&lake, &runtime, 2).await;
    let error = ours(&answer(&context, "select sum(a) from t").await.unwrap_err());
    assert_eq!(error.state.0, "XX001");
    assert!(error.message.contains("/t/p=2/b.parquet'"), "{error}");
    assert_eq!(answer(&context, "select a from t where p = 1 order by a").await.unwrap(), ["1", "11"]);
    assert_eq!(answer(&context, "select a from users").await.unwrap(), ["1"]);
    let error = lake.tables()["rubbish"].schema().await.unwrap_err();
    assert_eq!(error.state.0, "XX001");
    assert!(error.message.contains("/rubbish.parquet'"), "{error}");
    assert!(lake.tables()["rubbish"].known_schema().is_none());
}

#[tokio::test]
async fn a_file_that_is_completed_later_is_read_then() {
    let folder = two_files();
    let file = folder.path().join("t/p=2/b.parquet");
    let whole = fs::read(&file).unwrap();
    halve(&file);
    let (lake, runtime) = open(folder.path()).await;
    assert!(answer(&session(&lake, &runtime, 2).await, "select sum(a) from t").await.is_err());
    fs::write(&file, whole).unwrap();
    tokio::time::sleep(crate::lake::LISTING_AGE + std::time::Duration::from_millis(50)).await;
    lake.refresh().await.unwrap();
    assert_eq!(answer(&session(&lake, &runtime, 2).await, "select sum(a) from t").await.unwrap(), ["36"]);
}

#[tokio::test]
async fn a_file_that_is_gone_is_named() {
    let folder = two_files();
    let (lake, runtime) = open(folder.path()).await;
    let context = session(&lake, &runtime, 2).await;
    fs::remove_file(folder.path().join("t/p=2/b.parquet")).unwrap();
    let error = ours(&answer(&context, "select a from t").await.unwrap_err());
    assert_eq!(error.state.0, "58P01");
    assert!(error.message.contains("/t/p=2/b.parquet'"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_replaced_is_never_read_as_if_it_were_the_old_one() {
    let folder = two_files();
    let (lake, runtime) = open(folder.path()).await;
    let context = session(&lake, &runtime, 2).await;
    // The footer of the old version is in the cache; the new one has the same size.
    assert_eq!(answer(&context, "select a from t order by a").await.unwrap(), ["1", "2", "11", "22"]);
    let file = folder.path().join("t/p=2/b.parquet");
    write(&folder.path().join("t/p=2/.new"), &rows(vec![("a", ints(&[7, 77]))]));
    fs::rename(folder.path().join("t/p=2/.new"), &file).unwrap();
    touch(&file, 1);
    let error = ours(&answer(&context, "select a from t").await.unwrap_err());
    assert_eq!(error.state.0, "58030");
    assert!(error.message.contains("/t/p=2/b.parquet' was replaced"), "{error}");
}

#[tokio::test]
async fn a_file_replaced_in_mid_query_ends_the_query() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.parquet");
    let numbers: Vec<i64> = (0..200_000).collect();
    let options = crate::lake::ParquetOptions { row_group_rows: 10_000, ..Default::default() };
    let batch = rows(vec![("a", ints(&numbers))]);
    let schema = batch.schema();
    crate::lake::write_parquet(&file, Arc::clone(&schema), std::iter::once(batch.clone()), &options).unwrap();
    let (lake, runtime) = open(folder.path()).await;
    let context = session(&lake, &runtime, 1).await;
    let mut stream = context.sql("select a from t").await.unwrap().execute_stream().await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    crate::lake::write_parquet(&file, schema, std::iter::once(batch), &options).unwrap();
    let error = loop {
        match stream.next().await {
            Some(Ok(_)) => continue,
            Some(Err(error)) => break ours(&error),
            None => panic!("the query read a file that was replaced under it"),
        }
    };
    assert!(error.message.contains("/t.parquet' was replaced"), "{error}");
}

#[tokio::test]
async fn what_the_query_does_wrong_is_not_blamed_on_the_file() {
    let folder = two_files();
    let error = ask(folder.path(), "select 1 / (a - 1) from t").await.unwrap_err();
    assert!(error.to_string().to_lowercase().contains("divide by zero"), "{error}");
}

/// Overwrites what a file has before its footer, which stays as it was.
fn spoil_body(path: &std::path::Path) {
    let mut bytes = fs::read(path).unwrap();
    let length = bytes.len();
    let footer = u32::from_le_bytes(bytes[length - 8..length - 4].try_into().unwrap()) as usize + 8;
    bytes[4..length - footer].fill(0xA5);
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn damage_behind_a_sound_footer_is_named_by_every_query_that_reads_it() {
    let folder = two_files();
    write(&folder.path().join("users.parquet"), &rows(vec![("a", ints(&[1, 2]))]));
    spoil_body(&folder.path().join("t/p=2/b.parquet"));
    let (lake, runtime) = open(folder.path()).await;
    for partitions in [1, 8] {
        let context = session(&lake, &runtime, partitions).await;
        context.sql("set datafusion.execution.parquet.pushdown_filters = true").await.unwrap().collect().await.unwrap();
        for sql in [
            "select a from t",
            "select sum(a) from t where a > 1",
            "select p, count(distinct a) from t group by p",
            "select u.a from users as u join t on t.a = u.a",
            "select a from t order by a desc limit 1",
            "select a from users where a in (select a from t)",
            "select a, row_number() over (order by a) from t",
            "select a from users union all select a from t",
        ] {
            let error = ours(&answer(&context, sql).await.expect_err(sql));
            assert_eq!(error.state.0, "XX001", "{sql}: {error}");
            assert!(error.message.contains("/t/p=2/b.parquet' is not readable Parquet"), "{sql}: {error}");
            assert!(error.detail.is_some(), "{sql}: the cause is told");
        }
        assert_eq!(answer(&context, "select a from t where p = 1 order by a").await.unwrap(), ["1", "11"]);
        assert_eq!(answer(&context, "select count(*) from t").await.unwrap(), ["4"]);
        assert_eq!(answer(&context, "select a from users order by a").await.unwrap(), ["1", "2"]);
    }
}

#[tokio::test]
async fn compressed_pages_with_a_flipped_byte_are_damage_and_not_a_failure_of_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.parquet");
    let numbers: Vec<i64> = (0..50_000).map(|n| n * 7919 % 10_007).collect();
    let batch = rows(vec![("a", ints(&numbers))]);
    crate::lake::write_parquet(&file, batch.schema(), std::iter::once(batch), &Default::default()).unwrap();
    let whole = fs::read(&file).unwrap();
    // Most places break the decompression; a few only change values, which no format without checksums can tell.
    let mut named = 0;
    for place in (100..whole.len() - 1000).step_by(whole.len() / 12) {
        let mut bytes = whole.clone();
        bytes[place..place + 40].iter_mut().for_each(|byte| *byte ^= 0xFF);
        fs::write(&file, bytes).unwrap();
        match ask(folder.path(), "select sum(a), count(distinct a) from t").await {
            Ok(_) => {}
            Err(error) => {
                let error = ours(&error);
                assert_eq!(error.state.0, "XX001", "byte {place}: {error}");
                assert!(error.message.contains("/t.parquet'"), "byte {place}: {error}");
                named += 1;
            }
        }
    }
    assert!(named > 3, "{named} damages were noticed");
}

#[tokio::test]
async fn a_filter_that_fails_inside_the_scan_is_not_blamed_on_the_file() {
    let folder = two_files();
    let (lake, runtime) = open(folder.path()).await;
    let context = session(&lake, &runtime, 2).await;
    context.sql("set datafusion.execution.parquet.pushdown_filters = true").await.unwrap().collect().await.unwrap();
    let error = answer(&context, "select a from t where 1 / (a - 1) > 0").await.unwrap_err();
    assert!(error.to_string().contains("DivideByZero"), "{error}");
    assert!(!error.to_string().contains("parquet'"), "{error}");
}
