//! One client's connection: its session, its portals, and the messages between them.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use datafusion::arrow::datatypes::FieldRef;
use datafusion::scalar::ScalarValue;
use futures::{Sink, SinkExt};
use parking_lot::Mutex;
use pgwire::api::ClientInfo;
use pgwire::api::portal::Format;
use pgwire::error::PgWireError;
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::data::{DataRow, FieldDescription, NoData, RowDescription};
use pgwire::messages::extendedquery::Bind;
use pgwire::messages::response::{CommandComplete, EmptyQueryResponse, TransactionStatus};
use pgwire::messages::startup::ParameterStatus;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::conversation::terminated;
use super::hangup::Hangup;
use super::login::Login;
use super::rows::{OutColumn, RowWriter, out_columns};
use super::{Server, errors, params, types};
use crate::engine::{Reserved, plan_until};
use crate::error::{Error, Result, SqlState};
use crate::limits;
use crate::query::Flow;
use crate::query::postgres::times::Zone;
use crate::session::{self, Outcome, Prepared, Rows, Run, Session};

/// What handlers of messages need of the client: a place to send messages to.
pub trait Client: ClientInfo + Sink<Message> + Unpin + Send + Sync {}
impl<C: ClientInfo + Sink<Message> + Unpin + Send + Sync> Client for C {}

/// Everything that belongs to one connection.
pub struct Connection {
    pub(super) server: Arc<Server>,
    pub(super) session: OnceLock<Arc<Session>>,
    pub(super) hangup: Hangup,
    /// The login under way.
    pub(super) login: Mutex<Option<Login>>,
    /// This connection's share of [`crate::limits::CONNECTIONS`]; nobody has one before the login.
    pub(super) place: OnceLock<OwnedSemaphorePermit>,
    portals: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Portal>>>>,
    /// Parameters as the client last heard of them.
    reported: Mutex<HashMap<&'static str, String>>,
}

/// A statement with its values, and its rows once they flow.
pub(super) struct Portal {
    prepared: Option<Arc<Prepared>>,
    values: Vec<ScalarValue>,
    formats: Format,
    state: PortalState,
    /// What the values take of the pool.
    _memory: Option<Reserved>,
}

/// The values of a Bind message, and what says how to read them.
struct Sent {
    zone: String,
    targets: Vec<FieldRef>,
    /// Numbers of the types that the client declared.
    declared: Vec<u32>,
    formats: Vec<i16>,
    values: Vec<Option<Bytes>>,
}

impl Sent {
    fn decode(&self) -> Result<Vec<ScalarValue>> {
        let decode = |(index, (target, bytes)): (usize, (&FieldRef, &Option<Bytes>))| {
            let pg = types::declared(&self.declared, index).unwrap_or_else(|| types::pg_type(target));
            let binary = match self.formats.as_slice() {
                [] => false,
                [one] => *one == 1,
                many => many.get(index).is_some_and(|code| *code == 1),
            };
            params::decode(index + 1, bytes.as_ref(), &pg, binary, target.data_type(), &self.zone)
        };
        self.targets.iter().zip(&self.values).enumerate().map(decode).collect()
    }
}

enum PortalState {
    Bound,
    /// Between two executions, the client has what it asked for.
    Flowing(Running),
    Finished {
        tag: String,
    },
    /// An execution has it, or had it and was cut short.
    Executing,
}

/// A portal whose rows flow.
struct Running {
    flow: Flow<Vec<DataRow>>,
    waiting: VecDeque<DataRow>,
    tag: &'static str,
    run: Run,
}

/// How far an Execute got.
pub(super) enum Progress {
    Suspended,
    Complete,
}

impl Connection {
    pub(super) fn new(server: Arc<Server>, hangup: Hangup) -> Self {
        Self {
            server,
            session: OnceLock::new(),
            hangup,
            login: Mutex::new(None),
            place: OnceLock::new(),
            portals: Mutex::new(HashMap::new()),
            reported: Mutex::new(HashMap::new()),
        }
    }

    /// The session; requests before the end of start-up have none.
    pub(super) fn session(&self) -> Result<&Arc<Session>> {
        self.session
            .get()
            .ok_or_else(|| Error::new(SqlState::PROTOCOL_VIOLATION, "a request came before the start-up was done"))
    }

    /// Waits until somebody ends this connection: `pg_terminate_backend`, or a server that stops.
    pub(super) async fn terminated(&self) {
        match self.session.get() {
            Some(session) => session.terminated().await,
            None => std::future::pending().await,
        }
    }

    /// Waits for as long as the session may be idle inside a transaction; without a limit for ever.
    pub(super) async fn idle_too_long(&self) {
        match self.session.get().and_then(|session| session.idle_limit()) {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    }

    // ---- one statement under its limits

    /// Waits for work of the statement of `token`: until done, cancelled, late, or unwanted.
    pub(super) async fn govern<T>(
        &self,
        token: &CancellationToken,
        deadline: Option<tokio::time::Instant>,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let ended = async {
            self.terminated().await;
            token.cancel();
        };
        let late = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = ended => Err(terminated()),
            () = token.cancelled() => Err(Error::new(
                SqlState::QUERY_CANCELED,
                "canceling statement due to user request",
            )),
            () = late => {
                token.cancel();
                Err(Error::new(
                    SqlState::QUERY_CANCELED,
                    "canceling statement due to statement timeout",
                ))
            }
            () = self.hangup.gone() => {
                token.cancel();
                Err(Error::new(SqlState::CONNECTION_FAILURE, "the client is gone"))
            }
            done = work => done,
        }
    }

    /// When a statement that starts now must be done.
    pub(super) fn deadline(timeout: Option<Duration>) -> Option<tokio::time::Instant> {
        timeout.and_then(|limit| tokio::time::Instant::now().checked_add(limit))
    }

    // ---- the simple protocol: one statement, text rows, all at once

    /// Runs one statement of a query text and sends its whole answer.
    pub(super) async fn run_simple<C>(
        &self,
        client: &mut C,
        parsed: crate::query::Parsed,
    ) -> std::result::Result<(), PgWireError>
    where
        C: Client,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let run = self.session().map_err(errors::error)?.begin_run(&parsed.text);
        let done = self.answer_simple(client, parsed, &run).await;
        run.end(errors::state(&done));
        done
    }

    async fn answer_simple<C>(
        &self,
        client: &mut C,
        parsed: crate::query::Parsed,
        run: &Run,
    ) -> std::result::Result<(), PgWireError>
    where
        C: Client,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let session = self.session().map_err(errors::error)?;
        let token = session.start_statement();
        let deadline = Self::deadline(session.statement_timeout());
        let outcome = self
            .govern(&token, deadline, async {
                let prepared = session.prepare(parsed, vec![]).await?;
                if !prepared.parameters.is_empty() {
                    return Err(Error::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
                }
                session.execute(&prepared, vec![], run.usage()).await
            })
            .await;
        self.send_notices(client).await?;
        match outcome.map_err(errors::error)? {
            Outcome::Done(tag) => {
                self.send_changed_parameters(client).await?;
                client.feed(Message::CommandComplete(CommandComplete::new(tag))).await?;
            }
            Outcome::Rows(rows) => {
                let columns = announced(&rows.columns, &Format::UnifiedText);
                client.feed(Message::RowDescription(description(&columns, &rows.columns))).await?;
                let tag = rows.tag;
                let mut flow = self.flow(session, *rows, columns, token.clone(), run);
                let mut count = 0;
                while let Some(piece) = self
                    .govern(&token, deadline, async { flow.next().await.transpose() })
                    .await
                    .map_err(errors::error)?
                {
                    count += piece.len();
                    for row in piece {
                        client.feed(Message::DataRow(row)).await?;
                        run.sent(1);
                    }
                }
                let tag = with_count(tag, count);
                client.feed(Message::CommandComplete(CommandComplete::new(tag))).await?;
            }
        }
        session.end_statement();
        Ok(())
    }

    fn flow(
        &self,
        session: &Session,
        rows: Rows,
        columns: Arc<[OutColumn]>,
        token: CancellationToken,
        run: &Run,
    ) -> Flow<Vec<DataRow>> {
        let writer = RowWriter::new(columns, Zone::of_context(&session.time_zone()));
        session.start(rows, token, run.usage(), move |batch| writer.pieces(&batch))
    }

    // ---- the extended protocol: portals

    /// Binds values to a statement under a portal's name.
    ///
    /// Long values are decoded on the query threads, under the limits of a statement, with memory that the pool granted
    /// for as long as the portal lives.
    pub(super) async fn bind(
        &self,
        portal_name: &str,
        prepared: Option<Arc<Prepared>>,
        message: &Bind,
        formats: Format,
    ) -> Result<()> {
        let expected = prepared.as_ref().map_or(0, |p| p.parameters.len());
        let parameters = &message.parameters;
        if parameters.len() != expected {
            return Err(Error::new(
                SqlState::PROTOCOL_VIOLATION,
                format!(
                    "bind message supplies {} parameters, but the prepared statement requires {expected}",
                    parameters.len()
                ),
            ));
        }
        {
            let portals = self.portals.lock();
            if !portal_name.is_empty() && portals.contains_key(portal_name) {
                return Err(Error::new(SqlState::DUPLICATE_CURSOR, format!("cursor \"{portal_name}\" already exists")));
            }
            if portals.len() >= limits::PORTALS {
                return Err(Error::too_many("open portals", limits::PORTALS)
                    .with_hint("Close portals that have been read, or end the transaction."));
            }
        }
        let session = self.session()?;
        let sent = Sent {
            zone: session.time_zone(),
            targets: prepared.as_ref().map_or_else(Vec::new, |p| p.parameters.clone()),
            declared: prepared.as_ref().map_or_else(Vec::new, |p| p.client_types.clone()),
            formats: message.parameter_format_codes.clone(),
            values: parameters.clone(),
        };
        let bytes: usize = parameters.iter().flatten().map(Bytes::len).sum();
        let (values, memory) = if bytes <= limits::PARSED_AT_ONCE_BYTES {
            (sent.decode()?, None)
        } else {
            let engine = &self.server.engine;
            let taken = bytes.saturating_mul(limits::VALUE_BYTES_PER_SENT_BYTE);
            let memory = engine.reserve("the values of parameters", taken)?;
            let token = session.start_statement();
            let deadline = Self::deadline(session.statement_timeout());
            let task = engine.spawn(plan_until(token.clone(), async move { sent.decode() }));
            let decoded = self.govern(&token, deadline, async { task.join().await? }).await;
            session.end_statement();
            (decoded?, Some(memory))
        };
        let portal = Portal { prepared, values, formats, state: PortalState::Bound, _memory: memory };
        self.portals.lock().insert(portal_name.to_owned(), Arc::new(tokio::sync::Mutex::new(portal)));
        Ok(())
    }

    /// A portal by name.
    pub(super) fn portal(&self, name: &str) -> Result<Arc<tokio::sync::Mutex<Portal>>> {
        self.portals
            .lock()
            .get(name)
            .cloned()
            .ok_or_else(|| Error::new(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist")))
    }

    /// Forgets a portal; its statement stops.
    pub(super) fn close_portal(&self, name: &str) {
        self.portals.lock().remove(name);
    }

    /// Portals end with their transaction; outside of a block that is the Sync.
    pub(super) fn close_portals_of_finished_transaction(&self) {
        let open = self.session.get().is_some_and(|s| s.transaction_status() != session::TransactionStatus::Idle);
        if !open {
            self.portals.lock().clear();
        }
    }

    /// Runs a portal, or reads on, for at most `max_rows` rows (0: all).
    pub(super) async fn execute<C>(
        &self,
        client: &mut C,
        portal: &mut Portal,
        max_rows: usize,
    ) -> std::result::Result<Progress, PgWireError>
    where
        C: Client,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let Some(prepared) = portal.prepared.clone() else {
            client.feed(Message::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
            return Ok(Progress::Complete);
        };
        let session = self.session().map_err(errors::error)?;
        let deadline = Self::deadline(session.statement_timeout());
        // Taken out of the portal: what cuts an execution short, a panic too, ends its run with it.
        let mut state = std::mem::replace(&mut portal.state, PortalState::Executing);
        if matches!(state, PortalState::Bound) {
            let values = std::mem::take(&mut portal.values);
            state = self.begin_portal(client, &prepared, values, &portal.formats).await?;
            self.send_changed_parameters(client).await?;
        }
        let Running { mut flow, mut waiting, tag, mut run } = match state {
            PortalState::Flowing(running) => running,
            PortalState::Finished { tag } => {
                client.feed(Message::CommandComplete(CommandComplete::new(tag.clone()))).await?;
                portal.state = PortalState::Finished { tag };
                session.end_statement();
                return Ok(Progress::Complete);
            }
            PortalState::Bound | PortalState::Executing => {
                return Err(errors::error(Error::new(SqlState::INTERNAL_ERROR, "the portal did not start")));
            }
        };
        let token = flow.cancel_token().clone();
        session.resume_statement(&token);
        run.resume();
        let mut count = 0;
        let done = loop {
            while let Some(row) = waiting.pop_front() {
                client.feed(Message::DataRow(row)).await?;
                run.sent(1);
                count += 1;
                if max_rows != 0 && count == max_rows {
                    run.pause();
                    portal.state = PortalState::Flowing(Running { flow, waiting, tag, run });
                    session.end_statement();
                    return Ok(Progress::Suspended);
                }
            }
            match self.govern(&token, deadline, async { flow.next().await.transpose() }).await {
                Ok(Some(rows)) => waiting.extend(rows),
                Ok(None) => break Ok(()),
                Err(error) => break Err(errors::error(error)),
            }
        };
        run.end(errors::state(&done));
        done?;
        // A portal that is executed again after its end answers with no more rows.
        portal.state = PortalState::Finished { tag: with_count(tag, 0) };
        let tag = with_count(tag, count);
        client.feed(Message::CommandComplete(CommandComplete::new(tag))).await?;
        session.end_statement();
        Ok(Progress::Complete)
    }

    /// Runs the statement of a portal up to where its rows flow.
    async fn begin_portal<C>(
        &self,
        client: &mut C,
        prepared: &Prepared,
        values: Vec<ScalarValue>,
        formats: &Format,
    ) -> std::result::Result<PortalState, PgWireError>
    where
        C: Client,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let session = self.session().map_err(errors::error)?;
        let deadline = Self::deadline(session.statement_timeout());
        let run = session.begin_run(&prepared.parsed.text);
        let token = session.start_statement();
        let outcome = self.govern(&token, deadline, session.execute(prepared, values, run.usage())).await;
        self.send_notices(client).await?;
        match outcome {
            Ok(Outcome::Done(tag)) => {
                run.end(SqlState::SUCCESSFUL_COMPLETION.0);
                Ok(PortalState::Finished { tag })
            }
            Ok(Outcome::Rows(rows)) => {
                let columns = announced(&rows.columns, formats);
                let tag = rows.tag;
                let flow = self.flow(session, *rows, columns, token, &run);
                Ok(PortalState::Flowing(Running { flow, waiting: VecDeque::new(), tag, run }))
            }
            Err(error) => {
                run.end(error.state.0);
                Err(errors::error(error))
            }
        }
    }

    // ---- what goes along with an answer

    /// Sends what the session wants to tell.
    pub(super) async fn send_notices<C>(&self, client: &mut C) -> std::result::Result<(), PgWireError>
    where
        C: Client,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let notices = self.session.get().map(|s| s.take_notices()).unwrap_or_default();
        for notice in notices {
            client.feed(Message::NoticeResponse(errors::notice(notice))).await?;
        }
        Ok(())
    }

    /// Tells the client of parameters that are not what it last heard.
    pub(super) async fn send_changed_parameters<C>(&self, client: &mut C) -> std::result::Result<(), PgWireError>
    where
        C: Client,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let Some(session) = self.session.get() else { return Ok(()) };
        for (name, value) in session.reported_settings() {
            let known = self.reported.lock().insert(name, value.clone());
            if known.as_ref() != Some(&value) {
                let status = ParameterStatus::new(name.to_owned(), value);
                client.feed(Message::ParameterStatus(status)).await?;
            }
        }
        Ok(())
    }

    /// The status byte of `ReadyForQuery`.
    pub(super) fn status(&self) -> TransactionStatus {
        match self.session.get().map(|s| s.transaction_status()) {
            None | Some(session::TransactionStatus::Idle) => TransactionStatus::Idle,
            Some(session::TransactionStatus::Open) => TransactionStatus::Transaction,
            Some(session::TransactionStatus::Failed) => TransactionStatus::Error,
        }
    }
}

impl Portal {
    /// The message that describes its rows in the formats that were asked for.
    pub(super) fn describe(&self) -> Message {
        describe(self.prepared.as_ref().map_or(&[][..], |p| &p.columns), &self.formats)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(session) = self.session.get() {
            self.server.forget(session.identity().process_id);
            session.cancel();
        }
    }
}

/// The columns of an answer in the formats that were asked for.
pub(super) fn announced(columns: &[crate::query::Column], formats: &Format) -> Arc<[OutColumn]> {
    let is_binary = |index: usize| match formats {
        Format::UnifiedText => false,
        Format::UnifiedBinary => true,
        Format::Individual(codes) => codes.get(index).is_some_and(|code| *code == 1),
    };
    out_columns(columns.iter().map(|c| (c.name.as_str(), c.field.as_ref())), is_binary)
}

/// The message that describes the columns; none where there are no rows.
pub(super) fn describe(columns: &[crate::query::Column], formats: &Format) -> Message {
    if columns.is_empty() {
        return Message::NoData(NoData::new());
    }
    Message::RowDescription(description(&announced(columns, formats), columns))
}

fn description(out: &[OutColumn], columns: &[crate::query::Column]) -> RowDescription {
    let fields = out.iter().zip(columns).map(|(out, column)| {
        FieldDescription::new(
            out.name.clone(),
            0,
            0,
            out.pg.oid(),
            types::type_len(&out.pg),
            types::type_modifier(column.field.data_type()),
            i16::from(out.binary),
        )
    });
    RowDescription::new(fields.collect())
}

/// Tags of statements with rows count them; EXPLAIN and SHOW do not.
fn with_count(tag: &str, rows: usize) -> String {
    if matches!(tag, "SELECT" | "FETCH") { format!("{tag} {rows}") } else { tag.to_owned() }
}
