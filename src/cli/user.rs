//! `tributary user NAME`: a password to the lines of the config file that let its owner in.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stdin};
use std::process::ExitCode;

use serde::Serialize;

use super::UserArgs;
use super::config::UserConfig;
use crate::access::Verifier;
use crate::error::{Error, Result, SqlState};

#[derive(Serialize)]
struct Lines<'a> {
    users: BTreeMap<&'a str, UserConfig>,
}

/// Runs the command. The password is read from a terminal unseen and twice, else as a line of the input.
pub(super) fn run(args: &UserArgs) -> Result<ExitCode> {
    if args.name.is_empty() || args.name.contains('\0') {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "a user has a name"));
    }
    let password = if stdin().is_terminal() { ask(&args.name)? } else { read_line()? };
    if password.is_empty() {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "the password is empty"));
    }
    let user = UserConfig { password: Some(Verifier::of_password(&password).to_string()), superuser: args.superuser };
    let lines = Lines { users: BTreeMap::from([(args.name.as_str(), user)]) };
    let text = toml::to_string(&lines).map_err(|e| Error::new(SqlState::INTERNAL_ERROR, e.to_string()))?;
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

fn ask(name: &str) -> Result<String> {
    let prompt = |text: String| rpassword::prompt_password(text).map_err(unreadable);
    let password = prompt(format!("Password for {name}: "))?;
    if prompt("The same again: ".to_owned())? != password {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "the two passwords differ"));
    }
    Ok(password)
}

fn read_line() -> Result<String> {
    let mut line = String::new();
    stdin().read_line(&mut line).map_err(unreadable)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn unreadable(error: std::io::Error) -> Error {
    Error::new(SqlState::IO_ERROR, format!("cannot read the password: {error}"))
}
