//! Parameters in any place, with the types that a driver is told.

use datafusion::arrow::datatypes::{DataType, IntervalUnit};
use datafusion::common::ScalarValue;

use crate::support::{context, lines, register};

const CALL: &str = "SELECT FUNNEL(event_time, $1, event = $2, $4, mode => $3) AS level FROM events GROUP BY user_id";

#[tokio::test]
async fn an_untyped_parameter_has_the_type_of_its_place() {
    let context = context();
    register(&context, &[(1, Some(0), Some("a"))], 1);
    let frame = tributary_udfs::sql(&context, CALL).await.unwrap();
    let types = frame.logical_plan().get_parameter_types().unwrap();
    assert_eq!(types["$1"], Some(DataType::Interval(IntervalUnit::MonthDayNano)));
    assert_eq!(types["$2"], Some(DataType::Utf8View));
    assert_eq!(types["$3"], Some(DataType::Utf8));
    assert_eq!(types["$4"], Some(DataType::Boolean));
}

#[tokio::test]
async fn bound_parameters_are_judged_and_used() {
    let context = context();
    let events = [(1, Some(0), Some("a")), (1, Some(1), Some("x")), (1, Some(2), Some("b"))];
    register(&context, &events, 1);
    let answer = async |mode: &str| {
        let frame = tributary_udfs::sql(&context, CALL).await.unwrap();
        let values = vec![
            ScalarValue::new_interval_mdn(0, 1, 0),
            ScalarValue::from("a"),
            ScalarValue::from(mode),
            ScalarValue::from(true),
        ];
        let frame = frame.with_param_values(values)?;
        Ok::<_, datafusion::error::DataFusionError>(frame.collect().await?.iter().flat_map(lines).collect::<Vec<_>>())
    };
    assert_eq!(answer("strict_increase").await.unwrap(), ["2"]);
    let error = answer("strict").await.unwrap_err();
    let error = tributary_udfs::UserError::find(&error).unwrap();
    assert_eq!(error.sqlstate, "22023");
    assert_eq!(
        error.message,
        "funnel: argument 'mode' must be one of 'strict_order', 'strict_deduplication', 'strict_increase', \
         'strict_once', 'allow_reentry', got 'strict'"
    );
}
