//! Statements that a session answers itself: transactions, settings, prepared statements,
//! definitions. Everything else is a plan.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::sql::sqlparser::ast::{
    CloseCursor, ContextModifier, DiscardObject, Expr, Ident, ObjectName, Reset, SchemaName, Set,
    SetSessionAuthorizationParamKind, Statement, UnaryOperator, Value,
};

use super::{Inner, Notice, Outcome, Session, TransactionStatus, blocks, cursors, options, settings};

use crate::catalog;
use crate::engine::Usage;
use crate::error::{Error, Result, SqlState};
use crate::query::{self, Column, Kind, Parsed};
use crate::sealed::Sealed;

/// Whether the statement may run in a failed transaction: it ends it, or goes back to where it had not failed.
pub(super) fn ends_transaction(parsed: &Parsed) -> bool {
    matches!(sql(parsed), Some(Statement::Commit { .. } | Statement::Rollback { .. }))
}

/// Whether the statement itself begins or ends blocks, or may not run in one.
pub(super) fn is_about_transactions(parsed: &Parsed) -> bool {
    matches!(
        sql(parsed),
        Some(
            Statement::StartTransaction { .. }
                | Statement::Commit { .. }
                | Statement::Rollback { .. }
                | Statement::Discard { .. }
        )
    )
}

/// Whether a statement may name tables of a lake: those that cannot do not wait for one.
pub(super) fn names_relations(parsed: &Parsed) -> bool {
    match sql(parsed) {
        Some(statement) => matches!(
            statement,
            Statement::Query(_)
                | Statement::Explain { .. }
                | Statement::ExplainTable { .. }
                | Statement::Declare { .. }
                | Statement::CreateView(_)
                | Statement::Drop { .. }
        ),
        None => matches!(&*parsed.kind, Kind::External(_)),
    }
}

/// The columns of a statement that needs no plan (none, for most); `None` if it is a plan.
pub(super) fn answers_itself(parsed: &Parsed, session: &Session) -> Result<Option<Vec<Column>>> {
    if let Kind::Fetch(fetch) = &*parsed.kind
        && !fetch.is_move
    {
        return session.cursor_columns(&fetch.cursor).map(Some);
    }
    let Some(statement) = sql(parsed) else { return Ok(Some(vec![])) };
    Ok(match statement {
        Statement::Declare { .. } => None,
        Statement::Query(_) | Statement::Explain { .. } | Statement::ExplainTable { .. } => None,
        Statement::ShowVariable { variable } => Some(show_columns(&variable_name(variable))),
        Statement::Execute { name, .. } => {
            let prepared = session.statement(&statement_name(name.as_ref())?)?;
            Some(prepared.map_or_else(Vec::new, |p| p.columns.clone()))
        }
        _ => Some(vec![]),
    })
}

/// Runs a statement that needs no plan, on the account of `usage`.
pub(super) async fn run(session: &Arc<Session>, parsed: &Parsed, usage: &Arc<Usage>) -> Result<Outcome> {
    let statement = match &*parsed.kind {
        Kind::External(create) => {
            blocks::refuse_if_read_only(session, "CREATE EXTERNAL TABLE")?;
            let (access, user) = (Arc::clone(&session.access), session.identity.user.clone());
            let may_read = move |location: &str| access.check_location(&user, location);
            let (catalog, context) = (session.catalog.clone(), session.context.clone());
            let (create, parsed) = (create.clone(), parsed.clone());
            let defining =
                async move { query::ddl::create_external_table(&catalog, &context, may_read, &create, &parsed).await };
            let notices = session.plan_off_the_network(defining).await?;
            return Ok(defined(session, "CREATE TABLE", notices, Lifetime::OfServer));
        }
        Kind::Fetch(fetch) => return cursors::fetch(session, fetch, usage).await,
        Kind::Sql(statement) => statement,
    };
    match statement.as_ref() {
        Statement::StartTransaction { begin, modes, .. } => blocks::begin(session, *begin, modes),
        Statement::Commit { chain, .. } => blocks::chained(session, *chain, "COMMIT", blocks::commit),
        Statement::Rollback { savepoint: None, chain } => {
            blocks::chained(session, *chain, "ROLLBACK", |session| Ok(blocks::rollback(session)))
        }
        Statement::Rollback { savepoint: Some(name), .. } => blocks::return_to(session, &fold(name)),
        Statement::Savepoint { name } => blocks::save(session, fold(name)),
        Statement::ReleaseSavepoint { name } => {
            session.inner.lock().transaction.release(&fold(name))?;
            Ok(done("RELEASE"))
        }
        Statement::Close { cursor } => {
            let name = match cursor {
                CloseCursor::All => None,
                CloseCursor::Specific { name } => Some(fold(name)),
            };
            session.cursors.close(name.as_deref())?;
            Ok(done(if name.is_none() { "CLOSE CURSOR ALL" } else { "CLOSE CURSOR" }))
        }
        // Nobody can listen here, so there is nothing to end; pools of connections say so before they lend one again.
        Statement::UNLISTEN { .. } => Ok(done("UNLISTEN")),
        Statement::AlterTable(alter) => {
            let tag = query::ddl::alter_tag(alter);
            blocks::refuse_if_read_only(session, tag)?;
            let notices = query::ddl::rename(&session.catalog, alter, tag)?.ok_or_else(|| unsupported(parsed))?;
            Ok(defined(session, tag, notices, Lifetime::Over))
        }
        Statement::Set(set) => assign(session, set),
        Statement::Reset(reset) => {
            match &reset.reset {
                Reset::ALL => reset_all(session),
                Reset::ConfigurationParameter(name) => match name.to_string().to_ascii_lowercase().as_str() {
                    // The session's user is its only role.
                    "role" | "session.authorization" => {}
                    _ => reset_one(session, &name.to_string())?,
                },
            }
            Ok(done("RESET"))
        }
        Statement::ShowVariable { variable } => show(session, &variable_name(variable)),
        Statement::Discard { object_type } => discard(session, object_type),
        Statement::Prepare { name, data_types, statement } => {
            prepare(session, name, data_types, statement, parsed).await
        }
        Statement::Execute { name, parameters, .. } => execute(session, name.as_ref(), parameters, parsed, usage).await,
        Statement::Deallocate { name, .. } => deallocate(session, name),
        Statement::CreateView(view) => {
            blocks::refuse_if_read_only(session, "CREATE VIEW")?;
            let (catalog, context) = (session.catalog.clone(), session.context.clone());
            let (view, parsed) = (view.clone(), parsed.clone());
            let defining = async move { query::ddl::create_view(&catalog, &context, &view, &parsed).await };
            let notices = session.plan_off_the_network(defining).await?;
            Ok(defined(session, "CREATE VIEW", notices, Lifetime::OfServer))
        }
        Statement::CreateSchema { schema_name, if_not_exists, .. } => {
            blocks::refuse_if_read_only(session, "CREATE SCHEMA")?;
            let (name, owner) = match schema_name {
                SchemaName::Simple(name) => (name, None),
                SchemaName::NamedAuthorization(name, owner) => (name, Some(owner)),
                SchemaName::UnnamedAuthorization(_) => return Err(unsupported(parsed)),
            };
            let notices = query::ddl::create_schema(&session.catalog, name, *if_not_exists, owner)?;
            Ok(defined(session, "CREATE SCHEMA", notices, Lifetime::OfServer))
        }
        Statement::Drop { object_type, if_exists, names, cascade, .. } => {
            blocks::refuse_if_read_only(session, &format!("DROP {object_type}"))?;
            let (tag, notices) = query::ddl::drop(&session.catalog, *object_type, names, *if_exists, *cascade)?;
            Ok(defined(session, tag, notices, Lifetime::Over))
        }
        _ => Err(unsupported(parsed)),
    }
}

pub(super) fn sql(parsed: &Parsed) -> Option<&Statement> {
    match &*parsed.kind {
        Kind::Sql(statement) => Some(statement),
        Kind::External(_) | Kind::Fetch(_) => None,
    }
}

pub(super) fn done(tag: &str) -> Outcome {
    Outcome::Done(tag.to_owned())
}

pub(super) fn unsupported(parsed: &Parsed) -> Error {
    let words: Vec<&str> = parsed.text.split_whitespace().take(2).collect();
    let words = words.join(" ").to_uppercase();
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{words} is not supported"))
        .with_hint("Lakes are read; CREATE VIEW and CREATE EXTERNAL TABLE name what to read.")
}

// ---- settings

fn assign(session: &Session, set: &Set) -> Result<Outcome> {
    match set {
        Set::SingleAssignment { scope, variable, values, .. } => {
            let name = variable.0.iter().map(part_text).collect::<Vec<_>>().join(".");
            set_one(session, &name, values, is_local(*scope))?;
        }
        Set::SetTimeZone { local, value } => {
            let is_local_zone = matches!(value, Expr::Identifier(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("local"));
            if is_local_zone {
                reset_one(session, "TimeZone")?;
            } else {
                set_one(session, "TimeZone", std::slice::from_ref(value), *local)?;
            }
        }
        Set::SetNames { charset_name, .. } => {
            session.inner.lock().settings.set("client_encoding", &charset_name.value)?;
        }
        Set::SetNamesDefault {} => session.inner.lock().settings.reset("client_encoding")?,
        Set::SetTransaction { snapshot: Some(_), .. } => {
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "SET TRANSACTION SNAPSHOT is not supported"));
        }
        Set::SetTransaction { modes, session: for_session, .. } => {
            blocks::set_transaction(session, modes, *for_session)?
        }
        Set::SetSessionAuthorization(to) => {
            let is_own = match &to.kind {
                SetSessionAuthorizationParamKind::Default => true,
                SetSessionAuthorizationParamKind::User(user) => user.value == session.identity.user,
            };
            if !is_own {
                let message = "permission denied to set session authorization";
                return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
            }
        }
        Set::SetRole { role_name, .. } => {
            let role = role_name.as_ref().map(|r| r.value.as_str());
            if role.is_some_and(|role| role != session.identity.user) {
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "SET ROLE to another role is not supported"));
            }
        }
        _ => {
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "this form of SET is not supported")
                .with_hint("Use SET name = value."));
        }
    }
    Ok(done("SET"))
}

fn is_local(scope: Option<ContextModifier>) -> bool {
    matches!(scope, Some(ContextModifier::Local))
}

fn set_one(session: &Session, name: &str, values: &[Expr], local: bool) -> Result<()> {
    let texts = values.iter().map(value_text).collect::<Result<Vec<_>>>()?;
    if is_default(values) {
        return reset_one(session, name);
    }
    let value = if name.eq_ignore_ascii_case("search_path") { quote_list(values, &texts) } else { texts.join(", ") };
    set_setting(session, name, &value, local)
}

/// `SET x TO DEFAULT`.
fn is_default(values: &[Expr]) -> bool {
    let [Expr::Identifier(word)] = values else { return false };
    word.quote_style.is_none() && word.value.eq_ignore_ascii_case("default")
}

/// Sets one setting; `local` until the end of the transaction block.
pub(super) fn set_setting(session: &Session, name: &str, value: &str, local: bool) -> Result<()> {
    if options::is_option(name) {
        if local {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("SET LOCAL of \"{name}\" is not supported"),
            )
            .with_hint("Use SET, and RESET when done."));
        }
        return options::set(session, name, value);
    }
    let mut inner = session.inner.lock();
    let Inner { settings, transaction, .. } = &mut *inner;
    if local && !transaction.keep_for_commit(settings) {
        drop(inner);
        session.tell(Notice::warning(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            "SET LOCAL can only be used in transaction blocks",
        ));
        return Ok(());
    }
    settings.set(name, value)?;
    if !local {
        // SET after SET LOCAL: this value holds after COMMIT.
        transaction.for_commit().map_or(Ok(()), |settings| settings.set(name, value))?;
    }
    drop(inner);
    apply_settings(session);
    Ok(())
}

/// The value of a setting as SHOW prints it; `None` if there is no such setting.
pub(super) fn current_setting(session: &Session, name: &str) -> Option<String> {
    // Outside of a block these are what the next one will have.
    let name = match name.to_ascii_lowercase().as_str() {
        "transaction_isolation" if session.transaction_status() == TransactionStatus::Idle => {
            "default_transaction_isolation"
        }
        "transaction_read_only" if session.transaction_status() == TransactionStatus::Idle => {
            "default_transaction_read_only"
        }
        _ => name,
    };
    if !options::is_option(name) {
        return session.inner.lock().settings.get(name).ok().map(|(_, value)| value.to_owned());
    }
    options::show(session, name)
}

/// `SET search_path = a, "B"` keeps its quotes, so that it can be read back.
fn quote_list(values: &[Expr], texts: &[String]) -> String {
    let one_text = matches!(values, [Expr::Value(_)]);
    if one_text {
        return texts.join(", ");
    }
    let quoted = values.iter().zip(texts).map(|(value, text)| match value {
        Expr::Identifier(word) if word.quote_style.is_none() => text.to_lowercase(),
        _ => super::quote(text),
    });
    quoted.collect::<Vec<_>>().join(", ")
}

/// A setting of the start-up message.
pub(super) fn set_initial(session: &Session, name: &str, value: &str) -> Result<()> {
    if options::is_option(name) {
        return options::set_initial(session, name, value);
    }
    session.inner.lock().settings.set_initial(name, value)?;
    apply_settings(session);
    Ok(())
}

fn reset_one(session: &Session, name: &str) -> Result<()> {
    if options::is_option(name) {
        return options::reset(session, name);
    }
    let mut inner = session.inner.lock();
    let Inner { settings, transaction, .. } = &mut *inner;
    settings.reset(name)?;
    // What SET LOCAL or the block changed does not come back at COMMIT.
    transaction.for_commit().map_or(Ok(()), |settings| settings.reset(name))?;
    drop(inner);
    apply_settings(session);
    Ok(())
}

fn reset_all(session: &Session) {
    let mut inner = session.inner.lock();
    let Inner { settings, transaction, .. } = &mut *inner;
    settings.reset_all();
    if let Some(settings) = transaction.for_commit() {
        settings.reset_all();
    }
    drop(inner);
    options::reset_all(session);
    apply_settings(session);
}

/// Brings the context and the catalogue in line with the settings.
pub(super) fn apply_settings(session: &Session) {
    let (zone, path) = {
        let inner = session.inner.lock();
        (inner.settings.time_zone(), inner.settings.search_path())
    };
    session.catalog.set_search_path(path);
    let state = session.context.state_ref();
    settings::apply_time_zone(state.write().config_mut().options_mut(), &zone);
}

fn part_text(part: &datafusion::sql::sqlparser::ast::ObjectNamePart) -> String {
    part.as_ident().map_or_else(|| part.to_string(), |ident| ident.value.clone())
}

/// A value of SET: a word, a text, a number, with its sign.
fn value_text(value: &Expr) -> Result<String> {
    let wrong = || Error::new(SqlState::SYNTAX_ERROR, format!("SET takes words, texts and numbers, not {value}"));
    match value {
        Expr::Identifier(word) => Ok(word.value.clone()),
        Expr::CompoundIdentifier(words) => Ok(words.iter().map(|w| w.value.clone()).collect::<Vec<_>>().join(".")),
        Expr::Value(literal) => match &literal.value {
            Value::Number(number, _) => Ok(number.to_string()),
            Value::Boolean(yes) => Ok(if *yes { "on" } else { "off" }.to_owned()),
            Value::Null => Err(wrong()),
            other => other.clone().into_string().ok_or_else(wrong),
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Ok(format!("-{}", value_text(expr)?)),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => value_text(expr),
        Expr::Interval(interval) => Ok(format!("INTERVAL '{}'", value_text(&interval.value)?)),
        _ => Err(wrong()),
    }
}

/// `SHOW TIME ZONE` and `SHOW TRANSACTION ISOLATION LEVEL` are two names of one word each.
fn variable_name(words: &[Ident]) -> String {
    let name: Vec<&str> = words.iter().map(|w| w.value.as_str()).collect();
    match name.join(" ").to_ascii_lowercase().as_str() {
        "time zone" => "TimeZone".to_owned(),
        "transaction isolation level" => "transaction_isolation".to_owned(),
        "session authorization" => "session_authorization".to_owned(),
        _ => name.join("."),
    }
}

fn show_columns(name: &str) -> Vec<Column> {
    if name.eq_ignore_ascii_case("all") {
        return ["name", "setting", "description"].map(|n| Column::new(n, DataType::Utf8)).to_vec();
    }
    vec![Column::new(&name.to_lowercase(), DataType::Utf8)]
}

fn show(session: &Session, name: &str) -> Result<Outcome> {
    let columns = show_columns(name);
    let rows: Vec<Vec<String>> = if name.eq_ignore_ascii_case("all") {
        let settings = session.inner.lock().settings.all();
        settings.into_iter().map(|s| vec![s.name, s.value, s.description]).collect()
    } else {
        match current_setting(session, name) {
            Some(value) => vec![vec![value]],
            None => return Err(options::unknown(name)),
        }
    };
    let fields: Vec<Field> = columns.iter().map(|c| Field::new(&c.name, DataType::Utf8, true)).collect();
    let arrays =
        (0..fields.len()).map(|i| Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r[i]))) as _).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|e| Error::new(SqlState::INTERNAL_ERROR, e.to_string()))?;
    session.known_rows(columns, batch, "SHOW")
}

fn discard(session: &Session, what: &DiscardObject) -> Result<Outcome> {
    if matches!(what, DiscardObject::ALL) {
        if session.transaction_status() != TransactionStatus::Idle {
            return Err(Error::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "DISCARD ALL cannot run inside a transaction block",
            ));
        }
        session.inner.lock().statements.clear();
        session.cursors.close(None)?;
        reset_all(session);
        return Ok(done("DISCARD ALL"));
    }
    Ok(done(&format!("DISCARD {what}")))
}

// ---- prepared statements in SQL

async fn prepare(
    session: &Arc<Session>,
    name: &Ident,
    data_types: &[datafusion::sql::sqlparser::ast::DataType],
    statement: &Statement,
    parsed: &Parsed,
) -> Result<Outcome> {
    // Nothing else has rows to wait for, and EXECUTE of EXECUTE would never end.
    if !matches!(statement, Statement::Query(_)) {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "PREPARE takes a query: SELECT, VALUES or WITH"));
    }
    let declared = data_types.iter().map(query::parameter_type).collect();
    let inner = Parsed {
        text: parsed.text.clone(),
        start: parsed.start,
        source: Arc::clone(&parsed.source),
        kind: Sealed::new(Kind::Sql(Box::new(statement.clone()))),
    };
    let prepared = Box::pin(session.prepare(inner, declared)).await?;
    session.store_statement(&fold(name), Some(Arc::new(prepared)), true)?;
    Ok(done("PREPARE"))
}

async fn execute(
    session: &Arc<Session>,
    name: Option<&ObjectName>,
    parameters: &[Expr],
    parsed: &Parsed,
    usage: &Arc<Usage>,
) -> Result<Outcome> {
    let Some(prepared) = session.statement(&statement_name(name)?)? else {
        return Ok(done("SELECT 0"));
    };
    // The protocol keeps statements of any kind under names, also one that executes itself.
    if !prepared.is_query() {
        let message = "EXECUTE of a statement that is no query is not supported";
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    if prepared.parameters.len() != parameters.len() {
        return Err(Error::new(
            SqlState::SYNTAX_ERROR,
            format!(
                "wrong number of parameters for prepared statement: expected {}, got {}",
                prepared.parameters.len(),
                parameters.len()
            ),
        ));
    }
    let mut values = Vec::with_capacity(parameters.len());
    for (expr, target) in parameters.iter().zip(&prepared.parameters) {
        let (context, expr, target) = (session.context.clone(), expr.clone(), Arc::clone(target));
        let source = Arc::clone(&parsed.source);
        let evaluate = async move {
            let value = query::constant(&context, &expr, Some(target.data_type()), &source).await?;
            query::assign(value, &target).map_err(|e| query::errors::from_datafusion(&e, &source))
        };
        values.push(session.plan_off_the_network(evaluate).await?);
    }
    Box::pin(session.execute(&prepared, values, usage)).await
}

fn deallocate(session: &Session, name: &Ident) -> Result<Outcome> {
    if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all") {
        session.inner.lock().statements.clear();
        return Ok(done("DEALLOCATE ALL"));
    }
    let name = fold(name);
    session.statement(&name)?;
    session.close_statement(&name);
    Ok(done("DEALLOCATE"))
}

fn statement_name(name: Option<&ObjectName>) -> Result<String> {
    match name.map(|n| n.0.as_slice()) {
        Some([part]) => Ok(part.as_ident().map_or_else(|| part.to_string(), fold)),
        _ => Err(Error::new(SqlState::SYNTAX_ERROR, "EXECUTE needs the name of a prepared statement")),
    }
}

/// An identifier as PostgreSQL folds it.
pub(super) fn fold(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

// ---- definitions

/// How long what a statement made will live, which the user should know.
#[derive(PartialEq, Eq)]
enum Lifetime {
    OfServer,
    Over,
}

fn defined(session: &Session, tag: &str, notices: Vec<catalog::Notice>, lifetime: Lifetime) -> Outcome {
    for notice in notices {
        session.tell(Notice::new(notice.state, notice.message));
    }
    if lifetime == Lifetime::OfServer {
        let mut notice = Notice::new(SqlState::SUCCESSFUL_COMPLETION, "definitions are kept until the server stops");
        notice.hint = Some("Run the statement again after a restart.".to_owned());
        session.tell(notice);
    }
    done(tag)
}
