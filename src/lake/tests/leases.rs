//! Runs on a bucket that stand still, and stores whose answers are lost.

use std::sync::atomic::{AtomicBool, Ordering};

use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt};
use parking_lot::Mutex;

use super::faulty::{AskedTwice, Faulty, Late, Paused, Unheard};
use super::generations::{append_options, compact_options};
use super::publishing::{PACE, begin, bucket, held, table};
use super::*;
use crate::lake::cluster::{append_to, compact_in};
use crate::lake::manifest::{MANIFEST_NAME, Manifest};
use crate::lake::pending::PENDING_NAME;

/// Appends a folder to the table in the bucket.
async fn append_in(store: &Arc<dyn ObjectStore>, source: &Path) -> Result<(), Error> {
    let runtime = Arc::new(RuntimeEnv::default());
    let change = begin(store, &runtime).await?;
    append_to(change, &runtime, source.to_str().unwrap(), &append_options(), &Arc::default()).await?;
    Ok(())
}

async fn compact_all(store: &Arc<dyn ObjectStore>) -> Result<(), Error> {
    let runtime = Arc::new(RuntimeEnv::default());
    let change = begin(store, &runtime).await?;
    compact_in(change, &runtime, &compact_options(), &Arc::default()).await?;
    Ok(())
}

/// How many rows the table has. All that lies in the bucket is of it.
async fn rows_of_all_files(store: &Arc<dyn ObjectStore>) -> usize {
    let (rows, mut names) = held(store).await;
    let manifest = store.get(&StorePath::from("shop/events").join(MANIFEST_NAME)).await.unwrap();
    let manifest = Manifest::from_json(&manifest.bytes().await.unwrap(), "the manifest").unwrap();
    let mut expected: Vec<String> = manifest.files.into_iter().map(|file| file.path).collect();
    expected.push(MANIFEST_NAME.to_owned());
    expected.sort();
    names.sort();
    assert_eq!(names, expected);
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_a_run_stands_still_what_another_one_made_meanwhile_stays() {
    let table = table().await;
    let source = table.folder.path().join("sources/2");
    let mut seen = Vec::new();
    for changes in 0..100 {
        let store = bucket(&table).await;
        let pause = Paused::after(changes);
        let slow_store = Faulty::over(&store, &pause);
        let from = source.clone();
        let mut slow = tokio::spawn(async move { append_in(&slow_store, &from).await });
        tokio::select! {
            () = pause.stands() => {}
            done = &mut slow => {
                done.unwrap().unwrap();
                break;
            }
        }
        // The second one takes the first for dead: both began with the same table, or the first had changed it.
        let appended = if changes % 2 == 0 {
            append_in(&store, &source).await.unwrap();
            15
        } else {
            compact_all(&store).await.unwrap();
            0
        };
        pause.go_on();
        let done = slow.await.unwrap();
        let rows = rows_of_all_files(&store).await;
        let slow_rows = match &done {
            Ok(()) => 15,
            Err(error) => {
                // Where only its beats stood still, it may look for files that are gone before it hears that it is lost.
                assert!(["55006", "58030", "58P01"].contains(&error.state.0), "{changes}: {error}");
                0
            }
        };
        assert_eq!(rows, 60 + appended + slow_rows, "{changes}");
        seen.push(done.is_ok());
        // Nothing is in the way of the next one.
        append_in(&store, &source).await.unwrap();
        assert_eq!(rows_of_all_files(&store).await, rows + 15, "{changes}");
    }
    // Before it took the table, in the middle, and when it had changed the table.
    assert!(seen[0] && seen[1..].contains(&true), "{seen:?}");
    assert!(seen.iter().filter(|is_done| !**is_done).count() > 3, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_asked_twice_because_its_answers_were_lost_is_changed_once() {
    let table = table().await;
    let store = bucket(&table).await;
    let twice = Faulty::over(&store, &Arc::new(AskedTwice));
    append_in(&twice, &table.folder.path().join("sources/2")).await.unwrap();
    assert_eq!(rows_of_all_files(&store).await, 75);
    compact_all(&twice).await.unwrap();
    assert_eq!(rows_of_all_files(&store).await, 75);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_beats_are_not_answered_is_still_at_work() {
    let table = table().await;
    let (store, source) = (bucket(&table).await, table.folder.path().join("sources/2"));
    let unheard = Arc::new(Unheard { name: PENDING_NAME, is_so: AtomicBool::new(false) });
    let (faulty, runtime) = (Faulty::over(&store, &unheard), Arc::new(RuntimeEnv::default()));
    let change = begin(&faulty, &runtime).await.unwrap();
    unheard.is_so.store(true, Ordering::SeqCst);
    // Others see it beat, though it does not hear so itself.
    assert_eq!(append_in(&store, &source).await.unwrap_err().state.0, "55006");
    tokio::time::sleep(PACE.beat * 5).await;
    unheard.is_so.store(false, Ordering::SeqCst);
    append_to(change, &runtime, source.to_str().unwrap(), &append_options(), &Arc::default()).await.unwrap();
    assert_eq!(rows_of_all_files(&store).await, 75);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_came_without_an_answer_is_the_table() {
    let table = table().await;
    let store = bucket(&table).await;
    let unheard = Arc::new(Unheard { name: MANIFEST_NAME, is_so: AtomicBool::new(true) });
    append_in(&Faulty::over(&store, &unheard), &table.folder.path().join("sources/2")).await.unwrap();
    assert_eq!(rows_of_all_files(&store).await, 75);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_comes_when_nobody_waits_for_it_finds_its_files() {
    let table = table().await;
    let source = table.folder.path().join("sources/2");
    for comes in [true, false] {
        let store = bucket(&table).await;
        let late = Arc::new(Late { name: MANIFEST_NAME, on_its_way: Mutex::default() });
        assert_eq!(append_in(&Faulty::over(&store, &late), &source).await.unwrap_err().state.0, "58030");
        assert_eq!(held(&store).await.0, 60);
        let (to, payload, how) = late.on_its_way.lock().take().unwrap();
        if comes {
            store.put_opts(&to, payload, how).await.unwrap();
        }
        let rows = if comes { 75 } else { 60 };
        assert_eq!(held(&store).await.0, rows);
        append_in(&store, &source).await.unwrap();
        assert_eq!(rows_of_all_files(&store).await, rows + 15);
    }
}
