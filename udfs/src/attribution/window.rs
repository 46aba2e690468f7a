//! The window function: what each row earned, over all conversions of its partition.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::arrow::compute::nullif;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowFunctionSimplification, WindowUDFFieldArgs};
use datafusion::logical_expr::{Documentation, Expr, PartitionEvaluator, Signature, Volatility, WindowUDFImpl};
use tributary_core::attribution::{CONVERSION, Scratch, User, per_row};

use super::Answer;
use super::configure::{self, Call};
use super::rows::{Reader, too_large};
use super::worth::Worth;
use crate::codes::Codes;

/// More channels than this of users before are forgotten: they would be sorted for whoever has a new one.
const MANY_CHANNELS: usize = 256;

/// `ATTRIBUTE` with OVER; as written and as planned, its arguments are those of the aggregate.
#[derive(Debug, Clone)]
pub(crate) struct AttributionWindow {
    call: Option<Arc<Call>>,
    signature: Signature,
}

impl PartialEq for AttributionWindow {
    fn eq(&self, other: &Self) -> bool {
        self.call == other.call
    }
}

impl Eq for AttributionWindow {}

impl Hash for AttributionWindow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.call.hash(state);
    }
}

impl AttributionWindow {
    /// The function as it is registered.
    pub fn new() -> Self {
        Self { call: None, signature: Signature::user_defined(Volatility::Immutable) }
    }

    /// The function with its constants in place.
    pub(super) fn with_call(&self, call: Call) -> Self {
        Self { call: Some(Arc::new(call)), ..self.clone() }
    }

    /// Whether rows of one time are told apart by a column: its values are ranked anew for each user.
    pub fn keeps_ties(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.layout.tie.is_some())
    }

    /// Whether the constants are in place.
    pub fn is_configured(&self) -> bool {
        self.call.is_some()
    }
}

impl WindowUDFImpl for AttributionWindow {
    fn name(&self) -> &str {
        Answer::Row.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Takes every type: an error made here loses its words, so [`Self::field`] judges the types.
    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        let returns = match &self.call {
            Some(call) => call.returns.clone(),
            None => {
                let types: Vec<_> = args.input_fields().iter().map(|field| field.data_type().clone()).collect();
                configure::return_type(Answer::Row, &types)?
            }
        };
        Ok(Arc::new(Field::new(args.name(), returns, true)))
    }

    fn partition_evaluator(&self, _args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let Some(call) = &self.call else { return internal_err!("{} was planned without its constants", self.name()) };
        let call = Arc::clone(call);
        Ok(match &call.layout.held {
            None => Box::new(Evaluator::<()>::new(call)?),
            Some(DataType::Float64) => Box::new(Evaluator::<f64>::new(call)?),
            Some(_) => Box::new(Evaluator::<i128>::new(call)?),
        })
    }

    /// Puts the constants in place where no analyzer rule of ours did: in a DataFusion with only the functions.
    fn simplify(&self) -> Option<WindowFunctionSimplification> {
        if self.is_configured() {
            return None;
        }
        Some(Box::new(|function, info| {
            let configured = configure::configure_window(&function, info.schema().as_ref(), &Ok)?;
            Ok(Expr::WindowFunction(Box::new(configured.unwrap_or(function))))
        }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Answer::Row.documentation()
    }
}

/// Answers partitions, one after the other.
struct Evaluator<A: Worth> {
    call: Arc<Call>,
    reader: Reader<A>,
    scratch: Scratch<A>,
}

impl<A: Worth> std::fmt::Debug for Evaluator<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evaluator").field("call", &self.call).finish_non_exhaustive()
    }
}

impl<A: Worth> Evaluator<A> {
    fn new(call: Arc<Call>) -> Result<Self> {
        Ok(Self { reader: Reader::new(call.layout.clone())?, call, scratch: Scratch::default() })
    }
}

impl<A: Worth> PartitionEvaluator for Evaluator<A> {
    fn evaluate_all(&mut self, columns: &[ArrayRef], num_rows: usize) -> Result<ArrayRef> {
        if self.reader.channels.len() > MANY_CHANNELS {
            self.reader.channels = Codes::new();
        }
        let at_us = self.reader.read(columns, None)?;
        let (mut credits, mut shares) = (vec![0; num_rows], vec![A::Share::default(); num_rows]);
        // Most people buy nothing.
        if self.reader.batch.kinds.iter().any(|&kind| u64::from(kind) & CONVERSION > 0) {
            self.add_up(&at_us, &mut credits, &mut shares)?;
        }
        let Call { layout, returns, .. } = self.call.as_ref();
        let answer = match &layout.held {
            Some(_) => A::shares(shares, returns),
            None => <i128 as Worth>::shares(credits, returns),
        };
        // A row without a time takes part in nothing.
        match columns.first().and_then(|times| times.logical_nulls()).filter(|nulls| nulls.null_count() > 0) {
            Some(known) => Ok(nullif(&answer, &BooleanArray::new(!known.inner(), None))?),
            None => Ok(answer),
        }
    }
}

impl<A: Worth> Evaluator<A> {
    /// Sets what each row of the partition that was read earned.
    fn add_up(&mut self, all_us: &[i64], credits: &mut [i128], shares: &mut [A::Share]) -> Result<()> {
        let Self { call, reader: Reader { channels: known, ties, batch, .. }, scratch } = self;
        let time = |index: usize| all_us[batch.rows[index] as usize];
        let mut order: Vec<usize> = (0..batch.rows.len()).collect();
        if !order.is_sorted_by_key(|&index| time(index)) {
            // Stable: last digits go to the first of equal rows.
            order.sort_by_key(|&index| time(index));
        }
        let channel_ranks = known.ranked();
        let tie_ranks = ties.as_mut().map(|ties| ties.codes.ranked());
        let mut given = batch.values.iter();
        let value_of = |&kind: &u32| match u64::from(kind) & CONVERSION > 0 {
            true => given.next().copied().unwrap_or_default(),
            false => A::default(),
        };
        let all_values: Vec<A> = batch.kinds.iter().map(value_of).collect();
        let at_us: Vec<i64> = order.iter().map(|&index| time(index)).collect();
        let kinds: Vec<u32> = order.iter().map(|&index| batch.kinds[index]).collect();
        let channels: Vec<u32> =
            order.iter().map(|&index| channel_ranks.ranks[batch.channels[index] as usize]).collect();
        let values: Vec<A> = order.iter().map(|&index| all_values[index]).collect();
        let ties: Option<Vec<u32>> =
            tie_ranks.map(|ties| order.iter().map(|&index| ties.ranks[batch.ties[index] as usize]).collect());
        let user = User { at_us: &at_us, kinds: &kinds, channels: &channels, ties: ties.as_deref(), values: &values };
        let plan = call.spec.resolve(|label| known.known(label).map(|code| channel_ranks.ranks[code as usize]));
        per_row(&plan, &user, scratch, |total| {
            if let Some(touch) = total.touch_row {
                let row = batch.rows[order[touch]] as usize;
                (credits[row], shares[row]) = (total.credit, total.value);
            }
        })
        .map_err(|error| too_large(call.layout.name, &error.to_string()).into())
    }
}
