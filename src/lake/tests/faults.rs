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
