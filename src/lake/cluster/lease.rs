//! How runs on a bucket keep out of each other's way: the marker in it is held by one run at a time.
//!
//! A bucket has no locks that end with a process. So a run puts the marker only where there is none, and says again and
//! again that it is at work, each time on the condition that the marker is still its own. Another run that finds a
//! marker watches it: one that changes belongs to a run at work, one that does not was left by a killed one.
//!
//! A run that stands still for too long, as a paused machine does, wakes up without the marker. It is told so at the
//! next word that it says, and there is one before each step that another run would notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use super::carry::remote;
use super::names::Run;
use super::working::in_use;
use crate::error::{Error, Result, SqlState};
use crate::lake::pending::{PENDING_NAME, Pending, read_pending};

/// How often a run asks again a store that refused what was the run's own: once is enough for an answer that was lost.
const ATTEMPTS: usize = 3;

/// How often a run says that it is at work, and how long another one waits for that.
#[derive(Clone, Copy, Debug)]
pub(in crate::lake) struct Pace {
    pub(in crate::lake) beat: Duration,
    pub(in crate::lake) patience: Duration,
}

impl Default for Pace {
    /// Several beats may be lost before a run is taken for dead.
    fn default() -> Self {
        Self { beat: Duration::from_secs(5), patience: Duration::from_secs(30) }
    }
}

/// The marker, held.
pub(super) struct Lease {
    held: Arc<Held>,
    beating: AbortHandle,
}

struct Held {
    store: Arc<dyn ObjectStore>,
    folder: Path,
    shown: String,
    /// What the marker says, and the version of it that is ours.
    marker: Mutex<(Pending, UpdateVersion)>,
    is_lost: AtomicBool,
}

impl Lease {
    /// Takes the marker of a folder, and gives what a killed run said in it.
    ///
    /// Fails with 55006 if another run is at work, 0A000 if the store cannot put on a condition.
    pub(super) async fn take(
        store: &Arc<dyn ObjectStore>,
        folder: &Path,
        shown: &str,
        run: &Run,
        pace: Pace,
    ) -> Result<(Self, Option<Pending>)> {
        let (left, mode) = match read_pending(store.as_ref(), folder, shown).await? {
            None => (None, PutMode::Create),
            Some((left, seen)) => {
                // Only time that is watched counts: if all of this machine stood still, the other run may have too.
                let (pause, mut silent) = (pace.beat.min(pace.patience), Duration::ZERO);
                loop {
                    tokio::time::sleep(pause).await;
                    silent += pause;
                    match read_pending(store.as_ref(), folder, shown).await? {
                        None => break (None, PutMode::Create),
                        Some((still, _)) if still != left => return Err(in_use(shown)),
                        Some(_) if silent < pace.patience => {}
                        Some(_) => break (Some(left), PutMode::Update(version(&seen))),
                    }
                }
            }
        };
        // Until it is cleaned up, what was left stays named.
        let ours = Pending::new(run.name().to_owned());
        let kept = left.clone().map_or(ours.clone(), |left| Pending { run: ours.run, ..left });
        let version = put(store.as_ref(), folder, shown, &kept, mode).await?;
        let held = Arc::new(Held {
            store: Arc::clone(store),
            folder: folder.clone(),
            shown: shown.to_owned(),
            marker: Mutex::new((kept, version)),
            is_lost: AtomicBool::new(false),
        });
        let beating = tokio::spawn(Arc::clone(&held).beat(pace.beat)).abort_handle();
        Ok((Self { held, beating }, left))
    }

    /// Names the files that come and go.
    pub(super) async fn name(&self, arriving: Vec<String>, leaving: Vec<String>) -> Result<()> {
        self.held.say(|pending| (pending.arriving, pending.leaving) = (arriving, leaving)).await
    }

    /// Says that the run is at work. Fails with 55006 if another run has taken the marker.
    pub(super) async fn confirm(&self) -> Result<()> {
        self.held.say(|_| ()).await
    }

    /// Takes the marker away. Fails with 55006 if it is another run's.
    pub(super) async fn end(self) -> Result<()> {
        self.beating.abort();
        // Stores delete without a condition. But whoever finds the marker that was just confirmed waits for as long as
        // a run may be silent, and who is robbed of his marker nevertheless is told, and changes nothing.
        self.confirm().await?;
        match self.held.store.delete(&self.held.folder.clone().join(PENDING_NAME)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(remote(&self.held.shown, &error)),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

impl Held {
    async fn beat(self: Arc<Self>, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            // A store that does not answer now may answer the next time.
            if self.say(|_| ()).await.is_err() && self.is_lost.load(Relaxed) {
                return;
            }
        }
    }

    /// Puts the marker anew, if it is still ours. Fails with 55006 if it is not: then it never is again.
    async fn say(&self, change: impl FnOnce(&mut Pending)) -> Result<()> {
        let mut marker = self.marker.lock().await;
        if self.is_lost.load(Relaxed) {
            return Err(in_use(&self.shown));
        }
        let mut pending = marker.0.clone();
        pending.beat += 1;
        change(&mut pending);
        let mode = PutMode::Update(marker.1.clone());
        let put = put(self.store.as_ref(), &self.folder, &self.shown, &pending, mode).await;
        let is_lost = put.as_ref().is_err_and(|error| error.state == SqlState::OBJECT_IN_USE);
        self.is_lost.store(is_lost, Relaxed);
        *marker = (pending, put?);
        Ok(())
    }
}

/// Puts the marker of a run on a condition. Fails with 55006 if another run was faster.
///
/// The answer to an earlier try may have been lost, and the marker be ours already, in another version than we know.
/// So who is refused looks whose it is.
async fn put(
    store: &dyn ObjectStore,
    folder: &Path,
    shown: &str,
    pending: &Pending,
    mut mode: PutMode,
) -> Result<UpdateVersion> {
    for _ in 0..ATTEMPTS {
        let refused = match put_if(store, &folder.clone().join(PENDING_NAME), shown, pending.to_json()?, mode).await {
            Err(error) if error.state == SqlState::OBJECT_IN_USE => error,
            put => return put,
        };
        match read_pending(store, folder, shown).await? {
            Some((there, seen)) if there == *pending => return Ok(version(&seen)),
            Some((there, seen)) if there.run == pending.run => mode = PutMode::Update(version(&seen)),
            _ => return Err(refused),
        }
    }
    let message = format!("could not write to '{shown}': the store says of an object that it changed, and it did not");
    Err(Error::new(SqlState::IO_ERROR, message))
}

/// Puts an object on a condition. Fails with 55006 if it does not hold.
pub(super) async fn put_if(
    store: &dyn ObjectStore,
    path: &Path,
    shown: &str,
    text: Vec<u8>,
    mode: PutMode,
) -> Result<UpdateVersion> {
    let is_update = matches!(mode, PutMode::Update(_));
    match store.put_opts(path, PutPayload::from(text), PutOptions::from(mode)).await {
        Ok(put) => Ok(UpdateVersion { e_tag: put.e_tag, version: put.version }),
        // What is gone is not what it was; some stores say it so.
        Err(object_store::Error::NotFound { .. }) if is_update => Err(in_use(shown)),
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Err(in_use(shown)),
        Err(object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. }) => {
            let message =
                format!("the store of '{shown}' cannot put an object on the condition that it did not change");
            Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                .with_detail("Without that, two runs could change the table at a time."))
        }
        Err(error) => Err(remote(shown, &error)),
    }
}

/// The version of an object that was read.
pub(super) fn version(meta: &ObjectMeta) -> UpdateVersion {
    UpdateVersion { e_tag: meta.e_tag.clone(), version: meta.version.clone() }
}
