//! The config file: the same names as the options of `serve`, which beat it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::Deserialize;

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
    #[serde(default)]
    pub(super) trust_network: bool,
    /// What is known of tables, by `TABLE` or `LAKE.TABLE`.
    #[serde(default)]
    pub(super) tables: BTreeMap<String, TableConfig>,
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

impl Config {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::new(SqlState::UNDEFINED_FILE, format!("cannot read the config file {}: {e}", path.display()))
        })?;
        toml::from_str(&text)
            .map_err(|e| Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("config file {}: {e}", path.display())))
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
