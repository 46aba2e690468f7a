use datafusion::arrow::array::*;
use datafusion::arrow::datatypes::{DataType, Int8Type, Int32Type};

use super::*;

/// Writes the column `c` of each file and opens the folder as table `t`, with the rows numbered.
fn folder_of(columns: Vec<ArrayRef>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut number = 0;
    for (index, column) in columns.into_iter().enumerate() {
        let numbers: Vec<i64> = (number..number + column.len() as i64).collect();
        number += column.len() as i64;
        write(&folder.path().join(format!("t/{index}.parquet")), &rows(vec![("n", ints(&numbers)), ("c", column)]));
    }
    folder
}

async fn widened(columns: Vec<ArrayRef>) -> (String, Vec<String>) {
    let folder = folder_of(columns);
    let (lake, runtime) = open(folder.path()).await;
    let schema = lake.tables()["t"].schema().await.unwrap();
    let context = session(&lake, &runtime, 2).await;
    let values = answer(&context, "select c from t order by n").await.unwrap();
    (schema.field_with_name("c").unwrap().data_type().to_string(), values)
}

#[tokio::test]
async fn integers_widen_to_the_larger() {
    let (data_type, values) = widened(vec![
        Arc::new(Int16Array::from(vec![-1])),
        ints(&[1 << 40]),
        Arc::new(UInt32Array::from(vec![u32::MAX])),
    ])
    .await;
    assert_eq!(
        (data_type.as_str(), values),
        ("Int64", vec!["-1".into(), (1_i64 << 40).to_string(), u32::MAX.to_string()])
    );
    let (data_type, _) = widened(vec![Arc::new(UInt8Array::from(vec![1])), Arc::new(Int8Array::from(vec![1]))]).await;
    assert_eq!(data_type, "Int16");
}

#[tokio::test]
async fn integers_widen_to_double_where_a_file_has_double() {
    let (data_type, values) = widened(vec![ints(&[1]), Arc::new(Float64Array::from(vec![1.5]))]).await;
    assert_eq!((data_type.as_str(), values), ("Float64", vec!["1.0".into(), "1.5".into()]));
}

#[tokio::test]
async fn any_encoding_of_text_is_text() {
    let dictionary: DictionaryArray<Int8Type> = vec![Some("b"), None].into_iter().collect();
    let wide: DictionaryArray<Int32Type> = vec![Some("e")].into_iter().collect();
    let (data_type, values) = widened(vec![
        texts(&["a"]),
        Arc::new(dictionary),
        Arc::new(LargeStringArray::from(vec!["c"])),
        Arc::new(StringViewArray::from(vec!["d"])),
        Arc::new(wide),
    ])
    .await;
    assert_eq!((data_type.as_str(), values.join(",").as_str()), ("Utf8View", "a,b,,c,d,e"));
}

#[tokio::test]
async fn decimals_widen_on_both_sides_of_the_point() {
    let decimal = |value: i128, precision, scale| -> ArrayRef {
        Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale).unwrap())
    };
    let (data_type, values) = widened(vec![decimal(1234, 6, 2), decimal(12345, 10, 4), ints(&[7])]).await;
    assert_eq!((data_type.as_str(), values.join(",").as_str()), ("Decimal128(23, 4)", "12.3400,1.2345,7.0000"));
}

#[tokio::test]
async fn nanoseconds_are_floored_and_other_units_multiplied() {
    let nanos = vec![1_999, -1, -1_000, -1_001, 1_704_067_199_999_999_999];
    let (data_type, values) = widened(vec![
        Arc::new(TimestampNanosecondArray::from(nanos)),
        Arc::new(TimestampMicrosecondArray::from(vec![1_704_067_200_000_000, -1])),
        Arc::new(TimestampMillisecondArray::from(vec![-1])),
        Arc::new(TimestampSecondArray::from(vec![1])),
    ])
    .await;
    assert_eq!(data_type, "Timestamp(µs)");
    assert_eq!(
        values,
        [
            "1970-01-01T00:00:00.000001",
            "1969-12-31T23:59:59.999999",
            "1969-12-31T23:59:59.999999",
            "1969-12-31T23:59:59.999998",
            "2023-12-31T23:59:59.999999",
            "2024-01-01T00:00:00",
            "1969-12-31T23:59:59.999999",
            "1969-12-31T23:59:59.999",
            "1970-01-01T00:00:01",
        ]
    );
}

#[tokio::test]
async fn comparisons_with_a_constant_choose_the_same_rows_in_every_unit() {
    // The same instants, in each unit that can say them, and around the borders where it cannot.
    let folder = folder_of(vec![
        Arc::new(TimestampNanosecondArray::from(vec![-1_001, -1_000, -1, 0, 999, 1_000, 1_001, 1_999, 2_000])),
        Arc::new(TimestampMicrosecondArray::from(vec![-2, -1, 0, 1, 2, 1_000])),
        Arc::new(TimestampMillisecondArray::from(vec![-1, 0, 1])),
        Arc::new(TimestampSecondArray::from(vec![-1, 0, 1])),
    ]);
    let (lake, runtime) = open(folder.path()).await;
    for pushdown in [true, false] {
        let context = session(&lake, &runtime, 2).await;
        let set = format!("set datafusion.execution.parquet.pushdown_filters = {pushdown}");
        context.sql(&set).await.unwrap().collect().await.unwrap();
        for op in ["<", "<=", ">", ">=", "=", "<>"] {
            for micros in [-1_000_000_i64, -1_000, -999, -2, -1, 0, 1, 2, 999, 1_000, 1_001, 1_000_000] {
                let constant = format!("arrow_cast({micros}, 'Timestamp(Microsecond, None)')");
                let pushed =
                    answer(&context, &format!("select n from t where c {op} {constant} order by n")).await.unwrap();
                // Cast to integers, the comparison cannot be pushed to files.
                let plain = format!("select n from t where cast(c as bigint) {op} {micros} order by n");
                assert_eq!(pushed, answer(&context, &plain).await.unwrap(), "c {op} {micros} us");
                let turned = format!("select n from t where not ({constant} {op} c) order by n");
                let plain = format!("select n from t where not ({micros} {op} cast(c as bigint)) order by n");
                assert_eq!(answer(&context, &turned).await.unwrap(), answer(&context, &plain).await.unwrap());
            }
        }
        assert_eq!(
            answer(&context, "select min(cast(c as bigint)), max(cast(c as bigint)) from t").await.unwrap(),
            ["-1000000|1000000"]
        );
        assert_eq!(
            answer(&context, "select min(c), max(c) from t").await.unwrap(),
            ["1969-12-31T23:59:59|1970-01-01T00:00:01"]
        );
    }
}

#[tokio::test]
async fn instants_of_any_zone_are_utc_and_do_not_mix_with_wall_clock() {
    let zoned = |zone: &str| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![0]).with_timezone(zone)) };
    let (data_type, values) = widened(vec![zoned("Europe/Berlin"), zoned("+08:00")]).await;
    assert_eq!(
        (data_type.as_str(), values.join(",").as_str()),
        ("Timestamp(µs, \"UTC\")", "1970-01-01T00:00:00Z,1970-01-01T00:00:00Z")
    );
    let folder = folder_of(vec![zoned("UTC"), Arc::new(TimestampMicrosecondArray::from(vec![0]))]);
    let error = ask(folder.path(), "select c from t").await.unwrap_err();
    assert!(ours(&error).message.contains("timestamp with time zone"), "{error}");
}

#[tokio::test]
async fn a_timestamp_that_does_not_fit_is_an_error() {
    let folder = folder_of(vec![Arc::new(TimestampSecondArray::from(vec![i64::MAX]))]);
    let error = ask(folder.path(), "select c from t").await.unwrap_err();
    assert_eq!(ours(&error).state.0, "22008");
}

#[tokio::test]
async fn columns_are_matched_by_exact_name_and_missing_ones_are_null() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("t/1.parquet"), &rows(vec![("a", ints(&[1])), ("b", texts(&["x"]))]));
    write(
        &folder.path().join("t/2.parquet"),
        &rows(vec![("B", texts(&["z"])), ("b", texts(&["y"])), ("a", ints(&[2]))]),
    );
    let sql = "select a, b, \"B\" from t order by a";
    assert_eq!(ask(folder.path(), sql).await.unwrap(), ["1|x|", "2|y|z"]);
    assert_eq!(ask(folder.path(), "select a from t where \"B\" = 'z'").await.unwrap(), ["2"]);
    assert_eq!(ask(folder.path(), "select count(\"B\"), count(*) from t").await.unwrap(), ["1|2"]);
    assert_eq!(ask(folder.path(), "select min(\"B\"), max(b) from t").await.unwrap(), ["z|y"]);
}

#[tokio::test]
async fn a_column_of_two_kinds_is_unusable_and_the_table_is_not() {
    let folder = folder_of(vec![ints(&[1]), texts(&["x"])]);
    let (lake, runtime) = open(folder.path()).await;
    let context = session(&lake, &runtime, 2).await;
    assert_eq!(answer(&context, "select count(*), sum(n) from t").await.unwrap(), ["2|1"]);
    for sql in ["select c from t", "select n from t where c = 1", "select * from t", "select count(c) from t"] {
        let error = ours(&answer(&context, sql).await.unwrap_err());
        assert_eq!(error.state.0, "22023", "{sql}");
        for part in ["\"c\"", "/t/0.parquet'", "/t/1.parquet'", "bigint", "text"] {
            assert!(error.message.contains(part), "{error} lacks {part}");
        }
    }
    assert_eq!(lake.tables()["t"].unusable_columns().len(), 1);
}

#[tokio::test]
async fn lists_of_any_text_are_one_type() {
    let mut list = ListBuilder::new(StringBuilder::new());
    list.append_value([Some("a")]);
    let mut large = LargeListBuilder::new(LargeStringBuilder::new());
    large.append_value([Some("b"), None]);
    let (_, values) = widened(vec![Arc::new(list.finish()), Arc::new(large.finish())]).await;
    assert_eq!(values, ["[a]", "[b, ]"]);
}

#[tokio::test]
async fn the_known_schema_is_there_without_asking() {
    let folder = folder_of(vec![ints(&[1])]);
    let (lake, _) = open(folder.path()).await;
    let table = Arc::clone(&lake.tables()["t"]);
    for _ in 0..1000 {
        if table.known_schema().is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let schema = table.known_schema().unwrap();
    assert_eq!(schema.field(1).data_type(), &DataType::Int64);
    assert_eq!(table.estimated_rows(), Some(1));
}

#[tokio::test]
async fn a_column_of_uuids_is_one_whoever_wrote_it() {
    use datafusion::parquet::data_type::{FixedLenByteArray, FixedLenByteArrayType};
    use datafusion::parquet::file::writer::SerializedFileWriter;
    use datafusion::parquet::schema::parser::parse_message_type;

    let folder = tempfile::tempdir().unwrap();
    // By Arrow's name, as we write it.
    let schema = Arc::new(datafusion::arrow::datatypes::Schema::new(vec![crate::lake::uuid_field("id")]));
    let ids: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter([[1_u8; 16]].into_iter()).unwrap());
    write(&folder.path().join("t/arrow.parquet"), &RecordBatch::try_new(schema, vec![ids]).unwrap());
    // By Parquet's name, as other engines write it.
    let stored = Arc::new(parse_message_type("message m { required fixed_len_byte_array(16) id (UUID); }").unwrap());
    let file = fs::File::create(folder.path().join("t/other.parquet")).unwrap();
    let mut writer = SerializedFileWriter::new(file, stored, Default::default()).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    let value = FixedLenByteArray::from(vec![2_u8; 16]);
    column.typed::<FixedLenByteArrayType>().write_batch(&[value], None, None).unwrap();
    column.close().unwrap();
    rows.close().unwrap();
    writer.close().unwrap();

    let (lake, runtime) = open(folder.path()).await;
    let schema = lake.tables()["t"].schema().await.unwrap();
    assert!(crate::lake::is_uuid(schema.field(0)), "{schema:?}");
    let context = session(&lake, &runtime, 2).await;
    assert_eq!(answer(&context, "select id from t order by id").await.unwrap(), ["01".repeat(16), "02".repeat(16)]);
}
