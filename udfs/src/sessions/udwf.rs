//! The window functions as DataFusion sees them: before their constants are known, and after.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowFunctionSimplification, WindowUDFFieldArgs};
use datafusion::logical_expr::{Documentation, Expr, PartitionEvaluator, Signature, Volatility, WindowUDFImpl};

use super::args::{self, Call};
use super::configure::configure_window;
use super::partition::{Partition, number_users};
use super::{SESSIONIZE, SESSIONIZE_INFO, output};
use crate::call;
use crate::doc::FunctionDoc;
use crate::time;

/// What is told about each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    /// `sessionize`: the number of its session.
    Number,
    /// `sessionize_info`: everything.
    Info,
}

/// `sessionize` or `sessionize_info`.
///
/// As written, its arguments are `(event_time, gap [, options])`.
/// Once planned, the constants are in its [`Call`] and its arguments are columns, as [`args::Data`] says.
#[derive(Debug, Clone)]
pub(crate) struct Sessionize {
    answer: Answer,
    call: Option<Arc<Call>>,
    signature: Signature,
}

impl PartialEq for Sessionize {
    fn eq(&self, other: &Self) -> bool {
        self.answer == other.answer && self.call == other.call
    }
}

impl Eq for Sessionize {}

impl Hash for Sessionize {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.answer.hash(state);
        self.call.hash(state);
    }
}

impl Sessionize {
    /// The function as it is registered.
    pub(super) fn new(answer: Answer) -> Self {
        Self { answer, call: None, signature: Signature::user_defined(Volatility::Immutable) }
    }

    /// The function with its constants in place.
    pub(super) fn with_call(&self, call: Call) -> Self {
        Self { call: Some(Arc::new(call)), ..self.clone() }
    }

    /// Whether the constants are in place.
    pub fn is_configured(&self) -> bool {
        self.call.is_some()
    }

    /// Whether the answer is a number that goes up with time, also among rows of one time.
    ///
    /// Rows of one time are told apart by what else a session depends on, which is another order than theirs.
    pub fn numbers_by_time(&self) -> bool {
        let has_times_alone = |call: &Arc<Call>| {
            let others = [call.data.flags_index(), call.data.change_index(), call.data.tie_index()];
            others.iter().all(Option::is_none)
        };
        self.answer == Answer::Number && self.call.as_ref().is_some_and(has_times_alone)
    }

    /// The session of every row of some users, `ends` being where the rows of each end; `None` where that takes more
    /// than the times, or where these are not all known.
    pub fn number_users(&self, columns: &[ArrayRef], ends: &[usize]) -> Result<Option<ArrayRef>> {
        match (&self.call, self.answer) {
            (Some(call), Answer::Number) => number_users(call, columns, ends),
            _ => Ok(None),
        }
    }

    /// What is written about the function.
    pub fn doc(&self) -> &'static FunctionDoc {
        match self.answer {
            Answer::Number => &SESSIONIZE,
            Answer::Info => &SESSIONIZE_INFO,
        }
    }

    fn return_type(&self, time: &DataType) -> Result<DataType> {
        let time = time::answer_type(time).ok_or_else(|| call::no_time(self.name(), Some(time)))?;
        Ok(match self.answer {
            Answer::Number => DataType::Int64,
            Answer::Info => output::info_type(time),
        })
    }
}

impl WindowUDFImpl for Sessionize {
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
        let types: Vec<DataType> = args.input_fields().iter().map(|field| field.data_type().clone()).collect();
        if !self.is_configured() {
            args::check_types(self.doc(), &types)?;
        }
        let time = types.first().ok_or_else(|| call::no_time(self.name(), None))?;
        Ok(Arc::new(Field::new(args.name(), self.return_type(time)?, true)))
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let (Some(call), Some(time)) = (&self.call, args.input_fields().first()) else {
            return Err(internal_datafusion_err!("{} runs without its constants", self.name()));
        };
        let returns = self.return_type(time.data_type())?;
        Ok(Box::new(Partition { call: Arc::clone(call), answer: self.answer, returns }))
    }

    /// Puts the constants in place where no analyzer rule of ours did: in a DataFusion with only the functions.
    fn simplify(&self) -> Option<WindowFunctionSimplification> {
        if self.is_configured() {
            return None;
        }
        Some(Box::new(|function, info| {
            let configured = configure_window(&function, info.schema().as_ref(), &Ok)?;
            Ok(Expr::WindowFunction(Box::new(configured.unwrap_or(function))))
        }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static NUMBER: LazyLock<Documentation> = LazyLock::new(|| SESSIONIZE.documentation());
        static INFO: LazyLock<Documentation> = LazyLock::new(|| SESSIONIZE_INFO.documentation());
        Some(match self.answer {
            Answer::Number => &NUMBER,
            Answer::Info => &INFO,
        })
    }
}
