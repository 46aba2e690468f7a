//! Everything that only a running server can show, as one binary: it links once.
//!
//! - [`golden`]: SQL text and the answers it must have, through both protocols and several settings.
//! - [`outside`]: figures that other people's programs computed.
//! - [`wire`]: what a client can do to a connection.
//! - [`tidy`]: what must hold of the repository itself.
//! - [`readme`]: the commands that a stranger copies.
//! - [`cluster_command`]: `tributary cluster` and `tributary check`.
//! - [`functions_command`]: `tributary functions`.

mod cluster_command;
mod fixtures;
mod functions_command;
mod golden;
mod outside;
mod readme;
mod server;
mod tidy;
mod wire;
