//! The rules by example, the lists of sites, and properties of any text.

mod examples;
mod lists;
mod properties;

use super::{Group, Visit, group, sites};

fn group_of(source: &str, medium: &str, campaign: &str, referrer: &str) -> Group {
    group(&Visit { source, medium, campaign, referrer })
}
