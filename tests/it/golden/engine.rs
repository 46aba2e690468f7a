//! A connection as `sqllogictest` drives it.

use std::fmt;

use async_trait::async_trait;
use sqllogictest::{AsyncDB, ColumnType, DBOutput};
use tokio_postgres::error::ErrorPosition;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, SimpleQueryMessage};

use super::decode::{self, Raw};
use crate::server::connect;

/// How statements travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// One message in, text out.
    Simple,
    /// Parse, Describe, Bind, Execute; values in binary.
    Extended,
}

/// What a run sets on each of its connections.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub partitions: usize,
    pub batch_size: usize,
    pub one_stage: bool,
    pub journeys: bool,
    pub read_codes: bool,
}

/// One connection.
pub struct Engine {
    client: Client,
    protocol: Protocol,
}

impl Engine {
    /// Connects and applies the settings.
    pub async fn connect(config: Config, protocol: Protocol, settings: Settings) -> Result<Self, Failure> {
        let client = connect(&config).await;
        let Settings { partitions, batch_size, one_stage, journeys, read_codes } = settings;
        let statements = format!(
            "SET datafusion.execution.target_partitions = {partitions}; \
             SET datafusion.execution.batch_size = {batch_size}; \
             SET tributary.one_stage = '{one_stage}'; \
             SET tributary.journeys = '{journeys}'; \
             SET tributary.read_codes = '{read_codes}'"
        );
        client.batch_execute(&statements).await.map_err(Failure)?;
        if let Ok(setting) = std::env::var("TRIBUTARY_GOLDEN_SET") {
            client.batch_execute(&format!("SET {setting}")).await.map_err(Failure)?;
        }
        Ok(Self { client, protocol })
    }

    async fn simple(&self, sql: &str) -> Result<DBOutput<Kind>, tokio_postgres::Error> {
        let (mut types, mut rows, mut count) = (None, vec![], 0);
        for message in self.client.simple_query(sql).await? {
            match message {
                // The types are not told to clients of this protocol by the driver.
                SimpleQueryMessage::RowDescription(columns) => types = Some(vec![Kind::Untold; columns.len()]),
                SimpleQueryMessage::Row(row) => {
                    rows.push((0..row.len()).map(|column| shown(row.get(column).map(str::to_owned))).collect());
                }
                SimpleQueryMessage::CommandComplete(rows) => count += rows,
                _ => {}
            }
        }
        Ok(match types {
            Some(types) => DBOutput::Rows { types, rows },
            None => DBOutput::StatementComplete(count),
        })
    }

    async fn extended(&self, sql: &str) -> Result<DBOutput<Kind>, tokio_postgres::Error> {
        let statement = self.client.prepare(sql).await?;
        if statement.columns().is_empty() {
            return Ok(DBOutput::StatementComplete(self.client.execute(&statement, &[]).await?));
        }
        let types: Vec<Type> = statement.columns().iter().map(|column| column.type_().clone()).collect();
        let answer = self.client.query(&statement, &[]).await?;
        let zone = match types.iter().any(decode::needs_zone) {
            true => self.client.simple_query("SHOW timezone").await?.iter().find_map(first_value),
            false => None,
        };
        let zone = decode::zone(zone.as_deref().unwrap_or("UTC"));
        let rows = answer
            .iter()
            .map(|row| {
                types
                    .iter()
                    .enumerate()
                    .map(|(column, kind)| {
                        let raw: Option<Raw<'_>> = row.get(column);
                        shown(raw.map(|raw| decode::text(kind, raw.0, zone)))
                    })
                    .collect()
            })
            .collect();
        Ok(DBOutput::Rows { types: types.iter().map(Kind::of).collect(), rows })
    }
}

fn first_value(message: &SimpleQueryMessage) -> Option<String> {
    match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }
}

/// NULL and the empty text are words in the files, where they could not be seen otherwise.
fn shown(value: Option<String>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some(text) if text.is_empty() => "(empty)".to_owned(),
        Some(text) => text,
    }
}

#[async_trait]
impl AsyncDB for Engine {
    type Error = Failure;
    type ColumnType = Kind;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Kind>, Failure> {
        let done = match self.protocol {
            Protocol::Simple => self.simple(sql).await,
            Protocol::Extended => self.extended(sql).await,
        };
        done.map_err(Failure)
    }

    async fn shutdown(&mut self) {}

    /// The label that `onlyif` and `skipif` know.
    fn engine_name(&self) -> &str {
        match self.protocol {
            Protocol::Simple => "simple",
            Protocol::Extended => "extended",
        }
    }

    fn error_sql_state(error: &Failure) -> Option<String> {
        error.0.code().map(|state| state.code().to_owned())
    }
}

/// An error as the files write it: SQLSTATE and message, then detail, hint and position where there are any.
#[derive(Debug)]
pub struct Failure(tokio_postgres::Error);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(error) = self.0.as_db_error() else { return self.0.fmt(f) };
        write!(f, "{}: {}", error.code().code(), error.message())?;
        if let Some(detail) = error.detail() {
            write!(f, "\ndetail: {detail}")?;
        }
        if let Some(hint) = error.hint() {
            write!(f, "\nhint: {hint}")?;
        }
        match error.position() {
            Some(ErrorPosition::Original(position)) => write!(f, "\nposition: {position}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// The type of a column, one letter in the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `B`
    Boolean,
    /// `I`: smallint, integer and bigint
    Integer,
    /// `R`: real and double precision
    Real,
    /// `N`
    Numeric,
    /// `T`
    Text,
    /// `D`: date
    Date,
    /// `P`: timestamp without time zone, a point of a wall clock
    Timestamp,
    /// `Z`: timestamp with time zone
    Instant,
    /// `V`: interval
    Interval,
    /// `A`: one-dimensional array
    Array,
    /// `Y`: bytea
    Bytes,
    /// `J`: json and jsonb
    Json,
    /// `U`: uuid
    Uuid,
    /// `C`: record, a composite
    Record,
    /// `?`
    Untold,
}

const LETTERS: [(char, Kind); 15] = [
    ('B', Kind::Boolean),
    ('I', Kind::Integer),
    ('R', Kind::Real),
    ('N', Kind::Numeric),
    ('T', Kind::Text),
    ('D', Kind::Date),
    ('P', Kind::Timestamp),
    ('Z', Kind::Instant),
    ('V', Kind::Interval),
    ('A', Kind::Array),
    ('Y', Kind::Bytes),
    ('J', Kind::Json),
    ('U', Kind::Uuid),
    ('C', Kind::Record),
    ('?', Kind::Untold),
];

impl Kind {
    fn of(pg: &Type) -> Self {
        match *pg {
            Type::BOOL => Self::Boolean,
            Type::INT2 | Type::INT4 | Type::INT8 => Self::Integer,
            Type::FLOAT4 | Type::FLOAT8 => Self::Real,
            Type::NUMERIC => Self::Numeric,
            Type::TEXT => Self::Text,
            Type::DATE => Self::Date,
            Type::TIMESTAMP => Self::Timestamp,
            Type::TIMESTAMPTZ => Self::Instant,
            Type::INTERVAL => Self::Interval,
            Type::BYTEA => Self::Bytes,
            Type::JSON | Type::JSONB => Self::Json,
            Type::UUID => Self::Uuid,
            Type::RECORD => Self::Record,
            _ if decode::item_of(pg).is_some() => Self::Array,
            _ => Self::Untold,
        }
    }
}

impl ColumnType for Kind {
    fn from_char(letter: char) -> Option<Self> {
        LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, kind)| *kind)
    }

    fn to_char(&self) -> char {
        LETTERS.iter().find(|(_, kind)| kind == self).map_or('?', |(letter, _)| *letter)
    }
}

/// Types must be as the file says, where both the protocol and the file tell them.
#[expect(clippy::ptr_arg, reason = "the type of sqllogictest's validators")]
pub fn same_types(actual: &Vec<Kind>, expected: &Vec<Kind>) -> bool {
    actual.len() == expected.len()
        && actual
            .iter()
            .zip(expected)
            .all(|(actual, expected)| actual == expected || [*actual, *expected].contains(&Kind::Untold))
}
