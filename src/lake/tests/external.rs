use std::collections::HashMap;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::logical_expr::col;

use super::*;
use crate::lake::{Format, LakeTable};

async fn external(
    folder: &Path,
    format: Format,
    schema: Option<Schema>,
    options: &[(&str, &str)],
) -> crate::error::Result<Arc<LakeTable>> {
    let options = options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let runtime = Arc::new(RuntimeEnv::default());
    LakeTable::external(&runtime, folder.to_str().unwrap(), format, schema.map(Arc::new), options, vec![], vec![]).await
}

async fn ask_table(table: &LakeTable, sql: &str) -> Result<Vec<String>, DataFusionError> {
    let context = SessionContext::new();
    context.register_table("t", table.provider().await.unwrap()).unwrap();
    answer(&context, sql).await
}

#[tokio::test]
async fn a_declared_type_is_the_tables_type() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.parquet"), &rows(vec![("a", ints(&[1])), ("b", texts(&["x"]))]));
    let schema = Schema::new(vec![
        Field::new("a", DataType::Float64, true),
        Field::new("b", DataType::Int64, true),
        Field::new("z", DataType::Utf8, true),
    ]);
    let table = external(folder.path(), Format::Parquet, Some(schema), &[]).await.unwrap();
    assert_eq!(ask_table(&table, "select a, z from t").await.unwrap(), ["1.0|"]);
    let error = ours(&ask_table(&table, "select b from t").await.unwrap_err());
    assert_eq!(error.state.0, "22023");
    assert!(error.message.contains("declared bigint") && error.message.contains("/a.parquet'"), "{error}");
}

#[tokio::test]
async fn options_of_csv_hold_and_unknown_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_text(&folder.path().join("a.csv"), "1;x\n2;y\n");
    let options = [("has_header", "false"), ("format.delimiter", ";")];
    let schema = Schema::new(vec![Field::new("n", DataType::Int32, true), Field::new("s", DataType::Utf8, true)]);
    let table = external(folder.path(), Format::Csv, Some(schema), &options).await.unwrap();
    assert_eq!(ask_table(&table, "select n, s from t order by n").await.unwrap(), ["1|x", "2|y"]);
    let narrow = Schema::new(vec![Field::new("n", DataType::Int32, true)]);
    let table = external(folder.path(), Format::Csv, Some(narrow), &options).await.unwrap();
    let error = ours(&ask_table(&table, "select n from t").await.unwrap_err());
    assert!(error.message.contains("has 2 columns, the table declares 1"), "{error}");
    let error = external(folder.path(), Format::Csv, None, &[("delimeter", ";")]).await.unwrap_err();
    assert_eq!(error.state.0, "22023");
    assert!(error.message.contains("delimeter"), "{error}");
    assert_eq!(external(folder.path(), Format::Parquet, None, &[("x", "1")]).await.unwrap_err().state.0, "22023");
}

#[tokio::test]
async fn a_declared_order_becomes_the_order_of_the_scan() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.parquet"), &rows(vec![("a", ints(&[1, 2])), ("b", ints(&[1, 1]))]));
    write(&folder.path().join("b.parquet"), &rows(vec![("a", ints(&[3, 4])), ("b", ints(&[1, 1]))]));
    let runtime = Arc::new(RuntimeEnv::default());
    let location = folder.path().to_str().unwrap();
    let order = vec![vec![col("a").sort(true, false)]];
    let table =
        LakeTable::external(&runtime, location, Format::Parquet, None, HashMap::new(), order, vec![]).await.unwrap();
    let plan = ask_table(&table, "explain select a from t order by a").await.unwrap().join("\n");
    assert!(!plan.contains("SortExec"), "{plan}");
    let order = vec![vec![col("nothing").sort(true, false)]];
    let refused = LakeTable::external(&runtime, location, Format::Parquet, None, HashMap::new(), order, vec![]).await;
    assert_eq!(refused.unwrap_err().state.0, "42703");
}

#[tokio::test]
async fn an_external_table_sees_new_files_and_a_missing_place_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.parquet"), &rows(vec![("a", ints(&[1]))]));
    let table = external(folder.path(), Format::Parquet, None, &[]).await.unwrap();
    write(&folder.path().join("b.parquet"), &rows(vec![("a", ints(&[2]))]));
    tokio::time::sleep(crate::lake::LISTING_AGE + std::time::Duration::from_millis(50)).await;
    assert_eq!(ask_table(&table, "select sum(a) from t").await.unwrap(), ["3"]);
    let error = external(&folder.path().join("nothing"), Format::Parquet, None, &[]).await.unwrap_err();
    assert_eq!(error.state.0, "58P01");
}

#[tokio::test]
async fn an_empty_folder_needs_declared_columns() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(external(folder.path(), Format::Parquet, None, &[]).await.unwrap_err().state.0, "58P01");
    let schema = Schema::new(vec![Field::new("a", DataType::Int64, true)]);
    let table = external(folder.path(), Format::Parquet, Some(schema), &[]).await.unwrap();
    assert_eq!(ask_table(&table, "select count(*) from t").await.unwrap(), ["0"]);
}
