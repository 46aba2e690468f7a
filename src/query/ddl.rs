//! Definitions: views, external tables, schemas.
//!
//! They go to the session's catalogue, which shows them to others at commit.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::TableReference;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{CreateExternalTable as PlannedTable, DdlStatement, LogicalPlan};
use datafusion::sql::parser::{CreateExternalTable, Statement as DfStatement};
use datafusion::sql::sqlparser::ast::{
    AlterTable, AlterTableOperation, CreateView, Ident, ObjectName, ObjectNamePart, ObjectType, Query,
    RenameTableNameKind, Statement,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer, Word};
use tributary_udfs::TributaryDialect;

use super::parse::{Parsed, byte_offset};
use super::{errors, plan, postgres};
use crate::catalog::{Change, Definition, Notice, RelationKind, SessionCatalog};
use crate::error::{Error, Result, SqlState};
use crate::lake::{Format, LakeTable};

/// `CREATE [OR REPLACE] VIEW`. The text after AS is kept as the user wrote it.
///
/// Plans the query, under the limits of any other; the caller says where, and for how long.
pub async fn create_view(
    catalog: &SessionCatalog,
    context: &SessionContext,
    view: &CreateView,
    parsed: &Parsed,
) -> Result<Vec<Notice>> {
    if view.materialized || view.temporary || view.to.is_some() {
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "materialized and temporary views are not supported")
            .with_hint("Use CREATE VIEW."));
    }
    let name = reference(&view.name)?;
    if view.if_not_exists && catalog.resolve(&name).is_some() {
        return Ok(vec![]);
    }
    let query = rewritten_query(&view.query, parsed)?;
    plan::refuse_too_large(context, &query, &parsed.source).await?;
    let columns = view.columns.iter().map(|c| fold(&c.name)).collect();
    catalog
        .create_view(&name, query, columns, definition(parsed), view.or_replace)
        .await
        .map_err(|e| errors::from_datafusion(&e, &parsed.source))
}

/// `CREATE [OR REPLACE] EXTERNAL TABLE ... STORED AS ... LOCATION ... [WITH ORDER (...)]`.
///
/// `may_read` says whether the user may have the server read a place; it is asked before anything is looked at.
pub async fn create_external_table(
    catalog: &SessionCatalog,
    context: &SessionContext,
    may_read: impl Fn(&str) -> Result<()>,
    create: &CreateExternalTable,
    parsed: &Parsed,
) -> Result<Vec<Notice>> {
    let state = context.state();
    let plan = state
        .statement_to_plan(DfStatement::CreateExternalTable(create.clone()))
        .await
        .map_err(|e| errors::from_datafusion(&e, &parsed.source))?;
    let LogicalPlan::Ddl(DdlStatement::CreateExternalTable(planned)) = plan else {
        return Err(Error::new(SqlState::INTERNAL_ERROR, "expected the plan of an external table"));
    };
    if planned.temporary || planned.unbounded {
        return Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "temporary and unbounded external tables are not supported",
        ));
    }
    planned.locations.iter().try_for_each(|location| may_read(location))?;
    let table = open(&planned, context).await?;
    catalog.create_external_table(&planned.name, table, planned.or_replace, planned.if_not_exists)
}

/// `CREATE SCHEMA [IF NOT EXISTS] name [AUTHORIZATION owner]`.
pub fn create_schema(
    catalog: &SessionCatalog,
    name: &ObjectName,
    if_not_exists: bool,
    owner: Option<&Ident>,
) -> Result<Vec<Notice>> {
    let name = schema_name(name)?;
    catalog.apply(Change::CreateSchema { name, if_not_exists, owner: owner.map(fold) })
}

/// `DROP TABLE | VIEW | SCHEMA [IF EXISTS] name, ... [CASCADE]`, and its tag.
pub fn drop(
    catalog: &SessionCatalog,
    object: ObjectType,
    names: &[ObjectName],
    if_exists: bool,
    cascade: bool,
) -> Result<(&'static str, Vec<Notice>)> {
    let mut notices = vec![];
    let tag = match object {
        ObjectType::Table => "DROP TABLE",
        ObjectType::View => "DROP VIEW",
        ObjectType::Schema => "DROP SCHEMA",
        other => {
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("DROP {other} is not supported")));
        }
    };
    for name in names {
        notices.extend(match object {
            ObjectType::Schema => {
                let name = schema_name(name)?;
                catalog.apply(Change::DropSchema { name, if_exists, cascade })?
            }
            ObjectType::View => catalog.drop_relation(&reference(name)?, RelationKind::View, if_exists, cascade)?,
            _ => catalog.drop_relation(&reference(name)?, RelationKind::Table, if_exists, cascade)?,
        });
    }
    Ok((tag, notices))
}

/// The tag of ALTER TABLE or ALTER VIEW, which the parser reads as one statement.
///
/// Attached to it is its last token, or the word VIEW: that one stands before the name.
pub fn alter_tag(alter: &AlterTable) -> &'static str {
    let name = alter.name.0.first().and_then(ObjectNamePart::as_ident);
    let is_view = name.is_some_and(|name| alter.end_token.0.span.start < name.span.start);
    if is_view { "ALTER VIEW" } else { "ALTER TABLE" }
}

/// `ALTER TABLE | VIEW [IF EXISTS] name RENAME TO other`; `None` for what else ALTER may do.
///
/// As in PostgreSQL, ALTER TABLE renames views too.
pub fn rename(catalog: &SessionCatalog, alter: &AlterTable, tag: &str) -> Result<Option<Vec<Notice>>> {
    let [AlterTableOperation::RenameTable { table_name: RenameTableNameKind::To(to) }] = alter.operations.as_slice()
    else {
        return Ok(None);
    };
    let TableReference::Bare { table: to } = reference(to)? else {
        let message = format!("the new name must be without a schema: {to}");
        return Err(Error::new(SqlState::SYNTAX_ERROR, message));
    };
    let kind = (tag == "ALTER VIEW").then_some(RelationKind::View);
    catalog.rename_relation(&reference(&alter.name)?, to.to_string(), kind, alter.if_exists).map(Some)
}

async fn open(planned: &PlannedTable, context: &SessionContext) -> Result<Arc<LakeTable>> {
    let format = Format::parse(&planned.file_type)?;
    let [location] = planned.locations.as_slice() else {
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "an external table has exactly one LOCATION")
            .with_hint("Put the files in one folder, or create one table for each and a view over them."));
    };
    let declared: Option<SchemaRef> = (!planned.schema.fields().is_empty()).then(|| Arc::clone(planned.schema.inner()));
    let options: HashMap<String, String> = planned.options.clone();
    LakeTable::external(
        context.state().runtime_env(),
        location,
        format,
        declared,
        options,
        planned.order_exprs.clone(),
        planned.table_partition_cols.clone(),
    )
    .await
}

/// The query of a view, rewritten as any query would be.
fn rewritten_query(query: &Query, parsed: &Parsed) -> Result<Box<Query>> {
    let mut statement = Statement::Query(Box::new(query.clone()));
    postgres::rewrite(&mut statement)?;
    tributary_udfs::rewrite(&mut statement).map_err(|e| errors::from_user_error(&e, &parsed.source))?;
    match statement {
        Statement::Query(query) => Ok(query),
        _ => Err(Error::new(SqlState::INTERNAL_ERROR, "a rewritten query is no query any more")),
    }
}

/// What follows the AS of `CREATE VIEW name [(columns)] AS query`.
fn definition(parsed: &Parsed) -> Definition {
    let (text, dialect) = (parsed.text.as_str(), TributaryDialect);
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location().unwrap_or_default();
    let mut depth = 0;
    let mut end = Location::new(1, 1);
    for token in &tokens {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            Token::Word(Word { keyword: Keyword::AS, .. }) if depth == 0 => {
                end = token.span.end;
                break;
            }
            _ => {}
        }
    }
    let rest = &text[byte_offset(text, end)..];
    let query = rest.trim_start();
    let blank = &rest[..rest.len() - query.len()];
    let start = blank.chars().fold(end, |at, character| match character {
        '\n' => Location::new(at.line + 1, 1),
        _ => Location::new(at.line, at.column + 1),
    });
    // Counted from the statement, which begins somewhere in its text.
    let start = match start.line {
        1 => Location::new(parsed.start.line, parsed.start.column + start.column - 1),
        line => Location::new(parsed.start.line + line - 1, start.column),
    };
    Definition { text: query.trim_end().to_owned(), start }
}

fn reference(name: &ObjectName) -> Result<TableReference> {
    let parts = name
        .0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => Ok(fold(ident)),
            ObjectNamePart::Function(_) => Err(Error::new(SqlState::SYNTAX_ERROR, format!("{name} is not a name"))),
        })
        .collect::<Result<Vec<_>>>()?;
    match parts.as_slice() {
        [table] => Ok(TableReference::bare(table.as_str())),
        [schema, table] => Ok(TableReference::partial(schema.as_str(), table.as_str())),
        [catalog, schema, table] => Ok(TableReference::full(catalog.as_str(), schema.as_str(), table.as_str())),
        _ => {
            Err(Error::new(SqlState::SYNTAX_ERROR, format!("improper qualified name (too many dotted names): {name}")))
        }
    }
}

fn schema_name(name: &ObjectName) -> Result<String> {
    match reference(name)? {
        TableReference::Bare { table } => Ok(table.to_string()),
        TableReference::Partial { schema, table } if &*schema == crate::catalog::DATABASE => Ok(table.to_string()),
        _ => Err(Error::new(SqlState::SYNTAX_ERROR, format!("{name} is not the name of a schema"))),
    }
}

/// An identifier as PostgreSQL folds it.
fn fold(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::super::parse::{Kind, parse};
    use super::*;

    #[test]
    fn the_definition_of_a_view_is_the_text_after_its_as() {
        let of = |text: &str| {
            let parsed = parse(text, &CancellationToken::new()).unwrap();
            let Definition { text, start } = definition(parsed.last().unwrap());
            (text, start.line, start.column)
        };
        let query = "SELECT x AS a, '茶' AS b FROM t".to_owned();
        assert_eq!(of(&format!("CREATE OR REPLACE VIEW v (a, b) AS\n  {query}")), (query.clone(), 2, 3));
        assert_eq!(of(&format!("SELECT '茶';\nSELECT 1; CREATE VIEW v AS {query} ;")), (query.clone(), 2, 28));
        assert_eq!(
            of(&format!("SELECT 1;\n\nCREATE VIEW v AS -- why\n {query}")),
            (format!("-- why\n {query}"), 3, 18)
        );
    }

    #[test]
    fn alter_view_is_told_from_alter_table_by_its_tokens() {
        for (text, tag) in [
            ("ALTER VIEW t RENAME TO u", "ALTER VIEW"),
            ("ALTER /* x */ VIEW IF EXISTS t RENAME TO u", "ALTER VIEW"),
            ("ALTER TABLE t RENAME TO view", "ALTER TABLE"),
            ("ALTER TABLE view RENAME TO u", "ALTER TABLE"),
            ("/* ALTER VIEW */ ALTER\nTABLE IF EXISTS t RENAME TO u;", "ALTER TABLE"),
        ] {
            let parsed = parse(text, &CancellationToken::new()).unwrap();
            let Kind::Sql(statement) = &*parsed[0].kind else { panic!("{text}") };
            let Statement::AlterTable(alter) = statement.as_ref() else { panic!("{text}") };
            assert_eq!(alter_tag(alter), tag, "{text}");
        }
    }
}
