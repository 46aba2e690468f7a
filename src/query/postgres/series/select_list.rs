//! `SELECT generate_series(1, 3)`: a function of the select list that makes rows.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Select, Value, VisitMut, VisitorMut,
};

use super::super::ast::{call, called_function, cast, constant, take};

/// Writes series in a select list as lists whose items are rows: `unnest(generate_series(1, 3))`, which may be written
/// so as well.
pub fn rewrite_select(select: &mut Select) {
    for item in &mut select.projection {
        // The visitor never breaks.
        let _ = item.visit(&mut Unnested);
    }
}

struct Unnested;

impl VisitorMut for Unnested {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match called_function(expr).as_deref() {
            Some("generate_series") => *expr = call("unnest", vec![take(expr)]),
            Some("generate_subscripts") => {
                if let Some([array, dimension]) = arguments(expr) {
                    let (array, dimension) = (take(array), take(dimension));
                    let [first, last] = subscripts(array, dimension);
                    *expr = call("unnest", vec![call("generate_series", vec![first, last])]);
                }
            }
            Some("unnest") => {
                if let Some([inner]) = arguments(expr)
                    && called_function(inner).as_deref() == Some("unnest")
                {
                    *expr = take(inner);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The first subscript of an array and the last; the array stands in one of them only, so that calls inside each other
/// stay as long as they are written. Where it has none, the last is NULL, and there is no series.
pub fn subscripts(array: Expr, dimension: Expr) -> [Expr; 2] {
    let first = cast(constant(Value::Number("1".to_owned(), false)), DataType::Integer(None));
    [first, call("array_upper", vec![array, dimension])]
}

/// The plain arguments of a call, if there are so many.
fn arguments<const N: usize>(expr: &mut Expr) -> Option<[&mut Expr; N]> {
    let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = expr else { return None };
    let args = list.args.iter_mut().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    args.collect::<Option<Vec<&mut Expr>>>()?.try_into().ok()
}
