//! `tributary functions [NAME] [--json]`: what is written about the functions.

use std::process::ExitCode;

use serde_json::{Value, json};
use tributary_udfs::FunctionDoc;

use super::FunctionsArgs;
use crate::error::{Error, Result, SqlState};

/// Runs the command.
pub(super) fn run(args: &FunctionsArgs) -> Result<ExitCode> {
    let all = tributary_udfs::catalogue();
    let chosen: Vec<&FunctionDoc> = match &args.name {
        None => all.to_vec(),
        Some(name) => {
            let found = all.iter().find(|f| f.name.eq_ignore_ascii_case(name));
            vec![*found.ok_or_else(|| unknown(name, all))?]
        }
    };
    if args.json {
        let values: Vec<Value> = chosen.iter().map(|f| to_json(f)).collect();
        println!("{:#}", if args.name.is_some() { values[0].clone() } else { Value::Array(values) });
    } else if args.name.is_some() {
        chosen.iter().for_each(|f| print!("{}", f.markdown()));
    } else {
        let width = chosen.iter().map(|f| f.name.len()).max().unwrap_or(0);
        chosen.iter().for_each(|f| println!("{:width$}  {}", f.name, f.summary));
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str, all: &[&FunctionDoc]) -> Error {
    let names: Vec<&str> = all.iter().map(|f| f.name).collect();
    Error::new(SqlState::UNDEFINED_FUNCTION, format!("there is no function '{name}'"))
        .with_hint(format!("The functions are: {}.", names.join(", ")))
}

fn to_json(doc: &FunctionDoc) -> Value {
    json!({
        "name": doc.name,
        "kind": doc.kind.as_str(),
        "summary": doc.summary,
        "description": doc.description,
        "syntax": doc.syntax,
        "signature": doc.signature_text(),
        "arguments": doc.arguments.iter().map(|a| json!({
            "name": a.name,
            "type": a.sql_type,
            "description": a.description,
            "variadic": a.is_variadic,
            "may_be_named": a.is_nameable,
        })).collect::<Vec<_>>(),
        "options": doc.options.iter().map(|o| json!({
            "name": o.name,
            "type": o.sql_type,
            "values": o.values,
            "default": o.default,
            "description": o.description,
        })).collect::<Vec<_>>(),
        "returns": doc.returns,
        "answer": doc.answer,
        "nulls": doc.nulls,
        "ties": doc.ties,
        "errors": doc.errors.iter().map(|e| json!({"sqlstate": e.sqlstate, "cause": e.cause})).collect::<Vec<_>>(),
        "cost": doc.cost,
        "merge": doc.merge,
        "examples": doc.examples.iter().map(|e| json!({"question": e.question, "sql": e.sql, "answer": e.answer})).collect::<Vec<_>>(),
        "sources": doc.sources,
    })
}
