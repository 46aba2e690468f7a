//! Which expressions may be judged once for each text.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NotExpr,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use crate::step_mask::StepMask;
use crate::tags::is_tag_match;

/// How a column may be read by codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Texts {
    /// Each row is a text.
    Single,
    /// Each row is a list of texts: only `TAG_MATCH` reads its codes.
    Lists,
}

impl Texts {
    /// `None` for columns without texts.
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        let is_text =
            |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        match data_type {
            DataType::List(item) | DataType::LargeList(item) if is_text(item.data_type()) => Some(Self::Lists),
            other => is_text(other).then_some(Self::Single),
        }
    }

    /// The type to ask a reader for in place of `data_type`.
    pub(super) fn as_codes(data_type: &DataType) -> Option<DataType> {
        let items = |item: &FieldRef| Arc::new(item.as_ref().clone().with_data_type(codes_of_texts()));
        match (Self::of(data_type)?, data_type) {
            (Self::Single, _) => Some(codes_of_texts()),
            (Self::Lists, DataType::List(item)) => Some(DataType::List(items(item))),
            (Self::Lists, DataType::LargeList(item)) => Some(DataType::LargeList(items(item))),
            (Self::Lists, _) => None,
        }
    }
}

/// The type in which a reader gives texts as codes.
pub(super) fn codes_of_texts() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// The one column that an expression is judged by, if its answer is a truth or a mask, depends on that column alone
/// and cannot fail on any text: texts are judged that no row has any more.
pub(super) fn judged_by(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Option<Column> {
    if !matches!(expr.data_type(schema), Ok(DataType::Boolean | DataType::UInt64)) {
        return None;
    }
    match reads(expr, schema) {
        Reads::Column(column) => Some(column),
        Reads::Nothing | Reads::Refused => None,
    }
}

/// Whether an expression is one of our functions.
pub(super) fn is_own(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.downcast_ref::<ScalarFunctionExpr>()
        .is_some_and(|call| call.fun().inner().is::<StepMask>() || is_tag_match(call.fun()))
}

/// What an expression reads of its input.
enum Reads {
    Nothing,
    Column(Column),
    /// More than one column, or something else that one text does not decide.
    Refused,
}

impl Reads {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, one) | (one, Self::Nothing) => one,
            (Self::Column(a), Self::Column(b)) if a == b => Self::Column(a),
            _ => Self::Refused,
        }
    }
}

fn reads(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Reads {
    let texts = |column: &Column| schema.fields().get(column.index()).and_then(|field| Texts::of(field.data_type()));
    let all = |parts: &mut dyn Iterator<Item = &Arc<dyn PhysicalExpr>>| {
        parts.fold(Reads::Nothing, |all, part| all.and(reads(part, schema)))
    };
    if let Some(column) = expr.downcast_ref::<Column>() {
        // A list is for the functions below alone.
        return if texts(column) == Some(Texts::Single) { Reads::Column(column.clone()) } else { Reads::Refused };
    }
    if expr.is::<Literal>() {
        return Reads::Nothing;
    }
    if let Some(call) = expr.downcast_ref::<ScalarFunctionExpr>() {
        if !is_own(expr) {
            return Reads::Refused;
        }
        return match call.args() {
            [tags, constants @ ..] if is_tag_match(call.fun()) => {
                let is_constant = constants.iter().all(|argument| argument.is::<Literal>());
                match tags.downcast_ref::<Column>().filter(|column| is_constant && texts(column).is_some()) {
                    Some(column) => Reads::Column(column.clone()),
                    None => Reads::Refused,
                }
            }
            arguments => all(&mut arguments.iter()),
        };
    }
    if let Some(nulls) = expr.downcast_ref::<IsNullExpr>().map(IsNullExpr::arg) {
        return reads(nulls, schema);
    }
    if let Some(nulls) = expr.downcast_ref::<IsNotNullExpr>().map(IsNotNullExpr::arg) {
        return reads(nulls, schema);
    }
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        return if cannot_fail(*binary.op()) {
            all(&mut [binary.left(), binary.right()].into_iter())
        } else {
            Reads::Refused
        };
    }
    let is_plain = expr.is::<NotExpr>() || expr.is::<InListExpr>() || expr.is::<LikeExpr>();
    if is_plain { all(&mut expr.children().into_iter()) } else { Reads::Refused }
}

fn cannot_fail(operator: Operator) -> bool {
    use Operator::{And, Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq, Or};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom | And | Or)
}

/// The column below a cast that brings codes back to text, where a file gives codes.
pub(super) fn uncast(expr: &Arc<dyn PhysicalExpr>) -> Option<&Arc<dyn PhysicalExpr>> {
    let below = expr.downcast_ref::<CastExpr>()?.expr();
    below.is::<Column>().then_some(below)
}
