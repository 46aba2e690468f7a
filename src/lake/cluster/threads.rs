//! Work on several threads.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::ended;
use crate::error::Result;

/// Does `work` with each item, the first one first, on threads that may compute and wait. Results come in no order.
///
/// After an error nothing more is begun. The error comes when all threads have ended, since who hears of it removes the
/// files that they write.
pub(super) async fn on_threads<I, O>(
    thread_count: usize,
    items: Vec<I>,
    work: impl Fn(I) -> Result<O> + Send + Sync + 'static,
) -> Result<Vec<O>>
where
    I: Send + 'static,
    O: Send + 'static,
{
    let (queue, work) = (Arc::new(Mutex::new(items.into_iter())), Arc::new(work));
    let mut threads = JoinSet::new();
    for _ in 0..thread_count {
        let (queue, work) = (Arc::clone(&queue), Arc::clone(&work));
        threads.spawn_blocking(move || {
            let mut done = Vec::new();
            loop {
                let Some(item) = queue.lock().next() else { return Ok(done) };
                match work(item) {
                    Ok(result) => done.push(result),
                    Err(error) => {
                        queue.lock().by_ref().for_each(drop);
                        return Err(error);
                    }
                }
            }
        });
    }
    let (mut all, mut failed) = (Vec::new(), None);
    while let Some(done) = threads.join_next().await {
        match done.map_err(|error| ended(&error)).flatten() {
            Ok(done) => all.extend(done),
            // The first error is told; the others have nothing to add.
            Err(error) => {
                failed.get_or_insert(error);
            }
        }
    }
    failed.map_or(Ok(all), Err)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::error::{Error, SqlState};

    #[tokio::test(flavor = "multi_thread")]
    async fn an_error_is_told_when_nobody_works_any_more_and_nothing_is_begun_after_it() {
        let (begun, complete) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = {
            let (begun, complete) = (Arc::clone(&begun), Arc::clone(&complete));
            move |item: usize| {
                begun.fetch_add(1, SeqCst);
                thread::sleep(Duration::from_millis(if item == 1 { 10 } else { 100 }));
                if item == 1 {
                    return Err(Error::new(SqlState::DATA_EXCEPTION, "the second one"));
                }
                complete.fetch_add(1, SeqCst);
                Ok(item)
            }
        };
        let error = on_threads(4, (0..100).collect(), work).await.unwrap_err();
        assert_eq!(error.message, "the second one");
        assert_eq!(begun.load(SeqCst), complete.load(SeqCst) + 1);
        assert!(begun.load(SeqCst) < 100);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_item_is_worked_on_once() {
        let mut done = on_threads(3, (0..50).collect(), |item: usize| Ok(item * 2)).await.unwrap();
        done.sort_unstable();
        assert_eq!(done, (0..50).map(|item| item * 2).collect::<Vec<_>>());
    }
}
