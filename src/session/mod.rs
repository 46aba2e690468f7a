//! One connection's world: user, settings, transaction, prepared statements, its own context.
//!
//! The wire speaks to a [`Session`] in statements and values; the session runs them through
//! [`crate::query`] and answers with rows or a tag. Nothing here knows a protocol.

mod blocks;
mod cursors;
mod info;
mod options;
mod run;
pub mod settings;
mod statement;
pub mod statistics;
mod transaction;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::config::ConfigOptions;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::Statement;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::catalog::system::SessionInfo;
use crate::catalog::{Catalog, SessionCatalog, Snapshot};
use crate::engine::{Engine, Reserved, Usage, plan_until};
use crate::error::{Error, Result, SqlState};
use crate::limits;
use crate::query::{self, Column, Flow, Held, Kind, Parsed, Pieces, Planned, Shape};
use crate::sealed::Sealed;

pub use info::Registry;
pub use run::Run;
pub use settings::Settings;
pub use transaction::TransactionStatus;

/// What a prepared statement fails with whose columns are others by now. Drivers know the sentence and prepare again.
pub const CHANGED_RESULT: &str = "cached plan must not change result type";

/// Something the client is told beside the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub severity: &'static str,
    pub state: SqlState,
    pub message: String,
    pub hint: Option<String>,
}

impl Notice {
    /// For the user's information.
    pub fn new(state: SqlState, message: impl Into<String>) -> Self {
        Self { severity: "NOTICE", state, message: message.into(), hint: None }
    }

    /// Something is likely not as the user thinks.
    pub fn warning(state: SqlState, message: impl Into<String>) -> Self {
        Self { severity: "WARNING", state, message: message.into(), hint: None }
    }
}

/// A statement that was parsed, and where it gives rows planned, ready to run with values.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub parsed: Parsed,
    /// Types of the parameters, in order.
    pub parameters: Vec<FieldRef>,
    /// Columns of the answer; empty where there are no rows.
    pub columns: Vec<Column>,
    /// The protocol's own numbers of the types that the client declared, which are for the protocol to read.
    pub client_types: Vec<u32>,
    declared: Vec<Option<DataType>>,
    planned: Option<Sealed<Planned>>,
    /// The catalogue it was planned against: a newer one means planning again.
    snapshot: Arc<Snapshot>,
    /// The session's zone then: constants were read in it.
    zone: String,
}

/// What a statement answers.
#[derive(Debug)]
pub enum Outcome {
    Rows(Box<Rows>),
    /// A command tag alone: `SET`, `BEGIN`, `CREATE VIEW`.
    Done(String),
}

/// Rows that have not been asked for yet.
#[derive(Debug)]
pub struct Rows {
    pub columns: Vec<Column>,
    /// The word of the command tag; the count of rows follows it.
    pub tag: &'static str,
    body: Body,
}

/// Where rows come from.
enum Body {
    /// A bound plan.
    Plan { source: Arc<str>, plan: Sealed<LogicalPlan>, shape: Shape },
    /// A cursor that stands somewhere in its rows.
    Cursor { held: Arc<tokio::sync::Mutex<Held>>, skipped: u64, count: Option<u64> },
}

impl Prepared {
    /// Whether it is a query, as against a statement that the session answers itself, or a cursor.
    fn is_query(&self) -> bool {
        self.planned.is_some() && matches!(statement::sql(&self.parsed), Some(Statement::Query(_)))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan { shape, .. } => f.debug_struct("Plan").field("shape", shape).finish_non_exhaustive(),
            Self::Cursor { skipped, count, .. } => {
                f.debug_struct("Cursor").field("skipped", skipped).field("count", count).finish_non_exhaustive()
            }
        }
    }
}

/// Who is connected, and the number by which others know the connection.
#[derive(Clone, Debug)]
pub struct Identity {
    pub process_id: i32,
    pub user: String,
    pub database: String,
    /// The client's address.
    pub client_addr: Option<String>,
}

/// One connection.
pub struct Session {
    identity: Identity,
    engine: Arc<Engine>,
    catalog: SessionCatalog,
    context: Sealed<SessionContext>,
    access: Arc<Access>,
    registry: Arc<Registry>,
    inner: Arc<Mutex<Inner>>,
    /// DataFusion's options as the session found them, or as the client asked for at start-up: RESET goes back to these.
    initial_options: Mutex<ConfigOptions>,
    /// The token of the statement that runs now, for cancel requests.
    running: Mutex<Option<CancellationToken>>,
    /// Somebody ends the connection.
    terminated: CancellationToken,
    doing: Mutex<info::Doing>,
    notices: Mutex<Vec<Notice>>,
    cursors: cursors::Cursors,
}

/// What statements change.
pub(crate) struct Inner {
    settings: Settings,
    transaction: transaction::Transaction,
    /// `None` is a blank statement, which binds and runs as nothing.
    statements: HashMap<String, Kept>,
}

/// A statement under a name, with the memory that it takes.
struct Kept {
    prepared: Option<Arc<Prepared>>,
    prepared_at_us: i64,
    /// PREPARE made it, and not the protocol.
    is_from_sql: bool,
    _memory: Reserved,
}

impl Session {
    /// Opens a session: its own settings, catalogue view and context.
    pub fn new(
        engine: Arc<Engine>,
        catalog: Arc<Catalog>,
        access: Arc<Access>,
        registry: Arc<Registry>,
        identity: Identity,
    ) -> Result<Arc<Self>> {
        let catalog = SessionCatalog::new(catalog, identity.user.clone(), access.is_superuser(&identity.user));
        let path = catalog.search_path().iter().map(|s| quote(s)).collect::<Vec<_>>().join(", ");
        let settings = Settings::new(&identity.user, access.is_superuser(&identity.user), &path);
        let inner = Arc::new(Mutex::new(Inner {
            settings,
            transaction: transaction::Transaction::default(),
            statements: HashMap::new(),
        }));
        let context = engine.session(Arc::new(catalog.clone()), |mut builder| {
            SessionCatalog::configure(builder.config().get_or_insert_default().options_mut());
            query::postgres::configure(builder)
        });
        query::postgres::register(&context, &catalog).map_err(|e| query::errors::from_datafusion(&e, ""))?;
        catalog.bind_planner(context.state_weak_ref());
        let initial_options = Mutex::new(context.state().config_options().as_ref().clone());
        let doing = info::Doing { connected_at_us: info::now_us(), ..Default::default() };
        let session = Arc::new(Self {
            identity,
            engine,
            catalog,
            context: Sealed::new(context),
            access,
            registry,
            inner,
            initial_options,
            running: Mutex::new(None),
            terminated: CancellationToken::new(),
            doing: Mutex::new(doing),
            notices: Mutex::new(vec![]),
            cursors: cursors::Cursors::default(),
        });
        session.catalog.bind_info(Arc::downgrade(&session) as Weak<dyn SessionInfo>);
        session.registry.enter(&session);
        Ok(session)
    }

    /// Who is connected.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The parameters of which clients are told, by name.
    pub fn reported_settings(&self) -> Vec<(&'static str, String)> {
        self.inner.lock().settings.reported().map(|(name, value)| (name, value.to_owned())).collect()
    }

    /// The zone in which instants are printed.
    pub fn time_zone(&self) -> String {
        self.inner.lock().settings.time_zone()
    }

    /// The longest time of a statement, if there is a limit.
    pub fn statement_timeout(&self) -> Option<std::time::Duration> {
        self.inner.lock().settings.statement_timeout()
    }

    /// The longest time between statements of an open transaction, if one is open and there is a limit.
    pub fn idle_limit(&self) -> Option<std::time::Duration> {
        let inner = self.inner.lock();
        let is_open = inner.transaction.status() != TransactionStatus::Idle;
        is_open.then(|| inner.settings.idle_in_transaction_timeout()).flatten()
    }

    /// Ends the connection: what runs stops, and the client learns why.
    pub fn terminate(&self) {
        self.terminated.cancel();
    }

    /// Waits for [`Session::terminate`].
    pub async fn terminated(&self) {
        self.terminated.cancelled().await;
    }

    /// Whether a transaction is open, and whether it has failed.
    pub fn transaction_status(&self) -> TransactionStatus {
        self.inner.lock().transaction.status()
    }

    /// Opens a block around the statements of one message, unless a block is open or they make one.
    pub fn begin_implicit(&self, statements: &[Parsed]) -> bool {
        let is_ours = self.transaction_status() == TransactionStatus::Idle
            && !statements.iter().any(statement::is_about_transactions);
        is_ours && blocks::begin_block(self, &[]).is_ok()
    }

    /// Ends the block of [`Session::begin_implicit`]; whether it could be committed.
    pub fn end_implicit(&self, commit: bool) -> bool {
        let committed = !commit || blocks::commit(self).is_ok();
        if !commit {
            blocks::rollback(self);
        }
        committed
    }

    /// The columns of an open cursor (34000).
    pub fn cursor_columns(&self, name: &str) -> Result<Vec<Column>> {
        self.cursors.get(name).map(|cursor| cursor.columns.clone())
    }

    /// Marks the open transaction as failed; outside of one nothing changes.
    ///
    /// Its cursors end, but for those that ROLLBACK TO a savepoint would go back to.
    pub fn fail(&self) {
        let kept = self.inner.lock().transaction.fail();
        if let Some(kept) = kept {
            self.cursors.fail_block(&kept);
        }
    }

    /// Takes what the client should be told now.
    pub fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.lock())
    }

    /// Begins the account of a statement: its line in the log is written when the answer ends.
    pub fn begin_run(self: &Arc<Self>, text: &str) -> Run {
        Run::new(Arc::clone(self), text)
    }

    /// A token for the statement that starts now; [`Session::cancel`] reaches the latest one.
    pub fn start_statement(&self) -> CancellationToken {
        let token = CancellationToken::new();
        *self.running.lock() = Some(token.clone());
        token
    }

    /// The rows of an earlier statement are read on: cancel requests reach it again.
    pub fn resume_statement(&self, token: &CancellationToken) {
        *self.running.lock() = Some(token.clone());
    }

    /// No statement runs: a cancel request that comes now has nothing to stop.
    pub fn end_statement(&self) {
        *self.running.lock() = None;
    }

    /// Whether a statement runs now.
    pub fn is_running(&self) -> bool {
        self.running.lock().is_some()
    }

    /// Applies a setting of the start-up message; RESET goes back to it.
    pub fn set_initial(&self, name: &str, value: &str) -> Result<()> {
        statement::set_initial(self, name, value)
    }

    /// Stops the running statement, if there is one.
    pub fn cancel(&self) {
        if let Some(token) = self.running.lock().take() {
            token.cancel();
        }
    }

    /// Keeps a statement under a name; the empty name is overwritten, others may not exist yet.
    /// `None` keeps a blank statement; `is_from_sql` says that PREPARE made it.
    pub fn store_statement(&self, name: &str, prepared: Option<Arc<Prepared>>, is_from_sql: bool) -> Result<()> {
        // Names can be as many as a client likes, and as long.
        let text = prepared.as_ref().map_or(0, |prepared| prepared.parsed.source.len());
        let bytes = text.saturating_mul(limits::KEPT_BYTES_PER_TEXT_BYTE).saturating_add(name.len());
        let memory = self.engine.reserve("a prepared statement", bytes)?;
        let statements = &mut self.inner.lock().statements;
        if !name.is_empty() && statements.contains_key(name) {
            return Err(Error::new(
                SqlState::DUPLICATE_PREPARED_STATEMENT,
                format!("prepared statement \"{name}\" already exists"),
            ));
        }
        if statements.len() >= limits::PREPARED_STATEMENTS && !statements.contains_key(name) {
            return Err(Error::too_many("prepared statements", limits::PREPARED_STATEMENTS)
                .with_hint("DEALLOCATE statements that are not needed any more."));
        }
        let kept = Kept { prepared, prepared_at_us: info::now_us(), is_from_sql, _memory: memory };
        statements.insert(name.to_owned(), kept);
        Ok(())
    }

    /// A statement that was kept under a name; `None` is a blank one.
    pub fn statement(&self, name: &str) -> Result<Option<Arc<Prepared>>> {
        self.inner.lock().statements.get(name).map(|kept| kept.prepared.clone()).ok_or_else(|| {
            Error::new(SqlState::INVALID_SQL_STATEMENT_NAME, format!("prepared statement \"{name}\" does not exist"))
        })
    }

    /// Forgets a statement; that there is none is no error, as the protocol has it.
    pub fn close_statement(&self, name: &str) {
        self.inner.lock().statements.remove(name);
    }

    /// Cuts and parses a query text: a short one here, a long one on the query threads.
    pub async fn parse(&self, text: &str) -> Result<Vec<Parsed>> {
        let stop = self.running_token();
        if text.len() <= limits::PARSED_AT_ONCE_BYTES {
            return query::parse(text, &stop);
        }
        let text = text.to_owned();
        self.engine.spawn(async move { query::parse(&text, &stop) }).join().await?
    }

    /// Parses, rewrites and plans a statement. `declared` are the types the client gave.
    pub async fn prepare(self: &Arc<Self>, parsed: Parsed, declared: Vec<Option<DataType>>) -> Result<Prepared> {
        self.refuse_in_failed_transaction(&parsed)?;
        self.now_doing(&parsed.text);
        if statement::names_relations(&parsed) {
            self.refresh_catalog().await;
        }
        self.catalog.pin();
        let (snapshot, zone) = (self.catalog.snapshot(), self.time_zone());
        let Some(columns) = statement::answers_itself(&parsed, self)? else {
            let planned = self.plan(&parsed, &declared).await?;
            // A cursor's rows are those of FETCH.
            let gives_rows = cursors::declared_cursor(&parsed)?.is_none();
            return Ok(Prepared {
                parameters: planned.parameters.clone(),
                columns: if gives_rows { planned.columns.clone() } else { vec![] },
                planned: Some(Sealed::new(planned)),
                parsed,
                client_types: vec![],
                declared,
                snapshot,
                zone,
            });
        };
        Ok(Prepared {
            parsed,
            parameters: vec![],
            columns,
            client_types: vec![],
            declared,
            planned: None,
            snapshot,
            zone,
        })
    }

    /// Runs a prepared statement with its values, up to the point where rows would flow, on the account of `usage`.
    pub async fn execute(
        self: &Arc<Self>,
        prepared: &Prepared,
        values: Vec<ScalarValue>,
        usage: &Arc<Usage>,
    ) -> Result<Outcome> {
        self.refuse_in_failed_transaction(&prepared.parsed)?;
        self.now_doing(&prepared.parsed.text);
        let Some(planned) = &prepared.planned else {
            return statement::run(self, &prepared.parsed, usage).await;
        };
        self.refresh_catalog().await;
        self.catalog.pin();
        let source = Arc::clone(&prepared.parsed.source);
        let is_current = Arc::ptr_eq(&prepared.snapshot, &self.catalog.snapshot()) && prepared.zone == self.time_zone();
        let plan = if is_current {
            query::bind(planned, values, &source)?
        } else {
            let again = self.plan(&prepared.parsed, &prepared.declared).await?;
            if !query::same_columns(&again.columns, &planned.columns) {
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, CHANGED_RESULT)
                    .with_hint("Prepare the statement again."));
            }
            query::bind(&again, values, &source)?
        };
        let rows = Rows {
            columns: planned.columns.clone(),
            tag: if matches!(planned.shape, Shape::Explain { .. }) { "EXPLAIN" } else { "SELECT" },
            body: Body::Plan { source, plan: Sealed::new(plan), shape: planned.shape },
        };
        match cursors::declared_cursor(&prepared.parsed)? {
            Some(declared) => cursors::open(self, declared, &prepared.parsed.text, rows),
            None => Ok(Outcome::Rows(Box::new(rows))),
        }
    }

    /// Lets the rows flow, on the account of `usage`. `encode` runs on the query threads, once for each batch.
    pub fn start<T, F>(&self, rows: Rows, cancel: CancellationToken, usage: &Arc<Usage>, mut encode: F) -> Flow<T>
    where
        T: Send + 'static,
        F: FnMut(RecordBatch) -> Result<Pieces<T>> + Send + 'static,
    {
        match rows.body {
            Body::Plan { source, plan, shape } => {
                let (state, plan) = (self.context.state(), LogicalPlan::clone(&plan));
                query::start(&self.engine, state, plan, source, cancel, Arc::clone(usage), move |batch| match shape {
                    Shape::Rows => encode(batch),
                    Shape::Explain { verbose } => encode(query::explain::lines(&batch, verbose)?),
                })
            }
            Body::Cursor { held, skipped, count } => {
                query::fetch_rows(&self.engine, held, (skipped, count), cancel, encode)
            }
        }
    }

    fn now_doing(&self, query: &str) {
        let mut doing = self.doing.lock();
        query.clone_into(&mut doing.query);
        doing.query_started_at_us = Some(info::now_us());
    }

    /// Lists the lakes again where the last listing is old, so that new files are seen.
    async fn refresh_catalog(&self) {
        // A lake that cannot be listed keeps its tables; the catalogue has logged why.
        let _ = self.catalog.server().refresh().await;
    }

    fn refuse_in_failed_transaction(&self, parsed: &Parsed) -> Result<()> {
        let failed = self.transaction_status() == TransactionStatus::Failed;
        if failed && !statement::ends_transaction(parsed) {
            return Err(Error::new(
                SqlState::IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        Ok(())
    }

    /// Plans on the query threads: their stacks are large, and the network's thread stays free.
    async fn plan(&self, parsed: &Parsed, declared: &[Option<DataType>]) -> Result<Planned> {
        let Kind::Sql(statement) = &*parsed.kind else {
            return Err(Error::new(SqlState::INTERNAL_ERROR, "this statement gives no rows"));
        };
        let statement = cursors::planned_part(statement);
        let context = SessionContext::clone(&self.context);
        let (source, declared) = (Arc::clone(&parsed.source), declared.to_vec());
        let planning = async move { query::plan(&context, &statement, &source, &declared).await };
        self.plan_off_the_network(planning).await
    }

    /// Runs what may plan or read footers on the query threads, until the running statement is stopped.
    async fn plan_off_the_network<T: Send + 'static>(
        &self,
        planning: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.engine.spawn(plan_until(self.running_token(), planning)).join().await?
    }

    /// The token of the statement that runs now.
    fn running_token(&self) -> CancellationToken {
        self.running.lock().clone().unwrap_or_default()
    }

    fn tell(&self, notice: Notice) {
        self.notices.lock().push(notice);
    }

    /// Rows that are already known (SHOW), as a plan like any other.
    fn known_rows(&self, columns: Vec<Column>, batch: RecordBatch, tag: &'static str) -> Result<Outcome> {
        let failed = |e: datafusion::error::DataFusionError| query::errors::from_datafusion(&e, "");
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(failed)?;
        let plan = LogicalPlanBuilder::scan("answer", provider_as_source(Arc::new(table)), None)
            .and_then(LogicalPlanBuilder::build)
            .map_err(failed)?;
        Ok(Outcome::Rows(Box::new(Rows {
            columns,
            tag,
            body: Body::Plan { source: "".into(), plan: Sealed::new(plan), shape: Shape::Rows },
        })))
    }
}

/// A name as it stands in `search_path`: quoted where it is not a plain lower-case word.
fn quote(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.registry.leave(self.identity.process_id);
    }
}
