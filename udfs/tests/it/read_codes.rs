//! Texts that are read as codes answer as texts do.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use tributary_udfs::StoredAsCodes;

use crate::support::{context, rows};

/// Parquet files of a table whose source says which columns are stored as codes.
#[derive(Debug)]
struct Events {
    schema: SchemaRef,
    files: Vec<PartitionedFile>,
}

#[async_trait]
impl TableProvider for Events {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let source = Arc::new(ParquetSource::new(TableSchema::builder(Arc::clone(&self.schema)).build()));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
            .with_file_groups(self.files.chunks(2).map(|files| FileGroup::new(files.to_vec())).collect())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit);
        Ok(DataSourceExec::from_data_source(config.build()))
    }
}

const TEXTS: [Option<&str>; 8] = [
    Some("view"),
    Some("cart"),
    None,
    Some(""),
    Some("a name that is no short one"),
    Some("电话"),
    Some("Cart"),
    Some("buy"),
];

const ROWS_PER_FILE: usize = 700;

/// Registers `events(user_id, event, other, tags, at)` of four files in small row groups: of two the source says that
/// their texts are codes, of one that the tags are, and of the last nothing, whose texts are not.
fn register(context: &SessionContext, folder: &Path) {
    let stated: [&[&str]; 4] = [&["event", "other", "tags"], &["event", "other", "tags"], &["tags"], &[]];
    let mut draws = 11u64;
    let mut draw = |bound: usize| {
        draws = draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draws >> 33) as usize % bound
    };
    let files = stated.iter().enumerate().map(|(number, stated)| {
        let text = |draw: &mut dyn FnMut(usize) -> usize| TEXTS[draw(TEXTS.len())];
        let users: Int64Array = (0..ROWS_PER_FILE).map(|_| Some(draw(40) as i64)).collect();
        let times: Int64Array = (0..ROWS_PER_FILE).map(|row| Some(row as i64)).collect();
        let events: StringArray = (0..ROWS_PER_FILE).map(|_| text(&mut draw)).collect();
        let others: StringArray = (0..ROWS_PER_FILE).map(|_| text(&mut draw)).collect();
        let mut tags = ListBuilder::new(StringBuilder::new());
        for _ in 0..ROWS_PER_FILE {
            (0..draw(4)).for_each(|_| tags.values().append_option(text(&mut draw)));
            tags.append(draw(9) > 0);
        }
        let columns: [(&str, ArrayRef, bool); 5] = [
            ("user_id", Arc::new(users), true),
            ("event", Arc::new(events), true),
            ("other", Arc::new(others), true),
            ("tags", Arc::new(tags.finish()), true),
            ("at", Arc::new(times), true),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let path = folder.join(format!("{number}.parquet"));
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(250))
            .set_dictionary_enabled(number < 3)
            .build();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let mut file = PartitionedFile::new(path.to_str().unwrap(), std::fs::metadata(&path).unwrap().len());
        if !stated.is_empty() {
            let columns = stated.iter().map(|name| (*name).to_owned()).collect();
            file.extensions.insert(StoredAsCodes { schema: batch.schema(), columns });
        }
        (file, batch.schema())
    });
    let (files, schemas): (Vec<_>, Vec<_>) = files.unzip();
    // As a table shows it: in views, whatever the files hold.
    let shown = schemas[0].fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 => field.as_ref().clone().with_data_type(DataType::Utf8View),
        DataType::List(item) => {
            let item = item.as_ref().clone().with_data_type(DataType::Utf8View);
            field.as_ref().clone().with_data_type(DataType::List(Arc::new(item)))
        }
        _ => field.as_ref().clone(),
    });
    let schema = Arc::new(Schema::new(shown.collect::<Vec<Field>>()));
    context.register_table("events", Arc::new(Events { schema, files })).unwrap();
}

/// The answer, and whether some file is asked for dictionaries.
async fn answers(sql: &str, folder: &Path, reads_codes: bool) -> (Vec<String>, bool) {
    let context = context();
    register(&context, folder);
    rows(&context, &format!("SET tributary.read_codes = {reads_codes}")).await;
    let mut answer = rows(&context, sql).await;
    answer.sort();
    let plan = tributary_udfs::sql(&context, sql).await.unwrap().create_physical_plan().await.unwrap();
    (answer, asks_for_codes(&plan))
}

fn asks_for_codes(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let is_codes = |field: &FieldRef| match field.data_type() {
        DataType::List(item) => matches!(item.data_type(), DataType::Dictionary(..)),
        other => matches!(other, DataType::Dictionary(..)),
    };
    let asks = |file: &PartitionedFile| file.arrow_schema.as_ref().is_some_and(|it| it.fields().iter().any(is_codes));
    let scan = plan.downcast_ref::<DataSourceExec>();
    match scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>()) {
        Some(scan) => scan.file_groups.iter().flat_map(FileGroup::iter).any(asks),
        None => plan.children().into_iter().any(asks_for_codes),
    }
}

/// Asserts that codes change no answer, and that the scan reads them or not.
async fn agrees(sql: &str, is_read: bool) {
    let folder = tempfile::tempdir().unwrap();
    let (expected, of_stock) = answers(sql, folder.path(), false).await;
    let (answer, is_asked) = answers(sql, folder.path(), true).await;
    assert_eq!(answer, expected, "{sql}");
    assert!(!expected.is_empty(), "{sql}");
    assert_eq!((of_stock, is_asked), (false, is_read), "{sql}");
}

#[tokio::test]
async fn conditions_on_one_text_are_judged_by_its_codes() {
    for condition in [
        "event = 'cart'",
        "event <> 'cart'",
        "'cart' < event",
        "event IN ('view', '电话', 'a name that is no short one')",
        "event NOT IN ('view', 'nobody has this')",
        "event LIKE 'c%'",
        "event ILIKE 'C%'",
        "event IS NULL",
        "event IS NOT NULL AND NOT (event = '')",
        "event IS DISTINCT FROM 'cart'",
        "event = 'cart' OR event IS NULL OR event > 'v'",
        "step_mask(event = 'cart', event = 'buy') = 1",
        "event = 'cart' AND other = 'cart'",
        "event = 'cart' AND at > 300",
        "TAG_MATCH(event, 'cart OR 电话')",
        "event = 'nobody has this'",
    ] {
        agrees(&format!("SELECT count(*), sum(user_id), min(at) FROM events WHERE {condition}"), true).await;
    }
}

#[tokio::test]
async fn tags_are_judged_by_the_codes_of_their_lists() {
    for condition in [
        "TAG_MATCH(tags, 'view AND NOT cart')",
        "TAG_MATCH(tags, 'cart', ci => true)",
        "NOT TAG_MATCH(tags, 'c*')",
        "TAG_MATCH(tags, '电话 OR buy') OR TAG_MATCH(tags, 'view')",
        "TAG_MATCH(tags, 'view') IS NULL",
        "TAG_MATCH(tags, 'view') AND event = 'cart'",
    ] {
        agrees(&format!("SELECT count(*), sum(user_id) FROM events WHERE {condition}"), true).await;
    }
}

#[tokio::test]
async fn answers_go_where_they_are_asked_for() {
    for sql in [
        "SELECT user_id, event = 'cart', at, TAG_MATCH(tags, 'view') FROM events",
        "SELECT user_id, step_mask(event = 'cart', event = 'view'), step_mask(event = 'buy') FROM events",
        "SELECT user_id, event = 'cart' FROM events WHERE event = 'cart' OR event = 'view'",
        "SELECT at, other FROM events WHERE event = 'cart'",
        "SELECT at, other, event = 'buy' AND at > 5 FROM events WHERE event IN ('cart', 'buy') AND user_id < 30",
        "SELECT count(*) FROM events WHERE event = 'cart'",
        "SELECT at, at + 1, TAG_MATCH(tags, 'view') FROM events WHERE event = 'cart' AND TAG_MATCH(tags, 'view OR cart')",
        "SELECT level, count(*) FROM (SELECT user_id, funnel(arrow_cast(at, 'Timestamp(Microsecond, None)'), '1 day', \
         event = 'view', event = 'cart') AS level FROM events WHERE event IN ('view', 'cart') GROUP BY user_id) AS f \
         GROUP BY level",
    ] {
        agrees(sql, true).await;
    }
}

#[tokio::test]
async fn texts_that_are_shown_stay_texts() {
    for sql in [
        "SELECT event, at FROM events WHERE event = 'cart'",
        // In the scan before the rule comes, which leaves there what it does not know by name.
        "SELECT user_id, event = 'cart' FROM events",
        "SELECT count(*) FROM events WHERE event = other",
        "SELECT count(*) FROM events WHERE event || 'x' = 'cartx'",
        "SELECT event, count(*) FROM events GROUP BY event",
        "SELECT tags FROM events WHERE TAG_MATCH(tags, 'view')",
        "SELECT count(*) FROM events WHERE cardinality(tags) > 1 AND TAG_MATCH(tags, 'view')",
        // May fail on a text that no row has.
        "SELECT count(*) FROM events WHERE TRY_CAST(event AS INT) = 1 OR at > 5",
        "SELECT count(*) FROM events WHERE at > 5",
    ] {
        agrees(sql, false).await;
    }
}
