//! Every function, in one line each.

use std::sync::{Arc, LazyLock};

use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

use crate::doc::FunctionDoc;
use crate::{attribution, channels, funnel, sessions, step_mask, tags};

/// What is written about every function, by name.
pub fn catalogue() -> &'static [&'static FunctionDoc] {
    static CATALOGUE: LazyLock<Vec<&'static FunctionDoc>> = LazyLock::new(documented);
    &CATALOGUE
}

fn documented() -> Vec<&'static FunctionDoc> {
    let aggregates = [funnel::Answer::Level, funnel::Answer::Times, funnel::Answer::Durations].map(funnel::Answer::doc);
    let mut functions = aggregates.to_vec();
    functions.extend([&channels::GROUP, &channels::UTM, &step_mask::DOC, &tags::DOC]);
    functions.extend([&sessions::SESSIONIZE, &sessions::SESSIONIZE_INFO, &sessions::SESSIONS]);
    functions.extend([&sessions::TRUE_EVENT, &sessions::CHANGE_EVENT]);
    functions.extend(
        [attribution::Answer::List, attribution::Answer::Totals, attribution::Answer::Touches]
            .map(attribution::Answer::doc),
    );
    functions.sort_by_key(|function| function.name);
    functions
}

/// The aggregate functions, to register in any DataFusion program.
pub fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![
        funnel::funnel(),
        funnel::funnel_times(),
        funnel::funnel_durations(),
        sessions::sessions(),
        attribution::attribute(),
        attribution::attribute_totals(),
    ]
}

/// The scalar functions, to register in any DataFusion program.
pub fn scalars() -> Vec<Arc<ScalarUDF>> {
    vec![channels::channel_group(), channels::utm(), step_mask::step_mask(), tags::tag_match()]
}

/// The window functions, to register in any DataFusion program.
///
/// One that is an aggregate too shares its name: the planner takes the aggregate, and [`crate::install`] puts the
/// window function in its place where a call has OVER.
pub fn windows() -> Vec<Arc<WindowUDF>> {
    vec![
        sessions::sessionize(),
        sessions::sessionize_info(),
        sessions::conditional_true_event(),
        sessions::conditional_change_event(),
        attribution::attribute_window(),
    ]
}
