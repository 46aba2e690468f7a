//! The config file: the same names as the options of `serve`, which beat it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::LogFormat;
use crate::access::{Access, Authentication, Locations, User};
use crate::error::{Error, Result, SqlState};

/// What a config file may say. Unknown keys are errors, so that a slip does not pass silently.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Lakes as on the command line: `NAME=PATH_OR_URL` or `PATH_OR_URL`.
    #[serde(default)]
    pub(super) lakes: Vec<String>,
    pub(super) listen: Option<SocketAddr>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) threads: Option<NonZeroUsize>,
    pub(super) memory_limit: Option<String>,
    pub(super) statement_memory_limit: Option<String>,
    pub(super) spill_limit: Option<String>,
    pub(super) status_listen: Option<SocketAddr>,
    pub(super) log_format: Option<LogFormat>,
    #[serde(default)]
    pub(super) log_statements: bool,
    #[serde(default)]
    pub(super) trust_network: bool,
    /// What is known of tables, by `TABLE` or `LAKE.TABLE`.
    #[serde(default)]
    pub(super) tables: BTreeMap<String, TableConfig>,
    pub(super) tls_certificate: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    #[serde(default)]
    pub(super) require_tls: bool,
    pub(super) max_connections: Option<NonZeroUsize>,
    /// From a client's first byte to the end of its login.
    pub(super) login_timeout_seconds: Option<NonZeroUsize>,
    /// For running statements, once the server was told to stop; 0 is none.
    pub(super) shutdown_grace_seconds: Option<u32>,
    /// Without a word on it passwords are asked for where there are users.
    authentication: Option<Asked>,
    /// Who may connect; everybody, where the file names nobody.
    #[serde(default)]
    users: BTreeMap<String, UserConfig>,
    /// Folders and URLs whose files any user may make tables of; without it superusers may, of any.
    external_locations: Option<Vec<String>>,
}

/// `[tables.NAME]`: what the owner knows of a folder of files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableConfig {
    #[serde(default = "default_user_key")]
    pub(super) user_key: String,
    #[serde(default = "default_time_key")]
    pub(super) time_key: String,
    /// Whether each file is sorted by user and time, and no user is in two files. It is checked.
    #[serde(default)]
    pub(super) sorted: bool,
}

fn default_user_key() -> String {
    "user_id".to_owned()
}

fn default_time_key() -> String {
    "event_time".to_owned()
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Asked {
    #[serde(rename = "trust")]
    Trust,
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
}

/// A user in the config file: `[users.ana]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserConfig {
    /// The verifier of the password, as PostgreSQL stores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) superuser: bool,
}

impl Config {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::new(SqlState::UNDEFINED_FILE, format!("cannot read the config file {}: {e}", path.display()))
        })?;
        toml::from_str(&text)
            .map_err(|e| Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("config file {}: {e}", path.display())))
    }

    /// A size of the file, unless the command line gives one.
    pub(super) fn bytes(name: &str, given: Option<usize>, text: Option<&str>) -> Result<Option<usize>> {
        let (None, Some(text)) = (given, text) else { return Ok(given) };
        let parsed = parse_bytes(text);
        parsed.map(Some).map_err(|e| Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("{name}: {e}")))
    }

    /// Who may connect, and what they may name.
    pub(super) fn access(&self) -> Result<Access> {
        let users = self.users.iter().map(|(name, user)| {
            let verifier = user.password.as_deref().map(str::parse).transpose().map_err(|e: String| {
                Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("the password of user \"{name}\": {e}"))
            })?;
            Ok((name.clone(), User { verifier, is_superuser: user.superuser }))
        });
        let users = users.collect::<Result<BTreeMap<_, _>>>()?;
        let authentication = match self.authentication {
            Some(Asked::Trust) => Authentication::Trust,
            Some(Asked::ScramSha256) => Authentication::ScramSha256,
            None if users.is_empty() => Authentication::Trust,
            None => Authentication::ScramSha256,
        };
        let locations = match &self.external_locations {
            Some(places) => Locations::listed(places)?,
            None => Locations::Superusers,
        };
        Access::new(authentication, users, locations)
    }
}

/// `512MiB`, `8GB`, `1073741824`.
pub(super) fn parse_bytes(text: &str) -> std::result::Result<usize, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let wrong = || format!("'{text}' is no size: use a number with B, KiB, MiB, GiB or TiB");
    let number: f64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1024f64.powi(2),
        "g" | "gb" | "gib" => 1024f64.powi(3),
        "t" | "tb" | "tib" => 1024f64.powi(4),
        _ => return Err(wrong()),
    };
    let bytes = number * unit;
    if bytes < 1024.0 * 1024.0 {
        return Err(format!("'{text}' is too small: give at least 1MiB"));
    }
    Ok(bytes as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_bytes("512MiB"), Ok(512 << 20));
        assert_eq!(parse_bytes("1.5 GB"), Ok(3 << 29));
        assert!(parse_bytes("12").unwrap_err().contains("too small"));
        assert!(parse_bytes("much").unwrap_err().contains("no size"));
    }

    fn access(text: &str) -> Result<Access> {
        toml::from_str::<Config>(text).unwrap().access()
    }

    #[test]
    fn users_are_asked_for_passwords_unless_the_file_says_otherwise() {
        let password = crate::access::Verifier::of_password("tea");
        let users =
            format!("[users.ana]\npassword = '{password}'\nsuperuser = true\n[users.bi]\npassword = '{password}'");
        let asked = access(&users).unwrap();
        assert!(asked.asks_for_passwords() && asked.is_superuser("ana") && !asked.is_superuser("bi"));
        assert!(!access(&format!("authentication = 'trust'\n{users}")).unwrap().asks_for_passwords());
        assert!(!access("").unwrap().asks_for_passwords());
    }

    #[test]
    fn a_password_in_clear_is_refused_and_not_repeated() {
        let error = access("[users.ana]\npassword = 'oolong'").unwrap_err();
        assert!(error.message.contains("\"ana\"") && error.message.contains("tributary user"), "{error}");
        assert!(!error.message.contains("oolong"), "{error}");
    }

    #[test]
    fn passwords_cannot_be_asked_for_that_nobody_has() {
        assert!(access("authentication = 'scram-sha-256'").is_err());
        assert!(access("[users.ana]").is_err());
    }

    #[test]
    fn a_table_has_a_section() {
        let text = "[tables.events]\nsorted = true\n[tables.\"shop.visits\"]\nuser_key = 'visitor'\n";
        let config: Config = toml::from_str(text).unwrap();
        let (events, visits) = (&config.tables["events"], &config.tables["shop.visits"]);
        assert_eq!(
            (events.user_key.as_str(), events.time_key.as_str(), events.sorted),
            ("user_id", "event_time", true)
        );
        assert_eq!((visits.user_key.as_str(), visits.sorted), ("visitor", false));
        let error = toml::from_str::<Config>("[tables.events]\nordered = true").unwrap_err();
        assert!(error.to_string().contains("user_key"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let error = toml::from_str::<Config>("lake = ['x']").unwrap_err();
        assert!(error.to_string().contains("lakes"), "{error}");
    }
}
