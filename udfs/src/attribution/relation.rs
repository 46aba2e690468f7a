//! `attribution_touches` as plain plans: an aggregate by user, its lists unnested, and the columns of the report.

use datafusion::arrow::compute::can_cast_types;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::functions::core::expr_fn::{coalesce, get_field};
use datafusion::functions::core::named_struct;
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, cast, lit};

use super::touches;
use crate::doc::sql_type;
use crate::error::{UserError, sqlstate};
use crate::sql::RelationCall;

/// The channel of a conversion that saw no touch.
const UNATTRIBUTED: &str = "(unattributed)";
/// The column of lists.
const TOUCH: &str = "touch";
/// The column of users.
const KEY: &str = "key";
/// The options that go to the aggregate as they are.
const OPTIONS: [&str; 8] =
    ["touch", "include_self", "lookback", "lookback_touches", "consume", "per_channel_once", "milestones", "tie"];

/// The plan of `attribution_touches`.
///
/// # Errors
/// 42883 for an argument that is missing, 22023 without `models`, 42703 and 42601 for columns; the aggregate judges the
/// rest.
pub(crate) fn lower_touches(call: &mut RelationCall) -> Result<LogicalPlan> {
    let name = call.function.name;
    let (user, time) = (call.user_key()?, call.time_key()?);
    let channel = call.needed("channel", "attribution_touches(events, channel, ...)")?;
    let conversion = call.needed("conversion", "conversion => event = 'purchase'")?;
    let value = call.argument("value")?;
    let Some(models) = call.option("models")? else {
        return Err(UserError::new(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("{name} needs 'models'; the models are {}", tributary_core::attribution::NAMES.join(", ")),
        )
        .with_hint("Example: models => 'first, linear, time_decay(7 days)'.")
        .into());
    };
    let mut options = vec![];
    for option in OPTIONS {
        if let Some(value) = call.option(option)? {
            options.extend([lit(option), value]);
        }
    }
    let carried = call.columns("carry")?;
    if !carried.is_empty() {
        let columns = carried.iter().flat_map(|column| [lit(column.name()), Expr::Column(column.clone())]);
        options.extend([lit("carry"), record(columns.collect())]);
    }
    let mut args = vec![models, Expr::Column(time), channel, conversion];
    args.extend(value);
    if !options.is_empty() {
        args.push(record(options));
    }
    let lists = Expr::AggregateFunction(AggregateFunction::new_udf(touches(), args, false, None, vec![], None));

    let aggregate =
        LogicalPlanBuilder::from(call.input.clone()).aggregate([Expr::Column(user.clone())], [lists])?.build()?;
    let (user, list) =
        (Column::from(aggregate.schema().qualified_field(0)), Column::from(aggregate.schema().qualified_field(1)));
    let columns = columns(name, &user, &carried, aggregate.schema().field(0).data_type())?;
    LogicalPlanBuilder::from(aggregate)
        .project([Expr::Column(user).alias(KEY), Expr::Column(list).alias(TOUCH)])?
        .unnest_column(Column::from_name(TOUCH))?
        .project(columns)?
        .build()
}

/// The columns of the report, over one row for each element.
fn columns(name: &str, user: &Column, carried: &[Column], user_type: &DataType) -> Result<Vec<Expr>, UserError> {
    let field = |field: &str| get_field(Expr::Column(Column::from_name(TOUCH)), field);
    let seconds = |time: &str| cast(cast(field(time), DataType::Int64), DataType::Float64);
    let lag =
        binary(binary(seconds("conversion_time"), Operator::Minus, seconds("touch_time")), Operator::Divide, lit(1e6));
    let key = Expr::Column(Column::from_name(KEY));
    let mut columns = vec![
        key.clone().alias(user.name()),
        conversion_id(name, key, user_type)?.alias("conversion_id"),
        field("conversion_time").alias("conversion_time"),
        field("conversion_value").alias("conversion_value"),
        field("model_no").alias("model_no"),
        field("model").alias("model"),
        field("touch_no").alias("touch_no"),
        field("touch_count").alias("touch_count"),
        coalesce(vec![field("channel"), lit(ScalarValue::Utf8View(Some(UNATTRIBUTED.into())))]).alias("channel"),
        field("touch_time").alias("touch_time"),
        lag.alias("lag_seconds"),
        field("credit").alias("credit"),
        field("value").alias("value"),
        field("channel").is_null().alias("is_unattributed"),
    ];
    for column in carried {
        let is_shown = columns.iter().any(|shown| shown.schema_name().to_string() == column.name());
        if is_shown {
            return Err(UserError::new(
                sqlstate::SYNTAX_ERROR,
                format!("{name}: argument 'carry' names a column that is shown already: {}", column.name()),
            )
            .with_hint("Rename it in the relation: (SELECT ..., column AS name FROM ...)."));
        }
        columns.push(get_field(field("carried"), column.name()).alias(column.name()));
    }
    Ok(columns)
}

/// The user, the microseconds of the conversion, and its number among conversions of that time.
fn conversion_id(name: &str, user: Expr, user_type: &DataType) -> Result<Expr, UserError> {
    if !can_cast_types(user_type, &DataType::Utf8) {
        let given = sql_type(user_type);
        return Err(UserError::new(
            sqlstate::DATATYPE_MISMATCH,
            format!("{name}: argument 'user_key' must be of a type that reads as text, got {given}"),
        ));
    }
    let field = |field: &str| cast(get_field(Expr::Column(Column::from_name(TOUCH)), field), DataType::Int64);
    let text = |number: Expr| cast(number, DataType::Utf8);
    let user = coalesce(vec![text(user), lit("")]);
    let parts = [lit("-"), text(field("conversion_time")), lit("-"), text(field("conversion_no"))];
    Ok(parts.into_iter().fold(user, |id, part| binary(id, Operator::StringConcat, part)))
}

fn binary(left: Expr, operator: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right)))
}

fn record(fields: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(named_struct(), fields))
}
