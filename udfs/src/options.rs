//! Session settings of the functions, under the prefix `tributary`.

use datafusion::common::config::ConfigExtension;
use datafusion::common::extensions_options;

extensions_options! {
    /// Settings that change how the functions run, never what they answer.
    pub struct TributaryOptions {
        /// Aggregate a user's events in one stage after one exchange, instead of twice with lists between.
        pub one_stage: bool, default = true

        /// Drop rows that matter to no answer before the exchange, where users without others are not asked for.
        pub drop_stepless: bool, default = true

        /// Drop rows of users that came before, where it is only asked which users there are.
        pub drop_repeats: bool, default = true

        /// Answer users in passes of a few thousand, instead of all users of a partition in one table.
        pub journeys: bool, default = true

        /// Read texts as codes into a file's dictionaries where a plan only compares them with constants, or only numbers
        /// them.
        pub read_codes: bool, default = true
    }
}

impl ConfigExtension for TributaryOptions {
    const PREFIX: &'static str = "tributary";
}
