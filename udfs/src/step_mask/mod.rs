//! Many conditions as one integer: bit `k` is set where condition `k + 1` is true.
//!
//! The hot loop of a funnel. Conditions that compare one text column with constants are not evaluated one by one:
//! each row's text is looked up once.

mod lookup;
mod plan;

use std::hash::Hash;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt64Array};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::doc::{ArgumentDoc, ErrorDoc, ExampleDoc, FunctionDoc, FunctionKind, sql_type};
use crate::error::{UserError, sqlstate};
pub(crate) use lookup::Lookup;
pub(crate) use plan::pack;

const MAX_CONDITIONS: usize = 64;

/// What is written about `step_mask`.
pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "step_mask",
    kind: FunctionKind::Scalar,
    summary: "Which of up to 64 conditions hold, as the bits of one integer.",
    description: "Bit 0 (value 1) is the first condition, bit 1 (value 2) the second. The funnel functions read their \
                  steps through it; by itself it marks rows once for several later uses.",
    syntax: "step_mask(condition1 [, condition2 ...])",
    arguments: &[ArgumentDoc {
        name: "condition",
        sql_type: "boolean",
        description: "A condition: 1 to 64 of them.",
        is_variadic: true,
        is_nameable: false,
    }],
    options: &[],
    returns: "bigint",
    answer: "the sum of 2^(k-1) over the conditions k that are true, an unsigned integer of 64 bits; never NULL.",
    nulls: "a NULL condition is false.",
    ties: "do not matter: each row is judged alone.",
    errors: &[
        ErrorDoc { sqlstate: "42804", cause: "a condition is not boolean" },
        ErrorDoc { sqlstate: "42883", cause: "no condition" },
        ErrorDoc { sqlstate: "54023", cause: "more than 64 conditions" },
    ],
    cost: "one look at each row for all conditions of the form column = 'text' or column IN ('text', ...) on one \
           column when called by a funnel; else one bit per row and condition.",
    merge: "nothing to merge: it has no state.",
    examples: &[ExampleDoc {
        question: "Which conditions hold?",
        sql: "SELECT step_mask(1 < 2, 2 < 1, NULL, true) AS mask",
        answer: &["9"],
    }],
    sources: &["the condition events of ClickHouse's windowFunnel and sequenceMatch"],
};

/// `STEP_MASK(condition, ...)`: which conditions hold, as bits.
pub fn step_mask() -> Arc<ScalarUDF> {
    Arc::new(StepMask::written().into())
}

/// Where the bits of a mask come from.
///
/// As written, every argument is a condition. As planned by [`pack`], the first argument is the looked-up column when
/// there is a [`Lookup`], and the others are the remaining conditions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct StepMask {
    lookup: Option<Arc<Lookup>>,
    /// The bit of each boolean argument; `None` as written: the first argument is bit 0 and so on.
    bits: Option<Vec<u8>>,
    /// Whether a row is NULL when any of its conditions is.
    null_drops_row: bool,
    signature: Signature,
}

impl StepMask {
    fn written() -> Self {
        Self {
            lookup: None,
            bits: None,
            null_drops_row: false,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }

    fn planned(lookup: Option<Lookup>, bits: Vec<u8>, null_drops_row: bool) -> Self {
        Self { lookup: lookup.map(Arc::new), bits: Some(bits), null_drops_row, ..Self::written() }
    }

    fn name_with(&self, args: Vec<String>) -> String {
        let Some(bits) = &self.bits else { return format!("{}({})", DOC.name, args.join(", ")) };
        let mut args = args.into_iter();
        let mut conditions: Vec<(u8, String)> = match &self.lookup {
            Some(lookup) => lookup.conditions(&args.next().unwrap_or_default()),
            None => vec![],
        };
        conditions.extend(bits.iter().copied().zip(args));
        conditions.sort();
        let conditions: Vec<_> = conditions.into_iter().map(|(_, condition)| condition).collect();
        let strict = if self.null_drops_row { " STRICT" } else { "" };
        format!("{}({}){strict}", DOC.name, conditions.join(", "))
    }
}

impl ScalarUDFImpl for StepMask {
    fn name(&self) -> &str {
        DOC.name
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.name_with(args.iter().map(|arg| arg.human_display().to_string()).collect()))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.name_with(args.iter().map(|arg| arg.schema_name().to_string()).collect()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        if self.bits.is_none() {
            check_types(arg_types)?;
        }
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let mut masks = vec![0u64; rows];
        let mut known: Option<NullBuffer> = None;
        let mut conditions = args.args.iter();
        if let Some(lookup) = &self.lookup {
            let column = conditions.next().ok_or_else(|| internal_datafusion_err!("step_mask lost its column"))?;
            let column = column.to_array(rows)?;
            masks = lookup.masks(&column)?;
            known = column.logical_nulls();
        }
        for (index, condition) in conditions.enumerate() {
            let bit = self.bits.as_ref().map_or(index, |bits| usize::from(bits[index]));
            match condition {
                ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))) => {
                    masks.iter_mut().for_each(|m| *m |= 1 << bit)
                }
                ColumnarValue::Scalar(value) if !value.is_null() => {}
                ColumnarValue::Scalar(_) => {
                    known = NullBuffer::union(known.as_ref(), Some(&NullBuffer::new_null(rows)));
                }
                ColumnarValue::Array(condition) => {
                    set_bits(&mut masks, bools(condition)?, bit);
                    known = NullBuffer::union(known.as_ref(), condition.logical_nulls().as_ref());
                }
            }
        }
        let masks = UInt64Array::new(masks.into(), known.filter(|_| self.null_drops_row));
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&masks, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(masks)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| DOC.documentation());
        Some(&DOCUMENTATION)
    }
}

fn check_types(arg_types: &[DataType]) -> Result<(), UserError> {
    if arg_types.is_empty() {
        return Err(UserError::new(sqlstate::UNDEFINED_FUNCTION, "step_mask needs at least one condition"));
    }
    if arg_types.len() > MAX_CONDITIONS {
        let given = arg_types.len();
        return Err(UserError::new(
            sqlstate::TOO_MANY_ARGUMENTS,
            format!("step_mask takes at most {MAX_CONDITIONS} conditions, got {given}"),
        ));
    }
    match arg_types.iter().position(|arg| !matches!(arg, DataType::Boolean | DataType::Null)) {
        None => Ok(()),
        Some(index) => Err(UserError::new(
            sqlstate::DATATYPE_MISMATCH,
            format!("step_mask: condition {} must be boolean, got {}", index + 1, sql_type(&arg_types[index])),
        )),
    }
}

fn bools(condition: &ArrayRef) -> Result<Option<&BooleanArray>> {
    match condition.data_type() {
        DataType::Null => Ok(None),
        DataType::Boolean => Ok(Some(condition.as_boolean())),
        other => Err(internal_datafusion_err!("a condition of type {other} passed the check of types")),
    }
}

/// Sets a bit where a condition is true. Events that meet a step are few, so only set bits are visited.
fn set_bits(masks: &mut [u64], condition: Option<&BooleanArray>, bit: usize) {
    let Some(condition) = condition else { return };
    let set = |truth: &BooleanBuffer, masks: &mut [u64]| {
        for row in truth.set_indices() {
            masks[row] |= 1 << bit;
        }
    };
    match condition.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => set(condition.values(), masks),
        Some(nulls) => set(&(condition.values() & nulls.inner()), masks),
    }
}
