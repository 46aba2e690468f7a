//! From a start-up message to a session: who is it, may it in, is there room.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use futures::{Sink, SinkExt};
use pgwire::api::auth::{StartupHandler, protocol_negotiation};
use pgwire::api::{ClientInfo, PgWireConnectionState};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::response::ReadyForQuery;
use pgwire::messages::startup::{Authentication, BackendKeyData, PasswordMessageFamily, Startup};
use pgwire::messages::{PgWireBackendMessage as Message, PgWireFrontendMessage};

use super::connection::{Client, Connection};
use super::errors;
use crate::access::{Exchange, ServerFirst};
use crate::error::{Error, Result, SqlState};

/// A login that waits for the client.
pub struct Login {
    parameters: BTreeMap<String, String>,
    step: Step,
}

enum Step {
    Offered(Exchange),
    Answered(ServerFirst),
}

#[async_trait]
impl StartupHandler for Connection {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<Message> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        match message {
            PgWireFrontendMessage::Startup(startup) => self.begin_login(client, startup).await,
            PgWireFrontendMessage::PasswordMessageFamily(PasswordMessageFamily::Raw(answer)) => {
                self.continue_login(client, &answer).await
            }
            _ => Err(errors::fatal(Error::new(SqlState::PROTOCOL_VIOLATION, "expected a start-up message"))),
        }
    }
}

impl Connection {
    async fn begin_login<C>(&self, client: &mut C, startup: Startup) -> PgWireResult<()>
    where
        C: Client,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        protocol_negotiation(client, &startup).await?;
        let options = &self.server.options;
        let parameters = startup.parameters;
        let user = user_of(&parameters).map_err(errors::fatal)?;
        if options.require_tls && !client.is_secure() {
            return Err(errors::fatal(
                Error::new(SqlState::INVALID_AUTHORIZATION, "this server accepts encrypted connections only")
                    .with_hint("Connect with sslmode=require, or better verify-full."),
            ));
        }
        if !options.access.asks_for_passwords() {
            options.access.admit_trusted(user).map_err(errors::fatal)?;
            return self.admit(client, &parameters).await;
        }
        let certificate_hash = options.tls.as_ref().and_then(|tls| tls.certificate_hash());
        let exchange = options.access.challenge(user, certificate_hash.filter(|_| client.is_secure()));
        let mechanisms = exchange.mechanisms();
        *self.login.lock() = Some(Login { parameters, step: Step::Offered(exchange) });
        client.set_state(PgWireConnectionState::AuthenticationInProgress);
        client.send(Message::Authentication(Authentication::SASL(mechanisms))).await?;
        Ok(())
    }

    async fn continue_login<C>(&self, client: &mut C, answer: &[u8]) -> PgWireResult<()>
    where
        C: Client,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let Some(Login { parameters, step }) = self.login.lock().take() else {
            return Err(errors::fatal(Error::new(SqlState::PROTOCOL_VIOLATION, "no password was asked for")));
        };
        match step {
            Step::Offered(exchange) => {
                let (mechanism, first) = initial_response(answer).map_err(errors::fatal)?;
                let (waiting, reply) = exchange.first(mechanism, first).map_err(errors::fatal)?;
                *self.login.lock() = Some(Login { parameters, step: Step::Answered(waiting) });
                client.send(Message::Authentication(Authentication::SASLContinue(reply.into()))).await?;
                Ok(())
            }
            Step::Answered(waiting) => {
                let Some(proof) = waiting.last(answer).map_err(errors::fatal)? else {
                    let user = user_of(&parameters).unwrap_or_default();
                    tracing::warn!(user, client = %client.socket_addr().ip(), "password authentication failed");
                    let message = format!("password authentication failed for user \"{user}\"");
                    return Err(errors::fatal(Error::new(SqlState::INVALID_PASSWORD, message)));
                };
                client.feed(Message::Authentication(Authentication::SASLFinal(proof.into()))).await?;
                self.admit(client, &parameters).await
            }
        }
    }

    /// Opens the session of somebody who may have one.
    async fn admit<C>(&self, client: &mut C, parameters: &BTreeMap<String, String>) -> PgWireResult<()>
    where
        C: Client,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let place = self.server.take_place().map_err(errors::fatal)?;
        let address = Some(client.socket_addr().ip().to_string());
        let (session, key) =
            self.server.open_session(parameters, client.protocol_version(), address).map_err(errors::fatal)?;
        let process_id = session.identity().process_id;
        client.set_pid_and_secret_key(process_id, key.clone());
        if self.session.set(session).is_err() || self.place.set(place).is_err() {
            return Err(errors::fatal(Error::new(SqlState::PROTOCOL_VIOLATION, "the connection is started already")));
        }
        client.feed(Message::Authentication(Authentication::Ok)).await?;
        self.send_changed_parameters(client).await?;
        client.feed(Message::BackendKeyData(BackendKeyData::new(process_id, key))).await?;
        client.set_state(PgWireConnectionState::ReadyForQuery);
        client.send(Message::ReadyForQuery(ReadyForQuery::new(self.status()))).await?;
        Ok(())
    }
}

/// The user that a start-up message names.
pub fn user_of(parameters: &BTreeMap<String, String>) -> Result<&str> {
    parameters.get("user").map(String::as_str).filter(|user| !user.is_empty()).ok_or_else(|| {
        Error::new(SqlState::INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet")
    })
}

/// A `SASLInitialResponse`: the mechanism's name, a length, and the mechanism's first message.
fn initial_response(body: &[u8]) -> Result<(&str, &[u8])> {
    let malformed = || Error::new(SqlState::PROTOCOL_VIOLATION, "invalid message format");
    let end = body.iter().position(|byte| *byte == 0).ok_or_else(malformed)?;
    let mechanism = std::str::from_utf8(&body[..end]).map_err(|_| malformed())?;
    let (length, message) = body[end + 1..].split_first_chunk::<4>().ok_or_else(malformed)?;
    let is_whole = usize::try_from(i32::from_be_bytes(*length)).is_ok_and(|length| length == message.len());
    if is_whole { Ok((mechanism, message)) } else { Err(malformed()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_initial_response_has_a_name_and_a_message_of_its_length() {
        assert_eq!(initial_response(b"SCRAM-SHA-256\0\0\0\0\x02n,"), Ok(("SCRAM-SHA-256", &b"n,"[..])));
        for body in [&b""[..], b"SCRAM-SHA-256", b"S\0", b"S\0\0\0\0\x03n,", b"S\0\xff\xff\xff\xff", b"\xff\0\0\0\0\0"]
        {
            assert!(initial_response(body).is_err(), "{body:?}");
        }
    }
}
