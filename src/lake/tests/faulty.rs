//! Stores that do not do, or do not say, what a run asks of them.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as StorePath;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, RenameOptions,
};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::*;

/// What happens to the changes that a run makes.
#[async_trait]
pub(super) trait Fault: fmt::Debug + Send + Sync + 'static {
    /// Comes before each change: an error is in its place.
    async fn before(&self) -> object_store::Result<()> {
        Ok(())
    }

    /// Puts an object, and says what the run hears of it.
    async fn put(
        &self,
        store: &dyn ObjectStore,
        to: &StorePath,
        payload: PutPayload,
        how: PutOptions,
    ) -> object_store::Result<PutResult> {
        store.put_opts(to, payload, how).await
    }
}

/// A store behind a fault.
#[derive(Debug)]
pub(super) struct Faulty<F> {
    store: Arc<dyn ObjectStore>,
    fault: Arc<F>,
}

impl<F: Fault> Faulty<F> {
    pub(super) fn over(store: &Arc<dyn ObjectStore>, fault: &Arc<F>) -> Arc<dyn ObjectStore> {
        Arc::new(Self { store: Arc::clone(store), fault: Arc::clone(fault) })
    }
}

pub(super) fn unanswered() -> object_store::Error {
    object_store::Error::Generic { store: "faulty", source: "no answer".into() }
}

/// The process is killed: from some change on, nothing happens any more.
#[derive(Debug)]
pub(super) struct Killed {
    changes_left: AtomicI64,
}

impl Killed {
    pub(super) fn after(changes: i64) -> Arc<Self> {
        Arc::new(Self { changes_left: AtomicI64::new(changes) })
    }
}

#[async_trait]
impl Fault for Killed {
    async fn before(&self) -> object_store::Result<()> {
        match self.changes_left.fetch_sub(1, Ordering::SeqCst) > 0 {
            true => Ok(()),
            false => Err(unanswered()),
        }
    }
}

/// The machine stands still before some change, and all that comes after waits until it goes on.
#[derive(Debug)]
pub(super) struct Paused {
    changes_left: AtomicI64,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Standing,
    GoingOn,
}

impl Paused {
    pub(super) fn after(changes: i64) -> Arc<Self> {
        Arc::new(Self { changes_left: AtomicI64::new(changes), state: watch::Sender::new(State::Running) })
    }

    /// Waits until it stands still.
    pub(super) async fn stands(&self) {
        self.state.subscribe().wait_for(|state| *state != State::Running).await.unwrap();
    }

    pub(super) fn go_on(&self) {
        self.state.send_replace(State::GoingOn);
    }
}

#[async_trait]
impl Fault for Paused {
    async fn before(&self) -> object_store::Result<()> {
        if self.changes_left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            self.state.send_if_modified(|state| {
                let is_first = *state == State::Running;
                if is_first {
                    *state = State::Standing;
                }
                is_first
            });
            self.state.subscribe().wait_for(|state| *state == State::GoingOn).await.unwrap();
        }
        Ok(())
    }
}

/// The answer to each put is lost, and the client of the store asks again.
#[derive(Debug)]
pub(super) struct AskedTwice;

#[async_trait]
impl Fault for AskedTwice {
    async fn put(
        &self,
        store: &dyn ObjectStore,
        to: &StorePath,
        payload: PutPayload,
        how: PutOptions,
    ) -> object_store::Result<PutResult> {
        store.put_opts(to, payload.clone(), how.clone()).await?;
        store.put_opts(to, payload, how).await
    }
}

/// Puts of one name are done and not answered, as long as it is so.
#[derive(Debug)]
pub(super) struct Unheard {
    pub(super) name: &'static str,
    pub(super) is_so: AtomicBool,
}

#[async_trait]
impl Fault for Unheard {
    async fn put(
        &self,
        store: &dyn ObjectStore,
        to: &StorePath,
        payload: PutPayload,
        how: PutOptions,
    ) -> object_store::Result<PutResult> {
        let put = store.put_opts(to, payload, how).await;
        let is_unheard = to.filename() == Some(self.name) && self.is_so.load(Ordering::SeqCst);
        if is_unheard { Err(unanswered()) } else { put }
    }
}

/// A put of one name is not answered, and is still on its way.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) name: &'static str,
    pub(super) on_its_way: Mutex<Option<(StorePath, PutPayload, PutOptions)>>,
}

#[async_trait]
impl Fault for Late {
    async fn put(
        &self,
        store: &dyn ObjectStore,
        to: &StorePath,
        payload: PutPayload,
        how: PutOptions,
    ) -> object_store::Result<PutResult> {
        if to.filename() != Some(self.name) {
            return store.put_opts(to, payload, how).await;
        }
        *self.on_its_way.lock() = Some((to.clone(), payload, how));
        Err(unanswered())
    }
}

impl<F: Fault> fmt::Display for Faulty<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} over {}", self.fault, self.store)
    }
}

#[async_trait]
impl<F: Fault> ObjectStore for Faulty<F> {
    async fn put_opts(&self, to: &StorePath, payload: PutPayload, how: PutOptions) -> object_store::Result<PutResult> {
        self.fault.before().await?;
        self.fault.put(self.store.as_ref(), to, payload, how).await
    }

    async fn put_multipart_opts(
        &self,
        to: &StorePath,
        how: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.fault.before().await?;
        self.store.put_multipart_opts(to, how).await
    }

    async fn get_opts(&self, from: &StorePath, how: GetOptions) -> object_store::Result<GetResult> {
        self.store.get_opts(from, how).await
    }

    async fn get_ranges(&self, from: &StorePath, ranges: &[Range<u64>]) -> object_store::Result<Vec<Bytes>> {
        self.store.get_ranges(from, ranges).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, object_store::Result<StorePath>>,
    ) -> BoxStream<'static, object_store::Result<StorePath>> {
        let (store, fault) = (Arc::clone(&self.store), Arc::clone(&self.fault));
        stream::once(async move { fault.before().await.map(|()| store.delete_stream(paths)) }).try_flatten().boxed()
    }

    fn list(&self, prefix: Option<&StorePath>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&StorePath>) -> object_store::Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &StorePath, to: &StorePath, how: CopyOptions) -> object_store::Result<()> {
        self.fault.before().await?;
        self.store.copy_opts(from, to, how).await
    }

    async fn rename_opts(&self, from: &StorePath, to: &StorePath, how: RenameOptions) -> object_store::Result<()> {
        self.fault.before().await?;
        self.store.rename_opts(from, to, how).await
    }
}
