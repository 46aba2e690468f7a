//! `UTM` over columns.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, StringViewArray, StringViewBuilder};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use tributary_core::url::{Parameter, UTM_NAMES};

use super::UTM;
use super::args::{self, Texts};
use crate::call::{self, Fold};
use crate::error::{UserError, sqlstate};

/// Position of the URL among the arguments.
const URL: usize = 0;
/// Position of the name of the parameter.
const NAME: usize = 1;

/// `UTM`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Utm {
    signature: Signature,
}

impl Utm {
    pub fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Utm {
    fn name(&self) -> &str {
        UTM.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Takes every type: an error made here loses its words, so [`Self::return_type`] judges the types.
    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        args::check_types(&UTM, arg_types)?;
        Ok(DataType::Utf8View)
    }

    /// NULL in, NULL out: outer joins below a filter on it may become inner ones.
    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let ColumnarValue::Scalar(name) = &args.args[NAME] {
            let parameter = constant_parameter(name)?;
            return match (&args.args[URL], args::dictionary(&args.args)) {
                (_, Some((_, urls))) => {
                    let values =
                        values(&ColumnarValue::Array(Arc::clone(urls.values())), &parameter, urls.values().len())?;
                    Ok(ColumnarValue::Array(take(&values, urls.keys(), None)?))
                }
                (urls @ ColumnarValue::Array(_), None) => {
                    Ok(ColumnarValue::Array(Arc::new(values(urls, &parameter, args.number_rows)?)))
                }
                (url, None) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values(url, &parameter, 1)?, 0)?)),
            };
        }
        Ok(ColumnarValue::Array(by_row(&args.args[URL], &args.args[NAME], args.number_rows)?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| UTM.documentation());
        Some(&DOCUMENTATION)
    }
}

/// Refuses a constant name that is none.
///
/// # Errors
/// 22023 if it is NULL or empty.
pub(super) fn check(args: &[Expr], fold: Fold) -> Result<()> {
    match args.get(NAME) {
        Some(name) if !call::has_placeholder(name) => match fold(name.clone())?.unalias() {
            Expr::Literal(name, _) => constant_parameter(&name).map(|_| ()).map_err(Into::into),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn constant_parameter(name: &ScalarValue) -> Result<Parameter, UserError> {
    parameter(&call::text(UTM.name, "name", name)?)
}

fn parameter(name: &str) -> Result<Parameter, UserError> {
    Parameter::try_new(name).map_err(|_| {
        let message = format!("{}: argument 'name' must be the name of a parameter, got '{name}'", UTM.name);
        UserError::new(sqlstate::INVALID_PARAMETER_VALUE, message).with_hint(format!(
            "Write one of {}, or any other such as 'gclid'.",
            UTM_NAMES.map(|name| format!("'{name}'")).join(", ")
        ))
    })
}

/// The value of one parameter in each URL.
fn values(urls: &ColumnarValue, parameter: &Parameter, rows: usize) -> Result<StringViewArray> {
    let urls = Texts::new(urls)?;
    let mut values = StringViewBuilder::with_capacity(rows);
    for row in 0..rows {
        values.append_option(urls.get(row).and_then(|url| parameter.value_in(url)));
    }
    Ok(values.finish())
}

/// The value in each URL of the parameter that its row names. Equal names of a batch are read once.
fn by_row(urls: &ColumnarValue, names: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    let (urls, names) = (Texts::new(urls)?, Texts::new(names)?);
    let mut parameters: HashMap<&str, Parameter> = HashMap::new();
    let mut values = StringViewBuilder::with_capacity(rows);
    for row in 0..rows {
        let Some(name) = names.get(row) else {
            values.append_null();
            continue;
        };
        if !parameters.contains_key(name) {
            parameters.insert(name, parameter(name)?);
        }
        values.append_option(urls.get(row).and_then(|url| parameters[name].value_in(url)));
    }
    Ok(Arc::new(values.finish()))
}
