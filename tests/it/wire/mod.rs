//! What a client can do to a connection, and what a connection owes its client.

mod accounts;
mod bounds;
mod encrypted;
mod faults;
mod flood;
mod holds;
mod interrupts;
mod logins;
mod numerics;
mod operators;
mod parameters;
mod portals;
mod raw;
mod sessions;
mod stopping;
mod uuids;

use tokio_postgres::error::DbError;

/// The server's own error in what a driver reports.
///
/// Panics if the driver reports something else, such as a connection that ended.
fn db_error(error: &tokio_postgres::Error) -> &DbError {
    error.as_db_error().unwrap_or_else(|| panic!("not an error of the server: {error}"))
}

/// SQLSTATE and message of the error that a statement must end with.
fn failure<T: std::fmt::Debug>(done: Result<T, tokio_postgres::Error>) -> (String, String) {
    let error = done.expect_err("the statement must fail");
    let error = db_error(&error);
    (error.code().code().to_owned(), error.message().to_owned())
}
