//! The running counters `conditional_true_event` and `conditional_change_event`.
//!
//! They run in the order of OVER's ORDER BY, which a window function cannot see; so the expressions of ORDER BY become
//! columns of the configured call, and rows equal in all of them are ties.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::compute::partition;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DFSchema, Result, internal_datafusion_err, internal_err};
use datafusion::logical_expr::expr::WindowFunctionParams;
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowFunctionSimplification, WindowUDFFieldArgs};
use datafusion::logical_expr::{
    Documentation, Expr, ExprSchemable, PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl,
};
use tributary_core::sessions::{self, Scratch};

use super::codes::Codes;
use super::configure::configure_window;
use super::entry::{Unpacked, Values};
use super::{CHANGE_EVENT, TRUE_EVENT, args};
use crate::call::{self, Fold};
use crate::doc::FunctionDoc;
use crate::error::{UserError, sqlstate};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Counts {
    /// `conditional_true_event`: rows for which the condition is true.
    True,
    /// `conditional_change_event`: changes of the value.
    Changes,
}

/// Which columns a configured call reads: the condition or value, the tie column if there is one, then ORDER BY's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Layout {
    has_tie: bool,
}

/// A running counter, before and after its ORDER BY is known.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    counts: Counts,
    layout: Option<Layout>,
    signature: Signature,
}

impl PartialEq for Counter {
    fn eq(&self, other: &Self) -> bool {
        self.counts == other.counts && self.layout == other.layout
    }
}

impl Eq for Counter {}

impl Hash for Counter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.counts.hash(state);
        self.layout.hash(state);
    }
}

impl Counter {
    /// The function as it is registered.
    pub(super) fn new(counts: Counts) -> Self {
        Self { counts, layout: None, signature: Signature::user_defined(Volatility::Immutable) }
    }

    fn doc(&self) -> &'static FunctionDoc {
        match self.counts {
            Counts::True => &TRUE_EVENT,
            Counts::Changes => &CHANGE_EVENT,
        }
    }

    fn check_types(&self, arg_types: &[DataType]) -> Result<(), UserError> {
        let function = self.doc();
        let argument = function.arguments[0].name;
        let options = match arg_types {
            [_] => None,
            [_, DataType::Struct(options)] => Some(options),
            _ => {
                return Err(UserError::new(
                    sqlstate::UNDEFINED_FUNCTION,
                    format!("{} takes one argument, '{argument}', got {}", function.name, arg_types.len()),
                )
                .with_hint(format!("Write {}.", function.syntax)));
            }
        };
        match self.counts {
            Counts::True => args::check_condition(function.name, argument, &arg_types[0])?,
            Counts::Changes => args::check_orderable(function.name, argument, &arg_types[0])?,
        }
        for option in options.into_iter().flatten() {
            if !function.option_names().any(|known| known == option.name()) {
                return Err(crate::sql::unknown_option(function, option.name()));
            }
            args::check_orderable(function.name, option.name(), option.data_type())?;
        }
        Ok(())
    }
}

/// The counter and its columns; `None` if it has them already or waits for parameters.
pub(super) fn configure(
    counter: &Counter,
    params: &WindowFunctionParams,
    schema: &DFSchema,
    fold: Fold,
) -> Result<Option<(WindowUDF, Vec<Expr>)>> {
    if counter.layout.is_some() || params.args.iter().any(call::has_placeholder) {
        return Ok(None);
    }
    let name = counter.name();
    let types = params.args.iter().map(|arg| arg.get_type(schema)).collect::<Result<Vec<_>>>()?;
    counter.check_types(&types)?;
    if params.order_by.is_empty() {
        return Err(UserError::new(
            sqlstate::WINDOWING_ERROR,
            format!("{name} counts in an order: OVER needs ORDER BY"),
        )
        .with_hint(format!("Write {name}(...) OVER (PARTITION BY user_id ORDER BY event_time)."))
        .into());
    }
    let [value, options @ ..] = params.args.as_slice() else {
        return internal_err!("{name} passed the check of types without an argument");
    };
    let mut columns = vec![value.clone()];
    if let Some(options) = options.first() {
        // Its only option is `tie`.
        columns.extend(call::options(name, options, fold)?.into_iter().map(|(_, value)| value));
    }
    let layout = Layout { has_tie: columns.len() > 1 };
    columns.extend(params.order_by.iter().map(|sort| sort.expr.clone()));
    Ok(Some((Counter { layout: Some(layout), ..counter.clone() }.into(), columns)))
}

impl WindowUDFImpl for Counter {
    fn name(&self) -> &str {
        self.doc().name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Takes every type: an error made here loses its words, so [`Self::field`] judges the types.
    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        if self.layout.is_none() {
            let types: Vec<DataType> = args.input_fields().iter().map(|field| field.data_type().clone()).collect();
            self.check_types(&types)?;
        }
        Ok(Arc::new(Field::new(args.name(), DataType::Int64, true)))
    }

    fn partition_evaluator(&self, _args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let layout = self.layout.ok_or_else(|| internal_datafusion_err!("{} runs without its order", self.name()))?;
        Ok(Box::new(Count { counts: self.counts, layout }))
    }

    /// Finds the order where no analyzer rule of ours did: in a DataFusion with only the functions.
    fn simplify(&self) -> Option<WindowFunctionSimplification> {
        if self.layout.is_some() {
            return None;
        }
        Some(Box::new(|function, info| {
            let configured = configure_window(&function, info.schema().as_ref(), &Ok)?;
            Ok(Expr::WindowFunction(Box::new(configured.unwrap_or(function))))
        }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static TRUE: LazyLock<Documentation> = LazyLock::new(|| TRUE_EVENT.documentation());
        static CHANGES: LazyLock<Documentation> = LazyLock::new(|| CHANGE_EVENT.documentation());
        Some(match self.counts {
            Counts::True => &TRUE,
            Counts::Changes => &CHANGES,
        })
    }
}

/// The evaluator of a counter.
#[derive(Debug)]
struct Count {
    counts: Counts,
    layout: Layout,
}

impl PartitionEvaluator for Count {
    fn evaluate_all(&mut self, values: &[ArrayRef], row_count: usize) -> Result<ArrayRef> {
        let [value, rest @ ..] = values else { return internal_err!("a counter runs without its argument") };
        let (tie, order) = rest.split_at(usize::from(self.layout.has_tie).min(rest.len()));
        let moments = moments(order, row_count)?;
        let mut values = Values::new(None, tie.first().map(|tie| tie.data_type()))?;
        let mut unpacked = Unpacked::default();
        if let (Some(tie), Some(codes)) = (tie.first(), &mut values.tie) {
            unpacked.tie = codes.encode(tie)?;
        }
        let mut counts = Vec::with_capacity(row_count);
        let mut scratch = Scratch::default();
        match self.counts {
            Counts::True => {
                let is_true = truths(value, row_count)?;
                let ties = values.columns(&moments, &mut unpacked).tie;
                sessions::true_events(&moments, &is_true, ties, &mut scratch, |count| counts.push(count));
            }
            Counts::Changes => {
                let mut codes = Codes::new(value.data_type())?;
                unpacked.change = codes.encode(value)?;
                values.change = Some(codes);
                let columns = values.columns(&moments, &mut unpacked);
                sessions::change_events(&moments, columns.change, columns.tie, &mut scratch, |count| {
                    counts.push(count)
                });
            }
        }
        Ok(Arc::new(Int64Array::from(counts)))
    }
}

/// The place of each row among the distinct values of ORDER BY: a time for the rule.
fn moments(order: &[ArrayRef], row_count: usize) -> Result<Vec<i64>> {
    let mut moments = Vec::with_capacity(row_count);
    for (moment, rows) in partition(order)?.ranges().into_iter().enumerate() {
        moments.resize(rows.end, moment as i64);
    }
    Ok(moments)
}

fn truths(condition: &ArrayRef, row_count: usize) -> Result<Vec<bool>> {
    match condition.data_type() {
        DataType::Null => Ok(vec![false; row_count]),
        DataType::Boolean => Ok(condition.as_boolean().iter().map(|is_true| is_true == Some(true)).collect()),
        other => internal_err!("a condition of type {other} passed the check of types"),
    }
}
