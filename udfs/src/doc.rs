//! What is written about a function, once: from it come the reference page, the catalogues and `\df+`.

use std::fmt::Write;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::logical_expr::{DocSection, Documentation, DocumentationBuilder};

/// Kind of a function, as PostgreSQL's `prokind` tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FunctionKind {
    /// Many rows to one value.
    Aggregate,
    /// One row to one value.
    Scalar,
    /// One row to one value, in view of other rows.
    Window,
    /// Many rows to one value with GROUP BY, one row to one value with OVER.
    AggregateOrWindow,
    /// Stands in FROM, with a relation as its first argument.
    Relation,
}

impl FunctionKind {
    /// The word for it in a sentence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aggregate => "aggregate",
            Self::Scalar => "scalar",
            Self::Window => "window",
            Self::AggregateOrWindow => "aggregate and window",
            Self::Relation => "relation",
        }
    }
}

/// A positional argument.
#[derive(Debug, Clone, Copy)]
pub struct ArgumentDoc {
    /// Name, in the order of the call.
    pub name: &'static str,
    /// SQL type, as PostgreSQL spells it.
    pub sql_type: &'static str,
    /// What it is, with unit and allowed values.
    pub description: &'static str,
    /// Whether it may be repeated; only the last argument may.
    pub is_variadic: bool,
    /// Whether it may be given by name, `name => value`, instead of by position.
    pub is_nameable: bool,
}

/// A named option.
#[derive(Debug, Clone, Copy)]
pub struct OptionDoc {
    /// Name, to the left of `=>`.
    pub name: &'static str,
    /// SQL type of its value.
    pub sql_type: &'static str,
    /// The words it knows; empty where values are not words.
    pub values: &'static [&'static str],
    /// What holds when it is left out.
    pub default: &'static str,
    /// What it changes.
    pub description: &'static str,
}

/// An error that a caller can cause.
#[derive(Debug, Clone, Copy)]
pub struct ErrorDoc {
    /// SQLSTATE.
    pub sqlstate: &'static str,
    /// What causes it.
    pub cause: &'static str,
}

/// A statement that runs as it is.
#[derive(Debug, Clone, Copy)]
pub struct ExampleDoc {
    /// What it asks.
    pub question: &'static str,
    /// One statement, without semicolon.
    pub sql: &'static str,
    /// What it answers, one line a row, columns separated by ` | `.
    pub answer: &'static [&'static str],
}

/// Everything that is written about a function. No field has a default: what is not known is not shipped.
#[derive(Debug, Clone, Copy)]
pub struct FunctionDoc {
    /// SQL name, in lower case.
    pub name: &'static str,
    /// What kind of function it is.
    pub kind: FunctionKind,
    /// One sentence; the line of `\df+`.
    pub summary: &'static str,
    /// A few sentences, for a person who has not met it.
    pub description: &'static str,
    /// How it is called.
    pub syntax: &'static str,
    /// Positional arguments.
    pub arguments: &'static [ArgumentDoc],
    /// Named options.
    pub options: &'static [OptionDoc],
    /// SQL type of the answer.
    pub returns: &'static str,
    /// The answer, and that of an empty group.
    pub answer: &'static str,
    /// What NULLs do.
    pub nulls: &'static str,
    /// What rows of equal time do.
    pub ties: &'static str,
    /// The errors a caller can cause.
    pub errors: &'static [ErrorDoc],
    /// Time and memory.
    pub cost: &'static str,
    /// How partial answers are merged.
    pub merge: &'static str,
    /// Statements that run.
    pub examples: &'static [ExampleDoc],
    /// Where the idea is from.
    pub sources: &'static [&'static str],
}

impl FunctionDoc {
    /// The arguments as `\df` shows them: `event_time timestamp, within interval, VARIADIC step boolean[]`.
    pub fn arguments_text(&self) -> String {
        let positional = self.arguments.iter().map(|argument| match argument.is_variadic {
            true => format!("VARIADIC {} {}[]", argument.name, argument.sql_type),
            false => format!("{} {}", argument.name, argument.sql_type),
        });
        positional.collect::<Vec<_>>().join(", ")
    }

    /// The options as they are called: `mode => text DEFAULT 'default'`.
    pub fn options_text(&self) -> String {
        let options = self
            .options
            .iter()
            .map(|option| format!("{} => {} DEFAULT {}", option.name, option.sql_type, option.default));
        options.collect::<Vec<_>>().join(", ")
    }

    /// The whole signature: `funnel(event_time timestamp, ...) -> integer`.
    pub fn signature_text(&self) -> String {
        format!("{}({}) -> {}", self.name, self.arguments_text(), self.returns)
    }

    /// Names that may stand to the left of `=>`: nameable arguments, then options.
    pub fn option_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        let nameable = self.arguments.iter().filter(|argument| argument.is_nameable).map(|argument| argument.name);
        nameable.chain(self.options.iter().map(|option| option.name))
    }

    /// The same for DataFusion's own catalogue.
    pub(crate) fn documentation(&self) -> Documentation {
        let section = DocSection { include: true, label: "Marketing Functions", description: None };
        let mut doc = DocumentationBuilder::new_with_details(section, self.summary, self.syntax);
        for argument in self.arguments {
            doc = doc.with_argument(argument.name, argument.description);
        }
        for option in self.options {
            doc = doc.with_argument(option.name, option.description);
        }
        if let Some(example) = self.examples.first() {
            doc = doc.with_sql_example(format!("```sql\n{};\n```", example.sql));
        }
        doc.build()
    }

    /// The function's section of the reference page, in Markdown.
    pub fn markdown(&self) -> String {
        let mut page = String::new();
        self.write_markdown(&mut page).unwrap_or_else(|_| unreachable!("a String takes all that is written to it"));
        page
    }

    fn write_markdown(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "## {}\n\n{}\n\n{}\n", self.name, self.summary, self.description)?;
        writeln!(page, "```\n{}\n```\n", self.syntax)?;
        writeln!(page, "Kind: {}. Returns `{}`: {}\n", self.kind.as_str(), self.returns, self.answer)?;
        writeln!(page, "| argument | type | |\n| --- | --- | --- |")?;
        for argument in self.arguments {
            let repeat = if argument.is_variadic { ", ..." } else { "" };
            writeln!(page, "| `{}`{repeat} | {} | {} |", argument.name, argument.sql_type, argument.description)?;
        }
        if !self.options.is_empty() {
            writeln!(page, "\n| option | values | default | |\n| --- | --- | --- | --- |")?;
            for option in self.options {
                let values = match option.values {
                    [] => option.sql_type.to_string(),
                    words => words.iter().map(|word| format!("`'{word}'`")).collect::<Vec<_>>().join(", "),
                };
                writeln!(page, "| `{}` | {values} | {} | {} |", option.name, option.default, option.description)?;
            }
        }
        writeln!(
            page,
            "\n- NULL: {}\n- Ties: {}\n- Cost: {}\n- Merge: {}\n",
            self.nulls, self.ties, self.cost, self.merge
        )?;
        if !self.errors.is_empty() {
            writeln!(page, "| SQLSTATE | when |\n| --- | --- |")?;
            for error in self.errors {
                writeln!(page, "| {} | {} |", error.sqlstate, error.cause)?;
            }
            writeln!(page)?;
        }
        for example in self.examples {
            writeln!(page, "{}\n\n```sql\n{};\n```\n", example.question, example.sql)?;
            writeln!(page, "```text\n{}\n```\n", example.answer.join("\n"))?;
        }
        writeln!(page, "Sources: {}.\n", self.sources.join("; "))
    }
}

/// The reference page of all functions, in Markdown.
pub fn reference(functions: &[&FunctionDoc]) -> String {
    let mut page = String::from(
        "<!-- Generated from the documentation values in udfs/src; bless with TRIBUTARY_BLESS=1 cargo test. -->\n\n\
         # Functions\n\n",
    );
    for function in functions {
        page.push_str(&format!("- [{0}](#{0}): {1}\n", function.name, function.summary));
    }
    page.push('\n');
    for function in functions {
        page.push_str(&function.markdown());
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

/// A type in the words of PostgreSQL, for messages.
pub(crate) fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "smallint".into(),
        DataType::Int32 | DataType::UInt16 => "integer".into(),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "bigint".into(),
        DataType::Float16 | DataType::Float32 => "real".into(),
        DataType::Float64 => "double precision".into(),
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => {
            format!("numeric({p},{s})")
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "bytea".into()
        }
        DataType::Date32 | DataType::Date64 => "date".into(),
        DataType::Time32(_) | DataType::Time64(_) => "time".into(),
        DataType::Timestamp(TimeUnit::Second, None) => "timestamp(0)".into(),
        DataType::Timestamp(_, None) => "timestamp".into(),
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone".into(),
        DataType::Interval(_) | DataType::Duration(_) => "interval".into(),
        DataType::Dictionary(_, values) => sql_type(values),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => format!("{}[]", sql_type(item.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                let types: Vec<_> = fields.iter().map(|field| sql_type(field.data_type())).collect();
                format!("map of {}", types.join(" to "))
            }
            other => format!("map of {}", sql_type(other)),
        },
        DataType::Struct(_) => "record".into(),
        DataType::Null => "NULL".into(),
        other => other.to_string(),
    }
}
