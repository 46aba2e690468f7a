//! The functions that PostgreSQL's clients call about the server, the session and the catalogue.
//!
//! Each function is one line of a table: name, argument kinds, result, and a body that answers one row.
//! They are registered per connection, because most of them answer for a session.

mod array_or_empty;
mod definition;
mod fields;
mod formats;
mod instant_plus;
mod integers;
mod interval_extremes;
mod interval_order;
mod json;
mod json_in;
mod numbers;
mod objects;
mod privileges;
mod quantified;
mod registry;
mod session;
mod single_value;
mod sized;
mod spans;
mod sum;
mod tables;
mod text;
mod times;
mod uuids;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;
use datafusion_pg_catalog::pg_catalog::array_bounds_udf::{create_array_lower_udf, create_array_upper_udf};
use datafusion_pg_catalog::pg_catalog::quote_ident_udf::create_parse_ident_udf;

pub(super) use array_or_empty::ARRAY_OR_EMPTY;
pub(super) use definition::sql_name;
pub(super) use instant_plus::{instant_plus, plus};
pub(super) use integers::{IntegerOperation, integer_function};
pub(super) use interval_extremes::interval_extreme;
pub(super) use interval_order::{
    INTERVAL, holds_interval, interval_choice, interval_nullif, interval_order, length_ns,
};
pub(super) use json_in::json_in;
pub(super) use numbers::{float_function, integer_negate, to_whole};
pub use quantified::is_quantified;
pub(super) use quantified::{Quantifier, quantified_name};
pub(super) use single_value::SINGLE_VALUE;
pub(super) use spans::{interval_div, interval_mul, justify_hours};
pub(super) use times::{TimeFunction, WALL, instant_type, is_text, session_zone};
pub(super) use uuids::{uuid_in, uuid_out};

use self::definition::SessionFunction;
use crate::catalog::SessionCatalog;

/// Registers the functions in a connection's context, answering for its catalogue.
///
/// `catalog.bind_info` gives them the session's settings and process id.
pub fn register(context: &SessionContext, catalog: &SessionCatalog) -> Result<()> {
    let tables = [session::FUNCTIONS, objects::FUNCTIONS, registry::FUNCTIONS, privileges::FUNCTIONS, text::FUNCTIONS];
    for function in tables.into_iter().flatten() {
        context.register_udf(ScalarUDF::new_from_impl(SessionFunction::new(function, catalog.clone())));
    }
    for function in [create_array_upper_udf(), create_array_lower_udf(), create_parse_ident_udf()] {
        context.register_udf(function);
    }
    for function in [uuid_in(), uuid_out(), interval_mul(), interval_div(), justify_hours()] {
        context.register_udf(ScalarUDF::clone(&function));
    }
    let of_times = [fields::extract(), fields::date_part(), fields::date_trunc_in_zone(), instant_plus()];
    for function in of_times.into_iter().chain(TimeFunction::all()).chain(formats::functions()) {
        context.register_udf(ScalarUDF::clone(&function));
    }
    for function in quantified::quantified().chain(sized::sized(context)) {
        context.register_udf(function);
    }
    context.register_udf(array_or_empty::array_or_empty());
    context.register_udaf(single_value::single_value());
    context.register_udaf(sum::checked_sum(context)?);
    context.register_udf(ScalarUDF::new_from_impl(json::JsonBuildObject::default()));
    context.register_udtf("pg_get_keywords", Arc::clone(catalog.server().system().keywords()) as _);
    context.register_udtf("pg_timezone_names", Arc::new(tables::SystemRows::new("pg_timezone_names", catalog)));
    context.register_udtf("pg_listening_channels", Arc::new(tables::NoChannels));
    Ok(())
}
