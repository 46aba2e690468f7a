//! Types: names that only PostgreSQL has, and the types whose values are names of catalogue objects.
//!
//! `'demo.events'::regclass` is the call `regclassin('demo.events')`, an id; where the value is shown or becomes
//! text it is `regclassout(...)`, the name.

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, DataType, Expr, Ident, ObjectName, ObjectNamePart, SelectItem, SetExpr, Statement,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::ast::{call, called_function, cast, folded, rename_call, string_constant, take};
use super::expressions::array_items;

/// Rewrites a cast whose operand has been rewritten.
pub fn rewrite_expr(expr: &mut Expr) {
    match expr {
        Expr::Cast { expr: operand, data_type, .. } => {
            normalize_type(data_type);
            if let Some(name) = object_type(data_type) {
                let operand = take(operand);
                *expr = call(&format!("{name}in"), vec![operand]);
            } else if let (DataType::Array(_), Some(items)) =
                (&*data_type, string_constant(operand).and_then(array_items))
            {
                // `'{1,2}'::int[]`
                **operand = items;
                read_uuids(operand, data_type);
            } else if let (DataType::Array(_), Expr::Array(_)) = (&*data_type, operand.as_ref()) {
                read_uuids(operand, data_type);
            } else if let Some(name) = read_object(operand)
                && is_text(data_type)
            {
                rename_call(operand, &format!("{name}out"));
                *expr = take(operand);
            }
        }
        Expr::TypedString(typed) => normalize_type(&mut typed.data_type),
        _ => {}
    }
}

/// The items of `ARRAY['...']::uuid[]` are read one by one: no list is cast so as a whole.
fn read_uuids(items: &mut Expr, data_type: &DataType) {
    let DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) = data_type else { return };
    if let (Expr::Array(array), DataType::Uuid) = (items, item.as_ref()) {
        for item in &mut array.elem {
            *item = cast(take(item), DataType::Uuid);
        }
    }
}

/// Where a result column is an object's id read from a name, shows the name: `SELECT oid::regclass`.
pub fn show_names_in_results(statement: &mut Statement) {
    match statement {
        Statement::Query(query) => show_names(&mut query.body),
        Statement::Explain { statement, .. } => show_names_in_results(statement),
        _ => {}
    }
}

fn show_names(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                    && let Some(name) = read_object(expr)
                {
                    rename_call(expr, &format!("{name}out"));
                }
            }
        }
        SetExpr::Query(query) => show_names(&mut query.body),
        SetExpr::SetOperation { left, right, .. } => {
            show_names(left);
            show_names(right);
        }
        _ => {}
    }
}

/// `regclass` and its like that an expression reads a name as: `regclass` of `regclassin(...)`.
fn read_object(expr: &Expr) -> Option<String> {
    let function = called_function(expr)?;
    let name = function.strip_suffix("in").filter(|name| OBJECT_TYPES.iter().any(|(_, known)| known == name));
    name.map(str::to_owned)
}

/// The types whose values are catalogue objects, and the family of functions that reads and writes each.
const OBJECT_TYPES: [(&str, &str); 6] = [
    ("regclass", "regclass"),
    ("regnamespace", "regnamespace"),
    ("regtype", "regtype"),
    ("regproc", "regproc"),
    ("regprocedure", "regproc"),
    ("regrole", "regrole"),
];

fn object_type(data_type: &DataType) -> Option<&'static str> {
    let name = match data_type {
        DataType::Regclass => "regclass".to_owned(),
        DataType::Custom(name, arguments) if arguments.is_empty() => super::ast::last_name(name)?,
        _ => return None,
    };
    OBJECT_TYPES.iter().find(|(known, _)| *known == name).map(|(_, family)| *family)
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Text | DataType::Varchar(_) | DataType::CharacterVarying(_) | DataType::String(_))
}

/// Brings a type to one that the planner knows: without `pg_catalog.`, and system types as what they hold.
pub fn normalize_type(data_type: &mut DataType) {
    match data_type {
        DataType::Array(
            ArrayElemTypeDef::SquareBracket(element, _)
            | ArrayElemTypeDef::AngleBracket(element)
            | ArrayElemTypeDef::Parenthesis(element),
        ) => normalize_type(element),
        DataType::Custom(name, arguments) if arguments.is_empty() => {
            let parts: Vec<String> = name
                .0
                .iter()
                .filter_map(|part| match part {
                    ObjectNamePart::Identifier(ident) => Some(folded(ident)),
                    ObjectNamePart::Function(_) => None,
                })
                .collect();
            let bare = match parts.as_slice() {
                [bare] => bare,
                [schema, bare] if schema == "pg_catalog" || schema == "information_schema" => bare,
                _ => return,
            };
            if let Some(known) = system_type(bare) {
                *data_type = known;
            } else if parts.len() == 2
                && let Some(parsed) = parse_type(bare)
            {
                *data_type = parsed;
            }
        }
        _ => {}
    }
}

/// What a system type holds.
fn system_type(name: &str) -> Option<DataType> {
    match name {
        "name" | "char" | "bpchar" | "cstring" | "aclitem" | "pg_node_tree" | "sql_identifier" | "character_data"
        | "yes_or_no" | "oidvector" => Some(DataType::Text),
        "oid" => Some(DataType::Custom(ObjectName::from(vec![Ident::new(name)]), vec![])),
        "xid" | "cid" | "cardinal_number" => Some(DataType::Int(None)),
        _ => None,
    }
}

/// A type that was written with its schema, without it.
fn parse_type(name: &str) -> Option<DataType> {
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(name).ok()?;
    parser.parse_data_type().ok()
}
