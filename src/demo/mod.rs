//! The demo: a whole lake with known answers, and the questions that a marketing team asks of it.
//!
//! `lake` makes the data. `questions` asks through the wire and compares each answer with what was
//! planted. See `README.md` in this room.

mod answer;
mod ask;
mod closing;
pub mod lake;
mod progress;
mod questions;

pub use ask::{Report, ask};
pub use closing::closing;
pub use progress::writing;
