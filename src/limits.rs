//! Every bound of the server: a name, a unit, a default, and where it applies.

use std::time::Duration;

/// Statement text longer than this is refused before it is cut into tokens (54000).
pub const STATEMENT_BYTES: usize = 16 * 1024 * 1024;

/// Tokens that a query text may have (54001).
pub const STATEMENT_TOKENS: usize = 1_000_000;

/// A query text up to this length is parsed at once; a longer one on the query threads, as statements are planned.
pub const PARSED_AT_ONCE_BYTES: usize = 8 * 1024;

/// What the values of a long message take of the memory pool, for each byte that was sent: `1,` in an array may be a numeric
/// of sixteen bytes and a bit, and twice that while the pieces of the array are joined.
pub const VALUE_BYTES_PER_SENT_BYTE: usize = 17;

/// What one call may make for the rows of a batch where a number says how much (54000): `repeat`, `lpad`, `range`.
pub const CALL_BYTES: usize = 256 * 1024 * 1024;

/// What a kept statement takes of the memory pool, for each byte of its text: tree, plan and schemas.
pub const KEPT_BYTES_PER_TEXT_BYTE: usize = 32;

/// Statements that a session may keep under names (54000). Pools of drivers keep some hundreds.
pub const PREPARED_STATEMENTS: usize = 10_000;

/// Portals that a session may have open (54000): each may be a running plan.
pub const PORTALS: usize = 256;

/// Cursors of DECLARE that a session may have open (54000): each is a running plan.
pub const CURSORS: usize = 256;

/// Savepoints that a block may have (54000): each keeps all settings.
pub const SAVEPOINTS: usize = 1_000;

/// Nesting of parentheses and operators that the parser follows before it gives up (54001).
pub const PARSER_DEPTH: usize = 400;

/// What the parser may try before it gives up (54001): some of it is tried twice at each level.
pub const PARSER_STEPS: usize = 20_000;

/// The same, for each token of a statement.
pub const PARSER_STEPS_PER_TOKEN: usize = 20;

/// Operators between the top of an expression and its deepest operand (54001): `1 + 1 + ...`, `a || b || ...`, `x::t::u`.
///
/// What the columns of WITH queries, subqueries and views stand for is counted where they are used. Much of planning
/// takes the cube of it, and cannot be interrupted: at this depth it takes seconds where the server was built to be debugged.
pub const EXPRESSION_DEPTH: usize = 200;

/// What all expressions of a statement together may be (54001): each part counts as the cube of its depth.
///
/// That is how planning grows with them. One chain of [`EXPRESSION_DEPTH`] operators takes most of it, or ten of half that
/// depth, or some ten thousand conditions that AND and OR connect.
pub const EXPRESSION_WORK: f64 = 1.5e9;

/// Columns of a SELECT that are written out (54011); PostgreSQL's own bound. Planning takes the square of their number.
pub const COLUMNS: usize = 1664;

/// Parts that AND and OR, or UNION and its like, may connect in one place (54001).
pub const CONNECTED_PARTS: usize = 20_000;

/// Levels of UNION, EXCEPT and INTERSECT that are no run of one of them (54001).
pub const SET_DEPTH: usize = 100;

/// Subqueries in expressions of subqueries in expressions (54001): planning doubles with each.
pub const SUBQUERY_DEPTH: usize = 10;

/// Highest number of a parameter (42P02): what the protocol's messages can carry.
pub const PARAMETERS: usize = 65_535;

/// Steps of a statement's plan, each use of a WITH query or a view counted (54001).
pub const PLAN_NODES: usize = 10_000;

/// Joins of a statement (54001).
pub const JOINS: usize = 200;

/// Stack of each thread that plans and runs queries.
///
/// Planning, evaluation and `Drop` of deep expressions recurse, and an overflowing stack
/// would end the process for everybody.
pub const QUERY_STACK_BYTES: usize = 64 * 1024 * 1024;

/// Pieces of rows that may wait between a query and a client that reads slowly.
pub const PIECES_IN_FLIGHT: usize = 2;

/// Rows encoded between two looks at cancel and deadline, at most.
pub const ROWS_PER_CHUNK: usize = 8192;

/// Encoded rows are handed on once they have so many bytes; a single row may have more.
pub const PIECE_BYTES: usize = 1024 * 1024;

/// How long a statement waits for a lake to be listed again; then it reads what the lake had.
pub const LISTING_WAIT: Duration = Duration::from_secs(2);

/// Share of the machine's memory that queries may reserve together, in percent.
pub const MEMORY_PERCENT: u64 = 70;

/// Share of that memory that one statement may reserve, in percent: the rest is for the others.
pub const STATEMENT_MEMORY_PERCENT: usize = 75;

/// What statements together may write to the spill folder.
pub const SPILL_BYTES: u64 = 100 * 1024 * 1024 * 1024;

/// Memory that queries may reserve together where the machine's size cannot be read.
pub const MEMORY_BYTES_WHERE_UNKNOWN: usize = 4 * 1024 * 1024 * 1024;

/// How long running statements may go on after the server was told to stop, where nothing else is said.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// How long the server waits for a client to take its last message.
pub const FAREWELL: Duration = Duration::from_secs(1);

/// Connections that may be open together, where nothing else is said (53300).
pub const CONNECTIONS: usize = 200;

/// Sockets beside the connections that may be on their way through the login, or cancel requests.
pub const SOCKETS_BEFORE_LOGIN: usize = 100;

/// How long a client may take from its first byte to the end of its login, where nothing else is said.
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection may be silent before the system asks whether the other machine is still there.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// How long the system waits for an answer before it asks again.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Questions without an answer after which the connection has ended: two minutes in all.
pub const KEEPALIVE_PROBES: u32 = 6;

/// Longest message before the end of the login, and of those that hold only names; PostgreSQL's own bound.
pub const LOGIN_MESSAGE_BYTES: usize = 10_000;

/// Longest message with a statement, or with the values of one (54000).
pub const MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// A message up to this length is read without asking the memory pool.
pub const SMALL_MESSAGE_BYTES: usize = 64 * 1024;

/// Requests to the status port that are answered at a time.
pub const STATUS_CONNECTIONS: usize = 16;

/// How long one of them may take.
pub const STATUS_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest request to the status port.
pub const STATUS_REQUEST_BYTES: usize = 8 * 1024;

/// Room for bytes of a client between two looks at its messages.
pub const READ_BYTES: usize = 8 * 1024;

/// Parsed footers of Parquet files kept in memory.
pub const METADATA_CACHE_BYTES: usize = 256 * 1024 * 1024;

/// How often a request to a remote store is sent again before it has failed, and the first and longest wait between.
pub const STORE_RETRIES: usize = 4;
pub const STORE_BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// How long a request to a remote store may be sent again.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(15);

/// Memory that the rows of `tributary cluster` take where the user does not say; others wait on the disk.
pub const CLUSTER_MEMORY_BYTES: usize = 1024 * 1024 * 1024;
