//! How a function of this room is described, and how DataFusion calls it.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use crate::catalog::system::{Cell, build_column, field_type, format_type};
use crate::catalog::{Oid, Relation, SessionCatalog, Snapshot};
use crate::error::{Error, SqlState};

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer, or text that is one: object ids arrive in both forms.
    Oid,
    /// Text.
    Text,
    /// A boolean.
    Bool,
    /// A name or an object id: `regclass` and its like.
    NameOrOid,
    /// Anything; only its type or its being NULL counts.
    Any,
}

/// What a function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// Text.
    Text,
    /// A boolean.
    Bool,
    /// A 32-bit integer or object id.
    Int4,
    /// A 64-bit integer.
    Int8,
    /// An array of text.
    TextList,
    /// A moment with time zone.
    Timestamptz,
}

/// One function.
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The argument lists it accepts.
    pub overloads: &'static [&'static [Kind]],
    /// What it returns.
    pub returns: Returns,
    /// Whether a NULL argument makes the answer NULL without a call.
    pub is_strict: bool,
    /// Whether every call counts, as for `set_config`.
    pub is_volatile: bool,
    /// The answer for one row.
    pub body: fn(&Call, &Row) -> Result<Cell>,
}

impl Function {
    /// A function that is NULL where an argument is.
    pub const fn strict(
        name: &'static str,
        overloads: &'static [&'static [Kind]],
        returns: Returns,
        body: fn(&Call, &Row) -> Result<Cell>,
    ) -> Self {
        Self { name, overloads, returns, is_strict: true, is_volatile: false, body }
    }

    /// A function that sees NULL arguments.
    pub const fn sees_null(
        name: &'static str,
        overloads: &'static [&'static [Kind]],
        returns: Returns,
        body: fn(&Call, &Row) -> Result<Cell>,
    ) -> Self {
        Self { name, overloads, returns, is_strict: false, is_volatile: false, body }
    }
}

/// What a function's body may ask while it answers the rows of one batch.
pub struct Call {
    /// The session's catalogue.
    pub catalog: SessionCatalog,
    /// The snapshot the session has pinned.
    pub snapshot: Arc<Snapshot>,
    /// The schemas that unqualified names are looked up in.
    pub path: Vec<String>,
    relations: OnceCell<HashMap<Oid, Arc<Relation>>>,
}

impl Call {
    fn new(catalog: &SessionCatalog) -> Self {
        Self {
            catalog: catalog.clone(),
            snapshot: catalog.snapshot(),
            path: catalog.effective_search_path(),
            relations: OnceCell::new(),
        }
    }

    /// The relation of an id. The first question of a batch costs a walk over all relations.
    pub fn relation(&self, oid: Oid) -> Option<&Arc<Relation>> {
        let by_oid = self
            .relations
            .get_or_init(|| self.snapshot.relations().map(|relation| (relation.oid, Arc::clone(relation))).collect());
        by_oid.get(&oid)
    }
}

/// The arguments of one row.
pub struct Row<'a> {
    arguments: &'a [ArrayRef],
    fields: &'a [FieldRef],
    index: usize,
}

impl Row<'_> {
    /// How many arguments the call has.
    pub fn argument_count(&self) -> usize {
        self.arguments.len()
    }

    /// The type that an argument had before it was coerced.
    pub fn type_of(&self, argument: usize) -> &Field {
        &self.fields[argument]
    }

    /// An object id; `None` where the argument is NULL, missing, not an id, or no id at all (negative).
    pub fn oid(&self, argument: usize) -> Option<Oid> {
        self.int(argument).and_then(|value| Oid::try_from(value).ok())
    }

    /// An integer.
    pub fn int(&self, argument: usize) -> Option<i64> {
        let column = self.arguments.get(argument)?.as_primitive_opt::<Int64Type>()?;
        column.is_valid(self.index).then(|| column.value(self.index))
    }

    /// Text.
    pub fn text(&self, argument: usize) -> Option<&str> {
        let column = self.arguments.get(argument)?.as_string_opt::<i32>()?;
        column.is_valid(self.index).then(|| column.value(self.index))
    }

    /// A boolean.
    pub fn bool(&self, argument: usize) -> Option<bool> {
        let column = self.arguments.get(argument)?.as_boolean_opt()?;
        column.is_valid(self.index).then(|| column.value(self.index))
    }

    fn has_null(&self) -> bool {
        self.arguments.iter().any(|column| column.is_null(self.index))
    }
}

/// A function of the table, bound to a connection.
pub struct SessionFunction {
    function: &'static Function,
    catalog: SessionCatalog,
    signature: Signature,
}

impl SessionFunction {
    /// Binds a function to a connection's catalogue.
    pub fn new(function: &'static Function, catalog: SessionCatalog) -> Self {
        // The answers of a stable function hold for a statement, which is as long as a plan lives.
        let volatility = if function.is_volatile { Volatility::Volatile } else { Volatility::Stable };
        let takes_nothing = function.overloads.iter().all(|kinds| kinds.is_empty());
        let signature =
            if takes_nothing { Signature::nullary(volatility) } else { Signature::user_defined(volatility) };
        Self { function, catalog, signature }
    }

    /// The argument list that fits the given types best: exact kinds count more than convertible ones.
    fn overload(&self, types: &[DataType]) -> Option<&'static [Kind]> {
        self.function
            .overloads
            .iter()
            .filter(|kinds| kinds.len() == types.len())
            .filter_map(|kinds| {
                let fits = kinds.iter().zip(types).map(|(kind, data_type)| fit(*kind, data_type));
                fits.sum::<Option<u32>>().map(|score| (score, *kinds))
            })
            .min_by_key(|(score, _)| *score)
            .map(|(_, kinds)| kinds)
    }
}

/// How far a type is from a kind: 0 exact, larger convertible, `None` not at all.
fn fit(kind: Kind, data_type: &DataType) -> Option<u32> {
    let data_type = match data_type {
        DataType::Dictionary(_, value) => value,
        other => other,
    };
    let is_text = matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    match kind {
        _ if data_type.is_null() => Some(1),
        Kind::Oid if data_type.is_integer() => Some(0),
        Kind::Oid if is_text => Some(2),
        Kind::Text if is_text => Some(0),
        Kind::Bool if *data_type == DataType::Boolean => Some(0),
        Kind::NameOrOid if is_text || data_type.is_integer() => Some(0),
        Kind::Any => Some(0),
        _ => None,
    }
}

/// The type that an argument is brought to.
fn coerced(kind: Kind, data_type: &DataType) -> DataType {
    match kind {
        Kind::Oid => DataType::Int64,
        Kind::Text => DataType::Utf8,
        Kind::Bool => DataType::Boolean,
        Kind::NameOrOid if data_type.is_integer() => DataType::Int64,
        Kind::NameOrOid => DataType::Utf8,
        Kind::Any => data_type.clone(),
    }
}

impl fmt::Debug for SessionFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFunction").field("name", &self.function.name).finish_non_exhaustive()
    }
}

impl PartialEq for SessionFunction {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name && self.catalog.is_same_session(&other.catalog)
    }
}

impl Eq for SessionFunction {}

impl Hash for SessionFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl ScalarUDFImpl for SessionFunction {
    fn name(&self) -> &str {
        self.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.function.returns {
            Returns::Text => DataType::Utf8,
            Returns::Bool => DataType::Boolean,
            Returns::Int4 => DataType::Int32,
            Returns::Int8 => DataType::Int64,
            Returns::TextList => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
            Returns::Timestamptz => {
                DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()))
            }
        })
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match self.overload(types) {
            Some(kinds) => Ok(kinds.iter().zip(types).map(|(kind, given)| coerced(*kind, given)).collect()),
            None => {
                let given: Vec<String> =
                    types.iter().map(|given| sql_name(&Field::new("", given.clone(), true))).collect();
                let message = format!("function {}({}) does not exist", self.function.name, given.join(", "));
                Err(Error::new(SqlState::UNDEFINED_FUNCTION, message)
                    .with_hint("No function matches the given name and argument types.")
                    .into())
            }
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant =
            args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_))) && !self.function.is_volatile;
        let row_count = if is_constant { 1 } else { args.number_rows };
        let arguments =
            args.args.iter().map(|argument| argument.to_array(row_count)).collect::<Result<Vec<ArrayRef>>>()?;
        let call = Call::new(&self.catalog);
        let cells = (0..row_count)
            .map(|index| {
                let row = Row { arguments: &arguments, fields: &args.arg_fields, index };
                if self.function.is_strict && row.has_null() {
                    Ok(Cell::Null)
                } else {
                    (self.function.body)(&call, &row)
                }
            })
            .collect::<Result<Vec<Cell>>>()?;
        let answers = build_column(args.return_field.data_type(), &cells)?;
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&answers, 0)?));
        }
        Ok(ColumnarValue::Array(answers))
    }
}

/// A type in PostgreSQL's words.
pub fn sql_name(field: &Field) -> String {
    if field.data_type().is_null() {
        return "unknown".to_owned();
    }
    format_type(field_type(field).0.oid(), None)
}
