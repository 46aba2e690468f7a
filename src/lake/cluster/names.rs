//! What runs and the files of their generations are called.

use super::file::hex;
use crate::error::Result;
use crate::random::random_bytes;

/// How much of the name of a run is in the names of its files.
const DIGITS_IN_NAMES: usize = 8;

/// A run of the program that changes a table. No other has its name.
pub(super) struct Run(String);

impl Run {
    pub(super) fn new() -> Result<Self> {
        Ok(Self(hex(&random_bytes::<16>()?)))
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// A generation that this run makes.
    ///
    /// Two runs may make generations of one number, where one stood still for so long that another took it for dead. So
    /// their files bear the names of their runs: what one brings or removes is never the other's.
    pub(super) fn generation(&self, number: u64) -> Generation {
        Generation { number, run: Some(self.0.chars().take(DIGITS_IN_NAMES).collect()) }
    }
}

/// A generation that is made.
#[derive(Clone, Debug)]
pub(super) struct Generation {
    pub(super) number: u64,
    run: Option<String>,
}

impl Generation {
    /// The first one, in a place where nothing is.
    pub(super) fn first() -> Self {
        Self { number: 1, run: None }
    }

    /// The file of a range.
    pub(super) fn file(&self, range: usize) -> String {
        let run = self.run.as_ref().map(|run| format!("-{run}")).unwrap_or_default();
        format!("range-{range:05}-generation-{}{run}.parquet", self.number)
    }
}

/// Whether a name is one that [`Generation::file`] gives.
pub(super) fn is_range_file(name: &str) -> bool {
    name.starts_with("range-") && name.contains("-generation-") && name.ends_with(".parquet")
}
