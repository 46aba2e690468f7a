use std::io::Write;

use super::*;

#[tokio::test]
async fn csv_columns_are_matched_by_name_not_by_place() {
    let folder = tempfile::tempdir().unwrap();
    write_text(&folder.path().join("t/1.csv"), "a,b,c\n1,x,0.5\n2,,1\n");
    write_text(&folder.path().join("t/2.csv"), "b,a\ny,3\n");
    write_text(&folder.path().join("t/k/3.csv"), "a,b,c\n4,\"two\nlines\",2\n");
    let found = ask(folder.path(), "select a, b, c from t order by a").await.unwrap();
    assert_eq!(found, ["1|x|0.5", "2||1.0", "3|y|", "4|two\nlines|2.0"]);
    assert_eq!(ask(folder.path(), "select sum(a) from t where b = 'y'").await.unwrap(), ["3"]);
    assert_eq!(ask(folder.path(), "select count(*) from t").await.unwrap(), ["4"]);
    assert_eq!(ask(folder.path(), "select c from t order by c nulls first limit 1").await.unwrap(), [""]);
}

#[tokio::test]
async fn csv_columns_whose_files_disagree_are_text() {
    let folder = tempfile::tempdir().unwrap();
    write_text(&folder.path().join("t/1.csv"), "a\n1\n");
    write_text(&folder.path().join("t/2.csv"), "a\nx1\n");
    assert_eq!(ask(folder.path(), "select a from t order by a").await.unwrap(), ["1", "x1"]);
}

#[tokio::test]
async fn csv_folders_have_partitions_too() {
    let folder = tempfile::tempdir().unwrap();
    write_text(&folder.path().join("t/k=1/a.csv"), "a,k\n10,99\n");
    write_text(&folder.path().join("t/k=2/a.csv"), "a\n20\n");
    assert_eq!(ask(folder.path(), "select k, a from t order by k").await.unwrap(), ["1|10", "2|20"]);
    assert_eq!(ask(folder.path(), "select a from t where k = 2").await.unwrap(), ["20"]);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_names_the_file_and_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "a,b\n".to_owned();
    (0..3000).for_each(|number| text.push_str(&format!("{number},x\n")));
    write_text(&folder.path().join("value.csv"), &format!("{text}oops,x\n"));
    write_text(&folder.path().join("width.csv"), &format!("{text}1\n"));
    let error = ours(&ask(folder.path(), "select sum(a) from value").await.unwrap_err());
    assert_eq!(error.state.0, "22P02");
    assert!(error.message.contains("/value.csv'") && error.message.contains("oops"), "{error}");
    assert!(error.message.contains("3002") || error.message.contains("3001"), "no line: {error}");
    let error = ours(&ask(folder.path(), "select sum(a) from width").await.unwrap_err());
    assert!(error.message.contains("/width.csv'") && error.message.contains("line 300"), "{error}");
}

#[tokio::test]
async fn json_lines_are_a_table_with_missing_keys_null() {
    let folder = tempfile::tempdir().unwrap();
    write_text(&folder.path().join("t/1.ndjson"), "{\"a\":1,\"b\":\"x\"}\n{\"a\":2}\n");
    write_text(&folder.path().join("t/2.jsonl"), "{\"c\":true,\"a\":2.5}\n");
    write_text(&folder.path().join("t/3.json"), "{\"a\":4}\n");
    let found = ask(folder.path(), "select a, b, c from t order by a").await.unwrap();
    assert_eq!(found, ["1.0|x|", "2.0||", "2.5||true", "4.0||"]);
}

#[tokio::test]
async fn a_bad_json_line_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    (0..3000).for_each(|number| text.push_str(&format!("{{\"a\":{number}}}\n")));
    write_text(&folder.path().join("t.ndjson"), &format!("{text}{{\"a\":oops}}\n"));
    let error = ours(&ask(folder.path(), "select sum(a) from t").await.unwrap_err());
    assert_eq!(error.state.0, "22P02");
    assert!(error.message.contains("/t.ndjson'"), "{error}");
}

#[tokio::test]
async fn compressed_text_is_read() {
    let folder = tempfile::tempdir().unwrap();
    write_text(&folder.path().join("t/1.csv"), "a\n1\n");
    let mut gzip = std::process::Command::new("gzip")
        .arg("-c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::fs::File::create(folder.path().join("t/2.csv.gz")).unwrap())
        .spawn()
        .unwrap();
    gzip.stdin.take().unwrap().write_all(b"a\n2\n").unwrap();
    assert!(gzip.wait().unwrap().success());
    assert_eq!(ask(folder.path(), "select sum(a) from t").await.unwrap(), ["3"]);
}
