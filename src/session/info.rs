//! What the catalogue's functions and views may know of sessions: settings, ids, who does what.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use super::{Session, TransactionStatus, statement};
use crate::catalog::system::{Activity, SessionInfo, SettingInfo};
use crate::error::Result;

/// The open sessions of a server, by process id.
#[derive(Default)]
pub struct Registry {
    sessions: Mutex<BTreeMap<i32, Weak<Session>>>,
    started_at_us: i64,
}

impl Registry {
    /// An empty registry of a server that starts now.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { sessions: Mutex::default(), started_at_us: now_us() })
    }

    pub(super) fn enter(&self, session: &Arc<Session>) {
        let process_id = session.identity.process_id;
        self.sessions.lock().insert(process_id, Arc::downgrade(session));
    }

    pub(super) fn leave(&self, process_id: i32) {
        self.sessions.lock().remove(&process_id);
    }

    /// The session of a process id.
    pub fn get(&self, process_id: i32) -> Option<Arc<Session>> {
        self.sessions.lock().get(&process_id)?.upgrade()
    }

    fn all(&self) -> Vec<Arc<Session>> {
        self.sessions.lock().values().filter_map(Weak::upgrade).collect()
    }
}

/// What a session does, for `pg_stat_activity`.
#[derive(Clone, Debug, Default)]
pub(super) struct Doing {
    pub(super) connected_at_us: i64,
    pub(super) transaction_started_at_us: Option<i64>,
    pub(super) query: String,
    pub(super) query_started_at_us: Option<i64>,
}

/// Microseconds since 1970-01-01 UTC.
pub(super) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Session {
    fn doing_now(&self) -> Activity {
        let doing = self.doing.lock().clone();
        let state = match (self.is_running(), self.transaction_status()) {
            (true, _) => "active",
            (false, TransactionStatus::Idle) => "idle",
            (false, TransactionStatus::Open) => "idle in transaction",
            (false, TransactionStatus::Failed) => "idle in transaction (aborted)",
        };
        Activity {
            pid: self.identity.process_id,
            user: self.identity.user.clone(),
            application_name: self.setting("application_name").unwrap_or_default(),
            client_addr: self.identity.client_addr.clone(),
            state,
            query: doing.query,
            connected_at_us: doing.connected_at_us,
            transaction_started_at_us: doing.transaction_started_at_us,
            query_started_at_us: doing.query_started_at_us,
        }
    }
}

impl SessionInfo for Session {
    fn backend_pid(&self) -> i32 {
        self.identity.process_id
    }

    fn setting(&self, name: &str) -> Option<String> {
        statement::current_setting(self, name)
    }

    fn set_setting(&self, name: &str, value: &str, is_local: bool) -> Result<()> {
        statement::set_setting(self, name, value, is_local)
    }

    fn settings(&self) -> Vec<SettingInfo> {
        self.inner.lock().settings.all().into_iter().map(SettingInfo::from).collect()
    }

    fn activity(&self) -> Vec<Activity> {
        self.registry.all().iter().map(|session| session.doing_now()).collect()
    }

    fn server_started_at_us(&self) -> i64 {
        self.registry.started_at_us
    }
}
