//! The relation that a call reads: as a query, and its columns for users and times.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, GroupByExpr, ObjectName, Query, Select, SelectFlavor, SelectItem, SetExpr,
    TableFactor, TableWithJoins, WildcardAdditionalOptions,
};

use crate::doc::{FunctionDoc, sql_type};
use crate::error::{UserError, nearest, sqlstate};

/// Turns `events` or `lake.events` into a query; `(SELECT ...)` and `(TABLE events)` are queries already.
pub(super) fn make_query(function: &FunctionDoc, arg: &mut FunctionArg) -> Result<(), UserError> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else { return Err(no_relation(function)) };
    let query = match &mut *expr {
        Expr::Identifier(name) => select_all(ObjectName::from(vec![name.clone()])),
        Expr::CompoundIdentifier(names) if names.len() <= 3 => select_all(ObjectName::from(names.clone())),
        Expr::Subquery(_) => return Ok(()),
        _ => return Err(no_relation(function)),
    };
    *expr = Expr::Subquery(Box::new(query));
    Ok(())
}

/// The error for a call without a relation.
pub(super) fn no_relation(function: &FunctionDoc) -> UserError {
    UserError::new(sqlstate::SYNTAX_ERROR, format!("{}: the first argument must be a relation", function.name))
        .with_hint("Write the name of a table, (SELECT ...) or (TABLE name).")
}

/// `SELECT * FROM name`.
pub(in crate::sql) fn select_all(name: ObjectName) -> Query {
    let relation = TableFactor::Table {
        name,
        alias: None,
        args: None,
        with_hints: vec![],
        version: None,
        with_ordinality: false,
        partitions: vec![],
        json_path: None,
        sample: None,
        index_hints: vec![],
    };
    let select = Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: vec![],
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())],
        exclude: None,
        into: None,
        from: vec![TableWithJoins { relation, joins: vec![] }],
        lateral_views: vec![],
        prewhere: None,
        selection: None,
        connect_by: vec![],
        group_by: GroupByExpr::Expressions(vec![], vec![]),
        cluster_by: vec![],
        distribute_by: vec![],
        sort_by: vec![],
        having: None,
        named_window: vec![],
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    };
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: vec![],
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: vec![],
    }
}

/// A column that every report needs.
pub(super) struct Key {
    /// The option that names it.
    pub option: &'static str,
    /// The table's property that names it.
    pub property: &'static str,
    /// The name it has where nothing names it.
    pub name: &'static str,
    /// What it is for.
    pub role: &'static str,
    pub may_be: fn(&DataType) -> bool,
}

pub(super) const USER: Key = Key {
    option: "user_key",
    property: "tributary.user_key",
    name: "user_id",
    role: "users",
    may_be: |data_type| {
        let is_text = matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        is_text
            || data_type.is_integer()
            || matches!(data_type, DataType::FixedSizeBinary(16) | DataType::Dictionary(..))
    },
};

pub(super) const TIME: Key = Key {
    option: "time_key",
    property: "tributary.time_key",
    name: "event_time",
    role: "times",
    may_be: |data_type| matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64),
};

/// The column by the table's property, or by its usual name.
///
/// # Errors
/// 42703 that lists the columns it could be.
pub(super) fn find(function: &FunctionDoc, key: &Key, schema: &DFSchema) -> Result<Column, UserError> {
    let property = schema.metadata().get(key.property).map(String::as_str);
    let wanted = property.unwrap_or(key.name);
    let mut named = schema.iter().filter(|(_, field)| field.name() == wanted);
    if let (Some(column), None) = (named.next(), named.next()) {
        return Ok(Column::from(column));
    }
    let problem = match (property, schema.iter().filter(|(_, field)| field.name() == wanted).count()) {
        (_, 2..) => format!("the relation has several columns {wanted}"),
        (Some(_), _) => format!("the relation lost its column {wanted}"),
        (None, _) => format!("the relation has no column {wanted}"),
    };
    let message = format!("{}: no column for {}: {problem}", function.name, key.role);
    let candidates: Vec<&str> = schema
        .fields()
        .iter()
        .filter(|field| (key.may_be)(field.data_type()))
        .map(|field| field.name().as_str())
        .collect();
    let example = nearest(key.name, candidates.iter().copied()).or(candidates.first().copied());
    let hint = match example {
        Some(example) => {
            format!("Name it, such as {} => {example}. It could be {}.", key.option, candidates.join(", "))
        }
        None => format!(
            "No column of the relation could be it; its columns are {}.",
            schema
                .fields()
                .iter()
                .map(|field| format!("{} {}", field.name(), sql_type(field.data_type())))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    Err(UserError::new(sqlstate::UNDEFINED_COLUMN, message).with_hint(hint))
}
