//! What the catalogue's functions and views may know of sessions: settings, ids, who does what.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use datafusion::arrow::datatypes::Field;
use parking_lot::Mutex;

use super::statistics::{Ending, Statistics};
use super::{Session, TransactionStatus, statement};
use crate::catalog::system::{
    Activity, CursorInfo, PreparedInfo, SessionInfo, SettingInfo, Signal, field_type, format_type,
};
use crate::error::{Error, Result, SqlState};

/// The open sessions of a server, by process id, and what they have done.
#[derive(Default)]
pub struct Registry {
    sessions: Mutex<BTreeMap<i32, Weak<Session>>>,
    started_at_us: i64,
    /// Whether lines of the log hold the statements' texts, and with them what may be personal.
    logs_statements: bool,
    statistics: Statistics,
    running: AtomicUsize,
}

impl Registry {
    /// An empty registry of a server that starts now.
    pub fn new(logs_statements: bool) -> Arc<Self> {
        Arc::new(Self { started_at_us: now_us(), logs_statements, ..Self::default() })
    }

    /// What statements have amounted to.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Statements that run now.
    pub fn running_count(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// Connections by what they do now, in the words of `pg_stat_activity`.
    pub fn connections_by_state(&self) -> BTreeMap<&'static str, usize> {
        let mut counts: BTreeMap<_, _> = STATES.iter().map(|state| (*state, 0)).collect();
        for session in self.all() {
            *counts.entry(session.state()).or_default() += 1;
        }
        counts
    }

    /// When the server started, in microseconds since 1970-01-01 UTC.
    pub fn started_at_us(&self) -> i64 {
        self.started_at_us
    }

    pub(super) fn logs_statements(&self) -> bool {
        self.logs_statements
    }

    pub(super) fn begin_run(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end_run(&self, ending: Ending, duration: Duration, rows: u64, scanned_bytes: u64) {
        self.running.fetch_sub(1, Ordering::Relaxed);
        self.statistics.ended(ending, duration, rows, scanned_bytes);
    }

    /// Counts what was read and no statement told of: a cursor works ahead of its last FETCH.
    pub(super) fn read_ahead(&self, scanned_bytes: u64) {
        self.statistics.scanned(scanned_bytes);
    }

    pub(super) fn enter(&self, session: &Arc<Session>) {
        let process_id = session.identity.process_id;
        self.sessions.lock().insert(process_id, Arc::downgrade(session));
        self.statistics.connected();
    }

    pub(super) fn leave(&self, process_id: i32) {
        self.sessions.lock().remove(&process_id);
    }

    /// The session of a process id.
    pub fn get(&self, process_id: i32) -> Option<Arc<Session>> {
        self.sessions.lock().get(&process_id)?.upgrade()
    }

    /// Ends every connection.
    pub fn terminate_all(&self) {
        self.all().iter().for_each(|session| session.terminate());
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

/// What a connection can be doing, in PostgreSQL's words.
const STATES: [&str; 4] = ["active", "idle", "idle in transaction", "idle in transaction (aborted)"];

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Session {
    fn state(&self) -> &'static str {
        let [active, idle, open, failed] = STATES;
        match (self.is_running(), self.transaction_status()) {
            (true, _) => active,
            (false, TransactionStatus::Idle) => idle,
            (false, TransactionStatus::Open) => open,
            (false, TransactionStatus::Failed) => failed,
        }
    }

    fn doing_now(&self) -> Activity {
        let doing = self.doing.lock().clone();
        let state = self.state();
        Activity {
            pid: self.identity.process_id,
            user: self.identity.user.clone(),
            application_name: self.setting("application_name").unwrap_or_default(),
            client_addr: self.identity.client_addr.clone(),
            state: Some(state),
            query: doing.query,
            connected_at_us: Some(doing.connected_at_us),
            transaction_started_at_us: doing.transaction_started_at_us,
            query_started_at_us: doing.query_started_at_us,
        }
    }
}

impl Session {
    /// Whether this session's user may see what another does, and end it.
    fn may_signal(&self, other: &Self) -> bool {
        self.identity.user == other.identity.user || self.is_superuser()
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
        let all = self.registry.all();
        all.iter()
            .map(|session| {
                let mut activity = session.doing_now();
                if !self.may_signal(session) {
                    // As PostgreSQL: that somebody is there may be seen, what they do not.
                    activity.hide();
                }
                activity
            })
            .collect()
    }

    fn prepared_statements(&self) -> Vec<PreparedInfo> {
        let inner = self.inner.lock();
        let shown = |field: &Field| {
            let (of, _) = field_type(field);
            format_type(of.oid(), None)
        };
        let named = inner.statements.iter().filter(|(name, _)| !name.is_empty());
        let listed = named.filter_map(|(name, kept)| {
            let prepared = kept.prepared.as_ref()?;
            let result_types = prepared.columns.iter().map(|column| shown(&column.field)).collect::<Vec<_>>();
            Some(PreparedInfo {
                name: name.clone(),
                statement: prepared.parsed.text.clone(),
                prepared_at_us: kept.prepared_at_us,
                parameter_types: prepared.parameters.iter().map(|parameter| shown(parameter)).collect(),
                result_types: (!result_types.is_empty()).then_some(result_types),
                is_from_sql: kept.is_from_sql,
            })
        });
        listed.collect()
    }

    fn cursors(&self) -> Vec<CursorInfo> {
        self.cursors.listed()
    }

    fn is_superuser(&self) -> bool {
        self.access.is_superuser(&self.identity.user)
    }

    fn signal(&self, process_id: i32, signal: Signal) -> Result<bool> {
        let Some(session) = self.registry.get(process_id) else { return Ok(false) };
        if !self.may_signal(&session) {
            let what = match signal {
                Signal::Cancel => "cancel query",
                Signal::Terminate => "terminate process",
            };
            return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied to {what}"))
                .with_detail("Only the connection's own user and superusers may."));
        }
        match signal {
            Signal::Cancel => session.cancel(),
            Signal::Terminate => session.terminate(),
        }
        Ok(true)
    }

    fn server_started_at_us(&self) -> i64 {
        self.registry.started_at_us
    }
}
