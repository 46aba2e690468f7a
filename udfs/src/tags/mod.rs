//! `TAG_MATCH`: whether a row's tags satisfy an expression such as `'vip AND NOT churn_risk'`.
//!
//! `semantics.md` beside this file is the contract; `tributary_core::tags` holds the rules.

mod args;
mod by_row;
mod configure;
mod docs;
mod tester;
mod udf;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

pub(crate) use configure::configure;
pub(crate) use docs::DOC;
use udf::TagMatch;

/// `TAG_MATCH(tags, expression [, ci => true])`: whether the tags satisfy the expression, as BOOLEAN.
pub fn tag_match() -> Arc<ScalarUDF> {
    Arc::new(TagMatch::written().into())
}

/// Whether a function is `TAG_MATCH`, written or compiled.
pub(crate) fn is_tag_match(function: &ScalarUDF) -> bool {
    function.inner().is::<TagMatch>()
}
