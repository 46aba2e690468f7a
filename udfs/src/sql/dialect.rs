//! PostgreSQL's dialect, behind a type of our own.
//!
//! Every method that PostgreSQL's dialect defines itself is forwarded, and a test parses a corpus under both. Added are
//! `(TABLE name)` where an expression may stand, `TRIM(TRAILING FROM text)` and `ALTER VIEW name RENAME TO other`.
//! The parser asks a dialect who it is by its type, so this one answers with PostgreSQL's.

use std::any::TypeId;
use std::cell::Cell;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    AlterTable, AlterTableOperation, ColumnOption, Expr, GranteesType, RenameTableNameKind, Statement, TrimWhereField,
};
use datafusion::sql::sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::relations::select_all;

/// The SQL that Tributary reads: PostgreSQL's.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TributaryDialect;

const POSTGRES: PostgreSqlDialect = PostgreSqlDialect {};

/// Forwards methods without arguments.
macro_rules! forward {
    ($($method:ident),* $(,)?) => {
        $(fn $method(&self) -> bool {
            POSTGRES.$method()
        })*
    };
}

/// `(TABLE name)` as an expression, which PostgreSQL takes and the parser knows as a statement alone: the query
/// `(SELECT * FROM name)`.
fn parse_table_command(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let is_table = |token: &Token| matches!(token, Token::Word(word) if word.keyword == Keyword::TABLE);
    if parser.peek_token_ref().token != Token::LParen || !is_table(&parser.peek_nth_token_ref(1).token) {
        return None;
    }
    parser.advance_token();
    parser.advance_token();
    let query = parser.parse_object_name(false).and_then(|name| {
        parser.expect_token(&Token::RParen)?;
        Ok(Expr::Subquery(Box::new(select_all(name))))
    });
    Some(query)
}

/// `TRIM(TRAILING FROM text)`: where to trim is said and what is not, which the parser takes for a name.
fn parse_trim(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let keyword = |token: &Token| match token {
        Token::Word(word) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    };
    let side = match keyword(&parser.peek_nth_token_ref(2).token) {
        Keyword::LEADING => TrimWhereField::Leading,
        Keyword::TRAILING => TrimWhereField::Trailing,
        Keyword::BOTH => TrimWhereField::Both,
        _ => return None,
    };
    let is_so = keyword(&parser.peek_token_ref().token) == Keyword::TRIM
        && parser.peek_nth_token_ref(1).token == Token::LParen
        && keyword(&parser.peek_nth_token_ref(3).token) == Keyword::FROM;
    if !is_so {
        return None;
    }
    for _ in 0..4 {
        parser.advance_token();
    }
    Some(parser.parse_expr().and_then(|expr| {
        parser.expect_token(&Token::RParen)?;
        Ok(Expr::Trim { expr: Box::new(expr), trim_where: Some(side), trim_what: None, trim_characters: None })
    }))
}

/// `ALTER VIEW name RENAME TO other`, which the parser has for tables alone: the same statement, as of a table, to which
/// the word VIEW is attached.
fn parse_rename(parser: &mut Parser) -> Option<Result<Statement, ParserError>> {
    let is = |parser: &Parser, index: usize, keyword: Keyword| matches!(&parser.peek_nth_token_ref(index).token, Token::Word(word) if word.keyword == keyword);
    if !is(parser, 0, Keyword::ALTER) || !is(parser, 1, Keyword::VIEW) {
        return None;
    }
    let renamed = parser.maybe_parse(|parser| {
        parser.advance_token();
        parser.advance_token();
        let view = parser.get_current_token().clone();
        let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
        let name = parser.parse_object_name(false)?;
        parser.expect_keywords(&[Keyword::RENAME, Keyword::TO])?;
        let table_name = RenameTableNameKind::To(parser.parse_object_name(false)?);
        Ok(Statement::AlterTable(AlterTable {
            name,
            if_exists,
            only: false,
            operations: vec![AlterTableOperation::RenameTable { table_name }],
            location: None,
            on_cluster: None,
            table_type: None,
            end_token: AttachedToken(view),
        }))
    });
    renamed.transpose()
}

thread_local! {
    /// What [`parse_within`] allows the parse that runs on this thread to do yet.
    static STEPS_LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Parses with [`TributaryDialect`] and gives up, as at its limit of depth, once it began `steps` expressions.
///
/// The parser tries some things and goes back; where such places nest, its time doubles with every level.
pub fn parse_within<T>(steps: usize, parse: impl FnOnce() -> T) -> T {
    struct PutBack(usize);
    impl Drop for PutBack {
        fn drop(&mut self) {
            STEPS_LEFT.set(self.0);
        }
    }
    let _put_back = PutBack(STEPS_LEFT.replace(steps));
    parse()
}

/// Counts a step. Of its errors only this one is not taken for an attempt that failed.
fn take_step() -> Option<Result<Expr, ParserError>> {
    let left = STEPS_LEFT.get();
    STEPS_LEFT.set(left.saturating_sub(1));
    (left == 0).then_some(Err(ParserError::RecursionLimitExceeded))
}

impl Dialect for TributaryDialect {
    fn dialect(&self) -> TypeId {
        POSTGRES.dialect()
    }

    /// PostgreSQL's dialect reads `json_object('key': value)` so, and reads every argument of every call twice for it:
    /// forty calls inside each other would take hours. Arguments are named by names.
    fn supports_named_fn_args_with_expr_name(&self) -> bool {
        false
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        POSTGRES.is_delimited_identifier_start(ch)
    }

    fn is_nested_delimited_identifier_start(&self, ch: char) -> bool {
        POSTGRES.is_nested_delimited_identifier_start(ch)
    }

    fn peek_nested_delimited_identifier_quotes(
        &self,
        chars: std::iter::Peekable<std::str::Chars<'_>>,
    ) -> Option<(char, Option<char>)> {
        POSTGRES.peek_nested_delimited_identifier_quotes(chars)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        POSTGRES.identifier_quote_style(identifier)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        POSTGRES.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        POSTGRES.is_identifier_part(ch)
    }

    fn is_custom_operator_part(&self, ch: char) -> bool {
        POSTGRES.is_custom_operator_part(ch)
    }

    forward! {
        supports_string_literal_backslash_escape,
        ignores_wildcard_escapes,
        supports_unicode_string_literal,
        supports_filter_during_aggregation,
        supports_window_clause_named_window_reference,
        supports_within_after_array_aggregation,
        supports_partition_by_after_order_by,
        supports_array_join_syntax,
        supports_group_by_expr,
        supports_group_by_with_modifier,
        supports_left_associative_joins_without_parens,
        supports_outer_join_operator,
        supports_cross_join_constraint,
        supports_connect_by,
        supports_execute_immediate,
        supports_match_recognize,
        supports_in_empty_list,
        supports_start_transaction_modifier,
        supports_end_transaction_modifier,
        supports_named_fn_args_with_eq_operator,
        supports_named_fn_args_with_colon_operator,
        supports_named_fn_args_with_assignment_operator,
        supports_named_fn_args_with_rarrow_operator,
        supports_numeric_prefix,
        supports_numeric_literal_underscores,
        supports_window_function_null_treatment_arg,
        supports_dictionary_syntax,
        support_map_literal_syntax,
        supports_lambda_functions,
        supports_parenthesized_set_variables,
        supports_comma_separated_set_assignments,
        supports_update_order_by,
        supports_select_wildcard_except,
        convert_type_before_value,
        supports_triple_quoted_string,
        supports_trailing_commas,
        supports_limit_comma,
        supports_string_literal_concatenation,
        supports_string_literal_concatenation_with_newline,
        supports_projection_trailing_commas,
        supports_from_trailing_commas,
        supports_column_definition_trailing_commas,
        supports_object_name_double_dot_notation,
        supports_struct_literal,
        supports_empty_projections,
        supports_select_expr_star,
        supports_from_first_select,
        supports_from_first_insert,
        supports_pipe_operator,
        supports_user_host_grantee,
        supports_match_against,
        supports_select_wildcard_exclude,
        supports_select_exclude,
        supports_create_table_multi_schema_info_sources,
        supports_select_modifiers,
        describe_requires_table_keyword,
        allow_extract_custom,
        allow_extract_single_quotes,
        supports_extract_comma_syntax,
        supports_subquery_as_function_arg,
        supports_create_view_comment_syntax,
        supports_array_typedef_without_element_type,
        supports_parens_around_table_factor,
        supports_values_as_table_factor,
        supports_dollar_placeholder,
        supports_dollar_as_money_prefix,
        supports_create_index_with_clause,
        require_interval_qualifier,
        supports_explain_with_utility_options,
        supports_asc_desc_in_column_definition,
        supports_factorial_operator,
        supports_bitwise_shift_operators,
        supports_nested_comments,
        supports_multiline_comment_hints,
        supports_eq_alias_assignment,
        supports_try_convert,
        supports_bang_not_operator,
        supports_listen_notify,
        supports_load_data,
        supports_load_extension,
        supports_top_before_distinct,
        supports_boolean_literals,
        supports_show_like_before_in,
        supports_comment_on,
        supports_create_table_select,
        supports_partiql,
        supports_constraint_keyword_without_name,
        supports_key_column_option,
        supports_table_sample_before_alias,
        supports_insert_set,
        supports_insert_table_function,
        supports_insert_table_query,
        supports_insert_format,
        supports_insert_table_alias,
        supports_set_stmt_without_operator,
        supports_table_versioning,
        supports_string_escape_constant,
        supports_table_hints,
        requires_single_line_comment_whitespace,
        supports_array_typedef_with_brackets,
        supports_geometric_types,
        supports_order_by_all,
        supports_set_names,
        supports_space_separated_column_options,
        supports_alter_column_type_using,
        supports_comma_separated_drop_column_list,
        supports_notnull_operator,
        supports_data_type_signed_suffix,
        supports_interval_options,
        supports_create_table_like_parenthesized,
        supports_semantic_view_table_factor,
        supports_quote_delimited_string,
        supports_comment_optimizer_hint,
        supports_double_ampersand_operator,
        supports_binary_kw_as_cast,
        supports_select_wildcard_replace,
        supports_select_wildcard_ilike,
        supports_select_wildcard_rename,
        supports_select_wildcard_with_alias,
        supports_optimize_table,
        supports_install,
        supports_detach,
        supports_prewhere,
        supports_with_fill,
        supports_limit_by,
        supports_interpolate,
        supports_settings,
        supports_select_format,
        supports_comma_separated_trim,
        supports_cte_without_as,
        supports_select_item_multi_column_alias,
        supports_xml_expressions,
        supports_create_table_using,
        supports_long_type_as_bigint,
        supports_map_literal_with_angle_brackets,
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        take_step()
            .or_else(|| parse_table_command(parser))
            .or_else(|| parse_trim(parser))
            .or_else(|| POSTGRES.parse_prefix(parser))
    }

    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        distinct_from(parser, expr).or_else(|| POSTGRES.parse_infix(parser, expr, precedence))
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        POSTGRES.get_next_precedence(parser)
    }

    fn get_next_precedence_default(&self, parser: &Parser) -> Result<u8, ParserError> {
        POSTGRES.get_next_precedence_default(parser)
    }

    fn parse_statement(&self, parser: &mut Parser) -> Option<Result<Statement, ParserError>> {
        parse_rename(parser).or_else(|| POSTGRES.parse_statement(parser))
    }

    fn parse_column_option(
        &self,
        parser: &mut Parser,
    ) -> Result<Option<Result<Option<ColumnOption>, ParserError>>, ParserError> {
        POSTGRES.parse_column_option(parser)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        POSTGRES.prec_value(precedence)
    }

    fn prec_unknown(&self) -> u8 {
        POSTGRES.prec_unknown()
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        POSTGRES.is_reserved_for_identifier(keyword)
    }

    fn get_reserved_keywords_for_select_item_operator(&self) -> &[Keyword] {
        POSTGRES.get_reserved_keywords_for_select_item_operator()
    }

    fn get_reserved_grantees_types(&self) -> &[GranteesType] {
        POSTGRES.get_reserved_grantees_types()
    }

    fn is_column_alias(&self, keyword: &Keyword, parser: &mut Parser) -> bool {
        POSTGRES.is_column_alias(keyword, parser)
    }

    fn is_select_item_alias(&self, explicit: bool, keyword: &Keyword, parser: &mut Parser) -> bool {
        POSTGRES.is_select_item_alias(explicit, keyword, parser)
    }

    fn is_table_factor(&self, keyword: &Keyword, parser: &mut Parser) -> bool {
        POSTGRES.is_table_factor(keyword, parser)
    }

    fn is_table_alias(&self, keyword: &Keyword, parser: &mut Parser) -> bool {
        POSTGRES.is_table_alias(keyword, parser)
    }

    fn is_table_factor_alias(&self, explicit: bool, keyword: &Keyword, parser: &mut Parser) -> bool {
        POSTGRES.is_table_factor_alias(explicit, keyword, parser)
    }

    fn is_identifier_generating_function_name(
        &self,
        ident: &datafusion::sql::sqlparser::ast::Ident,
        name_parts: &[datafusion::sql::sqlparser::ast::ObjectNamePart],
    ) -> bool {
        POSTGRES.is_identifier_generating_function_name(ident, name_parts)
    }
}

/// `a IS [NOT] DISTINCT FROM b`, whose right side ends where that of other comparisons does: the parser's own goes on
/// to the end of the expression, so that `a IS DISTINCT FROM b AND c` would be `a IS DISTINCT FROM (b AND c)`.
fn distinct_from(parser: &mut Parser, left: &Expr) -> Option<Result<Expr, ParserError>> {
    const IS: [Keyword; 3] = [Keyword::IS, Keyword::DISTINCT, Keyword::FROM];
    const IS_NOT: [Keyword; 4] = [Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM];
    let is_negated = parser.parse_keywords(&IS_NOT);
    if !is_negated && !parser.parse_keywords(&IS) {
        return None;
    }
    let left = Box::new(left.clone());
    Some(parser.parse_subexpr(POSTGRES.prec_value(Precedence::Is)).map(|right| match is_negated {
        true => Expr::IsNotDistinctFrom(left, Box::new(right)),
        false => Expr::IsDistinctFrom(left, Box::new(right)),
    }))
}
