//! How deep a statement will be, told from its tokens alone: what is too deep is refused before there is a tree.
//!
//! Chains of operators are parsed in a loop and become trees as deep as they are long, which the parser's own limit
//! does not see. Planning, evaluation and `Drop` recurse into them, and much of planning takes the square of the depth.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArguments, ObjectName, ObjectNamePart, Query, Select, Statement, Visit, Visitor,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use crate::error::{Error, Result, SqlState};
use crate::limits;

/// Fails with 54001 if the tree of these tokens would be deeper than [`limits::EXPRESSION_DEPTH`], or if it would
/// have more branches of OR, AND and UNION than [`limits::CONNECTED_PARTS`] or more joins than [`limits::JOINS`].
///
/// Chains of these three become flat (see [`super::balance`]), so only their number counts.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut levels = Levels { open: vec![Level::default()], joins: 0 };
    let mut solid = tokens.iter().map(|token| &token.token).filter(|token| !matches!(token, Token::Whitespace(_)));
    let mut before = None;
    let mut next = solid.next();
    while let Some(token) = next {
        next = solid.next();
        levels.take(token, before, next)?;
        before = Some(token);
    }
    Ok(())
}

/// Fails with 54001 if the expressions of a statement are more than [`limits::EXPRESSION_WORK`], and with 54011 if one of
/// its SELECTs lists more than [`limits::COLUMNS`] columns.
pub(super) fn check_work(statement: &Statement) -> Result<()> {
    struct Work {
        depth: f64,
        work: f64,
    }
    impl Visitor for Work {
        type Break = Error;

        fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<Error> {
            self.depth += 1.0;
            self.work += self.depth.powi(3);
            if self.work <= limits::EXPRESSION_WORK {
                return ControlFlow::Continue(());
            }
            let message = "the expressions of the statement are too large to be planned";
            let error = Error::new(SqlState::STATEMENT_TOO_COMPLEX, message);
            ControlFlow::Break(error.with_hint("Split it into statements, or write chains of OR as IN (...)."))
        }

        fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<Error> {
            self.depth -= 1.0;
            ControlFlow::Continue(())
        }

        fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
            if select.projection.len() <= limits::COLUMNS {
                return ControlFlow::Continue(());
            }
            let message = format!("target lists can have at most {} entries", limits::COLUMNS);
            ControlFlow::Break(Error::new(SqlState::TOO_MANY_COLUMNS, message))
        }
    }
    match statement.visit(&mut Work { depth: 0.0, work: 0.0 }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// Fails with 54001 if subqueries stand in expressions of subqueries deeper than [`limits::SUBQUERY_DEPTH`].
///
/// Much of planning walks a subquery of an expression once for itself and once for what is around it.
pub(super) fn check_subqueries(statement: &Statement) -> Result<()> {
    struct Depth(usize);
    impl Visitor for Depth {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            self.0 += usize::from(is_subquery(expr));
            if self.0 > limits::SUBQUERY_DEPTH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }

        fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            self.0 -= usize::from(is_subquery(expr));
            ControlFlow::Continue(())
        }
    }
    match statement.visit(&mut Depth(0)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            let message = format!("subqueries are nested deeper than {} levels", limits::SUBQUERY_DEPTH);
            Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, message)
                .with_hint("Put them into FROM, or name them with WITH."))
        }
    }
}

/// Fails with 54001 if the names of WITH, each put in where it is used, make more than [`limits::PLAN_NODES`] queries.
///
/// The planner puts them in so, and walks what it has at every step: each name used twice by the next one is a
/// statement of a few lines that is never planned. Costs one walk of the statement.
pub(super) fn check_with(statement: &Statement) -> Result<()> {
    let mut weigh = Weigh { open: vec![] };
    match statement.visit(&mut weigh) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            let message = format!("the names of WITH stand for more than {} queries", limits::PLAN_NODES);
            Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, message)
                .with_hint("A name that is used twice counts twice: keep what is used often as a table."))
        }
    }
}

/// Counts the queries that each query stands for, from the inside out.
struct Weigh {
    open: Vec<OpenQuery>,
}

/// A query whose parts are being read.
struct OpenQuery {
    /// Itself, the queries in it, and those that its names stand for.
    weight: usize,
    /// Its names of WITH that have been read.
    names: HashMap<String, usize>,
    /// Those that have not, each with the place of its query.
    unread: VecDeque<(*const Query, String)>,
}

impl Visitor for Weigh {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let definitions = query.with.iter().flat_map(|with| &with.cte_tables);
        let unread = definitions
            .map(|definition| (std::ptr::from_ref(&*definition.query), definition.alias.name.value.to_lowercase()))
            .collect();
        self.open.push(OpenQuery { weight: 1, names: HashMap::new(), unread });
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        if let [ObjectNamePart::Identifier(name)] = relation.0.as_slice() {
            let name = name.value.to_lowercase();
            let weight = self.open.iter().rev().find_map(|query| query.names.get(&name)).copied().unwrap_or(0);
            if let Some(query) = self.open.last_mut() {
                query.weight = query.weight.saturating_add(weight);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let Some(done) = self.open.pop() else { return ControlFlow::Continue(()) };
        if done.weight > limits::PLAN_NODES {
            return ControlFlow::Break(());
        }
        if let Some(around) = self.open.last_mut() {
            match around.unread.pop_front_if(|(unread, _)| std::ptr::eq(*unread, query)) {
                Some((_, name)) => {
                    around.names.insert(name, done.weight);
                }
                None => around.weight = around.weight.saturating_add(done.weight),
            }
        }
        ControlFlow::Continue(())
    }
}

/// Whether a query stands anywhere in an expression.
pub(super) fn has_subquery(expr: &Expr) -> bool {
    struct Find;
    impl Visitor for Find {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    expr.visit(&mut Find).is_break()
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(expr, Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. })
        || matches!(expr, Expr::Function(function) if matches!(function.args, FunctionArguments::Subquery(_)))
}

/// What is between two brackets, or between CASE and END.
#[derive(Default)]
struct Level {
    is_case: bool,
    /// Of the operand that is being read: its operators, and what is deepest below them.
    depth: usize,
    /// Of the operands before it.
    deepest: usize,
    /// ANDs and ORs, UNIONs and their like.
    connected: usize,
    /// Changes between UNION, UNION ALL, EXCEPT and INTERSECT: only runs of one become flat.
    set_depth: usize,
    set_operator: Option<(Keyword, bool)>,
}

struct Levels {
    open: Vec<Level>,
    joins: usize,
}

impl Levels {
    fn take(&mut self, token: &Token, before: Option<&Token>, next: Option<&Token>) -> Result<()> {
        match token {
            Token::LParen | Token::LBrace => self.open.push(Level::default()),
            // A subscript is an operator of what it follows.
            Token::LBracket => {
                self.operator()?;
                self.open.push(Level::default());
            }
            Token::RParen | Token::RBrace | Token::RBracket => {
                while self.top().is_case && self.open.len() > 1 {
                    self.close()?;
                }
                self.close()?;
            }
            Token::Comma => self.end_operand(),
            Token::Word(Word { keyword, quote_style: None, .. }) => self.take_word(*keyword, before, next)?,
            Token::Placeholder(name) => return check_parameter(name),
            Token::Word(_)
            | Token::Number(..)
            | Token::Char(_)
            | Token::SemiColon
            | Token::EOF
            | Token::Whitespace(_) => {}
            token if is_string(token) => {}
            _ => self.operator()?,
        }
        Ok(())
    }

    fn take_word(&mut self, keyword: Keyword, before: Option<&Token>, next: Option<&Token>) -> Result<()> {
        match keyword {
            Keyword::CASE => self.open.push(Level { is_case: true, ..Level::default() }),
            Keyword::END if self.top().is_case => self.close()?,
            Keyword::AND | Keyword::OR => {
                self.end_operand();
                self.connect()?;
            }
            Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT => {
                self.end_operand();
                let operator = (keyword, next.is_some_and(|next| is_word(next, Keyword::ALL)));
                let level = self.top();
                let is_run = keyword != Keyword::EXCEPT && level.set_operator == Some(operator);
                level.set_operator = Some(operator);
                level.set_depth += usize::from(!is_run);
                if level.set_depth > limits::SET_DEPTH {
                    return Err(too_deep(limits::SET_DEPTH));
                }
                self.connect()?;
            }
            // IS DISTINCT FROM is an operator, counted at its IS.
            Keyword::FROM if before.is_some_and(|before| is_word(before, Keyword::DISTINCT)) => {}
            Keyword::JOIN => {
                self.end_operand();
                self.joins += 1;
                if self.joins > limits::JOINS {
                    let message = format!("the statement has more than {} joins", limits::JOINS);
                    return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, message));
                }
            }
            Keyword::SELECT
            | Keyword::FROM
            | Keyword::WHERE
            | Keyword::ON
            | Keyword::USING
            | Keyword::HAVING
            | Keyword::BY
            | Keyword::LIMIT
            | Keyword::OFFSET
            | Keyword::VALUES
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE => self.end_operand(),
            Keyword::NOT
            | Keyword::IS
            | Keyword::NOTNULL
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::RLIKE
            | Keyword::REGEXP
            | Keyword::SIMILAR
            | Keyword::IN
            | Keyword::BETWEEN
            | Keyword::COLLATE
            | Keyword::AT
            | Keyword::OVERLAPS
            | Keyword::OPERATOR
            | Keyword::INTERVAL
            | Keyword::DIV => self.operator()?,
            _ => {}
        }
        Ok(())
    }

    fn top(&mut self) -> &mut Level {
        if self.open.is_empty() {
            self.open.push(Level::default());
        }
        let last = self.open.len() - 1;
        &mut self.open[last]
    }

    fn operator(&mut self) -> Result<()> {
        let level = self.top();
        level.depth += 1;
        if level.depth > limits::EXPRESSION_DEPTH { Err(too_deep(limits::EXPRESSION_DEPTH)) } else { Ok(()) }
    }

    fn connect(&mut self) -> Result<()> {
        let level = self.top();
        level.connected += 1;
        if level.connected <= limits::CONNECTED_PARTS {
            return Ok(());
        }
        let message = format!("the statement connects more than {} parts", limits::CONNECTED_PARTS);
        Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, message).with_hint("Replace chains of OR by IN (...)."))
    }

    fn end_operand(&mut self) {
        let level = self.top();
        level.deepest = level.deepest.max(level.depth);
        level.depth = 0;
    }

    /// Ends a level: it is an operand of the level around it.
    fn close(&mut self) -> Result<()> {
        // A bracket too many is the parser's to refuse.
        if self.open.len() < 2 {
            return Ok(());
        }
        let closed = self.open.pop().unwrap_or_default();
        let connected = (closed.connected + 1).ilog2() as usize;
        let depth = closed.deepest.max(closed.depth) + connected + 1;
        let level = self.top();
        level.depth = level.depth.max(depth);
        if depth > limits::EXPRESSION_DEPTH { Err(too_deep(limits::EXPRESSION_DEPTH)) } else { Ok(()) }
    }
}

/// The number of a parameter is the length of the list of all: it must be one that a client can send (42P02).
fn check_parameter(name: &str) -> Result<()> {
    let Some(digits) = name.strip_prefix('$').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) else {
        return Ok(());
    };
    let is_one = digits.parse::<usize>().is_ok_and(|number| (1..=limits::PARAMETERS).contains(&number));
    if digits.is_empty() || is_one {
        return Ok(());
    }
    Err(Error::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter {name}")))
}

fn is_word(token: &Token, keyword: Keyword) -> bool {
    matches!(token, Token::Word(Word { keyword: found, quote_style: None, .. }) if *found == keyword)
}

fn is_string(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::SingleQuotedByteStringLiteral(_)
    )
}

fn too_deep(levels: usize) -> Error {
    Error::new(SqlState::STATEMENT_TOO_COMPLEX, format!("the statement is nested deeper than {levels} levels"))
        .with_hint("Split it into parts, for example with WITH.")
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn is_allowed(text: &str) -> bool {
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().unwrap();
        match check(&tokens) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.state, SqlState::STATEMENT_TOO_COMPLEX);
                false
            }
        }
    }

    /// The text that repeats `part` as often as may be, and the one that does once more.
    fn edge(before: &str, part: &str, after: &str, most: usize) -> [bool; 2] {
        [most, most + 1].map(|times| is_allowed(&format!("{before}{}{after}", part.repeat(times))))
    }

    #[test]
    fn chains_are_as_deep_as_they_are_long() {
        let depth = limits::EXPRESSION_DEPTH;
        for part in ["1 + ", "1 = ", "'a' || ", "x::int::", "NOT ", "x IS DISTINCT FROM ", "x LIKE ", "x COLLATE "] {
            let most = depth / part.matches("::").count().max(1);
            assert_eq!(edge("SELECT ", part, "1", most), [true, false], "{part}");
        }
        assert_eq!(edge("SELECT x", "[1]", "", depth), [true, false]);
    }

    #[test]
    fn what_stands_side_by_side_is_not_deep() {
        let many = 5_000;
        for part in ["a.b + 1, ", "x = 1 OR ", "x.y = 1 AND ", "CASE WHEN a = 1 THEN b.c ELSE -1 END, ", "f(1 + 2), "] {
            assert!(is_allowed(&format!("SELECT {}1", part.repeat(many))), "{part}");
        }
        assert!(is_allowed(&format!("SELECT CASE {}END", "WHEN a.b = 1 THEN -1 ".repeat(many))));
        assert!(is_allowed(&format!("SELECT 1{}", " UNION ALL SELECT a.b, 1 + 1 FROM t WHERE x = 1".repeat(many))));
        assert!(is_allowed(&format!("SELECT 1 FROM a{}", " JOIN b.c ON a.x = c.x".repeat(limits::JOINS))));
    }

    #[test]
    fn depth_adds_up_along_the_tree_wherever_the_chains_are() {
        let half = "1 + ".repeat(limits::EXPRESSION_DEPTH / 2 + 1);
        assert!(is_allowed(&format!("SELECT ({half}1) , ({half}1)")));
        assert!(!is_allowed(&format!("SELECT ({half}1) + {half}1")));
        // What stands last in a chain is not below it.
        assert!(is_allowed(&format!("SELECT {half}({half}1)")));
        assert!(!is_allowed(&format!("SELECT CASE WHEN true THEN {half}1 END + {half}1")));
        // CASE is a bracket: it does not begin the count anew.
        assert!(!is_allowed(&format!("SELECT {}1", "CASE WHEN a THEN 1 END + ".repeat(limits::EXPRESSION_DEPTH + 1))));
    }

    #[test]
    fn parts_joins_and_changes_of_set_operators_have_limits() {
        assert_eq!(edge("SELECT ", "a OR ", "b", limits::CONNECTED_PARTS), [true, false]);
        assert_eq!(edge("SELECT 1 FROM a", " JOIN b ON true", "", limits::JOINS), [true, false]);
        assert_eq!(edge("SELECT 1", " EXCEPT SELECT 2", "", limits::SET_DEPTH), [true, false]);
        let changing = " UNION SELECT 2 UNION ALL SELECT 3".repeat(limits::SET_DEPTH);
        assert!(!is_allowed(&format!("SELECT 1{changing}")));
    }

    #[test]
    fn subqueries_in_expressions_have_a_limit_and_those_in_from_have_not() {
        let depth = limits::SUBQUERY_DEPTH;
        let is_allowed = |open: &str, close: &str, depth: usize| {
            let text = format!("SELECT {}1{}", open.repeat(depth), close.repeat(depth));
            let dialect = PostgreSqlDialect {};
            let parser = Parser::new(&dialect).with_recursion_limit(limits::PARSER_DEPTH).try_with_sql(&text);
            check_subqueries(&parser.unwrap().parse_statement().unwrap()).is_ok()
        };
        for (open, close) in
            [("(SELECT ", ")"), ("EXISTS (SELECT ", ")"), ("1 IN (SELECT ", ")"), ("ARRAY(SELECT ", ")")]
        {
            assert!(is_allowed(open, close, depth), "{open}");
            assert!(!is_allowed(open, close, depth + 1), "{open}");
        }
        assert!(is_allowed("* FROM (SELECT ", ") AS t", 3 * depth));
    }

    #[test]
    fn names_that_double_are_refused_and_names_that_follow_each_other_are_not() {
        let is_allowed = |text: &str| {
            let statement = Parser::parse_sql(&PostgreSqlDialect {}, text).unwrap().remove(0);
            check_with(&statement).is_ok()
        };
        let chain = |uses: &str, lines: usize| {
            let lines: Vec<String> = (1..=lines)
                .map(|n| format!("c{n} AS (SELECT 1 FROM {})", uses.replace('#', &(n - 1).to_string())))
                .collect();
            format!("WITH c0 AS (SELECT 1), {} SELECT 1 FROM c0", lines.join(", "))
        };
        assert!(is_allowed(&chain("c#", 300)));
        assert!(is_allowed(&chain("c# AS a, c# AS b", 10)));
        assert!(!is_allowed(&chain("c# AS a, c# AS b", 20)));
        // Inside of each other they double as well.
        let inner = chain("c# AS a, c# AS b", 20);
        assert!(!is_allowed(&format!("SELECT 1 FROM ({inner}) AS t")));
        assert!(is_allowed("WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT 1 FROM r AS a) SELECT 1 FROM r"));
    }

    #[test]
    fn a_name_of_an_inner_with_is_not_the_outer_one() {
        let is_allowed = |text: &str| {
            let dialect = PostgreSqlDialect {};
            let parser = Parser::new(&dialect).with_recursion_limit(limits::PARSER_DEPTH).try_with_sql(text);
            check_with(&parser.unwrap().parse_statement().unwrap()).is_ok()
        };
        // Each is called as the one around it and uses the one inside of it twice.
        let nest = |levels: usize| {
            let inner =
                |text: String, _| format!("SELECT 1 FROM (WITH c AS ({text}) SELECT 1 FROM c AS a, c AS b) AS t");
            (0..levels).fold("SELECT 1".to_owned(), inner)
        };
        assert!(is_allowed(&nest(5)));
        assert!(!is_allowed(&nest(20)));
        assert!(is_allowed("WITH a AS (WITH b AS (SELECT 1) SELECT 1 FROM b), b AS (SELECT 1 FROM a) SELECT 1 FROM b"));
    }

    #[test]
    fn many_names_are_weighed_in_one_walk() {
        let names: Vec<String> = (1..10_000).rev().map(|n| format!("c{n} AS (SELECT 1 FROM c{})", n - 1)).collect();
        let text = format!("WITH {} SELECT 1", names.join(", "));
        let statement = Parser::parse_sql(&PostgreSqlDialect {}, &text).unwrap().remove(0);
        let started = std::time::Instant::now();
        assert!(check_with(&statement).is_ok());
        assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
    }

    #[test]
    fn the_number_of_a_parameter_is_one_that_can_be_sent() {
        let state = |text: &str| {
            let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().unwrap();
            check(&tokens).map_err(|error| error.state)
        };
        assert_eq!(state("SELECT $1, $65535"), Ok(()));
        for text in ["SELECT $0", "SELECT $65536", "SELECT $99999999999::int", "SELECT $99999999999999999999999999"] {
            assert_eq!(state(text), Err(SqlState::UNDEFINED_PARAMETER), "{text}");
        }
    }

    #[test]
    fn brackets_that_do_not_match_are_the_parsers_to_refuse() {
        for text in [")))", "SELECT (((", "]}", "CASE CASE )", "END END"] {
            assert!(is_allowed(text), "{text}");
        }
    }
}
