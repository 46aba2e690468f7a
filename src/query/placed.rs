//! Types of parameters that the plan tells: by what they stand beside, or by whose arguments they are.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use super::{parameters, postgres};

const TEXT: DataType = DataType::Utf8;
const INT4: DataType = DataType::Int32;
const FLOAT8: DataType = DataType::Float64;
const NUMERIC: DataType = DataType::Decimal128(38, 12);
const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
/// Nothing is said of this argument, or its type is that of another one.
const OPEN: DataType = DataType::Null;

/// What functions with so many arguments take, as PostgreSQL decides where only the number of arguments is known.
const ARGUMENTS: &[(&str, &[DataType])] = &[
    ("abs", &[FLOAT8]),
    ("array_element", &[OPEN, INT4]),
    ("array_length", &[OPEN, INT4]),
    ("array_slice", &[OPEN, INT4, INT4]),
    ("array_slice", &[OPEN, INT4, INT4, OPEN]),
    ("ceil", &[FLOAT8]),
    ("chr", &[INT4]),
    ("date_bin", &[INTERVAL, OPEN, OPEN]),
    ("exp", &[FLOAT8]),
    ("floor", &[FLOAT8]),
    ("lag", &[OPEN, INT4]),
    ("lag", &[OPEN, INT4, OPEN]),
    ("lead", &[OPEN, INT4]),
    ("lead", &[OPEN, INT4, OPEN]),
    ("left", &[TEXT, INT4]),
    ("ln", &[FLOAT8]),
    ("lpad", &[TEXT, INT4]),
    ("lpad", &[TEXT, INT4, TEXT]),
    ("make_date", &[INT4, INT4, INT4]),
    ("nth_value", &[OPEN, INT4]),
    ("ntile", &[INT4]),
    ("percentile_cont", &[OPEN, FLOAT8]),
    ("power", &[FLOAT8, FLOAT8]),
    ("repeat", &[TEXT, INT4]),
    ("right", &[TEXT, INT4]),
    ("round", &[FLOAT8]),
    ("round", &[NUMERIC, INT4]),
    ("rpad", &[TEXT, INT4]),
    ("rpad", &[TEXT, INT4, TEXT]),
    ("split_part", &[TEXT, TEXT, INT4]),
    ("sqrt", &[FLOAT8]),
    ("substr", &[TEXT, INT4]),
    ("substr", &[TEXT, INT4, INT4]),
    ("to_timestamp", &[FLOAT8]),
    ("trunc", &[FLOAT8]),
    ("trunc", &[NUMERIC, INT4]),
];

/// Functions that take a list and an item of it.
const TAKE_AN_ITEM: [&str; 4] = ["array_has", "array_append", "array_position", "array_remove"];

/// Types that the plan tells, by position: `x = ANY($1)` takes a list of what `x` is, `coalesce(x, $1)` takes an `x`,
/// `left(x, $1)` a number.
pub fn placed_parameters(plan: &LogicalPlan) -> datafusion::error::Result<HashMap<usize, FieldRef>> {
    let mut found = HashMap::new();
    plan.apply_with_subqueries(|node| {
        let mut schema = DFSchema::empty();
        node.inputs().iter().for_each(|input| schema.merge(input.schema()));
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Some((index, field)) = list_of(expr, &schema) {
                    found.insert(index, field);
                }
                for (index, field) in alternatives(expr, &schema).into_iter().chain(arguments(expr)) {
                    found.entry(index).or_insert(field);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// `x = ANY($1)`, `x <> ALL($1)`, `x > ANY($1)`: the list is of what `x` is.
fn list_of(expr: &Expr, schema: &DFSchema) -> Option<(usize, FieldRef)> {
    let Expr::ScalarFunction(call) = expr else { return None };
    if !TAKE_AN_ITEM.contains(&call.name()) && !postgres::is_quantified(call.name()) {
        return None;
    }
    let [list, item] = call.args.as_slice() else { return None };
    if let Some(index) = open_parameter(item) {
        return item_of(list, schema).map(|item| (index, item));
    }
    let index = open_parameter(list)?;
    let (_, item) = item.to_field(schema).ok()?;
    let item = sent_as(&item).as_ref().clone().with_name(Field::LIST_FIELD_DEFAULT_NAME);
    Some((index, Arc::new(Field::new("", DataType::List(Arc::new(item)), true))))
}

/// The type in which a value like those of a field is sent: how a column is encoded is not the client's.
fn sent_as(field: &FieldRef) -> FieldRef {
    match field.data_type() {
        DataType::Utf8View | DataType::LargeUtf8 => parameters::field(DataType::Utf8),
        DataType::Dictionary(_, values) => parameters::field(values.as_ref().clone()),
        _ => parameters::like(field),
    }
}

/// The type of the items of a list.
fn item_of(list: &Expr, schema: &DFSchema) -> Option<FieldRef> {
    match list.to_field(schema).ok()?.1.data_type() {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            Some(sent_as(item)).filter(|item| !item.data_type().is_null())
        }
        _ => None,
    }
}

/// Parameters that stand beside values of which one is the answer, as in `coalesce(x, $1)`: they have the values' type.
fn alternatives(expr: &Expr, schema: &DFSchema) -> Vec<(usize, FieldRef)> {
    const CHOOSING: [&str; 4] = ["coalesce", "nullif", "greatest", "least"];
    let values: Vec<&Expr> = match expr {
        Expr::ScalarFunction(call) if CHOOSING.contains(&call.name()) => call.args.iter().collect(),
        Expr::Case(case) => {
            let otherwise = case.else_expr.iter().map(|value| value.as_ref());
            case.when_then_expr.iter().map(|(_, value)| value.as_ref()).chain(otherwise).collect()
        }
        // What a window before or after the first or last row gives instead of a value.
        Expr::WindowFunction(call) if matches!(call.fun.name(), "lag" | "lead") => match call.params.args.as_slice() {
            [value, _, instead] => vec![value, instead],
            _ => return vec![],
        },
        _ => return vec![],
    };
    let open: Vec<usize> = values.iter().filter_map(|value| open_parameter(value)).collect();
    if open.is_empty() {
        return vec![];
    }
    let fields = values.iter().filter_map(|value| value.to_field(schema).ok().map(|(_, field)| field));
    match fields.into_iter().find(|field| !field.data_type().is_null()) {
        Some(field) => open.into_iter().map(|index| (index, parameters::like(&field))).collect(),
        None => vec![],
    }
}

/// Parameters that are arguments of a function that takes one type there.
fn arguments(expr: &Expr) -> Vec<(usize, FieldRef)> {
    let (name, given) = match expr {
        Expr::ScalarFunction(call) => (call.name(), &call.args),
        Expr::AggregateFunction(call) => (call.func.name(), &call.params.args),
        Expr::WindowFunction(call) => (call.fun.name(), &call.params.args),
        _ => return vec![],
    };
    let Some((_, taken)) = ARGUMENTS.iter().find(|(known, taken)| *known == name && taken.len() == given.len()) else {
        return vec![];
    };
    let open = given.iter().zip(*taken).filter(|(_, taken)| !taken.is_null());
    open.filter_map(|(given, taken)| Some((open_parameter(given)?, parameters::field(taken.clone())))).collect()
}

/// The number of a parameter of which no type is known yet.
fn open_parameter(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Placeholder(Placeholder { id, field: None }) => parameters::index_of(id),
        _ => None,
    }
}
