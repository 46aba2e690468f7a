//! The names of result columns: `count` and `?column?`, as PostgreSQL gives them.
//!
//! DataFusion names an unaliased column after its text and refuses two columns of one name.
//! So every computed column gets PostgreSQL's name as its alias; a name that is taken already gets a suffix that
//! no user can type, and [`column_label`] takes it off before the client sees it.
//!
//! [`column_label`]: crate::catalog::column_label

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, DataType, Expr, GroupByExpr, Ident, OrderBy, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, Statement, Subscript, TrimWhereField, Value, Visit, VisitMut, Visitor,
    VisitorMut,
};

use super::ast::{constant, folded, last_name};
use super::casts::normalize_type;
use crate::catalog::REPEATED;
use crate::catalog::system::parse_type;

/// Gives every unnamed result column of a statement, and of its subqueries, PostgreSQL's name.
pub fn add(statement: &mut Statement) {
    // The visitor never breaks.
    let _ = statement.visit(&mut Labeller);
}

struct Labeller;

impl VisitorMut for Labeller {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        order_distinct_by_place(query);
        let ordered = names_of_order_inputs(query);
        match query.body.as_mut() {
            SetExpr::Select(select) => add_to_select(select, ordered),
            // ORDER BY of a set operation knows its results only.
            body => add_to_branches(body),
        }
        ControlFlow::Continue(())
    }
}

/// Names the results of the branches of UNION and its like; a branch in parentheses is a query of its own.
fn add_to_branches(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => add_to_select(select, BTreeSet::new()),
        SetExpr::SetOperation { left, right, .. } => {
            add_to_branches(left);
            add_to_branches(right);
        }
        _ => {}
    }
}

/// `SELECT DISTINCT lower(x) ... ORDER BY lower(x)` orders by its first column.
///
/// Once that column has a name, DataFusion no longer sees that the two are the same.
fn order_distinct_by_place(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_ref() else { return };
    let Some(OrderBy { kind: OrderByKind::Expressions(orders), .. }) = &mut query.order_by else { return };
    if select.distinct.is_none() {
        return;
    }
    for order in orders {
        let is_column = matches!(order.expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_));
        let place = select.projection.iter().position(|item| match item {
            SelectItem::UnnamedExpr(expr) => *expr == order.expr,
            _ => false,
        });
        if let (false, Some(place)) = (is_column, place) {
            order.expr = constant(Value::Number((place + 1).to_string(), false));
        }
    }
}

/// `reserved` are names that mean columns of the input elsewhere in the query.
fn add_to_select(select: &mut Select, mut reserved: BTreeSet<String>) {
    let wildcards = Wildcards::of(select);
    reserved.extend(grouped_names(select));
    let mut taken: Vec<Taken> = Vec::new();
    for (index, item) in select.projection.iter_mut().enumerate() {
        let (expr, given) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(folded(alias))),
            _ => continue,
        };
        let column = if given.is_none() { column_text(expr) } else { None };
        let name = given.clone().unwrap_or_else(|| name_of(expr).0);
        let is_clash = taken.iter().any(|earlier| earlier.clashes(&name, column.as_deref()))
            || (column.is_some() && wildcards.include(expr))
            // HAVING, GROUP BY or ORDER BY mean a column of the input by this name, not this result.
            || (given.is_none() && column.is_none() && reserved.contains(&name));
        taken.push(Taken { name: name.clone(), column: column.clone() });
        let alias = match (is_clash, given, column) {
            (true, ..) => format!("{name}{REPEATED}{index}"),
            (false, None, None) => name,
            // A plain column or an alias of the user's keeps its name.
            (false, ..) => continue,
        };
        let expr = expr.clone();
        *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', alias) };
    }
}

/// A name that an earlier result column has.
struct Taken {
    name: String,
    /// The column as it was written, if the result is a plain column.
    column: Option<String>,
}

impl Taken {
    /// Whether a second result of that name would be refused. Columns of two tables may share a name.
    fn clashes(&self, name: &str, column: Option<&str>) -> bool {
        let are_of_two_tables = match (self.column.as_deref(), column) {
            (Some(earlier), Some(later)) => earlier != later && earlier.contains('.') && later.contains('.'),
            _ => false,
        };
        self.name == name && !are_of_two_tables
    }
}

/// The text of a plain column; `None` for anything computed.
fn column_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) if !is_special_word(ident) => Some(folded(ident)),
        Expr::CompoundIdentifier(parts) => Some(parts.iter().map(folded).collect::<Vec<_>>().join(".")),
        _ => None,
    }
}

/// A bare word that is a call: its result needs its name.
fn is_special_word(ident: &Ident) -> bool {
    ident.quote_style.is_none() && matches!(folded(ident).as_str(), "current_schema" | "current_role")
}

/// What `*` in a select list includes.
struct Wildcards {
    all: bool,
    of_tables: Vec<String>,
    is_single_table: bool,
}

impl Wildcards {
    fn of(select: &Select) -> Self {
        let mut wildcards = Self {
            all: false,
            of_tables: Vec::new(),
            is_single_table: select.from.len() == 1 && select.from.iter().all(|table| table.joins.is_empty()),
        };
        for item in &select.projection {
            match item {
                SelectItem::Wildcard(_) => wildcards.all = true,
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    wildcards.of_tables.extend(last_name(name));
                }
                _ => {}
            }
        }
        wildcards
    }

    /// Whether a wildcard of the same list yields this column too.
    fn include(&self, expr: &Expr) -> bool {
        match expr {
            Expr::CompoundIdentifier(parts) => {
                let table = parts.iter().rev().nth(1).map(folded);
                self.all || table.is_some_and(|table| self.of_tables.contains(&table))
            }
            _ => self.all || (self.is_single_table && !self.of_tables.is_empty()),
        }
    }
}

/// The columns that expressions mention, by their last names.
struct Names(BTreeSet<String>);

impl Visitor for Names {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => {
                self.0.insert(folded(ident));
            }
            Expr::CompoundIdentifier(parts) => self.0.extend(parts.last().map(folded)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The names in ORDER BY that mean columns of the input: all but those that stand alone, which mean results.
fn names_of_order_inputs(query: &Query) -> BTreeSet<String> {
    let mut names = Names(BTreeSet::new());
    let Some(OrderByKind::Expressions(keys)) = query.order_by.as_ref().map(|order_by| &order_by.kind) else {
        return names.0;
    };
    let (results, inputs): (Vec<_>, Vec<_>) = keys.iter().partition(|key| matches!(key.expr, Expr::Identifier(_)));
    for key in inputs {
        // The visitor never breaks.
        let _ = key.visit(&mut names);
    }
    for key in results {
        if let Expr::Identifier(ident) = &key.expr {
            names.0.remove(&folded(ident));
        }
    }
    names.0
}

/// The names in GROUP BY and HAVING, which mean columns of the input.
fn grouped_names(select: &Select) -> BTreeSet<String> {
    let mut names = Names(BTreeSet::new());
    if let Some(having) = &select.having {
        // The visitor never breaks.
        let _ = having.visit(&mut names);
    }
    if let GroupByExpr::Expressions(keys, _) = &select.group_by {
        // A bare key may be the result's name (PostgreSQL allows it); inside an expression it never is.
        for key in keys.iter().filter(|key| !matches!(key, Expr::Identifier(_))) {
            let _ = key.visit(&mut names);
        }
    }
    names.0
}

/// How sure a name is: a cast or CASE around a value of an unsure name has a name of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sureness {
    /// `?column?`.
    Unknown,
    /// The name of a type or of CASE.
    Type,
    /// The name of a column or function.
    Sure,
}

/// The name PostgreSQL gives a result.
fn name_of(expr: &Expr) -> (String, Sureness) {
    let sure = |name: &str| (name.to_owned(), Sureness::Sure);
    let unknown = || ("?column?".to_owned(), Sureness::Unknown);
    match expr {
        Expr::Identifier(ident) => (folded(ident), Sureness::Sure),
        Expr::CompoundIdentifier(parts) => match parts.last() {
            Some(last) => (folded(last), Sureness::Sure),
            None => unknown(),
        },
        Expr::CompoundFieldAccess { root, access_chain } => name_of_access(root, access_chain),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => name_of(inner),
        Expr::Function(function) => match last_name(&function.name) {
            Some(name) => sure(&name),
            None => unknown(),
        },
        Expr::Cast { expr, data_type, .. } => named_or(expr, || type_name(data_type)),
        Expr::TypedString(typed) => (type_name(&typed.data_type), Sureness::Type),
        Expr::Interval(_) => ("interval".to_owned(), Sureness::Type),
        Expr::Case { else_result, .. } => match else_result.as_deref().map(name_of) {
            Some((name, Sureness::Sure)) => (name, Sureness::Sure),
            _ => ("case".to_owned(), Sureness::Type),
        },
        Expr::Subquery(query) => name_of_query(query),
        Expr::Exists { negated: false, .. } => sure("exists"),
        Expr::Array(_) => sure("array"),
        Expr::Tuple(_) => sure("row"),
        Expr::Extract { .. } => sure("extract"),
        Expr::Ceil { .. } => sure("ceil"),
        Expr::Floor { .. } => sure("floor"),
        Expr::Position { .. } => sure("position"),
        Expr::Substring { .. } => sure("substring"),
        Expr::Overlay { .. } => sure("overlay"),
        Expr::AtTimeZone { .. } => sure("timezone"),
        Expr::Trim { trim_where, .. } => sure(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            Some(TrimWhereField::Both) | None => "btrim",
        }),
        _ => unknown(),
    }
}

/// The name of the operand if it has one, else another of less weight.
fn named_or(operand: &Expr, otherwise: impl FnOnce() -> String) -> (String, Sureness) {
    match name_of(operand) {
        (name, Sureness::Sure) => (name, Sureness::Sure),
        _ => (otherwise(), Sureness::Type),
    }
}

/// A field is named after itself, an element after its array.
fn name_of_access(root: &Expr, chain: &[AccessExpr]) -> (String, Sureness) {
    let field = chain.iter().rev().find_map(|access| match access {
        AccessExpr::Dot(field) => Some(name_of(field)),
        AccessExpr::Subscript(Subscript::Index { index: Expr::Value(value) }) => match &value.value {
            // `record['name']` is a field in DataFusion's spelling.
            Value::SingleQuotedString(name) => Some((name.clone(), Sureness::Sure)),
            _ => None,
        },
        AccessExpr::Subscript(_) => None,
    });
    field.unwrap_or_else(|| name_of(root))
}

fn name_of_query(query: &Query) -> (String, Sureness) {
    match query.body.as_ref() {
        SetExpr::Select(select) => match select.projection.first() {
            Some(SelectItem::ExprWithAlias { alias, .. }) => (folded(alias), Sureness::Sure),
            Some(SelectItem::UnnamedExpr(expr)) => name_of(expr),
            _ => ("?column?".to_owned(), Sureness::Unknown),
        },
        SetExpr::Query(query) => name_of_query(query),
        _ => ("?column?".to_owned(), Sureness::Unknown),
    }
}

/// PostgreSQL's internal name of a type: `int8` for `bigint`; of its elements for an array.
fn type_name(data_type: &DataType) -> String {
    let original = data_type.to_string().to_lowercase();
    let bare = original.strip_prefix("pg_catalog.").unwrap_or(&original).trim_end_matches("[]").trim_matches('"');
    if let Some(kind) = parse_type(bare) {
        return kind.name().to_owned();
    }
    let mut known = data_type.clone();
    normalize_type(&mut known);
    let shown = known.to_string().to_lowercase();
    parse_type(&shown).map_or(bare.to_owned(), |kind| kind.name().to_owned())
}
