//! How a generation comes and goes: whole or not at all, wherever the work is cut, and by one run at a time.

use datafusion::execution::object_store::ObjectStoreUrl;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path as StorePath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use url::Url;

use super::faulty::{Faulty, Killed};
use super::generations::{Event, Generations, append_options, batch_of, compact_options, told};
use super::*;
use crate::lake::cluster::{Change, Pace, append_to, compact_in};
use crate::lake::manifest::MANIFEST_NAME;
use crate::lake::pending::PENDING_NAME;
use crate::lake::spec::Place;
use crate::lake::{append, check_folder, compact};

/// Two generations in two ranges, and the source of a third.
pub(super) async fn table() -> Generations {
    let events = |from: i64, to: i64| -> Vec<Event> { (from..to).map(|n| (Some(n % 9), Some(n), n)).collect() };
    let table = Generations::new(&events(0, 40), 2).await;
    table.append("1", &batch_of(&events(40, 60))).await.unwrap();
    table.source("2", &batch_of(&events(60, 75)));
    table
}

async fn places(table: &Generations) -> Vec<String> {
    told(&table.session(2, 8192).await, "select place from events order by 1").await
}

fn numbers(count: i64) -> Vec<String> {
    let mut numbers: Vec<i64> = (0..count).collect();
    numbers.sort_unstable();
    numbers.iter().map(i64::to_string).collect()
}

/// A runtime whose local files are cut off after some changes.
fn cut_runtime(changes: i64) -> Arc<RuntimeEnv> {
    let runtime = Arc::new(RuntimeEnv::default());
    let local: Arc<dyn ObjectStore> = Arc::new(object_store::local::LocalFileSystem::new());
    let cut = Faulty::over(&local, &Killed::after(changes));
    runtime.register_object_store(&Url::parse("file:///").unwrap(), cut);
    runtime
}

/// All that lies in a folder is of the table.
fn assert_nothing_is_left(table: &Generations) {
    let mut expected: Vec<String> = table.manifest().files.into_iter().map(|file| file.path).collect();
    expected.push(MANIFEST_NAME.to_owned());
    expected.sort();
    assert_eq!(table.names(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_an_append_is_cut_the_table_is_the_old_or_the_new_one() {
    let mut seen = Vec::new();
    for changes in 0..100 {
        let table = table().await;
        let source = table.folder.path().join("sources/2");
        let (source, target, runtime) = (source.to_str().unwrap(), table.path(), cut_runtime(changes));
        let done = append(&runtime, source, target.to_str().unwrap(), &append_options(), &Arc::default()).await;
        let rows = places(&table).await;
        assert!(rows == numbers(60) || rows == numbers(75), "{changes}: {} rows", rows.len());
        if done.is_ok() {
            assert_eq!(rows, numbers(75));
            assert_nothing_is_left(&table);
            break;
        }
        assert_eq!(done.unwrap_err().state.0, "58030");
        let findings = table.findings().await;
        assert!(findings.iter().all(|finding| finding.contains(PENDING_NAME)), "{changes}: {findings:?}");
        seen.push((rows.len(), findings.is_empty()));
        // The next run removes what this one left.
        table.compact().await.unwrap();
        assert_nothing_is_left(&table);
        assert_eq!(places(&table).await, rows);
        assert_eq!(table.findings().await, Vec::<String>::new());
    }
    // Before the marker, before the manifest, and with only the marker left.
    for moment in [(60, true), (60, false), (75, false)] {
        assert!(seen.contains(&moment), "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_a_compaction_is_cut_the_rows_stay() {
    let mut generations = Vec::new();
    for changes in 0..100 {
        let table = table().await;
        let (target, runtime) = (table.path(), cut_runtime(changes));
        let done = compact(&runtime, target.to_str().unwrap(), &compact_options(), &Arc::default()).await;
        assert_eq!(places(&table).await, numbers(60), "{changes}");
        generations.push(table.manifest().generation);
        if done.is_ok() {
            assert_nothing_is_left(&table);
            break;
        }
        let findings = table.findings().await;
        assert!(findings.iter().all(|finding| finding.contains(PENDING_NAME)), "{changes}: {findings:?}");
        table.append_from(&table.folder.path().join("sources/2")).await.unwrap();
        assert_nothing_is_left(&table);
        assert_eq!(places(&table).await, numbers(75), "{changes}");
        assert_eq!(table.findings().await, Vec::<String>::new());
    }
    assert!(generations.contains(&2) && generations.iter().filter(|generation| **generation == 3).count() > 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_at_a_time_changes_a_table() {
    let table = table().await;
    let source = table.folder.path().join("sources/2");
    let runtime = Arc::new(RuntimeEnv::default());
    let place = Arc::new(Place::open(table.path().to_str().unwrap(), &runtime).await.unwrap());
    let first = Change::begin_at(place, "events", Pace::default()).await.unwrap();
    for refused in [table.append_from(&source).await.err(), table.compact().await.err()] {
        assert_eq!(refused.unwrap().state.0, "55006");
    }
    drop(first);
    let (a, b) = tokio::join!(table.append_from(&source), table.append_from(&source));
    let done = [&a, &b].into_iter().filter(|done| done.is_ok()).count();
    for error in [a.err(), b.err()].into_iter().flatten() {
        assert_eq!(error.state.0, "55006");
    }
    assert!(done >= 1);
    assert_eq!(places(&table).await.len(), 60 + 15 * done);
    assert_eq!(table.findings().await, Vec::<String>::new());
    assert_nothing_is_left(&table);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_go_on_while_generations_come_and_go() {
    let table = Arc::new(table().await);
    let writer = tokio::spawn({
        let table = Arc::clone(&table);
        async move {
            let runtime = Arc::new(RuntimeEnv::default());
            let mut options = compact_options();
            options.old_files_kept = Duration::from_secs(3);
            for round in 0..3 {
                table.append_from(&table.folder.path().join("sources/2")).await.unwrap();
                if round == 1 {
                    let target = table.path();
                    compact(&runtime, target.to_str().unwrap(), &options, &Arc::default()).await.unwrap();
                }
            }
        }
    });
    let (mut last, mut rounds) = (60, 0);
    while !writer.is_finished() {
        let count = told(&table.session(2, 8192).await, "select count(place) from events where place >= 0").await;
        let count: usize = count[0].parse().unwrap();
        assert!(count >= last && (count - 60).is_multiple_of(15), "{count} after {last}");
        (last, rounds) = (count, rounds + 1);
    }
    writer.await.unwrap();
    assert!(rounds > 3);
    assert_eq!(places(&table).await.len(), 105);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_was_planned_before_a_compaction_is_told_to_run_again() {
    let table = table().await;
    let context = table.session(2, 8192).await;
    table.compact().await.unwrap();
    let error = ours(&answer(&context, "select sum(place) from events").await.unwrap_err());
    assert_eq!(error.state.0, "58P01");
    assert!(error.message.contains("is gone since the lake was listed"), "{error}");
    assert_eq!(error.hint.as_deref(), Some("run the statement again; in a transaction, begin the transaction again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_still_strangers_while_a_marker_is_there() {
    let table = table().await;
    fs::copy(table.folder.path().join("sources/2/a.parquet"), table.path().join("more.parquet")).unwrap();
    let half = "range-00001-generation-9.parquet";
    let marker = format!(
        r#"{{"tributary.format": 1, "run": "x", "beat": 0, "arriving": ["{half}", "notes.txt", "../x"], "leaving": []}}"#
    );
    write_text(&table.path().join(PENDING_NAME), &marker);
    write_text(&table.path().join(half), "half");
    write_text(&table.path().join("notes.txt"), "mine");
    let findings = table.findings().await.join("\n");
    assert!(findings.contains("more.parquet: is not in the manifest"), "{findings}");
    assert!(
        !findings.contains("generation-9.parquet: ") && findings.contains("1 file is not of the table"),
        "{findings}"
    );
    let (lake, _) = open(&table.folder.path().join("lake")).await;
    let error = lake.tables()["events"].provider().await.unwrap_err();
    assert!(error.message.contains("more.parquet"), "{error}");
    fs::remove_file(table.path().join("more.parquet")).unwrap();
    assert_eq!(places(&table).await, numbers(60));
    // Only names that runs give are removed: a marker is not believed about others.
    table.append_from(&table.folder.path().join("sources/2")).await.unwrap();
    assert!(table.path().join("notes.txt").exists() && !table.path().join(half).exists());
}

/// The table's files in a store of this process, which answers conditions as buckets do.
pub(super) async fn bucket(table: &Generations) -> Arc<dyn ObjectStore> {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for name in table.names() {
        let bytes = fs::read(table.path().join(&name)).unwrap();
        store.put(&StorePath::from("shop/events").join(name), bytes.into()).await.unwrap();
    }
    store
}

fn place(store: Arc<dyn ObjectStore>, runtime: &RuntimeEnv) -> Arc<Place> {
    let store_url = ObjectStoreUrl::parse("mem://bucket").unwrap();
    runtime.register_object_store(store_url.as_ref(), Arc::clone(&store));
    Arc::new(Place { store_url, store, path: StorePath::from("shop/events"), is_file: false, is_local: false })
}

pub(super) const PACE: Pace = Pace { beat: Duration::from_millis(20), patience: Duration::from_millis(300) };

pub(super) async fn begin(store: &Arc<dyn ObjectStore>, runtime: &RuntimeEnv) -> Result<Change, Error> {
    Change::begin_at(place(Arc::clone(store), runtime), "s3://shop/events", PACE).await
}

/// The rows of the table in a bucket, and the names in it.
pub(super) async fn held(store: &Arc<dyn ObjectStore>) -> (usize, Vec<String>) {
    let runtime = Arc::new(RuntimeEnv::default());
    let place = place(Arc::clone(store), &runtime);
    let found = crate::lake::listing::list_files(&place, &Default::default(), None).await.unwrap();
    let set = Arc::new(crate::lake::table::FileSet::new(&place, &crate::lake::reader(&runtime), found));
    let resolved = set.resolve().await.unwrap();
    let context = SessionContext::new_with_config_rt(SessionConfig::new(), runtime);
    context.register_table("events", Arc::new(crate::lake::scan::LakeProvider { set, resolved })).unwrap();
    let rows = answer(&context, "select place from events order by user_id, event_time").await.unwrap().len();
    let objects: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
    (rows, objects.into_iter().filter_map(|object| Some(object.location.filename()?.to_owned())).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_a_run_on_a_bucket_is_cut_the_table_is_the_old_or_the_new_one() {
    let table = table().await;
    let source = table.folder.path().join("sources/2");
    let mut seen = Vec::new();
    for changes in 0..100 {
        let (store, runtime) = (bucket(&table).await, Arc::new(RuntimeEnv::default()));
        let cut = Faulty::over(&store, &Killed::after(changes));
        let done = match begin(&cut, &runtime).await {
            Ok(change) => {
                append_to(change, &runtime, source.to_str().unwrap(), &append_options(), &Arc::default()).await.err()
            }
            Err(error) => Some(error),
        };
        let (rows, names) = held(&store).await;
        assert!([60, 75].contains(&rows), "{changes}: {rows} rows");
        seen.push(rows);
        if done.is_none() {
            assert_eq!((rows, names.contains(&PENDING_NAME.to_owned())), (75, false));
            break;
        }
        // The next run sees that nobody is at work any more, and cleans up.
        let change = begin(&store, &runtime).await.unwrap();
        compact_in(change, &runtime, &compact_options(), &Arc::default()).await.unwrap();
        let (rows_after, names) = held(&store).await;
        assert_eq!(rows_after, rows);
        assert_eq!(names.len(), 3, "a manifest and a file for each range: {names:?}");
    }
    assert!(seen.contains(&60) && seen.contains(&75), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_on_a_bucket_keep_out_of_each_others_way() {
    let table = table().await;
    let (store, runtime) = (bucket(&table).await, Arc::new(RuntimeEnv::default()));
    let first = begin(&store, &runtime).await.unwrap();
    // The first one says that it is at work while the second one watches.
    assert_eq!(begin(&store, &runtime).await.err().unwrap().state.0, "55006");
    let source = table.folder.path().join("sources/2");
    append_to(first, &runtime, source.to_str().unwrap(), &append_options(), &Arc::default()).await.unwrap();
    assert_eq!(held(&store).await.0, 75);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marker_that_is_no_marker_is_told() {
    let table = table().await;
    write_text(&table.path().join(PENDING_NAME), "{}");
    let error = table.compact().await.unwrap_err();
    assert_eq!(error.state.0, "XX001");
    assert!(error.message.contains(PENDING_NAME), "{error}");
    let runtime = Arc::new(RuntimeEnv::default());
    let checked = check_folder(&runtime, table.path().to_str().unwrap(), 1, &Arc::default()).await;
    assert_eq!(checked.unwrap_err().state.0, "XX001");
    // Who only reads does not need it while no file is strange.
    assert_eq!(places(&table).await, numbers(60));
}
