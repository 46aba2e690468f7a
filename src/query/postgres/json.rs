//! JSON: texts that are checked where they are cast to `json`, and brought to one form where they are cast to `jsonb`.

use std::collections::BTreeMap;
use std::fmt::Write;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::DataType as SqlType;

use super::functions::{is_text, json_in};
use super::{oid_parameter, uuid_field};
use crate::error::{Error, Result, SqlState};
use crate::limits;

/// Where a field's metadata says that its text is JSON, and which.
const KEY: &str = "tributary.json";

/// The two types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Json {
    /// The text as it was written.
    Text,
    /// One form for all texts that mean the same.
    Binary,
}

impl Json {
    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "json",
            Self::Binary => "jsonb",
        }
    }

    /// A column of the type.
    pub fn field(self, name: &str) -> Field {
        Field::new(name, DataType::Utf8, true).with_metadata([(KEY.to_owned(), self.name().to_owned())].into())
    }

    /// The type of a column; `None` for plain text.
    pub fn of(field: &Field) -> Option<Self> {
        match field.metadata().get(KEY)?.as_str() {
            "json" => Some(Self::Text),
            "jsonb" => Some(Self::Binary),
            _ => None,
        }
    }

    /// Reads a text (22P02 where it is no JSON): as it is, or in its one form.
    pub fn read(self, text: &str) -> Result<String> {
        let mut reader = Reader { rest: text, depth: 0 };
        let value = reader.value().filter(|_| reader.rest.trim_start_matches(SPACES).is_empty());
        let Some(value) = value else {
            let token: String = reader.rest.chars().take(20).collect();
            return Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
                .with_detail(if token.is_empty() {
                    "The input string ended unexpectedly.".to_owned()
                } else {
                    format!("It is wrong from here: {token}")
                }));
        };
        Ok(match self {
            Self::Text => text.to_owned(),
            Self::Binary => {
                let mut out = String::with_capacity(text.len());
                value.write(&mut out);
                out
            }
        })
    }
}

/// The types that the planner learns from here: those of this file, uuid, and oid.
#[derive(Debug)]
pub struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, sql_type: &SqlType) -> PlanResult<Option<FieldRef>> {
        Ok(match sql_type {
            SqlType::Uuid => Some(uuid_field("").into()),
            SqlType::JSON => Some(Json::Text.field("").into()),
            SqlType::JSONB => Some(Json::Binary.field("").into()),
            SqlType::Custom(..) => oid_parameter(sql_type),
            _ => None,
        })
    }
}

/// Turns casts of text to JSON into calls that check it.
#[derive(Debug)]
pub struct JsonCasts;

impl FunctionRewrite for JsonCasts {
    fn name(&self) -> &str {
        "json_casts"
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, _: &ConfigOptions) -> PlanResult<Transformed<Expr>> {
        let Expr::Cast(Cast { expr: operand, field }) = expr else { return Ok(Transformed::no(expr)) };
        let Some(json) = Json::of(&field) else {
            return Ok(Transformed::no(Expr::Cast(Cast { expr: operand, field })));
        };
        let from = operand.get_type(schema)?;
        if is_text(&from) {
            return Ok(Transformed::yes(json_in(json).call(vec![*operand])));
        }
        if !from.is_null() {
            let message = format!("a cast of anything but text to {} is not supported", json.name());
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                .with_hint("Records come as records, and maps as json, without a cast.")
                .into());
        }
        Ok(Transformed::no(Expr::Cast(Cast { expr: operand, field })))
    }
}

const SPACES: [char; 4] = [' ', '\t', '\n', '\r'];

enum Value {
    /// `null`, `true`, `false` and numbers, as they are written.
    Word(String),
    Text(String),
    List(Vec<Value>),
    /// Shorter keys first, then by bytes, each once: the last value counts.
    Object(BTreeMap<(usize, String), Value>),
}

impl Value {
    fn write(&self, out: &mut String) {
        match self {
            Self::Word(word) => out.push_str(word),
            Self::Text(text) => write_text(out, text),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, ((_, key), value)) in members.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    write_text(out, key);
                    out.push_str(": ");
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                // A String takes all that is written to it.
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn take(&mut self, sign: char) -> Option<()> {
        self.rest = self.rest.trim_start_matches(SPACES).strip_prefix(sign)?;
        Some(())
    }

    /// `None` where no value starts, or it does not end.
    fn value(&mut self) -> Option<Value> {
        self.rest = self.rest.trim_start_matches(SPACES);
        match self.rest.chars().next()? {
            '{' | '[' if self.depth >= limits::PARSER_DEPTH => None,
            '{' => self.nested(Self::object),
            '[' => self.nested(Self::list),
            '"' => self.text().map(Value::Text),
            '-' | '0'..='9' => self.number().map(Value::Word),
            _ => {
                let word = ["null", "true", "false"].into_iter().find(|word| self.rest.starts_with(word))?;
                self.rest = &self.rest[word.len()..];
                Some(Value::Word(word.to_owned()))
            }
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Option<Value>) -> Option<Value> {
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Option<Value> {
        self.take('[')?;
        let mut items = vec![];
        if self.take(']').is_some() {
            return Some(Value::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.take(',').is_none() {
                self.take(']')?;
                return Some(Value::List(items));
            }
        }
    }

    fn object(&mut self) -> Option<Value> {
        self.take('{')?;
        let mut members = BTreeMap::new();
        if self.take('}').is_some() {
            return Some(Value::Object(members));
        }
        loop {
            self.rest = self.rest.trim_start_matches(SPACES);
            let key = self.text()?;
            self.take(':')?;
            members.insert((key.len(), key), self.value()?);
            if self.take(',').is_none() {
                self.take('}')?;
                return Some(Value::Object(members));
            }
        }
    }

    fn number(&mut self) -> Option<String> {
        let bytes = self.rest.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let sign = usize::from(bytes[0] == b'-');
        let whole = digits(sign);
        let has_zero_before = whole > 1 && bytes[sign] == b'0';
        let mut end = sign + whole;
        if whole == 0 || has_zero_before {
            return None;
        }
        if bytes.get(end) == Some(&b'.') {
            let fraction = digits(end + 1);
            end += 1 + fraction;
            (fraction > 0).then_some(())?;
        }
        let is_plain = !matches!(bytes.get(end), Some(b'e' | b'E'));
        if !is_plain {
            let signed = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits((end + 1 + signed).min(bytes.len()));
            end += 1 + signed + exponent;
            (exponent > 0).then_some(())?;
        }
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(number.to_owned())
    }

    fn text(&mut self) -> Option<String> {
        let mut out = String::new();
        let mut characters = self.rest.strip_prefix('"')?.chars();
        loop {
            match characters.next()? {
                '"' => {
                    self.rest = characters.as_str();
                    return Some(out);
                }
                '\\' => out.push(match characters.next()? {
                    escaped @ ('"' | '\\' | '/') => escaped,
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => code_point(&mut characters)?,
                    _ => return None,
                }),
                c if c < ' ' => return None,
                c => out.push(c),
            }
        }
    }
}

/// Four hexadecimal digits, twice for what is beyond 65,535. Zero is no character of a text.
fn code_point(characters: &mut std::str::Chars<'_>) -> Option<char> {
    let unit = |characters: &mut std::str::Chars<'_>| {
        (0..4).try_fold(0, |unit, _| Some(unit * 16 + characters.next()?.to_digit(16)?))
    };
    let first = unit(characters)?;
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(first).filter(|c| *c != '\0');
    }
    if characters.next()? != '\\' || characters.next()? != 'u' {
        return None;
    }
    let second = unit(characters)?.checked_sub(0xDC00).filter(|second| *second < 0x400)?;
    char::from_u32(0x10000 + ((first - 0xD800) << 10) + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn jsonb_has_one_form_and_json_keeps_its_own() {
        let text = r#" {"b":1, "aa" : [1,2.50,{}] ,"b": "\u8336\n" } "#;
        assert_eq!(Json::Text.read(text).unwrap(), text);
        assert_eq!(Json::Binary.read(text).unwrap(), r#"{"b": "茶\n", "aa": [1, 2.50, {}]}"#);
        assert_eq!(Json::Binary.read(r#""\ud83c\udf75""#).unwrap(), "\"🍵\"");
    }

    #[test]
    fn what_is_no_json_is_22p02() {
        for text in ["", "{", "{a:1}", "[1,]", "01", "1.", "1e", "nul", "\"a", "[1] 2", "\"\\x\"", "\"\\ud83c\""] {
            let error = Json::Text.read(text).expect_err(text);
            assert_eq!(error.state, SqlState::INVALID_TEXT_REPRESENTATION, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(Json::Text.read(&deep).is_err());
    }

    proptest! {
        #[test]
        fn one_form_stays_itself(text in "[\\[\\]{}:,\"a1 .e-]{0,16}") {
            if let Ok(form) = Json::Binary.read(&text) {
                prop_assert_eq!(Json::Binary.read(&form).unwrap(), form);
            }
        }
    }
}
