//! Every function, in one line each.

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

use crate::doc::FunctionDoc;
use crate::{attribution, funnel, step_mask};

/// What is written about every function, by name.
pub fn catalogue() -> Vec<&'static FunctionDoc> {
    let aggregates = [funnel::Answer::Level, funnel::Answer::Times, funnel::Answer::Durations].map(funnel::Answer::doc);
    let mut functions = aggregates.to_vec();
    functions.extend(
        [attribution::Answer::List, attribution::Answer::Totals, attribution::Answer::Touches]
            .map(attribution::Answer::doc),
    );
    functions.push(&step_mask::DOC);
    functions.sort_by_key(|function| function.name);
    functions
}

/// The aggregate functions, to register in any DataFusion program.
pub fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![
        funnel::funnel(),
        funnel::funnel_times(),
        funnel::funnel_durations(),
        attribution::attribute(),
        attribution::attribute_totals(),
    ]
}

/// The scalar functions, to register in any DataFusion program.
pub fn scalars() -> Vec<Arc<ScalarUDF>> {
    vec![step_mask::step_mask()]
}

/// The window functions, to register in any DataFusion program.
///
/// One that is an aggregate too shares its name: the planner takes the aggregate, and [`crate::install`] puts the
/// window function in its place where a call has OVER.
pub fn windows() -> Vec<Arc<WindowUDF>> {
    vec![attribution::attribute_window()]
}
