//! One listing at a time, shared by all who ask for it, and waited for a moment only.

use std::future::Future;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::LISTING_AGE;
use crate::error::{Error, Result, SqlState};
use crate::limits;

/// When a place was last listed, and the listing that is under way.
pub(super) struct Refresh(Mutex<State>);

struct State {
    began_at: Instant,
    under_way: Option<Shared<BoxFuture<'static, Result<()>>>>,
}

impl Refresh {
    /// After a first listing that began now.
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { began_at: Instant::now(), under_way: None }))
    }

    /// Waits for the listing that is under way, or begins one on `threads` if the last is older than [`LISTING_AGE`].
    ///
    /// A listing that takes longer than [`limits::LISTING_WAIT`] goes on by itself, and nobody waits for it any more:
    /// a store that does not answer holds nobody up. One that failed is not tried again before its age.
    pub(super) async fn share<F>(&self, threads: &Handle, list: impl FnOnce() -> F) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let (began_at, under_way) = {
            let mut state = self.0.lock();
            let running = state.under_way.clone().filter(|listing| listing.peek().is_none());
            match running {
                Some(listing) => (state.began_at, listing),
                None if state.began_at.elapsed() < LISTING_AGE => return Ok(()),
                None => {
                    let task = threads.spawn(list());
                    let failed = |error| Error::new(SqlState::INTERNAL_ERROR, format!("a listing ended: {error}"));
                    let listing =
                        task.map(move |done| done.unwrap_or_else(|error| Err(failed(error)))).boxed().shared();
                    state.began_at = Instant::now();
                    state.under_way = Some(listing.clone());
                    (state.began_at, listing)
                }
            }
        };
        timeout_at(began_at + limits::LISTING_WAIT, under_way).await.unwrap_or(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn those_who_come_together_share_a_listing_and_a_failure_is_remembered() {
        let (refresh, listed) = (Refresh::new(), Arc::new(AtomicUsize::new(0)));
        let list = || {
            let listed = Arc::clone(&listed);
            async move {
                listed.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
                Err(Error::new(SqlState::IO_ERROR, "no"))
            }
        };
        let threads = Handle::current();
        assert_eq!(refresh.share(&threads, list).await, Ok(()), "the first listing is young");
        tokio::time::sleep(LISTING_AGE).await;
        let (one, other) = tokio::join!(refresh.share(&threads, list), refresh.share(&threads, list));
        assert!(one.is_err() && other.is_err());
        assert_eq!(refresh.share(&threads, list).await, Ok(()));
        assert_eq!(listed.load(Ordering::Relaxed), 1);
        tokio::time::sleep(LISTING_AGE).await;
        assert!(refresh.share(&threads, list).await.is_err());
        assert_eq!(listed.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_waited_for_once() {
        let (refresh, threads) = (Refresh::new(), Handle::current());
        tokio::time::sleep(LISTING_AGE).await;
        let started = Instant::now();
        for _ in 0..100 {
            assert_eq!(refresh.share(&threads, std::future::pending::<Result<()>>).await, Ok(()));
        }
        assert!(started.elapsed() < limits::LISTING_WAIT + Duration::from_millis(50), "{:?}", started.elapsed());
    }
}
