//! Transaction blocks: how they begin and end, their savepoints, and what they say of themselves.

use datafusion::sql::sqlparser::ast::{TransactionAccessMode, TransactionMode};

use super::transaction::Savepoint;
use super::{Inner, Notice, Outcome, Session, TransactionStatus, info, statement};
use crate::error::{Error, Result, SqlState};

pub(super) fn begin_block(session: &Session, begin: bool) -> Outcome {
    let mut inner = session.inner.lock();
    if inner.transaction.status() == TransactionStatus::Idle {
        let Inner { settings, transaction, .. } = &mut *inner;
        transaction.begin(settings, session.context.state().config_options().as_ref().clone());
        drop(inner);
        session.catalog.begin();
        session.doing.lock().transaction_started_at_us = Some(info::now_us());
    } else {
        drop(inner);
        session.tell(Notice::warning(SqlState::ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress"));
    }
    statement::done(if begin { "BEGIN" } else { "START TRANSACTION" })
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

/// What BEGIN and SET TRANSACTION say of the block: it holds until the block ends.
///
/// Every block reads one snapshot of the catalogue, whatever level is asked for; what is read only may define nothing.
pub(super) fn set_modes(session: &Session, modes: &[TransactionMode]) -> Result<()> {
    let mut inner = session.inner.lock();
    let Inner { settings, transaction, .. } = &mut *inner;
    let default = |name: &str| settings.get(&format!("default_{name}")).map(|(_, value)| value.to_owned());
    let mut values = vec![
        ("transaction_isolation", default("transaction_isolation")?),
        ("transaction_read_only", default("transaction_read_only")?),
    ];
    values.extend(modes.iter().map(mode_setting));
    transaction.keep_for_commit(settings);
    for (name, value) in values {
        settings.set(name, &value)?;
    }
    Ok(())
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

/// AND CHAIN: the next block begins where this one ended.
pub(super) fn chained(session: &Session, chain: bool, done: Outcome) -> Outcome {
    if chain && session.transaction_status() == TransactionStatus::Idle {
        begin_block(session, true);
    }
    done
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
    if let Some(settings) = before.settings {
        session.inner.lock().settings = settings;
    }
    statement::apply_settings(session);
}

fn no_transaction(session: &Session) {
    session.tell(Notice::warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress"));
}
