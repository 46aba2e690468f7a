//! What every call of ours has in common: constants that configure it, options in a struct, and words for what is wrong.
//!
//! A call arrives as `f(data, constants, named_struct('option', value, ...), data, ...)`. Once its parameters are bound
//! the constants are folded, read and kept in the function, and its arguments are data alone.

mod constants;
mod families;
mod values;

pub(crate) use constants::{Fold, as_written, constant, has_placeholder, is_options, options};
pub(crate) use families::{
    configure_aggregate, configure_scalar, configure_window, find, refuse_clauses, refuse_over, window_twin,
};
pub(crate) use values::{
    arguments, boolean, check_time, count, is_span, is_text, no_time, not_allowed, not_positive, one_of, span_us, text,
};
