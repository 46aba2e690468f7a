//! Every bound of the server: a name, a unit, a default, and where it applies.

use std::time::Duration;

/// Statement text longer than this is refused before it is cut into tokens (54000).
pub const STATEMENT_BYTES: usize = 16 * 1024 * 1024;

/// Nesting of parentheses and operators that the parser follows before it gives up (54001).
pub const PARSER_DEPTH: usize = 400;

/// Operators in a row (`a OR b OR ...`, `1 + 1 + ...`, `UNION ALL`) that a statement may have (54001).
///
/// Each is a level of the tree that planning walks; a longer list belongs into `IN (...)`.
pub const OPERATORS_IN_A_ROW: usize = 2_500;

/// Stack of each thread that plans and runs queries.
///
/// Planning, evaluation and `Drop` of deep expressions recurse, and an overflowing stack
/// would end the process for everybody.
pub const QUERY_STACK_BYTES: usize = 64 * 1024 * 1024;

/// Batches of rows that may wait between a query and a client that reads slowly.
pub const BATCHES_IN_FLIGHT: usize = 2;

/// Rows encoded between two looks at cancel and deadline.
pub const ROWS_PER_CHUNK: usize = 8192;

/// Share of the machine's memory that queries may reserve together, in percent.
pub const MEMORY_PERCENT: u64 = 70;

/// Memory that queries may reserve together where the machine's size cannot be read.
pub const MEMORY_BYTES_WHERE_UNKNOWN: usize = 4 * 1024 * 1024 * 1024;

/// How long the server waits for running statements after it was told to stop.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Parsed footers of Parquet files kept in memory.
pub const METADATA_CACHE_BYTES: usize = 256 * 1024 * 1024;

/// Memory that the rows of `tributary cluster` take where the user does not say; others wait on the disk.
pub const CLUSTER_MEMORY_BYTES: usize = 1024 * 1024 * 1024;
