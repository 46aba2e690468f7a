//! Transaction blocks: how they begin and end, their savepoints, and what they say of themselves.

use datafusion::sql::sqlparser::ast::{TransactionAccessMode, TransactionMode};

use super::transaction::Savepoint;
use super::{Inner, Notice, Outcome, Session, TransactionStatus, info, statement};
use crate::error::{Error, Result, SqlState};

/// BEGIN and START TRANSACTION; inside of a block nothing changes.
pub(super) fn begin(session: &Session, begin: bool, modes: &[TransactionMode]) -> Result<Outcome> {
    if session.transaction_status() == TransactionStatus::Idle {
        let modes: Vec<_> = modes.iter().map(mode_setting).collect();
        begin_block(session, &modes)?;
    } else {
        session.tell(Notice::warning(SqlState::ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress"));
    }
    Ok(statement::done(if begin { "BEGIN" } else { "START TRANSACTION" }))
}

/// Begins a block where none is open: as the session's defaults have it, but for what `modes` say.
///
/// Every block reads one snapshot of the catalogue, whatever level is asked for; what is read only may define nothing.
pub(super) fn begin_block(session: &Session, modes: &[(&'static str, String)]) -> Result<()> {
    let options = session.context.state().config_options().as_ref().clone();
    {
        let mut inner = session.inner.lock();
        let Inner { settings, transaction, .. } = &mut *inner;
        transaction.begin(settings, options);
        for (name, value) in settings.of_next_block().iter().chain(modes) {
            settings.set(name, value)?;
        }
    }
    session.catalog.begin();
    session.doing.lock().transaction_started_at_us = Some(info::now_us());
    Ok(())
}

pub(super) fn commit(session: &Session) -> Result<Outcome> {
    match session.transaction_status() {
        TransactionStatus::Idle => {
            no_transaction(session);
            Ok(statement::done("COMMIT"))
        }
        TransactionStatus::Failed => Ok(rollback(session)),
        TransactionStatus::Open => {
            let committed = session.catalog.commit();
            end_block(session, committed.is_ok());
            committed.map(|()| statement::done("COMMIT"))
        }
    }
}

pub(super) fn rollback(session: &Session) -> Outcome {
    if session.transaction_status() == TransactionStatus::Idle {
        no_transaction(session);
    } else {
        session.catalog.rollback();
        end_block(session, false);
    }
    statement::done("ROLLBACK")
}

fn mode_setting(mode: &TransactionMode) -> (&'static str, String) {
    match mode {
        TransactionMode::AccessMode(TransactionAccessMode::ReadOnly) => ("transaction_read_only", "on".to_owned()),
        TransactionMode::AccessMode(TransactionAccessMode::ReadWrite) => ("transaction_read_only", "off".to_owned()),
        TransactionMode::IsolationLevel(level) => ("transaction_isolation", level.to_string().to_lowercase()),
    }
}

/// SET TRANSACTION is about the open block, SET SESSION CHARACTERISTICS about all that follow.
pub(super) fn set_transaction(session: &Session, modes: &[TransactionMode], for_session: bool) -> Result<()> {
    if !for_session && session.transaction_status() == TransactionStatus::Idle {
        let message = "SET TRANSACTION can only be used in transaction blocks";
        session.tell(Notice::warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
        return Ok(());
    }
    for (name, value) in modes.iter().map(mode_setting) {
        match for_session {
            true => statement::set_setting(session, &format!("default_{name}"), &value, false)?,
            false => statement::set_setting(session, name, &value, true)?,
        }
    }
    Ok(())
}

pub(super) fn refuse_if_read_only(session: &Session, what: &str) -> Result<()> {
    let is_read_only = statement::current_setting(session, "transaction_read_only").as_deref() == Some("on");
    if is_read_only {
        let message = format!("cannot execute {what} in a read-only transaction");
        return Err(Error::new(SqlState::READ_ONLY_SQL_TRANSACTION, message));
    }
    Ok(())
}

/// Ends a block; with AND CHAIN the next one begins at once, and is what this one was.
pub(super) fn chained(
    session: &Session,
    chain: bool,
    what: &str,
    end: impl FnOnce(&Session) -> Result<Outcome>,
) -> Result<Outcome> {
    if !chain {
        return end(session);
    }
    if session.transaction_status() == TransactionStatus::Idle {
        let message = format!("{what} AND CHAIN can only be used in transaction blocks");
        return Err(Error::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
    }
    let modes = session.inner.lock().settings.of_block();
    let done = end(session)?;
    begin_block(session, &modes)?;
    Ok(done)
}

pub(super) fn save(session: &Session, name: String) -> Result<Outcome> {
    let options = session.context.state().config_options().as_ref().clone();
    let (catalog, cursors) = (session.catalog.savepoint(), session.cursors.names());
    let mut inner = session.inner.lock();
    let savepoint = Savepoint::new(name, inner.settings.clone(), options, catalog, cursors);
    inner.transaction.save(savepoint)?;
    Ok(statement::done("SAVEPOINT"))
}

pub(super) fn return_to(session: &Session, name: &str) -> Result<Outcome> {
    let savepoint = session.inner.lock().transaction.return_to(name)?;
    session.catalog.return_to(&savepoint.catalog);
    session.cursors.keep(&savepoint.cursors);
    *session.context.state_ref().write().config_mut().options_mut() = savepoint.options;
    session.inner.lock().settings = savepoint.settings;
    statement::apply_settings(session);
    Ok(statement::done("ROLLBACK"))
}

fn end_block(session: &Session, committed: bool) {
    session.cursors.end_block(committed);
    session.doing.lock().transaction_started_at_us = None;
    let before = session.inner.lock().transaction.end(committed);
    if let Some(options) = before.options {
        *session.context.state_ref().write().config_mut().options_mut() = options;
    }
    {
        let settings = &mut session.inner.lock().settings;
        if let Some(before) = before.settings {
            *settings = before;
        }
        settings.end_block();
    }
    statement::apply_settings(session);
}

fn no_transaction(session: &Session) {
    session.tell(Notice::warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress"));
}
