//! `CHANNEL_GROUP` and `UTM`: which channel brought a visit, and what its address says of it.
//!
//! `semantics.md` beside this file is the contract; `tributary_core::channels` and `tributary_core::url` hold the rules.

mod args;
mod docs;
mod group;
mod utm;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::expr::ScalarFunction;

use crate::call::Fold;
pub(crate) use docs::{GROUP, UTM};
use group::ChannelGroup;
use utm::Utm;

/// `CHANNEL_GROUP(source, medium, campaign, referrer)`: the channel that brought a visit, as TEXT.
pub fn channel_group() -> Arc<ScalarUDF> {
    Arc::new(ChannelGroup::new().into())
}

/// `UTM(url, name)`: the value of a parameter in a URL, as TEXT.
pub fn utm() -> Arc<ScalarUDF> {
    Arc::new(Utm::new().into())
}

/// Refuses a constant that no row could make right, while the query is planned.
///
/// # Errors
/// A [`UserError`](crate::UserError) that names the argument.
pub(crate) fn check(call: &ScalarFunction, fold: Fold) -> Result<()> {
    if call.func.inner().downcast_ref::<Utm>().is_some() { utm::check(&call.args, fold) } else { Ok(()) }
}
