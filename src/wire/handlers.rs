//! The protocol library's messages, handed to the [`Connection`] they came on.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures::{Sink, SinkExt};
use pgwire::api::cancel::CancelHandler;
use pgwire::api::portal::{Format, Portal as StoredPortal};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler, send_ready_for_query};
use pgwire::api::results::{FieldInfo, Response};
use pgwire::api::stmt::QueryParser;
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, PgWireConnectionState, Type};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::data::ParameterDescription;
use pgwire::messages::extendedquery::{
    Bind, BindComplete, Close, CloseComplete, Describe, Execute, Parse, ParseComplete, PortalSuspended,
    Sync as SyncMessage, TARGET_TYPE_BYTE_STATEMENT,
};
use pgwire::messages::response::{EmptyQueryResponse, ReadyForQuery};
use pgwire::messages::simplequery::Query;

use super::connection::{Connection, Progress, describe};
use super::{errors, types};
use crate::error::{Error, SqlState};
use crate::query;

/// Ends a statement with an error: the open transaction fails with it.
pub(super) fn failed(connection: &Connection, client: &mut impl ClientInfo, error: PgWireError) -> PgWireError {
    if let Some(session) = connection.session.get() {
        session.end_statement();
        session.fail();
    }
    client.set_state(PgWireConnectionState::ReadyForQuery);
    client.set_transaction_status(connection.status());
    error
}

#[async_trait]
impl CancelHandler for Connection {
    async fn on_cancel_request(&self, request: CancelRequest) {
        self.server.cancel(request.pid, &request.secret_key);
    }
}

#[async_trait]
impl SimpleQueryHandler for Connection {
    async fn on_query<C>(&self, client: &mut C, message: Query) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        client.set_state(PgWireConnectionState::QueryInProgress);
        let statements = match self.parse_text(&message.query).await {
            Ok(statements) => statements,
            Err(error) => return Err(failed(self, client, errors::error(error))),
        };
        if statements.is_empty() {
            client.feed(Message::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
        }
        // Several statements of one message are one transaction, unless they say otherwise.
        let block =
            statements.len() > 1 && self.session.get().is_some_and(|session| session.begin_implicit(&statements));
        for statement in statements {
            if let Err(error) = self.run_simple(client, statement).await {
                let error = failed(self, client, error);
                if let (true, Some(session)) = (block, self.session.get()) {
                    session.end_implicit(false);
                    client.set_transaction_status(self.status());
                }
                return Err(error);
            }
        }
        if let (true, Some(session)) = (block, self.session.get())
            && !session.end_implicit(true)
        {
            let error =
                Error::new(SqlState("40001"), "could not serialize access due to a concurrent change of the catalog");
            return Err(failed(self, client, errors::error(error)));
        }
        self.close_portals_of_finished_transaction();
        self.send_changed_parameters(client).await?;
        client.set_state(PgWireConnectionState::ReadyForQuery);
        client.set_transaction_status(self.status());
        send_ready_for_query(client, self.status()).await
    }

    async fn do_query<C>(&self, _client: &mut C, _query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        Err(not_used())
    }
}

/// The library's own statement store is not used: `on_*` keep statements in the session.
pub struct NoParser;

#[async_trait]
impl QueryParser for NoParser {
    type Statement = ();

    async fn parse_sql<C>(&self, _: &C, _: &str, _: &[Option<Type>]) -> PgWireResult<Option<()>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        Err(not_used())
    }

    fn get_parameter_types(&self, (): &()) -> PgWireResult<Vec<Type>> {
        Err(not_used())
    }

    fn get_result_schema(&self, (): &(), _: Option<&Format>) -> PgWireResult<Vec<FieldInfo>> {
        Err(not_used())
    }
}

fn not_used() -> PgWireError {
    errors::error(Error::new(SqlState::INTERNAL_ERROR, "an unused entry of the protocol was called"))
}

impl Connection {
    /// Parses a query text as a statement does, under its limits; one that cannot be parsed leaves its line in the log.
    async fn parse_text(&self, text: &str) -> crate::error::Result<Vec<query::Parsed>> {
        let session = self.session()?;
        let token = session.start_statement();
        let deadline = Self::deadline(session.statement_timeout());
        let parsed = self.govern(&token, deadline, session.parse(text)).await;
        session.end_statement();
        if let Err(error) = &parsed {
            session.begin_run(text).end(error.state.0);
        }
        parsed
    }

    async fn parse(&self, message: &Parse) -> crate::error::Result<()> {
        let session = self.session()?;
        let name = message.name.as_deref().unwrap_or_default();
        let mut statements = self.parse_text(&message.query).await?;
        if statements.len() > 1 {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "cannot insert multiple commands into a prepared statement",
            ));
        }
        let declared = (0..message.type_oids.len()).map(|index| types::declared(&message.type_oids, index));
        let arrow = declared.map(|pg| pg.as_ref().and_then(types::arrow_type)).collect();
        if name.is_empty() {
            session.close_statement("");
        }
        let Some(statement) = statements.pop() else {
            return session.store_statement(name, None, false);
        };
        let token = session.start_statement();
        let deadline = Self::deadline(session.statement_timeout());
        let text = statement.text.clone();
        let prepared = self.govern(&token, deadline, session.prepare(statement, arrow)).await;
        session.end_statement();
        if let Err(error) = &prepared {
            session.begin_run(&text).end(error.state.0);
        }
        let mut prepared = prepared?;
        prepared.client_types.clone_from(&message.type_oids);
        session.store_statement(name, Some(Arc::new(prepared)), false)
    }

    async fn bind_message(&self, message: &Bind) -> crate::error::Result<()> {
        let statement = message.statement_name.as_deref().unwrap_or_default();
        let prepared = self.session()?.statement(statement)?;
        let formats = match message.result_column_format_codes.as_slice() {
            [] => Format::UnifiedText,
            [one] => Format::from(*one),
            many => Format::Individual(many.to_vec()),
        };
        let portal = message.portal_name.as_deref().unwrap_or_default();
        if portal.is_empty() {
            self.close_portal("");
        }
        self.bind(portal, prepared, message, formats).await
    }
}

#[async_trait]
impl ExtendedQueryHandler for Connection {
    type Statement = ();
    type QueryParser = NoParser;

    fn query_parser(&self) -> Arc<NoParser> {
        Arc::new(NoParser)
    }

    async fn on_parse<C>(&self, client: &mut C, message: Parse) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = ()>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        match self.parse(&message).await {
            Ok(()) => {
                self.send_notices(client).await?;
                client.feed(Message::ParseComplete(ParseComplete::new())).await?;
                Ok(())
            }
            Err(error) => Err(failed(self, client, errors::error(error))),
        }
    }

    async fn on_bind<C>(&self, client: &mut C, message: Bind) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = ()>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        match self.bind_message(&message).await {
            Ok(()) => {
                client.feed(Message::BindComplete(BindComplete::new())).await?;
                Ok(())
            }
            Err(error) => Err(failed(self, client, errors::error(error))),
        }
    }

    async fn on_describe<C>(&self, client: &mut C, message: Describe) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = ()>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or_default();
        if message.target_type == TARGET_TYPE_BYTE_STATEMENT {
            let prepared = match self.session().and_then(|s| s.statement(name)) {
                Ok(prepared) => prepared,
                Err(error) => return Err(failed(self, client, errors::error(error))),
            };
            let declared = prepared.as_ref().map_or(&[][..], |p| &p.client_types);
            let targets = prepared.as_ref().map_or(&[][..], |p| &p.parameters);
            let oids = targets.iter().enumerate().map(|(index, target)| {
                types::declared(declared, index).unwrap_or_else(|| types::pg_type(target)).oid()
            });
            let parameters = ParameterDescription::new(oids.collect());
            client.feed(Message::ParameterDescription(parameters)).await?;
            let columns = prepared.as_ref().map_or(&[][..], |p| &p.columns);
            client.feed(describe(columns, &Format::UnifiedText)).await?;
            return Ok(());
        }
        let portal = match self.portal(name) {
            Ok(portal) => portal,
            // A cursor of DECLARE is a portal too: drivers ask for its columns before they fetch.
            Err(error) => match self.session().and_then(|session| session.cursor_columns(name)) {
                Ok(columns) => {
                    client.feed(describe(&columns, &Format::UnifiedText)).await?;
                    return Ok(());
                }
                Err(_) => return Err(failed(self, client, errors::error(error))),
            },
        };
        let answer = {
            let portal = portal.lock().await;
            portal.describe()
        };
        client.feed(answer).await?;
        Ok(())
    }

    async fn on_execute<C>(&self, client: &mut C, message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = ()>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        client.set_state(PgWireConnectionState::QueryInProgress);
        let name = message.name.as_deref().unwrap_or_default();
        let portal = match self.portal(name) {
            Ok(portal) => portal,
            Err(error) => return Err(failed(self, client, errors::error(error))),
        };
        let max_rows = usize::try_from(message.max_rows).unwrap_or(0);
        let progress = {
            let mut portal = portal.lock().await;
            self.execute(client, &mut portal, max_rows).await
        };
        match progress {
            Ok(Progress::Suspended) => {
                client.feed(Message::PortalSuspended(PortalSuspended::new())).await?;
            }
            Ok(Progress::Complete) => {}
            Err(error) => {
                self.close_portal(name);
                return Err(failed(self, client, error));
            }
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        client.set_transaction_status(self.status());
        Ok(())
    }

    async fn on_sync<C>(&self, client: &mut C, _message: SyncMessage) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = ()>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        self.close_portals_of_finished_transaction();
        // What a function has set, and what the end of a block has put back.
        self.send_changed_parameters(client).await?;
        client.set_transaction_status(self.status());
        client.send(Message::ReadyForQuery(ReadyForQuery::new(self.status()))).await?;
        Ok(())
    }

    async fn on_close<C>(&self, client: &mut C, message: Close) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = ()>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or_default();
        if message.target_type == TARGET_TYPE_BYTE_STATEMENT {
            if let Ok(session) = self.session() {
                session.close_statement(name);
            }
        } else {
            self.close_portal(name);
        }
        client.feed(Message::CloseComplete(CloseComplete::new())).await?;
        Ok(())
    }

    async fn do_query<C>(&self, _client: &mut C, _portal: &StoredPortal<()>, _max_rows: usize) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = ()>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        Err(not_used())
    }
}
