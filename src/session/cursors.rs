//! Cursors of DECLARE: statements whose rows are fetched a few at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{Declare, Statement};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{Body, Outcome, Registry, Rows, Session, TransactionStatus, info, statement};
use crate::catalog::system::CursorInfo;
use crate::engine::Usage;
use crate::error::{Error, Result, SqlState};
use crate::limits;
use crate::query::{Column, Fetch, Held, Parsed, Piece, backwards, lock};

/// One cursor.
pub(super) struct Cursor {
    pub(super) columns: Vec<Column>,
    pub(super) held: Arc<tokio::sync::Mutex<Held>>,
    /// WITH HOLD: it outlives a block that is committed.
    is_held: bool,
    /// A held cursor is one of its block until that is committed.
    is_of_block: bool,
    /// The statement that declared it.
    statement: Arc<str>,
    created_at_us: i64,
    account: Arc<Account>,
}

/// What a cursor takes. Each FETCH tells what was read since the one before; what is left counts when the cursor ends.
struct Account {
    usage: Arc<Usage>,
    registry: Arc<Registry>,
}

impl Drop for Account {
    fn drop(&mut self) {
        self.registry.read_ahead(self.usage.take_scanned_bytes() as u64);
    }
}

/// The open cursors of a session, by name.
#[derive(Default)]
pub(super) struct Cursors(Mutex<BTreeMap<String, Arc<Cursor>>>);

impl Cursors {
    /// The cursor of a name (34000).
    pub(super) fn get(&self, name: &str) -> Result<Arc<Cursor>> {
        self.0.lock().get(name).cloned().ok_or_else(|| unknown(name))
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.lock().keys().cloned().collect()
    }

    /// The open cursors, as `pg_cursors` lists them.
    pub(super) fn listed(&self) -> Vec<CursorInfo> {
        let cursors = self.0.lock();
        let listed = cursors.iter().map(|(name, cursor)| CursorInfo {
            name: name.clone(),
            statement: cursor.statement.to_string(),
            is_held: cursor.is_held,
            created_at_us: cursor.created_at_us,
        });
        listed.collect()
    }

    /// CLOSE; `None` closes all.
    pub(super) fn close(&self, name: Option<&str>) -> Result<()> {
        let mut cursors = self.0.lock();
        match name {
            None => cursors.clear(),
            Some(name) => {
                cursors.remove(name).ok_or_else(|| unknown(name))?;
            }
        }
        Ok(())
    }

    /// ROLLBACK TO: closes what was opened since.
    pub(super) fn keep(&self, names: &[String]) {
        self.0.lock().retain(|name, _| names.contains(name));
    }

    /// A block fails: its cursors end, but for those of a savepoint.
    pub(super) fn fail_block(&self, kept: &[String]) {
        self.0.lock().retain(|name, cursor| !cursor.is_of_block || kept.contains(name));
    }

    /// A block ends: its cursors with it, but for held ones of a block that is committed.
    pub(super) fn end_block(&self, committed: bool) {
        let mut cursors = self.0.lock();
        cursors.retain(|_, cursor| !cursor.is_of_block || (committed && cursor.is_held));
        for cursor in cursors.values_mut().filter(|cursor| cursor.is_of_block) {
            let Cursor { columns, held, is_held, statement, created_at_us, account, .. } = cursor.as_ref();
            *cursor = Arc::new(Cursor {
                columns: columns.clone(),
                held: Arc::clone(held),
                is_held: *is_held,
                is_of_block: false,
                statement: Arc::clone(statement),
                created_at_us: *created_at_us,
                account: Arc::clone(account),
            });
        }
    }
}

fn unknown(name: &str) -> Error {
    Error::new(SqlState::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}

/// What DECLARE says beside the query.
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) is_held: bool,
}

/// What a statement declares, if it declares a cursor (0A000 for what is not here).
pub(super) fn declared_cursor(parsed: &Parsed) -> Result<Option<Declared>> {
    let Some(Statement::Declare { stmts }) = statement::sql(parsed) else { return Ok(None) };
    let [Declare { names, binary, scroll, hold, for_query: Some(_), .. }] = stmts.as_slice() else {
        return Err(statement::unsupported(parsed));
    };
    let [name] = names.as_slice() else { return Err(statement::unsupported(parsed)) };
    let refused = match (binary, scroll) {
        (Some(true), _) => "BINARY",
        (_, Some(true)) => "SCROLL",
        _ => return Ok(Some(Declared { name: statement::fold(name), is_held: *hold == Some(true) })),
    };
    Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("DECLARE ... {refused} CURSOR is not supported"))
        .with_hint("Cursors go forward only; clients ask for binary values when they fetch."))
}

/// The part of a statement that has a plan: of DECLARE the query.
pub(super) fn planned_part(statement: &Statement) -> Statement {
    match statement {
        Statement::Declare { stmts } => match stmts.as_slice() {
            [Declare { for_query: Some(query), .. }] => Statement::Query(query.clone()),
            _ => statement.clone(),
        },
        other => other.clone(),
    }
}

/// Opens a cursor on rows that have been bound.
pub(super) fn open(session: &Session, declared: Declared, text: &str, rows: Rows) -> Result<Outcome> {
    let Declared { name, is_held } = declared;
    let is_in_block = session.transaction_status() == TransactionStatus::Open;
    if !is_in_block && !is_held {
        let message = "DECLARE CURSOR can only be used in transaction blocks";
        return Err(Error::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
    }
    {
        let cursors = session.cursors.0.lock();
        if cursors.contains_key(&name) {
            return Err(Error::new(SqlState::DUPLICATE_CURSOR, format!("cursor \"{name}\" already exists")));
        }
        if cursors.len() >= limits::CURSORS {
            let hint = "CLOSE cursors that have been read, or end the transaction.";
            return Err(Error::too_many("open cursors", limits::CURSORS).with_hint(hint));
        }
    }
    let columns = rows.columns.clone();
    // The cursor has a token and an account of its own: those of this statement end with it.
    let usage = Arc::default();
    let flow = session.start(rows, CancellationToken::new(), &usage, |batch| {
        let piece = Piece { content: batch, bytes: 0 };
        Ok(Box::new(std::iter::once(Ok(piece))))
    });
    let held = Arc::new(tokio::sync::Mutex::new(Held::new(flow)));
    let (statement, created_at_us) = (text.into(), info::now_us());
    let account = Arc::new(Account { usage, registry: Arc::clone(&session.registry) });
    let cursor = Cursor { columns, held, is_held, is_of_block: is_in_block, statement, created_at_us, account };
    session.cursors.0.lock().insert(name, Arc::new(cursor));
    Ok(Outcome::Done("DECLARE CURSOR".to_owned()))
}

/// FETCH gives rows, MOVE counts them; `usage` is the account of the statement.
pub(super) async fn fetch(session: &Session, fetch: &Fetch, usage: &Usage) -> Result<Outcome> {
    let cursor = session.cursors.get(&fetch.cursor)?;
    usage.fetch_from(&cursor.account.usage);
    let mut skipped = fetch.skipped;
    if fetch.is_absolute {
        let position = lock(&cursor.held)?.position;
        skipped = skipped.checked_sub(position).ok_or_else(backwards)?;
    }
    if !fetch.is_move {
        let body = Body::Cursor { held: Arc::clone(&cursor.held), skipped, count: fetch.count };
        return Ok(Outcome::Rows(Box::new(Rows { columns: cursor.columns.clone(), tag: "FETCH", body })));
    }
    let mut held = lock(&cursor.held)?;
    let pass = |_| std::future::ready(true);
    if skipped > 0 {
        held.each(Some(skipped), pass).await?;
    }
    let moved = held.each(fetch.count, pass).await?;
    Ok(Outcome::Done(format!("MOVE {moved}")))
}
